"""Average prices, what is sold and held, and earlier plans, by hand."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sop_lib import approved, finance, history, mix, months, tables

CYCLE = months.month("2026-11")
OCT, NOV, DEC = (months.month(m) for m in ("2026-10", "2026-11", "2026-12"))


def table(name: str, **columns) -> pd.DataFrame:
    """Return a table with all its columns and kinds, without checks."""
    size = max((len(v) for v in columns.values() if isinstance(v, (list, np.ndarray, pd.Series, pd.Index))), default=0)
    found = tables.complete(name, pd.DataFrame(columns, index=range(size)))
    kinds = {c.name: tables.DTYPES[c.kind] for c in tables.table(name).columns if c.kind != "flag"}
    return found.astype(kinds)


PRODUCTS = table("products", product=["p", "q"], family=["A", "A"], unit_price=[10.0, np.nan], unit_cost=[6.0, np.nan])
HISTORY = table(
    "history", month=[OCT, OCT], product=["p", "q"], region="ALL", family="A", status="sold", raw=[5.0, 4.0],
    shipped=[5.0, 2.0], revenue=[45.0, 40.0], cost=[20.0, 30.0],
)  # fmt: skip
PLAN = table(
    "demand_plan",
    month=[NOV, NOV],
    product=["p", "q"],
    region="ALL",
    step="baseline",
    family="A",
    quantity=[30.0, 10.0],
)
NO_PRICES, NO_STOCK = table("prices"), table("inventory_plan")


def ships(quantity: float, month: pd.Timestamp = NOV) -> pd.DataFrame:
    return table(
        "inventory_plan", scenario="base", strategy="mixed", month=[month], family=["A"], shipped=quantity, closing=8.0
    )


def test_a_price_is_listed_before_it_is_realised():
    prices = table("prices", month=[OCT], product=["p"], price=[12.0], cost=[7.0])
    found = finance.unit_values(PLAN, HISTORY, PRODUCTS, prices)
    assert found[["price", "cost", "basis"]].to_numpy().tolist() == [[12, 7, "prices"], [20, 15, "realised"]]
    without = finance.unit_values(PLAN, HISTORY, PRODUCTS, NO_PRICES)
    assert without[["price", "cost", "basis"]].to_numpy().tolist() == [[10, 6, "products"], [20, 15, "realised"]]


def test_a_region_s_own_price_goes_before_the_company_s():
    prices = table("prices", month=[OCT, OCT], product="p", region=["ALL", "North"], price=[12.0, 14.0], cost=7.0)
    keys = pd.DataFrame({"month": NOV, "product": "p", "region": ["North", "South"]}).astype(
        {"month": "datetime64[ns]"}
    )
    assert finance.unit_values(keys, HISTORY, PRODUCTS, prices)["price"].tolist() == [14, 12]


def test_a_product_that_never_sold_is_valued_like_its_family():
    keys = pd.DataFrame({"month": [NOV], "product": ["new"], "region": ["ALL"]})
    products = table("products", product=["p", "q", "new"], family="A")
    found = finance.unit_values(keys, HISTORY, products, NO_PRICES)
    assert found[["price", "basis"]].to_numpy().tolist() == [[pytest.approx(85 / 7), "family average"]]


def test_outlook_sells_what_supply_ships_by_the_mix_of_demand():
    found = finance.sales_outlook(HISTORY, PLAN, ships(20.0), PRODUCTS, NO_PRICES)
    ahead = found[found["basis"] == "plan"]
    assert ahead["quantity"].tolist() == [15, 5]
    assert ahead["revenue"].tolist() == [150, 100]
    past = found[found["basis"] == "actual"]
    assert past[["quantity", "revenue"]].to_numpy().tolist() == [[5, 45], [2, 40]]
    assert ahead["limited"].all()


def test_outlook_without_supply_sells_demand_and_says_so():
    found = finance.sales_outlook(HISTORY, PLAN, NO_STOCK, PRODUCTS, NO_PRICES)
    ahead = found[found["basis"] == "plan"]
    assert ahead["quantity"].tolist() == [30, 10]
    assert not ahead["limited"].any()


def test_a_row_that_does_not_say_what_shipped_sold_its_demand():
    some = HISTORY.assign(shipped=[5.0, np.nan], revenue=[45.0, 40.0])  # q: 4 wanted, 40 paid
    found = finance.sales_outlook(some, PLAN, NO_STOCK, PRODUCTS, NO_PRICES)
    past = found[found["basis"] == "actual"]
    assert past[["quantity", "revenue"]].to_numpy().tolist() == [[5, 45], [4, 40]]
    assert found.loc[found["product"] == "q", "price"].tolist() == [10, 10]
    unlisted = PRODUCTS.assign(unit_price=np.nan, unit_cost=np.nan)
    both = pd.concat([some, some.assign(product="p", shipped=np.nan)])  # p: 5 + 5 + 4 units for 45 + 45 + 40
    tables_given = {"products": unlisted, "history": both, "prices": NO_PRICES}
    wanted = pd.DataFrame({"family": "A", "product": ["p"], "demand": 1.0})
    assert mix.unit_costs(tables_given, wanted).loc["A", "price"] == pytest.approx(130 / 14)
    values = history.unit_values(both, unlisted).set_index("product")
    assert values.loc["p", "price"] == pytest.approx(130 / 14)


def test_stock_ahead_is_valued_as_the_last_closed_month_was():
    held = table("inventory", month=[OCT], product=["p"], on_hand=[4.0])
    outlook = finance.sales_outlook(HISTORY, PLAN, ships(40.0), PRODUCTS, NO_PRICES)
    found = finance.stock_values(held, ships(40.0), outlook, HISTORY, PRODUCTS, NO_PRICES)
    assert found[["basis", "quantity", "value"]].to_numpy().tolist() == [["actual", 4, 24], ["plan", 8, 48]]


def test_financial_plan_joins_actual_plan_budget_and_last_year():
    outlook = finance.sales_outlook(HISTORY, PLAN, NO_STOCK, PRODUCTS, NO_PRICES)
    budget = table(
        "budget", version=["a", "b"], month=NOV, family="A", quantity=40.0, revenue=[1.0, 500.0], margin=200.0
    )
    stock = finance.stock_values(table("inventory"), NO_STOCK, outlook, HISTORY, PRODUCTS, NO_PRICES)
    found = finance.financial_plan(outlook, stock, budget, cycle=CYCLE, start=1)
    value = found.set_index(["month", "line"])["value"]
    assert value[OCT, "revenue"] == 85
    assert value[NOV, "revenue"] == 500
    assert value[NOV, "margin"] == 500 - 30 * 6 - 10 * 15
    assert value[NOV, "budget_revenue"] == 500  # the last version by name
    assert set(found.loc[found["month"] == OCT, "basis"]) == {"actual"}
    tables.check("financial_plan", found.assign(cycle=CYCLE))


def test_a_revised_budget_of_one_family_leaves_the_others_theirs():
    rows = [
        ("v9", "A", "North", 10.0), ("v10", "A", "North", 12.0), ("v9", "A", "South", 20.0), ("v9", "B", "ALL", 5.0),
        ("v9", "C", "North", 1.0), ("v9", "C", "South", 1.0), ("v10", "C", "ALL", 3.0),
    ]  # fmt: skip
    budget = pd.DataFrame(rows, columns=["version", "family", "region", "quantity"]).to_dict("list")
    found = finance.budget_by_month(table("budget", month=NOV, **budget)).set_index("family")["quantity"]
    assert found.to_dict() == {"A": 12 + 20, "B": 5, "C": 3}
    assert finance.budget_by_month(table("budget")).empty


def past(cycle: str, month: str, quantity: float, stream: str = "consensus") -> dict:
    return {
        "cycle": months.month(cycle),
        "stream": stream,
        "measure": "demand",
        "month": months.month(month),
        "family": "A",
        "quantity": quantity,
    }


def plans(*rows: dict) -> pd.DataFrame:
    return table("past_plans", **{k: [r[k] for r in rows] for k in rows[0]})


def test_a_stretch_target_is_shown_beside_the_budget_and_never_in_its_place():
    rows = table(
        "budget", version=["AOP", "Stretch ", "stretch"], month=[NOV, NOV, DEC], family="A", region="ALL",
        quantity=[36.0, 44.0, 50.0], revenue=1.0,
    )  # fmt: skip
    assert finance.budget_by_month(rows)["quantity"].tolist() == [36.0]
    paths = pd.DataFrame({"path": range(11), "month": NOV, "family": "A", "quantity": [15.0 + p for p in range(11)]})
    plan = pd.concat([PLAN, PLAN.assign(month=DEC, step="event")])
    november, december = finance.targets(plan, paths, rows, ["A"]).to_dict("records")
    assert (november["budget"], november["forecast"], november["stretch"]) == (36.0, 40.0, 44.0)
    assert (november["low"], november["high"]) == (pytest.approx(32.0), pytest.approx(48.0))
    assert (np.isnan(december["budget"]), december["stretch"]) == (True, 50.0)


def test_of_several_stretch_targets_the_last_holds_and_none_is_a_budget():
    rows = table(
        "budget", version=["AOP", "stretch 2026", "Stretch 2027"], month=NOV, family="A", region="ALL",
        quantity=[36.0, 44.0, 48.0], revenue=1.0,
    )  # fmt: skip
    assert finance.budget_by_month(rows)["quantity"].tolist() == [36.0]
    aims = finance.targets(PLAN, tables.empty("forecast_paths"), rows, ["A"])
    assert aims[["budget", "stretch"]].values.tolist() == [[36.0, 48.0]]


def test_a_target_that_lacks_a_family_of_the_plan_is_blank():
    plan = pd.concat([PLAN, PLAN.assign(family="B")])
    rows = table("budget", version="ALL", month=[NOV], family="A", region="ALL", quantity=36.0, revenue=1.0)
    paths = tables.empty("forecast_paths")
    assert finance.targets(plan, paths, rows, ["A", "B"])["budget"].isna().all()
    assert finance.targets(plan, paths, rows, ["A"])["budget"].tolist() == [36.0]


def test_approved_is_the_plan_at_the_decision_lag_and_previous_the_last_cycle_s():
    given = plans(
        past("2026-09", "2026-10", 90),
        past("2026-10", "2026-10", 91),
        past("2026-10", "2026-11", 92),
        past("2026-10", "2027-05", 93),
    )
    earlier = finance.earlier_plans(given, PRODUCTS)
    approved = finance.plan_view(earlier, CYCLE, 2, "approved").set_index("month")["quantity"]
    assert approved.to_dict() == {OCT: 90, NOV: 92, months.month("2027-05"): 93}
    previous = finance.plan_view(earlier, CYCLE, 2, "previous").set_index("month")["quantity"]
    assert previous.to_dict() == {OCT: 91, NOV: 92, months.month("2027-05"): 93}


def test_plans_know_consensus_before_statistical_and_no_other_stream():
    given = plans(
        past("2026-10", "2026-11", 92),
        past("2026-10", "2026-11", 80, "statistical"),
        past("2026-10", "2026-11", 99, "sales"),
    )
    assert finance.earlier_plans(given, PRODUCTS)["quantity"].tolist() == [92]
    assert finance.earlier_plans(given[given["stream"] != "consensus"], PRODUCTS)["quantity"].tolist() == [80]


def test_an_archived_cycle_of_our_own_fills_in_where_past_plans_has_none():
    own = PLAN.assign(cycle=OCT)
    assert finance.with_own(plans(past("2026-09", "2026-11", 1)), own, NO_STOCK)["quantity"].tolist() == [1, 40]
    assert finance.with_own(plans(past("2026-10", "2026-11", 1)), own, NO_STOCK)["quantity"].tolist() == [1]


def test_the_proposed_strategy_is_chosen_by_the_comparison():
    both = pd.concat([ships(1.0), ships(2.0).assign(strategy="level")])
    chosen = table(
        "scenario_comparison",
        scenario="base",
        strategy=["mixed", "level"],
        measure="proposed",
        value=[0.0, 1.0],
        unit="",
    )
    assert approved.proposed(both, chosen)["shipped"].tolist() == [2]
    assert approved.proposed(both, chosen[:0]).empty


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(0, 1e6), min_size=2, max_size=2), st.floats(0, 1e6))
def test_shares_of_products_add_up_to_what_the_family_ships(demand, shipped):
    found = finance.sales_outlook(HISTORY, PLAN.assign(quantity=demand), ships(shipped), PRODUCTS, NO_PRICES)
    total = found.loc[found["basis"] == "plan", "quantity"].sum()
    assert total == pytest.approx(shipped, rel=2e-6, abs=1e-9)
