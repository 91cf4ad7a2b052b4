"""The executive page, section by section; a section without its tables says so or is left out."""

from typing import Any

import pandas as pd
from IPython.display import HTML
from markupsafe import Markup

from sop_lib import (
    approved,
    briefing,
    cause_pages,
    charts,
    flows,
    overrides,
    page,
    procurement,
    schedule_pages,
    scorecard,
    stock_review,
    story,
    tables,
)
from sop_lib.briefing import Plan
from sop_lib.page import count, money, number, percent, shown

__all__ = [
    "achieved", "changed", "decisions", "drivers", "flow", "issues", "missing", "outlook", "overridden", "provenance",
    "short", "strip", "tiles", "year",
]  # fmt: skip

VERDICTS = {"met": ("✓", "met"), "missed": ("✗", "missed"), "no target": ("", "no target")}
SEVERITY = {"block": 0, "warn": 1, "info": 2}
CALM = Markup('<p class="calm">{}</p>')


def strip(plan: Plan) -> HTML:
    """Return the head of the page: company, cycle, version and status, age of the data, demand basis, currency."""
    closed = plan.month - pd.Timedelta(days=1)
    facts = [
        f"data closed {closed.day} {closed:%b %Y} · {story.status(plan)}",
        f"demand basis: {briefing.basis(plan)} · {plan.currency}",
    ]
    head = Markup('<header class="strip"><h1>{} · S&amp;OP {}</h1><p class="meta">{}</p></header>')
    note = Markup('<p class="note">{}</p>').format(plan.note) if plan.note else ""
    return HTML(head.format(plan.company, f"{plan.month:%B %Y}", Markup("<br>").join(facts)) + note)


# Tiles


def tiles(plan: Plan) -> HTML:
    """Return up to five figures an executive looks for first, as far as the tables give them."""
    found: list = [_call_tile(plan, line) for line in ("revenue", "margin")]
    found += [_kpi_tile(plan, "fill_rate"), _execution_tile(plan)]
    found += [_short_tile(plan) if plan.has_supply else _demand_tile(plan), _kpi_tile(plan, "forecast_wape")]
    return page.tiles([t for t in found if t][:5])


def _lines(first: str, *parts: str) -> Markup:
    return Markup("<br>").join([first, *parts])


def _call_tile(plan: Plan, line: str) -> tuple | None:
    row = briefing.call(plan, line)
    if row is None:
        return None
    key = {"source": "year_call", "fiscal_year": row.fiscal_year, "family": tables.ALL, "line": line}
    called = number(row.latest, money(row.latest, plan.currency), column="latest", **key)
    bases = {"budget": row.budget, "last year": row.last_year}
    aims = [f"{word} {count(value)}" for word, value in bases.items() if pd.notna(value)]
    likely = [page.between(row.low, row.high)] if pd.notna(row.low) and pd.notna(row.high) else []
    return called, _lines(f"{line}, full year {int(row.fiscal_year)}", *aims[:1], *likely)


def _kpi_tile(plan: Plan, kpi: str) -> tuple | None:
    rows = _company(plan)
    rows = rows[rows["kpi"] == kpi]
    if rows.empty:
        return None
    row: Any = rows.iloc[0]
    target = [f"target {_kpi_text(row.target, row.unit)}"] if pd.notna(row.target) else []
    return _kpi_text(row.value, row.unit), _lines(f"{row.label}, last 3 months", *target)


def _execution_tile(plan: Plan) -> tuple | None:
    verdicts = briefing.executed(plan)
    verdicts = verdicts[verdicts["verdict"] != "no plan"]
    if verdicts.empty:
        return None
    good = (verdicts["verdict"] == "executed").sum()
    return f"{good} of {len(verdicts)}", _lines("families executed as approved", "last 3 months")


def _short_tile(plan: Plan) -> tuple:
    rows = briefing.shortages(plan)
    if rows.empty:
        return "none", "no family is short in the plan"
    top: Any = rows.iloc[0]
    value = number(top.peak, count(top.peak), source="gap", column="late", family=top.family, month=top.worst)
    return value, _lines(
        f"{briefing.unit_of(plan, top.family)} unserved at the worst", f"{top.family}, {shown(top.worst)}"
    )


def _demand_tile(plan: Plan) -> tuple | None:
    past, ahead = briefing.twelve_months(plan)
    if past <= 0 or not plan.unit:
        return None
    when = (plan.month, plan.a_year_on - pd.DateOffset(months=1))
    value = number(ahead, count(ahead), source="demand_plan", column="quantity", month=when)
    return value, _lines(f"{plan.unit}, next 12 months", f"last 12: {count(past)}")


# Decide


def decisions(plan: Plan) -> HTML:
    """Return what executives are asked, with options, or that nothing is asked."""
    asked = plan["decisions_required"]
    cards = [_card(plan, rows) for _, rows in asked.groupby("decision")]
    why = "" if plan.has_supply else " Without supply data the plan has no options to choose from."
    return page.section("Decisions asked for", *(cards or [HTML(CALM.format(f"None needed today.{why}"))]))


def _card(plan: Plan, rows: pd.DataFrame) -> HTML:
    first: Any = rows.iloc[0]
    tags = [f"owner: {first.owner}", f"decide by {first.decide_by.day} {first.decide_by:%b %Y}"]
    if pd.notna(first.cost_of_delay) and first.cost_of_delay:
        tags.append(f"each month later costs {money(first.cost_of_delay, plan.currency)}")
    best = Markup('{} <span class="badge">recommended</span>')
    rows = rows.sort_values(["recommended", "margin"], ascending=False, kind="stable")
    frame = rows.assign(choice=[best.format(r.option) if r.recommended else r.option for r in briefing.rows(rows)])
    columns = ["choice", "units_closed", "cost", "margin", "service", "decision", "option"]
    table = page.table(
        frame[columns].dropna(axis="columns", how="all"), source="decisions_required", hidden=("decision", "option"),
        formats={"units_closed": count, "cost": count, "margin": lambda v: count(v, "+"), "service": percent},
        labels={"cost": f"added cost, {plan.currency}", "margin": f"margin won, {plan.currency}"},
    )  # fmt: skip
    shell = Markup('<article class="card"><h3>{} · {}</h3><p class="small">{}</p><p>{}</p>{}</article>')
    return HTML(shell.format(int(first.decision), first.question, " · ".join(tags), first.reason, Markup(table.data)))


# Look ahead


def outlook(plan: Plan) -> HTML:
    """Return the outlook of the whole company: what was sold, what is planned, what supply and budget say."""
    frame, unit, source = briefing.outlook(plan)
    known = [n for n in ("actual", "demand", "supply", "budget") if frame[n].notna().any()]
    if "demand" not in known:
        return HTML("")
    when = f"{shown(frame['month'].min())} to {shown(frame['month'].max())}"
    figure = page.figure(
        charts.outlook(frame, plan.month, unit), title=story.outlook_finding(plan), source=source,
        alt=f"Lines by month, {when}, in {unit}: {story.listed(known)}.",
    )  # fmt: skip
    likely = "Shaded: four cases of five." if frame["low"].notna().any() else ""
    return page.section("Outlook", figure, note=likely)


def drivers(plan: Plan) -> HTML:
    """Return, side by side, the steps from budget to the latest call and the load of the tightest resource."""
    return page.pair(_bridge(plan), _bottleneck(plan))


def _bridge(plan: Plan) -> HTML:
    bridges = plan["bridges"][plan["bridges"]["family"] == tables.ALL]
    ranked = sorted(bridges["bridge"].unique(), key=lambda b: (not b.startswith("budget"), "revenue" not in b, b))
    if not ranked:
        return HTML("")
    steps = bridges[bridges["bridge"] == ranked[0]].sort_values("order", ignore_index=True)
    moves = [f"{r.step.lower()} {count(r.value, '+')}" for r in briefing.rows(steps.iloc[1:-1]) if r.value]
    title = f"{ranked[0][0].upper()}{ranked[0][1:]}: {story.listed(moves) or 'no change'}"
    alt = "Bridge: " + ", ".join(f"{r.step} {count(r.value)}" for r in briefing.rows(steps)) + "."
    figure = charts.bridge(bridges, ranked[0], tables.ALL)
    return page.figure(figure, title=title, alt=alt, source="bridges", wide=False)


def _bottleneck(plan: Plan) -> HTML:
    load = briefing.tightest(plan)
    if load.empty:
        return HTML("")
    unit, name = load["unit"].iloc[0], load["resource"].iloc[0]
    alt = f"Bars by month: {unit} that demand asks of {name}, against its capacity without and with overtime."
    figure = charts.resource_bars(load, unit)
    return page.figure(figure, title=story.resource_finding(load), alt=alt, source="resource_load", wide=False)


def year(plan: Plan) -> HTML:
    """Return the full-year call of revenue by family, the largest first, beside budget and last year."""
    whole = briefing.call(plan, "revenue")
    if whole is None:
        return HTML("")
    calls = plan["year_call"]
    rows = calls[(calls["fiscal_year"] == whole.fiscal_year) & (calls["line"] == "revenue")]
    rows = rows.assign(total=rows["family"] == tables.ALL).sort_values(["total", "latest"], ascending=[True, False])
    name = rows["family"].where(~rows["total"], "All families")
    frame = rows.assign(
        name=name, to_budget=rows["latest"] / rows["budget"] - 1, growth=rows["latest"] / rows["last_year"] - 1
    )
    columns = [
        "name",
        "latest",
        "low",
        "high",
        "budget",
        "to_budget",
        "last_year",
        "growth",
        "fiscal_year",
        "family",
        "line",
    ]
    forms: dict[str, Any] = dict.fromkeys(["latest", "low", "high", "budget", "last_year"], count)
    table = page.table(
        frame[columns].dropna(axis="columns", how="all"), source="year_call", hidden=("fiscal_year", "family", "line"),
        formats=forms | dict.fromkeys(["to_budget", "growth"], lambda v: percent(v, 1, "+")),
        labels={"name": "family", "latest": "latest call", "growth": "to last year"},
    )  # fmt: skip
    note = f"Revenue of {int(whole.fiscal_year)} in {plan.currency}; low to high holds four cases of five."
    return page.section("The year by family", table, note=note)


def short(plan: Plan) -> HTML:
    """Return what is short and when, the next twelve months first; what is missing to say so; or that nothing is."""
    title = "What is short, and when"
    if not plan.has_supply:
        return page.section(title, page.missing("What is short", ["inventory", "resources", "supply_costs"]))
    rows = briefing.shortages(plan)
    if rows.empty:
        return page.section(title, HTML(CALM.format("Nothing: every family is served in its month.")))
    columns = ["family", "from", "to", "worst", "peak", "share", "p_short", "gap_margin"]
    names = {"worst": "worst month", "peak": "unserved then", "share": "of its demand", "p_short": "chance to be short"}
    names["gap_margin"] = f"margin open, {plan.currency}"
    forms: dict[str, Any] = {"peak": count, "share": percent, "p_short": percent, "gap_margin": count}
    note = "If demand comes as planned; the chance counts the whole range of demand, in the worst month."
    table = page.table(rows[columns], source="gap", formats=forms, labels=names)
    return page.section(title, table, *_why(plan), note=note)


def _why(plan: Plan) -> list[HTML]:
    """Return the main cause of what is short in the whole plan, and all causes as steps that add up to it."""
    causes, words = plan["gap_causes"], {"unit": plan.unit, "currency": plan.currency}
    if causes.empty:
        return []
    told = Markup("Why, over the whole plan: {} {}").format(
        cause_pages.headline(causes, **words), cause_pages.counted(causes)
    )
    return [page.note(told), page.pair(cause_pages.waterfall(causes, **words), cause_pages.by_family(causes))]


def flow(plan: Plan) -> HTML:
    """Return a sentence each on the money in stock, order dates, late lanes, changes in the fence, and alarms."""
    changes, review = plan["supply_changes"], plan["stock_review"]
    alarms = approved.proposed(plan["supply_notes"].query("kind == 'alarm'"), plan["scenario_comparison"])
    said = [
        stock_review.stock_sentence(review, plan.currency) if len(review) else "",
        procurement.last_order_sentence(plan["procurement"], plan.currency),
        *flows.late_sentences(plan["flows"]),
        schedule_pages.fence_sentence(changes, plan["supply_trials"], plan.currency) if len(changes) else "",
        *alarms["finding"],
    ]
    title = "Stock, orders, deliveries and the time fence"
    return page.section(title, page.bullets([sentence for sentence in said if sentence]))


# Look back


def _company(plan: Plan) -> pd.DataFrame:
    rows = scorecard.recent(plan["scorecard"])
    return rows[(rows["family"] == tables.ALL) & rows["value"].notna()]


def _kpi_text(value: Any, unit: Any) -> str:
    if pd.isna(value):
        return page.BLANK
    if unit == "rate":
        return percent(value, 1)
    return f"{shown(value, '{:,.0f}' if abs(value) >= 20 else '{:,.1f}')}\u00a0{unit}"


def achieved(plan: Plan) -> HTML:
    """Return the company's KPIs of the last closed months: course, value, target, the year before, verdict."""
    rows = _company(plan).head(12)
    if rows.empty:
        return HTML("")
    scores = plan["scorecard"]
    line = scores[scores["family"] == tables.ALL].sort_values("month").groupby("kpi")["value"]
    verdict = Markup('<span class="{}">{}</span> {}')
    frame = pd.DataFrame({
        "measure": rows["label"].str.capitalize(),
        "value": [Markup("<b>{}</b>").format(_kpi_text(r.value, r.unit)) for r in briefing.rows(rows)],
        "target": [_kpi_text(r.target, r.unit) for r in briefing.rows(rows)],
        "verdict": [verdict.format(v.replace(" ", "-"), *VERDICTS[v]) for v in rows["verdict"]],
        "year before": [_kpi_text(r.before, r.unit) for r in briefing.rows(rows)],
        "12 months": [page.spark(list(line.get_group(k).tail(12))) for k in rows["kpi"]],
        "kpi": rows["kpi"], "family": rows["family"],
    })  # fmt: skip
    right = ("value", "target", "year before")
    table = page.table(frame, source="scorecard", hidden=("kpi", "family"), right=right)
    return page.section("Did we achieve it?", table, note=f"Last three closed months, to {plan.closed:%B %Y}.")


def changed(plan: Plan) -> HTML:
    """Return what moved since the last plan by more than noise; nothing where there is no earlier plan."""
    if plan["plan_changes"]["previous"].isna().all():
        return HTML("")
    moved = story.changes(plan)
    found = page.bullets(moved) if moved else HTML(CALM.format("No family moved by 3 % or more."))
    return page.section("What changed since the last plan", found)


def overridden(plan: Plan) -> HTML:
    """Return the planners' overrides in the plan, those that add or take most first; nothing where there are none."""
    told = overrides.listed(plan["overrides"], plan["demand_plan"], plan.month).query("left_out == ''")
    top = told.sort_values("added", key=lambda q: -q.abs(), kind="stable").head(10)
    columns = ["what", "months", "change", "added", "author", "reason", "id"]
    table = page.table(top[columns], source="overrides", hidden=("id",), formats={"added": "{:+,.0f}"})
    many = f"The {len(top)} that move most of {len(told)}. " if len(told) > len(top) else ""
    note = f"{many}Added: units over the horizon, against the plan without it."
    return page.section("What planners changed by hand", table, note=note) if len(told) else HTML("")


# What it rests on


def missing(plan: Plan) -> HTML:
    """Return the input tables that are not there, and what each would unlock."""
    kept = plan.manifest["tables"]
    inputs = [t for t in tables.tables().values() if t.group == "input"]
    absent = [t for t in inputs if t.used and not kept.get(f"inputs/{t.name}", {}).get("rows")]
    if not absent:
        return HTML("")
    frame = pd.DataFrame({"input table": [t.name for t in absent], "would unlock": [t.unlocks for t in absent]})
    inner, few = page.table(frame, source="manifest"), len(absent) < 4
    fold = Markup("<details{}><summary>{} input tables are not there</summary>{}</details>")
    whole = fold.format(Markup(" open") if few else "", len(absent), Markup(inner.data))
    return page.section("What this pack cannot say yet", HTML(whole))


def issues(plan: Plan) -> HTML:
    """Return the data issues that matter most: blocking and warnings first, then by money."""
    found = plan["data_issues"]
    rank, size = found["severity"].map(SEVERITY), -found["money"].abs().fillna(0.0)
    ranked = found.assign(rank=rank, size=size, many=-found["rows"])
    top = ranked.sort_values(["rank", "size", "many"], kind="stable").head(8)
    columns = ["finding", "severity", "rows", "money", "remedy", "rule", "table", "subject"]
    table = page.table(
        top[columns].dropna(axis="columns", how="all"), source="data_issues", hidden=("rule", "table", "subject"),
        formats=dict.fromkeys(["rows", "money"], "{:,.0f}"), empty="None found.",
    )  # fmt: skip
    many = f"The {len(top)} that matter most of {len(found)}. " if len(found) > len(top) else ""
    return page.section("Data issues", table, note=f"{many}Money in {plan.currency}." if len(found) else "")


def provenance(plan: Plan) -> HTML:
    """Return what the page was made of: the input files and tables with the beginnings of their hashes."""
    sources, kept = sorted(plan.manifest["sources"].items()), sorted(plan.manifest["tables"].items())
    files = pd.DataFrame([{"input": n, "file": s.get("file", ""), "SHA-256": s["sha256"][:12]} for n, s in sources])
    made = pd.DataFrame([{"table": n, "rows": e["rows"], "SHA-256": e["sha256"][:12]} for n, e in kept])
    named = ((files, "Input files"), (made, "Tables of the cycle"))
    inner = page.pair(*(page.table(df, source="manifest", caption=c) for df, c in named if len(df)))
    text = "Every number stands in a table of this cycle; the page names its source, key and column."
    shell = Markup(
        '<footer class="small"><p>{} {} · cycle {} · {}</p>'
        "<details><summary>Input files and tables, with their hashes</summary>{}</details></footer>"
    )
    return HTML(shell.format(text, plan.company, f"{plan.month:%Y-%m}", story.status(plan), Markup(inner.data)))
