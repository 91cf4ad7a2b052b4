"""Approval: a published cycle becomes the plan of record, is mended by a next version, and stays as it was agreed.

Closing freezes the tables in `plans/<cycle>/v<version>/` and writes the hash of their manifest into the plan
book, with who did it and when. Whoever changes a frozen table later cannot change that record as well unseen.
"""

import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
from rich.console import Console
from sqlalchemy import Engine

from sop_lib import archive, planbook, publish, run, steps
from sop_lib.settings import Settings
from sop_lib.steps import STEPS

__all__ = ["Closed", "NotApproved", "close_cycle", "doubts", "records", "reopen_cycle"]

AGREED = "approved as the plan of record"


class NotApproved(ValueError):
    """The cycle cannot be closed or reopened as it is; the message says why and what to do."""


@dataclass(frozen=True)
class Closed:
    """What closing leaves: the version that is the plan of record, its frozen tables, their fingerprint, the pack."""

    cycle: str
    version: int
    frozen: Path
    fingerprint: str
    index: Path


def close_cycle(
    settings: Settings, cycle: str, records: Engine, *, author: str, at: pd.Timestamp, reason: str = "",
    notebooks: Path | None = None, console: Console | None = None,
) -> Closed:  # fmt: skip
    """Make a published cycle the approved plan of record, show its pack as approved, and return where both lie.

    `records` is the plan book, `at` the time in UTC. On any failure the cycle stays a draft with the pack it had.
    Raises NotApproved, CycleClosed, WorkbookBusy, StepFailed, and BookError when the plan book cannot take it.
    """
    plan, say, began = archive.open_cycle(settings, cycle), console or Console(quiet=True), datetime.now(UTC)
    with run.held(settings):
        publish.recover(plan.folder)
        _refuse(plan)
        place = run.staging(plan).settings.plans_folder
        shutil.rmtree(place, ignore_errors=True)
        try:
            staged = run.stage(plan, STEPS[-1])
            staged.write_manifest(staged.manifest() | {"status": "closed"})
            seconds, warned = run.run_staged(plan, staged, STEPS[-1], notebooks or steps.notebooks_folder(), say)
            _same_figures(plan, staged)
            archive.freeze_version(staged)
            done = _closed(plan, staged)
            values = {"cycle": plan.month, "plan_version": done.version, "manifest": done.fingerprint}
            signed = {"author": author, "at": at, "reason": reason or AGREED}
            clock = run.clock(began, {STEPS[-1]: seconds}, {STEPS[-1]: warned})
            publish.publish(
                plan, staged, run.executed(staged), clock, lambda: _record(records, "close", values, signed)
            )
        finally:
            shutil.rmtree(place, ignore_errors=True)
    return done


def reopen_cycle(
    settings: Settings, cycle: str, records: Engine, *, author: str, at: pd.Timestamp, reason: str
) -> Closed:
    """Make the next version of a closed cycle a draft, and return the version that was closed: it stays readable.

    Later cycles are judged against it until the next version is closed; its pack stays until the cycle is run again.
    Raises NotApproved when the cycle is not closed, WorkbookBusy, and BookError without a reason.
    """
    plan = archive.open_cycle(settings, cycle)
    with run.held(settings):
        publish.recover(plan.folder)
        manifest = plan.manifest()
        if manifest["status"] != "closed":
            raise NotApproved(f"{plan.name} is not closed: there is nothing to reopen; sop run changes a draft")
        if manifest["version"] not in archive.closed_versions(plan):
            raise NotApproved(
                f"{plan.name}: its frozen copy v{manifest['version']} is gone; restore it from a backup, then reopen"
            )
        done = _closed(plan, plan)
        values = {"cycle": plan.month, "plan_version": done.version, "manifest": done.fingerprint}
        _record(records, "reopen", values, {"author": author, "at": at, "reason": reason})
        plan.write_manifest(manifest | {"status": "draft", "version": done.version + 1})
        shutil.rmtree(run.staging(plan).settings.plans_folder, ignore_errors=True)
    return done


def _refuse(plan: archive.Cycle) -> None:
    """Refuse what cannot be the plan of record: closed already, changed since it was written, not published."""
    manifest, again = plan.manifest(), f"sop run … --cycle {plan.name}"
    if manifest["status"] == "closed":
        raise run.CycleClosed(f"{plan.name} is closed already, as version {manifest['version']}")
    if not manifest["tables"]:
        raise NotApproved(f"{plan.name} has no plan yet: {again} makes it")
    if changed := archive.changed_files(plan):
        names = ", ".join(changed[:5]) + (" …" if len(changed) > 5 else "")
        raise NotApproved(f"{plan.name}: not the tables that were written: {names}; {again} --force writes them anew")
    if not publish.is_whole(plan):
        raise NotApproved(f"{plan.name} has no whole pack of these tables: {again}, look at the pack, then close")


def _same_figures(plan: archive.Cycle, staged: archive.Cycle) -> None:
    """Refuse to approve figures that nobody has seen: the last notebook must find what the published pack shows."""
    before, now = plan.manifest()["tables"], staged.manifest()["tables"]
    if moved := sorted(name for name in before.keys() | now.keys() if before.get(name) != now.get(name)):
        raise NotApproved(
            f"{plan.name}: the program has changed since the pack was published and now finds other figures in "
            f"{', '.join(moved)}; sop run … --cycle {plan.name}, look at the pack, then close"
        )


def _closed(plan: archive.Cycle, holder: archive.Cycle) -> Closed:
    """Return what is closed, from the cycle or staged copy that holds the frozen version."""
    version = holder.manifest()["version"]
    frozen = archive.Cycle(plan.settings, plan.month, version).folder
    held = archive.Cycle(holder.settings, plan.month, version).folder
    index = publish.pack_folder(plan) / "index.html"
    return Closed(plan.name, version, frozen, archive.file_hash(held / "manifest.json"), index)


def _record(book: Engine, action: str, values: dict, signed: dict) -> None:
    """Write one closing into the plan book; one that was written before a crash is written again, as its next entry."""
    id = f"{values['cycle']:%Y-%m} v{values['plan_version']} {action}"
    known = planbook.current(book, "closings").set_index("id")["version"]
    planbook.record(book, "closings", id, {**values, "action": action}, **signed, seen=int(known.get(id, 0)))


def records(closings: pd.DataFrame, plan: archive.Cycle) -> list[str]:
    """Return who closed and reopened a cycle, when and why, one sentence each, oldest first."""
    words = {"close": "closed", "reopen": "reopened"}
    rows = closings[closings["cycle"] == plan.month].sort_values("recorded_at", kind="stable")
    return [
        f"version {int(r.plan_version)} {words[r.action]} by {r.author}, {r.recorded_at:%Y-%m-%d %H:%M} UTC: {r.reason}"
        for r in rows.itertuples()
    ]


def doubts(closings: pd.DataFrame, plan: archive.Cycle) -> list[str]:
    """Return in sentences where closed versions of a cycle are not what the plan book recorded."""
    rows = closings[(closings["cycle"] == plan.month) & (closings["action"] == "close")]
    known = {int(v): str(h) for v, h in zip(rows["plan_version"], rows["manifest"], strict=True)}
    there, manifest = archive.closed_versions(plan), plan.manifest()
    found = [said for version in sorted(known.keys() | set(there)) for said in _doubt(plan, version, known)]
    frozen = archive.Cycle(plan.settings, plan.month, manifest["version"])
    if manifest["status"] == "closed" and manifest["version"] in there:
        same = archive.file_hash(plan.folder / "manifest.json") == archive.file_hash(frozen.folder / "manifest.json")
        if not same or archive.changed_files(plan):
            found.append("the tables of the cycle are not the closed ones; those lie in its frozen copy")
    return found


def _doubt(plan: archive.Cycle, version: int, known: dict[int, str]) -> list[str]:
    frozen = archive.Cycle(plan.settings, plan.month, version)
    path, what = frozen.folder / "manifest.json", f"version {version}"
    if not path.exists():
        draft = plan.manifest()["version"] == version and plan.manifest()["status"] == "draft"
        cure = "closing was cut short; close it again" if draft else "restore it from a backup"
        return [f"{what} is recorded as closed, but its frozen copy v{version} is gone: {cure}"]
    if version not in known:
        return [f"{what} has a frozen copy, but the plan book has no record that it was closed"]
    if archive.file_hash(path) != known[version]:
        return [f"{what} is NOT what was closed: the manifest of its frozen copy has changed since"]
    changed = archive.changed_files(frozen)
    return [f"{what} is NOT what was closed: {', '.join(changed)} changed or gone since"] if changed else []
