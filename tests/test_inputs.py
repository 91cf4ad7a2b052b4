"""Bad input stops a run with every problem named; odd input is counted and goes on."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import write_rows
from hypothesis import HealthCheck, given
from hypothesis import settings as law
from hypothesis import strategies as st
from workbook_edits import add, cell, edit, issue, problems, put, read, rows_of, set_sales, text_of, the_problem

from sop_lib import archive, inputs, settings, sources, tables

SHARED = Path(__file__).parent.parent.parent / "shared" / "data" / "iowa_liquor"
ROOT = Path(__file__).parent.parent


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


def test_the_message_groups_rows_and_names_the_remedy(small_workbook):
    for row in range(2, 12):
        cell(small_workbook, "sales.csv", row, "shipped", "1,5")
    with pytest.raises(inputs.InputError) as error:
        read(small_workbook)
    lines = str(error.value).splitlines()
    assert len(lines) == 2
    assert "sales.csv, row 2, 3, 4, 5, 6 and 5 more, column shipped: '1,5': not a number" in lines[1]
    assert lines[1].endswith('set decimal = "," in [inputs.sales]')


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
