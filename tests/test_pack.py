import html
import re
from pathlib import Path

import pandas as pd
import pytest
import small_company
from bs4 import BeautifulSoup
from small_company import HOSTILE, company, page_of

from sop_lib import briefing, family_page, pack, story, tables


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    return company(tmp_path_factory.mktemp("full"))


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    return company(tmp_path_factory.mktemp("bare"), supply=False)


@pytest.fixture(scope="module")
def plan(book):
    return briefing.read(book)


@pytest.fixture(scope="module")
def shown(book):
    return page_of(book)


def text(markup: str) -> str:
    return html.unescape(re.sub(r"<[^>]+>", "", str(markup))).replace("\u00a0", " ")


def changed(plan, **frames):
    tables = plan.tables | frames
    return briefing.Plan(plan.company, plan.note, plan.currency, plan.month, plan.year, plan.manifest, tables)


# The story


def test_the_headline_says_what_is_short_what_to_decide_and_where_the_year_closes(plan):
    said = [text(s) for s in story.headline(plan)]
    assert said[0].startswith("Demand outruns supply for Barbecues from March to July 2027: at the worst, in May 2027,")
    assert (
        said[1]
        == "To decide by 12 December 2026: Second shift, which closes 9,000 units and wins EUR 250,000 of margin."
    )
    assert said[2] == "2026 closes at EUR 6.95 m revenue (6.89 to 7.02 m), 3.8 % below budget."
    assert len(said) == 3


def test_the_worst_month_is_counted_by_hand(plan):
    worst = briefing.shortages(plan).iloc[0]
    gap = plan["gap"]
    may = gap[(gap["family"] == "Barbecues") & (gap["month"] == "2027-05-01")]
    assert worst["worst"] == pd.Timestamp("2027-05-01")
    assert worst["peak"] == pytest.approx(may["demand"].sum() - 11000)
    assert worst["share"] == pytest.approx(1 - 11000 / may["demand"].sum())
    assert worst["p_short"] == 0.9


def test_shortages_of_the_next_twelve_months_come_first(plan):
    assert briefing.shortages(plan)["from"].dt.year.tolist() == [2027, 2028]


def test_a_plan_without_shortage_says_so(plan):
    served = changed(plan, gap=plan["gap"].assign(late=0.0, supply=plan["gap"]["demand"], gap=0.0))
    assert text(story.headline(served)[0]) == "Supply meets demand in every month of the plan."
    assert "every family is served" in pack.short(served).data
    assert story.outlook_finding(served) == "Supply follows demand through the whole plan"


def test_noise_is_not_told(plan):
    moved = plan["plan_changes"]
    assert len(story.changes(plan)) == 1
    small = moved.assign(previous=moved["latest"] / 1.02, change=moved["latest"] - moved["latest"] / 1.02)
    assert story.changes(changed(plan, plan_changes=small)) == []


def test_a_year_level_with_budget_is_called_level(plan):
    calls = plan["year_call"]
    level = changed(plan, year_call=calls.assign(budget=calls["latest"] * 1.001))
    assert "level with budget" in text(story.headline(level)[-1])


def test_the_budget_comes_before_last_year(plan):
    calls = plan["year_call"]
    no_budget = changed(plan, year_call=calls.assign(budget=float("nan")))
    assert "3.1 % above last year" in text(story.headline(no_budget)[-1])


def test_spans_of_months_are_words():
    assert story.span(pd.Timestamp("2026-12-01"), pd.Timestamp("2026-12-01")) == "in December 2026"
    assert story.span(pd.Timestamp("2026-12-01"), pd.Timestamp("2027-02-01")) == "from December 2026 to February 2027"


def test_families_with_unlike_units_are_added_as_money(plan):
    unlike = plan["families"].assign(unit=["piece", "kg", "piece"])
    frame, unit, source = briefing.outlook(changed(plan, families=unlike))
    assert (unit, source) == ("EUR", "financial_plan")
    actual = plan["financial_plan"].query("line == 'revenue' and basis == 'actual'")
    actual = actual[actual["month"] == "2026-10-01"]
    assert frame.set_index("month").loc["2026-10-01", "actual"] == pytest.approx(actual["value"].sum())


def test_the_outlook_ties_to_its_tables(plan):
    frame, unit, _ = briefing.outlook(plan)
    assert unit == "pieces"
    may = frame.set_index("month").loc["2027-05-01"]
    of_may = {n: plan[n][plan[n]["month"] == "2027-05-01"] for n in ("demand_plan", "gap")}
    assert may["demand"] == pytest.approx(of_may["demand_plan"]["quantity"].sum())
    assert may["supply"] == pytest.approx(of_may["gap"]["supply"].sum())
    assert may["low"] < may["demand"] < may["high"]
    assert frame["month"].is_monotonic_increasing


def test_the_tightest_resource_is_the_one_demand_asks_most_of(plan):
    load = plan["resource_load"]
    calm = load.assign(resource="paint shop", unconstrained=1.0)
    both = changed(plan, resource_load=pd.concat([load, calm], ignore_index=True))
    assert set(briefing.tightest(both)["resource"]) == {"press line"}


# The page


def test_sections_stand_in_the_order_of_the_meeting(shown):
    heads = re.findall(r'<h2 id="([^"]+)"', shown)
    assert heads == [
        "decisions-asked-for", "outlook", "the-year-by-family", "did-we-execute", "did-we-achieve-it",
        "what-changed-since-the-last-plan",
        "what-is-short-and-when", "families-with-an-exception", "what-this-pack-cannot-say-yet", "data-issues",
    ]  # fmt: skip
    assert shown.count("<h1>") == 1


def test_the_head_names_company_cycle_status_basis_and_age(shown):
    head = text(re.search(r'<header class="strip">.*?</header>', shown).group())
    assert "Small & Co <b> · S&OP November 2026" in head
    assert "data closed 31 Oct 2026 · plan version 1, draft" in head
    assert "demand basis: ordered" in head
    assert "An invented company." in shown


def test_every_marked_number_is_found_again_in_its_table(book, shown):
    marks = BeautifulSoup(shown, "html.parser").find_all("data")
    assert len(marks) > 10
    for mark in marks:
        found = recomputed(book, mark["data-source"], mark["data-column"], mark["data-key"])
        assert found == pytest.approx(float(mark["value"]), rel=1e-6)


def recomputed(book, source: str, column: str, key: str) -> float:
    rows = book.read(source)
    for part in filter(None, key.split(" · ")):
        name, _, wanted = part.partition("=")
        if name == "month":
            first, _, last = wanted.partition("..")
            rows = rows[rows["month"].between(pd.Timestamp(first), pd.Timestamp(last or first))]
        else:
            kind = float if rows[name].dtype == "float64" else str
            rows = rows[rows[name] == kind(wanted)]
    assert len(rows)
    above, _, below = column.partition("/")
    if not below:
        return rows[above].sum()
    return rows[above].sum() / rows[below.removesuffix("-1")].sum() - below.endswith("-1")


def test_every_display_cell_shows_its_table(plan, shown):
    rows = plan["family_display"].set_index(["family", "block", "row", "month"])["value"]
    seen = 0
    for line in (
        BeautifulSoup(shown, "html.parser").find("table", class_="display").find_all("tr", attrs={"data-key": True})
    ):
        family, block, row = (part.partition("=")[2] for part in line["data-key"].split(" · "))
        for cell in line.find_all("td", attrs={"data-month": re.compile(r"^\d{4}-\d\d$")}):
            value = rows[family, block, row, pd.Timestamp(cell["data-month"])] / 1000
            assert float(cell.text.replace("−", "-").replace(",", "")) == pytest.approx(value, abs=0.051)
            seen += 1
    assert seen > 100


def test_months_thirteen_to_eighteen_add_flows_and_take_the_last_stock(plan, shown):
    rows = plan["family_display"].query("family == 'Barbecues' and row == 'Actual / latest'")
    later = rows[(rows["month"] >= "2027-11-01") & (rows["month"] <= "2028-04-01")]
    sales = later[later["block"] == "sales"]["value"].sum()
    display = re.search(r'<table class="display".*?</table>', shown, re.S).group()
    assert f'data-month="2027-11..2028-04">{sales / 1000:,.1f}</td>' in display
    assert 'data-month="2028-04">0.5</td>' in display
    assert ">Nov–Apr<br/>28</th>" in display


def test_the_year_by_family_stands_largest_first_and_adds_up(plan):
    body = BeautifulSoup(pack.year(plan).data, "html.parser").tbody
    assert [r.th.text for r in body.find_all("tr")] == ["Barbecues", HOSTILE, "a|b $x_1$ =1+1", "All families"]
    assert [r.td.text for r in body.find_all("tr")] == ["4.50\u00a0m", "2.00\u00a0m", "450,000", "6.95\u00a0m"]
    assert {c.text for c in body.find_all(attrs={"data-column": "to_budget"})} == {"−3.8\u00a0%"}


def test_the_grid_counts_months_in_tolerance_and_uses_symbols(plan):
    shown = family_page.execution(plan).data
    assert "▲" in shown
    assert "▼" in shown
    assert "May 2026: above by 30\u00a0%" in shown
    assert shown.count(">12 of 12</td>") == 2
    assert shown.count(">10 of 12</td>") == 4


def test_options_stand_with_the_recommended_one_first(plan):
    card = pack.decisions(plan).data
    assert card.index("Second shift") < card.index("Subcontract") < card.index("Do nothing")
    assert card.count("recommended") == 1
    assert "decide by 12 Dec 2026" in card


def test_no_decision_is_said_in_words(plan):
    none = changed(plan, decisions_required=plan["decisions_required"].iloc[:0])
    assert "None needed today." in pack.decisions(none).data
    assert "No decision is needed today." in [text(s) for s in story.headline(none)]


def test_families_without_exception_are_folded_away(plan):
    calm = plan["execution_grid"].assign(verdict="in")
    shown = family_page.families(changed(plan, execution_grid=calm)).data
    first, folded = shown.split("<details>")
    assert first.count('class="family"') == 1
    assert "Barbecues" in first
    assert folded.count('class="family"') == 2


def test_the_latest_files_are_named_by_the_beginning_of_their_hash(shown):
    assert "0123456789ab<" in shown
    assert "0123456789abc" not in shown


# Hostile names, absent inputs, same bytes


def test_no_name_becomes_markup(shown):
    assert "<script" not in shown
    assert "<img src=x" not in shown
    assert HOSTILE in BeautifulSoup(shown, "html.parser").text
    assert "a|b $x_1$ =1+1" in shown


def test_nothing_unreadable_is_shown(shown):
    words = text(re.sub(r"<style>.*?</style>", "", shown, flags=re.S))
    assert not re.search(r"\b(nan|NaN|NaT|None|inf)\b(?! needed| found)", words)
    assert "<HTML" not in words


def test_a_company_with_products_and_sales_alone_gets_a_pack_that_says_what_is_missing(bare):
    shown = page_of(bare)
    heads = re.findall(r'<h2 id="([^"]+)"', shown)
    assert "outlook" in heads
    assert "did-we-execute" not in heads
    assert "did-we-achieve-it" not in heads
    words = text(shown)
    assert "None needed today. Without supply data" in words
    assert "inventory: unlocks inventory plan" in words
    assert "Demand of the next twelve months is 178,000 units" in words
    unlocking = [t for t in tables.tables().values() if t.group == "input" and t.used]
    assert f"{len(unlocking) - 2} input tables are not there" in words
    assert not re.search(r"<(figure|table|ul|div|section|p)[^>]*></\1>", shown)


def test_the_same_tables_give_the_same_page(tmp_path, shown):
    assert page_of(company(tmp_path)) == shown


def test_the_page_names_no_place_of_the_machine(tmp_path, shown):
    assert str(tmp_path.parent) not in shown
    assert str(Path(small_company.__file__).parent.parent) not in shown
