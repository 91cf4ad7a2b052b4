from functools import cache

import numpy as np
import pandas as pd
import pytest

from sop_lib import mix, scenarios, supply, supply_model, supply_problem, supply_review, tables
from sop_lib.settings import Planning

HORIZON = pd.date_range("2026-11-01", periods=4, freq="MS")
PLANNING, MIXED = Planning(), Planning(strategies=("mixed",))
BEFORE = pd.Timestamp("2026-10-01")
EARLIER, MADE = pd.date_range("2026-06-01", periods=5, freq="MS"), [100.0, 60.0, 90.0, 90.0, 90.0]
FULL = (
    "inventory", "families", "resources", "bill_of_resources", "plants", "supply_costs", "planned_production",
    "receipts", "materials", "bill_of_materials",
)  # fmt: skip


def company(*names: str) -> dict[str, pd.DataFrame]:
    """Two products of one family, 100 units a month but 200 in the last; the input tables named, the others empty."""
    wanted = [100.0, 100.0, 100.0, 200.0]
    plan = [
        (m, p, "ALL", "baseline", "Grills", q * share)
        for m, q in zip(HORIZON, wanted, strict=True)
        for p, share in (("G1", 0.75), ("G2", 0.25))
    ]
    tarn = {"plant": "Tarn", "family": "Grills"}
    rows = {
        "products": {"product": ["G1", "G2"], "family": "Grills", "unit_cost": 40.0, "unit_price": 80.0},
        "inventory": {"month": [BEFORE], "product": "G1", "on_hand": 20.0},
        "families": {"family": ["Grills"], "unit": "piece", "strategy": "MTS", "frozen_months": 0},
        "resources": tarn | {"month": HORIZON, "resource": "press", "capacity": 60.0, "unit": "hours", "overtime": 5.0},
        "bill_of_resources": tarn | {"product": ["G1", "ALL"], "resource": "press", "usage_per_unit": [0.6, 0.2]},
        "plants": {
            "plant": ["Tarn"], "workers_opening": 10.0, "hours_per_worker_day": 8.0, "wage_per_worker_month": 300.0,
            "hiring_cost": 500.0, "layoff_cost": 500.0, "overtime_premium": 0.5, "overtime_max_hours": 10.0,
        },
        "supply_costs": {"family": ["Grills"], "plant": "Tarn", "make_cost": 30.0, "labour_hours_per_unit": 1.0},
        "planned_production": tarn
        | {"month": HORIZON[:1], "quantity": 90.0, "firm": True, "author": "planner", "reason": "released"},
        "receipts": {"month": EARLIER, "product": "G1", "source": "made", "plant": "Tarn", "quantity": MADE},
        "materials": {
            "material": ["steel"], "on_hand": 300.0, "supply_max": 400.0, "lead_time_months": 1, "unit_cost": 2.0,
        },
        "bill_of_materials": {"material": ["steel"], "family": "Grills", "quantity_per_unit": 2.0},
    }  # fmt: skip
    found = {}
    for name in supply.READS:
        given = pd.DataFrame(rows[name]) if name in ("products", *names) else pd.DataFrame()
        blank = [c for c in tables.table(name).names if c not in given]
        kinds = tables.table(name)
        found[name] = (
            tables.check(name, given)
            if len(given)
            else pd.DataFrame({c: pd.Series(dtype=tables.DTYPES[kinds[c].kind]) for c in blank})
        )
    columns = ["month", "product", "region", "step", "family", "quantity"]
    return found | {"demand_plan": pd.DataFrame(plan, columns=columns)}


@cache
def planned(*names: str) -> dict[str, pd.DataFrame]:
    found = supply.plan(company(*names), HORIZON, PLANNING)
    for name, table in found.items():
        tables.check(name, table.assign(cycle=HORIZON[0]))
    return found


def test_nothing_said_about_supply_gives_empty_tables():
    assert all(table.empty for table in planned().values())
    assert supply_review.headline(planned(), pd.DataFrame(), "EUR")[0].startswith("Supply is not planned yet")


def test_stock_alone_gives_level_and_chase_by_formula():
    found = planned("inventory")
    made = found["supply_plan"].query("source == 'regular'").pivot(index="month", columns="strategy", values="quantity")
    assert made["chase"].tolist() == [80, 100, 100, 200]
    first, second = 180 / 44, 300 / 41
    assert made["level"].tolist() == pytest.approx([21 * first, 23 * first, 21 * second, 20 * second])
    assert found["people_plan"].empty
    assert found["resource_load"].empty
    assert set(found["scenario_comparison"].query("measure == 'proposed' and value == 1")["strategy"]) == {"level"}


def test_resources_add_the_load_of_the_mix():
    load = planned("inventory", "resources", "bill_of_resources", "receipts")["resource_load"].query(
        "strategy == 'chase'"
    )
    assert load["unconstrained"].tolist() == pytest.approx([50, 50, 50, 100])  # 0.75 x 0.6 + 0.25 x 0.2 = 0.5 an hour
    assert load["demonstrated"].tolist() == pytest.approx([54] * 4)  # 90 a month x 0.6
    first = supply_review.first_overload(load)
    assert first[["month", "resource", "over"]].to_numpy().tolist() == [[HORIZON[3], "press", pytest.approx(35)]]


def test_blank_overtime_is_none_and_no_gap_in_capacity():
    given = company("inventory", "families", "resources", "bill_of_resources", "supply_costs")
    given["resources"]["overtime"] = [40.0, np.nan, np.nan, np.nan]
    plan = supply.plan(given, HORIZON, PLANNING)
    load = plan["resource_load"].groupby("month")["overtime"]
    assert load.min().tolist() == load.max().tolist() == [40, 0, 0, 0]
    assert not plan["supply_notes"]["finding"].str.contains("Capacity is not given").any()


def test_costs_and_people_add_the_optimum():
    found = planned(*FULL)
    best = found["inventory_plan"].query("strategy == 'mixed'")
    assert best["supply"].iloc[0] == 90  # firm
    assert best["supply"].sum() == pytest.approx(480, abs=1e-6)
    assert np.allclose(best["opening"] + best["supply"] - best["shipped"], best["closing"])
    assert found["people_plan"].query("strategy == 'mixed'")["workers"].iloc[0] <= 10
    total = found["scenario_comparison"].query("measure == 'total cost'").set_index("strategy")["value"]
    assert total["mixed"] <= total[["level", "chase"]].min() + 1e-6
    assert supply_review.shortages(best).empty


def test_cover_is_average_stock_in_days_of_mean_demand():
    out = supply.plan(company(*FULL), HORIZON, MIXED)
    measures = out["scenario_comparison"].set_index("measure")["value"]
    rows = out["inventory_plan"]
    days = (pd.Timestamp("2027-03-01") - HORIZON[0]).days
    assert measures["cover"] == pytest.approx(rows["closing"].mean() / (rows["demand"].sum() / days))


def test_limits_and_rules_are_tried_where_costs_are_known():
    trials = supply.plan(company(*FULL), HORIZON, MIXED)["supply_trials"]
    assert {"base", "headcount change", "rule"} <= set(trials["kind"])
    assert {"without firm output", "the same people", "no overtime"} <= set(trials["trial"])
    assert tables.check("supply_trials", trials.assign(cycle=HORIZON[0]))["added"].notna().all()
    assert supply.plan(company("inventory"), HORIZON, PLANNING)["supply_trials"].empty


def test_costs_by_kind_sum_to_the_total():
    rows = planned(*FULL)["scenario_comparison"]
    kinds = rows[rows["measure"].str.startswith("cost: ")].groupby("strategy")["value"].sum()
    assert np.allclose(kinds, rows.query("measure == 'total cost'").set_index("strategy")["value"].reindex(kinds.index))


def test_what_was_assumed_is_said():
    notes = planned("inventory")["supply_notes"]
    assert notes["finding"].str.contains("No holding cost for Grills: taken as 2% of unit cost a month").any()


def test_current_and_proposed_rate():
    found, given = planned(*FULL), company(*FULL)
    rates = supply_review.rates(
        given["receipts"], given["products"], found["supply_plan"].query("strategy == 'mixed'"), HORIZON[0]
    )
    assert rates["current"].tolist() == [90]


def test_a_family_without_a_route_is_said_and_supplied():
    given = company(*FULL)
    more = given["demand_plan"].assign(family="Spares", product="S1").drop_duplicates("month")
    given["demand_plan"] = pd.concat([given["demand_plan"], more])
    given["products"] = pd.concat([given["products"], given["products"].head(1).assign(product="S1", family="Spares")])
    found = supply.plan(given, HORIZON, MIXED)
    assert found["supply_notes"]["finding"].str.contains("No route in supply_costs for Spares").any()
    assert supply_review.shortages(found["inventory_plan"].query("family == 'Spares' and strategy == 'mixed'")).empty


def test_broken_firm_plan_is_an_alarm():
    given = company(*FULL)
    given["planned_production"] = given["planned_production"].assign(quantity=5000.0)
    notes = supply.plan(given, HORIZON, MIXED)["supply_notes"].query("kind == 'alarm' and strategy == 'mixed'")
    assert "below its firm plan from Nov 2026" in notes["finding"].iloc[0]


def test_rules_of_the_house_come_from_the_tables():
    given = company(*FULL)
    given["plants"] = given["plants"].assign(hiring_lead_months=2.0, workers_change_max=3.0)
    given["supply_costs"] = given["supply_costs"].assign(rate_change_max=0.1, min_run=50.0, lot=10.0)
    given["families"] = given["families"].assign(strategy="MTO")
    p = supply_problem.problem(given, HORIZON, PLANNING)
    assert p["hired_max"].squeeze().values.tolist() == [0, 0, np.inf, np.inf]
    numbers = ("workers_change_max", "rate_change_share", "min_run", "lot", "make_to_order")
    assert [p[n].item() for n in numbers] == [3, 0.1, 50, 10, 1]
    assert p["rate_opening"].item() == pytest.approx(90 / 22)  # made in October, 22 working days


def test_the_customer_who_weighs_most_goes_short_last():
    given = company(*FULL)
    given["resources"] = given["resources"].assign(capacity=30.0, overtime=0.0)
    sold = pd.DataFrame(
        {"month": [BEFORE, BEFORE], "product": "G1", "customer": ["Key", "Shop"], "ordered": [30.0, 70.0]}
    )
    given["sales"] = tables.check("sales", sold)
    planning = Planning(strategies=("mixed",), customer_weights={"Key": 3.0})
    notes = supply.plan(given, HORIZON, planning)["supply_notes"].query("kind == 'class'").set_index("subject")
    assert notes.index.tolist() == ["other customers", "Key"]
    assert notes.loc["Key", "quantity"] == 0 < notes.loc["other customers", "quantity"]
    assert notes.loc["Key", "finding"] == "Key is not delivered 0 of 150 units within the plan."


def test_options_close_a_shortage_and_the_best_is_recommended():
    given = company(*FULL)
    given["resources"] = given["resources"].assign(capacity=45.0, overtime=0.0)
    p = supply_problem.problem(given, HORIZON, PLANNING)
    told = scenarios.options(supply_model.keep(p), pd.Series({"Grills": 40.0}))
    tables.check("options", told.assign(cycle=HORIZON[0]))
    told = told.set_index("option")
    assert told.loc["Do nothing", ["units_closed", "cost", "margin"]].tolist() == [0, 0, 0]
    assert told.loc["Second shift", "units_closed"] > 0
    assert told["recommended"].sum() == 1
    assert told.loc[told["recommended"], "margin"].item() == told["margin"].max()


def test_nothing_short_needs_no_option():
    p = supply_problem.problem(company(*FULL), HORIZON, PLANNING)
    assert scenarios.options(supply_model.keep(p), pd.Series({"Grills": 40.0})).empty


def test_shares_of_plants_follow_what_was_made():
    given = company(*FULL)
    more = given["supply_costs"].assign(plant="Brek")
    given["supply_costs"] = pd.concat([given["supply_costs"], more])
    shares = mix.plant_shares(given, pd.Index(["Grills"], name="family"))
    assert shares.set_index("plant")["share"].to_dict() == {"Brek": 0.0, "Tarn": 1.0}


def test_no_demand_is_served_in_full():
    given = company(*FULL)
    given["demand_plan"] = given["demand_plan"].assign(quantity=0.0)
    out = supply.plan(given, HORIZON, MIXED)["scenario_comparison"]
    tables.check("scenario_comparison", out.assign(cycle=HORIZON[0]))
    measures = out.set_index("measure")["value"]
    assert measures["service"] == 1
    assert "cover" not in measures


def test_the_total_leaves_broken_rules_out_and_says_them_apart():
    given = company(*FULL)
    given["planned_production"] = given["planned_production"].assign(quantity=9000.0)
    measures = supply.plan(given, HORIZON, MIXED)["scenario_comparison"].set_index("measure")["value"]
    assert measures["rules broken"] == 1
    assert measures["total cost"] == pytest.approx(measures[measures.index.str.startswith("cost: ")].sum())
    assert measures["total cost"] < 1e6


def test_a_small_change_of_people_holds_in_the_plan():
    given = company(*FULL)
    given["plants"] = given["plants"].assign(
        workers_opening=0.5, workers_change_max=0.05, overtime_max_hours=0.0, wage_per_worker_month=3000.0
    )
    people = supply.plan(given | {"planned_production": given["planned_production"].iloc[:0]}, HORIZON, MIXED)
    rows = people["people_plan"]
    assert (rows["hired"] + rows["laid_off"]).max() <= 0.05 + 1e-6
    assert not (people["supply_notes"]["kind"] == "alarm").any()
