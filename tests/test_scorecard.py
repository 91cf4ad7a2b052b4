"""Key figures and the execution grid, by hand: two families, three closed months."""

import pandas as pd
import pytest
from test_finance import table

from sop_lib import months, scorecard, tables
from sop_lib.settings import Planning

CYCLE = months.month("2026-11")
AUG, SEP, OCT = months.month_range(months.month("2026-08"), 3)
PLANNING = Planning(decision_lag=2)


def company(**more: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return empty tables, with two products of two families, and what is given."""
    given = {name: table(name) for name in scorecard.NEEDS}
    given["products"] = table("products", product=["p", "q"], family=["A", "B"], unit_price=10.0, unit_cost=6.0)
    return given | more


def history(raw: list[float], shipped: list[float]) -> pd.DataFrame:
    return table(
        "history", month=[OCT, OCT], product=["p", "q"], region="ALL", family=["A", "B"], status="sold", raw=raw,
        shipped=shipped, revenue=[s * 10 for s in shipped], cost=[s * 6 for s in shipped],
    )  # fmt: skip


def plan(measure: str, quantity: list[float], cycle=SEP) -> pd.DataFrame:
    return table(
        "past_plans", cycle=cycle, stream="consensus", measure=measure, month=OCT, family=["A", "B"], quantity=quantity
    )


def scores(**more: pd.DataFrame) -> pd.DataFrame:
    found = scorecard.scorecard(CYCLE, planning=PLANNING, tables=company(**more))
    tables.check("scorecard", found.assign(cycle=CYCLE))
    return found.set_index(["kpi", "family"])


def test_forecast_error_and_bias_of_the_approved_plan():
    found = scores(history=history([100.0, 50.0], [100.0, 50.0]), past_plans=plan("demand", [110.0, 45.0]))
    assert found.loc[("forecast_wape", "A"), "value"] == pytest.approx(0.10)
    assert found.loc[("forecast_wape", "ALL"), "value"] == pytest.approx(15 / 150)
    assert found.loc[("forecast_bias", "A"), "value"] == pytest.approx(0.10)  # over-forecast is positive
    assert found.loc[("forecast_bias", "ALL"), "value"] == pytest.approx(5 / 150)
    assert "approved" in found.loc[("forecast_wape", "ALL"), "basis"]


def test_without_plans_the_backtest_at_the_decision_lag_stands_in():
    tested = table(
        "backtest",
        level="family",
        series=["A", "A"],
        model="combination",
        origin=SEP,
        lag=[1, 2],
        month=OCT,
        family="A",
        product="ALL",
        region="ALL",
        forecast=[500.0, 120.0],
        actual=100.0,
    )
    found = scores(backtest=tested, history=history([100.0, 50.0], [100.0, 50.0]))
    assert found.loc[("forecast_wape", "A"), "value"] == pytest.approx(0.2)
    assert "backtest" in found.loc[("forecast_wape", "A"), "basis"]


def test_unlike_units_have_no_company_figure():
    families = table("families", family=["A", "B"], unit=["case", "litre"], strategy="MTS")
    found = scores(
        history=history([100.0, 50.0], [100.0, 50.0]), past_plans=plan("demand", [110.0, 45.0]), families=families
    )
    assert ("forecast_wape", "ALL") not in found.index
    assert ("gross_margin", "ALL") in found.index


def lines() -> pd.DataFrame:
    """Two lines: one complete in time; one with 6 of 10 first, the rest later."""
    day = pd.Timestamp("2026-10-20")
    return table(
        "shipments",
        order="o",
        line=["1", "2", "2"],
        delivery=["1", "1", "2"],
        leg="dc-customer",
        product=["p", "q", "q"],
        **{"from": "DC", "to": "North"},
        ordered_on=day,
        requested_on=day,
        shipped_on=[day, day, day + pd.Timedelta(days=9)],
        delivered_on=[day, day, day + pd.Timedelta(days=10)],
        ordered=[10.0, 10.0, 0.0],
        shipped=[10.0, 6.0, 4.0],
    )


def test_fill_rate_counts_the_first_delivery_and_on_time_in_full_whole_lines():
    found = scores(shipments=lines(), history=history([10.0, 10.0], [10.0, 10.0]))
    assert found.loc[("fill_rate", "B"), "value"] == pytest.approx(0.6)
    assert found.loc[("fill_rate", "ALL"), "value"] == pytest.approx(0.8)
    assert found.loc[("on_time_in_full", "ALL"), "value"] == pytest.approx(0.5)


def test_fill_rate_without_shipments_lets_no_surplus_pay_for_a_lack():
    sales = table(
        "sales", month=OCT, product=["p", "q"], region="ALL", customer="ALL", ordered=[10.0, 10.0], shipped=[8.0, 12.0]
    )
    found = scores(sales=sales)
    assert found.loc[("fill_rate", "ALL"), "value"] == pytest.approx(18 / 20)


def test_sales_that_know_no_orders_give_no_fill_rate():
    sales = table("sales", month=OCT, product=["p", "q"], region="ALL", customer="ALL", shipped=[8.0, 12.0])
    assert scores(sales=sales, history=history([8.0, 12.0], [8.0, 12.0])).index.get_level_values(
        "kpi"
    ).unique().tolist() == ["gross_margin"]


def test_plan_attained_and_kept():
    receipts = table(
        "receipts",
        month=OCT,
        product=["p", "q", "q"],
        location="ALL",
        source=["made", "made", "transfer"],
        plant="T",
        quantity=[120.0, 80.0, 99.0],
    )
    found = scores(receipts=receipts, past_plans=plan("supply", [100.0, 100.0]))
    assert found.loc[("plan_attainment", "ALL"), "value"] == pytest.approx(1.0)
    assert found.loc[("schedule_adherence", "ALL"), "value"] == pytest.approx(0.9)  # 100 of A and 80 of B


def test_a_family_that_made_nothing_missed_its_plan():
    made = table("receipts", month=OCT, product=["p"], location="ALL", source="made", plant="T", quantity=[100.0])
    given = {"receipts": made, "past_plans": plan("supply", [100.0, 100.0])}
    found = scores(**given)
    assert found.loc[("plan_attainment", "ALL"), "value"] == pytest.approx(0.5)
    assert found.loc[("schedule_adherence", "B"), "value"] == 0
    grid = scorecard.execution_grid(CYCLE, planning=PLANNING, tables=company(**given)).set_index("family")
    assert grid["verdict"].to_dict() == {"A": "in", "B": "below"}
    nothing = scorecard.execution_grid(CYCLE, planning=PLANNING, tables=company(past_plans=given["past_plans"]))
    assert set(nothing["verdict"]) == {"no actual"}  # nobody recorded receipts


def test_turns_take_a_year_of_cost_over_thirteen_month_ends():
    every = months.month_range(months.month("2025-10"), 13)
    sold = table(
        "history",
        month=every,
        product="p",
        region="ALL",
        family="A",
        status="sold",
        raw=10.0,
        shipped=10.0,
        revenue=100.0,
        cost=60.0,
    )
    held = table("inventory", month=every, product="p", location="ALL", on_hand=20.0)
    found = scores(history=sold, inventory=held)
    assert found.loc[("inventory_turns", "ALL"), "value"].tolist() == [pytest.approx(720 / 120)]


def test_a_product_wanted_and_gone_is_out_of_stock():
    held = table("inventory", month=OCT, product=["p", "q"], location="ALL", on_hand=[0.0, 5.0])
    found = scores(history=history([10.0, 10.0], [10.0, 10.0]), inventory=held)
    assert found.loc[("stock_out_rate", "ALL"), "value"] == 0.5


def test_targets_of_family_year_and_company():
    targets = table(
        "kpi_targets", kpi="fill_rate", family=["ALL", "B"], year=2026, target=[0.9, 0.99], owner_role="Logistics"
    )
    found = scores(shipments=lines(), kpi_targets=targets)
    assert found.loc[("fill_rate", "ALL"), "target"] == 0.9
    assert found.loc[("fill_rate", "A"), "target"] == 0.9
    assert found.loc[("fill_rate", "B"), "target"] == 0.99


def test_recent_sums_numerators_before_it_divides():
    rows = pd.DataFrame(
        {
            "month": [AUG, SEP, OCT],
            "kpi": "fill_rate",
            "family": "ALL",
            "value": [0.5, 1.0, 1.0],
            "target": 0.9,
            "unit": "rate",
            "good": "high",
            "numerator": [50.0, 10.0, 10.0],
            "denominator": [100.0, 10.0, 10.0],
            "basis": "x",
        }
    )
    found = scorecard.recent(rows).iloc[0]
    assert found["value"] == pytest.approx(70 / 120)
    assert found["verdict"] == "missed"
    assert pd.isna(found["before"])


def test_execution_is_judged_on_the_approved_plan_within_the_family_s_tolerance():
    families = table("families", family=["A"], unit="case", strategy="MTS", tolerance=0.05)
    given = company(
        history=history([110.0, 110.0], [1.0, 1.0]), past_plans=plan("demand", [100.0, 100.0]), families=families
    )
    found = scorecard.execution_grid(CYCLE, planning=PLANNING, tables=given).set_index("family")
    assert found["difference"].tolist() == [10, 10]
    assert found["verdict"].to_dict() == {"A": "above", "B": "in"}  # 5 % of its own, else 20 %
    tables.check("execution_grid", found.reset_index().assign(cycle=CYCLE))
    done = scorecard.executed(found.reset_index()).set_index("family")["verdict"]
    assert done.to_dict() == {"A": "not executed", "B": "executed"}


def test_without_plans_nothing_is_judged():
    found = scorecard.execution_grid(CYCLE, planning=PLANNING, tables=company(history=history([1.0, 1.0], [1.0, 1.0])))
    assert set(found["verdict"]) == {"no plan"}
    assert set(scorecard.executed(found)["verdict"]) == {"no plan"}


def test_every_figure_says_what_it_means():
    assert len(scorecard.KPIS) <= 12
    assert all(kpi.meaning.endswith(".") and kpi.label for kpi in scorecard.KPIS.values())
