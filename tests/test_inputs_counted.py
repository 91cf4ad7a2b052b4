"""What a run counts, with its money, and goes on with."""

from pathlib import Path

import pandas as pd
import pytest
from workbook_edits import add, cell, edit, issue, read

from sop_lib import checks, flow_checks, inputs, months, supply_checks, tables

SHARED = Path(__file__).parent.parent.parent / "shared" / "data" / "iowa_liquor"
ROOT = Path(__file__).parent.parent


# -- what is counted and goes on


def test_returns_are_counted_with_their_money(small_workbook):
    for column, value in (("ordered", "-7"), ("shipped", "-7"), ("revenue", "-70")):
        cell(small_workbook, "sales.csv", 2, column, value)
    found = issue(read(small_workbook), "negative_quantity")
    assert (found["severity"], found["rows"], found["quantity"], found["money"]) == ("warn", 1, -7, -70)
    assert "netted against the same month, product and region" in found["finding"]


def test_rows_after_the_closing_month_are_set_aside_and_counted(small_workbook):
    found = read(small_workbook, "2026-09")
    assert found.cycle == pd.Timestamp("2026-09-01")
    assert found.tables["sales"]["month"].max() == pd.Timestamp("2026-08-01")
    counted = issue(found, "after_closing_month")
    assert (counted["rows"], counted["quantity"], counted["money"]) == (12, 1200, 2 * 200 * 35)


def test_past_plans_and_demand_inputs_do_not_look_ahead(small_workbook):
    plans = ["cycle", "stream", "measure", "month", "family", "quantity"]
    rows = [[c, "consensus", "demand", "2026-12", "Alpha", "10"] for c in ("2026-09", "2026-10", "2026-11")]
    add(small_workbook, "past_plans", plans, *rows)
    bring = ["cycle", "stream", "month", "family", "quantity", "author", "reason"]
    rows = [[c, "sales", "2026-12", "Alpha", "10", "role", "why"] for c in ("2026-10", "2026-11")]
    add(small_workbook, "demand_inputs", bring, *rows)
    found = read(small_workbook, "2026-10")
    assert len(found.tables["past_plans"]) == 1
    assert issue(found, "after_closing_month", "past_plans")["quantity"] == 20
    assert len(found.tables["demand_inputs"]) == 1
    assert issue(found, "after_closing_month", "demand_inputs")["rows"] == 1


def test_a_gap_in_the_months(small_workbook):
    edit(small_workbook, "sales.csv", lambda rows: [r for r in rows if r[0] not in ("2025-03", "2025-05")])
    found = issue(read(small_workbook), "gap_in_months")
    assert (found["subject"], found["rows"]) == ("2025-03, 2025-05", 2)


def test_sales_that_end_before_the_cycle(small_workbook):
    assert issue(read(small_workbook, "2027-01"), "gap_in_months")["subject"] == "2026-11, 2026-12"


def test_what_is_kept_and_not_used_yet_is_said(small_workbook):
    names = ["initiative", "owner", "from_month", "spend", "benefit", "hurdle_roi", "objective"]
    rows = [[name, "Sales director", "2027-01", "5", "9", "0.2", "More"] for name in ("One", "Two")]
    add(small_workbook, "initiatives", names, *rows)
    add(small_workbook, "engineering_changes", ["change", "product", "effective_month", "resource_hours"],
        ["E1", "B1", "2027-01", "40"])  # fmt: skip
    found = read(small_workbook)
    idle, hours = (issue(found, "not_used_yet", table) for table in ("initiatives", "engineering_changes"))
    assert (idle["severity"], idle["rows"], idle["subject"]) == ("info", 2, "initiatives")
    assert (hours["severity"], hours["rows"], hours["subject"]) == ("info", 1, "resource_hours")
    assert len(found.tables["initiatives"]) == 2


def test_short_history(small_workbook):
    edit(small_workbook, "sales.csv", lambda rows: [r for r in rows if r[0] == "month" or r[0] >= "2025-01"])
    found = issue(read(small_workbook), "history_too_short")
    assert (found["rows"], found["quantity"], found["money"]) == (22, 22 * 600, 22 * 7000)


def test_a_product_never_sold(small_workbook):
    edit(small_workbook, "products.csv", lambda rows: [*rows, ["C1", "Beta", "3"]])
    found = issue(read(small_workbook), "product_never_sold", "products")
    assert (found["subject"], found["severity"], found["money"]) == ("C1", "info", 0)
    add(small_workbook, "launches", ["product", "launch_month", "volume_year_1"], ["C1", "2027-01", "100"])
    assert "product_never_sold" not in read(small_workbook).issues["rule"].tolist()


def test_one_series_only(small_workbook):
    edit(small_workbook, "sales.csv", lambda rows: [rows[0], *(r for r in rows if r[1:3] == ["A1", "North"])])
    assert issue(read(small_workbook), "one_series_only")["severity"] == "info"


@pytest.mark.parametrize("kept", [0.0, 0.3, 0.5])
def test_a_last_month_that_looks_partial(small_workbook, kept):
    def cut(rows):
        last = [r for r in rows if r[0] == "2026-10"]
        for r in last:
            r[3] = r[4] = str(100 * kept)

    edit(small_workbook, "sales.csv", cut)
    found = issue(read(small_workbook), "partial_last_month")
    assert found["subject"] == "2026-10"
    assert found["quantity"] == pytest.approx(600 * kept - 600)
    assert "expected about 600 units" in found["finding"]


def test_a_season_is_not_taken_for_a_partial_month(small_workbook):
    def season(rows):
        for r in rows[1:]:
            r[3] = r[4] = "20" if r[0][5:] == "10" else "100"

    edit(small_workbook, "sales.csv", season)
    assert "partial_last_month" not in read(small_workbook).issues["rule"].tolist()


def test_a_column_that_looks_misspelt(small_workbook):
    cell(small_workbook, "sales.csv", 1, "revenue", "revenu")
    found = issue(read(small_workbook), "unused_columns")
    assert found["severity"] == "warn"
    assert "did you mean 'revenue'?" in found["finding"]


def test_control_totals_and_the_ledger_name_both_numbers(small_workbook):
    add(small_workbook, "control_totals", ["month", "measure", "source", "value"],
        ["2026-09", "shipped", "Order system", "600"], ["2026-10", "shipped", "Order system", "650"])  # fmt: skip
    add(small_workbook, "finance", ["month", "line", "plan", "actual"], ["2026-10", "revenue", "1", "6900"])
    found = read(small_workbook)
    total, ledger = issue(found, "control_total", "control_totals"), issue(found, "ledger_differs", "finance")
    assert (total["subject"], total["rows"], total["quantity"]) == ("shipped · Order system", 1, -50)
    assert "600 against 650 in 2026-10 (delta -50)" in total["finding"]
    assert ledger["money"] == 100


def test_gaps_in_optional_tables_say_what_they_switch_off(small_workbook):
    add(small_workbook, "supply_costs", ["family", "plant", "make_cost"], ["Alpha", "P", "1"])
    ahead = months.month_range(months.month("2026-11"), 20)
    rows = [[f"{m:%Y-%m}", "P", "press", "10", "hours"] for m in ahead]
    add(small_workbook, "resources", ["month", "plant", "resource", "capacity", "unit"], *rows)
    add(
        small_workbook,
        "bill_of_resources",
        ["family", "plant", "resource", "usage_per_unit"],
        ["Alpha", "P", "oven", "1"],
    )
    materials = ["material", "on_hand", "supply_max", "lead_time_months", "unit_cost"]
    add(small_workbook, "materials", materials, ["steel", "0", "0", "1", "1"], ["glue", "0", "", "1", "1"])
    bill = [["steel", "Alpha", "1"], ["glue", "Alpha", "1"]]
    add(small_workbook, "bill_of_materials", ["material", "family", "quantity_per_unit"], *bill)
    add(small_workbook, "inventory", ["month", "product", "on_hand"], ["2026-10", "A1", "5"], ["2026-09", "A2", "5"])
    found = read(small_workbook).issues.set_index(["rule", "subject"])
    assert found.loc[("family_left_out", "Beta"), "money"] == 12 * 2 * 500
    assert found.loc[("capacity_missing", "P · press"), "rows"] == 4
    assert found.loc[("capacity_missing", "P · oven"), "rows"] == 24
    assert found.loc[("material_without_supply", "steel"), "rows"] == 1
    assert found.loc[("stock_missing", "2026-10"), "rows"] == 2


def test_supply_tables_that_contradict_each_other_are_named(small_workbook):
    plants = ["plant", "workers_opening", "hours_per_worker_day", "wage_per_worker_month", "hiring_cost", "layoff_cost"]
    add(small_workbook, "plants", [*plants, "overtime_premium", "overtime_max_hours"], ["P", *"1811100"])
    add(small_workbook, "supply_costs", ["family", "plant", "make_cost"], ["Alpha", "P", "1"], ["Beta", "P", "1"])
    ahead = months.month_range(months.month("2026-11"), 24)
    rows = [[f"{m:%Y-%m}", "P", "press", "10", "hours" if n else "minutes"] for n, m in enumerate(ahead)]
    add(small_workbook, "resources", ["month", "plant", "resource", "capacity", "unit"], *rows)
    materials = ["material", "on_hand", "lead_time_months", "unit_cost"]
    add(small_workbook, "materials", materials, ["steel", "9", "24", "1"], ["glue", "0", "23", "1"])
    fixed = ["month", "family", "plant", "quantity", "firm", "author", "reason"]
    add(small_workbook, "planned_production", fixed, ["2026-12", "Alpha", "Q", "7", "yes", "role", "why"])
    counted = [["2026-10", p, q] for p, q in (("A1", "-5"), ("A2", "5"), ("B1", "5"))]
    add(small_workbook, "inventory", ["month", "product", "on_hand"], *counted)
    add(small_workbook, "locations", ["location", "type", "storage"], ["DC1", "dc", "10"], ["DC2", "dc", ""])
    found = read(small_workbook).issues.set_index(["rule", "subject"])
    assert found.loc[("resource_units", "P · press"), "rows"] == 1
    assert found.loc[("lead_time_beyond", "steel"), "rows"] == 1
    assert found.loc[("plan_without_route", "Alpha in Q"), "quantity"] == 7
    assert found.loc[("stock_negative", "A1"), "quantity"] == -5
    assert found.loc[("hours_missing", "Alpha in P, Beta in P"), "rows"] == 2
    assert found.loc[("storage_missing", "DC2"), "rows"] == 1


@pytest.mark.parametrize(
    ("table", "columns", "row", "rule"),
    [
        ("supply_costs", "family plant make_cost labour_hours_per_unit", "Alpha P -1 1", "below 0"),
        ("supply_costs", "family plant make_cost labour_hours_per_unit", "Alpha P 1 -1", "below 0"),
        ("resources", "month plant resource capacity unit", "2026-11 P press -3 hours", "below 0"),
        (
            "planned_production",
            "month family plant quantity firm author reason",
            "2026-11 Nobody P 1 yes a b",
            "Nobody",
        ),
    ],
)
def test_supply_numbers_that_cannot_be_stop_the_run(small_workbook, table, columns, row, rule):
    add(small_workbook, table, columns.split(), row.split())
    with pytest.raises(inputs.InputError, match=rule) as stopped:
        read(small_workbook)
    assert table in str(stopped.value)


def test_sold_products_without_any_price(small_workbook):
    edit(small_workbook, "sales.csv", lambda rows: [r[:5] for r in rows])
    cell(small_workbook, "products.csv", 4, "unit_price", "")
    found = issue(read(small_workbook), "price_missing", "products")
    assert (found["subject"], found["quantity"]) == ("B1", 12 * 200)


def test_a_launch_like_nothing_known_at_another_month_or_without_a_rate(small_workbook):
    edit(small_workbook, "products.csv", lambda rows: [*rows, *([p, "Beta", "9"] for p in ("N1", "N2", "N3"))])
    names = ["product", "launch_month", "volume_year_1", "like_product", "cannibalises"]
    rows = [["N1", "2027-01", "90", "N2", "A1"], ["N2", "2026-08", "70", "A1", ""], ["A1", "2026-09", "5", "A2", ""]]
    add(small_workbook, "launches", names, *rows, ["N3", "2027-01", "10", "A1", ""])
    found = read(small_workbook)
    bare, moved = issue(found, "like_without_history", "launches"), issue(found, "launch_month_differs", "launches")
    assert (bare["subject"], bare["quantity"]) == ("N1 (like N2)", 90)
    assert (moved["subject"], moved["rows"]) == ("A1, N2", 2)
    assert "A1, to be launched 2026-09, first sold 2023-11" in moved["finding"]
    assert "N2, to be launched 2026-08, has not sold yet" in moved["finding"]
    assert issue(found, "cannibalised_missing", "launches")["subject"] == "N1 from A1"


def test_a_launch_that_did_not_sell_in_a_year_where_it_was_to_sell(small_workbook):
    edit(small_workbook, "products.csv", lambda rows: [*rows, ["N1", "Beta", "9"]])
    names = ["product", "region", "launch_month", "volume_year_1"]
    rows = [["N1", "", "2025-10", "90"], ["A1", "South", "2025-10", "7"], ["A2", "North", "2025-10", "5"]]
    add(small_workbook, "launches", names, *rows)
    edit(small_workbook, "sales.csv", lambda rows: [r for r in rows if r[1:3] != ["A1", "South"]])
    found = read(small_workbook)
    never = issue(found, "launch_never_sold", "launches")
    assert (never["subject"], never["quantity"]) == ("A1 of 2025-10, N1 of 2025-10", 97)
    assert issue(found, "launch_month_differs", "launches")["subject"] == "A2"


EVENTS = [
    "event",
    "kind",
    "product",
    "family",
    "region",
    "from_month",
    "to_month",
    "uplift_rate",
    "probability",
    "owner",
]


def test_events_that_overlap_are_named_with_their_months(small_workbook):
    rows = [
        ["Deal", "promotion", "A1", "", "North", "2026-12", "2027-03", "0.2", "1", "Marketing manager"],
        ["Fair", "tactic", "", "Alpha", "", "2027-02", "2027-04", "0.1", "1", "Marketing manager"],
        ["Show", "tactic", "", "Alpha", "South", "2026-12", "2026-12", "0.1", "1", "Marketing manager"],
    ]
    add(small_workbook, "events", EVENTS, *rows)
    found = issue(read(small_workbook), "overlapping_events", "events")
    assert (found["subject"], found["rows"]) == ("Deal · Fair", 2)
    assert "in 2027-02 to 2027-03: their effects add up" in found["finding"]


def test_events_without_an_effect_are_named(small_workbook):
    rows = [
        ["Back", "promotion", "A1", "", "", "2027-03", "2027-02", "0.2", "1", "Marketing manager"],
        ["Bare", "promotion", "A2", "", "", "2027-03", "2027-03", "", "1", "Marketing manager"],
        ["Sure", "promotion", "B1", "", "", "2027-03", "2027-03", "0.1", "", "Marketing manager"],
        ["Past", "promotion", "B1", "", "", "2026-03", "2026-03", "", "", "Marketing manager"],
        ["Mute", "one_off", "B1", "", "", "2026-03", "2026-03", "", "1", "Sales manager"],
        ["Shut", "one_off", "B1", "", "", "2026-04", "2026-04", "-1", "1", "Sales manager"],
        ["Told", "one_off", "B1", "", "", "2026-05", "2026-05", "0.5", "1", "Sales manager"],
    ]
    add(small_workbook, "events", EVENTS, *rows)
    found = read(small_workbook).issues
    found = found[found["rule"] == "event_without_effect"]
    assert [text.split(" ")[1] for text in sorted(found["finding"])] == ["Back", "Bare", "Mute", "Shut", "Sure"]
    remedies = found.set_index("finding")["remedy"]
    assert remedies["Event Mute is a past one-off of no size: history keeps it."] == "give uplift_units"
    (lost,) = [text for text in remedies.index if "Shut" in text]
    assert remedies[lost] == "give uplift_units, below zero: what was lost"


def test_a_driver_with_a_gap_or_without_a_future_is_named(small_workbook):
    given = [[m, d, "1.5"] for d in ("rain", "price") for m in ("2026-08", "2026-10")]
    add(small_workbook, "drivers", ["month", "driver", "value"], *given, ["2026-09", "price", "1"])
    found = read(small_workbook).issues
    found = found[found["rule"] == "driver_incomplete"].set_index("subject")["finding"]
    assert sorted(found.index) == ["price · future", "rain · future", "rain · gap"]
    assert found["rain · gap"] == "Driver rain has no value in 2026-09: it is not used."


def test_the_gap_of_one_region_of_a_driver_is_named(small_workbook):
    given = [[m, "rain", r, "1.5"] for r in ("North", "South") for m in ("2026-08", "2026-09", "2026-10", "2026-11")]
    given = [row for row in given if row[1:3] != ["rain", "South"] or row[0] not in ("2026-09", "2026-11")]
    late = [["2026-08", "snow", "North", "1"], ["2026-10", "snow", "South", "1"]]
    add(small_workbook, "drivers", ["month", "driver", "region", "value"], *given, *late)
    found = read(small_workbook).issues
    found = found[found["rule"] == "driver_incomplete"].set_index("subject")["finding"]
    assert sorted(found.index) == ["rain · South · gap", "rain · future", "snow · North · gap", "snow · future"]
    assert found["rain · South · gap"] == "Driver rain · South has no value in 2026-09: it is not used."
    assert "in 2026-09, 2026-10: it is not used" in found["snow · North · gap"]


def test_an_unusual_horizon(small_workbook):
    with (small_workbook / "sop.toml").open("a", encoding="utf-8") as out:
        out.write("\n[planning]\nhorizon_months = 12\n")
    assert issue(read(small_workbook), "unusual_horizon", "sop.toml")["severity"] == "warn"


def test_every_check_is_listed_and_returns_rows_of_data_issues(small_workbook):
    found = read(small_workbook)
    assert inputs.CHECKS == checks.CHECKS | supply_checks.CHECKS | flow_checks.CHECKS
    for check in inputs.CHECKS.values():
        assert check(found.tables, months.month_range(found.cycle, 24)) == []
    assert list(found.issues) == [c for c in tables.table("data_issues").names if c != "cycle"]
