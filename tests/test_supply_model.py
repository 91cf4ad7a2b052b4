"""What the supply model plans of small problems, checked by hand."""

import numpy as np
import pytest
from supply_problems import array, made, pressed, problem

from sop_lib import supply_model
from sop_lib.supply_model import Switches, solve


def test_makes_what_is_wanted():
    found = solve(problem([10, 20, 15], unit_cost=2.0, holding_cost=1.0))
    assert made(found) == [10, 20, 15]
    assert float(found["cost"].sum()) == 90


def test_builds_ahead_of_a_peak_when_holding_is_cheaper_than_losing_it():
    found = solve(pressed([10, 10, 40], [20, 20, 20], holding_cost=1.0))
    assert made(found) == [20, 20, 20]
    assert found["stock"].values.tolist() == [[10, 20, 0]]
    assert float(found["lost"].sum()) == 0


def test_lets_a_sale_go_when_serving_it_costs_more():
    found = solve(problem([10], unit_cost=150.0))
    assert float(found["lost"].sum()) == 10


def test_level_is_one_rate_per_working_day_until_the_segment_ends():
    days = array([[20, 10, 20, 10]], "plant", "month")
    p = problem([10, 20, 50, 10], days=days, segment=array([1, 1, 2, 2], "month"), holding_cost=1.0)
    found = solve(p, Switches("level"))
    # the second year opens empty and must serve its first month
    assert np.allclose(made(found), [20, 10, 50, 25])


def test_chase_holds_no_stock_above_the_target():
    p = pressed([10, 10, 40], [20, 20, 20], target=array([[5, 5, 5]], "family", "month"), below_cost=3.0)
    found = solve(p, Switches("chase"))
    assert float(found["stock"].max()) == 5
    assert float(found["lost"].sum()) == 15


def test_first_month_keeps_its_balance():
    """`shift` without `fillna` drops the first month's row, silently."""
    found = solve(problem([10, 10, 10], opening_stock=4.0, unit_cost=1.0))
    assert made(found) == [6, 10, 10]
    m, _ = supply_model.build(problem([10, 10, 10]))
    assert m.constraints["balance"].ncons == 3


def test_backlog_is_not_postponed_for_ever():
    """Without a price at the end, owing costs less than losing for as long as the horizon lasts."""
    p = pressed([30, 30, 30, 30], [20, 20, 20, 20], backlog_cost=1.0, backlog_months=9.0)
    found = solve(p)
    never = float(found["lost"].sum() + found["backlog"].isel(month=-1).sum())
    assert never == 40
    assert float(found["cost"].sel(kind="lost sales")) == 4000


def test_an_order_waits_no_longer_than_it_may():
    found = solve(pressed([30, 0, 0], [10, 10, 10], backlog_cost=1.0, backlog_months=1.0))
    assert found["backlog"].values.tolist() == [[10, 0, 0]]  # 10 more would have to wait two months
    assert float(found["lost"].sum()) == 10


def test_idle_people_are_paid():
    p = problem([10], labour_hours=1.0, hours_per_worker=10.0, workers_opening=3.0, wage=100.0, layoff_cost=1000.0)
    found = solve(p)
    assert float(found["cost"].sel(kind="wages")) == 300


def test_a_price_is_what_one_more_hour_saves():
    p = pressed([10, 10, 45], [15, 16, 20], holding_cost=1.0)
    step = 0.01
    base = solve(p)
    price = base["price_capacity"] + base["price_capacity_overtime"]
    for n in range(3):
        more = p["capacity"] + step * (np.arange(3) == n)
        saved = float(base["cost"].sum() - solve(p.assign(capacity=more))["cost"].sum()) / step
        assert saved == pytest.approx(float(price[0, n]), abs=1e-4)


def test_material_arrives_after_its_lead_time():
    p = problem([10, 10, 10]).assign_coords(material=["steel"])
    p = p.assign(material_usage=2.0, material_stock=12.0, material_limit=array([[0, 0, 50]], "material", "month"))
    found = solve(p)
    assert sum(made(found)[:2]) == 6  # what the 12 on hand give, until the order comes
    assert made(found)[2] == 10


def test_firm_output_stands_and_is_broken_only_where_capacity_ends():
    firm = array([[[12, np.nan, 50]]], "family", "plant", "month")
    found = solve(pressed([10, 10, 10], [20, 20, 20], firm=firm, holding_cost=1.0, unit_cost=1.0))
    assert made(found)[0] == 12
    assert found["firm_under"].squeeze().values.tolist() == [0, 0, 30]


def test_unknown_numbers_are_refused_by_name():
    with pytest.raises(ValueError, match="does not know shifts"):
        solve(problem([1.0], shifts=3.0))


def test_numbers_that_cannot_be_are_refused_with_their_place():
    with pytest.raises(ValueError, match="lost_cost -1 at Grills · 2026-11-01: give a number of 0 or more"):
        solve(problem([1.0], lost_cost=-1.0))
    with pytest.raises(ValueError, match="wage nan at Tarn"):
        solve(problem([1.0], wage=np.nan))
