"""What the pack says, as sentences made from a cycle's tables; each number is marked with its source."""

from typing import Any

import pandas as pd
from markupsafe import Markup

from sop_lib import briefing, gap_review, page
from sop_lib.briefing import NOISE, Plan, unit_of
from sop_lib.page import count, money, number, percent

__all__ = [
    "changes", "family_finding", "family_story", "headline", "listed", "outlook_finding", "resource_finding", "say",
    "span", "status",
]  # fmt: skip


def say(text: str, *parts: object) -> Markup:
    """Return a sentence with its parts put in, each escaped unless it is marked already.

    >>> str(say("{} rises", "A & B"))
    'A &amp; B rises'
    """
    return Markup(text).format(*parts)


def span(first: pd.Timestamp, last: pd.Timestamp) -> str:
    """Return a span of months in words.

    >>> span(pd.Timestamp("2027-03-01"), pd.Timestamp("2027-06-01"))
    'from March to June 2027'
    """
    if first == last:
        return f"in {first:%B %Y}"
    return f"from {first:%B} to {last:%B %Y}" if first.year == last.year else f"from {first:%B %Y} to {last:%B %Y}"


def spans(months: pd.Series) -> str:
    """Return the first run of months in words, and that there are later ones.

    >>> spans(pd.to_datetime(pd.Series(["2027-03-01", "2027-04-01", "2028-03-01"])))
    'from March to April 2027 and again from March 2028'
    """
    when = sorted(months)
    breaks = [i for i in range(1, len(when)) if when[i] != when[i - 1] + pd.DateOffset(months=1)]
    end = breaks[0] if breaks else len(when)
    again = f" and again from {when[end]:%B %Y}" if breaks else ""
    return span(when[0], when[end - 1]) + again


def listed(names: list[str]) -> str:
    """Return names as a list in words.

    >>> listed(["A", "B", "C"])
    'A, B and C'
    """
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else "".join(names)


def status(plan: Plan) -> str:
    """Return the plan's version and status in words: a closed plan is the approved one."""
    words = {"closed": "approved"}.get(plan.manifest["status"], plan.manifest["status"])
    return f"plan version {plan.manifest['version']}, {words}"


# The whole company


def headline(plan: Plan) -> list[Markup]:
    """Return the story of the cycle in two to four sentences: supply or demand, what to decide, the year."""
    first = _supply_sentence(plan) if plan.has_supply else _demand_sentence(plan)
    return [s for s in (first, *_decision_sentences(plan), _year_sentence(plan)) if s]


def _supply_sentence(plan: Plan) -> Markup:
    """Return where and when demand outruns supply, and how much stands unserved at the worst; or that it does not."""
    short = briefing.shortages(plan)
    if short.empty:
        return say("Supply meets demand in every month of the plan.")
    top: Any = short.iloc[0]
    said = say("Demand outruns supply for {} {}", top["family"], _how_short(plan, top))
    others = [f for f in dict.fromkeys(short["family"]) if f != top["family"]]
    return say("{} {} {} short too.", said, listed(others), "is" if len(others) == 1 else "are") if others else said


def _how_short(plan: Plan, row: Any) -> Markup:
    key = {"source": "gap", "family": row["family"], "month": row["worst"]}
    peak = number(row["peak"], count(row["peak"]), column="late", **key)
    share = number(row["share"], percent(row["share"]), column="late/demand", **key)
    when, unit = span(row["from"], row["to"]), unit_of(plan, row["family"])
    if row["from"] == row["to"]:
        return say("{}: {} {} stand unserved, {} of its demand.", when, peak, unit, share)
    text = "{}: at the worst, in {}, {} {} stand unserved, {} of that month's demand."
    return say(text, when, f"{row['worst']:%B %Y}", peak, unit, share)


def _demand_sentence(plan: Plan) -> Markup:
    """Return next year's demand against the last twelve months, with its range where sample paths give one."""
    past, ahead = briefing.twelve_months(plan)
    if past <= 0 or ahead <= 0:
        return say("There is no demand plan yet.")
    when = (plan.month, plan.a_year_on - pd.DateOffset(months=1))
    total = number(ahead, count(ahead), source="demand_plan", column="quantity", month=when)
    change, likely = ahead / past - 1, briefing.year_range(plan, ahead)
    against = "in line with" if abs(change) < NOISE else f"{percent(abs(change))} {'above' if change > 0 else 'below'}"
    between = f" ({page.between(*likely)} in four cases of five)" if likely else ""
    unit = plan.unit or "units"
    return say("Demand of the next twelve months is {} {}{}, {} the last twelve.", total, unit, between, against)


def _decision_sentences(plan: Plan) -> list[Markup]:
    """Return, per decision asked for, the recommended option, what it wins and by when it is needed."""
    asked = plan["decisions_required"]
    said = [say("No decision is needed today.")] if asked.empty else []
    for row in briefing.rows(asked[asked["recommended"]]):
        key = {"source": "decisions_required", "decision": row.decision, "option": row.option}
        does = []
        if pd.notna(row.units_closed) and row.units_closed > 0:
            text = count(row.units_closed)
            does.append(say("closes {} units", number(row.units_closed, text, column="units_closed", **key)))
        if pd.notna(row.margin) and row.margin > 0:
            text = money(row.margin, plan.currency)
            does.append(say("wins {} of margin", number(row.margin, text, column="margin", **key)))
        what = say(", which {}", Markup(" and ").join(does)) if does else ""
        said.append(say("To decide by {}: {}{}.", f"{row.decide_by.day} {row.decide_by:%B %Y}", row.option, what))
    return said


def _year_sentence(plan: Plan) -> Markup:
    """Return the full-year call of revenue against budget, or against last year, with its range."""
    row = briefing.call(plan, "revenue")
    if row is None:
        return say("")
    key = {"source": "year_call", "fiscal_year": row.fiscal_year, "family": "ALL", "line": "revenue"}
    closes = number(row.latest, money(row.latest, plan.currency), column="latest", **key)
    likely = f" ({page.between(row.low, row.high)})" if pd.notna(row.low) and pd.notna(row.high) else ""
    return say("{} closes at {} revenue{}{}.", int(row.fiscal_year), closes, likely, gap_review.against(row, key))


def outlook_finding(plan: Plan) -> str:
    """Return what the outlook shows, as a title."""
    short = briefing.short_months(plan)
    if plan.has_supply and len(short):
        return f"Supply falls short of demand {spans(short['month'])}"
    if plan.has_supply:
        return "Supply follows demand through the whole plan"
    past, ahead = briefing.twelve_months(plan)
    if past <= 0 or abs(ahead / past - 1) < NOISE:
        return "Demand goes on as in the last twelve months"
    way, change = "grows" if ahead > past else "falls", percent(abs(ahead / past - 1))
    return f"Demand {way} by {change} over the next twelve months"


def resource_finding(load: pd.DataFrame) -> str:
    """Return when demand asks more of one resource than it can give, as a title."""
    name = f"{load['resource'].iloc[0]} at {load['plant'].iloc[0]}"
    name = name[:1].upper() + name[1:]
    above = load[load["unconstrained"] > load["capacity"] + load["overtime"]]["month"]
    tight = load[load["unconstrained"] > load["capacity"]]["month"]
    if len(above):
        return f"{name}: demand asks for more than overtime gives {spans(above)}"
    if len(tight):
        return f"{name}: demand needs overtime {spans(tight)}"
    return f"{name}: capacity suffices for demand"


# What changed


def changes(plan: Plan) -> list[Markup]:
    """Return the families whose plan for the next twelve months moved by 3 % or more, the most money first."""
    moved = plan["plan_changes"].dropna(subset=["previous"])
    moved = moved[moved["month"] < plan.a_year_on]
    sums = moved.groupby("family", as_index=False)[["previous", "change", "change_revenue"]].sum(min_count=1)
    sums = sums[(sums["change"].abs() >= NOISE * sums["previous"].abs()) & (sums["change"] != 0)]
    ranked = sums.assign(rank=-sums["change_revenue"].abs().fillna(0.0)).sort_values(["rank", "family"])
    return [_change_sentence(plan, moved[moved["family"] == row.family], row) for row in briefing.rows(ranked)]


def _change_sentence(plan: Plan, moved: pd.DataFrame, row: Any) -> Markup:
    key = {"source": "plan_changes", "family": row.family, "month": (moved["month"].min(), moved["month"].max())}
    size = number(row.change, count(row.change, "+"), column="change", **key)
    worth: Markup | str = ""
    if pd.notna(row.change_revenue) and row.change_revenue:
        text = money(row.change_revenue, plan.currency, "+")
        worth = say(", {} revenue", number(row.change_revenue, text, column="change_revenue", **key))
    if row.previous <= 0:
        return say(
            "{} is new in the plan: {} {} over twelve months{}.", row.family, size, unit_of(plan, row.family), worth
        )
    share = number(row.change / row.previous, percent(abs(row.change / row.previous)), column="change/previous", **key)
    most: Any = moved.loc[moved["change"].abs().idxmax(), "month"]
    way, unit = "up" if row.change > 0 else "down", unit_of(plan, row.family)
    text = "{} {} {}: {} {} over twelve months, most in {:%B %Y}{}."
    return say(text, row.family, way, share, size, unit, most, worth)


# One family


def family_story(plan: Plan, family: str) -> list[Markup]:
    """Return up to three sentences on a family: is it short, was it executed, where does its year stand."""
    short, verdicts = briefing.shortages(plan), briefing.executed(plan)
    said = [say("Short {}", _how_short(plan, row)) for _, row in short[short["family"] == family].head(1).iterrows()]
    off = verdicts[(verdicts["family"] == family) & (verdicts["verdict"] == "not executed")]
    for row in briefing.rows(off):
        text = "Outside tolerance of the approved plan in {} of {} comparisons of the last three months."
        said.append(say(text, int(row.months_out), int(row.months_out + row.months_in)))
    year = briefing.call(plan, "revenue", family)
    if year is not None:
        key = {"source": "year_call", "fiscal_year": year.fiscal_year, "family": family, "line": "revenue"}
        closes = number(year.latest, money(year.latest, plan.currency), column="latest", **key)
        said.append(say("{} revenue closes at {}{}.", int(year.fiscal_year), closes, gap_review.against(year, key)))
    return said


def family_finding(plan: Plan, family: str, rows: pd.DataFrame) -> str:
    """Return what a family's chart shows, as a title: short, below its target stock, or on plan."""
    short = briefing.shortages(plan)
    mine = short[(short["family"] == family) & (short["from"] < plan.a_year_on)]
    if len(mine):
        return f"Supply falls short {span(mine['from'].iloc[0], mine['to'].iloc[0])}"
    ahead = rows[(rows["block"] == "inventory") & ~rows["past"]].pivot(index="month", columns="row", values="value")
    if {"Actual / latest", "Target"} <= set(ahead):
        below = ahead[ahead["Actual / latest"] < ahead["Target"] * (1 - NOISE)]
        if len(below):
            return f"Stock is below target in {len(below)} of {len(ahead)} months, first in {below.index[0]:%B %Y}"
        return "Stock stays at its target or above"
    return "Supply follows demand" if plan.has_supply else "Sales and their plan"
