"""Shipments and locations that do not fit together: where, what, remedy; nothing stops."""

from pathlib import Path

import pandas as pd
import pytest
import sample_files
from workbook_edits import add, issue, read

from sop_lib import flow_checks, tables

HORIZON = pd.date_range("2026-11-01", periods=24, freq="MS")
COLUMNS = ["order", "line", "delivery", "leg", "product", "from", "to", "ordered_on", "requested_on", "shipped_on",
           "delivered_on", "ordered", "shipped"]  # fmt: skip
PLACES = ["location", "type", "region"]


def row(order: str, lane: str = "DC>North", ordered="2026-09-01", sent="2026-09-08", came="2026-09-10") -> list[str]:
    start, _, end = lane.partition(">")
    return [order, "1", "1", "dc-customer", "x", start, end, ordered, "2026-09-10", sent, came, "10", "10"]


def given(rows: list, places: list | None = None) -> dict[str, pd.DataFrame]:
    sales = pd.DataFrame({"region": ["North", "South"], "customer": "ALL"})
    where = places if places is not None else [["DC", "dc", "North"]]
    found = {n: pd.DataFrame(r, columns=c) for n, r, c in (("shipments", rows, COLUMNS), ("locations", where, PLACES))}
    return {n: tables.check(n, t) for n, t in found.items()} | {"sales": sales}


EARLY = row("z", ">", "2026-06-01", "2026-06-08", "2026-06-10")  # so that the record is longer than any way


def only(rule: str, rows: list, places: list | None = None) -> dict:
    """Return the one issue that all checks find, which must be of the rule."""
    found = [i for check in flow_checks.CHECKS.values() for i in check(given([EARLY, *rows], places), HORIZON)]
    assert [i["rule"] for i in found] == [rule]
    return found[0]


def test_a_delivery_before_it_was_shipped_is_counted_with_the_worst():
    bad = [row("a"), row("b", came="2026-09-07"), row("c", "DC>South", came="2026-09-01")]
    found = only("delivered_before_shipped", bad)
    assert (found["table"], found["rows"], found["quantity"]) == ("shipments", 2, 20)
    assert found["subject"] == "DC → North, DC → South"
    assert "the worst is order c line 1 delivery 1, leg dc-customer: " in found["finding"]
    assert "shipped_on 2026-09-08, delivered_on 2026-09-01, 7 days too early" in found["finding"]
    assert "Left out of days on the way" in found["finding"]
    assert found["remedy"] == "correct shipped_on or delivered_on"


def test_shipped_before_it_was_ordered():
    found = only("shipped_before_ordered", [row("a"), row("b", ordered="2026-09-09")])
    assert found["rows"] == 1
    assert (
        "order b line 1 delivery 1, leg dc-customer: ordered_on 2026-09-09, shipped_on 2026-09-08, 1 day too early"
        in (found["finding"])
    )


def test_the_same_day_is_right():
    rows = [row("a", ordered="2026-09-08", came="2026-09-08"), row("b", sent="2026-09-30", came="2026-09-30")]
    assert not [i for check in flow_checks.CHECKS.values() for i in check(given([EARLY, *rows]), HORIZON)]


@pytest.mark.parametrize("around", [["A", "B"], ["A", "B", "C"], ["A"]])
def test_a_loop_is_named_in_the_order_goods_go_round(around):
    lanes = [f"{a}>{b}" for a, b in zip(around, [*around[1:], around[0]], strict=True)]
    places = [[name, "dc", "North"] for name in around]
    found = only("network_loop", [row(lane, lane) for lane in [*lanes, "A>North"]], places)
    assert found["subject"] == " → ".join([*around, around[0]])
    assert (found["rows"], found["quantity"]) == (len(around), 10 * len(around))


def test_two_ways_to_one_place_are_no_loop():
    lanes = pd.DataFrame({"from": ["A", "A", "B", "C"], "to": ["B", "C", "D", "D"]})
    assert flow_checks.loop(lanes) == []
    assert flow_checks.loop(lanes.iloc[:0]) == []


def test_a_location_without_a_region():
    found = only("location_without_region", [row("a")], [["DC", "dc", "North"], ["Hub", "dc", None]])
    assert (found["table"], found["subject"], found["severity"]) == ("locations", "Hub", "warn")
    assert "demand has 2" in found["finding"]
    one = given([], [["Hub", "dc", None]]) | {"sales": pd.DataFrame({"region": ["ALL"], "customer": "ALL"})}
    assert flow_checks.location_without_region(one, HORIZON) == []


def test_an_unknown_location_is_named_with_its_first_row():
    found = only("location_unknown", [row("a"), row("b", "D C>North")])
    assert found["subject"] == "from · D C"
    assert "first order b line 1 delivery 1, leg dc-customer" in found["finding"]
    assert only("location_unknown", [row("a", "DC>Nirth")])["subject"] == "to · Nirth"
    assert flow_checks.location_unknown(given([row("a", "X>Y")], []), HORIZON) == []  # no locations, no names to know


def test_a_way_longer_than_what_was_recorded_is_told():
    rows = [row("a", came="2026-10-08"), row("b", sent="2026-09-18", came="2026-10-18")]
    (found,) = flow_checks.transit_beyond_history(given(rows), HORIZON)
    assert (found["subject"], found["rows"]) == ("DC → North", 2)
    assert "takes 30 days (delivered_on - shipped_on), shipments cover 10" in found["finding"]


def test_the_sample_has_none_of_these():
    names = ("shipments", "locations", "sales")
    found = {name: sample_files.table(name) for name in names}
    assert not [i for check in flow_checks.CHECKS.values() for i in check(found, HORIZON)]


def test_a_run_counts_them_and_goes_on(small_workbook: Path):
    product = read(small_workbook).tables["products"]["product"].iloc[0]
    rows = [row("a", came="2026-09-07"), row("b", "DC>DC")]
    add(small_workbook, "shipments", COLUMNS, *[[*r[:4], product, *r[5:]] for r in rows])
    add(small_workbook, "locations", PLACES, ["DC", "dc", "North"])
    found = read(small_workbook)
    assert issue(found, "delivered_before_shipped", "shipments")["rows"] == 1
    assert issue(found, "network_loop", "shipments")["subject"] == "DC → DC"
