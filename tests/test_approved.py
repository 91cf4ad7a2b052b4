"""What closed cycles planned becomes what later cycles are judged by."""

from pathlib import Path

import pandas as pd
import pytest
from test_finance import NO_STOCK, PRODUCTS, table

from sop_lib import (
    approved,
    archive,
    display,
    finance,
    inputs,
    months,
    scorecard,
    settings,
    tables,
    value_added,
)  # fmt: skip

OCT, NOV, DEC = (months.month(m) for m in ("2026-10", "2026-11", "2026-12"))


def company(folder: Path) -> settings.Settings:
    return settings.load(folder, {})


# What closed cycles planned


def planned(cycle: pd.Timestamp, quantity: float, *, launch: float = 0.0) -> dict[str, pd.DataFrame]:
    """Return the plan tables of a cycle: a family in two regions, baseline and launch, two strategies of supply."""
    ahead = list(months.month_range(cycle, 3))
    parts = [
        table("demand_plan", month=ahead, product="p", region=region, step=step, family="A", quantity=value)
        for region, share in (("North", 0.75), ("South", 0.25))
        for step, value in (("baseline", share * quantity), ("launch", share * launch))
        if value
    ]
    stock = [
        table("inventory_plan", scenario="base", strategy=name, month=ahead, family="A", opening=0.0, supply=made,
              demand=quantity, shipped=quantity, closing=made / 10, backlog=made / 100, lost=0.0, safety=0.0,
              target=0.0)
        for name, made in (("level", quantity), ("mixed", 2 * quantity))
    ]  # fmt: skip
    comparison = table(
        "scenario_comparison", scenario="base", strategy=["level", "mixed"], measure="proposed", value=[0.0, 1.0],
        unit="flag",
    )  # fmt: skip
    found = dict(zip(approved.PLANS, (pd.concat(parts), pd.concat(stock), comparison), strict=True))
    return {name: rows.assign(cycle=cycle) for name, rows in found.items()}


def own(*cycles: dict[str, pd.DataFrame]) -> pd.DataFrame:
    return approved.own_plans(*(pd.concat([c[name] for c in cycles]) for name in approved.PLANS))


def past(cycle, month, quantity, stream="consensus", measure="demand") -> pd.DataFrame:
    return table("past_plans", cycle=[months.month(cycle)], stream=stream, measure=measure, month=months.month(month),
                 family="A", product="ALL", region="ALL", quantity=float(quantity))  # fmt: skip


def test_a_closed_plan_becomes_rows_of_past_plans_by_hand():
    rows = tables.check("past_plans", own(planned(OCT, 100.0, launch=8.0)))
    first = rows[rows["month"] == OCT].set_index(["stream", "measure", "region"])["quantity"]
    assert first.to_dict() == {
        ("consensus", "demand", "North"): 81.0, ("consensus", "demand", "South"): 27.0,
        ("with launches", "demand", "North"): 81.0, ("with launches", "demand", "South"): 27.0,
        ("statistical", "demand", "North"): 75.0, ("statistical", "demand", "South"): 25.0,
        ("consensus", "supply", "ALL"): 200.0, ("consensus", "inventory", "ALL"): 20.0,
        ("consensus", "backlog", "ALL"): 2.0,
    }  # fmt: skip


def test_the_plan_after_each_step_is_a_stream_of_its_own():
    plan = planned(OCT, 100.0, launch=8.0)
    event = plan["demand_plan"].query("step == 'launch'").assign(step="event")
    rows = own(plan | {"demand_plan": pd.concat([plan["demand_plan"], event])})
    sums = rows[(rows["measure"] == "demand") & (rows["month"] == OCT)].groupby("stream")["quantity"].sum()
    assert sums.to_dict() == {"statistical": 100.0, "with launches": 108.0, "with events": 116.0, "consensus": 116.0}


def test_each_cycle_has_the_strategy_it_proposed():
    november = planned(NOV, 50.0)
    november["scenario_comparison"]["value"] = [1.0, 0.0]
    rows = own(planned(OCT, 100.0), november)
    made = rows[rows["measure"] == "supply"].groupby("cycle")["quantity"].first()
    assert made.to_dict() == {OCT: 200.0, NOV: 50.0}


def test_a_cycle_without_supply_has_demand_alone():
    only = planned(OCT, 100.0) | {n: tables.empty(n) for n in approved.PLANS[1:]}
    assert set(own(only)["measure"]) == {"demand"}
    assert approved.own_plans(*(tables.empty(n) for n in approved.PLANS)).empty


def given(*rows: pd.DataFrame) -> inputs.Inputs:
    found = {"past_plans": pd.concat(rows) if rows else tables.empty("past_plans")}
    return inputs.Inputs(found, pd.DataFrame(columns=["rule"]), {}, NOV, pd.DataFrame())


def test_our_plan_of_record_goes_before_what_a_file_says_and_opinions_stay():
    file = (past("2026-09", "2026-11", 1), past("2026-10", "2026-11", 2), past("2026-10", "2026-11", 3, "sales"))
    found = approved.with_closed(given(*file), own(planned(OCT, 100.0)))
    rows = found.tables["past_plans"]
    assert rows.loc[rows["cycle"] < OCT, "quantity"].tolist() == [1]
    october = rows[(rows["cycle"] == OCT) & (rows["month"] == NOV) & (rows["measure"] == "demand")]
    assert october.groupby("stream")["quantity"].sum().to_dict() == {"consensus": 100, "statistical": 100, "sales": 3}
    (told,) = found.issues.to_dict("records")
    assert (told["rule"], told["severity"], told["rows"]) == ("plan_of_record", "info", 21)
    assert "approved plan of 2026-10" in told["finding"]
    assert "1 rows of past_plans about the same cycles give way" in told["finding"]


def test_without_a_closed_cycle_the_inputs_stay_as_they_are():
    before = given(past("2026-10", "2026-11", 2))
    assert approved.with_closed(before, own(planned(OCT, 1.0))[:0]) is before


def test_a_plan_that_nobody_approved_is_previous_and_never_approved():
    known = own(planned(OCT, 100.0))
    both = finance.with_own(known, *planned(NOV, 70.0).values())
    earlier = finance.earlier_plans(both, PRODUCTS)
    views = {v: finance.plan_view(earlier, DEC, 2, v) for v in ("approved", "previous")}  # type: ignore[arg-type]
    sold = {v: d[(d["measure"] == "demand") & (d["month"] == DEC)]["quantity"].tolist() for v, d in views.items()}
    assert sold == {"approved": [100], "previous": [70]}


def test_an_opinion_about_the_last_cycle_does_not_hide_its_plan():
    both = finance.with_own(past("2026-10", "2026-11", 3, "outlook"), *planned(OCT, 70.0).values())
    earlier = finance.earlier_plans(both, PRODUCTS)
    assert finance.plan_view(earlier, NOV, 2, "previous")["quantity"].max() == 140


def test_one_own_cycle_does_not_wipe_out_the_value_added_of_a_long_record():
    when = months.month_range(months.month("2025-01"), 20)
    record = pd.concat([past(f"{m:%Y-%m}", f"{m:%Y-%m}", 9, "outlook") for m in when])
    sold = pd.DataFrame({"month": months.month_range(months.month("2023-01"), 46), "family": "A", "region": "ALL"})
    sold = sold.assign(product="p", unconstrained=10.0)
    alone = value_added.value_added(record, sold, PRODUCTS)
    assert set(alone["stream"]) == {"outlook", value_added.NAIVE}
    both = pd.concat([record, own(planned(months.month("2026-08"), 5.0))])
    pd.testing.assert_frame_equal(value_added.value_added(both, sold, PRODUCTS), alone)


# Two cycles of a small workbook


def close_by_hand(cycle: archive.Cycle, plan: dict[str, pd.DataFrame]) -> None:
    """Write a cycle's plan and freeze it as closing does, without a kernel."""
    for name, rows in plan.items():
        cycle.write(name, rows.drop(columns="cycle"))
    cycle.write_manifest(cycle.manifest() | {"status": "closed"})
    archive.freeze_version(cycle)


def freeze(company: settings.Settings, month: str) -> archive.Cycle:
    """Freeze the inputs of a cycle as notebook 01 does."""
    found = inputs.read_inputs(company, month)
    book = archive.open_cycle(company, found.cycle)
    plans = approved.own_plans(*(archive.approved_table(book, name) for name in approved.PLANS))
    inputs.freeze(book, approved.with_closed(found, plans))
    return book


def test_did_we_execute_is_judged_on_the_closed_plan_at_the_decision_lag(small_workbook):
    toml = small_workbook / "sop.toml"
    toml.write_text(toml.read_text() + "[planning]\ndecision_lag = 2\n")
    products = small_workbook / "inputs" / "products.csv"
    products.write_text(products.read_text().replace("Alpha", "A").replace("Beta", "A"))
    firm = company(small_workbook)
    close_by_hand(archive.Cycle(firm, months.month("2026-09")), planned(months.month("2026-09"), 580.0))
    close_by_hand(archive.Cycle(firm, OCT), planned(OCT, 640.0))
    book = freeze(firm, "2026-11")

    from sop_lib import history

    panel = book.write("history", history.complete_history(book.read("sales"), book.read("products"), book.month))
    facts = {
        n: book.read(n) if n != "history" else panel for n in scorecard.NEEDS if n not in ("backtest", "financial_plan")
    }
    facts |= {n: tables.empty(n) for n in ("backtest", "financial_plan")}
    grid = scorecard.execution_grid(book.month, planning=firm.planning, tables=facts)
    (row,) = grid[(grid["measure"] == "demand") & (grid["month"] == OCT)].to_dict("records")
    assert (row["approved"], row["actual"], row["verdict"]) == (580.0, 600.0, "in")
    (row,) = grid[(grid["measure"] == "supply") & (grid["month"] == OCT)].to_dict("records")
    assert (row["approved"], row["verdict"]) == (1160.0, "no actual")

    views = {n: tables.empty(n) for n in display.NEEDS} | {n: facts[n] for n in display.NEEDS if n in facts}
    views |= planned(NOV, 700.0)
    views["budget"] = table("budget", version="1", month=[NOV], family="A", region="ALL", quantity=650.0)
    last = [archive.previous_table(book, name) for name in approved.PLANS]
    views["past_plans"] = finance.with_own(views["past_plans"], *last)
    rows = display.family_display(book.month, book.horizon, planning=firm.planning, tables=views)
    shown = rows[(rows["block"] == "sales") & (rows["month"] == NOV)].set_index("row")["value"]
    assert shown[["Budget", "Approved", "Previous", display.LATEST]].tolist() == [650.0, 640.0, 640.0, 700.0]


def test_previous_is_the_last_cycle_s_plan_even_as_a_draft(small_workbook):
    firm = company(small_workbook)
    close_by_hand(archive.Cycle(firm, months.month("2026-09")), planned(months.month("2026-09"), 580.0))
    for name, rows in planned(OCT, 640.0).items():
        archive.Cycle(firm, OCT).write(name, rows.drop(columns="cycle"))
    book = freeze(firm, "2026-11")
    assert set(book.read("past_plans")["cycle"]) == {months.month("2026-09")}
    last = [archive.previous_table(book, name) for name in approved.PLANS]
    earlier = finance.earlier_plans(finance.with_own(book.read("past_plans"), *last), PRODUCTS)
    found = {v: finance.plan_view(earlier, NOV, 2, v) for v in ("approved", "previous")}  # type: ignore[arg-type]
    sold = {v: d.query("measure == 'demand'").set_index("month")["quantity"] for v, d in found.items()}
    assert sold["previous"][NOV] == 640.0
    assert sold["approved"][OCT] == 580.0
    assert (NOV in sold["approved"].index and sold["approved"][NOV]) == 580.0


def test_a_closed_plan_that_was_changed_stops_the_next_cycle(small_workbook):
    firm = company(small_workbook)
    close_by_hand(archive.Cycle(firm, OCT), planned(OCT, 640.0))
    (small_workbook / "plans" / "2026-10" / "v1" / "demand_plan.parquet").write_bytes(b"other")
    with pytest.raises(archive.ArchiveError, match="restore the closed version from a backup"):
        freeze(firm, "2026-11")


def test_no_stock_is_no_proposal():
    assert approved.own_plans(planned(OCT, 1.0)["demand_plan"], NO_STOCK, tables.empty("scenario_comparison"))[
        "measure"
    ].unique().tolist() == ["demand"]
