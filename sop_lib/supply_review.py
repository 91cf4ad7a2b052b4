"""What the supply review looks at: rates now and proposed, first overload, shortages, orders, strategies compared."""

import numpy as np
import pandas as pd

from sop_lib import supply_tables
from sop_lib.mix import Tables

__all__ = ["first_overload", "headline", "missing", "proposed", "rates", "shortages", "side_by_side", "to_order"]


def missing(found: Tables) -> list[str]:
    """Return the input tables whose absence keeps the supply plan from its full depth, in the order they help."""
    steps = (
        "inventory",
        "families",
        "resources",
        "bill_of_resources",
        "plants",
        "supply_costs",
        "materials",
        "bill_of_materials",
    )
    return [name for name in steps if found[name].empty]


def proposed(table: pd.DataFrame, comparison: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the proposed strategy."""
    best = comparison[(comparison["measure"] == "proposed") & (comparison["value"] == 1)]
    return table[table["strategy"].isin(best["strategy"])]


def rates(receipts: pd.DataFrame, products: pd.DataFrame, supply: pd.DataFrame, first: pd.Timestamp) -> pd.DataFrame:
    """Return the current and the proposed rate per family, in units a month.

    Current is what came in (made, bought or subcontracted) in the last three closed months, proposed the plan
    of the next three; `supply` is one strategy's supply plan, `first` its first month.
    """
    came = receipts[receipts["source"].isin(["made", "bought", "subcontracted"])]
    came = came[(came["month"] < first) & (came["month"] >= first - pd.DateOffset(months=3))]
    family = products.set_index("product")["family"]
    current = came["quantity"].groupby(came["product"].map(family)).sum() / 3
    soon = supply[supply["month"] < first + pd.DateOffset(months=3)]
    wanted = soon.groupby("family")["quantity"].sum() / 3
    out = pd.DataFrame({"proposed": wanted}).assign(current=current if len(current) else np.nan)
    out["change"] = out["proposed"] - out["current"]
    return out.rename_axis("family").reset_index()[["family", "current", "proposed", "change"]]


def first_overload(load: pd.DataFrame) -> pd.DataFrame:
    """Return, per resource, the first month in which demand made in its month would pass capacity with overtime.

    `over` is the load beyond both, in the resource's unit; `load` is one strategy's resource load.
    """
    limit = load["capacity"] + load["overtime"]
    over = load.assign(over=load["unconstrained"] - limit, limit=limit)[load["unconstrained"] > limit]
    columns = ["month", "plant", "resource", "unit", "unconstrained", "limit", "over"]
    return (
        over.sort_values("month")
        .drop_duplicates(["plant", "resource"])[columns]
        .sort_values("month", ignore_index=True)
    )


def shortages(inventory_plan: pd.DataFrame) -> pd.DataFrame:
    """Return month, family, demand, late and lost where a strategy does not serve demand in its month, in units."""
    rows = inventory_plan.assign(late=supply_tables.late(inventory_plan))
    return rows[rows["late"] >= 0.5][["month", "family", "demand", "late", "lost"]].reset_index(drop=True)


def to_order(material_plan: pd.DataFrame, materials: pd.DataFrame, months_ahead: int = 6) -> pd.DataFrame:
    """Return the material orders of the next months: order by (month), material, quantity, when it arrives, cost."""
    first = material_plan["month"].min()
    rows = material_plan[
        (material_plan["ordered"] > 0.5) & (material_plan["month"] < first + pd.DateOffset(months=months_ahead))
    ]
    lead = rows["material"].map(materials.set_index("material")["lead_time_months"]).fillna(0).astype(int)
    arrives = [m + pd.DateOffset(months=n) for m, n in zip(rows["month"], lead, strict=True)]
    out = rows.assign(order_by=rows["month"], arrives=pd.to_datetime(arrives))
    return out[["material", "order_by", "arrives", "ordered", "cost"]].sort_values(
        ["order_by", "material"], ignore_index=True
    )


def side_by_side(comparison: pd.DataFrame) -> pd.DataFrame:
    """Return measures as rows and strategies as columns, the proposed one first; measures nobody uses are left out."""
    wide = comparison.pivot(index=["measure", "unit"], columns="strategy", values="value").reset_index()
    best = comparison[(comparison["measure"] == "proposed") & (comparison["value"] == 1)]["strategy"].tolist()
    others = [c for c in ("mixed", "level", "chase") if c in wide and c not in best]
    used = wide[(wide[best + others].abs() > 1e-6).any(axis=1) & (wide["measure"] != "proposed")]
    order = {m: n for n, m in enumerate(comparison["measure"].drop_duplicates())}
    used = used.sort_values("measure", key=lambda m: m.map(order), kind="stable")
    return used[["measure", *best, *others, "unit"]].reset_index(drop=True).rename_axis(columns=None)


def headline(plans: Tables, rate: pd.DataFrame, currency: str) -> list[str]:
    """Return the first-screen sentences: cost and service of the strategies, shortage, first overload, rate, people."""
    comparison = plans["scenario_comparison"]
    if comparison.empty:
        return ["Supply is not planned yet: no table says what stock or capacity there is."]
    best = {name: proposed(plans[name], comparison) for name in ("inventory_plan", "resource_load", "people_plan")}
    sentences = [
        _strategies(comparison, currency),
        _shortage(shortages(best["inventory_plan"])),
        _overload(best["resource_load"]),
        _rate(rate.dropna(subset=["current"])),
        _people(best["people_plan"]),
    ]
    return [s for s in sentences if s]


def _strategies(comparison: pd.DataFrame, currency: str) -> str:
    wide = comparison.pivot(index="strategy", columns="measure", values="value")
    best, others = wide[wide["proposed"] == 1].iloc[0], wide[wide["proposed"] != 1]
    told = []
    for name, row in others.iterrows():
        more = (row["total cost"] - best["total cost"]) / 1e6
        told.append(f"{name} costs {abs(more):,.1f} million {'more' if more >= 0 else 'less'} at {row['service']:.1%}")
    first = (
        f"Proposed is {best.name}: {best['total cost'] / 1e6:,.1f} million {currency}, {best['service']:.1%} on time"
    )
    return "; ".join([first, *told]) + "."


def _shortage(short: pd.DataFrame) -> str:
    if short.empty:
        return "Every family is served in its month."
    own = short[short["family"] == short.groupby("family")["late"].sum().idxmax()]
    first, most = own.iloc[0], own.iloc[own["late"].to_numpy().argmax()]
    return (
        f"{first['family']} run short from {first['month']:%b %Y}: in {most['month']:%b %Y} "
        f"{most['late']:,.0f} of the {most['demand']:,.0f} wanted are late or lost."
    )


def _overload(load: pd.DataFrame) -> str:
    over = first_overload(load)
    if over.empty:
        return "" if load.empty else "No resource is overloaded if demand is made in its month."
    o = over.iloc[0]
    asked = f"{o['unconstrained']:,.0f} of {o['limit']:,.0f} {o['unit']} with overtime"
    where = f"{o['resource']} in {o['plant']}, {o['month']:%b %Y}"
    return f"First overload if demand were made in its month: {where}, {asked}."


def _rate(known: pd.DataFrame) -> str:
    if known.empty:
        return ""
    most = known.iloc[known["change"].abs().to_numpy().argmax()]
    return f"Largest change of rate: {most['family']} from {most['current']:,.0f} to {most['proposed']:,.0f} a month."


def _people(people: pd.DataFrame) -> str:
    if people.empty:
        return ""
    total = people.groupby("month")["workers"].sum()
    now, most, least = total.iloc[0], total.max(), total.min()
    return (
        f"People: {now:,.0f} in {total.index[0]:%b %Y}, at most {most:,.0f} in {total.idxmax():%b %Y}, "
        f"at least {least:,.0f} in {total.idxmin():%b %Y}."
    )
