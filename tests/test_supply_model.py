import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from sop_lib import supply_model
from sop_lib.supply_model import Switches, solve


def array(values, *dims: str) -> xr.DataArray:
    return xr.DataArray(np.array(values, dtype=float), dims=dims)


def problem(demand: list, **numbers) -> xr.Dataset:
    """One family in one plant; nothing limited, only lost sales cost money."""
    months = pd.date_range("2026-11-01", periods=len(demand), freq="MS")
    coords = {"family": ["Grills"], "plant": ["Tarn"], "month": months, "source": list(supply_model.SOURCES)}
    p = xr.Dataset(coords=coords).assign(demand=array([demand], "family", "month"), lost_cost=100.0)
    return p.assign(limit=array([np.inf, 0, 0], "source")).assign(numbers)


def pressed(demand: list, capacity: list, **numbers) -> xr.Dataset:
    p = problem(demand, **numbers).assign_coords(resource=["press"])
    return p.assign(plant_of=("resource", ["Tarn"]), usage=1.0, capacity=array([capacity], "resource", "month"))


def made(found: xr.Dataset) -> list:
    return found["make"].sum(["family", "plant", "source"]).values.tolist()


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


quantity = st.integers(0, 500)


@st.composite
def instances(draw) -> xr.Dataset:
    families, plants, months = ["A", "B"], ["Tarn", "Brek"], pd.date_range("2026-11-01", periods=4, freq="MS")
    coords = {
        "family": families,
        "plant": plants,
        "month": months,
        "source": list(supply_model.SOURCES),
        "resource": ["r"],
    }

    def numbers(*dims: str, values=quantity) -> xr.DataArray:
        shape = [len(coords[d]) for d in dims]
        cells = draw(st.lists(values, min_size=int(np.prod(shape)), max_size=int(np.prod(shape))))
        return array(np.reshape(cells, shape), *dims)

    open_at = numbers("family", "plant", "source", values=st.sampled_from([0.0, 50.0, 1000.0]))
    firm = numbers("family", "plant", "month", values=st.sampled_from([np.nan, np.nan, np.nan, 0.0, 200.0, 9e5]))
    return xr.Dataset(coords=coords).assign(
        demand=numbers("family", "month"), opening_stock=numbers("family"), opening_backlog=numbers("family"),
        target=numbers("family", "month"), limit=open_at,
        unit_cost=numbers("family", "plant", values=st.integers(1, 9)),
        labour_hours=array([[1.0, 0.5], [0.2, 1.0]], "family", "plant"), hours_per_worker=10.0, overtime_per_worker=2.0,
        workers_opening=numbers("plant", values=st.integers(0, 30)), workers_max=40.0, wage=30.0, overtime_rate=5.0,
        hiring_cost=20.0, layoff_cost=40.0, plant_of=("resource", ["Tarn"]), usage=0.5, firm=firm,
        capacity=numbers("resource", "month"), capacity_overtime=10.0, segment=array([1, 1, 2, 2], "month"),
        holding_cost=1.0, backlog_cost=2.0, lost_cost=60.0, below_cost=3.0, backlog_months=1.0,
    )  # fmt: skip


@given(instances())
@settings(max_examples=5, deadline=None)
def test_laws_of_every_plan(p):
    totals = {}
    for strategy in ("mixed", "level", "chase"):
        found = solve(p, Switches(strategy))
        totals[strategy] = float(found["cost"].sum())
        supply = found["make"].sum(["plant", "source"])
        net = p["opening_stock"] - p["opening_backlog"] + (supply + found["lost"] - p["demand"]).cumsum("month")
        assert np.allclose(net, found["stock"] - found["backlog"], atol=1e-5)
        in_house = found["make"].sel(source=["regular", "overtime"]).sum("source").sel(plant="Tarn")
        assert ((p["usage"] * in_house).sum("family") <= p["capacity"].squeeze() + p["capacity_overtime"] + 1e-5).all()
        assert (found["make"] <= p["limit"] + 1e-6).all()
        assert (found["backlog"].values >= 0).all()
    assert totals["mixed"] <= min(totals["level"], totals["chase"]) * (1 + 1e-7) + 1e-3


@given(instances(), st.sampled_from(["mixed", "level", "chase"]))
@settings(max_examples=6, deadline=None)
def test_absurd_data_still_solve(p, strategy):
    absurd = p.assign(demand=p["demand"] * 50, capacity=p["capacity"] * 0, opening_stock=p["opening_stock"] * 1e4)
    store = absurd.assign_coords(store=["all"]).assign(storage=array([[1.0] * 4], "store", "month"))
    found = solve(store, Switches(strategy, idle_allowed=False, hire_layoff=False))
    assert np.isfinite(float(found["cost"].sum()))


def test_same_problem_same_plan():
    p = pressed([10, 10, 45], [15, 16, 20], holding_cost=1.0)
    assert solve(p).equals(solve(p))
