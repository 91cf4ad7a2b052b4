"""The family page against two published displays, and its rules by hand."""

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sop_lib import display, months
from sop_lib.settings import Planning
from sop_lib.tables import complete, table, tables

LATEST = "Actual / latest"


def lines(first: str, **blocks) -> pd.DataFrame:
    """Return lines of one family; each block is a list of values, `<block>_plan` its approved plan."""
    parts = []
    for name, values in blocks.items():
        block, _, plan = name.partition("_")
        month = months.month_range(months.month(first), len(values))
        parts.append(
            pd.DataFrame(
                {"family": "A", "block": block, "row": "Approved" if plan else LATEST, "month": month, "value": values}
            )
        )
    return pd.concat(parts, ignore_index=True)


# Orlicky's MRP, 3rd edition, figure 20-3, corrected so that it ties (three past months, then nine)
ORLICKY_SALES = [1211.0, 1197, 1257, 1225, *[1250] * 8]
ORLICKY_MADE = [1195.0, 1202, 1197, 1200, 1200, 1400, *[1250] * 6]
ORLICKY_STOCK = [584.0, 589, 529, 504, 454, *[604] * 7]
# Fitter, Concepts in ERP, figure 4-5
FITTER_SALES = [5906.0, 5998, 6061, 6318, 6476, 7128]
FITTER_MADE = [5906.0, 5998, 6061, 6318, 6650, 6950]
FITTER_STOCK = [100.0, 100, 100, 100, 274, 96]


@pytest.mark.parametrize(
    ("opening", "sales", "made", "stock"),
    [
        pytest.param(600.0, ORLICKY_SALES, ORLICKY_MADE, ORLICKY_STOCK, id="Orlicky"),
        pytest.param(100.0, FITTER_SALES, FITTER_MADE, FITTER_STOCK, id="Fitter"),
    ],
)
def test_published_displays_tie(opening, sales, made, stock):
    rows = lines("2026-07", sales=[0.0, *sales], production=[0.0, *made], inventory=[opening, *stock])
    shown = display.display_rows(rows, months.month("2026-11"), months.month_range(months.month("2026-11"), 9))
    assert "Other movements" not in set(shown["row"])
    assert display.balance(shown)["residual"].abs().max() == 0
    latest = shown[shown["row"] == LATEST].groupby("block")["value"]
    assert latest.sum()["sales"] == sum(sales)
    assert latest.last()["inventory"] == stock[-1]


def test_orlicky_annual_totals():
    assert sum(ORLICKY_SALES) == 14890
    assert sum(ORLICKY_MADE) == 14894


def test_a_stock_that_does_not_tie_shows_its_other_movement():
    rows = lines("2026-10", sales=[10.0, 10.0], production=[0.0, 12.0], inventory=[100.0, 90.0])
    shown = display.display_rows(rows, months.month("2026-12"), months.month_range(months.month("2026-12"), 1))
    other = shown[shown["row"] == "Other movements"]
    assert other["value"].tolist() == [-12.0]
    assert display.balance(shown)["residual"].abs().max() == 0


def test_difference_is_latest_minus_approved_and_cumulates_within_the_fiscal_year():
    rows = lines("2026-11", sales=[11.0, 12, 13], sales_plan=[10.0, 10, 10])
    shown = display.display_rows(rows, months.month("2027-02"), months.month_range(months.month("2027-02"), 1), start=1)
    value = shown.pivot(index="row", columns="month", values="value")
    assert value.loc["Difference"].tolist() == [1, 2, 3]
    assert value.loc["Cumulative"].tolist() == [1, 3, 3]


CYCLE = months.month("2026-11")
HORIZON = months.month_range(CYCLE, 2)


def empty(name: str) -> pd.DataFrame:
    return complete(name, pd.DataFrame(columns=table(name).names))


def company(strategy: str = "MTS") -> dict[str, pd.DataFrame]:
    """Return a company of one product: October closed, two months planned."""
    given = {name: empty(name) for name in display.NEEDS}
    october = {"month": [months.month("2026-10")], "product": ["p"]}
    given["products"] = complete("products", pd.DataFrame({"product": ["p"], "family": ["A"]}))
    given["families"] = complete(
        "families", pd.DataFrame({"family": ["A"], "unit": ["case"], "strategy": [strategy], "fill_target": [0.9]})
    )
    history = pd.DataFrame(
        october | {"region": ["ALL"], "family": ["A"], "raw": [31.0], "shipped": [30.0], "revenue": [300.0]}
    )
    given["history"] = complete("history", history)
    given["inventory"] = complete("inventory", pd.DataFrame(october | {"on_hand": [62.0]}))
    given["backlog"] = complete(
        "backlog", pd.DataFrame(october | {"requested_month": october["month"], "quantity": [1.0]})
    )
    plan = pd.DataFrame(
        {"month": HORIZON, "product": "p", "region": "ALL", "step": "baseline", "family": "A", "quantity": [30.0, 31.0]}
    )
    given["demand_plan"] = complete("demand_plan", plan)
    stock = pd.DataFrame(
        {
            "scenario": "base",
            "strategy": "mixed",
            "month": HORIZON,
            "family": "A",
            "opening": [62.0, 50.0],
            "supply": [18.0, 0.0],
            "demand": [30.0, 31.0],
            "shipped": [30.0, 31.0],
            "closing": [50.0, 19.0],
            "backlog": [0.0, 0.0],
            "lost": 0.0,
            "safety": 5.0,
            "target": 20.0,
        }
    )
    given["inventory_plan"] = complete("inventory_plan", stock)
    chosen = {"scenario": ["base"], "strategy": ["mixed"], "measure": ["proposed"], "value": [1.0], "unit": [""]}
    given["scenario_comparison"] = complete("scenario_comparison", pd.DataFrame(chosen))
    for name, df in given.items():
        given[name] = df.astype({c.name: "float64" for c in tables()[name].columns if c.kind in ("number", "whole")})
        given[name] = given[name].astype(
            {c.name: "datetime64[ns]" for c in tables()[name].columns if c.kind in ("month", "date")}
        )
    return given


def test_people_and_working_days_follow_output_in_house():
    given = company()
    given["receipts"] = complete("receipts", pd.DataFrame({
        "month": [months.month("2026-10")], "product": ["p"], "source": ["made"], "plant": ["Tarn"], "quantity": [44.0],
    }))  # fmt: skip
    plan = {"scenario": "base", "strategy": "mixed", "month": HORIZON, "family": "A", "plant": "Tarn"}
    sources = [("regular", [10.0, 0.0]), ("overtime", [8.0, 0.0]), ("subcontract", [5.0, 0.0])]
    rows = [pd.DataFrame(plan | {"source": source, "quantity": made}) for source, made in sources]
    given["supply_plan"] = complete("supply_plan", pd.concat(rows, ignore_index=True)).astype(
        {"cycle": "datetime64[ns]"}
    )
    given["supply_costs"] = complete("supply_costs", pd.DataFrame(
        {"family": ["A"], "plant": ["Tarn"], "make_cost": [1.0], "labour_hours_per_unit": [8.0]}))  # fmt: skip
    given["plants"] = complete("plants", pd.DataFrame({"plant": ["Tarn"], "hours_per_worker_day": [4.0]}))
    page = display.family_display(CYCLE, HORIZON, planning=Planning(), tables=given)
    value = page[page["block"] == "production"].pivot(index="row", columns="month", values="value")
    assert value.loc["Working days"].tolist() == [22, 21, 23]  # Mondays to Fridays of October to December
    assert value.loc["People"].tolist() == [44 * 8 / (4 * 22), 18 * 8 / (4 * 21), 0]
    assert set(page.loc[page["row"] == "People", "unit"]) == {"workers"}


def test_without_routes_nobody_is_shown():
    page = display.family_display(CYCLE, HORIZON, planning=Planning(), tables=company())
    assert not set(page["row"]) & {"People", "Working days"}


def test_page_of_a_family_made_to_stock():
    page = display.family_display(CYCLE, HORIZON, planning=Planning(), tables=company())
    assert set(page["block"]) == {"sales", "production", "inventory", "service"}
    value = page[page["block"] == "inventory"].pivot(index="row", columns="month", values="value")
    assert value.loc[LATEST].tolist() == [62, 50, 19]
    assert value.loc["Cover"].tolist()[0] == 62  # a piece a day: 30 in November, 31 in December, 1 in January
    assert value.loc["Target"].dropna().tolist() == [20, 20]
    assert page.groupby("month")["past"].first().tolist() == [True, False, False]
    assert set(page.loc[page["row"] == "Cover", "unit"]) == {"days"}


def test_page_of_a_family_made_to_order_shows_backlog():
    page = display.family_display(CYCLE, HORIZON, planning=Planning(), tables=company("MTO"))
    assert "backlog" in set(page["block"])
    assert "inventory" not in set(page["block"])


def test_without_supply_the_page_is_sales_alone():
    given = company()
    for name in ("inventory", "inventory_plan", "scenario_comparison", "backlog", "families"):
        given[name] = given[name][:0]
    page = display.family_display(CYCLE, HORIZON, planning=Planning(), tables=given)
    assert set(page["block"]) == {"sales"}
    assert set(page["unit"]) == {"units"}


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(*[st.integers(0, 1000)] * 3), min_size=2, max_size=12))
def test_every_finished_display_balances(flows):
    sales, made, stock = ([float(v) for v in column] for column in zip(*flows, strict=True))
    rows = lines("2026-01", sales=sales, production=made, inventory=stock)
    shown = display.display_rows(rows, CYCLE, HORIZON)
    assert display.balance(shown)["residual"].abs().max() <= 0.01
