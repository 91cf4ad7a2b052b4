"""People's records are kept, once, in order, with who and why, on SQLite and on a real PostgreSQL server."""

import getpass
import json
import multiprocessing
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import traceback
from pathlib import Path, PurePosixPath, PureWindowsPath

import pandas as pd
import psycopg
import pytest
import sqlalchemy as sa

from sop_lib import archive, months, overrides, planbook, settings, tables

AT = pd.Timestamp("2026-11-05 10:30:15")
SECRET = "s3cr:t/p@ss"
CELL = {"cycle": "2026-11", "product": "A1", "region": "North", "from_month": "2026-12", "to_month": "2026-12"}
CELL |= {"kind": "delta", "value": 5}
EDITS, WRITERS = 100, 4
AHEAD = months.month_range(months.month("2026-11"), 24)
PRODUCTS = {"A1": "Alpha", "A2": "Alpha", "B1": "Beta"}
KIT = multiprocessing.get_context("forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn")
if hasattr(KIT, "set_forkserver_preload"):
    KIT.set_forkserver_preload(["sop_lib.planbook", "pandera.pandas", "psycopg"])


def save(book, value=5, id="", author="planner", reason="trade fair", **more):
    values = {**CELL, "value": value}
    return planbook.record(
        book, "overrides", id or overrides.override_id(CELL), values, author=author, at=AT, reason=reason, **more
    )


@pytest.fixture(scope="session")
def server():
    """Start a PostgreSQL server of our own on the loopback interface and return its address."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: float(p.parts[-3]))
    initdb = str(found[-1]) if found else shutil.which("initdb")
    if not initdb:
        pytest.skip("PostgreSQL's server programs (initdb, pg_ctl) are not installed")
    user = "postgres" if os.name == "posix" and os.geteuid() == 0 else getpass.getuser()
    folder = Path(tempfile.mkdtemp(prefix="sop-pg-"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (folder / "password").write_text(SECRET)
    for path in (folder, folder / "password"):
        shutil.chown(path, user)

    def run(program, *words):
        as_user = {"user": user} if user == "postgres" else {}
        command = [str(Path(initdb).with_name(program)), "-D", str(folder / "data"), *words]
        done = subprocess.run(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, **as_user)
        assert done.returncode == 0, done.stderr.decode()

    try:
        run("initdb", "-U", "planner", "-A", "scram-sha-256", f"--pwfile={folder / 'password'}", "-E", "UTF8")
        run("pg_ctl", "-w", "-l", "log", "-o", f"-p {port} -h 127.0.0.1 -k {folder}", "start")
        yield sa.URL.create("postgresql", "planner", SECRET, "127.0.0.1", port, "postgres")
        run("pg_ctl", "-w", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["sqlite", "postgresql"])
def address(request, tmp_path):
    """Return the address of a new, empty plan book on each engine."""
    if request.param == "sqlite":
        return sa.URL.create("sqlite", database=str(tmp_path / "planbook.db"))
    server = request.getfixturevalue("server")
    name = f"book_{abs(hash(str(tmp_path)))}"
    text = server.render_as_string(hide_password=False)
    with psycopg.connect(text, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE template0")
    return planbook.book_url(None, {"SOP_DATABASE_URL": server.set(database=name).render_as_string(False)})


@pytest.fixture
def book(address):
    return planbook.open_book(address)


@pytest.fixture
def local(tmp_path):
    return sa.URL.create("sqlite", database=str(tmp_path / "planbook.db"))


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


# --- databases that cannot be used


def test_the_book_lies_in_the_folder_unless_the_environment_names_another(small_workbook):
    company = settings.load(small_workbook, {})
    assert planbook.book_url(company, {}).database == str(small_workbook / "planbook.db")
    given = planbook.book_url(company, {"SOP_DATABASE_URL": "postgres://u:p@db.example/acme"})
    assert (given.drivername, given.host, given.database) == ("postgresql+psycopg", "db.example", "acme")


@pytest.mark.parametrize(
    "given",
    ["nonsense", f"mysql://u:{SECRET}@h/d", "postgresql://u:s3cr:t@h:port/d", "postgresql://u:s3cr@h", "sqlite://"],
)
def test_an_address_that_is_none_is_refused_without_showing_it(given):
    with pytest.raises(planbook.BookError, match="not a database address") as told:
        planbook.book_url(None, {"SOP_DATABASE_URL": given})
    assert "s3cr" not in said_anywhere(told.value)


def said_anywhere(error):
    """Return all that a log could show of an error: its text, its traceback and those of the errors behind it."""
    text = "".join(traceback.format_exception(error))
    while error is not None:
        text += repr(error) + str(error)
        error = error.__cause__ or error.__context__
    return text


@pytest.mark.parametrize(
    "way", ["postgresql://u:s3cr%40t@127.0.0.1:1/d", "postgresql://u@127.0.0.1:1/d?password=s3cr%40t"]
)
def test_a_database_out_of_reach_is_named_without_the_password(way):
    url = planbook.book_url(None, {"SOP_DATABASE_URL": way})
    for readonly in (True, False):
        with pytest.raises(planbook.BookError, match=r"127.0.0.1.*Check that the database can be reached") as told:
            planbook.open_book(url, readonly)
        assert "s3cr" not in said_anywhere(told.value)
    assert "s3cr" not in repr(url) + repr(planbook._engine(url, False))


def test_a_wrong_password_is_not_shown(server):
    url = planbook.book_url(None, {"SOP_DATABASE_URL": server.set(password="wr0ng").render_as_string(False)})
    with pytest.raises(planbook.BookError, match="Check user and password") as told:
        planbook.open_book(url)
    assert "wr0ng" not in said_anywhere(told.value)


def test_a_missing_driver_names_the_extra():
    with pytest.raises(planbook.BookError, match="postgres"):
        planbook.open_book(sa.make_url("postgresql+nodriver://u@h/d"))


def refusal(book):
    with pytest.raises(planbook.BookError) as told:
        save(book, 7, seen=1)
    return str(told.value)


def test_a_locked_book_is_said_and_nothing_is_lost(address, monkeypatch):
    monkeypatch.setattr(planbook, "PATIENCE", 1)
    book = planbook.open_book(address)
    save(book)
    with book.begin():  # as another program that keeps its transaction open
        said = []
        waiting = threading.Thread(target=lambda: said.append(refusal(book)))
        waiting.start()
        assert planbook.current(planbook.open_book(address, readonly=True), "overrides")["value"].tolist() == [5]
        waiting.join(30)
    assert "Another program holds it" in said[0]
    assert save(book, 7, seen=1) == 2


@pytest.mark.parametrize("content", [b"not a database" * 100, b"SQLite format 3\0" + b"\x07" * 5000])
def test_a_file_that_is_no_plan_book_is_named_and_kept(local, content):
    Path(local.database).write_bytes(content)
    for readonly in (True, False):
        with pytest.raises(planbook.BookError, match=r"planbook.db.*not a database.*restore it"):
            planbook.open_book(local, readonly)
    assert Path(local.database).read_bytes() == content


def test_a_database_with_tables_of_the_same_names_is_left_alone(local):
    with sqlite3.connect(local.database) as other:
        other.execute("CREATE TABLE planbook_entries (a)")
    with pytest.raises(planbook.BookError, match=r"already exists.*use another database"):
        planbook.open_book(local)


def test_a_folder_that_is_not_there(tmp_path):
    url = sa.URL.create("sqlite", database=str(tmp_path / "none" / "planbook.db"))
    with pytest.raises(planbook.BookError, match="folder does not exist"):
        planbook.open_book(url)


READ_ONLY = """
import os, sys
from sop_lib import planbook
import sqlalchemy as sa
url = sa.URL.create("sqlite", database=sys.argv[1])
planbook.current(planbook.open_book(url, readonly=True), "overrides")  # all modules are loaded while root may read them
if os.geteuid() == 0:
    os.setgid(65534), os.setuid(65534)
print(len(planbook.current(planbook.open_book(url, readonly=True), "overrides")))
try:
    planbook.open_book(url)
except planbook.BookError as error:
    print(error)
"""


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX permissions")
@pytest.mark.parametrize("folder_mode", [0o555, 0o777])
def test_a_read_only_book_is_read_and_a_save_refused(folder_mode):
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        file = folder / "planbook.db"
        save(planbook.open_book(sa.URL.create("sqlite", database=str(file))))
        file.chmod(0o444)
        folder.chmod(folder_mode)
        done = subprocess.run([sys.executable, "-c", READ_ONLY, str(file)], capture_output=True, text=True, check=True)
        folder.chmod(0o755)
        count, said = done.stdout.splitlines()
        assert count == "1"
        assert "cannot be written: mend its permissions" in said
        assert [p.name for p in folder.iterdir()] == ["planbook.db"]


MOUNTS = """/dev/sda / ext4 rw 0 0
nas:/x /plans nfs4 rw 0 0
//srv/s /my\\040share cifs rw 0 0
/dev/b /plans/local ext4 rw 0 0
"""


@pytest.mark.parametrize(
    ("path", "network"),
    [
        ("/plans/acme/planbook.db", True),
        ("/my share/planbook.db", True),
        ("/plans/local/planbook.db", False),
        ("/plans2/planbook.db", False),
    ],
)
def test_network_mounts_are_told_from_local_ones(path, network):
    assert planbook._on_network(PurePosixPath(path), MOUNTS) == network
    assert planbook._on_network(PureWindowsPath(r"\\server\share\planbook.db"), "")
    assert not planbook._on_network(PureWindowsPath(r"C:\plans\planbook.db"), "")


def test_a_book_on_a_network_share_is_refused(local, monkeypatch):
    monkeypatch.setattr(planbook, "_mounts", lambda: "nas:/x / nfs4 rw 0 0\n")
    with pytest.raises(planbook.BookError, match=r"network share.*SOP_DATABASE_URL"):
        planbook.open_book(local)
    assert not Path(local.database).exists()
    assert planbook.current(planbook.open_book(local, readonly=True), "overrides").empty
