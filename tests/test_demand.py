import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_launches import AHEAD, launch, products, sold

from sop_lib import demand, tables

KEY = ["month", "product", "region"]
NONE = {
    name: tables.check(name, pd.DataFrame(columns=tables.table(name).names))
    for name in ("events", "launches", "past_plans")
}


def leaf(quantity: float = 20.0) -> pd.DataFrame:
    rows = [
        {"month": m, "product": "A", "region": r, "family": "F", "forecast": quantity}
        for m in AHEAD
        for r in ("North", "South")
    ]
    return pd.DataFrame(rows)


def event(**given_) -> pd.DataFrame:
    row = {"event": "Deal", "kind": "promotion", "family": "F", "from_month": "2027-01-01", "to_month": "2027-01-01"}
    return tables.check("events", pd.DataFrame([{**row, "owner": "marketing", **given_}]))


def test_without_events_launches_and_ends_the_plan_is_the_forecast():
    plan = demand.demand_plan(leaf(), sold(), products(), NONE["events"], NONE["launches"])
    assert plan.step.unique().tolist() == ["baseline"]
    assert plan.quantity.sum() == 20.0 * 48
    assert len(tables.check("demand_plan", plan.assign(cycle=AHEAD[0]))) == len(plan)


def test_steps_add_up_and_an_event_lifts_a_launch_too():
    plan = demand.demand_plan(leaf(), sold(), products(), event(uplift_rate=0.5), launch())
    january = plan[plan.month == "2027-01-01"].groupby("step").quantity.sum()
    assert january.to_dict() == {"baseline": 40.0, "launch": 10.0, "event": 25.0}
    assert not plan.duplicated([*KEY, "step"]).any()
    assert demand.step_totals(plan).step.tolist() == ["launch", "event"]
    assert demand.step_totals(plan)["item"].tolist() == ["B", "Deal"]


def test_a_launched_products_own_forecast_gives_way_to_its_launch():
    own = pd.concat([leaf(), leaf().assign(product="B")])
    plan = demand.demand_plan(own, sold(), products(), NONE["events"], launch())
    assert plan[plan["product"] == "B"].step.unique().tolist() == ["launch"]


def test_two_events_are_two_items_and_the_stack_adds_up():
    both = pd.concat([event(uplift_rate=0.5), event(event="Fair", uplift_units=7.0)])
    plan = demand.demand_plan(leaf(), sold(), products(), both, launch())
    rows = plan[plan["step"] == "event"].groupby("item")["quantity"].sum()
    assert rows.round(9).to_dict() == {"Deal": 25.0, "Fair": 7.0}
    stack = demand.stack(plan, "pieces").set_index(["family", "step"])["horizon"]
    assert stack["ALL", "total"] == pytest.approx(stack["ALL"].drop("total").sum())
    assert stack["F", "total"] == pytest.approx(plan["quantity"].sum())
    assert set(demand.stack(plan, "")["family"]) == {"F"}
    assert len(tables.check("demand_plan", plan.assign(cycle=AHEAD[0]))) == len(plan)


def test_what_a_launch_takes_from_its_parent_is_a_step_and_conserves_volume():
    taking = launch(cannibalises="A", cannibalised=0.25)
    before, after = (demand.demand_plan(leaf(), sold(), products(), NONE["events"], x) for x in (launch(), taking))
    lost = after.loc[after["step"] == "cannibalisation", "quantity"].sum()
    assert lost == pytest.approx(-0.25 * after.loc[after["step"] == "launch", "quantity"].sum())
    assert after["quantity"].sum() == pytest.approx(before["quantity"].sum() + lost)


def test_changes_are_latest_minus_previous_and_blank_where_the_last_plan_ends():
    plan = demand.demand_plan(leaf(), sold(), products(), NONE["events"], NONE["launches"])
    worth = plan[KEY].assign(price=3.0)
    previous = pd.DataFrame({"measure": "demand", "month": AHEAD[:2], "family": "F", "quantity": [50.0, 40.0]})
    changes = demand.plan_changes(plan, previous, worth)
    assert changes.change.tolist()[:2] == [-10.0, 0.0]
    assert changes.change_revenue.tolist()[:2] == [-30.0, 0.0]
    assert changes.change.isna().sum() == 22
    assert demand.plan_changes(plan, previous.head(0), worth).previous.isna().all()


@settings(max_examples=15, deadline=None)
@given(st.floats(0, 1e5), st.floats(-1, 3), st.floats(0, 1))
def test_the_plan_is_the_baseline_and_its_lift(quantity, rate, probability):
    lift = event(uplift_rate=rate, probability=probability)
    plan = demand.demand_plan(leaf(quantity), sold(), products(), lift, NONE["launches"])
    expected = quantity * 48 + 2 * quantity * rate * probability
    assert plan.quantity.sum() == pytest.approx(expected, abs=1e-6)


def test_a_launch_in_a_region_leaves_the_baseline_elsewhere_and_a_further_region_is_planned():
    old = pd.concat([sold(), sold().assign(product="B").query("region == 'North'")])
    both = pd.concat([leaf(), leaf().assign(product="B")])
    plan = demand.demand_plan(both, old, products(), NONE["events"], launch(region="South"))
    steps = plan[plan["product"] == "B"].groupby("region")["step"].unique().str.join(", ")
    assert steps.to_dict() == {"North": "baseline", "South": "launch"}


def test_a_launch_that_ends_is_taken_over_by_its_successor():
    ends = products(B=("2027-06-01", "C"))
    plan = demand.demand_plan(leaf(), sold(), ends, NONE["events"], launch(cannibalises="A", cannibalised=0.5))
    after = plan[(plan["month"] > "2027-06-01") & (plan["step"] == "launch")].groupby("product")["quantity"].sum()
    stays = demand.demand_plan(leaf(), sold(), products(), NONE["events"], launch())
    stays = stays[(stays["month"] > "2027-06-01") & (stays["product"] == "B")]["quantity"].sum()
    assert after.to_dict() == {"B": 0, "C": stays}
    assert set(plan.loc[plan["product"].eq("C"), "reason"]) == {"takes over from B"}
    assert (
        plan.loc[plan["step"] == "cannibalisation", "quantity"].sum()
        == -0.5 * plan.loc[plan["step"] == "launch", "quantity"].sum()
    )
    assert not plan.duplicated([*KEY, "step", "item"]).any()


def test_a_plan_of_launches_only_has_no_baseline():
    plan = demand.demand_plan(leaf().assign(product="B"), sold().head(0), products(), NONE["events"], launch())
    assert plan.empty
    young = sold().query("month >= '2026-09-01'").assign(product="B")
    only = leaf().assign(product="B")
    plan = demand.demand_plan(only, young, products(), NONE["events"], launch(launch_month="2026-09-01"))
    assert set(plan["step"]) == {"launch"}


def test_a_launch_takes_from_a_parent_that_is_itself_a_launch():
    rows = [launch(product="C", launch_month="2026-12-01"), launch(cannibalises="C", cannibalised=0.5)]
    plan = demand.demand_plan(leaf(), sold(), products(), NONE["events"], pd.concat(rows, ignore_index=True))
    taken = plan[plan["step"] == "cannibalisation"]
    assert set(taken["product"]) == {"C"}
    volume = plan.loc[(plan["step"] == "launch") & (plan["product"] == "B"), "quantity"].sum()
    assert taken["quantity"].sum() == pytest.approx(-0.5 * volume)
