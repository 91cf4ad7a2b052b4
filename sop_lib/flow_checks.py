"""What shipments and locations say about each other: findings that do not stop the run.

A check reads the tables of a cycle and returns rows of `data_issues`, as in `checks`. Dates that cannot be read, and
products that nobody knows, are refused where they are read. A delivery on the day it was shipped is right.
"""

from collections.abc import Callable
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise

import pandas as pd

from sop_lib.checks import issue
from sop_lib.mapping import listed
from sop_lib.tables import ALL

__all__ = ["CHECKS", "before_ordered", "before_shipped", "loop"]

Tables = dict[str, pd.DataFrame]


def before_shipped(shipments: pd.DataFrame) -> pd.Series:
    """Return which deliveries came before they were shipped.

    >>> days = pd.to_datetime(["2026-11-05", "2026-11-04"])
    >>> before_shipped(pd.DataFrame({"shipped_on": days, "delivered_on": days[::-1]})).tolist()
    [True, False]
    """
    return shipments["delivered_on"] < shipments["shipped_on"]


def before_ordered(shipments: pd.DataFrame) -> pd.Series:
    """Return which deliveries were shipped before they were ordered."""
    return shipments["shipped_on"] < shipments["ordered_on"]


def loop(lanes: pd.DataFrame) -> list[str]:
    """Return the places of a loop in the order goods go round, the first again at the end; none without a loop.

    `lanes` has from and to. Two ways to one place are no loop.

    >>> loop(pd.DataFrame({"from": ["A", "B", "C"], "to": ["B", "C", "A"]}))
    ['A', 'B', 'C', 'A']
    """
    known = lanes[["from", "to"]].dropna().drop_duplicates().sort_values(["to", "from"])
    suppliers = known.groupby("to")["from"].agg(list).to_dict()
    try:
        TopologicalSorter(suppliers).prepare()
    except CycleError as error:
        around = list(map(str, error.args[1][:-1]))
        first = around.index(min(around))
        return [*around[first:], *around[: first + 1]]
    return []


def _row(rows: pd.DataFrame) -> str:
    """Return the name of the first row: order, line, delivery and leg."""
    r = rows.iloc[0]
    leg = "" if r["leg"] == ALL else f", leg {r['leg']}"
    return f"order {r['order']} line {r['line']} delivery {r['delivery']}{leg}"


def _wrong_order(shipments: pd.DataFrame, hit: pd.Series, first: str, then: str) -> tuple[pd.DataFrame, str]:
    """Return the rows that are hit, and words about the worst: its key, both dates and the days between."""
    days = (shipments[then] - shipments[first]).dt.days[hit]
    rows = shipments.loc[days.sort_values(kind="stable").index]
    if rows.empty:
        return rows, ""
    r, worst = rows.iloc[0], int(-days.min())
    dates = f"{first} {r[first]:%Y-%m-%d}, {then} {r[then]:%Y-%m-%d}"
    return rows, f"the worst is {_row(rows)}: {dates}, {worst} day{'s' if worst > 1 else ''} too early"


def delivered_before_shipped(tables: Tables, horizon: pd.DatetimeIndex) -> list[dict]:
    """Find deliveries that came before they were shipped: no day on the way is counted from them."""
    text = "came before they were shipped; {}. Left out of days on the way, kept else."
    return _backwards("delivered_before_shipped", tables, before_shipped, "shipped_on", "delivered_on", text)


def shipped_before_ordered(tables: Tables, horizon: pd.DatetimeIndex) -> list[dict]:
    """Find deliveries that were shipped before they were ordered."""
    text = "were shipped before they were ordered; {}. They count as they stand."
    return _backwards("shipped_before_ordered", tables, before_ordered, "ordered_on", "shipped_on", text)


def _backwards(rule: str, tables: Tables, hit: Callable, first: str, then: str, text: str) -> list[dict]:
    """Return the issue about deliveries whose dates run backwards, with how many and the worst; none without any."""
    given = tables["shipments"]
    rows, worst = _wrong_order(given, hit(given), first, then)
    said = f"{len(rows):,} of {len(given):,} deliveries {text.format(worst)}"
    found = {"rows": len(rows), "quantity": rows["shipped"].sum()}
    subject, remedy = listed(_lane(rows).unique()), f"correct {first} or {then}"
    return [issue(rule, "shipments", subject, said, remedy, **found)] if len(rows) else []


def _lane(rows: pd.DataFrame) -> pd.Series:
    return rows["from"].fillna(ALL) + " → " + rows["to"].fillna(ALL)


def network_loop(tables: Tables, horizon: pd.DatetimeIndex) -> list[dict]:
    """Find places that supply each other in a loop: neither stock nor distribution can be placed along it."""
    given = tables["shipments"]
    around = loop(given)
    on_it = _lane(given).isin([f"{a} → {b}" for a, b in pairwise(around)])
    name = " → ".join(around)
    text = f"from and to of shipments go in a loop: {name}. No distribution plan and no place of safety stock along it."
    remedy = "take transfers and returns out of shipments, or correct from and to"
    found = {"rows": int(on_it.sum()), "quantity": given.loc[on_it, "shipped"].sum()}
    return [issue("network_loop", "shipments", name, text, remedy, **found)] if around else []


def location_without_region(tables: Tables, horizon: pd.DatetimeIndex) -> list[dict]:
    """Find locations without a region where demand has regions."""
    rows, regions = tables["locations"], set(tables["sales"]["region"]) - {ALL}
    bare = sorted(rows.loc[rows["region"].isna() | rows["region"].eq(ALL), "location"])
    text = f"No region given for {listed(bare)}, while demand has {len(regions)}: nobody can say whom it serves."
    remedy = "give the region of every location"
    hit = bare and len(regions) > 1
    return [issue("location_without_region", "locations", listed(bare), text, remedy, rows=len(bare))] if hit else []


def location_unknown(tables: Tables, horizon: pd.DatetimeIndex) -> list[dict]:
    """Find places that ship and are not in locations, and receivers that are no location, region or customer."""
    given, known, sales = tables["shipments"], set(tables["locations"]["location"]), tables["sales"]
    served = known | set(sales["region"]) | (set(sales["customer"]) if "customer" in sales else set())
    found, remedy = [], "add it to locations, or correct its name in shipments"
    for column, names in (("from", known), ("to", served)):
        rows = given[given[column].notna() & ~given[column].isin(names)] if known else given[:0]
        for name, each in rows.groupby(column):
            text = f"{column} {name} in shipments is not in locations, first {_row(each)}: its type is not known."
            row = issue("location_unknown", "shipments", f"{column} · {name}", text, remedy, rows=len(each))
            found.append(row | {"quantity": each["shipped"].sum()})
    return found


def transit_beyond_history(tables: Tables, horizon: pd.DatetimeIndex) -> list[dict]:
    """Find lanes whose usual days on the way are more than the days of shipping that were recorded."""
    given = tables["shipments"].dropna(subset=["shipped_on", "delivered_on"])
    days = (given["delivered_on"] - given["shipped_on"]).dt.days
    usual = days.groupby(_lane(given)).median()
    seen = (given["shipped_on"].max() - given["shipped_on"].min()).days if len(given) else 0
    found, remedy = [], "load older shipments, or correct shipped_on and delivered_on"
    for name, lead in usual[usual > seen].items():
        text = f"{name} takes {lead:.0f} days (delivered_on - shipped_on), shipments cover {seen}: not one whole way."
        number = int(_lane(given).eq(name).sum())
        found.append(issue("transit_beyond_history", "shipments", str(name), text, remedy, rows=number))
    return found


CHECKS: dict[str, Callable[[Tables, pd.DatetimeIndex], list[dict]]] = {
    "delivered_before_shipped": delivered_before_shipped,
    "shipped_before_ordered": shipped_before_ordered,
    "network_loop": network_loop,
    "location_without_region": location_without_region,
    "location_unknown": location_unknown,
    "transit_beyond_history": transit_beyond_history,
}
