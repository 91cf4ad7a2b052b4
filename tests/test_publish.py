"""The pack is put into its place whole, beside the version before it, and a cut-short swap heals."""

import json

import nbformat
import pytest

from sop_lib import archive, months, publish, run, settings, steps

v4 = nbformat.v4


@pytest.fixture
def book(small_workbook):
    return archive.open_cycle(settings.load(small_workbook, {}), months.month("2026-11"))


def put(book, word: str, tables: int = 1) -> str:
    """Publish five notebooks that say `word`, with a manifest that depends on `tables`."""
    staged = run.staging(book)
    entries = {f"table {n}": {"rows": 1, "sha256": "0"} for n in range(tables)}
    staged.write_manifest(staged.manifest() | {"tables": entries})
    executed = staged.settings.plans_folder / "executed"
    for step in steps.STEPS:
        cells = [v4.new_markdown_cell(f"# {step} {word}", id="c00")]
        publish.write_text(executed / f"{step}.ipynb", nbformat.writes(v4.new_notebook(cells=cells)))
    return publish.publish(book, staged, executed, {"began": "now"})


def test_the_pack_is_one_page_beside_a_folder_with_the_pages_of_its_version(book):
    version = put(book, "first")
    reports = publish.pack_folder(book)
    assert sorted(p.name for p in reports.iterdir()) == ["index.html", "manifest.json", version]
    pages = [f"{step}.{kind}" for step in steps.STEPS for kind in ("html", "ipynb")]
    assert sorted(p.name for p in (reports / version).iterdir()) == [*pages, "run.json"]
    index = (reports / "index.html").read_text(encoding="utf-8")
    assert "05_executive_pack first" in index
    assert f'href="{version}/01_data.html"' in index
    assert publish.is_whole(book)


def test_the_manifest_names_the_version_and_every_file_but_the_clock(book):
    version = put(book, "first")
    manifest = publish.pack_manifest(book)
    assert (manifest["version"], manifest["status"], manifest["cycle"]) == (version, "draft", "2026-11")
    assert len(manifest["files"]) == 11
    assert not any("run.json" in name for name in manifest["files"])
    (publish.pack_folder(book) / version / "01_data.html").write_text("changed")
    assert not publish.is_whole(book)


def test_the_last_version_stays_for_readers_and_older_ones_and_failures_go(book):
    reports = publish.pack_folder(book)
    (reports / "failed").mkdir(parents=True)
    (reports / "notes of the operator").mkdir()
    first, second, third = (put(book, "word", tables) for tables in (1, 2, 3))
    kept = {"index.html", "manifest.json", "notes of the operator"}
    assert {p.name for p in reports.iterdir()} == kept | {second, third}
    assert first not in (second, third)


def test_the_same_plan_has_the_same_version_and_bytes(book):
    first = put(book, "same")
    index = (publish.pack_folder(book) / "index.html").read_bytes()
    assert put(book, "same") == first
    assert (publish.pack_folder(book) / "index.html").read_bytes() == index


def test_the_index_is_the_last_file_to_be_replaced(book, monkeypatch):
    put(book, "old")
    before = {p: p.read_bytes() for p in publish.pack_folder(book).rglob("*.html")}
    real = publish.write_text

    def cut_short(path, text):
        if path.name in ("manifest.json", "index.html"):
            raise OSError("the disk is full")
        real(path, text)

    monkeypatch.setattr(publish, "write_text", cut_short)
    with pytest.raises(OSError, match="disk is full"):
        put(book, "new", tables=2)
    assert {p: p.read_bytes() for p in before} == before


@pytest.mark.parametrize("old_there", [True, False])
def test_a_swap_of_folders_that_was_cut_short_heals(tmp_path, old_there):
    place, aside = tmp_path / "2026-11", tmp_path / ".2026-11.old"
    aside.mkdir()
    (aside / "manifest.json").write_text(json.dumps({"version": 1}))
    if old_there:
        place.mkdir()
        (place / "manifest.json").write_text(json.dumps({"version": 2}))
    publish.recover(place)
    assert json.loads((place / "manifest.json").read_text()) == {"version": 2 if old_there else 1}
    assert not aside.exists()
