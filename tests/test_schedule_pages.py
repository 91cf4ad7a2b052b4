"""The sections on what changed inside the fence and what goes to the master schedule: every sentence is computed."""

import numpy as np
import pandas as pd
import pytest

from sop_lib import months, schedule_pages, supply_changes, supply_trials
from sop_lib.tables import ALL

NOV = months.month("2026-11")
HOSTILE = "<script>alert(1)</script>"
COST = pd.Series({HOSTILE: 10.0})


def plan(quantity: list, plant: str = "Tarn") -> pd.DataFrame:
    rows = {"month": months.month_range(NOV, len(quantity)), "family": HOSTILE, "plant": plant, "source": "regular"}
    return pd.DataFrame(rows | {"quantity": np.array(quantity, dtype=float)})


def families(frozen: float = 1.0) -> pd.DataFrame:
    rows = {"family": [HOSTILE], "unit": "piece", "frozen_months": frozen, "slushy_months": 1.0, "owner": HOSTILE}
    return pd.DataFrame(rows)


def changes(frozen: float = 1.0) -> pd.DataFrame:
    return supply_changes.supply_changes(plan([10, 20, 30]), plan([10, 25, 90]), families(frozen), COST)


def trials(added: float, words: str = "every family keeps its rate") -> pd.DataFrame:
    return pd.DataFrame({"kind": ["rule"], "trial": [supply_trials.KEPT], "finding": [words], "added": [added]})


def nervous(frozen: float) -> pd.DataFrame:
    rows = [("supply", f, lag, zone, 11, 100.0, 100 * rate) for f in (ALL, HOSTILE)
            for lag, zone, rate in ((1, "frozen", frozen), (2, "slushy", 0.05), (3, "liquid", 0.2))]  # fmt: skip
    found = pd.DataFrame(rows, columns=["measure", "family", "lag", "zone", "cycles", "previous", "changed"])
    return found.assign(nervousness=found["changed"] / found["previous"], unit="piece")


def schedule(quantity: list) -> pd.DataFrame:
    return plan(quantity).assign(product=HOSTILE, share=1.0, rule="by hand")


def test_changes_inside_the_fence_are_counted_and_priced():
    said = schedule_pages.fence_sentence(changes(), trials(1234.0), "EUR")
    assert "in 0 of 1 frozen and 1 of 1 slushy months of families, worth EUR\u00a050 at unit cost" in said
    assert said.endswith("Keeping the last plan there would cost EUR\u00a01,230 more than the plan proposed.")
    cut = schedule_pages.fence_sentence(changes(), trials(-5.0, "it stays, but for 7 units that cannot be"), "EUR")
    assert "(but for 7 units that cannot be) would cost EUR\u00a05 less" in cut
    assert "changes bring nothing" in schedule_pages.fence_sentence(changes(), trials(0.0), "EUR")
    assert "is not known" in schedule_pages.fence_sentence(changes(), trials(0.0).iloc[:0], "EUR")


def test_a_company_without_a_fence_is_told_so():
    loose = changes().assign(zone="liquid", finding=None)
    assert "nothing is fenced" in schedule_pages.fence_sentence(loose, trials(1.0), "EUR")


@pytest.mark.parametrize(("rate", "said"), [(0.15, "they are not kept"), (0.004, "Frozen months are kept")])
def test_frozen_months_are_held_against_what_they_are_for(rate, said):
    told = schedule_pages.nervous_sentence(nervous(rate))
    assert told.startswith(f"From cycle to cycle the supply plan changed by {100 * rate:.1f}\u00a0% in frozen months")
    assert "over 11 pairs of plans" in told
    assert said in told


def test_the_sums_tie_or_the_page_says_they_do_not():
    exact = schedule_pages.tie_sentence(schedule([10, 20, 30]), plan([10.4, 20.1, 29.9]))
    assert "adds up to the plan" in exact
    assert "within 0.5 units" in exact
    assert "does NOT add up" in schedule_pages.tie_sentence(schedule([10, 22, 30]), plan([10, 20, 30]))
    assert "does NOT add up" in schedule_pages.tie_sentence(schedule([10]), plan([10, 20]))


def test_who_is_left_without_is_named():
    left = pd.DataFrame({"family": ["A"], "product": ["A1"], "first": [NOV], "owed": [70.0], "plants": ["Tarn"]})
    said = schedule_pages.left_sentence(left)
    assert "A1 run out from Nov 2026" in said
    assert "(Tarn)" in said
    assert "No product runs out" in schedule_pages.left_sentence(left.iloc[:0])


def test_a_hostile_name_stays_text():
    left = pd.DataFrame(
        {"family": [HOSTILE], "product": [HOSTILE], "first": [NOV], "owed": [70.0], "plants": [HOSTILE]}
    )
    html = schedule_pages.fence(changes(), trials(1.0), nervous(0.1), "piece", "EUR").data
    html += schedule_pages.hand_off(schedule([10, 20, 30]), plan([10, 20, 30]), left, "piece").data
    assert HOSTILE not in html
    assert "&lt;script&gt;" in html
    assert "<figure" in html


def test_without_their_tables_the_sections_say_what_they_need():
    html = schedule_pages.fence(changes().iloc[:0], trials(1.0), nervous(0.1).iloc[:0], "", "EUR").data
    assert "past_plans" in html
    html += schedule_pages.hand_off(schedule([1]).iloc[:0], plan([1]).iloc[:0], pd.DataFrame(), "").data
    assert html.count('class="missing"') == 2


def test_families_that_cannot_be_added_up_are_shown_each_and_the_missing_total_is_explained():
    each = nervous(0.15)
    each = pd.concat([each[each["family"] != ALL], each[each["family"] != ALL].assign(family="B", changed=1.0)])
    each["nervousness"] = each["changed"] / each["previous"]
    said = schedule_pages.nervous_sentence(each)
    assert "changed by 1.0\u00a0% (B) to 13.3\u00a0%" in said
    assert "there is no total" in said
    assert "unlike units" in said
    html = schedule_pages.fence(changes(), trials(1.0), each, "", "EUR").data
    assert "15.0%" in html
    assert "<figure" not in html
    assert "No two plans" in schedule_pages.nervous_sentence(each.iloc[:0])
