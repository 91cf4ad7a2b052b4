import numpy as np
import pandas as pd
import pytest

from sop_lib import weights
from sop_lib.models import Rule

ORIGINS = pd.date_range("2025-01-01", periods=8, freq="MS")
RECIPES = {"combination": Rule(("good", "poor"), "combination"), "ended": Rule(("zero",), "ended")}


def windows(good: float, poor: float) -> pd.DataFrame:
    """Return a backtest in which both models err by turns above and below, each by its own amount."""
    index = pd.MultiIndex.from_product([["S"], ORIGINS, range(1, 4), ["good", "poor"]])
    rows = index.set_names(["series", "origin", "lag", "model"]).to_frame(index=False)
    sign = np.where((rows.origin.dt.month + rows.lag) % 2, 1.0, -1.0)
    error = np.where(rows.model == "good", good * sign, poor)
    return rows.assign(actual=100.0, forecast=100.0 + error, rule="combination", scale=10.0, scale_sq=100.0)


def now(*series: str) -> pd.DataFrame:
    return pd.DataFrame({"series": series, "rule": "combination"})


def test_a_series_own_weights_are_in_inverse_proportion_to_squared_errors_and_used_where_they_win():
    found = weights.weighed(windows(1.0, 4.0), now("S"), RECIPES, 2)
    ahead = found.ahead.set_index("model").weight
    assert ahead.sum() == pytest.approx(1)
    usual = (1 + 16) / 2 / 100
    inverse = {m: (24 + 12) / (24 * e**2 / 100 + 12 * usual) for m, e in {"good": 1.0, "poor": 4.0}.items()}
    assert ahead["good"] == pytest.approx(inverse["good"] / sum(inverse.values()), rel=1e-6)
    assert found.schemes.set_index(["rule", "scheme"]).used["combination"].to_dict() == {
        "equal": False,
        "per series": True,
    }


def test_equal_weights_stay_until_learned_ones_have_won_by_what_was_known():
    found = weights.weighed(windows(1.0, 4.0), now("S"), RECIPES, 2).tested
    wide = found[found.series == "S"].pivot(index="origin", columns="model", values="weight")["good"]
    assert (wide[:4] == 0.5).all()  # three origins must lie two months back
    assert (wide[4:] > 0.5).all()


def test_a_new_series_gets_equal_weights_and_one_model_all_of_it():
    found = weights.weighed(
        windows(1.0, 4.0), pd.DataFrame({"series": ["N", "E"], "rule": ["combination", "ended"]}), RECIPES, 2
    )
    assert found.ahead.set_index(["series", "model"]).weight.to_dict() == {
        ("N", "good"): 0.5,
        ("N", "poor"): 0.5,
        ("E", "zero"): 1.0,
    }


def test_without_a_backtest_all_weights_are_equal():
    found = weights.weighed(windows(1, 1)[:0], now("S"), RECIPES, 2)
    assert found.ahead.weight.tolist() == [0.5, 0.5]
    assert found.tested.empty
    assert found.schemes.loc[found.schemes.used, "scheme"].unique().tolist() == ["equal"]


def test_one_wild_error_does_not_decide():
    calm = windows(1.0, 1.0)
    wild = calm.assign(forecast=calm.forecast.mask((calm.index == 0) & (calm.model == "good"), 1e9))
    assert weights.weighed(wild, now("S"), RECIPES, 2).ahead.set_index("model").weight["good"] > 0.02


def test_the_weight_of_a_silent_model_goes_to_the_others():
    rows = pd.DataFrame({"series": "S", "origin": 0, "month": 1, "model": ["good"], "forecast": [7.0]})
    both = pd.DataFrame({"series": "S", "model": ["good", "poor"], "weight": [0.3, 0.7]})
    assert weights.combined(rows, both, ["series"]).forecast.tolist() == pytest.approx([7.0])
