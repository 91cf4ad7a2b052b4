"""Published problems of several products on the same machines, read into the supply model."""

import numpy as np

from benchmarks.supply_numbers import Read, Unread, array, blank, first, needed, spread_out
from sop_lib.supply_data import Switches

__all__ = ["multi_product_capacity"]


def multi_product_capacity(d: dict, s: dict) -> Read:
    """Most profit: what the market would take is demand, and a sale not made loses its revenue."""
    revenue_of = needed(d, "revenue", "profit")
    names = list(first(d, "products", default=revenue_of if isinstance(revenue_of, dict) else range(len(revenue_of))))
    market = by_product(needed(d, "market"), names, None)
    count = market.shape[1]
    room = by_product(d.get("storage_max_each", np.inf), names, count)
    made = by_product(d.get("prodcost", 0), names, count)
    holding = by_product(first(d, "invcost", "holding", default=0), names, count)
    revenue = by_product(revenue_of, names, count)
    families = [str(n) for n in names]
    machines, usage, capacity = machine_hours(d, names, count)
    p = blank(market, families=families).assign_coords(resource=machines)
    p = p.assign(
        plant_of=("resource", ["one"] * len(machines)), usage=array(usage, "resource", "family"),
        capacity=array(capacity, "resource", "month"), unit_cost=array(made, "family", "month"),
        holding_cost=array(holding, "family", "month"), lost_cost=array(revenue, "family", "month"),
        limit=array([np.inf, 0, 0], "source"),
        opening_stock=array(by_product(first(d, "inv0", "initial_stock", default=0), names, 1)[:, 0], "family"),
        final_stock=array(by_product(d.get("final_stock_each", 0), names, 1)[:, 0], "family"),
    )  # fmt: skip
    if np.isfinite(room).any():
        p = p.assign_coords(store=families).assign(
            storage=array(room, "store", "month"), volume=array(np.eye(len(names)), "store", "family")
        )
    if "maintenance_required" in d:
        due = known("maintenance_required", d["maintenance_required"], machines)
        p = p.assign(
            outages=array([due.get(m, 0) for m in machines], "resource"),
            outage_loss=array(spread_out(needed(d, "hours_per_month"), count), "month"),
        )
    return p, Switches(), float((market * revenue).sum())


def by_product(value, names: list, count: int | None) -> np.ndarray:
    """Return products x periods of a number, one per product, or one per product and period in either order."""
    if isinstance(value, dict):
        known("a number for each product", value, names)
    cells = [value[n] for n in names] if isinstance(value, dict) else value
    table = np.array(cells, dtype=float)
    if table.ndim == 2 and not isinstance(value, dict) and table.shape[1] == len(names):
        table = table.T  # a row per period
    table = table[:, None] if table.ndim == 1 else table
    if count is None and table.ndim == 2:
        return table
    return np.broadcast_to(table, (len(names), count or 1)).astype(float)


def machine_hours(d: dict, names: list, count: int) -> tuple[list, list, list]:
    """Return machines, hours per unit and hours there are: of one machine with rates, or of several with numbers."""
    if "rate" in d:
        rate = by_product(d["rate"], names, 1)[:, 0]
        return ["hours"], [1 / rate], [spread_out(needed(d, "avail"), count)]
    machines, hours = list(needed(d, "hours")), d["hours"]
    for name in ("avail", "machines"):
        known(name, d.get(name, {}), machines)
    usage = [by_product(hours[m], names, 1)[:, 0] for m in machines]
    if "avail" in d:
        return machines, usage, [spread_out(d["avail"][m], count) for m in machines]
    down = [known("down", away, machines) for away in d.get("down", [{}] * count)]
    if len(down) != count:
        raise Unread(f"down has {len(down)} entries where there are {count} periods")
    there = [[(d["machines"][m] - away.get(m, 0)) * needed(d, "hours_per_month") for away in down] for m in machines]
    return machines, usage, there


def known(what: str, given: dict, names: list) -> dict:
    """Return what is given by name; Unread where a name is not one of those there are."""
    if strange := [str(n) for n in given if n not in names]:
        raise Unread(f"{what} names {', '.join(strange)}, not one of {', '.join(map(str, names))}")
    return given
