"""The batch: published whole, reused when nothing changed, resumed after a failure, never half done."""

import json
import os
import shutil
from pathlib import Path

import pytest
from conftest import write_notebook, write_small_workbook
from filelock import FileLock

from sop_lib import archive, inputs, months, publish, run, settings, steps

MONTH = months.month("2026-11")


def company(folder: Path) -> settings.Settings:
    return settings.load(folder, {})


def files(folder: Path) -> dict[str, bytes]:
    """Return every file below a folder, without locks and clocks."""
    found = {p for p in folder.rglob("*") if p.is_file() and p.name not in (".lock", "run.json")}
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(found)}


@pytest.fixture(scope="module")
def ran_once(tmp_path_factory, tiny_notebooks):
    """Return a workbook folder whose cycle 2026-11 was run with the tiny notebooks."""
    folder = write_small_workbook(tmp_path_factory.mktemp("ran") / "acme")
    run.run_cycle(company(folder), notebooks=tiny_notebooks)
    return folder


@pytest.fixture
def acme(tmp_path, ran_once):
    return Path(shutil.copytree(ran_once, tmp_path / "acme"))


@pytest.fixture
def notebooks(tmp_path, tiny_notebooks):
    return Path(shutil.copytree(tiny_notebooks, tmp_path / "notebooks"))


def test_a_run_publishes_the_cycle_after_the_last_month_of_sales(ran_once):
    book = archive.open_cycle(company(ran_once))
    assert book.name == "2026-11"
    assert publish.is_whole(book)
    assert list(book.manifest()["steps"]) == sorted(steps.STEPS)
    assert book.manifest()["steps"]["02_forecast"]["tables"] == ["plan_changes"]
    assert set(book.manifest()["sources"]) == {"products.csv", "sales.csv"}
    assert book.read("plan_changes")["latest"].sum() == 100 * 3 * 2 * 36
    assert [p.name for p in book.settings.plans_folder.iterdir() if p.name != ".lock"] == ["2026-11"]


def test_no_file_of_a_run_names_the_folders_of_the_machine(ran_once):
    shown = {n: b for n, b in files(ran_once).items() if n.startswith(("plans", "reports"))}
    assert len(shown) > 10
    assert not [n for n, content in shown.items() if str(ran_once).encode() in content or b"/sop-" in content]


def test_the_clock_and_the_versions_stand_in_run_json(ran_once):
    (told,) = (ran_once / "reports" / "2026-11").glob("*/run.json")
    told = json.loads(told.read_text())
    assert set(told["seconds"]) == set(steps.STEPS)
    assert {"python", "pandas", "papermill"} <= set(told["versions"])


def test_a_run_for_which_nothing_has_changed_is_reused(acme, tiny_notebooks):
    before = files(acme)
    done = run.run_cycle(company(acme), notebooks=tiny_notebooks)
    assert done.reused
    assert done.index == acme / "reports" / "2026-11" / "index.html"
    assert files(acme) == before


def change_input(acme, notebooks):
    sales = acme / "inputs" / "sales.csv"
    sales.write_text(sales.read_text().replace(",100,100,", ",101,100,"))


def change_settings(acme, notebooks):
    (acme / "sop.toml").write_text((acme / "sop.toml").read_text() + "[planning]\ndecision_lag = 3\n")


def change_notebook(acme, notebooks):
    write_notebook(notebooks / "03_supply.ipynb", "1 + 2")


def lose_the_pack(acme, notebooks):
    (acme / "reports" / "2026-11" / "index.html").unlink()


def add_an_earlier_cycle(acme, notebooks):
    archive.Cycle(company(acme), months.month("2026-10")).write_manifest({"tables": {}, "status": "draft"})


@pytest.mark.parametrize(
    ("change", "stale"),
    [
        (change_input, {step: ["inputs"] for step in steps.STEPS}),
        (change_settings, {step: ["settings"] for step in steps.STEPS}),
        (change_notebook, {"03_supply": ["notebook"]}),
        (lose_the_pack, {"05_executive_pack": ["pack"]}),
        (add_an_earlier_cycle, {step: ["earlier cycles"] for step in steps.STEPS}),
    ],
)
def test_what_has_changed_since_a_step_ran_is_named(acme, notebooks, change, stale):
    change(acme, notebooks)
    book = archive.Cycle(company(acme), MONTH)
    changed = run.outdated(book, inputs.read_inputs(book.settings).sources, notebooks)
    assert {step: what for step, what in changed.items() if what} == stale


def test_running_again_gives_the_same_bytes(acme, tiny_notebooks):
    before = files(acme)
    assert not run.run_cycle(company(acme), force=True, notebooks=tiny_notebooks).reused
    assert files(acme) == before


def test_a_failure_leaves_tables_and_pack_as_they_were_and_can_be_taken_up(acme, notebooks):
    before = files(acme)
    change_input(acme, notebooks)
    write_notebook(notebooks / "03_supply.ipynb", "1 / 0")
    with pytest.raises(steps.StepFailed, match=r"03_supply failed in cell \[3\] `1 / 0`: ZeroDivisionError"):
        run.run_cycle(company(acme), notebooks=notebooks)
    after = files(acme)
    assert {n: after[n] for n in before if not n.startswith("inputs")} == {
        n: content for n, content in before.items() if not n.startswith("inputs")
    }
    assert "reports/2026-11/failed/03_supply.ipynb" in after

    write_notebook(notebooks / "03_supply.ipynb", "1")
    done = run.run_cycle(company(acme), first="03_supply", notebooks=notebooks)
    assert list(done.seconds) == list(steps.STEPS[2:])
    book = archive.open_cycle(company(acme))
    assert book.read("plan_changes")["latest"].sum() == 101 * 3 * 2 * 36
    assert not any(run.outdated(book, inputs.read_inputs(book.settings).sources, notebooks).values())
    assert not (acme / "reports" / "2026-11" / "failed").exists()


def test_a_run_can_begin_on_the_published_tables(acme, tiny_notebooks):
    before = files(acme)
    done = run.run_cycle(company(acme), first="05_executive_pack", notebooks=tiny_notebooks)
    assert list(done.seconds) == ["05_executive_pack"]
    assert files(acme) == before


def test_a_step_drops_the_tables_of_the_steps_it_runs_again(acme, notebooks):
    write_notebook(notebooks / "02_forecast.ipynb", "1")
    run.run_cycle(company(acme), first="02_forecast", notebooks=notebooks)
    assert "plan_changes" not in archive.open_cycle(company(acme)).manifest()["tables"]
    assert not (acme / "plans" / "2026-11" / "plan_changes.parquet").exists()


def test_a_step_cannot_start_before_those_it_needs(small_workbook, tiny_notebooks):
    with pytest.raises(run.CannotStart, match="03_supply cannot start: 01_data has not run for 2026-11"):
        run.run_cycle(company(small_workbook), first="03_supply", notebooks=tiny_notebooks)
    assert not list((small_workbook / "reports").glob("2026*"))


def test_the_steps_see_earlier_cycles_and_none_that_came_later(acme, notebooks):
    look = "from sop_lib import archive, settings\n[f'{m:%Y-%m}' for m in archive.cycles(settings.load())]"
    write_notebook(notebooks / "05_executive_pack.ipynb", look)
    (acme / "plans" / "2026-09").mkdir()
    shutil.copy(acme / "plans" / "2026-11" / "manifest.json", acme / "plans" / "2026-09")
    done = run.run_cycle(company(acme), "2026-10", notebooks=notebooks)
    assert "['2026-09', '2026-10']" in done.index.read_text(encoding="utf-8")


def test_a_closed_cycle_is_refused(acme, tiny_notebooks):
    book = archive.open_cycle(company(acme))
    book.write_manifest(book.manifest() | {"status": "closed"})
    with pytest.raises(run.CycleClosed, match="2026-11 is closed"):
        run.run_cycle(book.settings, force=True, notebooks=tiny_notebooks)


@pytest.mark.parametrize("held", ["plans", "reports"])
def test_another_run_is_waited_for_by_nobody(acme, tiny_notebooks, held):
    with FileLock(acme / held / ".lock"), pytest.raises(run.WorkbookBusy, match="another run holds"):
        run.run_cycle(company(acme), force=True, notebooks=tiny_notebooks)


def test_bad_input_stops_the_run_before_a_kernel_starts(acme, tiny_notebooks):
    before = files(acme)
    (acme / "inputs" / "sales.csv").write_text("month;product;ordered\n")
    with pytest.raises(inputs.InputError, match="separator"):
        run.run_cycle(company(acme), notebooks=tiny_notebooks)
    assert {n: b for n, b in files(acme).items() if not n.startswith("inputs")} == {
        n: b for n, b in before.items() if not n.startswith("inputs")
    }


@pytest.mark.parametrize("folder", ["SOP_PLANS", "SOP_REPORTS"])
def test_a_folder_that_cannot_be_written_is_named(acme, tiny_notebooks, folder):
    place = acme / "sop.toml" / "below a file"
    with pytest.raises((inputs.InputError, run.CannotStart), match="below a file"):
        run.run_cycle(settings.load(acme, {folder: str(place)}), notebooks=tiny_notebooks)


def test_kernels_read_paths_from_their_environment(acme):
    told = run.environment(company(acme))
    assert told["SOP_WORKBOOK"] == str(acme)
    assert set(told) == {"SOP_WORKBOOK", "SOP_INPUTS", "SOP_PLANS", "SOP_RESULTS", "SOP_ENGINE"}
    staged = run.environment(run.staging(archive.open_cycle(company(acme))).settings)
    assert staged["SOP_RESULTS"] == told["SOP_RESULTS"] == str(acme / "plans" / ".results")
    assert os.environ.get("SOP_WORKBOOK") != str(acme)
