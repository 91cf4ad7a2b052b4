"""Material orders: by when, for how much, and what can no longer come in time."""

from functools import cache

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sample_files import table
from test_supply import FULL, HORIZON, MIXED, company

from sop_lib import procurement, supply, supply_checks, supply_model, supply_problem, supply_tables, tables


@cache
def planned(lead: int, on_hand: float = 300.0) -> tuple[dict[str, pd.DataFrame], dict[str, pd.DataFrame]]:
    """The company's proposed plan with a lead time; a unit takes 2 of steel, and 480 are to be made in four months."""
    found = company(*FULL)
    found["materials"] = found["materials"].assign(lead_time_months=float(lead), on_hand=on_hand)
    p = supply_model.filled(supply_problem.problem(found, HORIZON, MIXED))
    solved = supply.solutions(p, MIXED)["mixed"]
    rows = {"material_plan": supply_tables.material_rows, "inventory_plan": supply_tables.inventory_rows}
    return found, {name: each(p, solved).assign(scenario="base") for name, each in rows.items()}


def orders(lead: int, on_hand: float = 300.0) -> pd.DataFrame:
    found, plan = planned(lead, on_hand)
    out = procurement.procurement(plan["material_plan"], plan["inventory_plan"], found, "EUR")
    tables.check("procurement", out.assign(cycle=HORIZON[0]))
    return out


@pytest.mark.parametrize("lead", [0, 1])
def test_an_order_is_placed_its_lead_time_before_it_arrives(lead):
    rows = orders(lead)
    assert rows["ordered"].sum() == pytest.approx(2 * 480 - 300, abs=1)
    assert [m + pd.DateOffset(months=lead) for m in rows["order_by"]] == rows["month"].tolist()
    assert (rows["lead_months"] == lead).all()
    assert (rows["order_by"] >= HORIZON[0]).all()
    now = rows["order_by"] == HORIZON[0]
    assert rows["state"].tolist() == np.where(now, "order now", "later").tolist()


def test_money_is_that_of_the_material_plan_month_by_month():
    rows, plan = orders(1), planned(1)[1]["material_plan"]
    spent = plan[plan["cost"] > 1e-6].groupby("month")["cost"].sum()
    assert np.allclose(procurement.by_month(rows).set_index("order_by")["cost"], spent)
    assert rows["cost"].sum() == pytest.approx(plan["cost"].sum()) == pytest.approx(2 * rows["ordered"].sum())
    cost = f"cost EUR {rows['cost'].sum():,.0f}."
    assert procurement.headline(rows, "EUR")[-1].endswith(cost)


def test_who_needs_it_and_the_sentence():
    rows = orders(1, on_hand=170.0)
    row = rows.iloc[0]
    assert row["families"] == "Grills"
    assert row["state"] == "order now"
    assert row["finding"] == (
        f"Order {row['ordered']:,.0f} steel now, EUR {row['cost']:,.0f}: it arrives in Dec 2026 for Grills."
    )
    said = procurement.last_order_sentence(rows, "EUR")
    assert said.startswith(f"Last order dates: steel now ({row['ordered']:,.0f}, EUR ")
    assert procurement.headline(rows, "EUR")[0].startswith("Order now: ")


def test_what_no_order_brings_in_time_is_too_late_by_hand():
    """Stock of 20 serves first: 80, 100, 100, 200 are to be made, 160, 360, 560, 960 of steel; 300 are there."""
    rows = orders(3)
    late = rows[rows["state"] == "too late"]
    assert late["month"].tolist() == [HORIZON[1], HORIZON[2]]
    assert late["short"].tolist() == pytest.approx([60, 200])
    assert late["order_by"].tolist() == [pd.Timestamp("2026-09-01"), pd.Timestamp("2026-10-01")]
    assert late[["ordered", "cost"]].to_numpy().sum() == 0
    assert (
        "60 steel more than stock and receipts bring are needed in Dec 2026 for Grills: too late"
        in late["finding"].iloc[0]
    )
    assert "260 more from Dec 2026" in procurement.headline(rows, "EUR")[0]


def test_what_is_due_counts_before_it_is_too_late():
    found, plan = planned(3)
    due = pd.DataFrame({"month": [HORIZON[1]], "material": "steel", "quantity": 100.0})
    rows = procurement.procurement(
        plan["material_plan"], plan["inventory_plan"], found | {"material_receipts": due}, "EUR"
    )
    assert rows.loc[rows["state"] == "too late", ["month", "short"]].to_numpy().tolist() == [[HORIZON[2], 160]]


def test_a_receipt_in_between_does_not_make_the_same_lack_twice():
    """Ten are needed, then none, then ten; ten come in the second month: ten in all are lacking, not twenty."""
    bill = pd.DataFrame({"product": ["P"], "family": "F", "material": "steel", "quantity_per_unit": 1.0})
    demand = pd.DataFrame({"month": HORIZON[:4], "family": "F", "product": "P", "quantity": [10.0, 0, 10, 0]})
    found = {
        "materials": pd.DataFrame({"material": ["steel"], "on_hand": 0.0, "lead_time_months": 4.0}),
        "material_receipts": pd.DataFrame({"month": [HORIZON[1]], "material": "steel", "quantity": 10.0}),
        "bill_of_materials": tables.check("bill_of_materials", bill),
        "products": tables.check("products", pd.DataFrame({"product": ["P"], "family": ["F"]})),
        "demand_plan": demand,
    }
    plan = pd.DataFrame({"scenario": "base", "month": HORIZON[:4], "family": "F", "opening": 0.0, "lost": 0.0})
    plan = plan.assign(demand=[10.0, 0, 10, 0], shipped=[0.0, 10, 0, 0], backlog=[10.0, 0, 10, 10])
    made = pd.DataFrame({"scenario": "base", "month": HORIZON[:4], "material": "steel", "ordered": 0.0, "cost": 0.0})
    rows = procurement.procurement(made, plan, found, "EUR")
    assert rows[["month", "short"]].to_numpy().tolist() == [[HORIZON[0], 10.0]]
    assert "would need 10 more" in procurement.headline(rows, "EUR")[0]


def test_an_order_is_due_by_the_first_day_of_its_month_or_now():
    """What arrives in a month serves all of it, so the lead time runs from the first day of the month of order."""
    placed = {"material": "steel", "state": "later", "ordered": 2.0, "cost": 3.0, "lead_months": 2.0, "families": "F"}
    rows = pd.DataFrame(
        [placed | {"order_by": HORIZON[2], "month": HORIZON[2] + pd.DateOffset(months=2), "scenario": "base"}]
    )
    assert procurement.last_order_sentence(rows, "EUR").startswith("Last order dates: steel by 1 Jan 2027 (2, EUR 3, ")
    assert procurement.headline(rows, "EUR")[0] == "Nothing must be ordered now; the first order is due by 1 Jan 2027."
    assert " by 1 " in " ".join(orders(0)["finding"])


def test_a_lead_time_beyond_the_plan_orders_nothing_and_the_check_says_so():
    rows, found = orders(4), planned(4)[0]
    assert (rows["state"] == "too late").all()
    assert rows["short"].sum() == pytest.approx(960 - 300)
    (told,) = supply_checks.lead_time_beyond(found, HORIZON)
    assert told["subject"] == "steel"
    assert supply_checks.lead_time_beyond(planned(3)[0], HORIZON) == []
    assert procurement.last_order_sentence(rows, "EUR") == ""
    assert len(procurement.headline(rows, "EUR")) == 1


def test_without_a_material_plan_there_are_no_orders():
    found, plan = planned(1)
    assert procurement.procurement(plan["material_plan"].head(0), plan["inventory_plan"], found, "EUR").empty


def test_scenarios_stay_apart_and_rows_may_come_in_any_order():
    found, plan = planned(3)
    both = {n: pd.concat([p, p.assign(scenario="more")]).sample(frac=1, random_state=1) for n, p in plan.items()}
    rows = procurement.procurement(both["material_plan"], both["inventory_plan"], found, "EUR")
    for _, part in rows.groupby("scenario"):
        pd.testing.assert_frame_equal(
            part.drop(columns="scenario").reset_index(drop=True), orders(3).drop(columns="scenario")
        )


def test_the_longest_lead_times_stand_first_and_soon_is_by_date():
    rows = pd.DataFrame({
        "material": ["fast", "slow", "slow"], "lead_months": [0.0, 4.0, 4.0], 
        "state": ["order now", "later", "too late"], "ordered": [1.0, 2, 0], "cost": [3.0, 4, 0],
        "order_by": pd.to_datetime(["2026-11-01", "2026-12-01", "2026-09-01"]),
    })  # fmt: skip
    assert procurement.soon(rows, HORIZON[0])["state"].tolist() == ["too late", "order now", "later"]
    assert procurement.soon(rows, HORIZON[0], 1)["material"].tolist() == ["slow", "fast"]
    assert procurement.last_order_sentence(rows, "EUR").startswith("Last order dates: slow by 1 Dec 2026")


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 100), min_size=1, max_size=6), st.integers(0, 200), st.integers(0, 50))
def test_what_is_to_be_made_is_demand_and_backlog_less_stock(demand, stock, owed):
    months = pd.date_range(HORIZON[0], periods=len(demand), freq="MS")
    plan = pd.DataFrame({"scenario": "base", "month": months, "family": "A", "demand": demand, "lost": 0.0})
    plan = plan.assign(
        opening=float(stock), shipped=0.0, backlog=owed + np.cumsum(demand)
    )  # nothing is made or shipped
    made = procurement.to_make(plan)["units"]
    assert made.sum() == pytest.approx(max(0, sum(demand) + owed - stock))
    assert (made >= 0).all()


def test_the_long_leads_of_the_sample_are_those_of_its_materials():
    """What the sample's table of materials says, told by a plan that orders both in the same month."""
    materials = table("materials")
    plan = pd.DataFrame(
        {"scenario": "base", "month": HORIZON[0], "material": materials["material"], "ordered": 5.0, "cost": 7.0}
    )
    found = {n: table(n) for n in ("materials", "bill_of_materials", "products")}
    nothing = pd.DataFrame({"month": HORIZON, "product": "BBQ-01", "family": "Barbecues", "quantity": 0.0})
    found |= {"demand_plan": nothing, "material_receipts": tables.empty("material_receipts")}
    stock = pd.DataFrame({"scenario": "base", "month": HORIZON, "family": "Barbecues"})
    stock = stock.assign(opening=0.0, demand=0.0, shipped=0.0, backlog=0.0, lost=0.0)
    rows = procurement.procurement(plan, stock, found, "EUR")
    assert rows["material"].tolist() == ["Sheet steel", "Gas valve"]
    assert rows["month"].tolist() == [pd.Timestamp("2027-03-01"), pd.Timestamp("2027-02-01")]
    assert set(rows["families"]) == {"Barbecues, Heaters"}
