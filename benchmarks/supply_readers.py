"""Published planning problems, read by their kind into data and switches of the supply model; none has its own code."""

from collections.abc import Callable
from dataclasses import replace
from math import ceil

import numpy as np
import xarray as xr

from benchmarks.supply_numbers import Read, Unread, array, blank, first, needed, never, spread_out
from benchmarks.supply_products import multi_product_capacity
from sop_lib import supply_model
from sop_lib.supply_data import Switches

__all__ = ["FIELDS", "READERS"]


def stocked(p: xr.Dataset, d: dict, waits: bool) -> tuple[xr.Dataset, Switches]:
    """Return the problem with its opening and final stock, holding and backlog."""
    cost, count = d["cost"], p.sizes["month"]
    holding = spread_out(cost.get("holding", 0), count)
    if d.get("holding_excludes_final"):
        holding[-1] = 0.0
    on = d.get("holding_on", "closing")
    if not on.startswith(("closing", "ending", "average")):
        raise Unread(f"holding_on '{on}': closing or average")
    p = p.assign(
        opening_stock=array([d.get("initial_inventory", 0)], "family"),
        final_stock=array([first(d, "min_final_inventory", "final_inventory", default=0)], "family"),
        holding_cost=array([holding], "family", "month"), lost_cost=cost.get("lost_sale", never(cost)),
        backlog_cost=array([first(cost, "backlog", "backorder", "stockout", default=0)], "family"),
        backlog_months=array([min(count, d.get("backlog_months_max", count)) if waits else 0], "family"),
    )  # fmt: skip
    return p, Switches(holding_on="average" if on.startswith("average") else "closing")


def given_workers(p: xr.Dataset, workers) -> xr.Dataset:
    path = array([spread_out(workers, p.sizes["month"])], "plant", "month")
    return p.assign(workers_min=path, workers_max=path)


def allowed(s: dict, d: dict, name: str) -> bool:
    """Return whether overtime, subcontracting or backlog may be used: as the strategy says, else as the data do."""
    stated = {"overtime": ("ot_hours_max_per_worker", "overtime_max"), "subcontract": ("subcontract_allowed",),
              "backorder": ("backlog_allowed", "backlog_months_max")}[name]  # fmt: skip
    by_data = bool(np.any(first(d, *stated, default=False)))
    if s.get(name) is not None:
        return bool(np.any(s[name])) and (first(d, *stated) is None or by_data)
    return by_data


def output_per_worker(d: dict) -> np.ndarray:
    """Return units that a worker makes in each period, rounded as the source rounds them."""
    count, rounded = len(d["demand"]), d.get("units_per_worker_rounded")
    if isinstance(rounded, list):
        return spread_out(rounded, count)
    if "K_units_per_worker_day" in d:
        units = d["K_units_per_worker_day"] * spread_out(needed(d, "working_days"), count)
    else:
        units = hours_per_worker(d) / needed(d, "hours_per_unit")
    return units if rounded is None else np.round(units, int(rounded))


def hours_per_worker(d: dict) -> np.ndarray:
    count = len(d["demand"])
    if "regular_hours_per_worker" in d:
        return spread_out(d["regular_hours_per_worker"], count)
    return needed(d, "regular_hours_per_day") * spread_out(needed(d, "working_days"), count)


def wages(d: dict) -> np.ndarray:
    """Return money per worker in each period, busy or idle; nothing where output is paid by the unit."""
    cost, count = d["cost"], len(d["demand"])
    if (paid := first(cost, "wage", "regular_per_worker")) is not None:
        return spread_out(paid, count)
    if "regular_per_day" in cost:
        return cost["regular_per_day"] * spread_out(needed(d, "working_days"), count)
    return cost.get("regular_per_hour", 0) * (hours_per_worker(d) if "regular_per_hour" in cost else np.zeros(count))


def requirement(d: dict) -> np.ndarray:
    """Return what must be made in each period so that stock is empty, or at its safety stock, at its end."""
    count = len(d["demand"])
    safety = np.array(spread_out(d.get("safety_stock", 0), count))
    safety[-1] = max(safety[-1], first(d, "min_final_inventory", "final_inventory", default=0))
    return np.maximum(np.array(d["demand"]) + np.diff([d.get("initial_inventory", 0), *safety]), 0.0)


# A workforce that the plan may change


def aggregate_workforce(d: dict, s: dict) -> Read:
    """People, overtime, subcontracting and backlog; temporary people beside a permanent output have their own plant.

    Where the problem does not say whether people may idle, they may if they are paid for it: free hours would make
    every plan too cheap.
    """
    if "permanent_output" in d:
        return temporary_people(d, s)
    cost, count, units = d["cost"], len(d["demand"]), output_per_worker(d)
    p, switches = stocked(blank(d["demand"]), d, allowed(s, d, "backorder"))
    hours = d.get("hours_per_unit", 1.0)
    most = [np.inf] + [np.inf if allowed(s, d, n) else 0.0 for n in ("overtime", "subcontract")]
    material = cost.get("material", 0)
    most_overtime = d.get("ot_hours_max_per_worker", 100 * float(np.max(units * hours)) if s.get("overtime") else 0)
    if "safety_stock" in d:
        safety = array([spread_out(d["safety_stock"], count)], "family", "month")
        p = p.assign(target=safety, below_cost=never(cost))
    p = p.assign(
        limit=array(most, "source"), labour_hours=array([[hours]], "family", "plant"),
        unit_cost=array([material + cost.get("regular", 0), material + cost.get("overtime", 0),
                         first(cost, "subcontract", "subcontract_marginal", default=0)], "source"),
        hours_per_worker=array([units * hours], "plant", "month"),
        overtime_per_worker=array([spread_out(most_overtime, count)], "plant", "month"),
        workers_opening=array([needed(d, "initial_workforce")], "plant"), wage=array([wages(d)], "plant", "month"),
        overtime_rate=array([cost.get("overtime_per_hour", 0)], "plant"),
        hiring_cost=array([cost.get("hire", 0)], "plant"), layoff_cost=array([cost.get("layoff", 0)], "plant"),
    )  # fmt: skip
    idle = s.get("idle_allowed", s["type"] != "chase" and bool(wages(d).any())) and not d.get("no_idle")
    switches = replace(
        switches, idle_allowed=idle, whole_workers=bool(s.get("workforce_integer")),
        hire_layoff=s.get("hire_layoff", True), level_workforce=s["type"] == "level",
    )  # fmt: skip
    return ruled(p, d, s, switches, units)


def ruled(p: xr.Dataset, d: dict, s: dict, switches: Switches, units: np.ndarray) -> Read:
    """Return the problem with the output and people that the strategy gives or its rule makes; else they are free.

    Whole workers who may not idle make whole units, where the strategy or its rule settles who works, and people alone
    decide the output: a mixed plan, or one with overtime, is the model's own.
    """
    made, people = first(s, "production"), first(s, "workforce", "workers")
    if "production_per_day" in s:
        made = s["production_per_day"] * spread_out(needed(d, "working_days"), len(units))
    whole, given, overtime = switches.whole_workers, people is not None, allowed(s, d, "overtime")
    rule = made is None and (given or s["type"] in ("chase", "level"))
    alone = not overtime or (s["type"] == "chase" and not given)  # who chases has the people for all of it
    if made is None and people is None and s["type"] == "chase":
        made = requirement(d)
        people = [ceil(w - 1e-9) for w in made / units] if whole else made / units
    rounds = rule and alone and whole and not switches.idle_allowed
    if rounds and people is None:
        people = supply_model.solve(p, switches)["workers"].squeeze().values.round()
    if rounds:
        made = np.round(spread_out(people, len(units)) * units)  # whole units, as the tables of the source show
        p = p.assign(labour_hours=array([[0.0]], "family", "plant"))
        switches = replace(switches, idle_allowed=True)
    if people is not None:
        p, switches = given_workers(p, people), replace(switches, level_workforce=False, whole_workers=False)
    if made is not None:
        p = p.assign(firm=array([[spread_out(made, len(units))]], "family", "plant", "month"))
    return p, switches, 0.0


def temporary_people(d: dict, s: dict) -> Read:
    """Return a problem with a permanent output that does not change, and temporary people beside it."""
    cost, count = d["cost"], len(d["demand"])
    unused = [n for n in PEOPLE.split() if n in d and n not in ("subcontract_allowed", "backlog_allowed")]
    if unused:
        raise Unread(f"{', '.join(unused)} beside permanent_output")
    p, switches = stocked(blank(d["demand"], plants=("permanent", "temporary")), d, allowed(s, d, "backorder"))
    firm = [[spread_out(d["permanent_output"], count), np.full(count, np.nan)]]
    people = first(s, "workforce", "workers")
    unit = cost.get("regular", 0) + cost.get("material", 0)
    outside = np.inf if allowed(s, d, "subcontract") else 0.0
    wage = spread_out(first(cost, "wage", "regular_per_worker", default=0), count)
    p = p.assign(
        firm=array(firm, "family", "plant", "month"), limit=array([np.inf, 0, outside], "source"),
        unit_cost=array([unit, 0, first(cost, "subcontract", default=0)], "source"),
        labour_hours=array([[0.0, 1.0]], "family", "plant"),
        hours_per_worker=array([0.0, needed(d, "temp_output_per_worker")], "plant"),
        workers_opening=array([0.0, d.get("initial_temp", 0)], "plant"), wage=array([0 * wage, wage], "plant", "month"),
        hiring_cost=array([0.0, cost.get("hire", 0)], "plant"),
        layoff_cost=array([0.0, cost.get("layoff", 0)], "plant"),
    )  # fmt: skip
    if people is not None:
        path = array([np.zeros(count), spread_out(people, count)], "plant", "month")
        p = p.assign(workers_min=path, workers_max=path)
    whole = bool(s.get("workforce_integer")) and people is None
    return p, replace(switches, idle_allowed=s.get("idle_allowed", True), whole_workers=whole), 0.0


# A plan that is only costed


def fixed_strategy(d: dict, s: dict) -> Read:
    """Each source is a plant of its own: regular output is given, overtime and subcontractors as the strategy says.

    Who buys outside buys what the requirement, safety stock included, lacks; overtime only keeps stock from running
    out (Jacobs and Chase, plans 3 and 4). Holding is charged above a safety stock only.
    """
    count, more = len(d["demand"]), {name: s.get(name, False) for name in ("overtime", "subcontract")}
    short = "lost_sale" not in d["cost"] and not any(np.any(v) for v in more.values())
    waits = s.get("backorder", first(d, "backlog_allowed", "backlog_months_max", default=short))
    p, switches = stocked(blank(d["demand"], plants=("regular", *more), sources=["regular"]), d, waits)
    people = first(s, "workforce", "workers")
    open_at = {"overtime": overtime_units(d, people), "subcontract": np.full(count, np.inf)}
    firm, most = [regular_output(d, s)], [np.full(count, np.inf)]
    for name, value in more.items():
        listed = isinstance(value, list)
        firm.append(np.array(value, dtype=float) if listed else np.full(count, np.nan))
        most.append(np.full(count, np.inf) if listed else np.where(bool(value), open_at[name], 0.0))
    p = p.assign(firm=array([firm], "family", "plant", "month"), limit=array(most, "plant", "month"))
    p, constant = above_safety(paid(p, d, s, people), d, bool(np.any(more["subcontract"])))
    return p, switches, constant


def overtime_units(d: dict, people) -> np.ndarray:
    """Return the most overtime output in each period; no end where the problem states none."""
    count = len(d["demand"])
    if "overtime_max" in d:
        return spread_out(d["overtime_max"], count)
    if "ot_hours_max_per_worker" not in d or people is None:
        return np.full(count, np.inf)
    return spread_out(d["ot_hours_max_per_worker"], count) * spread_out(people, count) / needed(d, "hours_per_unit")


def regular_output(d: dict, s: dict) -> np.ndarray:
    """Return regular output in each period: given, by the day, by the people there are, or what is required."""
    count, people = len(d["demand"]), first(s, "workforce", "workers")
    if "production" in s:
        return spread_out(s["production"], count)
    if "production_per_day" in s:
        return spread_out(s["production_per_day"], count) * spread_out(needed(d, "working_days"), count)
    if "regular_output" in d:
        return spread_out(d["regular_output"], count)
    if people is not None and s["type"] != "chase":
        return np.round(spread_out(people, count) * output_per_worker(d))  # whole units, as the tables of sources show
    if s["type"] == "chase":
        return requirement(d)
    raise Unread("production, production_per_day, workers or workforce is not given")


def paid(p: xr.Dataset, d: dict, s: dict, people) -> xr.Dataset:
    """Return the problem with what output and changes cost: people by the hour or day, else output by the unit."""
    cost, count = d["cost"], p.sizes["month"]
    by_worker = people is not None and s["type"] != "chase" and "regular" not in cost
    hourly = d.get("hours_per_unit", 0)
    unit = first(cost, "regular", default=hourly * cost.get("regular_per_hour", 0))
    if not unit and "regular_per_day" in cost:
        unit = cost["regular_per_day"] * hourly / needed(d, "regular_hours_per_day")
    over = first(cost, "overtime", default=hourly * cost.get("overtime_per_hour", 0))
    outside = first(cost, "subcontract_marginal", "subcontract", default=0)
    material = 0 if "subcontract_marginal" in cost else cost.get("material", 0)  # marginal: material is in neither
    p = p.assign(unit_cost=array([(0 if by_worker else unit) + material, over + material, outside], "plant"))
    by_rate = "hire_per_unit_rate_increase" in cost and s["type"] == "chase"
    path = people
    if by_rate and people is None:
        path = np.round(requirement(d) / spread_out(needed(d, "working_days"), count))
    if path is None:
        return p
    path, none = spread_out(path, count), np.zeros(count)
    wage = wages(d) if by_worker else none
    up, down = ("hire_per_unit_rate_increase", "layoff_per_unit_rate_decrease") if by_rate else ("hire", "layoff")
    opening = path[0] if by_rate else d.get("initial_workforce", path[0])
    people_of = {"workers_min": path, "workers_max": path, "wage": wage}
    p = p.assign({name: array([row, none, none], "plant", "month") for name, row in people_of.items()})
    money = {"workers_opening": opening, "hiring_cost": cost.get(up, 0), "layoff_cost": cost.get(down, 0)}
    return p.assign({name: array([value, 0, 0], "plant") for name, value in money.items()})


def above_safety(p: xr.Dataset, d: dict, required: bool) -> tuple[xr.Dataset, float]:
    """Return the problem in which holding is paid above safety stock only, and what that takes off the total."""
    if "safety_stock" not in d:
        return p, 0.0
    holding, safety = d["cost"]["holding"], spread_out(d["safety_stock"], p.sizes["month"])
    p = p.assign(target=array([safety], "family", "month"), below_cost=never(d["cost"]) if required else holding)
    return p, -float(holding * safety.sum())


# Sources with a capacity in each period


def capacity_lp(d: dict, s: dict) -> Read:
    """Every source is a plant of its own, with what it can give and what a unit costs there in each period."""
    count, cost, sources = len(d["demand"]), d["cost"], list(d.get("sources", []))
    names = [f"{n} {x['name']}" for n, x in enumerate(sources)]
    most = [spread_out(x["capacity"], count) for x in sources]
    price = [spread_out(x["unit_cost"], count) for x in sources]
    firm = [np.full(count, np.nan) for _ in sources]
    if "regular_output" in d:  # an output that is given, with overtime and subcontracting beside it
        more = {"overtime": spread_out(d.get("overtime_max", np.inf), count), "subcontract": np.full(count, np.inf)}
        used = [n for n in more if allowed(s, d, n)]
        names += ["regular", *used]
        most += [np.full(count, np.inf), *(more[n] for n in used)]
        price += [spread_out(needed(cost, n), count) for n in ("regular", *used)]
        firm += [spread_out(d["regular_output"], count), *(np.full(count, np.nan) for _ in used)]
    if not names:
        raise Unread("sources or regular_output is not given")
    p, switches = stocked(blank(d["demand"], plants=names, sources=["regular"]), d, allowed(s, d, "backorder"))
    if "lost_sale" not in cost:
        p = p.assign(lost_cost=1000 * (1 + float(np.max([*map(np.max, price), *cost.values()]))))
    p = p.assign(firm=array([firm], "family", "plant", "month"), limit=array(most, "plant", "month"))
    return p.assign(unit_cost=array(price, "plant", "month")), switches, 0.0


READERS: dict[str, Callable[[dict, dict], Read]] = {
    "aggregate_workforce": aggregate_workforce,
    "fixed_strategy": fixed_strategy,
    "capacity_lp": capacity_lp,
    "multi_product_capacity": multi_product_capacity,
}

STOCK = (
    "demand initial_inventory min_final_inventory final_inventory holding_on holding_excludes_final price cost "
    "backlog_months_max"
)
PEOPLE = (
    "hours_per_unit K_units_per_worker_day working_days units_per_worker_rounded regular_hours_per_worker "
    "regular_hours_per_day ot_hours_max_per_worker initial_workforce safety_stock subcontract_allowed backlog_allowed"
)
WAITING = "holding backlog backorder stockout lost_sale hire layoff"
PAY = "regular_per_hour regular_per_day regular_per_worker wage regular overtime_per_hour overtime material"
OUTSIDE = "subcontract subcontract_marginal"
RULES = "type hire_layoff overtime subcontract backorder idle_allowed workforce_integer"
GIVEN = "production production_per_day workforce workers"
#: kind: the fields of data, of data.cost and of strategy that its reader takes; rule and note are words for people
FIELDS: dict[str, tuple[str, str, str]] = {
    "aggregate_workforce": (
        f"{STOCK} {PEOPLE} initial_temp temp_output_per_worker permanent_output no_idle",
        f"{WAITING} {PAY} {OUTSIDE}", f"{RULES} {GIVEN}",
    ),
    "fixed_strategy": (
        f"{STOCK} {PEOPLE} regular_output overtime_max",
        f"{WAITING} {PAY} {OUTSIDE} hire_per_unit_rate_increase layoff_per_unit_rate_decrease", f"{RULES} {GIVEN}",
    ),
    "capacity_lp": (
        f"{STOCK} sources regular_output overtime_max subcontract_allowed backlog_allowed",
        "holding backlog backorder stockout lost_sale regular overtime subcontract",
        "type overtime subcontract backorder",
    ),
    "multi_product_capacity": (
        "products rate hours avail machines down maintenance_required hours_per_month market profit revenue prodcost "
        "invcost holding storage_max_each initial_stock inv0 final_stock_each",
        "", "type",
    ),
}  # fmt: skip
