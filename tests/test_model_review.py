"""What each model said, with what weight, how it did, and how often ranges held: by hand."""

from functools import cache

import numpy as np
import pandas as pd
import pytest
from test_forecast import panel, seasonal

from sop_lib import (
    backtest,
    baseline,
    demand_charts,
    engines,
    hierarchy,
    model_review,
    models,
    ranges,
    tables,
)

LUMPY = np.where(np.arange(60) * 7 % 5 < 2, np.arange(60) % 11, 0)
AHEAD = pd.date_range("2026-11-01", periods=2, freq="MS")
NONE = pd.DataFrame(columns=engines.REMARK)


@cache
def found() -> baseline.Baseline:
    """Return what the engine finds for two regular series, an intermittent and a young one."""
    rows = panel(a=seasonal(60), b=seasonal(60)[::-1], lumpy=LUMPY, young=[3, 4, 5])
    return baseline.baseline(hierarchy.labelled(rows, "product-region"), 24, 2)


@cache
def scored() -> tuple[pd.DataFrame, pd.DataFrame]:
    base = found()
    levels = hierarchy.levels_above("product-region")
    given = ranges.backtest_ranges(base, levels)
    windows = backtest.backtest_levels(base.tested.table, base.panel, levels)
    return model_review.all_scores(windows, base, given), model_review.lumpy_scores(base, given)


def by_hand(weights: dict[str, list[float]], used: str) -> baseline.Baseline:
    """Return an engine's findings of series A and B with these weights of theta and ets."""
    rules = pd.DataFrame({"level": "product", "series": ["A", "B"], "family": "F", "product": ["A", "B"]})
    rules = rules.assign(region="ALL", rule="combination")
    rows = [(s, "combination", m, w) for s, ws in weights.items() for m, w in zip(("theta", "ets"), ws, strict=True)]
    schemes = pd.DataFrame({"rule": "combination", "scheme": ["equal", "per series"], "loss": [1.0, 0.9]})
    schemes = schemes.assign(origins=6, used=schemes["scheme"] == used)
    ahead = pd.DataFrame({"series": "A", "origin": pd.Timestamp("2026-10-01"), "month": AHEAD, "model": "theta"})
    weighed = pd.DataFrame(rows, columns=["series", "rule", "model", "weight"])
    said = engines.Forecasts(ahead.assign(forecast=[1.0, 2.0]), NONE)
    return baseline.Baseline(panel(A=[1.0]), rules, said, said, weighed, schemes)


def test_each_weight_is_told_with_the_way_it_was_found():
    table = model_review.weights_table(by_hand({"A": [0.7, 0.3], "B": [0.5, 0.5]}, "per series"))
    assert table["scheme"].tolist() == ["per series", "per series", "equal", "equal"]
    assert table["product"].tolist() == ["A", "A", "B", "B"]
    assert tables.check("weights", table.assign(cycle="2026-11"))["weight"].sum() == 2


def test_the_engine_tells_the_weights_and_the_forecast_of_every_model():
    base = found()
    table = model_review.weights_table(base)
    assert table.groupby("series")["weight"].sum().to_numpy() == pytest.approx(1)
    assert table.loc[table["series"] == "F · young · R", ["model", "scheme"]].values.tolist() == [["mean", "one model"]]
    said = tables.check("model_forecasts", model_review.model_forecasts(base).assign(cycle="2026-11"))
    for series, rule in (("F · a · R", "combination"), ("F · lumpy · R", "intermittent")):
        told = set(said.loc[said["series"] == series, "model"])
        assert told == {*models.RULES[rule].models, "combination", "seasonal_naive"}
    one = said[said["series"] == "F · a · R"].pivot(index="month", columns="model", values="forecast")
    weight = table[table["series"] == "F · a · R"].set_index("model")["weight"]
    np.testing.assert_allclose((one[weight.index] * weight).sum(axis=1), one["combination"])


def test_only_rules_with_a_choice_of_weights_are_shown():
    shown = model_review.schemes_shown(found())
    assert shown["rule"].drop_duplicates().tolist() == ["combination", "intermittent"]
    assert shown.groupby("rule")["used"].sum().tolist() == [1, 1]
    regular = baseline.baseline(panel(a=seasonal(60)), 24, 2)
    assert model_review.schemes_shown(regular)["rule"].drop_duplicates().tolist() == ["combination"]


def test_intermittent_series_are_ranked_by_rmsse_and_the_others_by_mase():
    base = found()
    regular, lumpy = model_review.ranking(base.tested.table, base.weights, scored()[0], 2)
    assert set(lumpy["rule"]) == {"intermittent"}
    assert not {"wape", "mase", "wape_all", "mase_all"} & set(lumpy)
    assert lumpy["rmsse"].is_monotonic_increasing
    assert regular.groupby("rule")["mase"].apply(lambda s: s.is_monotonic_increasing).all()
    assert lumpy[["pinball", "pinball_all"]].notna().all(axis=None)
    rows = base.tested.table.query("rule == 'combination' and model == 'theta' and lag == 2")
    theta = regular[regular["model"] == "theta"].iloc[0]
    assert theta["wape"] == pytest.approx((rows["forecast"] - rows["actual"]).abs().sum() / rows["actual"].sum())
    assert theta["series"] == 2


def test_nothing_is_ranked_without_a_backtest():
    base = baseline.baseline(panel(a=seasonal(10)), 6, 2)
    given = ranges.backtest_ranges(base, ["total"])
    scores = model_review.all_scores(base.tested.table, base, given)
    assert scores.empty
    assert all(t.empty for t in model_review.ranking(base.tested.table, base.weights, scores, 2))
    assert model_review.held(scores, ["total"]).empty


def test_the_pinball_loss_of_a_model_is_of_its_forecast_times_the_series_own_demand():
    """Demand of 0 and 10 in turn: half of its months are 0, half twice the mean. A forecast of 5 ranges 0 to 10."""
    rows = panel(P=[0.0, 10.0] * 30)
    origin = pd.Timestamp("2026-04-01")
    names = {"level": "product", "series": "P", "family": "F", "product": "P", "region": "ALL"}
    tested = pd.DataFrame({**names, "model": ["tsb", "combination"], "rule": "intermittent", "origin": origin})
    tested = tested.assign(month=origin + pd.DateOffset(months=1), lag=1, forecast=5.0, actual=4.0)
    rules = tested.drop_duplicates("series")
    said = engines.Forecasts(tested, NONE)
    base = baseline.Baseline(rows, rules, said, said, NONE, NONE)
    given = pd.DataFrame({**names, "origin": [origin], "lag": 1})
    scores = model_review.lumpy_scores(base, given)
    assert scores[["series", "model", "metric"]].drop_duplicates().values.tolist() == [["P", "tsb", "pinball"]]
    # quantiles 0, 0, 0 or 10 at the middle, 10, 10; the actual is 4
    low, high = (0.025 + 0.1) * 4, (0.1 + 0.025) * 6
    middle = {round((low + high + m) / 5, 6) for m in (0.5 * 4, 0.5 * 1, 0.5 * 6)}
    assert round(scores["value"].iloc[0], 6) in middle
    assert scores["lag"].tolist() == [0, 1]


def test_the_models_of_regular_series_have_no_pinball_loss_of_their_own():
    _, rare = scored()
    assert set(rare["series"]) == {"F · lumpy · R"}
    assert "combination" not in set(rare["model"])


def held(**shares: tuple[float, float]) -> pd.DataFrame:
    rows = [
        {"level": level, "lag": lag, "n": 90, "coverage80": a, "coverage95": b}
        for level, (a, b) in shares.items()
        for lag in (0, 1, 2)
    ]
    return pd.DataFrame(rows)


def test_the_months_inside_the_ranges_are_counted_by_level_and_lag():
    names = {"family": "ALL", "product": "ALL", "region": "ALL", "series": "ALL", "model": "combination"}
    scores = pd.DataFrame({"level": ["total", "family", "family"], "lag": [0, 0, 2], "n": [9, 90, 6], **names})
    parts = [scores.assign(metric=m, value=v) for m, v in (("coverage80", 0.7), ("coverage95", 0.9))]
    scores = pd.concat([*parts, parts[0].assign(series="F", value=0.1)], ignore_index=True)
    shown = model_review.held(scores, ["family", "total"])
    assert shown.values.tolist() == [["family", 0, 90, 0.7, 0.9], ["family", 2, 6, 0.7, 0.9], ["total", 0, 9, 0.7, 0.9]]


def test_the_sentence_says_where_ranges_are_too_narrow_or_too_wide():
    said = model_review.held_sentence(held(**{"product-region": (0.8, 0.95), "family": (0.9, 0.99)}))
    assert said.endswith("of months for series, 90 and 99 % for families: too wide for families")
    assert model_review.held_sentence(held(total=(0.81, 0.94))).endswith(
        "81 and 94 % of months for the total: as they should"
    )
    assert "long enough" in model_review.held_sentence(held().reindex(columns=list(held(total=(1, 1)))))


def test_the_calibration_chart_draws_both_ranges_beside_what_they_promise():
    figure = demand_charts.calibration(
        held(family=(0.7, 0.9), total=(0.2, 0.5)), {"family": "families", "total": "total"}
    )
    left, right = figure.axes
    assert [ax.get_title(loc="left").split("\n") for ax in (left, right)] == [
        ["families", "90 months a lag"], ["total", "90 months a lag"],
    ]  # fmt: skip
    assert sorted({float(line.get_ydata()[0]) for line in left.lines}) == [0.7, 0.8, 0.9, 0.95]
    assert right.get_ylim()[0] < 0.2
    assert [text.get_text() for text in right.texts] == ["80 % range", "95 % range"]


def test_what_a_model_says_of_a_sum_takes_the_combination_where_it_says_nothing():
    rows = [("A", "theta", 9.0), ("A", "combination", 8.0), ("A", "seasonal_naive", 6.0), ("B", "combination", 1.0)]
    said = pd.DataFrame(rows, columns=["series", "model", "forecast"]).merge(
        pd.DataFrame({"month": AHEAD}), how="cross"
    )
    shown = model_review.said_of(said)
    assert list(shown) == ["month", "combination", "theta", "seasonal_naive"]
    assert shown.iloc[:, 1:].values.tolist() == [[9.0, 10.0, 7.0]] * 2
    assert model_review.said_of(tables.empty("model_forecasts")).empty


def test_ranges_are_told_in_counted_months():
    rows = pd.DataFrame({"model": "combination", "lag": [0, 2, 0, 2, 5], "n": [108, 6, 108, 6, 6]})
    rows = rows.assign(metric=["coverage80", "coverage80", "coverage95", "coverage95", "coverage95"])
    rows = rows.assign(value=[81 / 108, 5 / 6, 1.0, 1.0, 0.0])
    assert model_review.range_kept(rows, 2) == (
        "Its 80 % range held 5 of 6 months at lag 2, 81 of 108 over all lags. "
        "Its 95 % range held 6 of 6 months at lag 2, 108 of 108 over all lags."
    )
    assert "Too little history" in model_review.range_kept(rows.head(0), 2)
