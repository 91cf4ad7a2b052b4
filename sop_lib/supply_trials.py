"""What rules and limits of the supply plan cost: the best plan again with one of them changed, from the kept model."""

from dataclasses import replace

import numpy as np
import pandas as pd
import xarray as xr

from sop_lib import supply_changes, supply_model, supply_tables
from sop_lib.supply_data import FREE, IN_HOUSE, Switches

__all__ = ["COLUMNS", "KEPT", "trials"]

COLUMNS = [
    "kind", "trial", "finding", "limit", "unit", "cost", "added", "peak_stock", "average_stock", "headcount_change",
    "service",
]  # fmt: skip
STOCK = (0.9, 0.8, 0.7, 0.6, 0.5, 0.4)  # shares of the best plan's peak stock
DEARER = (1.1, 1.2, 1.4, 1.7, 2.0)  # times what hiring and laying off costs
RATE = 0.5  # of a family's mean rate: the most change from month to month that is tried, where settings state none


def trials(problem: xr.Dataset, switches: Switches, fenced: pd.DataFrame | None = None) -> pd.DataFrame:
    """Return one row per plan tried: its cost and what it adds to the best plan, stock, changes of people, service.

    Kind `peak stock`: the stock of all families together may not pass a limit; `headcount change`: hiring and laying
    off weigh more than they cost, or nobody comes or goes; `rule`: a rule more, or one fewer, among them `KEPT`: that
    `fenced`, the rows of the last plan inside the time fence (`supply_changes.inside_fence`), stay. Cost and added
    are money, stock is in the families' unit, else money at standard cost, headcount change in workers hired and laid
    off, service the share of demand served in its month. A trial that breaks a rule by more than the best
    plan does has no row: its limit cannot be kept.
    """
    p, unit = _with_room(supply_model.filled(problem)), problem.attrs.get("unit") or "money"
    kept = supply_model.keep(p, switches)
    base = _seen(p, kept.plan)
    rows = [("base", "the plan as it is", "the best plan", np.nan, unit, kept.plan)]
    rows += _less_stock(p, kept, base["peak_stock"], unit)
    tried = _fewer_changes(p, kept, switches) + _rules(p, kept, switches) + _last_plan(p, kept, fenced)
    rows += [(kind, name, words, np.nan, unit, plan) for kind, name, words, plan in tried]
    seen = [
        dict(zip(COLUMNS[:5], head, strict=True)) | _seen(p, plan)
        for *head, plan in rows
        if not _breaks(plan, kept.plan)
    ]
    table = pd.DataFrame(seen)
    return table.assign(added=table["cost"] - base["cost"])[COLUMNS]


def _with_room(p: xr.Dataset) -> xr.Dataset:
    """Return the problem with a store for everything together, without a limit yet: in units, or at standard cost."""
    weight = xr.ones_like(p["standard_cost"]) if p.attrs.get("unit") else p["standard_cost"]
    names = [*p["store"].values, ROOM]
    volume = np.vstack([p["volume"].values, weight.values[None, :]])
    storage = np.vstack([p["storage"].values, np.full((1, p.sizes["month"]), FREE)])
    rest = p.drop_vars(["volume", "storage", "store"])
    return rest.assign_coords(store=names).assign(
        volume=(("store", "family"), volume), storage=(("store", "month"), storage)
    )


def _stock(p: xr.Dataset, plan: xr.Dataset) -> xr.DataArray:
    return (p["volume"].sel(store=ROOM, drop=True) * plan["stock"]).sum("family")


def _seen(p: xr.Dataset, plan: xr.Dataset) -> dict[str, float]:
    """Return what a trial is judged by; cost at the true prices, whatever the trial took them for."""
    stock, rows = _stock(p, plan), supply_tables.inventory_rows(p, plan)
    late, wanted = supply_tables.late(rows) * _weight(p, rows), rows["demand"] * _weight(p, rows)
    moved = sum(float(plan[n].sum()) for n in ("hired", "laid_off") if n in plan)
    return {
        "cost": _cost(p, plan), "peak_stock": float(stock.max()), "average_stock": float(stock.mean()),
        "headcount_change": moved, "service": 1 - late.sum() / wanted.sum() if wanted.sum() > 0 else np.nan,
    }  # fmt: skip


def _weight(p: xr.Dataset, rows: pd.DataFrame) -> pd.Series | float:
    return 1.0 if p.attrs.get("unit") else rows["family"].map(p["standard_cost"].to_series())


def _cost(p: xr.Dataset, plan: xr.Dataset) -> float:
    """Return the total cost with people at what they really cost."""
    told, changes = plan["cost"].to_series(), {"hired": "hiring_cost", "laid_off": "layoff_cost"}
    weighed = told.index.isin(["hiring", "layoffs"])
    return float(told[~weighed].sum()) + sum(float((p[c] * plan[n]).sum()) for n, c in changes.items() if n in plan)


def _breaks(plan: xr.Dataset, base: xr.Dataset) -> bool:
    """Return whether a plan breaks some rule by more than the best plan does: its limit cannot be kept."""
    own, usual = (x["broken"].to_series() for x in (plan, base))
    return bool((own > usual.reindex(own.index, fill_value=0.0) * (1 + 1e-6) + 1e-3).any())


def _less_stock(p: xr.Dataset, kept: supply_model.Kept, most: float, unit: str) -> list[tuple]:
    """Return plans in which all stock together stays below shares of the best plan's peak."""
    rows = []
    for share in STOCK:
        limit, storage = share * most, p["storage"].copy()
        storage.loc[{"store": ROOM}] = limit
        words = f"all stock together never above {limit:,.0f}, {share:.0%} of its peak"
        plan = supply_model.again(kept, p.assign(storage=storage))
        rows.append(("peak stock", f"{share:.0%}", words, limit, unit, plan))
    return rows


def _fewer_changes(p: xr.Dataset, kept: supply_model.Kept, switches: Switches) -> list[tuple]:
    """Return plans in which hiring and laying off weigh less or more, and one in which nobody comes or goes."""
    if "hired" not in kept.plan or not float(p["workers_opening"].sum()):
        return []
    rows = []
    for times in DEARER:
        dearer = p.assign({n: p[n] * times for n in ("hiring_cost", "layoff_cost")})
        words = f"hiring and laying off weigh {times:g} times what they cost"
        plan = supply_model.again(kept, dearer)
        rows.append(("headcount change", f"weighed {times:g} times", words, plan))
    nobody = supply_model.again(kept, p, replace(switches, hire_layoff=False))
    return [*rows, ("headcount change", "none", "nobody is hired or laid off", nobody)]


def _rules(p: xr.Dataset, kept: supply_model.Kept, switches: Switches) -> list[tuple]:
    """Return the best plan without each rule that holds, and with each that does not."""
    found: dict[str, tuple[str, xr.Dataset, Switches]] = {}
    source, limit = p["source"], p["limit"]
    if (p["firm"] > 0).any():
        found["without firm output"] = (
            "the planner's firm output is free to change",
            p.assign(firm=p["firm"] * np.nan),
            switches,
        )
    if np.isfinite(p["rate_change_share"]).any():
        free = p.assign(rate_change_share=xr.full_like(p["rate_change_share"], FREE))
        found["any change of rate"] = "rates may change without the limit of the settings", free, switches
    else:
        usual = (p["demand"] / p["days"]).mean("month").transpose("family", "plant")
        steady = p.assign(rate_change_max=(RATE * usual).broadcast_like(p["rate_change_max"]))
        words = f"no rate per day changes from month to month by more than {RATE:.0%} of the family's mean demand"
        found["steady rates"] = words, steady, switches
    if switches.level_workforce or not switches.hire_layoff:
        free_people = replace(switches, level_workforce=False, hire_layoff=True)
        found["any change of people"] = "people may be hired and laid off every month", p, free_people
    elif float(p["workers_opening"].sum()):
        found["the same people"] = "the people of the first month stay", p, replace(switches, level_workforce=True)
    for name in ("overtime", "subcontract"):
        if float(limit.sel(source=name).max()) > 0:
            found[f"no {name}"] = f"nothing from {name}", p.assign(limit=limit.where(source != name, 0.0)), switches
    return [("rule", n, words, supply_model.again(kept, q, s)) for n, (words, q, s) in found.items()]


def _last_plan(p: xr.Dataset, kept: supply_model.Kept, fenced: pd.DataFrame | None) -> list[tuple]:
    """Return the best plan that leaves the last one as it was inside the fence, as far as the limits still allow."""
    if fenced is None or fenced.empty:
        return []
    words = "inside the frozen and slushy months every family keeps the rate of the last plan"
    stays = supply_changes.kept_inside_fence(p, kept.plan, fenced)
    plan = supply_model.again(kept, stays)
    lost = float(plan["broken"].sel(rule="firm plan").sum())
    if lost >= supply_changes.NOTICED:
        words += f", but for {lost:,.0f} units that the limits no longer allow"
        own = plan["make"].sel(source=list(IN_HOUSE)).sum("source").transpose(*stays["firm"].dims)
        plan = supply_model.again(kept, stays.assign(firm=own.where(stays["firm"].notnull())))
    return [("rule", KEPT, words, plan)]


ROOM = "all families"
KEPT = "the last plan inside the fence"
