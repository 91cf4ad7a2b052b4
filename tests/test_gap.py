"""Gaps, their chance and the decisions they ask for, by hand and by laws."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_finance import table

from sop_lib import gap, months, tables

CYCLE = months.month("2026-11")
H = months.month_range(CYCLE, 3)


def outlook(
    demand: list[float], shipped: list[float] | None = None, regions: dict[str, float] | None = None
) -> pd.DataFrame:
    """Return plan rows of one product at price 10 and cost 6, by region."""
    parts = []
    for region, share in (regions or {"ALL": 1.0}).items():
        wanted = np.array(demand) * share
        sold = wanted if shipped is None else np.array(shipped) * share
        row = {
            "month": H[: len(demand)],
            "product": "p",
            "region": region,
            "family": "A",
            "demand": wanted,
            "quantity": sold,
            "limited": shipped is not None,
        }
        parts.append(
            pd.DataFrame(row).assign(basis="plan", price=10.0, unit_cost=6.0, revenue=sold * 10, cost=sold * 6)
        )
    return pd.concat(parts, ignore_index=True)


def stock(
    demand: list[float], supply: list[float], opening: float = 0.0, lost: list[float] | None = None
) -> pd.DataFrame:
    """Return the plan's projection: what is short waits, except what is lost."""
    rows, held, owed = [], opening, 0.0
    for month, wanted, made, gone in zip(H, demand, supply, lost or [0.0] * 3, strict=False):
        net = held - owed + made - wanted + gone
        shipped = owed + wanted - gone - max(-net, 0.0)
        rows.append(
            {
                "month": month,
                "opening": held,
                "supply": made,
                "demand": wanted,
                "shipped": shipped,
                "closing": max(net, 0.0),
                "backlog": max(-net, 0.0),
                "lost": gone,
            }
        )
        held, owed = max(net, 0.0), max(-net, 0.0)
    return table(
        "inventory_plan",
        **pd.DataFrame(rows)
        .assign(scenario="base", strategy="mixed", family="A", safety=0.0, target=0.0)
        .to_dict("series"),
    )


NO_STOCK, NO_BUDGET = table("inventory_plan"), table("budget")


def paths(values: dict[int, list[float]]) -> pd.DataFrame:
    parts = [
        pd.DataFrame({"path": p, "month": H[: len(v)], "family": "A", "region": "ALL", "quantity": v})
        for p, v in values.items()
    ]
    return pd.concat(parts, ignore_index=True)


def test_gap_is_supply_minus_demand_in_units_and_money():
    plan = stock([100.0, 100.0], [80.0, 120.0])
    found = gap.gap(outlook([100.0, 100.0], [80.0, 120.0]), plan, NO_BUDGET)
    assert found["gap"].tolist() == [-20, 20]
    assert found["late"].tolist() == [20, 0]
    assert found["gap_revenue"].tolist() == [-200, 200]
    assert found["gap_margin"].tolist() == [-80, 80]
    assert found["budget"].isna().all()
    tables.check("gap", found.assign(cycle=CYCLE))


def test_without_supply_the_gap_is_blank_and_demand_is_compared_with_budget():
    budget = table("budget", month=[H[0]], family="A", quantity=90.0, revenue=950.0)
    found = gap.gap(outlook([100.0]), NO_STOCK, budget)
    assert found[["supply", "gap", "late", "gap_margin"]].isna().all(axis=None)
    assert found["demand_to_budget"].tolist() == [10]
    assert found["to_budget_revenue"].tolist() == [50]


def test_regions_share_supply_late_and_a_budget_without_regions():
    budget = table("budget", month=[H[0]], family="A", quantity=90.0, revenue=900.0)
    found = gap.gap(outlook([100.0], [80.0], {"North": 0.75, "South": 0.25}), stock([100.0], [80.0]), budget)
    assert found["supply"].tolist() == [60, 20]
    assert found["late"].tolist() == [15, 5]
    assert found["budget"].tolist() == [67.5, 22.5]


def test_a_budget_may_have_regions_for_some_families_only():
    budget = table(
        "budget", month=H[0], family=["A", "A", "B"], region=["North", "South", "ALL"], quantity=[70.0, 30.0, 8.0]
    )
    regions = {"North": 0.75, "South": 0.25}
    both = pd.concat([outlook([100.0], None, regions), outlook([10.0], None, regions).assign(family="B", product="q")])
    found = gap.gap(both, NO_STOCK, budget)
    assert found[["family", "budget"]].to_numpy().tolist() == [["A", 70], ["A", 30], ["B", 6], ["B", 2]]


def test_a_budget_by_regions_is_kept_whole_where_demand_has_none_or_others():
    budget = table("budget", month=H[0], family="A", region=["North", "South"], quantity=[70.0, 30.0])
    assert gap.gap(outlook([100.0], None, {"ALL": 1.0}), NO_STOCK, budget)["budget"].tolist() == [100]
    found = gap.gap(outlook([100.0], None, {"East": 0.5, "North": 0.5}), NO_STOCK, budget)
    assert found[["region", "budget"]].to_numpy().tolist() == [["East", 15], ["North", 85]]


def test_costliest_gap_is_a_stretch_of_short_months():
    plan = stock([100.0, 100.0, 100.0], [80.0, 90.0, 130.0])
    rows = gap.gap(outlook([100.0, 100.0, 100.0], plan["shipped"].tolist()), plan, NO_BUDGET)
    found = gap.costliest(rows)
    assert found[["from", "to", "months", "late", "gap"]].to_numpy().tolist() == [[H[0], H[1], 2, 50, -30]]
    assert gap.costliest(gap.gap(outlook([1.0], [1.0]), stock([1.0], [1.0]), NO_BUDGET)).empty


def test_chance_of_being_short_on_two_paths():
    drawn = paths({0: [90.0, 100.0], 1: [110.0, 100.0]})
    plan = stock([100.0, 100.0], [100.0, 105.0])
    found = gap.path_outcomes(drawn, outlook([100.0, 100.0], [100.0, 100.0]), plan)
    # path 0 has 10 left over; path 1 is 10 late, and serves them first of the 105
    assert found["late"].tolist() == [0, 0, 10, 5]
    assert found["shipped"].tolist() == [90, 100, 100, 105]
    assert found["closing"].tolist() == [10, 15, 0, 0]
    risk = gap.gap_risk(found)
    assert risk["p_short"].tolist() == [0.5, 0.5]
    assert risk["expected_short"].tolist() == [5, 2.5]
    tables.check("gap_risk", risk.assign(cycle=CYCLE))


def test_paths_are_moved_to_the_demand_plan():
    found = gap.path_outcomes(paths({0: [50.0], 1: [150.0]}), outlook([200.0]), NO_STOCK)
    assert found["demand"].tolist() == [100, 300]
    assert found["shipped"].tolist() == [100, 300]
    assert found["late"].isna().all()
    assert gap.gap_risk(found).empty


def test_a_family_without_paths_has_its_plan_on_every_path():
    launch = outlook([30.0]).assign(family="B", product="q")
    drawn = paths({0: [50.0], 1: [150.0]})
    found = gap.path_outcomes(drawn, pd.concat([outlook([100.0]), launch]), NO_STOCK)
    assert found["family"].tolist() == ["A", "B", "A", "B"]
    assert found["shipped"].tolist() == [50, 30, 150, 30]
    assert found.groupby("path")["shipped"].sum().mean() == 130  # the mean of ALL is its plan
    assert gap.path_outcomes(drawn.head(0), outlook([100.0]), NO_STOCK).empty


def test_demand_the_plan_gives_up_does_not_wait():
    plan = stock([100.0, 100.0], [80.0, 100.0], lost=[20.0, 0.0])
    found = gap.path_outcomes(paths({0: [100.0, 100.0]}), outlook([100.0, 100.0], [80.0, 100.0]), plan)
    assert found["late"].tolist() == [20, 0]


def priced(**more) -> pd.DataFrame:
    given = {
        "option": ["Second shift", "Do nothing"],
        "question": "Close it?",
        "units_closed": [50.0, 0.0],
        "cost": [10.0, 0.0],
        "margin": [40.0, 0.0],
        "service": [1.0, 0.8],
        "first_month": H[1],
        "recommended": [True, False],
    }
    return pd.DataFrame(given | more)


SHORT = gap.gap(outlook([100.0] * 3, [100.0, 90.0, 70.0]), stock([100.0] * 3, [100.0, 90.0, 80.0]), NO_BUDGET)


def test_decision_names_date_and_cost_of_delay():
    found = gap.decisions_required(priced(), SHORT, cycle=CYCLE, lag=1)
    assert found["option"].tolist() == ["Second shift", "Do nothing"]
    assert found["decide_by"].tolist() == [pd.Timestamp("2026-11-30")] * 2  # the day before December's plan begins
    assert found["cost_of_delay"].tolist() == [10, 10]  # 10 of 40 late units fall in the first short month
    tables.check("decisions_required", found.assign(cycle=CYCLE))


def test_a_date_that_has_passed_becomes_the_end_of_the_cycle_s_month():
    found = gap.decisions_required(priced(first_month=H[0]), SHORT, cycle=CYCLE, lag=2)
    assert set(found["decide_by"]) == {pd.Timestamp("2026-11-30")}
    assert found["reason"].str.endswith("so this cycle decides").all()


def test_do_nothing_is_always_an_answer():
    found = gap.decisions_required(priced()[:1], SHORT, cycle=CYCLE, lag=1)
    assert found["option"].tolist() == ["Second shift", "Do nothing"]
    assert found["service"].tolist() == [1.0, pytest.approx(1 - 40 / 200)]


def test_no_gap_asks_for_no_decision():
    none = gap.gap(outlook([1.0], [1.0]), stock([1.0], [1.0]), NO_BUDGET)
    assert gap.decisions_required(priced(), none, cycle=CYCLE, lag=2).empty
    assert gap.decisions_required(priced()[:0], SHORT, cycle=CYCLE, lag=2).empty


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1e4), st.floats(0, 1e4)), min_size=3, max_size=3), st.floats(0.01, 0.99))
def test_gaps_of_regions_add_up_to_supply_minus_demand(months_of, share):
    demand, supply = ([float(v) for v in column] for column in zip(*months_of, strict=True))
    plan = stock(demand, supply)
    found = gap.gap(outlook(demand, plan["shipped"].tolist(), {"N": share, "S": 1 - share}), plan, NO_BUDGET)
    assert found["gap"].sum() == pytest.approx(plan["shipped"].sum() - sum(demand), abs=1e-6)
    assert found["late"].sum() == pytest.approx(
        np.minimum(plan["backlog"] + plan["lost"], plan["demand"]).sum(), abs=1e-6
    )


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1e4), st.floats(0, 1e4)), min_size=3, max_size=3), st.integers(0, 5000))
def test_every_path_keeps_the_balance_of_stock(months_of, opening):
    demand, supply = ([float(v) for v in column] for column in zip(*months_of, strict=True))
    plan = stock(demand, supply, opening=float(opening))
    drawn = paths({0: [d * 0.8 for d in demand], 1: [d * 1.2 for d in demand]})
    found = gap.path_outcomes(drawn, outlook(demand, plan["shipped"].tolist()), plan)
    for _, path in found.groupby("path"):
        before = np.concatenate([[opening], path["closing"].to_numpy()[:-1]])
        assert path["closing"].to_numpy() == pytest.approx(
            before + np.array(supply) - path["shipped"].to_numpy(), abs=1e-6
        )
