"""Products that end and what is left of them, launches in the sample paths, and the sample's launches."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from launch_cases import AHEAD, CYCLE, FLAT, launch, past_launch, products, reviewed, sold, steps

from sop_lib import demand_charts, launches, life_cycle, tables
from sop_lib import history as histories

SAMPLE = Path(__file__).parent.parent / "data" / "sample"


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
