import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sop_lib import pooled

MONTHS = pd.date_range("2020-11-01", periods=72, freq="MS")


def panel(**series) -> pd.DataFrame:
    """Return the months of named series, each ending in October 2026."""
    parts = [
        pd.DataFrame({"series": name, "month": MONTHS[-len(values) :], "quantity": np.asarray(values, dtype=float)})
        for name, values in series.items()
    ]
    return pd.concat(parts, ignore_index=True)


def growing(rate: float, months: int = 72, season: float = 0.3) -> np.ndarray:
    """Return a season around a level that grows by a rate a year."""
    at = np.arange(72)
    return (100 * (1 + season * np.sin(2 * np.pi * at / 12)) * (1 + rate) ** (at / 12))[-months:]


def test_what_all_series_do_the_forecast_does_too():
    rows = panel(**{f"s{i}": growing(rate) for i, rate in enumerate((0.04, 0.06, 0.08, 0.1, 0.12))})
    ahead = pooled.predicted(rows, "pooled", 12).table
    first = ahead[ahead.series == "s2"].forecast.to_numpy()
    np.testing.assert_allclose(first, growing(0.08)[-12:] * 1.08, rtol=0.02)
    assert ahead.groupby("series").month.agg(["min", "count"]).to_numpy().tolist()[0] == [
        MONTHS[-1] + pd.DateOffset(months=1),
        12,
    ]


def test_a_series_that_never_changes_or_is_short_has_no_pooled_forecast():
    rows = panel(flat=[5.0] * 72, short=growing(0.1, 20), a=growing(0.05), b=growing(0.1))
    assert pooled.predicted(rows, "pooled", 3).table.series.unique().tolist() == ["a", "b"]
    assert pooled.predicted(rows[:0], "pooled", 3).table.empty


def test_no_origin_knows_what_came_after_it():
    rows = panel(a=growing(0.05), b=growing(0.1))
    windows = pd.DataFrame({"series": ["a", "b"], "lags": [6, 3], "origins": [4, 2]})
    before = pooled.replayed(rows, "pooled", windows).table
    changed = rows.assign(quantity=rows.quantity.mask(rows.month > before.origin.min(), 9e5))
    after = pooled.replayed(changed, "pooled", windows).table
    first = before.origin == before.origin.min()
    pd.testing.assert_frame_equal(before[first], after[first])
    assert before.groupby("series").origin.nunique().to_dict() == {"a": 4, "b": 2}
    assert before.groupby(["series", "origin"]).size().groupby("series").unique().map(list).to_dict() == {
        "a": [6],
        "b": [3],
    }
    assert before[before.series == "b"].month.max() == MONTHS[-1]


def test_pooled_means_of_intermittent_series_lie_near_their_mean():
    rng = np.random.default_rng(1)
    rows = panel(**{f"s{i:02d}": rng.poisson(0.4, 60) * 5.0 for i in range(40)})
    ahead = pooled.predicted(rows, "pooled_means", 6).table
    assert ahead.forecast.mean() == pytest.approx(2.0, rel=0.15)


@settings(max_examples=10, deadline=None)
@given(st.sampled_from([0.001, 0.5, 70.0, 1e6]), st.sampled_from(["pooled", "pooled_means"]))
def test_a_pooled_forecast_scales_with_its_history(factor, model):
    rows = panel(a=growing(0.05), b=growing(0.1, season=0.5))
    own, scaled = (
        pooled.predicted(p, model, 6).table.forecast for p in (rows, rows.assign(quantity=rows.quantity * factor))
    )
    np.testing.assert_allclose(scaled, own * factor, rtol=1e-9)
