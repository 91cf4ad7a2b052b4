"""Every table's definition, read from tables.csv and columns.csv, and the checks made with it.

A table in memory has all its columns, in the order key then values. An optional
key, product, family or region that is not given is `ALL`; any other optional cell may be blank.
"""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import pandas as pd

__all__ = [
    "ALL",
    "Column",
    "Table",
    "TableError",
    "arranged",
    "as_kind",
    "check",
    "complete",
    "convert",
    "dictionary",
    "empty",
    "failures",
    "table",
    "tables",
    "without_read_again",
]

ALL = "ALL"
MEMBERS = ("product", "family", "region")
DTYPES = {"text": "object", "month": "datetime64[ns]", "date": "datetime64[ns]", "number": "float64"}
DTYPES |= {"whole": "float64", "flag": "bool"}
WRITE = {
    "month": "write YYYY-MM, such as 2026-11",
    "date": "write YYYY-MM-DD, such as 2026-11-05",
    "flag": "write true or false",
}
UNUSED = "not used yet"  # said in tables.csv and columns.csv of what nothing is planned with
WRITE |= {"number": "write a number", "whole": "write a whole number", "text": "write a text"}


class TableError(ValueError):
    """A table does not meet its definition; `problems` lists row, column, value, rule and remedy."""

    def __init__(self, name: str, problems: pd.DataFrame):
        self.name, self.problems = name, problems
        lines = [
            f"  - {p.column}: {p.rule}, {p.count} row(s), such as {p.value!r}: {p.remedy}" for p in _grouped(problems)
        ]
        super().__init__("\n".join([f"{name}:", *lines]))


@dataclass(frozen=True)
class Column:
    """One column of a table: its kind, unit, limits and meaning; `open` when its limits themselves are not allowed."""

    name: str
    role: str
    kind: str
    unit: str
    optional: bool
    minimum: float | None
    maximum: float | None
    choices: tuple[str, ...]
    over_time: str
    refers_to: str
    meaning: str
    open: bool = False

    @property
    def used(self) -> bool:
        """Whether anything is planned with it."""
        return UNUSED not in self.meaning


@dataclass(frozen=True)
class Table:
    """One table: its columns, its group (input, plan or record) and what an input unlocks."""

    name: str
    group: str
    required: bool
    unlocks: str
    meaning: str
    columns: tuple[Column, ...]

    @property
    def used(self) -> bool:
        """Whether anything is planned with it."""
        return UNUSED not in self.unlocks

    @property
    def key(self) -> list[str]:
        """Names of the key columns, in order."""
        return [c.name for c in self.columns if c.role == "key"]

    @property
    def names(self) -> list[str]:
        """Names of all columns, in order."""
        return [c.name for c in self.columns]

    def __getitem__(self, name: str) -> Column:
        return next(c for c in self.columns if c.name == name)


def _number(text: str) -> float | None:
    return float(text.lstrip("<>")) if text else None


def _read(name: str) -> pd.DataFrame:
    with (files("sop_lib") / name).open(encoding="utf-8") as source:
        return pd.read_csv(source, dtype=str, keep_default_na=False)


@cache
def tables() -> dict[str, Table]:
    """Return every table's definition by name, in the order of tables.csv.

    >>> tables()["gap"].key
    ['cycle', 'scenario', 'month', 'family', 'region']
    """
    columns: dict[str, list[Column]] = {}
    for c in _read("columns.csv").itertuples(index=False):
        columns.setdefault(c.table, []).append(
            Column(
                c.column, c.role, c.kind, c.unit, c.optional == "yes", _number(c.minimum), _number(c.maximum),
                tuple(filter(None, c.choices.split(","))), c.over_time, c.refers_to, c.meaning,
                c.minimum.startswith(">"),
            )
        )  # fmt: skip
    return {
        t.table: Table(t.table, t.group, t.required == "yes", t.unlocks, t.meaning, tuple(columns[t.table]))
        for t in _read("tables.csv").itertuples(index=False)
    }


def table(name: str) -> Table:
    """Return one table's definition.

    >>> table("sales")["ordered"].over_time
    'sum'
    """
    return tables()[name]


def complete(name: str, df: pd.DataFrame) -> pd.DataFrame:
    """Return the table with every defined column, in order: absent optional keys are `ALL`, other cells blank."""
    columns = table(name).columns
    out = {}
    for c in columns:
        blank = ALL if c.optional and (c.role == "key" or c.name in MEMBERS) else None
        cells = df[c.name] if c.name in df else pd.Series([blank] * len(df), index=df.index, dtype="object")
        if blank:
            cells = cells.astype("object").where(cells.notna() & (cells.astype("str").str.strip() != ""), blank)
        out[c.name] = cells
    return pd.DataFrame(out, index=df.index)


def convert(name: str, df: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the table with each column in its kind, and a problem row for every cell that could not be read.

    An unreadable cell is blank in the table, so that the other checks can go on.
    """
    out, problems = {}, [_problem([], "", [], "", "")]
    for c in table(name).columns:
        cells = df[c.name]
        out[c.name] = as_kind(cells, c.kind)
        lost = cells[out[c.name].isna() & cells.notna()]
        bad = lost[lost.astype("str").str.strip() != ""]
        if len(bad):
            problems.append(_problem(bad.index, c.name, bad, f"not a {c.kind}", WRITE[c.kind]))
    return pd.DataFrame(out, index=df.index), pd.concat(problems, ignore_index=True)


def _dates(cells: pd.Series) -> pd.Series:
    """Read `2026-11`, `2026-11-05` and `2026-11-05 10:00`; anything else, a bare year too, is no date."""
    codes, words = pd.factorize(cells.astype("str").str.strip())
    days = pd.Series(words, dtype="object").str.extract(r"^(\d{4}-\d{1,2}(?:-\d{1,2})?)(?:[ T].*)?$")[0]
    read = pd.to_datetime(days, errors="coerce", format="ISO8601").astype("datetime64[ns]")
    return pd.Series(read.to_numpy()[codes], index=cells.index, name=cells.name)


def as_kind(cells: pd.Series, kind: str) -> pd.Series:
    """Return the cells as one kind of column; a cell that cannot be read is blank.

    >>> as_kind(pd.Series(["2026-11-05", "2026"]), "month").tolist()
    [Timestamp('2026-11-01 00:00:00'), NaT]
    """
    if kind == "text":
        text = cells.astype("object").where(cells.notna(), None)
        return text.map(lambda t: (str(t).strip() or None) if t is not None else None).astype("object")
    if kind in ("month", "date"):
        when = cells.astype("datetime64[ns]") if pd.api.types.is_datetime64_dtype(cells) else _dates(cells)
        return when.dt.to_period("M").dt.to_timestamp().astype("datetime64[ns]") if kind == "month" else when
    if kind == "flag":
        words = dict.fromkeys(("true", "1", "1.0", "yes"), True) | dict.fromkeys(("false", "0", "0.0", "no"), False)
        return cells.map(lambda v: words.get(str(v).strip().lower()) if v is not None else None)
    return pd.to_numeric(cells, errors="coerce").astype("float64")


def _problem(rows, column: str, values, rule: str, remedy: str) -> pd.DataFrame:
    values = [None if v is None else str(v) for v in values]
    frame = pd.DataFrame({"row": list(rows), "value": values}, dtype="object")
    return frame.assign(column=column, rule=rule, remedy=remedy)[["row", "column", "value", "rule", "remedy"]]


@cache
def schema(name: str):
    """Return the pandera schema of a table: blanks, limits and choices of each column."""
    import pandera.pandas as pa

    def checks(c: Column) -> list:
        rules = []
        if c.kind in ("number", "whole"):
            rules.append(
                pa.Check(lambda s: ~s.isin([float("inf"), float("-inf")]), error="not finite|give a finite number")
            )
        if c.minimum is not None:
            low = c.minimum
            rules.append(pa.Check.ge(low, error=f"below {low:g}|give {low:g} or more"))
        if c.maximum is not None:
            high = c.maximum
            rules.append(pa.Check.le(high, error=f"above {high:g}|give {high:g} or less"))
        if c.open:
            allowed = f"above {c.minimum:g} and below {c.maximum:g}"
            rules.append(
                pa.Check(lambda s: ~s.isin([c.minimum, c.maximum]), error=f"not {allowed}|give a number {allowed}")
            )
        if c.kind == "whole":
            rules.append(pa.Check(lambda s: s % 1 == 0, error="not a whole number|give a whole number"))
        if c.choices:
            rules.append(pa.Check.isin(c.choices, error=f"not one of {', '.join(c.choices)}|choose one of them"))
        return rules

    columns = {
        c.name: pa.Column(None, checks(c), nullable=c.optional and c.role == "value") for c in table(name).columns
    }
    return pa.DataFrameSchema(columns)


def failures(name: str, df: pd.DataFrame) -> pd.DataFrame:
    """Return one row per cell or key that breaks the table's definition: row, column, value, rule, remedy."""
    import pandera.errors

    found = [_duplicate_keys(name, df)]
    try:
        schema(name).validate(df, lazy=True)
    except pandera.errors.SchemaErrors as error:
        for case in error.failure_cases.itertuples(index=False):
            rule, _, remedy = str(case.check).partition("|")
            if rule == "not_nullable":
                rule, remedy = "blank", "give a value"
            value = None if rule == "blank" else case.failure_case
            found.append(_problem([case.index], str(case.column), [value], rule, remedy))
    return pd.concat(found, ignore_index=True).sort_values(["row", "column", "rule"], kind="stable", ignore_index=True)


def _duplicate_keys(name: str, df: pd.DataFrame) -> pd.DataFrame:
    key = table(name).key
    double = df[df.duplicated(key, keep=False)]
    shown = [" · ".join(_shown(v) for v in row) for row in double[key].itertuples(index=False)]
    return _problem(double.index, "+".join(key), shown, "key occurs more than once", "keep one row per key")


def _shown(value) -> str:
    return f"{value:%Y-%m-%d}" if isinstance(value, pd.Timestamp) else str(value)


def _grouped(problems: pd.DataFrame):
    groups = problems.groupby(["column", "rule", "remedy"], sort=False, dropna=False)
    return groups.agg(count=("row", "size"), value=("value", "first")).reset_index().itertuples(index=False)


def without_read_again(unread: pd.DataFrame, failed: pd.DataFrame) -> pd.DataFrame:
    """Return both lists of problems as one, without the blanks that unreadable cells left behind."""
    again = pd.MultiIndex.from_frame(failed[["row", "column"]]).isin(
        pd.MultiIndex.from_frame(unread[["row", "column"]])
    )
    parts = [p for p in (unread, failed[~again]) if len(p)]
    return pd.concat(parts, ignore_index=True) if parts else unread


def check(name: str, df: pd.DataFrame) -> pd.DataFrame:
    """Return the table with its columns in order and kind, sorted by key, after every check of its definition.

    Raises TableError that lists all problems at once: a missing column, an unreadable
    cell, a blank, a value outside its limits, a key that occurs twice.

    >>> check("exchange_rates", pd.DataFrame({"currency": ["USD"], "from_month": ["2026-01"], "rate": ["0.9"]}))
      currency from_month  rate
    0      USD 2026-01-01   0.9
    """
    missing = [c.name for c in table(name).columns if c.name not in df and not c.optional]
    if missing:
        blank = [None] * len(missing)
        raise TableError(name, _problem(blank, ", ".join(missing), blank, "column missing", "add the column"))
    typed, unread = convert(name, complete(name, df.reset_index(drop=True)))
    broken = without_read_again(unread, failures(name, typed))
    if len(broken):
        raise TableError(name, broken)
    return arranged(name, typed)


def empty(name: str) -> pd.DataFrame:
    """Return the table without rows, its columns in order and kind.

    >>> empty("exchange_rates").columns.tolist()
    ['currency', 'from_month', 'rate']
    """
    return pd.DataFrame({c.name: pd.Series(dtype=DTYPES[c.kind]) for c in table(name).columns})


def arranged(name: str, typed: pd.DataFrame) -> pd.DataFrame:
    """Return a table that was converted and checked with its columns in kind and its rows sorted by key."""
    kinds = {c.name: DTYPES[c.kind] for c in table(name).columns}
    return typed[list(kinds)].astype(kinds).sort_values(table(name).key, kind="stable", ignore_index=True)


def dictionary() -> str:
    """Return the data dictionary as Markdown: every table, and every column with its kind, unit and limits."""
    lines = ["# Tables", "", "Printed by `make docs` from `sop_lib/tables.csv` and `sop_lib/columns.csv`.", ""]
    groups = {"input": "Inputs: what a company gives", "plan": "Plan tables: what the notebooks write"}
    for group, words in (groups | {"record": "Records: what people write into the plan book"}).items():
        lines += [f"## {words}", ""]
        for t in [t for t in tables().values() if t.group == group]:
            unlocks = f" {'Unlocks ' if t.used else 'For now '}{t.unlocks}." if t.unlocks else ""
            lines += [f"### {t.name}{' (required)' if t.required else ''}", "", f"{t.meaning}{unlocks}", ""]
            lines += ["| column | kind | unit | allowed | meaning |", "|---|---|---|---|---|"]
            lines += [f"| {' | '.join(_described(c))} |" for c in t.columns] + [""]
    return "\n".join(lines)


def _described(c: Column) -> tuple[str, ...]:
    """Return a column's name (bold in the key, ? when optional), kind, unit, what it allows and what it means."""
    low = "" if c.minimum is None else f"above {c.minimum:g}" if c.open else f"{c.minimum:g} or more"
    high = "" if c.maximum is None else f"below {c.maximum:g}" if c.open else f"{c.maximum:g} or less"
    allowed = [low, high, ", ".join(c.choices), f"as in {c.refers_to}" if c.refers_to else ""]
    name = f"**{c.name}**" if c.role == "key" else c.name
    return name + "?" * c.optional, c.kind, c.unit, "; ".join(filter(None, allowed)), c.meaning
