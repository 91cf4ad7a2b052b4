"""The rows of the supply model: what binds stock, people, resources, materials, storage and the frozen zone."""

import xarray as xr
from linopy import LinearExpression, Model

from sop_lib import supply_rules as rules
from sop_lib.supply_data import Switches
from sop_lib.supply_numbers import Numbers, added, has_rate_costs, has_runs
from sop_lib.supply_rules import before, in_house, stock

__all__ = ["build"]


def build(p: xr.Dataset, s: Switches, n: Numbers) -> Model:
    """Return the model of a filled problem with its numbers.

    Feasible for any data: demand may be lost, and a firm plan broken, storage overrun or an idle hour stand, where
    forbidden, so that it shows as an alarm. What that weighs is no part of the sum: the solver sees to it first.
    """
    m = Model()
    whole = {"outages", "workers"} if s.whole_workers and s.hire_layoff else {"outages"}
    for name, (low, high) in n.bounds.items():
        m.add_variables(low, high, name=name, integer=name in whole)
    rows = _balance(m, n) + _people(m, p, n) + _resources(m, p, n) + _materials(m, p, n) + _storage(m, p, n)
    rows += _firm(m, p, n) + _rules(m, p, s, n)
    if m.ncons != rows:
        raise AssertionError(f"the model has {m.ncons} rows and should have {rows}")
    total, *others = [(price * m.variables[name]).sum() for name, price in added(n.prices).items()]
    m.add_objective(sum(others, start=total))
    return m


def _balance(m: Model, n: Numbers) -> int:
    v, held = m.variables, stock(m)
    supply = v["make"].sum(["plant", "source"]) + v["lost"] + before(v["in_target"]) + before(v["above"])
    waiting = v["backlog"] - before(v["backlog"])
    m.add_constraints(supply - held + waiting == n.sides["balance"], name="balance")
    if "final" in n.sides:
        last = held.isel(month=-1, drop=True)
        m.add_constraints(last + v["final_missed"] >= n.sides["final"], name="final")
    return n.sides["balance"].size + (n.sides["final"].size if "final" in n.sides else 0)


def _hours(m: Model, p: xr.Dataset, source: str) -> LinearExpression:
    return (p["labour_hours"] * m.variables["make"].sel(source=source, drop=True)).sum("family")


def _people(m: Model, p: xr.Dataset, n: Numbers) -> int:
    if "workforce" not in n.sides:
        return 0
    v = m.variables
    turnover = v["workers"] - before(v["workers"]) - v["hired"] + v["laid_off"]
    m.add_constraints(turnover == n.sides["workforce"], name="workforce")
    worked = _hours(m, p, "regular") + v["idle"] + n.slopes["regular_hours"] * v["workers"]
    m.add_constraints(worked == n.sides["regular_hours"], name="regular_hours")
    rows = 2
    if "overtime_hours" in n.sides:
        over = _hours(m, p, "overtime") + n.slopes["overtime_hours"] * v["workers"]
        m.add_constraints(over <= n.sides["overtime_hours"], name="overtime_hours")
        rows += 1
    if "workers_least" in n.sides:
        m.add_constraints(v["workers"] + v["workers_missed"] >= n.sides["workers_least"], name="workers_least")
        rows += 1
    return rows * p["wage"].size + rules.workforce_changes(m, p)


def _resources(m: Model, p: xr.Dataset, n: Numbers) -> int:
    if "capacity" not in n.sides:
        return 0
    at = p["plant_of"].astype(str)
    for name, sources in (("capacity", ["regular"]), ("capacity_overtime", ["regular", "overtime"])):
        used = (p["usage"] * m.variables["make"].sel(source=sources).sum("source").sel(plant=at)).sum("family")
        used = used + p["outage_loss"] * m.variables["outages"] if "outages" in n.sides else used
        m.add_constraints(used <= n.sides[name], name=name)
    if "outages" not in n.sides:
        return 2 * p["capacity"].size
    done = m.variables["outages"].sum("month") + m.variables["outages_missed"]
    m.add_constraints(done >= n.sides["outages"], name="outages")
    return 2 * p["capacity"].size + p["outages"].size


def _materials(m: Model, p: xr.Dataset, n: Numbers) -> int:
    if "material" not in n.sides:
        return 0
    arrivals, left = m.variables["arrivals"], m.variables["material_stock"]
    used = (p["material_usage"] * in_house(m, p).sum(["plant", "source"])).sum("family")
    m.add_constraints(used + left - before(left) - arrivals == n.sides["material"], name="material")
    return n.sides["material"].size


def _storage(m: Model, p: xr.Dataset, n: Numbers) -> int:
    if "storage" not in n.sides:
        return 0
    held = (p["volume"] * stock(m)).sum("family")
    m.add_constraints(held - m.variables["storage_over"] <= n.sides["storage"], name="storage")
    return p["storage"].size


def _firm(m: Model, p: xr.Dataset, n: Numbers) -> int:
    if "firm" not in n.sides:
        return 0
    firm = p["firm"].notnull()
    made = in_house(m, p).sum("source") + m.variables["firm_under"] - m.variables["firm_over"]
    m.add_constraints(made == n.sides["firm"], name="firm", mask=firm)
    return int(firm.sum())


def _rules(m: Model, p: xr.Dataset, s: Switches, n: Numbers) -> int:
    rows = rules.level(m, p) if s.strategy == "level" else 0
    rows += rules.minimum(m, p, n.sides["minimum"]) if "minimum" in n.sides else 0
    rows += rules.rate_changes(m, p) if has_rate_costs(p) else 0
    rows += rules.runs(m, p) if has_runs(p) else 0
    return rows + (rules.classes(m, p, n.sides["class_served"]) if "class_served" in n.sides else 0)
