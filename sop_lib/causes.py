"""Why units are late or lost: each family and month's shortage shared among the limits that stand in its way.

A limit is a cause where it costs most on the cheapest way to make the unit in time (`rents`), looked at over each
stretch of short months of a family, since what is owed in one is made at the cost of the next. Such limits are
lifted, the kept plan is solved again, and the limits that stand in the way next are added, until nothing is short
or nothing stands in the way. What could serve the unit on a dearer way is no cause but an option. The shares are
Shapley values of the plans with each part of these limits lifted: of a unit that two limits keep back together, or
that either alone would free, each has half. Nobody is served worse than in the plan as it is, and a unit that some
of the limits free stays free where more are lifted: so no share is below zero, and they add up to the shortage.
What no lifted limit frees is not worth its cost.

More than `MOST` limits are shared by cause, then among the limits of a cause by what each alone frees. Where service
comes first the prices that find the limits are those of the plan that serves at a hundred times the price of a lost
sale, and no price is told. A longer wait is no cause, as an order that waits is late.
Source: Shapley (1953), "A value for n-person games".
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import combinations
from math import comb

import numpy as np
import pandas as pd
import xarray as xr

from sop_lib import lifting, rents, supply_model, supply_tables
from sop_lib.lifting import NOT_WORTH, Limit
from sop_lib.supply_model import Kept
from sop_lib.tables import ALL

__all__ = ["WORDS", "causes", "shapley", "shortage"]

MOST, LARGE = 6, 20_000  # limits shared exactly: 64 plans; quantities from which two fewer are
ROUNDS = 12
DUST = 1e-6  # units, and part of a month's demand, that a solver leaves
AT_ANY_COST = 100.0

Lifted = Callable[[Iterable[Limit]], np.ndarray]


def causes(kept: Kept, margin: pd.Series, scenario: str = "base") -> pd.DataFrame:
    """Return the table `gap_causes`: per month, family and limit its part of the units late or lost.

    `margin` is money per unit and family. The parts of a family and month add up to its shortage, as the plan's
    inventory rows give it, to a millionth. Empty where nothing is short. The row order of the problem changes nothing.
    """
    short = shortage(kept)
    if not bool((short > 0).any()):
        return supply_tables.empty("gap_causes")
    lift = _lifter(kept, short)
    found, rows = _players(kept, short, lift)
    parts = _shares(found, short.values, lift, _most(kept))
    return _table(short, parts, rows, margin, kept.switches.objective == "least cost").assign(scenario=scenario)[
        list(supply_tables.empty("gap_causes"))
    ]


def shortage(kept: Kept) -> xr.DataArray:
    """Return the units late or lost per family and month, as `gap.late` has them."""
    late = supply_tables.late_units(kept.problem, kept.plan)
    return late.where(late > DUST * kept.problem["demand"], 0.0)


def _most(kept: Kept) -> int:
    return MOST if kept.model.nvars < LARGE else MOST - 2


# Plans with limits lifted


def _nobody_worse(kept: Kept) -> xr.Dataset:
    """Return the problem in which no family is owed or lost more in a month than in the plan as it is."""
    most = {f"{name}_most": kept.plan[name].clip(min=0) + DUST for name in ("lost", "backlog")}
    return kept.problem.assign({n: cells.transpose("family", "month") for n, cells in most.items()})


def _lifter(kept: Kept, short: xr.DataArray) -> Lifted:
    """Return the function that gives the shortage with some limits lifted, each plan solved once."""
    p, solved, starts = _nobody_worse(kept), {frozenset[Limit](): short.values}, {kept.switches.strategy: kept}

    def late(chosen: Iterable[Limit]) -> np.ndarray:
        key = frozenset(chosen)
        if key not in solved:
            changed, rules = lifting.lifted(p, kept.switches, key)
            if rules.strategy not in starts:  # other rows: built once
                starts[rules.strategy] = supply_model.keep(
                    kept.problem, replace(kept.switches, strategy=rules.strategy)
                )
            plan = supply_model.again(starts[rules.strategy], changed, rules)
            left = supply_tables.late_units(kept.problem, plan).values
            left = np.where(left > DUST * np.maximum(p["demand"].values, 1.0), left, 0.0)
            solved[key] = np.minimum(left, short.values)
        return solved[key]

    return late


def _priced(kept: Kept, chosen: Iterable[Limit]) -> Kept:
    """Return the plan with limits lifted whose prices are money: where service comes first, one that pays for it."""
    chosen, p, s = list(chosen), _nobody_worse(kept), kept.switches
    if s.objective == "service first":
        dear = {name: kept.problem[name] * AT_ANY_COST for name in ("lost_cost", "backlog_cost")}
        return supply_model.change(
            kept, *lifting.lifted(kept.problem.assign(dear), replace(s, objective="least cost"), chosen)
        )
    return supply_model.change(kept, *lifting.lifted(p, s, chosen)) if chosen else kept


# The limits that matter


def _players(kept: Kept, short: xr.DataArray, lift: Lifted) -> tuple[list[Limit], pd.DataFrame]:
    """Return the limits that stand in the way, those that appear when others are lifted too, and their rents."""
    found: list[Limit] = []
    told: list[pd.DataFrame] = []
    for _ in range(ROUNDS):
        left = short.copy(data=lift(found)) > 0
        if not bool(left.any()):
            break
        told.append(rents.rents(_priced(kept, found), left))
        new = rents.leading(told[-1], found)
        if not new:
            break
        found += new
    every = pd.concat([rows for rows in told if len(rows)] or told[:1])
    key = ["family", "month", "cause", "subject"]
    return found + _overlooked(kept, found, lift), every.drop_duplicates(key, ignore_index=True)


def _overlooked(kept: Kept, found: list[Limit], lift: Lifted) -> list[Limit]:
    """Return the limits without a price that still keep units back: fewest that free all that any limit keeps."""
    pool = [limit for limit in lifting.limits(kept.problem, kept.switches) if limit not in found]
    freed = lift([*found, *pool]).sum() if lift(found).any() else np.inf
    if lift(found).sum() <= freed + DUST:
        return []
    causes_left = sorted({cause for cause, _ in pool}, key=[c for c, _ in pool].index)
    for out in [*([x for x in pool if x[0] == c] for c in causes_left), *([x] for x in pool)]:
        rest = [limit for limit in pool if limit not in out]
        if len(rest) < len(pool) and lift([*found, *rest]).sum() <= freed + DUST:
            pool = rest
    return pool


# Shares that add up


def shapley(worth: Callable[[tuple[int, ...]], np.ndarray], players: int) -> np.ndarray:
    """Return each player's part of what all of them free, per cell: its average over all orders of lifting.

    `worth` gives the shortage per cell when some players, in rising order, are lifted. A cell is as short as under
    the best part of these players; where a part leaves nothing short, more of them are not asked.

    >>> left = {(): 10.0, (0,): 10.0, (1,): 4.0, (0, 1): 0.0}
    >>> shapley(lambda lifted: np.array([left[lifted]]), 2).ravel().tolist()
    [2.0, 8.0]
    """
    value: dict[tuple[int, ...], np.ndarray] = {(): worth(())}
    parts = np.zeros((players, *value[()].shape))
    for size in range(1, players + 1):
        for lifted in combinations(range(players), size):
            before = [value[tuple(x for x in lifted if x != n)] for n in lifted]
            least = np.minimum.reduce(before)
            value[lifted] = np.minimum(least, worth(lifted)) if least.any() else least
            for n, was in zip(lifted, before, strict=True):
                parts[n] += (was - value[lifted]) / (players * comb(players - 1, size - 1))
    return parts


def _shares(found: list[Limit], short: np.ndarray, lift: Lifted, most: int) -> dict[Limit, np.ndarray]:
    """Return units per limit, family and month, and what is not worth its cost."""
    groups = _groups(sorted(found), short, lift, most)
    each = shapley(lambda chosen: lift(limit for n in chosen for limit in groups[n]), len(groups))
    out: dict[Limit, np.ndarray] = {}
    for group, part in zip(groups, each, strict=True):
        out |= _split(group, part, short, lift)
    freed = sum(out.values(), start=np.zeros_like(short))
    left = np.where(short - freed > DUST, short - freed, np.where(freed > 0, 0.0, short))
    exact = np.divide(short - left, freed, out=np.zeros_like(short), where=freed > 0)
    return {limit: part * exact for limit, part in out.items()} | {(NOT_WORTH, ALL): left}


def _groups(found: list[Limit], short: np.ndarray, lift: Lifted, most: int) -> list[list[Limit]]:
    """Return the limits one by one if they are few, else by cause, the causes that free least together."""
    if len(found) <= most:
        return [[limit] for limit in found]
    by_cause = [[x for x in found if x[0] == cause] for cause in sorted({cause for cause, _ in found})]
    freed = [float((short - lift(group)).sum()) for group in by_cause]
    ranked = [by_cause[n] for n in np.argsort([-round(f, 6) for f in freed], kind="stable")]
    last = [limit for group in ranked[most - 1 :] for limit in group]
    return [*ranked[: most - 1], *([last] if last else [])]


def _split(group: list[Limit], part: np.ndarray, short: np.ndarray, lift: Lifted) -> dict[Limit, np.ndarray]:
    """Return a group's part by limit, by what each of them alone frees; evenly where none does."""
    if len(group) == 1:
        return {group[0]: part}
    alone = np.array([short - lift([limit]) for limit in group])
    whole = alone.sum(axis=0)
    shares = np.where(whole > DUST, alone / np.where(whole > DUST, whole, 1.0), 1 / len(group))
    return {limit: share * part for limit, share in zip(group, shares, strict=True)}


# The table

#: cause: what keeps units back, by the name of the limit
WORDS = {
    "capacity": "capacity of {}", "people": "people at {}", "subcontracting": "what subcontractors of {} give",
    "material": "supply of {}", "lead time": "the lead time of {}", "frozen plan": "the frozen plan of {}",
    "storage": "storage, {}", "policy": "the rule '{}'", NOT_WORTH: "it costs more to serve than it earns",
}  # fmt: skip


def _table(
    short: xr.DataArray, parts: dict[Limit, np.ndarray], rows: pd.DataFrame, margin: pd.Series, priced: bool
) -> pd.DataFrame:
    cells = [
        short.copy(data=part).rename("quantity").to_series().reset_index().assign(cause=cause, subject=subject)
        for (cause, subject), part in parts.items()
    ]
    told = pd.concat(cells, ignore_index=True).query("quantity > 1e-9")
    told = _with_rents(told, rows)
    whole = told.groupby(["family", "month"])["quantity"].transform("sum")
    told = told.assign(
        share=(told["quantity"] / whole).clip(upper=1.0), margin=told["quantity"] * told["family"].map(margin),
        price=told["price"] if priced else np.nan,
    )  # fmt: skip
    told["finding"] = [_finding(row, total) for row, total in zip(told.itertuples(), whole, strict=True)]
    order = told.assign(most=-told["quantity"].round(6)).sort_values(["month", "family", "most", "cause", "subject"])
    return order.drop(columns="most").reset_index(drop=True)


def _with_rents(told: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """Add price and binding months; where a limit stands on no cheapest way, its months nearby in the same family."""
    limit = ["family", "cause", "subject"]
    both = told.merge(rows, on=[*limit, "month"], how="outer", validate="one_to_one").sort_values([*limit, "month"])
    spans = both.groupby(limit, sort=False)[["begins", "binds"]]
    both[["begins", "binds"]] = spans.ffill().fillna(spans.bfill())
    return both[both["quantity"].notna()]


def _finding(row, whole: float) -> str:
    words = WORDS[row.cause].format(row.subject)
    when = f", tightest in {row.binds:%B %Y}" if pd.notna(row.binds) else ""
    each = f", which adds {row.price:,.2f} to the cost of one more" if pd.notna(row.price) else ""
    part = f"{row.quantity:,.0f} of {whole:,.0f}" if row.share < 1 - DUST else f"All {whole:,.0f}"
    said = f"{part} units of {row.family} late or lost in {row.month:%B %Y}"
    return f"{said}: {words}{when}{each}."
