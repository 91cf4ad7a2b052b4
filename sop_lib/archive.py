"""The tables of a cycle as Parquet files under `plans/<cycle>/`, with a manifest of their hashes."""

import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from sop_lib import months, tables
from sop_lib.settings import Settings

__all__ = [
    "ArchiveError",
    "Cycle",
    "approved_table",
    "changed_files",
    "closed_versions",
    "cycles",
    "file_hash",
    "freeze_version",
    "open_cycle",
    "previous_cycle",
    "previous_table",
    "write_file",
]


FOLDERS = {"input": "inputs/", "record": "records/", "plan": ""}


class ArchiveError(ValueError):
    """A table or cycle is absent, or does not match its manifest."""


@dataclass(frozen=True)
class Cycle:
    """One cycle of one company: where its tables lie. It plans from `month` on and knows history before it.

    With a `version`: the frozen copy that was made when that version was closed.
    """

    settings: Settings
    month: pd.Timestamp
    version: int = 0

    @property
    def name(self) -> str:
        """The cycle as its folder is named, YYYY-MM."""
        return months.month_name(self.month)

    @property
    def folder(self) -> Path:
        """Where the cycle's tables lie."""
        place = self.settings.plans_folder / self.name
        return place / f"v{self.version}" if self.version else place

    @property
    def last_closed(self) -> pd.Timestamp:
        """The last month with known history."""
        return self.month - pd.offsets.MonthBegin(1)

    @property
    def horizon(self) -> pd.DatetimeIndex:
        """The months planned, the cycle's own first."""
        return months.month_range(self.month, self.settings.planning.horizon_months)

    def manifest(self) -> dict:
        """Return what the cycle holds: its status, version, and hash and rows of each table."""
        path = self.folder / "manifest.json"
        empty = {"cycle": self.name, "status": "draft", "version": 1, "tables": {}, "sources": {}}
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else empty

    def has(self, name: str) -> bool:
        """Return whether the cycle holds a table with at least one row."""
        return self.manifest()["tables"].get(_stored(name), {}).get("rows", 0) > 0

    def read(self, name: str) -> pd.DataFrame:
        """Return one table of the cycle, an input or record as it was frozen; an absent one is empty.

        Raises ArchiveError when a plan table is absent or a file is not the one that was written.
        """
        stored = _stored(name)
        entry = self.manifest()["tables"].get(stored)
        if entry is None:
            if tables.table(name).group != "plan":
                return tables.empty(name)
            raise ArchiveError(f"{self.name}: table '{name}' is not there yet; run the steps before this one")
        path = self.folder / f"{stored}.parquet"
        if not path.exists() or file_hash(path) != entry["sha256"]:
            remedy = "restore the closed version from a backup" if self.version else "run the cycle again"
            raise ArchiveError(f"{path}: not the file the manifest names; {remedy}")
        return tables.check(name, pd.read_parquet(path))

    def write(self, name: str, df: pd.DataFrame) -> pd.DataFrame:
        """Write one table, checked, sorted and rounded to 9 significant digits, and return it as written.

        Plan tables get the cycle as their first column. The file and the manifest are replaced whole.
        Raises ArchiveError when the cycle is closed.
        """
        if self.version or (
            self.manifest()["status"] == "closed" and self.manifest()["version"] in closed_versions(self)
        ):
            raise ArchiveError(f"{self.name} is closed: nothing is written to it; sop reopen makes its next version")
        plan = tables.table(name).group == "plan"
        out = _rounded(tables.check(name, df.assign(cycle=self.month) if plan else df))
        path = self.folder / f"{_stored(name)}.parquet"
        write_file(path, lambda part: out.to_parquet(part, index=False, compression="zstd"))
        manifest = self.manifest()
        manifest["tables"][_stored(name)] = {"rows": len(out), "sha256": file_hash(path)}
        self.write_manifest(manifest)
        return out

    def write_manifest(self, manifest: dict) -> None:
        """Replace the cycle's manifest."""
        manifest["tables"] = dict(sorted(manifest["tables"].items()))
        text = json.dumps(manifest, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
        write_file(self.folder / "manifest.json", lambda part: part.write_text(text, encoding="utf-8"))


def _stored(name: str) -> str:
    return FOLDERS[tables.table(name).group] + name


def _rounded(df: pd.DataFrame) -> pd.DataFrame:
    """Round floats to 9 significant digits and turn -0 into 0, so that equal plans are equal bytes."""
    out = df.copy()
    for name in out.select_dtypes("float64"):
        values = out[name].to_numpy()
        with np.errstate(divide="ignore", invalid="ignore"):
            exponent = np.where((values == 0) | ~np.isfinite(values), 0, np.floor(np.log10(np.abs(values))))
        scale = 10.0 ** (8 - np.maximum(exponent, -200.0))
        out[name] = np.round(values * scale) / scale + 0.0
    return out


def write_file(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a file beside `path`, then replace `path` by it: a reader sees the old file or the new."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(handle)
    part = Path(name)
    try:
        write(part)
        part.chmod(0o644)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def file_hash(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()


def changed_files(cycle: Cycle) -> list[str]:
    """Return the tables of a cycle whose file is gone or not the one its manifest names."""
    files = {name: cycle.folder / f"{name}.parquet" for name in cycle.manifest()["tables"]}
    known = {name: entry["sha256"] for name, entry in cycle.manifest()["tables"].items()}
    return [name for name, path in files.items() if not path.exists() or file_hash(path) != known[name]]


def freeze_version(cycle: Cycle) -> None:
    """Copy a cycle's tables and manifest into the folder of its version, `v1` and so on, as files of their own."""
    target = Cycle(cycle.settings, cycle.month, cycle.manifest()["version"]).folder
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(cycle.folder, target, ignore=shutil.ignore_patterns("v*[0-9]", ".*"))


def closed_versions(cycle: Cycle) -> list[int]:
    """Return the versions of a cycle that were closed and lie frozen in its folder, oldest first."""
    found = (p.parent.name for p in cycle.folder.glob("v*/manifest.json"))
    return sorted(int(name[1:]) for name in found if re.fullmatch(r"v[1-9]\d*", name))


def approved_table(cycle: Cycle, name: str) -> pd.DataFrame:
    """Return a plan table of every cycle before this one that was closed, each in its last closed version.

    A cycle that was reopened stays approved as it was until its next version is closed.
    """
    earlier = [Cycle(cycle.settings, m) for m in cycles(cycle.settings) if m < cycle.month]
    closed = [Cycle(c.settings, c.month, closed_versions(c)[-1]) for c in earlier if closed_versions(c)]
    found = [c.read(name) for c in closed if c.has(name)]
    return pd.concat(found, ignore_index=True) if found else tables.empty(name)


def cycles(settings: Settings) -> list[pd.Timestamp]:
    """Return the months of the archived cycles, oldest first."""
    found = settings.plans_folder.glob("*/manifest.json")
    return sorted(months.month(p.parent.name) for p in found if re.fullmatch(r"\d{4}-\d{2}", p.parent.name))


def open_cycle(settings: Settings, cycle: str | pd.Timestamp = "") -> Cycle:
    """Return a cycle of the company: the one named, else the latest archived one.

    Raises ArchiveError when none is named and none is archived.
    """
    if cycle:
        return Cycle(settings, months.month(cycle))
    known = cycles(settings)
    if not known:
        raise ArchiveError(f"{settings.plans_folder}: no cycle yet; run notebook 01_data first")
    return Cycle(settings, known[-1])


def previous_cycle(cycle: Cycle) -> Cycle | None:
    """Return the latest archived cycle before this one, or None."""
    earlier = [m for m in cycles(cycle.settings) if m < cycle.month]
    return Cycle(cycle.settings, earlier[-1]) if earlier else None


def previous_table(cycle: Cycle, name: str) -> pd.DataFrame:
    """Return a table of the latest archived cycle before this one, with all its columns; empty when there is none."""
    last = previous_cycle(cycle)
    if last is not None and last.has(name):
        return last.read(name)
    return tables.empty(name)
