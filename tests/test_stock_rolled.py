"""Stock and backlog against the last plan, and weeks of backlog against those quoted."""

import numpy as np
import pandas as pd
import pytest
import small_company
from hypothesis import given, settings
from hypothesis import strategies as st
from sample_files import table, truth

from sop_lib import finance, history, stock_rolled, supply_tables, tables

FIRST, CLOSED, BEFORE = (pd.Timestamp(m) for m in ("2026-11-01", "2026-10-01", "2026-09-01"))
PARTS = ["supply", "demand", "waiting", "adjusted", "unexplained"]


def closed_month(**n: float) -> tuple[pd.DataFrame, dict[str, pd.DataFrame]]:
    """One family's last plan, and what came: stock 100 and backlog 10 before it."""
    measures = {"inventory": n["stock"], "backlog": n["owed"], "supply": n["supply"], "demand": n["demand"]}
    plan = pd.DataFrame(
        {"measure": list(measures), "quantity": list(measures.values()), "family": "F", "month": CLOSED}
    )
    at = {"product": "P", "month": [BEFORE, CLOSED]}
    found = {
        "products": pd.DataFrame({"product": ["P"], "family": "F"}),
        "inventory": pd.DataFrame(at | {"on_hand": [100.0, n["now"]]}),
        "backlog": pd.DataFrame(at | {"quantity": [10.0, n["owes"]]}),
        "receipts": pd.DataFrame(
            {"product": "P", "month": CLOSED, "source": ["made", "adjustment"], "quantity": [n["came"], n["counted"]]}
        ),
        "history": pd.DataFrame({"product": ["P"], "month": CLOSED, "raw": n["wanted"], "shipped": n["shipped"]}),
    }  # fmt: skip
    return plan, found


def test_what_came_against_the_plan_by_hand():
    """Planned: 100 + 50 - 60 = 90 and 10 owed. Came: 100 + 40 - 2 - 75 = 63, and 10 + 70 - 75 = 5 owed."""
    plan, found = closed_month(
        stock=90, owed=10, supply=50, demand=60, now=63, owes=5, came=40, counted=-2, wanted=70, shipped=75
    )
    stock, owed = stock_rolled.rolled(plan, found, FIRST).to_dict("records")
    assert [stock[c] for c in ("planned", "actual", "variance")] == [90, 63, -27]
    assert [stock[c] for c in PARTS] == [-10, -10, -5, -2, 0]
    assert [owed[c] for c in ("planned", "actual", "variance")] == [10, 5, -5]
    assert [owed[c] for c in PARTS] == [10, 10, -27, 2, 0]
    said = stock_rolled.rolled_sentence(stock_rolled.rolled(plan, found, FIRST), CLOSED)
    assert said == "F closed Oct 2026 with 27 less than planned (63 against 90); the largest part is supply, -10."


UNITS = st.integers(0, 500)


@settings(max_examples=40, deadline=None)
@given(UNITS, UNITS, UNITS, UNITS, UNITS, st.integers(-20, 20), st.integers(-9, 9))
def test_the_parts_add_up_and_only_what_is_lost_stays_unexplained(supply, demand, came, wanted, shipped, counted, lost):
    """Both sides roll forward but for what was lost: it is all that the parts do not explain."""
    stock, owed = 100 + supply - demand, 10
    now, owes = 100 + came + counted - shipped - lost, 10 + wanted - shipped
    numbers = {"stock": stock, "owed": owed, "supply": supply, "demand": demand, "now": now, "owes": owes}
    plan, found = closed_month(**numbers, came=came, counted=counted, wanted=wanted, shipped=shipped)
    rows = stock_rolled.rolled(plan, found, FIRST)
    assert np.allclose(rows[PARTS].sum(axis=1), rows["variance"])
    assert np.allclose(rows["actual"] - rows["planned"], rows["variance"])
    assert rows["unexplained"].tolist() == [-lost, lost]


def test_what_nobody_planned_or_recorded_explains_nothing():
    plan, found = closed_month(
        stock=90, owed=0, supply=50, demand=60, now=63, owes=5, came=40, counted=0, wanted=70, shipped=75
    )
    plan = plan[plan["measure"] != "backlog"]
    rows = stock_rolled.rolled(plan, found | {"receipts": found["receipts"].head(0)}, FIRST)
    assert rows["measure"].tolist() == ["stock"]
    assert rows[["supply", "demand", "waiting"]].to_numpy().tolist() == [[0, -10, -5]]
    assert stock_rolled.rolled(plan[plan["measure"] == "supply"], found, FIRST).empty
    assert stock_rolled.rolled(plan, found | {"inventory": found["inventory"].head(1)}, FIRST).empty
    assert stock_rolled.rolled(tables.empty("past_plans"), found, FIRST).empty


def test_the_stock_that_does_not_roll_forward_in_the_sample_stays_unexplained():
    injected = truth().query("cause == 'stock does not roll forward'").iloc[0]
    product, month = injected["key"].removeprefix("product="), injected["from_month"]
    first = month + pd.DateOffset(months=1)
    found = {n: table(n) for n in ("products", "inventory", "backlog", "receipts", "sales", "past_plans")}
    found["history"] = history.complete_history(found["sales"], found["products"], first)
    earlier = finance.earlier_plans(found["past_plans"], found["products"])
    rows = stock_rolled.rolled(finance.plan_view(earlier, first, 3, "previous"), found, first).set_index("family")
    assert np.allclose(rows[PARTS].sum(axis=1), rows["variance"])
    unexplained = rows["unexplained"]
    family = found["products"].set_index("product").loc[product, "family"]
    assert unexplained[unexplained.abs() > 0.5].to_dict() == {family: float(injected["quantity"])}


# Backlog in weeks


def made_to_order() -> tuple[pd.DataFrame, pd.DataFrame, dict[str, pd.DataFrame]]:
    """The small company's family made to order, which owes twice a month's demand in March."""
    family = "a|b $x_1$ =1+1"
    gap = small_company.supply_tables(small_company.demand_tables())["inventory_plan"]
    plan = gap.assign(shipped=433.3333333, backlog=np.where(gap["month"] == "2027-03-01", 520.0, 100.0))
    plan = plan.assign(backlog_weeks=supply_tables.backlog_weeks(plan))
    families = pd.DataFrame({"family": list(small_company.FAMILIES), "strategy": ["MTS", "MTS", "MTO"]})
    products = pd.DataFrame([(p, f) for f, p, _ in small_company.PRODUCTS], columns=["product", "family"])
    owed = pd.DataFrame({"product": [f"{family} 1"], "month": CLOSED, "quantity": 200.0})
    past = small_company.demand_tables()["history"]
    return (
        plan,
        families.assign(backlog_weeks=[np.nan, np.nan, 4.0]),
        {"backlog": owed, "history": past, "products": products},
    )


def test_backlog_in_weeks_against_the_weeks_quoted():
    plan, families, found = made_to_order()
    row = stock_rolled.backlog_ahead(plan, families, found).iloc[0]
    assert row["family"] == "a|b $x_1$ =1+1"
    assert row["highest"] == pytest.approx(5.2, abs=1e-6)  # 520 at 100 a week
    assert (row["worst_month"], row["months_beyond"], row["quoted"]) == (pd.Timestamp("2027-03-01"), 1, 4)
    past = found["history"][found["history"]["family"] == row["family"]]
    shipped = past.loc[past["month"] >= "2026-08-01", "shipped"].sum()
    assert row["now"] == pytest.approx(200 / (shipped / 13))
    (said,) = stock_rolled.backlog_sentences(stock_rolled.backlog_ahead(plan, families, found))
    assert said == "Backlog of a|b $x_1$ =1+1 is 5.2 weeks in Mar 2027, quoted 4."


def test_a_company_that_makes_to_stock_has_no_backlog_to_quote():
    plan, families, found = made_to_order()
    assert stock_rolled.backlog_ahead(plan, families.assign(strategy="MTS"), found).empty


def test_a_lead_time_that_nobody_quoted_is_said():
    plan, families, found = made_to_order()
    families = families.assign(backlog_weeks=np.nan)
    ahead = stock_rolled.backlog_ahead(plan, families, found)
    assert stock_rolled.backlog_sentences(ahead)[0].endswith("no lead time is quoted.")
    assert ahead["months_beyond"].tolist() == [0]
    still = plan.assign(shipped=0.0)
    still = still.assign(backlog_weeks=supply_tables.backlog_weeks(still))
    assert still["backlog_weeks"].isna().all()
    (said,) = stock_rolled.backlog_sentences(stock_rolled.backlog_ahead(still, families, found))
    assert said.endswith("and nothing of it ships in the plan; no lead time is quoted.")


def stuck(shipped: list[float], backlog: list[float]) -> pd.Series:
    """Return what is said ahead of a family made to order with these months, quoted four weeks."""
    when = pd.date_range(FIRST, periods=len(shipped), freq="MS")
    plan = pd.DataFrame({"month": when, "family": "F", "shipped": shipped, "backlog": backlog})
    plan["backlog_weeks"] = supply_tables.backlog_weeks(plan)
    families = pd.DataFrame({"family": ["F"], "strategy": "MTO", "backlog_weeks": 4.0})
    found = closed_month(stock=0, owed=0, supply=0, demand=0, now=0, owes=0, came=0, counted=0, wanted=0, shipped=0)[1]
    return stock_rolled.backlog_ahead(plan, families, found)


def test_a_backlog_that_never_ships_is_beyond_every_lead_time():
    ahead = stuck([0.0] * 4, [100.0, 200.0, 300.0, 400.0])
    assert ahead["months_beyond"].tolist() == [4]
    assert stock_rolled.backlog_sentences(ahead) == [
        "Backlog of F is 100 units in Nov 2026 and nothing of it ships in the plan; quoted are 4 weeks."
    ]


def test_a_backlog_that_waits_for_months_is_said_beside_its_weeks():
    ahead = stuck([0.0, 0, 0, 0, 0, 52, 52, 52], [0.0, 30, 40, 40, 40, 24, 0, 0])
    assert ahead["months_beyond"].tolist() == [3]  # Dec, before anything ships, and Jan and Feb at their rate
    assert stock_rolled.backlog_sentences(ahead) == [
        "Backlog of F is 10.0 weeks in Jan 2027, quoted 4.",
        "Backlog of F is 30 units in Dec 2026 and nothing of it ships before Apr 2027; quoted are 4 weeks.",
    ]
    assert stuck([10.0] * 4, [0.0] * 4)["months_beyond"].tolist() == [0]
    assert stock_rolled.backlog_sentences(stuck([0.0] * 4, [0.0] * 4)) == []


def test_weeks_of_a_plan_of_one_month_take_its_own_rate():
    plan = pd.DataFrame({"month": [FIRST], "family": "A", "shipped": 52.0, "backlog": 24.0})
    assert supply_tables.backlog_weeks(plan).tolist() == [2.0]
