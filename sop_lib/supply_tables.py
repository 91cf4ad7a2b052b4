"""A solved plan as tables: what is made, held, staffed, loaded and bought, and what one more of each limit is worth."""

import numpy as np
import pandas as pd
import xarray as xr

from sop_lib import inventory, mix, rough_cut, tables
from sop_lib.mix import Tables

__all__ = [
    "LIMITS",
    "WEEKS",
    "backlog_weeks",
    "demonstrated",
    "empty",
    "frame",
    "inventory_rows",
    "late",
    "late_units",
    "load_rows",
    "material_rows",
    "people_rows",
    "price_rows",
    "supply_rows",
]


WEEKS = 52 / 12  # in a month


def empty(name: str) -> pd.DataFrame:
    """Return a plan table without rows, with all its columns but the cycle."""
    return pd.DataFrame(columns=[c for c in tables.table(name).names if c != "cycle"])


def frame(array: xr.DataArray, name: str) -> pd.DataFrame:
    """Return a labelled array as a long table."""
    return array.rename(name).to_series().reset_index()


def supply_rows(p: xr.Dataset, found: xr.Dataset) -> pd.DataFrame:
    """Return units and direct cost per month, family, plant and source; every open route has every month."""
    rows = frame(found["make"], "quantity").assign(cost=(found["make"] * p["unit_cost"]).to_series().to_numpy())
    routes = frame((p["limit"] > 0).any("month"), "open")
    rows = rows.merge(routes[routes["open"]], on=["family", "plant", "source"], how="inner", validate="many_to_one")
    rows["quantity"] = rows["quantity"].clip(lower=0)
    return rows.drop(columns="open")


def inventory_rows(p: xr.Dataset, found: xr.Dataset) -> pd.DataFrame:
    """Return the projection of stock and backlog per month and family, with target and days of cover."""
    cells = {"demand": p["demand"], "supply": found["make"].sum(["plant", "source"]), "lost": found["lost"]}
    flows = xr.Dataset(cells | {n: p[n] for n in ("safety", "target")}).to_dataframe().reset_index()
    opening = xr.Dataset({"stock": p["opening_stock"], "backlog": p["opening_backlog"]}).to_dataframe().reset_index()
    rows = inventory.projection(flows, opening).merge(
        flows[["month", "family", "safety", "target"]], on=["month", "family"], how="left", validate="one_to_one"
    )
    return rows.assign(cover_days=inventory.cover_days(rows), backlog_weeks=backlog_weeks(rows))


def backlog_weeks(rows: pd.DataFrame) -> pd.Series:
    """Return the weeks that each closing backlog takes at the mean rate shipped in the three months after it.

    At the end of the plan, at that of its last three months; blank where nothing ships. `rows` has month, family,
    shipped and backlog.

    >>> rows = pd.DataFrame({"month": pd.date_range("2026-11-01", periods=4, freq="MS"), "family": "A",
    ...     "shipped": [0.0, 52.0, 52.0, 52.0], "backlog": [12.0, 24.0, 0.0, 0.0]})
    >>> backlog_weeks(rows).tolist()
    [1.0, 2.0, 0.0, 0.0]
    """
    shipped = rows.pivot(index="month", columns="family", values="shipped").sort_index()
    rate = shipped.rolling(3).mean().shift(-3).fillna(shipped.tail(3).mean()) / WEEKS
    each = rate.stack().rename("rate").reset_index()
    weekly = rows[["month", "family"]].merge(each, on=["month", "family"], how="left", validate="1:1")["rate"]
    return rows["backlog"] / weekly.where(weekly > 0).set_axis(rows.index)


def people_rows(p: xr.Dataset, found: xr.Dataset) -> pd.DataFrame:
    """Return heads, hours and cost per month and plant; cost is wages, overtime, hiring and layoffs."""
    if "workers" not in found or not (p["workers_opening"] > 0).any():
        return empty("people_plan")
    hours = {
        s: (p["labour_hours"] * found["make"].sel(source=s, drop=True)).sum("family") for s in ("regular", "overtime")
    }
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


def load_rows(p: xr.Dataset, found: xr.Dataset, made: pd.Series) -> pd.DataFrame:
    """Return load and capacity per month and resource, and the load if demand were made in its month."""
    if not p.sizes["resource"]:
        return empty("resource_load")
    cells = {
        "unit": p["resource_unit"], "plant": p["plant_of"], "load": _needs(p, _in_house(found)),
        "capacity": p["capacity"], "overtime": p["capacity_overtime"],
        "unconstrained": _needs(p, p["demand"] * p["share"]),
    }  # fmt: skip
    rows = xr.Dataset({n: c.drop_vars("plant", errors="ignore") for n, c in cells.items()}).to_dataframe().reset_index()
    rows["demonstrated"] = rows["resource"].map(made)
    rows["utilisation"] = (rows["load"] / rows["capacity"]).where(rows["capacity"] > 0)
    rows["resource"] = [
        name.removeprefix(f"{plant} · ") for name, plant in zip(rows["resource"], rows["plant"], strict=True)
    ]
    return rows[np.isfinite(rows["capacity"])]


def demonstrated(found: Tables, p: xr.Dataset) -> pd.Series:
    """Return the best three-month mean of each resource's load, in its unit: as measured, else by what was made."""
    best = rough_cut.best_load(found["resources"], pd.Timestamp(p["month"].values[0]))
    return best.combine_first(_by_output(found, p)) if len(best) else _by_output(found, p)


def _by_output(found: Tables, p: xr.Dataset) -> pd.Series:
    made = rough_cut.recent(found["receipts"].query("source == 'made'"), pd.Timestamp(p["month"].values[0]))
    if made.empty or not p.sizes["resource"]:
        return pd.Series(dtype=float)
    rate = mix.rates(found["bill_of_resources"], found["products"], ["plant", "resource"], "usage_per_unit")
    rows = made.groupby(["month", "product", "plant"], as_index=False)["quantity"].sum().merge(
        rate, on=["product", "plant"], how="inner")  # fmt: skip
    rows = rows.assign(load=rows["quantity"] * rows["usage_per_unit"], name=mix.label(rows["plant"], rows["resource"]))
    monthly = rows.pivot_table(index="month", columns="name", values="load", aggfunc="sum").asfreq("MS").fillna(0.0)
    return monthly.rolling(min(3, len(monthly))).mean().max()


def material_rows(p: xr.Dataset, found: xr.Dataset) -> pd.DataFrame:
    """Return the balance of each material per month; `ordered` stands in the month of order, its cost too."""
    if "arrivals" not in found:
        return empty("material_plan")
    used = (p["material_usage"] * _in_house(found).sum("plant")).sum("family")
    closing, come = found["material_stock"], p["material_due"] + found["arrivals"]
    order = np.arange(p.sizes["month"])
    ahead = {
        m: found["arrivals"].sel(material=m).shift(month=-int(p["lead_time"].sel(material=m)))
        for m in p["material"].values
    }
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


def price_rows(p: xr.Dataset, found: xr.Dataset) -> pd.DataFrame:
    """Return what one more unit of each limit would save per month, where it would save anything.

    `low` and `high` are the values of the limit between which the price holds, where the plan states them.
    """
    parts = []
    for name, (words, dim, unit) in LIMITS.items():
        if f"price_{name}" not in found:
            continue
        price = found[f"price_{name}"] + (found["price_capacity_overtime"] if name == "capacity" else 0.0)
        blank = xr.full_like(price, np.nan)
        cells = {"price": price} | {side: found.get(f"{side}_{name}", blank) for side in ("low", "high")}
        rows = xr.Dataset({n: c.drop_vars([x for x in c.coords if x not in c.dims]) for n, c in cells.items()})
        long = rows.to_dataframe().reset_index().rename(columns={dim: "subject"})
        each = long["subject"].map(p["resource_unit"].to_series().str.removesuffix("s")) if name == "capacity" else unit
        parts.append(long.assign(constraint=words, unit=each).query("price > 1e-6"))
    every = pd.concat(parts, ignore_index=True) if parts else empty("shadow_prices")
    return every.assign(high=every["high"].replace(np.inf, np.nan))


def late_units(p: xr.Dataset, found: xr.Dataset) -> xr.DataArray:
    """Return `late` of a plan's `inventory_rows` per family and month, without making the rows."""
    change = (found["make"].sum(["plant", "source"]) + found["lost"] - p["demand"]).transpose("family", "month")
    net = (p["opening_stock"] - p["opening_backlog"] + change.cumsum("month")).round(6)
    unserved = (-net).clip(min=0) + found["lost"]
    return xr.where(unserved > p["demand"], p["demand"], unserved).transpose("family", "month")


def late(inventory_plan: pd.DataFrame) -> pd.Series:
    """Return, of each row's demand, the units not served in their month: owed at its end or lost."""
    return (inventory_plan["backlog"] + inventory_plan["lost"]).clip(upper=inventory_plan["demand"])
