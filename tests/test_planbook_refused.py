"""Databases that cannot be used are named in plain words, and nothing is lost."""

import os
import sqlite3
import subprocess
import sys
import tempfile
import threading
import traceback
from pathlib import Path, PurePosixPath, PureWindowsPath

import pytest
import sqlalchemy as sa
from planbook_servers import SECRET, save

from sop_lib import planbook, settings

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
