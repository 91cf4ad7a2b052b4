"""Figures of the demand plan in its context draw what they are given, names with markup too."""

import pandas as pd

from sop_lib import demand_charts

MONTHS = pd.date_range("2026-11-01", periods=3, freq="MS")


def plan(*steps: str) -> pd.DataFrame:
    parts = [pd.DataFrame({"month": MONTHS, "family": "F", "step": s, "quantity": q}) for q, s in enumerate(steps, 5)]
    return pd.concat(parts, ignore_index=True)


def test_the_stack_names_the_steps_it_has_and_no_other():
    figure = demand_charts.plan_stack(plan("baseline", "cannibalisation", "override"), "pieces")
    legend = figure.axes[1].get_legend()
    assert [text.get_text() for text in legend.get_texts()] == ["cannibalisation", "override"]
    assert demand_charts.plan_stack(plan("baseline"), "pieces").axes[1].get_legend() is None


def test_bars_below_zero_stand_below_those_above():
    rows = plan("baseline", "event", "cannibalisation")
    rows.loc[rows["step"] == "cannibalisation", "quantity"] = -4.0
    low, high = demand_charts.plan_stack(rows, "pieces").axes[1].get_ylim()
    assert low < 0 < high


def test_targets_without_a_stretch_draw_two_lines():
    rows = pd.DataFrame({"month": MONTHS, "budget": 9.0, "forecast": 10.0, "low": 8.0, "high": 12.0})
    labels = {
        t.get_text() for t in demand_charts.target_lines(rows.assign(stretch=float("nan")), "pieces").axes[0].texts
    }
    assert labels == {"budget", "forecast"}


def test_the_stair_writes_what_each_step_won_or_lost():
    steps = pd.DataFrame({"stream": ["seasonal naive", "<b>$ales$"], "wape": [0.1, 0.12]})
    figure = demand_charts.stair(steps.assign(value_added_step=[float("nan"), -0.02]))
    assert [t.get_text() for t in figure.axes[0].texts] == ["10.0 %  ", "12.0 %  −2.0 points"]
