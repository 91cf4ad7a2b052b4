"""Demand history: the complete monthly panel, what it is worth, and whether it rolls forward and is all there.

A month in which the source holds no row of any product is *missing*; a product and
region without a row in any other month sold *zero*.
"""

import numpy as np
import pandas as pd

from sop_lib.checks import TOLERANCE
from sop_lib.tables import ALL

__all__ = [
    "FORMATS",
    "complete_history",
    "completeness",
    "demand_basis",
    "family_growth",
    "family_months",
    "filled",
    "growth_sentence",
    "one_offs",
    "restated",
    "roll_forward",
    "rolled_year",
    "totals_compared",
    "unit_values",
    "units_sold",
]

SERIES = ["product", "region"]
MONEY = ["shipped", "revenue", "cost"]


def demand_basis(sales: pd.DataFrame) -> str:
    """Return the words for what demand is counted from: ordered where given, else shipped.

    >>> demand_basis(pd.DataFrame({"ordered": [5.0, None], "shipped": [4.0, 3.0]}))
    'ordered, and shipped where no order is given'
    """
    given = sales["ordered"].notna()
    if given.all() and len(given):
        return "ordered"
    return "ordered, and shipped where no order is given" if given.any() else "shipped"


def complete_history(sales: pd.DataFrame, products: pd.DataFrame, cycle_month: pd.Timestamp) -> pd.DataFrame:
    """Return every month of every product and region, from its first sale to the last closed month, in units.

    `raw` is `ordered` where given, else `shipped`, over all customers, returns netted; blank in a missing
    month. `cleansed` and `unconstrained` are raw with negative months at 0 and missing months filled by the mean of
    the same month a year before and after, else of the months around (`cleansing` adjusts them further);
    `adjustment` is cleansed minus raw.
    A product that has ended goes on with zeros, so that a model sees it ended, unless `products` names
    its end_month. Rows of `sales` from the cycle's month on are left out.
    Raises ValueError when nothing at all was sold before the cycle.

    >>> sales = pd.DataFrame({"month": pd.to_datetime(["2026-01", "2026-03", "2026-03"]), "product": ["A", "A", "B"],
    ...     "region": "ALL", "ordered": [10.0, 7.0, 1.0], "shipped": None, "revenue": None, "cost": None})
    >>> products = pd.DataFrame({"product": ["A", "B"], "family": "F", "end_month": pd.NaT})
    >>> panel = complete_history(sales, products, pd.Timestamp("2026-05-01"))
    >>> panel[["product", "status", "raw", "cleansed"]].values.tolist()
    [['A', 'sold', 10.0, 10.0], ['A', 'missing', nan, 8.5], ['A', 'sold', 7.0, 7.0], ['B', 'sold', 1.0, 1.0],
     ['A', 'missing', nan, 7.0], ['B', 'missing', nan, 1.0]]
    """
    cells = _cells(sales[sales["month"] < cycle_month])
    last_closed = cycle_month - pd.offsets.MonthBegin(1)
    panel = _panel(cells, products, last_closed).merge(cells, on=["month", *SERIES], how="left", validate="one_to_one")
    held = panel["month"].isin(cells["month"].unique())
    for name in [n for n in ("demand", *MONEY) if n == "demand" or sales[n].notna().any()]:
        panel[name] = panel[name].where(panel["row"].notna() | ~held, 0.0)
    panel["raw"] = panel["demand"].astype("float64").where(~held | panel["demand"].notna(), 0.0)
    panel["status"] = np.select([~held, panel["raw"].ne(0)], ["missing", "sold"], "zero")
    panel["cleansed"] = panel["unconstrained"] = filled(panel)
    panel["adjustment"] = panel["cleansed"] - panel["raw"].fillna(0.0)
    out = panel.merge(products[["product", "family"]], on="product", how="left", validate="many_to_one")
    names = ["family", "status", "raw", "adjustment", "cleansed", "unconstrained", *MONEY]
    return out[["month", *SERIES, *names]].sort_values(["month", *SERIES], ignore_index=True)


def _cells(sales: pd.DataFrame) -> pd.DataFrame:
    """Return one row per month, product and region of the source, customers added up."""
    numbers = sales[["ordered", *MONEY]].astype("float64")
    rows = sales[["month", *SERIES]].join(numbers[MONEY])
    rows["demand"] = numbers["ordered"].fillna(numbers["shipped"])
    cells = rows.groupby(["month", *SERIES], as_index=False)[["demand", *MONEY]].sum(min_count=1)
    return cells.assign(row=1.0)


def _panel(cells: pd.DataFrame, products: pd.DataFrame, last_closed: pd.Timestamp) -> pd.DataFrame:
    """Return the months of each series from its first sale to the last closed month or its end."""
    moved = cells[cells[["demand", *MONEY]].fillna(0.0).ne(0).any(axis=1)]
    span = moved.groupby(SERIES, as_index=False)["month"].agg(first="min", last="max")
    span = span.merge(products[["product", "end_month"]], on="product", how="left", validate="many_to_one")
    end = pd.to_datetime(span["end_month"]).fillna(last_closed)
    span["end"] = end.where(end > span["last"], span["last"]).clip(upper=last_closed)
    if span.empty:
        raise ValueError(f"sales: every quantity up to {last_closed:%Y-%m} is zero; there is no history to plan from")
    every = pd.date_range(span["first"].min(), last_closed, freq="MS", unit="ns")
    grid = span.merge(pd.DataFrame({"month": every}), how="cross")
    return grid.loc[grid["month"].between(grid["first"], grid["end"]), ["month", *SERIES]]


def filled(panel: pd.DataFrame) -> pd.Series:
    """Return raw demand with months below zero at 0 and missing months filled, in units, never below 0."""
    known = panel["raw"].clip(lower=0.0)
    wide = panel.assign(known=known).pivot(index="month", columns=SERIES, values="known")
    for fill in ([wide.shift(12), wide.shift(-12)], [wide.ffill(), wide.bfill()]):
        wide = wide.fillna(pd.concat(fill).groupby(level=0).mean())
    filled = wide.melt(ignore_index=False, value_name="filled").reset_index()
    keyed = panel[["month", *SERIES]].merge(filled, on=["month", *SERIES], how="left", validate="one_to_one")
    return known.fillna(pd.Series(keyed["filled"].to_numpy(), index=panel.index)).fillna(0.0)


def units_sold(history: pd.DataFrame) -> pd.Series:
    """Return what shipped per row of `history`, in units; demand in rows that do not say what shipped.

    >>> units_sold(pd.DataFrame({"raw": [5.0, 4.0], "shipped": [3.0, None]})).tolist()
    [3.0, 4.0]
    """
    return history["shipped"].fillna(history["raw"])


def one_offs(cells: pd.DataFrame, events: pd.DataFrame) -> pd.DataFrame:
    """Return the units of past one-off orders per month, product, region and event, signed, by what was sold there.

    `cells` hold month, product, region, family and the `quantity` sold. The declared units count, else the rate on
    what would have been sold without it; a rate of -1 or less leaves nothing to tell that from, and counts nothing.
    """
    once = events[events["kind"].eq("one_off") & (events["from_month"] <= cells["month"].max())]
    if once.empty:
        return once.reindex(columns=["month", *SERIES, "event", "quantity"])
    hit = cells.merge(once.rename(columns={"product": "on", "family": "of", "region": "where"}), how="cross")
    own = hit["on"].eq(hit["product"]) | (hit["on"].eq(ALL) & (hit["of"].eq(ALL) | hit["of"].eq(hit["family"])))
    here = hit["where"].eq(ALL) | hit["where"].eq(hit["region"])
    hit = hit[own & here & hit["month"].between(hit["from_month"], hit["to_month"])]
    each = hit.groupby(["event", "month"])["quantity"]
    share = (hit["quantity"] / each.transform("sum").where(lambda total: total > 0)).fillna(1 / each.transform("size"))
    rate = hit["uplift_rate"].where(hit["uplift_rate"] > -1).fillna(0.0)
    units = (hit["uplift_units"] * share).fillna(hit["quantity"] * rate / (1 + rate))
    return hit.assign(quantity=units)[["month", *SERIES, "event", "quantity"]]


def unit_values(history: pd.DataFrame, products: pd.DataFrame) -> pd.DataFrame:
    """Return price and cost of one unit per product: as `products` says, else as shipped in the last 12 months.

    A product that says nothing and shipped nothing in those months takes its whole history; else it is blank.
    """
    recent = history[history["month"] > history["month"].max() - pd.DateOffset(months=12)]
    out = products[["product", "unit_price", "unit_cost"]].set_index("product").astype("float64")
    for part in (recent, history):
        for name, money in (("unit_price", "revenue"), ("unit_cost", "cost")):
            known = part.dropna(subset=[money]).assign(units=units_sold).groupby("product")[[money, "units"]].sum()
            out[name] = out[name].fillna(known[money] / known["units"].where(known["units"] > 0))
    return out.rename(columns={"unit_price": "price", "unit_cost": "cost"}).reset_index()


def completeness(history: pd.DataFrame) -> pd.DataFrame:
    """Return per family how complete the last closed month is.

    Expected are the products × regions that sold in at least 10 of the 12 months before. `usual` is last
    year's same month, carried on by the growth of the three months before; `share` is quantity over usual.
    Complete: four fifths of the expected sold, and the share is 0.8 or more or was as low in the last 24 months
    (12 are needed to tell).
    """
    last = history["month"].max()
    year = history["month"].between(last - pd.DateOffset(months=12), last - pd.DateOffset(months=1))
    sold = history["status"].eq("sold")
    regular = sold[year].groupby([history[c] for c in SERIES]).sum() >= 10
    now = history[history["month"].eq(last)].assign(sold=sold).join(regular.rename("regular"), on=SERIES)
    now["regular"] = now["regular"].eq(True)
    now["arrived"] = now["regular"] & now["sold"]
    sums = {"series_expected": ("regular", "sum"), "series_sold": ("arrived", "sum"), "quantity": ("raw", "sum")}
    out = now.groupby("family", as_index=False).agg(**sums)
    usual = _usual(history)
    out["usual"] = out["family"].map(usual.loc[last])
    ratio = (history.pivot_table(index="month", columns="family", values="raw", aggfunc="sum") / usual).iloc[-25:]
    out["share"] = out["quantity"] / out["usual"].where(out["usual"] > 0)
    few = out["series_sold"] < 0.8 * out["series_expected"]
    least = ratio.iloc[:-1].min().where(ratio.iloc[:-1].count() >= 12)
    low = (out["share"] < 0.8) & (out["share"] < out["family"].map(least)) & out["series_expected"].gt(0)
    out["complete"] = ~(few | low | bool(now["status"].eq("missing").any()))
    columns = ["family", "month", "series_expected", "series_sold", "quantity", "usual", "share", "complete"]
    return out.assign(month=last)[columns]


def _usual(history: pd.DataFrame) -> pd.DataFrame:
    """Return what each month × family would have been as last year, carried on by recent growth."""
    wide = history.pivot_table(index="month", columns="family", values="cleansed", aggfunc="sum", dropna=False)
    recent = wide.shift(1).rolling(3).sum()
    year_ago = recent.shift(12)
    growth = (recent / year_ago.where(year_ago > 0)).clip(0.5, 2.0)
    return (wide.shift(12) * growth).fillna(recent / 3)


def roll_forward(
    inventory: pd.DataFrame, receipts: pd.DataFrame, sales: pd.DataFrame, products: pd.DataFrame
) -> pd.DataFrame:
    """Return per month and product whether stock rolls forward: opening + received - shipped = expected, in units.

    Stock is over all locations, an absent row is zero; blocked and in transit lie beside what is on hand or
    inside it, whichever leaves less unexplained over all. `unexplained` is closing minus expected: positive =
    more stock than the flows explain. `money` is at `unit_cost`. Empty without stock, receipts or shipments.
    """
    names = ["month", "product", "family", "opening", "received", "shipped", "expected", "closing", "unexplained"]
    if inventory.empty or receipts.empty or sales["shipped"].isna().all():
        return pd.DataFrame(columns=[*names, "money"])
    beside = _rolled(inventory[["on_hand", "blocked", "in_transit"]].sum(axis=1), inventory, receipts, sales)
    inside = _rolled(inventory["on_hand"], inventory, receipts, sales)
    out = min(beside, inside, key=lambda r: r["unexplained"].abs().sum())
    out = out.merge(products[["product", "family", "unit_cost"]], on="product", how="left", validate="many_to_one")
    out["money"] = out["unexplained"] * out["unit_cost"].astype("float64")
    return out[[*names, "money"]].sort_values(["month", "product"], ignore_index=True)


def _rolled(stock: pd.Series, inventory: pd.DataFrame, receipts: pd.DataFrame, sales: pd.DataFrame) -> pd.DataFrame:
    key = ["month", "product"]
    flows = pd.concat(
        [
            inventory[key].assign(closing=stock),
            receipts[[*key, "quantity"]].rename(columns={"quantity": "received"}),
            sales[[*key, "shipped"]],
        ]
    )
    wide = flows.groupby(key).sum().unstack("product", fill_value=0.0).asfreq("MS", fill_value=0.0)
    wide = wide.loc[inventory["month"].min() : inventory["month"].max()]
    parts = {"opening": wide["closing"].shift(1), **{c: wide[c] for c in ("received", "shipped", "closing")}}
    out = pd.concat(parts, axis=1).iloc[1:].stack("product", future_stack=True).reset_index()
    out = out[out[["opening", "received", "shipped", "closing"]].ne(0).any(axis=1)]
    expected = out["opening"] + out["received"] - out["shipped"]
    return out.assign(expected=expected, unexplained=(out["closing"] - expected).round(6))


def rolled_year(rolled: pd.DataFrame) -> pd.DataFrame:
    """Return the roll-forward of the last 12 months per family: opening + received - shipped = expected, in units.

    `unexplained` is closing minus expected; `money` adds up without sign what single products and months miss.
    """
    year = rolled[rolled["month"] > rolled["month"].max() - pd.DateOffset(months=12)] if len(rolled) else rolled
    flows = ["received", "shipped", "unexplained"]
    ends = {"opening": year["month"].min(), "closing": year["month"].max()}
    stock = {name: year[year["month"].eq(at)].groupby("family")[name].sum() for name, at in ends.items()}
    out = year.groupby("family")[flows].sum().join(pd.DataFrame(stock)).fillna(0.0)
    out["expected"] = out["opening"] + out["received"] - out["shipped"]
    out["money"] = year["money"].abs().groupby(year["family"]).sum(min_count=1)
    columns = ["opening", "received", "shipped", "expected", "closing", "unexplained", "money"]
    return out[columns].astype("float64").reset_index()


def restated(history: pd.DataFrame, earlier: pd.DataFrame | None) -> pd.DataFrame:
    """Return the month × product × region whose demand differs from what an earlier cycle froze, in units.

    `change` is now minus earlier; a row that only one of them has counts as zero in the other.
    Months after the earlier cycle's last are new, not restated. Empty without an earlier history.
    """
    names = ["month", *SERIES, "family", "earlier", "now", "change"]
    if earlier is None or earlier.empty:
        return pd.DataFrame(columns=names)
    key = ["month", *SERIES, "family"]
    known = history.loc[history["month"] <= earlier["month"].max(), [*key, "raw"]]
    both = known.rename(columns={"raw": "now"}).merge(
        earlier[[*key, "raw"]].rename(columns={"raw": "earlier"}), on=key, how="outer", validate="one_to_one"
    )
    both[["now", "earlier"]] = both[["now", "earlier"]].fillna(0.0)
    both["change"] = both["now"] - both["earlier"]
    differs = ~np.isclose(both["now"], both["earlier"], rtol=1e-8, atol=1e-9)
    return both.loc[differs, names].sort_values(["month", *SERIES], ignore_index=True)


def totals_compared(sales: pd.DataFrame, control_totals: pd.DataFrame, finance: pd.DataFrame) -> pd.DataFrame:
    """Return per month, measure and source the sum of `sales` beside what another system or the ledger says.

    `difference` is sales minus the other; `agrees` within 0.5 %, as in `checks`. The ledger's lines named as a column
    of sales (revenue, cost) are compared; months that sales do not hold are not.
    """
    measures = ["ordered", *MONEY]
    sums = sales.groupby("month")[measures].sum(min_count=1).melt(ignore_index=False, var_name="measure").dropna()
    ledger = finance.assign(line=finance["line"].str.lower()).rename(columns={"line": "measure", "actual": "value"})[
        ["month", "measure", "value"]
    ]
    given = pd.concat([control_totals[["month", "measure", "source", "value"]], ledger.assign(source="ledger")])
    out = (
        sums.rename(columns={"value": "sales"})
        .reset_index()
        .merge(given.rename(columns={"value": "stated"}), on=["month", "measure"], how="inner", validate="one_to_many")
    )
    out["difference"] = out["sales"] - out["stated"]
    out["rate"] = out["difference"] / out["stated"].abs().where(out["stated"] != 0)
    out["agrees"] = out["difference"].abs() <= TOLERANCE * out["stated"].abs()
    columns = ["month", "measure", "source", "sales", "stated", "difference", "rate", "agrees"]
    return out[columns].sort_values(["month", "measure", "source"], ignore_index=True)


def family_growth(history: pd.DataFrame) -> pd.DataFrame:
    """Return per family cleansed units of the last 12 months and of the 12 before, the change as a rate, revenue."""
    back = (history["month"].max().year - history["month"].dt.year) * 12
    back = back + history["month"].max().month - history["month"].dt.month
    year = history.assign(year=np.select([back < 12, back < 24], ["last_12", "before_12"], "older"))
    units = year.pivot_table(index="family", columns="year", values="cleansed", aggfunc="sum", fill_value=0.0)
    units = units.reindex(columns=["before_12", "last_12"], fill_value=0.0)
    units["change"] = units["last_12"] / units["before_12"].where(units["before_12"] > 0) - 1
    revenue = year[back < 12].groupby("family")["revenue"].sum(min_count=1)
    return units.assign(revenue=revenue).rename_axis(columns=None).reset_index()


def family_months(history: pd.DataFrame) -> pd.DataFrame:
    """Return cleansed demand per month and family, in units; the family with most revenue or units first."""
    worth = history["revenue"] if history["revenue"].notna().any() else history["cleansed"]
    size = worth.groupby(history["family"]).sum().rename("size")
    months = history.groupby(["month", "family"], as_index=False)["cleansed"].sum().join(size, on="family")
    order = months.sort_values(["size", "family", "month"], ascending=[False, True, True], ignore_index=True)
    return order.drop(columns="size")


def growth_sentence(growth: pd.DataFrame) -> str:
    """Return how many families grew over the last 12 months, and which moved most each way.

    >>> growth_sentence(pd.DataFrame({"family": ["A", "B"], "last_12": [1.0, 1.0], "change": [0.1, -0.2]}))
    'Cleansed demand of 1 of 2 families grew over the last 12 months: from A +10% to B -20%'
    """
    known = growth.dropna(subset=["change"]).sort_values(["change", "family"], ascending=[False, True])
    if known.empty:
        return "There are less than 13 months of history: no family can be compared with the year before"
    best, worst = known.iloc[0], known.iloc[-1]
    return (
        f"Cleansed demand of {(known['change'] > 0).sum()} of {len(known)} families grew over the last 12 months: "
        f"from {best['family']} {best['change']:+.0%} to {worst['family']} {worst['change']:+.0%}"
    )


FORMATS = dict.fromkeys(["before_12", "last_12", "revenue"], "{:,.0f}") | {"change": "{:+.1%}"}
