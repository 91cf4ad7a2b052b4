"""Advice on overrides: by hand, and on the sample's ledger replayed out of sample."""

import numpy as np
import pandas as pd
import pytest
from sample_files import table
from test_overrides_plan import CYCLE, PRODUCTS, book, plan
from test_value_added import panel

from sop_lib import advice, months, overrides, streams, tables, value_added

HORIZON = months.month_range(CYCLE, 24)
NOISE = pd.Series({"Alpha": 0.10, "Beta": 0.10})
NONE = streams.Consensus(
    plan(), tables.empty("demand_streams"), pd.DataFrame(columns=["stream", "weight", "why", "state"]), []
)


def ledger(changed: list[float], actual: list[float]) -> pd.DataFrame:
    """Return consensus against statistical forecasts of 100 at lag 2, one month each, and what came."""
    when = pd.date_range("2024-01-01", periods=len(changed), freq="MS")
    rows = pd.DataFrame({"cycle": when, "month": when + pd.DateOffset(months=1), "family": "Alpha", "lag": 2})
    rows = rows.assign(regions=[("ALL",)] * len(rows), actual=actual)
    parts = [rows.assign(stream="consensus", forecast=changed), rows.assign(stream="statistical", forecast=100.0)]
    return pd.concat(parts, ignore_index=True)


def advised(record: pd.DataFrame, *records: dict) -> pd.DataFrame:
    kept = book(*records)
    forced = overrides.with_overrides(plan(), kept, CYCLE, PRODUCTS)
    found = advice.override_advice(forced, kept, NONE, record, NOISE, lag=2, horizon=HORIZON)
    return tables.check("override_advice", found.assign(cycle=CYCLE))


UP = {"product": "A1", "kind": "percent", "value": 30}


@pytest.mark.parametrize(
    ("needed", "verdict", "factor"), [(130.0, "accept", 1.0), (115.0, "damp", 0.5), (95.0, "drop", 0.0)]
)
def test_an_upward_change_is_judged_by_what_was_needed_before(needed, verdict, factor):
    row = advised(ledger([130.0] * 12, [needed] * 12), UP).iloc[0]
    assert (row["advice"], row["n"]) == (verdict, 12)
    assert row["factor"] == pytest.approx(factor)
    assert (row["change"], row["rate"]) == (pytest.approx(12.0), pytest.approx(0.3))


def test_the_evidence_is_said_in_words():
    row = advised(ledger([130.0] * 12, [95.0] * 12), UP).iloc[0]
    assert row["helped"] == 0
    assert row["value_added"] == pytest.approx(-30 / 95)
    assert row["evidence"] == (
        "Of 12 earlier changes like it by planners (upward, beyond the noise), 0% brought the forecast closer; "
        "together they lost 31.6 points of WAPE, and of each 100 units changed 0 were needed."
    )


def test_without_a_record_an_override_is_accepted_and_will_be_judged():
    for record in (ledger([130.0] * 11, [95.0] * 11), ledger([], [])):
        row = advised(record, UP).iloc[0]
        assert (row["advice"], row["factor"]) == ("accept", 1.0)
        assert row["evidence"].startswith("No record yet")
    assert advised(ledger([130.0] * 12, [95.0] * 12), UP | {"value": -30}).iloc[0]["advice"] == "accept"


@pytest.mark.parametrize(
    ("record", "flags"),
    [
        ({"kind": "percent", "value": 7, "to_month": "2028-10"}, "flat percentage over all its months"),
        ({"kind": "percent", "value": 10}, "round number"),
        ({"kind": "absolute", "value": 500}, "round number"),
        ({"kind": "absolute", "value": 512}, ""),
        ({"kind": "absolute", "value": 500, "driver": "price"}, ""),
        ({"kind": "percent", "value": 10, "to_month": "2028-10", "assumption": "A-3"}, ""),
    ],
)
def test_what_looks_arbitrary_is_flagged_and_never_blocked(record, flags):
    row = advised(ledger([], []), {"product": "A1"} | record).iloc[0]
    assert (row["flags"] or "") == (f"{flags}, without a driver or assumption" if flags else "")
    assert row["advice"] == "accept"


def test_a_target_is_no_stream_to_advise_on():
    views = pd.DataFrame({"stream": ["sales", "finance"], "family": "Alpha", "quantity": 120.0, "statistical": 100.0})
    states = pd.DataFrame({"stream": ["sales", "finance"], "state": ["none", "budget"]})
    agreed = streams.Consensus(plan(), views, states, [])
    none = tables.empty("overrides")
    found = advice.override_advice(plan(), none, agreed, ledger([], []), NOISE, lag=2, horizon=HORIZON)
    assert found[["kind", "id", "change"]].values.tolist() == [["stream", "sales", 20.0]]


@pytest.mark.parametrize("part", [0.0, 0.2, 0.5, 0.8, 1.0])
def test_following_the_advice_is_no_worse_than_the_better_of_change_and_no_change(part):
    """Of each change of 40 the same part was needed: 12 closed months of record, and three cycles that follow it."""
    (row,) = advice.guarded(ledger([140.0] * 16, [100.0 + 40 * part] * 16), 2).to_dict("records")
    assert row["guarded"] <= min(row["statistical"], row["as_given"]) + 1e-9
    assert row["n"] == 3


def test_on_the_sample_the_guarded_sales_stream_is_no_worse_than_either():
    record = value_added.record(table("past_plans"), panel(), table("products"))
    found = advice.guarded(record, 2).set_index("stream")
    assert found.loc["sales", "guarded"] <= found.loc["sales", "statistical"] + 1e-12
    assert found.loc["sales", "guarded"] < found.loc["sales", "as_given"]
    assert found.loc["consensus", "guarded"] < found.loc["consensus", "as_given"]
    assert found.loc["sales", "n"] > 50
    assert "sales" in advice.guard_sentence(advice.guarded(record, 2), 2)


def test_planners_are_judged_by_what_they_changed_after_events_and_streams():
    """The plan before them was 130 already: that they left it so is no change, and no record."""
    record = ledger([130.0] * 12, [130.0] * 12)
    before = record[record["stream"] == "statistical"].assign(stream="with streams", forecast=130.0)
    row = advised(pd.concat([record, before], ignore_index=True), UP).iloc[0]
    assert row["n"] == 0
    lower = pd.concat([record, before.assign(forecast=120.0)], ignore_index=True)
    assert advised(lower, UP).iloc[0]["n"] == 12


def test_without_a_record_nothing_is_said_of_the_advice():
    found = advice.guarded(ledger([], []), 2)
    assert found.empty
    assert advice.guard_sentence(found, 2).startswith("There is no record")


def test_no_month_of_the_cycle_or_later_is_looked_at():
    """Cycle 14 knows 12 closed months alike, whose changes were useless; what came from then on is no part of it."""
    useless = ledger([130.0] * 14, [95.0] * 14)
    known = useless["month"] < useless["cycle"].max()
    assert useless.loc[known, "cycle"].nunique() == 12
    ever = useless.assign(actual=useless["actual"].where(known, 130.0))
    last, other = (advice.guarded(rows, 2).iloc[0] for rows in (useless, ever))
    assert (last["n"], other["n"]) == (1, 1)
    assert last["guarded"] == pytest.approx(5 / 95)
    assert other["guarded"] == other["statistical"] == pytest.approx(30 / 130)  # dropped still: it could not know


def test_what_never_sold_has_no_rate_and_is_no_record_to_tell_of():
    found = advice.guarded(ledger([130.0] * 25, [100.0] * 12 + [0.0] * 13), 2)
    assert found["n"].tolist() == [12]
    nothing = found.assign(as_given=np.nan, guarded=np.nan, statistical=np.nan)
    assert advice.guard_sentence(nothing, 2).startswith("There is no record")
