"""Sections of the supply review about goods on their way: do they come in time, what must leave, where stock lies."""

import pandas as pd
from IPython.display import HTML

from sop_lib import distribution, flows, page, placement, supply_charts
from sop_lib.mix import Tables

__all__ = ["arrivals", "places", "to_ship"]

LOOKS: dict = dict.fromkeys(["on_time", "late_share", "share"], "{:.1%}")
LOOKS |= dict.fromkeys(["lead_days", "lead_p90", "own_weeks", "waits_weeks", "promises_weeks", "net_weeks"], "{:.0f}")
LOOKS |= dict.fromkeys(["transit_days", "late_days"], "{:.1f}")
LOOKS |= dict.fromkeys(["safety", "value", "yearly_cost", "alone_cost", "ends_cost", "on_the_way", "spread"], "{:,.0f}")
HEADS = {"lead_days": "usual days", "lead_p90": "days of nine in ten", "late_share": "late", "late_days": "days late"}
LANES = ["leg", "from", "to", "deliveries", "lead_days", "lead_p90", "late_share", "late_days"]
COSTS = {"yearly_cost": "placed best", "alone_cost": "each for its own time", "ends_cost": "where customers are served"}
HEADS |= {"transit_days": "mean days", "deliveries": "deliveries of 12 months"}


def arrivals(flow: pd.DataFrame, lane: pd.DataFrame, against: str) -> HTML:
    """Return which lane is late, the share on time by lane over months, and lead time and lateness of each lane.

    `flow` is the table of `flows.flows`, `lane` of `flows.lanes`, `against` what `flows.due_words` says.
    """
    late = flows.late_lanes(flow)
    said = flows.late_sentences(flow, against, late)
    if not said:
        return page.missing("What came when it was promised", ["shipments"])
    told = "Share of deliveries on time by month, a line for each lane; late lanes are red."
    known = flow[flow["judged"] > 0]
    chart = page.note(said[0]) if known.empty else page.figure(
        supply_charts.on_time_lines(known, late), title=said[0], alt=told, source="flows"
    )  # fmt: skip
    backwards = int(flow["left_out"].sum())
    note = f"Deliveries that came before they were shipped: {backwards:,}. No days on the way are read from them."
    return page.together(
        chart,
        page.bullets(said[1:]),
        page.note(note) if backwards else page.together(),
        page.table(lane[LANES], source="flows", formats=LOOKS, labels=HEADS,
                   caption=f"Lead time in days, and share that missed the {against}", empty="None within a year."),
    )  # fmt: skip


def _day(day: pd.Timestamp) -> str | None:
    """Return a day with its number, the first of a month too.

    >>> _day(pd.Timestamp("2026-12-01"))
    '1 Dec 2026'
    """
    return None if pd.isna(day) else f"{day.day} {day:%b %Y}"


def to_ship(plan: pd.DataFrame, best: Tables, lanes: pd.DataFrame, unit: str) -> HTML:
    """Return what must be shipped by lane in the next three months, by when, and what no lane carries.

    `plan` is what `distribution.distribution_plan` returns, `best` the supply tables of the proposed strategy,
    `lanes` what `distribution.used` returns; `unit` is blank where families have unlike units.
    """
    if plan.empty:
        needs = ["inventory"] * best["supply_plan"].empty + ["shipments"] * lanes.empty
        asked = page.missing("What must be shipped", needs) if needs else page.together()
        why = distribution.why_none(lanes)
        return page.together(asked, page.note(why) if why else page.together())
    rows = distribution.next_months(plan, together=bool(unit))
    rows["ship_by"] = rows["ship_by"].map(_day)
    left = distribution.unrouted(plan, best["supply_plan"], best["inventory_plan"])
    months = dict.fromkeys([c for c in rows if isinstance(c, pd.Timestamp)], "{:,.0f}")
    heads = HEADS | {"ship_by": "ship by, for the second month", "on_the_way": "on the way, mean"}
    return page.together(
        page.note(distribution.ship_sentence(plan, unit)),
        page.table(rows, source="distribution_plan", formats=LOOKS | months, labels=heads | {"lead_days": "lead days"},
                   caption=f"To ship by lane{f' ({unit})' if unit else ', each family in its unit'}"),
        page.table(left, source="distribution_plan", caption="Planned, and no lane of the last year carries it",
                   formats={"units": "{:,.0f}"}) if len(left) else page.together(),
    )  # fmt: skip


def places(placed: pd.DataFrame, reasons: dict[str, str], unit: str, currency: str) -> HTML:
    """Return where safety stock costs least, what that saves, and the families it cannot be said of, with the reason.

    `placed` is the table of `placement.placement`, `reasons` what `placement.reasons` returns.
    """
    out = [f"{family}: {text}." for family, text in sorted(reasons.items())]
    if placed.empty and not out:
        return page.missing("Where safety stock lies best", ["shipments", "locations"])
    said = placement.saving_sentence(placed, currency)
    shown = placed.drop(columns=["alone_cost", "ends_cost", "finding"])
    return page.together(
        page.note(said) if said else page.together(),
        page.table(placement.by_family(placed), source="stock_placement", formats=LOOKS, labels=COSTS,
                   caption=f"Where each family's safety stock lies best, and what it costs a year ({currency})",
                   empty="No family could be placed."),
        page.table(shown, source="stock_placement", formats=LOOKS, empty="No family could be placed.",
                   caption=f"Safety stock by place ({unit or 'each family in its unit'}; money in {currency})"),
        page.bullets(out),
    )  # fmt: skip
