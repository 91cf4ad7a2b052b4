"""People's records: overrides, assumptions, risks, issues, decisions, sign-offs and closings.

Every save appends one entry with before, after, author, time and reason; nothing is ever changed or
deleted. What stands is a view of the last entries. The book is SQLite in the workbook folder, or the
PostgreSQL database that `SOP_DATABASE_URL` names: one database (or schema) for each company.
"""

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePath

import pandas as pd
import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, DBAPIError

from sop_lib import tables
from sop_lib.settings import Settings

__all__ = ["BookError", "Conflict", "book_url", "current", "open_book", "record", "trail", "withdraw"]

PATIENCE = 30  # seconds a writer waits for another one to finish
NETWORK = ("nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "ncpfs", "ceph", "lustre", "fuse.sshfs", "fuse.glusterfs")
SIGNED = ("id", "author", "recorded_at", "reason")  # columns of a record that its entry holds, not its JSON
SCHEMA = sa.MetaData()
VERSION = sa.Table("planbook_version", SCHEMA, sa.Column("version", sa.Integer, primary_key=True))
ENTRIES = sa.Table(
    "planbook_entries",
    SCHEMA,
    sa.Column("entry", sa.Integer, primary_key=True),
    sa.Column("version", sa.Integer, nullable=False),
    *(sa.Column(name, sa.Text, nullable=False) for name in ("record", "id", "author", "recorded_at", "reason")),
    *(sa.Column(name, sa.Text) for name in ("before", "after")),
    sa.UniqueConstraint("record", "id", "version", name="planbook_one_entry_per_version"),
)
CURRENT = """CREATE VIEW planbook_current AS SELECT * FROM planbook_entries AS e WHERE after IS NOT NULL
AND version = (SELECT MAX(version) FROM planbook_entries AS n WHERE n.record = e.record AND n.id = e.id)"""
REFUSE = "'nothing is changed or deleted in the plan book'"
APPEND_ONLY = {
    "sqlite": [
        f"CREATE TRIGGER planbook_no_{what} BEFORE {what} ON planbook_entries BEGIN SELECT RAISE(ABORT, {REFUSE}); END"
        for what in ("UPDATE", "DELETE")
    ],
    "postgresql": [
        "CREATE FUNCTION planbook_refuse() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION {REFUSE}; END $$",
        "CREATE TRIGGER planbook_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON planbook_entries "
        "FOR EACH STATEMENT EXECUTE FUNCTION planbook_refuse()",
    ],
}
REMEDIES = {
    "lock": "Another program holds it: let it finish, then save again.",
    "readonly": "The file or its folder cannot be written: mend its permissions, then save again.",
    "read-only": "It was opened for reading, or may not be written: mend its permissions, then save again.",
    "not a database": "The file is not a plan book: move it aside, or restore it from a backup.",
    "unable to open": "Its folder does not exist, or cannot be read and written.",
    "password": "Check user and password in SOP_DATABASE_URL.",
    "already exists": "The database has tables of the same names that are no plan book: use another database.",
}


class BookError(RuntimeError):
    """The plan book cannot be used; the message says why and what to do, never a password."""


class Conflict(BookError):
    """Somebody else changed the record first: `theirs` is their entry, `version` what to pass as seen to replace it."""

    def __init__(self, theirs: dict):
        self.theirs = theirs
        self.version = theirs["version"] if theirs["after"] else 0
        cells = [f"{k} {v}" for k, v in json.loads(theirs["after"] or "{}").items() if v != tables.ALL]
        super().__init__(
            f"not saved: {theirs['record']}, {theirs['id']}: {theirs['author']} "
            f"{'saved ' + ', '.join(cells) if cells else 'withdrew it'} at {theirs['recorded_at'][:16]} UTC "
            f"(reason: {theirs['reason']}). Keep theirs, or look at it and save again to replace it."
        )


def book_url(settings: Settings, environment: Mapping[str, str] | None = None) -> sa.URL:
    """Return the address of the company's plan book: `SOP_DATABASE_URL`, else planbook.db in its folder.

    Raises BookError, which never shows the address, when the variable is not one of PostgreSQL or SQLite.
    """
    given = (os.environ if environment is None else environment).get("SOP_DATABASE_URL", "").strip()
    if not given:
        return sa.URL.create("sqlite", database=str(settings.folder / "planbook.db"))
    try:
        url = sa.make_url(re.sub(r"^postgres(ql)?://", "postgresql+psycopg://", given))
    except (ArgumentError, ValueError):
        url = None
    if url is None or url.get_backend_name() not in APPEND_ONLY or not url.database:
        raise BookError("SOP_DATABASE_URL is not a database address: write postgresql://user:password@host/database")
    password = url.query.get("password")
    return url.difference_update_query(["password"]).set(password=str(password)) if password else url


def open_book(url: sa.URL, readonly: bool = False) -> sa.Engine:
    """Return the plan book at an address, made when absent, its schema brought up to date.

    With `readonly` nothing is made or written, and an absent book reads as empty.

    Raises BookError for a network share, an older (readonly) or newer schema, and for a database that
    is locked, damaged, not writable or out of reach.
    """
    if url.get_backend_name() == "sqlite" and url.database:
        path = Path(url.database).absolute()
        if readonly and not path.exists():
            return _engine(sa.URL.create("sqlite"), readonly)
        if _on_network(path.resolve(), _mounts()):
            raise BookError(
                f"plan book {path}: lies on a network share, where SQLite can lose records. "
                "Set SOP_DATABASE_URL to a PostgreSQL database, or keep the folder on a local disk."
            )
        if not readonly and path.exists() and not os.access(path, os.W_OK):
            raise BookError(f"plan book {path}: {REMEDIES['readonly']} What was saved before is untouched.")
    book = _engine(url, readonly)
    with _plain_words(url):
        _migrate(book, readonly)
    return book


def _engine(url: sa.URL, readonly: bool) -> sa.Engine:
    sqlite = url.get_backend_name() == "sqlite"
    waits = {"timeout": PATIENCE} if sqlite else {"connect_timeout": 10}
    try:
        engine = sa.create_engine(url, poolclass=sa.pool.NullPool, connect_args=waits)
    except (ImportError, ArgumentError):
        raise BookError("SOP_DATABASE_URL needs a driver: pip install 'sop-workbook[postgres]'") from None
    (_prepare_sqlite if sqlite else _prepare_postgresql)(engine, readonly)
    return engine.execution_options(reads=True, postgresql_readonly=True) if readonly else engine


def _prepare_sqlite(engine: sa.Engine, readonly: bool) -> None:
    path = Path(engine.url.database or ".").absolute()

    @sa.event.listens_for(engine, "do_connect")
    def unwritable_place(_dialect, _record, args, options):
        """Read a place that cannot be written without the log that SQLite would make beside the file."""
        writable = os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)
        if readonly and engine.url.database and not writable and not Path(f"{path}-wal").exists():
            args[0], options["uri"] = f"{path.as_uri()}?immutable=1", True

    @sa.event.listens_for(engine, "connect")
    def durable(connection, _record):
        connection.isolation_level = None
        connection.execute("PRAGMA query_only=ON" if readonly else "PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")

    @sa.event.listens_for(engine, "begin")
    def one_writer(connection):
        connection.exec_driver_sql("BEGIN" if connection.get_execution_options().get("reads") else "BEGIN IMMEDIATE")


def _prepare_postgresql(engine: sa.Engine, _readonly: bool) -> None:
    @sa.event.listens_for(engine, "begin")
    def one_writer(connection):
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{PATIENCE}s'")
        if not connection.get_execution_options().get("reads"):
            connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7261)")  # any number, the same for all


def _mounts() -> str:
    path = Path("/proc/mounts")
    return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""


def _on_network(path: PurePath, mounts: str) -> bool:
    fields = [line.split(" ")[1:3] for line in mounts.splitlines()]
    named = [(re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), at), kind) for at, kind in fields]
    over = sorted((m for m in named if path.is_relative_to(m[0])), key=lambda m: len(m[0]))
    return path.drive.startswith("\\\\") or bool(over and over[-1][1] in NETWORK)


@contextmanager
def _plain_words(url: sa.URL) -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        said = str(error.orig).partition("\n")[0].replace(url.password or "\0", "***")
        place = url.set(query={}).render_as_string(hide_password=True)
        remedy = next((r for word, r in REMEDIES.items() if word in said), "Check that the database can be reached.")
        raise BookError(f"plan book {place}: {said}. {remedy} What was saved before is untouched.") from None


def _first_schema(connection: sa.Connection) -> None:
    SCHEMA.create_all(connection, checkfirst=False)
    for statement in [CURRENT, *APPEND_ONLY[connection.dialect.name]]:
        connection.exec_driver_sql(statement)


MIGRATIONS: tuple[Callable[[sa.Connection], None], ...] = (_first_schema,)


def _migrate(book: sa.Engine, readonly: bool) -> None:
    """Bring the schema up to date in one transaction; a newer one is refused, for reading an older one too."""
    with book.execution_options(reads=True).connect() as connection:
        have = _schema_version(connection)
    if have > len(MIGRATIONS) or (readonly and 0 < have < len(MIGRATIONS)):
        remedy = "install the newer program" if have > len(MIGRATIONS) else "open it once in the workbench (sop lab)"
        raise BookError(
            f"the plan book has schema {have}, this program knows {len(MIGRATIONS)}: {remedy}. Nothing was changed."
        )
    if readonly or have == len(MIGRATIONS):
        return
    with book.begin() as connection:  # another program may have been first: look again, now alone
        for number in range(_schema_version(connection) + 1, len(MIGRATIONS) + 1):
            MIGRATIONS[number - 1](connection)
            connection.execute(sa.insert(VERSION).values(version=number))


def _schema_version(connection: sa.Connection) -> int:
    if not sa.inspect(connection).has_table(VERSION.name):
        return 0
    return connection.execute(sa.select(sa.func.max(VERSION.c.version))).scalar() or 0


def record(
    book: sa.Engine, name: str, id: str, values: dict, *, author: str, at: pd.Timestamp, reason: str, seen: int = 0
) -> int:
    """Append a new version of one record of kind `name` ("overrides", …) and return its version number.

    `seen` is the version that stood when the author looked, 0 for none. `at` is UTC.

    Raises BookError without a reason, author or time, Conflict when somebody saved since, TableError
    when a value breaks the record's definition.
    """
    signed = _signed(author, at, reason)
    unknown = set(values) - set(tables.table(name).names)
    if unknown:
        raise BookError(f"not saved: {name} has no {', '.join(sorted(unknown))}")
    row = {**values, "id": id, **signed}
    cells = tables.check(name, pd.DataFrame([row], dtype="object")).to_dict("records")[0]
    return _append(book, name, str(cells["id"]), _as_json(cells), signed, seen)


def withdraw(book: sa.Engine, name: str, id: str, *, author: str, at: pd.Timestamp, reason: str, seen: int) -> int:
    """Append the entry that takes a record back, and return its version number. Raises as `record` does."""
    if seen < 1:
        raise BookError(f"not withdrawn: {name} has no {id}")
    return _append(book, name, id, None, _signed(author, at, reason), seen)


def _signed(author: str, at: pd.Timestamp, reason: str) -> dict:
    given = {"reason": reason, "author": author, "time": None if pd.isna(at) else at}
    missing = [name for name, text in given.items() if not str(text or "").strip()]
    if missing:
        raise BookError(f"not saved: no {' and no '.join(missing)}. Write who changes it and why, then save again.")
    utc = at.tz_convert("UTC").tz_localize(None) if at.tzinfo else at
    return {"author": author.strip(), "recorded_at": utc.isoformat(), "reason": reason.strip()}


def _as_json(cells: dict) -> str:
    told = {k: v for k, v in cells.items() if k not in SIGNED and not pd.isna(v)}
    days = {k: f"{v:%Y-%m-%d}" for k, v in told.items() if isinstance(v, pd.Timestamp)}
    return json.dumps(told | days, ensure_ascii=False, allow_nan=False)


def _append(book: sa.Engine, name: str, id: str, after: str | None, signed: dict, seen: int) -> int:
    ours = sa.select(ENTRIES).where(ENTRIES.c.record == name, ENTRIES.c.id == id)
    with _plain_words(book.url), book.begin() as connection:
        last = connection.execute(ours.order_by(ENTRIES.c.version.desc()).limit(1)).mappings().first()
        if last and seen != (last["version"] if last["after"] else 0):
            raise Conflict(dict(last))
        if seen and not last:
            raise BookError(f"not saved: {name}, {id}: version {seen} is not in this plan book; read it again")
        version, before = (last["version"] + 1, last["after"]) if last else (1, None)
        entry = {"record": name, "id": id, "version": version, "before": before, "after": after, **signed}
        connection.execute(sa.insert(ENTRIES).values(entry))
    return version


def current(book: sa.Engine, name: str) -> pd.DataFrame:
    """Return the standing records of one kind, one row per id with its `version`, in the order they were saved."""
    found = _read(book, "planbook_current", name)
    if found.empty:
        return tables.empty(name).assign(version=pd.Series(dtype="int64"))
    cells = pd.DataFrame([json.loads(after) for after in found["after"]])
    checked = tables.check(name, cells.assign(**{column: found[column] for column in SIGNED}))
    return found[["id", "version"]].merge(checked, on="id", validate="one_to_one")[
        [*tables.table(name).names, "version"]
    ]


def trail(book: sa.Engine, name: str) -> pd.DataFrame:
    """Return every entry of one kind of record in the order it was saved: before, after, author, time, reason."""
    return _read(book, "planbook_entries", name)


def _read(book: sa.Engine, source: str, name: str) -> pd.DataFrame:
    columns = [c.name for c in ENTRIES.columns]
    query = sa.text(f"SELECT {', '.join(columns)} FROM {source} WHERE record = :name ORDER BY entry")
    with _plain_words(book.url), book.execution_options(reads=True).connect() as connection:
        made = _schema_version(connection) > 0
        rows = connection.execute(query, {"name": name}).mappings().all() if made else []
    found = pd.DataFrame(rows, columns=columns)
    return found.assign(recorded_at=pd.to_datetime(found["recorded_at"], format="ISO8601"))
