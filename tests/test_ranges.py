from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from test_forecast import panel, seasonal

from sop_lib import accuracy, backtest, baseline, engines, forecast, hierarchy, ranges

AHEAD = pd.date_range("2026-11-01", periods=18, freq="MS")


def windows(series: int = 12, spread: float = 10.0, **more) -> pd.DataFrame:
    """Return a backtest of many series whose errors are normal with a standard deviation of 5 (half the spread)."""
    rng = np.random.default_rng(1)
    origins = pd.date_range("2024-11-01", periods=12, freq="MS")
    index = pd.MultiIndex.from_product([range(series), origins, range(1, 13)], names=["at", "origin", "lag"])
    rows = index.to_frame(index=False)
    rows["product"] = [f"P{i:02d}" for i in rows["at"]]
    rows["series"] = "F · " + rows["product"] + " · R"
    rows["month"] = [o + pd.DateOffset(months=n) for o, n in zip(rows.origin, rows.lag, strict=True)]
    names = {"level": "product-region", "family": "F", "region": "R", "model": "combination", "rule": "combination"}
    rows = rows.assign(**names, forecast=100.0, spread=spread, lags=12, origins=12, **more)
    return rows.assign(actual=100.0 + rng.normal(0, 5, len(rows)))


def given(tested: pd.DataFrame, rows: pd.DataFrame | None = None) -> baseline.Baseline:
    """Return what the engine found: a backtest, and a flat forecast of 100 for every series of it."""
    rules = tested.drop_duplicates("series")[["level", "series", "family", "product", "region", "rule", "spread"]]
    flat = rules[["series"]].merge(pd.DataFrame({"month": AHEAD, "forecast": 100.0}), how="cross")
    flat = flat.assign(model="combination", origin=pd.Timestamp("2026-10-01"))
    none = pd.DataFrame(columns=engines.REMARK)
    found, came = engines.Forecasts(flat, none), engines.Forecasts(tested, none)
    return baseline.Baseline(panel(P=[1.0]) if rows is None else rows, rules, found, came, none, none)


def test_paths_are_as_wide_as_the_errors_were_and_wider_beyond_the_last_lag():
    tested = windows()
    _, paths = ranges.sample_paths(given(tested), AHEAD)
    assert paths.shape == (500, 12, 18)
    assert paths[:, :, :12].std() == pytest.approx(5, rel=0.1)
    assert paths[:, :, 17].std() / paths[:, :, 11].std() == pytest.approx(np.sqrt(18 / 12), rel=0.02)
    assert np.median(paths) == pytest.approx(100, abs=0.2)


def test_what_went_wrong_together_stays_wrong_together():
    apart = windows(20)
    together = apart.copy()
    shared = together[together.series == together.series.min()].set_index(["origin", "lag"]).actual
    together["actual"] = shared.loc[pd.MultiIndex.from_frame(together[["origin", "lag"]])].to_numpy()
    wide, narrow = (
        ranges.sample_paths(given(tested), AHEAD)[1].sum(axis=1)[:, 2].std() for tested in (together, apart)
    )
    assert wide > 0.85 * 20 * 5
    assert narrow < 0.6 * wide


def test_ranges_of_families_and_total_come_from_the_summed_paths():
    tested = windows(4)
    series, paths = ranges.sample_paths(given(tested), AHEAD)
    total = ranges.path_quantiles(series, paths, "total", AHEAD)
    assert total.p90.tolist() == pytest.approx(np.quantile(paths.sum(axis=1), 0.9, axis=0).tolist())
    by_family = ranges.family_paths(series, paths, AHEAD)
    assert by_family.quantity.sum() == pytest.approx(paths.sum())
    assert list(by_family) == ["path", "month", "family", "region", "quantity"]
    assert len(by_family) == 500 * 18


def test_the_same_paths_come_twice_and_in_any_order_of_rows():
    tested = windows(5)
    base = given(tested)
    shuffled = replace(
        base,
        rules=base.rules[::-1],
        forecasts=replace(base.forecasts, table=base.forecasts.table.sample(frac=1, random_state=3)),
        tested=replace(base.tested, table=tested.sample(frac=1, random_state=4)),
    )
    np.testing.assert_array_equal(ranges.sample_paths(base, AHEAD)[1], ranges.sample_paths(shuffled, AHEAD)[1])


def test_series_that_cannot_move_have_no_range_and_nothing_goes_below_zero():
    tested = windows(4, spread=200.0)
    base = given(tested)
    base = replace(base, rules=base.rules.assign(rule=["ended", "constant", "combination", "combination"]))
    _, paths = ranges.sample_paths(base, AHEAD)
    assert (paths[:, :2] == 100).all()
    _, paths = ranges.sample_paths(replace(base, rules=base.rules.assign(spread=5000.0)), AHEAD)
    assert paths.min() == 0


def test_without_a_backtest_the_spread_itself_gives_the_range():
    base = given(windows(3))
    none = pd.DataFrame(columns=backtest.TESTED).astype({"forecast": float, "spread": float})
    base = replace(base, tested=replace(base.tested, table=none))
    _, paths = ranges.sample_paths(base, AHEAD)
    assert np.abs(paths[:, :, 0] - 100).mean() == pytest.approx(10, rel=0.02)
    assert ranges.backtest_ranges(base, ["total"]).empty


def test_coverage_of_later_origins_is_near_nominal_when_errors_stay_alike():
    tested = windows(40)
    rows = panel(**{f"P{i:02d}": seasonal() for i in range(40)}).assign(series=lambda d: "F · " + d["product"] + " · R")
    found = ranges.backtest_ranges(given(tested, rows), ["total", "product-region"])
    assert found.origin.nunique() == 6
    assert found.origin.min() > tested.origin.min()
    scores = accuracy.range_accuracy(found, "combination")
    leaf = scores[(scores.level == "product-region") & (scores.series == "ALL") & (scores.lag == 0)]
    assert leaf.set_index("metric").value.coverage80 == pytest.approx(0.8, abs=0.03)
    assert leaf.set_index("metric").value.coverage95 == pytest.approx(0.95, abs=0.02)


@pytest.mark.parametrize("level", ["product-region", "family", "total"])
def test_the_forecast_ties_at_every_level_wherever_it_was_made(level):
    sold = (
        panel(a=seasonal(40), b=seasonal(40) / 2)
        .rename(columns={"quantity": "cleansed"})
        .drop(columns=["level", "series"])
    )
    rows = forecast.panel(sold, level)
    base = baseline.baseline(rows, 6, 2)
    leaf, series, paths = ranges.at_product_region(base, sold, AHEAD[:6])
    table = ranges.forecast_table(leaf, series, paths, base.rules)
    sums = table.groupby("level")["mean"].sum()
    assert sums.to_numpy() == pytest.approx(sums["total"])
    assert set(hierarchy.LEVELS) <= set(sums.index)
    assert (table.p025 <= table.p10).all()
    assert (table.p90 <= table.p975).all()
    assert table[table.level == level].method.unique().tolist() == ["combination"]


def test_regions_have_ranges_of_their_own_where_there_are_several_and_reconciled_series_say_so():
    parts = [panel(a=seasonal(40) * size).assign(region=region) for region, size in (("North", 1), ("South", 2))]
    sold = pd.concat(parts).rename(columns={"quantity": "cleansed"}).drop(columns=["level", "series"])
    base = baseline.baseline(forecast.panel(sold, "product-region"), 6, 2)
    leaf, series, paths = ranges.at_product_region(base, sold, AHEAD[:6])
    moved = pd.Series({"F · a · North": "half top-down"})
    table = ranges.forecast_table(leaf, series, paths, base.rules, moved)
    table = table.set_index(["level", "region", "month"]).sort_index()
    for level in ("region", "family-region"):
        for column in ("mean", "p10", "p90"):
            at = table.loc[(level, "South"), column]
            assert at.to_numpy() == pytest.approx(table.loc[("product-region", "South"), column].to_numpy())
        assert set(table.loc[level, "method"]) == {"sum"}
    told = table.loc["product-region", "method"].groupby("region").first()
    assert told.to_dict() == {"North": "combination, half top-down", "South": "combination"}
