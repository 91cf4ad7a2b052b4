"""What a planner's override means: the cells it changes, and what is wrong with it in plain words."""

import difflib
from collections.abc import Collection, Mapping

import pandas as pd

from sop_lib import months, tables

__all__ = ["check_override", "override_id", "same_cells"]


def _member(values: Mapping, column: str) -> str:
    given = values.get(column)
    return tables.ALL if pd.isna(given) or not str(given).strip() else str(given).strip()


def _month(values: Mapping, column: str) -> pd.Timestamp:
    return tables.as_kind(pd.Series([values.get(column)], dtype="object"), "month").iloc[0]


def override_id(values: Mapping) -> str:
    """Return the natural key of an override, in words: its cycle, product or family, region and months.

    Two planners who change the same cells in a cycle get the same id, so that the second is told.
    A product belongs to one family, so that its family is not in the key.

    >>> override_id({"cycle": "2026-11", "product": "Grill", "from_month": "2026-12", "to_month": "2027-01"})
    '2026-11 · product Grill · ALL · 2026-12 to 2027-01'
    """
    product, family, region = (_member(values, c).replace("·", "··") for c in tables.MEMBERS)
    what = f"family {family}" if product == tables.ALL else f"product {product}"
    cycle, first, last = (f"{_month(values, c):%Y-%m}" for c in ("cycle", "from_month", "to_month"))
    return f"{cycle} · {what} · {region} · {first} to {last}"


def same_cells(standing: pd.DataFrame, values: Mapping) -> pd.DataFrame:
    """Return the standing overrides of other months or cycles that touch a cell this one changes too."""
    product, family, region = (_member(values, c) for c in tables.MEMBERS)
    same = (standing["product"] == product) & (standing["region"] == region) & (standing["id"] != override_id(values))
    if product == tables.ALL:
        same &= standing["family"] == family
    same &= standing["from_month"] <= _month(values, "to_month")
    same &= standing["to_month"] >= _month(values, "from_month")
    return standing[same].reset_index(drop=True)


def check_override(
    values: Mapping,
    products: Mapping[str, str],
    families: Collection[str],
    regions: Collection[str],
    first_open_month: pd.Timestamp,
    horizon: pd.DatetimeIndex,
) -> list[str]:
    """Return what is wrong with an override, one sentence each with its remedy; empty when it can be saved.

    `products` is each product's family; `first_open_month` the first month that may still be changed.

    >>> ahead = months.month_range(months.month("2026-11"), 3)
    >>> good = {"cycle": "2026-11", "family": "Heaters", "from_month": "2026-12", "to_month": "2026-12"}
    >>> good |= {"kind": "percent", "value": 10, "reason": "a trade fair"}
    >>> check_override(good, {"H1": "Heaters"}, ["Heaters"], ["North"], ahead[0], ahead)
    []
    >>> check_override({**good, "reason": " "}, {"H1": "Heaters"}, ["Heaters"], ["North"], ahead[0], ahead)
    ['no reason: write why the plan changes']
    """
    reason = values.get("reason")
    problems = [] if reason and str(reason).strip() else ["no reason: write why the plan changes"]
    problems += _unknown(values, {"product": products, "family": families, "region": regions})
    product, family = (_member(values, c) for c in ("product", "family"))
    if product in products and family not in (products[product], tables.ALL):
        problems.append(f"product '{product}' belongs to family '{products[product]}', not '{family}'")
    return problems + _wrong_value(values) + _wrong_months(values, first_open_month, horizon)


def _unknown(values: Mapping, known: Mapping[str, Collection[str]]) -> list[str]:
    found = []
    for column, names in known.items():
        given = _member(values, column)
        if given != tables.ALL and given not in names:
            near = difflib.get_close_matches(given, names, n=1, cutoff=0.5)
            found.append(f"unknown {column} '{given}'" + (f": did you mean '{near[0]}'?" if near else ""))
    return found


def _wrong_value(values: Mapping) -> list[str]:
    kind, value = values.get("kind"), values.get("value")
    kinds = tables.table("overrides")["kind"].choices
    if kind not in kinds:
        return [f"kind '{kind}' is not one of {', '.join(kinds)}"]
    number = tables.as_kind(pd.Series([value], dtype="object"), "number").iloc[0]
    if pd.isna(number) or abs(number) == float("inf"):
        return [f"value '{value}' is not a number: write it in digits, such as 1250.5"]
    least = {"absolute": 0, "percent": -100}.get(kind, number)
    return [f"value {number:g}: {kind} cannot be below {least}, as demand cannot be negative"] if number < least else []


def _wrong_months(values: Mapping, first_open: pd.Timestamp, horizon: pd.DatetimeIndex) -> list[str]:
    asked = ["cycle", "from_month", "to_month"] + ["expires"] * (not pd.isna(values.get("expires") or None))
    unread = [f"{c} '{values.get(c)}' is not a month: write YYYY-MM" for c in asked if pd.isna(_month(values, c))]
    if unread:
        return unread
    cycle, first, last, expires = (_month(values, c) for c in ("cycle", "from_month", "to_month", "expires"))
    name = months.month_name
    rules = {
        f"months {name(first)} to {name(last)}: the last is before the first": last < first,
        f"month {name(first)} is past or closed: {name(first_open)} is the first that can be changed": first
        < first_open,
        f"month {name(last)} is beyond the plan, which ends in {name(horizon[-1])}": last > horizon[-1],
        f"expires {values.get('expires')}: that is before its cycle {name(cycle)}": expires < cycle,
    }
    return [sentence for sentence, broken in rules.items() if broken]
