"""What changed against the last plan inside the time fence, what keeping it would cost, and how nervous plans are."""

import numpy as np
import pandas as pd
import pytest
import sample_files
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from supply_problems import array, problem

from sop_lib import months, supply, supply_changes, supply_trials, tables
from sop_lib.settings import Planning
from sop_lib.supply_data import Switches
from sop_lib.tables import ALL

NOV = months.month("2026-11")
AHEAD = months.month_range(NOV, 4)
COST = pd.Series({"Grills": 100.0, "Lamps": 10.0})


def families(**given) -> pd.DataFrame:
    both = {"family": ["Grills", "Lamps"], "unit": "piece", "strategy": "MTS", "frozen_months": 1.0}
    return tables.check("families", pd.DataFrame(both | {"slushy_months": [2.0, None]} | given))


def products(**given) -> pd.DataFrame:
    return tables.check("products", pd.DataFrame({"product": ["G1", "L1"], "family": ["Grills", "Lamps"]} | given))


def plan(quantity: list, family: str = "Grills", plant: str = "Tarn", source: str = "regular") -> pd.DataFrame:
    rows = {"month": AHEAD[: len(quantity)], "family": family, "plant": plant, "source": source}
    return pd.DataFrame(rows | {"quantity": np.array(quantity, dtype=float)})


def past(cycle: str, quantity: list, family: str = "Grills", measure: str = "supply", **given) -> pd.DataFrame:
    when = months.month_range(months.month(cycle), len(quantity))
    rows = {"cycle": months.month(cycle), "stream": "consensus", "measure": measure, "month": when, "family": family}
    rows |= {"product": ALL, "region": ALL, "quantity": np.array(quantity, dtype=float)}
    return pd.DataFrame(rows | given)


# Zones and changes


def test_a_month_lies_in_the_zone_that_its_family_says():
    cells = pd.DataFrame([(f, n) for f in ("Grills", "Lamps", "Toys") for n in range(1, 5)], columns=["family", "lag"])
    found = supply_changes.zones(cells["family"], cells["lag"], families()).tolist()
    assert found[:4] == ["frozen", "slushy", "slushy", "liquid"]
    assert found[4:8] == ["frozen", "liquid", "liquid", "liquid"]  # blank slushy_months: none
    assert found[8:] == ["liquid"] * 4  # a family without a row has no fence


def test_changes_are_counted_in_units_and_money_by_zone():
    latest = pd.concat([plan([10, 20, 30, 40]), plan([5, 0, 0, 0], source="subcontract")])
    found = supply_changes.supply_changes(latest, plan([15, 26, 29.8, 70]), families(), COST)
    assert found["change"].tolist() == pytest.approx([0, -6, 0.2, -30])
    assert found["change_value"].tolist() == pytest.approx([0, -600, 20, -3000])
    assert found["plant"].unique().tolist() == ["Tarn"]
    zones = supply_changes.by_zone(found).set_index("zone")
    assert zones["changed"].to_dict() == {"frozen": 0, "slushy": 1, "liquid": 1}  # 0.2 of a unit is no change
    assert zones.loc["slushy", ["planned", "up", "down", "value"]].tolist() == pytest.approx([2, 0.2, -6, 620])
    assert found["finding"].notna().tolist() == [False, True, False, False]
    assert found["finding"][1].startswith("Grills at Tarn, Dec 2026 (slushy): down 6 units, from 26 to 20, -23%")


def test_only_months_that_both_plans_hold_are_compared_and_a_last_plan_without_plants_is_met_as_a_whole():
    latest = pd.concat([plan([10, 20, 30]), plan([1, 2, 3], plant="Brek")])
    last = past("2026-10", [9, 11, 25]).assign(plant=ALL, source=ALL)
    found = supply_changes.supply_changes(latest, last, families(), COST)
    assert found["plant"].unique().tolist() == [ALL]
    assert found["month"].tolist() == [AHEAD[0], AHEAD[1]]
    assert found["change"].tolist() == [0, -3]


def test_a_family_that_one_of_the_plans_lacks_is_counted_from_nothing():
    found = supply_changes.supply_changes(
        pd.concat([plan([10]), plan([7], "Lamps", "Brek")]), plan([10]), families(), COST
    )
    lamps = found[found["family"] == "Lamps"].iloc[0]
    assert (lamps["previous"], lamps["change"]) == (0, 7)
    assert "not in the last plan" in lamps["finding"]
    gone = supply_changes.supply_changes(plan([10]), pd.concat([plan([10]), plan([7], "Lamps")]), families(), COST)
    assert gone.set_index("family").loc["Lamps", "change"] == -7


def test_without_a_last_plan_nothing_is_compared():
    none = supply_changes.previous_supply(
        tables.empty("supply_plan"), tables.empty("scenario_comparison"), tables.empty("past_plans"), products(), NOV
    )
    assert none.empty
    found = supply_changes.supply_changes(plan([1, 2]), none, families(), COST)
    assert found.empty
    tables.check("supply_changes", found.assign(cycle=NOV))
    assert supply_changes.by_zone(found).empty
    assert supply_changes.largest(found).empty


def test_the_dearest_changes_come_first_whatever_the_order_of_the_rows():
    latest = pd.concat([plan([10, 20]), plan([500], "Lamps")])
    last = pd.concat([plan([11, 9]), plan([400], "Lamps")])
    found = supply_changes.largest(supply_changes.supply_changes(latest, last, families(), COST))
    assert found["change_value"].tolist() == [1100, 1000, -100]
    again = supply_changes.supply_changes(latest.sample(frac=1, random_state=1), last.iloc[::-1], families(), COST)
    pd.testing.assert_frame_equal(supply_changes.largest(again), found)


def own(cycle: str, quantity: list) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return a supply plan of two strategies and the comparison that proposes `mixed`."""
    when = months.month(cycle)
    rows = [plan(quantity).assign(strategy="mixed"), plan([999.0] * len(quantity)).assign(strategy="chase")]
    told = {"cycle": when, "scenario": "base", "strategy": ["chase", "mixed"], "measure": "proposed", "value": [0, 1]}
    return pd.concat(rows).assign(cycle=when, scenario="base"), pd.DataFrame(told)


def test_the_last_plan_is_our_own_proposal_unless_a_later_one_was_given():
    given = pd.concat([past("2026-08", [1, 1]), past("2026-11", [2, 2])])
    found = supply_changes.previous_supply(*own("2026-10", [5, 6]), given, products(), NOV)
    assert found["quantity"].tolist() == [5, 6]  # a plan of this very cycle is not the last one
    assert found["plant"].unique().tolist() == ["Tarn"]
    later = supply_changes.previous_supply(*own("2026-08", [5, 6]), past("2026-10", [7, 8]), products(), NOV)
    assert later["quantity"].tolist() == [7, 8]
    assert later[["plant", "source"]].eq(ALL).all(axis=None)


def test_a_last_plan_by_product_is_added_up_to_its_family():
    given = past("2026-10", [3, 4], family=ALL, product="G1")
    found = supply_changes.previous_supply(
        tables.empty("supply_plan"), tables.empty("scenario_comparison"), given, products(), NOV
    )
    assert found["family"].tolist() == ["Grills", "Grills"]


# What keeping it would cost


def tried(p: xr.Dataset, last: pd.DataFrame) -> pd.Series:
    fenced = supply_changes.inside_fence(last, families(), NOV)
    return supply_trials.trials(p, Switches(), fenced).set_index("trial").loc[supply_trials.KEPT]


def test_keeping_the_last_plan_costs_what_it_makes_too_early():
    p = problem([10, 10, 10, 10], holding_cost=2.0, limit=np.inf, below_cost=0.0)
    row = tried(p, plan([13, 10, 10, 99]))
    assert row["added"] == pytest.approx(3 * 2 * 3)  # three units held to the end of three months; the fourth is free
    assert row["kind"] == "rule"
    assert "but for" not in row["finding"]


def test_keeping_the_same_plan_costs_nothing():
    assert tried(problem([10, 20, 10, 10], holding_cost=2.0), plan([10, 20, 10, 10]))["added"] == pytest.approx(0)


def test_what_can_no_longer_be_made_is_left_out_of_the_price_and_said():
    p = problem([10, 10, 10, 10], lost_cost=100.0, limit=array([12, 0, 0], "source"))
    row = tried(p, plan([30, 10, 10]))
    assert "but for 18 units that the limits no longer allow" in row["finding"]
    assert row["added"] == pytest.approx(0)


def test_a_last_plan_by_family_is_split_as_the_plan_proposed_splits_it():
    p = problem([10, 10, 10, 10], limit=array([8, 0, np.inf], "source"), unit_cost=array([1, 1, 5], "source"))
    kept = supply_changes.kept_inside_fence(
        supply_trials.supply_model.filled(p), supply_trials.supply_model.solve(p),
        past("2026-11", [20, 1]).assign(plant=ALL, source=ALL),
    )  # fmt: skip
    bought = kept["limit"].sel(source="subcontract", family="Grills", plant="Tarn").values
    assert kept["firm"].values.ravel()[:2].tolist() == pytest.approx([18, 0])  # 2 units a month are bought in the plan
    assert bought[:2].tolist() == pytest.approx([2, 1])
    assert np.isnan(kept["firm"].values.ravel()[2:]).all()
    assert np.isinf(bought[2:]).all()


def test_without_a_last_plan_no_trial_keeps_it():
    rows = supply_trials.trials(problem([10, 10]), Switches(), plan([1]).iloc[:0])
    assert supply_trials.KEPT not in set(rows["trial"])


def test_a_supply_plan_that_knows_the_last_one_prices_keeping_it():
    p = supply_trials.supply_model.filled(problem([10, 10, 10, 10], holding_cost=2.0, limit=np.inf))
    found = {"families": families(), "previous_supply": plan([13, 10, 10, 99])}
    rows = supply._trials(found, p.assign_attrs(depth="optimum"), Planning())
    assert rows.set_index("trial").loc[supply_trials.KEPT, "added"] == pytest.approx(18)
    without = supply._trials({"families": families()}, p.assign_attrs(depth="optimum"), Planning())
    assert supply_trials.KEPT not in set(without["trial"])


# Nervousness


def test_nervousness_by_hand():
    """Cycle 1 plans 100, 100, 100; cycle 2 for the last two of them 110, 80; cycle 3 for the last one 80."""
    plans = pd.concat([past("2026-01", [100, 100, 100]), past("2026-02", [110, 80]), past("2026-03", [80, 5])])
    found = supply_changes.nervousness(plans, families(), products(), COST)
    grills = found[found["family"] == "Grills"].set_index("lag")
    assert grills.loc[1, ["changed", "previous", "cycles"]].tolist() == [10 + 0, 100 + 80, 2]
    assert grills.loc[1, "nervousness"] == pytest.approx(10 / 180)
    assert grills.loc[2, ["changed", "previous", "cycles"]].tolist() == [20, 100, 1]
    assert grills["zone"].to_dict() == {1: "frozen", 2: "slushy"}
    pd.testing.assert_series_equal(
        found.loc[found["family"] == ALL, "nervousness"].reset_index(drop=True),
        grills["nervousness"].reset_index(drop=True),
    )


def test_families_of_unlike_units_are_added_in_money_and_not_at_all_without_a_cost():
    plans = pd.concat(
        [past(c, q, f) for f, rows in {"Grills": ([5, 4], [6]), "Lamps": ([5, 40], [10])}.items()
         for c, q in zip(("2026-01", "2026-02"), rows, strict=True)]
    )  # fmt: skip
    unlike = families(unit=["piece", "box"])
    found = supply_changes.nervousness(plans, unlike, products(), COST)
    whole = found[found["family"] == ALL].iloc[0]
    assert (whole["unit"], whole["changed"], whole["previous"]) == ("money", 200 + 300, 400 + 400)
    unknown = supply_changes.nervousness(plans, unlike, products(), COST.drop("Lamps"))
    assert set(unknown["family"]) == {"Grills", "Lamps"}


@given(st.lists(st.floats(1, 1e6), min_size=3, max_size=8), st.floats(0.5, 2))
def test_plans_that_all_grow_by_a_rate_are_nervous_by_that_rate(quantity, times):
    plans = pd.concat([past("2026-01", [0, *quantity]), past("2026-02", [q * times for q in quantity])])
    found = supply_changes.nervousness(plans, families(), products(), COST)
    assert found["nervousness"].to_numpy() == pytest.approx(abs(times - 1), abs=1e-9)


def test_a_single_plan_has_nothing_to_be_compared_with():
    found = supply_changes.nervousness(past("2026-01", [1, 2]), families(), products(), COST)
    assert found.empty
    tables.check("nervousness", found.assign(cycle=NOV))


def test_nothing_planned_before_has_no_rate():
    plans = pd.concat([past("2026-01", [0, 0]), past("2026-02", [5])])
    assert supply_changes.nervousness(plans, families(), products(), COST)["nervousness"].isna().all()


def test_months_before_the_later_plan_are_no_part_of_its_fence():
    """Both plans hold January and February: what was then made is no change of a plan."""
    plans = pd.concat(
        [past("2026-01", [100, 100, 100]), past("2026-01", [130, 70, 100]).assign(cycle=months.month("2026-03"))]
    )
    found = supply_changes.nervousness(plans, families(), products(), COST)
    assert set(found["lag"]) == {1}
    assert found["changed"].tolist() == [0, 0]


def test_the_frozen_month_of_the_sample_changes_most():
    """Its plans of record: eleven pairs, and supply inside the frozen month the most nervous of the first six."""
    found = supply_changes.nervousness(
        sample_files.table("past_plans"), sample_files.table("families"), sample_files.table("products"),
        pd.Series(dtype=float),
    )  # fmt: skip
    supply = found[(found["family"] == ALL) & (found["measure"] == "supply")].set_index("lag")
    assert supply.loc[1, "cycles"] == 11
    assert supply.loc[1, "zone"] == "frozen"
    assert supply.loc[1, "nervousness"] == pytest.approx(0.152, abs=0.001)
    assert supply.loc[1:6, "nervousness"].idxmax() == 1
