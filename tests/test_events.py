import pandas as pd
import pytest

from sop_lib import events, tables

CYCLE = pd.Timestamp("2026-11-01")


def base() -> pd.DataFrame:
    months, regions = ("2026-12-01", "2027-01-01"), ("North", "South")
    products = (("A", "F", 30.0), ("B", "F", 10.0), ("C", "G", 5.0))
    rows = [(m, p, r, f, q) for m in months for p, f, q in products for r in regions]
    out = pd.DataFrame(rows, columns=["month", "product", "region", "family", "quantity"])
    return out.assign(month=pd.to_datetime(out.month))


def event(**given) -> pd.DataFrame:
    row = {
        "event": "Deal",
        "kind": "promotion",
        "from_month": "2026-12-01",
        "to_month": "2026-12-01",
        "owner": "marketing",
    }
    return tables.check("events", pd.DataFrame([{**row, "family": "ALL", **given}]))


def effects(**given) -> dict:
    out = events.event_effects(base(), event(**given), CYCLE)
    return {(p, r): q for p, r, q in zip(out["product"], out.region, out.quantity, strict=True)}


def test_a_rate_lifts_the_products_regions_and_months_it_names():
    assert effects(product="A", uplift_rate=0.2) == {("A", "North"): 6.0, ("A", "South"): 6.0}
    assert effects(family="F", region="South", uplift_rate=0.5, probability=0.5) == {
        ("A", "South"): 7.5,
        ("B", "South"): 2.5,
    }


def test_units_are_shared_by_planned_demand_and_weighed_by_probability():
    assert effects(family="F", uplift_units=80.0, probability=0.5) == {
        ("A", "North"): 15.0, ("A", "South"): 15.0, ("B", "North"): 5.0, ("B", "South"): 5.0,
    }  # fmt: skip


def test_past_events_and_events_without_an_uplift_add_nothing():
    assert effects(product="A") == {}
    assert effects(product="A", uplift_rate=0.2, from_month="2026-09-01", to_month="2026-10-01") == {}


def test_events_on_the_same_month_add_up_and_are_named():
    two = pd.concat(
        [event(product="A", region="North", uplift_rate=0.1), event(event="Fair", family="F", uplift_rate=0.2)]
    )
    out = events.event_effects(base(), two, CYCLE).set_index(["product", "region"])
    assert out.quantity["A", "North"] == pytest.approx(9.0)
    assert out.reason["A", "North"] == "Deal, Fair"
