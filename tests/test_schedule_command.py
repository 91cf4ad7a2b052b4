"""The hand-off of the approved rates as a file, and what a schedule that comes back is told."""

import csv
import hashlib
import json
import shutil
import subprocess
from pathlib import Path

import pandas as pd
import pytest
from conftest import write_small_workbook
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from sop_lib import archive, cli, months, returned_schedule, schedule_file, settings

NOV = months.month("2026-11")
HOSTILE = '=cmd|" /C calc"!A1'
PRODUCTS = [
    ("G1", "Grills"),
    ("G2", "Grills"),
    (HOSTILE, "-Lamps; 5,0"),
    ("'quoted", "-Lamps; 5,0"),
    ("Ölofen ½", "Öfen"),
]
RATES = {"Grills": 300.0, "-Lamps; 5,0": 40.0, "Öfen": 7.0}
PLACES = {"plant": "@Tarn", "source": "regular"}


def rows() -> pd.DataFrame:
    """Return three months of each product, an equal part of its family's rate."""
    parts = [
        {"month": m, "family": f, "product": p, "quantity": RATES[f] / sum(g == f for _, g in PRODUCTS), **PLACES}
        for m in months.month_range(NOV, 3) for p, f in PRODUCTS
    ]  # fmt: skip
    return pd.DataFrame(parts).assign(scenario="base", share=0.5, rule="by hand")


@pytest.fixture(scope="module")
def closed(tmp_path_factory) -> Path:
    """Return a workbook with a cycle that was closed as version 1 and reopened with other rates."""
    folder = write_small_workbook(tmp_path_factory.mktemp("closed") / "acme")
    book = archive.Cycle(settings.load(folder, {}), NOV)
    book.write("products", pd.DataFrame(PRODUCTS, columns=["product", "family"]))
    book.write("master_schedule", rows())
    book.write_manifest(book.manifest() | {"status": "closed"})
    archive.freeze_version(book)
    book.write_manifest(book.manifest() | {"status": "draft", "version": 2})
    book.write("master_schedule", rows().assign(quantity=1.0))
    return folder


@pytest.fixture
def sop(closed, tmp_path, monkeypatch):
    """Return what runs `sop schedule` on a copy of the workbook, from a folder with nothing but it."""
    shutil.copytree(closed, tmp_path / "acme")
    monkeypatch.chdir(tmp_path)
    return lambda *words: CliRunner().invoke(cli.app, ["schedule", "acme", *map(str, words)])


def written(path: str = "plan.csv") -> list[list[str]]:
    return list(csv.reader(Path(path).read_text(encoding="utf-8").splitlines()))


def save(lines: list[list], path: str = "back.csv", separator: str = ",", encoding: str = "utf-8") -> str:
    with Path(path).open("w", encoding=encoding, newline="") as out:
        csv.writer(out, delimiter=separator).writerows(lines)
    return path


# Out


def test_the_approved_rates_go_out_with_checksum_and_sums(sop):
    done = sop("--to", "plan.csv")
    assert done.exit_code == 0, done.output
    assert "2026-11, version 1, approved plan of record" in done.stdout
    assert "Grills\t900" in done.stdout
    assert done.stdout.splitlines()[-1] == "plan.csv"
    head, *lines = written()
    assert head == ["cycle", "version", "month", "family", "product", "plant", "source", "quantity"]
    assert lines[0] == ["2026-11", "1", "2026-11-01", "'-Lamps; 5,0", "''quoted", "'@Tarn", "regular", "20"]
    assert len(lines) == 15
    manifest = json.loads(Path("plan.csv.json").read_text(encoding="utf-8"))
    assert manifest["sha256"] == hashlib.sha256(Path("plan.csv").read_bytes()).hexdigest()
    assert manifest["standing"] == "approved"
    assert manifest["sums"]["Grills"] == {"2026-11": 300, "2026-12": 300, "2027-01": 300}
    if shutil.which("sha256sum"):
        assert subprocess.run(["sha256sum", "-c", "plan.csv.sha256"], check=False).returncode == 0
    assert not [p.name for p in Path().iterdir() if p.name.startswith(".")]


def test_no_cell_of_the_file_runs_in_a_spreadsheet(sop):
    sop("--to", "plan.csv")
    assert not [cell for line in written() for cell in line if cell[:1] in tuple("=+-@\t\r")]


def test_the_same_plan_gives_the_same_bytes(sop):
    sop("--to", "plan.csv")
    before = Path("plan.csv").read_bytes()
    assert sop("--to", "plan.csv").exit_code == 0
    assert Path("plan.csv").read_bytes() == before


def test_a_draft_is_called_a_draft(sop):
    shutil.rmtree("acme/plans/2026-11/v1")
    done = sop("--to", "plan.csv")
    assert "version 2, DRAFT, not approved" in done.stdout
    assert json.loads(Path("plan.csv.json").read_text())["standing"] == "draft"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "say either --to FILE.csv"),
        (["--to", "a.csv", "--check", "b.csv"], "say either --to FILE.csv"),
        (["--to", "acme"], "cannot be written"),
        (["--cycle", "2026-10", "--to", "a.csv"], "no master schedule; run the cycle"),
        (["--cycle", "soon", "--to", "a.csv"], "write YYYY-MM"),
        (["--check", "none.csv"], "cannot be read"),
    ],
)
def test_what_cannot_be_done_says_why(sop, words, said):
    done = sop(*words)
    assert done.exit_code == 2
    assert said in done.output
    assert not Path("a.csv").exists()


# Back


def test_the_file_as_it_went_out_honours_the_plan(sop):
    sop("--to", "plan.csv")
    done = sop("--check", "plan.csv")
    assert done.exit_code == 0, done.output
    assert "The file is as it was handed off." in done.stdout
    assert "9 of 9 months of families are as planned" in done.stdout
    assert done.stdout.splitlines()[-1] == "The schedule honours the plan."


def test_a_changed_file_is_named_and_may_still_honour_the_plan(sop):
    sop("--to", "plan.csv")
    head, *lines = written()
    at = [n for n, line in enumerate(lines) if line[2] == "2026-12-01" and line[4] in ("G1", "G2")]
    for n, quantity in zip(at, ("149", "152"), strict=True):
        lines[n][-1] = quantity
    save([head, *lines], "plan.csv")
    done = sop("--check", "plan.csv")
    assert done.exit_code == 0, done.output  # 301 of 300, half a percent of which is 1.5
    assert "The file was changed after it was handed off; that is fine" in done.stdout


def test_a_schedule_that_leaves_the_plan_is_told_where(sop):
    sop("--to", "plan.csv")
    head, *lines = written()
    lines = [line for line in lines if line[3] != "Öfen" and line[2] != "2027-01-01"]
    lines[-1][-1] = "160"
    save([head, *lines])
    done = sop("--check", "back.csv")
    assert done.exit_code == 2
    assert "2026-12\tGrills\t300\t310\t10\t1.5\tmore than planned" in done.stdout
    assert "2026-11\tÖfen\t7\t0\t-7\t1\tnot in the schedule" in done.stdout
    assert "3 of 6 months of families are as planned" in done.stdout
    assert "Scheduled are Nov 2026 to Dec 2026; the plan goes on to Jan 2027." in done.stdout
    assert "does not honour the plan" in done.stderr


def test_every_problem_of_a_file_is_said_at_once(sop):
    save(
        [
            ["Quantity", "remark", "PRODUCT", "Family", "month"],
            ["300", "", "G1", "", "2026-11"],
            ["many", "", "G1", "", "2026-12"],
            ["-5", "", "G1", "", "2026-12"],
            ["1", "", "G7", "", "2026-12"],
            ["1", "", "", "Lamps", "2026-12"],
            ["1", "", "G1", "Öfen", "2026-12"],
            ["1", "", "G1", "", "soon"],
            ["1", "", "G1", "", "2031-01"],
            ["1,5", "", "G1", "", "2026-12"],
        ]
    )
    done = sop("--check", "back.csv")
    assert done.exit_code == 2
    for said in (
        "3\tquantity\tmany\tnot a number", "4\tquantity\t-5\tbelow zero",
        "5\tproduct\tG7\tnot a product of the plan\tdid you mean", "6\tfamily\tLamps\tnot a family",
        "7\tfamily\tÖfen\tnot the family of G1\tit is Grills", "8\tmonth\tsoon\tnot a month\twrite YYYY-MM",
        "9\tmonth\t2031-01\tnot a month of the plan", "10\tquantity\t1,5\tnot a number",
    ):  # fmt: skip
        assert said in done.stdout
    assert "2026-11\tÖfen\t7\t0\t-7\t1\tnot in the schedule" in done.stdout


def test_a_spreadsheet_may_save_it_its_own_way(sop):
    """Semicolons, a byte order mark, decimal commas, thousands with dots, months in words, blank rows, other order."""
    lines = [["month", "family", "quantity"]]
    lines += [[m, f, q] for m in ("Nov-26", "01.12.2026", "1/1/2027")
              for f, q in (("Öfen", "7,0"), ("Grills", "300,25"), ("'-Lamps; 5,0", "40"))]  # fmt: skip
    save([*lines, ["", "", ""]], separator=";", encoding="utf-8-sig")
    assert sop("--check", "back.csv").exit_code == 0
    save([[c.replace(",", ".") if n else c for c in line] for n, line in enumerate(lines)], separator="\t")
    done = sop("--check", "back.csv")
    assert "not a family of the plan" in done.stdout  # the dot in the name of the lamps is another name
    save(lines, separator=";", encoding="cp1252")
    assert sop("--check", "back.csv").exit_code == 0


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "column missing: month, quantity, product (or family); it is empty"),
        (b"month;units\n2026-11;4\n", "column missing: quantity, product (or family); its first row reads"),
        (b"PK\x03\x04\x00\x00", "not a CSV file"),
        (b'month,family,quantity\n"2026-11,Grills,1', "no row that could be compared"),
        (b"month,family,quantity\n", "no row that could be compared"),
    ],
)
def test_a_file_that_is_no_schedule_says_what_it_lacks(sop, data, said):
    Path("back.csv").write_bytes(data)
    done = sop("--check", "back.csv")
    assert done.exit_code == 2
    assert said in done.output


def test_a_file_from_another_version_is_named(sop):
    sop("--to", "plan.csv")
    manifest = json.loads(Path("plan.csv.json").read_text(encoding="utf-8"))
    Path("plan.csv.json").write_text(json.dumps(manifest | {"version": 7}), encoding="utf-8")
    assert "handed off from 2026-11, version 7, not from this plan" in sop("--check", "plan.csv").stdout
    Path("plan.csv.json").write_text("[", encoding="utf-8")
    assert "nothing is said about its origin" in sop("--check", "plan.csv").stdout


@given(st.text(st.characters(exclude_categories=("Cs",)), max_size=12))
def test_any_name_comes_back_as_it_went(name):
    assert schedule_file.without_marks(schedule_file.marked(name)) == name
    assert schedule_file.marked(name)[:1] not in tuple("=+-@\t\r")


def test_the_limit_is_a_unit_or_half_a_percent():
    def off(planned: float, made: float) -> bool:
        one = {"month": [NOV], "family": ["A"]}
        both = returned_schedule.compared(
            pd.DataFrame(one | {"quantity": [planned]}), pd.DataFrame(one | {"quantity": [made]})
        )
        return both["finding"].iloc[0] != "as planned"

    assert [off(10, 11), off(10, 11.01), off(1000, 1005), off(1000, 994.9), off(0, 1)] == [
        False, True, False, True, False,
    ]  # fmt: skip
