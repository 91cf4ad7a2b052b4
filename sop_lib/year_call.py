"""The full-year call against budget, last year and earlier plans, and the bridges that explain it in steps."""

import pandas as pd

from sop_lib import finance, months
from sop_lib.tables import ALL

__all__ = ["bridges", "budget_bridges", "fiscal_years", "plan_money", "previous_bridges", "year_call"]

FLOWS = ["quantity", "revenue", "margin"]
NOTHING = 1e-9  # fewer units have no price per unit
VIEWS = ["actual_to_date", "latest", "low", "high", "budget", "last_year", "previous", "approved"]
KEY = ["fiscal_year", "family", "line"]
STEPS = [
    "Budget",
    "Volume",
    "Mix",
    "Price",
    "Cost",
    "Previous",
    "Closed months",
    "Open months",
    "Supply",
    "Latest",
]


def fiscal_years(horizon: pd.DatetimeIndex, start: int = 1) -> list[int]:
    """Return the fiscal year of the first month of the horizon and every later one it covers to its end.

    >>> fiscal_years(months.month_range(months.month("2026-11"), 24))
    [2026, 2027]
    """
    current, last = (int(months.fiscal_year(m, start)) for m in (horizon[0], horizon[-1]))
    ends = {y: months.fiscal_year_months(y, start)[-1] for y in range(current, last + 1)}
    return [y for y, end in ends.items() if y == current or end <= horizon[-1]]


def plan_money(plan: pd.DataFrame, outlook: pd.DataFrame) -> pd.DataFrame:
    """Return quantity, revenue and margin per month and family of an earlier demand plan at today's average prices."""
    each = _per_unit(finance.by_family(outlook))
    wanted = plan.loc[plan["measure"] == "demand", ["month", "family", "quantity"]]
    out = wanted.merge(each, on=["month", "family"], how="left", validate="1:1")
    out = out.assign(revenue=out["quantity"] * out["price"], margin=out["quantity"] * out["unit_margin"])
    return out[["month", "family", *FLOWS]]


def _per_unit(sold: pd.DataFrame) -> pd.DataFrame:
    """Return average price and margin per unit per month and family; the family's overall average where none sold."""
    ever = sold.groupby("family")[FLOWS].transform("sum")
    units, all_units = (q.where(q > 0) for q in (sold["quantity"], ever["quantity"]))
    price = (sold["revenue"] / units).fillna(ever["revenue"] / all_units)
    margin = (sold["margin"] / units).fillna(ever["margin"] / all_units)
    return sold[["month", "family"]].assign(price=price, unit_margin=margin)


# The call


def year_call(
    outlook: pd.DataFrame, stock: pd.DataFrame, budget: pd.DataFrame, outcomes: pd.DataFrame, earlier: pd.DataFrame,
    *, horizon: pd.DatetimeIndex, start: int, lag: int, currency: str, units: dict[str, str],
) -> pd.DataFrame:  # fmt: skip
    """Return the full-year call per fiscal year, family (and ALL, their sum) and line, in units or money.

    `latest` is actual to date plus plan; of `inventory_value` it is the stock at the end of the year,
    and `actual_to_date` the last closed month's. `low` and `high` are P10 and P90 over the demand paths:
    actual to date plus what the committed supply can ship on each path, at the plan's average prices.
    `budget`, `previous` and `approved` are blank unless they cover every month of the family's call, and of ALL
    unless every family called has them; `last_year` unless it knows every month (what did not sell then was nothing).
    Quantities of families with unlike units (`units`: family to unit) have no ALL.
    """
    sold = finance.by_family(outlook)
    span = sold.assign(fiscal_year=months.fiscal_year(sold["month"], start)).groupby("fiscal_year")["month"]
    span = pd.DataFrame({"months": span.nunique(), "last": span.max()})
    span = span[span.index.isin(fiscal_years(horizon, start))].reset_index()
    views = _views(outlook, sold, stock, budget, earlier, horizon[0], lag)
    totals = _whole(_totals(_covered(views, span, start), ["view"]))
    calls = totals.pivot(index=KEY, columns="view", values="value").reset_index()
    calls = calls.merge(span[["fiscal_year", "months"]], on="fiscal_year", how="left", validate="m:1")
    calls = calls.reindex(columns=[*KEY, "months", *[v for v in VIEWS if v not in ("low", "high")]])
    calls = calls.merge(_ranges(outcomes, sold, stock, span, start), on=KEY, how="left", validate="1:1")
    return _finished(calls, sold, stock, horizon[0], currency, units)


def _views(outlook, sold, stock, budget, earlier, cycle, lag) -> pd.DataFrame:
    """Return month, family, line, view, value of everything the call sets side by side."""
    planned = {view: finance.plan_view(earlier, cycle, lag, view) for view in ("approved", "previous")}
    aims = finance.budget_by_month(budget)
    held = stock.rename(columns={"value": "inventory_value"})[["month", "family", "inventory_value"]]
    opened = earlier.loc[earlier["cycle"] < cycle, "cycle"].max()
    before = sold[sold["month"] < opened]
    parts = [_long(d, "latest") for d in (sold, held)]
    parts += [_long(d.assign(month=d["month"] + pd.DateOffset(months=12)), "last_year") for d in (sold, held)]
    parts += [_long(sold[sold["month"] < cycle], "actual_to_date"), _long(before, "previous"), _long(aims, "budget")]
    parts += [_long(_valued(aims.assign(quantity=aims["inventory"]), stock), "budget")]
    for view, plan in planned.items():
        parts += [_long(plan_money(plan, outlook), view)]
        parts += [_long(_valued(plan[plan["measure"] == "inventory"], stock), view)]
    return pd.concat([p for p in parts if len(p)], ignore_index=True).dropna(subset="value")


def _long(df: pd.DataFrame, view: str) -> pd.DataFrame:
    lines = [c for c in (*FLOWS, "inventory_value") if c in df]
    return df.melt(["month", "family"], lines, var_name="line").assign(view=view)


def _valued(held: pd.DataFrame, stock: pd.DataFrame) -> pd.DataFrame:
    """Return planned stock of earlier plans or budget in money, at the value per unit of the same month's stock."""
    each = stock.assign(each=stock["value"] / stock["quantity"].where(stock["quantity"] > 0))
    usual = each.groupby("family")["each"].median()
    out = held.merge(each[["month", "family", "each"]], on=["month", "family"], how="left", validate="m:1")
    value = out["quantity"] * out["each"].fillna(out["family"].map(usual).astype("float64"))
    return out[["month", "family"]].assign(inventory_value=value)


def _covered(views: pd.DataFrame, span: pd.DataFrame, start: int) -> pd.DataFrame:
    """Keep what belongs to the call's months: plans that cover a family's call, last year where all of it is known."""
    out = views[views["month"].isin(views.loc[views["view"] == "latest", "month"])]
    out = out.assign(fiscal_year=months.fiscal_year(out["month"], start))
    out = out.merge(span, on="fiscal_year", how="inner", validate="m:1")
    is_stock = out["line"] == "inventory_value"
    out = out[~is_stock | (out["month"] == out["last"])]
    called = out.loc[out["view"] == "latest", [*KEY, "month"]].assign(called=1)
    out = out.merge(called, on=[*KEY, "month"], how="left", validate="m:1")
    needed = out[KEY].merge(called.groupby(KEY)["called"].sum().reset_index(), on=KEY, how="left", validate="m:1")
    whole = out.groupby([*KEY, "view"])["called"].transform("sum") == needed["called"].fillna(0)
    known = out.groupby(["fiscal_year", "line", "view"])["month"].transform("nunique") == out["months"]
    known |= out["line"] == "inventory_value"
    return out[out["view"].isin(["latest", "actual_to_date"]) | known.where(out["view"] == "last_year", whole)]


def _whole(totals: pd.DataFrame) -> pd.DataFrame:
    """Leave out ALL of a plan that lacks a family with a latest other than nothing: it is not the company's."""
    views = ["fiscal_year", "line", "view"]
    called = totals.loc[(totals["view"] == "latest") & (totals["value"] != 0) & (totals["family"] != ALL), KEY]
    plans = totals.loc[totals["view"].isin(["budget", "previous", "approved"]), views].drop_duplicates()
    wanted = plans.merge(called, on=["fiscal_year", "line"], how="inner", validate="m:m")
    has = totals[[*KEY, "view"]]
    lacking = wanted.merge(has, on=[*KEY, "view"], how="left", validate="1:1", indicator="found")
    lacking = lacking.loc[lacking["found"] == "left_only", views].drop_duplicates()
    partial = pd.MultiIndex.from_frame(totals[views]).isin(pd.MultiIndex.from_frame(lacking))
    return totals[~(partial & (totals["family"] == ALL))]


def _totals(rows: pd.DataFrame, extra: list[str]) -> pd.DataFrame:
    """Return the sum of `value` per year, family, line and `extra`, and of all families as ALL."""
    families = rows.groupby([*KEY, *extra])["value"].sum(min_count=1).reset_index()
    whole = families.groupby(["fiscal_year", "line", *extra])["value"].sum(min_count=1).reset_index()
    return pd.concat([families, whole.assign(family=ALL)], ignore_index=True)


def _ranges(outcomes, sold, stock, span, start) -> pd.DataFrame:
    """Return low and high of the months still open, per year, family and line."""
    months_ahead = outcomes.assign(fiscal_year=months.fiscal_year(outcomes["month"], start))
    ahead = months_ahead.merge(span, on="fiscal_year", how="inner", validate="m:1")
    ahead = ahead.merge(_per_unit(sold), on=["month", "family"], how="left", validate="m:1")
    ahead = ahead.assign(revenue=ahead["shipped"] * ahead["price"], margin=ahead["shipped"] * ahead["unit_margin"])
    flows = ahead.rename(columns={"shipped": "quantity"}).melt(
        ["fiscal_year", "family", "path"], FLOWS, var_name="line"
    )
    ends = ahead.loc[ahead["month"] == ahead["last"], ["fiscal_year", "path", "month", "family", "closing"]]
    held = (
        _valued(ends.rename(columns={"closing": "quantity"}), stock)
        if len(stock)
        else ends.assign(inventory_value=None)
    )
    ends = ends.assign(line="inventory_value", value=held["inventory_value"].astype("float64").to_numpy())
    rows = pd.concat([flows, ends[["fiscal_year", "family", "path", "line", "value"]]], ignore_index=True)
    sums = _totals(rows, ["path"]).groupby(KEY)["value"]
    return pd.DataFrame({"low": sums.quantile(0.1), "high": sums.quantile(0.9)}).reset_index()


def _finished(calls, sold, stock, cycle, currency, units) -> pd.DataFrame:
    """Add actual to date to the ranges, the closed stock, and units; leave out a total of unlike units."""
    is_stock = calls["line"] == "inventory_value"
    out = calls.assign(actual_to_date=calls["actual_to_date"].fillna(0.0))
    for side in ("low", "high"):
        out[side] = out[side].where(is_stock, out[side] + out["actual_to_date"])
    closed = stock[stock["month"] == cycle - pd.DateOffset(months=1)].groupby("family")["value"].sum()
    closed[ALL] = closed.sum()
    out.loc[is_stock, "actual_to_date"] = out.loc[is_stock, "family"].map(closed).fillna(0.0).astype("float64")
    common = set(units.get(f, "units") for f in sold["family"].unique())
    unit = out["family"].map({**units, ALL: next(iter(common))}).fillna("units")
    out = out.assign(scenario="base", unit=unit.where(out["line"] == "quantity", currency)).dropna(subset="latest")
    mixed = (out["family"] == ALL) & (out["line"] == "quantity") & (len(common) > 1)
    return out[~mixed].sort_values(KEY, ignore_index=True)


# Bridges


def bridges(
    outlook: pd.DataFrame, budget: pd.DataFrame, earlier: pd.DataFrame, *, horizon: pd.DatetimeIndex, start: int,
    currency: str,
) -> pd.DataFrame:  # fmt: skip
    """Return the bridges from budget and from the last cycle's call to the latest, as far as there is one."""
    given = {"horizon": horizon, "start": start, "currency": currency}
    parts = [budget_bridges(outlook, budget, **given), previous_bridges(outlook, earlier, **given)]
    return pd.concat([p for p in parts if len(p)] or parts[:1], ignore_index=True)


def budget_bridges(
    outlook: pd.DataFrame, budget: pd.DataFrame, *, horizon: pd.DatetimeIndex, start: int, currency: str
) -> pd.DataFrame:
    """Return the steps from budget to latest, of revenue and margin, per fiscal year and family (ALL is their sum).

    Volume: units above budget at the family's average budget price (or margin per unit). Mix: the regions' units at
    their own budget price, and the products' shares against those of the year before, as the budget has no products.
    Price: latest units at latest less budget price, without that mix. Cost (margin only): the same of cost.
    The steps add up to the difference exactly. A family without a budget for every month of its call in a year has
    no bridge, and ALL none unless every family called has one.

    Source: price-volume-mix variance as in managerial accounting.
    """
    aims = finance.budget_by_month(budget, "region")
    level = ["family", "region"] if (aims["region"] != ALL).any() else ["family"]
    aims = aims.assign(fiscal_year=months.fiscal_year(aims["month"], start), cost=aims["revenue"] - aims["margin"])
    sold = outlook.assign(fiscal_year=months.fiscal_year(outlook["month"], start))
    whole = _budgeted(aims, sold, fiscal_years(horizon, start))
    columns = ["quantity", "revenue", "cost"]
    by = ["fiscal_year", *level]
    plan, latest = (
        d.merge(whole, on=["fiscal_year", "family"], how="inner", validate="m:1").groupby(by)[columns].sum(min_count=1)
        for d in (aims[aims["month"].isin(sold["month"])], sold)
    )
    cells = (
        plan.join(latest, how="outer", lsuffix="_plan").fillna({"quantity": 0.0, "quantity_plan": 0.0}).reset_index()
    )
    cells = cells.merge(_product_mix(sold, by), on=by, how="left", validate="1:1").fillna(
        {"mix_revenue": 0.0, "mix_cost": 0.0}
    )
    steps = [_variance(cells, line) for line in ("revenue", "margin")]
    called = sold.groupby(["fiscal_year", "family"], as_index=False)["quantity"].sum().query("quantity != 0")
    return _as_bridges(pd.concat(steps, ignore_index=True), "budget to latest", currency, called)


def _budgeted(aims: pd.DataFrame, sold: pd.DataFrame, years: list[int]) -> pd.DataFrame:
    """Return the years and families whose budget has every month of the family's call."""
    key = ["fiscal_year", "family"]
    have, called = (d[[*key, "month"]].drop_duplicates() for d in (aims, sold))
    gaps = called.merge(have, on=[*key, "month"], how="left", validate="1:1", indicator="found")
    gaps = gaps.loc[gaps["found"] == "left_only", key]
    whole = have.loc[have["fiscal_year"].isin(years), key].drop_duplicates()
    return whole[~pd.MultiIndex.from_frame(whole).isin(pd.MultiIndex.from_frame(gaps))]


def _variance(cells: pd.DataFrame, line: str) -> pd.DataFrame:
    """Return fiscal_year, family, line and one column per step."""
    margin = line == "margin"
    c = cells.dropna(subset=["cost_plan"]) if margin else cells
    c = c.fillna({"revenue": 0.0, "revenue_plan": 0.0, "cost": 0.0, "cost_plan": 0.0})
    group = [c["fiscal_year"], c["family"]]
    price = _each(c, group, "revenue")
    cost = _each(c, group, "cost") if margin else 0.0
    spent, planned, mix_cost = (c["cost"], c["cost_plan"], c["mix_cost"]) if margin else (0.0, 0.0, 0.0)
    more = c["quantity"] - c["quantity_plan"]
    mean = ((price - cost) * c["quantity_plan"]).groupby(group).transform("sum")
    units = c["quantity_plan"].groupby(group).transform("sum")
    mean = (mean / units.where(units > NOTHING)).fillna(price - cost)
    steps = pd.DataFrame({
        "Budget": c["revenue_plan"] - planned,
        "Volume": more * mean,
        "Mix": more * (price - cost - mean) + c["mix_revenue"] - mix_cost,
        "Price": c["revenue"] - c["revenue_plan"] - more * price - c["mix_revenue"],
        "Cost": planned - spent + more * cost + mix_cost,
        "Latest": c["revenue"] - spent,
    })  # fmt: skip
    out = steps.groupby(group).sum().rename_axis(["fiscal_year", "family"]).reset_index().assign(line=line)
    return out if margin else out.drop(columns="Cost")


def _product_mix(sold: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Return what a year's product shares change in revenue and cost against the shares of the year before."""
    each = sold.groupby([*by, "product"])[["quantity", "revenue", "cost"]].sum().reset_index()
    before = each.assign(fiscal_year=each["fiscal_year"] + 1)
    both = each.merge(before, on=[*by, "product"], how="outer", suffixes=("", "_before"), validate="1:1")
    units, then = both["quantity"].fillna(0.0), both["quantity_before"].fillna(0.0)
    group = [both[k] for k in by]
    total, total_then = (u.groupby(group).transform("sum") for u in (units, then))
    moved = (units - then / total_then.where(total_then > NOTHING) * total).fillna(0.0)
    for money in ("revenue", "cost"):
        now = both[money] / units.where(units > NOTHING)
        both[f"mix_{money}"] = moved * now.fillna(both[f"{money}_before"] / then.where(then > NOTHING)).fillna(0.0)
    return both.groupby(by)[["mix_revenue", "mix_cost"]].sum().reset_index()


def _each(c: pd.DataFrame, group: list, money: str) -> pd.Series:
    """Return money per unit as budgeted: of the cell, else of the family, else the latest."""
    plan = (c[f"{money}_plan"] / c["quantity_plan"].where(c["quantity_plan"] > NOTHING)).astype("float64")
    money_sum, units = (c[n].groupby(group).transform("sum") for n in (f"{money}_plan", "quantity_plan"))
    family = (money_sum / units.where(units > NOTHING)).astype("float64")
    return plan.fillna(family).fillna(c[money] / c["quantity"].where(c["quantity"] > NOTHING)).fillna(0.0)


def previous_bridges(
    outlook: pd.DataFrame, earlier: pd.DataFrame, *, horizon: pd.DatetimeIndex, start: int, currency: str
) -> pd.DataFrame:
    """Return the steps from the last cycle's call of revenue to the latest, per fiscal year and family (and ALL).

    Closed months: actual less plan in months closed since. Open months: demand now less demand then.
    Supply: what it ships less than today's demand or, serving backlog, more. All at today's average prices.
    A year that the last cycle's plan did not cover has no bridge.
    """
    cycle, opened = horizon[0], earlier.loc[earlier["cycle"] < horizon[0], "cycle"].max()
    sold = finance.by_family(outlook.assign(cost=0.0, demand=outlook["demand"] * outlook["price"]))
    plan = plan_money(finance.plan_view(earlier, cycle, 1, "previous"), outlook)[["month", "family", "revenue"]]
    both = sold.merge(plan.rename(columns={"revenue": "plan"}), on=["month", "family"], how="left", validate="1:1")
    unknown = both["plan"].groupby(both["month"]).transform("count").eq(0) & ~(both["month"] < opened)
    before = both["plan"].fillna(0.0).where(both["month"] >= opened, both["revenue"])
    closed = both["month"] < cycle
    steps = pd.DataFrame(
        {
            "Previous": before,
            "Closed months": (both["revenue"] - before).where(closed, 0.0),
            "Open months": (both["demand"] - before).mask(closed, 0.0),
            "Supply": (both["revenue"] - both["demand"]).mask(closed, 0.0),
            "Latest": both["revenue"],
        }
    ).assign(family=both["family"], fiscal_year=months.fiscal_year(both["month"], start), line="revenue")
    gaps = unknown.groupby(steps["fiscal_year"]).any()
    known = [y for y in fiscal_years(horizon, start) if y in gaps.index and not gaps[y]]
    steps = steps[steps["fiscal_year"].isin(known)]
    steps = steps.groupby(["fiscal_year", "family", "line"]).sum().reset_index()
    return _as_bridges(steps, "previous to latest", currency, steps)


def _as_bridges(steps: pd.DataFrame, name: str, currency: str, called: pd.DataFrame) -> pd.DataFrame:
    """Return steps as rows of `bridges`, with ALL as the sum of the families where all that are called have steps."""
    keys = ["fiscal_year", "line", "family"]
    order = [s for s in STEPS if s in steps]
    wanted = steps[["fiscal_year", "line"]].drop_duplicates()
    wanted = wanted.merge(called[["fiscal_year", "family"]], on="fiscal_year", how="inner", validate="m:m")
    lacking = wanted.merge(steps[keys], on=keys, how="left", validate="1:1", indicator="found").query(
        "found == 'left_only'"
    )
    whole = steps.groupby(["fiscal_year", "line"], as_index=False)[order].sum(min_count=1).assign(family=ALL)
    partial = pd.MultiIndex.from_frame(whole[keys[:2]]).isin(pd.MultiIndex.from_frame(lacking[keys[:2]]))
    whole = whole[~partial]
    rows = pd.concat([steps, whole], ignore_index=True).melt(keys, order, var_name="step").dropna(subset="value")
    bridge = [f"{name}, {line} {year}" for line, year in zip(rows["line"], rows["fiscal_year"], strict=True)]
    rows = rows.assign(bridge=bridge, order=rows["step"].map(STEPS.index), unit=currency, scenario="base")
    return rows[["scenario", "bridge", "family", "step", "order", "value", "unit"]]
