"""Which lane is late, and which is noise: by hand, by chance, and on the sample beside truth.csv."""

import re

import numpy as np
import pandas as pd
import pytest
import sample_files
from shipments_by_hand import CYCLE

from sop_lib import flows


def sample() -> pd.DataFrame:
    read = sample_files.table
    return flows.flows(read("shipments"), read("products"), read("families"), CYCLE)


def test_the_late_leg_of_the_sample_is_found_and_no_other():
    said = sample_files.truth().query("cause == 'late leg'").iloc[0]
    (found,) = flows.late_lanes(sample()).to_dict("records")
    assert said["key"] == f"leg={found['leg']} · to={found['to']}"
    assert (found["since"], found["at_least"]) == (said["from_month"], True)
    kept = 1 - found["others"]  # the injected share is of what else would have come in time
    assert found["excess"] / kept == pytest.approx(said["quantity"], abs=0.02)
    (sentence,) = flows.late_sentences(sample())
    assert sentence.startswith("DC South → East (dc-customer) is late: 41% of 1,532 deliveries missed the promised day")
    assert "since at least Nov 2025, 10% on the leg's other lanes" in sentence


def lateness(rates: list[list[float]], number: int = 100, seed: int = 0) -> pd.DataFrame:
    """Return flows of one leg, a list of monthly rates of late deliveries per lane."""
    rng, rows = np.random.default_rng(seed), []
    for lane, each in enumerate(rates):
        for month, rate in zip(pd.date_range("2025-11-01", periods=len(each), freq="MS"), each, strict=True):
            rows.append((month, "leg", "DC", f"R{lane}", number, number, rng.binomial(number, rate), 0, 0, 3.0, 2.0))
    columns = ["month", "leg", "from", "to", "deliveries", "judged", "late", "on_the_way", "left_out",
               "transit_days", "late_days"]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)


def test_a_lane_that_turned_late_is_named_with_its_month():
    found = flows.late_lanes(lateness([[0.1] * 12, [0.1] * 7 + [0.4] * 5, [0.1] * 12]))
    assert found[["to", "since", "at_least"]].to_numpy().tolist() == [["R1", pd.Timestamp("2026-06-01"), False]]


def test_a_lane_that_was_late_all_the_year_may_have_been_so_for_longer():
    for months in (12, 20, 36):
        flow = lateness([[0.1] * months, [0.45] * months, [0.1] * months])
        (found,) = flows.late_lanes(flow).to_dict("records")
        assert found["at_least"]
        assert found["since"] == flow["month"].max() - pd.DateOffset(months=11)
        assert f"since at least {found['since']:%b %Y}, " in flows.late_sentences(flow)[0]


def test_a_lane_that_is_late_since_it_is_used_is_late_since_then():
    flow = lateness([[0.1] * 12, [0.45] * 12, [0.1] * 12])
    flow = flow[(flow["to"] != "R1") | (flow["month"] >= "2026-03-01")]
    assert flows.late_lanes(flow)[["since", "at_least"]].to_numpy().tolist() == [[pd.Timestamp("2026-03-01"), True]]


def test_a_late_lane_by_hand_in_any_order_of_rows():
    flow = lateness([[0.0] * 4] * 3)
    flow["late"] = [10, 10, 10, 10, 60, 40, 50, 50, 0, 10, 0, 10]
    (found,) = flows.late_lanes(flow.sample(frac=1, random_state=1)).to_dict("records")
    told = [found[c] for c in ("to", "late", "judged", "rate", "others", "excess")]
    assert told == ["R1", 200, 400, 0.5, 60 / 800, 0.5 - 60 / 800]
    again = flows.late_sentences(flow, late=flows.late_lanes(flow))
    assert again == flows.late_sentences(flow)


def test_two_late_lanes_are_both_named_the_latest_first():
    found = flows.late_lanes(lateness([[0.05] * 12, [0.3] * 12, [0.05] * 12, [0.5] * 12]))
    assert found["to"].tolist() == ["R3", "R1"]


def test_a_burst_of_one_month_a_lane_that_recovered_and_a_lane_alone_are_not_named():
    assert flows.late_lanes(lateness([[0.1] * 12, [0.1] * 6 + [0.9] + [0.1] * 5, [0.1] * 12])).empty
    assert flows.late_lanes(lateness([[0.1] * 12, [0.4] * 2 + [0.1] * 10, [0.1] * 12])).empty
    assert flows.late_lanes(lateness([[0.9] * 12])).empty


def test_noise_is_not_called_late():
    """Of 60 companies of alike lanes, with lateness in bursts in two of three, at most one names a lane."""
    named = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        burst = (0, 20, 5)[seed % 3]
        rates = [list(rng.beta(0.1 * burst, 0.9 * burst, 12)) if burst else [0.1] * 12 for _ in range(4)]
        named += len(flows.late_lanes(lateness(rates, number=(20, 120)[seed % 2], seed=seed))) > 0
    assert named <= 1


def test_where_none_is_late_the_year_is_told():
    (said,) = flows.late_sentences(lateness([[0.1] * 12, [0.1] * 12]))
    assert re.fullmatch(r"No lane is later .*: \d+\.\d% of 2,400 deliveries of the last year missed the .*\.", said)
