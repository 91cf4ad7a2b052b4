"""The tables of a cycle: what is written is read back, and nothing else."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as law
from hypothesis import strategies as st

from sop_lib import archive, months, settings, tables


@pytest.fixture
def company(tmp_path):
    (tmp_path / "sop.toml").write_text('[company]\nname = "Acme"\n', encoding="utf-8")
    return settings.load(tmp_path, {})


def sales(**columns) -> pd.DataFrame:
    return pd.DataFrame({"month": ["2026-10", "2026-09"], "product": ["b", "a"], "shipped": [1.0, 2.0]} | columns)


def test_a_table_is_read_back_as_it_was_written(company):
    book = archive.open_cycle(company, "2026-11")
    written = book.write("sales", sales())
    assert written["product"].tolist() == ["a", "b"]
    pd.testing.assert_frame_equal(book.read("sales"), written)
    assert book.has("sales")
    assert book.manifest()["tables"]["inputs/sales"]["rows"] == 2


def test_the_months_around_a_cycle(company):
    book = archive.open_cycle(company, "2026-11")
    assert (book.name, book.last_closed) == ("2026-11", pd.Timestamp("2026-10-01"))
    assert (book.horizon[0], len(book.horizon)) == (pd.Timestamp("2026-11-01"), 24)


def test_an_absent_input_is_empty_and_an_absent_plan_is_an_error(company):
    book = archive.open_cycle(company, "2026-11")
    assert list(book.read("budget")) == tables.table("budget").names
    with pytest.raises(archive.ArchiveError, match="'gap' is not there yet"):
        book.read("gap")
    assert not book.has("gap")


def test_a_plan_table_gets_its_cycle_first(company):
    names = tables.table("data_issues").names
    row = dict.fromkeys(names, "x") | {"severity": "warn", "rows": 1, "quantity": np.nan, "money": 2.0}
    book = archive.open_cycle(company, "2026-11")
    written = book.write("data_issues", pd.DataFrame([row]).drop(columns="cycle"))
    assert list(written) == names
    assert written["cycle"].tolist() == [pd.Timestamp("2026-11-01")]


def test_a_file_that_changed_is_refused(company):
    book = archive.open_cycle(company, "2026-11")
    book.write("sales", sales())
    (book.folder / "inputs" / "sales.parquet").write_bytes(b"other")
    with pytest.raises(archive.ArchiveError, match="not the file the manifest names"):
        book.read("sales")


def test_a_failed_write_leaves_the_old_file_and_no_part(tmp_path):
    path = tmp_path / "a.txt"
    archive.write_file(path, lambda part: part.write_text("old"))

    def fail(part):
        part.write_text("half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        archive.write_file(path, fail)
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_a_table_that_breaks_its_definition_is_not_written(company):
    book = archive.open_cycle(company, "2026-11")
    with pytest.raises(tables.TableError):
        book.write("sales", sales(product=["a", None]))
    assert not book.has("sales")


def test_equal_tables_are_equal_bytes(company, tmp_path):
    book = archive.open_cycle(company, "2026-11")
    book.write("sales", sales(shipped=[0.1 + 0.2, -0.0]))
    first = (book.folder / "inputs" / "sales.parquet").read_bytes()
    manifest = (book.folder / "manifest.json").read_bytes()
    book.write("sales", sales(shipped=[0.3, 0.0]).iloc[::-1])
    assert (book.folder / "inputs" / "sales.parquet").read_bytes() == first
    assert (book.folder / "manifest.json").read_bytes() == manifest
    assert json.loads(manifest)["status"] == "draft"


def test_cycles_are_found_and_ordered(company):
    with pytest.raises(archive.ArchiveError, match="no cycle yet"):
        archive.open_cycle(company)
    for name in ("2026-11", "2025-12", "2026-10"):
        archive.open_cycle(company, name).write("sales", sales())
    (company.plans_folder / "notes").mkdir()
    assert [months.month_name(m) for m in archive.cycles(company)] == ["2025-12", "2026-10", "2026-11"]
    latest = archive.open_cycle(company)
    assert (latest.name, archive.previous_cycle(latest).name) == ("2026-11", "2026-10")
    assert archive.previous_cycle(archive.open_cycle(company, "2025-12")) is None


FLOATS = st.floats(-1e12, 1e12, allow_nan=False)


@law(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(FLOATS, FLOATS)
def test_numbers_keep_nine_digits_and_are_stable(company, x, y):
    book = archive.open_cycle(company, "2026-11")
    once = book.write("sales", sales(shipped=[x, y]))
    assert np.allclose(once["shipped"], [y, x], rtol=1e-8, atol=1e-200)
    pd.testing.assert_frame_equal(book.write("sales", once), once)
    pd.testing.assert_frame_equal(book.read("sales"), once)
