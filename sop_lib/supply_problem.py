"""The planning problem of a cycle, assembled from its tables; what had to be assumed is listed with it.

The problem is the labelled Dataset of `supply_model`, per family, month, plant, resource and material.
Resource and material needs are bottom-up: product rates weighted by the demand plan's product mix.
"""

import numpy as np
import pandas as pd
import xarray as xr

from sop_lib import inventory, months
from sop_lib.settings import Planning
from sop_lib.supply_model import FREE, SOURCES
from sop_lib.tables import ALL

__all__ = ["READS", "assumptions", "by_mix", "depth", "label", "problem", "rates", "unit_costs"]

Tables = dict[str, pd.DataFrame]

#: the tables a supply plan is made from; only the first must be there
READS = (
    "demand_plan", "history", "backtest", "products", "prices", "families", "inventory", "backlog", "receipts", "resources",
    "bill_of_resources", "plants", "supply_costs", "materials", "material_receipts", "bill_of_materials", "planned_production",
    "locations", "calendar",
)  # fmt: skip

HOLDING, BACKLOG, LOST = 0.02, 0.10, 1.5  # where a family states none: shares of unit cost, the first two per month
BELOW, EXPECTED_LIFE = 3.0, 1  # price of a unit below target in holding costs; months an order may wait


def depth(tables: Tables) -> str:
    """Return how deep supply can be planned: 'optimum', 'load', 'stock' or 'none', by the tables that have rows."""
    has = {name for name, table in tables.items() if len(table)}
    if {"supply_costs", "plants"} <= has:
        return "optimum"
    if {"resources", "bill_of_resources"} <= has:
        return "load"
    return "stock" if "inventory" in has else "none"


def label(plant: pd.Series, resource: pd.Series) -> pd.Series:
    """Return the name of a resource with its plant."""
    return plant.astype(str) + " · " + resource.astype(str)


def demand_by_product(demand_plan: pd.DataFrame, horizon: pd.DatetimeIndex) -> pd.DataFrame:
    """Return month, family, product, demand: all steps and regions of the plan summed, never below zero."""
    rows = demand_plan[demand_plan["month"].isin(horizon)]
    wanted = rows.groupby(["month", "family", "product"], as_index=False)["quantity"].sum()
    return wanted.assign(demand=wanted["quantity"].clip(lower=0)).drop(columns="quantity")


def rates(bill: pd.DataFrame, products: pd.DataFrame, key: list[str], value: str) -> pd.DataFrame:
    """Return the rate of each product and key: a product's own row, else its family's (`product` = ALL)."""
    own = bill[bill["product"] != ALL][["product", *key, value]]
    whole = bill[bill["product"] == ALL][["family", *key, value]]
    whole = products[["product", "family"]].merge(whole, on="family", how="inner")[["product", *key, value]]
    return pd.concat([own, whole]).drop_duplicates(["product", *key], ignore_index=True)


def by_mix(rate: pd.DataFrame, wanted: pd.DataFrame, key: list[str], value: str) -> pd.DataFrame:
    """Return the rate per key, family and month: product rates weighted by the month's product mix.

    A product without a rate takes nothing. A family without demand in a month has the mix of the whole
    horizon, and without any demand the plain mean.

    >>> wanted = pd.DataFrame({"month": pd.Timestamp("2026-11-01"), "family": "A", "product": ["x", "y"], "demand": [30.0, 10.0]})
    >>> rate = pd.DataFrame({"product": ["x", "y"], "resource": "press", "usage_per_unit": [0.2, 1.0]})
    >>> by_mix(rate, wanted, ["resource"], "usage_per_unit")["usage_per_unit"].round(9).tolist()
    [0.4]
    """
    month, overall = wanted.groupby(["month", "family"])["demand"], wanted.groupby(["family", "product"])["demand"].transform("sum")
    total = overall.groupby([wanted["month"], wanted["family"]]).transform("sum")
    usual = (overall / total).where(total > 0, 1 / month.transform("size"))
    share = (wanted["demand"] / month.transform("sum")).where(month.transform("sum") > 0, usual)
    cells = wanted.assign(share=share).merge(rate, on="product", how="inner")
    cells[value] = cells[value] * cells["share"]
    return cells.groupby([*key, "family", "month"], as_index=False)[value].sum()


def unit_costs(tables: Tables, wanted: pd.DataFrame) -> pd.DataFrame:
    """Return unit cost and price per family in money, products weighted by planned demand; blank where nobody knows.

    Of a product: the latest month of `prices`, else what `products` lists, else what shipped in the last year.
    """
    products, past, names = tables["products"].set_index("product"), tables["history"], ["cost", "price"]
    listed = products[["unit_cost", "unit_price"]].astype(float).set_axis(names, axis=1)
    newest = tables["prices"].groupby(["product", "month"])[names].mean().groupby("product").last()
    year = past[past["month"] > past["month"].max() - pd.DateOffset(months=12)]
    sold = year.groupby("product")[["cost", "revenue", "shipped"]].sum()
    real = sold[["cost", "revenue"]].div(sold["shipped"].where(sold["shipped"] > 0), axis=0).set_axis(names, axis=1)
    money = newest.reindex(listed.index).fillna(listed).fillna(real.where(real > 0))
    weights = wanted.groupby(["family", "product"])["demand"].sum().add(1e-9)
    known = money.reindex(weights.index.get_level_values("product")).set_axis(weights.index)
    weight = known.notna().mul(weights, axis=0)
    return (known * weight).groupby("family").sum() / weight.groupby("family").sum().replace(0.0, np.nan)


def plant_shares(tables: Tables, families: pd.Index) -> pd.DataFrame:
    """Return family, plant, share: where each family is made, by the last year's receipts, else equally.

    The plants of a family are those of `supply_costs`, else of `bill_of_resources`; ALL when nothing names one.
    """
    bill = tables["bill_of_resources"]
    bill = bill.assign(family=bill["family"].where(bill["family"] != ALL, bill["product"].map(_family_of(tables))))
    costs = tables["supply_costs"]
    routes = pd.concat([costs[["family", "plant"]], bill[~bill["family"].isin(costs["family"])][["family", "plant"]]])
    loose = pd.DataFrame({"family": families.difference(routes["family"]), "plant": ALL})
    routes = pd.concat([routes, loose]).drop_duplicates().query("family in @families")
    made = tables["receipts"].query("source == 'made'")
    made = made[made["month"] > made["month"].max() - pd.DateOffset(months=12)]
    made = made.assign(family=made["product"].map(_family_of(tables)))
    made = made.groupby(["family", "plant"], as_index=False)["quantity"].sum()
    shares = routes.merge(made, on=["family", "plant"], how="left", validate="one_to_one").fillna({"quantity": 0.0})
    weight = shares["quantity"].clip(lower=0)
    total = weight.groupby(shares["family"]).transform("sum")
    equal = 1 / shares.groupby("family")["plant"].transform("size")
    shares["share"] = (weight / total).where(total > 0, equal)
    return shares[["family", "plant", "share"]].sort_values(["family", "plant"], ignore_index=True)


def _family_of(tables: Tables) -> pd.Series:
    return tables["products"].set_index("product")["family"]


def assumptions(problem: xr.Dataset) -> list[str]:
    """Return what the problem had to assume, as sentences."""
    return list(problem.attrs["assumptions"])


def _array(table: pd.DataFrame, dims: list[str], value: str, coords: dict, fill: float) -> xr.DataArray:
    """Return a long table as a labelled array; cells without a row hold `fill`; rows of unknown labels fall out."""
    index = pd.MultiIndex.from_product([coords[d] for d in dims], names=dims)
    cells = table.groupby(dims)[value].sum() if len(table) else pd.Series(dtype=float, index=index[:0])
    if len(dims) == 1:
        index = coords[dims[0]]
    flat = cells.reindex(index).astype(float).fillna(fill)
    return xr.DataArray(flat.to_numpy().reshape([len(coords[d]) for d in dims]), {d: coords[d] for d in dims}, dims)


def problem(tables: Tables, horizon: pd.DatetimeIndex, planning: Planning) -> xr.Dataset:
    """Return the supply problem of a cycle, its assumptions in `attrs`, each with the default that stood in.

    What a company does not state is not limited: no resource without `resources`, no people without `plants`.
    """
    wanted, said = demand_by_product(tables["demand_plan"], horizon), []
    families = pd.Index(sorted(wanted["family"].unique()), name="family")
    shares = plant_shares(tables, families)
    plants = pd.Index(sorted({*shares["plant"], *tables["plants"]["plant"], *tables["resources"]["plant"]}), name="plant")
    coords = {"family": families, "plant": plants, "month": horizon, "source": pd.Index(SOURCES, name="source")}
    base = xr.Dataset(coords={k: v for k, v in coords.items()})
    demand = wanted.groupby(["month", "family"], as_index=False)["demand"].sum()
    parts = _stock(tables, wanted, demand, coords, planning, said)
    parts |= _routes(tables, shares, coords, parts["standard_cost"].to_series(), said) | _people(tables, coords, said)
    parts |= _resource_limits(tables, wanted, coords, said) | _material_limits(tables, wanted, coords)
    parts |= _storage(tables, coords) | _fixed(tables, coords, planning, said)
    units = tables["families"]["unit"].unique()
    return base.assign(parts).assign_attrs(
        assumptions=tuple(said), depth=depth(tables), unit=units[0] if len(units) == 1 else ""
    )


def _stock(tables, wanted, demand, coords, planning, said) -> dict:
    families, full = coords["family"], pd.MultiIndex.from_product([coords["month"], coords["family"]])
    every = demand.set_index(["month", "family"]).reindex(full, fill_value=0.0).rename_axis(["month", "family"]).reset_index()
    wished = inventory.targets(every, tables["families"], tables["backtest"], service_level=planning.service_level)
    before = coords["month"][0] - pd.offsets.MonthBegin(1)
    policy = tables["families"].set_index("family").reindex(families)
    money = unit_costs(tables, wanted).reindex(families)
    cost = _stated(money["cost"], pd.Series(1.0, families), "unit cost", "1 per unit", said)
    price = money["price"].where(money["price"] > 0, LOST * cost)
    holding = _stated(policy["holding_cost"], HOLDING * cost, "holding cost", f"{HOLDING:.0%} of unit cost a month", said)
    backlog = _stated(policy["backlog_cost"], BACKLOG * cost, "backlog cost", f"{BACKLOG:.0%} of unit cost a month", said)
    lost = _stated(policy["lost_sale_cost"], price, "lost sale cost", "the price of the unit", said)
    stock, owed = _opening(tables, before, families, wished, said)
    weeks = policy["backlog_weeks"].astype(float).fillna(0.0)
    long = {"family": families, "month": coords["month"]}
    one = {"family": families}
    return {
        "demand": _array(every, ["family", "month"], "demand", long, 0.0),
        "target": _array(wished, ["family", "month"], "target", long, 0.0),
        "opening_stock": xr.DataArray(stock, one), "opening_backlog": xr.DataArray(owed, one),
        "holding_cost": xr.DataArray(holding, one), "backlog_cost": xr.DataArray(backlog, one),
        "lost_cost": xr.DataArray(lost, one), "below_cost": _below_price(holding, cost, coords),
        "backlog_months": xr.DataArray(np.maximum(np.ceil(weeks / 4.33), 1.0), one),
        "safety": _array(wished, ["family", "month"], "safety", long, 0.0), "standard_cost": xr.DataArray(cost, one),
    }  # fmt: skip


def _below_price(holding: pd.Series, cost: pd.Series, coords: dict) -> xr.DataArray:
    """Holding costs of some months; at the end the unit's cost and more, else the plan would end with empty stores."""
    end = xr.DataArray(np.arange(len(coords["month"])) == len(coords["month"]) - 1, {"month": coords["month"]})
    monthly, whole = (xr.DataArray(v, {"family": coords["family"]}) for v in (BELOW * holding, BELOW * holding + LOST * cost))
    return xr.where(end, whole, monthly).transpose("family", "month")


def _stated(given: pd.Series, default: pd.Series, what: str, rule: str, said: list[str]) -> pd.Series:
    absent = given.isna()
    if absent.any():
        said.append(f"No {what} for {', '.join(map(str, given.index[absent]))}: taken as {rule}.")
    return given.astype(float).fillna(default)


def _opening(tables, before, families, wished, said) -> tuple[pd.Series, pd.Series]:
    family_of, found = _family_of(tables), {}
    for name, value in (("inventory", "on_hand"), ("backlog", "quantity")):
        rows = tables[name][tables[name]["month"] <= before]
        last = rows["month"].max()
        if len(rows) and last < before:
            said.append(f"The last month of {name} is {months.month_name(last)}: taken as the opening of the plan.")
        rows = rows[rows["month"] == last]
        found[name] = rows[value].groupby(rows["product"].map(family_of)).sum().reindex(families, fill_value=0.0)
    if not len(tables["inventory"]):
        said.append("No inventory: the opening stock is taken to be at its target.")
        found["inventory"] = wished[wished["month"] == wished["month"].min()].set_index("family")["target"].reindex(families)
    short = found["inventory"][found["inventory"] < 0]
    if len(short):
        said.append(f"Stock of {', '.join(map(str, short.index))} is below zero: taken as owed to customers.")
    return found["inventory"].clip(lower=0), (found["backlog"] + (-found["inventory"]).clip(lower=0)).clip(lower=0)


def _routes(tables, shares, coords, cost, said) -> dict:
    """Return limit, unit cost and labour hours of each family, plant and source."""
    costs, dims = tables["supply_costs"], ["family", "plant"]
    routes = shares.merge(costs, on=dims, how="left", validate="one_to_one")
    bought = routes[routes["make_cost"].isna()]
    if len(costs) and len(bought):
        said.append(f"No route in supply_costs for {', '.join(bought['family'].unique())}: supplied without limit at unit cost.")
    routes["make_cost"] = routes["make_cost"].fillna(routes["family"].map(cost))
    routes["most"] = FREE
    with_overtime = routes["labour_hours_per_unit"].fillna(0) > 0
    with_overtime |= routes["plant"].isin(tables["resources"][tables["resources"]["overtime"].fillna(0) > 0]["plant"])
    outside = routes[routes["subcontract_cost"].notna()]
    limits = [
        _array(routes, dims, "most", coords, 0.0),
        _array(routes[with_overtime], dims, "most", coords, 0.0),
        _array(outside.fillna({"subcontract_max": FREE}), dims, "subcontract_max", coords, 0.0),
    ]
    made, bought_at = _array(routes, dims, "make_cost", coords, 0.0), _array(outside, dims, "subcontract_cost", coords, 0.0)
    known = routes[routes["plant"].isin(tables["plants"]["plant"])]
    if len(known) < len(routes) and len(tables["plants"]):
        said.append("A route of a plant that is not in plants has no people: its hours are not limited.")
    source = coords["source"]
    return {
        "limit": xr.concat(limits, dim=source), "unit_cost": xr.concat([made, made, bought_at], dim=source),
        "labour_hours": _array(known, dims, "labour_hours_per_unit", coords, 0.0),
        "share": _array(shares, dims, "share", coords, 0.0),
    }  # fmt: skip


def _people(tables, coords, said) -> dict:
    horizon, plants = coords["month"], tables["plants"].set_index("plant").reindex(coords["plant"])
    days = pd.DataFrame({p: months.working_days(horizon, tables["calendar"], p) for p in coords["plant"]}).T
    days = xr.DataArray(days.to_numpy(), {"plant": coords["plant"], "month": horizon})
    shift, wage = plants["hours_per_worker_day"].fillna(0.0), plants["wage_per_worker_month"].fillna(0.0)
    hourly = (wage / (shift * days.mean("month").to_series())).replace([np.inf, -np.inf], 0.0).fillna(0.0)
    given = {
        "workers_opening": plants["workers_opening"].fillna(0.0), "workers_max": plants["workers_max"].fillna(FREE),
        "wage": wage, "overtime_per_worker": plants["overtime_max_hours"].fillna(0.0),
        "hiring_cost": plants["hiring_cost"].fillna(0.0), "layoff_cost": plants["layoff_cost"].fillna(0.0),
        "overtime_rate": hourly * (1 + plants["overtime_premium"].fillna(0.0)), "shift": shift,
    }  # fmt: skip
    cells = {name: xr.DataArray(column.astype(float), {"plant": coords["plant"]}) for name, column in given.items()}
    return cells | {"hours_per_worker": cells.pop("shift") * days, "days": days}


def _through(table: pd.DataFrame, key: list[str], values: list[str], horizon: pd.DatetimeIndex, said: list[str]) -> pd.DataFrame:
    """Return the table for every month of the horizon: a month without a row repeats a year before, else the nearest."""
    rows = table.set_index([*key, "month"])[values].unstack(key)
    every = rows.reindex(rows.index.union(horizon))
    filled = every.fillna(every.shift(12)).fillna(every.shift(24)).ffill().bfill()
    gaps = every.reindex(horizon).isna().any(axis=1).sum()
    if gaps:
        said.append(f"Capacity is not given for {gaps} months of the horizon: taken from the year before.")
    return filled.reindex(horizon).rename_axis("month").stack(key, future_stack=True).reset_index()


def _resource_limits(tables, wanted, coords, said) -> dict:
    if not len(tables["resources"]) or not len(tables["bill_of_resources"]):
        return {}
    every = _through(tables["resources"], ["plant", "resource"], ["capacity", "overtime"], coords["month"], said)
    rows = every.assign(resource=label(every["plant"], every["resource"]))
    key, value = ["plant", "resource"], "usage_per_unit"
    usage = by_mix(rates(tables["bill_of_resources"], tables["products"], key, value), wanted, key, value)
    usage = usage.assign(resource=label(usage["plant"], usage["resource"]))
    names = rows.drop_duplicates("resource").sort_values("resource")
    stated = tables["resources"].assign(resource=label(tables["resources"]["plant"], tables["resources"]["resource"]))
    units = stated.groupby("resource")["unit"].last()
    unknown = sorted(set(usage["resource"]) - set(names["resource"]))
    if unknown:
        said.append(f"No capacity given for {', '.join(unknown)}: not limited.")
    inner = coords | {"resource": pd.Index(names["resource"], name="resource")}
    at = {"resource": inner["resource"]}
    return {
        "plant_of": xr.DataArray(names["plant"].to_numpy(dtype=str), at),
        "resource_unit": xr.DataArray(names["resource"].map(units).fillna("").to_numpy(dtype=str), at),
        "usage": _array(usage, ["resource", "family", "month"], "usage_per_unit", inner, 0.0),
        "capacity": _array(rows, ["resource", "month"], "capacity", inner, FREE),
        "capacity_overtime": _array(rows.fillna({"overtime": 0.0}), ["resource", "month"], "overtime", inner, 0.0),
    }


def _material_limits(tables, wanted, coords) -> dict:
    if not len(tables["materials"]) or not len(tables["bill_of_materials"]):
        return {}
    rows = tables["materials"].set_index("material").sort_index()
    names = pd.Index(rows.index, name="material")
    inner, at = coords | {"material": names}, {"material": names}
    rate = rates(tables["bill_of_materials"], tables["products"], ["material"], "quantity_per_unit")
    usage = by_mix(rate, wanted, ["material"], "quantity_per_unit")
    order = xr.DataArray(np.arange(len(coords["month"])), {"month": coords["month"]})
    lead, most = (xr.DataArray(rows[n].astype(float).fillna(FREE), at) for n in ("lead_time_months", "supply_max"))
    return {
        "material_usage": _array(usage, ["material", "family", "month"], "quantity_per_unit", inner, 0.0),
        "material_stock": xr.DataArray(rows["on_hand"], at),
        "material_due": _array(tables["material_receipts"], ["material", "month"], "quantity", inner, 0.0),
        "material_limit": xr.where(order >= lead, most, 0.0).transpose("material", "month"),
        "lead_time": lead,
        "material_price": xr.DataArray(rows["unit_cost"], at),
        "material_holding": xr.DataArray(HOLDING * rows["unit_cost"], at),
    }


def _storage(tables, coords) -> dict:
    space = tables["locations"]["storage"]
    if not len(space) or space.isna().any():
        return {}
    store = pd.Index(["all locations"], name="store")
    most = np.full((1, len(coords["month"])), float(space.sum()))
    return {"storage": xr.DataArray(most, {"store": store, "month": coords["month"]})}


def _fixed(tables, coords, planning, said) -> dict:
    rows = tables["planned_production"]
    firm = rows[rows["firm"].astype(bool) & rows["month"].isin(coords["month"])]
    lost = firm[~firm["family"].isin(coords["family"]) | ~firm["plant"].isin(coords["plant"])]
    if len(lost):
        said.append(f"{len(lost)} firm rows of planned_production name a family or plant that is not planned: left out.")
    year = months.fiscal_year(pd.Series(coords["month"]), planning.fiscal_year_start).to_numpy(dtype=float)
    return {
        "firm": _array(firm, ["family", "plant", "month"], "quantity", coords, np.nan),
        "segment": xr.DataArray(year, {"month": coords["month"]}),
    }
