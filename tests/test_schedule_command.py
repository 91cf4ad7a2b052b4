"""The hand-off of the approved rates as a file, and what a schedule that comes back is told."""

import csv
import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
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


def test_a_file_that_somebody_changed_or_sent_is_never_written_over(sop):
    Path("back.csv").write_text("month,family,quantity\n2026-11,Grills,300\n", encoding="utf-8")
    before = Path("back.csv").read_bytes()
    done = sop("--to", "back.csv")
    assert done.exit_code == 2
    assert "this command did not write" in done.output
    assert Path("back.csv").read_bytes() == before
    assert not Path("back.csv.json").exists()
    sop("--to", "plan.csv")
    Path("plan.csv").write_text(Path("plan.csv").read_text(encoding="utf-8") + "\n", encoding="utf-8")
    assert sop("--to", "plan.csv").exit_code == 2
    Path("plan.csv").unlink()
    assert sop("--to", "plan.csv").exit_code == 0


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_what_is_no_file_is_never_replaced(sop):
    os.mkfifo("pipe.csv")
    os.mkfifo("a.csv.json")
    Path("link.csv").symlink_to("elsewhere.csv")
    for name in ("pipe.csv", "link.csv", "a.csv"):
        done = sop("--to", name)
        assert done.exit_code == 2
        assert "is not a file" in done.output
    assert Path("pipe.csv").is_fifo()
    assert Path("a.csv.json").is_fifo()
    assert not Path("a.csv").exists()


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
    for broken in ("[", "[1]", '"x"', "3", "null", '{"cycle": 1}', "[" * 100_000):
        Path("plan.csv.json").write_text(broken, encoding="utf-8")
        Path("plan.csv.sha256").unlink(missing_ok=True)
        done = sop("--check", "plan.csv")
        assert done.exit_code == 0, done.exception
        assert "nothing is said about its origin" in done.stdout


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


def monthly(*quantity: float) -> pd.DataFrame:
    when = months.month_range(NOV, len(quantity))
    return pd.DataFrame({"month": when, "family": "A", "quantity": np.array(quantity, dtype=float)})


def test_a_family_counted_in_fractions_has_no_unit_to_spare():
    plan = monthly(0.9, 0.8, 1.0, 400.0)
    none = returned_schedule.compared(plan, monthly(0, 0, 0, 400))
    assert none["finding"].tolist() == ["less than planned"] * 3 + ["as planned"]
    assert none["limit"].tolist() == pytest.approx([0.0045, 0.004, 0.005, 2.0])
    small = monthly(0.05, 0.01)
    rounded = pd.concat([small.assign(quantity=0.024), small.assign(quantity=[0.025, -0.015])])
    assert returned_schedule.compared(small, rounded)["limit"].tolist() == [0.002, 0.002]  # each of two rows is rounded
    (said,) = returned_schedule.verdict(plan, none)
    assert said == "1 of 4 months of families are as planned; a family's month may be off by 0.5% of its plan."
    both = pd.concat([plan, monthly(5, 5, 5, 5).assign(family="B")])
    (said,) = returned_schedule.verdict(both, returned_schedule.compared(both, both))
    assert said.endswith("1 unit or 0.5% of its plan, whichever is more; by 0.5% where it is counted in fractions.")


# Thousands


def returned(path: Path, texts: list[str], plan: pd.DataFrame, separator: str = ";") -> tuple:
    lines = [f"{m:%Y-%m}{separator}A{separator}{q}" for m, q in zip(plan["month"], texts, strict=True)]
    path.write_text("\n".join([separator.join(("month", "family", "quantity")), *lines]), encoding="utf-8")
    products = pd.DataFrame({"product": ["A1"], "family": ["A"]})
    return returned_schedule.read(path, products, pd.DatetimeIndex(plan["month"]), plan)


@pytest.mark.parametrize("mark", [".", ","])
@pytest.mark.parametrize("separator", [";", "\t"])
def test_thousands_in_a_file_of_semicolons_are_thousands_where_the_plan_says_so(tmp_path, mark, separator):
    plan = monthly(8350, 16950, 895)
    rows, problems, said = returned(tmp_path / "b.csv", [f"8{mark}350", f"16{mark}950", "895"], plan, separator)
    assert rows["quantity"].tolist() == [8350, 16950, 895]
    assert problems.empty
    assert said == [f"Quantities such as 8{mark}350 are read as thousands, 8350, not as 8.35."]
    rows, _, _ = returned(tmp_path / "b.csv", [f"1{mark}234{mark}567", "16950", f"1{mark}000"], plan, separator)
    assert rows["quantity"].tolist() == [1234567, 16950, 1000]


def test_decimals_that_look_like_thousands_stay_decimals_where_they_are_nearer_the_plan(tmp_path):
    plan = monthly(8.35, 1.125, 7)
    rows, problems, said = returned(tmp_path / "b.csv", ["8,350", "1,125", "7"], plan)
    assert rows["quantity"].tolist() == [8.35, 1.125, 7]
    assert problems.empty
    assert said == ["Quantities such as 8,350 are read as decimals, 8.35, not as 8350."]
    split = monthly(134, 133, 133)  # whole units that a planner shared out
    assert returned(tmp_path / "b.csv", ["133.333"] * 3, split)[0]["quantity"].tolist() == [133.333] * 3


def test_what_may_be_either_is_asked_unless_units_are_whole(tmp_path):
    rows, problems, said = returned(tmp_path / "b.csv", ["1.200", "100", "2.000"], monthly(100.5, 100, 100))
    assert rows["quantity"].tolist() == [100]
    assert problems["row"].tolist() == [2, 4]
    assert set(problems["rule"]) == {"thousands or decimals?"}
    assert problems["remedy"].tolist() == ["write 1200, or 1.2", "write 2000, or 2"]
    assert said == []
    rows, problems, said = returned(tmp_path / "b.csv", ["1.200", "100", "2.000"], monthly(100, 100, 100))
    assert rows["quantity"].tolist() == [1200, 100, 2000]
    assert problems.empty
    assert "are read as thousands" in said[0]


@pytest.mark.parametrize(("texts", "expected"), [
    (["0,350", "8,350", "1"], [0.35, 8.35, 1]), (["8,350", "1,5", "1"], [8.35, 1.5, 1]),
    (["8.350,5", "8.350", "1"], [8350.5, 8350, 1]), (["8.350", "1,5", "1"], [8350, 1.5, 1]),
])  # fmt: skip
def test_a_cell_that_can_only_be_read_one_way_says_how_the_others_are(tmp_path, texts, expected):
    rows, problems, said = returned(tmp_path / "b.csv", texts, monthly(8350, 8350, 1))
    assert rows["quantity"].tolist() == expected
    assert problems.empty
    assert said == []


def test_the_command_says_how_it_read_thousands(sop):
    lines = [["month", "family", "quantity"]]
    lines += [[m, f, q] for m in ("2026-11", "2026-12", "2027-01") for f, q in (("Grills", "1.300"), ("Öfen", "7"))]
    done = sop("--check", save(lines, separator=";"))
    assert "Quantities such as 1.300 are read as thousands, 1300, not as 1.3." in done.stdout
    assert "2026-11\tGrills\t300\t1,300\t1,000\t1.5\tmore than planned" in done.stdout
