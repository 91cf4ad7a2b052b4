"""The production-planning model: what to make, where, when and with whom, at least cost, never infeasible.

A problem is an xarray Dataset of labelled numbers (`VARIABLES` lists them); a strategy and the rules of the house
are `Switches`. A solved model is kept and solved again with other numbers: `keep`, `again`.
Source: Chopra and Meindl, *Supply Chain Management*, "Aggregate planning in a supply chain";
the balance per family and month also holds backlog, lost sales, resources, materials and storage.

How it is solved (measured with 100 families, 5 plants, 36 months, one thread): the first time by the simplex method,
1.1 s where capacity is ample (interior point 2.1 s); interior point with crossover where it is scarce, 2.1 s (6.4 s).
Again, with other numbers, by the dual simplex from the basis of the first plan; only a large scarce problem in which
more than 5 % of the row limits changed goes to interior point once more. No time limits: the same problem gives the
same plan.
"""

from dataclasses import dataclass, replace

import highspy
import linopy
import numpy as np
import pandas as pd
import xarray as xr
from linopy import Model

from sop_lib import supply_rows, supply_solver
from sop_lib import supply_vectors as vectors
from sop_lib.supply_data import FREE, RULES, SOURCES, VARIABLES, Strategy, Switches, chase_stock, filled
from sop_lib.supply_numbers import Numbers, has_runs, numbers
from sop_lib.supply_solver import Answer, Limits

__all__ = [
    "FREE", "SOURCES", "VARIABLES", "Kept", "Strategy", "Switches", "again", "build", "change", "chase_stock",
    "filled", "keep",
    "ranges", "solve",
]  # fmt: skip

linopy.options["semantics"] = "v1"  # labels that do not match raise; nothing is dropped silently

#: what the rows are made of; with other numbers of these a model is built anew
MADE_OF = (
    "labour_hours", "usage", "plant_of", "material_usage", "volume", "days", "segment", "rate_opening",
    "rate_change_max", "rate_change_share", "workers_change_max", "workers_change_share", "min_run", "lot",
    "outage_loss",
)  # fmt: skip
SCARCE, LARGE = 1.0, 20_000  # load over capacity, and quantities, from which interior point is the faster way
WIDE = 0.05  # share of rows with another limit, from which a large scarce problem is solved faster without its basis
PRICED = 1e-6
#: limits people ask the price of: the rows that move together when it moves
LIMIT_ROWS = {
    "capacity": ("capacity", "capacity_overtime"), "regular_hours": ("regular_hours",),
    "overtime_hours": ("overtime_hours",), "material": ("material",), "storage": ("storage",),
}  # fmt: skip


@dataclass(frozen=True)
class Kept:
    """A solved model: its problem and rules, the open solver, where each quantity and row stands in it, its plan."""

    problem: xr.Dataset
    switches: Switches
    numbers: Numbers
    model: Model
    highs: highspy.Highs
    rows: dict[str, np.ndarray]
    columns: np.ndarray
    limits: Limits
    answer: Answer
    plan: xr.Dataset


def build(problem: xr.Dataset, switches: Switches = RULES) -> tuple[Model, Numbers]:
    """Return the model and its numbers: bounds, right-hand sides, and prices by kind of cost, whose sum it makes least.

    Feasible for any data: demand may be lost, and a firm plan broken, storage overrun or an idle hour stand, where
    forbidden, so that it shows as an alarm; `solve` breaks a rule only where the data leave no other way.
    """
    p = filled(problem)
    found = numbers(p, switches)
    return supply_rows.build(p, switches, found), found


def solve(problem: xr.Dataset, switches: Switches = RULES) -> xr.Dataset:
    """Return the best plan: every quantity of the model, `cost` and `broken` by kind, and `price_...` per limit.

    `broken` weighs the units by which each rule is broken; it is no money, and no money buys it. A price is what the
    total cost would fall by if the limit were one unit higher; a rate, exact for small changes. With whole numbers it
    is the price given these numbers, and `attrs["gap"]` how far the plan may be from the best; `attrs["whole"]` says
    whether there are any. Where service comes first, or a rule is broken, one unit more serves more even at a loss: the
    price is below zero there.
    """
    return keep(problem, switches).plan


def keep(problem: xr.Dataset, switches: Switches = RULES) -> Kept:
    """Return the solved model, to be solved again."""
    p = filled(problem)
    m, n = build(p, switches)
    with supply_solver.quiet():
        h = m.to_highspy(set_names=False)
        supply_solver.settings_of(h, output_flag=False, threads=1)
        rows = vectors.rows_of(m)
        limits = vectors.limits_of(m, n, rows, vectors.as_built(h))
        columns = vectors.open_columns(m, limits)
        shut = np.setdiff1d(np.arange(m.nvars), columns).astype(np.int32)
        h.deleteCols(len(shut), shut)
        answer = _answer(h, m, p, n, switches, columns, limits, _method(p, m))
    return Kept(p, switches, n, m, h, rows, columns, limits, answer, _told(p, m, n, rows, answer))


def _answer(h, m: Model, p, n: Numbers, s: Switches, columns, limits: Limits, method: str, basis=None) -> Answer:
    """Return the answer of the solver with a value for every column, those it was not given at 0."""
    aims = vectors.aims_of(p, m, n, s, columns)
    found = supply_solver.solve(h, vectors.only(limits, columns), aims, method, basis)
    every = np.zeros(m.nvars)
    every[columns] = found.columns
    return replace(found, columns=every)


def again(kept: Kept, problem: xr.Dataset, switches: Switches | None = None) -> xr.Dataset:
    """Return the best plan of a changed problem, from the basis of the kept plan; see `change`."""
    return change(kept, problem, switches).plan


def change(kept: Kept, problem: xr.Dataset, switches: Switches | None = None) -> Kept:
    """Return the kept model with a changed problem, solved from the basis of the kept plan, which stays as it is.

    The plan depends on the kept and the changed problem alone, not on what was solved between them.
    A problem that needs other rows is built anew.
    """
    p, s = filled(problem), switches or kept.switches
    n = numbers(p, s)
    if not _fits(kept, p, s, n):
        return keep(p, s)
    limits = vectors.limits_of(kept.model, n, kept.rows, kept.limits)
    if len(np.setdiff1d(vectors.open_columns(kept.model, limits), kept.columns)):
        return keep(p, s)
    wide = vectors.changed(kept.limits, limits) > WIDE * len(limits.row_low)
    basis = None if wide and _method(p, kept.model) == "ipm" else kept.answer.basis
    with supply_solver.quiet():
        vectors.set_slopes(kept.highs, kept.model, n, kept.rows, kept.columns)
        answer = _answer(kept.highs, kept.model, p, n, s, kept.columns, limits, "ipm", basis)
    plan = _told(p, kept.model, n, kept.rows, answer)
    return replace(kept, problem=p, switches=s, numbers=n, limits=limits, answer=answer, plan=plan)


def ranges(kept: Kept) -> xr.Dataset:
    """Return, per limit that has a price, between which values of the limit that price holds: `low_...`, `high_...`.

    Infinite: it holds for good; equal to the limit itself: it holds to the other side only. None with whole numbers.
    """
    if kept.answer.whole:
        return xr.Dataset()
    with supply_solver.quiet():
        vectors.set_slopes(kept.highs, kept.model, kept.numbers, kept.rows, kept.columns)
        cost = vectors.aims_of(kept.problem, kept.model, kept.numbers, kept.switches, kept.columns).costs[-1]
        found: dict[str, xr.DataArray] = {}
        for name, rows in LIMIT_ROWS.items():
            if name in kept.rows:
                found |= _range_of(kept, name, rows, cost)
    return xr.Dataset(found)


def _limit_of(kept: Kept, name: str) -> xr.DataArray:
    """Return the limit itself, in its unit: hours of the people there, else what the problem gives."""
    hours = {"regular_hours": "hours_per_worker", "overtime_hours": "overtime_per_worker"}
    if name in hours:
        return kept.problem[hours[name]] * kept.plan["workers"]
    return kept.numbers.sides[name]


def _range_of(kept: Kept, name: str, rows: tuple[str, ...], cost: np.ndarray) -> dict[str, xr.DataArray]:
    first, *others = (kept.plan[f"price_{row}"] for row in rows)
    price = sum(others, start=first)
    at = np.flatnonzero(price.values.ravel() > PRICED)
    groups = [np.array([kept.rows[row][n] for row in rows]) for n in at]
    room = supply_solver.price_range(kept.highs, cost, kept.answer, groups)
    limit, out = _limit_of(kept, name).transpose(*price.dims), {}
    for side, move in zip(("low", "high"), room.T, strict=True):
        cells = np.full(price.size, np.nan)
        cells[at] = (limit.values.ravel()[at] + move).clip(min=0).round(6)
        out[f"{side}_{name}"] = price.copy(data=cells.reshape(price.shape))
    return out


def _fits(kept: Kept, p: xr.Dataset, s: Switches, n: Numbers) -> bool:
    """Return whether a changed problem has the same rows."""
    before = kept.numbers
    same = n.bounds.keys() == before.bounds.keys() and n.sides.keys() == before.sides.keys()
    return (
        same and (s.strategy == "level") == (kept.switches.strategy == "level")
        and _whole_people(s) == _whole_people(kept.switches) and not has_runs(kept.problem) and not has_runs(p)
        and all(p[d].equals(kept.problem[d]) for d in p.dims)
        and all(p[name].equals(kept.problem[name]) for name in MADE_OF)
        and p["firm"].isnull().equals(kept.problem["firm"].isnull())
    )  # fmt: skip


def _whole_people(s: Switches) -> bool:
    return s.whole_workers and s.hire_layoff


def _method(p: xr.Dataset, m: Model) -> str:
    """Return interior point for a large problem short of capacity, else simplex."""
    if not p.sizes["resource"] or m.nvars < LARGE:
        return "simplex"
    open_at = (p["limit"].sel(source=[s for s in SOURCES[:1] if s in p["source"]]) > 0).any(["source", "month"])
    share = (open_at / open_at.sum("plant").clip(min=1)).sel(plant=p["plant_of"].astype(str))
    load = (p["usage"] * share * p["demand"]).sum("family").sum("month")
    return "ipm" if bool((load > SCARCE * p["capacity"].sum("month")).any()) else "simplex"


def _told(p: xr.Dataset, m: Model, n: Numbers, rows: dict[str, np.ndarray], answer: Answer) -> xr.Dataset:
    """Return an answer as labelled quantities, prices and costs by kind."""
    quantities = {}
    for name, variable in m.variables.items():
        like = variable.labels
        quantities[name] = like.copy(data=answer.columns[like.values].round(8) + 0.0)
    quantities["stock"] = quantities["in_target"] + quantities["above"]
    quantities["below"] = (p["target"] - quantities["stock"]).clip(min=0)
    prices = {}
    for name, at in rows.items():
        like = m.constraints[name].labels
        cells = np.where(at >= 0, -answer.prices[at], np.nan).round(6) + 0.0
        prices[f"price_{name}"] = like.copy(data=cells.reshape(like.shape))
    if "workers" in quantities:
        quantities["workers_over"] = (quantities["workers"] - p["workers_max"]).clip(min=0)
    paid = {kind: vectors.paid(m, each, answer.columns) + n.constant.get(kind, 0.0) for kind, each in n.prices.items()}
    broken = {rule: vectors.paid(m, each, answer.columns) for rule, each in n.broken.items()}
    sums = {"cost": _sums(paid, "kind"), "broken": _sums(broken, "rule")}
    return xr.Dataset(quantities | prices | sums).assign_attrs(gap=answer.gap, whole=answer.whole)


def _sums(of: dict[str, float], name: str) -> xr.DataArray:
    """Return sums by name, rounded to a millionth."""
    return xr.DataArray([round(v, 6) + 0.0 for v in of.values()], {name: pd.Index(list(of), name=name, dtype=object)})
