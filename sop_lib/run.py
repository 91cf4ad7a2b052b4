"""The monthly batch: the five notebooks in order, then the pack published whole or not at all.

The steps work on a staged copy of the archive, `.<cycle>.part` beside its cycles. Only when the last of them
has completed do its tables take the place of the cycle's, and then the pack that shows them.
"""

import importlib.metadata
import json
import os
import platform
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import nbformat
from filelock import FileLock, Timeout
from rich.console import Console

from sop_lib import archive, inputs, months, planbook, publish, steps
from sop_lib.publish import is_whole, pack_folder, pack_manifest, recover, text_hash, write_text
from sop_lib.settings import Settings
from sop_lib.steps import STEPS

__all__ = [
    "CannotStart", "CycleClosed", "Published", "WorkbookBusy",
    "clock", "environment", "executed", "held", "linked", "outdated", "run_cycle", "run_staged",
    "stage", "staging", "versions",
]  # fmt: skip


TAKES_UP_OVERRIDES = "02_forecast"


class CannotStart(ValueError):
    """A step before the first one is missing, or a folder cannot be written."""


class CycleClosed(RuntimeError):
    """The cycle is the approved plan of record."""


class WorkbookBusy(RuntimeError):
    """Another run holds the workbook."""


@dataclass(frozen=True)
class Published:
    """What a run leaves: the pack, its version, seconds per step, and whether it was there already."""

    cycle: str
    index: Path
    version: str
    seconds: dict[str, float]
    reused: bool = False


def run_cycle(
    settings: Settings, cycle: str = "", *, first: str = "", force: bool = False,
    notebooks: Path | None = None, console: Console | None = None,
) -> Published:  # fmt: skip
    """Run the steps of one cycle from `first` on, publish its pack, and return where it lies.

    Without a cycle: the month after the last in sales. A cycle for which nothing has changed is left as it is,
    unless `force` or `first` is given.
    Raises InputError, CannotStart, CycleClosed, WorkbookBusy or StepFailed; tables and pack then stay as they were.
    """
    say, folder = console or Console(quiet=True), notebooks or steps.notebooks_folder()
    given = inputs.read_inputs(settings, cycle)
    book = archive.open_cycle(settings, given.cycle)
    with held(settings):
        recover(book.folder)
        if book.manifest()["status"] == "closed":
            raise CycleClosed(
                f"{book.name} is closed: it is the approved plan of record; sop reopen --reason makes its next version"
            )
        if not (force or first) and not any(outdated(book, given.sources, folder).values()):
            version = pack_manifest(book)["version"]
            return Published(book.name, pack_folder(book) / "index.html", version, {}, reused=True)
        began, seconds, warned, staged = datetime.now(UTC), {}, {}, stage(book, first)
        for step in STEPS[STEPS.index(first) if first else 0 :]:
            seconds[step], warned[step] = run_staged(book, staged, step, folder, say)
        version = publish.publish(book, staged, executed(staged), clock(began, seconds, warned))
        shutil.rmtree(staged.settings.plans_folder, ignore_errors=True)
        return Published(book.name, pack_folder(book) / "index.html", version, seconds)


def run_staged(book: archive.Cycle, staged: archive.Cycle, step: str, folder: Path, say: Console):
    """Run one step on the staged cycle, record what it wrote and from what; return its seconds and warnings."""
    began, before, source = time.monotonic(), staged.manifest()["tables"], _made_from(staged, folder / f"{step}.ipynb")
    say.print(f"{step:<18} started")
    with say.status(step) as status:
        done = steps.run_step(
            folder / f"{step}.ipynb", {"cycle": book.name}, pack_folder(book) / "failed", environment(staged.settings),
            lambda begun, cells: status.update(f"{step}  cell {begun} of {cells}"),
        )  # fmt: skip
    warned = steps.warnings_of(done)
    write_text(executed(staged) / f"{step}.ipynb", nbformat.writes(done))
    manifest = staged.manifest()
    written = sorted(name for name, entry in manifest["tables"].items() if before.get(name) != entry)
    manifest["steps"][step] = {"tables": written, "made_from": source}
    staged.write_manifest(manifest)
    seconds, cells = time.monotonic() - began, sum(c.cell_type == "code" for c in done.cells)
    say.print(f"{step:<18} done     {seconds:6.1f} s   {cells} cells, {len(written)} tables")
    return round(seconds, 2), warned


def environment(settings: Settings) -> dict[str, str]:
    """Return what tells a notebook where its company lies; paths are never parameters, which pages would show."""
    folders = {
        "SOP_WORKBOOK": settings.folder,
        "SOP_INPUTS": settings.inputs_folder,
        "SOP_PLANS": settings.plans_folder,
        "SOP_RESULTS": settings.results_folder,
    }
    return {name: str(folder) for name, folder in folders.items()} | {"SOP_ENGINE": settings.engine}


# The staged copy


@contextmanager
def held(settings: Settings) -> Iterator[None]:
    """Hold the folders that a run writes; the operating system frees them when the run dies."""
    with ExitStack() as locks:
        for folder in sorted({settings.plans_folder, settings.reports_folder}):
            try:
                folder.mkdir(parents=True, exist_ok=True)
                locks.enter_context(FileLock(folder / ".lock", timeout=0))
            except Timeout:
                raise WorkbookBusy(f"another run holds {folder}; run again when it has ended") from None
            except OSError as error:
                raise CannotStart(f"{folder} cannot be written ({error.strerror}); choose another folder") from None
        yield


def executed(staged: archive.Cycle) -> Path:
    """Return where the executed notebooks of a staged cycle lie."""
    return staged.settings.plans_folder / "executed"


def staging(book: archive.Cycle) -> archive.Cycle:
    """Return the cycle as the steps of a run see it: in a copy of the archive, there only until it is published."""
    place = book.settings.plans_folder / f".{book.name}.part"
    return archive.Cycle(book.settings.model_copy(update={"plans_folder": place}), book.month)


def stage(book: archive.Cycle, first: str) -> archive.Cycle:
    """Return the cycle in a copy of the archive that knows earlier cycles, closed versions and steps before `first`."""
    staged = staging(book)
    if not first:
        shutil.rmtree(staged.settings.plans_folder, ignore_errors=True)
    for month in archive.cycles(book.settings):
        if month < book.month:
            linked(archive.Cycle(book.settings, month).folder, staged.settings.plans_folder / months.month_name(month))
    if first:
        _take_up(book, staged, first)
    else:
        for version in archive.closed_versions(book):
            linked(book.folder / f"v{version}", staged.folder / f"v{version}")
        staged.write_manifest(book.manifest() | {"tables": {}, "sources": {}, "steps": {}})
    return staged


def _take_up(book: archive.Cycle, staged: archive.Cycle, first: str) -> None:
    """Keep of the failed run, else of the published cycle, what the steps before `first` wrote."""
    if not staged.manifest().get("steps") and book.folder.exists():
        linked(book.folder, staged.folder)
        shown = pack_folder(book) / pack_manifest(book).get("version", "none")
        if shown.exists():
            linked(shown, executed(staged))
    before, manifest = STEPS[: STEPS.index(first)], staged.manifest()
    done = {s: entry for s, entry in manifest.get("steps", {}).items() if s in before}
    lacking = [s for s in before if s not in done or not (executed(staged) / f"{s}.ipynb").exists()]
    if lacking:
        raise CannotStart(f"{first} cannot start: {lacking[0]} has not run for {book.name}; give --from {lacking[0]}")
    kept = {t for entry in done.values() for t in entry["tables"]}
    for name in set(manifest["tables"]) - kept:
        (staged.folder / f"{name}.parquet").unlink(missing_ok=True)
    tables = {name: entry for name, entry in manifest["tables"].items() if name in kept}
    stands = {name: book.manifest()[name] for name in ("status", "version")}
    staged.write_manifest(manifest | {"tables": tables, "steps": done} | stands)


def linked(source: Path, target: Path) -> None:
    """Copy a folder by hard links where the disk has them: the archive replaces files, it never changes them."""

    def copy(one: str, other: str) -> None:
        try:
            os.link(one, other)
        except OSError:
            shutil.copy2(one, other)

    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target, copy_function=copy)


# What a step was made from


def outdated(book: archive.Cycle, sources: dict[str, dict], notebooks: Path | None = None) -> dict[str, list[str]]:
    """Return for each step what has changed since it ran; nothing where it is current.

    `sources` are the hashes of the inputs as they are now.
    """
    manifest, folder = book.manifest(), notebooks or steps.notebooks_folder()
    fresh = [] if manifest["sources"] == sources else ["inputs"]
    changed = {}
    for step in STEPS:
        ran = manifest.get("steps", {}).get(step)
        now = _made_from(book, folder / f"{step}.ipynb")
        changed[step] = fresh + [k for k in now if ran["made_from"].get(k) != now[k]] if ran else ["never ran"]
    if not changed[STEPS[-1]] and not is_whole(book):
        changed[STEPS[-1]] = ["pack"]
    return changed


def _made_from(book: archive.Cycle, notebook: Path) -> dict[str, str]:
    """Return a hash of each thing that a step depends on beside the inputs."""
    earlier = [archive.Cycle(book.settings, m).folder for m in archive.cycles(book.settings) if m < book.month]
    records = {"overrides": _overrides(book.settings)} if notebook.stem == TAKES_UP_OVERRIDES else {}
    return records | {
        "settings": archive.file_hash(book.settings.folder / "sop.toml"),
        "notebook": archive.file_hash(notebook) if notebook.exists() else "",
        "library": _library(),
        "earlier cycles": text_hash("".join(archive.file_hash(folder / "manifest.json") for folder in earlier)),
    }


def _overrides(settings: Settings) -> str:
    """Return a hash of the overrides that stand in the plan book."""
    standing = planbook.current(planbook.open_book(planbook.book_url(settings), readonly=True), "overrides")
    return text_hash(standing.to_json(orient="split", date_format="iso"))


@cache
def _library() -> str:
    """Return a hash of this package and of the versions of what it uses."""
    package = Path(__file__).parent
    code = [p for p in sorted(package.rglob("*")) if p.suffix in (".py", ".csv", ".css", ".j2")]
    return text_hash("".join(f"{p.name} {archive.file_hash(p)}\n" for p in code) + json.dumps(versions()))


def versions() -> dict[str, str]:
    """Return the version of Python and of every library that the package asks for."""
    asked = [r for r in importlib.metadata.requires("sop-workbook") or [] if "extra ==" not in r]
    names = sorted({re.split(r"[^\w.-]", r)[0] for r in asked})
    return {"python": platform.python_version()} | {n: importlib.metadata.version(n) for n in names}


def clock(began: datetime, seconds: dict[str, float], warned: dict[str, list[str]]) -> dict:
    """Return what differs from run to run: when, how long, on what, and what the notebooks warned of."""
    times = {"began": f"{began:%Y-%m-%dT%H:%M:%SZ}", "ended": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"}
    return times | {"seconds": seconds, "warnings": warned, "platform": platform.platform(), "versions": versions()}
