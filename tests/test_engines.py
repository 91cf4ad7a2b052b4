"""Where models run: the same numbers for a series whatever is computed with it, where, and how often."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from sop_lib import engines, kept, models

MONTHS = pd.date_range("2020-11-01", periods=72, freq="MS")


def panel(**series) -> pd.DataFrame:
    """Return the months of named series, each ending in October 2026."""
    parts = [
        pd.DataFrame({"series": name, "month": MONTHS[-len(values):], "quantity": np.asarray(values, dtype=float)})
        for name, values in series.items()
    ]  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def seasonal(months: int) -> np.ndarray:
    at = np.arange(72)
    return (100 + 50 * np.sin(2 * np.pi * at / 12) + at / 3 + 3 * np.cos(7.0 * at))[-months:]


def same(one: engines.Forecasts, other: engines.Forecasts) -> None:
    """Assert that two forecasts are equal to the last bit."""
    pd.testing.assert_frame_equal(one.table, other.table, check_exact=True)
    pd.testing.assert_frame_equal(one.remarks, other.remarks)


def test_a_forecast_begins_after_the_last_month_known():
    found = engines.predicted(panel(a=[4, 9, 7]), ("last",), 2).table
    assert found[["origin", "month", "forecast"]].values.tolist() == [
        [MONTHS[-1], MONTHS[-1] + pd.DateOffset(months=1), 7.0],
        [MONTHS[-1], MONTHS[-1] + pd.DateOffset(months=2), 7.0],
    ]


def test_a_replay_leaves_its_lags_after_every_origin():
    found = engines.replayed(panel(a=[1, 2, 3, 4, 5, 6]), ("last",), 2, 3).table
    lag = found.month.dt.to_period("M").astype("int64") - found.origin.dt.to_period("M").astype("int64")
    assert lag.tolist() == [1, 2] * 3
    assert found.origin.unique().tolist() == list(MONTHS[-5:-2])
    assert found.forecast.tolist() == [2, 2, 3, 3, 4, 4]


def test_a_model_that_fails_on_one_series_is_named_with_it_and_serves_the_others(monkeypatch):
    real = engines._values

    def fails_on_b(frame, model, task):
        if "b" in set(frame.unique_id):
            raise RuntimeError("no fit")
        return real(frame, model, task)

    monkeypatch.setattr(engines, "_values", fails_on_b)
    found = engines.predicted(panel(a=[1, 2], b=[1, 2], c=[1, 2], d=[1, 2]), ("zero", "last"), 1)
    assert found.table.series.tolist() == ["a", "c", "d"] * 2
    assert found.remarks[["series", "model", "remark", "error"]].values.tolist() == [
        ["b", "zero", "failed", "no fit"],
        ["b", "last", "failed", "no fit"],
    ]


@pytest.mark.parametrize("name", models.MODELS)
def test_every_model_forecasts_the_months_asked_for_and_the_same_twice(name):
    rows = panel(a=seasonal(48), b=seasonal(48) * 3)

    first, second = (engines.predicted(rows, (name,), 5) for _ in range(2))
    pd.testing.assert_frame_equal(first.table, second.table)
    assert first.table.groupby("series").size().to_dict() == {"a": 5, "b": 5}
    assert np.isfinite(first.table.forecast).all()
    assert first.remarks.empty


@pytest.mark.parametrize("name", models.MODELS)
def test_a_series_has_the_same_numbers_to_the_last_bit_whatever_is_computed_with_it(name):
    rows = panel(z=seasonal(49), y=seasonal(60) * 3)
    before = pd.concat([panel(a=seasonal(37)), rows.sample(frac=1, random_state=3)])  # an odd number of months before

    for ask in (lambda r: engines.predicted(r, (name,), 3), lambda r: engines.replayed(r, (name,), 3, 2)):
        alone, among = ask(rows).table, ask(before).table
        among = among[among.series != "a"].reset_index(drop=True)
        pd.testing.assert_frame_equal(alone, among, check_exact=True)


# Bad inputs


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_month_that_is_not_a_number_keeps_its_series_from_every_model_and_is_counted(value):
    broken = seasonal(30)
    broken[11] = value
    found = engines.predicted(panel(a=seasonal(30), b=broken), ("last", "mean"), 2)
    assert set(found.table.series) == {"a"}
    assert found.remarks[["series", "model", "remark"]].values.tolist() == [
        ["b", "last", "failed"],
        ["b", "mean", "failed"],
    ]
    assert found.remarks.error.unique().tolist() == ["a month is not a number"]


@pytest.mark.parametrize("name", models.MODELS)
@pytest.mark.parametrize("values", [[7.0], [5.0] * 30, [0.0] * 30, [0.0] * 29 + [1e12]])
def test_one_month_and_months_that_are_all_alike_are_forecast_or_counted(name, values):
    found = engines.predicted(panel(odd=values, fine=seasonal(40)), (name,), 3)
    counts = found.table.groupby("series").size()
    assert counts["fine"] == 3
    assert counts.get("odd", 0) + 3 * (found.remarks.series == "odd").sum() == 3


def test_a_series_too_short_to_replay_is_counted_and_the_others_are_served():
    found = engines.replayed(panel(a=seasonal(30), b=[1, 2, 3]), ("last",), 3, 2)
    assert found.table.groupby("series").size().to_dict() == {"a": 6}
    assert found.remarks.series.tolist() == ["b"]


def test_no_rows_and_no_models_give_no_forecasts_and_all_columns():
    for found in (engines.predicted(panel(a=[1]).iloc[:0], ("last",), 2), engines.replayed(panel(a=[1, 2]), (), 1, 1)):
        assert found.table.empty
        assert set(found.table) == {"series", "origin", "month", "model", "forecast"}
        assert list(found.remarks) == engines.REMARK


# Nothing computed twice


@pytest.fixture
def computed(monkeypatch):
    """Return a list of the series and models that were really computed."""
    seen, real = [], engines._block

    def block(frame, model, task):
        seen.extend((series, model) for series in frame.unique_id.unique())
        return real(frame, model, task)

    monkeypatch.setattr(engines, "_block", block)
    return seen


def keeping(folder) -> engines.Engine:
    """Return an engine as a new process would have it."""
    return engines.Engine(kept=kept.Kept(folder))


def test_what_has_not_changed_is_taken_as_kept_and_is_the_same_to_the_last_bit(tmp_path, computed):
    rows = panel(a=seasonal(49), b=seasonal(60) * 3, bad=[1.0])
    asks = [
        lambda r: engines.predicted(r, ("theta", "last"), 6, engine=keeping(tmp_path)),
        lambda r: engines.replayed(r, ("theta", "last"), 3, 2, engine=keeping(tmp_path)),
    ]
    first = [ask(rows) for ask in asks]
    assert {series for series, _ in computed} == {"a", "b", "bad"}
    assert not first[0].remarks.empty
    computed.clear()
    for ask, found in zip(asks, first, strict=True):
        same(ask(rows.sample(frac=1, random_state=1)), found)
    assert {series for series, _ in computed} == {"bad"}  # what failed is tried again

    changed = rows.assign(quantity=rows.quantity.where(rows.series != "b", rows.quantity + 1))
    here = engines.predicted(changed, ("theta", "last"), 6)
    computed.clear()
    same(asks[0](changed), here)
    assert {one for one in computed if one[0] != "bad"} == {("b", "theta"), ("b", "last")}


def test_another_horizon_other_settings_or_another_version_are_computed(tmp_path, computed, monkeypatch):
    rows = panel(a=seasonal(49))
    for _ in range(2):
        engines.predicted(rows, ("tsb",), 6, engine=keeping(tmp_path))
    assert len(computed) == 1
    engines.predicted(rows, ("tsb",), 7, engine=keeping(tmp_path))
    assert len(computed) == 2
    other = dataclasses.replace(models.MODELS["tsb"], settings={"alpha_d": 0.5, "alpha_p": 0.2})
    monkeypatch.setitem(models.MODELS, "tsb", other)
    found = engines.predicted(rows, ("tsb",), 6, engine=keeping(tmp_path))
    assert len(computed) == 3
    same(found, engines.predicted(rows, ("tsb",), 6))
    computed.clear()
    monkeypatch.setattr(engines, "made_with", lambda: "statsforecast 99")
    engines.predicted(rows, ("tsb",), 6, engine=keeping(tmp_path))
    assert len(computed) == 1


def test_the_same_months_a_year_later_are_another_series(tmp_path, computed):
    rows = panel(a=seasonal(49))
    engines.predicted(rows, ("last",), 2, engine=keeping(tmp_path))
    later = rows.assign(month=rows.month + pd.DateOffset(years=1))
    found = engines.predicted(later, ("last",), 2, engine=keeping(tmp_path))
    assert len(computed) == 2
    assert found.table.month.min() == MONTHS[-1] + pd.DateOffset(months=13)
