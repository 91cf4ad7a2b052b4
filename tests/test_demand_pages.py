"""Sections of the demand review: what they say when there is little to show, and that names cannot break them."""

import pandas as pd

from sop_lib import demand_pages, tables
from sop_lib.streams import Consensus

MONTHS = pd.date_range("2026-11-01", periods=3, freq="MS", unit="ns")


def plan(**steps):
    rows = [pd.DataFrame({"month": MONTHS, "step": step, "quantity": units}) for step, units in steps.items()]
    named = {"product": "A", "region": "ALL", "family": "F", "item": "<b>deal</b>", "reason": "=1+1|<i>"}
    return pd.concat(rows, ignore_index=True).assign(**named)


def agreed(remarks, weights=0):
    none = pd.DataFrame({"stream": ["sales"] * weights})
    return Consensus(pd.DataFrame(), tables.empty("demand_streams"), none, remarks)


def test_a_plan_of_the_baseline_alone_needs_no_picture():
    told = demand_pages.stack(plan(baseline=100.0), "pieces").data
    assert "nothing stands on it" in told
    assert "<svg" not in told
    assert "<figure" not in told


def test_the_stack_adds_up_and_escapes_what_people_wrote():
    told = demand_pages.stack(plan(baseline=100.0, event=5.0), "pieces").data
    assert "event +15" in told
    assert "315" in told
    assert "&lt;b&gt;deal&lt;/b&gt;" in told
    assert "<b>deal" not in told


def test_streams_set_aside_are_told_also_when_none_is_left():
    assert "2 rows were set aside" in demand_pages.views(agreed(["2 rows were set aside"]), "pieces").data
    assert "demand_inputs" in demand_pages.views(agreed([]), "pieces").data


def test_targets_of_unlike_units_are_not_said_to_be_missing():
    none = pd.DataFrame({"month": MONTHS, "budget": None, "forecast": 1.0, "low": 0.5, "high": 2.0, "stretch": None})
    assert "unlike units" in demand_pages.aims(none, "").data
    assert "budget" in demand_pages.aims(none, "pieces").data


def test_a_company_without_launches_is_told_what_they_would_unlock():
    told = demand_pages.life([], pd.DataFrame(), "pieces", {"run_out": ("Products that end", pd.DataFrame())}).data
    assert "launches" in told
    assert "None." not in told
