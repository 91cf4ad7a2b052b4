"""Sections of the supply review: strategies and their money, limits and rules, stock, load, people, prices."""

import pandas as pd
from IPython.display import HTML

from sop_lib import load_review, page, rough_cut, strategy_review, supply_charts, supply_review
from sop_lib.mix import Tables

__all__ = ["answer", "limits", "load", "people", "prices", "stock", "strategies"]

LOOKS: dict = supply_review.FORMATS
STEPS = ["plants", "supply_costs"]
NONE = "No costs are known."


def answer(plans: Tables, found: Tables, rates: pd.DataFrame, currency: str) -> HTML:
    """Return the first screen: what is proposed, what it costs and serves, and which tables would say more."""
    absent = supply_review.missing(found)
    told = page.missing("A deeper supply plan", absent) if absent else page.note("Every supply table is there.")
    return page.together(page.lead(supply_review.headline(plans, rates, currency)), told)


def strategies(plans: Tables, rates: pd.DataFrame, unit: str, currency: str) -> HTML:
    """Return the strategies side by side, today's rates and the proposed ones, cost by kind, stock and service."""
    comparison, stock = plans["scenario_comparison"], plans["inventory_plan"]
    kinds = supply_review.cost_kinds(comparison) if len(comparison) else comparison
    peaks, served = strategy_review.by_family(stock, "peak stock"), strategy_review.by_family(stock, "service")
    said = f"Rate a month: the last three closed months and the next three ({unit})"
    ranked, alike = supply_review.strategies(comparison), "Strategies over the whole horizon, the proposed one first"
    shares: dict = dict.fromkeys(served, "{:.1%}")
    return page.together(
        page.table(ranked, source="scenario_comparison", caption=alike, formats=LOOKS),
        page.table(rates, source="supply_plan", caption=said, formats=LOOKS),
        page.table(kinds, source="scenario_comparison", caption=f"Cost by kind, {currency}", formats=LOOKS),
        page.table(peaks, source="inventory_plan", caption=f"Highest closing stock ({unit})", formats=LOOKS),
        page.table(served, source="inventory_plan", caption="Service by family", formats=shares),
    )


def limits(trials: pd.DataFrame, unit: str, currency: str) -> HTML:
    """Return what less stock, fewer changes of people and other rules would cost."""
    if trials.empty:
        return page.missing("What limits cost", STEPS)
    stock, changes = [strategy_review.frontier(trials, kind) for kind in ("peak stock", "headcount change")]
    told = "Added cost against peak stock, and against workers hired and laid off, a point for each plan."
    ruled = strategy_review.rules(trials)
    said = f"What a rule costs, {currency}: below zero, it holds and the plan without it costs less"
    drawn = supply_charts.frontier(stock, changes, unit, currency)
    title = strategy_review.frontier_sentence(trials, currency)
    return page.together(
        page.figure(drawn, title=title, alt=told, source="supply_trials"),
        page.note(strategy_review.rule_sentence(trials, currency)),
        page.table(ruled, source="supply_trials", caption=said, formats=LOOKS, hidden=("trial",), empty=NONE),
    )


def stock(plan: pd.DataFrame, unit: str) -> HTML:
    """Return closing stock against its target, what is not served in its month, and days of cover."""
    if plan.empty:
        return page.missing("The inventory plan", ["inventory"])
    told = "Closing stock, backlog and target by month, one panel for each family."
    drawn, title = supply_charts.stock_panels(plan, unit), supply_review.shortage_sentence(plan)
    short, cover = supply_review.shortages(plan), supply_review.cover(plan)
    said = f"Demand not served in its month, proposed plan ({unit})"
    days = "Days of planned demand that closing stock covers, next twelve months"
    shown: dict = dict.fromkeys(cover, "{:,.0f}")
    return page.together(
        page.figure(drawn, title=title, alt=told, source="inventory_plan"),
        page.table(short, source="inventory_plan", caption=said, formats=LOOKS, empty="None."),
        page.table(cover, source="inventory_plan", caption=days, formats=shown),
    )


def load(plan: pd.DataFrame, resources: pd.DataFrame, month: pd.Timestamp) -> HTML:
    """Return the load of the plan and of demand, tight months, the first overload, and what was measured before."""
    if plan.empty:
        return page.missing("Load", ["resources", "bill_of_resources"])
    shares, past = load_review.shares(plan), rough_cut.by_month(rough_cut.measured(resources, month))
    grid = supply_charts.load_grid(shares, load_review.LEVELS)
    over, proven = supply_review.first_overload(plan), load_review.tight(plan)
    said = "Utilisation of the last twelve closed months, as measured"
    each: dict = dict.fromkeys(past, "{:.1%}")
    levels = [f"{100 * level:.0f}" for level in load_review.LEVELS.values()]
    above = f"Months above {', '.join(levels[:-1])} and {levels[-1]} %"
    highest: dict = {"highest": "{:.0%}"}
    return page.together(
        page.figure(
            supply_charts.load_panels(plan), title=supply_review.overload_sentence(plan), source="resource_load",
            alt="Load and capacity by month, one panel for each resource.",
        ),
        page.figure(
            grid, title=load_review.load_sentence(plan), source="resource_load",
            alt="Load of the plan, and if demand were made in its month, as shares of proven capacity.",
        ),
        page.table(proven, source="resource_load", caption=above, formats=highest),
        page.table(over, source="resource_load", caption="First overload of each resource", formats=LOOKS),
        page.table(past, source="resources", caption=said, formats=each, empty="No load was measured."),
    )  # fmt: skip


def people(plan: pd.DataFrame, plants: pd.DataFrame, currency: str) -> HTML:
    """Return workers by month and plant, and by quarter with their cost."""
    if plan.empty:
        return page.missing("The people plan", STEPS)
    heads, quarters = strategy_review.heads(plan, plants), supply_review.people_by_quarter(plan)
    shown: dict = dict.fromkeys(heads, "{:,.0f}")
    said = f"People by plant and quarter of the next twelve months; cost in {currency}"
    drawn, title = supply_charts.people_lines(plan), supply_review.people_sentence(plan)
    return page.together(
        page.figure(drawn, title=title, alt="Workers by month and plant.", source="people_plan"),
        page.table(heads, source="people_plan", caption="Workers by month", formats=shown),
        page.table(quarters, source="people_plan", caption=said, formats=LOOKS),
    )


def prices(shadow_prices: pd.DataFrame, notes: pd.DataFrame, currency: str) -> HTML:
    """Return the limits of which one more would save most, and what was assumed or does not fit together."""
    dearest = supply_review.dearest_limits(shadow_prices)
    said, none = f"The ten limits that cost most, {currency} per unit more", "No limit binds, or none is known."
    rows = notes[["finding", "kind", "strategy", "quantity"]]
    fine = "Nothing had to be assumed, and no rule was broken."
    return page.together(
        page.table(dearest, source="shadow_prices", caption=said, formats=LOOKS, empty=none),
        page.table(rows, source="supply_notes", caption="Assumptions and alarms", formats=LOOKS, empty=fine),
    )
