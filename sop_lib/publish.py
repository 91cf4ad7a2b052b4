"""Publishing: the executed notebooks as pages, and the pack put into its place whole or not at all.

Pages go to a version folder of their own beside the pack; `manifest.json` and `index.html` are replaced last.
The version is named by what the tables, notebooks and library are, so that the same plan has the same name.
"""

import hashlib
import json
import os
import re
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import nbformat

from sop_lib import archive, page, steps
from sop_lib.steps import STEPS

__all__ = [
    "is_whole", "pack_folder", "pack_manifest", "pack_version", "publish", "recover", "text_hash", "write_text",
]  # fmt: skip


def text_hash(text: str) -> str:
    """Return the SHA-256 of a text."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def write_text(path: Path, text: str) -> None:
    """Replace a file by one that holds the text."""
    archive.write_file(path, lambda part: part.write_text(text, encoding="utf-8", newline="\n"))


def pack_folder(book: archive.Cycle) -> Path:
    """Return the folder of the cycle's published pack."""
    return book.settings.reports_folder / book.name


def pack_manifest(book: archive.Cycle) -> dict:
    """Return what the published pack holds; nothing before the first one."""
    path = pack_folder(book) / "manifest.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def pack_version(book: archive.Cycle) -> str:
    """Return the name of the pack that shows the cycle as its manifest says it is."""
    return f"v{book.version or book.manifest()['version']}-{archive.file_hash(book.folder / 'manifest.json')[:8]}"


def is_whole(book: archive.Cycle) -> bool:
    """Return whether every file of the published pack is there as it was written, of the tables as they are."""
    pack = pack_manifest(book)
    there = {name: pack_folder(book) / name for name in pack.get("files", {})}
    intact = all(path.exists() and archive.file_hash(path) == pack["files"][name] for name, path in there.items())
    return bool(there) and intact and (book.folder / "manifest.json").exists() and pack["version"] == pack_version(book)


def publish(
    book: archive.Cycle, staged: archive.Cycle, executed: Path, clock: dict,
    sign: Callable[[], object] = lambda: None,
) -> str:  # fmt: skip
    """Put the staged tables and then the pack made of the executed notebooks in their places; return the version.

    Of earlier versions the last one stays, for readers who have it open, and those that were closed.
    `clock` goes to `run.json`, in no hash. `sign` is called when all is ready; if it fails, all is as it was.
    """
    manifest, version = staged.manifest(), pack_version(staged)
    reports, old = pack_folder(book), pack_manifest(book)
    files = _files(book, executed, version)
    pack = {"cycle": book.name, "version": version, "status": manifest["status"], "plan_version": manifest["version"]}
    pack["files"] = {name: text_hash(text) for name, text in files.items()}
    for name in [n for n in files if n != "index.html"]:
        write_text(reports / name, files[name])
    write_text(reports / version / "run.json", _json(clock))
    with _undisturbed():
        sign()
        _swap(staged.folder, book.folder)
        write_text(reports / "manifest.json", _json(pack))
        write_text(reports / "index.html", files["index.html"])
    closed = [archive.Cycle(book.settings, book.month, number) for number in archive.closed_versions(book)]
    kept = {version, old.get("version"), *map(pack_version, closed)}
    for past in [p for p in reports.iterdir() if re.fullmatch(r"failed|v\d+-[0-9a-f]{8}", p.name)]:
        if past.name not in kept:
            shutil.rmtree(past, ignore_errors=True)
    return version


def _files(book: archive.Cycle, executed: Path, version: str) -> dict[str, str]:
    """Return the text of every file of the pack by its path: executed notebooks, their pages, and the pack itself."""
    who, files = f"{book.settings.company.name} · {book.name}", {}
    for step in STEPS:
        notebook = nbformat.read(executed / f"{step}.ipynb", as_version=4)
        sisters = [(steps.label(s), f"{s}.html") for s in STEPS if s != step]
        files[f"{version}/{step}.ipynb"] = nbformat.writes(notebook) + "\n"
        files[f"{version}/{step}.html"] = page.export(notebook, f"{steps.label(step)} · {who}", sisters)
    inside = [(steps.label(s), f"{version}/{s}.html") for s in STEPS[:-1]]
    return files | {"index.html": page.export(notebook, f"{who} · Executive pack", inside)}


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Let Ctrl-C and the end of the session wait until the few files are in place."""
    here = threading.current_thread() is threading.main_thread()
    held = {s: signal.signal(s, signal.SIG_IGN) for s in (signal.SIGINT, signal.SIGTERM)} if here else {}
    try:
        yield
    finally:
        for number, handler in held.items():
            signal.signal(number, handler)


def _swap(new: Path, place: Path) -> None:
    """Put a folder in the place of another; a crash between the two renames is healed by `recover`."""
    recover(place)
    if place.exists():
        os.replace(place, _aside(place))
    os.replace(new, place)
    shutil.rmtree(_aside(place), ignore_errors=True)


def recover(place: Path) -> None:
    """Heal a folder whose replacement was cut short."""
    if _aside(place).exists() and not place.exists():
        os.replace(_aside(place), place)
    shutil.rmtree(_aside(place), ignore_errors=True)


def _aside(place: Path) -> Path:
    return place.with_name(f".{place.name}.old")


def _json(value: dict) -> str:
    return json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
