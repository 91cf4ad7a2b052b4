import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sop_lib import inventory

MONTHS = pd.date_range("2026-11-01", periods=4, freq="MS")


def plan(*demand: float, family: str = "Grills") -> pd.DataFrame:
    return pd.DataFrame({"month": MONTHS[: len(demand)], "family": family, "demand": demand})


def backtest(errors: list[list[float]], family: str = "Grills") -> pd.DataFrame:
    """One row of errors per origin, one column per lag; actual is 100."""
    rows = [
        {
            "level": "family",
            "family": family,
            "model": "combination",
            "origin": MONTHS[o],
            "lag": lag,
            "forecast": 100 + e,
        }
        for o, origin in enumerate(errors)
        for lag, e in enumerate(origin, 1)
    ]
    return pd.DataFrame(rows).assign(actual=100.0)


def test_cover_stock_reads_the_months_ahead():
    wanted = inventory.cover_stock(plan(30, 31, 62, 28), pd.Series({"Grills": 31.0}))
    march = 28 / 31  # a day, when the last month comes again
    assert wanted["cover"].tolist()[:3] == pytest.approx([31, 62, 28 + 3 * march])


def test_cover_days_runs_the_stock_down_against_the_plan():
    rows = plan(30, 31, 62, 28).assign(closing=[31.0, 31.0, 0.0, 14.0])
    assert inventory.cover_days(rows).tolist()[:3] == pytest.approx([31, 15.5, 0])


def test_cover_days_is_blank_where_nothing_is_wanted():
    rows = plan(0, 0).assign(closing=[5.0, 5.0])
    assert inventory.cover_days(rows).isna().all()


def test_safety_stock_sums_the_error_over_the_lead_time():
    errors = backtest([[10, 10], [-10, -10]])
    one = inventory.safety_stock(errors, pd.Series({"Grills": 0.95}), pd.Series({"Grills": 1}))
    two = inventory.safety_stock(errors, pd.Series({"Grills": 0.95}), pd.Series({"Grills": 2}))
    assert one["Grills"] == pytest.approx(16.449, abs=0.01)
    assert two["Grills"] == pytest.approx(2 * one["Grills"])  # errors that follow each other do not cancel


def test_safety_stock_of_products_is_that_of_their_sum():
    below = pd.concat([backtest([[10], [-10]]), backtest([[-10], [10]])]).assign(level="product")
    stock = inventory.safety_stock(below, pd.Series({"Grills": 0.95}), pd.Series({"Grills": 1}))
    assert stock["Grills"] == 0


def test_made_to_order_holds_no_target():
    families = pd.DataFrame(
        {"family": ["Grills"], "strategy": ["MTO"], "cover_days": 30.0, "fill_target": 0.95, "frozen_months": 0.0}
    )
    wanted = inventory.targets(plan(30, 31), families, backtest([[10], [-10]]), service_level=0.95)
    assert (wanted[["safety", "target"]] == 0).all(axis=None)


def test_target_is_the_larger_of_cover_and_safety():
    families = pd.DataFrame(
        {"family": ["Grills"], "strategy": ["MTS"], "cover_days": 31.0, "fill_target": np.nan, "frozen_months": 0.0}
    )
    wanted = inventory.targets(plan(30, 31, 2, 28), families, backtest([[10], [-10]]), service_level=0.95)
    assert wanted["target"].round(1).tolist()[:2] == [31.0, 16.4]


@given(
    st.lists(st.tuples(*[st.integers(0, 400)] * 3), min_size=1, max_size=4), st.integers(0, 500), st.integers(0, 500)
)
@settings(max_examples=25, deadline=None)
def test_stock_and_backlog_balance(flows, stock, owed):
    rows = pd.DataFrame(flows, columns=["demand", "supply", "lost"], dtype=float)
    rows["lost"] = np.minimum(rows["lost"], rows["demand"])
    rows = rows.assign(month=MONTHS[: len(rows)], family="Grills")
    opening = pd.DataFrame({"family": ["Grills"], "stock": [float(stock)], "backlog": [float(owed)]})
    p = inventory.projection(rows, opening)
    assert np.allclose(p["opening"] + p["supply"] - p["shipped"], p["closing"])
    before = p["backlog"].shift(fill_value=float(owed))
    assert np.allclose(before + p["demand"] - p["shipped"] - p["lost"], p["backlog"])
    assert (np.minimum(p["closing"], p["backlog"]) == 0).all()
