"""Every number of the supply model by name: bounds of its quantities, right-hand sides of its rows, prices.

The model is built with these and a kept model is brought up to date with them, so that both say the same.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from sop_lib.supply_data import FREE, IN_HOUSE, SOURCES, Switches, at_start, chase_stock

__all__ = ["Numbers", "added", "has_rate_costs", "has_runs", "numbers", "stages"]

Sides = dict[str, xr.DataArray]
Prices = dict[str, dict[str, xr.DataArray]]


@dataclass(frozen=True)
class Numbers:
    """Bounds per quantity, right-hand side per row, hours of a worker per row, price of each quantity by kind of cost.

    Stock is `in_target`, what fills the target, and `above`. `constant` is money that no plan can change, by kind.
    `broken` is what breaking a rule weighs beside the other rules; no money is above a rule.
    """

    bounds: dict[str, tuple[xr.DataArray, xr.DataArray]]
    sides: Sides
    slopes: Sides
    prices: Prices
    broken: Prices
    constant: dict[str, float]


def numbers(p: xr.Dataset, s: Switches) -> Numbers:
    """Return the numbers of a filled problem under the switches; a name is there when its rows are in the model."""
    bounds = _stock_bounds(p, s) | _people_bounds(p, s) | _other_bounds(p)
    sides = _sides(p, s)
    slopes = {"regular_hours": -p["hours_per_worker"], "overtime_hours": -p["overtime_per_worker"]}
    prices = _prices(p, s, bounds)
    half = float((p["holding_cost"].isel(month=0) * p["opening_stock"]).sum()) / 2
    constant = {"below target": float((p["below_cost"] * p["target"]).sum())}
    constant |= {"holding": half} if s.holding_on == "average" else {}
    slopes = {n: v for n, v in slopes.items() if n in sides}
    return Numbers(bounds, sides, slopes, prices, _broken(p, s, bounds), constant)


def has_rate_costs(p: xr.Dataset) -> bool:
    """Return whether a change of rate costs or is limited."""
    limited = any(np.isfinite(p[n]).any() for n in ("rate_change_max", "rate_change_share"))
    return bool(limited or any((p[n] > 0).any() for n in ("rate_up_cost", "rate_down_cost")))


def has_runs(p: xr.Dataset) -> bool:
    """Return whether output comes in minimum runs, at a price per run or in lots: whole numbers."""
    return bool((p["min_run"] > 0).any() or (p["setup_cost"] > 0).any() or (p["lot"] > 0).any())


def _free(p: xr.Dataset, *dims: str) -> tuple[xr.DataArray, xr.DataArray]:
    """Return the bounds 0 and infinity, per what is named."""
    cells = xr.DataArray(np.zeros([p.sizes[d] for d in dims]), {d: p[d] for d in dims}, dims)
    return cells, cells + FREE


def _stock_bounds(p: xr.Dataset, s: Switches) -> dict:
    low, free = _free(p, "family", "month")
    tied = (p["make_to_order"] > 0) | (s.strategy == "chase")
    bounds = {
        "make": (xr.zeros_like(p["limit"]), p["limit"]),
        "in_target": (low, p["target"]),
        "above": (low, free.where(~tied, (chase_stock(p) - p["target"]).clip(min=0)) if tied.any() else free),
        "backlog": (low, np.minimum(_open_orders(p, p["demand"], p["opening_backlog"]), p["backlog_most"])),
        "lost": (low, np.minimum(p["demand"] + at_start(p, p["opening_backlog"]), p["lost_most"])),
    }  # fmt: skip
    if (p["final_stock"] > 0).any():
        bounds["final_missed"] = _free(p, "family")
    if p.sizes["class"]:
        shared = p["class_share"] * p["demand"]
        owed = p["class_share"].isel(month=0, drop=True) * p["opening_backlog"]
        most = _open_orders(p, shared, owed)
        bounds |= {"lost_of": _free(p, "class", "family", "month"), "backlog_of": (xr.zeros_like(most), most)}
    return bounds


def _open_orders(p: xr.Dataset, wanted: xr.DataArray, owed: xr.DataArray) -> xr.DataArray:
    """Return the most backlog per family and month: the demand of the months that may still wait."""
    demand = np.concatenate([owed.values[..., None], wanted.values], axis=-1)
    so_far, count = np.cumsum(demand, axis=-1), demand.shape[-1]
    age = np.minimum(p["backlog_months"].values, count).astype(int)[:, None]
    before = np.arange(1, count)[None, :] - age
    at = np.broadcast_to(np.maximum(before, 0), demand[..., 1:].shape)
    old = np.where(before >= 0, np.take_along_axis(so_far, at, axis=-1), 0.0)
    return wanted.copy(data=np.maximum(so_far[..., 1:] - old, 0.0))


def _people_bounds(p: xr.Dataset, s: Switches) -> dict:
    if "regular" not in p["source"]:
        return {}
    opening, level = p["workers_opening"], s.level_workforce or s.strategy == "minimum"
    later = xr.DataArray(np.arange(p.sizes["month"]) > 0, {"month": p["month"]})
    fixed = (later & level) | (not s.hire_layoff)
    low, most = _free(p, "plant", "month")
    least = _least_workers(p, s)
    asked: Any = np.maximum(p["workers_max"], np.ceil(least.max("month") if level else least))
    most_workers = (asked if s.hire_layoff else np.maximum(asked, opening)).transpose("plant", "month")
    bounds = {
        "workers": (least, most_workers),
        "hired": (low, p["hired_max"].where(~fixed, 0.0)), "laid_off": (low, most.where(~fixed, 0.0)),
        "idle": (low, most),
    }  # fmt: skip
    if (p["hired_max"] < FREE).any():
        bounds["workers_missed"] = (low, most)
        bounds["workers"] = (low, most_workers)
    if np.isfinite(p["workers_change_max"]).any() or np.isfinite(p["workers_change_share"]).any():
        bounds["workers_change_over"] = (low, most)
    return bounds


def _least_workers(p: xr.Dataset, s: Switches) -> xr.DataArray:
    return p["workers_min"] if s.hire_layoff else p["workers_min"].clip(max=p["workers_opening"])


def _other_bounds(p: xr.Dataset) -> dict:
    bounds: dict[str, tuple[xr.DataArray, xr.DataArray]] = {}
    if p.sizes["material"]:
        low, free = _free(p, "material", "month")
        bounds |= {"arrivals": (low, p["material_limit"]), "material_stock": (low, free)}
    if p.sizes["store"]:
        bounds["storage_over"] = _free(p, "store", "month")
    if (p["outages"] > 0).any():
        bounds |= {"outages": (_free(p, "resource", "month")[0], p["outages"] + 0 * p["capacity"].clip(max=0))}
        bounds["outages_missed"] = _free(p, "resource")
    if p["firm"].notnull().any():
        low, free = _free(p, "family", "plant", "month")
        bounds |= {"firm_under": (low, p["firm"].fillna(0.0)), "firm_over": (low, free)}
    if has_rate_costs(p):
        bounds |= {n: _free(p, "family", "plant", "month") for n in ("rate_up", "rate_down", "rate_over")}
    return bounds


def _sides(p: xr.Dataset, s: Switches) -> Sides:
    sides = {"balance": p["demand"] - at_start(p, p["opening_stock"] - p["opening_backlog"])}
    if (p["final_stock"] > 0).any():
        sides["final"] = p["final_stock"]
    if p.sizes["class"]:
        sides["class_served"] = p["class_share"] * (p["demand"] + at_start(p, p["opening_backlog"]))
    if p["firm"].notnull().any():
        sides["firm"] = p["firm"].fillna(0.0)
    if s.strategy == "minimum" and set(SOURCES) <= set(p["source"].values):
        sides["minimum"] = _trough(p)
    return sides | _people_sides(p, s) | _other_sides(p)


def _trough(p: xr.Dataset) -> xr.DataArray:
    """Return the slackest month's demand per working day as output per family and month, where others make the rest.

    Source: Heizer and Render, *Operations Management*, "Aggregate planning", the plan with subcontracting.
    """
    days = p["days"].max("plant")
    rate = (p["demand"] / days.where(days > 0)).min("month").fillna(0.0)
    bought = (p["limit"].sel(source="subcontract", drop=True) > 0).any("plant").all("month")
    most = (rate * days).clip(min=p["firm"].fillna(0.0).sum("plant"))
    return most.where(bought, FREE).transpose("family", "month")


def _people_sides(p: xr.Dataset, s: Switches) -> Sides:
    sides: Sides = {}
    nothing = xr.zeros_like(p["wage"])
    if "regular" in p["source"]:
        sides |= {"workforce": at_start(p, p["workers_opening"]).transpose("plant", "month"), "regular_hours": nothing}
    if "regular" in p["source"] and "overtime" in p["source"]:
        sides["overtime_hours"] = nothing
    if "regular" in p["source"] and (p["hired_max"] < FREE).any():
        sides["workers_least"] = _least_workers(p, s)
    return sides


def _other_sides(p: xr.Dataset) -> Sides:
    sides: Sides = {}
    if p.sizes["resource"]:
        sides |= {"capacity": p["capacity"], "capacity_overtime": p["capacity"] + p["capacity_overtime"]}
    if (p["outages"] > 0).any():
        sides["outages"] = p["outages"]
    if p.sizes["material"]:
        sides["material"] = (p["material_due"] + at_start(p, p["material_stock"])).transpose("material", "month")
    return sides | ({"storage": p["storage"]} if p.sizes["store"] else {})


def _prices(p: xr.Dataset, s: Switches, bounds: dict) -> Prices:
    inside, last = p["source"].isin(IN_HOUSE), (p["month"] == p["month"][-1]) * 1.0
    holding = p["holding_cost"]
    if s.holding_on == "average":
        holding = (holding + holding.shift(month=-1).fillna(0.0)) / 2
    prices: Prices = {
        "production": {"make": p["unit_cost"].where(inside, 0.0)},
        "subcontract": {"make": p["unit_cost"].where(~inside, 0.0)},
        "holding": {"in_target": holding, "above": holding}, "backlog": {"backlog": p["backlog_cost"]},
        "lost sales": {"lost": p["lost_cost"], "backlog": p["lost_cost"] * last},
        "below target": {"in_target": -p["below_cost"]},
    }  # fmt: skip
    if "lost_of" in bounds:
        weight, each = p["class_weight"], p["class_weight"] * p["lost_cost"]
        prices["backlog"] = {"backlog_of": p["backlog_cost"] * weight}
        prices["lost sales"] = {"lost_of": each, "backlog_of": each * last}
    if "workers" in bounds:
        paid = {
            "wages": ("workers", "wage"),
            "hiring": ("hired", "hiring_cost"),
            "layoffs": ("laid_off", "layoff_cost"),
        }
        prices |= {kind: {variable: p[name]} for kind, (variable, name) in paid.items()}
    if "overtime" in p["source"]:
        prices["overtime"] = {"make": (p["overtime_rate"] * p["labour_hours"]).where(p["source"] == "overtime", 0.0)}
    if "arrivals" in bounds:
        prices["materials"] = {"arrivals": p["material_cost"], "material_stock": p["material_holding"]}
    if "rate_up" in bounds:
        later = ((p["month"] != p["month"][0]) | p["rate_opening"].notnull()) * 1.0
        prices["rate changes"] = {
            "rate_up": p["rate_up_cost"] * later, "rate_down": p["rate_down_cost"] * later,
        }  # fmt: skip
    if (p["setup_cost"] > 0).any():
        prices["setups"] = {"runs": p["setup_cost"]}
    return prices


def _broken(p: xr.Dataset, s: Switches, bounds: dict) -> Prices:
    """Return what broken rules weigh beside each other, those of the planner least."""
    some = p["volume"].where(p["volume"] > 0)
    room = some.min("family").fillna(1.0) if p["volume"].size else 1.0
    outage = 10.0 * _outage_units(p) if "outages_missed" in bounds else 0.0
    kinds = {
        "firm plan": (("firm_under", "firm_over"), 1.0), "rate change": (("rate_over",), 1.0),
        "workforce change": (("workers_change_over",), 1.0), "least workers": (("workers_missed",), 10.0),
        "idle": (("idle",) if not s.idle_allowed else (), 1.0), "final stock": (("final_missed",), 10.0),
        "storage": (("storage_over",), 10.0 / room), "maintenance": (("outages_missed",), outage),
    }  # fmt: skip
    found = {
        rule: {n: _unless_waived(p, s, rule, xr.DataArray(weight), bounds[n][0]) for n in names if n in bounds}
        for rule, (names, weight) in kinds.items()
    }
    return {rule: weights for rule, weights in found.items() if weights}


def _unless_waived(p: xr.Dataset, s: Switches, rule: str, weight: xr.DataArray, like: xr.DataArray) -> xr.DataArray:
    """Return the weight of a broken rule, 0 at the plants where it is waived."""
    plants = [plant for name, plant in s.waived if name == rule]
    return weight if not plants or "plant" not in like.dims else weight.where(~p["plant"].isin(plants), 0.0)


def _outage_units(p: xr.Dataset) -> xr.DataArray:
    """Return the most units that a month of a resource's maintenance takes."""
    return (p["outage_loss"].max("month") / p["usage"].where(p["usage"] > 0).min(["family", "month"])).fillna(1.0)


def stages(p: xr.Dataset, n: Numbers) -> list[dict[str, xr.DataArray]]:
    """Return the prices of each stage of service first: unmet demand, waiting, stock below target, then money."""
    weight: dict[str, Any] = {"backlog": 1.0, "backlog_of": p["class_weight"]}
    waiting = {name: p["lost_cost"] * weight[name] for name in n.prices["backlog"]}
    money = {k: v for k, v in n.prices.items() if k not in ("lost sales", "backlog", "below target")}
    return [n.prices["lost sales"], waiting, {"in_target": -p["lost_cost"]}, added(money)]


def added(prices: Prices) -> dict[str, xr.DataArray]:
    """Return the price of each quantity over all kinds."""
    total: dict[str, xr.DataArray] = {}
    for each in prices.values():
        for name, price in each.items():
            total[name] = total[name] + price if name in total else price
    return total
