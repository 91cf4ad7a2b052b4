"""The master schedule as a file: the approved rates by product, with their checksum and what they add up to.

`FILE.csv` holds the rates, `FILE.csv.sha256` its checksum as `sha256sum -c` reads it, and `FILE.csv.json` what it is:
cycle, version, approved or draft, checksum, the rule of the split, and sums by family and month.
A text that a spreadsheet would run (it begins with = + - @ or a tab) stands behind an apostrophe, and so does one that
begins with an apostrophe; reading takes it away again.
"""

import csv
import io
import json
from pathlib import Path

import pandas as pd

from sop_lib import archive, master_schedule, months, publish

__all__ = ["ScheduleError", "handed_off", "marked", "plan_of_record", "schedule", "told", "without_marks", "write"]

COLUMNS = ["cycle", "version", "month", "family", "product", "plant", "source", "quantity"]
ORDER = ["month", "family", "product", "plant", "source"]
RUNS = "=+-@\t\r'"


class ScheduleError(ValueError):
    """A schedule cannot be written or read; the message says why and what to do."""


def plan_of_record(book: archive.Cycle) -> archive.Cycle:
    """Return the cycle in its last closed version, which is the approved one; the draft where none was closed."""
    closed = archive.closed_versions(book)
    return archive.Cycle(book.settings, book.month, closed[-1]) if closed else book


def _standing(book: archive.Cycle) -> dict:
    version = book.version or book.manifest()["version"]
    return {"cycle": book.name, "version": version, "standing": "approved" if book.version else "draft"}


def told(book: archive.Cycle) -> str:
    """Return what a schedule is made from, in words."""
    stands = _standing(book)
    kind = "approved plan of record" if book.version else "DRAFT, not approved"
    return f"{stands['cycle']}, version {stands['version']}, {kind}"


# Out


def write(book: archive.Cycle, path: Path) -> dict:
    """Write the schedule of a cycle with its checksum and manifest, and return the manifest.

    The same plan gives the same bytes. A file that stands there is replaced only when this wrote it and nobody changed
    it. Raises ScheduleError when the cycle has no schedule or the place takes no file.
    """
    rows = schedule(book)
    stands = _standing(book)
    text = _csv(rows.assign(cycle=stands["cycle"], version=stands["version"]))
    checksum = publish.text_hash(text)
    sums = master_schedule.by_family(rows)
    by_month = {
        str(f): {months.month_name(m): round(float(q), 3) for m, q in zip(part["month"], part["quantity"], strict=True)}
        for f, part in sums.groupby("family")
    }
    rules = {str(f): rule for f, rule in rows.groupby("family")["rule"].first().items()}
    manifest = stands | {"file": path.name, "sha256": checksum, "rows": len(rows), "rules": rules, "sums": by_month}
    said = json.dumps(manifest, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    try:
        _keep_others(path)
        publish.write_text(path, text)
        publish.write_text(_beside(path, ".sha256"), f"{checksum}  {path.name}\n")
        publish.write_text(_beside(path, ".json"), said)
    except OSError as error:
        raise ScheduleError(f"{path}: cannot be written: {error.strerror}; name a file in a folder of yours") from None
    return manifest


def _keep_others(path: Path) -> None:
    """Raise ScheduleError where something stands that `write` did not write, or that was changed since."""
    for place in (path, _beside(path, ".sha256"), _beside(path, ".json")):
        if place.is_symlink() or (place.exists() and not place.is_file()):
            raise ScheduleError(f"{place}: cannot be written: what stands there is not a file; name another place")
    if path.exists() and _known(path) != archive.file_hash(path):
        raise ScheduleError(
            f"{path}: cannot be written: a file stands there that this command did not write, or that was changed "
            "since; name another, or move it away first"
        )


def _known(path: Path) -> str:
    """Return the checksum that lies beside a file; blank where none can be read."""
    try:
        return next(iter(_beside(path, ".sha256").read_text(encoding="utf-8").split()), "")
    except (OSError, ValueError):
        return ""


def schedule(book: archive.Cycle) -> pd.DataFrame:
    """Return the rows of a cycle's `master_schedule`, in the order of the file. Raises ScheduleError without any."""
    if "master_schedule" not in book.manifest()["tables"]:
        raise ScheduleError(f"{told(book)}: it has no master schedule; run the cycle with notebook 03_supply first")
    rows = book.read("master_schedule")
    if rows.empty:
        raise ScheduleError(
            f"{told(book)}: no supply is planned, so there is nothing to hand off; give supply's inputs"
        )
    return rows[rows["scenario"] == "base"].sort_values(ORDER, kind="stable", ignore_index=True)


def _csv(rows: pd.DataFrame) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for row in rows[COLUMNS].itertuples(index=False):
        texts = [marked(str(v)) for v in (row.family, row.product, row.plant, row.source)]
        quantity = f"{row.quantity:.3f}".rstrip("0").rstrip(".")
        writer.writerow([row.cycle, row.version, f"{row.month:%Y-%m-%d}", *texts, quantity])
    return out.getvalue()


def marked(text: str) -> str:
    """Return a text so that no spreadsheet runs it; `without_marks` takes it back."""
    return f"'{text}" if text[:1] and text[0] in RUNS else text


def without_marks(text: str) -> str:
    """Return a text as it was before it was written.

    >>> without_marks(marked("=1+1")), without_marks(marked("'a")), without_marks("it's")
    ('=1+1', "'a", "it's")
    """
    return text[1:] if text[:1] == "'" and text[1:2] and text[1] in RUNS else text


def _beside(path: Path, ending: str) -> Path:
    return path.with_name(path.name + ending)


def handed_off(path: Path, book: archive.Cycle) -> list[str]:
    """Return what the checksum and manifest beside a file say about it; nothing where there are none."""
    manifest, said = _beside(path, ".json"), []
    stands = _standing(book)
    try:
        noted = json.loads(manifest.read_text(encoding="utf-8")) if manifest.exists() else {}
        if not isinstance(noted, dict):
            raise ValueError("not a manifest")
        line = _beside(path, ".sha256")
        known = line.read_text(encoding="utf-8").split()[:1] if line.exists() else [noted["sha256"]] if noted else []
    except (OSError, ValueError, KeyError, RecursionError):
        return [f"{manifest.name} or the checksum beside the file cannot be read: nothing is said about its origin."]
    if known:
        same = archive.file_hash(path) == known[0]
        said.append(
            "The file is as it was handed off." if same
            else "The file was changed after it was handed off; that is fine for a schedule that comes back."
        )  # fmt: skip
    if noted and any(noted.get(n) != stands[n] for n in ("cycle", "version")):
        said.append(f"It was handed off from {noted.get('cycle')}, version {noted.get('version')}, not from this plan.")
    return said
