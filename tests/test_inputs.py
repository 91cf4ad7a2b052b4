"""Bad input stops a run with every problem named; odd input is counted and goes on."""

import csv
import gzip
import lzma
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import write_rows
from hypothesis import HealthCheck, given
from hypothesis import settings as law
from hypothesis import strategies as st

from sop_lib import archive, checks, inputs, months, settings, sources, tables

SHARED = Path(__file__).parent.parent.parent / "shared" / "data" / "iowa_liquor"
ROOT = Path(__file__).parent.parent


def read(folder: Path, cycle: str = "") -> inputs.Inputs:
    return inputs.read_inputs(settings.load(folder, {}), cycle)


def problems(folder: Path, cycle: str = "") -> list[dict]:
    with pytest.raises(inputs.InputError) as error:
        read(folder, cycle)
    assert list(error.value.problems) == ["file", "row", "column", "value", "rule", "remedy"]
    assert error.value.problems["file"].notna().all()
    assert error.value.problems["remedy"].str.len().gt(3).all()
    return error.value.problems.to_dict("records")


def the_problem(folder: Path, cycle: str = "") -> tuple:
    (found,) = problems(folder, cycle)
    return tuple(found.values())


def issue(found: inputs.Inputs, rule: str, table: str = "sales") -> dict:
    rows = found.issues[(found.issues["rule"] == rule) & (found.issues["table"] == table)]
    assert len(rows) == 1, found.issues[["rule", "table"]]
    return rows.iloc[0].to_dict()


def rows_of(folder: Path, file: str) -> list[list[str]]:
    with (folder / "inputs" / file).open(encoding="utf-8", newline="") as source:
        return list(csv.reader(source))


def edit(folder: Path, file: str, change) -> None:
    rows = rows_of(folder, file)
    write_rows(folder / "inputs" / file, change(rows) or rows)


def cell(folder: Path, file: str, row: int, column: str, value: str) -> None:
    """Write one cell; rows are numbered as a spreadsheet shows them."""
    rows = rows_of(folder, file)
    rows[row - 1][rows[0].index(column)] = value
    write_rows(folder / "inputs" / file, rows)


def add(folder: Path, table: str, *rows: list, settings_of: str = "") -> None:
    write_rows(folder / "inputs" / f"{table}.csv", list(rows))
    with (folder / "sop.toml").open("a", encoding="utf-8") as out:
        out.write(f'\n[inputs.{table}]\nfile = "{table}.csv"\n{settings_of}')


def set_sales(folder: Path, keys: str) -> None:
    path = folder / "sop.toml"
    path.write_text(path.read_text("utf-8").split("[inputs.sales]")[0] + f"[inputs.sales]\n{keys}\n", "utf-8")


def text_of(folder: Path, file: str) -> str:
    return (folder / "inputs" / file).read_text("utf-8")


def put(folder: Path, file: str, data: bytes | str) -> None:
    (folder / "inputs" / file).write_bytes(data.encode() if isinstance(data, str) else data)


# -- a company with only products and sales


def test_two_tables_are_enough(small_workbook):
    found = read(small_workbook)
    assert found.cycle == pd.Timestamp("2026-11-01")
    assert found.issues.empty
    assert found.problems.empty
    assert len(found.tables["sales"]) == 216
    assert found.tables["sales"]["customer"].unique().tolist() == ["ALL"]
    assert [t for t, df in found.tables.items() if len(df)] == ["products", "sales"]
    assert list(found.tables) == [t.name for t in tables.tables().values() if t.group == "input"]
    assert list(found.tables["budget"]) == tables.table("budget").names
    assert found.sources["sales.csv"]["rows"] == 216
    assert found.sources["sales.csv"]["sha256"] == archive.file_hash(small_workbook / "inputs" / "sales.csv")


def test_a_frozen_cycle_gives_back_the_tables_and_names_its_files(small_workbook):
    found = read(small_workbook)
    book = archive.open_cycle(settings.load(small_workbook, {}), found.cycle)
    inputs.freeze(book, found)
    pd.testing.assert_frame_equal(book.read("sales"), found.tables["sales"])
    assert book.manifest()["sources"] == found.sources
    assert not book.has("budget")


def test_freezing_again_forgets_a_table_that_is_gone(small_workbook):
    before = (small_workbook / "sop.toml").read_text("utf-8")
    add(small_workbook, "families", ["family", "unit", "strategy"], ["Alpha", "piece", "MTS"], ["Beta", "piece", "MTO"])
    book = archive.open_cycle(settings.load(small_workbook, {}), "2026-11")
    inputs.freeze(book, read(small_workbook))
    assert book.has("families")
    (small_workbook / "sop.toml").write_text(before, "utf-8")
    inputs.freeze(book, read(small_workbook))
    assert not book.has("families")
    assert not (book.folder / "inputs" / "families.parquet").exists()


# -- what stops a run: file, row, column, value, rule, remedy


def test_missing_file_names_the_nearest(small_workbook):
    set_sales(small_workbook, 'file = "sale.csv"')
    file, row, column, value, rule, remedy = the_problem(small_workbook)
    assert (file, row, column, value, rule) == ("sale.csv", None, None, None, "file missing")
    assert "'sales.csv'" in remedy


def test_missing_inputs_folder(small_workbook):
    set_sales(small_workbook, 'file = "sales.csv"\n[folders]\ninputs = "elsewhere"')
    assert {p["rule"] for p in problems(small_workbook)} == {"folder missing: elsewhere"}


def test_a_folder_in_place_of_the_file_is_unreadable(small_workbook):
    (small_workbook / "inputs" / "dir.csv").mkdir()
    set_sales(small_workbook, 'file = "dir.csv"')
    assert the_problem(small_workbook)[4].startswith("cannot be read")


def test_missing_column_names_the_nearest(small_workbook):
    cell(small_workbook, "sales.csv", 1, "product", "prodct")
    file, row, column, value, rule, remedy = the_problem(small_workbook)
    assert (file, row, column, value, rule) == ("sales.csv", 1, "product", None, "column missing")
    assert "'prodct'" in remedy
    assert "[inputs.sales]" in remedy


def test_missing_mapped_column(small_workbook):
    set_sales(small_workbook, 'file = "sales.csv"\ncolumns = {cost = "cogs"}')
    assert the_problem(small_workbook)[:5] == ("sales.csv", 1, "cogs", None, "column missing")


def test_neither_ordered_nor_shipped(small_workbook):
    set_sales(small_workbook, 'file = "sales.csv"\ncolumns = {ordered = "", shipped = ""}')
    file, row, _, _, rule, remedy = the_problem(small_workbook)
    assert (file, row, rule) == ("sales.csv", 1, "neither ordered nor shipped")
    assert "revenue" in remedy


def test_a_row_with_neither_ordered_nor_shipped(small_workbook):
    cell(small_workbook, "sales.csv", 4, "ordered", "")
    assert len(read(small_workbook).tables["sales"]) == 216
    cell(small_workbook, "sales.csv", 4, "shipped", " ")
    expected = ("sales.csv", 4, "ordered", None, "neither ordered nor shipped", "give one of them, 0 for nothing")
    assert the_problem(small_workbook) == expected


BAD_CELLS = [
    ("shipped", "ten", "not a number", "write a number"),
    ("shipped", "12,5", "not a number", 'set decimal = ","'),
    ("shipped", "1.234,5", "not a number", 'set decimal = "," in [inputs.sales]'),
    ("shipped", "1,234.5", "not a number", "thousands"),
    ("shipped", "1,234", "not a number", 'decimal = ","'),
    ("shipped", "#N/A", "not a number", "write a number"),
    ("shipped", "inf", "not finite", "finite"),
    ("month", "31.10.2026", "not a month", 'date_format = "%d.%m.%Y"'),
    ("month", "202610", "not a month", 'date_format = "%Y%m"'),
    ("month", "2026", "not a month", "YYYY-MM"),
    ("month", "2026-13", "not a month", "YYYY-MM"),
    ("product", "A3", "unknown product", "products has A1, A2, B1"),
    ("product", "a1", "unknown product", "add it to products"),
]


@pytest.mark.parametrize(("column", "value", "rule", "remedy"), BAD_CELLS)
def test_a_bad_cell_is_named(small_workbook, column, value, rule, remedy):
    cell(small_workbook, "sales.csv", 217, column, value)
    found = the_problem(small_workbook)
    assert found[:5] == ("sales.csv", 217, column, value, rule)
    assert remedy in found[5]


def test_a_blank_key_is_named(small_workbook):
    cell(small_workbook, "sales.csv", 9, "product", "")
    assert the_problem(small_workbook) == ("sales.csv", 9, "product", None, "blank", "give a value")


def test_a_point_where_the_decimal_is_a_comma(small_workbook):
    rows = rows_of(small_workbook, "sales.csv")
    rows[5][4] = "1.5"
    put(small_workbook, "sales.csv", "\n".join(";".join(r) for r in rows))
    set_sales(small_workbook, 'file = "sales.csv"\nseparator = ";"\ndecimal = ","')
    _, row, column, value, rule, remedy = the_problem(small_workbook)
    assert (row, column, value, rule) == (6, "shipped", "1.5", "not a number")
    assert 'set decimal = "."' in remedy


def test_wrong_separator(small_workbook):
    put(small_workbook, "sales.csv", text_of(small_workbook, "sales.csv").replace(",", ";"))
    file, row, _, _, rule, remedy = the_problem(small_workbook)
    assert (file, row, rule) == ("sales.csv", 1, "one column found, and it contains ';'")
    assert remedy == 'set separator = ";" in [inputs.sales]'
    put(small_workbook, "sales.csv", text_of(small_workbook, "sales.csv").replace(";", "\t"))
    assert the_problem(small_workbook)[5] == 'set separator = "\\t" in [inputs.sales]'


def test_wrong_encoding(small_workbook):
    text = text_of(small_workbook, "products.csv").replace("Beta", "Möbel")
    put(small_workbook, "products.csv", text.encode("cp1252"))
    file, row, _, value, rule, remedy = problems(small_workbook)[0].values()
    assert (file, row, rule) == ("products.csv", 4, "not utf-8 text")
    assert "xf6bel" in value
    assert 'encoding = "cp1252"' in remedy
    put(small_workbook, "products.csv", text.encode("utf-16"))
    assert 'encoding = "utf-16"' in problems(small_workbook)[0]["remedy"]


def test_utf8_read_as_something_else(small_workbook):
    put(small_workbook, "products.csv", text_of(small_workbook, "products.csv").replace("Beta", "Möbel"))
    path = small_workbook / "sop.toml"
    path.write_text(path.read_text("utf-8").replace('"products.csv"', '"products.csv"\nencoding = "latin-1"'), "utf-8")
    assert problems(small_workbook)[0]["rule"] == "UTF-8 text read as latin-1"


def test_duplicate_key(small_workbook):
    edit(small_workbook, "sales.csv", lambda rows: [*rows, rows[1]])
    found = problems(small_workbook)
    assert [p["row"] for p in found] == [2, 218]
    assert found[0]["column"] == "month + product + region"
    assert found[0]["rule"] == "key occurs more than once"
    assert "A1" in found[0]["value"]


def test_product_in_two_families(small_workbook):
    edit(small_workbook, "products.csv", lambda rows: [*rows, ["A1", "Beta", "10"]])
    rules = {(p["row"], p["column"], p["rule"]) for p in problems(small_workbook)}
    assert (5, "family", "product in two families") in rules
    assert (2, "product", "key occurs more than once") in rules


def test_unknown_region_family_and_successor(small_workbook):
    edit(small_workbook, "products.csv", lambda r: [[*r[0], "successor"], [*r[1], "A9"], *([*x, ""] for x in r[2:])])
    head = ["month", "family", "region", "quantity", "revenue"]
    add(small_workbook, "budget", head, ["2026-11", "Alhpa", "North", "1", "1"], ["2026-11", "Beta", "Nort", "1", "1"])
    found = [tuple(p.values()) for p in problems(small_workbook)]
    assert [f[:5] for f in found] == [
        ("budget.csv", 2, "family", "Alhpa", "unknown family"),
        ("budget.csv", 3, "region", "Nort", "unknown region"),
        ("products.csv", 2, "successor", "A9", "unknown product"),
    ]
    assert "did you mean 'Alpha'?" in found[0][5]
    assert "did you mean 'North'?" in found[1][5]


def test_product_or_family(small_workbook):
    head = ["event", "kind", "product", "family", "from_month", "to_month", "owner"]
    end = ["2026-11", "2026-12", "role"]
    rows = [["e1", "tactic", "A1", "", *end], ["e2", "tactic", "", "Beta", *end]]
    add(small_workbook, "events", head, *rows)
    events = read(small_workbook).tables["events"]
    assert events[["product", "family"]].values.tolist() == [["A1", "Alpha"], ["ALL", "Beta"]]
    rows += [["e3", "tactic", "", "", *end], ["e4", "fun", "A1", "Beta", *end]]
    write_rows(small_workbook / "inputs" / "events.csv", [head, *rows])
    assert [(p["row"], p["column"], p["rule"]) for p in problems(small_workbook)] == [
        (4, "product", "neither product nor family"),
        (5, "family", "not the product's family"),
        (5, "kind", "not one of promotion, tactic, account, person, one_off"),
    ]


@pytest.mark.parametrize("text", ["", "\n", "month,product,ordered\n"])
def test_empty_file(small_workbook, text):
    put(small_workbook, "sales.csv", text)
    file, _, _, _, rule, _ = the_problem(small_workbook)
    assert file == "sales.csv"
    assert rule in ("empty file", "no row below the header")


def test_an_optional_table_may_have_no_rows(small_workbook):
    add(small_workbook, "launches", ["product", "launch_month", "volume_year_1"])
    assert issue(read(small_workbook), "no_rows", "launches")["severity"] == "info"


def test_required_table_without_a_source(small_workbook):
    path = small_workbook / "sop.toml"
    path.write_text(path.read_text("utf-8").split("[inputs.sales]")[0], "utf-8")
    file, _, column, _, rule, remedy = the_problem(small_workbook)
    assert (file, column, rule) == ("sop.toml", "sales", "required table without a source")
    assert "[inputs.sales]" in remedy


@pytest.mark.parametrize("cycle", ["2026-13", "november", "2026-11-05", "2026/11"])
def test_a_cycle_that_is_no_month(small_workbook, cycle):
    assert the_problem(small_workbook, cycle)[2:5] == ("cycle", cycle, "not a month")


@pytest.mark.parametrize("cycle", ["2023-11", "2019-01"])
def test_a_cycle_without_sales_before_it(small_workbook, cycle):
    file, _, column, value, rule, remedy = the_problem(small_workbook, cycle)
    assert (file, column, value, rule) == ("sales.csv", "cycle", cycle, "no sales before the cycle")
    assert "2023-11 to 2026-10" in remedy


def test_sales_that_are_all_zero_before_the_cycle(small_workbook):
    def zero(rows):
        for r in rows[1:]:
            r[3:] = ["0"] * len(r[3:]) if r[0] < "2026-10" else r[3:]

    edit(small_workbook, "sales.csv", zero)
    file, row, column, value, rule, remedy = the_problem(small_workbook, "2026-10")
    assert (file, row, column, value) == ("sales.csv", None, "ordered", "0")
    assert rule == "every quantity before 2026-10 is zero: there is no history to plan from"
    assert "choose a later cycle" in remedy
    assert read(small_workbook).cycle == pd.Timestamp("2026-11-01")


def test_a_folder_that_cannot_be_written(small_workbook):
    (small_workbook / "plans").write_text("in the way")
    assert the_problem(small_workbook)[:5] == ("plans", None, None, None, "folder cannot be written")


def test_limits_and_choices(small_workbook):
    head = ["family", "unit", "strategy", "fill_target", "frozen_months"]
    add(small_workbook, "families", head, ["Alpha", "piece", "MTZ", "95", "1.5"], ["Beta", "piece", "MTS", "-0.1", "2"])
    assert [(p["row"], p["column"], p["value"], p["rule"]) for p in problems(small_workbook)] == [
        (2, "fill_target", "95", "above 1"),
        (2, "frozen_months", "1.5", "not a whole number"),
        (2, "strategy", "MTZ", "not one of MTS, MTO, ATO"),
        (3, "fill_target", "-0.1", "below 0"),
    ]


def test_many_problems_at_once_are_all_listed(small_workbook):
    cell(small_workbook, "sales.csv", 2, "shipped", "ten")
    cell(small_workbook, "sales.csv", 3, "month", "soon")
    cell(small_workbook, "sales.csv", 4, "product", "Z9")
    cell(small_workbook, "sales.csv", 5, "ordered", "1,5")
    edit(small_workbook, "sales.csv", lambda rows: [*rows, rows[9]])
    cell(small_workbook, "products.csv", 3, "unit_price", "-4")
    add(small_workbook, "budget", ["month", "family", "quantity", "revenue"], ["2026-11", "Gamma", "x", "1"])
    add(small_workbook, "families", ["family", "unit"], ["Alpha", "piece"])
    with (small_workbook / "sop.toml").open("a", encoding="utf-8") as out:
        out.write('\n[inputs.inventory]\nfile = "stock.csv"\n')
    found = {(p["file"], p["row"], p["column"], p["rule"]) for p in problems(small_workbook, "2026-99")}
    key = "month + product + region"
    assert found == {
        ("sales.csv", 2, "shipped", "not a number"),
        ("sales.csv", 3, "month", "not a month"),
        ("sales.csv", 4, "product", "unknown product"),
        ("sales.csv", 5, "ordered", "not a number"),
        ("sales.csv", 10, key, "key occurs more than once"),
        ("sales.csv", 218, key, "key occurs more than once"),
        ("products.csv", 3, "unit_price", "below 0"),
        ("budget.csv", 2, "family", "unknown family"),
        ("budget.csv", 2, "quantity", "not a number"),
        ("families.csv", 1, "strategy", "column missing"),
        ("stock.csv", None, None, "file missing"),
        ("--cycle", None, "cycle", "not a month"),
    }


def test_the_message_groups_rows_and_names_the_remedy(small_workbook):
    for row in range(2, 12):
        cell(small_workbook, "sales.csv", row, "shipped", "1,5")
    with pytest.raises(inputs.InputError) as error:
        read(small_workbook)
    lines = str(error.value).splitlines()
    assert len(lines) == 2
    assert "sales.csv, row 2, 3, 4, 5, 6 and 5 more, column shipped: '1,5': not a number" in lines[1]
    assert lines[1].endswith('set decimal = "," in [inputs.sales]')


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
    add(small_workbook, "drivers", ["month", "driver", "value"], ["2026-09", "rain", "3"], ["2026-10", "rain", "4"])
    launches = ["product", "launch_month", "volume_year_1", "low", "high"]
    add(small_workbook, "launches", launches, ["B1", "2027-01", "100", "80", ""])
    found = read(small_workbook)
    drivers, launch = issue(found, "not_used_yet", "drivers"), issue(found, "not_used_yet", "launches")
    assert (drivers["severity"], drivers["rows"], drivers["subject"]) == ("info", 2, "drivers")
    assert (launch["severity"], launch["rows"], launch["subject"]) == ("info", 1, "low")
    assert len(found.tables["drivers"]) == 2


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


def test_sold_products_without_any_price(small_workbook):
    edit(small_workbook, "sales.csv", lambda rows: [r[:5] for r in rows])
    cell(small_workbook, "products.csv", 4, "unit_price", "")
    found = issue(read(small_workbook), "price_missing", "products")
    assert (found["subject"], found["quantity"]) == ("B1", 12 * 200)


def test_an_unusual_horizon(small_workbook):
    with (small_workbook / "sop.toml").open("a", encoding="utf-8") as out:
        out.write("\n[planning]\nhorizon_months = 12\n")
    assert issue(read(small_workbook), "unusual_horizon", "sop.toml")["severity"] == "warn"


def test_every_check_is_listed_and_returns_rows_of_data_issues(small_workbook):
    found = read(small_workbook)
    assert inputs.CHECKS is checks.CHECKS
    for check in checks.CHECKS.values():
        assert check(found.tables, months.month_range(found.cycle, 24)) == []
    assert list(found.issues) == [c for c in tables.table("data_issues").names if c != "cycle"]


# -- finer than a month


def daily(folder: Path, days: pd.DatetimeIndex) -> None:
    rows = [[f"{d:%Y-%m-%d}", "A1", "North", "2", "2", "20"] for d in days]
    write_rows(
        folder / "inputs" / "sales.csv", [["month", "product", "region", "ordered", "shipped", "revenue"], *rows]
    )


def test_daily_sales_are_summed_to_months(small_workbook):
    daily(small_workbook, pd.date_range("2024-01-01", "2026-10-31"))
    found = read(small_workbook)
    october = found.tables["sales"].set_index("month").loc["2026-10-01"]
    assert (october["ordered"], october["revenue"]) == (62, 620)
    assert issue(found, "finer_than_months")["rows"] == 1035
    assert found.cycle == pd.Timestamp("2026-11-01")
    assert "month_ends_early" not in found.issues["rule"].tolist()


def test_daily_sales_that_stop_within_the_month(small_workbook):
    daily(small_workbook, pd.date_range("2024-01-01", "2026-10-14"))
    found = issue(read(small_workbook), "month_ends_early")
    assert found["subject"] == "2026-10"
    assert "2026-10-14" in found["finding"]


def test_the_same_day_twice_is_a_duplicate_key(small_workbook):
    daily(small_workbook, pd.DatetimeIndex(["2024-01-01", "2024-01-02", "2024-01-02"]))
    assert [p["row"] for p in problems(small_workbook)] == [3, 4]


def test_weeks_are_said_to_count_whole(small_workbook):
    daily(small_workbook, pd.date_range("2024-01-01", "2026-10-26", freq="W-MON"))
    assert issue(read(small_workbook), "finer_than_months")["severity"] == "warn"


def test_stocks_take_the_last_and_prices_the_mean(small_workbook):
    stocks = [["30", "A1", "7"], ["02", "A1", "3"], ["02", "A2", "4"], ["30", "B1", "0"]]
    add(small_workbook, "inventory", ["month", "product", "on_hand"], *([f"2026-10-{d}", *s] for d, *s in stocks))
    add(small_workbook, "prices", ["month", "product", "price", "cost"],
        ["2026-10-01", "A1", "10", "4"], ["2026-10-15", "A1", "12", "4"])  # fmt: skip
    found = read(small_workbook).tables
    assert found["inventory"].set_index("product")["on_hand"].to_dict() == {"A1": 7, "A2": 4, "B1": 0}
    assert found["prices"]["price"].tolist() == [11]


def test_month_ends_are_months(small_workbook):
    edit(small_workbook, "sales.csv", lambda rows: [rows[0], *([f"{r[0]}-28", *r[1:]] for r in rows[1:])])
    found = read(small_workbook)
    assert len(found.tables["sales"]) == 216
    assert found.issues.empty


# -- files as they come


def test_packed_files_and_a_byte_order_mark(small_workbook):
    text = text_of(small_workbook, "sales.csv")
    expected = read(small_workbook).tables["sales"]
    for file, data in {
        "a.csv": b"\xef\xbb\xbf" + text.encode(),
        "b.csv.gz": gzip.compress(text.encode()),
        "c.csv.xz": lzma.compress(text.encode()),
        "d.csv": text.replace("\n", "\r\n").encode(),
    }.items():
        put(small_workbook, file, data)
        set_sales(small_workbook, f'file = "{file}"')
        pd.testing.assert_frame_equal(read(small_workbook).tables["sales"], expected)


def test_a_german_export(small_workbook):
    rows = [["Monat", "Artikel", "Gebiet", "Bestellt", "Umsatz"]]
    rows += [[f"31.{m:02}.2025", "A1", "Süd", "1.234,5", "-2,25"] for m in (1, 3, 5, 7, 8, 10, 12)]
    put(small_workbook, "export.csv", "\n".join(";".join(r) for r in rows).encode("cp1252"))
    columns = (
        'columns = {month = "Monat", product = "Artikel", region = "Gebiet", ordered = "Bestellt", revenue = "Umsatz"}'
    )
    form = 'separator = ";"\ndecimal = ","\nthousands = "."\nencoding = "cp1252"\ndate_format = "%d.%m.%Y"'
    set_sales(small_workbook, f'file = "export.csv"\n{columns}\n{form}')
    sales = read(small_workbook).tables["sales"]
    assert sales["region"].unique().tolist() == ["Süd"]
    assert sales["ordered"].unique().tolist() == [1234.5]
    assert sales["revenue"].unique().tolist() == [-2.25]
    assert sales["month"].dt.month.tolist() == [1, 3, 5, 7, 8, 10, 12]


def test_sql_over_files_names_problems_by_key(small_workbook):
    query = "SELECT month, product, 'ALL' AS region, sum(shipped) AS shipped FROM sales GROUP BY ALL"
    set_sales(small_workbook, f'sql = "{query}"\nfiles = ["sales.csv"]')
    sales = read(small_workbook).tables["sales"]
    assert len(sales) == 108
    assert sales["shipped"].unique().tolist() == [200]
    cell(small_workbook, "sales.csv", 2, "product", "Z")
    file, row, column, value, rule, _ = the_problem(small_workbook)
    assert (file, row) == ("sql of [inputs.sales]", "2023-11 · Z · ALL")
    assert (column, value, rule) == ("product", "Z", "unknown product")


def test_hostile_names_survive(small_workbook):
    names = [
        '<script>alert("x")</script>',
        "a|b $x_1$ =1+1",
        "line one\nline two",
        "'; DROP TABLE sales; --",
        "NA",
        "007",
    ]
    edit(small_workbook, "products.csv", lambda rows: [*rows, *([n, f"F {n}", "1"] for n in names)])
    edit(small_workbook, "sales.csv", lambda rows: [*rows, *(["2026-10", n, "North", "1", "1", "1"] for n in names)])
    found = read(small_workbook)
    assert set(names) <= set(found.tables["products"]["product"])
    book = archive.open_cycle(settings.load(small_workbook, {}), found.cycle)
    inputs.freeze(book, found)
    assert set(names) <= set(book.read("sales")["product"])
    set_sales(small_workbook, "sql = 'SELECT * FROM sales'\nfiles = ['sales.csv']")
    pd.testing.assert_frame_equal(read(small_workbook).tables["sales"], found.tables["sales"])


@pytest.mark.parametrize("cycle", ["2019-01", "2020-11"])
def test_iowa_reads_by_settings_alone(cycle, tmp_path):
    if not SHARED.is_dir():
        pytest.skip("the real data are not beside the repository")
    environment = {"SOP_INPUTS": str(SHARED), "SOP_PLANS": str(tmp_path)}
    found = inputs.read_inputs(settings.load(ROOT / "data" / "iowa_liquor", environment), cycle)
    later = found.issues.loc[found.issues["rule"] == "after_closing_month", "money"].sum()
    assert found.cycle == pd.Timestamp(cycle)
    assert found.tables["sales"]["revenue"].sum() + later == pytest.approx(1_886_345_800.90, abs=0.01)
    assert "(category missing)" in found.tables["products"]["product"].tolist()
    assert (later > 0) == (cycle == "2019-01")


# -- laws

NAMES = st.text(st.characters(blacklist_categories=("Cs", "Cc")), min_size=1, max_size=8).map(str.strip).filter(
    lambda t: t not in ("", "ALL")
)  # fmt: skip
UNITS = st.floats(-1e9, 1e9, allow_nan=False).map(lambda x: float(f"{x:.6g}"))


@law(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(st.tuples(NAMES, NAMES), UNITS, min_size=1, max_size=6).filter(lambda cells: any(cells.values()))
)
def test_reading_what_was_written_gives_the_same_table(small_workbook, cells):
    wanted = pd.DataFrame([(p, r, u) for (p, r), u in cells.items()], columns=["product", "region", "shipped"])
    wanted.insert(0, "month", "2026-10")
    products = sorted(set(wanted["product"]))
    write_rows(small_workbook / "inputs" / "products.csv", [["product", "family"], *([p, "F"] for p in products)])
    wanted.to_csv(small_workbook / "inputs" / "sales.csv", index=False)
    found = read(small_workbook).tables["sales"]
    pd.testing.assert_frame_equal(found, tables.check("sales", wanted))
    found.to_csv(small_workbook / "inputs" / "sales.csv", index=False)
    pd.testing.assert_frame_equal(read(small_workbook).tables["sales"], found)


def test_the_order_of_rows_changes_nothing(small_workbook):
    expected = read(small_workbook)
    order = np.random.default_rng(3).permutation(216)
    edit(small_workbook, "sales.csv", lambda rows: [rows[0], *(rows[1 + i] for i in order)])
    pd.testing.assert_frame_equal(read(small_workbook).tables["sales"], expected.tables["sales"])


def test_problem_columns_are_the_stated_six():
    assert sources.PROBLEM == ["file", "row", "column", "value", "rule", "remedy"]
