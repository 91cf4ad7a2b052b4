"""What the gap review and the pack say about why units are short."""

import pandas as pd
import pytest
from markupsafe import Markup

from sop_lib import cause_pages, pack, supply_tables

MAY, JUNE = pd.Timestamp("2027-05-01"), pd.Timestamp("2027-06-01")


def row(family: str, month: pd.Timestamp, cause: str, subject: str, quantity: float, margin: float) -> dict:
    binds = pd.NaT if cause == "not worth its cost" else MAY
    begins = binds if binds is pd.NaT else pd.Timestamp("2027-01-01")
    finding = f"{quantity:,.0f} units of {family}: {subject}."
    return {
        "scenario": "base", "month": month, "family": family, "cause": cause, "subject": subject, "quantity": quantity,
        "share": 0.5, "margin": margin, "begins": begins, "binds": binds, "price": 9.0, "finding": finding,
    }  # fmt: skip


TABLE = pd.DataFrame([
    row("Barbecues", MAY, "capacity", "press line", 900.0, 36000.0),
    row("Barbecues", JUNE, "capacity", "press line", 1000.0, 40000.0),
    row("Barbecues", JUNE, "people", "Tarn", 100.0, 4000.0),
    row("Heaters", JUNE, "not worth its cost", "ALL", 50.0, 90000.0),
])  # fmt: skip


def words(html) -> str:
    return " ".join(Markup(str(getattr(html, "data", html)).replace("<", " <")).striptags().split())


def test_the_headline_names_the_first_cause_with_its_part_and_its_months():
    said = cause_pages.headline(TABLE, unit="units", currency="EUR").striptags()
    assert said == "1,900 of 2,050 units late or lost: capacity of press line, January 2027 to May 2027."


def test_families_of_unlike_units_are_added_in_money():
    said = cause_pages.headline(TABLE, unit="", currency="EUR").striptags().replace("\u00a0", " ")
    assert said == "EUR 90,000 of EUR 170,000 margin that waits or is lost: it costs more to serve than it earns."
    bars = cause_pages.steps(TABLE, unit="", currency="EUR")
    assert bars["unit"].unique().tolist() == ["EUR margin"]
    assert bars["value"].tolist() == [90000, 76000, 4000, 170000]


def test_without_margins_unlike_units_are_not_added():
    bare = TABLE.assign(margin=float("nan"))
    assert cause_pages.steps(bare, unit="", currency="EUR").empty
    said = cause_pages.headline(bare, unit="", currency="EUR").striptags()
    assert said.startswith("Barbecues: 1,900 of 2,000 units late or lost: capacity of press line")
    assert said.endswith("Families short in all: 2, of unlike units.")
    assert "<figure" not in cause_pages.why(bare, planned=True, unit="", currency="EUR").data


@pytest.mark.parametrize("bad", [-9.0, float("nan")])
def test_a_family_without_a_margin_to_add_leaves_units_per_family_and_no_money(bad):
    table = TABLE.assign(margin=[36000.0, 40000.0, 4000.0, bad])
    assert cause_pages.steps(table, unit="", currency="EUR").empty
    said = cause_pages.headline(table, unit="", currency="EUR").striptags()
    assert said.startswith("Barbecues: 1,900 of 2,000 units late or lost: capacity of press line")
    told = words(cause_pages.why(table, planned=True, unit="", currency="EUR"))
    assert "margin that waits" not in told
    assert told.index("1,000 units of Barbecues") < told.index("50 units of Heaters")


def test_all_is_said_only_of_the_one_cause():
    table = TABLE.assign(quantity=[900.0, 1000.0, 0.3, 0.1])
    assert cause_pages.headline(table, unit="units", currency="EUR").striptags().startswith("1,900 of 1,900 units")
    unpaid = TABLE.assign(margin=[36000.0, 40000.0, 0.0, 0.0])
    assert "All" not in cause_pages.headline(unpaid, unit="", currency="EUR").striptags()


@pytest.mark.parametrize("cause", ["not worth its cost", "cheaper to wait"])
def test_the_title_of_the_waterfall_is_a_sentence_whatever_comes_first(cause):
    table = pd.DataFrame([row("A", MAY, cause, "ALL", 100.0, 50.0), row("B", MAY, "people", "Tarn", 40.0, 4.0)])
    long = {"not worth its cost": "it costs more to serve than it earns"}
    said = long.get(cause, "waiting costs less than serving it in time")
    told = words(cause_pages.waterfall(table, unit="pieces", currency="EUR"))
    assert f"100 of 140 late or lost: {said}" in told
    assert cause_pages.steps(table, unit="pieces", currency="EUR")["step"].iloc[0] == cause


class Shown(dict):
    """What the pack knows of a plan."""

    unit, currency = "units", "EUR"


def test_the_pack_says_how_often_a_waiting_unit_counts():
    assert cause_pages.COUNTED in words(pack._why(Shown(gap_causes=TABLE))[0])


def test_whole_numbers_are_said_to_come_first():
    lots = TABLE.assign(cause="policy", subject="runs and lots")
    assert cause_pages.RUNS in words(cause_pages.why(lots, planned=True, unit="units", currency="EUR"))


def test_the_waterfall_is_the_sum_of_the_cells():
    bars = cause_pages.steps(TABLE, unit="units", currency="EUR")
    assert bars["step"].tolist() == ["capacity of press line", "people at Tarn", "not worth its cost", "late or lost"]
    assert bars["end"].tolist() == [1900, 2000, 2050, 2050]
    assert bars["start"].tolist() == [0, 1900, 2000, 0]
    assert bars["value"].iloc[-1] == pytest.approx(TABLE["quantity"].sum()) == bars["value"].iloc[:-1].sum()


def test_limits_beyond_the_first_five_stand_together():
    many = pd.DataFrame([row("A", MAY, "capacity", f"line {n}", 10.0 * n, 1.0) for n in range(1, 9)])
    bars = cause_pages.steps(many, unit="units", currency="EUR")
    assert bars["step"].iloc[5] == "other causes"
    assert bars["value"].iloc[5] == 10 + 20 + 30
    assert bars["end"].iloc[-1] == many["quantity"].sum()


def test_the_section_shows_families_by_cause_and_the_worst_months():
    told = words(cause_pages.why(TABLE, planned=True, unit="units", currency="EUR"))
    assert "Barbecues 1,900 100 – 2,000 Heaters – – 50 50" in told
    assert "1,900 of 2,050 late or lost: capacity of press line" in told
    assert cause_pages.COUNTED in told
    assert cause_pages.RUNS not in told
    assert told.index("50 units of Heaters") < told.index("1,000 units of Barbecues")


def test_nothing_short_and_no_plan_are_told_apart():
    nothing = supply_tables.empty("gap_causes")
    assert "Nothing is short" in words(cause_pages.why(nothing, planned=True, unit="units", currency="EUR"))
    assert "supply_costs" in words(cause_pages.why(nothing, planned=False, unit="units", currency="EUR"))
    assert "Nothing is short" in cause_pages.headline(nothing, unit="", currency="EUR")


def test_names_that_hold_markup_are_shown_as_text():
    hostile = TABLE.assign(subject="<script>", family="<b>", finding="<img src=x>")
    told = cause_pages.why(hostile, planned=True, unit="units", currency="EUR").data
    assert not any(tag in told for tag in ("<script>", "<b>", "<img src=x>"))
