"""Approval: what was agreed stays as it was agreed, and later cycles are judged against it."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
from conftest import READ_INPUTS, WRITE_TABLE, write_notebook, write_small_workbook
from test_finance import NO_STOCK, PRODUCTS, table
from typer.testing import CliRunner

from sop_lib import (
    approved,
    archive,
    cli,
    closing,
    demand,
    display,
    finance,
    inputs,
    months,
    planbook,
    publish,
    run,
    scorecard,
    settings,
    steps,
    tables,
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


# What closed cycles planned


def planned(cycle: pd.Timestamp, quantity: float, *, launch: float = 0.0) -> dict[str, pd.DataFrame]:
    """Return the plan tables of a cycle: a family in two regions, baseline and launch, two strategies of supply."""
    ahead = list(months.month_range(cycle, 3))
    parts = [
        table("demand_plan", month=ahead, product="p", region=region, step=step, family="A", quantity=value)
        for region, share in (("North", 0.75), ("South", 0.25))
        for step, value in (("baseline", share * quantity), ("launch", share * launch))
        if value
    ]
    stock = [
        table("inventory_plan", scenario="base", strategy=name, month=ahead, family="A", opening=0.0, supply=made,
              demand=quantity, shipped=quantity, closing=made / 10, backlog=made / 100, lost=0.0, safety=0.0,
              target=0.0)
        for name, made in (("level", quantity), ("mixed", 2 * quantity))
    ]  # fmt: skip
    comparison = table(
        "scenario_comparison", scenario="base", strategy=["level", "mixed"], measure="proposed", value=[0.0, 1.0],
        unit="flag",
    )  # fmt: skip
    found = dict(zip(approved.PLANS, (pd.concat(parts), pd.concat(stock), comparison), strict=True))
    return {name: rows.assign(cycle=cycle) for name, rows in found.items()}


def own(*cycles: dict[str, pd.DataFrame]) -> pd.DataFrame:
    return approved.own_plans(*(pd.concat([c[name] for c in cycles]) for name in approved.PLANS))


def past(cycle, month, quantity, stream="consensus", measure="demand") -> pd.DataFrame:
    return table("past_plans", cycle=[months.month(cycle)], stream=stream, measure=measure, month=months.month(month),
                 family="A", product="ALL", region="ALL", quantity=float(quantity))  # fmt: skip


def test_a_closed_plan_becomes_rows_of_past_plans_by_hand():
    rows = tables.check("past_plans", own(planned(OCT, 100.0, launch=8.0)))
    first = rows[rows["month"] == OCT].set_index(["stream", "measure", "region"])["quantity"]
    assert first.to_dict() == {
        ("consensus", "demand", "North"): 81.0, ("consensus", "demand", "South"): 27.0,
        ("statistical", "demand", "North"): 75.0, ("statistical", "demand", "South"): 25.0,
        ("consensus", "supply", "ALL"): 200.0, ("consensus", "inventory", "ALL"): 20.0,
        ("consensus", "backlog", "ALL"): 2.0,
    }  # fmt: skip


def test_each_cycle_has_the_strategy_it_proposed():
    november = planned(NOV, 50.0)
    november["scenario_comparison"]["value"] = [1.0, 0.0]
    rows = own(planned(OCT, 100.0), november)
    made = rows[rows["measure"] == "supply"].groupby("cycle")["quantity"].first()
    assert made.to_dict() == {OCT: 200.0, NOV: 50.0}


def test_a_cycle_without_supply_has_demand_alone():
    only = planned(OCT, 100.0) | {n: tables.empty(n) for n in approved.PLANS[1:]}
    assert set(own(only)["measure"]) == {"demand"}
    assert approved.own_plans(*(tables.empty(n) for n in approved.PLANS)).empty


def given(*rows: pd.DataFrame) -> inputs.Inputs:
    found = {"past_plans": pd.concat(rows) if rows else tables.empty("past_plans")}
    return inputs.Inputs(found, pd.DataFrame(columns=["rule"]), {}, NOV, pd.DataFrame())


def test_our_plan_of_record_goes_before_what_a_file_says_and_opinions_stay():
    file = (past("2026-09", "2026-11", 1), past("2026-10", "2026-11", 2), past("2026-10", "2026-11", 3, "sales"))
    found = approved.with_closed(given(*file), own(planned(OCT, 100.0)))
    rows = found.tables["past_plans"]
    assert rows.loc[rows["cycle"] < OCT, "quantity"].tolist() == [1]
    october = rows[(rows["cycle"] == OCT) & (rows["month"] == NOV) & (rows["measure"] == "demand")]
    assert october.groupby("stream")["quantity"].sum().to_dict() == {"consensus": 100, "statistical": 100, "sales": 3}
    (told,) = found.issues.to_dict("records")
    assert (told["rule"], told["severity"], told["rows"]) == ("plan_of_record", "info", 21)
    assert "approved plan of 2026-10" in told["finding"]
    assert "1 rows of past_plans about the same cycles give way" in told["finding"]


def test_without_a_closed_cycle_the_inputs_stay_as_they_are():
    before = given(past("2026-10", "2026-11", 2))
    assert approved.with_closed(before, own(planned(OCT, 1.0))[:0]) is before


def test_a_plan_that_nobody_approved_is_previous_and_never_approved():
    known = own(planned(OCT, 100.0))
    both = finance.with_own(known, *planned(NOV, 70.0).values())
    earlier = finance.earlier_plans(both, PRODUCTS)
    views = {v: finance.plan_view(earlier, DEC, 2, v) for v in ("approved", "previous")}  # type: ignore[arg-type]
    sold = {v: d[(d["measure"] == "demand") & (d["month"] == DEC)]["quantity"].tolist() for v, d in views.items()}
    assert sold == {"approved": [100], "previous": [70]}


def test_an_opinion_about_the_last_cycle_does_not_hide_its_plan():
    both = finance.with_own(past("2026-10", "2026-11", 3, "outlook"), *planned(OCT, 70.0).values())
    earlier = finance.earlier_plans(both, PRODUCTS)
    assert finance.plan_view(earlier, NOV, 2, "previous")["quantity"].max() == 140


def test_one_own_cycle_does_not_wipe_out_the_value_added_of_a_long_record():
    when = months.month_range(months.month("2025-01"), 20)
    record = pd.concat([past(f"{m:%Y-%m}", f"{m:%Y-%m}", 9, "outlook") for m in when])
    sold = pd.DataFrame({"month": months.month_range(months.month("2023-01"), 46), "family": "A", "region": "ALL"})
    sold = sold.assign(product="p", cleansed=10.0)
    alone = demand.value_added(record, sold, PRODUCTS)
    assert set(alone["stream"]) == {"outlook", demand.NAIVE}
    pd.testing.assert_frame_equal(demand.value_added(pd.concat([record, own(planned(months.month("2026-08"), 5.0))]),
                                                     sold, PRODUCTS), alone)  # fmt: skip


# Two cycles of a small workbook


def close_by_hand(cycle: archive.Cycle, plan: dict[str, pd.DataFrame]) -> None:
    """Write a cycle's plan and freeze it as closing does, without a kernel."""
    for name, rows in plan.items():
        cycle.write(name, rows.drop(columns="cycle"))
    cycle.write_manifest(cycle.manifest() | {"status": "closed"})
    archive.freeze_version(cycle)


def freeze(company: settings.Settings, month: str) -> archive.Cycle:
    """Freeze the inputs of a cycle as notebook 01 does."""
    found = inputs.read_inputs(company, month)
    book = archive.open_cycle(company, found.cycle)
    plans = approved.own_plans(*(archive.approved_table(book, name) for name in approved.PLANS))
    inputs.freeze(book, approved.with_closed(found, plans))
    return book


def test_did_we_execute_is_judged_on_the_closed_plan_at_the_decision_lag(small_workbook):
    toml = small_workbook / "sop.toml"
    toml.write_text(toml.read_text() + "[planning]\ndecision_lag = 2\n")
    products = small_workbook / "inputs" / "products.csv"
    products.write_text(products.read_text().replace("Alpha", "A").replace("Beta", "A"))
    firm = company(small_workbook)
    close_by_hand(archive.Cycle(firm, months.month("2026-09")), planned(months.month("2026-09"), 580.0))
    close_by_hand(archive.Cycle(firm, OCT), planned(OCT, 640.0))
    book = freeze(firm, "2026-11")

    from sop_lib import history

    panel = book.write("history", history.complete_history(book.read("sales"), book.read("products"), book.month))
    facts = {
        n: book.read(n) if n != "history" else panel for n in scorecard.NEEDS if n not in ("backtest", "financial_plan")
    }
    facts |= {n: tables.empty(n) for n in ("backtest", "financial_plan")}
    grid = scorecard.execution_grid(book.month, planning=firm.planning, tables=facts)
    (row,) = grid[(grid["measure"] == "demand") & (grid["month"] == OCT)].to_dict("records")
    assert (row["approved"], row["actual"], row["verdict"]) == (580.0, 600.0, "in")
    (row,) = grid[(grid["measure"] == "supply") & (grid["month"] == OCT)].to_dict("records")
    assert (row["approved"], row["verdict"]) == (1160.0, "no actual")

    views = {n: tables.empty(n) for n in display.NEEDS} | {n: facts[n] for n in display.NEEDS if n in facts}
    views |= planned(NOV, 700.0)
    views["budget"] = table("budget", version="1", month=[NOV], family="A", region="ALL", quantity=650.0)
    last = [archive.previous_table(book, name) for name in approved.PLANS]
    views["past_plans"] = finance.with_own(views["past_plans"], *last)
    rows = display.family_display(book.month, book.horizon, planning=firm.planning, tables=views)
    shown = rows[(rows["block"] == "sales") & (rows["month"] == NOV)].set_index("row")["value"]
    assert shown[["Budget", "Approved", "Previous", display.LATEST]].tolist() == [650.0, 640.0, 640.0, 700.0]


def test_previous_is_the_last_cycle_s_plan_even_as_a_draft(small_workbook):
    firm = company(small_workbook)
    close_by_hand(archive.Cycle(firm, months.month("2026-09")), planned(months.month("2026-09"), 580.0))
    for name, rows in planned(OCT, 640.0).items():
        archive.Cycle(firm, OCT).write(name, rows.drop(columns="cycle"))
    book = freeze(firm, "2026-11")
    assert set(book.read("past_plans")["cycle"]) == {months.month("2026-09")}
    last = [archive.previous_table(book, name) for name in approved.PLANS]
    earlier = finance.earlier_plans(finance.with_own(book.read("past_plans"), *last), PRODUCTS)
    found = {v: finance.plan_view(earlier, NOV, 2, v) for v in ("approved", "previous")}  # type: ignore[arg-type]
    sold = {v: d.query("measure == 'demand'").set_index("month")["quantity"] for v, d in found.items()}
    assert sold["previous"][NOV] == 640.0
    assert sold["approved"][OCT] == 580.0
    assert (NOV in sold["approved"].index and sold["approved"][NOV]) == 580.0


def test_a_closed_plan_that_was_changed_stops_the_next_cycle(small_workbook):
    firm = company(small_workbook)
    close_by_hand(archive.Cycle(firm, OCT), planned(OCT, 640.0))
    (small_workbook / "plans" / "2026-10" / "v1" / "demand_plan.parquet").write_bytes(b"other")
    with pytest.raises(archive.ArchiveError, match="restore the closed version from a backup"):
        freeze(firm, "2026-11")


def test_no_stock_is_no_proposal():
    assert approved.own_plans(planned(OCT, 1.0)["demand_plan"], NO_STOCK, tables.empty("scenario_comparison"))[
        "measure"
    ].unique().tolist() == ["demand"]
