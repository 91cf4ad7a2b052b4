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


def test_the_spread_sums_the_error_over_the_lead_time():
    errors = backtest([[10, 10], [-10, -10]])
    one, two = (inventory.error_spread(errors, pd.Series({"Grills": months})) for months in (1, 2))
    assert one["Grills"] == 10
    assert two["Grills"] == 20  # errors that follow each other do not cancel


def test_the_spread_of_products_is_that_of_their_sum():
    below = pd.concat([backtest([[10], [-10]]), backtest([[-10], [10]])]).assign(level="product")
    assert inventory.error_spread(below, pd.Series({"Grills": 1}))["Grills"] == 0


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
