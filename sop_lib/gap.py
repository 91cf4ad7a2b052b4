"""Demand against supply against budget, the chance of being short, and what executives are asked to decide."""

import numpy as np
import pandas as pd

from sop_lib import finance, supply_tables
from sop_lib.tables import ALL

__all__ = ["costliest", "decisions_required", "gap", "gap_risk", "path_outcomes"]

KEY = ["month", "family", "region"]
SHORT = 0.001  # less than 0.1 % of a month's planned demand unserved is not called short


def gap(outlook: pd.DataFrame, inventory_plan: pd.DataFrame, budget: pd.DataFrame) -> pd.DataFrame:
    """Return demand, supply, their gap and the budget per plan month, family and region, in units and money.

    `gap` is supply - demand: negative is short, positive catches up what was late. Supply of a family goes to its
    regions by their share of demand, and the shares add up. `late` is the part of the month's demand not served in
    its month. Without a supply plan these are blank, and `to_budget_revenue` compares demand.
    A budget without regions is shared by demand.
    """
    plan = outlook[outlook["basis"] == "plan"]
    short = plan["quantity"] - plan["demand"]
    worth = plan.assign(
        gap_revenue=short * plan["price"], gap_margin=short * (plan["price"] - plan["unit_cost"]),
        supply=plan["quantity"].where(plan["limited"]),
    )  # fmt: skip
    columns = ["demand", "supply", "revenue", "gap_revenue", "gap_margin"]
    out = worth.groupby(KEY)[columns].sum(min_count=1).reset_index()
    limited = out["supply"].notna()
    out[["gap_revenue", "gap_margin"]] = out[["gap_revenue", "gap_margin"]].where(limited)
    out = out.assign(gap=out["supply"] - out["demand"], late=_share(out) * _late(out, inventory_plan))
    aims = _budget(out, budget)
    out = out.merge(aims, on=KEY, how="left", validate="1:1")
    out["demand_to_budget"] = out["demand"] - out["budget"]
    out["to_budget_revenue"] = out["revenue"] - out["budget_revenue"]
    return out.drop(columns=["revenue", "budget_revenue"]).assign(scenario="base")


def _share(rows: pd.DataFrame) -> pd.Series:
    """Return each region's share of its family's demand in the month; even where there is none."""
    group = rows.groupby(["month", "family"])["demand"]
    whole = group.transform("sum")
    return (rows["demand"] / whole.where(whole > 0)).fillna(1 / group.transform("size"))


def _late(rows: pd.DataFrame, inventory_plan: pd.DataFrame) -> pd.Series:
    """Return each row's family demand not served in its month."""
    late = supply_tables.late(inventory_plan)
    late = late.mask(late <= finance.SAME * inventory_plan["demand"], 0.0)
    late = inventory_plan[["month", "family"]].assign(late=late)
    return rows[["month", "family"]].merge(late, on=["month", "family"], how="left", validate="m:1")["late"]


def _budget(rows: pd.DataFrame, budget: pd.DataFrame) -> pd.DataFrame:
    """Return budget units and revenue per month, family and region.

    What has no region, or one in which nothing is planned, is shared by demand.
    """
    values = ["budget", "budget_revenue"]
    aims = finance.budget_by_month(budget, "region")
    aims = aims.rename(columns={"quantity": "budget", "revenue": "budget_revenue"})[[*KEY, *values]]
    met = pd.MultiIndex.from_frame(aims[KEY]).isin(pd.MultiIndex.from_frame(rows[KEY]))
    aims = aims.assign(region=aims["region"].where(met, ALL)).groupby(KEY)[values].sum(min_count=1).reset_index()
    whole = aims[aims["region"] == ALL].drop(columns="region")
    shared = rows[KEY].assign(share=_share(rows)).merge(whole, on=["month", "family"], how="inner", validate="m:1")
    shared = shared.assign(**{v: shared[v] * shared["share"] for v in values})[[*KEY, *values]]
    both = pd.concat([aims[aims["region"] != ALL], shared], ignore_index=True)
    return both.groupby(KEY)[values].sum(min_count=1).reset_index()


def costliest(gap: pd.DataFrame, count: int = 5) -> pd.DataFrame:
    """Return the stretches of months in which a family is short, the one that holds most margin first.

    A stretch ends with the first month in which nothing is late. Columns: family, from, to, months, demand and late
    (units; a unit late two months counts twice), gap (units supply leaves open over the stretch, negative),
    gap_revenue, gap_margin (money).
    """
    values = ["demand", "late", "gap", "gap_revenue", "gap_margin"]
    rows = gap.groupby(["family", "month"])[values].sum(min_count=1).reset_index()
    short = rows["late"] > SHORT * rows["demand"].abs()
    stretch = (short != short.groupby(rows["family"]).shift(fill_value=False)).groupby(rows["family"]).cumsum()
    groups = rows[short].groupby(["family", stretch[short].rename("stretch")])
    out = groups.agg(**{"from": ("month", "min"), "to": ("month", "max"), "months": ("month", "size")})
    out = out.join(groups[values].sum(min_count=1)).reset_index().drop(columns="stretch")
    return out.sort_values(["gap_margin", "late", "family"], ascending=[True, False, True], ignore_index=True).head(
        count
    )


# The chance of being short


def path_outcomes(paths: pd.DataFrame, outlook: pd.DataFrame, inventory_plan: pd.DataFrame) -> pd.DataFrame:
    """Return demand, shipped, late and closing stock (units) per demand path, plan month and family.

    The paths are scaled to the demand plan, so that their mean is the plan. The committed supply plan is kept on every
    path (nobody reacts): stock and backlog follow from it month by month, old orders are served first. What a month
    cannot serve waits one month and is then lost; where the plan itself gives demand up, its share is lost at once.
    A family without a supply plan ships its demand, and late and closing are blank. A family without paths (planned
    by launch or override alone) has its plan on every path.

    Source: Monte Carlo on the inventory balance, opening + supply - demand = closing - backlog.
    """
    plan = outlook[outlook["basis"] == "plan"].groupby(["month", "family"])["demand"].sum()
    drawn = paths.groupby(["month", "family", "path"])["quantity"].sum().unstack("path")
    drawn = drawn.reindex(plan.index).fillna(0.0)
    mean = drawn.mean(axis=1)
    scaled = drawn.mul(plan.reindex(drawn.index) / mean.where(mean > 0), axis=0)
    scaled = scaled.fillna(
        pd.DataFrame(np.outer(plan.reindex(drawn.index), np.ones(drawn.shape[1])), drawn.index, drawn.columns)
    )
    supplied = inventory_plan.set_index(["month", "family"])
    free = scaled[~scaled.index.isin(supplied.index)]
    limited = _recursion(scaled[scaled.index.isin(supplied.index)], supplied)
    parts = {
        "demand": scaled,
        "shipped": pd.concat([limited["shipped"], free]),
        "late": limited["late"],
        "closing": limited["closing"],
    }
    long = {name: frame.stack().rename(name) for name, frame in parts.items() if len(frame)}
    out = pd.DataFrame(long).reindex(columns=list(parts)).rename_axis(["month", "family", "path"]).reset_index()
    return out.sort_values(["path", "month", "family"], ignore_index=True)


def _recursion(demand: pd.DataFrame, supplied: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return shipped, late and closing per month and family (rows) and path (columns), month by month."""
    months_ahead, families = (demand.index.unique(level) for level in ("month", "family"))
    grid = pd.MultiIndex.from_product([months_ahead.sort_values(), families.sort_values()], names=["month", "family"])
    shape = (len(months_ahead), len(families))
    wanted = demand.reindex(grid, fill_value=0.0).to_numpy().reshape(*shape, demand.shape[1])
    plan = supplied.reindex(grid)
    supply, opening, lost, waiting = (
        plan[c].fillna(0.0).to_numpy().reshape(*shape, 1) for c in ("supply", "opening", "lost", "backlog")
    )
    owed = (plan["shipped"] - plan["demand"] + plan["backlog"] + plan["lost"]).fillna(0.0).to_numpy().reshape(*shape, 1)
    kept = np.divide(waiting, waiting + lost, out=np.ones_like(waiting), where=(waiting + lost) > 0)
    out = {name: np.zeros_like(wanted) for name in ("shipped", "late", "closing")}
    stock, backlog = (
        np.broadcast_to(a[0], wanted[0].shape).copy() if len(a) else a for a in (opening, owed.clip(min=0))
    )
    for t in range(len(wanted)):
        have = stock + supply[t]
        old = np.minimum(have, backlog)
        new = np.minimum(have - old, wanted[t])
        stock, late = have - old - new, wanted[t] - new
        unserved = (backlog - old + late) * kept[t]
        backlog = np.minimum(unserved, np.maximum(wanted[t], waiting[t]))
        out["shipped"][t], out["late"][t], out["closing"][t] = old + new, late, stock
    flat = {n: pd.DataFrame(a.reshape(len(grid), demand.shape[1]), grid, demand.columns) for n, a in out.items()}
    return {n: frame[frame.index.isin(demand.index)] for n, frame in flat.items()}


def gap_risk(outcomes: pd.DataFrame) -> pd.DataFrame:
    """Return per plan month and family the share of demand paths with late demand, its mean and its P90, in units.

    A path is short when at least 0.1 % of the month's mean demand is late. With 500 paths the standard error of
    p_short is at most 0.022. Late months overstate the risk: nobody reacts on any path.
    """
    rows = outcomes.dropna(subset="late")
    mean = rows.groupby(["month", "family"])["demand"].transform("mean")
    short = rows.assign(short=rows["late"] > SHORT * mean).groupby(["month", "family"])
    out = short.agg(p_short=("short", "mean"), expected_short=("late", "mean"))
    return out.assign(short_p90=short["late"].quantile(0.9), scenario="base").reset_index()


# What executives are asked


def decisions_required(options: pd.DataFrame, gap: pd.DataFrame, *, cycle: pd.Timestamp, lag: int) -> pd.DataFrame:
    """Return one decision per question of `options`, with "Do nothing" among its answers; none without a gap.

    decide_by: the last day before the plan of the month is due in which the recommended option begins to change
    the plan (the first short month for doing nothing), `lag` months ahead of it; when that has passed, the last
    day of the cycle's month. cost_of_delay: the recommended option's margin times the first short month's share of
    what is late: what a month without it costs.
    """
    short = gap.groupby(["family", "month"], as_index=False)[["demand", "late"]].sum()
    short = short[short["late"] > SHORT * short["demand"].abs()].groupby("month", as_index=False)["late"].sum()
    if short.empty or options.empty:
        return pd.DataFrame(columns=DECISION)
    first, part = short["month"].iloc[0], short["late"].iloc[0] / short["late"].sum()
    out = _with_nothing(options, gap)
    chosen = out[out["recommended"]].drop_duplicates("question").set_index("question")
    starts = out["question"].map(chosen["first_month"].where(chosen["margin"] > 0)).fillna(first)
    due = starts - pd.DateOffset(months=lag - 1) - pd.DateOffset(days=1)
    words = [
        f"the plan changes from {m:%B %Y}, short from {first:%B %Y}; plans are fixed {lag} months ahead" for m in starts
    ]
    out = out.assign(
        decide_by=due.where(due >= cycle, cycle + pd.offsets.MonthEnd(1)), owner="Supply review",
        reason=[w + ("" if early else ", so this cycle decides") for w, early in zip(words, due >= cycle, strict=True)],
        cost_of_delay=out["question"].map(chosen["margin"]).astype("float64").fillna(0.0).clip(lower=0.0) * part,
    )  # fmt: skip
    rank = out.groupby("question")["cost_of_delay"].max().sort_values(ascending=False, kind="stable").index
    out["decision"] = out["question"].map({q: n for n, q in enumerate(rank, start=1)})
    order = {"by": ["decision", "recommended", "margin"], "ascending": [True, False, False]}
    return out.sort_values(**order, kind="stable", ignore_index=True)[DECISION]


def _with_nothing(options: pd.DataFrame, gap: pd.DataFrame) -> pd.DataFrame:
    """Add "Do nothing" to each question that lacks it: nothing closed, nothing spent, service as planned."""
    short = gap[gap["late"] > 0]
    service = 1 - short["late"].sum() / short["demand"].sum()
    has = options.loc[options["option"].str.lower() == "do nothing", "question"]
    asked = pd.DataFrame({"question": [q for q in options["question"].unique() if q not in set(has)]})
    nothing = asked.assign(
        option="Do nothing", units_closed=0.0, cost=0.0, margin=0.0, service=service, first_month=short["month"].min()
    )
    nothing["recommended"] = ~asked["question"].isin(options.loc[options["recommended"], "question"]).to_numpy()
    return pd.concat([p for p in (options, nothing) if len(p)], ignore_index=True)


DECISION = [
    "decision", "option", "question", "owner", "decide_by", "units_closed", "cost", "margin", "service",
    "cost_of_delay", "recommended", "reason",
]  # fmt: skip
