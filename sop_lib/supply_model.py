"""The production-planning model: what to make, where, when and with whom, at least cost, never infeasible.

A problem is an xarray Dataset of labelled numbers (`VARIABLES` lists them); a strategy and the rules of the house
are `Switches`. A solved model is kept and solved again with other numbers: `keep`, `again`.
Source: Chopra and Meindl, *Supply Chain Management*, "Aggregate planning in a supply chain";
the balance per family and month also holds backlog, lost sales, resources, materials and storage.

How it is solved (measured with 100 families, 5 plants, 36 months, one thread): the first time by the simplex method,
SIMPLEX s where capacity is ample; interior point with crossover where it is scarce, INTERIOR s against SCARCE s.
Again, with other numbers, always by the dual simplex from the basis of the first plan. No time limits: the same
problem gives the same plan.
"""

from dataclasses import dataclass

import highspy
import linopy
import numpy as np
import pandas as pd
import xarray as xr
from linopy import Model

from sop_lib import supply_rows, supply_solver
from sop_lib.supply_data import FREE, SOURCES, VARIABLES, Strategy, Switches, chase_stock, filled
from sop_lib.supply_numbers import Numbers, numbers, stages
from sop_lib.supply_solver import Answer, Limits

__all__ = [
    "FREE", "SOURCES", "VARIABLES", "Kept", "Strategy", "Switches", "again", "build", "chase_stock", "filled", "keep",
    "solve",
]  # fmt: skip

linopy.options["semantics"] = "v1"  # labels that do not match raise; nothing is dropped silently

#: what the rows are made of; with other numbers of these a model is built anew
MADE_OF = (
    "labour_hours", "usage", "plant_of", "material_usage", "volume", "days", "segment", "rate_opening",
    "rate_change_max", "rate_change_share", "workers_change_max", "workers_change_share", "min_run", "lot",
    "outage_loss",
)  # fmt: skip
SCARCE, LARGE = 1.0, 20_000  # load over capacity, and quantities, from which interior point is the faster way


@dataclass(frozen=True)
class Kept:
    """A solved model: its problem and rules, the open solver, where each quantity and row stands in it, its plan."""

    problem: xr.Dataset
    switches: Switches
    model: Model
    highs: highspy.Highs
    rows: dict[str, np.ndarray]
    limits: Limits
    answer: Answer
    plan: xr.Dataset


def build(problem: xr.Dataset, switches: Switches = Switches()) -> tuple[Model, Numbers]:
    """Return the model and its numbers: bounds, right-hand sides, and prices by kind of cost, whose sum it makes least.

    Feasible for any data: demand may be lost, and a firm plan broken, storage overrun or
    an idle hour stand, where forbidden, at a price above all money, so that it shows as an alarm.
    """
    p = filled(problem)
    found = numbers(p, switches)
    return supply_rows.build(p, switches, found), found


def solve(problem: xr.Dataset, switches: Switches = Switches()) -> xr.Dataset:
    """Return the best plan: every quantity of the model, `cost` by kind, and `price_...` per limit.

    A price is what the total would fall by if the limit were one unit higher; a rate, exact for small changes. With
    whole numbers it is the price given these numbers, and `attrs["gap"]` how far the plan may be from the best; with
    service first it is money with service as it is.
    """
    return keep(problem, switches).plan


def keep(problem: xr.Dataset, switches: Switches = Switches()) -> Kept:
    """Return the solved model, to be solved again."""
    p = filled(problem)
    m, n = build(p, switches)
    with supply_solver.quiet():
        h = m.to_highspy(set_names=False)
        supply_solver.settings_of(h, output_flag=False, threads=1)
        rows = _rows(m)
        limits, costs = _limits(m, n, rows, _as_built(h)), _costs(p, m, n, switches)
        answer = supply_solver.solve(h, limits, costs, _method(p, m))
    return Kept(p, switches, m, h, rows, limits, answer, _told(p, switches, m, n, rows, answer))


def again(kept: Kept, problem: xr.Dataset, switches: Switches | None = None) -> xr.Dataset:
    """Return the best plan of a changed problem, from the basis of the kept plan; the kept model stays as it is.

    The plan depends on the kept and the changed problem alone, not on what was solved between them.
    """
    p, s = filled(problem), switches or kept.switches
    n = numbers(p, s)
    if not _fits(kept, p, s, n):
        return solve(p, s)
    with supply_solver.quiet():
        limits, costs = _limits(kept.model, n, kept.rows, kept.limits), _costs(p, kept.model, n, s)
        _slopes(kept, n)
        answer = supply_solver.solve(kept.highs, limits, costs, "simplex", kept.answer.basis)
    return _told(p, s, kept.model, n, kept.rows, answer)


def _fits(kept: Kept, p: xr.Dataset, s: Switches, n: Numbers) -> bool:
    """Return whether a changed problem has the same rows."""
    before = numbers(kept.problem, kept.switches)
    same = n.bounds.keys() == before.bounds.keys() and n.sides.keys() == before.sides.keys()
    level = ("level",)
    return (
        same and (s.strategy in level) == (kept.switches.strategy in level)
        and s.whole_workers == kept.switches.whole_workers and "runs" not in kept.model.variables
        and all(p[d].equals(kept.problem[d]) for d in p.dims)
        and all(p[name].equals(kept.problem[name]) for name in MADE_OF)
        and p["firm"].isnull().equals(kept.problem["firm"].isnull())
    )  # fmt: skip


def _method(p: xr.Dataset, m: Model) -> str:
    """Return interior point for a large problem short of capacity, else simplex."""
    if not p.sizes["resource"] or m.nvars < LARGE:
        return "simplex"
    open_at = (p["limit"].sel(source=[s for s in SOURCES[:1] if s in p["source"]]) > 0).any(["source", "month"])
    share = (open_at / open_at.sum("plant").clip(min=1)).sel(plant=p["plant_of"].astype(str))
    load = (p["usage"] * share * p["demand"]).sum("family").sum("month")
    return "ipm" if bool((load > SCARCE * p["capacity"].sum("month")).any()) else "simplex"


def _rows(m: Model) -> dict[str, np.ndarray]:
    """Return where each row of the model stands in the solver; rows left out stand at -1."""
    labels = m.matrices.clabels
    out = {}
    for name, rows in m.constraints.items():
        flat = rows.labels.values.ravel()
        out[name] = np.where(flat >= 0, np.searchsorted(labels, flat), -1)
    return out


def _flat(number: xr.DataArray, like: xr.DataArray) -> np.ndarray:
    """Return a number per cell of `like`, in its order."""
    return number.broadcast_like(like).transpose(*like.dims).values.ravel().astype(float)


def _as_built(h: highspy.Highs) -> Limits:
    lp = h.getLp()
    return Limits(*(np.array(x) for x in (lp.col_lower_, lp.col_upper_, lp.row_lower_, lp.row_upper_)))


def _limits(m: Model, n: Numbers, rows: dict[str, np.ndarray], base: Limits) -> Limits:
    """Return the limits of the base with these numbers in their place."""
    low, high, row_low, row_high = (x.copy() for x in (base.low, base.high, base.row_low, base.row_high))
    for name, bounds in n.bounds.items():
        like = m.variables[name].labels
        low[like.values.ravel()], high[like.values.ravel()] = (_flat(b, like) for b in bounds)
    for name, side in n.sides.items():
        constraint, at = m.constraints[name], rows[name]
        value, sign = _flat(side, constraint.labels)[at >= 0], constraint.sign.values.ravel()[0]
        if sign in ("=", ">="):
            row_low[at[at >= 0]] = value
        if sign in ("=", "<="):
            row_high[at[at >= 0]] = value
    return Limits(low, high, row_low, row_high)


def _costs(p: xr.Dataset, m: Model, n: Numbers, s: Switches) -> list[np.ndarray]:
    out = []
    for prices in stages(p, n, s):
        cost = np.zeros(m.nvars)
        for name, price in prices.items():
            like = m.variables[name].labels
            cost[like.values.ravel()] = _flat(price, like)
        out.append(cost)
    return out


def _slopes(kept: Kept, n: Numbers) -> None:
    """Bring the hours of a worker up to date."""
    workers = kept.model.variables["workers"].labels if n.slopes else None
    for name, slope in n.slopes.items():
        for row, column, value in zip(
            kept.rows[name], workers.values.ravel(), _flat(slope, workers), strict=True
        ):  # fmt: skip
            kept.highs.changeCoeff(int(row), int(column), float(value))


def _told(p, s: Switches, m: Model, n: Numbers, rows: dict[str, np.ndarray], answer: Answer) -> xr.Dataset:
    """Return an answer as labelled quantities, prices and costs by kind."""
    quantities = {}
    for name, variable in m.variables.items():
        like = variable.labels
        quantities[name] = like.copy(data=answer.columns[like.values].round(6) + 0.0)
    quantities["stock"] = quantities["in_target"] + quantities["above"]
    quantities["below"] = (p["target"] - quantities["stock"]).clip(min=0)
    prices = {}
    for name, at in rows.items():
        like = m.constraints[name].labels
        cells = np.where(at >= 0, -answer.prices[at], np.nan).round(6) + 0.0
        prices[f"price_{name}"] = like.copy(data=cells.reshape(like.shape))
    kinds = pd.Index(list(n.prices), name="kind")
    cost = [
        round(sum(float((price * quantities[v]).sum()) for v, price in by.items()) + n.constant.get(kind, 0.0), 6)
        for kind, by in n.prices.items()
    ]
    found = xr.Dataset(quantities | prices | {"cost": xr.DataArray(cost, {"kind": kinds})})
    return found.drop_vars([c for c in found.coords if c not in found.dims]).assign_attrs(gap=answer.gap)
