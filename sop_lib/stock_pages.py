"""Sections of the supply review: stock in money, how it rolled forward, who waits, and what must be ordered."""

import pandas as pd
from IPython.display import HTML

from sop_lib import page, procurement, stock_review, stock_rolled, supply_charts

__all__ = ["in_stock", "orders", "rolled", "waiting"]

UNITS = """stock on_hand blocked in_transit demand safety target excess obsolete opening closing lowest highest_excess
planned"""
MONEY = "value needed_value excess_value obsolete_value blocked_value cost ordered short"
LOOKS: dict = dict.fromkeys([*UNITS.split(), *MONEY.split(), "actual", "cover_days"], "{:,.0f}")
LOOKS |= dict.fromkeys(["variance", "supply", "adjusted", "waiting", "unexplained"], "{:+,.0f}")
ENDS = {"opening": "at the start", "closing": "at the end", "target": "target at the end"}
WEEKS: dict = dict.fromkeys(["quoted", "now", "highest"], "{:.1f}")


def in_stock(review: pd.DataFrame, projection: pd.DataFrame, unit: str, currency: str, most: int = 12) -> HTML:
    """Return what stock is worth and what of it is needed, excess or obsolete; by family, and the products to act on.

    `projection` (from `stock_review.projected`) says where stock goes; it may be empty.
    """
    if review.empty:
        return page.missing("Stock in money", ["inventory"])
    families = stock_review.by_family(review)
    shown: dict = {"source": "stock_review", "formats": LOOKS}
    said = [stock_review.stock_sentence(review, currency), stock_review.uncosted_sentence(review)]
    beyond = review[review["state"].isin(["obsolete", "excess"])]
    beyond = beyond.assign(beyond=beyond[["excess_value", "obsolete_value"]].sum(axis=1, min_count=1))
    order = beyond.sort_values(["beyond", "product"], ascending=[False, True])
    below = review[review["state"] == "below safety"].assign(stock=stock_review.usable)
    below = below.assign(gap=below["safety"] - below["stock"])
    below = below.sort_values(["gap", "product"], ascending=[False, True])
    act = ["product", "state", "excess", "obsolete", "excess_value", "obsolete_value", "finding"]
    low = ["product", "family", "stock", "safety", "cover_days", "finding"]
    names = {c: c.removesuffix("_value") for c in stock_review.SHARES} | {"value": f"value, {currency}"}
    heads = {"stock": "on hand and in transit"}
    told = f"The plan's stock by family ({unit})"
    return page.together(
        page.bullets([sentence for sentence in said if sentence]),
        page.table(families, caption=f"Stock at cost by family, {currency}", labels=names, **shown),
        page.table(
            order[act].head(most), caption=_first("More than is needed", len(order), most), empty="None.", **shown
        ),
        page.table(
            below[low].head(most),
            caption=_first("Below safety stock", len(below), most),
            empty="None.",
            labels=heads,
            **shown,
        ),
        page.table(
            stock_review.watched(projection),
            source="inventory_plan",
            caption=told,
            formats=LOOKS,
            labels=ENDS,
            empty="No supply is planned.",
        ),
    )


def _first(what: str, count: int, most: int) -> str:
    return f"{what}: the first {most} of {count:,} products" if count > most else what


def rolled(rows: pd.DataFrame, closed: pd.Timestamp, unit: str) -> HTML:
    """Return how stock and backlog closed against the last plan, with what the difference comes from."""
    if rows.empty:
        return page.missing("The roll-forward against the last plan", ["past_plans", "inventory"])
    told = f"At the close of {closed:%b %Y}, {unit}: actual − planned, and what raised (+) or lowered it"
    looks = LOOKS | {"demand": "{:+,.0f}"}
    return page.together(
        page.note(stock_rolled.rolled_sentence(rows, closed)),
        page.table(rows, source="inventory_plan", caption=told, formats=looks),
    )


def waiting(ahead: pd.DataFrame, inventory_plan: pd.DataFrame, count: int = 12) -> HTML:
    """Return the backlog of families made or assembled to order in weeks against the quoted weeks, now and in the plan.

    `ahead` is what `stock_rolled.backlog_ahead` returns; without such a family a note stands here.
    """
    if ahead.empty:
        return page.note("No family is made or assembled to order: no backlog is held against a quoted lead time.")
    rows = inventory_plan[inventory_plan["family"].isin(ahead["family"])]
    wide = rows.pivot(index="family", columns="month", values="backlog_weeks").iloc[:, :count].reset_index()
    wide = wide.rename_axis(columns=None)
    return page.together(
        page.bullets(stock_rolled.backlog_sentences(ahead)),
        page.table(
            ahead.drop(columns=list(stock_rolled.STUCK)),
            source="inventory_plan",
            caption="Backlog in weeks against the weeks quoted",
            formats=WEEKS,
        ),
        page.table(
            wide, source="inventory_plan", caption="Weeks of backlog by month", formats=dict.fromkeys(wide, "{:.1f}")
        ),
    )


def orders(rows: pd.DataFrame, first: pd.Timestamp, currency: str, count: int = 6) -> HTML:
    """Return what must be ordered and by when: what is too late, the orders due soon, and their money by month."""
    if rows.empty:
        return page.missing("Material orders", ["materials", "bill_of_materials", "plants", "supply_costs"])
    said, due = procurement.headline(rows, currency), procurement.soon(rows, first, count)
    names = ["material", "order_by", "state", "ordered", "short", "month", "cost", "finding"]
    labels = {"order_by": "order by the 1st of", "month": "arrives", "cost": f"cost, {currency}"}
    placed = rows[rows["ordered"] > 0]
    told = f"Cost of orders by the month at whose start they are placed, {currency}"
    soon = f"Orders due in the next {count} months, and what is too late; each is placed by the first day of a month"
    drawn: dict = {"title": said[-1], "alt": f"{told}, a colour for each material.", "source": "procurement"}
    listed = [*said[:-1], procurement.last_order_sentence(rows, currency)] if len(placed) else said
    return page.together(
        page.bullets(listed),
        page.table(
            due[names], source="procurement", caption=soon, formats=LOOKS, labels=labels, empty="None is due."
        ),
        *([page.figure(supply_charts.order_bars(placed, currency), **drawn)] if len(placed) else []),
        page.table(
            procurement.by_month(rows), source="procurement", caption=told, formats=LOOKS, empty="None.",
            labels={"order_by": "order by the 1st of"},
        ),
    )  # fmt: skip
