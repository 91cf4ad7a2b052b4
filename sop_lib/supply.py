"""The supply plan: level, chase and mixed side by side, at the depth the inputs allow.

Stock alone gives level and chase by formula; resources add load; plants and supply costs add the optimum.
Every strategy becomes the same tables, whether a formula or the model made it.
"""

import numpy as np
import pandas as pd
import xarray as xr

from sop_lib import supply_changes, supply_model, supply_trials, tables
from sop_lib import supply_tables as told
from sop_lib.settings import Planning
from sop_lib.supply_problem import READS, Tables, depth, problem, switches

__all__ = ["READS", "WRITES", "alarms", "by_class", "by_formula", "comparison", "notes", "plan", "solutions"]

#: the tables a supply plan is written to
WRITES = (
    "supply_plan", "inventory_plan", "people_plan", "resource_load", "material_plan", "shadow_prices",
    "scenario_comparison", "supply_trials", "supply_notes",
)  # fmt: skip


def plan(found: Tables, horizon: pd.DatetimeIndex, planning: Planning, scenario: str = "base") -> Tables:
    """Return the supply tables of a cycle by name (`WRITES`), all strategies; empty when nothing says what supply has.

    `found` holds the tables of `READS`, and may hold the last plan as `previous_supply` (see `supply_changes`): what
    keeping it inside the time fence would cost is then among the trials.
    Balanced per family: opening + supply - shipped = closing.
    """
    if depth(found) == "none" or found["demand_plan"].empty:
        return {name: told.empty(name) for name in WRITES}
    p = supply_model.filled(problem(found, horizon, planning))
    solved, made = solutions(p, planning), told.demonstrated(found, p)
    rows = {
        "supply_plan": told.supply_rows, "inventory_plan": told.inventory_rows, "people_plan": told.people_rows,
        "material_plan": told.material_rows, "shadow_prices": told.price_rows,
        "resource_load": lambda p, solution: told.load_rows(p, solution, made),
    }  # fmt: skip
    out = {name: _stack({s: each(p, solution) for s, solution in solved.items()}, name) for name, each in rows.items()}
    out["scenario_comparison"] = comparison(p, solved, out)
    out["supply_trials"] = _trials(found, p, planning)
    out["supply_notes"] = notes(p, solved)
    return {name: out[name].assign(scenario=scenario) for name in WRITES}


def _trials(found: Tables, p: xr.Dataset, planning: Planning) -> pd.DataFrame:
    if p.attrs["depth"] != "optimum":
        return told.empty("supply_trials")
    last, first = found.get("previous_supply"), pd.Timestamp(p["month"].values[0])
    fenced = None if last is None else supply_changes.inside_fence(last, found["families"], first)
    return supply_trials.trials(p, switches(planning), fenced)


def _stack(parts: dict[str, pd.DataFrame], name: str) -> pd.DataFrame:
    rows = [part.assign(strategy=strategy) for strategy, part in parts.items() if len(part)]
    return pd.concat(rows, ignore_index=True) if rows else told.empty(name)


def solutions(p: xr.Dataset, planning: Planning) -> dict[str, xr.Dataset]:
    """Return the plan of each strategy: by the model where costs are known, else level and chase by formula.

    With the model, each plan holds the range in which its prices hold; minimum needs somebody to subcontract to.
    """
    wanted = planning.strategies
    if p.attrs["depth"] != "optimum":
        return {s: by_formula(p, s) for s in ("level", "chase") if s in wanted} or {"level": by_formula(p, "level")}
    bought = bool((p["limit"].sel(source="subcontract") > 0).any())
    kept = supply_model.keep(p, switches(planning))
    changed = {s: supply_model.change(kept, p, switches(planning, s)) for s in wanted if s != "minimum" or bought}
    return {s: each.plan.assign(supply_model.ranges(each)) for s, each in changed.items()}


def by_formula(p: xr.Dataset, strategy: str) -> xr.Dataset:
    """Return a level or chase plan without limits, in the shape of a solved one.

    level: per segment the smallest rate per working day that never runs out and ends at its target;
    chase: demand plus the change of the target.
    """
    wanted = _level_supply(p) if strategy == "level" else _chase_supply(p)
    regular = xr.DataArray([1.0, 0.0, 0.0], {"source": p["source"]})
    found = {"make": (wanted * p["share"] * regular).transpose(*p["limit"].dims), "lost": xr.zeros_like(p["demand"])}
    net = p["opening_stock"] - p["opening_backlog"] + (wanted - p["demand"]).cumsum("month")
    kinds = {
        "production": (p["standard_cost"] * wanted).sum(), "holding": (p["holding_cost"] * net.clip(min=0)).sum(),
        "backlog": (p["backlog_cost"] * (-net).clip(min=0)).sum(),
        "below target": (p["below_cost"] * (p["target"] - net.clip(min=0)).clip(min=0)).sum(),
    }  # fmt: skip
    cost = xr.DataArray([float(v) for v in kinds.values()], {"kind": pd.Index(list(kinds), name="kind")})
    return xr.Dataset(found | {"cost": cost})


def _chase_supply(p: xr.Dataset) -> xr.DataArray:
    stock = supply_model.chase_stock(p)
    before = stock.shift(month=1).fillna(p["opening_stock"])
    owed = p["opening_backlog"] * (p["month"] == p["month"][0])
    return (p["demand"] + owed + stock - before).clip(min=0).transpose("family", "month")


def _level_supply(p: xr.Dataset) -> xr.DataArray:
    days = (p["days"] * p["share"]).sum("plant") / p["share"].sum("plant")
    have, parts = p["opening_stock"] - p["opening_backlog"], []
    for segment in np.unique(p["segment"]):
        inside = (p["segment"] == segment).values
        demand, worked = p["demand"].isel(month=inside), days.isel(month=inside)
        ends = xr.DataArray(np.arange(inside.sum()) == inside.sum() - 1, {"month": demand["month"]})
        asked = (demand.cumsum("month") - have + p["target"].isel(month=inside) * ends) / worked.cumsum("month")
        parts.append(asked.max("month").clip(min=0) * worked)
        have = have + parts[-1].sum("month") - demand.sum("month")
    return xr.concat(parts, dim="month").transpose("family", "month")


def comparison(p: xr.Dataset, solved: dict[str, xr.Dataset], plans: Tables) -> pd.DataFrame:
    """Return one row per strategy and measure: costs by kind, their total, service, stock, people, the proposed one.

    The total holds what a plan pays and the price of what it fails to serve; `below target` is a price, not money.
    `rules broken` counts the rules a plan had to break, which no total holds. Service is the share of demand served
    in its month, 1 where none is asked; cover the days of mean demand that the average stock lasts, left out where
    there is none.
    """
    best = "mixed" if "mixed" in solved else ("level" if "level" in solved else next(iter(solved)))
    parts = []
    for strategy, found in solved.items():
        rows = {n: t[t["strategy"] == strategy] for n, t in plans.items() if "strategy" in t}
        cells = {
            f"cost: {k}": (float(v), "money") for k, v in zip(found["kind"].values, found["cost"].values, strict=True)
        }
        cells |= {"total cost": (float(found["cost"].sum()), "money")}
        if "broken" in found:
            cells |= {"rules broken": (float((found["broken"] > 0.001).sum()), "rules")}
        cells |= _service_and_stock(p, rows["inventory_plan"]) | _effort(rows["supply_plan"], rows["people_plan"])
        cells |= {"proposed": (float(strategy == best), "flag")}
        parts += [(strategy, measure, value, unit) for measure, (value, unit) in cells.items() if not np.isnan(value)]
    return pd.DataFrame(parts, columns=["strategy", "measure", "value", "unit"])


def _service_and_stock(p: xr.Dataset, rows: pd.DataFrame) -> dict[str, tuple[float, str]]:
    """Units are added where all families share one; else their standard cost."""
    cost = rows["family"].map(p["standard_cost"].to_series())
    weight, unit = (1.0, p.attrs.get("unit", "")) if p.attrs.get("unit") else (cost, "money")
    wanted, missed = (rows["demand"] * weight).sum(), (told.late(rows) * weight).sum()
    stock = (rows["closing"] * weight).groupby(rows["month"]).sum()
    value = (rows["closing"] * cost).groupby(rows["month"]).sum()
    daily = (rows["demand"] * weight).sum() / _days(rows["month"])
    return {
        "service": (1 - missed / wanted if wanted > 0 else 1.0, "rate"), "late": (missed, unit),
        "lost": ((rows["lost"] * weight).sum(), unit),
        "peak stock": (stock.max(), unit), "average stock": (stock.mean(), unit),
        "cover": (stock.mean() / daily if daily > 0 else np.nan, "days"),
        "peak stock value": (value.max(), "money"), "average stock value": (value.mean(), "money"),
    }  # fmt: skip


def _days(month: pd.Series) -> int:
    """Return the days of all months from the first to the last."""
    return (month.max() + pd.offsets.MonthBegin(1) - month.min()).days


def _effort(made: pd.DataFrame, people: pd.DataFrame) -> dict[str, tuple[float, str]]:
    bought = made["quantity"][made["source"] == "subcontract"].sum()
    out = {"subcontract": (bought, "units")}
    if len(people):
        by_month = people.groupby("month")["workers"].sum()
        out |= {"most workers": (by_month.max(), "workers"), "least workers": (by_month.min(), "workers")}
        sums = {"hired": "workers", "laid_off": "workers", "overtime_hours": "hours", "idle_hours": "hours"}
        out |= {name.replace("_", " "): (people[name].sum(), unit) for name, unit in sums.items()}
    return out


def alarms(p: xr.Dataset, found: xr.Dataset) -> list[tuple[str, float, str]]:
    """Return (subject, quantity, sentence) for every rule the plan had to break: the data contradict each other."""
    out = []
    for name, (kind, sentence) in BROKEN.items():
        if name not in found or (name == "idle" and "idle" not in found["broken"]["rule"]):
            continue
        rows = told.frame(found[name], "q").query("q > 0.001")
        members = [d for d in found[name].dims if d != "month"]
        for member, each in rows.groupby(members) if len(rows) else ():
            first = f"{each['month'].min():%b %Y}" if "month" in each else ""
            words = sentence.format(" at ".join(member), units=f"{each['q'].sum():,.0f}", first=first)
            out.append((" · ".join((*member, kind)), each["q"].sum(), words))
    return out + _storage_alarm(found)


def by_class(p: xr.Dataset, found: xr.Dataset) -> list[tuple[str, float, str]]:
    """Return (class, units, sentence) of what each class of customers is never delivered, the lightest first."""
    if "lost_of" not in found:
        return []
    missed = (found["lost_of"] + 0.0).sum(["family", "month"]) + found["backlog_of"].isel(month=-1).sum("family")
    wanted = (p["class_share"] * p["demand"]).sum(["family", "month"])
    order = p["class"].values[np.argsort(p["class_weight"].values, kind="stable")]
    cells = [(str(c), float(missed.sel({"class": c})), float(wanted.sel({"class": c}))) for c in order]
    return [(c, q, f"{c} is not delivered {q:,.0f} of {d:,.0f} units within the plan.") for c, q, d in cells]


def _storage_alarm(found: xr.Dataset) -> list[tuple[str, float, str]]:
    if "storage_over" not in found or not (found["storage_over"] > 0.001).any():
        return []
    over = told.frame(found["storage_over"].sum("store"), "q").query("q > 0.001")
    most, first = over["q"].max(), f"{over['month'].min():%b %Y}"
    return [("storage", most, f"Stock passes what the locations hold by up to {most:,.0f} units, first in {first}.")]


def notes(p: xr.Dataset, solved: dict[str, xr.Dataset]) -> pd.DataFrame:
    """Return what was assumed (strategy ALL), every rule a plan had to break and who goes short, as sentences."""
    rows = [(tables.ALL, "assumption", f"{n:02d}", np.nan, text) for n, text in enumerate(p.attrs["assumptions"], 1)]
    rows += [(s, "alarm", subject, q, text) for s, found in solved.items() for subject, q, text in alarms(p, found)]
    rows += [
        (s, "assumption", "whole numbers", np.nan, WHOLE.format(f.attrs["gap"]))
        for s, f in solved.items()
        if f.attrs.get("whole")
    ]
    rows += [(s, "class", name, q, text) for s, found in solved.items() for name, q, text in by_class(p, found)]
    return pd.DataFrame(rows, columns=["strategy", "kind", "subject", "quantity", "finding"])


WHOLE = "Whole numbers: at most {:.4%} dearer than the best plan."
#: quantity: (kind of alarm, sentence about the member whose rule is broken)
BROKEN = {
    "firm_under": ("below", "{} is planned {units} below its firm plan from {first}: the limits do not allow it."),
    "firm_over": ("above", "{} is planned {units} above its firm plan from {first}: the limits do not allow it."),
    "final_missed": ("final stock", "{} ends {units} units below the stock it must end with: it cannot be made."),
    "rate_over": ("rate change", "{} changes its daily rate by {units} more than allowed, first in {first}."),
    "workers_change_over": ("workers", "{} hires and lays off {units} workers more than allowed, first in {first}."),
    "workers_over": ("most workers", "{} keeps {units} worker-months above its most workers, first in {first}."),
    "workers_missed": ("least workers", "{} lacks {units} worker-months of its least workers, first in {first}."),
    "outages_missed": ("maintenance", "{} misses {units} months of the maintenance it must have."),
    "idle": ("idle", "{} has {units} idle hours, first in {first}, though none are allowed."),
}
