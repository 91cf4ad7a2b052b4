"""The families' part of the pack: was the plan executed, and each family's plan as a picture and in rows."""

from dataclasses import dataclass
from typing import Any

import pandas as pd
from IPython.display import HTML
from markupsafe import Markup

from sop_lib import briefing, charts, page, story, tables
from sop_lib.briefing import Plan, unit_of
from sop_lib.page import percent, shown

__all__ = ["execution", "families"]

MARKS = {"in": ("·", "in tolerance"), "above": ("▲", "above"), "below": ("▼", "below")}
STRATEGIES = {"MTS": "make to stock", "MTO": "make to order", "ATO": "assemble to order"}
NOW, OTHER = "Actual / latest", "Other movements"
YEAR_CALL = {"Budget": "budget", "Approved": "approved", "Previous": "previous", NOW: "latest"}
FLOWS, TIMES = ("sales", "production"), ("days", "weeks", "workers")
LARGE = 10_000  # families of this size are shown in thousands

TWO_LINES = Markup("{}<br>{}")
HEAD = Markup('<th scope="col">{}</th>')
ROW = Markup('<tr{} data-key="{}"><th scope="row">{}</th>{}</tr>')


def _joined(parts) -> Markup:
    return Markup("").join(parts)


# Did we execute?


def execution(plan: Plan) -> HTML:
    """Return, per measure, families by closed month: within tolerance of the approved plan, above it or below it."""
    grid = plan["execution_grid"]
    judged = grid[grid["verdict"].isin(MARKS)]
    known, measures = grid[grid["month"].isin(judged["month"])], set(judged["measure"])
    blocks = [_grid(m, known[known["measure"] == m]) for m in ("demand", "supply", "inventory") if m in measures]
    note = "Actual against the approved plan: ▲ above and ▼ below tolerance, · within. Last column: months within."
    return page.section("Did we execute?", page.pair(*blocks, least=290), note=note)


def _grid(measure: str, grid: pd.DataFrame) -> HTML:
    when = pd.DatetimeIndex(sorted(grid["month"].unique()))
    letter = Markup('<span role="img" aria-label="{1}">{0}</span>')
    heads = _joined(HEAD.format(letter.format(f"{m:%b}"[0], f"{m:%b %Y}")) for m in when)
    rows = _joined(_grid_row(f, measure, part.set_index("month").reindex(when)) for f, part in grid.groupby("family"))
    shell = '<table class="grid" data-source="execution_grid"><caption>{}</caption><thead><tr>{}</tr></thead>{}</table>'
    top = _joined([HEAD.format("family"), heads, HEAD.format("in")])
    body = Markup("<tbody>{}</tbody>").format(rows)
    return page.scroll(
        Markup(shell).format(measure.capitalize(), top, body), f"Execution of {measure}, by family and month"
    )


def _grid_row(family: Any, measure: str, part: pd.DataFrame) -> Markup:
    cells = [_grid_cell(month, row) for month, row in zip(part.index, briefing.rows(part), strict=True)]
    score = f"{(part['verdict'] == 'in').sum()} of {part['verdict'].isin(MARKS).sum()}"
    cells.append(Markup("<td>{}</td>").format(score))
    return ROW.format("", f"family={family} · measure={measure}", family, _joined(cells))


def _grid_cell(month: pd.Timestamp, row: Any) -> Markup:
    mark, words = MARKS.get(row.verdict, ("", "not compared"))
    by = (
        f" by {percent(abs(row.difference / row.approved))}"
        if row.verdict in ("above", "below") and row.approved
        else ""
    )
    sign = Markup('<span role="img" aria-label="{}">{}</span>').format(words + by, mark)
    cell = Markup('<td class="{}" title="{}" data-column="verdict" data-month="{}">{}</td>')
    return cell.format(words.split()[0], f"{month:%b %Y}: {words}{by}", f"{month:%Y-%m}", sign)


# The family display


def families(plan: Plan) -> HTML:
    """Return each family's display: those with an exception first, the others folded away."""
    known = list(dict.fromkeys(plan["family_display"]["family"]))
    first = [f for f in briefing.exceptions(plan) if f in known]
    rest = [f for f in known if f not in first]
    top = page.section("Families with an exception", *(_family(plan, f) for f in first))
    folded = _joined(Markup(_family(plan, f).data) for f in rest)
    annex = HTML(
        Markup("<details><summary>{}</summary>{}</details>").format(story.listed(rest), folded) if rest else ""
    )
    return page.together(top, page.section("Families without exception", annex))


def _family(plan: Plan, family: str) -> HTML:
    rows = plan["family_display"]
    rows = rows[rows["family"] == family]
    year, unit = rows[rows["month"] < plan.a_year_on], unit_of(plan, family)
    wide = _latest(year)
    drawn = [str(c) for c in wide if c != "month"]
    alt = f"Chart by month of {family}, {unit}: {story.listed(drawn)}. The numbers stand in the table below."
    figure = charts.family_rows(wide, plan.month, unit)
    title = story.family_finding(plan, family, year)
    head = Markup('<h3>{} <span class="small">{}</span></h3>').format(family, " · ".join(_targets(plan, family)))
    parts = page.together(
        HTML(head), page.bullets(story.family_story(plan, family)),
        page.figure(figure, title=title, alt=alt, source="family_display"), _display(plan, family, rows, unit),
    )  # fmt: skip
    return HTML(Markup('<article class="family">{}</article>').format(Markup(parts.data)))


def _latest(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the latest view of each block per month, and demand beside sales where both are there."""
    latest = rows[(rows["row"] == NOW) & (rows["block"] != "service")]
    demand = rows[rows["row"] == "Demand"].assign(block="demand")
    wide = pd.concat([latest, demand]).pivot(index="month", columns="block", values="value")
    return wide.dropna(axis="columns", how="all").rename_axis(columns=None).reset_index()


def _targets(plan: Plan, family: str) -> list[str]:
    row = plan["families"][plan["families"]["family"] == family]
    if row.empty:
        return []
    r: Any = row.iloc[0]
    said = [STRATEGIES.get(r.strategy, r.strategy)]
    said += [f"target cover {r.cover_days:.0f} days"] if pd.notna(r.cover_days) else []
    said += [f"quoted {r.backlog_weeks:.0f} weeks"] if pd.notna(r.backlog_weeks) else []
    said += [f"fill target {percent(r.fill_target)}"] if pd.notna(r.fill_target) else []
    return said + ([f"tolerance {percent(r.tolerance)}"] if pd.notna(r.tolerance) else [])


@dataclass(frozen=True)
class Columns:
    """What the display of a family shows: its months, the six months after them, the year, and the size of units."""

    cycle: pd.Timestamp
    months: pd.DatetimeIndex
    after: pd.DatetimeIndex
    call: Any
    thousands: bool


def _columns(plan: Plan, family: str, rows: pd.DataFrame) -> Columns:
    when = pd.DatetimeIndex(sorted(rows["month"].unique()))
    shown, after = when[when < plan.a_year_on], when[(when >= plan.a_year_on)][:6]
    usual = rows[rows["block"].isin(FLOWS) & (rows["row"] == NOW) & rows["month"].isin(shown)]
    large = bool(usual["value"].abs().max() >= LARGE)
    return Columns(plan.month, shown, after, briefing.call(plan, "quantity", family), large)


def _display(plan: Plan, family: str, rows: pd.DataFrame, unit: str) -> HTML:
    """Return the display: three closed months, the next twelve, the six after them as one, and the year."""
    columns = _columns(plan, family, rows)
    heads: list = [f"{'thousand ' if columns.thousands else ''}{unit}"]
    heads += [TWO_LINES.format(f"{m:%b}", f"{m:%y}") for m in columns.months]
    if len(columns.after):
        heads.append(TWO_LINES.format(f"{columns.after[0]:%b}–{columns.after[-1]:%b}", f"{columns.after[-1]:%y}"))
    if columns.call is not None:
        heads.append(int(columns.call.fiscal_year))
    blocks = [(b, rows[rows["block"] == b]) for b in tables.table("family_display")["block"].choices]
    body = _joined(_block(b, part, columns, len(heads)) for b, part in blocks if len(part))
    shell = Markup('<table class="display" data-source="family_display"><thead><tr>{}</tr></thead>{}</table>')
    return page.scroll(shell.format(_joined(map(HEAD.format, heads)), body), f"Plan of {family} by month")


def _block(block: str, part: pd.DataFrame, columns: Columns, width: int) -> Markup:
    slight = 0.005 * part["value"].abs().max()
    named = [(name, row) for (_, name), row in part.groupby(["order", "row"])]
    kept = [(name, row) for name, row in named if name != OTHER or row["value"].abs().max() > slight]
    head = Markup('<tr class="block"><th scope="rowgroup" colspan="{}">{}</th></tr>').format(width, block.capitalize())
    return Markup("<tbody>{}{}</tbody>").format(head, _joined(_line(block, name, row, columns) for name, row in kept))


def _line(block: str, name: Any, row: pd.DataFrame, columns: Columns) -> Markup:
    unit, values = row["unit"].iloc[0], row.set_index("month")["value"]
    cells = [
        _cell(v, unit, name, columns, f"{m:%Y-%m}", m < columns.cycle)
        for m, v in values.reindex(columns.months).items()
    ]
    cells += [_after(block, name, values, unit, columns)] if len(columns.after) else []
    cells += [_year(block, name, unit, columns)] if columns.call is not None else []
    key = f"family={row['family'].iloc[0]} · block={block} · row={name}"
    label = f"{name}, {unit}" if unit in TIMES and unit not in name else name
    return ROW.format(Markup(' class="now"') if name == NOW else "", key, label, _joined(cells))


def _cell(value: Any, unit: str, name: Any, columns: Columns, where: str, past: bool = False) -> Markup:
    mark = Markup('<td{} data-column="value" data-month="{}">{}</td>')
    return mark.format(Markup(' class="past"') if past else "", where, _text(value, unit, name, columns))


def _text(value: Any, unit: str, name: Any, columns: Columns) -> str:
    if unit == "rate":
        return page.BLANK if pd.isna(value) else percent(value)
    scaled = columns.thousands and unit not in TIMES
    sign = "+" if name in ("Difference", "Cumulative", OTHER) else ""
    return shown(value / 1000 if scaled else value, f"{{:{sign},.{1 if scaled else 0}f}}")


def _after(block: str, name: Any, values: pd.Series, unit: str, columns: Columns) -> Markup:
    """Return the cell of months 13 to 18: flows are summed, stocks are the last month's; blank where months lack."""
    known = values.reindex(columns.after)
    if unit == "rate" or known.isna().any():
        return Markup("<td></td>")
    flow = block in FLOWS and name not in ("Cumulative", "People")
    last = f"{columns.after[-1]:%Y-%m}"
    where = f"{columns.after[0]:%Y-%m}..{last}" if flow else last
    return _cell(known.sum() if flow else known.iloc[-1], unit, name, columns, where)


def _year(block: str, name: Any, unit: str, columns: Columns) -> Markup:
    """Return the cell of the fiscal year: what the full-year call says of sales."""
    call = columns.call
    if block != "sales" or name not in YEAR_CALL or pd.isna(call[YEAR_CALL[name]]):
        return Markup("<td></td>")
    key = f"fiscal_year={int(call.fiscal_year)} · family={call.family} · line=quantity"
    mark = Markup('<td data-source="year_call" data-key="{}" data-column="{}">{}</td>')
    return mark.format(key, YEAR_CALL[name], _text(call[YEAR_CALL[name]], unit, name, columns))
