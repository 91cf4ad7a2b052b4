"""The planning problem of a cycle, assembled from its tables; what had to be assumed is listed with it.

The problem is the labelled Dataset of `supply_model`, per family, month, plant, resource and material.
Resource and material needs are bottom-up: product rates weighted by the demand plan's product mix.
"""

import numpy as np
import pandas as pd
import xarray as xr

from sop_lib import mix, months, policy, rough_cut
from sop_lib.mix import Tables
from sop_lib.policy import TO_ORDER
from sop_lib.settings import Planning
from sop_lib.supply_data import FREE, SOURCES, Strategy, Switches

__all__ = ["READS", "Tables", "assumptions", "depth", "problem", "switches"]

#: the tables a supply plan is made from; only the first must be there
READS = (
    "demand_plan", "history", "backtest", "products", "sales", "prices", "families", "inventory", "backlog", "receipts",
    "resources", "bill_of_resources", "plants", "supply_costs", "materials", "material_receipts",
    "bill_of_materials", "planned_production", "locations", "calendar",
)  # fmt: skip

HOLDING, BACKLOG, LOST = 0.02, 0.10, 1.5  # where a family states none: shares of unit cost, the first two per month
OTHERS = "other customers"
BELOW = 0.8  # price of a unit below target, as a share of a unit owed


def depth(tables: Tables) -> str:
    """Return how deep supply can be planned: 'optimum', 'load', 'stock' or 'none', by the tables that have rows."""
    has = {name for name, table in tables.items() if len(table)}
    if {"supply_costs", "plants"} <= has:
        return "optimum"
    if {"resources", "bill_of_resources"} <= has:
        return "load"
    return "stock" if "inventory" in has else "none"


def switches(planning: Planning, strategy: Strategy = "mixed") -> Switches:
    """Return the rules of the company's plans for a strategy."""
    return Switches(strategy=strategy, objective=planning.objective)


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
    wanted = mix.demand_by_product(tables["demand_plan"], horizon)
    said: list[str] = []
    tables = tables | {"bill_of_resources": _bill(tables, horizon[0], said)}
    families = pd.Index(sorted(wanted["family"].unique()), name="family")
    shares = mix.plant_shares(tables, families)
    plants = pd.Index(
        sorted({*shares["plant"], *tables["plants"]["plant"], *tables["resources"]["plant"]}), name="plant"
    )
    coords = {"family": families, "plant": plants, "month": horizon, "source": pd.Index(SOURCES, name="source")}
    base = xr.Dataset(coords={k: v for k, v in coords.items()})
    demand = _wanted(wanted, said)
    parts = _stock(tables, wanted, demand, coords, planning, said)
    parts |= _routes(tables, shares, coords, parts["standard_cost"].to_series(), said) | _people(tables, coords, said)
    parts |= _resource_limits(tables, wanted, coords, said) | _material_limits(tables, wanted, coords)
    parts["rate_opening"] = _rate_before(tables, coords)
    parts |= _storage(tables, coords) | _fixed(tables, coords, planning, said)
    parts |= _classes(tables, coords, planning, said)
    units = tables["families"]["unit"].unique()
    # the order of rows moves sums by their last digit, and ties of the optimum with it
    parts = {name: cells.round(9) if cells.dtype.kind == "f" else cells for name, cells in parts.items()}
    return base.assign(parts).assign_attrs(
        assumptions=tuple(said), depth=depth(tables), unit=units[0] if len(units) == 1 else ""
    )


def _classes(tables, coords, planning, said) -> dict:
    """Return the shares of customers with a weight of their own, by the last twelve months, and those of the others."""
    weights, sales, first = planning.customer_weights, tables["sales"], coords["month"][0]
    if not weights or not len(sales):
        return {}
    last = sales[sales["month"].between(first - pd.DateOffset(months=12), first - pd.DateOffset(months=1))]
    names = last["customer"].where(last["customer"].isin(list(weights)), OTHERS)
    rows = last.assign(family=last["product"].map(mix.family_of(tables)), customer=names)
    rows["quantity"] = rows["ordered"].fillna(rows["shipped"]).clip(lower=0)
    sums = rows.pivot_table(index="customer", columns="family", values="quantity", aggfunc="sum", fill_value=0.0)
    classes = pd.Index([*sorted(weights), OTHERS], name="class")
    unknown = ", ".join(c for c in classes if c not in sums.index and c != OTHERS)
    if unknown:
        said.append(f"customer_weights names {unknown}, without sales in the last twelve months: no share of demand.")
    whole = sums.reindex(index=classes, columns=coords["family"], fill_value=0.0)
    whole.loc[OTHERS] += (whole.sum() == 0).astype(float)
    share = whole / whole.sum()
    return {
        "class_share": xr.DataArray(share.to_numpy(), {"class": classes, "family": coords["family"]}),
        "class_weight": xr.DataArray([weights.get(c, 1.0) for c in classes], {"class": classes}),
    }


def _wanted(wanted: pd.DataFrame, said: list[str]) -> pd.DataFrame:
    demand = wanted.groupby(["month", "family"], as_index=False)["demand"].sum()
    below = demand[demand["demand"] < 0]
    if len(below):
        said.append(
            f"Demand of {', '.join(below['family'].unique())} is below zero in {len(below)} months: taken as none."
        )
    return demand.assign(demand=demand["demand"].clip(lower=0))


def _bill(tables, first, said) -> pd.DataFrame:
    found = rough_cut.bill(tables, first)
    added = found.iloc[len(tables["bill_of_resources"]) :]
    if len(added):
        names = ", ".join(sorted(mix.label(added["plant"], added["resource"]).unique()))
        said.append(f"No bill of resources for {names}: a unit takes what it took there in the last twelve months.")
    return found


def _stock(tables, wanted, demand, coords, planning, said) -> dict:
    families, full = coords["family"], pd.MultiIndex.from_product([coords["month"], coords["family"]])
    every = (
        demand.set_index(["month", "family"])
        .reindex(full, fill_value=0.0)
        .rename_axis(["month", "family"])
        .reset_index()
    )
    held = policy.monthly(wanted, tables["families"], tables["backtest"], planning)
    wished = policy.targets(every, held, tables["families"])
    before = coords["month"][0] - pd.offsets.MonthBegin(1)
    stated = tables["families"].set_index("family").reindex(families)
    money = _money(mix.unit_costs(tables, wanted).reindex(families), stated, said)
    stock, owed = _opening(tables, before, families, wished, said)
    weeks = stated["backlog_weeks"].astype(float).fillna(0.0)
    long = {"family": families, "month": coords["month"]}
    one = {"family": families}
    return {
        "demand": _array(every, ["family", "month"], "demand", long, 0.0),
        "target": _array(wished, ["family", "month"], "target", long, 0.0),
        "opening_stock": xr.DataArray(stock, one), "opening_backlog": xr.DataArray(owed, one),
        "holding_cost": xr.DataArray(money["holding"], one), "backlog_cost": xr.DataArray(money["backlog"], one),
        "lost_cost": xr.DataArray(money["lost"], one), "below_cost": _below_price(money, coords),
        "backlog_months": xr.DataArray(np.maximum(np.ceil(weeks / 4.33), 1.0), one),
        "safety": _array(wished, ["family", "month"], "safety", long, 0.0),
        "standard_cost": xr.DataArray(money["cost"], one),
        "make_to_order": xr.DataArray(stated["strategy"].isin(TO_ORDER).astype(float), one),
    }  # fmt: skip


def _money(known: pd.DataFrame, policy: pd.DataFrame, said: list[str]) -> dict[str, pd.Series]:
    """Return cost, holding, backlog and lost per family and unit: as stated, else by a rule that is said."""
    cost = _stated(known["cost"], pd.Series(1.0, known.index), "unit cost", "1 per unit", said)
    price, monthly = known["price"].where(known["price"] > 0, LOST * cost), "of unit cost a month"
    return {
        "cost": cost,
        "holding": _stated(policy["holding_cost"], HOLDING * cost, "holding cost", f"{HOLDING:.0%} {monthly}", said),
        "backlog": _stated(policy["backlog_cost"], BACKLOG * cost, "backlog cost", f"{BACKLOG:.0%} {monthly}", said),
        "lost": _stated(policy["lost_sale_cost"], price, "lost sale cost", "the price of the unit", said),
    }


def _below_price(money: dict[str, pd.Series], coords: dict) -> xr.DataArray:
    """Return the price of a unit below target: under what a waiting order costs, so that what is there ships first.

    At the end of the horizon it is what the unit costs and more, else the plan would end with empty stores.
    """
    end = xr.DataArray(np.arange(len(coords["month"])) == len(coords["month"]) - 1, {"month": coords["month"]})
    monthly = BELOW * (money["backlog"] + money["holding"])
    last = np.minimum(LOST * money["cost"], BELOW * (money["lost"] + money["holding"]))
    cells = [xr.DataArray(v, {"family": coords["family"]}) for v in (last, monthly)]
    return xr.where(end, *cells).transpose("family", "month")


def _stated(given: pd.Series, default: pd.Series, what: str, rule: str, said: list[str]) -> pd.Series:
    absent = given.isna()
    if absent.any():
        said.append(f"No {what} for {', '.join(map(str, given.index[absent]))}: taken as {rule}.")
    return given.astype(float).fillna(default)


def _opening(tables, before, families, wished, said) -> tuple[pd.Series, pd.Series]:
    family_of, found = mix.family_of(tables), {}
    for name, value in (("inventory", "on_hand"), ("backlog", "quantity")):
        rows = tables[name][tables[name]["month"] <= before]
        last = rows["month"].max()
        if len(rows) and last < before:
            said.append(f"The last month of {name} is {months.month_name(last)}: taken as the opening of the plan.")
        rows = rows[rows["month"] == last]
        found[name] = rows[value].groupby(rows["product"].map(family_of)).sum().reindex(families, fill_value=0.0)
    if not len(tables["inventory"]):
        said.append("No inventory: the opening stock is taken to be at its target.")
        found["inventory"] = (
            wished[wished["month"] == wished["month"].min()].set_index("family")["target"].reindex(families)
        )
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
        said.append(
            f"No route in supply_costs for {', '.join(bought['family'].unique())}: supplied without limit at unit cost."
        )
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
    made, bought_at = (
        _array(routes, dims, "make_cost", coords, 0.0),
        _array(outside, dims, "subcontract_cost", coords, 0.0),
    )
    known = routes[routes["plant"].isin(tables["plants"]["plant"])]
    if len(known) < len(routes) and len(tables["plants"]):
        said.append("A route of a plant that is not in plants has no people: its hours are not limited.")
    source = coords["source"]
    return {
        "limit": xr.concat(limits, dim=source), "unit_cost": xr.concat([made, made, bought_at], dim=source),
        "labour_hours": _array(known, dims, "labour_hours_per_unit", coords, 0.0),
        "share": _array(shares, dims, "share", coords, 0.0),
        "rate_change_share": _array(routes.fillna({"rate_change_max": FREE}), dims, "rate_change_max", coords, FREE),
        "min_run": _array(routes, dims, "min_run", coords, 0.0), "lot": _array(routes, dims, "lot", coords, 0.0),
    }  # fmt: skip


def _rate_before(tables, coords) -> xr.DataArray:
    """Return what was made per working day in the last closed month, per family and plant; blank where nothing was."""
    closed = coords["month"][:1] - pd.offsets.MonthBegin(1)
    rows = tables["receipts"].query("source == 'made'")
    rows = rows[rows["month"].isin(closed)].assign(family=lambda t: t["product"].map(mix.family_of(tables)))
    made = _array(rows, ["family", "plant"], "quantity", coords, np.nan)
    days = [float(months.working_days(closed, tables["calendar"], p).iloc[0]) for p in coords["plant"]]
    worked = xr.DataArray(days, {"plant": coords["plant"]})
    return (made / worked.where(worked > 0)).clip(min=0)


def _people(tables, coords, said) -> dict:
    horizon, plants = coords["month"], tables["plants"].set_index("plant").reindex(coords["plant"])
    worked = np.array([months.working_days(horizon, tables["calendar"], p).to_numpy() for p in coords["plant"]])
    days = xr.DataArray(worked, {"plant": coords["plant"], "month": horizon})
    shift, wage = plants["hours_per_worker_day"].fillna(0.0), plants["wage_per_worker_month"].fillna(0.0)
    hourly = (wage / (shift * days.mean("month").to_series())).replace([np.inf, -np.inf], 0.0).fillna(0.0)
    given = {
        "workers_opening": plants["workers_opening"].fillna(0.0), "workers_max": plants["workers_max"].fillna(FREE),
        "wage": wage, "overtime_per_worker": plants["overtime_max_hours"].fillna(0.0),
        "hiring_cost": plants["hiring_cost"].fillna(0.0), "layoff_cost": plants["layoff_cost"].fillna(0.0),
        "overtime_rate": hourly * (1 + plants["overtime_premium"].fillna(0.0)), "shift": shift,
    }  # fmt: skip
    cells = {name: xr.DataArray(column.astype(float), {"plant": coords["plant"]}) for name, column in given.items()}
    order = xr.DataArray(np.arange(len(horizon)), {"month": horizon})
    lead, change = (xr.DataArray(plants[n].astype(float), {"plant": coords["plant"]})
                    for n in ("hiring_lead_months", "workers_change_max"))  # fmt: skip
    limits = {
        "hired_max": xr.where(order < lead.fillna(0.0), 0.0, FREE).transpose("plant", "month"),
        "workers_change_max": change.fillna(FREE),
    }
    hours = cells.pop("shift") * days
    return cells | limits | {"hours_per_worker": hours, "days": days}


def _through(
    table: pd.DataFrame, key: list[str], values: list[str], horizon: pd.DatetimeIndex, said: list[str]
) -> pd.DataFrame:
    """Return the table for every month of the horizon; one without a row repeats the year before, else the nearest."""
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
    given = tables["resources"].fillna({"overtime": 0.0})
    every = _through(given, ["plant", "resource"], ["capacity", "overtime"], coords["month"], said)
    rows = every.assign(resource=mix.label(every["plant"], every["resource"]))
    key, value = ["plant", "resource"], "usage_per_unit"
    usage = mix.by_mix(mix.rates(tables["bill_of_resources"], tables["products"], key, value), wanted, key, value)
    usage = usage.assign(resource=mix.label(usage["plant"], usage["resource"]))
    names = rows.drop_duplicates("resource").sort_values("resource")
    stated = tables["resources"].assign(
        resource=mix.label(tables["resources"]["plant"], tables["resources"]["resource"])
    )
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
        "capacity_overtime": _array(rows, ["resource", "month"], "overtime", inner, 0.0),
    }


def _material_limits(tables, wanted, coords) -> dict:
    if not len(tables["materials"]) or not len(tables["bill_of_materials"]):
        return {}
    rows = tables["materials"].set_index("material").sort_index()
    names = pd.Index(rows.index, name="material")
    inner, at = coords | {"material": names}, {"material": names}
    rate = mix.rates(tables["bill_of_materials"], tables["products"], ["material"], "quantity_per_unit")
    usage = mix.by_mix(rate, wanted, ["material"], "quantity_per_unit")
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
        said.append(
            f"{len(lost)} firm rows of planned_production name a family or plant that is not planned: left out."
        )
    year = np.array([months.fiscal_year(m, planning.fiscal_year_start) for m in coords["month"]], dtype=float)
    return {
        "firm": _array(firm, ["family", "plant", "month"], "quantity", coords, np.nan),
        "segment": xr.DataArray(year, {"month": coords["month"]}),
    }
