"""A product's life: engineering changes, past launches scored, young ones read again."""

import numpy as np
import pandas as pd
import pytest
from launch_cases import AHEAD, CYCLE, FLAT, change, launch, past_launch, products, reviewed, sold

from sop_lib import launches, life_cycle

# Engineering changes


def test_a_change_that_slips_moves_phase_out_take_over_launch_and_run_out_by_as_much():
    known, new = products(), launch(launch_month="2027-02-01", low=600, high=1800)
    stock = pd.DataFrame({"month": [AHEAD[0]], "product": "A", "on_hand": 450.0, "in_transit": np.nan})
    forecast = pd.DataFrame({"month": AHEAD, "product": "A", "region": "ALL", "family": "F", "quantity": 100.0})
    seen = {}
    for effective in ("2027-03-01", "2027-05-01"):
        after, rows, moves = life_cycle.dated(known, new, change(effective_month=effective), CYCLE)
        plan = launches.launch_plan(rows, sold(**FLAT), after, AHEAD)
        base = launches.take_over(forecast, after, rows)
        out = life_cycle.run_out(after, base, stock, sold(**FLAT))
        seen[effective] = (plan.month.min(), base.loc[base.quantity > 0, "month"].max(), out.demand.item(), moves)
    assert seen["2027-03-01"][:3] == (pd.Timestamp("2027-03-01"), pd.Timestamp("2027-02-01"), 400)
    assert seen["2027-05-01"][:3] == (pd.Timestamp("2027-05-01"), pd.Timestamp("2027-04-01"), 600)
    assert seen["2027-05-01"][3] == ["E1: A ends 2027-04", "E1: B is launched 2027-05 instead of 2027-02"]


def test_a_change_of_the_past_or_without_a_successor_moves_nothing():
    known, new = products(), launch()
    for row in (change(effective_month="2026-10-01"), change(successor=None), change().head(0)):
        after, rows, moves = life_cycle.dated(known, new, row, CYCLE)
        pd.testing.assert_frame_equal(after, known)
        pd.testing.assert_frame_equal(rows, new)
        assert not moves


def test_changes_in_a_chain_move_each_product_once_and_a_second_change_is_told():
    rows = [change(), change(change="E2", product="B", effective_month="2027-09-01", successor="C"),
            change(change="E3", effective_month="2027-05-01", successor="D")]  # fmt: skip
    after, _, moves = life_cycle.dated(products(), launch().head(0), pd.concat(rows, ignore_index=True), CYCLE)
    facts = after.set_index("product")
    assert facts["successor"].fillna("").tolist() == ["B", "C", "", ""]
    assert facts["launch_month"].isna().tolist() == [True, False, False, True]
    assert facts["end_month"].dt.strftime("%Y-%m").tolist()[:2] == ["2027-02", "2027-08"]
    assert moves == ["E1: A ends 2027-02", "E2: B ends 2027-08", "E3: not followed, E1 ends A before"]


# Past launches


def test_the_scorecard_by_hand():
    new, history = past_launch()
    score = life_cycle.launch_scorecard(new, life_cycle.lived(new, history, products()), history)
    assert score["after"].tolist() == [3, 6, 12]
    assert score["planned"].tolist() == pytest.approx([300, 600, 1200])
    assert score["actual"].tolist() == [150, 480, 1140]
    assert score["ratio"].tolist() == pytest.approx([0.5, 0.8, 0.95])
    assert score["low"].tolist() == pytest.approx([225, 450, 900])
    assert score["inside"].tolist() == ["no", "yes", "yes"]
    assert score["ramp"].tolist() == pytest.approx([50 / 110] * 3)


def test_what_a_launch_was_planned_like_knows_nothing_that_came_later():
    new, history = past_launch()
    spoilt = history.assign(cleansed=history["cleansed"].mask(history["month"] >= "2025-11-01", 7.0))
    kept = [life_cycle.lived(new, h, products())["planned"].tolist() for h in (history, spoilt)]
    assert kept[0] == pytest.approx(kept[1])


def test_a_ramp_is_the_pace_of_past_launches_and_full_pace_comes_after():
    _, history = past_launch()
    ramps = launches.past_ramps(history)
    assert ramps["ramp"].tolist() == pytest.approx([50 / 110] * 3 + [1.0] * 3)
    new = launch(product="D", launch_month="2027-01-01", volume_year_1=1140.0)
    plan = launches.launch_plan(new, history, products(), AHEAD).set_index("month").quantity
    assert plan.head(12).tolist() == [50] * 3 + [110] * 9
    assert plan.tail(10).tolist() == [110] * 10
    assert launches.launch_plan(new, history, products(), AHEAD).reason.unique().tolist() == [
        "first-year volume spread like A, ramp of B"
    ]


def test_a_launch_without_a_like_product_takes_the_one_alike_in_family_price_and_season():
    season = [10.0, 10, 10, 30, 30, 30, 30, 30, 30, 10, 10, 10]
    history = sold(A=("2023-11-01", season * 3), C=("2023-11-01", season * 3))
    known = products({"product": "A", "unit_price": 30.0}, {"product": "B", "unit_price": 11.0})
    near = launches.likeness(launch(), history, known)
    assert near["like_product"].tolist() == ["C", "A"]
    assert near["score"].tolist() == pytest.approx([1, 2 / 3])
    coming = launch(like_product=None, launch_month="2027-01-01")
    assert "spread like C" in launches.launch_plan(coming, history, known, AHEAD).reason.iloc[0]
    shown = life_cycle.like_products(launch(launch_month="2027-01-01"), history, known)
    assert shown[["like_product", "named"]].values.tolist() == [["C", ""], ["A", "named"]]
    assert shown["why"].tolist() == ["same family, price -9%, season r 1.00", "same family, price +173%, season r 1.00"]


# Early re-read


def test_a_young_launch_is_re_read_by_what_sold_and_its_range_narrows():
    """The past launch tells the ramp (50/110 for three months); B sells 80 % of its plan in its first three months."""
    own = launch(volume_year_1=1140.0, low=570, high=1710)
    past = launch(product="D", launch_month="2024-11-01", volume_year_1=1140.0)
    new = pd.concat([own, past], ignore_index=True)
    history = sold(**FLAT, D=("2024-11-01", [50.0] * 3 + [110.0] * 21), B=("2026-08-01", [40.0] * 3))
    ready = reviewed(new, history, products()).set_index("product").loc["B"]
    assert ready["ratio"] == pytest.approx(0.8)
    assert 0 < ready["weight"] < 1
    assert ready["volume_year_1"] == pytest.approx(1140 * (1 - 0.2 * ready["weight"]))
    assert ready["high"] - ready["low"] == pytest.approx(1140 * np.sqrt(1 - ready["weight"]))
    plan = launches.launch_plan(reviewed(new, history, products()), history, products(), AHEAD)
    assert plan["product"].unique().tolist() == ["B"]
    assert "re-read after 3 months" in plan.reason.iloc[0]


def test_the_weight_is_that_of_credibility():
    """Without past launches half the weight comes after six months of plan: Z = 3 / (3 + 6) for months 4 to 6."""
    history = sold(**FLAT, B=("2026-05-01", [10.0] * 3 + [50.0] * 3))
    ready = reviewed(launch(launch_month="2026-05-01"), history, products()).iloc[0]
    assert ready["ratio"] == pytest.approx(0.5)
    assert ready["weight"] == pytest.approx(1 / 3)
    assert ready["volume_year_1"] == pytest.approx(1200 * (1 - 0.5 / 3))


def test_first_months_are_not_read_where_no_past_launch_tells_a_ramp():
    history = sold(**FLAT, B=("2026-08-01", [10.0] * 3))
    ready = reviewed(launch(), history, products()).iloc[0]
    assert (ready["volume_year_1"], ready["weight"], ready["basis"]) == (1200, 0, "")


def test_a_blank_range_comes_from_three_past_launches_or_stays_blank():
    units = {"B": 90.0, "C": 100.0, "D": 110.0}
    history = sold(A=FLAT["A"], **{p: ("2025-11-01", [u] * 12) for p, u in units.items()})
    rows = [launch(product=p, launch_month="2025-11-01") for p in units]
    known = pd.concat([products(), products().head(1).assign(product="E")], ignore_index=True)
    coming = launch(product="E", launch_month="2027-01-01", volume_year_1=100)
    ready = reviewed(pd.concat([*rows, coming], ignore_index=True), history, known).set_index("product")
    wide = 10 * 1.8856 * np.sqrt(4 / 3)  # Student's t at 0.9 with 2 degrees of freedom
    assert ready.loc["E", ["low", "high"]].tolist() == pytest.approx([100 - wide, 100 + wide], abs=0.01)
    few = reviewed(pd.concat([rows[0], coming], ignore_index=True), history, known)
    assert few[["low", "high"]].isna().all(axis=None)


def test_a_filled_range_holds_the_plan_and_the_bias_of_past_launches_is_told():
    """Three past launches sold 45 to 55 % of their plan: the spread is filled, on each side that is blank."""
    units = {"B": 45.0, "C": 50.0, "D": 55.0}
    history = sold(A=FLAT["A"], **{p: ("2025-11-01", [u] * 12) for p, u in units.items()})
    rows = [launch(product=p, launch_month="2025-11-01") for p in units]
    known = pd.concat([products(), *(products().head(1).assign(product=p) for p in "EG")], ignore_index=True)
    rows += [launch(product="E", launch_month="2027-01-01"), launch(product="G", launch_month="2027-01-01", low=1190)]
    new = pd.concat(rows, ignore_index=True)
    lived = life_cycle.lived(new, history, known)
    ready = life_cycle.reviewed(new, lived, history, known)
    assert (ready["low"] <= ready["volume_year_1"]).all()
    assert (ready["high"] >= ready["volume_year_1"]).all()
    facts = ready.set_index("product")
    wide = 1200 * 0.05 * 1.8856 * np.sqrt(4 / 3)
    assert facts.loc["E", ["low", "high"]].tolist() == pytest.approx([1200 - wide, 1200 + wide], abs=0.1)
    assert facts.loc["G", ["low", "high"]].tolist() == pytest.approx([1190, 1200 + wide], abs=0.1)
    said = life_cycle.headline(life_cycle.launch_scorecard(new, lived, history), ready, ending(0, 0), "EUR")
    assert "3 past launches sold 50% of their plan on average; coming ones stand as given." in said


def ending(units: float, value: float) -> pd.DataFrame:
    return pd.DataFrame({"left_over": [units], "left_over_value": [value]}, dtype="float64")


def test_no_plan_and_no_cost_are_told_as_such():
    new, history = launch(launch_month="2025-11-01", volume_year_1=0), past_launch()[1]
    lived = life_cycle.lived(new, history, products())
    score = life_cycle.launch_scorecard(new, lived, history)
    ready = life_cycle.reviewed(new, lived, history, products())
    assert life_cycle.headline(score, ready, ending(9, np.nan), "EUR") == [
        "B sold 1,140 in its first year against 0 planned, no range was stated.",
        "Products that end leave 9 units, their cost not known.",
    ]
    some = pd.concat([ending(9, np.nan), ending(3, 6)])
    assert life_cycle.headline(score.head(0), ready.head(0), some, "EUR") == [
        "Products that end leave 12 units worth EUR 6 at cost, without 1 whose cost is not known."
    ]


def test_a_launch_that_never_sold_tells_nothing_of_others():
    history = sold(**FLAT, D=("2024-11-01", [90.0] * 24))
    rows = [launch(product="D", launch_month="2024-11-01"), launch(launch_month="2024-11-01"), launch(product="C")]
    both, one = (reviewed(pd.concat(part, ignore_index=True), history, products()) for part in (rows, rows[::2]))
    never = both[both["product"] == "B"].iloc[0]
    assert (never["volume_year_1"], never["weight"]) == (1200, 0)
    assert both.set_index("product").drop("B").equals(one.set_index("product"))


def test_what_a_launch_in_a_region_sold_is_what_that_region_sold():
    history = sold(A=FLAT["A"], B=("2023-11-01", [500.0] * 36))
    south = sold(B=("2025-11-01", [100.0] * 12)).assign(region="South")
    history = pd.concat([history.assign(region="North"), south], ignore_index=True)
    new = launch(launch_month="2025-11-01", region="South", cannibalises="A")
    score = life_cycle.launch_scorecard(new, life_cycle.lived(new, history, products()), history)
    assert score["actual"].tolist() == [300, 600, 1200]
    assert life_cycle.past_cannibalisation(new, history, products()) == 0
