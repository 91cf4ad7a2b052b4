"""Material orders: by when each must be placed, what it costs, and what can no longer come in time."""

import numpy as np
import pandas as pd

from sop_lib import mix, supply_tables
from sop_lib.mapping import listed
from sop_lib.mix import Tables

__all__ = ["by_month", "headline", "last_order_sentence", "procurement", "soon", "to_make"]

KEY = ["scenario", "material", "month"]
LEAST = 1e-6  # material units below this are a solver's noise


def procurement(
    material_plan: pd.DataFrame, inventory_plan: pd.DataFrame, found: Tables, currency: str
) -> pd.DataFrame:
    """Return the table `procurement`: material orders per scenario, material and month of arrival, the longest first.

    `order_by` is the month of arrival - lead time: order now where it is the plan's first month, else later. What
    arrives in a month serves all of it, so orders are placed by the first day of `order_by`. Too late:
    `short` is what serving demand in its month would need, were all of it made in house, beyond stock and what is due,
    before an order placed now arrives; finished stock serves first. Both plans are one strategy's for each scenario.
    """
    if material_plan.empty:
        return supply_tables.empty("procurement")
    first, lead = inventory_plan["month"].min(), found["materials"].set_index("material")["lead_time_months"]
    orders = material_plan[material_plan["ordered"] > LEAST].rename(columns={"month": "order_by"})
    orders = orders.assign(month=_moved(orders["order_by"], orders["material"].map(lead)), short=0.0)
    short = _too_late(inventory_plan, found, lead)
    late = short.assign(order_by=_moved(short["month"], -short["material"].map(lead)), ordered=0.0, cost=0.0)
    names = [*KEY, "order_by", "ordered", "cost", "short"]
    rows = pd.concat([part for part in (orders[names], late[names]) if len(part)] or [orders[names]])
    rows = rows.assign(lead_months=rows["material"].map(lead).astype("float64"), families=_users(rows, found))
    rows["state"] = np.where(rows["short"] > 0, "too late", np.where(rows["order_by"] <= first, "order now", "later"))
    rows = rows.sort_values(["scenario", "lead_months", "material", "month"], ascending=[True, False, True, True])
    return rows.reset_index(drop=True).assign(finding=[_finding(row, currency) for row in rows.itertuples()])


def _moved(months: pd.Series, by: pd.Series) -> pd.Series:
    """Return months moved by a number of months each."""
    moved = [month + pd.DateOffset(months=int(n)) for month, n in zip(months, by, strict=True)]
    return pd.Series(pd.to_datetime(moved), months.index, dtype="datetime64[ns]")


def _usage(found: Tables, months: pd.DatetimeIndex) -> pd.DataFrame:
    """Return material, family, month, quantity_per_unit by the product mix of the demand plan."""
    rate = mix.rates(found["bill_of_materials"], found["products"], ["material"], "quantity_per_unit")
    wanted = mix.demand_by_product(found["demand_plan"], months)
    return mix.by_mix(rate, wanted, ["material"], "quantity_per_unit")


def to_make(inventory_plan: pd.DataFrame) -> pd.DataFrame:
    """Return scenario, month, family, units: what must be made to serve demand in its month, stock used up first.

    >>> plan = pd.DataFrame({"scenario": "base", "month": pd.to_datetime(["2026-11-01", "2026-12-01"]), "family": "A",
    ...     "opening": [30.0, 0.0], "supply": [0.0, 50.0], "demand": [20.0, 40.0], "shipped": [25.0, 45.0],
    ...     "backlog": [0.0, 0.0], "lost": 0.0})
    >>> to_make(plan)["units"].tolist()
    [0.0, 35.0]
    """
    rows = inventory_plan.sort_values(["scenario", "family", "month"])
    each = rows.groupby(["scenario", "family"])
    owed = rows["backlog"] + rows["shipped"] + rows["lost"] - rows["demand"]
    have = (rows["opening"] - owed).groupby([rows["scenario"], rows["family"]]).transform("first")
    needed = (each["demand"].cumsum() - have).clip(lower=0)
    before = needed.groupby([rows["scenario"], rows["family"]]).shift().fillna(0.0)
    return rows[["scenario", "month", "family"]].assign(units=(needed - before).clip(lower=0))


def _too_late(inventory_plan: pd.DataFrame, found: Tables, lead: pd.Series) -> pd.DataFrame:
    """Return scenario, material, month, short: what each month newly lacks before an order placed now arrives.

    What was lacking once, and came late, is lacking once: only what exceeds the largest lack of earlier months is new.
    """
    months = pd.DatetimeIndex(sorted(inventory_plan["month"].unique()))
    rows = to_make(inventory_plan).merge(_usage(found, months), on=["family", "month"], how="inner")
    rows = rows.assign(needed=rows["units"] * rows["quantity_per_unit"])
    wide = rows.pivot_table(index="month", columns=["scenario", "material"], values="needed", aggfunc="sum")
    wide = wide.reindex(months).fillna(0.0).cumsum()
    due = found["material_receipts"].pivot_table(index="month", columns="material", values="quantity", aggfunc="sum")
    of = wide.columns.get_level_values("material")
    come = due.reindex(index=months, columns=of).fillna(0.0).cumsum().to_numpy()
    stock = found["materials"].set_index("material")["on_hand"].reindex(of).to_numpy(dtype=float)
    lacking = (wide - come - stock).clip(lower=0).cummax()
    new = lacking - lacking.shift(fill_value=0.0)
    reached = np.arange(len(months))[:, None] >= lead.reindex(of).to_numpy(dtype=float)[None, :]
    long = new.mask(reached, 0.0).rename_axis(index="month").melt(ignore_index=False, value_name="short").reset_index()
    return long.loc[long["short"] > LEAST, [*KEY, "short"]]


def _users(rows: pd.DataFrame, found: Tables) -> pd.Series:
    """Return the families that need each row's material, by name."""
    rate = mix.rates(found["bill_of_materials"], found["products"], ["material"], "quantity_per_unit")
    used = rate[rate["quantity_per_unit"] > 0].assign(family=lambda t: t["product"].map(mix.family_of(found)))
    names = used.groupby("material")["family"].agg(lambda names: ", ".join(sorted(set(names))))
    return rows["material"].map(names)


def _finding(row, currency: str) -> str:
    told = "" if pd.isna(row.families) else f" for {row.families}"
    if row.state == "too late":
        needed = f"{row.short:,.0f} {row.material} more than stock and receipts bring are needed in {row.month:%b %Y}"
        return f"{needed}{told}: too late, an order takes {row.lead_months:g} months."
    arrives = f"it arrives in {row.month:%b %Y}{told}"
    return f"Order {row.ordered:,.0f} {row.material} {_when(row)}, {currency} {row.cost:,.0f}: {arrives}."


def _when(row) -> str:
    return "now" if row.state == "order now" else _by(row.order_by)


def _by(month: pd.Timestamp) -> str:
    return f"by 1 {month:%b %Y}"


def soon(orders: pd.DataFrame, first: pd.Timestamp, count: int = 6) -> pd.DataFrame:
    """Return what is too late and the orders of the next `count` months, in the order in which they are due."""
    rows = orders[orders["order_by"] < first + pd.DateOffset(months=count)]
    rank = rows["state"].map({"too late": 0, "order now": 1, "later": 2})
    by = ["rank", "order_by", "lead_months", "material"]
    return (
        rows.assign(rank=rank)
        .sort_values(by, ascending=[True, True, False, True], kind="stable")
        .drop(columns="rank")
        .reset_index(drop=True)
    )


def by_month(orders: pd.DataFrame) -> pd.DataFrame:
    """Return what orders cost per month in which they are placed (`order_by`), in money, and the materials ordered.

    >>> orders = pd.DataFrame({"order_by": pd.to_datetime(["2026-11-01", "2026-11-01"]), "material": ["a", "b"],
    ...     "ordered": 1.0, "cost": [2.0, 3.0]})
    >>> by_month(orders)[["cost", "materials"]].values.tolist()
    [[5.0, 'a, b']]
    """
    rows = orders[orders["ordered"] > 0].sort_values(["order_by", "material"])
    grouped = rows.groupby("order_by", as_index=False)
    return grouped.agg(cost=("cost", "sum"), materials=("material", lambda names: listed(names.unique())))


def headline(orders: pd.DataFrame, currency: str) -> list[str]:
    """Return sentences: what is too late, what must be ordered now, and what the orders of the plan cost."""
    late, now, placed = (orders[orders["state"] == s] for s in ("too late", "order now", "later"))
    every = orders[orders["ordered"] > 0]
    said = [
        f"Too late for {name}: demand would need {rows['short'].sum():,.0f} more from {rows['month'].min():%b %Y} "
        f"than stock and receipts bring."
        for name, rows in late.groupby("material")
    ]
    if len(now):
        names = ", ".join(f"{row.ordered:,.0f} {row.material}" for row in now.itertuples())
        said.append(f"Order now: {names}, {currency} {now['cost'].sum():,.0f}.")
    elif len(placed):
        said.append(f"Nothing must be ordered now; the first order is due {_by(placed['order_by'].min())}.")
    if every.empty:
        return said
    start, end = every["order_by"].min(), every["order_by"].max()
    span = f"of {start:%b %Y}" if start == end else f"from {start:%b %Y} to {end:%b %Y}"
    return [*said, f"Orders {span} cost {currency} {every['cost'].sum():,.0f}."]


def last_order_sentence(orders: pd.DataFrame, currency: str, most: int = 3) -> str:
    """Return by when the next order of each material must be placed (the first of a month), longest lead times first.

    Empty when nothing is ordered.
    """
    placed = orders[orders["ordered"] > 0].sort_values("order_by", kind="stable").drop_duplicates("material")
    placed = placed.sort_values(["lead_months", "material"], ascending=[False, True]).head(most)
    told = [
        f"{row.material} {_when(row)} ({row.ordered:,.0f}, {currency} {row.cost:,.0f}, "
        f"{row.lead_months:g} months to arrive)"
        for row in placed.itertuples()
    ]
    return f"Last order dates: {'; '.join(told)}." if told else ""
