"""Volume into mix: what a family's unit needs, costs and where it is made, weighted by the products in the plan."""

import numpy as np
import pandas as pd

from sop_lib.history import units_sold
from sop_lib.tables import ALL

__all__ = ["by_mix", "demand_by_product", "family_of", "label", "plant_shares", "rates", "unit_costs"]

Tables = dict[str, pd.DataFrame]


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

    >>> wanted = pd.DataFrame({"month": pd.Timestamp("2026-11-01"), "family": "A",
    ...     "product": ["x", "y"], "demand": [30.0, 10.0]})
    >>> rate = pd.DataFrame({"product": ["x", "y"], "resource": "press", "usage_per_unit": [0.2, 1.0]})
    >>> by_mix(rate, wanted, ["resource"], "usage_per_unit")["usage_per_unit"].round(9).tolist()
    [0.4]
    """
    month, overall = (
        wanted.groupby(["month", "family"])["demand"],
        wanted.groupby(["family", "product"])["demand"].transform("sum"),
    )
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
    units = units_sold(year)
    sold = year[["cost", "revenue"]].notna().mul(units, axis=0).groupby(year["product"]).sum()
    real = (year.groupby("product")[["cost", "revenue"]].sum() / sold.where(sold > 0)).set_axis(names, axis=1)
    money = newest.reindex(listed.index).fillna(listed).fillna(real.where(real > 0))
    weights = wanted.groupby(["family", "product"])["demand"].sum().add(1e-9)
    known = money.reindex(weights.index.get_level_values("product")).set_axis(weights.index)
    weight = known.notna().mul(weights, axis=0)
    return (known * weight).groupby("family").sum() / weight.groupby("family").sum().replace(0.0, np.nan)


def plant_shares(tables: Tables, families: pd.Index) -> pd.DataFrame:
    """Return family, plant, share: where each family is made, by the last year's receipts, else equally.

    The plants of a family are those of `supply_costs`, else of `bill_of_resources` and where it was bought from;
    ALL when nothing names one.
    """
    bill = tables["bill_of_resources"]
    bill = bill.assign(family=bill["family"].where(bill["family"] != ALL, bill["product"].map(family_of(tables))))
    costs, came = tables["supply_costs"], tables["receipts"].query("source in ['made', 'bought']")
    came = came[came["month"] > came["month"].max() - pd.DateOffset(months=12)]
    came = came.assign(family=came["product"].map(family_of(tables)))
    bought = came[came["source"].eq("bought") & came["quantity"].gt(0) & came["family"].isin(bill["family"])]
    named = pd.concat([bill[["family", "plant"]], bought[["family", "plant"]]])
    routes = pd.concat([costs[["family", "plant"]], named[~named["family"].isin(costs["family"])]])
    loose = pd.DataFrame({"family": families.difference(routes["family"]), "plant": ALL})
    routes = pd.concat([routes, loose]).drop_duplicates().query("family in @families")
    made = came[came["source"].eq("made") | ~came["family"].isin(costs["family"])]
    made = made.groupby(["family", "plant"], as_index=False)["quantity"].sum()
    shares = routes.merge(made, on=["family", "plant"], how="left", validate="one_to_one").fillna({"quantity": 0.0})
    weight = shares["quantity"].clip(lower=0)
    total = weight.groupby(shares["family"]).transform("sum")
    equal = 1 / shares.groupby("family")["plant"].transform("size")
    shares["share"] = (weight / total).where(total > 0, equal)
    return shares[["family", "plant", "share"]].sort_values(["family", "plant"], ignore_index=True)


def family_of(tables: Tables) -> pd.Series:
    """Return the family of each product."""
    return tables["products"].set_index("product")["family"]
