"""The sentences of the gap analysis say what its tables say."""

import pandas as pd
from test_finance import table
from test_gap import NO_BUDGET, NO_STOCK, H, outlook, stock

from sop_lib import gap, gap_review, months

CYCLE = months.month("2026-11")
PLAN = stock([100.0] * 3, [100.0, 80.0, 100.0])
GAPS = gap.gap(outlook([100.0] * 3, PLAN["shipped"].tolist()), PLAN, NO_BUDGET)
OPEN = gap.gap(outlook([100.0] * 3), NO_STOCK, NO_BUDGET)


def calls(**more) -> pd.DataFrame:
    row = {
        "fiscal_year": [2026.0],
        "family": "ALL",
        "line": "revenue",
        "actual_to_date": 80.0,
        "latest": 100.0,
        "low": 90.0,
        "high": 110.0,
        "budget": 125.0,
        "last_year": 50.0,
        "previous": 99.0,
        "approved": 98.0,
        "months": 12.0,
        "unit": "EUR",
        "scenario": "base",
    }
    return table("year_call", **row | more)


def words(*sentences) -> str:
    return (
        pd.Series(list(map(str, sentences)))
        .str.replace(r"<[^>]+>", "", regex=True)
        .str.cat(sep=" ")
        .replace("\u00a0", " ")
    )


def test_headline_compares_with_budget_and_names_the_costliest_gap():
    said = words(*gap_review.headline(calls(), GAPS, "EUR"))
    assert "2026 closes at EUR 100 revenue (90 to 110 in four cases of five), 20 % below budget." in said
    assert (
        "A from December 2026 to January 2027, 40 units served late or not at all, EUR 80 of margin waits or is lost"
        in said
    )


def test_headline_without_budget_compares_with_last_year_and_without_supply_says_so():
    said = words(*gap_review.headline(calls(budget=float("nan")), OPEN, "EUR"))
    assert "100 % above last year" in said
    assert "Nothing says what supply can give" in said


def test_headline_without_money_says_so():
    assert "in units alone" in words(*gap_review.headline(calls(line="quantity"), OPEN, "EUR"))


def test_worst_gap_comes_first_and_what_is_met_is_left_out():
    found = gap_review.gap_table(GAPS)
    assert found["month"].tolist() == [H[1], H[2]]
    assert "budget" not in found
    assert gap_review.gap_table(OPEN).empty


def test_findings_of_supply():
    assert gap_review.family_finding(GAPS) == "Short: A"
    assert gap_review.family_finding(OPEN) == "Demand of each family, in units"
    assert gap_review.option_finding(pd.DataFrame(), OPEN, "EUR").startswith("No option can be priced")


def test_bridge_finding_names_the_largest_step():
    steps = pd.DataFrame(
        {
            "bridge": "b",
            "family": "ALL",
            "step": ["Budget", "Volume", "Price", "Latest"],
            "order": range(4),
            "value": [10.0, -3.0, 1.0, 8.0],
            "unit": "EUR",
        }
    )
    assert words(gap_review.bridge_finding(steps, "b")) == "B: the largest step is volume, −EUR 3"


def test_monthly_money_values_demand_and_supply():
    rows = outlook([100.0] * 3, PLAN["shipped"].tolist())
    money = pd.DataFrame(
        {"month": rows["month"], "family": "A", "line": "revenue", "basis": "plan", "value": rows["revenue"]}
    )
    drawn = pd.DataFrame({"path": 0, "month": H, "family": "A", "region": "ALL", "quantity": 50.0})
    found = gap_review.monthly_money(money, rows, gap.path_outcomes(drawn, rows, PLAN), CYCLE)
    assert found["demand"].tolist() == [1000, 1000, 1000]
    assert found["supply"].tolist() == [1000, 800, 1000]
    assert found["low"].tolist() == [1000, 1000, 1000]
    assert "2 months" not in gap_review.outlook_finding(found)
    assert "December 2026" in gap_review.outlook_finding(found)


def test_options_need_costs_of_supply():
    found = {
        "demand_plan": table("demand_plan"),
        "inventory": table("inventory", month=[CYCLE], product="p", on_hand=1.0),
    }
    kept = gap_review.kept_plan(found, H, None)
    assert kept is None
    assert gap_review.priced_options(kept, outlook([1.0])).empty
    assert gap_review.shortage_causes(kept, outlook([1.0])).empty
