"""Reading one input as the company has it: a CSV, Excel or Parquet file, SQL over files, or SQL on a database.

Every cell comes out as text, blank cells as None; what a text means is decided in `inputs`.
"""

import csv
import datetime
import difflib
import gzip
import hashlib
import io
import lzma
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa

from sop_lib.settings import Source

__all__ = ["PROBLEM", "Raw", "SourceError", "nearest", "problem", "read"]

PROBLEM = ["file", "row", "column", "value", "rule", "remedy"]
WHOLE = r"-?(?:0|[1-9][0-9]{0,17})"
NUMBER = r"-?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?"


class SourceError(ValueError):
    """An input cannot be read; `problems` lists file, row, column, value, rule and remedy."""

    def __init__(self, problems: list[dict]):
        self.problems = problems
        super().__init__("; ".join(f"{p['file']}: {p['rule']}: {p['remedy']}" for p in problems))


@dataclass(frozen=True)
class Raw:
    """One input as found: text cells, each row's number as a spreadsheet shows it (None from SQL), and its files."""

    file: str
    cells: pd.DataFrame
    rows: pd.Series | None
    sources: dict[str, dict]
    decimal: str = "."
    left_out: int = 0


def problem(file: str, rule: str, remedy: str, *, row=None, column=None, value=None) -> dict:
    """Return one problem as a row of file, row, column, value, rule and remedy."""
    return {"file": file, "row": row, "column": column, "value": value, "rule": rule, "remedy": remedy}


def nearest(word: str, known: list[str], likeness: float = 0.6) -> str:
    """Return a remark that names the known words closest to one that is not known.

    >>> nearest("reigon", ["region", "month"])
    "did you mean 'region'?"
    """
    near = difflib.get_close_matches(str(word), known, n=3, cutoff=likeness)
    return f"did you mean {' or '.join(repr(n) for n in near)}?" if near else ""


def read(name: str, source: Source, folder: Path, environment: Mapping[str, str] = os.environ) -> Raw:
    """Return the input table `name` as its source holds it.

    Raises SourceError when a file, sheet or query cannot be read as the source says.
    """
    if source.database_env:
        return _from_database(name, source, environment)
    if source.sql:
        return _from_files(name, source, folder)
    raw = _from_file(name, source.file, source, folder)
    return _where(name, raw, source) if source.where else raw


def _from_file(name: str, file: str, source: Source, folder: Path) -> Raw:
    path = folder / file
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise SourceError([_missing(file, folder)]) from None
    except OSError as error:
        rule = f"cannot be read: {error.strerror}"
        raise SourceError([problem(file, rule, "check the file and its rights")]) from None
    if not data:
        raise _empty(file)
    kind = path.name.removesuffix(".gz").removesuffix(".xz").rpartition(".")[2].lower()
    grid = READERS.get(kind, _csv)(name, file, data, source)
    cells, rows = _without_blank_rows(_headed(file, grid))
    decimal = source.decimal if kind not in READERS else "."
    return Raw(file, cells, rows, {file: {"sha256": hashlib.sha256(data).hexdigest(), "rows": len(cells)}}, decimal)


def _empty(file: str) -> SourceError:
    return SourceError([problem(file, "empty file", "export it again; the first row names the columns")])


def _missing(file: str, folder: Path) -> dict:
    if not folder.is_dir():
        remedy = "name the folder of the input files with --inputs or in [folders]"
        return problem(file, f"folder missing: {folder.name}", remedy)
    there = sorted(p.name for p in folder.iterdir() if p.is_file())
    hint = nearest(file, there) or f"files there: {', '.join(there[:12]) or 'none'}"
    return problem(file, "file missing", f"put it into the inputs folder or correct sop.toml; {hint}")


def _csv(name: str, file: str, data: bytes, source: Source) -> pd.DataFrame:
    text = _decoded(name, file, data, source)
    if not text.strip():
        raise _empty(file)
    try:
        header = next(csv.reader(io.StringIO(text), delimiter=source.separator), [])
        _check_separator(name, file, header)
        cells = io.StringIO(text)
        return pd.read_csv(
            cells, sep=source.separator, header=None, dtype=str, keep_default_na=False, skip_blank_lines=False
        )
    except pd.errors.ParserError as error:
        raise SourceError(_ragged(file, text, source.separator, len(header)) or [_unreadable(file, error)]) from None
    except csv.Error as error:
        raise SourceError([_unreadable(file, error)]) from None


def _check_separator(name: str, file: str, header: list[str]) -> None:
    found = [s for s in (";", "\t", "|", ",") if s in "".join(header)] if len(header) == 1 else []
    if found:
        rule, remedy = f"one column found, and it contains {found[0]!r}", f"set separator = {_quoted(found[0])}"
        raise SourceError([problem(file, rule, f"{remedy} in [inputs.{name}]", row=1, value=header[0])])


def _quoted(mark: str) -> str:
    return '"\\t"' if mark == "\t" else f'"{mark}"'


def _unreadable(file: str, error: Exception) -> dict:
    return problem(file, f"cannot be read: {_first_line(error)}", "open it in a spreadsheet and export it again")


def _ragged(file: str, text: str, separator: str, width: int) -> list[dict]:
    rule, remedy = "more cells than the header has columns", "put a text that holds the separator into double quotes"
    try:
        rows = list(enumerate(csv.reader(io.StringIO(text), delimiter=separator), start=1))
    except csv.Error:
        return []
    long = [(row, separator.join(cells[width - 1 :])) for row, cells in rows if len(cells) > width]
    return [problem(file, rule, remedy, row=row, value=value) for row, value in long]


def _decoded(name: str, file: str, data: bytes, source: Source) -> str:
    try:
        opened = {".gz": gzip.decompress, ".xz": lzma.decompress}.get(Path(file).suffix, bytes)(data)
    except (OSError, EOFError, lzma.LZMAError) as error:
        raise SourceError([problem(file, f"cannot be unpacked: {error}", "copy the file again")]) from None
    unicode = source.encoding.lower().replace("-", "").replace("_", "") == "utf8"
    place = f"encoding in [inputs.{name}]"
    try:
        text = opened.decode("utf-8-sig" if unicode else source.encoding)
    except UnicodeError as error:
        start = getattr(error, "start", 0)
        guess = "utf-16" if opened[:2] in (b"\xff\xfe", b"\xfe\xff") else "cp1252"
        remedy = f'set {place}, such as encoding = "{guess}"' if unicode else f"correct {place}"
        row, value = opened[:start].count(b"\n") + 1, repr(opened[max(0, start - 12) : start + 12])
        raise SourceError([problem(file, f"not {source.encoding} text", remedy, row=row, value=value)]) from None
    except LookupError:
        remedy = f'correct {place}, such as encoding = "cp1252"'
        raise SourceError([problem("sop.toml", f"unknown encoding {source.encoding!r}", remedy)]) from None
    if not unicode and not opened.isascii() and _is_utf8(opened):
        raise SourceError([problem(file, f"UTF-8 text read as {source.encoding}", f"take {place} out")])
    return text


def _is_utf8(data: bytes) -> bool:
    try:
        return bool(data.decode("utf-8"))
    except UnicodeDecodeError:
        return False


def _excel(name: str, file: str, data: bytes, source: Source) -> pd.DataFrame:
    try:
        book = pd.ExcelFile(io.BytesIO(data), engine="openpyxl")
    except Exception as error:  # openpyxl raises whatever the broken part of the file raised
        raise SourceError([_unreadable(file, error)]) from None
    sheets = [str(s) for s in book.sheet_names]
    if source.sheet and source.sheet not in sheets:
        remedy = f"correct sheet in [inputs.{name}]; sheets there: {', '.join(sheets)}"
        raise SourceError([problem(file, "sheet missing", remedy, value=source.sheet)])
    return book.parse(source.sheet or 0, header=None, dtype=object, keep_default_na=False)


def _parquet(name: str, file: str, data: bytes, source: Source) -> pd.DataFrame:
    try:
        df = pd.read_parquet(io.BytesIO(data))
    except (pa.ArrowException, OSError, ValueError) as error:
        raise SourceError([_unreadable(file, error)]) from None
    texts = {c: _texts(df[c]) for c in df.columns}
    return pd.concat([pd.DataFrame([list(df.columns)]), pd.DataFrame(texts).set_axis(range(df.shape[1]), axis=1)])


def _headed(file: str, grid: pd.DataFrame) -> pd.DataFrame:
    """Return the cells as text under the names of the first row; a column without a name is left out."""
    names = _texts(grid.iloc[0]).map(lambda n: n.strip() if n else "") if len(grid) else pd.Series(dtype="object")
    if not names.any():
        raise _empty(file)
    twice = sorted(names[names.ne("") & names.duplicated()].unique())
    if twice:
        raise SourceError([problem(file, "column named twice", "rename one of them", row=1, column=n) for n in twice])
    return pd.DataFrame({n: _texts(grid.iloc[1:, i]) for i, n in enumerate(names) if n}).reset_index(drop=True)


def _without_blank_rows(cells: pd.DataFrame) -> tuple[pd.DataFrame, pd.Series]:
    kept = cells[cells.notna().any(axis=1)]
    return kept.reset_index(drop=True), pd.Series(kept.index + 2)


def _texts(cells: pd.Series) -> pd.Series:
    """Return cells of any kind as texts that can be read back without loss; blanks are None."""
    return cells.astype("object").map(_text).astype("object")


def _text(value) -> str | None:
    if isinstance(value, str):
        return value if value.strip() else None
    if value is None or value is pd.NaT or value is pd.NA or value != value:
        return None
    if isinstance(value, datetime.datetime | datetime.date):
        return value.isoformat().removesuffix("T00:00:00")
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return str(value)


def _typed(cells: pd.DataFrame, decimal: str) -> pa.Table:
    """Return cells for SQL: columns of plain numbers as numbers, all else as text, so that the code 007 stays 007."""
    columns = {}
    for name in cells:
        words = cells[name].dropna().drop_duplicates()
        numbers = words.str.replace(decimal, ".", regex=False) if decimal != "." else words
        if len(words) and words.str.fullmatch(WHOLE).all():
            columns[name] = pa.array(pd.to_numeric(cells[name]).astype("Int64"))
        elif len(words) and numbers.str.fullmatch(NUMBER).all():
            dotted = cells[name].str.replace(decimal, ".", regex=False)
            columns[name] = pa.array(pd.to_numeric(dotted).astype("float64"), from_pandas=True)
        else:
            columns[name] = pa.array(cells[name], type=pa.string(), from_pandas=True)
    return pa.table(columns)


def _locked(loaded: dict[str, pa.Table]) -> duckdb.DuckDBPyConnection:
    """Return a database in memory that holds the given tables and can reach nothing else."""
    con = duckdb.connect(config={"threads": 1})
    for name, table in loaded.items():
        con.register("arriving", table)
        con.execute(f'CREATE TABLE "{name.replace(chr(34), chr(34) * 2)}" AS SELECT * FROM arriving')
        con.unregister("arriving")
    con.execute("SET python_enable_replacements = false")
    con.execute("SET enable_external_access = false")
    con.execute("SET lock_configuration = true")
    return con


def _select(con: duckdb.DuckDBPyConnection, sql: str) -> pd.DataFrame:
    found = duckdb.extract_statements(sql)
    if len(found) != 1 or found[0].type != duckdb.StatementType.SELECT:
        raise duckdb.InvalidInputException("write one SELECT")
    return con.execute(f"SELECT COLUMNS(*)::VARCHAR FROM ({found[0].query.rstrip().rstrip(';')}\n)").df()


def _where(name: str, raw: Raw, source: Source) -> Raw:
    numbered = _typed(raw.cells, raw.decimal).append_column("_at", pa.array(range(len(raw.cells))))
    try:
        at = _select(_locked({"source": numbered}), f"SELECT _at FROM source WHERE ({source.where}\n) ORDER BY _at")
    except duckdb.Error as error:
        remedy = f"correct where in [inputs.{name}]; columns there: {', '.join(map(str, raw.cells))}"
        raise SourceError([problem(raw.file, _first_line(error), remedy, column="where", value=source.where)]) from None
    kept = at["_at"].astype("int64").to_numpy()
    cells, rows = raw.cells.iloc[kept].reset_index(drop=True), pd.Series(raw.rows).iloc[kept].reset_index(drop=True)
    return Raw(raw.file, cells, rows, raw.sources, raw.decimal, len(raw.cells) - len(kept))


def _from_files(name: str, source: Source, folder: Path) -> Raw:
    loaded: dict[str, pa.Table] = {}
    sources: dict[str, dict] = {}
    problems = _named_alike(name, source.files)
    for file in source.files:
        try:
            raw = _from_file(name, file, source, folder)
        except SourceError as error:
            problems += error.problems
            continue
        loaded[_called(file)] = _typed(raw.cells, raw.decimal)
        sources |= raw.sources
    if problems:
        raise SourceError(problems)
    try:
        df = _select(_locked(loaded), source.sql)
    except duckdb.Error as error:
        remedy = f"correct sql in [inputs.{name}]; tables there: {', '.join(loaded)}"
        raise SourceError([problem(_query(name), _first_line(error), remedy, column="sql")]) from None
    return Raw(_query(name), _text_frame(df), None, sources)


def _called(file: str) -> str:
    """Return what SQL calls a file: its name up to the first dot."""
    return Path(file).name.partition(".")[0]


def _named_alike(name: str, files: tuple[str, ...]) -> list[dict]:
    """Return a problem for each file that SQL would call as it calls one before it, which would be left out."""
    problems, first = [], dict[str, str]()
    for file in files:
        other = first.setdefault(_called(file).lower(), file)
        if other != file:
            rule = f"sql would call it {_called(file)!r}, as it calls {other}"
            remedy = f"rename one of the files in [inputs.{name}]: what is before the first dot names it"
            problems.append(problem(file, rule, remedy, column="files"))
    return problems


def _from_database(name: str, source: Source, environment: Mapping[str, str]) -> Raw:
    import sqlalchemy as sa

    url = environment.get(source.database_env, "")
    if not url:
        rule, remedy = f"environment variable {source.database_env} is not set", "set it to the database's URL"
        raise SourceError([problem(_query(name), rule, remedy, column="database_env")])
    try:
        with sa.create_engine(url).connect() as connection:
            result = connection.exec_driver_sql(source.sql)
            df = pd.DataFrame([tuple(r) for r in result.fetchall()], columns=list(result.keys()), dtype="object")
    except (sa.exc.SQLAlchemyError, ImportError, ValueError) as error:
        remedy = f"correct sql in [inputs.{name}] or the URL in {source.database_env}"
        raise SourceError([problem(_query(name), _masked(_first_line(error), url), remedy, column="sql")]) from None
    cells = _text_frame(df)
    digest = hashlib.sha256(cells.to_csv(index=False).encode("utf-8")).hexdigest()
    return Raw(_query(name), cells, None, {_query(name): {"sha256": digest, "rows": len(cells)}})


def _query(name: str) -> str:
    return f"sql of [inputs.{name}]"


def _text_frame(df: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame({str(c): _texts(df[c]) for c in df.columns}).reset_index(drop=True)


def _first_line(error: Exception) -> str:
    return next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)


def _masked(text: str, url: str) -> str:
    """Return a message without the URL, its password in clear or as written in the URL."""
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    secrets = [url, url.partition("://")[2].partition("@")[0].partition(":")[2]]
    try:
        secrets.append(str(make_url(url).password or ""))
    except (ArgumentError, ValueError):
        secrets.append("")
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(secret, "***")
    return text


READERS = {"parquet": _parquet, "xlsx": _excel, "xlsm": _excel, "xls": _excel}
