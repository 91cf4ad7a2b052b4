"""What must be shipped, by lane: by hand, by law, through other plants, and as the page says it."""

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shipments_by_hand import CYCLE, PRODUCTS, sent

from sop_lib import distribution, flow_pages, tables


def plans(made: dict[tuple, list[float]], shipped: dict[str, list[float]]) -> tuple[pd.DataFrame, pd.DataFrame]:
    months = pd.date_range(CYCLE, periods=2, freq="MS")
    supply = [(m, f, p, q) for (f, p), each in made.items() for m, q in zip(months, each, strict=True)]
    stock = [(m, f, q) for f, each in shipped.items() for m, q in zip(months, each, strict=True)]
    return (pd.DataFrame(supply, columns=["month", "family", "plant", "quantity"]).assign(scenario="base"),
            pd.DataFrame(stock, columns=["month", "family", "shipped"]).assign(scenario="base"))  # fmt: skip


TREE = (("P>N", "x", 60, 2), ("P>S", "x", 40, 4), ("N>North", "x", 30, 3), ("S>South", "x", 50, 1),
        ("N>Shop", "x", 20, 5))  # fmt: skip


def quantities(plan: pd.DataFrame, month: str = "2026-11-01") -> dict[str, float]:
    rows = plan[plan["month"] == month]
    return dict(zip(rows["from"] + ">" + rows["to"], rows["quantity"].round(9), strict=True))


def test_a_distribution_plan_by_hand():
    supply, stock = plans({("A", "P"): [300, 0]}, {"A": [200, 100]})
    plan = distribution.distribution_plan(supply, stock, sent(*TREE), PRODUCTS, CYCLE)
    assert quantities(plan) == {"N>North": 60, "N>Shop": 40, "P>N": 180, "P>S": 120, "S>South": 100}
    row = plan[plan["to"].eq("N")].iloc[0]
    assert (row["lead_days"], row["ship_by"], row["share"]) == (2, pd.Timestamp("2026-10-30"), 0.6)
    assert row["on_the_way"] == pytest.approx(180 / 30 * 2)
    tables.check("distribution_plan", plan.assign(cycle=CYCLE))


def test_a_shop_is_sent_what_it_sells_and_a_plant_serves_its_own_customers_first():
    rows = (("P>N", "x", 60, 2), ("N>Shop", "x", 30, 3), ("Shop>Town", "x", 30, 0), ("N>North", "x", 30, 1),
            ("P>Near", "x", 40, 1))  # fmt: skip
    supply, stock = plans({("A", "P"): [90, 10]}, {"A": [100, 100]})
    plan = distribution.distribution_plan(supply, stock, sent(*rows), PRODUCTS, CYCLE)
    assert quantities(plan) == {"Shop>Town": 30, "N>Shop": 30, "N>North": 30, "P>Near": 40, "P>N": 50}
    assert quantities(plan, "2026-12-01")["P>N"] == 0  # what is made does not even serve its own customers


def test_a_family_without_history_goes_as_the_others_and_a_plant_without_lanes_is_told():
    supply, stock = plans(
        {("A", "P"): [10, 10], ("B", "P"): [50, 0], ("B", "Q"): [7, 0]}, {"A": [10, 10], "B": [40, 0]}
    )
    plan = distribution.distribution_plan(supply, stock, sent(*TREE), PRODUCTS, CYCLE)
    assert quantities(plan[plan["family"] == "B"])["P>N"] == 30
    assert distribution.unrouted(plan, supply, stock).to_numpy().tolist() == [["B", "made", "Q", 7.0]]


def test_without_lanes_and_in_a_loop_there_is_no_plan():
    supply, stock = plans({("A", "P"): [300, 0]}, {"A": [200, 100]})
    assert distribution.distribution_plan(supply, stock, tables.empty("shipments"), PRODUCTS, CYCLE).empty
    loop = sent(*TREE, ("S>N", "x", 5, 1), ("N>S", "x", 5, 1))
    empty = distribution.distribution_plan(supply, stock, loop, PRODUCTS, CYCLE)
    assert empty.empty
    best = {"supply_plan": supply, "inventory_plan": stock}
    lanes = distribution.used(loop, PRODUCTS, CYCLE)
    assert "Places supply each other in a loop: N → S → N." in flow_pages.to_ship(empty, best, lanes, "pieces").data
    assert "shipments" in flow_pages.to_ship(empty, best, lanes.iloc[:0], "pieces").data


THROUGH = (("P>Q", "x", 100, 1), ("Q>DC", "x", 100, 2), ("DC>Cust", "x", 100, 3), ("Q>DC", "y", 100, 2),
           ("DC>Cust", "y", 100, 3))  # fmt: skip


def test_what_a_plant_makes_goes_on_through_another_plant():
    supply, stock = plans({("A", "P"): [100, 100], ("B", "Q"): [70, 0]}, {"A": [100, 90], "B": [60, 0]})
    plan = distribution.distribution_plan(supply, stock, sent(*THROUGH), PRODUCTS, CYCLE)
    assert quantities(plan[plan["family"] == "A"]) == {"P>Q": 100, "Q>DC": 100, "DC>Cust": 100}
    assert quantities(plan[plan["family"] == "B"]) == {"Q>DC": 70, "DC>Cust": 60}
    assert distribution.unrouted(plan, supply, stock).empty


def test_a_plant_sends_what_it_makes_with_what_reaches_it_also_through_a_hub():
    rows = (("P>Hub", "x", 90, 1), ("Hub>Q", "x", 90, 1), ("Q>Near", "x", 10, 1), *THROUGH[1:3])
    supply, stock = plans({("A", "P"): [50, 0], ("A", "Q"): [30, 5]}, {"A": [110, 0]})
    plan = distribution.distribution_plan(supply, stock, sent(*rows), PRODUCTS, CYCLE)
    assert quantities(plan) == {"P>Hub": 50, "Hub>Q": 50, "Q>Near": 10, "Q>DC": 70, "DC>Cust": 100}
    assert quantities(plan, "2026-12-01")["Q>DC"] == 5
    assert distribution.unrouted(plan, supply, stock).empty


def test_a_family_may_end_where_another_goes_on():
    rows = (("P>D1", "x", 50, 2), ("P>D2", "x", 50, 2), ("D1>Cust", "x", 50, 3), ("P>D2", "y", 80, 2),
            ("D2>Cust", "y", 80, 3))  # fmt: skip
    supply, stock = plans({("A", "P"): [120, 0], ("B", "P"): [80, 0]}, {"A": [100, 0], "B": [80, 0]})
    plan = distribution.distribution_plan(supply, stock, sent(*rows), PRODUCTS, CYCLE)
    assert quantities(plan[plan["family"] == "A"]) == {"P>D1": 70, "P>D2": 50, "D1>Cust": 50}
    assert quantities(plan[plan["family"] == "B"]) == {"P>D2": 80, "D2>Cust": 80}
    assert distribution.ship_sentence(plan, "pieces").startswith("180 pieces must leave for customers")


def test_what_would_end_where_nobody_ships_the_family_on_is_told():
    rows = (("P>D1", "x", 50, 2), ("D1>Cust", "x", 50, 3), ("Q>D9", "y", 80, 2), ("D9>Town", "y", 80, 3))
    supply, stock = plans({("A", "P"): [60, 0], ("A", "Q"): [40, 0]}, {"A": [100, 0]})
    plan = distribution.distribution_plan(supply, stock, sent(*rows), PRODUCTS, CYCLE)
    assert quantities(plan) == {"P>D1": 60, "D1>Cust": 100}
    assert distribution.unrouted(plan, supply, stock).to_numpy().tolist() == [["A", "made", "Q", 40.0]]


def test_a_plant_that_sends_more_than_it_makes_hides_none_that_sends_less():
    rows = (("P>Near", "x", 50, 1), ("Q>Far", "x", 50, 1))
    supply, stock = plans({("A", "P"): [90, 0], ("A", "Q"): [10, 0]}, {"A": [100, 0]})
    plan = distribution.distribution_plan(supply, stock, sent(*rows), PRODUCTS, CYCLE)
    assert quantities(plan) == {"P>Near": 50, "Q>Far": 50}
    assert distribution.unrouted(plan, supply, stock).to_numpy().tolist() == [["A", "made", "P", 40.0]]


def test_a_plant_that_no_longer_makes_a_family_supplies_no_centre_with_it():
    rows = (("P>N", "x", 50, 1), ("Q>N", "x", 50, 1), ("N>North", "x", 80, 1), ("Q>Near", "x", 20, 1))
    supply, stock = plans({("A", "P"): [90, 0], ("B", "Q"): [0, 0]}, {"A": [100, 0]})
    plan = distribution.distribution_plan(supply, stock, sent(*rows), PRODUCTS, CYCLE)
    assert quantities(plan) == {"P>N": 90, "N>North": 80, "Q>Near": 20}


WAYS = ["P>N", "P>S", "Q>N", "Q>S", "N>a", "N>b", "S>a", "S>c", "P>Q", "P>Hub", "Hub>Q", "Hub>N", "Q>a"]


@given(
    st.lists(st.tuples(st.sampled_from(WAYS), st.sampled_from("xy"), st.integers(1, 99), st.integers(0, 40)),
             max_size=12),
    st.lists(st.floats(0, 1e6), min_size=12, max_size=12),
)  # fmt: skip
@settings(max_examples=25, deadline=None)
def test_what_is_made_leaves_or_is_told_and_what_is_shipped_arrives(rows, q):
    lanes = [("P>N", "x", 1, 1), ("Q>S", "y", 1, 1), ("N>a", "x", 1, 1), ("S>c", "y", 1, 1), *rows]
    made = {("A", "P"): q[:2], ("A", "Q"): q[2:4], ("B", "P"): q[4:6], ("B", "Q"): q[6:8]}
    supply, stock = plans(made, {"A": q[8:10], "B": q[10:12]})
    plan = distribution.distribution_plan(supply, stock, sent(*lanes), PRODUCTS, CYCLE)
    told = distribution.unrouted(plan, supply, stock)
    assert set(told["what"]) <= {"made"}
    for family, each in plan.groupby("family"):
        came, left = each.groupby("to")["quantity"].sum(), each.groupby("from")["quantity"].sum()
        ends = each["to"][~each["to"].isin(each["from"])].unique()
        assert came[ends].sum() == pytest.approx(stock.loc[stock["family"] == family, "shipped"].sum(), abs=1e-6)
        for plant in ("P", "Q"):
            wanted = sum(made[family, plant]) + came.drop(ends).get(plant, 0.0)
            missing = told.loc[told["family"].eq(family) & told["place"].eq(plant), "units"].sum()
            assert left.get(plant, 0.0) + missing >= wanted - 0.6  # more: its customers are served from its stock
        if (each["from"].eq("Hub") & each["to"].eq("Q")).any() and "Q" not in ends:
            assert left["Hub"] >= came.get("Hub", 0.0) * (1 - 1e-9)


def test_a_day_that_is_past_is_too_late_and_the_first_of_a_month_is_shown_as_a_day():
    supply, stock = plans({("A", "P"): [100, 100]}, {"A": [100, 100]})
    late = (("P>DC", "x", 100, 0), ("DC>Cust", "x", 100, 45))
    plan = distribution.distribution_plan(supply, stock, sent(*late), PRODUCTS, CYCLE)
    said = distribution.ship_sentence(plan, "pieces")
    assert said.endswith("DC → Cust, 45 days: too late for 1 Dec 2026 already; ship at once.")
    best, lanes = {"supply_plan": supply, "inventory_plan": stock}, distribution.used(sent(*late), PRODUCTS, CYCLE)
    shown = flow_pages.to_ship(plan, best, lanes, "pieces").data
    assert ">1 Dec 2026<" in shown  # P to DC, there on the same day
    assert ">17 Oct 2026<" in shown
    due = distribution.distribution_plan(supply, stock, sent(late[0], ("DC>Cust", "x", 100, 30)), PRODUCTS, CYCLE)
    assert distribution.ship_sentence(due, "pieces").endswith("on 1 Dec 2026 leaves by 1 Nov.")


def test_the_page_says_what_must_leave_and_by_when():
    supply, stock = plans({("A", "P"): [300, 0]}, {"A": [200, 100]})
    plan = distribution.distribution_plan(supply, stock, sent(*TREE), PRODUCTS, CYCLE)
    best, lanes = {"supply_plan": supply, "inventory_plan": stock}, distribution.used(sent(*TREE), PRODUCTS, CYCLE)
    text = flow_pages.to_ship(plan, best, lanes, "pieces").data
    assert "300 pieces must leave for customers from Nov 2026 to Dec 2026" in text
    assert "the slowest lane is N → Shop, 5 days: what must be there on 1 Dec 2026 leaves by 26 Nov." in text
