"""Money of the plan: average prices and costs, what is sold and held per month, and what earlier cycles planned."""

import re
from typing import Literal

import numpy as np
import pandas as pd

from sop_lib import approved, months
from sop_lib.checks import stretch
from sop_lib.history import units_sold
from sop_lib.tables import ALL, empty

__all__ = [
    "budget_by_month", "by_family", "earlier_plans", "financial_plan", "plan_view", "sales_outlook",
    "stock_values", "targets", "targets_sentence", "unit_values", "with_own",
]  # fmt: skip

KEY = ["month", "product", "region"]
SAME = 1e-6  # a solver meets demand to about this part of it


# Prices and costs


def unit_values(
    keys: pd.DataFrame, history: pd.DataFrame, products: pd.DataFrame, prices: pd.DataFrame
) -> pd.DataFrame:
    """Return price, cost (money per unit) and the price's basis for each month, product and region of `keys`.

    The first that is known: the `prices` table (last month known, the region's own row before ALL);
    `unit_price` and `unit_cost` of `products`; revenue and cost per unit of the last 12 closed months of the
    product and region, of the product, of the family. Blank when none is known.
    """
    out = keys[KEY].drop_duplicates().merge(products[["product", "family"]], on="product", how="left", validate="m:1")
    realised = _last_year(history)
    listed = products.rename(columns={"unit_price": "price", "unit_cost": "cost"})
    found = [
        ("prices", _listed(out, prices, out["region"])),
        ("prices", _listed(out, prices, ALL)),
        ("products", out[["product"]].merge(listed, on="product", how="left", validate="m:1")),
        ("realised", _realised(out, realised, ["product", "region"])),
        ("realised", _realised(out, realised, ["product"])),
        ("family average", _realised(out, realised, ["family"])),
    ]
    price, cost = (np.column_stack([f[c].astype("float64") for _, f in found]) for c in ("price", "cost"))
    names, known = np.array([name for name, _ in found], dtype="object"), ~np.isnan(price)
    out = out.assign(price=_first(price), cost=_first(cost), basis=np.where(known.any(1), names[known.argmax(1)], None))
    return out[[*KEY, "price", "cost", "basis"]].sort_values(KEY, ignore_index=True)


def _first(values: np.ndarray) -> np.ndarray:
    known = ~np.isnan(values)
    return np.where(known.any(1), values[np.arange(len(values)), known.argmax(1)], np.nan)


def _realised(keys: pd.DataFrame, sold: pd.DataFrame, level: list[str]) -> pd.DataFrame:
    each = sold.groupby(level, as_index=False)[["sold", "revenue", "costed", "cost"]].sum()
    each = each.assign(price=_per(each["revenue"], each["sold"]), cost=_per(each["cost"], each["costed"]))
    return keys[level].merge(each[[*level, "price", "cost"]], on=level, how="left", validate="m:1")


def _listed(keys: pd.DataFrame, prices: pd.DataFrame, region) -> pd.DataFrame:
    left = keys.assign(region=region, at=range(len(keys))).sort_values("month", kind="stable")
    right = prices[[*KEY, "price", "cost"]].sort_values("month", kind="stable")
    if right.empty:
        return keys.assign(price=np.nan, cost=np.nan)
    return pd.merge_asof(left, right, on="month", by=["product", "region"]).sort_values("at", ignore_index=True)


def _last_year(history: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the last 12 closed months with the quantities that revenue and cost belong to."""
    recent = history[history["month"] > history["month"].max() - pd.DateOffset(months=12)]
    units = units_sold(recent)
    return recent.assign(sold=units.where(recent["revenue"].notna()), costed=units.where(recent["cost"].notna()))


def _per(money: pd.Series, units: pd.Series) -> pd.Series:
    return (money / units).where((units > 0) & (money > 0))


# Outlook: actual and plan per product and region


def sales_outlook(
    history: pd.DataFrame, demand_plan: pd.DataFrame, inventory_plan: pd.DataFrame, products: pd.DataFrame,
    prices: pd.DataFrame,
) -> pd.DataFrame:  # fmt: skip
    """Return demand, quantity sold, revenue and cost per month, product and region: closed months, then the plan.

    Closed months are what shipped and its revenue, valued at average prices where revenue is blank.
    In plan months the quantity is what the supply plan ships of the family, shared by the month's demand;
    a family without a supply plan sells its demand and `limited` is false.
    """
    past = history[[*KEY, "family"]].assign(demand=history["raw"], quantity=units_sold(history), limited=False)
    past = past.assign(basis="actual", revenue=history["revenue"], cost=history["cost"])
    ahead = demand_plan.groupby([*KEY, "family"], as_index=False)["quantity"].sum()
    ahead = ahead.rename(columns={"quantity": "demand"}).assign(basis="plan", revenue=np.nan, cost=np.nan)
    out = pd.concat([past, _shippable(ahead, inventory_plan)], ignore_index=True).fillna(
        {"demand": 0.0, "quantity": 0.0}
    )
    worth = unit_values(out, history, products, prices).rename(columns={"cost": "unit_cost", "basis": "price_basis"})
    out = out.merge(worth, on=KEY, how="left", validate="1:1")
    out["revenue"] = out["revenue"].fillna(out["quantity"] * out["price"])
    out["cost"] = out["cost"].fillna(out["quantity"] * out["unit_cost"])
    return out.sort_values(KEY, ignore_index=True)


def _shippable(demand: pd.DataFrame, inventory_plan: pd.DataFrame) -> pd.DataFrame:
    """Share what a family ships among its products and regions by their demand: of the month, else of the horizon."""
    whole = demand.groupby(["month", "family"])["demand"].transform("sum")
    ever = demand.groupby(["family", "product", "region"])["demand"].transform("sum")
    ever = ever / ever.groupby([demand["month"], demand["family"]]).transform("sum").replace(0, np.nan)
    even = 1 / demand.groupby(["month", "family"])["demand"].transform("size")
    share = (demand["demand"] / whole.where(whole > 0)).fillna(ever).fillna(even)
    ships = inventory_plan[["month", "family", "shipped"]]
    out = demand.merge(ships, on=["month", "family"], how="left", validate="m:1")
    limited = out["shipped"].notna()
    quantity = (share.to_numpy() * out["shipped"]).where(limited, out["demand"])
    quantity = quantity.mask((quantity - out["demand"]).abs() <= SAME * out["demand"], out["demand"])
    return out.assign(quantity=quantity, limited=limited).drop(columns="shipped")


def by_family(outlook: pd.DataFrame) -> pd.DataFrame:
    """Return demand, quantity, revenue, cost and margin per month and family, with its basis (actual or plan)."""
    money = outlook.assign(margin=outlook["revenue"] - outlook["cost"])
    columns = ["demand", "quantity", "revenue", "cost", "margin"]
    return money.groupby(["month", "family", "basis"])[columns].sum(min_count=1).reset_index()


def stock_values(
    inventory: pd.DataFrame, inventory_plan: pd.DataFrame, outlook: pd.DataFrame, history: pd.DataFrame,
    products: pd.DataFrame, prices: pd.DataFrame,
) -> pd.DataFrame:  # fmt: skip
    """Return stock at month end per month and family: quantity, value (money at unit cost) and basis.

    Planned stock is valued as the last closed month's stock of the family was, per unit;
    a family that had none then, at the demand-weighted unit cost of its plan.
    """
    held = inventory.groupby(["month", "product"], as_index=False)["on_hand"].sum().assign(region=ALL)
    held = held.merge(unit_values(held, history, products, prices), on=KEY, how="left", validate="1:1")
    held = held.merge(products[["product", "family"]], on="product", how="left", validate="m:1")
    held = held.assign(quantity=held["on_hand"], value=held["on_hand"] * held["cost"], basis="actual")
    columns = ["month", "family", "quantity", "value", "basis"]
    past = held.groupby(["month", "family", "basis"])[["quantity", "value"]].sum(min_count=1).reset_index()[columns]
    last = past[past["month"] == past["month"].max()].set_index("family")
    plan = by_family(outlook[outlook["basis"] == "plan"]).groupby("family")[["cost", "quantity"]].sum()
    each = _per(last["value"], last["quantity"]).combine_first(_per(plan["cost"], plan["quantity"]))
    ahead = inventory_plan[["month", "family"]].assign(quantity=inventory_plan["closing"], basis="plan")
    ahead["value"] = ahead["quantity"] * ahead["family"].map(each.to_dict()).astype("float64")
    parts = [p for p in (past, ahead[columns]) if len(p)]
    return pd.concat(parts, ignore_index=True) if parts else past


def budget_by_month(budget: pd.DataFrame, *extra: str) -> pd.DataFrame:
    """Return the budget per month and family (and `extra` keys): quantity, revenue, margin, inventory.

    Of several versions the last by name (v9 before v10) holds, for each month, family and region that it has;
    an earlier budget of the whole family (region ALL) gives way to a later one by region, and the other way round.
    A version whose name begins with stretch is no budget: see `targets`.
    """
    return _latest(budget[~stretch(budget)], *extra)


def _latest(budget: pd.DataFrame, *extra: str) -> pd.DataFrame:
    each, whole = [budget["month"], budget["family"]], budget["region"] == ALL
    rank = budget["version"].map({v: n for n, v in enumerate(sorted(budget["version"].unique(), key=_in_order))})
    newest = rank == rank.groupby(each).transform("max")
    kept = newest.groupby([*each, whole.rename("whole")]).transform("any")
    latest = budget[kept & (rank == rank.groupby([*each, budget["region"]]).transform("max"))]
    columns = ["quantity", "revenue", "margin", "production", "inventory"]
    return latest.groupby(["month", "family", *extra])[columns].sum(min_count=1).reset_index()


def targets(plan: pd.DataFrame, paths: pd.DataFrame, budget: pd.DataFrame, families: list[str]) -> pd.DataFrame:
    """Return budget, forecast with its P10 (`low`) and P90 (`high`), and stretch target per month ahead, in units.

    Of `families` together; `plan` is the demand plan, `paths` those of its baseline, moved to the plan's mean. A target
    that lacks a family of the plan in a month is blank there: three series, never mixed. Of several versions of the
    stretch target the last holds, as of the budget.
    """
    month = plan[plan["family"].isin(families)].groupby("month")["quantity"].sum()
    drawn = paths[paths["family"].isin(families)].groupby(["month", "path"])["quantity"].sum().groupby("month")
    low, high, mean = drawn.quantile(0.1), drawn.quantile(0.9), drawn.mean()
    scale = month / mean.where(mean > 0)
    out = pd.DataFrame({"forecast": month, "low": low * scale, "high": high * scale})
    planned = set(plan.loc[plan["family"].isin(families) & plan["quantity"].ne(0), "family"])
    aims = {"budget": budget_by_month(budget), "stretch": _latest(budget[stretch(budget)])}
    for name, aim in aims.items():
        rows = aim[aim["family"].isin(planned)].groupby("month")
        out[name] = rows["quantity"].sum().where(rows["family"].nunique() == len(planned))
    return out.rename_axis("month").reset_index()[["month", "budget", "forecast", "low", "high", "stretch"]]


def targets_sentence(aims: pd.DataFrame) -> str:
    """Return how far the forecast lies from each target, over the months ahead that the target has.

    >>> month = pd.date_range("2027-01-01", periods=2, freq="MS")
    >>> aims = pd.DataFrame({"month": month, "budget": 100.0, "forecast": [90.0, 100.0], "stretch": float("nan")})
    >>> targets_sentence(aims)
    'The forecast lies 5.0 % below budget (Jan 27 to Feb 27)'
    """
    said = []
    for name in ("budget", "stretch"):
        known = aims.dropna(subset=[name])
        if len(known) and known[name].sum() > 0:
            off = known["forecast"].sum() / known[name].sum() - 1
            span = f"{known['month'].min():%b %y} to {known['month'].max():%b %y}"
            said.append(f"{abs(off) * 100:.1f} % {'above' if off >= 0 else 'below'} {name} ({span})")
    return "The forecast lies " + " and ".join(said) if said else "No target covers every family of the plan"


def _in_order(version: str) -> tuple:
    """Return what sorts versions by name, in capitals or not, their numbers by size.

    >>> sorted(["v10", "v9", "AOP"], key=_in_order)
    ['AOP', 'v9', 'v10']
    """
    parts = re.split(r"(\d+)", version.lower())
    return [(text, int(number)) for text, number in zip(parts[::2], [*parts[1::2], "0"], strict=True)], version


def financial_plan(
    outlook: pd.DataFrame, stock: pd.DataFrame, budget: pd.DataFrame, *, cycle: pd.Timestamp, start: int
) -> pd.DataFrame:
    """Return money per month, family and line: actual from the last fiscal year on, then plan, with the budget.

    `last_year_revenue` and `last_year_margin` of a month are those of twelve months before.
    """
    sold = by_family(outlook)
    lines = _long(sold, ["revenue", "cost", "margin"])
    before = lines[lines["line"] != "cost"]
    before = before.assign(month=before["month"] + pd.DateOffset(months=12), line="last_year_" + before["line"])
    held = stock.assign(line="inventory_value")[["month", "family", "basis", "line", "value"]]
    planned = budget_by_month(budget).assign(basis="budget")
    planned = planned.rename(columns={"revenue": "budget_revenue", "margin": "budget_margin"})
    parts = [lines, held, before, _long(planned, ["budget_revenue", "budget_margin"])]
    out = pd.concat([p for p in parts if len(p)], ignore_index=True).dropna(subset="value")
    first = months.fiscal_year_months(int(months.fiscal_year(cycle, start)) - 1, start)[0]
    out = out[(out["month"] >= first) & (out["month"] <= sold["month"].max())]
    return out.assign(scenario="base").sort_values(["month", "family", "line"], ignore_index=True)


def _long(df: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    return df.melt(["month", "family", "basis"], columns, var_name="line", value_name="value")


# Plans of earlier cycles


def with_own(
    past_plans: pd.DataFrame,
    demand_plan: pd.DataFrame,
    inventory_plan: pd.DataFrame,
    comparison: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Return `past_plans` with the demand, and the proposed supply, stock and backlog, of an own cycle as a draft.

    A cycle whose plan `past_plans` holds already stays as it is: what was approved, or the company's word on it.
    Without `comparison` (that cycle's `scenario_comparison`) no strategy is known as proposed: demand alone is added.
    """
    own = approved.own_plans(
        demand_plan, inventory_plan, empty("scenario_comparison") if comparison is None else comparison
    )
    held = past_plans.loc[~approved.opinions(past_plans), "cycle"]
    own = own[(own["stream"] == "consensus") & ~own["cycle"].isin(held)].assign(stream=approved.OWN_DRAFT)
    parts = [rows for rows in (past_plans, own[list(past_plans)]) if len(rows)]
    return pd.concat(parts, ignore_index=True) if parts else past_plans


def earlier_plans(past_plans: pd.DataFrame, products: pd.DataFrame) -> pd.DataFrame:
    """Return the plans of earlier cycles per cycle, measure, month and family, in units, and whether one is a draft.

    Demand is the consensus stream, the statistical one where a cycle has no consensus;
    other streams of demand are opinions, not plans, and so is all else they say.
    """
    plans = past_plans[~approved.opinions(past_plans)]
    family = plans["product"].map(products.set_index("product")["family"])
    plans = plans.assign(family=plans["family"].where(plans["family"] != ALL, family)).dropna(subset="family")
    plans = plans.assign(
        rank=plans["stream"].map(approved.STREAMS).astype("float64").fillna(2),
        draft=plans["stream"] == approved.OWN_DRAFT,
    )
    best = plans.groupby(["cycle", "measure"])["rank"].transform("min")
    key = ["cycle", "measure", "month", "family", "draft"]
    return plans[plans["rank"] == best].groupby(key, as_index=False)["quantity"].sum()


def plan_view(
    earlier: pd.DataFrame, cycle: pd.Timestamp, lag: int, view: Literal["approved", "previous"]
) -> pd.DataFrame:
    """Return measure, month, family and quantity as earlier cycles planned them.

    `approved`: each month as the cycle planned it for which it was `lag` months away (its own month is lag 1),
    or, for months still further away, as the last cycle before this one did; never a draft.
    `previous`: as the last cycle did, draft or not.
    """
    hidden = earlier["draft"].astype(bool) & (view == "approved")
    known = earlier[(earlier["cycle"] < cycle) & ~hidden]
    last = known["cycle"].max()
    wanted = pd.Series(last, index=known.index)
    if view == "approved":
        wanted = (known["month"] - pd.DateOffset(months=lag - 1)).clip(upper=last)
    columns = ["measure", "month", "family", "quantity"]
    return known.loc[known["cycle"] == wanted, columns].reset_index(drop=True)
