"""Why units are late or lost: each family and month's shortage shared among the limits that stand in its way.

A limit is a cause where it costs most on the cheapest way to make the unit in time (`rents`), looked at over each
stretch of short months of a family, since what is owed in one is made at the cost of the next. Such limits are
lifted, the kept plan is solved again, and the limits that stand in the way next are added, until nothing is short
or nothing stands in the way; so is a rule, or a frozen plan of months in which such a limit costs most, that alone
frees `CROWDS` of a family's shortage, as where it makes another family take the line. The shares are Shapley values of
the plans with each part of these limits lifted: of a unit that two limits keep back together, or that either alone
would free, each has half. Nobody is served worse than in the plan as it is, and a unit that some of the limits free
stays free where more are lifted: so no share is below zero, and they add up to the shortage. What no lifted limit frees
is not worth its cost where it is lost, and waits because that costs less where it is owed; without a route up to its
month, nothing says how it can be made.

Whole numbers (minimum runs, lots, prices of runs, whole workers) are dropped first: what that frees is theirs, and only
the rest is shared, so that no plan with limits lifted has any. More than `MOST` limits that hang together are shared by
cause (`sharing`). Where service comes first the prices that find the limits are those of the plan that serves at a
hundred times the price of a lost sale, and no price is told. A longer wait is no cause, as an order that waits is late.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np
import pandas as pd
import xarray as xr

from sop_lib import lifting, rents, sharing, supply_model, supply_numbers, supply_tables
from sop_lib.lifting import NO_ROUTE, NOT_WORTH, WAITS, Limit
from sop_lib.supply_model import Kept
from sop_lib.tables import ALL

__all__ = ["WORDS", "causes", "shortage", "words"]

MOST, LARGE = 6, 20_000  # limits shared exactly: 64 plans; quantities from which two fewer are
ROUNDS = 12
DUST = 1e-6  # units, and part of a month's demand, that a solver leaves
AT_ANY_COST = 100.0
CROWDS = 0.05  # of a family's shortage
RULES = {"level strategy", "rate change"}  # that may make another family take a line

Lifted = Callable[[Iterable[Limit]], np.ndarray]


def causes(kept: Kept, margin: pd.Series, scenario: str = "base") -> pd.DataFrame:
    """Return the table `gap_causes`: per month, family and limit its part of the units late or lost.

    `margin` is money per unit and family. The parts of a family and month add up to its shortage, as the plan's
    inventory rows give it, to a millionth. Empty where nothing is short. The row order of the problem changes nothing.
    """
    short = shortage(kept)
    if not bool((short > 0).any()):
        return supply_tables.empty("gap_causes")
    base = _divisible(kept)
    rest = short if base is kept else short.copy(data=np.minimum(shortage(base), short))
    lift, lost = _lifter(base, rest)
    found, rows = _players(base, rest, lift)
    parts = _parts(base, found, rows, (rest.values, lift, lost)) | _whole(kept, (short - rest).values)
    told = _table(short, parts, rows, kept.switches.objective == "least cost")
    told = told.assign(margin=_margin(told, kept, short, margin), scenario=scenario)
    return told[list(supply_tables.empty("gap_causes"))]


def shortage(kept: Kept) -> xr.DataArray:
    """Return the units late or lost per family and month, as `gap.late` has them."""
    late = supply_tables.late_units(kept.problem, kept.plan)
    return late.where(late > DUST * kept.problem["demand"], 0.0)


def _divisible(kept: Kept) -> Kept:
    """Return the plan without whole numbers, in which nobody is served worse; the kept one where it has none."""
    if not kept.answer.whole:
        return kept
    p = _nobody_worse(kept)
    free = p.assign({name: xr.zeros_like(p[name]) for name in ("min_run", "lot", "setup_cost")})
    return supply_model.keep(free, replace(kept.switches, whole_workers=False))


def _whole(kept: Kept, freed: np.ndarray) -> dict[Limit, np.ndarray]:
    """Return what is short because runs, lots or workers come in whole numbers."""
    rule = "runs and lots" if supply_numbers.has_runs(kept.problem) else "whole workers"
    return {("policy", rule): np.where(freed > DUST, freed, 0.0)} if kept.answer.whole else {}


def _most(kept: Kept) -> int:
    return MOST if kept.model.nvars < LARGE else MOST - 2


# Plans with limits lifted


def _nobody_worse(kept: Kept) -> xr.Dataset:
    """Return the problem in which no family is owed or lost more in a month than in the plan as it is."""
    most = {f"{name}_most": kept.plan[name].clip(min=0) + DUST for name in ("lost", "backlog")}
    return kept.problem.assign({n: cells.transpose("family", "month") for n, cells in most.items()})


def _lifter(kept: Kept, short: xr.DataArray) -> tuple[Lifted, Lifted]:
    """Return the functions that give what is short, and what is lost of it, with limits lifted; solved once each."""
    p, starts = _nobody_worse(kept), {kept.switches.strategy: kept}
    solved = {frozenset[Limit](): (short.values, kept.plan["lost"].transpose("family", "month").values)}

    def plan(chosen: Iterable[Limit]) -> tuple[np.ndarray, np.ndarray]:
        key = frozenset(chosen)
        if key not in solved:
            changed, rules = lifting.lifted(p, kept.switches, key)
            if rules.strategy not in starts:  # other rows: built once
                starts[rules.strategy] = supply_model.keep(
                    kept.problem, replace(kept.switches, strategy=rules.strategy)
                )
            found = supply_model.again(starts[rules.strategy], changed, rules)
            left = supply_tables.late_units(kept.problem, found).values
            left = np.where(left > DUST * np.maximum(p["demand"].values, 1.0), left, 0.0)
            solved[key] = np.minimum(left, short.values), found["lost"].transpose("family", "month").values
        return solved[key]

    return lambda chosen: plan(chosen)[0], lambda chosen: np.minimum(*plan(chosen))


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
    every = pd.concat([rows for rows in told if len(rows)] or [rents.rents(kept, short > np.inf)])
    key = ["family", "month", "cause", "subject"]
    every = every.drop_duplicates(key, ignore_index=True)
    found += _overlooked(kept, found, lift)
    return found + _crowding(kept, found, every, lift), every


def _crowding(kept: Kept, found: list[Limit], rows: pd.DataFrame, lift: Lifted) -> list[Limit]:
    """Return the rules, and frozen plans of the months in which a limit costs, that free a good part of a shortage."""
    whole = lift([]).sum(axis=1)
    known = [pair in set(found) for pair in zip(rows["cause"], rows["subject"], strict=True)]
    scarce = kept.problem["month"].isin(rows["binds"][known].to_numpy())
    firm = (kept.problem["firm"].notnull() & scarce).any(["family", "month"])
    frozen = firm["plant"].values[firm.values]
    tried = {("frozen plan", str(plant)) for plant in frozen} | {("policy", rule) for rule in RULES}
    pool = [x for x in lifting.limits(kept.problem, kept.switches) if x in tried and x not in found]
    return [x for x in pool if bool((whole - lift([x]).sum(axis=1) > np.maximum(CROWDS * whole, DUST)).any())]


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


def _parts(kept: Kept, found: list[Limit], rows: pd.DataFrame, plans: tuple) -> dict[Limit, np.ndarray]:
    """Return units per limit, family and month, and what no limit keeps back."""
    short, lift, lost = plans
    found = sorted(found)
    out = sharing.shares(found, _ways(kept, found, rows, lift), short, lift, _most(kept))
    freed = sum(out.values(), start=np.zeros_like(short))
    left = np.where(short - freed > DUST, short - freed, np.where(freed > 0, 0.0, short))
    exact = np.divide(short - left, freed, out=np.zeros_like(short), where=freed > 0)
    return {limit: part * exact for limit, part in out.items()} | _unfreed(kept, left, lift(found), lost(found))


def _unfreed(kept: Kept, left: np.ndarray, late: np.ndarray, lost: np.ndarray) -> dict[Limit, np.ndarray]:
    """Return what stays short with every limit lifted: no route, not worth its cost, or cheaper to wait."""
    closed = (kept.problem["limit"] <= 0).all(["plant", "source"]).transpose("family", "month").values
    none = np.logical_and.accumulate(closed, axis=1)
    never = left * np.divide(lost, late, out=np.ones_like(late), where=late > 0)
    return {
        NO_ROUTE: np.where(none, left, 0.0), (NOT_WORTH, ALL): np.where(none, 0.0, never),
        (WAITS, ALL): np.where(none, 0.0, left - never),
    }  # fmt: skip


def _ways(kept: Kept, found: list[Limit], rows: pd.DataFrame, lift: Lifted) -> np.ndarray:
    """Return, per limit and family, the limit's largest price; 1 where it has none but lifting it serves the family."""
    names = kept.problem["family"].values.tolist()
    prices = rows.groupby(["cause", "subject", "family"])["price"].max()
    ways = np.array([[float(prices.get((*limit, name), 0.0)) for name in names] for limit in found])
    ways = ways.reshape(len(found), len(names))
    served: np.ndarray = np.any(lift([]) - lift(found) > DUST, axis=1)
    unpriced: np.ndarray = ~np.any(ways > 0, axis=1)
    for n in np.flatnonzero(unpriced | bool((served & ~(ways > 0).any(axis=0)).any())):
        rest = [limit for limit in found if limit != found[n]]
        alone = (lift([]) - lift([found[n]]) > DUST).any(axis=1)
        helps = alone | ((lift(rest) - lift(found) > DUST).any(axis=1) if unpriced[n] else False)
        ways[n] = np.where((ways[n] <= 0) & helps & (unpriced[n] | ~(ways > 0).any(axis=0)), 1.0, ways[n])
    ways[:, served & ~(ways > 0).any(axis=0)] = 1.0
    return ways


# The table

#: cause: what keeps units back, by the name of the limit
WORDS = {
    "capacity": "capacity of {}", "people": "people at {}", "subcontracting": "what subcontractors of {} give",
    "material": "supply of {}", "lead time": "the lead time of {}", "frozen plan": "the frozen plan of {}",
    "storage": "storage, {}", "policy": "the rule '{}'", NOT_WORTH: "it costs more to serve than it earns",
    WAITS: "waiting costs less than serving it in time",
}  # fmt: skip


def words(cause: str, subject: str) -> str:
    """Return what keeps units back.

    >>> words("capacity", "press")
    'capacity of press'
    """
    return "nothing says how it can be made" if (cause, subject) == NO_ROUTE else WORDS[cause].format(subject)


def _table(short: xr.DataArray, parts: dict[Limit, np.ndarray], rows: pd.DataFrame, priced: bool) -> pd.DataFrame:
    cells = [
        short.copy(data=part).rename("quantity").to_series().reset_index().assign(cause=cause, subject=subject)
        for (cause, subject), part in parts.items()
    ]
    told = pd.concat(cells, ignore_index=True).query("quantity > 1e-9")
    told = _with_rents(told, rows)
    whole = told.groupby(["family", "month"])["quantity"].transform("sum")
    told = told.assign(
        share=(told["quantity"] / whole).clip(upper=1.0), price=told["price"] if priced else np.nan,
    )  # fmt: skip
    told["finding"] = [_finding(row, total) for row, total in zip(told.itertuples(), whole, strict=True)]
    order = told.assign(most=-told["quantity"].round(6)).sort_values(["month", "family", "most", "cause", "subject"])
    return order.drop(columns="most").reset_index(drop=True)


def _margin(told: pd.DataFrame, kept: Kept, short: xr.DataArray, margin: pd.Series) -> pd.Series:
    """Return the margin of the units newly late in a month: those beyond what was owed at the end of the month before.

    So a unit that waits for months is valued once.
    """
    before = kept.plan["backlog"].transpose("family", "month").shift(month=1).fillna(0.0)
    new = (short - before).clip(min=0).rename("new").to_series().reset_index()
    units = told[["family", "month"]].merge(new, on=["family", "month"], how="left", validate="many_to_one")["new"]
    return told["share"] * units.to_numpy() * told["family"].map(margin)


def _with_rents(told: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """Add price and binding months; where a limit stands on no cheapest way, its months nearby in the same family."""
    limit = ["family", "cause", "subject"]
    both = told.merge(rows, on=[*limit, "month"], how="outer", validate="one_to_one").sort_values([*limit, "month"])
    spans = both.groupby(limit, sort=False)[["begins", "binds"]]
    both[["begins", "binds"]] = spans.ffill().fillna(spans.bfill())
    return both[both["quantity"].notna()]


def _finding(row, whole: float) -> str:
    when = f", tightest in {row.binds:%B %Y}" if pd.notna(row.binds) else ""
    part = f"{row.quantity:,.0f} of {whole:,.0f}" if row.share < 1 - DUST else f"All {whole:,.0f}"
    said = f"{part} units of {row.family} late or lost in {row.month:%B %Y}"
    return f"{said}: {words(row.cause, row.subject)}{when}."
