"""Files as they come: daily, weekly, packed, foreign, by SQL."""

import gzip
import lzma
from pathlib import Path

import pandas as pd
import pytest
from conftest import write_rows
from workbook_edits import add, cell, edit, issue, problems, put, read, set_sales, text_of, the_problem

from sop_lib import archive, inputs, settings

SHARED = Path(__file__).parent.parent.parent / "shared" / "data" / "iowa_liquor"
ROOT = Path(__file__).parent.parent


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
