import numpy as np
import pandas as pd
import pytest
from test_forecast import panel, seasonal

from sop_lib import accuracy, backtest, baseline, engines, forecast


def windows(rows: pd.DataFrame) -> engines.Forecasts:
    return baseline.baseline(rows, 24, 2).tested


@pytest.mark.parametrize(
    ("months", "lags", "origins"), [(24, None, None), (25, 1, 1), (28, 3, 2), (36, 7, 6), (53, 18, 12), (72, 18, 12)]
)
def test_two_years_stay_before_the_first_origin(months, lags, origins):
    rules = forecast.series_rules(panel(a=seasonal(months)))
    held = backtest.held_out(rules, 24, 12)
    assert held[["lags", "origins"]].values.tolist() == ([[lags, origins]] if lags else [])
    if lags:
        assert months - (lags + origins - 1) >= 24


def test_no_forecast_has_seen_its_month():
    rows = panel(a=seasonal())
    changed = rows.copy()
    changed.loc[changed.month >= "2026-05-01", "quantity"] *= 50
    before, after = (windows(p).table for p in (rows, changed))
    unseen = before.origin < "2026-05-01"
    assert unseen.all() == (before.origin.max() < pd.Timestamp("2026-05-01"))
    pd.testing.assert_series_equal(before[unseen].forecast, after[unseen].forecast)


def test_the_seasonal_naive_is_last_years_month_and_actuals_are_what_came():
    rows = panel(a=seasonal())
    table = windows(rows).table
    known = rows.set_index("month").quantity
    naive = table[table.model == "seasonal_naive"]
    assert len(naive) == 216
    np.testing.assert_allclose(naive.actual, known.loc[naive.month])
    last = [
        month - pd.DateOffset(months=12 * (1 + (lag > 12))) for month, lag in zip(naive.month, naive.lag, strict=True)
    ]
    np.testing.assert_allclose(naive.forecast, known.loc[last])
    assert (naive.lag >= 1).all()
    assert naive.origin.nunique() == 12


def test_the_combination_beats_the_naive_where_there_is_a_trend():
    scores = accuracy.scores(windows(panel(a=seasonal(), b=2 * seasonal()[::-1])).table, ["model"]).set_index("model")
    assert scores.wape["combination"] < scores.wape["seasonal_naive"]


def test_levels_are_sums_of_the_series_that_have_all_windows():
    rows = panel(a=seasonal(), b=seasonal() * 2, late=seasonal(30))
    table = windows(rows).table
    levels = backtest.backtest_levels(table, rows, ["total", "family", "product-region"])
    total = levels[(levels.level == "total") & (levels.model == "combination")]
    leaf = table[(table.model == "combination") & table.series.isin(["a", "b"])]
    assert len(total) == 216
    assert total.forecast.sum() == pytest.approx(leaf.forecast.sum())
    assert total.actual.sum() == pytest.approx(leaf.actual.sum())
    assert (levels.level == "product-region").sum() == len(table)


def test_a_company_without_long_series_has_an_empty_backtest():
    rows = panel(a=seasonal(10))
    table = windows(rows).table
    assert table.empty
    assert backtest.backtest_levels(table, rows, ["total", "product-region"]).empty
    assert backtest.model_scores(table, pd.DataFrame(columns=["rule", "model", "weight"])).empty


def test_model_scores_show_the_weights_of_each_rule():
    base = baseline.baseline(panel(a=seasonal(48), b=[0, 7, 0, 0, 9, 0] * 8), 24, 2)
    shown = backtest.model_scores(base.tested.table, base.weights)
    weights = shown.dropna(subset="weight").groupby("rule").weight.sum()
    assert weights.to_dict() == pytest.approx({"combination": 1.0, "intermittent": 1.0})
