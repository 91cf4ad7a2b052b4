"""What a cycle's tables hold for its executives: shortages, calls, the outlook, the tightest resource."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd

from sop_lib import approved, finance, gap, months, scorecard, tables
from sop_lib.archive import Cycle

__all__ = [
    "NOISE", "Plan", "basis", "call", "exceptions", "executed", "outlook", "read", "rows", "short_months", "shortages",
    "tightest", "twelve_months", "unit_of", "year_range",
]  # fmt: skip

READ = (
    "families", "sales", "budget", "history", "forecast", "forecast_paths", "demand_plan", "gap", "gap_risk",
    "year_call", "bridges", "financial_plan", "decisions_required", "scorecard", "execution_grid", "family_display",
    "plan_changes", "resource_load", "scenario_comparison", "inventory_plan", "data_issues", "overrides", "gap_causes",
    "stock_review", "procurement", "flows", "supply_changes", "supply_trials", "supply_notes",
)  # fmt: skip
NOISE = 0.03  # a plan that moves by less than 3 % is not called changed


@dataclass(frozen=True)
class Plan:
    """A cycle as the pack reads it: who plans, from which month on, and the tables by name."""

    company: str
    note: str
    currency: str
    month: pd.Timestamp
    year: int
    manifest: dict
    tables: dict[str, pd.DataFrame]

    def __getitem__(self, name: str) -> pd.DataFrame:
        return self.tables[name]

    @property
    def closed(self) -> pd.Timestamp:
        """The last closed month."""
        return self.month - pd.offsets.MonthBegin(1)

    @property
    def a_year_on(self) -> pd.Timestamp:
        """The first month beyond the next twelve."""
        return self.month + pd.DateOffset(months=12)

    @property
    def has_supply(self) -> bool:
        """Whether there is a supply plan."""
        return bool(self["gap"]["supply"].notna().any())

    @property
    def unit(self) -> str:
        """The unit all families share, in the plural; blank when they differ."""
        found = self["families"]["unit"].dropna().unique()
        if len(found) > 1:
            return ""
        return plural(found[0]) if len(found) else "units"


def read(book: Cycle) -> Plan:
    """Return a cycle with the tables the pack reads; a table that is not there is empty."""
    found = {
        n: book.read(n) if book.has(n) else tables.check(n, pd.DataFrame(columns=tables.table(n).names)) for n in READ
    }
    base = {n: df[df["scenario"] == "base"] if "scenario" in df else df for n, df in found.items()}
    company, start = book.settings.company, book.settings.planning.fiscal_year_start
    year: Any = months.fiscal_year(book.month, start)
    return Plan(company.name, company.note, company.currency, book.month, int(year), book.manifest(), base)


def rows(df: pd.DataFrame) -> Iterator[Any]:
    """Return the rows of a table one by one, their values as attributes."""
    return df.itertuples(index=False)


def plural(unit: str) -> str:
    """Return a unit's plural: words get an s, abbreviations stay.

    >>> plural("piece"), plural("kg"), plural("boxes")
    ('pieces', 'kg', 'boxes')
    """
    return unit if len(unit) <= 3 or unit.endswith("s") else f"{unit}s"


def unit_of(plan: Plan, family: str) -> str:
    """Return a family's planning unit in the plural."""
    mine = plan["families"].loc[plan["families"]["family"] == family, "unit"].dropna()
    return plural(mine.iloc[0]) if len(mine) else "units"


def basis(plan: Plan) -> str:
    """Return which demand the history holds: what was ordered, what was shipped, or orders where known."""
    ordered = plan["sales"]["ordered"].notna()
    if not ordered.any():
        return "shipped"
    return "ordered" if ordered.all() else "ordered where given, else shipped"


def shortages(plan: Plan) -> pd.DataFrame:
    """Return the stretches in which a family is short: those of the next twelve months first, by the margin they hold.

    Columns of `gap.costliest`, and: worst (the month with most late), peak (units late in it), share (of that month's
    demand), p_short (the highest chance of being short in the stretch).
    """
    found = gap.costliest(plan["gap"], count=len(plan["gap"]))
    months_of = plan["gap"].groupby(["family", "month"], as_index=False)[["demand", "late"]].sum()
    months_of = months_of.merge(
        plan["gap_risk"][["family", "month", "p_short"]], on=["family", "month"], how="left", validate="1:1"
    )
    worst = [
        _worst(months_of[(months_of["family"] == r.family) & months_of["month"].between(r[1], r.to)])
        for r in rows(found)
    ]
    out = found.join(pd.DataFrame(worst, columns=["worst", "peak", "share", "p_short"]))
    return pd.concat([out[out["from"] < plan.a_year_on], out[out["from"] >= plan.a_year_on]], ignore_index=True)


def _worst(stretch: pd.DataFrame) -> tuple:
    row: Any = stretch.sort_values("late", ascending=False, kind="stable").iloc[0]
    return row["month"], row["late"], row["late"] / row["demand"], stretch["p_short"].max()


def short_months(plan: Plan) -> pd.DataFrame:
    """Return demand and late quantity per month in which something is late."""
    months_of = plan["gap"].groupby("month", as_index=False)[["demand", "late"]].sum()
    return months_of[months_of["late"] > gap.SHORT * months_of["demand"]].reset_index(drop=True)


def call(plan: Plan, line: str, family: str = tables.ALL) -> Any:
    """Return the row of the full-year call of the year the cycle is in, else of the next complete year; or None."""
    calls = plan["year_call"]
    mine = calls[(calls["line"] == line) & (calls["family"] == family) & (calls["fiscal_year"] >= plan.year)]
    whole = mine[mine["months"] == 12].sort_values("fiscal_year")
    return whole.iloc[0] if len(whole) else None


def twelve_months(plan: Plan) -> tuple[float, float]:
    """Return demand of the last twelve closed months and planned demand of the next twelve, in units."""
    history, demand = plan["history"], plan["demand_plan"]
    past = history.loc[history["month"] >= plan.month - pd.DateOffset(months=12), "raw"].sum()
    return past, demand.loc[demand["month"] < plan.a_year_on, "quantity"].sum()


def year_range(plan: Plan, ahead: float) -> tuple[float, float] | None:
    """Return P10 and P90 of the next twelve months' demand from the sample paths, moved to the plan's total."""
    paths = plan["forecast_paths"]
    if paths.empty:
        return None
    totals = paths[paths["month"] < plan.a_year_on].groupby("path")["quantity"].sum()
    low, high = totals.quantile([0.1, 0.9]) + ahead - totals.mean()
    return low, high


def outlook(plan: Plan) -> tuple[pd.DataFrame, str, str]:
    """Return month, actual, demand, low, high, supply, budget of the company; the unit; and the source table.

    In units when all families share one, else in money (actual and planned revenue against budget).
    The range is the statistical forecast's P10 to P90, moved to the demand plan.
    """
    if not plan.unit:
        return _in_money(plan), plan.currency, "financial_plan"
    total = plan["forecast"][plan["forecast"]["level"] == "total"].set_index("month")
    parts = {
        "actual": plan["history"].groupby("month")["raw"].sum(min_count=1),
        "demand": plan["demand_plan"].groupby("month")["quantity"].sum(),
        "supply": plan["gap"].groupby("month")["supply"].sum(min_count=1),
        "budget": finance.budget_by_month(plan["budget"]).groupby("month")["quantity"].sum(min_count=1),
    }
    out = pd.DataFrame(parts)
    out["low"], out["high"] = (out["demand"] + total[p] - total["mean"] for p in ("p10", "p90"))
    return _recent(out, plan), plan.unit, "demand_plan"


def _in_money(plan: Plan) -> pd.DataFrame:
    lines = plan["financial_plan"].groupby(["line", "basis", "month"])["value"].sum().unstack(["line", "basis"])
    pick = {"actual": ("revenue", "actual"), "demand": ("revenue", "plan"), "budget": ("budget_revenue", "budget")}
    out = pd.DataFrame({n: lines[c] for n, c in pick.items() if c in lines}).reindex(columns=list(pick))
    return _recent(out.assign(supply=float("nan"), low=float("nan"), high=float("nan")), plan)


def _recent(out: pd.DataFrame, plan: Plan) -> pd.DataFrame:
    first = plan.month - pd.DateOffset(months=24)
    known = out[out.index >= first].astype("float64")
    every = pd.date_range(first, max([plan.month, *known.index]), freq="MS", name="month")
    return known.reindex(every).reset_index()


def executed(plan: Plan) -> pd.DataFrame:
    """Return per family whether the approved plan was executed over the last three closed months."""
    return scorecard.executed(plan["execution_grid"])


def exceptions(plan: Plan) -> list[str]:
    """Return the families executives must see: short within twelve months, or not executed as approved; worst first."""
    short = shortages(plan)
    soon = list(short.loc[short["from"] < plan.a_year_on, "family"])
    verdicts = executed(plan)
    return list(dict.fromkeys([*soon, *verdicts.loc[verdicts["verdict"] == "not executed", "family"]]))


def tightest(plan: Plan) -> pd.DataFrame:
    """Return the load of the resource of which demand asks most against what overtime allows, next twelve months."""
    load = plan["resource_load"]
    chosen = approved.proposed(load, plan["scenario_comparison"])
    near = (chosen if len(chosen) else load)[lambda d: d["month"] < plan.a_year_on]
    near = near[near["capacity"] + near["overtime"] > 0].sort_values(["plant", "resource", "month"])
    if near.empty:
        return near
    ratio = near["unconstrained"] / (near["capacity"] + near["overtime"])
    worst: Any = near.iloc[int(ratio.argmax())]
    mine = (near["plant"] == worst.plant) & (near["resource"] == worst.resource) & (near["strategy"] == worst.strategy)
    return near[mine].reset_index(drop=True)
