"""What the tables that supply is planned from say about each other: findings that do not stop the run.

A check reads the tables of a cycle and returns rows of `data_issues`, as in `checks`. Numbers below zero or missing,
and families and materials that nobody knows, are refused where they are read.
"""

from collections.abc import Callable

import pandas as pd

from sop_lib.checks import issue
from sop_lib.mapping import listed

__all__ = ["CHECKS"]


def capacity_missing(tables: dict[str, pd.DataFrame], horizon: pd.DatetimeIndex) -> list[dict]:
    """Find resources without capacity in months of the plan, or used by products and given no capacity at all."""
    resources, found, remedy = tables["resources"], [], "give capacity for every month of the plan"
    known = resources[resources["month"].isin(horizon)].groupby(["plant", "resource"])["month"].nunique()
    wanted = pd.concat([resources, tables["bill_of_resources"]])[["plant", "resource"]].drop_duplicates()
    for plant, resource in wanted.sort_values(["plant", "resource"]).itertuples(index=False) if len(resources) else ():
        short = len(horizon) - int(known.get((plant, resource), 0))
        given = resources["plant"].eq(plant) & resources["resource"].eq(resource)
        effect = "the plan takes that of the year before" if given.any() else "it sets no limit there"
        text = f"{resource} in {plant} has no capacity in {short} of {len(horizon)} months: {effect}."
        subject = f"{plant} · {resource}"
        found += [issue("capacity_missing", "resources", subject, text, remedy, rows=short)] if short else []
    return found


def material_without_supply(tables: dict[str, pd.DataFrame], horizon: pd.DatetimeIndex) -> list[dict]:
    """Find materials that products need, with nothing in stock, on order or to be had."""
    stock = tables["materials"].set_index("material")
    needed = sorted(set(tables["bill_of_materials"]["material"]) - set(tables["material_receipts"]["material"]))
    dry = [m for m in needed if stock.loc[m, "on_hand"] == 0 and stock.loc[m, "supply_max"] == 0]
    text = f"Nobody supplies {listed(dry)}: what needs it cannot be made."
    remedy = "give supply_max, or what is on order"
    return [issue("material_without_supply", "materials", listed(dry), text, remedy, rows=len(dry))] if dry else []


def plant_left_out(tables: dict[str, pd.DataFrame], horizon: pd.DatetimeIndex) -> list[dict]:
    """Find plants that make something and have no people."""
    plants = set(tables["plants"]["plant"])
    out = sorted(set(tables["supply_costs"]["plant"]) - plants) if plants else []
    text = f"Not in plants, though they make products: {listed(out)}; no people plan for them."
    return [issue("plant_left_out", "plants", listed(out), text, "add them to plants", rows=len(out))] if out else []


def lead_time_beyond(tables: dict[str, pd.DataFrame], horizon: pd.DatetimeIndex) -> list[dict]:
    """Find materials whose orders, placed now, arrive after the plan ends."""
    rows = tables["materials"]
    late = sorted(rows.loc[rows["lead_time_months"] >= len(horizon), "material"])
    text = f"Ordered now, {listed(late)} comes after the {len(horizon)} months of the plan: stock and receipts must do."
    remedy = "check lead_time_months, which counts months"
    return [issue("lead_time_beyond", "materials", listed(late), text, remedy, rows=len(late))] if late else []


def frozen_beyond_history(tables: dict[str, pd.DataFrame], horizon: pd.DatetimeIndex) -> list[dict]:
    """Find families that are frozen for longer than sales go back."""
    rows, first = tables["families"], tables["sales"]["month"].min()
    age = len(pd.date_range(first, horizon[0], freq="MS", inclusive="left")) if len(tables["sales"]) else 0
    long = sorted(rows.loc[rows["frozen_months"] >= max(age, 1), "family"])
    text = f"Frozen for as long as the {age} months that sales go back, or longer: {listed(long)}. No error of so many "
    text += "months was ever seen: safety stock takes that of the longest span tested, in proportion."
    remedy = "check frozen_months, which counts months"
    found = {"rows": len(long)}
    return [issue("frozen_beyond_history", "families", listed(long), text, remedy, **found)] if long else []


def resource_units(tables: dict[str, pd.DataFrame], horizon: pd.DatetimeIndex) -> list[dict]:
    """Find resources whose capacity is given in more than one unit."""
    found = []
    for (plant, resource), rows in tables["resources"].groupby(["plant", "resource"]):
        units = rows["unit"].dropna().unique()
        text = f"Capacity of {resource} in {plant} is given in {listed(units)}: taken as one unit, as it stands."
        number = int((rows["unit"] != rows["unit"].mode().iloc[0]).sum()) if len(units) else 0
        remedy = "give all its months in the unit of bill_of_resources"
        subject = f"{plant} · {resource}"
        found += [issue("resource_units", "resources", subject, text, remedy, rows=number)] if len(units) > 1 else []
    return found


def plan_without_route(tables: dict[str, pd.DataFrame], horizon: pd.DatetimeIndex) -> list[dict]:
    """Find rates that the planner fixed where supply costs name no route."""
    rows, routes = tables["planned_production"], tables["supply_costs"][["family", "plant"]]
    ahead = rows[rows["month"].isin(horizon)].merge(routes, on=["family", "plant"], how="left", indicator=True)
    lost = ahead[ahead["_merge"] == "left_only"]
    names = listed((lost["family"] + " in " + lost["plant"]).unique())
    text = f"Planned production of {names} has no route in supply_costs: what is firm cannot be made there."
    remedy = "add the route to supply_costs, or correct family and plant"
    found = {"rows": len(lost), "quantity": lost["quantity"].sum()}
    hit = len(lost) and len(routes)
    return [issue("plan_without_route", "planned_production", names, text, remedy, **found)] if hit else []


def stock_negative(tables: dict[str, pd.DataFrame], horizon: pd.DatetimeIndex) -> list[dict]:
    """Find products whose stock at the last close is below zero."""
    inventory, closed = tables["inventory"], horizon[0] - pd.offsets.MonthBegin(1)
    rows = inventory[(inventory["month"] == closed) & (inventory["on_hand"] < 0)]
    names = listed(rows["product"].unique())
    text = f"Stock in {closed:%Y-%m} is below zero: {names}; it lowers the stock of its family, below zero it is owed."
    found = {"rows": len(rows), "quantity": rows["on_hand"].sum()}
    remedy = "correct the count, or book what was shipped"
    return [issue("stock_negative", "inventory", names, text, remedy, **found)] if len(rows) else []


def stock_without_cost(tables: dict[str, pd.DataFrame], horizon: pd.DatetimeIndex) -> list[dict]:
    """Find products in stock at the last close whose unit cost no table says."""
    inventory, sales, products = tables["inventory"], tables["sales"], tables["products"]
    past = inventory[inventory["month"] < horizon[0]]
    held = past[["on_hand", "blocked", "in_transit"]].astype(float).fillna(0.0).sum(axis=1)
    last = past.assign(held=held)[past["month"].eq(past["month"].max()) & held.ne(0)]
    costed = sales[sales["cost"].notna() & (sales["month"] < horizon[0])]
    listed_cost = products.dropna(subset="unit_cost")["product"]
    rows = last[~last["product"].isin({*listed_cost, *tables["prices"]["product"], *costed["product"]})]
    names = listed(rows["product"].unique())
    text = f"Nobody says what a unit of {names} costs: the stock of it counts in units, and has no value."
    found = {"rows": len(rows), "quantity": rows["held"].sum()}
    remedy = "give unit_cost in products, or prices"
    return [issue("stock_without_cost", "inventory", names, text, remedy, **found)] if len(rows) else []


def hours_missing(tables: dict[str, pd.DataFrame], horizon: pd.DatetimeIndex) -> list[dict]:
    """Find routes of plants with people that say no hours per unit."""
    costs, plants = tables["supply_costs"], set(tables["plants"]["plant"])
    rows = costs[costs["labour_hours_per_unit"].isna() & costs["plant"].isin(plants)]
    names = listed(rows["family"] + " in " + rows["plant"])
    text = f"No labour hours per unit for {names}: people do not limit them and their wages are not counted."
    remedy = "give labour_hours_per_unit, 0 where nobody works on it"
    return [issue("hours_missing", "supply_costs", names, text, remedy, rows=len(rows))] if len(rows) else []


def storage_missing(tables: dict[str, pd.DataFrame], horizon: pd.DatetimeIndex) -> list[dict]:
    """Find locations without storage where others have one: the limit is off for all."""
    rows = tables["locations"]
    bare = sorted(rows.loc[rows["storage"].isna(), "location"])
    text = f"No storage given for {listed(bare)}: stock is not limited anywhere."
    remedy = "give storage for every location"
    hit = bare and rows["storage"].notna().any()
    return [issue("storage_missing", "locations", listed(bare), text, remedy, rows=len(bare))] if hit else []


CHECKS: dict[str, Callable[[dict[str, pd.DataFrame], pd.DatetimeIndex], list[dict]]] = {
    "capacity_missing": capacity_missing,
    "resource_units": resource_units,
    "material_without_supply": material_without_supply,
    "lead_time_beyond": lead_time_beyond,
    "frozen_beyond_history": frozen_beyond_history,
    "plant_left_out": plant_left_out,
    "hours_missing": hours_missing,
    "plan_without_route": plan_without_route,
    "stock_negative": stock_negative,
    "stock_without_cost": stock_without_cost,
    "storage_missing": storage_missing,
}
