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


@pytest.mark.parametrize("share", ["0", "1"])
def test_a_promise_of_nothing_or_of_everything(small_workbook, share):
    add(small_workbook, "families", ["family", "unit", "strategy", "fill_target"], ["Alpha", "piece", "MTS", share])
    (found,) = problems(small_workbook)
    assert (found["file"], found["row"], found["column"]) == ("families.csv", 2, "fill_target")
    assert float(found["value"]) == float(share)
    assert found["rule"] == "not above 0 and below 1"
    assert found["remedy"] == "give a number above 0 and below 1"


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


CHANGE = ["change", "product", "effective_month", "successor"]


def test_a_chain_of_successors_in_a_circle_is_refused_wherever_it_closes(small_workbook):
    heirs = ["successor", "A2", "", ""]
    edit(small_workbook, "products.csv", lambda rows: [[*r, s] for r, s in zip(rows, heirs, strict=True)])
    add(small_workbook, "engineering_changes", CHANGE, ["E1", "A2", "2027-01", "A1"], ["E2", "B1", "2027-01", "A1"])
    remedy = "leave successor blank at the product that stays, in "
    assert [tuple(p.values()) for p in problems(small_workbook)] == [
        ("engineering_changes.csv", 2, "successor", "A1", "successors run in a circle", remedy + "A2 > A1 > A2"),
        ("products.csv", 2, "successor", "A2", "successors run in a circle", remedy + "A1 > A2 > A1"),
    ]


def test_a_circle_counts_the_changes_ahead_alone_and_the_earliest_of_a_product(small_workbook):
    heirs = ["successor", "A2", "A1", ""]
    edit(small_workbook, "products.csv", lambda rows: [[*r, s] for r, s in zip(rows, heirs, strict=True)])
    gone, first, later = ["E1", "A1", "2024-01", "B1"], ["E2", "A1", "2027-01", "B1"], ["E3", "A1", "2027-02", "A2"]
    add(small_workbook, "engineering_changes", CHANGE, gone, later)
    assert {(p["file"], p["row"]) for p in problems(small_workbook)} == {
        ("products.csv", 2), ("products.csv", 3), ("engineering_changes.csv", 3)
    }  # fmt: skip
    edit(small_workbook, "engineering_changes.csv", lambda rows: [*rows, first])
    read(small_workbook)


def test_a_launch_is_like_itself_only_in_another_region(small_workbook):
    names = ["product", "region", "launch_month", "volume_year_1", "like_product"]
    add(small_workbook, "launches", names, ["A1", "", "2027-01", "9", "A1"], ["A2", "North", "2027-01", "9", "A2"])
    found = [(p["row"], p["column"], p["rule"]) for p in problems(small_workbook)]
    assert found == [(2, "like_product", "a launch cannot be like itself")]


def test_a_launch_outside_its_own_range_from_itself_or_of_an_unknown_product_is_refused(small_workbook):
    names = ["product", "launch_month", "volume_year_1", "low", "high", "cannibalises", "cannibalised"]
    rows = [["A1", "2027-01", "9", "10", "20", "A1", "0.5"], ["A9", "2027-01", "9", "", "", "A2", "1.5"]]
    add(small_workbook, "launches", names, *rows)
    found = {(p["row"], p["column"], p["rule"]) for p in problems(small_workbook)}
    assert found == {
        (2, "volume_year_1", "not between low and high"),
        (2, "cannibalises", "a launch cannot take from itself"),
        (3, "product", "unknown product"),
        (3, "cannibalised", "above 1"),
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
