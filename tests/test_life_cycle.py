from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sop_lib import demand, demand_charts, launches, life_cycle, tables
from sop_lib import history as histories

CYCLE = pd.Timestamp("2026-11-01")
AHEAD = pd.date_range(CYCLE, periods=24, freq="MS")
SAMPLE = Path(__file__).parent.parent / "data" / "sample"
PRODUCTS = ["product", "family", "unit_price", "launch_month", "end_month", "successor"]


def products(*rows: dict) -> pd.DataFrame:
    """A to D are of one family; each row changes the facts of one of them."""
    out = pd.DataFrame({"product": list("ABCD"), "family": "F", "unit_price": 10.0, "unit_cost": 6.0})
    out = out.set_index("product")
    out[["launch_month", "end_month"]], out["successor"] = pd.NaT, pd.Series(dtype="object")
    for row in rows:
        for column, value in row.items():
            if column != "product":
                out.loc[row["product"], column] = pd.Timestamp(value) if column.endswith("month") else value
    return out.reset_index()


def sold(**series: tuple[str, list[float]]) -> pd.DataFrame:
    """Demand of products in one region: first month, and the quantities from there to the last closed month."""
    rows = [
        pd.DataFrame({"month": pd.date_range(first, periods=len(units), freq="MS"), "product": name, "raw": units})
        for name, (first, units) in series.items()
    ]
    out = pd.concat(rows, ignore_index=True).assign(region="ALL", family="F")
    return out.assign(cleansed=out["raw"], unconstrained=out["raw"], shipped=np.nan, revenue=np.nan, cost=np.nan)


def launch(**facts) -> pd.DataFrame:
    row = {"product": "B", "launch_month": "2026-08-01", "like_product": "A", "volume_year_1": 1200.0}
    return tables.check("launches", pd.DataFrame([{**row, **facts}]))


def change(**facts) -> pd.DataFrame:
    row = {"change": "E1", "product": "A", "effective_month": "2027-03-01", "successor": "B"}
    return tables.check("engineering_changes", pd.DataFrame([{**row, **facts}]))


def reviewed(new: pd.DataFrame, history: pd.DataFrame, known: pd.DataFrame) -> pd.DataFrame:
    return life_cycle.reviewed(new, life_cycle.lived(new, history, known), history, known)


FLAT = {"A": ("2023-11-01", [100.0] * 36), "C": ("2023-11-01", [100.0] * 36)}


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


def past_launch() -> tuple[pd.DataFrame, pd.DataFrame]:
    """B was to sell 100 a month from 2025-11 and sold 50 for three months, then 110; A and C always sell 100."""
    return launch(launch_month="2025-11-01", low=900, high=1500), sold(
        **FLAT, B=("2025-11-01", [50.0] * 3 + [110.0] * 9)
    )


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


# Cannibalisation


def steps(rate: float | None, parent: float, volume: float = 1200.0, **ends) -> tuple[pd.DataFrame, ...]:
    new = launch(launch_month="2027-01-01", volume_year_1=volume, cannibalises="A", cannibalised=rate)
    known = products({"product": "A", **ends} if ends else {})
    plan = launches.launch_plan(new, sold(**FLAT), known, AHEAD)
    base = pd.DataFrame({"month": AHEAD, "product": "A", "region": "ALL", "family": "F", "quantity": parent})
    return plan, base, launches.cannibalised_effects(plan, base, new, known)


@settings(max_examples=25, deadline=None)
@given(st.floats(0, 1), st.integers(0, 5_000))
def test_cannibalisation_conserves_volume(rate, volume):
    plan, base, taken = steps(rate, 1e6, volume)
    after = base.quantity.sum() + plan.quantity.sum() + taken.quantity.sum()
    assert after == pytest.approx(base.quantity.sum() + plan.quantity.sum() * (1 - rate))
    assert taken["left"].sum() == pytest.approx(0)


@settings(max_examples=25, deadline=None)
@given(st.floats(0, 1), st.floats(0, 200))
def test_a_parent_never_falls_below_zero_and_what_it_cannot_give_is_told(rate, parent):
    plan, base, taken = steps(rate, parent)
    both = pd.concat([base, taken], ignore_index=True).groupby(["month", "product", "region"])["quantity"].sum()
    assert (both >= -1e-9).all()
    assert taken["left"].sum() - taken["quantity"].sum() == pytest.approx(rate * plan.quantity.sum())


def test_two_launches_share_a_parent_that_is_too_small():
    rows = pd.DataFrame({"month": [AHEAD[2]] * 2, "product": ["B", "D"], "region": "ALL", "quantity": [100.0, 300.0]})
    rows["item"] = rows["product"]
    new = pd.DataFrame({"product": ["B", "D"], "cannibalises": "A", "cannibalised": 0.5})
    base = pd.DataFrame({"month": AHEAD, "product": "A", "region": "ALL", "quantity": 100.0})
    taken = launches.cannibalised_effects(rows, base, new, products()).set_index("item")
    assert taken["quantity"].tolist() == [-25, -75]
    assert taken["left"].tolist() == [25, 75]


def test_a_blank_rate_and_a_successor_take_nothing():
    assert steps(None, 100.0)[2].empty
    assert steps(0.5, 100.0, end_month="2026-12-01", successor="B")[2].empty
    assert len(steps(0.5, 100.0, end_month="2026-12-01", successor="C")[2])


def test_a_successor_takes_from_its_parent_until_that_ends():
    """A would sell 100 a month and ends in April; B starts in January with 100: until April it is the same demand."""
    ends = {"end_month": "2027-04-01", "successor": "B"}
    known, new = products({"product": "A", **ends}), launch(launch_month="2027-01-01")
    ready = reviewed(new, sold(**FLAT), known)
    assert ready[["cannibalises", "cannibalised", "taking_until"]].iloc[0].tolist() == [
        "A",
        1,
        pd.Timestamp("2027-04-01"),
    ]
    leaf = pd.DataFrame({"month": AHEAD, "product": "A", "region": "ALL", "family": "F", "forecast": 100.0})
    plan = demand.demand_plan(leaf, sold(**FLAT), known, tables.empty("events"), ready)
    assert plan.groupby("month")["quantity"].sum().tolist() == pytest.approx([100] * 24)
    told = life_cycle.cannibalised(plan, ready).iloc[0]
    assert (told["volume"], told["taken"], told["left"]) == (400, 400, 0)
    moved = life_cycle.cannibalised(plan, ready.assign(taking_until=pd.Timestamp("2026-12-01")))
    assert moved.empty
    stated = launch(launch_month="2027-01-01", cannibalises="A", cannibalised=0.5)
    assert reviewed(stated, sold(**FLAT), known)["cannibalised"].tolist() == [0.5]


def test_the_rate_of_past_launches_is_what_their_parents_lost_against_their_family():
    """C and the family grow by half; A would have sold 150 a month and sold 120: 30 of B's 60."""
    history = sold(
        A=("2023-11-01", [100.0] * 24 + [120.0] * 12), C=("2023-11-01", [100.0] * 24 + [150.0] * 12),
        B=("2025-11-01", [60.0] * 12),
    )  # fmt: skip
    old = launch(launch_month="2025-11-01", cannibalises="A")
    assert life_cycle.past_cannibalisation(old, history, products()) == pytest.approx(0.5)
    coming = launch(product="D", launch_month="2027-01-01", cannibalises="A")
    both = pd.concat([old, coming], ignore_index=True)
    assert reviewed(both, history, products())["cannibalised"].tolist() == pytest.approx([0, 0.5])
    ended = products({"product": "A", "end_month": "2026-12-01", "successor": "B"})
    assert np.isnan(life_cycle.past_cannibalisation(old, history, ended))


def test_what_a_parent_s_last_year_shows_is_not_taken_again():
    history = sold(**FLAT, B=("2026-08-01", [10.0] * 3))
    new = launch(cannibalises="A", cannibalised=0.4)
    assert reviewed(new, history, products())["cannibalised"].tolist() == pytest.approx([0.3])


# The end of life


def test_run_out_by_hand():
    known = products({"product": "A", "end_month": "2027-01-01"}, {"product": "B", "end_month": "2026-12-01"},
                     {"product": "C", "end_month": "2026-09-01", "successor": "D"})  # fmt: skip
    plan = pd.DataFrame({"month": [*AHEAD[:3]] * 2, "product": ["A"] * 3 + ["B"] * 3, "quantity": 100.0})
    closed = pd.Timestamp("2026-10-01")
    stock = pd.DataFrame({"month": closed, "product": list("AABC"), "on_hand": [100.0, 120, 150, 9]})
    stock["in_transit"] = [30.0, 0, np.nan, np.nan]
    out = life_cycle.run_out(known, plan, stock, sold(**FLAT)).set_index("product")
    assert out["stock"].tolist() == [250, 150, 9]
    assert out["demand"].tolist() == [300, 200, 0]
    assert out["left_over"].tolist() == [0, 0, 9]
    assert out["to_supply"].tolist() == [50, 50, 0]
    assert out["left_over_value"].tolist() == [0, 0, 54]
    assert out.loc[["A", "B"], "run_out_month"].tolist() == [AHEAD[2], AHEAD[1]]
    assert pd.isna(out.loc["C", "run_out_month"])
    assert life_cycle.run_out(products(), plan, stock, sold(**FLAT)).empty


def test_the_headline_tells_of_past_young_and_ending_products():
    new, history = past_launch()
    score = life_cycle.launch_scorecard(new, life_cycle.lived(new, history, products()), history)
    ready = reviewed(new, history, products())
    ending = pd.DataFrame({"left_over": [9.0], "left_over_value": [54.0]})
    said = life_cycle.headline(score, ready, ending, "EUR")
    assert said[0] == "B sold 1,140 in its first year against 1,200 planned (95%), inside its range."
    assert said[1].startswith("Launch of B is re-read after 12 months: ")
    assert said[2] == "Products that end leave 9 units worth EUR 54 at cost."
    assert life_cycle.headline(score.head(0), ready.head(0), ending.head(0), "EUR") == []


def test_what_launches_take_is_told_with_what_their_parents_could_not_give():
    plan, _, taken = steps(0.5, 20.0)
    both = [plan.assign(step="launch"), taken.assign(step="cannibalisation")]
    shown = life_cycle.cannibalised(
        pd.concat(both), launch(cannibalises="A", cannibalised=0.5).assign(taking_until=pd.NaT)
    ).iloc[0]
    assert (shown["volume"], shown["taken"], shown["left"]) == (2200, 22 * 20, 1100 - 22 * 20)


# The range in the paths


def test_paths_of_a_launch_have_its_range_and_replace_its_own():
    new = launch(launch_month="2026-11-01", low=600, high=2400)
    plan = launches.launch_plan(new, sold(**FLAT), products(), AHEAD).assign(step="launch")
    series = pd.DataFrame({"family": "F", "product": ["A", "B"], "region": "ALL"})
    ready = reviewed(new, sold(**FLAT), products())
    all_series, paths = life_cycle.in_paths(series, np.ones((500, 2, 24), dtype="float32"), plan, ready, AHEAD)
    assert all_series["product"].tolist() == ["A", "B"]
    assert (paths[:, 0] == 1).all()
    year = paths[:, 1, :12].sum(axis=1)
    assert np.quantile(year, [0.1, 0.5, 0.9]) == pytest.approx([600, 1200, 2400], rel=0.02)
    same = life_cycle.in_paths(series, paths, plan.head(0), ready, AHEAD)
    assert same[1] is paths


def test_paths_of_a_launch_in_a_region_leave_the_others_and_go_on_with_its_successor():
    history = sold(**FLAT).assign(region="South")
    ready = reviewed(launch(launch_month="2026-11-01", region="South"), history, products())
    series = pd.DataFrame({"family": "F", "product": ["B", "B", "C"], "region": ["North", "South", "South"]})
    known = products({"product": "B", "end_month": "2027-10-01", "successor": "C"})
    plan = launches.take_over(launches.launch_plan(ready, history, known, AHEAD), known, ready).assign(step="launch")
    found, paths = life_cycle.in_paths(series, np.ones((5, 3, 24), dtype="float32"), plan, ready, AHEAD)
    names = found.assign(total=paths[0].sum(axis=1))[["product", "region", "total"]].values.tolist()
    assert names == [["B", "North", 24], ["C", "South", 24], ["B", "South", 1200], ["C", "South", 1200]]


# The sample company


@pytest.fixture(scope="module")
def sample() -> tuple[pd.DataFrame, ...]:
    given_ = {name: pd.read_csv(SAMPLE / "inputs" / f"{name}.csv") for name in ("products", "sales", "launches")}
    known = tables.check("products", given_["products"])
    columns = tables.table("sales").names
    sales = tables.check("sales", given_["sales"].rename(columns=str)[[c for c in given_["sales"] if c in columns]])
    return known, histories.complete_history(sales, known, CYCLE), tables.check("launches", given_["launches"])


def test_the_launches_of_the_sample_are_inside_their_ranges(sample):
    known, history, new = sample
    truth = pd.read_csv(SAMPLE / "truth.csv")
    assert set(truth.loc[truth["cause"] == "launch", "key"]) == {"product=" + p for p in new["product"]}
    score = life_cycle.launch_scorecard(new, life_cycle.lived(new, history, known), history)
    score = score.set_index(["product", "after"])
    assert score.index.tolist() == [("FUR-09", 3), ("FUR-09", 6), ("FUR-09", 12), ("HEA-06", 3), ("HEA-06", 6)]
    assert score.loc[("FUR-09", 12), "inside"] == "yes"
    assert (score.loc["HEA-06", "inside"] == "yes").all()
    assert score.loc[("FUR-09", 12), "actual"] == pytest.approx(5274, rel=0.02)


def test_the_ramp_of_the_sample_is_the_one_that_was_made(sample):
    """A new product starts at 0.3 of its pace and gains 0.12 a month."""
    known, history, _ = sample
    ramps = launches.past_ramps(launches.chained(history, known, CYCLE))
    assert ramps["product"].unique().tolist() == ["FUR-09"]
    assert ramps["ramp"].tolist() == pytest.approx([0.30 + 0.12 * n for n in range(6)], abs=0.09)


def test_the_plan_of_the_sample_s_launch_is_drawn(sample):
    known, history, new = sample
    ready = reviewed(new, history, known)
    plan = launches.launch_plan(ready, launches.chained(history, known, CYCLE), known, AHEAD).assign(step="launch")
    ranges = life_cycle.launch_ranges(plan, new, ready, life_cycle.lived(new, history, known))
    year = ranges[ranges["product"] == "BBQ-08"][["low", "likely", "high"]].sum()
    assert year.tolist() == pytest.approx([5200, 7600, 10400])
    figure = demand_charts.launch_panels(ranges, "pieces")
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["FUR-09", "HEA-06", "BBQ-08"]
