"""A plan book of another version, many who write at once, and writers that are killed."""

import json
import os
import signal

import pytest
import sqlalchemy as sa
from planbook_servers import EDITS, KIT, WRITERS, save

from sop_lib import planbook

# --- versions of the schema


def add_evidence(connection):
    connection.exec_driver_sql("ALTER TABLE planbook_entries ADD COLUMN evidence TEXT")


def tear(connection):
    connection.exec_driver_sql("CREATE TABLE half_done (a INTEGER)")
    connection.exec_driver_sql("SELECT nonsense")


def test_an_older_book_is_brought_up_to_date_with_all_its_records(address, monkeypatch):
    save(planbook.open_book(address))
    monkeypatch.setattr(planbook, "MIGRATIONS", (*planbook.MIGRATIONS, add_evidence))
    with pytest.raises(planbook.BookError, match="schema 1, this program knows 2: open it once"):
        planbook.open_book(address, readonly=True)
    book = planbook.open_book(address)
    with book.connect() as connection:
        assert connection.exec_driver_sql("SELECT evidence FROM planbook_entries").all() == [(None,)]
        assert connection.exec_driver_sql("SELECT version FROM planbook_version ORDER BY 1").all() == [(1,), (2,)]
    assert save(planbook.open_book(address), seen=1) == 2


def test_a_migration_that_fails_changes_nothing(address, monkeypatch):
    save(planbook.open_book(address))
    with monkeypatch.context() as patch:
        patch.setattr(planbook, "MIGRATIONS", (*planbook.MIGRATIONS, tear))
        with pytest.raises(planbook.BookError, match="nonsense"):
            planbook.open_book(address)
    book = planbook.open_book(address)
    assert not sa.inspect(book).has_table("half_done")
    assert len(planbook.current(book, "overrides")) == 1


@pytest.mark.parametrize("readonly", [True, False])
def test_a_newer_book_is_refused_and_left_alone(address, readonly):
    book = planbook.open_book(address)
    save(book)
    with book.begin() as connection:
        connection.exec_driver_sql("INSERT INTO planbook_version VALUES (99)")
    with pytest.raises(planbook.BookError, match="schema 99, this program knows 1: install the newer program"):
        planbook.open_book(address, readonly=readonly)
    assert len(planbook.trail(book, "overrides")) == 1


# --- many at once, and killed ones


def write_edits(address, writer):
    """Save `EDITS` edits in a process of its own; every fourth on cells that all the writers change."""
    book, seen = planbook.open_book(address), {}
    for number in range(EDITS):
        id, saved = f"shared {number % 8}" if number % 4 == 0 else f"own {writer} {number % 5}", 0
        while not saved:
            try:
                value = writer * 1000 + number
                saved = seen[id] = save(book, value, id, author=f"writer {writer}", seen=seen.get(id, 0))
            except planbook.Conflict as conflict:
                seen[id] = conflict.version


def read_on(address, done, failed):
    """Read until told to stop, as the batch does; whatever was read once is there in every later reading."""
    known = []
    while not done.wait(0.1):
        told = planbook.trail(planbook.open_book(address, readonly=True), "overrides")
        if told["entry"].tolist()[: len(known)] != known or not told["after"].map(json.loads).map(len).eq(8).all():
            failed.set()
        known = told["entry"].tolist()
    if not known:
        failed.set()


def test_four_writers_and_a_batch_at_once_lose_no_edit(address):
    done, failed = KIT.Event(), KIT.Event()
    batch = KIT.Process(daemon=True, target=read_on, args=(address, done, failed))
    writers = [KIT.Process(daemon=True, target=write_edits, args=(address, number)) for number in range(WRITERS)]
    for process in (batch, *writers):
        process.start()
    for process in writers:
        process.join(300)
    done.set()
    batch.join(30)
    assert [process.exitcode for process in (batch, *writers)] == [0] * (WRITERS + 1)
    assert not failed.is_set()

    told = planbook.trail(planbook.open_book(address), "overrides")
    value = told["after"].map(lambda text: int(json.loads(text)["value"]))
    assert len(told) == WRITERS * EDITS
    assert set(value) == {writer * 1000 + number for writer in range(WRITERS) for number in range(EDITS)}
    assert told["entry"].is_monotonic_increasing
    for writer in range(WRITERS):
        assert value[told["author"] == f"writer {writer}"].tolist() == [writer * 1000 + n for n in range(EDITS)]
    for _, cell in told.groupby("id"):
        assert cell["version"].tolist() == list(range(1, len(cell) + 1))
        assert cell["before"].tolist()[1:] == cell["after"].tolist()[:-1]


def save_until_killed(address, point):
    """Open the book and save, and kill this process just before its statement number `point`, or after them all."""
    left = [point]

    def count(*_):
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    for event in ("before_cursor_execute", "commit"):
        sa.event.listen(sa.Engine, event, count)
    save(planbook.open_book(address), 7, id=f"killed {point}")
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="processes cannot be killed this way here")
@pytest.mark.parametrize("made", [True, False])
def test_a_writer_killed_at_any_point_leaves_the_book_readable_and_its_entries_whole(address, made):
    if made:
        save(planbook.open_book(address), id="first")
    expected, lost = ["first"] * made, 0
    for point in [*range(1, 40), 999]:
        victim = KIT.Process(daemon=True, target=save_until_killed, args=(address, point))
        victim.start()
        victim.join(60)
        assert victim.exitcode == -signal.SIGKILL
        told = planbook.trail(planbook.open_book(address, readonly=True), "overrides")
        assert told["id"].tolist() in (expected, [*expected, f"killed {point}"])
        assert told["after"].map(json.loads).map(len).eq(8).all()
        if len(told) > len(expected):  # it came as far as its commit
            break
        lost += 1
    assert len(told) == len(expected) + 1
    assert lost >= (5 if made else 12)
    assert save(planbook.open_book(address), id="next") == 1


def test_several_may_make_the_book_at_once(address):
    makers = [KIT.Process(daemon=True, target=open_and_save, args=(address, number)) for number in range(6)]
    for maker in makers:
        maker.start()
    for maker in makers:
        maker.join(60)
    assert [maker.exitcode for maker in makers] == [0] * 6
    assert len(planbook.current(planbook.open_book(address), "overrides")) == 6


def open_and_save(address, number):
    save(planbook.open_book(address), id=f"maker {number}")
