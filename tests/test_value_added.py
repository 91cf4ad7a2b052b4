"""Value added of earlier forecasts: by hand, by its laws, on the sample beside truth.csv."""

from functools import cache

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sample_files import table, truth
from test_launches import products, sold

from sop_lib import history, streams, tables, value_added
from sop_lib.tables import ALL

NONE = {"past_plans": tables.empty("past_plans")}


def came() -> pd.DataFrame:
    return sold().assign(unconstrained=lambda d: d["cleansed"])


def past(stream: str, cycle: str, quantity: list[float]) -> pd.DataFrame:
    months = pd.date_range(cycle, periods=len(quantity), freq="MS")
    rows = pd.DataFrame(
        {"cycle": cycle, "stream": stream, "measure": "demand", "month": months, "family": "F", "quantity": quantity}
    )
    return tables.check("past_plans", rows)


def test_value_added_by_hand():
    """Demand is 30 in summer and 10 in winter, both years alike, so that the naive is right: WAPE 0."""
    plans = pd.concat([past("sales", "2026-08-01", [60.0, 60.0]), past("statistical", "2026-08-01", [30.0, 33.0])])
    found = value_added.value_added(plans, came(), products()).set_index(["stream", "lag"])
    assert found.wape["sales", 1] == pytest.approx(1.0)
    assert found.bias["sales", 0] == pytest.approx(1.0)
    assert found.wape["statistical", 0] == pytest.approx(3 / 60)
    assert found.wape["seasonal naive", 0] == 0
    assert found.value_added["sales", 2] == pytest.approx(-1.0)
    assert found.n["sales", 0] == 2


def test_value_added_compares_matched_months_only_and_never_a_month_to_come():
    plans = pd.concat([past("sales", "2026-10-01", [40.0, 40.0, 40.0]), past("statistical", "2026-10-01", [40.0])])
    found = value_added.value_added(plans, came(), products())
    assert found[found.lag == 0].n.tolist() == [1, 1, 1]
    assert value_added.value_added(NONE["past_plans"], came(), products()).empty


def told(*wapes: float) -> pd.DataFrame:
    """Return plans of one month a cycle, of a demand of 100, each stream off by so much of it."""
    when = pd.date_range("2026-01-01", periods=10, freq="MS")
    names = ["statistical", "customer", "sales", "consensus"]
    rows = [
        {"cycle": m, "stream": name, "measure": "demand", "month": m, "family": "F", "quantity": 100 * (1 + off)}
        for m in when
        for name, off in zip(names, wapes, strict=False)
    ]
    return tables.check("past_plans", pd.DataFrame(rows))


def hundred() -> pd.DataFrame:
    months = pd.date_range("2024-01-01", "2026-10-01", freq="MS")
    rows = pd.DataFrame({"month": months, "product": "A", "region": ALL, "family": "F"})
    return rows.assign(cleansed=100.0, unconstrained=100.0)


def test_the_example_of_the_ibf_forty_to_thirty_eight_per_cent_is_two_points():
    """FEATURES section 3, formula 6: an error of 40 % that a step brings to 38 % is worth +2 points."""
    found = value_added.value_added(told(0.40, 0.38), hundred(), products())
    stair = value_added.stair(found, 1).set_index("stream")
    assert stair.value_added_step["customer"] == pytest.approx(0.02)
    assert stair.value_added["customer"] == pytest.approx(-0.38)


def test_streams_stand_in_the_stated_order():
    found = value_added.value_added(told(0.4, 0.3, 0.2, 0.1), hundred(), products())
    order = ["seasonal naive", "statistical", "customer", "sales", "consensus"]
    assert value_added.stair(found, 0)["stream"].tolist() == order
    assert found["level"].unique().tolist() == ["family"]
    assert list(value_added.wape_by_lag(found)) == ["lag", *order, "n"]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(-0.9, 3), min_size=1, max_size=4))
def test_steps_sum_to_the_first_less_the_last(offs):
    found = value_added.value_added(told(*offs), hundred(), products())
    assert len(tables.check("value_added", found.assign(cycle=pd.Timestamp("2026-11-01")))) == len(found)
    for _, rows in found.groupby("lag"):
        assert rows["value_added_step"].sum() == pytest.approx(rows["wape"].iloc[0] - rows["wape"].iloc[-1])


def test_a_stream_that_leans_one_way_is_named_and_one_that_does_not_is_not():
    said = value_added.biased_sentence(told(0.0, 0.02, 0.1, 0.03), hundred(), products())
    assert said.startswith("sales forecast 10% more than came, the same way in 10 of 10 cycles, and 10% more than the")
    swings = told(0.0, 0.1)
    swings["quantity"] = np.where(swings["cycle"].dt.month % 2, 90.0, 110.0)
    assert "No stream leaned" in value_added.biased_sentence(swings, hundred(), products())
    assert "No stream leaned" in value_added.biased_sentence(told(0.0, 0.1).head(6), hundred(), products())


# Streams of a part


def two_by_two() -> pd.DataFrame:
    """Return A selling 40 and B 10 a month in each of two regions: a family of 100."""
    months = pd.date_range("2024-01-01", "2026-10-01", freq="MS")
    cells = [(p, r, q) for p, q in (("A", 40.0), ("B", 10.0)) for r in ("N", "S")]
    rows = pd.DataFrame(cells, columns=["product", "region", "unconstrained"]).assign(family="F")
    return rows.merge(pd.DataFrame({"month": months}), how="cross").assign(cleansed=lambda d: d["unconstrained"])


BOTH = pd.DataFrame({"product": ["A", "B"], "family": "F"})


def year_of(stream: str, *cells: tuple[str, str, float], cycles: int = 12) -> pd.DataFrame:
    """Return what a stream said in each of the last cycles of its second month, by product and region."""
    when = pd.DataFrame({"cycle": pd.date_range("2025-10-01", periods=12, freq="MS")[-cycles:]})
    rows = pd.DataFrame(cells, columns=["product", "region", "quantity"]).merge(when, how="cross")
    rows = rows.assign(stream=stream, measure="demand", month=rows["cycle"] + pd.DateOffset(months=1), family="F")
    return tables.check("past_plans", rows)


WHOLE = year_of("statistical", (ALL, ALL, 120.0))
SALES = year_of("sales", (ALL, ALL, 110.0))


def judged(*plans: pd.DataFrame) -> pd.DataFrame:
    found = value_added.record(pd.concat(plans), two_by_two(), BOTH)
    return streams.beside_base(found, streams.BEFORE).set_index("stream")


def test_a_stream_of_one_product_is_judged_on_that_product():
    plans = [WHOLE, year_of("customer", ("B", ALL, 20.0))]
    found = value_added.record(pd.concat(plans), two_by_two(), BOTH)
    mine = found[found["stream"] == "customer"]
    assert (mine["forecast"] == mine["actual"]).all()
    assert set(mine["regions"]) == {("B · ALL",)}
    assert "No stream leaned" in value_added.biased_sentence(pd.concat(plans), two_by_two(), BOTH)
    assert judged(*plans).empty  # the statistical plan was not given by product: nothing to compare with
    finely = year_of("statistical", ("A", ALL, 90.0), ("B", ALL, 30.0))
    (row,) = judged(finely, plans[1]).drop_duplicates(["forecast", "base", "actual"]).to_dict("records")
    assert (row["forecast"], row["base"], row["actual"]) == (20.0, 30.0, 20.0)


def test_a_stream_by_product_that_names_all_that_sold_speaks_of_the_family():
    cells = [("A", "N", 44.0), ("B", "N", 11.0), ("A", "S", 44.0)]
    partial = judged(WHOLE, year_of("customer", *cells))
    assert partial.empty
    whole = judged(WHOLE, year_of("customer", *cells, ("B", "S", 11.0)))
    assert whole[["forecast", "base", "actual"]].drop_duplicates().values.tolist() == [[110.0, 120.0, 100.0]]
    assert set(whole["regions"]) == {(ALL,)}


def test_a_stream_of_one_region_has_a_record_where_the_plan_is_by_region_and_no_other_stream_waits_for_it():
    north = year_of("customer", (ALL, "N", 50.0))
    alone = value_added.value_added(pd.concat([WHOLE, SALES]), two_by_two(), BOTH)
    assert len(alone) == 6
    pd.testing.assert_frame_equal(value_added.value_added(pd.concat([WHOLE, SALES, north]), two_by_two(), BOTH), alone)
    assert "customer" not in judged(WHOLE, SALES, north).index
    finely = year_of("statistical", (ALL, "N", 54.0), (ALL, "S", 66.0))
    rows = judged(finely, SALES, north)
    assert rows.loc["customer", ["forecast", "base", "actual"]].drop_duplicates().values.tolist() == [
        [50.0, 54.0, 50.0]
    ]
    assert rows.loc["sales", "base"].unique().tolist() == [120.0]
    pd.testing.assert_frame_equal(value_added.value_added(pd.concat([finely, SALES, north]), two_by_two(), BOTH), alone)


@pytest.mark.parametrize(("cycles", "waits"), [(5, True), (6, False)])
def test_a_stream_of_less_than_half_the_cycles_waits(cycles, waits):
    late = year_of("customer", (ALL, ALL, 100.0), cycles=cycles)
    found = value_added.value_added(pd.concat([WHOLE, late]), two_by_two(), BOTH)
    assert ("customer" not in set(found["stream"])) == waits
    assert set(found["n"]) == {12 if waits else 6}


@pytest.mark.parametrize(("cycle", "lag", "then"), [("2025-07", 12, "2025-06"), ("2025-06", 13, "2024-06")])
def test_the_seasonal_naive_knows_no_month_from_its_cycle_on(cycle, lag, then):
    """The demand of each month is unlike all others: 202506 in June 2025."""
    number = hundred()["month"].dt.strftime("%Y%m").astype(float)
    rising = hundred().assign(unconstrained=number)
    plan = past("sales", f"{cycle}-01", [1.0]).assign(month=pd.Timestamp("2026-06-01"))
    found = value_added.value_added(plan, rising, products()).set_index(["stream", "lag"])
    assert found.wape["seasonal naive", lag] == pytest.approx(1 - float(then.replace("-", "")) / 202606)


# The sample


@cache
def panel() -> pd.DataFrame:
    found = history.complete_history(table("sales"), table("products"), pd.Timestamp("2026-11-01"))
    return found.assign(unconstrained=found["cleansed"])


def test_on_the_sample_the_biased_stream_is_named_with_the_injected_bias():
    injected_rows = truth()
    (injected,) = injected_rows[injected_rows["cause"] == "always optimistic"].to_dict("records")
    said = value_added.biased_sentence(table("past_plans"), panel(), table("products"))
    assert said.startswith(injected["key"].removeprefix("stream="))
    assert f"{injected['quantity']:.0%} more than the statistical forecast" in said


def test_the_engine_replayed_looks_at_no_month_after_its_cycle():
    plans = told(0.1)
    wave = hundred().assign(cleansed=lambda d: 100.0 + 10 * (d["month"].dt.month % 5) + np.arange(len(d)))
    later = wave.assign(cleansed=wave["cleansed"].where(wave["month"] < "2026-06-01", 999.0))
    found = [value_added.replayed(plans, h, products(), lag=2) for h in (wave, later)]
    early = [rows[rows["cycle"] <= "2026-06-01"].reset_index(drop=True) for rows in found]
    assert len(early[0]) == 6
    pd.testing.assert_frame_equal(*early)
    both = value_added.value_added(plans, wave, products(), found[0])
    assert value_added.ENGINE in set(both.loc[both["level"] == "family, beside the engine", "stream"])
    assert value_added.replayed(NONE["past_plans"], wave, products(), lag=2).empty
