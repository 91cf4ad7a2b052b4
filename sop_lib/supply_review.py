"""What the supply review looks at: rates now and proposed, first overload, shortages, orders, strategies compared."""

import numpy as np
import pandas as pd

from sop_lib import approved, supply_tables
from sop_lib.mix import Tables

__all__ = [
    "FORMATS", "cost_kinds", "cover", "dearest_limits", "first_overload", "headline",
    "missing", "overload_sentence", "people_by_quarter", "people_sentence", "rate_sentence", "rates",
    "shortage_sentence", "shortages", "strategies", "strategy_sentence",
]  # fmt: skip


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


def strategies(comparison: pd.DataFrame) -> pd.DataFrame:
    """Return one row per strategy, the proposed one first: what it costs, serves, holds and asks of people."""
    if comparison.empty:
        return pd.DataFrame(columns=["strategy"])
    wide = comparison.pivot(index="strategy", columns="measure", values="value")
    shown = [m for m in SHOWN if m in wide and wide[m].abs().max() > 0]
    return (
        wide.sort_values(["proposed", "total cost"], ascending=[False, True])[shown]
        .reset_index()
        .rename_axis(columns=None)
    )


def cost_kinds(comparison: pd.DataFrame) -> pd.DataFrame:
    """Return one row per kind of cost, in money, with a column per strategy; the total stands last."""
    rows = comparison[comparison["measure"].str.startswith("cost: ") | (comparison["measure"] == "total cost")]
    wide = rows.pivot(index="measure", columns="strategy", values="value")
    order = [m for m in rows["measure"].drop_duplicates() if wide.loc[m].abs().max() > 0.5]
    named = wide.loc[[*(m for m in order if m != "total cost"), *(m for m in order if m == "total cost")]]
    kinds = named.rename(lambda m: m.removeprefix("cost: ")).rename_axis("kind").reset_index()
    return kinds[["kind", *strategies(comparison)["strategy"]]].rename_axis(columns=None)


def dearest_limits(shadow_prices: pd.DataFrame, count: int = 10) -> pd.DataFrame:
    """Return the limits of which one more unit would save most: month, price, and the limit from and to which it holds.

    A blank upper end: it holds for good.
    """
    rows = shadow_prices.sort_values(["price", "month", "subject"], ascending=[False, True, True]).head(count)
    return rows[["subject", "constraint", "month", "price", "unit", "low", "high"]].reset_index(drop=True)


def cover(inventory_plan: pd.DataFrame, count: int = 12) -> pd.DataFrame:
    """Return days of forward cover, families as rows and the next `count` months as columns."""
    wide = inventory_plan.pivot(index="family", columns="month", values="cover_days")
    return wide.iloc[:, :count].reset_index().rename_axis(columns=None)


def people_by_quarter(people: pd.DataFrame, count: int = 12) -> pd.DataFrame:
    """Return, per plant and quarter of the next `count` months, workers at its end, changes, hours, cost in money."""
    soon = people[people["month"] < people["month"].min() + pd.DateOffset(months=count)] if len(people) else people
    rows = soon.assign(quarter=soon["month"].astype("datetime64[ns]").dt.to_period("Q").astype(str))
    sums = {n: (n, "sum") for n in ("hired", "laid_off", "overtime_hours", "idle_hours", "cost")}
    table = (
        rows.sort_values("month").groupby(["plant", "quarter"], as_index=False).agg(workers=("workers", "last"), **sums)
    )
    return table[["quarter", "plant", "workers", *sums]].sort_values(["quarter", "plant"], ignore_index=True)


def headline(plans: Tables, rate: pd.DataFrame, currency: str) -> list[str]:
    """Return the first-screen sentences: cost and service of the strategies, shortage, first overload, rate, people."""
    comparison = plans["scenario_comparison"]
    if comparison.empty:
        return ["Supply is not planned yet: no table says what stock or capacity there is."]
    best = {
        name: approved.proposed(plans[name], comparison) for name in ("inventory_plan", "resource_load", "people_plan")
    }
    sentences = [
        strategy_sentence(comparison, currency),
        shortage_sentence(best["inventory_plan"]),
        overload_sentence(best["resource_load"]),
        rate_sentence(rate),
        people_sentence(best["people_plan"]),
    ]
    return [s for s in sentences if s]


def strategy_sentence(comparison: pd.DataFrame, currency: str) -> str:
    """Return the proposed strategy's cost and service, and what the others would cost and serve."""
    rows = strategies(comparison).to_dict("records")
    if not rows:
        return ""
    best, others = rows[0], rows[1:]
    told = [
        f"{r['strategy']} {abs(r['total cost'] - best['total cost']) / 1e6:,.1f} million "
        f"{'more' if r['total cost'] >= best['total cost'] else 'less'} and {r['service']:.1%}"
        for r in others
    ]
    cost = f"{best['total cost'] / 1e6:,.1f} million {currency}"
    first = f"Proposed: {best['strategy']}, {cost}, {best['service']:.1%} on time"
    return "; ".join([first, *told]) + "."


def shortage_sentence(inventory_plan: pd.DataFrame) -> str:
    """Return the family that is short most, from when, and its worst month."""
    short = shortages(inventory_plan)
    if short.empty:
        return "" if inventory_plan.empty else "Every family is served in its month."
    own = short[short["family"] == short.groupby("family")["late"].sum().idxmax()]
    first, most = own.iloc[0], own.iloc[own["late"].to_numpy().argmax()]
    when = "that month" if most["month"] == first["month"] else f"in {most['month']:%b %Y}"
    start = f"{first['family']}: short from {first['month']:%b %Y}"
    return f"{start}, {most['late']:,.0f} of {most['demand']:,.0f} late or lost {when}."


def overload_sentence(load: pd.DataFrame) -> str:
    """Return the first overload there would be if demand were made in its month."""
    over = first_overload(load)
    if over.empty:
        return "" if load.empty else "No resource is overloaded if demand is made in its month."
    o = over.iloc[0]
    asked = f"{o['unconstrained']:,.0f} of {o['limit']:,.0f} {o['unit']} with overtime"
    where = f"{o['resource']} in {o['plant']}, {o['month']:%b %Y}"
    return f"First overload if demand were made in its month: {where}, {asked}."


def rate_sentence(rate: pd.DataFrame) -> str:
    """Return the family whose rate changes most from the last three months to the next."""
    known = rate.dropna(subset=["current"]) if len(rate) else rate
    if known.empty:
        return ""
    most = known.iloc[known["change"].abs().to_numpy().argmax()]
    return f"Largest change of rate: {most['family']} from {most['current']:,.0f} to {most['proposed']:,.0f} a month."


def people_sentence(people: pd.DataFrame) -> str:
    """Return the first, highest and lowest number of people."""
    if people.empty:
        return ""
    total = people.groupby("month")["workers"].sum()
    now, most, least = total.iloc[0], total.max(), total.min()
    return (
        f"People: {now:,.0f} in {total.index[0]:%b %Y}, at most {most:,.0f} in {total.idxmax():%b %Y}, "
        f"at least {least:,.0f} in {total.idxmin():%b %Y}."
    )


SHOWN = (
    "total cost", "service", "late", "lost", "peak stock", "average stock", "cover", "hired", "laid off",
    "overtime hours", "subcontract",
)  # fmt: skip
FORMATS = dict.fromkeys(
    [*SHOWN, "current", "proposed", "level", "chase", "mixed", "minimum", "demand", "late"], "{:,.0f}"
)
FORMATS |= dict.fromkeys(["unconstrained", "limit", "over", "cost", "workers"], "{:,.0f}")
FORMATS |= dict.fromkeys(["peak_stock", "headcount_change", "low", "high"], "{:,.0f}")
FORMATS |= {
    "added": "{:+,.0f}",
    "service": "{:.1%}",
    "change": "{:+,.0f}",
    "price": "{:,.2f}",
    "quantity": "{:,.0f}",
}
FORMATS |= dict.fromkeys(["hired", "laid_off", "regular_hours", "overtime_hours", "idle_hours"], "{:,.0f}")
