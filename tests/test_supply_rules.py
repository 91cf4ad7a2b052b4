"""The rules of the house in the supply model: kept whatever they cost, or broken with an alarm."""

import numpy as np
import pytest
from supply_problems import array, made, people, pressed, problem

from sop_lib import scenarios, supply
from sop_lib.supply_model import Switches, again, keep, solve


def test_a_rate_changes_no_more_than_it_may():
    p = problem([10, 10, 40], rate_change_max=5.0, rate_opening=10.0, holding_cost=1.0)
    found = solve(p)
    assert np.allclose(made(found), [15, 20, 25])  # 5 more each month
    assert np.allclose(np.diff([10, *made(found)]), 5)


def test_a_rate_change_may_be_a_share_of_the_rate_before():
    p = problem([100, 100, 400], rate_change_share=0.1, rate_opening=100.0, holding_cost=0.5)
    assert np.allclose(made(solve(p)), [110, 121, 133.1])
    free = np.array(made(solve(p.assign(rate_opening=np.nan))))  # the first month may be anything
    assert np.allclose(free[1:], 1.1 * free[:-1])
    assert free.sum() == pytest.approx(600)


def test_a_change_of_rate_is_paid_per_unit_a_day():
    days = array([[20, 10]], "plant", "month")
    p = problem([100, 100], days=days, rate_opening=5.0, rate_up_cost=3.0, rate_down_cost=2.0, holding_cost=1.0)
    assert float(solve(p)["cost"].sel(kind="rate changes")) == 15  # 5 a day, then 10


def test_a_rate_that_cannot_be_kept_is_broken_with_an_alarm():
    firm = array([[[0, 50]]], "family", "plant", "month")
    found = solve(problem([0, 50], firm=firm, rate_change_max=10.0))
    assert found["rate_over"].squeeze().values.tolist() == [0, 40]
    assert supply.alarms(problem([0, 50]), found)[0][2].startswith("Grills at Tarn changes its daily rate by 40 more")


def test_workers_change_no_more_than_they_may():
    found = solve(people([10, 60, 60], workers_change_max=2.0, holding_cost=200.0))
    assert found["workers"].squeeze().values.tolist() == [3, 5, 6]
    shared = solve(people([10, 60, 60], workers_opening=2.0, workers_change_share=0.5, holding_cost=200.0))
    assert np.allclose(shared["workers"].squeeze().values, [3, 4.5, 6])


def test_nobody_is_hired_before_the_lead_time():
    found = solve(people([30, 30, 30], hired_max=array([[0, 0, np.inf]], "plant", "month")))
    assert found["workers"].squeeze().values.tolist() == [1, 1, 3]
    forced = solve(people([30], hired_max=0.0, workers_min=2.0))
    assert float(forced["workers_missed"].sum()) == 1


def test_minimum_keeps_the_people_of_the_slackest_month_and_subcontracts_the_rest():
    p = people([10, 40, 20], limit=array([np.inf, np.inf, np.inf], "source"), overtime_per_worker=5.0)
    p = p.assign(unit_cost=array([1.0, 2.0, 9.0], "source"), holding_cost=1.0)
    found = solve(p, Switches("minimum"))
    assert found["workers"].squeeze().values.tolist() == [1, 1, 1]
    assert found["make"].sel(source="subcontract").squeeze().values.tolist() == [0, 30, 10]


def test_what_is_made_to_order_is_not_made_ahead():
    p = pressed([10, 10, 40], [20, 20, 20], make_to_order=1.0, backlog_cost=1.0)
    found = solve(p)
    assert float(found["stock"].sum()) == 0
    assert float(found["lost"].sum()) == 20


def test_required_final_stock_is_there_or_an_alarm():
    assert made(solve(problem([10, 10], final_stock=5.0, holding_cost=1.0))) == [10, 15]
    found = solve(pressed([10, 10], [10, 12], final_stock=5.0, lost_cost=1.0))
    assert float(found["final_missed"].sum()) == 0  # a sale is lost for it: it must be there
    assert float(found["lost"].sum()) == 3
    short = solve(pressed([10, 10], [1, 1], final_stock=5.0))
    assert float(short["final_missed"].sum()) == 3
    assert supply.alarms(problem([1, 1]), short)[0][0] == "Grills · final stock"


def test_holding_on_average_stock_halves_the_ends():
    p = problem([10, 10], firm=array([[[20, 10]]], "family", "plant", "month"), opening_stock=4.0, holding_cost=2.0)
    closing, average = (
        float(solve(p, Switches(holding_on=on))["cost"].sel(kind="holding")) for on in ("closing", "average")
    )
    assert (closing, average) == (2 * (14 + 14), (4 + 14) + (14 + 14))


def test_the_lightest_class_goes_short_first():
    share = array([[[0.5, 0.5]], [[0.5, 0.5]]], "class", "family", "month")
    p = pressed([40, 40], [25, 25], class_share=share).assign_coords({"class": ["gold", "plain"]})
    found = solve(p.assign(class_weight=array([3.0, 1.0], "class")))
    assert found["lost_of"].sum(["family", "month"]).values.tolist() == [0, 30]
    assert float(found["lost"].sum()) == 30
    assert float(found["cost"].sel(kind="lost sales")) == 3000


def test_service_first_serves_what_does_not_pay():
    p = problem([10], unit_cost=150.0)  # a lost unit costs 100
    assert float(solve(p)["lost"].sum()) == 10
    first = solve(p, Switches(objective="service first"))
    assert (float(first["lost"].sum()), float(first["cost"].sel(kind="production"))) == (0, 1500)


def test_service_first_still_saves_where_service_is_the_same():
    p = pressed([10, 10, 40], [20, 20, 20], holding_cost=1.0, backlog_cost=50.0, backlog_months=1.0)
    assert solve(p, Switches(objective="service first"))["make"].equals(solve(p)["make"])


def test_runs_and_lots_are_whole_and_their_set_up_is_paid():
    p = problem([30, 30, 30], setup_cost=50.0, holding_cost=1.0)
    assert made(solve(p)) == [60, 0, 30]  # one set-up saved for 30 units held a month
    lots = solve(problem([30, 30, 30], lot=40.0, holding_cost=1.0))
    assert made(lots) == [40, 40, 40]
    runs = solve(problem([30, 10, 30], min_run=25.0, holding_cost=1.0))
    assert all(q == 0 or q >= 25 for q in made(runs))
    assert lots.attrs["gap"] < 1e-6
    firm = array([[[33, np.nan, np.nan]]], "family", "plant", "month")
    assert made(solve(problem([30, 30, 30], lot=40.0, firm=firm))) == [33, 40, 40]


def test_a_plan_in_whole_numbers_says_how_far_from_the_best_it_may_be():
    p = problem([30, 30, 30], lot=40.0, holding_cost=1.0).assign_attrs(assumptions=[])
    plain = problem([30, 30, 30], holding_cost=1.0).assign_attrs(assumptions=[])
    (told,) = supply.notes(p, {"mixed": solve(p)}).query("subject == 'whole numbers'")["finding"]
    assert told == "Whole numbers: at most 0.0000% dearer than the best plan."
    assert supply.notes(plain, {"mixed": solve(plain)}).empty


def test_whole_numbers_have_the_prices_of_their_plan():
    p = pressed([10, 40], [20, 20], holding_cost=1.0, setup_cost=5.0)
    found = solve(p)
    assert float((found["price_capacity"] + found["price_capacity_overtime"]).sel(resource="press").min()) > 90


def test_orders_come_in_time_for_age_and_class():
    share = array([[[0.5] * 3], [[0.5] * 3]], "class", "family", "month")
    p = pressed([30, 0, 0], [10, 10, 10], backlog_cost=1.0, backlog_months=1.0, class_share=share)
    found = solve(p.assign_coords({"class": ["gold", "plain"]}))
    assert found["backlog"].values.tolist() == [[10, 0, 0]]


# No money buys a rule


def test_a_limit_on_people_holds_whatever_a_worker_makes():
    p = people([1000, 1000, *[9000] * 6], labour_hours=0.5, hours_per_worker=160.0, workers_opening=4.0, wage=3000.0)
    found = solve(p.assign(workers_change_max=1.0))
    assert np.allclose(found["workers"].squeeze(), np.arange(5, 13))
    assert float(found["workers_change_over"].sum()) == 0


def test_a_rate_holds_whatever_is_lost():
    found = solve(problem([1000, 9000, 9000], days=20.0, rate_opening=50.0, rate_change_max=0.5, lost_cost=1e6))
    assert float(found["rate_over"].sum()) == 0


def test_storage_holds_where_a_unit_is_small():
    p = problem([0, 0, 10_000], limit=array([3000, 0, 0], "source"), holding_cost=1.0).assign_coords(store=["s"])
    found = solve(p.assign(volume=0.001, storage=2.0))
    assert (float(found["stock"].max()), float(found["storage_over"].sum())) == (2000, 0)


def test_firm_output_stands_whatever_its_hours_and_materials_cost():
    heavy = people([10, 10], labour_hours=2000.0, hours_per_worker=160.0, workers_opening=125.0, wage=3000.0, firm=10.0)
    assert float(solve(heavy)["firm_under"].sum()) == 0
    dear = problem([10, 10], firm=10.0).assign_coords(material=["m"])
    found = solve(dear.assign(material_usage=100.0, material_cost=1000.0))
    assert float(found["firm_under"].sum()) == 0
    assert float(found["broken"].sum()) == 0


def test_broken_rules_are_no_money():
    found = solve(pressed([10], [20], firm=50.0, unit_cost=2.0, holding_cost=1.0))
    assert float(found["broken"].sel(rule="firm plan")) == 30
    assert float(found["cost"].sum()) == 20 * 2 + 10


@pytest.mark.parametrize("lost", [50.0, 15.0])  # at 15 a unit is served at a loss
def test_prices_of_service_first_are_what_the_total_changes_by(lost):
    p = pressed([100, 60], [50, 50], unit_cost=array([20, 30, 60], "source"), lost_cost=lost)
    p = p.assign(limit=array([np.inf, 10, 5], "source"), capacity_overtime=0.0)
    kept, step = keep(p, Switches(objective="service first")), 0.01
    price = kept.plan["price_capacity"] + kept.plan["price_capacity_overtime"]
    for n in range(2):
        more = again(kept, p.assign(capacity=p["capacity"] + step * (np.arange(2) == n)))
        saved = float(kept.plan["cost"].sum() - more["cost"].sum()) / step
        assert saved == pytest.approx(lost - 20, abs=1e-4)
        assert float(price[0, n]) == pytest.approx(saved, abs=1e-4)
    assert scenarios.second_shift(kept.problem, kept.plan, kept.problem["demand"]) is not None


@pytest.mark.parametrize("objective", ["least cost", "service first"])
def test_the_lightest_class_waits_first(objective):
    share = array([[[0.5] * 3], [[0.5] * 3]], "class", "family", "month")
    p = pressed([100, 0, 0], [50, 50, 50], class_share=share, backlog_cost=5.0, backlog_months=3.0)
    for weight, waits in (([1, 10], [50, 0]), ([10, 1], [0, 50])):
        q = p.assign_coords({"class": ["big", "small"]}).assign(class_weight=array(weight, "class"))
        found = solve(q, Switches(objective=objective))
        assert found["backlog_of"].isel(month=0).values.ravel().tolist() == waits


def test_people_above_their_most_leave_or_are_an_alarm():
    p = people([100, 100], workers_opening=20.0, workers_max=5.0)
    for rules in (Switches(), Switches(level_workforce=True), Switches("minimum")):
        assert float(solve(p, rules)["workers"].max()) <= 5
    found = solve(p, Switches(hire_layoff=False))
    assert found["workers"].squeeze().values.tolist() == [20, 20]
    assert supply.alarms(p, found)[0][2] == "Tarn keeps 30 worker-months above its most workers, first in Nov 2026."
