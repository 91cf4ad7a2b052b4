"""A small invented company with the tables the pack reads, and names that try to break a page."""

import ast
import itertools
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
from nbformat import v4

from sop_lib import archive, months, page, settings

NOTEBOOK = Path(__file__).parent.parent / "notebooks" / "05_executive_pack.ipynb"

CYCLE = months.month("2026-11")
CLOSED = months.month_range(months.month("2024-11"), 24)
AHEAD = months.month_range(CYCLE, 24)
HOSTILE = 'Bolt</script><script>window.hacked=1</script><img src=x onerror="window.hacked=1">'
FAMILIES = {"Barbecues": 9000.0, HOSTILE: 4000.0, "a|b $x_1$ =1+1": 900.0}
PRODUCTS = [(f, f"{f} {n}", share) for f in FAMILIES for n, share in ((1, 0.75), (2, 0.25))]
REGIONS = {"North": 0.6, "South": 0.4}
PRICE, COST, BUDGET = 40.0, 25.0, 1.04


def season(when: pd.DatetimeIndex) -> np.ndarray:
    """Return demand per month as a multiple of the year's mean: high in May, with a slow rise."""
    age = (when.year - 2025) + (when.month - 1) / 12
    return (1 + 0.5 * np.cos(2 * np.pi * (when.month.to_numpy() - 5) / 12)) * (1 + 0.03 * age.to_numpy())


def demand(when: pd.DatetimeIndex) -> pd.DataFrame:
    """Return month, product, region, family, quantity."""
    rows = [
        pd.DataFrame({"month": when, "product": p, "region": r, "family": f})
        .assign(quantity=np.round(FAMILIES[f] * share * part * season(when)))
        for (f, p, share), (r, part) in itertools.product(PRODUCTS, REGIONS.items())
    ]  # fmt: skip
    return pd.concat(rows, ignore_index=True)


def by_family(df: pd.DataFrame, *keys: str) -> pd.DataFrame:
    return df.groupby(["month", "family", *keys], as_index=False)["quantity"].sum()


def demand_tables() -> dict[str, pd.DataFrame]:
    """Return the tables a company with products and sales alone has."""
    past, plan = demand(CLOSED), demand(AHEAD)
    history = past.assign(
        status="sold", raw=past.quantity, adjustment=0.0, cleansed=past.quantity, unconstrained=past.quantity,
        shipped=past.quantity, revenue=past.quantity * PRICE, cost=past.quantity * COST,
    )  # fmt: skip
    family = by_family(plan).assign(level="family", series=lambda d: d.family)
    total = plan.groupby("month", as_index=False).quantity.sum().assign(level="total", series="ALL", family="ALL")
    forecast = pd.concat([family, total], ignore_index=True).assign(product="ALL", region="ALL", method="combination")
    for name, times in (("mean", 1), ("p025", 0.8), ("p10", 0.87), ("p50", 1), ("p90", 1.14), ("p975", 1.22)):
        forecast[name] = forecast.quantity * times
    changes = by_family(plan).rename(columns={"quantity": "latest"}).assign(previous=lambda d: d.latest)
    changes.loc[(changes.family == "Barbecues") & (changes.month >= "2027-03"), "previous"] /= 1.06
    changes = changes.assign(change=lambda d: d.latest - d.previous, change_revenue=lambda d: d.change * PRICE)
    gap = by_family(plan, "region").rename(columns={"quantity": "demand"})
    gap = gap.assign(scenario="base", supply=np.nan, gap=np.nan, late=np.nan, budget=np.nan, demand_to_budget=np.nan)
    gap = gap.assign(gap_revenue=np.nan, gap_margin=np.nan, to_budget_revenue=np.nan)
    issues = pd.DataFrame({
        "rule": ["negative quantity", "product never sold"], "table": "sales", "subject": [HOSTILE, "a|b"],
        "severity": ["warn", "info"], "rows": [3, 1], "quantity": [-40.0, np.nan], "money": [-1600.0, np.nan],
        "finding": [f"3 rows of {HOSTILE} are below 0", "1 product was never sold"],
        "remedy": ["netted in its month", "none needed"],
    })  # fmt: skip
    return {
        "history": history.drop(columns="quantity"),
        "forecast": forecast.drop(columns="quantity"),
        "demand_plan": plan.assign(step="baseline", author=None, reason=None),
        "plan_changes": changes,
        "gap": gap,
        "financial_plan": money(past, plan),
        "year_call": calls(past, plan),
        "data_issues": issues,
    }


def money(past: pd.DataFrame, plan: pd.DataFrame) -> pd.DataFrame:
    both = pd.concat([by_family(past).assign(basis="actual"), by_family(plan).assign(basis="plan")], ignore_index=True)
    lines = {"revenue": PRICE, "cost": COST, "margin": PRICE - COST}
    parts = [both.assign(line=line, value=both.quantity * each) for line, each in lines.items()]
    return pd.concat(parts, ignore_index=True).assign(scenario="base").drop(columns="quantity")


def calls(past: pd.DataFrame, plan: pd.DataFrame) -> pd.DataFrame:
    year_past, year_plan = past[past.month.dt.year == 2026], plan[plan.month.dt.year == 2026]
    rows = []
    for family in ("ALL", *FAMILIES):
        for line, each, unit in (("quantity", 1.0, "piece"), ("revenue", PRICE, "EUR"), ("margin", 15.0, "EUR")):
            to_date = year_past[(year_past.family == family) | (family == "ALL")].quantity.sum() * each
            rest = year_plan[(year_plan.family == family) | (family == "ALL")].quantity.sum() * each
            rows.append({
                "scenario": "base", "fiscal_year": 2026, "family": family, "line": line, "actual_to_date": to_date,
                "latest": to_date + rest, "low": to_date + 0.9 * rest, "high": to_date + 1.1 * rest,
                "budget": BUDGET * (to_date + rest), "last_year": 0.97 * (to_date + rest), "previous": np.nan,
                "approved": np.nan, "months": 12, "unit": unit,
            })  # fmt: skip
    return pd.DataFrame(rows)


def supply_tables(base: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Return the tables that stock, capacity and budget add: Barbecues are short in the spring."""
    limit = 11000.0
    gap = base["gap"].copy()
    whole = gap.groupby(["family", "month"])["demand"].transform("sum")
    gap["supply"] = gap.demand * np.where((gap.family == "Barbecues") & (whole > limit), limit / whole, 1.0)
    gap = gap.assign(gap=gap.supply - gap.demand, late=gap.demand - gap.supply, budget=gap.demand * BUDGET)
    gap = gap.assign(demand_to_budget=gap.demand - gap.budget, gap_revenue=gap.gap * PRICE, gap_margin=gap.gap * 15.0)
    gap = gap.assign(to_budget_revenue=(gap.supply - gap.budget) * PRICE)
    short = gap.groupby(["month", "family"], as_index=False)["late"].sum()
    risk = short.assign(scenario="base", p_short=(short.late > 0) * 0.9, expected_short=short.late)
    risk = risk.assign(short_p90=risk.late * 1.6).drop(columns="late")
    load = gap[gap.family == "Barbecues"].groupby("month", as_index=False)[["demand", "supply"]].sum()
    load = load.assign(scenario="base", strategy="mixed", plant="Tarn", resource="press line", unit="hours")
    load = load.assign(
        load=load.supply, capacity=9500.0, overtime=1500.0, demonstrated=9200.0, unconstrained=load.demand
    )
    load = load.assign(utilisation=load.load / load.capacity).drop(columns=["demand", "supply"])
    options = pd.DataFrame({
        "decision": 1.0, "option": ["Second shift", "Subcontract", "Do nothing"],
        "question": f"Open a second shift for {HOSTILE}?",
        "owner": "supply review", "decide_by": "2026-12-12", "units_closed": [9000.0, 4000.0, 0.0],
        "cost": [120000.0, 90000.0, 0.0], "margin": [250000.0, 60000.0, 0.0], "service": [0.97, 0.95, 0.88],
        "cost_of_delay": 40000.0, "recommended": [True, False, False], "reason": "hiring takes eight weeks",
    })  # fmt: skip
    steps = {"Budget": 100e6, "Volume": -9e6, "Price": 6e6, "Latest": 97e6}
    bridge = pd.DataFrame(
        {"scenario": "base", "bridge": "budget to latest, revenue 2026", "family": "ALL", "step": list(steps)}
    )
    bridge = bridge.assign(order=range(len(steps)), value=list(steps.values()), unit="EUR")
    money_plan = pd.concat([base["financial_plan"], budget_lines(gap)], ignore_index=True)
    return {
        **base, "gap": gap, "gap_risk": risk, "resource_load": load, "decisions_required": options, "bridges": bridge,
        "financial_plan": money_plan, "scorecard": scores(), "execution_grid": grid(), "family_display": displays(gap),
        "inventory_plan": stock(gap),
    }  # fmt: skip


def budget_lines(gap: pd.DataFrame) -> pd.DataFrame:
    budget = gap.groupby(["month", "family"], as_index=False)["budget"].sum().assign(scenario="base", basis="budget")
    parts = [
        budget.assign(line=line, value=budget.budget * each)
        for line, each in (("budget_revenue", 40.0), ("budget_margin", 15.0))
    ]
    return pd.concat(parts, ignore_index=True).drop(columns="budget")


def scores() -> pd.DataFrame:
    last = CLOSED[-12:]
    each = {
        "fill_rate": ("rate", "high", 0.97, 0.96), "inventory_turns": ("per year", "high", 6.0, 5.1),
        "forecast_bias": ("rate", "zero", 0.0, 0.04), "cover_days": ("days", "low", 30.0, 33.0),
    }  # fmt: skip
    parts = [
        pd.DataFrame({"month": last, "kpi": kpi, "family": "ALL", "value": now + 0.01 * np.arange(-11, 1) * now})
        .assign(target=target, unit=unit, good=good, denominator=100.0, basis="orders")
        .assign(numerator=lambda d: 100.0 * d.value)
        for kpi, (unit, good, target, now) in each.items()
    ]  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def grid() -> pd.DataFrame:
    parts = []
    for measure, family in itertools.product(("demand", "supply"), FAMILIES):
        part = pd.DataFrame({"month": CLOSED[-12:], "family": family, "measure": measure, "approved": 100.0})
        actual = np.where(part.month.dt.month == 5, 130.0, np.where(part.month.dt.month == 10, 60.0, 105.0))
        parts.append(part.assign(actual=actual if family != "Barbecues" else 101.0))
    out = pd.concat(parts, ignore_index=True).assign(tolerance=0.15)
    out["difference"] = out.actual - out.approved
    return out.assign(verdict=np.select([out.difference > 15, out.difference < -15], ["above", "below"], "in"))


def stock(gap: pd.DataFrame) -> pd.DataFrame:
    plan = gap.groupby(["month", "family"], as_index=False)[["demand", "supply", "late"]].sum()
    plan = plan.assign(scenario="base", strategy="mixed", opening=500.0, shipped=plan.supply, closing=500.0)
    return plan.assign(backlog=plan.late, lost=0.0, safety=100.0, target=600.0, cover_days=12.0).drop(columns="late")


def displays(gap: pd.DataFrame) -> pd.DataFrame:
    past, ahead = (
        by_family(demand(CLOSED[-3:])),
        gap.groupby(["month", "family"], as_index=False)[["demand", "supply"]].sum(),
    )
    latest = pd.concat(
        [past.rename(columns={"quantity": "demand"}).assign(supply=past.quantity), ahead], ignore_index=True
    )
    rows = []
    for block, column in (("sales", "demand"), ("production", "supply")):
        plan = latest.assign(block=block, value=latest[column], past=latest.month < CYCLE, unit="piece")
        rows.append(plan.assign(row="Budget", order=1, value=plan.value * BUDGET))
        rows.append(plan.assign(row="Approved", order=2, value=plan.value * 1.02))
        rows.append(plan.assign(row="Actual / latest", order=4))
        rows.append(plan.assign(row="Difference", order=5, value=plan.value * -0.02))
    rows.append(
        latest.assign(
            block="inventory", row="Actual / latest", order=4, value=500.0, past=latest.month < CYCLE, unit="piece"
        )
    )
    return pd.concat(rows, ignore_index=True).drop(columns=["demand", "supply"])


def company(folder: Path, supply: bool = True) -> archive.Cycle:
    """Return a cycle whose tables lie in the folder; without supply it has products and sales alone."""
    (folder / "sop.toml").write_text(
        '[company]\nname = "Small & Co <b>"\nnote = "An invented company."\ncurrency = "EUR"\n', encoding="utf-8"
    )
    book = archive.open_cycle(settings.load(folder, {}), "2026-11")
    book.write(
        "products", pd.DataFrame({"product": [p for _, p, _ in PRODUCTS], "family": [f for f, _, _ in PRODUCTS]})
    )
    sales = demand(CLOSED).rename(columns={"quantity": "ordered"}).drop(columns="family")
    book.write("sales", sales.assign(shipped=sales.ordered))
    if supply:
        families = pd.DataFrame({"family": list(FAMILIES), "unit": "piece", "strategy": ["MTS", "MTS", "MTO"]})
        book.write(
            "families", families.assign(owner="demand planner", tolerance=0.15, fill_target=0.97, cover_days=25.0)
        )
    for name, table in (supply_tables(demand_tables()) if supply else demand_tables()).items():
        book.write(name, table)
    manifest = book.manifest()
    manifest["sources"] = {"sales": {"file": "sales.csv", "sha256": "0123456789abcdef" * 4, "rows": 1}}
    book.write_manifest(manifest)
    return book


def page_of(book: archive.Cycle) -> str:
    """Return the pack as notebook 05 shows it; its cells run here, without a kernel, and the tables stay."""
    code = [c.source for c in nbformat.read(NOTEBOOK, 4).cells if c.cell_type == "code"]
    first = next(i for i, source in enumerate(code) if "briefing.read" in source)
    names: dict = {"book": book}
    exec(code[1], names)
    shown = [_shown(source, names) for source in code[first:]]
    cells = [v4.new_code_cell("", outputs=[v4.new_output("execute_result", {"text/html": s.data})]) for s in shown]
    return page.export(v4.new_notebook(cells=cells), "Small & Co <b>", [("Data", "01_data.html")])


def _shown(source: str, names: dict):
    *before, last = ast.parse(source).body
    exec(compile(ast.Module(before, []), "cell", "exec"), names)
    return eval(compile(ast.Expression(last.value), "cell", "eval"), names)
