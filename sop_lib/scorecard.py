"""Key figures by month against their targets, and whether the approved plan was executed."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from sop_lib import finance, flows, months
from sop_lib.settings import Planning
from sop_lib.tables import ALL

__all__ = ["KPIS", "NEEDS", "Kpi", "executed", "execution_grid", "recent", "scorecard"]

NEEDS = (
    "products", "sales", "history", "shipments", "inventory", "receipts", "past_plans", "backtest", "financial_plan",
    "prices", "kpi_targets", "families",
)  # fmt: skip
KEY = ["month", "family"]
MADE = ("made", "bought", "subcontracted")
MONTHS_SHOWN, MONTHS_GRID = 24, 12
TOLERANCE = 0.2  # a family without its own tolerance; 20 % as in Crum and Palmatier's Demand Management Best Practices
NEAR = 0.05  # a figure that should be zero meets its target within five points
DAYS = 365 / 12


@dataclass(frozen=True)
class Kpi:
    """A key figure: its words, unit, better direction, and the function that gives numerator and denominator.

    `adds` is what families add up in: money and counts always, units only where all families share one.
    `stock` figures are read at the last month, others summed over months.
    """

    label: str
    unit: str
    good: Literal["high", "low", "zero"]
    meaning: str
    function: Callable[["Facts"], pd.DataFrame]
    adds: Literal["units", "money", "count"] = "units"
    stock: bool = False
    target: float | None = None


@dataclass(frozen=True)
class Facts:
    """What key figures are computed from, for one cycle."""

    cycle: pd.Timestamp
    lag: int
    tables: dict[str, pd.DataFrame]

    def __getitem__(self, name: str) -> pd.DataFrame:
        return self.tables[name]

    @property
    def families(self) -> pd.DataFrame:
        return self["products"][["product", "family"]]

    def approved(self, measure: str) -> pd.DataFrame:
        """Return month, family and the quantity approved `lag` months ahead, of closed months."""
        earlier = finance.earlier_plans(self["past_plans"], self["products"])
        plan = finance.plan_view(earlier, self.cycle, self.lag, "approved")
        plan = plan[(plan["measure"] == measure) & (plan["month"] < self.cycle)]
        return plan.rename(columns={"quantity": "approved"})[[*KEY, "approved"]]

    def actual(self, measure: str) -> pd.DataFrame:
        """Return month, family and the quantity that came: demand, supply (made and bought) or inventory."""
        if measure == "demand":
            rows, column = self["history"], "raw"
        elif measure == "supply":
            rows, column = self["receipts"][self["receipts"]["source"].isin(MADE)], "quantity"
        else:
            rows, column = self["inventory"], "on_hand"
        known = rows if "family" in rows else rows.merge(self.families, on="product", how="left", validate="m:1")
        return known.groupby(KEY)[column].sum(min_count=1).rename("actual").reset_index()

    def compared(self, measure: str) -> pd.DataFrame:
        """Return month, family, approved and actual; a family that got nothing while others were supplied got 0."""
        both = self.approved(measure).merge(self.actual(measure), on=KEY, how="outer", validate="1:1")
        if measure == "supply":
            recorded = both["month"].isin(both.loc[both["actual"].notna(), "month"])
            both["actual"] = both["actual"].mask(both["actual"].isna() & recorded, 0.0)
        return both

    def sold(self) -> pd.DataFrame:
        """Return month, product, region, family, quantity, revenue and cost of closed months."""
        return finance.sales_outlook(self["history"], NO_PLAN, NO_STOCK, self["products"], self["prices"])

    def held(self) -> pd.DataFrame:
        """Return stock in units and money per month and family."""
        stock = finance.stock_values(
            self["inventory"], NO_STOCK, self.sold(), self["history"], self["products"], self["prices"]
        )
        return stock[[*KEY, "quantity", "value"]]


NO_PLAN = pd.DataFrame({"month": pd.DatetimeIndex([])} | {c: [] for c in ("product", "region", "family", "quantity")})
NO_STOCK = pd.DataFrame({"month": pd.DatetimeIndex([])} | {c: [] for c in ("family", "shipped", "closing")})


def scorecard(cycle: pd.Timestamp, *, planning: Planning, tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Return each key figure per closed month and family (ALL: the company), with its target; the last 24 months.

    value = numerator / denominator; ALL sums both over families, never averages rates. A figure whose inputs are
    absent has no rows. `tables` holds the tables of `NEEDS`; an absent one is empty.
    """
    facts = Facts(cycle, planning.decision_lag, tables)
    parts = [_rows(name, kpi, facts) for name, kpi in KPIS.items()]
    out = pd.concat([p for p in parts if len(p)] or parts[:1], ignore_index=True)
    out["value"] = out["numerator"] / out["denominator"].where(out["denominator"] != 0)
    out = _targets(out, tables["kpi_targets"], tables["families"], planning.fiscal_year_start)
    return out.dropna(subset="value").sort_values(["month", "kpi", "family"], ignore_index=True)


def _rows(name: str, kpi: Kpi, facts: Facts) -> pd.DataFrame:
    """Return one key figure's rows by family, and ALL where the families' parts can be added."""
    rows = kpi.function(facts).dropna(subset=["numerator", "denominator"])
    first = facts.cycle - pd.DateOffset(months=MONTHS_SHOWN)
    rows = rows[(rows["month"] >= first) & (rows["month"] < facts.cycle)]
    whole = rows.groupby(["month", "basis"], as_index=False)[["numerator", "denominator"]].sum().assign(family=ALL)
    alike = kpi.adds != "units" or facts["families"]["unit"].nunique() <= 1
    out = pd.concat([p for p in (rows, whole if alike else rows[:0]) if len(p)] or [rows], ignore_index=True)
    return out.assign(kpi=name, unit=kpi.unit, good=kpi.good)


def _targets(rows: pd.DataFrame, targets: pd.DataFrame, families: pd.DataFrame, start: int) -> pd.DataFrame:
    """Add the target: of the family and year, else of `families`, else of the company, else the usual."""
    year = months.fiscal_year(rows["month"], start)
    out = rows.assign(year=year)
    given = targets[["kpi", "family", "year", "target"]]
    own = out.merge(given, on=["kpi", "family", "year"], how="left", validate="m:1")["target"]
    whole = given[given["family"] == ALL].drop(columns="family")
    company = out.merge(whole, on=["kpi", "year"], how="left", validate="m:1")["target"]
    aims = families.rename(columns={"fill_target": "fill_rate"}).melt(
        "family", ["fill_rate", "cover_days"], var_name="kpi"
    )
    family = out.merge(aims, on=["kpi", "family"], how="left", validate="m:1")["value_y" if "value" in out else "value"]
    usual = out["kpi"].map({n: k.target for n, k in KPIS.items()})
    target = own.fillna(family.astype("float64")).fillna(company).fillna(usual.astype("float64"))
    return out.assign(target=target.to_numpy()).drop(columns="year")


def recent(scores: pd.DataFrame, count: int = 3) -> pd.DataFrame:
    """Return each key figure and family over its last `count` closed months, and over the same months a year before.

    Numerators and denominators are summed before they are divided; stock figures are those of the last month.
    Columns: kpi, label, family, value, before, target, unit, good, verdict (met, missed, no target), from, to, basis.
    """
    last = scores.groupby("kpi")["month"].transform("max")
    ago = (last.dt.year - scores["month"].dt.year) * 12 + last.dt.month - scores["month"].dt.month
    span = scores["kpi"].map({n: 1 if k.stock else count for n, k in KPIS.items()}).fillna(count)
    key = ["kpi", "family"]
    now, then = (scores[(ago >= back) & (ago < back + span)].groupby(key) for back in (0, 12))
    parts = now[["numerator", "denominator"]].sum()
    out = now.agg(target=("target", "last"), unit=("unit", "last"), good=("good", "last"), basis=("basis", "last"),
                  **{"from": ("month", "min"), "to": ("month", "max")})  # fmt: skip
    before = then[["numerator", "denominator"]].sum()
    out = out.assign(
        value=parts["numerator"] / parts["denominator"], before=before["numerator"] / before["denominator"]
    )
    out = out.reset_index().assign(label=lambda d: d["kpi"].map({n: k.label for n, k in KPIS.items()}))
    out["verdict"] = _verdict(out)
    rank = out["kpi"].map({n: i for i, n in enumerate(KPIS)})
    out = out.assign(rank=rank).sort_values(["rank", "family"], kind="stable", ignore_index=True)
    return out[
        ["kpi", "label", "family", "value", "before", "target", "unit", "good", "verdict", "from", "to", "basis"]
    ]


def _verdict(out: pd.DataFrame) -> np.ndarray:
    off = out["value"] - out["target"]
    met = np.select([out["good"] == "high", out["good"] == "low"], [off >= 0, off <= 0], off.abs() <= NEAR)
    return np.where(off.isna(), "no target", np.where(met.astype(bool), "met", "missed"))


# Did we execute?


def execution_grid(cycle: pd.Timestamp, *, planning: Planning, tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Return actual against the approved plan per closed month, family and measure, in units; the last 12 months.

    Approved is the plan as it stood at the decision lag. In: the difference (actual - approved) is within the
    family's tolerance of the approved quantity, 20 % where it states none.
    """
    facts = Facts(cycle, planning.decision_lag, tables)
    parts = []
    for measure in ("demand", "supply", "inventory"):
        parts.append(facts.compared(measure).assign(measure=measure))
    rows = pd.concat([p for p in parts if len(p)] or parts[:1], ignore_index=True)
    first = cycle - pd.DateOffset(months=MONTHS_GRID)
    rows = rows[(rows["month"] >= first) & (rows["month"] < cycle)].reset_index(drop=True)
    own = tables["families"].set_index("family")["tolerance"]
    rows["tolerance"] = rows["family"].map(own).astype("float64").fillna(TOLERANCE)
    rows["difference"] = rows["actual"] - rows["approved"]
    wide = rows["tolerance"] * rows["approved"].abs()
    cases = [rows["approved"].isna(), rows["actual"].isna(), rows["difference"] > wide, rows["difference"] < -wide]
    rows["verdict"] = np.select(cases, ["no plan", "no actual", "above", "below"], "in")
    return rows.sort_values([*KEY, "measure"], ignore_index=True)


def executed(grid: pd.DataFrame, count: int = 3) -> pd.DataFrame:
    """Return per family how many comparisons of the last `count` closed months were in and out of tolerance.

    verdict: executed when at least three of four are in; "no plan" when nothing could be compared.
    """
    recent_months = grid[grid["month"] > grid["month"].max() - pd.DateOffset(months=count)]
    inside = recent_months["verdict"] == "in"
    outside = recent_months["verdict"].isin(["above", "below"])
    out = (
        recent_months.assign(months_in=inside, months_out=outside).groupby("family")[["months_in", "months_out"]].sum()
    )
    done = out["months_in"] >= 3 * out["months_out"]
    none = out.sum(axis=1) == 0
    return out.assign(verdict=np.where(none, "no plan", np.where(done, "executed", "not executed"))).reset_index()


# Key figures: each returns month, family, numerator, denominator, basis


def _parts(rows: pd.DataFrame, numerator: str | pd.Series, denominator: str | pd.Series, basis: str) -> pd.DataFrame:
    top = rows[numerator] if isinstance(numerator, str) else numerator
    bottom = rows[denominator] if isinstance(denominator, str) else denominator
    each = rows[KEY].assign(numerator=top.astype("float64"), denominator=bottom.astype("float64"))
    return each.groupby(KEY)[["numerator", "denominator"]].sum(min_count=1).reset_index().assign(basis=basis)


def _forecasts(facts: Facts) -> tuple[pd.DataFrame, str]:
    """Return forecast and actual per month and family at the decision lag: as approved, else as backtested."""
    plan = facts.approved("demand").rename(columns={"approved": "forecast"})
    both = plan.merge(facts.actual("demand"), on=KEY, how="inner", validate="1:1").dropna()
    if len(both):
        return both, f"approved demand plan, {facts.lag} months ahead, by family"
    tested = facts["backtest"]
    chosen = tested[(tested["level"] == "family") & (tested["lag"] == facts.lag) & (tested["model"] == "combination")]
    return chosen[[*KEY, "forecast", "actual"]], f"backtest, {facts.lag} months ahead, by family"


def forecast_wape(facts: Facts) -> pd.DataFrame:
    """Sum of absolute forecast errors over sum of demand."""
    rows, basis = _forecasts(facts)
    return _parts(rows, (rows["forecast"] - rows["actual"]).abs(), "actual", basis)


def forecast_bias(facts: Facts) -> pd.DataFrame:
    """Sum of forecast minus actual over sum of demand; positive = over-forecast."""
    rows, basis = _forecasts(facts)
    return _parts(rows, rows["forecast"] - rows["actual"], "actual", basis)


def _order_lines(facts: Facts) -> pd.DataFrame:
    """Return order lines to customers: ordered, what the first delivery shipped, what came by the requested date."""
    rows = facts["shipments"]
    rows = rows[rows["to"].isna() | ~rows["to"].isin(rows["from"].dropna())]
    rows = rows.sort_values(["order", "line", "shipped_on", "delivery"], kind="stable")
    came = rows["delivered_on"].fillna(rows["shipped_on"])
    rows = rows.assign(in_time=rows["shipped"].where(came <= rows["requested_on"], 0.0))
    lines = rows.groupby(["order", "line"]).agg(
        product=("product", "first"), requested_on=("requested_on", "first"), ordered=("ordered", "max"),
        first=("shipped", "first"), in_time=("in_time", "sum"),
    )  # fmt: skip
    lines = lines.merge(facts.families, on="product", how="left", validate="m:1")
    return lines.assign(month=lines["requested_on"].dt.to_period("M").dt.to_timestamp())


def fill_rate(facts: Facts) -> pd.DataFrame:
    """Units shipped with the first delivery over units ordered; without shipments, shipped over ordered by month."""
    lines = _order_lines(facts)
    if len(lines):
        return _parts(lines, lines[["first", "ordered"]].min(axis=1), "ordered", "first delivery of each order line")
    sales = facts["sales"].dropna(subset=["ordered", "shipped"])
    rows = sales.groupby(["month", "product", "region"], as_index=False)[["ordered", "shipped"]].sum()
    rows = rows[rows["ordered"] > 0].merge(facts.families, on="product", how="left", validate="m:1")
    return _parts(rows, rows[["shipped", "ordered"]].min(axis=1), "ordered", "shipped of ordered in the month")


def on_time_in_full(facts: Facts) -> pd.DataFrame:
    """Order lines complete by the requested date over order lines."""
    lines = _order_lines(facts)
    return _parts(
        lines,
        flows.complete(lines["in_time"], lines["ordered"]),
        lines["ordered"].notna(),
        "order lines by requested date",
    )


def inventory_turns(facts: Facts) -> pd.DataFrame:
    """Cost of sales of twelve months over the average of their thirteen month-end stocks at cost."""
    cost = facts.sold().groupby(KEY)["cost"].sum(min_count=1).unstack("family").rolling(12).sum()
    stock = facts.held().set_index(KEY)["value"].unstack("family").rolling(13).mean()
    rows = pd.DataFrame({"cost": cost.stack(), "stock": stock.stack()}).rename_axis(KEY).dropna().reset_index()
    return _parts(rows, "cost", "stock", "cost of sales of 12 months, 13 month-ends")


def cover_days(facts: Facts) -> pd.DataFrame:
    """Stock at cost over the daily cost of the next three months' sales, actual where closed, else planned."""
    lines = facts["financial_plan"]
    plan = lines[(lines["line"] == "cost") & (lines["basis"] == "plan")].set_index(KEY)["value"].unstack("family")
    past = facts.sold().groupby(KEY)["cost"].sum(min_count=1).unstack("family")
    ahead = pd.concat([past, plan]).rolling(3).sum().shift(-3) / (3 * DAYS)
    rows = facts.held().merge(ahead.stack().rename("daily").rename_axis(KEY).reset_index(), on=KEY, validate="1:1")
    return _parts(rows, "value", "daily", "cost of the next three months' sales")


def stock_out_rate(facts: Facts) -> pd.DataFrame:
    """Products wanted in the month that ended it without stock, over products wanted."""
    wanted = facts["history"].groupby(["month", "product", "family"], as_index=False)["raw"].sum()
    stock = facts["inventory"].groupby(["month", "product"], as_index=False)["on_hand"].sum()
    rows = wanted[wanted["raw"] > 0].merge(stock, on=["month", "product"], how="inner", validate="1:1")
    return _parts(rows, rows["on_hand"] <= 0, rows["raw"] > 0, "products without stock at month end")


def _supplied(facts: Facts) -> pd.DataFrame:
    return facts.compared("supply").dropna()


def plan_attainment(facts: Facts) -> pd.DataFrame:
    """Made and bought over the approved supply plan: the volume."""
    return _parts(_supplied(facts), "actual", "approved", f"approved supply plan, {facts.lag} months ahead")


def schedule_adherence(facts: Facts) -> pd.DataFrame:
    """Smaller of actual and plan, family by family, over the plan: making too much of one pays for no other."""
    rows = _supplied(facts)
    return _parts(
        rows, rows[["actual", "approved"]].min(axis=1), "approved", f"approved supply plan, {facts.lag} months ahead"
    )


def _money(facts: Facts, line: str) -> pd.DataFrame:
    """Return actual and budget of a money line per month and family, of closed months that have both."""
    lines = facts["financial_plan"]
    actual = lines[(lines["line"] == line) & (lines["basis"] == "actual")][[*KEY, "value"]]
    budget = lines[lines["line"] == f"budget_{line}"][[*KEY, "value"]]
    return actual.merge(budget, on=KEY, how="inner", suffixes=("", "_budget"), validate="1:1")


def revenue_to_budget(facts: Facts) -> pd.DataFrame:
    """Revenue over budget revenue."""
    return _parts(_money(facts, "revenue"), "value", "value_budget", "budget")


def margin_to_budget(facts: Facts) -> pd.DataFrame:
    """Margin over budget margin."""
    return _parts(_money(facts, "margin"), "value", "value_budget", "budget")


def gross_margin(facts: Facts) -> pd.DataFrame:
    """Revenue less cost, over revenue."""
    sold = facts.sold().dropna(subset=["revenue", "cost"])
    return _parts(sold, sold["revenue"] - sold["cost"], "revenue", "revenue and cost of what shipped")


def _kpi(label: str, unit: str, good: Literal["high", "low", "zero"], function: Callable, **more) -> Kpi:
    return Kpi(label, unit, good, (function.__doc__ or "").strip(), function, **more)


KPIS: dict[str, Kpi] = {
    "fill_rate": _kpi("fill rate", "rate", "high", fill_rate),
    "on_time_in_full": _kpi("on time in full", "rate", "high", on_time_in_full, adds="count"),
    "stock_out_rate": _kpi("products out of stock", "rate", "low", stock_out_rate, adds="count"),
    "forecast_wape": _kpi("forecast error", "rate", "low", forecast_wape),
    "forecast_bias": _kpi("forecast bias", "rate", "zero", forecast_bias, target=0.0),
    "plan_attainment": _kpi("supply plan attained", "rate", "high", plan_attainment, target=1.0),
    "schedule_adherence": _kpi("supply plan kept by family", "rate", "high", schedule_adherence),
    "inventory_turns": _kpi("inventory turns", "per year", "high", inventory_turns, adds="money", stock=True),
    "cover_days": _kpi("cover", "days", "low", cover_days, adds="money", stock=True),
    "revenue_to_budget": _kpi("revenue to budget", "rate", "high", revenue_to_budget, adds="money", target=1.0),
    "margin_to_budget": _kpi("margin to budget", "rate", "high", margin_to_budget, adds="money", target=1.0),
    "gross_margin": _kpi("gross margin", "rate", "high", gross_margin, adds="money"),
}
