"""The sections about stock, backlog and orders: every total ties to its parts, and names cannot break a page."""

import re

import numpy as np
import pandas as pd
import pytest
from small_company import HOSTILE
from test_stock_review import CLOSED, HORIZON, company, reviewed
from test_stock_rolled import closed_month, made_to_order

from sop_lib import procurement, stock_pages, stock_review, stock_rolled, supply_tables

ORDERS = pd.DataFrame({
    "scenario": "base", "material": ["steel", HOSTILE, "steel"], "month": [HORIZON[3], HORIZON[1], HORIZON[0]],
    "order_by": [HORIZON[0], HORIZON[0], HORIZON[0] - pd.DateOffset(months=3)], "ordered": [50.0, 7.0, 0.0],
    "lead_months": [3.0, 1.0, 3.0], "cost": [1200.0, 34.0, 0.0], "families": "Grills", "short": [0.0, 0.0, 9.0],
    "state": ["order now", "order now", "too late"], "finding": ["one", HOSTILE, "three"],
})  # fmt: skip


def cells(html: str, column: str) -> list[float]:
    """Return the numbers that a page's tables show in a column."""
    found = re.findall(rf'data-column="{column}">([^<]*)</td>', html)
    return [float(text.replace(",", "").replace("−", "-")) for text in found if text != "–"]


@pytest.fixture
def review() -> pd.DataFrame:
    stock = {"A": 150.0, HOSTILE: 40.0, "low": 1.0, "bare": 3.0}
    found = company(stock, {"A": 10.0, "low": 10.0, "bare": 1.0})
    found["products"].loc[found["products"]["product"] == "bare", "unit_cost"] = np.nan
    found["history"] = found["history"].assign(cost=np.nan)
    return reviewed(found, pd.DataFrame({"product": ["low"], "safety": [20.0]})).reset_index()


def test_the_money_on_the_page_ties_to_its_parts(review):
    html = stock_pages.in_stock(review, stock_review.projected(empty_plan()), "pieces", "EUR").data
    assert cells(html, "value") == [382, 382]
    parts = [cells(html, f"{part}_value")[:2] for part in ("needed", "excess", "obsolete")]
    assert [sum(row) for row in zip(*parts, strict=True)] == [382, 382]
    assert "Stock at cost is EUR 382: 242 is needed, 60 excess, 80 obsolete." in html
    assert "3 units of 1 product (bare)" in html
    assert "19 below its safety stock" in html


def empty_plan() -> pd.DataFrame:
    names = ["month", "family", "opening", "closing", "target", "safety", "cover_days", "demand"]
    return pd.DataFrame({n: pd.Series(dtype=object if n == "family" else float) for n in names})


def test_names_cannot_break_a_page(review):
    pages = [
        stock_pages.in_stock(review, stock_review.projected(empty_plan()), HOSTILE, HOSTILE),
        stock_pages.orders(ORDERS, HORIZON[0], HOSTILE),
    ]
    plan, families, found = made_to_order()
    renamed = [frame.replace("a|b $x_1$ =1+1", HOSTILE + "!") for frame in (plan, families, found["products"])]
    ahead = stock_rolled.backlog_ahead(*renamed[:2], found | {"products": renamed[2]})
    pages.append(stock_pages.waiting(ahead, renamed[0]))
    for html in pages:
        assert "&lt;/script&gt;" in html.data
        assert "<script>" not in html.data


def test_what_is_below_safety_counts_the_stock_on_its_way():
    found = company({"A": 0.0, "B": 30.0}, {"A": 100.0, "B": 100.0})
    found["inventory"]["in_transit"] = [90.0, np.nan]
    review = reviewed(found, pd.DataFrame({"product": ["A", "B"], "safety": [100.0, 60.0]})).reset_index()
    html = stock_pages.in_stock(review, stock_review.projected(empty_plan()), "pieces", "EUR").data
    below = html[html.index("Below safety stock") :]
    assert cells(below, "stock") == [30, 90]  # B lacks 30, A 10
    assert below.index("30 below its safety stock") < below.index("10 below its safety stock")


def test_long_lists_say_how_much_they_leave_out(review):
    many = pd.concat([review.assign(product=review["product"] + str(n)) for n in range(9)], ignore_index=True)
    html = stock_pages.in_stock(many, stock_review.projected(empty_plan()), "pieces", "EUR").data
    assert "More than is needed: the first 12 of 18 products" in html


def test_stock_without_an_input_asks_for_it(review):
    nothing = stock_pages.in_stock(review.head(0), stock_review.projected(empty_plan()), "pieces", "EUR").data
    assert "needs input tables" in nothing
    assert "inventory" in nothing
    assert "past_plans" in stock_pages.rolled(pd.DataFrame(), CLOSED, "pieces").data
    assert "bill_of_materials" in stock_pages.orders(ORDERS.head(0), HORIZON[0], "EUR").data


def test_the_roll_forward_shows_its_reasons():
    plan, found = closed_month(
        stock=90, owed=10, supply=50, demand=60, now=63, owes=5, came=40, counted=-2, wanted=70, shipped=75
    )
    html = stock_pages.rolled(stock_rolled.rolled(plan, found, HORIZON[0]), CLOSED, "pieces").data
    parts = [cells(html, part) for part in ("supply", "demand", "waiting", "adjusted", "unexplained")]
    assert [sum(row) for row in zip(*parts, strict=True)] == cells(html, "variance") == [-27, -5]


def test_the_backlog_section_is_for_what_is_made_to_order():
    plan, families, found = made_to_order()
    html = stock_pages.waiting(stock_rolled.backlog_ahead(plan, families, found), plan).data
    assert "is 5.2 weeks in Mar 2027, quoted 4." in html
    stocked = stock_rolled.backlog_ahead(plan, families.assign(strategy="MTS"), found)
    assert "No family is made or assembled to order" in stock_pages.waiting(stocked, plan).data


def test_orders_show_dates_money_and_what_is_too_late():
    html = stock_pages.orders(ORDERS, HORIZON[0], "EUR").data
    assert "Too late for steel: demand would need 9 more from Nov 2026" in html
    assert "Last order dates: steel now (50, EUR 1,200, 3 months to arrive)" in html
    assert cells(html, "cost")[-1] == 1234 == procurement.by_month(ORDERS)["cost"].sum()
    assert "Orders of Nov 2026 cost EUR 1,234." in html
    only_late = stock_pages.orders(ORDERS[ORDERS["state"] == "too late"], HORIZON[0], "EUR").data
    assert "<img" not in only_late
    assert "<li></li>" not in only_late
    assert only_late.count("Too late for steel") == 1
    assert "<ul>" in only_late


def test_pages_are_the_same_bytes_for_the_same_rows(review):
    def drawn() -> list[str]:
        return [
            stock_pages.in_stock(review, stock_review.projected(empty_plan()), "pieces", "EUR").data,
            stock_pages.orders(ORDERS, HORIZON[0], "EUR").data,
        ]

    assert drawn() == drawn()


def test_the_inventory_plan_holds_the_weeks_of_backlog():
    assert supply_tables.empty("inventory_plan").columns[-1] == "backlog_weeks"
