"""Overrides in the demand plan: by hand, by their laws, and what is left out and why."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sop_lib import months, overrides, tables

CYCLE = months.month("2026-11")
AHEAD = months.month_range(CYCLE, 3)
PRODUCTS = pd.DataFrame({"product": ["A1", "A2", "B1", "N1"], "family": ["Alpha", "Alpha", "Beta", "Beta"]})
LEVELS = [{"product": "A1", "region": "North"}, {"product": "A1"}, {"family": "Alpha"}, {"region": "South"}, {}]


def plan(quantities=(30.0, 10.0, 20.0, 40.0, 5.0, 15.0)):
    """Return a plan of A1, A2 and B1 in North and South, the same in each of three months."""
    cells = pd.DataFrame({"product": np.repeat(["A1", "A2", "B1"], 2), "region": ["North", "South"] * 3})
    cells = cells.assign(family=np.repeat(["Alpha", "Alpha", "Beta"], 2), quantity=list(quantities))
    rows = cells.merge(pd.DataFrame({"month": AHEAD}), how="cross")
    rows = rows.assign(step="baseline", item="ALL", author=None, reason=None)
    return rows[["month", "product", "region", "step", "item", "family", "quantity", "author", "reason"]]


def book(*records):
    """Return overrides recorded one after the other, of December 2026 where they name no months."""
    given = {"cycle": "2026-11", "from_month": "2026-12", "to_month": "2026-12", "kind": "absolute", "value": 100}
    given |= {"reason": "a fair", "author": "demand planner"}
    rows = [{"id": f"{n}", "recorded_at": f"2026-11-{n + 1:02d}"} | given | r for n, r in enumerate(records)]
    return tables.check("overrides", pd.DataFrame(rows, dtype="object"))


def added(*records, base=None):
    rows = overrides.apply_overrides(plan() if base is None else base, book(*records), CYCLE, PRODUCTS)
    return rows.set_index(["product", "region"])["quantity"].to_dict()


def total(df, **members):
    for column, member in members.items():
        df = df[df[column] == member]
    return df[df["month"] == AHEAD[1]]["quantity"].sum()


def test_an_absolute_override_of_one_cell_makes_the_plan_that_number():
    assert added({"product": "A1", "region": "North", "value": 45}) == {("A1", "North"): 15.0}


def test_a_family_is_spread_by_the_shares_of_the_plan():
    cells = added({"family": "Alpha", "value": 200})
    assert cells == {("A1", "North"): 30, ("A1", "South"): 10, ("A2", "North"): 20, ("A2", "South"): 40}


def test_a_delta_adds_units_a_month_and_a_percent_a_share():
    assert added({"product": "A1", "kind": "delta", "value": 8}) == {("A1", "North"): 6, ("A1", "South"): 2}
    assert added({"region": "South", "kind": "percent", "value": -10, "product": "A2"}) == {("A2", "South"): -4}
    rows = overrides.apply_overrides(
        plan(), book({"family": "Beta", "kind": "delta", "value": 4, "to_month": "2027-01"}), CYCLE, PRODUCTS
    )
    assert rows.groupby("month")["quantity"].sum().to_dict() == {AHEAD[1]: 4.0, AHEAD[2]: 4.0}


def test_where_the_plan_is_zero_the_total_is_spread_equally():
    base = plan([0.0] * 6)
    assert set(added({"family": "Alpha", "value": 100}, base=base).values()) == {25.0}


def test_no_delta_takes_a_month_below_zero():
    assert added({"product": "B1", "kind": "delta", "value": -1000}) == {("B1", "North"): -5, ("B1", "South"): -15}


def test_a_product_that_only_an_override_plans_gets_rows_of_its_own():
    rows = overrides.apply_overrides(plan(), book({"product": "N1", "value": 8}), CYCLE, PRODUCTS)
    assert rows[["product", "family", "region", "quantity"]].values.tolist() == [
        ["N1", "Beta", "North", 4.0],
        ["N1", "Beta", "South", 4.0],
    ]


def test_the_later_one_is_applied_to_the_plan_with_the_earlier_in_it():
    first, second = {"product": "A1", "value": 80}, {"product": "A1", "kind": "percent", "value": 50}
    assert total(overrides.with_overrides(plan(), book(first, second), CYCLE, PRODUCTS), product="A1") == 120
    assert total(overrides.with_overrides(plan(), book(second, first), CYCLE, PRODUCTS), product="A1") == 80


def test_two_overrides_of_one_cell_are_two_rows_with_author_and_reason():
    kept = book({"product": "A1", "reason": "a fair"}, {"product": "A1", "reason": "rain", "author": "sales"})
    out = overrides.with_overrides(plan(), kept, CYCLE, PRODUCTS).assign(cycle=CYCLE)
    rows = tables.check("demand_plan", out).query("step == 'override' and region == 'North'")
    assert rows[["item", "author", "reason"]].values.tolist() == [
        ["0", "demand planner", "a fair"],
        ["1", "sales", "rain"],
    ]
    assert set(out.loc[out["step"] == "baseline", "item"]) == {"ALL"}


def test_no_overrides_leave_the_plan_as_it_is():
    out = overrides.with_overrides(plan(), tables.empty("overrides"), CYCLE, PRODUCTS)
    pd.testing.assert_frame_equal(out, plan())


def test_overrides_are_applied_afresh_to_a_plan_that_has_them_already():
    kept = book({"family": "Alpha", "value": 200})
    once = overrides.with_overrides(plan(), kept, CYCLE, PRODUCTS)
    archived = once.assign(cycle=CYCLE)
    pd.testing.assert_frame_equal(overrides.with_overrides(archived, kept, CYCLE, PRODUCTS), once)


@pytest.mark.parametrize(
    ("record", "why"),
    [
        ({"cycle": "2026-08", "expires": "2026-10"}, "expired after 2026-10"),
        ({"cycle": "2026-12"}, "of the later cycle 2026-12"),
        ({"cycle": "2026-08", "from_month": "2026-09", "to_month": "2026-10"}, "its months are closed"),
        ({"family": "Gone"}, "the plan has no such product, family, region or month"),
    ],
)
def test_what_is_left_out_is_listed_with_the_reason(record, why):
    kept = book(record)
    out = overrides.with_overrides(plan(), kept, CYCLE, PRODUCTS)
    assert len(out) == len(plan())
    assert overrides.listed(kept, out, CYCLE)["left_out"].tolist() == [why]


def test_an_override_of_an_earlier_cycle_holds_until_it_is_replaced():
    old, new = {"cycle": "2026-08", "product": "A1", "value": 80}, {"product": "A1", "value": 60, "replaces": "0"}
    assert added(old) == {("A1", "North"): 30.0, ("A1", "South"): 10.0}
    told = overrides.listed(book(old, new), overrides.with_overrides(plan(), book(old, new), CYCLE, PRODUCTS), CYCLE)
    assert told["left_out"].tolist() == ["replaced by a newer one", ""]
    assert told["added"].fillna(0).tolist() == [0, 20]
    assert told["what"].tolist() == ["A1 · all regions"] * 2


def test_the_last_cycle_it_is_used_in_still_uses_it():
    assert added({"product": "A1", "expires": "2026-11", "cycle": "2026-08"})


numbers = st.floats(0, 1e6, allow_subnormal=False)


@settings(max_examples=25, deadline=None)
@given(st.lists(numbers, min_size=6, max_size=6), st.sampled_from(LEVELS), numbers)
def test_the_total_of_an_absolute_override_is_kept(quantities, members, value):
    out = overrides.with_overrides(plan(quantities), book({**members, "value": value}), CYCLE, PRODUCTS)
    assert total(out, **members) == pytest.approx(value, rel=1e-9, abs=1e-6)
    assert out.groupby(["month", "product", "region"])["quantity"].sum().min() >= -1e-6


@settings(max_examples=25, deadline=None)
@given(st.lists(numbers, min_size=6, max_size=6), st.sampled_from(LEVELS), st.floats(-1e6, 1e6))
def test_a_delta_changes_the_total_by_itself_and_nothing_else(quantities, members, value):
    base = plan(quantities)
    out = overrides.with_overrides(base, book({**members, "kind": "delta", "value": value}), CYCLE, PRODUCTS)
    assert total(out, **members) == pytest.approx(max(total(base, **members) + value, 0), rel=1e-9, abs=1e-6)
    kept = out[out["month"] != AHEAD[1]]
    assert set(kept["step"]) == {"baseline"}
