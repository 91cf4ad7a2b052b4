"""What the supply model knows: every number of a problem with its default, and the rules a plan keeps.

A problem is an xarray Dataset of labelled numbers (`VARIABLES` lists them); what it does not state is not limited
and costs nothing. Quantities are in the family's unit, hours in hours, money in the company's currency.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
import xarray as xr

__all__ = [
    "FREE",
    "IN_HOUSE",
    "RULES",
    "SOURCES",
    "VARIABLES",
    "Strategy",
    "Switches",
    "at_start",
    "chase_stock",
    "filled",
]

Strategy = Literal["level", "chase", "mixed", "minimum"]
SOURCES = ("regular", "overtime", "subcontract")
IN_HOUSE = SOURCES[:2]
FREE = np.inf


@dataclass(frozen=True)
class Switches:
    """The rules a plan keeps.

    strategy: level, constant output per working day until the segment (fiscal year) ends; chase, no stock above what
    the target asks; minimum, the people of the slackest month all year and subcontractors for the rest; mixed, none.
    level_workforce: the workers of the first month stay; hire_layoff: False, the opening workers stay.
    objective: service first serves before it saves, in this order: unmet demand and what is owed at the end,
    waiting, stock below target, money.
    waived: rules, each with its plant, that may be broken at no price: firm plan, rate change, workforce change.
    """

    strategy: Strategy = "mixed"
    idle_allowed: bool = True
    hire_layoff: bool = True
    level_workforce: bool = False
    whole_workers: bool = False
    holding_on: Literal["closing", "average"] = "closing"
    objective: Literal["least cost", "service first"] = "least cost"
    waived: frozenset[tuple[str, str]] = frozenset()


#: the rules where none are stated
RULES = Switches()


def filled(problem: xr.Dataset) -> xr.Dataset:
    """Return the problem with every number the model knows, its default where the problem is silent.

    Raises ValueError that names what the model does not know, and numbers that are missing or below zero.
    """
    unknown = sorted(str(name) for name in problem.data_vars if name not in VARIABLES)
    if unknown:
        raise ValueError(f"the supply model does not know {', '.join(unknown)}; it knows {', '.join(VARIABLES)}")
    absent = [d for d in ("resource", "material", "store", "class") if d not in problem.dims]
    given = problem.assign_coords({d: pd.Index([], dtype="object", name=d) for d in absent})
    if "source" not in given.dims:
        given = given.assign_coords(source=list(SOURCES))
    added: dict[str, xr.DataArray] = {}
    for name, (dims, default, _) in VARIABLES.items():
        if name in given.variables and given.variables[name].dims == dims:
            continue
        blank = xr.DataArray(np.full([given.sizes[d] for d in dims], default), {d: given[d] for d in dims}, dims)
        added[name] = given[name].broadcast_like(blank).transpose(*dims) if name in given else blank
    full = given.assign(added) if added else given
    wrong = [text for name in VARIABLES if (text := _wrong(name, full))]
    if full.sizes["class"] and not np.allclose(full["class_share"].sum("class"), 1.0):
        wrong.append("class_share that does not add up to 1 per family and month")
    if wrong:
        raise ValueError("the supply problem has " + "; ".join(wrong))
    return full


def _wrong(name: str, p: xr.Dataset) -> str:
    """Return the first number of an array that cannot be, in words; empty when all can."""
    cells = p.variables[name]
    if cells.dtype.kind not in "fiu":
        return ""
    bad = cells.values < 0 if name in BLANK else ~(cells.values >= 0)
    if not bad.any():
        return ""
    at = tuple(np.argwhere(bad)[0])
    where = " · ".join(str(p[d].values[n])[:10] for d, n in zip(cells.dims, at, strict=True))
    return f"{name} {cells.values[at]:g} at {where or 'all'}: give a number of 0 or more"


def at_start(p: xr.Dataset, opening: xr.DataArray) -> xr.DataArray:
    """Return what is there before the first month as a number of the first month, 0 in the others."""
    return opening * xr.DataArray((np.arange(p.sizes["month"]) == 0) * 1.0, {"month": p["month"]})


def chase_stock(p: xr.Dataset) -> xr.DataArray:
    """Return the most stock a chase plan holds, per family and month: the target, or what opening and firm leave."""
    last = xr.DataArray((np.arange(p.sizes["month"]) == p.sizes["month"] - 1) * 1.0, {"month": p["month"]})
    wanted = xr.where(last > 0, p["target"].clip(min=p["final_stock"]), p["target"])
    left, path, change = p["opening_stock"], [], p["firm"].fillna(0.0).sum("plant") - p["demand"]
    for t in range(p.sizes["month"]):
        left = (left + change.isel(month=t, drop=True)).clip(min=wanted.isel(month=t, drop=True))
        path.append(left)
    return xr.concat(path, dim=p["month"]).transpose("family", "month")


#: name: (dimensions, default, meaning)
VARIABLES: dict[str, tuple[tuple[str, ...], float | str, str]] = {
    "demand": (("family", "month"), 0.0, "units wanted"),
    "opening_stock": (("family",), 0.0, "units on hand before the first month"),
    "opening_backlog": (("family",), 0.0, "units owed before the first month"),
    "target": (("family", "month"), 0.0, "stock wanted at month end"),
    "final_stock": (("family",), 0.0, "stock that must be there at the end; missed only where nothing else goes"),
    "make_to_order": (("family",), 0.0, "1: nothing is made ahead of its order"),
    "limit": (("family", "plant", "source", "month"), FREE, "most units of a source; 0 where there is no route"),
    "unit_cost": (("family", "plant", "source", "month"), 0.0, "money per unit, without labour and planned materials"),
    "labour_hours": (("family", "plant"), 0.0, "hours per unit"),
    "hours_per_worker": (("plant", "month"), 0.0, "regular hours of a worker"),
    "overtime_per_worker": (("plant", "month"), 0.0, "most overtime hours of a worker"),
    "workers_opening": (("plant",), 0.0, "workers before the first month"),
    "workers_min": (("plant", "month"), 0.0, "least workers"),
    "workers_max": (("plant", "month"), FREE, "most workers"),
    "hired_max": (("plant", "month"), FREE, "most workers hired; 0 while hiring takes its time"),
    "workers_change_max": (("plant", "month"), FREE, "most workers hired and laid off in a month"),
    "workers_change_share": (("plant", "month"), FREE, "the same as a share of the workers of the month before"),
    "wage": (("plant", "month"), 0.0, "money per worker, busy or idle"),
    "overtime_rate": (("plant",), 0.0, "money per overtime hour"),
    "hiring_cost": (("plant",), 0.0, "money per worker"),
    "layoff_cost": (("plant",), 0.0, "money per worker"),
    "plant_of": (("resource",), "", "the plant a resource stands in"),
    "usage": (("resource", "family", "month"), 0.0, "resource units per unit made"),
    "capacity": (("resource", "month"), FREE, "regular capacity"),
    "capacity_overtime": (("resource", "month"), 0.0, "beyond capacity, for overtime output"),
    "outages": (("resource",), 0.0, "months of maintenance that a resource must have; the plan chooses when"),
    "outage_loss": (("resource", "month"), 0.0, "capacity that one of them takes"),
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
    "rate_opening": (("family", "plant"), np.nan, "in-house output per day before the first month; blank: any"),
    "rate_change_max": (("family", "plant", "month"), FREE, "most change of output per day from month to month"),
    "rate_change_share": (("family", "plant", "month"), FREE, "the same as a share of the rate of the month before"),
    "rate_up_cost": (("family", "plant"), 0.0, "money per unit a day that the rate rises"),
    "rate_down_cost": (("family", "plant"), 0.0, "money per unit a day that the rate falls"),
    "min_run": (("family", "plant"), 0.0, "least output of a month in which a family is made at all"),
    "lot": (("family", "plant"), 0.0, "output is a whole number of these; 0: any"),
    "setup_cost": (("family", "plant", "month"), 0.0, "money per month in which a family is made at all"),
    "class_share": (("class", "family", "month"), 0.0, "share of the demand that each class of customers has"),
    "class_weight": (("class",), 1.0, "times the price of a unit late or lost; the lightest class goes short first"),
    "holding_cost": (("family", "month"), 0.0, "money per unit and month, on closing or average stock"),
    "backlog_cost": (("family",), 0.0, "money per unit and month"),
    "lost_cost": (("family", "month"), 0.0, "money per unit never delivered, and per unit owed at the end"),
    "below_cost": (("family", "month"), 0.0, "price per unit below the target; no money"),
    "backlog_months": (("family",), 0.0, "months an order may wait; 0 = none"),
    "lost_most": (("family", "month"), FREE, "most units lost, at least what some plan of the same limits loses"),
    "backlog_most": (("family", "month"), FREE, "most units owed at month end, in the same way"),
    # what results are told with; the model does not use them
    "safety": (("family", "month"), 0.0, "safety stock, part of the target"),
    "standard_cost": (("family",), 0.0, "money per unit in stock"),
    "resource_unit": (("resource",), "", "unit of a resource"),
    "lead_time": (("material",), 0.0, "months from order to arrival"),
    "material_price": (("material",), 0.0, "money per material unit bought; make cost already holds it"),
    "share": (("family", "plant"), 0.0, "where a family is usually made"),
}

BLANK = ("firm", "rate_opening")
