"""Goods on their way: deliveries by hand, on time and in full, days on the way, what cannot be judged."""

import numpy as np
import pandas as pd
import pytest
import sample_files
from shipments_by_hand import ALIKE, CYCLE, PRODUCTS, shipments

from sop_lib import flow_pages, flows, scorecard, tables


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


def test_the_page_holds_hostile_names_and_says_what_was_left_out():
    bad = "<script>alert(1)</script>"
    rows = shipments(*[(f"{n}", 1, f"DC>{bad if n % 2 else 'East'}", "x", "2026-09-10", None, "2026-09-08",
                        "2026-09-05" if n < 2 else "2026-09-15", 10, 10) for n in range(40)])  # fmt: skip
    found = flows.flows(rows, PRODUCTS, ALIKE, CYCLE)
    told = flow_pages.arrivals(found, flows.lanes(rows, CYCLE), flows.due_words(rows)).data
    assert bad not in told
    assert "Deliveries that came before they were shipped: 2." in told
    assert "missed the requested day" in told
