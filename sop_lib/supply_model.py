"""The production-planning model: what to make, where, when and with whom, at least cost, never infeasible.

A problem is an xarray Dataset of labelled numbers (`VARIABLES` lists them); a
strategy and the rules of the house are `Switches`. Quantities are in the
family's unit, hours in hours, money in the company's currency.
Source: Chopra and Meindl, *Supply Chain Management*, "Aggregate planning in a supply chain";
the balance per family and month also holds backlog, lost sales, resources, materials and storage.
"""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import linopy
import numpy as np
import pandas as pd
import xarray as xr
from linopy import LinearExpression, Model

__all__ = ["SOURCES", "VARIABLES", "Strategy", "Switches", "build", "chase_stock", "filled", "solve"]

linopy.options["semantics"] = "v1"  # labels that do not match raise; nothing is dropped silently

Strategy = Literal["level", "chase", "mixed"]
SOURCES = ("regular", "overtime", "subcontract")
FREE = np.inf


@dataclass(frozen=True)
class Switches:
    """The rules a plan keeps.

    level: constant output per working day until the segment (fiscal year) ends;
    chase: no stock above what the target asks; mixed: neither.
    """

    strategy: Strategy = "mixed"
    idle_allowed: bool = True
    hire_layoff: bool = True
    level_workforce: bool = False
    whole_workers: bool = False


def filled(problem: xr.Dataset) -> xr.Dataset:
    """Return the problem with every number the model knows, its default where the problem is silent.

    Raises ValueError that names what the model does not know.
    """
    unknown = sorted(str(name) for name in problem.data_vars if name not in VARIABLES)
    if unknown:
        raise ValueError(f"the supply model does not know {', '.join(unknown)}; it knows {', '.join(VARIABLES)}")
    absent = [d for d in ("resource", "material", "store") if d not in problem.dims]
    given = problem.assign_coords({d: pd.Index([], dtype="object", name=d) for d in absent})
    if "source" not in given.dims:
        given = given.assign_coords(source=list(SOURCES))
    cells = {}
    for name, (dims, default, _) in VARIABLES.items():
        blank = xr.DataArray(np.full([given.sizes[d] for d in dims], default), {d: given[d] for d in dims}, dims)
        cells[name] = given[name].broadcast_like(blank).transpose(*dims) if name in given else blank
    return given.assign(cells)


def chase_stock(p: xr.Dataset) -> xr.DataArray:
    """Return the most stock a chase plan holds, per family and month: the target, or what opening and firm leave."""
    left, path, change = p["opening_stock"], [], p["firm"].fillna(0.0).sum("plant") - p["demand"]
    for t in range(p.sizes["month"]):
        left = (left + change.isel(month=t, drop=True)).clip(min=p["target"].isel(month=t, drop=True))
        path.append(left)
    return xr.concat(path, dim=p["month"]).transpose("family", "month")


def build(problem: xr.Dataset, switches: Switches = Switches()) -> tuple[Model, dict[str, LinearExpression]]:
    """Return the model and the kinds of cost whose sum it makes least.

    Feasible for any data: demand may be lost, and a firm plan broken, storage overrun or
    an idle hour stand, where forbidden, at a price above all money, so that it shows as an alarm.
    """
    p, m = filled(problem), Model()
    _stock_and_supply(m, p, switches)
    rows = _balance(m, p) + _people(m, p, switches) + _resources(m, p) + _materials(m, p) + _storage(m, p) + _firm(m, p)
    if switches.strategy == "level":
        rows += _level(m, p)
    if m.ncons != rows:
        raise AssertionError(f"the model has {m.ncons} rows and should have {rows}")
    costs = _costs(m, p, switches)
    total, *others = costs.values()
    m.add_objective(sum(others, start=total))
    return m, costs


def _before(variable: linopy.Variable) -> LinearExpression:
    """Return the month before; 0 before the first month, which otherwise would lose its row."""
    return variable.shift(month=1).fillna(0)


def _at_start(p: xr.Dataset, opening: xr.DataArray) -> xr.DataArray:
    return opening * xr.DataArray((np.arange(p.sizes["month"]) == 0) * 1.0, {"month": p["month"]})


def _stock_and_supply(m: Model, p: xr.Dataset, switches: Switches) -> None:
    cells = xr.full_like(p["demand"], FREE)
    m.add_variables(0, p["limit"], name="make")
    m.add_variables(0, np.minimum(cells, chase_stock(p)) if switches.strategy == "chase" else cells, name="stock")
    m.add_variables(0, _open_orders(p), name="backlog")
    m.add_variables(0, cells, name="lost")
    m.add_variables(0, cells, name="below")


def _open_orders(p: xr.Dataset) -> xr.DataArray:
    """Return the most backlog per family and month: the demand of the months that may still wait."""
    demand = np.concatenate([p["opening_backlog"].values[:, None], p["demand"].values], axis=1)
    so_far = np.cumsum(demand, axis=1)
    age = np.minimum(p["backlog_months"].values, demand.shape[1]).astype(int)[:, None]
    before = np.arange(1, demand.shape[1])[None, :] - age
    old = np.where(before >= 0, np.take_along_axis(so_far, np.maximum(before, 0), axis=1), 0.0)
    return p["demand"].copy(data=np.maximum(so_far[:, 1:] - old, 0.0))


def _balance(m: Model, p: xr.Dataset) -> int:
    v, opening = m.variables, _at_start(p, p["opening_stock"] - p["opening_backlog"])
    supply = v["make"].sum(["plant", "source"]) + v["lost"] + _before(v["stock"]) - _before(v["backlog"])
    m.add_constraints(supply - v["stock"] + v["backlog"] == p["demand"] - opening, name="balance")
    waiting = p["demand"] + _at_start(p, p["opening_backlog"])
    m.add_constraints(v["lost"] - _before(v["backlog"]) <= waiting, name="lost")
    m.add_constraints(v["stock"] + v["below"] >= p["target"], name="target")
    return 3 * p["demand"].size


def _hours(m: Model, p: xr.Dataset, source: str) -> LinearExpression:
    return (p["labour_hours"] * m.variables["make"].sel(source=source, drop=True)).sum("family")


def _people(m: Model, p: xr.Dataset, switches: Switches) -> int:
    if "regular" not in p["source"]:
        return 0
    opening, free = p["workers_opening"], switches.hire_layoff and not switches.level_workforce
    most = p["workers_max"] if free else np.maximum(p["workers_max"], opening)
    least = p["workers_min"] if free else np.minimum(p["workers_min"], opening)
    workers = m.add_variables(least, most, name="workers", integer=switches.whole_workers and switches.hire_layoff)
    later = np.arange(p.sizes["month"]) > 0
    fixed = xr.DataArray(later & switches.level_workforce | (not switches.hire_layoff), {"month": p["month"]})
    change = xr.full_like(p["wage"], FREE).where(~fixed, 0.0)
    hired, laid_off = (m.add_variables(0, change, name=n) for n in ("hired", "laid_off"))
    idle = m.add_variables(0, xr.full_like(p["wage"], FREE), name="idle")
    turnover = workers - _before(workers) - hired + laid_off
    m.add_constraints(turnover == _at_start(p, opening), name="workforce")
    worked = _hours(m, p, "regular") + idle - p["hours_per_worker"] * workers
    m.add_constraints(worked == 0, name="regular_hours")
    if "overtime" not in p["source"]:
        return 2 * p["wage"].size
    m.add_constraints(_hours(m, p, "overtime") - p["overtime_per_worker"] * workers <= 0, name="overtime_hours")
    return 3 * p["wage"].size


def _in_house(m: Model, p: xr.Dataset) -> linopy.Variable:
    return m.variables["make"].sel(source=[s for s in ("regular", "overtime") if s in p["source"]])


def _resources(m: Model, p: xr.Dataset) -> int:
    if not p.sizes["resource"]:
        return 0
    at = p["plant_of"].astype(str)
    for name, sources, most in (
        ("capacity", ["regular"], p["capacity"]),
        ("capacity_overtime", ["regular", "overtime"], p["capacity"] + p["capacity_overtime"]),
    ):
        made = m.variables["make"].sel(source=sources).sum("source").sel(plant=at)
        m.add_constraints((p["usage"] * made).sum("family") <= most, name=name)
    return 2 * p["capacity"].size


def _materials(m: Model, p: xr.Dataset) -> int:
    if not p.sizes["material"]:
        return 0
    arrivals = m.add_variables(0, p["material_limit"], name="arrivals")
    left = m.add_variables(0, xr.full_like(p["material_limit"], FREE), name="material_stock")
    used = (p["material_usage"] * _in_house(m, p).sum(["plant", "source"])).sum("family")
    come = p["material_due"] + _at_start(p, p["material_stock"])
    m.add_constraints(used + left - _before(left) - arrivals == come, name="material")
    return come.size


def _storage(m: Model, p: xr.Dataset) -> int:
    if not p.sizes["store"]:
        return 0
    over = m.add_variables(0, xr.full_like(p["storage"], FREE), name="storage_over")
    m.add_constraints((p["volume"] * m.variables["stock"]).sum("family") - over <= p["storage"], name="storage")
    return p["storage"].size


def _firm(m: Model, p: xr.Dataset) -> int:
    firm = p["firm"].notnull()
    if not firm.any():
        return 0
    under = m.add_variables(0, p["firm"].fillna(0.0), name="firm_under")
    over = m.add_variables(0, xr.full_like(p["firm"], FREE), name="firm_over")
    made = _in_house(m, p).sum("source")
    m.add_constraints(made + under - over == p["firm"].fillna(0.0), name="firm", mask=firm)
    return int(firm.sum())


def _level(m: Model, p: xr.Dataset) -> int:
    segments = pd.Index(np.unique(p["segment"]), name="segment")
    rate = m.add_variables(0, coords=[p.indexes["family"], p.indexes["plant"], segments], name="rate")
    each = rate.sel(segment=p["segment"])
    free = p["firm"].isnull()
    m.add_constraints(m.variables["make"].sum("source") - p["days"] * each == 0, name="level", mask=free)
    return int(free.sum())


def _costs(m: Model, p: xr.Dataset, switches: Switches) -> dict[str, LinearExpression]:
    v, conflict = m.variables, _conflict_price(p)
    inside = p["source"].isin(["regular", "overtime"])
    last = xr.DataArray((np.arange(p.sizes["month"]) == p.sizes["month"] - 1) * 1.0, {"month": p["month"]})
    costs = {
        "production": (p["unit_cost"].where(inside, 0.0) * v["make"]).sum(),
        "subcontract": (p["unit_cost"].where(~inside, 0.0) * v["make"]).sum(),
        "holding": (p["holding_cost"] * v["stock"]).sum(),
        "backlog": (p["backlog_cost"] * v["backlog"]).sum(),
        "lost sales": (p["lost_cost"] * v["lost"]).sum() + (p["lost_cost"] * last * v["backlog"]).sum(),
        "below target": (p["below_cost"] * v["below"]).sum(),
    }
    if "workers" in v:
        costs["wages"] = (p["wage"] * v["workers"]).sum()
        costs["hiring"] = (p["hiring_cost"] * v["hired"]).sum()
        costs["layoffs"] = (p["layoff_cost"] * v["laid_off"]).sum()
        costs["idle forbidden"] = v["idle"].sum() * (0.0 if switches.idle_allowed else conflict)
    if "overtime" in p["source"]:
        costs["overtime"] = (p["overtime_rate"] * _hours(m, p, "overtime")).sum()
    if "arrivals" in v:
        costs["materials"] = (p["material_cost"] * v["arrivals"]).sum() + (
            p["material_holding"] * v["material_stock"]
        ).sum()
    if "storage_over" in v:
        costs["storage overrun"] = v["storage_over"].sum() * (10 * conflict)
    if "firm_under" in v:
        costs["firm plan broken"] = (v["firm_under"] + v["firm_over"]).sum() * conflict
    return costs


def _conflict_price(p: xr.Dataset) -> float:
    """Return a price above all money that one unit can move, so that nobody buys a broken rule."""
    most = sum(float(p[n].max()) for n in ("lost_cost", "unit_cost", "wage", "hiring_cost", "layoff_cost"))
    return 10 * (1 + most + p.sizes["month"] * float(p["holding_cost"].max()))


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """HiGHS writes two lines before it can be told not to."""
    kept = os.dup(1)
    with open(os.devnull, "w") as nothing:
        os.dup2(nothing.fileno(), 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


def solve(problem: xr.Dataset, switches: Switches = Switches()) -> xr.Dataset:
    """Return the best plan: every quantity of the model, `cost` by kind, and `price_...` per limit.

    A price is what the total would fall by if the limit were one unit higher; a
    rate, exact for small changes. Whole workers have no prices.
    """
    m, costs = build(problem, switches)
    with _quiet():
        method = "choose" if switches.whole_workers else "simplex"
        status, condition = m.solve(
            "highs", io_api="direct", set_names=False, progress=False,
            output_flag=False, threads=1, solver=method, mip_rel_gap=0.0,
        )  # fmt: skip
    if status != "ok" or condition != "optimal":
        raise RuntimeError(f"the supply model ended {status}, {condition}; it should solve for any data")
    found = {name: v.solution.round(6) + 0.0 for name, v in m.variables.items()}
    if not switches.whole_workers:
        found |= {f"price_{name}": (-c.dual).round(6) + 0.0 for name, c in m.constraints.items()}
    kinds = pd.Index(list(costs), name="kind")
    cost = xr.DataArray([float(c.solution.sum()) for c in costs.values()], {"kind": kinds})
    return xr.Dataset(found | {"cost": cost})


#: name: (dimensions, default, meaning)
VARIABLES: dict[str, tuple[tuple[str, ...], float | str, str]] = {
    "demand": (("family", "month"), 0.0, "units wanted"),
    "opening_stock": (("family",), 0.0, "units on hand before the first month"),
    "opening_backlog": (("family",), 0.0, "units owed before the first month"),
    "target": (("family", "month"), 0.0, "stock wanted at month end"),
    "limit": (("family", "plant", "source", "month"), FREE, "most units of a source; 0 where there is no route"),
    "unit_cost": (("family", "plant", "source", "month"), 0.0, "money per unit, without labour and planned materials"),
    "labour_hours": (("family", "plant"), 0.0, "hours per unit"),
    "hours_per_worker": (("plant", "month"), 0.0, "regular hours of a worker"),
    "overtime_per_worker": (("plant", "month"), 0.0, "most overtime hours of a worker"),
    "workers_opening": (("plant",), 0.0, "workers before the first month"),
    "workers_min": (("plant", "month"), 0.0, "least workers"),
    "workers_max": (("plant", "month"), FREE, "most workers"),
    "wage": (("plant", "month"), 0.0, "money per worker, busy or idle"),
    "overtime_rate": (("plant",), 0.0, "money per overtime hour"),
    "hiring_cost": (("plant",), 0.0, "money per worker"),
    "layoff_cost": (("plant",), 0.0, "money per worker"),
    "plant_of": (("resource",), "", "the plant a resource stands in"),
    "usage": (("resource", "family", "month"), 0.0, "resource units per unit made"),
    "capacity": (("resource", "month"), FREE, "regular capacity"),
    "capacity_overtime": (("resource", "month"), 0.0, "beyond capacity, for overtime output"),
    "material_usage": (("material", "family", "month"), 0.0, "material units per unit made"),
    "material_stock": (("material",), 0.0, "on hand before the first month"),
    "material_due": (("material", "month"), 0.0, "already on order, by month of arrival"),
    "material_limit": (("material", "month"), FREE, "most that may arrive from new orders"),
    "material_cost": (("material", "month"), 0.0, "money per material unit that arrives"),
    "material_holding": (("material",), 0.0, "money per material unit and month"),
    "volume": (("store", "family"), 1.0, "storage units per unit of stock"),
    "storage": (("store", "month"), FREE, "storage units"),
    "firm": (("family", "plant", "month"), np.nan, "in-house output that is fixed; blank where free"),
    "days": (("plant", "month"), 1.0, "working days"),
    "segment": (("month",), 0.0, "level rates hold within a segment"),
    "holding_cost": (("family", "month"), 0.0, "money per unit and month, on closing stock"),
    "backlog_cost": (("family",), 0.0, "money per unit and month"),
    "lost_cost": (("family", "month"), 0.0, "money per unit never delivered, and per unit owed at the end"),
    "below_cost": (("family", "month"), 0.0, "price per unit below the target; no money"),
    "backlog_months": (("family",), 0.0, "months an order may wait; 0 = none"),
    # what results are told with; the model does not use them
    "safety": (("family", "month"), 0.0, "safety stock, part of the target"),
    "standard_cost": (("family",), 0.0, "money per unit in stock"),
    "resource_unit": (("resource",), "", "unit of a resource"),
    "lead_time": (("material",), 0.0, "months from order to arrival"),
    "material_price": (("material",), 0.0, "money per material unit bought; make cost already holds it"),
    "share": (("family", "plant"), 0.0, "where a family is usually made"),
}
