"""An override's name is its cells, and what is wrong with one is said in plain words."""

import pandas as pd
import pytest

from sop_lib import months, overrides, tables

AHEAD = months.month_range(months.month("2026-11"), 24)
PRODUCTS = {"A1": "Alpha", "A2": "Alpha", "B1": "Beta"}
GOOD = {"cycle": "2026-11", "product": "A1", "region": "North", "from_month": "2026-12", "to_month": "2027-02"}
GOOD |= {"kind": "delta", "value": "-5.5", "reason": "trade fair"}


def problems(**changed):
    return overrides.check_override(
        {**GOOD, **changed}, PRODUCTS, {"Alpha", "Beta"}, {"North", "South"}, AHEAD[0], AHEAD
    )


def test_a_good_override_has_no_problems():
    assert problems() == []
    assert problems(product=None, family="Beta", region="ALL", value=0, kind="absolute", expires="2027-01") == []
    assert problems(from_month=AHEAD[0], to_month=AHEAD[-1]) == []


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"reason": None}, "no reason"),
        ({"product": "A9"}, "unknown product 'A9': did you mean 'A"),
        ({"product": "", "family": "Alhpa"}, "unknown family 'Alhpa': did you mean 'Alpha'?"),
        ({"region": "Moon"}, "unknown region 'Moon'"),
        ({"family": "Beta"}, "product 'A1' belongs to family 'Alpha', not 'Beta'"),
        ({"from_month": "2026-10"}, "2026-10 is past or closed: 2026-11 is the first"),
        ({"to_month": "2028-11"}, "2028-11 is beyond the plan, which ends in 2028-10"),
        ({"to_month": "2026-11"}, "the last is before the first"),
        ({"from_month": "soon"}, "from_month 'soon' is not a month"),
        ({"expires": "soon"}, "expires 'soon' is not a month"),
        ({"expires": "2026-10"}, "before its cycle 2026-11"),
        ({"cycle": "2026-10"}, "cycle 2026-10 is closed: record it in 2026-11, the first that is open"),
        ({"value": float("nan")}, "value 'nan' is not a number"),
        ({"value": None}, "is not a number"),
        ({"value": "1,2x"}, "value '1,2x' is not a number"),
        ({"value": float("inf")}, "is not a number"),
        ({"kind": "absolute", "value": -1}, "absolute cannot be below 0"),
        ({"kind": "percent", "value": -101}, "percent cannot be below -100"),
        ({"kind": "times"}, "kind 'times' is not one of absolute, delta, percent"),
    ],
)
def test_each_problem_is_said_alone(changed, said):
    found = problems(**changed)
    assert len(found) == 1
    assert said in found[0]


def test_all_problems_are_said_at_once():
    assert len(problems(reason="", product="x", value="y", from_month="2020-01")) == 4


def test_the_same_cells_have_the_same_id_however_they_are_written():
    same = {**GOOD, "family": "Alpha", "from_month": pd.Timestamp("2026-12-01"), "value": 9}
    assert overrides.override_id(same) == overrides.override_id(GOOD)
    others = [{"region": ""}, {"product": "", "family": "A1"}, {"to_month": "2027-03"}, {"cycle": "2026-12"}]
    assert len({overrides.override_id({**GOOD, **other}) for other in [{}, *others]}) == 5


def test_names_with_the_separator_do_not_run_together():
    one = overrides.override_id({**GOOD, "product": "a · b", "region": "c"})
    assert one != overrides.override_id({**GOOD, "product": "a", "region": "b · c"})


def test_overrides_of_other_months_that_touch_the_same_cells_are_found():
    rows = [{**GOOD, **changed} for changed in (
        {}, {"from_month": "2027-02", "to_month": "2027-05"}, {"from_month": "2027-03", "to_month": "2027-05"},
        {"cycle": "2026-10"}, {"region": "South"}, {"product": None, "family": "Alpha"},
    )]  # fmt: skip
    for row in rows:
        row |= {"id": overrides.override_id(row), "author": "planner", "recorded_at": "2026-11-05"}
    standing = tables.check("overrides", pd.DataFrame(rows))
    found = overrides.same_cells(standing, GOOD)
    assert sorted(found["id"]) == sorted([rows[1]["id"], rows[3]["id"]])
    assert overrides.same_cells(tables.empty("overrides"), GOOD).empty
