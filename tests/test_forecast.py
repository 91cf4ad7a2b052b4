import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sop_lib import baseline, engines, forecast, models, pooled

MONTHS = pd.date_range("2020-11-01", periods=72, freq="MS")


def panel(**series) -> pd.DataFrame:
    """Return the months of named series, each ending in October 2026."""
    parts = [
        pd.DataFrame({"level": "product-region", "series": name, "family": "F", "product": name, "region": "R",
                      "month": MONTHS[-len(values):], "quantity": np.asarray(values, dtype=float)})
        for name, values in series.items()
    ]  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def seasonal(months: int = 72) -> np.ndarray:
    """Return a season between 50 and 150 that rises by a third of a unit a month, the same in every call."""
    at = np.arange(72)
    return (100 + 50 * np.sin(2 * np.pi * at / 12) + at / 3 + 3 * np.cos(7.0 * at))[-months:]


def rule(**series) -> dict[str, str]:
    rows = forecast.series_rules(panel(anchor=seasonal(), **series))
    return rows.set_index("series")["rule"].to_dict()


def test_each_kind_of_series_has_its_rule():
    rules = rule(
        young=[3, 4, 5], short=[3, 4, 5, 6, 7, 8, 9], two=seasonal(20), flat=[5.0] * 30, never=[0.0] * 30,
        lumpy=[0, 7, 0, 0, 9, 0] * 8, silent=[*seasonal(40), *[0] * 12], anchor2=seasonal(24),
    )  # fmt: skip
    assert rules == {
        "anchor": "combination", "anchor2": "combination", "young": "young", "short": "short", "two": "under two years",
        "flat": "constant", "never": "never sold", "lumpy": "intermittent", "silent": "ended",
    }  # fmt: skip


def test_a_pause_that_happened_before_does_not_end_a_series():
    winter_only = [9, 9, 9, 9, 0, 0, 0, 0, 0, 0, 0, 0] * 5
    assert rule(heaters=winter_only)["heaters"] == "intermittent"
    assert rule(stopped=[*[9] * 50, *[0] * 7])["stopped"] == "ended"
    assert rule(paused=[*[9] * 50, *[0] * 6])["paused"] == "combination"


def test_a_series_that_stops_before_the_last_month_has_ended():
    both = panel(anchor=seasonal(), gone=seasonal())
    rows = both[(both.series == "anchor") | (both.month < "2026-05-01")].reset_index(drop=True)
    assert forecast.series_rules(rows).set_index("series").rule["gone"] == "ended"
    found = baseline.baseline(rows, 3, 2).forecasts.table
    gone = found[(found.series == "gone") & (found.model == "combination")]
    assert gone.forecast.tolist() == [0, 0, 0]
    assert gone.month.min() == pd.Timestamp("2026-11-01")


def test_adi_and_scale_by_hand():
    row = forecast.series_rules(panel(lumpy=[0, 4, 0, 0] * 6)).iloc[0]
    assert (row.months, row.interval, row.silent) == (24, 4.0, 2)
    growing = forecast.series_rules(panel(up=np.arange(24.0))).iloc[0]
    assert (growing.scale, growing.scale_sq) == (12.0, 144.0)


def test_the_combination_is_the_plain_mean_of_its_models():
    rows = panel(anchor=seasonal())
    found = baseline.baseline(rows, 12, 2)
    wide = found.forecasts.table.pivot(index="month", columns="model", values="forecast")
    assert list(wide) == ["combination", "ets", "pooled", "seasonal_naive", "stl", "theta"]
    weight = found.weights.set_index("model")["weight"]
    assert weight.sum() == pytest.approx(1)
    np.testing.assert_allclose(wide["combination"], wide[weight.index] @ weight)
    assert abs(wide["combination"].mean() / seasonal()[-12:].mean() - 1) < 0.1


def said(**values) -> engines.Forecasts:
    rows = [
        {
            "series": "S",
            "origin": MONTHS[-1],
            "month": MONTHS[-1] + pd.DateOffset(months=i + 1),
            "model": name,
            "forecast": v,
        }
        for name, given_ in values.items()
        for i, v in enumerate(given_)
    ]
    return engines.Forecasts(pd.DataFrame(rows), pd.DataFrame(columns=engines.REMARK))


def mean_of(found: engines.Forecasts, **weights) -> engines.Forecasts:
    return forecast.combine(found, pd.DataFrame({"series": "S", "model": list(weights), "weight": weights.values()}))


def test_a_model_that_explodes_or_is_no_number_is_left_out_and_remarked():
    rows = panel(S=[10.0, 20.0, 10.0])
    found = forecast.plausible([said(a=[10, 12], b=[20, 1e6], c=[np.nan, 5.0], seasonal_naive=[7, 8])], rows)
    best = mean_of(found, a=0.2, b=0.5, c=0.3)
    assert best.table[best.table.model == "combination"].forecast.tolist() == pytest.approx([10, 12])
    assert found.remarks[["model", "remark"]].values.tolist() == [
        ["b", "left out: implausible"],
        ["c", "left out: implausible"],
    ]


def test_negative_months_become_zero_and_are_counted():
    found = forecast.plausible([said(a=[-4, 6], b=[2, 6], seasonal_naive=[1, 1])], panel(S=[9.0, 9.0]))
    assert mean_of(found, a=0.5, b=0.5).table.query("model == 'combination'").forecast.tolist() == [1, 6]
    counted = forecast.left_out(found.remarks)
    assert counted[["remark", "model", "times", "series"]].values.tolist() == [["negative set to 0", "a", 1, 1]]


def test_when_no_model_is_left_the_seasonal_naive_stands_in_and_says_so():
    found = forecast.plausible([said(a=[np.nan], seasonal_naive=[7.0])], panel(S=[9.0, 9.0]))
    best = mean_of(found, a=1.0)
    assert best.table[best.table.model == "combination"].forecast.tolist() == [7.0]
    assert "stood in: no model left" in best.remarks.remark.tolist()


def test_every_rule_uses_models_that_exist_and_says_why():
    for used in models.RULES.values():
        assert set(used.models) <= {*models.MODELS, *pooled.POOLED}
        assert used.reason


@settings(max_examples=10, deadline=None)
@given(st.sampled_from([0.01, 0.5, 7.0, 1000.0]))
def test_a_forecast_scales_with_its_history(factor):
    rows = panel(a=seasonal(36))
    own, scaled = (
        forecast.forecast(p, forecast.series_rules(p), 3).table.query("model == 'theta'").forecast.to_numpy()
        for p in (rows, rows.assign(quantity=rows.quantity * factor))
    )
    np.testing.assert_allclose(scaled, own * factor, rtol=0.02)
