"""The `sop` command. Exit codes: 0 done, 1 a step failed, 2 bad input or settings, 3 cycle closed, 4 workbook busy."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import pandas as pd
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sop_lib import (
    archive,
    closing,
    clusters,
    inputs,
    master_schedule,
    months,
    planbook,
    publish,
    returned_schedule,
    run,
    schedule_file,
    settings,
    steps,
)
from sop_lib import lab as jupyter
from sop_lib.settings import Settings

__all__ = ["EXIT_CODES", "app"]

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False,
    help="Sales and operations planning in notebooks, from a company's own files.",
)  # fmt: skip
out, err = Console(highlight=False, soft_wrap=True), Console(stderr=True, highlight=False, soft_wrap=True)


def _option(name: str, value: str, words: str):
    return typer.Option(name, metavar=value, help=words)


Folder = Annotated[Path, typer.Argument(metavar="DIR", help="The company's workbook folder, the one with sop.toml.")]
Month = Annotated[str, _option("--cycle", "YYYY-MM", "Month to plan from; else the month after the last in sales.")]
Inputs = Annotated[str, _option("--inputs", "DIR", "Where the input files lie, in place of what sop.toml says.")]
Plans = Annotated[str, _option("--plans", "DIR", "Where the tables of the cycles are kept.")]
Reports = Annotated[str, _option("--reports", "DIR", "Where packs are published.")]
First = Annotated[str, _option("--from", "STEP", "Begin at this step, on the tables of the steps before it.")]
Where = Annotated[str, _option("--engine", "URL", "Cluster that models run on, dask://HOST:PORT; else this machine.")]
Closing = Annotated[str, _option("--cycle", "YYYY-MM", "The cycle.")]
By = Annotated[str, _option("--by", "NAME", "Who decides: it stands in the plan book.")]
Why = Annotated[str, _option("--reason", "TEXT", "Why.")]
Handed = Annotated[str, _option("--to", "FILE.csv", "Write the approved rates by product to this file.")]
Returned = Annotated[str, _option("--check", "FILE.csv", "Say whether a schedule that came back honours the plan.")]
Planned = Annotated[str, _option("--cycle", "YYYY-MM", "The cycle; else the latest.")]
Force = Annotated[bool, typer.Option("--force", help="Run even when nothing has changed since the last run.")]


@app.command("run")
def run_command(
    folder: Folder, cycle: Month = "", first: First = "", force: Force = False,
    engine: Where = "", inputs_folder: Inputs = "", plans: Plans = "", reports: Reports = "",
) -> None:  # fmt: skip
    """Run the notebooks of one cycle in order and publish its pack."""
    with _exit_codes():
        begin = _step(first)
        company = _settings(folder, inputs_folder, plans, reports, engine)
        clusters.check(company.engine)
        _say_defaults(company)
        done = run.run_cycle(company, cycle, first=begin, force=force, console=out)
        if done.reused:
            out.print(f"Nothing has changed since {done.cycle} was run; --force runs it again.")
        else:
            out.print(f"Published {done.cycle} as {done.version} in {sum(done.seconds.values()):.0f} s.")
        _say(str(_near(done.index)))


@app.command()
def check(
    folder: Folder, cycle: Month = "", inputs_folder: Inputs = "", plans: Plans = "", reports: Reports = ""
) -> None:
    """Read and check the inputs: every problem with file, row, column, value, rule and remedy."""
    with _exit_codes():
        company = _settings(folder, inputs_folder, plans, reports)
        _say_defaults(company)
        given = inputs.read_inputs(company, cycle)
        rows = ", ".join(f"{name} {len(table):,}" for name, table in given.tables.items() if len(table))
        out.print(f"Nothing stops a run of {given.cycle:%Y-%m}. Rows by month: {rows}.")
        if len(given.issues):
            columns = ["severity", "table", "rows", "money", "finding", "remedy"]
            _print_table("Counted, and handled as stated", given.issues[columns])


@app.command()
def close(folder: Folder, cycle: Closing, by: By, reason: Why = "", plans: Plans = "", reports: Reports = "") -> None:
    """Make a published cycle the approved plan of record: frozen, recorded, and refused by later runs."""
    with _exit_codes():
        company = _settings(folder, "", plans, reports)
        signed = {"author": _name(by), "at": pd.Timestamp.now("UTC"), "reason": reason}
        done = closing.close_cycle(company, _cycle(cycle), _plan_book(company), **signed, console=out)
        _say(f"Closed {done.cycle}: version {done.version} is the approved plan of record, by {by}.")
        _say(f"Its tables are frozen in {_near(done.frozen)}, recorded with fingerprint {done.fingerprint[:8]}.")
        _say(str(_near(done.index)))


@app.command()
def reopen(folder: Folder, cycle: Closing, by: By, reason: Why, plans: Plans = "", reports: Reports = "") -> None:
    """Make the next version of a closed cycle a draft; the version that was closed stays readable."""
    with _exit_codes():
        company = _settings(folder, "", plans, reports)
        signed = {"author": _name(by), "at": pd.Timestamp.now("UTC"), "reason": reason}
        done = closing.reopen_cycle(company, _cycle(cycle), _plan_book(company), **signed)
        _say(f"Reopened {done.cycle}: version {done.version + 1} is a draft; sop run changes it.")
        _say(f"Version {done.version} stays in {_near(done.frozen)} and is the plan of record until then.")


@app.command()
def status(folder: Folder, inputs_folder: Inputs = "", plans: Plans = "", reports: Reports = "") -> None:
    """Show the cycles of a company: steps that are current or stale, draft or closed, and what is missing."""
    with _exit_codes():
        company = _settings(folder, inputs_folder, plans, reports)
        known = [archive.Cycle(company, month) for month in archive.cycles(company)]
        given, closings = inputs.read_inputs(company), planbook.current(_plan_book(company, readonly=True), "closings")
        if not known:
            _say(f"No cycle yet in {company.plans_folder}; sop run makes the first.")
        for book in known:
            _say_cycle(book, given.sources, closings)
        absent = [name for name, table in given.tables.items() if table.empty]
        if absent:
            out.print(f"Not given: {', '.join(absent)}.")


@app.command()
def schedule(folder: Folder, cycle: Planned = "", to: Handed = "", check: Returned = "", plans: Plans = "") -> None:
    """Hand the approved rates to the master schedule as a file, or check one that comes back.

    --to writes FILE.csv with its checksum (.sha256) and sums by family (.json), of the last closed version, else of
    the draft. --check asks for columns month, quantity, and product or family; it ends with 0 when the schedule honours
    the plan, and with 2 when it does not or cannot be read.
    """
    with _exit_codes():
        company = _settings(folder, "", plans, "")
        if bool(to) == bool(check):
            raise schedule_file.ScheduleError("say either --to FILE.csv, to write it, or --check FILE.csv")
        book = schedule_file.plan_of_record(archive.open_cycle(company, _cycle(cycle) if cycle else ""))
        if to:
            _hand_off(book, Path(to))
        else:
            _check_schedule(book, Path(check))


@app.command()
def lab(folder: Folder, inputs_folder: Inputs = "", plans: Plans = "", reports: Reports = "") -> None:
    """Open JupyterLab on the planner's workbench of this company, reachable from this machine only."""
    with _exit_codes():
        raise typer.Exit(jupyter.serve(_settings(folder, inputs_folder, plans, reports), _say))


def _hand_off(book: archive.Cycle, path: Path) -> None:
    done = schedule_file.write(book, path)
    _say(f"Wrote {done['rows']:,} rows of {schedule_file.told(book)}, checksum {done['sha256'][:8]}.")
    sums = {name: sum(by_month.values()) for name, by_month in done["sums"].items()}
    _print_table("Units by family, the same as the plan", pd.DataFrame(sums.items(), columns=["family", "units"]))
    _say(str(_near(path)))


def _check_schedule(book: archive.Cycle, path: Path) -> None:
    """Print how a schedule stands to the plan; raise ScheduleError when it does not honour it."""
    planned = master_schedule.by_family(schedule_file.schedule(book))
    horizon = months.month_range(
        book.month, int(max(len(book.horizon), months.lag(book.month, planned["month"].max())))
    )
    rows, problems, read_as = returned_schedule.read(path, book.read("products"), horizon, planned)
    for said in [f"{path.name} against {schedule_file.told(book)}.", *schedule_file.handed_off(path, book), *read_as]:
        _say(said)
    both = returned_schedule.compared(planned, rows)
    off = both[both["finding"] != "as planned"]
    if len(problems):
        _print_table(f"{problems['row'].nunique()} rows cannot be taken", problems)
    if len(off):
        shown = off.assign(month=[months.month_name(m) for m in off["month"]])
        _print_table("Off the plan, in units", shown)
    for said in returned_schedule.verdict(planned, both):
        _say(said)
    if len(problems) or len(off) or both.empty:
        raise schedule_file.ScheduleError("The schedule does not honour the plan.")
    _say("The schedule honours the plan.")


def _settings(folder: Path, inputs_folder: str, plans: str, reports: str, engine: str = "") -> Settings:
    """Return the settings of a company; folders given in the command are relative to the shell."""
    given = {"SOP_INPUTS": inputs_folder, "SOP_PLANS": plans, "SOP_REPORTS": reports, "SOP_ENGINE": engine}
    return settings.load(folder, {name: place for name, place in given.items() if place})


def _plan_book(company: Settings, readonly: bool = False):
    return planbook.open_book(planbook.book_url(company), readonly)


def _name(by: str) -> str:
    if not by.strip():
        raise closing.NotApproved("--by is blank: say who decides")
    return by.strip()


def _cycle(text: str) -> str:
    try:
        return months.month_name(months.month(text))
    except ValueError as error:
        raise closing.NotApproved(f"--cycle: {error}") from None


def _step(name: str) -> str:
    found = [step for step in steps.STEPS if name and name in (step, step[:2], step[3:])]
    if name and not found:
        raise run.CannotStart(f"--from {name}: no such step; the steps are {', '.join(steps.STEPS)}")
    return found[0] if found else ""


@contextmanager
def _exit_codes() -> Iterator[None]:
    """Turn each kind of failure into its line on stderr and its exit code; an end from outside is like Ctrl-C."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    except inputs.InputError as error:
        _print_table("The inputs stop the run", error.problems, err)
        raise typer.Exit(2) from None
    except KeyboardInterrupt:
        err.print("Stopped. The published pack and tables are as they were.")
        raise typer.Exit(130) from None
    except tuple(EXIT_CODES) as error:
        _say(str(error), err)
        raise typer.Exit(next(code for kind, code in EXIT_CODES.items() if isinstance(error, kind))) from None


def _say(text: str, console: Console = out) -> None:
    console.print(Text(_plain(text)))


def _plain(value: object) -> str:
    r"""Return a value as text without control characters, which a terminal would obey.

    >>> _plain("a\x1b[2Jb"), _plain(3.0), _plain(None)
    ('a[2Jb', '3', '')
    """
    if value is None or value is pd.NaT or (isinstance(value, float) and pd.isna(value)):
        return ""
    text = f"{value:,.10g}" if isinstance(value, float) else str(value)
    return "".join(c for c in text if c.isprintable() or c == "\n")


def _print_table(title: str, rows: pd.DataFrame, console: Console = out) -> None:
    """Print rows as a table; in a log without a terminal, as one line per row with tabs between."""
    if not console.is_terminal:
        console.file.write(f"{title}:\n" + "\t".join(rows.columns) + "\n")
        for row in rows.itertuples(index=False):
            console.file.write("\t".join(_plain(v).replace("\n", " ") for v in row) + "\n")
        return
    table = Table(title=title, title_justify="left", show_lines=False)
    for name in rows.columns:
        table.add_column(name, overflow="fold")
    for row in rows.itertuples(index=False):
        table.add_row(*(Text(_plain(v)) for v in row))
    console.print(table, soft_wrap=False)


def _say_defaults(company: Settings) -> None:
    if used := company.defaults_used():
        _say("Settings left at their default: " + ", ".join(f"{n} = {v}" for n, v in used.items()))


def _say_cycle(book: archive.Cycle, sources: dict[str, dict], closings: pd.DataFrame) -> None:
    manifest, version = book.manifest(), publish.pack_manifest(book).get("version", "no pack")
    _say(f"{book.name}  {manifest['status']}, version {manifest['version']}, pack {version}")
    for said in [*closing.records(closings, book), *(f"ATTENTION: {d}" for d in closing.doubts(closings, book))]:
        _say(f"  {said}")
    if manifest["status"] == "closed":
        return
    for step, changed in run.outdated(book, sources).items():
        _say(f"  {step:<18} {'stale: ' + ', '.join(changed) + ' changed' if changed else 'current'}")
    begun = run.staging(book).manifest().get("steps")
    if begun is not None:
        ahead = steps.STEPS[len(begun)] if len(begun) < len(steps.STEPS) else steps.STEPS[-1]
        _say(f"  a run stopped in {ahead}; after the cure: sop run … --cycle {book.name} --from {ahead}")


def _near(path: Path) -> Path:
    """Return a path as the shell would name it from here."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


EXIT_CODES: dict[type[Exception], int] = {
    steps.StepFailed: 1,
    settings.SettingsError: 2,
    archive.ArchiveError: 2,
    run.CannotStart: 2,
    closing.NotApproved: 2,
    clusters.EngineError: 2,
    planbook.BookError: 2,
    schedule_file.ScheduleError: 2,
    run.CycleClosed: 3,
    run.WorkbookBusy: 4,
}
