"""The supply plan: level, chase and mixed side by side, at the depth the inputs allow.

Stock alone gives level and chase by formula; resources add load; plants and supply costs add the optimum.
Every strategy becomes the same tables, whether a formula or the model made it.
"""

import numpy as np
import pandas as pd
import xarray as xr

from sop_lib import inventory, supply_model, supply_problem, tables
from sop_lib.settings import Planning
from sop_lib.supply_problem import READS, Tables, depth, problem

__all__ = ["READS", "WRITES", "alarms", "comparison", "first_overload", "headline", "plan", "rates", "solutions"]

#: the tables a supply plan is written to
WRITES = (
    "supply_plan", "inventory_plan", "people_plan", "resource_load", "material_plan", "shadow_prices",
    "scenario_comparison", "supply_notes",
)  # fmt: skip


def plan(found: Tables, horizon: pd.DatetimeIndex, planning: Planning, scenario: str = "base") -> Tables:
    """Return the supply tables of a cycle by name (`WRITES`); empty when there is nothing to plan supply from."""
    if depth(found) == "none" or found["demand_plan"].empty:
        return {name: _empty(name) for name in WRITES}
    p = supply_model.filled(problem(found, horizon, planning))
    solved = solutions(p, planning.strategies)
    made = demonstrated(found, p)
    tell = {
        "supply_plan": _supply, "inventory_plan": _inventory, "people_plan": _people, "material_plan": _materials,
        "resource_load": lambda p, s: _load(p, s, made), "shadow_prices": _prices,
    }  # fmt: skip
    out = {name: _stack({s: f(p, found_plan) for s, found_plan in solved.items()}, name) for name, f in tell.items()}
    out["scenario_comparison"] = comparison(p, solved, out)
    out["supply_notes"] = notes(p, solved)
    return {name: out[name].assign(scenario=scenario) for name in WRITES}


def _empty(name: str) -> pd.DataFrame:
    return pd.DataFrame(columns=[c for c in tables.table(name).names if c != "cycle"])


def _stack(parts: dict[str, pd.DataFrame], name: str) -> pd.DataFrame:
    rows = [part.assign(strategy=strategy) for strategy, part in parts.items() if len(part)]
    return pd.concat(rows, ignore_index=True) if rows else _empty(name)


def solutions(p: xr.Dataset, strategies: tuple[str, ...]) -> dict[str, xr.Dataset]:
    """Return the plan of each strategy: by the model where costs are known, else level and chase by formula."""
    if p.attrs["depth"] == "optimum":
        return {s: supply_model.solve(p, supply_model.Switches(s)) for s in strategies}
    return {s: by_formula(p, s) for s in strategies if s != "mixed"}


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


def _frame(array: xr.DataArray, name: str) -> pd.DataFrame:
    return array.rename(name).to_series().reset_index()


def _supply(p: xr.Dataset, found: xr.Dataset) -> pd.DataFrame:
    rows = _frame(found["make"], "quantity").assign(cost=(found["make"] * p["unit_cost"]).to_series().to_numpy())
    routes = _frame((p["limit"] > 0).any("month"), "open")
    rows = rows.merge(routes[routes["open"]], on=["family", "plant", "source"], how="inner", validate="many_to_one")
    rows["quantity"] = rows["quantity"].clip(lower=0)
    return rows.drop(columns="open")


def _inventory(p: xr.Dataset, found: xr.Dataset) -> pd.DataFrame:
    cells = {"demand": p["demand"], "supply": found["make"].sum(["plant", "source"]), "lost": found["lost"]}
    flows = xr.Dataset(cells | {n: p[n] for n in ("safety", "target")}).to_dataframe().reset_index()
    opening = xr.Dataset({"stock": p["opening_stock"], "backlog": p["opening_backlog"]}).to_dataframe().reset_index()
    rows = inventory.projection(flows, opening).merge(
        flows[["month", "family", "safety", "target"]], on=["month", "family"], how="left", validate="one_to_one"
    )
    return rows.assign(cover_days=inventory.cover_days(rows))


def _people(p: xr.Dataset, found: xr.Dataset) -> pd.DataFrame:
    if "workers" not in found or not (p["workers_opening"] > 0).any():
        return _empty("people_plan")
    hours = {s: (p["labour_hours"] * found["make"].sel(source=s, drop=True)).sum("family") for s in ("regular", "overtime")}
    cost = p["wage"] * found["workers"] + p["hiring_cost"] * found["hired"] + p["layoff_cost"] * found["laid_off"]
    cells = {n: found[n] for n in ("workers", "hired", "laid_off")} | {
        "regular_hours": hours["regular"], "overtime_hours": hours["overtime"], "working_days": p["days"],
        "idle_hours": found["workers"] * p["hours_per_worker"] - hours["regular"],
        "cost": cost + p["overtime_rate"] * hours["overtime"],
    }  # fmt: skip
    rows = xr.Dataset(cells).to_dataframe().reset_index()
    rows["idle_hours"] = rows["idle_hours"].clip(lower=0).round(3)
    employing = p["plant"].values[(p["hours_per_worker"] > 0).any("month").values]
    return rows[rows["plant"].isin(employing)]


def _in_house(found: xr.Dataset) -> xr.DataArray:
    return found["make"].sel(source=["regular", "overtime"]).sum("source")


def _needs(p: xr.Dataset, made: xr.DataArray) -> xr.DataArray:
    """Return the load of each resource and month when `made` (family, plant, month) is made."""
    return (p["usage"] * made.sel(plant=p["plant_of"].astype(str))).sum("family")


def _load(p: xr.Dataset, found: xr.Dataset, made: pd.Series) -> pd.DataFrame:
    if not p.sizes["resource"]:
        return _empty("resource_load")
    cells = {
        "unit": p["resource_unit"], "plant": p["plant_of"], "load": _needs(p, _in_house(found)), "capacity": p["capacity"],
        "overtime": p["capacity_overtime"], "unconstrained": _needs(p, p["demand"] * p["share"]),
    }  # fmt: skip
    rows = xr.Dataset({n: c.drop_vars("plant", errors="ignore") for n, c in cells.items()}).to_dataframe().reset_index()
    rows["demonstrated"] = rows["resource"].map(made)
    rows["utilisation"] = (rows["load"] / rows["capacity"]).where(rows["capacity"] > 0)
    rows["resource"] = [name.removeprefix(f"{plant} · ") for name, plant in zip(rows["resource"], rows["plant"], strict=True)]
    return rows[np.isfinite(rows["capacity"])]


def demonstrated(found: Tables, p: xr.Dataset) -> pd.Series:
    """Return the best three-month mean of each resource's load in history, by what was made there; in its unit."""
    made = found["receipts"].query("source == 'made'")
    if made.empty or not p.sizes["resource"]:
        return pd.Series(dtype=float)
    rate = supply_problem.rates(found["bill_of_resources"], found["products"], ["plant", "resource"], "usage_per_unit")
    rows = made.groupby(["month", "product", "plant"], as_index=False)["quantity"].sum().merge(
        rate, on=["product", "plant"], how="inner")  # fmt: skip
    rows = rows.assign(load=rows["quantity"] * rows["usage_per_unit"], name=supply_problem.label(rows["plant"], rows["resource"]))
    monthly = rows.pivot_table(index="month", columns="name", values="load", aggfunc="sum").asfreq("MS").fillna(0.0)
    return monthly.rolling(3, min_periods=1).mean().max()


def _materials(p: xr.Dataset, found: xr.Dataset) -> pd.DataFrame:
    if "arrivals" not in found:
        return _empty("material_plan")
    used = (p["material_usage"] * _in_house(found).sum("plant")).sum("family")
    closing, come = found["material_stock"], p["material_due"] + found["arrivals"]
    order = np.arange(p.sizes["month"])
    ahead = {m: found["arrivals"].sel(material=m).shift(month=-int(p["lead_time"].sel(material=m))) for m in p["material"].values}
    ordered = xr.concat(list(ahead.values()), dim=p["material"]).fillna(0.0) if len(order) else found["arrivals"]
    cells = {
        "opening": closing.shift(month=1).fillna(p["material_stock"]), "receipts": come, "ordered": ordered,
        "used": used, "closing": closing, "cost": ordered * p["material_price"],
    }  # fmt: skip
    return xr.Dataset(cells).to_dataframe().reset_index()


#: limit: (words, dimension that names it, what one more is called)
LIMITS = {
    "capacity": ("capacity of resource", "resource", "resource unit"),
    "regular_hours": ("regular hours", "plant", "hour"),
    "overtime_hours": ("overtime hours", "plant", "hour"),
    "material": ("material", "material", "material unit"),
    "storage": ("storage", "store", "unit"),
}


def _prices(p: xr.Dataset, found: xr.Dataset) -> pd.DataFrame:
    parts = []
    for name, (words, dim, unit) in LIMITS.items():
        if f"price_{name}" not in found:
            continue
        price = found[f"price_{name}"] + (found["price_capacity_overtime"] if name == "capacity" else 0.0)
        rows = _frame(price.drop_vars([c for c in price.coords if c not in price.dims]), "price").rename(columns={dim: "subject"})
        parts.append(rows[rows["price"] > 1e-6].assign(constraint=words, unit=f"per {unit}"))
    return pd.concat(parts, ignore_index=True) if parts else _empty("shadow_prices")


def late(inventory_plan: pd.DataFrame) -> pd.Series:
    """Return, of each row's demand, the units not served in their month: owed at its end or lost."""
    return (inventory_plan["backlog"] + inventory_plan["lost"]).clip(upper=inventory_plan["demand"])


def comparison(p: xr.Dataset, solved: dict[str, xr.Dataset], plans: Tables) -> pd.DataFrame:
    """Return one row per strategy and measure: costs by kind and their total, service, stock, people, and which is proposed.

    The total holds what a plan pays and the price of what it fails to serve; `below target` and broken
    rules are prices, not money. Service is the share of demand served in its month.
    """
    best = "mixed" if "mixed" in solved else ("level" if "level" in solved else next(iter(solved)))
    parts = []
    for strategy, found in solved.items():
        rows = {n: t[t["strategy"] == strategy] for n, t in plans.items() if "strategy" in t}
        told = {f"cost: {k}": (float(v), "money") for k, v in zip(found["kind"].values, found["cost"].values, strict=True)}
        told |= {"total cost": (float(found["cost"].sum()), "money")}
        told |= _service_and_stock(p, rows["inventory_plan"]) | _effort(rows["supply_plan"], rows["people_plan"])
        told |= {"proposed": (float(strategy == best), "flag")}
        parts.append(pd.DataFrame([(strategy, m, v, u) for m, (v, u) in told.items()], columns=["strategy", "measure", "value", "unit"]))
    return pd.concat(parts, ignore_index=True)


def _service_and_stock(p: xr.Dataset, rows: pd.DataFrame) -> dict[str, tuple[float, str]]:
    """Units are added where all families share one; else their standard cost."""
    cost = rows["family"].map(p["standard_cost"].to_series())
    weight, unit = (1.0, p.attrs.get("unit", "")) if p.attrs.get("unit") else (cost, "money")
    wanted, missed = (rows["demand"] * weight).sum(), (late(rows) * weight).sum()
    stock = (rows["closing"] * weight).groupby(rows["month"]).sum()
    value = (rows["closing"] * cost).groupby(rows["month"]).sum()
    return {
        "service": (1 - missed / wanted if wanted > 0 else np.nan, "rate"), "late": (missed, unit),
        "lost": ((rows["lost"] * weight).sum(), unit), "peak stock": (stock.max(), unit), "average stock": (stock.mean(), unit),
        "peak stock value": (value.max(), "money"), "average stock value": (value.mean(), "money"),
    }  # fmt: skip


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
    """Return (subject, quantity, sentence) for every rule that the plan had to break: the data contradict each other."""
    told = []
    for name, words in (("firm_under", "below"), ("firm_over", "above")):
        cells = _frame(found[name], "q").query("q > 0.001") if name in found else pd.DataFrame()
        for (family, plant), rows in cells.groupby(["family", "plant"]) if len(cells) else ():
            q, first = rows["q"].sum(), rows["month"].min()
            told.append((f"{family} · {plant}", q, f"{family} at {plant} is planned {q:,.0f} {words} its firm plan from {first:%b %Y}: limits do not allow it."))
    over = _frame(found["storage_over"].sum("store"), "q").query("q > 0.001") if "storage_over" in found else pd.DataFrame()
    if len(over):
        told.append(("storage", over["q"].max(), f"Stock passes storage by up to {over['q'].max():,.0f} from {over['month'].min():%b %Y}."))
    return told


def notes(p: xr.Dataset, solved: dict[str, xr.Dataset]) -> pd.DataFrame:
    """Return what was assumed (strategy ALL) and every rule a plan had to break, as sentences."""
    rows = [(tables.ALL, "assumption", f"{n:02d}", np.nan, text) for n, text in enumerate(p.attrs["assumptions"], 1)]
    rows += [(s, "alarm", subject, q, text) for s, found in solved.items() for subject, q, text in alarms(p, found)]
    return pd.DataFrame(rows, columns=["strategy", "kind", "subject", "quantity", "finding"])
