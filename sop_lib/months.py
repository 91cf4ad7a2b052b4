"""Cycle and month arithmetic. A month is the Timestamp of its first day."""

import re

import pandas as pd

__all__ = ["fiscal_year", "fiscal_year_months", "lag", "month", "month_name", "month_range", "working_days"]


def month(text: str | pd.Timestamp) -> pd.Timestamp:
    """Return the first day of the month that a text like '2026-11' names.

    Raises ValueError when the text is not a month written YYYY-MM.

    >>> month("2026-11")
    Timestamp('2026-11-01 00:00:00')
    """
    if isinstance(text, pd.Timestamp):
        return text.normalize().replace(day=1)
    if not re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])(-01)?", str(text)):
        raise ValueError(f"'{text}' is not a month: write YYYY-MM, such as 2026-11")
    return pd.Timestamp(f"{str(text)[:7]}-01")


def month_name(when: pd.Timestamp) -> str:
    """Return a month as it is written in names of folders and cycles.

    >>> month_name(pd.Timestamp("2026-11-01"))
    '2026-11'
    """
    return f"{when:%Y-%m}"


def month_range(first: pd.Timestamp, count: int) -> pd.DatetimeIndex:
    """Return `count` months beginning with `first`.

    >>> [month_name(m) for m in month_range(month("2026-11"), 3)]
    ['2026-11', '2026-12', '2027-01']
    """
    return pd.date_range(first, periods=count, freq="MS", unit="ns", name="month")


def lag(cycle: pd.Timestamp, when: pd.Series | pd.Timestamp) -> pd.Series | int:
    """Return the months from the last month known to a cycle to `when`: the cycle's own month is lag 1.

    >>> lag(month("2026-11"), month("2027-01"))
    3
    """
    if isinstance(when, pd.Series):
        return (when.dt.year - cycle.year) * 12 + when.dt.month - cycle.month + 1
    return (when.year - cycle.year) * 12 + when.month - cycle.month + 1


def fiscal_year(when: pd.Series | pd.Timestamp, start: int = 1) -> pd.Series | int:
    """Return the fiscal year of each month, named by the calendar year in which it ends.

    >>> fiscal_year(month("2026-11"), start=7), fiscal_year(month("2026-11"))
    (2027, 2026)
    """
    later = 0 if start == 1 else 1
    if isinstance(when, pd.Series):
        return when.dt.year + later * (when.dt.month >= start)
    return when.year + later * int(when.month >= start)


def fiscal_year_months(year: int, start: int = 1) -> pd.DatetimeIndex:
    """Return the twelve months of a fiscal year.

    >>> month_name(fiscal_year_months(2027, start=7)[0])
    '2026-07'
    """
    return month_range(pd.Timestamp(year - (start > 1), start, 1), 12)


def working_days(months: pd.DatetimeIndex, calendar: pd.DataFrame | None = None, plant: str = "ALL") -> pd.Series:
    """Return working days per month: the calendar's where it has the month, else Mondays to Fridays.

    A plant's own calendar row goes before the company's (`ALL`).

    >>> working_days(month_range(month("2026-11"), 2)).tolist()
    [21.0, 23.0]
    """
    ends = months + pd.offsets.MonthBegin(1)
    days = pd.Series(
        [float(len(pd.bdate_range(a, b, inclusive="left"))) for a, b in zip(months, ends, strict=True)],
        index=months,
        name="working_days",
    )
    if calendar is not None and len(calendar):
        for owner in ("ALL", plant):
            own = calendar[calendar["plant"] == owner].set_index("month")["working_days"]
            days.update(own)
    return days
