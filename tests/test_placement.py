"""Where safety stock lies best: hand-worked networks, what must hold of any, and what cannot be placed."""

import numpy as np
import pandas as pd
import pytest
import sample_files
from hypothesis import given, settings
from hypothesis import strategies as st

from sop_lib import flow_pages, placement, tables
from sop_lib.settings import Planning

CYCLE = pd.Timestamp("2026-11-01")
PLANNING = Planning(service_level=0.975)  # z = 1.96
Z = 1.959963985
WEEK = (365.25 / 12 / 7) ** 0.5
NAMES = ["order", "line", "delivery", "leg", "product", "from", "to", "ordered_on", "requested_on", "promised_on",
         "shipped_on", "delivered_on", "ordered", "shipped"]  # fmt: skip


def shipments(*rows: tuple) -> pd.DataFrame:
    """(lane, units, days on the way) each, of product x, shipped in the last year."""
    found = []
    for n, (lane, units, days) in enumerate(rows):
        start, end = lane.split(">")
        came = pd.Timestamp("2026-09-08") + pd.Timedelta(days=days)
        dates = ["2026-09-01", "2026-09-20", None, "2026-09-08", came]
        found.append((f"o{n}", "1", "1", "leg", "x", start, end, *dates, units, units))
    return tables.check("shipments", pd.DataFrame(found, columns=NAMES))


def company(rows: tuple, places: dict[str, str], error: float = 10.0 * WEEK, **policy) -> dict[str, pd.DataFrame]:
    """Return a company with one family A of product x, whose weekly forecast error is 10 units by default."""
    origins = pd.date_range("2026-01-01", periods=2, freq="MS")
    tested = {"level": "family", "family": "A", "model": "combination", "lag": 1, "origin": origins}
    family = {"family": "A", "unit": "piece", "strategy": "MTS", "holding_cost": 1.0} | policy
    found = {
        "shipments": shipments(*rows),
        "locations": tables.check("locations", pd.DataFrame({"location": list(places), "type": list(places.values())})),
        "families": tables.check("families", pd.DataFrame([family])),
        "products": tables.check("products", pd.DataFrame([{"product": "x", "family": "A", "unit_cost": 50.0}])),
    }
    plan = pd.DataFrame({"month": [CYCLE], "family": "A", "product": "x", "quantity": 1.0})
    tested = pd.DataFrame(tested | {"forecast": [100 + error, 100 - error], "actual": 100.0})
    return found | {"backtest": tested, "demand_plan": plan} | {n: tables.empty(n) for n in ("prices", "history")}


PLACES = {"P": "plant", "N": "dc", "S": "dc"}
TWO = (("P>N", 64, 2), ("P>S", 36, 9), ("N>North", 64, 1), ("S>South", 36, 1))


def placed(found: dict) -> pd.DataFrame:
    return placement.placement(found, CYCLE, PLANNING).set_index("location")


def test_times_spreads_and_stock_by_hand():
    found = placed(company(TWO, PLACES))
    assert found["own_weeks"].to_dict() == {"N": 1, "P": 5, "S": 2}  # a month, 2 and 9 days: whole weeks
    assert found["spread"].round(6).to_dict() == {"N": 8, "P": 10, "S": 6}  # the roots of 64 and 36 % of 100
    assert found["promises_weeks"].to_dict() == {"N": 0, "P": 5, "S": 0}
    assert found.loc["N", "safety"] == pytest.approx(Z * 8 * 6**0.5)
    assert found.loc["S", "safety"] == pytest.approx(Z * 6 * 7**0.5)
    assert found["yearly_cost"].sum() == pytest.approx(12 * found["safety"].sum())
    assert found["value"].sum() == pytest.approx(50 * found["safety"].sum())
    alone = 12 * Z * (10 * 5**0.5 + 8 * 1**0.5 + 6 * 2**0.5)
    assert found["alone_cost"].sum() == pytest.approx(alone)
    assert found["ends_cost"].sum() == pytest.approx(found["yearly_cost"].sum())
    saved = 1 - found["yearly_cost"].sum() / alone
    assert found["finding"].iloc[
        0
    ] == f"At N and S: {saved:.0%} less than each place covering its own time, as much " + (
        "as all of it where customers are served."
    )


def test_many_centres_are_best_covered_by_the_plant():
    names = [f"D{n}" for n in range(9)]
    rows = tuple((f"P>{d}", 1, 7) for d in names) + tuple((f"{d}>c{d}", 1, 1) for d in names)
    found = placed(company(rows, {"P": "plant"} | dict.fromkeys(names, "dc")))
    assert found.loc["P", "safety"] == pytest.approx(Z * 10 * 5**0.5)  # errors of nine centres even out there
    assert found["ends_cost"].sum() == pytest.approx(12 * Z * 9 * 10 / 3 * 6**0.5)
    assert found["yearly_cost"].sum() == pytest.approx(12 * Z * 10 * (5**0.5 + 3))
    said = placement.saving_sentence(found.reset_index().assign(family="A"), "EUR")
    ends, best = found["ends_cost"].sum(), found["yearly_cost"].sum()
    assert f"{ends - best:,.0f} EUR or {1 - best / ends:.0%} less than all of it where customers are served" in said


def test_two_plants_share_the_error_of_what_they_both_supply():
    rows = (("P>N", 75, 0), ("Q>N", 25, 0), ("N>North", 100, 1))
    found = placed(company(rows, {"P": "plant", "Q": "plant", "N": "dc"}, frozen_months=2))
    assert found["own_weeks"].to_dict() == {"N": 0, "P": 9, "Q": 9}  # there on the same day; two months are frozen
    assert (found.loc[["P", "Q"], "spread"] ** 2).to_dict() == pytest.approx({"P": 75, "Q": 25})


def test_a_shop_that_ships_to_nobody_serves_who_comes():
    found = placed(company((("P>Shop", 10, 3),), {"P": "plant", "Shop": "shop"}))
    assert found["spread"].to_dict() == pytest.approx({"P": 10, "Shop": 10})
    assert found.loc["Shop", "safety"] == pytest.approx(Z * 10 * 6**0.5)


def test_customers_of_what_is_made_to_order_wait_as_quoted():
    long = placed(company(TWO, PLACES, strategy="MTO", backlog_weeks=8.0))
    assert long["safety"].sum() == 0
    assert long["finding"].iloc[0] == "No safety stock is needed: customers wait long enough."
    short = placed(company(TWO, PLACES, strategy="MTO", backlog_weeks=2.9))
    assert short["safety"].to_dict() == pytest.approx(
        {"N": 0, "P": Z * 10 * 5**0.5, "S": 0}
    )  # then nobody else needs any


def test_without_any_cost_places_are_weighed_in_units_and_no_money_is_shown():
    found = company(TWO, PLACES, holding_cost=None)
    found["products"]["unit_cost"] = np.nan
    bare = placed(found)
    assert bare[["value", "yearly_cost", "alone_cost", "ends_cost"]].isna().all(axis=None)
    assert bare["safety"].to_dict() == pytest.approx(placed(company(TWO, PLACES))["safety"].to_dict())
    assert placement.saving_sentence(bare.reset_index(), "EUR") == ""


def test_unit_cost_stands_in_for_a_holding_cost():
    found = placed(company(TWO, PLACES, holding_cost=None))  # 2 % of 50 a month is the 1.0 of the others
    assert found["yearly_cost"].sum() == pytest.approx(placed(company(TWO, PLACES))["yearly_cost"].sum())


@pytest.mark.parametrize(
    ("rows", "places", "reason"),
    [
        ((*TWO, ("N>S", 1, 1), ("S>N", 1, 1)), PLACES, "its places supply each other in a loop: N → S → N"),
        ((("N>North", 1, 1),), PLACES, "one place serves all: there is nothing to choose"),
        ((*TWO, ("X>N", 1, 1)), PLACES, "X ships and is not in locations"),
        ((("P>N", 1, -3), ("N>North", 1, 1)), PLACES, "no delivery day is recorded between its places"),
    ],
)
def test_a_network_that_cannot_be_placed_is_empty_with_the_reason(rows, places, reason):
    found = company(rows, places)
    assert placement.placement(found, CYCLE, PLANNING).empty
    assert placement.reasons(found, CYCLE) == {"A": reason}
    assert reason in flow_pages.places(placed(found).reset_index(), {"A": reason}, "pieces", "EUR").data


def test_a_family_that_was_not_tested_or_not_shipped_is_named():
    found = company(TWO, PLACES)
    assert placement.reasons(found | {"backtest": found["backtest"].iloc[:0]}, CYCLE) == {
        "A": "its forecast error was not measured"
    }
    later = placement.reasons(found, CYCLE + pd.DateOffset(months=18))
    assert later == {"A": "no shipment between named places in the last twelve months"}


def test_missing_tables_are_asked_for():
    found = company(TWO, PLACES)
    for name in ("shipments", "locations"):
        bare = found | {name: tables.empty(name)}
        nothing = placement.placement(bare, CYCLE, PLANNING)
        assert nothing.empty
        assert placement.reasons(bare, CYCLE) == {}
        assert "locations" in flow_pages.places(nothing, {}, "", "EUR").data


LANES = ["P>N", "P>S", "Q>N", "Q>S", "N>T", "S>T", "N>a", "S>b", "T>c"]


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(0, 30)), min_size=9, max_size=9), st.integers(0, 3))
@settings(max_examples=6, deadline=None)
def test_the_best_is_never_dearer_and_every_promise_holds(numbers, frozen):
    places = {"P": "plant", "Q": "plant", "N": "dc", "S": "dc", "T": "shop"}
    rows = tuple((lane, units, days) for lane, (units, days) in zip(LANES, numbers, strict=True))
    out = placed(company(rows, places, frozen_months=frozen))
    assert out["yearly_cost"].sum() <= min(out["alone_cost"].sum(), out["ends_cost"].sum()) + 1e-6
    for lane in LANES[:6]:
        start, end = lane.split(">")
        assert out.loc[end, "waits_weeks"] >= out.loc[start, "promises_weeks"]
    assert (out["net_weeks"] == out["waits_weeks"] + out["own_weeks"] - out["promises_weeks"]).all()
    ends = out.loc[["N", "S", "T"], "promises_weeks"]
    assert (ends == 0).all()  # N, S and T serve customers, who do not wait
    tables.check("stock_placement", out.reset_index().assign(cycle=CYCLE))


def test_the_sample_goes_through_its_own_lanes():
    read = sample_files.table
    lanes = placement.network(
        {n: read(n) for n in ("shipments", "locations", "products")} | {"demand_plan": pd.DataFrame()}, CYCLE
    )
    assert set(lanes.loc[lanes["inside"], "from"]) == {"Brek", "Tarn"}
    assert set(lanes.loc[~lanes["inside"], "to"]) == {"North", "South", "East", "West"}
    assert lanes.groupby("inside")["days"].max().to_dict() == {False: 10, True: 2}
