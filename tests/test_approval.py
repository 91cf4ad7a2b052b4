"""Approval: what was agreed stays as it was agreed, and later cycles are judged against it."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
from conftest import READ_INPUTS, WRITE_TABLE, write_notebook, write_small_workbook
from typer.testing import CliRunner

from sop_lib import (
    archive,
    cli,
    closing,
    inputs,
    months,
    planbook,
    publish,
    run,
    settings,
    steps,
)  # fmt: skip

OCT, NOV, DEC = (months.month(m) for m in ("2026-10", "2026-11", "2026-12"))
BY = {"author": "S&OP leader", "at": pd.Timestamp("2026-11-12 09:30")}
HEAD = """from sop_lib import archive, settings
told = archive.open_cycle(settings.load(), cycle).manifest()
f"plan version {told['version']}, {told['status']}" """


def company(folder: Path) -> settings.Settings:
    return settings.load(folder, {})


def book_of(folder: Path):
    return planbook.open_book(planbook.book_url(company(folder), {}))


def files(folder: Path) -> dict[str, bytes]:
    """Return every file of plans and reports, without locks and clocks."""
    found = [p for place in ("plans", "reports") for p in (folder / place).rglob("*")]
    found = [p for p in found if p.is_file() and p.name not in (".lock", "run.json")]
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(found)}


@pytest.fixture(scope="module")
def notebooks(tmp_path_factory) -> Path:
    """Return five notebooks of which the last shows the plan's version and status and writes a table."""
    folder = tmp_path_factory.mktemp("notebooks")
    for step, cell in zip(steps.STEPS, [READ_INPUTS, WRITE_TABLE, "1", "1", HEAD], strict=True):
        write_notebook(folder / f"{step}.ipynb", cell)
    return folder


@pytest.fixture(scope="module")
def published(tmp_path_factory, notebooks) -> Path:
    folder = write_small_workbook(tmp_path_factory.mktemp("published") / "acme")
    run.run_cycle(company(folder), notebooks=notebooks)
    return folder


@pytest.fixture(scope="module")
def closed(tmp_path_factory, published, notebooks) -> Path:
    folder = Path(shutil.copytree(published, tmp_path_factory.mktemp("closed") / "acme"))
    closing.close_cycle(company(folder), "2026-11", book_of(folder), notebooks=notebooks, **BY)
    return folder


@pytest.fixture
def draft(tmp_path, published) -> Path:
    return Path(shutil.copytree(published, tmp_path / "acme"))


@pytest.fixture
def acme(tmp_path, closed) -> Path:
    return Path(shutil.copytree(closed, tmp_path / "acme"))


@pytest.fixture
def sop(monkeypatch, tmp_path, notebooks):
    monkeypatch.setattr(steps, "notebooks_folder", lambda: notebooks)
    monkeypatch.delenv("SOP_DATABASE_URL", raising=False)
    monkeypatch.chdir(tmp_path)
    return lambda *words: CliRunner().invoke(cli.app, [str(w) for w in words])


def never(*_, **__):
    raise AssertionError("no kernel should start")


# Closing


def test_closing_freezes_the_version_records_it_and_shows_the_pack_as_approved(closed):
    book = archive.open_cycle(company(closed))
    assert (book.manifest()["status"], book.manifest()["version"]) == ("closed", 1)
    frozen = archive.Cycle(book.settings, book.month, 1)
    assert frozen.folder == closed / "plans" / "2026-11" / "v1"
    pd.testing.assert_frame_equal(frozen.read("plan_changes"), book.read("plan_changes"))
    assert frozen.manifest() == book.manifest()
    assert not archive.changed_files(frozen)
    for name in frozen.manifest()["tables"]:
        assert not (frozen.folder / f"{name}.parquet").samefile(book.folder / f"{name}.parquet")
    (row,) = planbook.current(book_of(closed), "closings").to_dict("records")
    assert (row["cycle"], row["plan_version"], row["action"]) == (NOV, 1, "close")
    assert row["manifest"] == archive.file_hash(frozen.folder / "manifest.json")
    assert (row["author"], row["recorded_at"]) == ("S&OP leader", BY["at"])
    assert publish.is_whole(book)
    assert publish.pack_manifest(book)["status"] == "closed"
    assert "plan version 1, closed" in (closed / "reports" / "2026-11" / "index.html").read_text(encoding="utf-8")
    assert not run.staging(book).settings.plans_folder.exists()


def test_the_pack_calls_a_closed_plan_approved():
    from small_company import CYCLE

    from sop_lib import briefing, story

    plan = briefing.Plan("Acme", "", "EUR", CYCLE, 2026, {"version": 2, "status": "closed"}, {})
    assert story.status(plan) == "plan version 2, approved"


def test_closing_the_same_plan_elsewhere_gives_the_same_bytes(draft, closed, notebooks):
    later = BY | {"at": pd.Timestamp("2027-01-01")}
    closing.close_cycle(company(draft), "2026-11", book_of(draft), notebooks=notebooks, **later)
    assert files(draft) == files(closed)


def test_what_cannot_be_rendered_stays_a_draft(draft, notebooks, tmp_path):
    before, own = files(draft), Path(shutil.copytree(notebooks, tmp_path / "own"))
    write_notebook(own / "05_executive_pack.ipynb", "1 / 0")
    with pytest.raises(steps.StepFailed, match="ZeroDivisionError"):
        closing.close_cycle(company(draft), "2026-11", book_of(draft), notebooks=own, **BY)
    assert {n: b for n, b in files(draft).items() if "/failed/" not in n} == before
    assert planbook.current(book_of(draft), "closings").empty


def test_figures_that_nobody_has_seen_are_not_approved(draft, notebooks, tmp_path):
    before, own = files(draft), Path(shutil.copytree(notebooks, tmp_path / "own"))
    write_notebook(own / "05_executive_pack.ipynb", WRITE_TABLE.replace('"ordered"].sum()', '"ordered"].max()'))
    with pytest.raises(closing.NotApproved, match="other figures in plan_changes"):
        closing.close_cycle(company(draft), "2026-11", book_of(draft), notebooks=own, **BY)
    assert files(draft) == before


def test_a_plan_book_that_cannot_take_it_leaves_a_draft(draft, notebooks, monkeypatch):
    before = files(draft)
    monkeypatch.setattr(planbook, "record", lambda *_, **__: (_ for _ in ()).throw(planbook.BookError("it is locked")))
    with pytest.raises(planbook.BookError, match="it is locked"):
        closing.close_cycle(company(draft), "2026-11", book_of(draft), notebooks=notebooks, **BY)
    after = files(draft)
    assert {n: after[n] for n in before} == before
    assert not [n for n in after if n.startswith("plans") and n not in before]


def test_a_closing_that_was_cut_short_is_told_and_can_be_done_again(draft, notebooks, monkeypatch):
    def dies(*_):
        raise OSError("the disk is full")

    with monkeypatch.context() as cut:
        cut.setattr(publish, "_swap", dies)
        with pytest.raises(OSError, match="disk is full"):
            closing.close_cycle(company(draft), "2026-11", book_of(draft), notebooks=notebooks, **BY)
    book, records = archive.open_cycle(company(draft)), book_of(draft)
    assert book.manifest()["status"] == "draft"
    (doubt,) = closing.doubts(planbook.current(records, "closings"), book)
    assert "cut short; close it again" in doubt
    closing.close_cycle(company(draft), "2026-11", records, notebooks=notebooks, **BY)
    assert closing.doubts(planbook.current(records, "closings"), book) == []
    assert len(planbook.trail(records, "closings")) == 2


def change_a_table(folder: Path):
    path = folder / "plans" / "2026-11" / "plan_changes.parquet"
    pd.read_parquet(path).assign(latest=1.0).to_parquet(path)


def lose_the_pack(folder: Path):
    (folder / "reports" / "2026-11" / "index.html").unlink()


def run_a_notebook_by_hand(folder: Path):
    book = archive.open_cycle(company(folder))
    book.write("plan_changes", book.read("plan_changes").drop(columns="cycle").assign(latest=1.0))


def forget_the_cycle(folder: Path):
    shutil.rmtree(folder / "plans" / "2026-11")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (change_a_table, "not the tables that were written: plan_changes"),
        (lose_the_pack, "no whole pack of these tables"),
        (run_a_notebook_by_hand, "no whole pack of these tables"),
        (forget_the_cycle, "has no plan yet"),
    ],
)
def test_what_was_not_published_as_it_is_cannot_be_closed(draft, spoil, said, monkeypatch):
    monkeypatch.setattr(steps, "run_step", never)
    spoil(draft)
    with pytest.raises(closing.NotApproved, match=said):
        closing.close_cycle(company(draft), "2026-11", book_of(draft), **BY)
    assert planbook.current(book_of(draft), "closings").empty


def test_nothing_is_written_to_a_closed_cycle(acme):
    book = archive.open_cycle(company(acme))
    changes = book.read("plan_changes").drop(columns="cycle")
    for cycle in (book, archive.Cycle(book.settings, book.month, 1)):
        with pytest.raises(archive.ArchiveError, match="is closed"):
            cycle.write("plan_changes", changes)
    before = files(acme)
    with pytest.raises(archive.ArchiveError, match="is closed"):
        inputs.freeze(book, inputs.read_inputs(book.settings))
    assert files(acme) == before


# Reopening


def test_reopening_makes_the_next_version_a_draft_and_keeps_the_one_before(acme, notebooks):
    records, book = book_of(acme), archive.open_cycle(company(acme))
    first = archive.Cycle(book.settings, book.month, 1)
    before = first.read("plan_changes")
    closing.reopen_cycle(book.settings, "2026-11", records, reason="a promotion was forgotten", **BY)
    assert (book.manifest()["status"], book.manifest()["version"]) == ("draft", 2)
    assert run.outdated(book, inputs.read_inputs(book.settings).sources, notebooks)["05_executive_pack"] == ["pack"]
    with pytest.raises(closing.NotApproved, match="no whole pack"):
        closing.close_cycle(book.settings, "2026-11", records, notebooks=notebooks, **BY)

    sales = acme / "inputs" / "sales.csv"
    sales.write_text(sales.read_text().replace(",100,100,", ",101,100,"))
    run.run_cycle(book.settings, notebooks=notebooks)
    done = closing.close_cycle(book.settings, "2026-11", records, notebooks=notebooks, **BY)
    assert (done.version, archive.closed_versions(book)) == (2, [1, 2])
    pd.testing.assert_frame_equal(first.read("plan_changes"), before)
    second = archive.Cycle(book.settings, book.month, 2)
    assert second.read("plan_changes")["latest"].sum() == 1.01 * before["latest"].sum()
    next_month = archive.Cycle(book.settings, DEC)
    pd.testing.assert_frame_equal(archive.approved_table(next_month, "plan_changes"), second.read("plan_changes"))
    kinds = [n.split("-")[0] for n in publish.pack_manifest(book)["files"] if n.endswith("05_executive_pack.html")]
    assert kinds == ["v2"]
    assert (publish.pack_folder(book) / publish.pack_version(first) / "05_executive_pack.html").exists()
    told = closing.records(planbook.current(records, "closings"), book)
    assert [t.split(" by ")[0] for t in told] == ["version 1 closed", "version 1 reopened", "version 2 closed"]
    assert closing.doubts(planbook.current(records, "closings"), book) == []


def test_a_reopened_cycle_stays_approved_as_it_was_until_it_is_closed_again(acme):
    book = archive.open_cycle(company(acme))
    before = archive.approved_table(archive.Cycle(book.settings, DEC), "plan_changes")
    closing.reopen_cycle(book.settings, "2026-11", book_of(acme), reason="a mistake", **BY)
    book.write("plan_changes", before.drop(columns="cycle").assign(latest=7.0))
    pd.testing.assert_frame_equal(archive.approved_table(archive.Cycle(book.settings, DEC), "plan_changes"), before)
    assert archive.approved_table(book, "plan_changes").empty


def test_a_run_that_began_before_the_closing_is_not_taken_up_after_it(acme, notebooks):
    book = archive.open_cycle(company(acme))
    staged = run.stage(book, "05_executive_pack")
    staged.write_manifest(staged.manifest() | {"status": "closed", "version": 1})
    book.write_manifest(book.manifest() | {"status": "draft", "version": 2})
    run.run_cycle(book.settings, first="05_executive_pack", notebooks=notebooks)
    assert (book.manifest()["status"], book.manifest()["version"]) == ("draft", 2)


@pytest.mark.parametrize(("reason", "error"), [("", planbook.BookError), (" ", planbook.BookError)])
def test_reopening_needs_a_reason(acme, reason, error):
    before = files(acme)
    with pytest.raises(error, match="no reason"):
        closing.reopen_cycle(company(acme), "2026-11", book_of(acme), reason=reason, **BY)
    assert files(acme) == before


def test_a_closed_version_that_is_gone_cannot_be_reopened(acme):
    shutil.rmtree(acme / "plans" / "2026-11" / "v1")
    with pytest.raises(closing.NotApproved, match="v1 is gone"):
        closing.reopen_cycle(company(acme), "2026-11", book_of(acme), reason="why", **BY)


# Tampering is seen


def change_a_frozen_table(place: Path):
    pd.read_parquet(place / "v1" / "plan_changes.parquet").assign(latest=1.0).to_parquet(
        place / "v1" / "plan_changes.parquet"
    )


def change_a_frozen_table_and_its_manifest(place: Path):
    change_a_frozen_table(place)
    manifest = json.loads((place / "v1" / "manifest.json").read_text())
    manifest["tables"]["plan_changes"]["sha256"] = archive.file_hash(place / "v1" / "plan_changes.parquet")
    (place / "v1" / "manifest.json").write_text(json.dumps(manifest))


def change_the_cycle(place: Path):
    (place / "plan_changes.parquet").write_bytes(b"other")


def lose_the_version(place: Path):
    shutil.rmtree(place / "v1")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (change_a_frozen_table, "version 1 is NOT what was closed: plan_changes changed or gone"),
        (change_a_frozen_table_and_its_manifest, "version 1 is NOT what was closed: the manifest"),
        (change_the_cycle, "the tables of the cycle are not the closed ones"),
        (lose_the_version, "version 1 is recorded as closed, but its frozen copy v1 is gone: restore it"),
    ],
)
def test_status_says_when_the_plan_of_record_is_not_what_was_agreed(acme, sop, spoil, said):
    assert "ATTENTION" not in sop("status", acme).stdout
    spoil(acme / "plans" / "2026-11")
    assert f"ATTENTION: {said}" in sop("status", acme).stdout


def test_a_frozen_copy_without_a_record_is_told(acme, sop):
    (acme / "planbook.db").unlink()
    assert "the plan book has no record that it was closed" in sop("status", acme).stdout


# The command


def test_an_operator_closes_runs_reopens_and_looks(draft, sop):
    done = sop("close", draft, "--cycle", "2026-11", "--by", "S&OP leader")
    assert done.exit_code == 0, done.output
    assert "Closed 2026-11: version 1 is the approved plan of record, by S&OP leader." in done.stdout
    assert f"acme{'/plans/2026-11/v1'}" in done.stdout.replace("\\", "/")
    assert done.stdout.splitlines()[-1].replace("\\", "/") == "acme/reports/2026-11/index.html"
    assert sop("run", draft).exit_code == 3
    again = sop("close", draft, "--cycle", "2026-11", "--by", "S&OP leader")
    assert (again.exit_code, "closed already" in again.stderr) == (3, True)
    stand = sop("status", draft).stdout
    assert "2026-11  closed, version 1" in stand
    assert "version 1 closed by S&OP leader, 2" in stand
    assert "stale" not in stand

    assert sop("reopen", draft, "--cycle", "2026-11", "--by", "S&OP leader").exit_code == 2
    done = sop("reopen", draft, "--cycle", "2026-11", "--by", "S&OP leader", "--reason", "an event was forgotten")
    assert (done.exit_code, "version 2 is a draft" in done.stdout) == (0, True)
    stand = sop("status", draft).stdout
    assert "2026-11  draft, version 2" in stand
    assert "version 1 reopened by S&OP leader" in stand
    assert "an event was forgotten" in stand


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["close", "acme", "--cycle", "2026-13", "--by", "x"], 2, "not a month"),
        (["close", "acme", "--cycle", "2026-09", "--by", "x"], 2, "2026-09 has no plan yet"),
        (["close", "acme", "--cycle", "2026-11", "--by", " "], 2, "say who decides"),
        (["close", "nowhere", "--cycle", "2026-11", "--by", "x"], 2, "no sop.toml here"),
        (["reopen", "acme", "--cycle", "2026-11", "--by", "x", "--reason", "y"], 2, "not closed"),
    ],
)
def test_bad_words_end_with_2_and_say_why(draft, sop, words, code, said):
    done = sop(*words)
    assert (done.exit_code, said in done.stderr) == (code, True), done.output


def test_another_run_is_waited_for_by_nobody(draft, sop):
    from filelock import FileLock

    with FileLock(draft / "plans" / ".lock"):
        assert sop("close", draft, "--cycle", "2026-11", "--by", "x").exit_code == 4
