"""A master schedule that comes back from those who made it: read with every problem, and held against the plan."""

import csv
import io
import re
from pathlib import Path

import numpy as np
import pandas as pd

from sop_lib import master_schedule, months, sources
from sop_lib.schedule_file import ScheduleError, without_marks
from sop_lib.tables import ALL

__all__ = ["compared", "read", "verdict"]

SHARE = 0.005  # a family's month may be off by half a percent of its plan
LEAST, FINEST = 1.0, 0.001  # or by a unit where units are whole, elsewhere by what the file rounds each row to
NEAR = 0.5  # quantities that are together off the plan by less of it are taken to be meant like the plan
NAMES = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
QUANTITIES = ["month", "family", "quantity"]
PROBLEM = ["row", "column", "value", "rule", "remedy"]
GROUPED = {",": r"[+-]?\d{1,3}(,\d{3})+(\.\d+)?", ".": r"[+-]?\d{1,3}(\.\d{3})+(,\d+)?"}  # 1,234.5 and 1.234,5
EITHER = r"^[+-]?[1-9]\d{0,2}(?P<mark>[.,])\d{3}(?:(?P=mark)\d{3})*$"  # 8.350: thousands, or decimals


def read(
    path: Path, products: pd.DataFrame, horizon: pd.DatetimeIndex, planned: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame, list[str]]:
    """Return month, family and quantity of a schedule that came back, every problem of its rows, and how it was read.

    Asked for are month, quantity, and product or family; other columns and the order do not matter. Comma, semicolon
    and tab separate, a byte order mark and months as a spreadsheet writes them are taken. Rows with a
    problem (row, column, value, rule, remedy) are left out. Raises ScheduleError for a file without these columns.
    Where thousands could be decimals (8.350), they are what is nearer `planned` (month, family, quantity).
    """
    cells, separator = _cells(path)
    family_of = products.set_index("product")["family"]
    texts = cells["quantity"].map(_packed)
    comma = bool(separator != "," and texts.str.contains(",", regex=False).any())
    rows, problems = _taken(cells, family_of, horizon, comma)
    unclear = cells.assign(text=texts)[_unclear(texts, separator)]
    if unclear.empty:
        return rows[QUANTITIES], problems, []
    return _settled((rows, problems), _taken(cells, family_of, horizon, not comma), unclear, planned)


def _taken(
    cells: pd.DataFrame, family_of: pd.Series, horizon: pd.DatetimeIndex, comma: bool
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return row, month, family and quantity of the rows without a problem, and the problems of the others."""
    rows, said = [], []
    for cell in cells.to_dict("records"):
        problems: list[dict] = []
        found = {
            "row": cell["row"],
            "month": _month(cell, horizon, problems),
            "family": _family(cell, family_of, problems),
            "quantity": _quantity(cell, comma, problems),
        }
        rows += [] if problems else [found]
        said += problems
    good = pd.DataFrame(rows, columns=["row", *QUANTITIES])
    return good.astype({"month": "datetime64[ns]", "quantity": float}), pd.DataFrame(said, columns=PROBLEM)


# Thousands or decimals?


def _packed(text: str) -> str:
    return re.sub(r"[\s\u00a0\u202f']", "", text)


def _unclear(texts: pd.Series, separator: str) -> pd.Series:
    """Return which cells may be thousands or decimals; none where another cell, or a comma between cells, decides."""
    marked = texts.str.contains(r"[.,]")
    found = texts[marked].str.extract(EITHER)["mark"]
    return marked & (separator != "," and found.notna().all() and found.nunique() == 1)


def _settled(decimals: tuple, thousands: tuple, unclear: pd.DataFrame, planned: pd.DataFrame) -> tuple:
    """Return the rows and problems of the reading that is meant, and which it is; a problem per cell where none is."""
    meant = _thousands(unclear, decimals[0], thousands[0], planned)
    rows, problems = thousands if meant else decimals
    if meant is not None:
        return rows[QUANTITIES], problems, [_read_as(unclear["text"], meant)]
    clear = rows.loc[~rows["row"].isin(unclear["row"]), QUANTITIES].reset_index(drop=True)
    every = pd.concat([problems, _either(unclear)]).sort_values("row", kind="stable", ignore_index=True)
    return clear, every, []


def _thousands(
    unclear: pd.DataFrame, decimals: pd.DataFrame, thousands: pd.DataFrame, planned: pd.DataFrame
) -> bool | None:
    """Return whether thousands are meant: the plan is nearer to them, or units are whole; None: nobody can tell."""
    if unclear["text"].str.count(r"[.,]").gt(1).any():
        return True
    at = thousands["row"].isin(unclear["row"])
    off = [_off(rows, thousands.loc[at, ["month", "family"]], planned) for rows in (decimals, thousands)]
    if min(off) < NEAR and off[0] != off[1]:
        return off[1] < off[0]
    return True if set(thousands.loc[at, "family"]) <= _whole(planned) else None


def _off(rows: pd.DataFrame, at: pd.DataFrame, planned: pd.DataFrame) -> float:
    """Return how far a schedule is off the plan in some months of families, as a share of it."""
    both = compared(planned, rows).merge(at.drop_duplicates(), on=["month", "family"])
    total = both["planned"].sum()
    return float(both["difference"].abs().sum() / total) if total > 0 else float("inf")


def _either(unclear: pd.DataFrame) -> pd.DataFrame:
    """Return a problem for each cell that may be thousands or decimals, with both ways to write it."""
    ways = [f"write {_joined(t)}, or {_pointed(t):g}" for t in unclear["text"]]
    rows = [
        _problem(cell, "quantity", "thousands or decimals?", way)
        for cell, way in zip(unclear.to_dict("records"), ways, strict=True)
    ]
    return pd.DataFrame(rows, columns=PROBLEM)


def _joined(text: str) -> str:
    return re.sub("[.,]", "", text)


def _pointed(text: str) -> float:
    return float(text.replace(",", "."))


def _read_as(texts: pd.Series, thousands: bool) -> str:
    """Return how cells that may be either were read, by an example."""
    text = min(texts, key=lambda t: len(re.findall("[.,]", t)))
    if len(re.findall("[.,]", text)) > 1:
        return f"Quantities such as {text} are read as thousands, {_joined(text)}."
    ways = [("thousands", _joined(text)), ("decimals", f"{_pointed(text):g}")]
    (name, value), (_, other) = ways if thousands else ways[::-1]
    return f"Quantities such as {text} are read as {name}, {value}, not as {other}."


def _cells(path: Path) -> tuple[pd.DataFrame, str]:
    """Return the cells of a file as texts with the row each stands in, and what separates them."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ScheduleError(f"{path}: cannot be read: {error.strerror}; give the path of a CSV file") from None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("cp1252", errors="replace")
    if "\0" in text:
        raise ScheduleError(f"{path}: not a CSV file; save it as CSV UTF-8 from the spreadsheet")
    head = text.lstrip("\r\n").split("\n", 1)[0]
    separator = max(",;\t", key=head.count)
    try:
        lines = list(csv.reader(io.StringIO(text, newline=""), delimiter=separator))
    except csv.Error as error:
        raise ScheduleError(f"{path}: cannot be read: {error}; save it as CSV UTF-8 again") from None
    filled = [(n, line) for n, line in enumerate(lines, 1) if any(c.strip() for c in line)]
    names = [c.strip().lower() for c in filled[0][1]] if filled else []
    lacking = [n for n in ("month", "quantity") if n not in names]
    lacking += [] if {"product", "family"} & set(names) else ["product (or family)"]
    if lacking:
        hint = f"its first row reads {', '.join(names)[:120]!r}" if names else "it is empty"
        raise ScheduleError(f"{path}: column missing: {', '.join(lacking)}; {hint}")
    at = {n: names.index(n) for n in ("month", "family", "product", "quantity") if n in names}
    rows = [{"row": n} | {c: line[i].strip() if i < len(line) else "" for c, i in at.items()} for n, line in filled[1:]]
    return pd.DataFrame(rows, columns=["row", *at], dtype=object), separator


def _problem(cell: dict, column: str, rule: str, remedy: str) -> dict:
    return {"row": cell["row"], "column": column, "value": cell.get(column, ""), "rule": rule, "remedy": remedy}


def _month(cell: dict, horizon: pd.DatetimeIndex, problems: list[dict]) -> pd.Timestamp | None:
    when = _month_of(cell["month"])
    first, last = months.month_name(horizon[0]), months.month_name(horizon[-1])
    if when is None:
        problems.append(_problem(cell, "month", "not a month", "write YYYY-MM, such as " + first))
    elif when not in horizon:
        problems.append(_problem(cell, "month", "not a month of the plan", f"the plan runs from {first} to {last}"))
    return when


def _month_of(text: str) -> pd.Timestamp | None:
    """Return the month of a text: 2026-11, 2026-11-01, Nov-26, 11/1/2026 or 01.11.2026 (first of a month); else None.

    >>> [f"{_month_of(t):%Y-%m}" for t in ("2026-11-01", "Nov-26", "nov 2026", "11/1/2026", "01.11.2026")]
    ['2026-11', '2026-11', '2026-11', '2026-11', '2026-11']
    """
    if found := re.fullmatch(r"(\d{4})-(\d{1,2})(?:-0?1)?(?: 00:00(?::00)?)?", text):
        year, month = int(found[1]), int(found[2])
    elif found := re.fullmatch(r"([A-Za-z]{3})[-. ]+(\d{4}|\d{2})", text):
        name = found[1].lower()
        year, month = int(found[2]), NAMES.index(name) + 1 if name in NAMES else 0
    elif found := re.fullmatch(r"(\d{1,2})[/.](\d{1,2})[/.](\d{4}|\d{2})", text):
        one, two = int(found[1]), int(found[2])
        year, month = int(found[3]), two if one == 1 else (one if two == 1 else 0)
    else:
        return None
    year += 2000 if year < 100 else 0
    return pd.Timestamp(year, month, 1) if 1 <= month <= 12 and 1900 < year < 2200 else None


def _family(cell: dict, family_of: pd.Series, problems: list[dict]) -> str | None:
    product, family = (without_marks(cell.get(n, "")) for n in ("product", "family"))
    if product and product != ALL:
        if product not in family_of.index:
            near = sources.nearest(product, list(family_of.index), 0.5)
            problems.append(_problem(cell, "product", "not a product of the plan", near or "correct the code"))
            return None
        own = family_of[product]
        if family and family != own:
            problems.append(_problem(cell, "family", f"not the family of {product}", f"it is {own}"))
        return own
    if family not in set(family_of):
        column = "family" if "family" in cell else "product"
        near = sources.nearest(family, sorted(set(family_of))) or "name a product or a family of the plan"
        problems.append(_problem(cell, column, "not a family of the plan", near))
    return family


def _quantity(cell: dict, decimal_comma: bool, problems: list[dict]) -> float | None:
    text = _packed(cell["quantity"])
    group = "." if decimal_comma else ","
    plain = text.replace(group, "") if re.fullmatch(GROUPED[group], text) else text
    plain = plain.replace(",", ".") if decimal_comma else plain
    if not re.fullmatch(r"[+-]?\d+(\.\d+)?([eE][+-]?\d{1,2})?", plain):
        problems.append(_problem(cell, "quantity", "not a number", "write a number of units, such as 120"))
        return None
    if float(plain) < 0:
        problems.append(_problem(cell, "quantity", "below zero", "nothing can be taken back: write 0 or more"))
    return float(plain)


# Does it honour the plan?


def compared(planned: pd.DataFrame, scheduled: pd.DataFrame) -> pd.DataFrame:
    """Return per month and family planned, scheduled, difference and limit in units, and a finding.

    `planned` and `scheduled` hold month, family, quantity. A difference of more than half a percent of the plan does
    not honour it; a family whose planned quantities are all whole may be off by a unit, the others by 0.001 for each
    row of the schedule, to which its file rounds. Months after the schedule's last one are not scheduled yet: they
    have no row.

    >>> rows = pd.DataFrame({"month": pd.Timestamp("2026-11-01"), "family": ["A", "B"], "quantity": [400.0, 10.0]})
    >>> compared(rows, rows.head(1))["finding"].tolist()
    ['as planned', 'not in the schedule']
    """
    sums = [master_schedule.by_family(t).set_index(["month", "family"])["quantity"] for t in (planned, scheduled)]
    last = scheduled["month"].max()
    both = pd.concat(sums, axis=1, keys=["planned", "scheduled"]).sort_index().reset_index()
    both = both[both["month"] <= last].reset_index(drop=True)
    absent = both["scheduled"].isna()
    both = both.fillna({"planned": 0.0, "scheduled": 0.0})
    both["difference"] = (both["scheduled"] - both["planned"]).round(6)
    both["limit"] = np.maximum(SHARE * both["planned"], _floor(both, planned, scheduled))
    off = both["difference"].abs() > both["limit"] + 1e-9
    both["finding"] = "as planned"
    both.loc[off & (both["difference"] > 0), "finding"] = "more than planned"
    both.loc[off & (both["difference"] < 0), "finding"] = "less than planned"
    both.loc[off & absent, "finding"] = "not in the schedule"
    return both


def _floor(both: pd.DataFrame, planned: pd.DataFrame, scheduled: pd.DataFrame) -> np.ndarray:
    """Return the units by which each month of a family may be off whatever its plan."""
    rows = scheduled.groupby(["month", "family"]).size()
    count = rows.reindex(pd.MultiIndex.from_frame(both[["month", "family"]])).fillna(1.0).to_numpy()
    return np.where(both["family"].isin(_whole(planned)), LEAST, FINEST * count)


def _whole(planned: pd.DataFrame) -> set[str]:
    """Return the families whose planned quantities are all whole numbers."""
    apart = (planned["quantity"] - planned["quantity"].round()).abs() < 1e-6
    return set(apart.groupby(planned["family"]).all().loc[lambda s: s].index)


def verdict(planned: pd.DataFrame, both: pd.DataFrame) -> list[str]:
    """Return sentences: how many months of families honour the plan, within what, and what is not scheduled yet."""
    if both.empty:
        return ["The schedule holds no row that could be compared with the plan."]
    off = both[both["finding"] != "as planned"]
    first, last = both["month"].min(), both["month"].max()
    said = [f"{len(both) - len(off)} of {len(both)} months of families are as planned; {_rule(planned, both)}."]
    if (until := planned["month"].max()) > last:
        said.append(f"Scheduled are {first:%b %Y} to {last:%b %Y}; the plan goes on to {until:%b %Y}.")
    return said


def _rule(planned: pd.DataFrame, both: pd.DataFrame) -> str:
    """Return by how much a month of a family may be off, in words."""
    whole = both["family"].isin(_whole(planned))
    share = f"{SHARE:.1%}"
    if not whole.any():
        return f"a family's month may be off by {share} of its plan"
    rule = f"a family's month may be off by {LEAST:g} unit or {share} of its plan, whichever is more"
    return rule if whole.all() else f"{rule}; by {share} where it is counted in fractions"
