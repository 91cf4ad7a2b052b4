import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sop_lib import accuracy

NAMES = {"level": "family", "series": "F", "family": "F", "product": "ALL", "region": "ALL", "model": "combination"}


def windows(forecast: list[float], actual: list[float], lag: int = 1, **more) -> pd.DataFrame:
    rows = pd.DataFrame({"forecast": forecast, "actual": actual})
    return rows.assign(**{**NAMES, "scale": 10.0, "scale_sq": 100.0, **more}, lag=lag)


def value(scores: pd.DataFrame, metric: str, **at) -> float:
    chosen = scores[(scores.metric == metric) & (scores[list(at)] == pd.Series(at)).all(axis=1)]
    return chosen["value"].iloc[0]


def test_the_formulas_by_hand():
    errors = windows([110.0, 90.0, 130.0], [100.0, 100.0, 100.0])
    scores = accuracy.scores(errors, ["model"]).iloc[0]
    assert scores.wape == pytest.approx(50 / 300)
    assert scores.bias == pytest.approx(30 / 300)
    assert scores.mase == pytest.approx((50 / 3) / 10)
    assert scores.rmsse == pytest.approx(np.sqrt((100 + 100 + 900) / 3 / 100))
    assert scores.n == 3


def test_too_much_forecast_is_a_positive_bias_and_a_positive_tracking_signal():
    scores = accuracy.scores(windows([12.0] * 8, [10.0] * 8), ["model"]).iloc[0]
    assert scores.bias == pytest.approx(0.2)
    assert scores.tracking_signal == 8.0


def test_a_tracking_signal_of_few_months_cannot_fire_and_is_blank():
    assert np.isnan(accuracy.scores(windows([12.0] * 7, [10.0] * 7), ["model"]).tracking_signal.iloc[0])


def test_pooled_scores_sum_numerators_and_denominators():
    small = windows([20.0], [10.0], series="S", family="S")
    large = windows([1000.0], [1000.0], series="L", family="L")
    scores = accuracy.accuracy(pd.concat([small, large], ignore_index=True))
    assert value(scores, "wape", series="S", lag=1) == 1.0
    assert value(scores, "wape", series="ALL", lag=1) == pytest.approx(10 / 1010)


def test_lag_zero_holds_all_lags():
    scores = accuracy.accuracy(pd.concat([windows([11.0], [10.0], 1), windows([13.0], [10.0], 2)], ignore_index=True))
    assert value(scores, "wape", series="F", lag=0) == pytest.approx(0.2)
    assert scores.loc[scores.lag == 0, "n"].unique().tolist() == [2]


def test_a_score_without_a_denominator_is_left_out():
    scores = accuracy.accuracy(windows([1.0], [0.0], scale=0.0))
    assert set(scores.metric) == {"rmsse"}


def test_coverage_counts_the_actuals_inside_the_range():
    quantiles = {"p025": 0.0, "p10": 10.0, "p50": 50.0, "p90": 90.0, "p975": 100.0}
    ranges = pd.DataFrame({"actual": [50.0, 95.0, 101.0, 10.0]}).assign(**NAMES, **quantiles, lag=1)
    scores = accuracy.range_accuracy(ranges.drop(columns="model"), "combination")
    assert value(scores, "coverage80", series="F", lag=1) == 0.5
    assert value(scores, "coverage95", series="F", lag=0) == 0.75


def test_the_margin_is_positive_when_the_forecast_beats_the_naive():
    both = pd.concat([windows([11.0], [10.0]), windows([13.0], [10.0], model="seasonal_naive")], ignore_index=True)
    beside = accuracy.beside_naive(accuracy.accuracy(both), "family", "ALL", 1)
    assert beside[["wape", "naive", "margin"]].iloc[0].tolist() == pytest.approx([0.1, 0.3, 0.2])


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(1, 1e5), min_size=1, max_size=10), st.floats(0.1, 10))
def test_a_perfect_forecast_scores_zero_and_a_scaled_one_its_factor(actual, factor):
    perfect = accuracy.scores(windows(actual, actual), ["model"]).iloc[0]
    assert perfect.wape == perfect.bias == perfect.mase == perfect.rmsse == 0
    scaled = accuracy.scores(windows([a * factor for a in actual], actual), ["model"]).iloc[0]
    assert scaled.bias == pytest.approx(factor - 1, abs=1e-9)
    assert scaled.wape == pytest.approx(abs(factor - 1), abs=1e-9)
