"""A company's input tables, read from its sources, checked, brought to months and frozen into a cycle.

What stops a run is an InputError that lists every problem of every source; what does not stop it is counted
in `issues`. Nothing is dropped in silence.
"""

import os
from dataclasses import dataclass
from typing import Any

import pandas as pd

from sop_lib import checks, flow_checks, mapping, months, supply_checks, tables
from sop_lib.archive import Cycle
from sop_lib.checks import amount, demand, issue, issues
from sop_lib.mapping import Found, listed
from sop_lib.settings import Settings
from sop_lib.sources import PROBLEM, SourceError, nearest, problem

__all__ = ["CHECKS", "InputError", "Inputs", "freeze", "next_cycle", "read_inputs", "sentences"]

CHECKS = checks.CHECKS | supply_checks.CHECKS | flow_checks.CHECKS
ACTUALS = {"sales": "month", "inventory": "month", "backlog": "month", "receipts": "month", "finance": "month"}
ACTUALS |= {"control_totals": "month", "shipments": "ordered_on", "past_plans": "cycle", "demand_inputs": "cycle"}


class InputError(ValueError):
    """The inputs cannot be used; `problems` lists file, row, column, value, rule and remedy of each problem."""

    def __init__(self, problems: pd.DataFrame):
        self.problems = problems
        super().__init__("\n".join(["The inputs cannot be used:", *(f"  - {s}" for s in sentences(problems))]))


@dataclass(frozen=True)
class Inputs:
    """The checked input tables of a cycle by name, what was found in them, and the files they came from."""

    tables: dict[str, pd.DataFrame]
    issues: pd.DataFrame
    sources: dict[str, dict]
    cycle: pd.Timestamp
    problems: pd.DataFrame


def next_cycle(sales: pd.DataFrame) -> pd.Timestamp:
    """Return the month after the last month in sales.

    >>> next_cycle(pd.DataFrame({"month": pd.to_datetime(["2026-09-01", "2026-10-01"])}))
    Timestamp('2026-11-01 00:00:00')
    """
    return months.month(sales["month"].max()) + pd.offsets.MonthBegin(1)


def read_inputs(settings: Settings, cycle: str = "") -> Inputs:
    """Return every input table of a cycle, monthly and checked, with the findings that do not stop the run.

    An absent optional table is empty. Rows that were not known when the cycle opened are set aside and counted.
    Raises InputError with all problems at once.
    """
    found, problems, remarks = _read_all(settings)
    problems += [p for table in found.values() for p in mapping.unknown_members(table, found)]
    month, wrong = _cycle_month(cycle, found.get("sales"))
    problems += wrong + _unwritable(settings)
    problems += mapping.in_circles(found, month) if month else []
    if problems:
        raise InputError(_sorted(problems))
    known = {name: _known_at(table, month) for name, table in found.items()}
    inputs = [t.name for t in tables.tables().values() if t.group == "input"]
    given = {name: _monthly(name, known[name]) if name in known else tables.empty(name) for name in inputs}
    if not _anything_sold(given["sales"]):
        raise InputError(_sorted([_nothing_sold(found["sales"], month)]))
    horizon = months.month_range(month, settings.planning.horizon_months)
    remarks += [r for n, t in found.items() for rule in REMARKS for r in rule(t, known[n], given["products"])]
    remarks += [r for check in CHECKS.values() for r in check(given, horizon)]
    origin = {file: entry for table in found.values() for file, entry in table.raw.sources.items()}
    return Inputs(given, issues(remarks), dict(sorted(origin.items())), month, _sorted([]))


def freeze(book: Cycle, inputs: Inputs) -> None:
    """Write every input table that has rows into the cycle, and its files' hashes into the manifest."""
    for name, table in inputs.tables.items():
        if len(table):
            book.write(name, table)
    manifest = book.manifest()
    for name in [n for n, t in inputs.tables.items() if t.empty and f"inputs/{n}" in manifest["tables"]]:
        del manifest["tables"][f"inputs/{name}"]
        (book.folder / "inputs" / f"{name}.parquet").unlink(missing_ok=True)
    book.write_manifest(manifest | {"sources": inputs.sources})


def sentences(problems: pd.DataFrame, most: int = 60) -> list[str]:
    """Return one sentence per kind of problem: file, rows, column, a value, rule and remedy."""
    kinds = problems.groupby(["file", "column", "rule", "remedy"], dropna=False, sort=False)
    lines = [_sentence(rows) for _, rows in kinds]
    return lines if len(lines) <= most else [*lines[:most], f"and {len(lines) - most} more kinds of problems"]


def _sentence(rows: pd.DataFrame) -> str:
    file, column, rule, remedy = rows[["file", "column", "rule", "remedy"]].iloc[0]
    at, values = rows["row"].dropna(), rows["value"].dropna()
    first = ", ".join(str(r) for r in at.head(5)) + (f" and {len(at) - 5} more" if len(at) > 5 else "")
    where = (f", row {first}" if len(at) else "") + (f", column {column}" if column else "")
    shown = f" {str(values.iloc[0])[:80]!r}:" if len(values) else ""
    return f"{file}{where}:{shown} {rule}; {remedy}"


def _sorted(problems: list[dict]) -> pd.DataFrame:
    df = pd.DataFrame(problems, columns=PROBLEM, dtype="object")
    order = df.assign(_row=pd.to_numeric(df["row"], errors="coerce"))
    return order.sort_values(["file", "_row", "column", "rule"], kind="stable", ignore_index=True)[PROBLEM]


def _read_all(settings: Settings) -> tuple[dict[str, Found], list[dict], list[dict]]:
    """Read every source; products first, because they tell the family of a product."""
    found: dict[str, Found] = {}
    problems, remarks = _without_source(settings), []
    for name in [n for n in tables.tables() if n in settings.inputs]:
        products = found["products"].frame if "products" in found else None
        try:
            table, wrong = mapping.read_table(name, settings.inputs[name], settings.inputs_folder, products)
        except SourceError as error:
            table, wrong = None, error.problems
        problems += wrong
        if table is not None and len(table.frame):
            found[name] = table
        elif table is not None:
            text, remedy = f"{table.raw.file} has no rows.", "none needed if nothing is planned with it"
            remarks.append(issue("no_rows", name, table.raw.file, text, remedy, severity="info"))
    if "demand_inputs" in found:
        found["demand_inputs"], wrong = mapping.in_planning_units(found)
        problems += wrong
    return found, problems, remarks


def _without_source(settings: Settings) -> list[dict]:
    needed = [t.name for t in tables.tables().values() if t.required and t.name not in settings.inputs]
    remedy = "add a section [inputs.{}] with its file"
    return [problem("sop.toml", "required table without a source", remedy.format(n), column=n) for n in needed]


def _cycle_month(cycle: str, sales: Found | None) -> tuple[Any, list[dict]]:
    """Return the month to plan from: the one named, else the month after the last in sales."""
    try:
        named = months.month(cycle) if cycle else None
    except ValueError:
        wrong = problem("--cycle", "not a month", tables.WRITE["month"], column="cycle", value=str(cycle))
        return None, [wrong]
    if sales is None or sales.frame["month"].isna().all():
        return named, []
    first, last = sales.frame["month"].min(), sales.frame["month"].max()
    if named is not None and named <= first:
        remedy = f"sales hold {first:%Y-%m} to {last:%Y-%m}; choose a later cycle"
        return named, [problem(sales.raw.file, "no sales before the cycle", remedy, column="cycle", value=str(cycle))]
    return named or next_cycle(sales.frame), []


def _anything_sold(sales: pd.DataFrame) -> bool:
    """Return whether a quantity or money of any month, product and region is not zero, over all customers."""
    numbers = sales.assign(demand=demand(sales)).groupby(["month", "product", "region"])
    return bool(numbers[["demand", "shipped", "revenue", "cost"]].sum().ne(0).any(axis=None))


def _nothing_sold(sales: Found, month: pd.Timestamp) -> dict:
    rule = f"every quantity before {month:%Y-%m} is zero: there is no history to plan from"
    column = sales.columns.get("ordered") or sales.columns.get("shipped")
    remedy = "export the quantities again, correct columns in [inputs.sales], or choose a later cycle"
    return problem(sales.raw.file, rule, remedy, column=column, value="0")


def _unwritable(settings: Settings) -> list[dict]:
    """Return a problem for each folder of results that cannot be made or written."""
    problems = []
    for name in ("plans", "reports"):
        folder = getattr(settings, f"{name}_folder")
        there = next(p for p in (folder, *folder.parents) if p.exists())
        if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
            remedy = f"name a folder you may write to with --{name} or in [folders]"
            problems.append(problem(folder.name, "folder cannot be written", remedy))
    return problems


def _known_at(table: Found, month: pd.Timestamp) -> pd.DataFrame:
    """Return the rows that were known when the cycle opened; what was given for the cycle itself is."""
    if table.name not in ACTUALS:
        return table.frame
    opened = month + pd.offsets.MonthBegin(1) if table.name == "demand_inputs" else month
    return table.frame[table.frame[ACTUALS[table.name]] < opened]


def _monthly(name: str, rows: pd.DataFrame) -> pd.DataFrame:
    """Return rows finer than a month brought to months: flows are summed, stocks take the last, prices the mean."""
    key = tables.table(name).key
    if "month" not in key:
        return tables.arranged(name, rows)
    out = rows.sort_values("month", kind="stable").assign(month=tables.as_kind(rows["month"], "month"))
    if out.duplicated(key).any():
        groups = out.groupby(key, sort=False)
        values = [c for c in tables.table(name).columns if c.name not in key]
        out = pd.DataFrame({c.name: _over_time(groups[c.name], c.over_time) for c in values}).reset_index()
    return tables.arranged(name, out)


def _over_time(group, how: str) -> pd.Series:
    if how == "sum":
        return group.sum(min_count=1)
    return group.mean() if how == "mean" else group.last()


def _held(name: str, rows: pd.DataFrame, products: pd.DataFrame) -> dict:
    """Return how many rows there are, with their units and money as far as the table has them."""
    column = next((c for c in ("quantity", "on_hand", "ordered") if c in rows), None)
    units = demand(rows) if name == "sales" else rows[column] if column else pd.Series(float("nan"), rows.index)
    return {"rows": len(rows), "quantity": units.sum(min_count=1), "money": amount(rows, units, products)}


def _set_aside(table: Found, known: pd.DataFrame, products: pd.DataFrame) -> list[dict]:
    later = table.frame.drop(known.index)
    if later.empty:
        return []
    when = later[ACTUALS[table.name]]
    text = (
        f"Rows of {when.min():%Y-%m} to {when.max():%Y-%m} came after this cycle opened: set aside, not planned with."
    )
    held = _held(table.name, later, products)
    remedy = "none needed: they belong to later cycles"
    return [issue("after_closing_month", table.name, table.raw.file, text, remedy, severity="info", **held)]


def _negative(table: Found, known: pd.DataFrame, products: pd.DataFrame) -> list[dict]:
    rows = known[(known["ordered"] < 0) | (known["shipped"] < 0)] if table.name == "sales" else known[:0]
    if rows.empty:
        return []
    text = f"Returns of {listed(rows['product'].unique())}: each is netted against the same month, product and region."
    held = _held("sales", rows, products)
    return [issue("negative_quantity", "sales", table.raw.file, text, "none needed if these are returns", **held)]


def _left_out(table: Found, known: pd.DataFrame, products: pd.DataFrame) -> list[dict]:
    rows = table.raw.left_out
    text = f"where in [inputs.{table.name}] leaves out {rows} of {rows + len(table.frame)} rows."
    found = {"severity": "info", "rows": rows}
    row = issue("left_out_by_where", table.name, table.raw.file, text, "none needed if it is meant so", **found)
    return [row] if rows else []


def _unused(table: Found, known: pd.DataFrame, products: pd.DataFrame) -> list[dict]:
    spare = [str(c) for c in table.raw.cells if c not in table.columns.values()]
    free = [c.name for c in tables.table(table.name).columns if c.name not in table.columns]
    hints = {c: nearest(c, free, likeness=0.8) for c in spare}
    alike = " ".join(f"For '{c}': {hint}" for c, hint in hints.items() if hint)
    text = f"Columns that nothing uses: {listed(spare, most=12)}. {alike}".strip()
    remedy = f"none needed, or name them under columns in [inputs.{table.name}]"
    severity = "warn" if alike else "info"
    row = issue("unused_columns", table.name, table.raw.file, text, remedy, severity=severity)
    return [row] if spare else []


def _not_used_yet(table: Found, known: pd.DataFrame, products: pd.DataFrame) -> list[dict]:
    """Tell of a table, or of columns with values, that nothing is planned with yet."""
    definition = tables.table(table.name)
    idle = [c.name for c in definition.columns if not c.used and c.name in known and known[c.name].notna().any()]
    if definition.used and not idle:
        return []
    what = listed(idle) if idle else table.name
    text = f"Kept with the cycle; not used yet: no number of the plan comes from {what}."
    found = {"severity": "info", "rows": len(known)}
    return [issue("not_used_yet", table.name, what, text, "none needed", **found)]


def _finer(table: Found, known: pd.DataFrame, products: pd.DataFrame) -> list[dict]:
    if not _is_finer(table, known):
        return []
    weekly = known["month"].dt.dayofweek.nunique() == 1
    text = "Rows finer than a month were brought to months: flows summed, stocks the last, prices the mean."
    text += " Weeks count whole in the month of their date." if weekly else ""
    found = {"severity": "warn" if weekly else "info", "rows": len(known)}
    remedy = "split weeks by day at the source" if weekly else "none needed"
    return [issue("finer_than_months", table.name, table.raw.file, text, remedy, **found)]


def _is_finer(table: Found, known: pd.DataFrame) -> bool:
    if "month" not in tables.table(table.name).key:
        return False
    days = known["month"].drop_duplicates()
    return days.dt.to_period("M").nunique() < len(days)


def _ends_early(table: Found, known: pd.DataFrame, products: pd.DataFrame) -> list[dict]:
    """Find daily sales whose last month stops further from its end than any month before."""
    if table.name != "sales" or not _is_finer(table, known):
        return []
    ends = known.groupby(known["month"].dt.to_period("M"))["month"].max()
    short = ends.dt.days_in_month - ends.dt.day
    last = ends.iloc[-1]
    text = f"The last row is of {last:%Y-%m-%d}, while other months go on to their end: {last:%Y-%m} is not complete."
    row = issue("month_ends_early", "sales", f"{last:%Y-%m}", text, "load the whole month, or plan the cycle before")
    return [row | {"rows": int(short.iloc[-1])}] if short.iloc[-1] > short.iloc[:-1].max() + 2 else []


REMARKS = (_set_aside, _negative, _left_out, _unused, _not_used_yet, _finer, _ends_early)
