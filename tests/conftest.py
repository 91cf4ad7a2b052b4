"""A small workbook in a folder of its own, for tests that break one thing in it."""

import csv
from pathlib import Path

import nbformat
import pandas as pd
import pytest

from sop_lib import archive, run, settings, steps

pytest_plugins = ["planbook_servers"]

PRODUCTS = [["product", "family", "unit_price"], ["A1", "Alpha", "10"], ["A2", "Alpha", "20"], ["B1", "Beta", "5"]]
SALES = ["month", "product", "region", "ordered", "shipped", "revenue"]
SAMPLE = Path(__file__).parent.parent / "data" / "sample"
MONTHS = [f"{m:%Y-%m}" for m in pd.date_range("2023-11-01", "2026-10-01", freq="MS")]
SOP = '[company]\nname = "Acme"\n\n[inputs.products]\nfile = "products.csv"\n\n[inputs.sales]\nfile = "sales.csv"\n'


def write_rows(path: Path, rows: list[list[str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as out:
        csv.writer(out, lineterminator="\n").writerows(rows)


def write_small_workbook(folder: Path) -> Path:
    """Write a workbook folder: three products in two regions, 36 months to 2026-10, 100 units a month of each."""
    (folder / "inputs").mkdir(parents=True)
    (folder / "sop.toml").write_text(SOP, encoding="utf-8")
    prices = {row[0]: int(row[2]) for row in PRODUCTS[1:]}
    rows = [[m, p, r, "100", "100", str(100 * prices[p])] for m in MONTHS for p in prices for r in ("North", "South")]
    write_rows(folder / "inputs" / "products.csv", PRODUCTS)
    write_rows(folder / "inputs" / "sales.csv", [SALES, *rows])
    return folder


@pytest.fixture
def small_workbook(tmp_path: Path) -> Path:
    """Return a small workbook folder of its own."""
    return write_small_workbook(tmp_path / "acme")


READ_INPUTS = """from sop_lib import archive, inputs, settings
company = settings.load()
inputs.freeze(archive.open_cycle(company, cycle), inputs.read_inputs(company, cycle))"""
WRITE_TABLE = """from sop_lib import archive, settings
book = archive.open_cycle(settings.load(), cycle)
sold = book.read("sales").groupby("month", as_index=False)["ordered"].sum()
book.write("plan_changes", sold.rename(columns={"ordered": "latest"}).assign(family="ALL"))"""


def write_notebook(path: Path, *cells: str) -> Path:
    """Write a notebook with a title, a `parameters` cell and these code cells."""
    v4 = nbformat.v4
    given = v4.new_code_cell('cycle = ""  # type: str  month to plan from', id="c01", metadata={"tags": ["parameters"]})
    code = [v4.new_code_cell(source, id=f"c{n:02d}") for n, source in enumerate(cells, 2)]
    notebook = v4.new_notebook(cells=[v4.new_markdown_cell(f"# {path.stem}", id="c00"), given, *code])
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)
    return path


@pytest.fixture(scope="session")
def tiny_notebooks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with five notebooks that freeze the inputs, write one table, and show the cycle."""
    folder = tmp_path_factory.mktemp("tiny")
    for step, cell in zip(steps.STEPS, [READ_INPUTS, WRITE_TABLE, "1 + 1", "cycle", "cycle"], strict=True):
        write_notebook(folder / f"{step}.ipynb", cell)
    return folder


@pytest.fixture(scope="session")
def sample_run(tmp_path_factory: pytest.TempPathFactory) -> archive.Cycle:
    """Return the sample company's cycle 2026-11, run once for all tests, with plans and reports of its own."""
    place = tmp_path_factory.mktemp("sample")
    folders = {"SOP_PLANS": str(place / "plans"), "SOP_REPORTS": str(place / "reports")}
    company = settings.load(SAMPLE, folders)
    run.run_cycle(company)
    return archive.open_cycle(company)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--refresh-golden", action="store_true", help="write the reference values of the sample anew")
