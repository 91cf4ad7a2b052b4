import numpy as np
import pandas as pd

from sop_lib import load_review, supply_charts
from sop_lib.supply_tables import empty


def load() -> pd.DataFrame:
    """A press that has shown 100 hours of 120, cut to 40 in the third month; an oven that nobody measured."""
    months = pd.date_range("2026-11-01", periods=4, freq="MS")
    press = pd.DataFrame({
        "month": months, "plant": "Tarn", "resource": "press", "unit": "hours", "load": [84.0, 96.0, 40.0, 101.0],
        "capacity": [110.0, 110.0, 30.0, 110.0], "overtime": 10.0, "demonstrated": 100.0,
        "unconstrained": [80.0, 90.0, 88.0, 110.0],
    })  # fmt: skip
    oven = press.assign(resource="oven", load=50.0, capacity=100.0, demonstrated=np.nan, unconstrained=50.0)
    return pd.concat([press, oven])


def test_proven_is_what_was_shown_and_never_more_than_there_is():
    rows = load_review.shares(load()).set_index(["resource", "month"])
    assert rows.loc["Tarn · press", "proven"].tolist() == [100, 100, 40, 100]
    assert rows.loc["Tarn · oven", "proven"].tolist() == [110] * 4
    assert rows.loc["Tarn · press", "plan"].tolist() == [0.84, 0.96, 1.0, 1.01]
    assert rows.loc["Tarn · press", "demand"].tolist() == [0.8, 0.9, 2.2, 1.1]


def test_counts_the_months_beyond_each_level():
    press = load_review.tight(load()).set_index("resource").loc["Tarn · press"]
    assert press[["plan_watch", "plan_tight", "plan_over"]].tolist() == [3, 3, 1]
    assert press[["demand_watch", "demand_tight", "demand_over"]].tolist() == [3, 2, 2]
    assert press["first_over"] == pd.Timestamp("2027-01-01")
    assert press["highest"] == 1.01


def test_says_which_resource_is_loaded_most():
    told = load_review.load_sentence(load())
    assert (
        told == "The plan loads Tarn · press most: 101% of what it has shown at its peak, above 95% in 3 of 4 months."
    )


def test_nothing_planned_says_nothing():
    none = empty("resource_load")
    assert load_review.load_sentence(none) == ""
    assert load_review.tight(none).empty


def test_load_on_nothing_is_over():
    none = load().assign(capacity=lambda t: t["capacity"].where(t["month"] < "2027-02-01", 0.0))
    none = none.assign(overtime=0.0, load=none["load"].where(none["capacity"] > 0, 0.0))
    rows = load_review.shares(none).set_index(["resource", "month"]).loc["Tarn · oven"]
    assert rows["demand"].tolist() == [0.5, 0.5, 0.5, np.inf]
    assert np.isnan(rows["plan"].iloc[-1])  # neither load nor capacity
    oven = load_review.tight(none).set_index("resource").loc["Tarn · oven"]
    assert oven["demand_over"] == 1
    assert oven["first_over"] == pd.Timestamp("2027-02-01")
    assert "no capacity at all" in load_review.load_sentence(none.assign(load=1.0))


def test_nothing_left_is_said():
    none = load().assign(capacity=0.0, overtime=0.0, load=0.0)
    told = "The plan loads nothing: no resource has capacity"
    assert load_review.load_sentence(none) == f"{told}, and demand would load Tarn · oven from Nov 2026."
    assert load_review.load_sentence(none.assign(capacity=np.nan, demonstrated=np.nan)) == f"{told} that is known."
    assert load_review.load_sentence(none.assign(unconstrained=0.0)) == f"{told} that is known."


def test_load_on_nothing_is_drawn_beyond_every_level():
    none = load().assign(capacity=0.0, overtime=0.0)
    (ax,) = supply_charts.load_grid(load_review.shares(none), load_review.LEVELS).axes
    assert {t.get_text() for t in ax.texts} == {"∞"}
    assert {t.get_color() for t in ax.texts} == {"white"}
