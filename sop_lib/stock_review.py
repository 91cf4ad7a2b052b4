"""Stock against each product's own plan, in units and money: what is needed, excess and obsolete."""

import numpy as np
import pandas as pd

from sop_lib import inventory, mix, supply_tables
from sop_lib.history import unit_values, units_sold
from sop_lib.mix import Tables
from sop_lib.policy import TO_ORDER
from sop_lib.tables import ALL

__all__ = [
    "by_family", "projected", "stock_review", "stock_sentence", "uncosted_sentence", "unit_costs", "usable",
    "watched",
]  # fmt: skip

YEAR = 12
SHARES = ("value", "needed_value", "excess_value", "obsolete_value", "blocked_value")


def unit_costs(history: pd.DataFrame, products: pd.DataFrame, prices: pd.DataFrame, closed: pd.Timestamp) -> pd.Series:
    """Return the cost of a unit per product in money: the latest of `prices` at the close, else `history.unit_values`.

    A product whose cost nobody knows is blank.

    >>> products = pd.DataFrame({"product": ["A", "B"], "unit_price": 9.0, "unit_cost": [5.0, None]})
    >>> prices = pd.DataFrame({"month": [pd.Timestamp("2026-09-01")], "product": "A", "region": "ALL", "cost": 6.0})
    >>> sold = pd.DataFrame(columns=["month", "product", "raw", "shipped", "revenue", "cost"])
    >>> unit_costs(sold.astype({"month": "datetime64[ns]"}), products, prices, pd.Timestamp("2026-10-01")).tolist()
    [6.0, nan]
    """
    known = prices[prices["month"] <= closed].sort_values("month", kind="stable")
    whole = known[known["region"] == ALL].groupby("product")["cost"].last()
    newest = known[known["month"] == known.groupby("product")["month"].transform("max")]
    listed = whole.combine_first(newest.groupby("product")["cost"].mean())
    stated = unit_values(history, products).set_index("product")["cost"]
    return listed.reindex(stated.index).astype("float64").fillna(stated).rename("cost")


def stock_review(
    found: Tables, safety_stocks: pd.DataFrame, run_out: pd.DataFrame, horizon: pd.DatetimeIndex, currency: str
) -> pd.DataFrame:
    """Return the table `stock_review`: each product's stock at the last close against its own plan.

    Stock is usable and in transit, signed; blocked stock is beside it. In units, stock = needed + excess + obsolete,
    and so at unit cost. Obsolete: what `run_out` says is left at a product's end; all stock of a product that nothing
    in the plan wants, or that nobody wanted for twelve closed months. Excess: the rest beyond the next twelve months'
    demand and the target, the larger of the two. Target: the larger of safety stock and the family's days of cover,
    at the next month end; none where products are made to order. Empty without `inventory`.
    """
    held = _held(found["inventory"], horizon[0])
    if held.empty:
        return supply_tables.empty("stock_review")
    products = found["products"].set_index("product")
    wanted = (
        mix.demand_by_product(found["demand_plan"], horizon).groupby(["month", "product"])["demand"].sum().unstack()
    )
    names = pd.Index(sorted({*held.index, *wanted.columns[wanted.sum() > 0]}), name="product")
    wanted = wanted.reindex(index=horizon, columns=names, fill_value=0.0).fillna(0.0)
    out = pd.DataFrame({"family": products["family"].reindex(names)}).join(held).fillna({"on_hand": 0.0})
    stock = usable(out)
    year = wanted.iloc[:YEAR].sum() * YEAR / min(YEAR, len(horizon))
    out = out.assign(demand=year, cover_days=_cover(wanted, stock), runs_out=_used_up(wanted, stock))
    out = out.join(_aims(wanted, safety_stocks, found["families"], out["family"]))
    out["obsolete"], why = _obsolete(stock.clip(lower=0), wanted, run_out, _forgotten(found["history"], horizon[0]))
    beyond = stock - out["obsolete"] - out[["demand", "target"]].max(axis=1)
    out["excess"] = beyond.clip(lower=0).where(stock > 0, 0.0).round(6)
    out["needed"] = stock - out["excess"] - out["obsolete"]
    closed = horizon[0] - pd.offsets.MonthBegin(1)
    out["cost"] = unit_costs(found["history"], found["products"], found["prices"], closed).reindex(names)
    return _told(_valued(out, stock).assign(state=_state(out, stock)), stock, why, currency).reset_index()


def usable(review: pd.DataFrame) -> pd.Series:
    """Return the units that count as stock, per row: on hand and in transit, signed; blocked stock is beside it.

    >>> usable(pd.DataFrame({"on_hand": [5.0, -2.0], "in_transit": [None, 3.0], "blocked": [9.0, None]})).tolist()
    [5.0, 1.0]
    """
    return review["on_hand"] + review["in_transit"].astype("float64").fillna(0.0)


def _bare(review: pd.DataFrame) -> pd.Series:
    """Return whether a product without a cost has stock, blocked or not."""
    any_stock = review[["on_hand", "in_transit", "blocked"]].astype("float64").fillna(0.0).ne(0).any(axis=1)
    return review["cost"].isna() & any_stock


def _held(stock: pd.DataFrame, first: pd.Timestamp) -> pd.DataFrame:
    """Return the units of the last close per product; blocked and in transit stay blank where no row says them."""
    known = stock[stock["month"] < first]
    last = known[known["month"] == known["month"].max()]
    return last.groupby("product")[["on_hand", "blocked", "in_transit"]].sum(min_count=1)


def _long(wanted: pd.DataFrame) -> pd.DataFrame:
    """Return demand as `inventory` reads it, a product in the place of a family."""
    return wanted.rename_axis(index="month", columns="family").stack().rename("demand").reset_index()


def _cover(wanted: pd.DataFrame, stock: pd.Series) -> pd.Series:
    """Return days of planned demand that the stock of the last close covers, per product."""
    before = wanted.index[0] - pd.offsets.MonthBegin(1)
    rows = _long(pd.concat([wanted.mean().to_frame(before).T, wanted]))
    rows["closing"] = rows["family"].map(stock).where(rows["month"] == before, 0.0)
    days = rows.assign(days=inventory.cover_days(rows))
    return days[days["month"] == before].set_index("family")["days"]


def _used_up(wanted: pd.DataFrame, stock: pd.Series) -> pd.Series:
    """Return the month in which demand has used up the stock, per product; blank: never in the plan, or none there."""
    gone = wanted.cumsum().ge(stock, axis=1)
    return gone.idxmax().where(gone.any() & (stock > 0))


def _aims(wanted: pd.DataFrame, safety_stocks: pd.DataFrame, families: pd.DataFrame, family: pd.Series) -> pd.DataFrame:
    """Return safety stock and target per product; safety is blank where none was worked out."""
    policy = families.set_index("family").reindex(family.to_numpy()).set_axis(family.index)
    stocked = ~policy["strategy"].isin(TO_ORDER)
    safety = safety_stocks.set_index("product")["safety"].astype("float64").reindex(family.index)
    days = policy["cover_days"].astype("float64").fillna(0.0).where(stocked, 0.0)
    covered = inventory.cover_stock(_long(wanted), days)
    covered = covered[covered["month"] == wanted.index[0]].set_index("family")["cover"]
    target = pd.concat([covered, safety], axis=1).max(axis=1).where(stocked, 0.0)
    return pd.DataFrame({"safety": safety.where(stocked | safety.isna(), 0.0), "target": target})


def _forgotten(history: pd.DataFrame, first: pd.Timestamp) -> pd.Index:
    """Return the products that were wanted once, and not in the twelve closed months before the plan."""
    rows = history[history["raw"].gt(0) | units_sold(history).gt(0)]
    last = rows.groupby("product")["month"].max()
    return last.index[last < first - pd.DateOffset(months=YEAR)]


def _obsolete(
    stock: pd.Series, wanted: pd.DataFrame, run_out: pd.DataFrame, forgotten: pd.Index
) -> tuple[pd.Series, pd.Series]:
    """Return obsolete units per product and why; what remains at an end after the plan is not known yet."""
    ends = run_out[run_out["end_month"] <= wanted.index[-1]].set_index("product")
    left = ends["left_over"].astype("float64").reindex(stock.index)
    ended = ends["end_month"].reindex(stock.index)
    never, old = wanted.sum() <= 0, pd.Series(stock.index.isin(forgotten), stock.index)
    units = stock.where(never | old, left.fillna(0.0).clip(upper=stock))
    told = [f"are left at its end in {m:%b %Y}" if pd.notna(m) else "" for m in ended]
    why = np.where(left.gt(0), told, np.where(never, "are wanted by nothing in the plan", "wait for a buyer"))
    why = np.where(old & ~left.gt(0), "were not wanted for twelve months", why)
    return units, pd.Series(why, stock.index)


def _valued(out: pd.DataFrame, stock: pd.Series) -> pd.DataFrame:
    """Return the rows with their parts at unit cost; blank where no cost is known."""
    parts = {f"{name}_value": out[name] * out["cost"] for name in ("excess", "obsolete")}
    value = stock * out["cost"]
    needed = value - parts["excess_value"] - parts["obsolete_value"]
    blocked = out["blocked"].fillna(0.0) * out["cost"]
    return out.assign(value=value, needed_value=needed, blocked_value=blocked, **parts)


def _state(out: pd.DataFrame, stock: pd.Series) -> np.ndarray:
    nothing = (stock == 0) & ~out["target"].gt(0)
    cases = [out["obsolete"] > 0, out["excess"] > 0, nothing, stock < out["safety"].fillna(0.0)]
    return np.select(cases, ["obsolete", "excess", "not stocked", "below safety"], "in order")


def _told(out: pd.DataFrame, stock: pd.Series, why: pd.Series, currency: str) -> pd.DataFrame:
    """Return the rows with a sentence each."""
    rows = zip(out.reset_index().itertuples(index=False), stock, why, strict=True)
    return out.assign(finding=[_finding(row, have, reason, currency) for row, have, reason in rows])


def _finding(row, stock: float, why: str, currency: str) -> str:
    lasts = "" if pd.isna(row.cover_days) else f", which last {row.cover_days:,.0f} days"
    match row.state:
        case "obsolete":
            worth = _worth(row.obsolete_value, currency)
            return f"{row.product}: {row.obsolete:,.0f} of {stock:,.0f} units {why}, {worth}."
        case "excess":
            most = f"more than twelve months want and the target asks ({max(row.demand, row.target):,.0f})"
            worth = _worth(row.excess_value, currency)
            return f"{row.product}: {row.excess:,.0f} of {stock:,.0f} units are {most}, {worth}."
        case "below safety":
            return f"{row.product}: {stock:,.0f} units{lasts}, {row.safety - stock:,.0f} below its safety stock."
        case "not stocked":
            return f"{row.product}: nothing is in stock, and no target asks for any."
    return f"{row.product}: {stock:,.0f} units{lasts}."


def _worth(value: float, currency: str) -> str:
    return "cost not known" if pd.isna(value) else f"{currency} {value:,.0f} at cost"


def by_family(review: pd.DataFrame) -> pd.DataFrame:
    """Return per family, ALL last: value = needed + excess + obsolete (money at cost), blocked beside it, and counts.

    `below_safety` and `without_cost` are products; one without a known cost has no value.
    """
    rows = review.assign(below_safety=review["state"].eq("below safety"), without_cost=_bare(review))
    names = [*SHARES, "below_safety", "without_cost"]
    sums = rows.groupby("family")[names].sum()
    out = pd.concat([sums, sums.sum().to_frame(ALL).T]).rename_axis("family").reset_index()
    return out.astype({"below_safety": int, "without_cost": int})


def stock_sentence(review: pd.DataFrame, currency: str) -> str:
    """Return what is in stock in money and its three parts, which add up as they are written."""
    if not review["value"].notna().any():
        return "What stock is worth is not known: no product has a cost."
    value, excess, obsolete, blocked = (
        round(review[c].sum()) for c in ("value", "excess_value", "obsolete_value", "blocked_value")
    )
    parts = f"{value - excess - obsolete:,} is needed, {excess:,} excess, {obsolete:,} obsolete"
    beside = f"; {blocked:,} more is blocked" if blocked else ""
    return f"Stock at cost is {currency} {value:,}: {parts}{beside}."


def uncosted_sentence(review: pd.DataFrame) -> str:
    """Return which stock, in transit and blocked too, has no cost and so no value; empty when every product has one."""
    bare = review[_bare(review)]
    names = ", ".join(bare["product"].head(5)) + (f" and {len(bare) - 5} more" if len(bare) > 5 else "")
    held = usable(bare).sum() + bare["blocked"].sum()
    units = f"{held:,.0f} units of {len(bare)} product{'s' * (len(bare) != 1)}"
    return f"Without a cost, and so without value: {units} ({names})." if len(bare) else ""


def projected(inventory_plan: pd.DataFrame) -> pd.DataFrame:
    """Return per month and family opening, closing and target stock, what is below safety and what is excess, in units.

    Excess is closing stock beyond the next twelve months' demand and the target; after the plan its last year comes
    again. `inventory_plan` is one strategy's.
    """
    rows = inventory_plan.sort_values(["family", "month"], ignore_index=True)
    year = inventory.cover_stock(rows, pd.Series(365.0, rows["family"].unique())) if len(rows) else None
    rows = rows.assign(cover=np.nan) if year is None else rows.merge(year, on=["month", "family"], validate="1:1")
    rows["excess"] = (rows["closing"] - rows[["cover", "target"]].max(axis=1)).clip(lower=0)
    rows["below_safety"] = (rows["safety"] - rows["closing"]).clip(lower=0)
    return rows[["month", "family", "opening", "closing", "target", "safety", "below_safety", "excess", "cover_days"]]


def watched(projection: pd.DataFrame) -> pd.DataFrame:
    """Return per family opening and lowest stock, months below safety, the first of them, and the highest excess."""
    below = projection["below_safety"] >= 0.5
    rows = projection.assign(low=below, first=projection["month"].where(below))
    grouped = rows.sort_values("month").groupby("family", as_index=False)
    return grouped.agg(
        opening=("opening", "first"), closing=("closing", "last"), target=("target", "last"),
        lowest=("closing", "min"), months_below_safety=("low", "sum"), first_below=("first", "min"),
        highest_excess=("excess", "max"),
    )  # fmt: skip
