"""How stock and backlog closed against the last plan, and how long customers wait against what was quoted."""

import numpy as np
import pandas as pd

from sop_lib import mix, supply_tables
from sop_lib.history import units_sold
from sop_lib.mix import Tables
from sop_lib.policy import TO_ORDER

__all__ = ["backlog_ahead", "backlog_sentences", "rolled", "rolled_sentence"]

SUPPLIED = ("made", "bought", "subcontracted")
REASONS = ("supply", "demand", "waiting", "adjusted", "unexplained")
STUCK = ("stuck", "stuck_month", "ships")
LEAST = 1e-6  # units below this are a solver's noise


def rolled(planned: pd.DataFrame, found: Tables, first: pd.Timestamp) -> pd.DataFrame:
    """Return how stock and backlog closed against the last plan per family, in units: variance = actual - planned.

    `planned` is what the last cycle planned (measure, month, family, quantity). What supply and demand differed by,
    what was adjusted, and what waits (or lies in stock) unlike planned: with `unexplained` they add up to the
    variance, for opening + supply + adjusted - shipped = closing stock, opening + demand - shipped = closing backlog.
    A plan without backlog is taken to have left it as it was; a side that nobody recorded or planned explains nothing.
    Empty without a plan of stock, or without stock.
    """
    names = ["family", "measure", "planned", "actual", "variance", *REASONS]
    closed = _before(first)
    plan = planned[planned["month"] <= closed]
    stock = plan[(plan["measure"] == "inventory") & (plan["month"] == closed)].set_index("family")["quantity"]
    if stock.empty or not found["inventory"]["month"].eq(closed).any():
        return pd.DataFrame(columns=names)
    span, came = (plan["month"].min(), closed), found["receipts"].assign(raw=found["receipts"]["quantity"])
    moved = came["source"].isin(SUPPLIED)
    facts = pd.DataFrame(index=stock.index).assign(
        stock=_at(found["inventory"], "on_hand", closed, found), planned=stock,
        supply=_differs(_flow(came[moved], "raw", span, found), plan, "supply"),
        demand=_differs(_flow(found["history"], "raw", span, found), plan, "demand"),
        adjusted=_flow(came[~moved], "raw", span, found), now=_at(found["backlog"], "quantity", closed, found),
    ).fillna(0.0)  # fmt: skip
    owed = plan[(plan["measure"] == "backlog") & (plan["month"] == closed)].set_index("family")["quantity"]
    owed = owed if len(found["backlog"]) else owed.head(0)
    before = _at(found["backlog"], "quantity", _before(span[0]), found).reindex(stock.index).fillna(0.0)
    return _explained(facts.assign(owed=owed.reindex(stock.index).fillna(before)), owed.index)[names]


def _before(month: pd.Timestamp) -> pd.Timestamp:
    return month - pd.offsets.MonthBegin(1)


def _flow(rows: pd.DataFrame, value: str, span: tuple, found: Tables) -> pd.Series:
    rows = rows[rows["month"].between(*span)]
    return rows[value].groupby(rows["product"].map(mix.family_of(found))).sum()


def _at(rows: pd.DataFrame, value: str, month: pd.Timestamp, found: Tables) -> pd.Series:
    return _flow(rows, value, (month, month), found)


def _differs(actual: pd.Series, plan: pd.DataFrame, measure: str) -> pd.Series:
    """Return actual - planned per family over the months; nothing when either side is not known at all."""
    planned = plan[plan["measure"] == measure].groupby("family")["quantity"].sum()
    return actual.sub(planned, fill_value=0.0) if len(actual) and len(planned) else actual.head(0)


def _explained(facts: pd.DataFrame, with_backlog: pd.Index) -> pd.DataFrame:
    """Return a row for stock, and one for backlog where it was planned, with the parts of their variance."""
    stock = facts.assign(measure="stock", actual=facts["stock"], waiting=facts["now"] - facts["owed"])
    stock["demand"] = -stock["demand"]
    owed = facts.assign(measure="backlog", actual=facts["now"], waiting=facts["stock"] - facts["planned"])
    owed = owed.assign(planned=facts["owed"], supply=-facts["supply"], adjusted=-facts["adjusted"])
    rows = pd.concat([stock, owed[owed.index.isin(with_backlog)]]).rename_axis("family").reset_index()
    rows["variance"] = rows["actual"] - rows["planned"]
    rows["unexplained"] = (rows["variance"] - rows[["supply", "demand", "waiting", "adjusted"]].sum(axis=1)).round(6)
    return rows.sort_values(["measure", "family"], ascending=[False, True], ignore_index=True)


def rolled_sentence(rows: pd.DataFrame, closed: pd.Timestamp) -> str:
    """Return the family whose stock closed furthest from plan, as a share of it, and its largest reason."""
    stock = rows[rows["measure"] == "stock"]
    off = (stock["variance"].abs() / stock["planned"].clip(lower=1.0)).to_numpy()
    if not len(off) or off.max() < 0.005:
        return f"Stock closed {closed:%b %Y} as planned." if len(off) else ""
    worst = stock.iloc[off.argmax()]
    reasons = worst[list(REASONS)].astype("float64")
    name = reasons.abs().idxmax()
    side = f"{abs(worst['variance']):,.0f} {'more' if worst['variance'] > 0 else 'less'} than planned"
    told = f"{worst['actual']:,.0f} against {worst['planned']:,.0f}"
    part = f"the largest part is {name}, {reasons[name]:+,.0f}"
    return f"{worst['family']} closed {closed:%b %Y} with {side} ({told}); {part}."


def backlog_ahead(inventory_plan: pd.DataFrame, families: pd.DataFrame, found: Tables) -> pd.DataFrame:
    """Return backlog in weeks against the quoted weeks per family made or assembled to order; none is an empty table.

    `now` is the backlog of the last close at the rate shipped in the last three closed months; `highest` the most in
    the plan (`backlog_weeks`), `worst_month` when, `months_beyond` how many months are longer than quoted.
    A backlog of which nothing ships in the months that its weeks are counted by is longer than any quoted: `stuck` is
    the first in units, `stuck_month` when, `ships` the first month after it in which anything ships; blank: none does.
    """
    policy = families[families["strategy"].isin(TO_ORDER)].set_index("family")
    rows = inventory_plan[inventory_plan["family"].isin(policy.index)].sort_values("month")
    quoted = rows["family"].map(policy["backlog_weeks"].astype("float64"))
    stuck = rows["backlog"].gt(LEAST) & rows["backlog_weeks"].isna()
    rows = rows.assign(beyond=(rows["backlog_weeks"] > quoted + 1e-9) | (stuck & quoted.notna()))
    out = rows.groupby("family").agg(highest=("backlog_weeks", "max"), months_beyond=("beyond", "sum"))
    most = rows.sort_values("backlog_weeks", ascending=False, kind="stable").groupby("family")["month"].first()
    closed = _before(inventory_plan["month"].min()) if len(inventory_plan) else pd.NaT
    now = _weeks_now(found, closed).reindex(out.index) if len(out) else np.nan
    out = out.assign(quoted=policy["backlog_weeks"], now=now, worst_month=most.where(out["highest"].notna()))
    out = out.join(_stuck(rows, stuck))
    return out.reset_index()[["family", "quoted", "now", "highest", "worst_month", "months_beyond", *STUCK]]


def _stuck(rows: pd.DataFrame, stuck: pd.Series) -> pd.DataFrame:
    """Return per family its first backlog of which nothing ships, when, and when anything ships again."""
    first = rows[stuck].groupby("family").agg(stuck=("backlog", "first"), stuck_month=("month", "first"))
    after = rows[rows["shipped"].gt(LEAST) & (rows["month"] > rows["family"].map(first["stuck_month"]))]
    return first.assign(ships=pd.to_datetime(after.groupby("family")["month"].min()).reindex(first.index))


def _weeks_now(found: Tables, closed: pd.Timestamp) -> pd.Series:
    """Return backlog of the last close over a week of what shipped in the last three closed months, per family."""
    past = found["history"].assign(shipped=units_sold(found["history"]))
    weekly = _flow(past, "shipped", (closed - pd.DateOffset(months=2), closed), found) / 3 / supply_tables.WEEKS
    return _at(found["backlog"], "quantity", closed, found).reindex(weekly.index).fillna(0.0) / weekly.where(weekly > 0)


def backlog_sentences(ahead: pd.DataFrame) -> list[str]:
    """Return, per family made to order, its longest backlog and the quoted weeks, and the first that does not ship."""
    return [said for row in ahead.itertuples() for said in (*_longest(row), *_waits(row))]


def _longest(row) -> list[str]:
    if pd.isna(row.highest):
        return []
    quoted = "no lead time is quoted" if pd.isna(row.quoted) else f"quoted {row.quoted:g}"
    return [f"Backlog of {row.family} is {row.highest:.1f} weeks in {row.worst_month:%b %Y}, {quoted}."]


def _waits(row) -> list[str]:
    if pd.isna(row.stuck):
        return []
    quoted = "no lead time is quoted" if pd.isna(row.quoted) else f"quoted are {row.quoted:g} weeks"
    until = "in the plan" if pd.isna(row.ships) else f"before {row.ships:%b %Y}"
    owed = f"{row.stuck:,.0f} units in {row.stuck_month:%b %Y}"
    return [f"Backlog of {row.family} is {owed} and nothing of it ships {until}; {quoted}."]
