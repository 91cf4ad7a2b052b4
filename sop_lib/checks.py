"""What the inputs of a cycle say about each other: findings that do not stop the run, counted with their money.

A check reads the tables of a cycle (monthly, nothing after the closing month) and returns rows of `data_issues`.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd

from sop_lib import months
from sop_lib.mapping import listed
from sop_lib.tables import ALL

__all__ = ["CHECKS", "ISSUE", "amount", "demand", "issue", "issues", "stretch"]

ISSUE = ["rule", "table", "subject", "severity", "rows", "quantity", "money", "finding", "remedy"]
SHORT_MONTHS = 24
PARTIAL = 0.7
TOLERANCE = 0.005
COVER = ["product", "family", "region"]


def issue(rule: str, table: str, subject: str, finding: str, remedy: str, **found) -> dict:
    """Return one row of `data_issues`: a warning about 0 rows of unknown quantity and money unless given."""
    row = {"rule": rule, "table": table, "subject": subject, "severity": "warn", "rows": 0, "quantity": np.nan}
    return row | {"money": np.nan, "finding": finding, "remedy": remedy} | found


def issues(rows: list[dict]) -> pd.DataFrame:
    """Return rows of `data_issues` without the cycle, in the order warn, info, then by money, largest first."""
    df = pd.DataFrame(rows, columns=ISSUE)
    df[["rows", "quantity", "money"]] = df[["rows", "quantity", "money"]].astype("float64")
    order = df.assign(_severity=df["severity"].eq("info"), _money=-df["money"].abs().fillna(0))
    order = order.sort_values(["_severity", "_money", "rule", "table", "subject"], kind="stable")
    return order[ISSUE].reset_index(drop=True)


def demand(sales: pd.DataFrame) -> pd.Series:
    """Return what was wanted per row of sales, in units: ordered where given, else shipped."""
    return sales["ordered"].fillna(sales["shipped"])


def amount(rows: pd.DataFrame, quantity: pd.Series, products: pd.DataFrame) -> float:
    """Return the money that rows of a table hold: their revenue, else quantity times list price; unknown is NaN."""
    if "revenue" in rows and rows["revenue"].notna().any():
        return float(rows["revenue"].sum())
    if "product" not in rows or products["unit_price"].isna().all():
        return float("nan")
    price = rows["product"].map(products.set_index("product")["unit_price"])
    return float((quantity * price).sum(min_count=1))


def stretch(budget: pd.DataFrame) -> pd.Series:
    """Return which rows of the budget are a stretch target (stretch, stretch 2027): beside it, never in its place."""
    return budget["version"].astype("str").str.strip().str.lower().str.startswith("stretch")


def _last_year(tables: dict[str, pd.DataFrame], horizon: pd.DatetimeIndex, column: str, members: list) -> dict:
    """Return how many products or families, and the units and money of their last twelve closed months."""
    sales = tables["sales"][tables["sales"]["month"] >= horizon[0] - pd.DateOffset(months=12)]
    family = sales["product"].map(tables["products"].set_index("product")["family"])
    part = sales[sales.assign(family=family)[column].isin(members)]
    units = demand(part)
    return {"rows": len(members), "quantity": units.sum(), "money": amount(part, units, tables["products"])}


def gap_in_months(tables: dict[str, pd.DataFrame], horizon: pd.DatetimeIndex) -> list[dict]:
    """Find closed months in which no product has a row."""
    first = tables["sales"]["month"].min()
    closed = pd.date_range(first, horizon[0], freq="MS", inclusive="left")
    gone = closed.difference(pd.DatetimeIndex(tables["sales"]["month"].unique()))
    names = listed(months.month_name(m) for m in gone)
    text = f"No product has a row in {names}: such a month is missing, not zero, and is filled by rule."
    remedy = "send these months, or confirm that nothing was sold"
    return [issue("gap_in_months", "sales", names, text, remedy, rows=len(gone))] if len(gone) else []


def history_too_short(tables: dict[str, pd.DataFrame], horizon: pd.DatetimeIndex) -> list[dict]:
    """Find a company with less than two years of sales."""
    sales = tables["sales"]
    age = len(pd.date_range(sales["month"].min(), horizon[0], freq="MS", inclusive="left"))
    text = f"Sales go back {age} months; a season is learnt from {SHORT_MONTHS} or more."
    units = demand(sales)
    found = {"rows": age, "quantity": units.sum(), "money": amount(sales, units, tables["products"])}
    remedy = "load older sales if there are any"
    return [issue("history_too_short", "sales", "all products", text, remedy, **found)] if age < SHORT_MONTHS else []


def product_never_sold(tables: dict[str, pd.DataFrame], horizon: pd.DatetimeIndex) -> list[dict]:
    """Find products without a row in sales before the cycle and without a launch."""
    unsold = set(tables["products"]["product"]) - set(tables["sales"]["product"]) - set(tables["launches"]["product"])
    text = f"Never sold before this cycle and not in launches: {listed(unsold)}. They get no forecast."
    found = {"severity": "info", "rows": len(unsold), "quantity": 0.0, "money": 0.0}
    remedy = "name their launch, or take them out of products"
    return [issue("product_never_sold", "products", listed(unsold), text, remedy, **found)] if unsold else []


def one_series_only(tables: dict[str, pd.DataFrame], horizon: pd.DatetimeIndex) -> list[dict]:
    """Find a company that sells one product in one region."""
    series = tables["sales"][["product", "region"]].drop_duplicates()
    text = "One product in one region: there is nothing to add up or to share out."
    found = {"severity": "info", "rows": 1}
    return [issue("one_series_only", "sales", "all products", text, "none needed", **found)] if len(series) == 1 else []


def partial_last_month(tables: dict[str, pd.DataFrame], horizon: pd.DatetimeIndex) -> list[dict]:
    """Find a last month far below what to expect: the same month last year times the recent growth.

    Without last year, the median of the six months before is expected.
    """
    sales = tables["sales"].assign(quantity=demand(tables["sales"]))
    by_month = sales.groupby("month").agg(total=("quantity", "sum"), sellers=("product", "nunique"))
    month, last, recent = by_month.index[-1], by_month.iloc[-1], by_month.iloc[-7:-1].median()
    year_ago = by_month.shift(freq=pd.DateOffset(years=1))["total"].reindex(by_month.index)
    growth = (by_month["total"] / year_ago).iloc[-7:-1].median()
    expected = year_ago.iloc[-1] * growth
    expected = recent["total"] if np.isnan(expected) else expected
    text = (
        f"{month:%Y-%m} holds {last['total']:,.0f} units of {last['sellers']:.0f} products; expected about "
        f"{expected:,.0f} units, and {recent['sellers']:.0f} products sold in a usual month."
    )
    found = {"rows": 1, "quantity": last["total"] - expected}
    remedy = "load the whole month, or plan the cycle before"
    low = len(by_month) > 3 and last["total"] < PARTIAL * expected
    return [issue("partial_last_month", "sales", f"{month:%Y-%m}", text, remedy, **found)] if low else []


def price_missing(tables: dict[str, pd.DataFrame], horizon: pd.DatetimeIndex) -> list[dict]:
    """Find sold products for which no table gives a price."""
    sold = tables["sales"].groupby("product")["revenue"].sum(min_count=1)
    priced = set(tables["products"].dropna(subset="unit_price")["product"]) | set(tables["prices"]["product"])
    bare = sorted(set(sold.index[sold.isna()]) - priced)
    text = f"Neither revenue nor a price is known of {listed(bare)}: they count in units only."
    found = _last_year(tables, horizon, "product", bare)
    return (
        [issue("price_missing", "products", listed(bare), text, "give unit_price or revenue", **found)] if bare else []
    )


def family_left_out(tables: dict[str, pd.DataFrame], horizon: pd.DatetimeIndex) -> list[dict]:
    """Find families that a table about families does not name."""
    found, families = [], set(tables["products"]["family"])
    tables = tables | {"budget": tables["budget"][~stretch(tables["budget"])]}
    for name, effect in FAMILY_TABLES.items():
        out = sorted(families - set(tables[name]["family"])) if len(tables[name]) else []
        text = f"Not in {name}: {listed(out)}; {effect}."
        touched = _last_year(tables, horizon, "family", out)
        found += [issue("family_left_out", name, listed(out), text, f"add them to {name}", **touched)] if out else []
    return found


def stock_missing(tables: dict[str, pd.DataFrame], horizon: pd.DatetimeIndex) -> list[dict]:
    """Find products sold in the last twelve months whose stock at the last close is not known."""
    inventory, closed = tables["inventory"], horizon[0] - pd.offsets.MonthBegin(1)
    sales = tables["sales"]
    sold = sales[(sales["month"] >= horizon[0] - pd.DateOffset(months=12)) & (demand(sales) > 0)]["product"]
    out = sorted(set(sold) - set(inventory[inventory["month"] == closed]["product"])) if len(inventory) else []
    text = f"No stock row in {closed:%Y-%m}, though sold in the last twelve months: {listed(out)}."
    found = _last_year(tables, horizon, "product", out)
    remedy = "send the stock of the last close; until then the opening stock is unknown"
    return [issue("stock_missing", "inventory", f"{closed:%Y-%m}", text, remedy, **found)] if out else []


def budget_missing(tables: dict[str, pd.DataFrame], horizon: pd.DatetimeIndex) -> list[dict]:
    """Find months of the next twelve for which the budget has no row."""
    budget, year = tables["budget"][~stretch(tables["budget"])], horizon[:12]
    gone = year.difference(pd.DatetimeIndex(budget["month"].unique())) if len(budget) else year[:0]
    names = listed(months.month_name(m) for m in gone)
    text = f"The budget has no row in {names}: no gap to budget there."
    found = {"severity": "info", "rows": len(gone)}
    return [issue("budget_missing", "budget", names, text, "add these months", **found)] if len(gone) else []


def control_total(tables: dict[str, pd.DataFrame], horizon: pd.DatetimeIndex) -> list[dict]:
    """Find measures whose monthly sum in sales differs from what another system states."""
    return _differences("control_total", "control_totals", tables["control_totals"], tables["sales"])


def ledger_differs(tables: dict[str, pd.DataFrame], horizon: pd.DatetimeIndex) -> list[dict]:
    """Find revenue and cost of sales that differ from the ledger's."""
    lines = tables["finance"].assign(measure=tables["finance"]["line"].str.lower(), source="the ledger")
    return _differences("ledger_differs", "finance", lines.rename(columns={"actual": "value"}), tables["sales"])


def _differences(rule: str, table: str, stated: pd.DataFrame, sales: pd.DataFrame) -> list[dict]:
    """Compare stated totals with the sums of sales, months that both hold; one issue per source and measure."""
    measures = ["ordered", "shipped", "revenue", "cost"]
    sums = sales.groupby("month")[measures].sum(min_count=1).reset_index()
    ours = sums.melt("month", var_name="measure", value_name="ours").dropna()
    columns = ["month", "measure", "source", "value"]
    both = stated[columns].merge(ours, on=["month", "measure"], how="inner", validate="many_to_one")
    both["delta"] = both["ours"] - both["value"]
    off = both[both["delta"].abs() > TOLERANCE * both["value"].abs()]
    return [_difference(rule, table, str(s), str(m), rows) for (s, m), rows in off.groupby(["source", "measure"])]


def _difference(rule: str, table: str, source: str, measure: str, rows: pd.DataFrame) -> dict:
    worst, total = rows.sort_values("delta", key=abs, kind="stable").iloc[-1], rows["delta"].sum()
    text = (
        f"{measure} of sales differs from {source}: {worst['ours']:,.0f} against {worst['value']:,.0f} in "
        f"{worst['month']:%Y-%m} (delta {worst['delta']:+,.0f}). "
        f"Months more than {TOLERANCE:.1%} apart: {len(rows)}. The plan uses sales."
    )
    found = {"rows": len(rows), "money" if measure in ("revenue", "cost") else "quantity": total}
    return issue(rule, table, f"{measure} · {source}", text, "agree on one number with its owner", **found)


def unusual_horizon(tables: dict[str, pd.DataFrame], horizon: pd.DatetimeIndex) -> list[dict]:
    """Find a planning horizon outside 18 to 36 months."""
    text = f"The plan looks {len(horizon)} months ahead; 18 to 36 are usual."
    row = issue("unusual_horizon", "sop.toml", "horizon_months", text, "set horizon_months in [planning]")
    return [] if 18 <= len(horizon) <= 36 else [row]


def _new(tables: dict[str, pd.DataFrame], horizon: pd.DatetimeIndex) -> pd.DataFrame:
    """Return the launches with the month in which their product first sold there, and `young`: in its first year."""
    sales, rows = tables["sales"], tables["launches"]
    where = sales["product"].map(rows.set_index("product")["region"])
    there = where.eq(ALL) | where.eq(sales["region"])
    first = sales[there & (demand(sales) > 0)].groupby("product")["month"].min()
    rows = rows.assign(first=rows["product"].map(first))
    return rows.assign(young=rows["launch_month"] >= horizon[0] - pd.DateOffset(months=12))


def _of(rule: str, rows: pd.DataFrame, names: str, text: str, remedy: str) -> list[dict]:
    found = {"rows": len(rows), "quantity": rows["volume_year_1"].sum()}
    return [issue(rule, "launches", names, text, remedy, **found)] if len(rows) else []


def like_without_history(tables: dict[str, pd.DataFrame], horizon: pd.DatetimeIndex) -> list[dict]:
    """Find launches still planned by their row whose like-product has less than a year of history."""
    rows, first = _new(tables, horizon), tables["sales"].groupby("product")["month"].min()
    lived = first.index[first <= horizon[0] - pd.DateOffset(months=12)]
    bare = rows[rows["young"] & rows["like_product"].notna() & ~rows["like_product"].isin(lived)]
    names = listed(bare["product"] + " (like " + bare["like_product"] + ")")
    text = f"A like-product without a year of history: {names}. Season and regions come from a product alike, else "
    text += "from the family, else they are even."
    return _of("like_without_history", bare, names, text, "name a like-product that sold for a year")


def launch_month_differs(tables: dict[str, pd.DataFrame], horizon: pd.DatetimeIndex) -> list[dict]:
    """Find launches whose product first sold in another month than the launch month, or has not sold since."""
    rows = _new(tables, horizon)
    rows = rows[rows["launch_month"] > tables["sales"]["month"].min()]
    late = rows["first"].isna() & (rows["launch_month"] < horizon[0]) & rows["young"]
    rows = rows[late | (rows["first"].notna() & rows["first"].ne(rows["launch_month"]))]
    sold = rows["first"].dt.strftime("first sold %Y-%m").fillna("has not sold yet")
    said = rows["product"] + ", to be launched " + rows["launch_month"].dt.strftime("%Y-%m") + ", " + sold
    text = f"Launch month and sales differ: {listed(said)}. The plan counts from the launch month."
    remedy = "correct launch_month, or take the row out when it is no launch"
    return _of("launch_month_differs", rows, listed(rows["product"]), text, remedy)


def launch_never_sold(tables: dict[str, pd.DataFrame], horizon: pd.DatetimeIndex) -> list[dict]:
    """Find launches of a year ago or longer that have not sold: they are planned no more."""
    rows = _new(tables, horizon)
    rows = rows[rows["first"].isna() & ~rows["young"]]
    names = listed(rows["product"] + " of " + rows["launch_month"].dt.strftime("%Y-%m"))
    text = f"A launch has not sold in a year and is planned no more: {names}."
    return _of("launch_never_sold", rows, names, text, "give its new launch_month, or take it out of launches")


def cannibalised_missing(tables: dict[str, pd.DataFrame], horizon: pd.DatetimeIndex) -> list[dict]:
    """Find coming launches that name a product they take from, and no rate; a successor needs none."""
    rows, products = _new(tables, horizon), tables["products"]
    heirs = products.dropna(subset="end_month").set_index("product")["successor"]
    rows = rows[rows["young"] & rows["cannibalises"].notna() & rows["cannibalised"].isna()]
    rows = rows[rows["cannibalises"].map(heirs).ne(rows["product"])]
    names = listed(rows["product"] + " from " + rows["cannibalises"])
    text = f"How much a launch takes is not said: {names}. The rate of past launches is taken; without any, nothing."
    remedy = "give cannibalised, the share of its volume that it takes"
    return _of("cannibalised_missing", rows, names, text, remedy)


def overlapping_events(tables: dict[str, pd.DataFrame], horizon: pd.DatetimeIndex) -> list[dict]:
    """Find pairs of events that cover the same products, regions and months."""
    events = tables["events"].sort_values("event")[["event", *COVER, "from_month", "to_month"]]
    both = events.merge(events, how="cross", suffixes=("", "_2"))
    both["first"], both["last"] = (
        both[["from_month", "from_month_2"]].max(axis=1),
        both[["to_month", "to_month_2"]].min(axis=1),
    )
    met = (both["event"] < both["event_2"]) & (both["first"] <= both["last"])
    for name in COVER:
        met &= (both[name] == both[name + "_2"]) | both[name].eq(ALL) | both[name + "_2"].eq(ALL)
    found, remedy = [], "make them one event, or confirm that they add up"
    for pair in both[met].itertuples():
        when = months.month_name(pair.first) + (f" to {months.month_name(pair.last)}" if pair.first < pair.last else "")
        text = f"{pair.event} and {pair.event_2} cover the same demand in {when}: their effects add up."
        found.append(issue("overlapping_events", "events", f"{pair.event} · {pair.event_2}", text, remedy, rows=2))
    return found


def event_without_effect(tables: dict[str, pd.DataFrame], horizon: pd.DatetimeIndex) -> list[dict]:
    """Find events that end before they begin, past one-offs of no size, coming ones without uplift or probability."""
    events = tables["events"].sort_values("event")
    ahead, bare = events["to_month"] >= horizon[0], events["uplift_units"].isna()
    once = events["kind"].eq("one_off") & (events["from_month"] < horizon[0]) & bare
    cases = (
        (events["to_month"] < events["from_month"], "ends before it begins: no effect", "give its months in order"),
        (once & events["uplift_rate"].isna(), "is a past one-off of no size: history keeps it", "give uplift_units"),
        (once & (events["uplift_rate"] <= -1),
         "left no demand, so its rate tells of none: history keeps it", "give uplift_units, below zero: what was lost"),
        (ahead & bare & events["uplift_rate"].isna() & ~once,
         "declares no uplift: it adds only what earlier events like it did", "give uplift_rate or uplift_units"),
        (ahead & events["probability"].isna(), "has no probability: it counts as certain", "give its probability"),
    )  # fmt: skip
    return [
        issue("event_without_effect", "events", f"{name} · {remedy}", f"Event {name} {words}.", remedy, rows=1)
        for hit, words, remedy in cases
        for name in events.loc[hit, "event"]
    ]


def driver_incomplete(tables: dict[str, pd.DataFrame], horizon: pd.DatetimeIndex) -> list[dict]:
    """Find months that a region of a driver lacks since its first, and drivers without a value for coming months."""
    each = tables["drivers"].dropna(subset="value").groupby(["driver", "region"])["month"]
    closed = each.max().groupby("driver").max().clip(upper=horizon[0] - pd.DateOffset(months=1))
    found = []
    for (name, region), given in each:
        span = pd.date_range(given.min(), max(given.max(), closed[name]), freq="MS")
        gone, who = span.difference(pd.DatetimeIndex(given)), name if region == ALL else f"{name} · {region}"
        text = f"Driver {who} has no value in {listed(months.month_name(m) for m in gone)}: it is not used."
        row = issue("driver_incomplete", "drivers", f"{who} · gap", text, "send them", rows=len(gone))
        found += [row] * bool(len(gone))
    for name in closed.index[each.max().groupby("driver").min() < horizon[0]]:
        text = f"Driver {name} is not given from {horizon[0]:%Y-%m} on: it may explain the past, and is not used ahead."
        row = issue("driver_incomplete", "drivers", f"{name} · future", text, "send what is known of it")
        found.append(row | {"severity": "info"})
    return found


FAMILY_TABLES = {
    "families": "default targets are used",
    "supply_costs": "no route and no limit, so no optimal plan for them",
    "budget": "no gap to budget for them",
}
CHECKS: dict[str, Callable[[dict[str, pd.DataFrame], pd.DatetimeIndex], list[dict]]] = {
    "gap_in_months": gap_in_months,
    "partial_last_month": partial_last_month,
    "control_total": control_total,
    "ledger_differs": ledger_differs,
    "history_too_short": history_too_short,
    "product_never_sold": product_never_sold,
    "one_series_only": one_series_only,
    "price_missing": price_missing,
    "family_left_out": family_left_out,
    "stock_missing": stock_missing,
    "budget_missing": budget_missing,
    "like_without_history": like_without_history,
    "launch_month_differs": launch_month_differs,
    "launch_never_sold": launch_never_sold,
    "cannibalised_missing": cannibalised_missing,
    "unusual_horizon": unusual_horizon,
    "overlapping_events": overlapping_events,
    "event_without_effect": event_without_effect,
    "driver_incomplete": driver_incomplete,
}
