"""What the supply review compares: strategies by family, and what less stock, fewer changes or other rules cost."""

import pandas as pd

from sop_lib import supply_tables

__all__ = ["by_family", "frontier", "frontier_sentence", "heads", "rule_sentence", "rules"]

NOBODY = 0.5  # workers: fewer hired and laid off in all the months are none
NOTHING = 0.005  # money: less is what solving leaves


def by_family(inventory_plan: pd.DataFrame, measure: str) -> pd.DataFrame:
    """Return one row per family and a column per strategy, of all strategies' inventory plan.

    measure: `peak stock` and `average stock` in units, `cover` in mean days of planned demand, `service` as the share
    of demand served in its month.
    """
    rows = inventory_plan.assign(late=supply_tables.late(inventory_plan))
    groups = rows.groupby(["family", "strategy"])
    ways = {
        "peak stock": lambda: groups["closing"].max(), "average stock": lambda: groups["closing"].mean(),
        "cover": lambda: groups["cover_days"].mean(),
        "service": lambda: 1 - groups["late"].sum() / groups["demand"].sum(),
    }  # fmt: skip
    wide = ways[measure]().unstack("strategy")
    known = [s for s in ("mixed", "chase", "level", "minimum") if s in wide]
    return wide[known].reset_index().rename_axis(columns=None)


def frontier(trials: pd.DataFrame, kind: str) -> pd.DataFrame:
    """Return the plans of one kind of trial with the plan as it is: what each costs more, peak stock, changes, service.

    kind: `peak stock` or `headcount change`; those with the most come first. Plans that say the same stand once.
    """
    measure = {"peak stock": "peak_stock", "headcount change": "headcount_change"}[kind]
    rows = trials[trials["kind"].isin(["base", kind])]
    rows = rows.assign(at=rows[measure].astype(float).round(3)).sort_values(
        ["at", "added"], ascending=[False, True], kind="stable"
    )
    columns = ["finding", measure, "added", "service", "unit"]
    return rows.drop_duplicates("at")[columns].reset_index(drop=True)


def frontier_sentence(trials: pd.DataFrame, currency: str) -> str:
    """Return what the least of the peak stocks that were tried costs, and what it costs that nobody comes or goes.

    The second only where a plan without changes of people was found, and the plan as it is has some.
    """
    stock = frontier(trials, "peak stock") if len(trials) else trials
    if len(stock) < 2:
        return ""
    base, least = stock.iloc[0], stock.iloc[-1]
    less = 1 - least["peak_stock"] / base["peak_stock"]
    told = f"A peak stock {less:.0%} lower costs {_money(least['added'], currency)} more"
    changes = frontier(trials, "headcount change")
    nobody = changes[changes["headcount_change"] < NOBODY]
    if nobody.empty or changes.iloc[0]["headcount_change"] < 1:
        return f"{told}."
    return f"{told}; that nobody comes or goes, {_money(nobody.iloc[-1]['added'], currency)}."


def rules(trials: pd.DataFrame) -> pd.DataFrame:
    """Return what each rule adds to the cost of the plan and what service it leaves, the dearest first.

    Below zero: the rule holds in the plan, and without it the plan costs that much less.
    """
    rows = trials[trials["kind"] == "rule"].sort_values("added", ascending=False, kind="stable")
    return rows[["trial", "finding", "added", "service", "peak_stock", "headcount_change"]].reset_index(drop=True)


def rule_sentence(trials: pd.DataFrame, currency: str) -> str:
    """Return the rule that adds most to the cost, if any does, and what the firm output of the planner costs."""
    rows = rules(trials)
    if rows.empty:
        return "No rule was tried: costs are not known."
    told, most = ["None of the rules that do not hold would add to the cost."], rows.iloc[0]
    if most["added"] > NOTHING:
        told = [f"Of the rules that do not hold, “{most['trial']}” would add most: {_money(most['added'], currency)}."]
    firm = rows.loc[(rows["trial"] == "without firm output") & (rows["added"] < -NOTHING), "added"]
    if len(firm):
        told.append(f"Firm output costs {_money(-firm.iloc[0], currency)} against a plan free from the start.")
    return " ".join(told)


def heads(people: pd.DataFrame, plants: pd.DataFrame, count: int = 12) -> pd.DataFrame:
    """Return workers per plant and month of the next `count` months, with the months until a new worker works."""
    wide = people.pivot(index="plant", columns="month", values="workers").iloc[:, :count]
    lead = plants.set_index("plant")["hiring_lead_months"].astype(float) if "hiring_lead_months" in plants else None
    out = wide.reset_index().rename_axis(columns=None)
    return out if lead is None or lead.isna().all() else out.assign(hiring_lead_months=out["plant"].map(lead))


def _money(amount: float, currency: str) -> str:
    if abs(amount) < 1e3:
        return f"{amount:,.2f} {currency}"
    size, word = (1e6, " million") if abs(amount) >= 1e6 else (1e3, " thousand")
    return f"{amount / size:,.1f}{word} {currency}"
