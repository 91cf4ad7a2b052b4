"""Rough-cut capacity from what was measured: the load of closed months, and what a unit took of it."""

import pandas as pd

from sop_lib import mix
from sop_lib.tables import ALL

__all__ = ["best_load", "bill", "bill_load", "by_month", "measured", "overall_factors", "recent"]

YEAR = 12
KEY = ["plant", "resource"]


def measured(resources: pd.DataFrame, before: pd.Timestamp) -> pd.DataFrame:
    """Return load, capacity (in the resource's unit) and utilisation (0-1) per closed month, plant and resource.

    Only where `resources` gives the measured load. Plant ALL is the sum over the plants of a resource that
    share its unit, in the months that all of them have.

    >>> month = pd.Timestamp("2026-01-01")
    >>> found = pd.DataFrame({"month": month, "plant": ["P", "Q"], "resource": "oven", "unit": "hours",
    ...     "capacity": [100.0, 300.0], "load": [90.0, 150.0]})
    >>> measured(found, pd.Timestamp("2026-02-01"))[["plant", "utilisation"]].values.tolist()
    [['ALL', 0.6], ['P', 0.9], ['Q', 0.5]]
    """
    names = ["month", *KEY, "unit", "load", "capacity"]
    rows = resources.loc[(resources["month"] < before) & resources["load"].notna(), names]
    group = rows.groupby(["resource", "unit"])["plant"].transform("nunique")
    shared = rows[group > 1].assign(plants=group, there=1)
    keys = ["month", "resource", "unit", "plants"]
    sums = shared.groupby(keys, as_index=False)[["load", "capacity", "there"]].sum()
    whole = sums[sums["there"] == sums["plants"]].assign(plant=ALL)
    out = pd.concat([part[names] for part in (rows, whole) if len(part)] or [rows], ignore_index=True)
    out["utilisation"] = (out["load"] / out["capacity"]).where(out["capacity"] > 0)
    return out.sort_values(["resource", "month", "plant"], ignore_index=True)


def bill(tables: mix.Tables, before: pd.Timestamp) -> pd.DataFrame:
    """Return `bill_of_resources` with rows for resources whose load is measured and that it does not name.

    What a unit takes: measured load over all units made at the plant, last twelve closed months, alike for every
    family made there; none where these have unlike units. Source: capacity planning using overall factors,
    Vollmann, Berry and Whybark, *Manufacturing Planning and Control Systems*.
    """
    given = tables["bill_of_resources"]
    load = _last(tables["resources"].dropna(subset="load"), before, YEAR)
    load = load[~mix.label(load["plant"], load["resource"]).isin(mix.label(given["plant"], given["resource"]))]
    made = _last(tables["receipts"].query("source == 'made'"), before, YEAR)
    made = made[made["plant"].isin(load["plant"])]
    made = made.assign(family=made["product"].map(mix.family_of(tables)))
    made = made.merge(tables["families"][["family", "unit"]], on="family", how="left", validate="many_to_one")
    units = made.groupby("plant").agg(made=("quantity", "sum"), kinds=("unit", "nunique"))
    units = units[(units["kinds"] <= 1) & (units["made"] > 0)]
    taken = load.groupby(KEY, as_index=False)["load"].sum()
    taken = taken.merge(units, on="plant", how="inner", validate="many_to_one")
    who = made.loc[made["quantity"] > 0, ["plant", "family"]].drop_duplicates()
    rows = taken.merge(who, on="plant", how="inner", validate="many_to_many")
    rows = rows.assign(product=ALL, usage_per_unit=rows["load"] / rows["made"]).sort_values([*KEY, "family"])
    rows = rows[list(given)]
    parts = [part for part in (given, rows) if len(part)]
    return pd.concat(parts, ignore_index=True) if parts else given


def overall_factors(plan: pd.DataFrame, hours: pd.Series, shares: pd.Series) -> pd.DataFrame:
    """Return period, resource and load in hours: all hours of the plan, split as history was (shares of all hours).

    `plan` has period, product and quantity, `hours` the hours of a unit per product, `shares` one number per
    resource. Raises ValueError for a product without hours, or shares that do not add up to 1. Source: capacity
    planning using overall factors, Vollmann, Berry and Whybark, *Manufacturing Planning and Control Systems*.

    >>> plan = pd.DataFrame({"period": 1, "product": ["A", "B"], "quantity": [33, 17]})
    >>> hours, shares = pd.Series({"A": 0.95, "B": 1.85}), pd.Series({"100": 0.603, "200": 0.304, "300": 0.093})
    >>> overall_factors(plan, hours, shares)["load"].round(2).tolist()
    [37.87, 19.09, 5.84]
    """
    if abs(shares.sum() - 1) > 1e-6:
        raise ValueError(f"shares of resources add up to {shares.sum():g}: give shares of all hours, 1 together")
    unknown = sorted(set(plan["product"]) - set(hours.index))
    if unknown:
        raise ValueError(f"no hours per unit for {', '.join(map(str, unknown))}")
    total = (plan["quantity"] * plan["product"].map(hours)).groupby(plan["period"]).sum()
    rows = pd.DataFrame({resource: total * share for resource, share in shares.items()})
    return rows.rename_axis(columns="resource").stack().rename("load").reset_index()


def bill_load(plan: pd.DataFrame, bill: pd.DataFrame) -> pd.DataFrame:
    """Return period, resource and load in the resource's unit: quantity × usage per unit, summed over products.

    `plan` has period, product and quantity, `bill` product, resource and usage_per_unit.

    >>> plan = pd.DataFrame({"period": 1, "product": ["A", "B"], "quantity": [10, 20]})
    >>> bill = pd.DataFrame({"product": ["A", "B"], "resource": "press", "usage_per_unit": [0.5, 0.1]})
    >>> bill_load(plan, bill)["load"].tolist()
    [7.0]
    """
    rows = plan.merge(bill, on="product", how="inner", validate="many_to_many")
    rows = rows.assign(load=rows["quantity"] * rows["usage_per_unit"])
    return rows.groupby(["period", "resource"], as_index=False)["load"].sum()


def best_load(resources: pd.DataFrame, before: pd.Timestamp) -> pd.Series:
    """Return the best three-month mean of each resource's measured load, in its unit, by its name with its plant.

    Of the last three years (`recent`): what a plant could do before it was cut back is no promise.
    """
    rows = recent(resources.dropna(subset="load"), before)
    rows = rows.assign(name=mix.label(rows["plant"], rows["resource"]))
    monthly = rows.pivot_table(index="month", columns="name", values="load", aggfunc="sum").asfreq("MS")
    return monthly.rolling(3).mean().max() if len(monthly) else pd.Series(dtype=float)


def recent(rows: pd.DataFrame, before: pd.Timestamp) -> pd.DataFrame:
    """Return the rows of the last three years before a month: those from which capacity is demonstrated."""
    return _last(rows, before, 3 * YEAR)


def by_month(used: pd.DataFrame, count: int = 12) -> pd.DataFrame:
    """Return utilisation (0-1) with resources as rows and the last `count` closed months as columns, from `measured`.

    >>> used = pd.DataFrame({"month": pd.to_datetime(["2026-01-01"]), "plant": "P", "resource": "oven",
    ...     "utilisation": 0.9})
    >>> by_month(used).values.tolist()
    [['P · oven', 0.9]]
    """
    last = used[used["month"] > used["month"].max() - pd.DateOffset(months=count)] if len(used) else used
    last = last.assign(resource=mix.label(last["plant"], last["resource"]))
    wide = last.pivot(index="resource", columns="month", values="utilisation")
    return wide.reset_index().rename_axis(columns=None)


def _last(rows: pd.DataFrame, before: pd.Timestamp, count: int) -> pd.DataFrame:
    return rows[(rows["month"] < before) & (rows["month"] >= before - pd.DateOffset(months=count))]
