"""People's records are kept, once, in order, with who and why, on SQLite and on a real PostgreSQL server."""

import json

import pandas as pd
import pytest
import sqlalchemy as sa
from planbook_servers import AT, CELL, save

from sop_lib import archive, overrides, planbook, settings, tables


def test_a_record_comes_back_as_it_was_saved(book):
    assert save(book) == 1
    row = planbook.current(book, "overrides").iloc[0]
    assert row["id"] == "2026-11 · product A1 · North · 2026-12 to 2026-12"
    assert (row["product"], row["family"], row["kind"], row["value"]) == ("A1", "ALL", "delta", 5.0)
    assert (row["from_month"], row["recorded_at"]) == (pd.Timestamp("2026-12-01"), AT)
    assert (row["author"], row["reason"], row["version"]) == ("planner", "trade fair", 1)
    again = tables.check("overrides", planbook.current(book, "overrides"))
    pd.testing.assert_frame_equal(again, planbook.current(book, "overrides")[again.columns])


def test_every_kind_of_record_can_be_saved_and_an_unused_kind_is_an_empty_table(book):
    words = {"text": "said", "month": "2026-11", "date": "2026-11-05", "number": 0.5, "whole": 2, "flag": True}
    kinds = [t for t in tables.tables().values() if t.group == "record"]
    assert [t.name for t in kinds] == [
        "overrides",
        "assumptions",
        "risks",
        "issues",
        "decisions",
        "sign_offs",
        "closings",
    ]
    for t in kinds:
        assert planbook.current(book, t.name).columns.tolist() == [*t.names, "version"]
        values = {
            c.name: c.choices[0] if c.choices else words[c.kind] for c in t.columns if c.name not in planbook.SIGNED
        }
        planbook.record(book, t.name, "one", values, author="leader", at=AT, reason="agreed")
        assert planbook.current(book, t.name)["version"].tolist() == [1]
        assert planbook.current(book, t.name).notna().all(axis=None)


def test_every_change_keeps_before_after_author_time_and_reason(book):
    save(book, 5)
    assert save(book, 8, author="second", reason="bigger fair", seen=1) == 2
    told = planbook.trail(book, "overrides")
    assert told["entry"].is_monotonic_increasing
    assert told["version"].tolist() == [1, 2]
    assert [json.loads(t)["value"] for t in told["after"]] == [5, 8]
    assert pd.isna(told["before"][0])
    assert told["before"][1] == told["after"][0]
    assert told[["author", "reason"]].to_numpy().tolist() == [["planner", "trade fair"], ["second", "bigger fair"]]
    assert planbook.current(book, "overrides")["value"].tolist() == [8]


def test_a_withdrawn_record_stands_no_more_and_can_be_saved_anew(book):
    save(book)
    with pytest.raises(planbook.BookError, match="no reason"):
        planbook.withdraw(book, "overrides", overrides.override_id(CELL), author="x", at=AT, reason=" ", seen=1)
    planbook.withdraw(book, "overrides", overrides.override_id(CELL), author="x", at=AT, reason="fair is off", seen=1)
    assert planbook.current(book, "overrides").empty
    with pytest.raises(planbook.Conflict, match="x withdrew it at 2026-11-05T10:30 UTC \\(reason: fair is off"):
        save(book, 7, seen=1)
    assert save(book, 9) == 3
    assert planbook.trail(book, "overrides")["reason"].tolist() == ["trade fair", "fair is off", "trade fair"]
    with pytest.raises(planbook.BookError, match="not withdrawn"):
        planbook.withdraw(book, "overrides", "nothing", author="x", at=AT, reason="y", seen=0)


def test_records_come_in_the_order_they_were_last_saved(book):
    for id in ("b", "a", "c"):
        save(book, id=id)
    save(book, id="b", seen=1)
    assert planbook.current(book, "overrides")["id"].tolist() == ["a", "c", "b"]


def test_hostile_text_comes_back_unchanged(book):
    text = "'; DROP TABLE planbook_entries; -- </script> %s :name $1 {x} \\ \"ä\n|="
    save(book, id=text, reason=text, author=text)
    assert planbook.current(book, "overrides")[["id", "reason", "author"]].iloc[0].tolist() == [text] * 3


def test_times_are_kept_in_utc(book):
    planbook.record(
        book, "overrides", "x", CELL, author="a", at=pd.Timestamp("2026-11-05 10:00", tz="Europe/Berlin"), reason="r"
    )
    assert planbook.current(book, "overrides")["recorded_at"][0] == pd.Timestamp("2026-11-05 09:00")


@pytest.mark.parametrize("order", ["UPDATE planbook_entries SET reason = 'x'", "DELETE FROM planbook_entries"])
def test_nothing_can_be_changed_or_deleted(book, order):
    save(book)
    with pytest.raises(sa.exc.DBAPIError, match="nothing is changed or deleted"), book.begin() as connection:
        connection.exec_driver_sql(order)
    assert planbook.trail(book, "overrides")["reason"].tolist() == ["trade fair"]


def test_the_second_on_a_cell_is_told_who_and_what_and_chooses(book):
    save(book, 5, author="North planner")
    with pytest.raises(planbook.Conflict) as told:
        save(book, 9, author="South planner")
    for word in (
        "North planner",
        "2026-11 · product A1 · North · 2026-12 to 2026-12",
        "value 5",
        "trade fair",
        "2026-11-05",
    ):
        assert word in str(told.value)
    assert len(planbook.trail(book, "overrides")) == 1
    assert save(book, 9, author="South planner", seen=told.value.version) == 2
    with pytest.raises(planbook.BookError, match="version 4 is not in this plan book"):
        save(book, id="other", seen=4)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"reason": " "}, "no reason"),
        ({"author": ""}, "no author"),
        ({"reason": "", "author": ""}, "no reason and no author"),
    ],
)
def test_without_reason_or_author_nothing_is_saved(book, wrong, said):
    with pytest.raises(planbook.BookError, match=said):
        save(book, **wrong)
    assert planbook.trail(book, "overrides").empty


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "twelve", None])
def test_a_value_that_is_no_number_is_not_saved(book, value):
    with pytest.raises(tables.TableError, match="value"):
        save(book, value)
    with pytest.raises(planbook.BookError, match="valeu"):
        planbook.record(book, "overrides", "x", {**CELL, "valeu": 1}, author="a", at=AT, reason="r")
    assert planbook.trail(book, "overrides").empty


def test_reading_writes_nothing(local, tmp_path):
    absent = planbook.open_book(local, readonly=True)
    assert planbook.current(absent, "overrides").empty
    assert not list(tmp_path.iterdir())
    save(planbook.open_book(local))
    before = (tmp_path / "planbook.db").read_bytes()
    reader = planbook.open_book(local, readonly=True)
    assert len(planbook.current(reader, "overrides")) == len(planbook.trail(reader, "overrides")) == 1
    assert [p.name for p in tmp_path.iterdir()] == ["planbook.db"]
    assert (tmp_path / "planbook.db").read_bytes() == before


def test_a_book_opened_for_reading_refuses_to_write(address):
    assert planbook.current(planbook.open_book(address, readonly=True), "risks").empty
    save(planbook.open_book(address))
    reader = planbook.open_book(address, readonly=True)
    with pytest.raises(planbook.BookError, match="What was saved before is untouched"):
        save(reader, id="other")
    assert len(planbook.trail(reader, "overrides")) == 1


def test_the_batch_can_freeze_what_it_read(small_workbook):
    company = settings.load(small_workbook, {})
    save(planbook.open_book(planbook.book_url(company, {})))
    cycle = archive.open_cycle(company, "2026-11")
    standing = planbook.current(planbook.open_book(planbook.book_url(company, {}), readonly=True), "overrides")
    cycle.write("overrides", standing)
    assert cycle.read("overrides")["recorded_at"].tolist() == [AT]
