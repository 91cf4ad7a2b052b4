"""The family page: sales, production, inventory or backlog, and service, past and planned, beside earlier plans."""

import pandas as pd

from sop_lib import approved, finance, inventory, months, scorecard
from sop_lib.policy import TO_ORDER
from sop_lib.settings import Planning

__all__ = ["NEEDS", "balance", "display_rows", "family_display"]

NEEDS = (
    "products", "sales", "history", "shipments", "inventory", "backlog", "receipts", "past_plans", "budget", "prices",
    "families", "demand_plan", "inventory_plan", "scenario_comparison", "supply_plan", "supply_costs", "plants",
    "calendar",
)  # fmt: skip
KEY = ["family", "block", "row", "month"]
LATEST = "Actual / latest"
ROWS = [
    "Budget",
    "Approved",
    "Previous",
    "Demand",
    LATEST,
    "Difference",
    "Cumulative",
    "Other movements",
    "Target",
    "Cover",
    "Working days",
    "People",
]
MEASURES = {"demand": "sales", "supply": "production", "inventory": "inventory", "backlog": "backlog"}
CLOSED = 3
WEEKS = 52 / 12
ROUNDING = 0.01  # units; what a table written to nine digits may be off


def family_display(
    cycle: pd.Timestamp, horizon: pd.DatetimeIndex, *, planning: Planning, tables: dict[str, pd.DataFrame]
) -> pd.DataFrame:
    """Return the family page per family, block, row and month: three closed months, then the horizon; units.

    Closed months of "Actual / latest" are what shipped, came in and lay in stock; plan months are the proposed plan.
    Difference is latest - Approved (Budget, then Previous, for a month without it); Cumulative adds it up
    since the start of the fiscal year. Families made or assembled to order show their backlog in place of stock.
    Cover is days of planned demand that stock lasts, or weeks of demand that wait. People are full-time workers that
    in-house output takes at standard hours, where routes and plants are known.
    """
    stock = approved.proposed(tables["inventory_plan"], tables["scenario_comparison"])
    facts = scorecard.Facts(cycle, planning.decision_lag, tables)
    lines = pd.concat([_sold(facts, stock), _made(facts, stock), _held(facts, stock), _plans(facts)], ignore_index=True)
    out = _unlike(display_rows(lines, cycle, horizon, planning.fiscal_year_start))
    out = pd.concat(
        [p for p in (out, _cover(lines, facts, horizon), _people(facts, lines), _service(facts, stock)) if len(p)],
        ignore_index=True,
    )
    out = out[(out["month"] >= cycle - pd.DateOffset(months=CLOSED)) & (out["month"] <= horizon[-1])].dropna(
        subset="value"
    )
    return _finished(_by_strategy(out, tables["families"]), cycle, tables["families"])


def display_rows(lines: pd.DataFrame, cycle: pd.Timestamp, horizon: pd.DatetimeIndex, start: int = 1) -> pd.DataFrame:
    """Return lines (family, block, row, month, value) with Difference, Cumulative and Other movements added.

    Cumulative begins anew with each fiscal year. Other movements are what moved stock besides production and
    sales (adjustments, returns, transfers), so that inventory always ties:
    inventory = inventory before + production - sales + other movements.
    """
    wide = lines.pivot(index=["family", "block", "month"], columns="row", values="value").reset_index()
    wide = wide.reindex(columns=["family", "block", "month", *ROWS[:5], "Target"]).sort_values(
        ["family", "block", "month"]
    )
    plan = wide["Approved"].fillna(wide["Budget"]).fillna(wide["Previous"])
    wide["Difference"] = wide[LATEST] - plan
    year = months.fiscal_year(wide["month"], start)
    flow = wide["block"].isin(["sales", "production"])
    wide["Cumulative"] = wide["Difference"].where(flow).groupby([wide["family"], wide["block"], year]).cumsum()
    rows = wide.melt(["family", "block", "month"], var_name="row", value_name="value").dropna(subset="value")
    other = balance(rows).rename(columns={"residual": "value"}).assign(block="inventory", row="Other movements")
    moved = other[other["value"].abs() > ROUNDING]
    return pd.concat([p for p in (rows, moved) if len(p)], ignore_index=True)[[*KEY, "value"]]


def balance(rows: pd.DataFrame) -> pd.DataFrame:
    """Return family, month and the residual of inventory - (inventory before + production - sales), in units.

    Other movements, where the rows have them, are part of the balance: a finished display leaves 0 everywhere.
    """
    latest = rows[rows["row"] == LATEST].pivot(index=["family", "month"], columns="block", values="value")
    latest = latest.reindex(columns=["sales", "production", "inventory"]).sort_index()
    before = latest["inventory"].groupby("family").shift()
    other = (
        rows[rows["row"] == "Other movements"].set_index(["family", "month"])["value"].reindex(latest.index).fillna(0.0)
    )
    made = latest["production"].fillna(0.0)
    residual = latest["inventory"] - before - made + latest["sales"] - other
    return residual.rename("residual").dropna().reset_index()


def _unlike(rows: pd.DataFrame) -> pd.DataFrame:
    """Leave Demand out of a family that sells all it is asked for: the row would say the same twice."""
    both = rows[rows["row"].isin(["Demand", LATEST])]
    wide = both.pivot(index=["family", "block", "month"], columns="row", values="value")
    differs = (wide["Demand"] - wide[LATEST]).abs().groupby("family").max() > ROUNDING
    return rows[(rows["row"] != "Demand") | rows["family"].map(differs)]


def _long(rows: pd.DataFrame, block: str, row: str, column: str) -> pd.DataFrame:
    return rows.rename(columns={column: "value"})[["family", "month", "value"]].assign(block=block, row=row)


def _sold(facts: scorecard.Facts, stock: pd.DataFrame) -> pd.DataFrame:
    """Return demand, and what shipped or will, per family and month."""
    tables = facts.tables
    outlook = finance.sales_outlook(
        tables["history"], tables["demand_plan"], stock, tables["products"], tables["prices"]
    )
    sold = finance.by_family(outlook)
    return pd.concat([_long(sold, "sales", "Demand", "demand"), _long(sold, "sales", LATEST, "quantity")])


def _made(facts: scorecard.Facts, stock: pd.DataFrame) -> pd.DataFrame:
    past = facts.actual("supply")
    return pd.concat(
        [
            _long(past[past["month"] < facts.cycle], "production", LATEST, "actual"),
            _long(stock, "production", LATEST, "supply"),
        ]
    )


def _held(facts: scorecard.Facts, stock: pd.DataFrame) -> pd.DataFrame:
    """Return stock and backlog at month end per family, with the target stock."""
    on_hand = facts.actual("inventory")
    owed = facts["backlog"].merge(facts.families, on="product", how="left", validate="m:1")
    owed = owed.groupby(["family", "month"], as_index=False)["quantity"].sum()
    past = (_long(on_hand, "inventory", LATEST, "actual"), _long(owed, "backlog", LATEST, "quantity"))
    plan = (_long(stock, "inventory", LATEST, "closing"), _long(stock, "backlog", LATEST, "backlog"))
    target = _long(stock, "inventory", "Target", "target")
    return pd.concat([*(p[p["month"] < facts.cycle] for p in past), *plan, target])


def _plans(facts: scorecard.Facts) -> pd.DataFrame:
    """Return budget, approved and previous plan of every block."""
    earlier = finance.earlier_plans(facts["past_plans"], facts["products"])
    parts = []
    for view in ("approved", "previous"):
        plan = finance.plan_view(earlier, facts.cycle, facts.lag, view)  # type: ignore[arg-type]
        plan = plan.assign(block=plan["measure"].map(MEASURES), row=view.capitalize(), value=plan["quantity"])
        parts.append(plan[[*KEY, "value"]])
    budget = finance.budget_by_month(facts["budget"])
    for column, block in (("quantity", "sales"), ("production", "production"), ("inventory", "inventory")):
        parts.append(_long(budget, block, "Budget", column))
    return pd.concat(parts)


def _cover(lines: pd.DataFrame, facts: scorecard.Facts, horizon: pd.DatetimeIndex) -> pd.DataFrame:
    """Return days of planned demand that the stock lasts, and weeks of demand that the backlog holds."""
    first = facts.cycle - pd.DateOffset(months=CLOSED)
    shown = lines[(lines["month"] >= first) & (lines["month"] <= horizon[-1])]
    demand = shown[(shown["block"] == "sales") & (shown["row"] == "Demand")].pivot(
        index="month", columns="family", values="value"
    )
    demand = demand.reindex(pd.date_range(first, horizon[-1], freq="MS", name="month")).fillna(0.0)
    if demand.empty or demand.shape[1] == 0:
        return lines[:0]
    wanted = demand.stack().rename("demand").reset_index()
    closing = shown[(shown["block"] == "inventory") & (shown["row"] == LATEST)]
    stock = wanted.merge(closing[["month", "family", "value"]], on=["month", "family"], how="left", validate="1:1")
    days = stock.assign(cover=inventory.cover_days(stock.assign(closing=stock["value"].fillna(0.0)))).dropna(
        subset="value"
    )
    weekly = (demand.rolling(3).mean().shift(-3) / WEEKS).stack().rename("weekly").reset_index()
    owed = shown[(shown["block"] == "backlog") & (shown["row"] == LATEST)]
    weeks = owed[["month", "family", "value"]].merge(weekly, on=["month", "family"], how="inner", validate="1:1")
    weeks = weeks.assign(cover=weeks["value"] / weeks["weekly"].where(weeks["weekly"] > 0)).dropna(subset="cover")
    parts = [_long(d.drop(columns="value"), b, "Cover", "cover") for d, b in ((days, "inventory"), (weeks, "backlog"))]
    return pd.concat(parts, ignore_index=True)


def _people(facts: scorecard.Facts, lines: pd.DataFrame) -> pd.DataFrame:
    """Return working days, and workers that in-house output takes at standard hours, of months with production."""
    shown = lines[(lines["block"] == "production") & (lines["row"] == LATEST)][["family", "month"]]
    routes = facts["supply_costs"][["family", "plant", "labour_hours_per_unit"]]
    rows = shown.merge(routes, on="family", how="inner", validate="m:m")
    rows = rows.merge(facts["plants"][["plant", "hours_per_worker_day"]], on="plant", how="inner", validate="m:1")
    if rows.empty:
        return rows
    when = pd.DatetimeIndex(sorted(rows["month"].unique()), name="month")
    days = {p: months.working_days(when, facts["calendar"], p) for p in sorted(rows["plant"].unique())}
    long = pd.DataFrame(days).rename_axis(columns="plant").stack().rename("days").reset_index()
    rows = rows.merge(long, on=["plant", "month"], how="left", validate="m:1")
    rows = rows.merge(_in_house(facts), on=["family", "plant", "month"], how="left", validate="m:1")
    hours = rows["quantity"].fillna(0.0) * rows["labour_hours_per_unit"]
    shift = (rows["hours_per_worker_day"] * rows["days"]).where(lambda t: t > 0)
    grouped = rows.assign(people=hours / shift).groupby(["family", "month"], as_index=False)
    sums = grouped.agg(people=("people", lambda t: t.sum(min_count=1)), days=("days", "mean"))
    return pd.concat([_long(sums, "production", "Working days", "days"), _long(sums, "production", "People", "people")])


def _in_house(facts: scorecard.Facts) -> pd.DataFrame:
    """Return what was made and will be made in house, per family, plant and month, in units."""
    past = facts["receipts"].query("source == 'made'").merge(facts.families, on="product", how="left", validate="m:1")
    plan = approved.proposed(facts["supply_plan"], facts["scenario_comparison"])
    names = ["family", "plant", "month", "quantity"]
    parts = [
        past.loc[past["month"] < facts.cycle, names],
        plan.loc[plan["source"].isin(["regular", "overtime"]), names],
    ]
    made = pd.concat([p for p in parts if len(p)] or parts, ignore_index=True)
    return made.groupby(names[:3], as_index=False)["quantity"].sum()


def _service(facts: scorecard.Facts, stock: pd.DataFrame) -> pd.DataFrame:
    """Return the fill rate of closed months, the share of demand the plan serves in its month, and the target."""
    filled = scorecard.fill_rate(facts)
    past = filled.assign(rate=filled["numerator"] / filled["denominator"].where(filled["denominator"] > 0))
    late = (stock["backlog"] + stock["lost"]).clip(lower=0.0, upper=stock["demand"])
    plan = stock.assign(rate=1 - late / stock["demand"].where(stock["demand"] > 0))
    rows = pd.concat(
        [_long(past[past["month"] < facts.cycle], "service", LATEST, "rate"), _long(plan, "service", LATEST, "rate")]
    )
    aims = facts["families"].set_index("family")["fill_target"].astype("float64")
    target = rows.assign(row="Target", value=rows["family"].map(aims))
    return pd.concat([rows, target], ignore_index=True)


def _by_strategy(rows: pd.DataFrame, families: pd.DataFrame) -> pd.DataFrame:
    to_order = set(families.loc[families["strategy"].isin(TO_ORDER), "family"])
    ordered = rows["family"].isin(to_order)
    return rows[~((rows["block"] == "inventory") & ordered) & ~((rows["block"] == "backlog") & ~ordered)]


def _finished(rows: pd.DataFrame, cycle: pd.Timestamp, families: pd.DataFrame) -> pd.DataFrame:
    """Add the order of rows, past or plan, and units."""
    unit = rows["family"].map(families.set_index("family")["unit"]).fillna("units")
    cover = (rows["row"] == "Cover").map({True: "days", False: ""})
    cover = cover.mask((rows["row"] == "Cover") & (rows["block"] == "backlog"), "weeks")
    unit = unit.mask(cover != "", cover).mask(rows["block"] == "service", "rate")
    unit = unit.mask(rows["row"] == "Working days", "days").mask(rows["row"] == "People", "workers")
    out = rows.assign(order=rows["row"].map(ROWS.index) + 1, past=rows["month"] < cycle, unit=unit)
    return out.sort_values(["family", "block", "order", "month"], ignore_index=True)
