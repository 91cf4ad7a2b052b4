"""Levels of the plan: sums upward, shares downward, and the names of series."""

import numpy as np
import pandas as pd

from sop_lib.tables import ALL

__all__ = [
    "LEVELS",
    "MEMBERS",
    "aggregate",
    "labelled",
    "level_keys",
    "level_name",
    "levels_above",
    "levels_shown",
    "recent_mix",
    "split",
    "whole_units",
]

MEMBERS = ["family", "product", "region"]
SEPARATOR = " · "
LEVELS = ("total", "family", "product", "product-region")
BY_REGION = ("region", "family-region")  # shown, but nothing is forecast there


def level_name(hierarchy: tuple[str, ...]) -> str:
    """Return the name of the level that the members of a series span.

    >>> level_name(("product", "region")), level_name(())
    ('product-region', 'total')
    """
    return "-".join(hierarchy) or "total"


def level_keys(level: str) -> list[str]:
    """Return the columns that tell the series of a level apart; a product brings its family.

    >>> level_keys("product-region"), level_keys("total")
    (['family', 'product', 'region'], [])
    """
    named = level.split("-")
    return [m for m in MEMBERS if m in named or (m == "family" and "product" in named)]


def levels_above(level: str) -> list[str]:
    """Return the levels that are sums of a level's series, from the total down to the level itself.

    >>> levels_above("family-region"), levels_above("product-region")
    (['total', 'family', 'family-region'], ['total', 'family', 'product', 'product-region'])
    """
    own = set(level_keys(level))
    return [*[name for name in LEVELS if set(level_keys(name)) < own], level] if own else ["total"]


def levels_shown(level: str, members: pd.DataFrame) -> list[str]:
    """Return the levels above a level, those of regions too where `members` has more than one, and the level itself.

    >>> levels_shown("product", pd.DataFrame({"region": ["North", "South"]}))
    ['total', 'family', 'product']
    >>> levels_shown("product-region", pd.DataFrame({"region": ["North", "South"]}))
    ['total', 'family', 'product', 'region', 'family-region', 'product-region']
    """
    own = set(level_keys(level))
    asked = [name for name in BY_REGION if set(level_keys(name)) < own and members["region"].nunique() > 1]
    return [*levels_above(level)[:-1], *asked, level]


def labelled(df: pd.DataFrame, level: str) -> pd.DataFrame:
    """Return the rows with `level`, `series` (members joined by ' · ') and `ALL` in the members above the level.

    >>> labelled(pd.DataFrame({"family": ["F"], "region": ["North"]}), "family-region")["series"].tolist()
    ['F · North']
    """
    keys = level_keys(level)
    members = pd.DataFrame({m: df[m] if m in keys else ALL for m in MEMBERS}, index=df.index)
    label = members[keys[0]] if keys else pd.Series(ALL, index=df.index)
    for key in keys[1:]:
        label = label + SEPARATOR + members[key]
    rest = df.drop(columns=[c for c in ("level", "series", *MEMBERS) if c in df])
    return pd.concat([pd.DataFrame({"level": level, "series": label}), members, rest], axis=1)


def aggregate(df: pd.DataFrame, level: str, by: list[str], values: list[str]) -> pd.DataFrame:
    """Return the sums of `values` per series of the level and per `by`, labelled.

    >>> rows = pd.DataFrame({"family": ["F", "F", "G"], "month": 1, "quantity": [1.0, 2.0, 4.0]})
    >>> aggregate(rows, "total", ["month"], ["quantity"])["quantity"].tolist()
    [7.0]
    """
    keys = [*level_keys(level), *by]
    return labelled(df.groupby(keys, as_index=False, observed=True)[values].sum(), level)


def recent_mix(history: pd.DataFrame, level: str, months: int = 12) -> pd.DataFrame:
    """Return each product × region's share of its series at `level` over the last months; shares of a series sum to 1.

    A series that sold nothing in those months is shared equally.

    >>> rows = pd.DataFrame({"month": pd.Timestamp("2026-10-01"), "family": "F", "product": ["A", "B"],
    ...     "region": "ALL", "cleansed": [3.0, 1.0]})
    >>> recent_mix(rows, "family")["share"].tolist()
    [0.75, 0.25]
    """
    first = history["month"].max() - pd.DateOffset(months=months - 1)
    recent = history.assign(quantity=history["cleansed"].where(history["month"] >= first, 0.0).clip(lower=0))
    leaf = recent.groupby(MEMBERS, as_index=False)[["quantity"]].sum()
    keys = level_keys(level)
    groups = [leaf[k] for k in keys] or [pd.Series(0, index=leaf.index)]
    total = leaf["quantity"].groupby(groups).transform("sum")
    equal = 1.0 / leaf["quantity"].groupby(groups).transform("size")
    leaf["share"] = (leaf["quantity"] / total.where(total > 0)).fillna(equal)
    return leaf[[*MEMBERS, "share"]]


def split(totals: pd.DataFrame, mix: pd.DataFrame, level: str, values: list[str]) -> pd.DataFrame:
    """Return the totals of a level shared out to product × region by the mix; each total is kept."""
    keys = level_keys(level)
    rest = [c for c in totals if c not in (*MEMBERS, "level", "series")]
    if keys:
        leaf = totals[[*keys, *rest]].merge(mix, on=keys, how="inner", validate="many_to_many")
    else:
        leaf = totals[rest].merge(mix, how="cross")
    leaf[values] = leaf[values].mul(leaf["share"], axis=0)
    return labelled(leaf.drop(columns="share"), "product-region")


def whole_units(quantity: pd.Series, groups: list[pd.Series]) -> pd.Series:
    """Return whole quantities whose sum per group is the group's rounded sum (largest remainder; ties: first row).

    >>> whole_units(pd.Series([1.4, 1.4, 1.2]), [pd.Series(["A", "A", "A"])]).tolist()
    [2.0, 1.0, 1.0]
    """
    down = np.floor(quantity)
    due = quantity.groupby(groups).transform("sum").round() - down.groupby(groups).transform("sum")
    rank = (down - quantity).groupby(groups).rank(method="first")
    return down + (rank <= due)
