"""Goods on their way: hand-worked deliveries, which lane is late and which is noise, what must be shipped."""

import re

import numpy as np
import pandas as pd
import pytest
import sample_files
from hypothesis import given, settings
from hypothesis import strategies as st

from sop_lib import distribution, flow_pages, flows, page, scorecard, tables

CYCLE = pd.Timestamp("2026-11-01")
PRODUCTS = pd.DataFrame({"product": ["x", "y"], "family": ["A", "B"]})
ALIKE = pd.DataFrame({"family": ["A", "B"], "unit": "piece"})
NAMES = ["order", "line", "delivery", "leg", "product", "from", "to", "ordered_on", "requested_on", "promised_on",
         "shipped_on", "delivered_on", "ordered", "shipped"]  # fmt: skip


def shipments(*rows: tuple) -> pd.DataFrame:
    """(order, delivery, lane, product, requested, promised, shipped on, delivered on, ordered, shipped) each."""
    named = []
    for order, delivery, lane, product, requested, promised, sent, came, ordered, shipped in rows:
        start, _, end = lane.partition(">")
        dates = ["2026-08-01", requested, promised, sent, came]
        named.append((order, "1", str(delivery), "leg", product, start, end, *dates, ordered, shipped))
    return tables.check("shipments", pd.DataFrame(named, columns=NAMES))


def by_hand() -> pd.DataFrame:
    return shipments(
        ("a", 1, "DC>East", "x", "2026-09-10", "2026-09-12", "2026-09-08", "2026-09-12", 10, 10),  # promised, kept
        ("b", 1, "DC>East", "x", "2026-09-10", None, "2026-09-08", "2026-09-16", 10, 6),  # 6 days late, in two
        ("b", 2, "DC>East", "x", "2026-09-10", None, "2026-09-09", "2026-09-10", 10, 4),
        ("c", 1, "DC>East", "x", "2026-09-20", None, "2026-09-18", None, 5, 5),  # on the way, its day has passed
        ("d", 1, "DC>East", "x", "2026-10-28", "2026-11-15", "2026-10-30", None, 5, 5),  # on the way, not due yet
    )  # fmt: skip


def test_deliveries_by_hand():
    found = flows.flows(by_hand(), PRODUCTS, ALIKE, CYCLE).set_index("month").loc["2026-09-01"]
    assert found[["deliveries", "judged", "late", "on_the_way", "lines"]].tolist() == [4, 4, 2, 1, 3]
    assert found["on_time"] == 0.5
    assert found["late_days"] == 6
    assert found["transit_days"] == pytest.approx((4 + 8 + 1) / 3)
    assert found[["ordered", "shipped"]].tolist() == [25, 25]  # an order line in two deliveries counts once
    assert found["in_full"] == pytest.approx(2 / 3)  # the first delivery of a and c held all
    assert found["otif"] == pytest.approx(1 / 3)


@pytest.mark.parametrize("parts", [(0.7, 0.1), (0.4, 0.4), (0.8, 0.0), (0.1, 0.7)])
def test_parts_that_add_up_to_the_order_in_decimals_are_on_time_in_full(parts):
    rows = shipments(*[("a", n, "DC>E", "x", "2026-09-10", None, "2026-09-08", "2026-09-09", 0.8, part)
                       for n, part in enumerate(parts)])  # fmt: skip
    assert flows.flows(rows, PRODUCTS, ALIKE, CYCLE)["otif"].tolist() == [1]
    facts = scorecard.Facts(CYCLE, 2, {"shipments": rows, "products": PRODUCTS, "families": ALIKE})
    assert scorecard.on_time_in_full(facts)["numerator"].sum() == 1
    short = flows.flows(rows.assign(ordered=0.801), PRODUCTS, ALIKE, CYCLE)
    assert short["otif"].tolist() == [0]


def test_what_is_not_due_is_not_judged_and_what_came_later_is_not_known():
    later = flows.flows(by_hand(), PRODUCTS, ALIKE, CYCLE).set_index("month").loc["2026-10-01"]
    assert later[["judged", "late", "on_the_way"]].tolist() == [0, 0, 1]
    assert np.isnan(later["on_time"])
    earlier = flows.flows(by_hand(), PRODUCTS, ALIKE, pd.Timestamp("2026-09-10"))
    assert earlier[["judged", "on_the_way"]].iloc[0].tolist() == [0, 3]  # c is not shipped yet


def test_units_are_blank_where_families_of_unlike_units_share_a_lane():
    rows = shipments(("a", 1, "DC>E", "x", "2026-09-10", None, "2026-09-08", "2026-09-09", 10, 10),
                     ("b", 1, "DC>E", "y", "2026-09-10", None, "2026-09-08", "2026-09-09", 10, 10))  # fmt: skip
    assert flows.flows(rows, PRODUCTS, ALIKE, CYCLE)["shipped"].tolist() == [20]
    unlike = flows.flows(rows, PRODUCTS, ALIKE.assign(unit=["piece", "kg"]), CYCLE)
    assert unlike[["ordered", "shipped"]].isna().all(axis=None)
    assert unlike["deliveries"].tolist() == [2]


def test_a_delivery_before_its_shipping_tells_no_days_and_the_same_day_is_zero():
    rows = shipments(("a", 1, "DC>E", "x", "2026-09-10", None, "2026-09-08", "2026-09-05", 10, 10),
                     ("b", 1, "DC>E", "x", "2026-09-10", None, "2026-09-08", "2026-09-08", 10, 10))  # fmt: skip
    found = flows.flows(rows, PRODUCTS, ALIKE, CYCLE).iloc[0]
    assert (found["left_out"], found["transit_days"], found["deliveries"]) == (1, 0, 2)
    assert flows.lanes(rows, CYCLE)[["lead_days", "lead_p90"]].to_numpy().tolist() == [[0, 0]]


def test_a_leg_that_records_no_delivery_counts_by_the_day_of_shipping():
    rows = shipments(("a", 1, "DC>E", "x", "2026-09-10", None, "2026-09-12", None, 10, 10),
                     ("b", 1, "DC>E", "x", "2026-09-10", None, "2026-09-09", None, 10, 10))  # fmt: skip
    found = flows.flows(rows, PRODUCTS, ALIKE, CYCLE).iloc[0]
    assert (found["late"], found["on_the_way"], found["late_days"]) == (1, 0, 2)
    assert np.isnan(found["transit_days"])


def sample() -> pd.DataFrame:
    read = sample_files.table
    return flows.flows(read("shipments"), read("products"), read("families"), CYCLE)


def test_the_sample_is_on_time_in_full_as_the_scorecard_says():
    read = sample_files.table
    later = CYCLE + pd.DateOffset(months=6)  # both know every delivery
    found = flows.flows(read("shipments"), read("products"), read("families"), later)
    last = found[found["leg"] == "dc-customer"]
    facts = scorecard.Facts(later, 2, {n: read(n) for n in ("shipments", "products", "families")})
    told = scorecard.on_time_in_full(facts)
    assert (last["otif"] * last["lines"]).sum() == pytest.approx(told["numerator"].sum())
    assert last["lines"].sum() == told["denominator"].sum()
    filled = scorecard.fill_rate(facts)
    assert last["ordered"].sum() == pytest.approx(filled["denominator"].sum())


def test_the_order_of_rows_changes_nothing():
    rows = sample_files.table("shipments").iloc[:900]
    read = sample_files.table
    mixed = flows.flows(rows.sample(frac=1, random_state=3), read("products"), read("families"), CYCLE)
    pd.testing.assert_frame_equal(mixed, flows.flows(rows, read("products"), read("families"), CYCLE))


# Which lane is late


def test_the_late_leg_of_the_sample_is_found_and_no_other():
    said = sample_files.truth().query("cause == 'late leg'").iloc[0]
    (found,) = flows.late_lanes(sample()).to_dict("records")
    assert said["key"] == f"leg={found['leg']} · to={found['to']}"
    assert (found["since"], found["at_least"]) == (said["from_month"], True)
    kept = 1 - found["others"]  # the injected share is of what else would have come in time
    assert found["excess"] / kept == pytest.approx(said["quantity"], abs=0.02)
    (sentence,) = flows.late_sentences(sample())
    assert sentence.startswith("DC South → East (dc-customer) is late: 41% of 1,532 deliveries missed the promised day")
    assert "since at least Nov 2025, 10% on the leg's other lanes" in sentence


def lateness(rates: list[list[float]], number: int = 100, seed: int = 0) -> pd.DataFrame:
    """Return flows of one leg, a list of monthly rates of late deliveries per lane."""
    rng, rows = np.random.default_rng(seed), []
    for lane, each in enumerate(rates):
        for month, rate in zip(pd.date_range("2025-11-01", periods=len(each), freq="MS"), each, strict=True):
            rows.append((month, "leg", "DC", f"R{lane}", number, number, rng.binomial(number, rate), 0, 0, 3.0, 2.0))
    columns = ["month", "leg", "from", "to", "deliveries", "judged", "late", "on_the_way", "left_out",
               "transit_days", "late_days"]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)


def test_a_lane_that_turned_late_is_named_with_its_month():
    found = flows.late_lanes(lateness([[0.1] * 12, [0.1] * 7 + [0.4] * 5, [0.1] * 12]))
    assert found[["to", "since", "at_least"]].to_numpy().tolist() == [["R1", pd.Timestamp("2026-06-01"), False]]


def test_a_lane_that_was_late_all_the_year_may_have_been_so_for_longer():
    for months in (12, 20, 36):
        flow = lateness([[0.1] * months, [0.45] * months, [0.1] * months])
        (found,) = flows.late_lanes(flow).to_dict("records")
        assert found["at_least"]
        assert found["since"] == flow["month"].max() - pd.DateOffset(months=11)
        assert f"since at least {found['since']:%b %Y}, " in flows.late_sentences(flow)[0]


def test_a_lane_that_is_late_since_it_is_used_is_late_since_then():
    flow = lateness([[0.1] * 12, [0.45] * 12, [0.1] * 12])
    flow = flow[(flow["to"] != "R1") | (flow["month"] >= "2026-03-01")]
    assert flows.late_lanes(flow)[["since", "at_least"]].to_numpy().tolist() == [[pd.Timestamp("2026-03-01"), True]]


def test_a_late_lane_by_hand_in_any_order_of_rows():
    flow = lateness([[0.0] * 4] * 3)
    flow["late"] = [10, 10, 10, 10, 60, 40, 50, 50, 0, 10, 0, 10]
    (found,) = flows.late_lanes(flow.sample(frac=1, random_state=1)).to_dict("records")
    told = [found[c] for c in ("to", "late", "judged", "rate", "others", "excess")]
    assert told == ["R1", 200, 400, 0.5, 60 / 800, 0.5 - 60 / 800]
    again = flows.late_sentences(flow, late=flows.late_lanes(flow))
    assert again == flows.late_sentences(flow)


def test_two_late_lanes_are_both_named_the_latest_first():
    found = flows.late_lanes(lateness([[0.05] * 12, [0.3] * 12, [0.05] * 12, [0.5] * 12]))
    assert found["to"].tolist() == ["R3", "R1"]


def test_a_burst_of_one_month_a_lane_that_recovered_and_a_lane_alone_are_not_named():
    assert flows.late_lanes(lateness([[0.1] * 12, [0.1] * 6 + [0.9] + [0.1] * 5, [0.1] * 12])).empty
    assert flows.late_lanes(lateness([[0.1] * 12, [0.4] * 2 + [0.1] * 10, [0.1] * 12])).empty
    assert flows.late_lanes(lateness([[0.9] * 12])).empty


def test_noise_is_not_called_late():
    """Of 60 companies of alike lanes, with lateness in bursts in two of three, at most one names a lane."""
    named = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        burst = (0, 20, 5)[seed % 3]
        rates = [list(rng.beta(0.1 * burst, 0.9 * burst, 12)) if burst else [0.1] * 12 for _ in range(4)]
        named += len(flows.late_lanes(lateness(rates, number=(20, 120)[seed % 2], seed=seed))) > 0
    assert named <= 1


def test_where_none_is_late_the_year_is_told():
    (said,) = flows.late_sentences(lateness([[0.1] * 12, [0.1] * 12]))
    assert re.fullmatch(r"No lane is later .*: \d+\.\d% of 2,400 deliveries of the last year missed the .*\.", said)


def test_no_shipments_at_all():
    none = flows.flows(tables.empty("shipments"), PRODUCTS, ALIKE, CYCLE)
    assert none.empty
    assert flows.late_lanes(none).empty
    assert flows.late_sentences(none) == []
    assert flows.lanes(tables.empty("shipments"), CYCLE).empty
    assert "shipments" in flow_pages.arrivals(none, flows.lanes(tables.empty("shipments"), CYCLE), "day").data


def test_shipments_that_cannot_be_judged_yet_are_not_called_missing():
    rows = shipments(("a", 1, "DC>E", "x", "2026-11-10", "2026-12-05", None, None, 10, 10),
                     ("b", 1, "DC>E", "x", "2026-11-10", "2026-12-05", None, None, 10, 10))  # fmt: skip
    flow, lane = flows.flows(rows, PRODUCTS, ALIKE, CYCLE), flows.lanes(rows, CYCLE)
    (said,) = flows.late_sentences(flow)
    assert said.startswith("Deliveries recorded: 2; none has come and the day of none has passed")
    shown = flow_pages.arrivals(flow, lane, "promised day").data
    assert said in shown
    assert "that are not there" not in shown


# What must be shipped


def sent(*rows: tuple) -> pd.DataFrame:
    """(lane, product, units, days on the way) each, shipped in the last year."""
    found = []
    for n, (lane, product, units, days) in enumerate(rows):
        came = str(pd.Timestamp("2026-09-08") + pd.Timedelta(days=days))[:10]
        found.append((f"o{n}", 1, lane, product, "2026-09-20", None, "2026-09-08", came, units, units))
    return shipments(*found)


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


# Pages


def test_the_pages_hold_hostile_names_and_say_what_was_left_out():
    bad = "<script>alert(1)</script>"
    rows = shipments(*[(f"{n}", 1, f"DC>{bad if n % 2 else 'East'}", "x", "2026-09-10", None, "2026-09-08",
                        "2026-09-05" if n < 2 else "2026-09-15", 10, 10) for n in range(40)])  # fmt: skip
    found = flows.flows(rows, PRODUCTS, ALIKE, CYCLE)
    told = flow_pages.arrivals(found, flows.lanes(rows, CYCLE), flows.due_words(rows)).data
    assert bad not in told
    assert "Deliveries that came before they were shipped: 2." in told
    assert "missed the requested day" in told
    supply, stock = plans({("A", "P"): [300, 0]}, {"A": [200, 100]})
    plan = distribution.distribution_plan(supply, stock, sent(*TREE), PRODUCTS, CYCLE)
    best, lanes = {"supply_plan": supply, "inventory_plan": stock}, distribution.used(sent(*TREE), PRODUCTS, CYCLE)
    text = flow_pages.to_ship(plan, best, lanes, "pieces").data
    assert "300 pieces must leave for customers from Nov 2026 to Dec 2026" in text
    assert "the slowest lane is N → Shop, 5 days: what must be there on 1 Dec 2026 leaves by 26 Nov." in text
    assert page.together().data == ""
