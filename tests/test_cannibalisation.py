"""What launches take from other products: nothing is lost, nothing goes below zero."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from launch_cases import AHEAD, FLAT, launch, products, reviewed, sold, steps

from sop_lib import demand, launches, life_cycle, tables


@settings(max_examples=25, deadline=None)
@given(st.floats(0, 1), st.integers(0, 5_000))
def test_cannibalisation_conserves_volume(rate, volume):
    plan, base, taken = steps(rate, 1e6, volume)
    after = base.quantity.sum() + plan.quantity.sum() + taken.quantity.sum()
    assert after == pytest.approx(base.quantity.sum() + plan.quantity.sum() * (1 - rate))
    assert taken["left"].sum() == pytest.approx(0)


@settings(max_examples=25, deadline=None)
@given(st.floats(0, 1), st.floats(0, 200))
def test_a_parent_never_falls_below_zero_and_what_it_cannot_give_is_told(rate, parent):
    plan, base, taken = steps(rate, parent)
    both = pd.concat([base, taken], ignore_index=True).groupby(["month", "product", "region"])["quantity"].sum()
    assert (both >= -1e-9).all()
    assert taken["left"].sum() - taken["quantity"].sum() == pytest.approx(rate * plan.quantity.sum())


def test_two_launches_share_a_parent_that_is_too_small():
    rows = pd.DataFrame({"month": [AHEAD[2]] * 2, "product": ["B", "D"], "region": "ALL", "quantity": [100.0, 300.0]})
    rows["item"] = rows["product"]
    new = pd.DataFrame({"product": ["B", "D"], "cannibalises": "A", "cannibalised": 0.5})
    base = pd.DataFrame({"month": AHEAD, "product": "A", "region": "ALL", "quantity": 100.0})
    taken = launches.cannibalised_effects(rows, base, new, products()).set_index("item")
    assert taken["quantity"].tolist() == [-25, -75]
    assert taken["left"].tolist() == [25, 75]


def test_a_blank_rate_and_a_successor_take_nothing():
    assert steps(None, 100.0)[2].empty
    assert steps(0.5, 100.0, end_month="2026-12-01", successor="B")[2].empty
    assert len(steps(0.5, 100.0, end_month="2026-12-01", successor="C")[2])


def test_a_successor_takes_from_its_parent_until_that_ends():
    """A would sell 100 a month and ends in April; B starts in January with 100: until April it is the same demand."""
    ends = {"end_month": "2027-04-01", "successor": "B"}
    known, new = products({"product": "A", **ends}), launch(launch_month="2027-01-01")
    ready = reviewed(new, sold(**FLAT), known)
    assert ready[["cannibalises", "cannibalised", "taking_until"]].iloc[0].tolist() == [
        "A",
        1,
        pd.Timestamp("2027-04-01"),
    ]
    leaf = pd.DataFrame({"month": AHEAD, "product": "A", "region": "ALL", "family": "F", "forecast": 100.0})
    plan = demand.demand_plan(leaf, sold(**FLAT), known, tables.empty("events"), ready)
    assert plan.groupby("month")["quantity"].sum().tolist() == pytest.approx([100] * 24)
    told = life_cycle.cannibalised(plan, ready).iloc[0]
    assert (told["volume"], told["taken"], told["left"]) == (400, 400, 0)
    moved = life_cycle.cannibalised(plan, ready.assign(taking_until=pd.Timestamp("2026-12-01")))
    assert moved.empty
    stated = launch(launch_month="2027-01-01", cannibalises="A", cannibalised=0.5)
    assert reviewed(stated, sold(**FLAT), known)["cannibalised"].tolist() == [0.5]


def test_the_rate_of_past_launches_is_what_their_parents_lost_against_their_family():
    """C and the family grow by half; A would have sold 150 a month and sold 120: 30 of B's 60."""
    history = sold(
        A=("2023-11-01", [100.0] * 24 + [120.0] * 12), C=("2023-11-01", [100.0] * 24 + [150.0] * 12),
        B=("2025-11-01", [60.0] * 12),
    )  # fmt: skip
    old = launch(launch_month="2025-11-01", cannibalises="A")
    assert life_cycle.past_cannibalisation(old, history, products()) == pytest.approx(0.5)
    coming = launch(product="D", launch_month="2027-01-01", cannibalises="A")
    both = pd.concat([old, coming], ignore_index=True)
    assert reviewed(both, history, products())["cannibalised"].tolist() == pytest.approx([0, 0.5])
    ended = products({"product": "A", "end_month": "2026-12-01", "successor": "B"})
    assert np.isnan(life_cycle.past_cannibalisation(old, history, ended))


def test_what_a_parent_s_last_year_shows_is_not_taken_again():
    history = sold(**FLAT, B=("2026-08-01", [10.0] * 3))
    new = launch(cannibalises="A", cannibalised=0.4)
    assert reviewed(new, history, products())["cannibalised"].tolist() == pytest.approx([0.3])
