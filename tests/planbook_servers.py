"""A plan book on each engine: a file, and a PostgreSQL server of our own."""

import getpass
import multiprocessing
import os
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

import pandas as pd
import psycopg
import pytest
import sqlalchemy as sa

from sop_lib import months, overrides, planbook

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
