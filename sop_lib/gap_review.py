"""Notebook 04's first screen and evidence: the year against budget, the gaps that cost most, and what closes them."""

from typing import Any

import pandas as pd
from markupsafe import Markup

from sop_lib import causes, finance, gap, scenarios, supply_model, supply_problem, supply_tables
from sop_lib.mix import Tables
from sop_lib.page import count, money, number, percent
from sop_lib.settings import Planning
from sop_lib.supply_data import Strategy
from sop_lib.supply_model import Kept
from sop_lib.tables import ALL

__all__ = [
    "against", "bridge_finding", "call_table", "call_tiles", "family_finding", "family_months", "gap_table", "headline",
    "kept_plan", "monthly_money", "notes", "option_finding", "outlook_finding", "priced_options", "questions",
    "risk_finding", "shortage_causes", "year_margin",
]  # fmt: skip

LINES = {"revenue": "revenue", "margin": "margin", "inventory_value": "stock at year end", "quantity": "units sold"}
UNITS_AND_MONEY = [
    "demand", "supply", "gap", "late", "budget", "demand_to_budget", "gap_revenue", "gap_margin", "to_budget_revenue",
]  # fmt: skip
LEVEL = 0.005  # closer than half a percent is level with


def kept_plan(tables: Tables, horizon: pd.DatetimeIndex, planning: Planning) -> Kept | None:
    """Return the proposed plan, solved and kept to be solved again; None where the inputs give no optimal plan.

    `options` and `gap_causes` start from it.
    """
    if supply_problem.depth(tables) != "optimum" or tables["demand_plan"].empty:
        return None
    problem = supply_problem.problem(tables, horizon, planning)
    return supply_model.keep(problem, supply_problem.switches(planning, _proposed(planning)))


def _proposed(planning: Planning) -> Strategy:
    """Return the strategy that `scenario_comparison` proposes."""
    return next((s for s in ("mixed", "level") if s in planning.strategies), planning.strategies[0])


def priced_options(kept: Kept | None, outlook: pd.DataFrame) -> pd.DataFrame:
    """Return the table `options`, solved and priced; empty without a kept plan.

    A unit served wins its family's average margin of the plan months.
    """
    return supply_tables.empty("options") if kept is None else scenarios.options(kept, year_margin(outlook))


def shortage_causes(kept: Kept | None, outlook: pd.DataFrame) -> pd.DataFrame:
    """Return the table `gap_causes`, its margin at each family's average of the plan months; empty without a plan."""
    return supply_tables.empty("gap_causes") if kept is None else causes.causes(kept, year_margin(outlook))


def year_margin(outlook: pd.DataFrame) -> pd.Series:
    """Return the average margin per unit of demand of each family over the plan months, in money."""
    plan = outlook[outlook["basis"] == "plan"]
    worth = plan.assign(margin=plan["demand"] * (plan["price"] - plan["unit_cost"]))
    sums = worth.groupby("family")[["margin", "demand"]].sum()
    return (sums["margin"] / sums["demand"].where(sums["demand"] > 0)).rename("margin")


# The first screen


def headline(calls: pd.DataFrame, gaps: pd.DataFrame, currency: str) -> list[str]:
    """Return the full-year revenue, margin and stock against budget with their range, and the gap that costs most."""
    company = calls[calls["family"] == ALL].assign(rank=lambda d: d["line"].map(list(LINES).index))
    company = company.sort_values(["fiscal_year", "rank"])
    first = company["fiscal_year"].min()
    told = (company["line"] == "revenue") | ((company["line"] == "margin") & (company["fiscal_year"] == first))
    said: list[str] = [_call_sentence(row, currency) for row in company[told].itertuples()]
    said += [
        _stock_sentence(row, currency)
        for row in company.itertuples()
        if row.line == "inventory_value" and row.fiscal_year == first
    ]
    if company[company["line"] == "revenue"].empty:
        said.append("No table gives prices or revenue: the plan is in units alone.")
    return [*said, _gap_sentence(gaps, currency)]


def _call_sentence(row, currency: str) -> Markup:
    key = {"source": "year_call", "fiscal_year": row.fiscal_year, "family": ALL, "line": row.line}
    closes = number(row.latest, money(row.latest, currency), column="latest", **key)
    words = {
        "revenue": f"{row.fiscal_year:.0f} closes at {{}} revenue{{}}{{}}.",
        "margin": f"Margin {row.fiscal_year:.0f} is {{}}{{}}{{}}.",
    }
    short = f" over {row.months:.0f} of its months" if row.months < 12 else ""
    between = f" ({count(row.low)} to {count(row.high)} in four cases of five)" if pd.notna(row.low) else ""
    return Markup(words[row.line]).format(closes, short + between, against(row, key))


def against(row: Any, key: dict) -> Markup:
    """Return how a row of `year_call` stands to its budget, else to last year, as the end of a sentence."""
    for base, word in (("budget", "budget"), ("last_year", "last year")):
        aim = getattr(row, base)
        if pd.notna(aim) and aim:
            change = row.latest / aim - 1
            if abs(change) < LEVEL:
                return Markup(", level with {}").format(word)
            text = number(change, percent(abs(change), int(abs(change) < 0.1)), column=f"latest/{base}-1", **key)
            return Markup(", {} {} {}").format(text, "above" if change > 0 else "below", word)
    return Markup("")


def _stock_sentence(row, currency: str) -> Markup:
    key = {"source": "year_call", "fiscal_year": row.fiscal_year, "family": ALL, "line": row.line}
    ends = number(row.latest, count(row.latest), column="latest", **key)
    now = number(row.actual_to_date, money(row.actual_to_date, currency), column="actual_to_date", **key)
    return Markup("Stock goes from {} to {} at the end of {}{}.").format(
        now, ends, f"{row.fiscal_year:.0f}", against(row, key)
    )


def _gap_sentence(gaps: pd.DataFrame, currency: str) -> str | Markup:
    """Return the costliest gap in words, or that there is none, or that nothing says what supply gives."""
    if gaps["supply"].isna().all():
        return "Nothing says what supply can give, so the call takes it that all demand is met."
    worst = gap.costliest(gaps, len(gaps))
    if worst.empty:
        return "Supply meets demand in every month."
    row = worst.iloc[0]
    family, begin, end = row["family"], row["from"], row["to"]
    key = {"source": "gap", "family": family, "month": (begin, end)}
    late = number(row["late"], count(row["late"]), column="late", **key)
    span = f"in {begin:%B %Y}" if begin == end else f"from {begin:%B %Y} to {end:%B %Y}"
    more = f"; gaps in all: {len(worst)}" if len(worst) > 1 else ""
    lost = number(row["gap_margin"], money(-row["gap_margin"], currency), column="gap_margin", **key)
    open_margin = Markup(", {} of margin waits or is lost").format(lost) if row["gap_margin"] < 0 else ""
    text = Markup("The costliest gap: {} {}, {} units served late or not at all{}{}.")
    return text.format(family, span, late, open_margin, more)


def call_tiles(calls: pd.DataFrame, currency: str) -> list[tuple[str, str]]:
    """Return the company's revenue, margin and stock of the current fiscal year as (value, caption)."""
    company = calls[(calls["family"] == ALL) & (calls["fiscal_year"] == calls["fiscal_year"].min())].set_index("line")
    tiles = []
    for line in ("revenue", "margin", "inventory_value"):
        if line in company.index:
            row = company.loc[line]
            parts = [f"{LINES[line]} {row['fiscal_year']:.0f}"]
            parts += [f"budget {count(row['budget'])}"] if pd.notna(row["budget"]) else []
            parts += [f"range {count(row['low'])} to {count(row['high'])}"] if pd.notna(row["low"]) else []
            tiles.append((money(row["latest"], currency), " · ".join(parts)))
    return tiles


def call_table(calls: pd.DataFrame) -> pd.DataFrame:
    """Return the company's call per fiscal year and line, then revenue of each family, with the change to budget."""
    rows = calls[(calls["family"] == ALL) | (calls["line"] == "revenue")]
    rows = rows.assign(to_budget=rows["latest"] / rows["budget"].where(rows["budget"] != 0) - 1)
    rank = rows["line"].map(list(LINES).index)
    rows = rows.assign(rank=rank, below=rows["family"] != ALL).sort_values(["fiscal_year", "below", "rank", "family"])
    views = ["actual_to_date", "latest", "low", "high", "budget", "to_budget", "last_year", "previous", "approved"]
    return (
        rows[["family", "line", "fiscal_year", *views, "months", "unit"]]
        .dropna(axis="columns", how="all")
        .reset_index(drop=True)
    )


# Evidence


def family_months(gaps: pd.DataFrame) -> pd.DataFrame:
    """Return units and money of all regions per family and month, the family with most late first, then by demand.

    Families without demand are left out; a figure is blank where no region has it.
    """
    rows = gaps.groupby(["family", "month"])[UNITS_AND_MONEY].sum(min_count=1).reset_index()
    size = (
        rows.groupby("family")[["late", "demand"]].sum().sort_values(["late", "demand"], ascending=False, kind="stable")
    )
    order = {family: place for place, family in enumerate(size.index[size["demand"] > 0])}
    known = rows[rows["family"].isin(order)]
    return known.sort_values(
        ["family", "month"], key=lambda c: c.map(order) if c.name == "family" else c, ignore_index=True
    )


def family_finding(gaps: pd.DataFrame) -> str:
    """Return which families are short, as a sentence."""
    if gaps["supply"].isna().all():
        return "Demand of each family, in units"
    short = list(gap.costliest(gaps, len(gaps))["family"].drop_duplicates())
    if not short:
        return "Supply follows demand in every family"
    return f"Short: {', '.join(short)}" + (
        "" if len(short) == gaps["family"].nunique() else "; the other families are served"
    )


def gap_table(gaps: pd.DataFrame, count: int = 20) -> pd.DataFrame:
    """Return the family-months with the worst gap first: by margin that waits or is lost, units late, then to budget.

    Months that are neither short nor below budget are left out, and columns that no month fills.
    """
    rows = family_months(gaps)
    rows = rows[(rows["gap"] < 0) | (rows["late"] > 0) | (rows["to_budget_revenue"] < 0)]
    rows = rows.assign(open=rows["gap_margin"].clip(upper=0.0).fillna(0.0), late_first=-rows["late"].fillna(0.0))
    rank = rows.sort_values(["open", "late_first", "to_budget_revenue", "month", "family"], kind="stable").head(count)
    columns = ["family", "month", "demand", "supply", "gap", "late", "budget", "gap_margin", "to_budget_revenue"]
    return rank[columns].dropna(axis="columns", how="all").reset_index(drop=True)


def monthly_money(
    plan: pd.DataFrame, outlook: pd.DataFrame, outcomes: pd.DataFrame, cycle: pd.Timestamp
) -> pd.DataFrame:
    """Return month, actual, demand, supply, budget, low and high of the company in money, from two years back.

    Demand and its range (P10 to P90 of the demand paths) are valued at the plan's prices; supply is what it ships.
    """
    lines = plan.groupby(["month", "line", "basis"])["value"].sum().unstack(["line", "basis"])
    ahead = outlook[outlook["basis"] == "plan"]
    each = finance.by_family(ahead.assign(revenue=ahead["demand"] * ahead["price"]))
    each = each.assign(price=each["revenue"] / each["demand"].where(each["demand"] > 0))
    paths = outcomes.merge(each[["month", "family", "price"]], on=["month", "family"], how="left", validate="m:1")
    paths = (paths["demand"] * paths["price"]).groupby([paths["month"], paths["path"]]).sum().groupby("month")
    blank = pd.Series(dtype="float64")
    out = {
        "actual": lines.get(("revenue", "actual"), blank),
        "demand": each.groupby("month")["revenue"].sum(min_count=1),
        "supply": lines.get(("revenue", "plan"), blank) if ahead["limited"].any() else blank,
        "budget": lines.get(("budget_revenue", "budget"), blank),
        "low": paths.quantile(0.1),
        "high": paths.quantile(0.9),
    }
    first = max(cycle - pd.DateOffset(months=24), outlook["month"].min(), plan["month"].min())
    every = pd.date_range(first, ahead["month"].max(), freq="MS", name="month")
    return pd.DataFrame(out).reindex(every).astype("float64").reset_index()


def outlook_finding(rows: pd.DataFrame) -> str:
    """Return in which months supply earns less than demand would, as a sentence."""
    if rows["supply"].isna().all():
        return "Demand in money, closed months and plan" + ("" if rows["budget"].isna().all() else ", against budget")
    short = rows[rows["supply"] < (1 - gap.SHORT) * rows["demand"]]
    if short.empty:
        return "Supply follows demand through the whole plan"
    worst = short.loc[(short["demand"] - short["supply"]).idxmax(), "month"]
    if len(short) == 1:
        return f"Supply earns less than demand would in {worst:%B %Y}"
    return f"Supply earns less than demand would in {len(short)} months, most in {worst:%B %Y}"


def bridge_finding(bridges: pd.DataFrame, name: str) -> str:
    """Return the step of a bridge that moves most, as a sentence."""
    steps = bridges[(bridges["bridge"] == name) & (bridges["family"] == ALL)].sort_values("order")
    inner = steps.iloc[1:-1]
    title = f"{name[0].upper()}{name[1:]}"
    if inner["value"].abs().max() == 0:
        return f"{title}: nothing moves"
    top = inner.iloc[inner["value"].abs().argmax()]
    return f"{title}: the largest step is {top['step'].lower()}, {money(top['value'], top['unit'], '+')}"


def risk_finding(risk: pd.DataFrame) -> str:
    """Return the family and month most likely to be short within twelve months, as a sentence."""
    soon = risk[risk["month"] < risk["month"].min() + pd.DateOffset(months=12)]
    top = soon.sort_values(["p_short", "expected_short"], ascending=False, kind="stable").iloc[0]
    if top["p_short"] < 0.05:
        return "No family is likely to be short within twelve months"
    words = f"{top['family']} in {top['month']:%B %Y} is the most likely to be short within twelve months"
    return f"{words}: {percent(top['p_short'])} of demand paths"


def option_finding(options: pd.DataFrame, gaps: pd.DataFrame, currency: str) -> str:
    """Return which option is recommended and what it wins, or why there is none, as a sentence."""
    if options.empty:
        if gaps["supply"].isna().all():
            return "No option can be priced: no table says what supply can give and what it costs."
        if gap.costliest(gaps).empty:
            return "Supply meets demand in every month: no option is needed."
        return "No option could be priced: it takes `plants` and `supply_costs`."
    best = options[options["recommended"] & (options["margin"] > 0)]
    if best.empty:
        return "No option wins more than it costs: doing nothing is the cheapest."
    row = best.iloc[0]
    won = f"{money(row['margin'], currency)} after its cost, {count(row['units_closed'])} units closed"
    return f"{row['option']} wins most: {won}."


def questions(decisions: pd.DataFrame) -> list[str]:
    """Return each decision's question, owner, date and the reason of the date, as sentences."""
    asked = decisions.drop_duplicates("decision")
    return [
        f"{row.decision:.0f} · {row.question} Owner: {row.owner}; "
        f"decide by {row.decide_by.day} {row.decide_by:%B %Y}: {row.reason}."
        for row in asked.itertuples()
    ]


def notes(outlook: pd.DataFrame, budget: pd.DataFrame, horizon: pd.DatetimeIndex) -> list[str]:
    """Return what the numbers rest on: missing prices, how prices were found, months that the budget leaves out."""
    plan = outlook[outlook["basis"] == "plan"]
    blank = plan[plan["price"].isna() & (plan["demand"] > 0)]
    said = []
    if len(blank):
        part = percent(blank["demand"].sum() / plan["demand"].sum(), 1)
        names = blank["product"].nunique()
        said.append(f"{names} products have no price, {part} of planned demand: their money is left out.")
    basis = plan.groupby("price_basis")["demand"].sum().sort_values(ascending=False, kind="stable")
    basis = basis[basis > 0] / plan["demand"].sum()
    if len(basis):
        parts = ", ".join(f"{name} ({percent(share)} of planned units)" for name, share in basis.items())
        said.append(f"Average prices and costs: {parts}.")
    if "prices" in basis:
        last = outlook.loc[outlook["basis"] == "actual", "month"].max()
        said.append(f"Plan months keep the last price known, of {last:%B %Y} or before.")
    known = set(finance.budget_by_month(budget)["month"])
    without = [m for m in horizon if m not in known] if known else []
    said += [f"The budget ends before {without[0]:%B %Y}: later months have no budget column."] if without else []
    return said
