"""The `sop` command as an operator meets it: its words, its exit codes, and what it leaves when stopped."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import write_notebook
from filelock import FileLock
from typer.testing import CliRunner

from sop_lib import archive, cli, months, run, settings, steps


@pytest.fixture
def sop(monkeypatch, tmp_path, tiny_notebooks):
    """Return what runs `sop` with the tiny notebooks from a folder elsewhere."""
    monkeypatch.setattr(steps, "notebooks_folder", lambda: tiny_notebooks)
    monkeypatch.chdir(tmp_path)
    before = signal.getsignal(signal.SIGTERM)
    yield lambda *words: CliRunner().invoke(cli.app, [str(w) for w in words])
    signal.signal(signal.SIGTERM, before)


def test_run_says_each_step_and_ends_with_the_place_of_the_pack(sop, small_workbook):
    done = sop("run", "acme", "--reports", "packs")
    assert done.exit_code == 0, done.output
    for step in steps.STEPS:
        assert f"{step:<18} started" in done.stdout
        assert f"{step:<18} done" in done.stdout
    assert done.stdout.splitlines()[-1] == os.path.join("packs", "2026-11", "index.html")
    assert Path("packs/2026-11/index.html").exists()
    assert "horizon_months = 24" in done.stdout
    assert "\x1b" not in done.output

    again = sop("run", "acme", "--reports", "packs")
    assert again.exit_code == 0
    assert "Nothing has changed" in again.stdout
    stand = sop("status", "acme", "--reports", "packs")
    assert "2026-11  draft, version 1" in stand.stdout
    assert stand.stdout.count("current") == 5


def test_check_tells_what_is_counted_and_stops_nothing(sop, small_workbook):
    sales = small_workbook / "inputs" / "sales.csv"
    sales.write_text(sales.read_text() + "2026-10,A1,East,-5,-5,-50\n")
    done = sop("check", "acme")
    assert done.exit_code == 0
    assert "Nothing stops a run of 2026-11" in done.stdout
    assert "Returns of A1" in done.stdout


def test_bad_input_is_listed_with_file_row_column_value_rule_and_remedy(sop, small_workbook):
    sales = small_workbook / "inputs" / "sales.csv"
    sales.write_text(sales.read_text() + "2026-10,[red]A9,East,many,1,1\n")
    for command in ("check", "run"):
        done = sop(command, "acme")
        assert done.exit_code == 2
        assert "sales.csv\t218\tordered\tmany\tnot a number" in done.stderr
        assert "sales.csv\t218\tproduct\t[red]A9\tunknown product" in done.stderr
    assert not list((small_workbook / "plans").glob("2026*"))


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["run", "nowhere"], 2, "no sop.toml here"),
        (["run", "acme", "--cycle", "2026-13"], 2, "not a month"),
        (["run", "acme", "--cycle", "2020-01"], 2, "no sales before the cycle"),
        (["run", "acme", "--from", "forecast"], 2, "02_forecast cannot start: 01_data has not run"),
        (["run", "acme", "--from", "06"], 2, "no such step; the steps are 01_data"),
        (["run", "acme", "--inputs", "nowhere"], 2, "folder missing: nowhere"),
        (["run", "acme", "--plans", "acme/sop.toml/x"], 2, "x"),
        (["check", "nowhere"], 2, "no sop.toml here"),
        (["status", "nowhere"], 2, "no sop.toml here"),
    ],
)
def test_bad_words_end_with_2_and_say_why(sop, small_workbook, words, code, said):
    done = sop(*words)
    assert (done.exit_code, said in done.stderr) == (code, True), done.output


def test_a_misspelt_setting_is_answered_with_the_nearest(sop, small_workbook):
    (small_workbook / "sop.toml").write_text("[planning]\nhorizon_month = 12\n")
    done = sop("run", "acme")
    assert done.exit_code == 2
    assert "did you mean 'horizon_months'?" in done.stderr


def test_a_failing_step_ends_with_1_and_one_line(sop, small_workbook, monkeypatch, tmp_path):
    for step in steps.STEPS:
        write_notebook(tmp_path / "own" / f"{step}.ipynb", "raise ValueError('[red]no\\x1b[2J plan')")
    monkeypatch.setattr(steps, "notebooks_folder", lambda: tmp_path / "own")
    done = sop("run", "acme")
    assert done.exit_code == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("01_data failed in cell [3] ")
    assert "ValueError: [red]no[2J plan" in line
    assert "a run stopped in 01_data" in sop("status", "acme").stdout or "No cycle yet" in sop("status", "acme").stdout


def test_a_closed_cycle_ends_with_3(sop, small_workbook):
    book = archive.Cycle(settings.load(small_workbook, {}), months.month("2026-11"))
    book.write_manifest(book.manifest() | {"status": "closed"})
    assert sop("run", "acme").exit_code == 3


def test_a_held_workbook_ends_with_4(sop, small_workbook):
    (small_workbook / "plans").mkdir()
    with FileLock(small_workbook / "plans" / ".lock"):
        assert sop("run", "acme").exit_code == 4


@pytest.mark.skipif(os.name != "posix", reason="signals of another process")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_from_outside_ends_with_130_and_leaves_nothing(small_workbook, tmp_path, number):
    for step in steps.STEPS:
        write_notebook(tmp_path / "own" / f"{step}.ipynb", "import time; time.sleep(600)")
    own = "from pathlib import Path; from sop_lib import cli, steps; steps.notebooks_folder = lambda: Path('own')"
    words, pipe = [sys.executable, "-c", f"{own}; cli.app()", "run", "acme"], subprocess.PIPE
    begun = {"preexec_fn": lambda: signal.signal(number, signal.SIG_DFL)}  # a job in the background ignores Ctrl-C
    with subprocess.Popen(words, cwd=tmp_path, stdout=pipe, stderr=pipe, text=True, **begun) as sop:
        try:
            assert sop.stdout
            assert any("01_data" in line for line in iter(sop.stdout.readline, ""))
            time.sleep(1)
            sop.send_signal(number)
            _, said = sop.communicate(timeout=60)
        finally:
            sop.kill()
    assert (sop.returncode, "Stopped." in said) == (130, True), said
    assert not (small_workbook / "reports" / "2026-11").exists()
    with FileLock(small_workbook / "plans" / ".lock", timeout=0):
        assert not (small_workbook / "plans" / "2026-11").exists()


def test_every_kind_of_failure_has_one_exit_code():
    assert {code for code in cli.EXIT_CODES.values()} == {1, 2, 3, 4}
    assert cli.EXIT_CODES[run.CycleClosed] == 3


def test_a_table_on_a_terminal_shows_data_as_it_is_written():
    from io import StringIO

    import pandas as pd
    from rich.console import Console

    screen = Console(file=StringIO(), force_terminal=True, width=60, color_system=None)
    cli._print_table("Found", pd.DataFrame({"value": ["[b]x\x1b[2J"], "rows": [3.0]}), screen)
    shown = screen.file.getvalue()
    assert "[b]x[2J" in shown
    assert " 3 " in shown
