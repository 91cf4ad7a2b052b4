"""Streams and the consensus: by hand, by their laws, and what is wrong with a stream in words."""

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from workbook_edits import add, problems, read

from sop_lib import months, streams, tables

CYCLE = months.month("2026-11")
AHEAD = months.month_range(CYCLE, 3)
CELLS = [("A1", "North", 30.0), ("A1", "South", 10.0), ("A2", "North", 20.0), ("A2", "South", 40.0)]
FAMILY = {"month": AHEAD[0], "family": "Alpha"}


def plan(cells=CELLS) -> pd.DataFrame:
    rows = pd.DataFrame(cells, columns=["product", "region", "quantity"]).assign(family="Alpha", step="baseline")
    rows = rows.merge(pd.DataFrame({"month": AHEAD}), how="cross").assign(item="ALL", author=None, reason=None)
    return rows[["month", "product", "region", "step", "item", "family", "quantity", "author", "reason"]]


def brought(*rows: dict) -> pd.DataFrame:
    given_ = {"cycle": CYCLE, "stream": "sales", "month": AHEAD[0], "family": "Alpha", "author": "Sales director"}
    return tables.check("demand_inputs", pd.DataFrame([given_ | {"reason": "a feeling"} | row for row in rows]))


def record(stream: float = 110.0, statistical: float = 120.0, count: int = 12) -> pd.DataFrame:
    """Return forecasts at lag 2 of a demand of 100."""
    when = pd.date_range("2025-01-01", periods=count, freq="MS")
    rows = pd.DataFrame({"cycle": when, "month": when + pd.DateOffset(months=1), "family": "Alpha", "lag": 2})
    parts = [rows.assign(stream=n, forecast=q) for n, q in (("sales", stream), ("statistical", statistical))]
    return pd.concat(parts, ignore_index=True).assign(regions=[("ALL",)] * 2 * count, actual=100.0)


def aims(quantity: float = 77.0) -> pd.DataFrame:
    return pd.DataFrame({"month": AHEAD, "family": "Alpha", "region": "ALL", "quantity": quantity})


def agreed(rows, *, history=None, rule="weighted", budget=None, base=None) -> streams.Consensus:
    known = record() if history is None else history
    aim = aims() if budget is None else budget
    return streams.consensus(plan() if base is None else base, rows, known, aim, cycle=CYCLE, lag=2, rule=rule)


def test_a_stream_is_weighed_by_its_own_record_by_hand():
    """Errors of 10 and 20: squares of 1 to 4, so that sales weighs 4 of 5, and its 200 for a plan of 100 adds 80."""
    found = agreed(brought({"quantity": 200.0}))
    assert found.weights.loc[0, "weight"] == pytest.approx(0.8)
    assert found.weights.loc[0, "why"].startswith("missed by 10.0% at lag 2, the statistical forecast by 20.0%, in 12")
    rows = found.plan[found.plan["step"] == "stream"].set_index(["product", "region"])
    assert rows["quantity"].round(9).to_dict() == {
        ("A1", "North"): 24.0, ("A1", "South"): 8.0, ("A2", "North"): 16.0, ("A2", "South"): 32.0,
    }  # fmt: skip
    assert set(rows["item"]) == {"sales"}
    assert set(rows["author"]) == {"Sales director"}
    assert rows["reason"].str.startswith("weight 80 %: missed by").all()
    view = tables.check("demand_streams", found.streams.assign(cycle=CYCLE)).loc[0]
    assert (view["quantity"], view["statistical"], view["spread"], view["region"]) == (200.0, 100.0, 100.0, "ALL")
    assert len(tables.check("demand_plan", found.plan.assign(cycle=CYCLE))) == len(found.plan)


@pytest.mark.parametrize(
    ("quantity", "history", "budget", "why"),
    [
        (120.0, record(count=11), aims(), "no record: 11 earlier forecasts at lag 2"),
        (120.0, record().head(0), aims(), "no record: 0 earlier forecasts"),
        (120.0, record(stream=130.0), aims(), "missed by 30.0% at lag 2, the statistical forecast by 20.0%"),
        (120.0, record(), aims(120.3), "equal to the budget in 100% of its months: a target, not a forecast"),
        (1200.0, record(), aims(), "its numbers are 12 times the statistical plan's: another unit?"),
        (20.0, record(), aims(), "its numbers are 0.2 times the statistical plan's: another unit?"),
    ],
)
def test_a_stream_that_cannot_be_trusted_weighs_nothing_and_says_why(quantity, history, budget, why):
    found = agreed(brought({"quantity": quantity}), history=history, budget=budget)
    assert found.weights["weight"].tolist() == [0.0]
    assert found.weights.loc[0, "why"].startswith(why)
    pd.testing.assert_frame_equal(found.plan, plan())


def test_the_rule_statistical_moves_nothing_and_the_mean_shares_alike():
    rows = brought({"quantity": 200.0}, {"stream": "customer", "quantity": 160.0})
    still = agreed(rows, rule="statistical")
    assert set(still.plan["step"]) == {"baseline"}
    assert set(still.weights["why"]) == {"the rule is statistical: no stream moves the plan"}
    found = agreed(rows, rule="mean")
    assert found.plan.loc[found.plan["month"] == AHEAD[0], "quantity"].sum() == pytest.approx((100 + 200 + 160) / 3)
    assert found.streams["spread"].tolist() == [100.0, 100.0]
    assert streams.next_year(found.streams)["difference"].tolist() == [60.0, 100.0]
    assert streams.spread_sentence(found.streams, "pieces") == (
        "Views lie furthest apart in Alpha: by 100 pieces over twelve months, 100% of its plan in the same months."
    )


def test_a_view_of_a_region_and_one_of_the_whole_family_count_once_where_they_differ():
    """Sales says 110 of 100, the customer 60 of the North's 50: the views lie 10 apart, not 20."""
    rows = brought({"quantity": 110.0}, {"stream": "customer", "region": "North", "quantity": 60.0})
    said = streams.spread_sentence(agreed(rows, rule="statistical").streams, "pieces")
    assert said.startswith("Views lie furthest apart in Alpha: by 10 pieces over twelve months, 10% of its plan")
    (part,) = agreed(rows[rows["region"] == "North"]).streams.to_dict("records")
    assert (part["statistical"], part["family_plan"]) == (50.0, 100.0)
    north, south = ({"stream": r, "region": r, "quantity": 60.0} for r in ("North", "South"))
    assert "by 20 pieces over twelve months, 20% of" in streams.spread_sentence(
        agreed(brought(north, south)).streams, "pieces"
    )


def test_the_next_twelve_months_begin_with_the_cycle_and_not_with_the_first_word():
    ahead = months.month_range(CYCLE, 18)
    base = plan().drop(columns="month").drop_duplicates().merge(pd.DataFrame({"month": ahead}), how="cross")
    rows = brought({"month": ahead[11], "quantity": 110.0}, {"month": ahead[12], "quantity": 150.0})
    found = agreed(rows, base=base)
    assert streams.next_year(found.streams)["quantity"].tolist() == [110.0]
    assert "by 10 pieces" in streams.spread_sentence(found.streams, "pieces")
    late = agreed(rows[rows["month"] == ahead[12]], base=base)
    assert streams.spread_sentence(late.streams, "pieces") == "No stream speaks of the next twelve months."


@pytest.mark.parametrize(("rule", "sales", "customer"), [("mean", 1 / 2, 1 / 2), ("weighted", 0.8, 0.8)])
def test_where_one_stream_speaks_it_shares_the_weight_with_the_plan_alone(rule, sales, customer):
    """Each speaks of one region of 50: what the other says elsewhere is no reason to follow it less."""
    rows = brought({"region": "North", "quantity": 100.0}, {"stream": "customer", "region": "South", "quantity": 100.0})
    both = pd.concat([record(), record().query("stream == 'sales'").assign(stream="customer")])
    found = agreed(rows, rule=rule, history=both)
    now = found.plan[found.plan["month"] == AHEAD[0]].groupby("region")["quantity"].sum()
    assert now.to_dict() == pytest.approx({"North": 50 + 50 * sales, "South": 50 + 50 * customer})
    assert found.weights["weight"].tolist() == pytest.approx([customer, sales])
    assert found.weights["why"].str.endswith("that speak of a month, product and region").all()


def test_the_weight_of_a_view_is_what_moved_the_plan_of_it():
    """Of sales' 100 more, 60 of 100 units stand where the customer speaks too: a third there, a half elsewhere."""
    rows = brought({"quantity": 200.0}, {"stream": "customer", "product": "A2", "quantity": 90.0})
    found = agreed(rows, rule="mean")
    view = found.streams[found.streams["stream"] == "sales"].iloc[0]
    assert view["weight"] == pytest.approx(0.6 / 3 + 0.4 / 2)
    assert found.weights.set_index("stream").at["sales", "weight"] == pytest.approx(view["weight"])
    moved = found.plan[found.plan["item"] == "sales"]["quantity"].sum()
    assert moved == pytest.approx(view["weight"] * (view["quantity"] - view["statistical"]))


@pytest.mark.parametrize("dead", [0.0, 1.0])
def test_a_family_that_sold_nothing_neither_breaks_nor_decides_the_record(dead):
    """Errors are 10 and 20 of 100 beside it, and of the dead one 0 or 1, and 5, in parts of the mean of all, 50."""
    nothing = record().assign(family="Dead", actual=0.0)
    nothing["forecast"] = nothing["stream"].map({"sales": dead, "statistical": 5.0})
    found = agreed(brought({"quantity": 200.0}), history=pd.concat([record(), nothing]))
    ratio = (0.1**2 + (dead / 50) ** 2) / (0.2**2 + 0.1**2)
    assert found.weights.loc[0, "weight"] == pytest.approx(1 / (1 + ratio))
    tables.check("demand_streams", found.streams.assign(cycle=CYCLE))


def test_a_stream_without_error_weighs_almost_all_and_one_of_families_that_never_sold_nothing():
    exact = agreed(brought({"quantity": 200.0}), history=record(stream=100.0, statistical=1e12))
    assert exact.weights.loc[0, "weight"] == pytest.approx(1, abs=1e-5)
    assert exact.weights.loc[0, "weight"] < 1
    never = agreed(brought({"quantity": 200.0}), history=record(stream=0.0).assign(actual=0.0))
    assert never.weights.loc[0, ["state", "weight"]].tolist() == ["lost", 0.0]


def test_a_stream_of_some_products_or_regions_moves_those_alone():
    rows = brought({"product": "A1", "region": "North", "quantity": 60.0}, {"region": "South", "quantity": 100.0})
    found = agreed(rows)
    moved = found.plan[found.plan["step"] == "stream"].set_index(["product", "region"])["quantity"]
    assert moved.round(9).to_dict() == {("A1", "North"): 24.0, ("A1", "South"): 8.0, ("A2", "South"): 32.0}


def test_rows_of_other_cycles_and_of_months_beyond_the_plan_are_counted():
    early = {"cycle": months.month("2026-10"), "quantity": 5.0}
    rows = brought({"quantity": 200.0}, early, {"month": months.month("2029-01"), "quantity": 7.0})
    assert agreed(rows).remarks == [
        "1 rows of other cycles count as record only.",
        "1 rows, 7 units, were set aside: the plan has no such month, product or region.",
    ]
    told = streams.with_inputs(tables.empty("past_plans"), CYCLE, rows, rows.assign(quantity=9.0))
    assert told[["stream", "measure", "quantity"]].values.tolist() == [["sales", "demand", 5.0]]
    assert streams.with_inputs(told, CYCLE, rows) is told


def test_no_stream_leaves_the_plan_as_it_is():
    found = agreed(tables.empty("demand_inputs"))
    pd.testing.assert_frame_equal(found.plan, plan())
    assert found.streams.empty
    assert found.weights.empty
    assert found.remarks == []
    assert "No stream" in streams.spread_sentence(found.streams, "pieces")


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(0, 1e5, allow_subnormal=False), min_size=4, max_size=4), st.floats(0, 1e5), st.floats(0, 1e5))
def test_the_consensus_keeps_totals_and_lies_between_the_views(quantities, sales, customer):
    base = plan([(p, r, q) for (p, r, _), q in zip(CELLS, quantities, strict=True)])
    rows = brought({"quantity": sales}, {"stream": "customer", "quantity": customer})
    found = agreed(rows, rule="mean", base=base)
    total = found.plan.loc[found.plan["month"] == AHEAD[0], "quantity"].sum()
    views = found.weights.set_index("stream")["weight"] * pd.Series({"sales": sales, "customer": customer})
    expected = sum(quantities) * (1 - found.weights["weight"].sum()) + views.sum()
    assert total == pytest.approx(expected, abs=1e-6)
    cells = found.plan.groupby(["month", "product", "region"])["quantity"].sum()
    assert cells.min() >= -1e-6


# Bad input


HEAD = ["cycle", "stream", "month", "product", "family", "region", "quantity", "unit", "author", "reason"]


def given_rows(folder, *rows, units=()):
    lines = [["2026-11", "sales", "2026-12", *row, "Sales", "outlook"] for row in rows]
    add(folder, "demand_inputs", HEAD, *lines)
    if units:
        add(folder, "units", ["product", "unit", "from_month", "factor"], *units)


def test_a_stream_in_another_unit_is_brought_to_the_planning_unit(small_workbook):
    cases = ["A1", "case", "2026-12", "0.5"]
    given_rows(small_workbook, ["A1", "", "", "10", "case"], units=(["A1", "case", "2020-01", "0.1"], cases))
    found = read(small_workbook).tables["demand_inputs"]
    assert found["quantity"].tolist() == [20.0]
    assert found["unit"].isna().all()


def test_a_unit_that_is_not_known_is_named_with_its_remedy(small_workbook):
    late = ["A1", "case", "2027-01", "0.5"]
    given_rows(small_workbook, ["A1", "", "", "10", "case"], ["", "Beta", "", "5", "pallet"], units=(late,))
    found = [(p["row"], p["column"], p["value"], p["rule"]) for p in problems(small_workbook)]
    assert found == [
        (2, "unit", "case", "no factor of this unit"),
        (3, "unit", "pallet", "a whole family in another unit"),
    ]


@pytest.mark.parametrize("unit", ["piece", ""])
def test_without_families_the_planning_unit_is_left_blank_and_the_remedy_says_so(small_workbook, unit):
    given_rows(small_workbook, ["A1", "", "", "10", unit], ["", "Beta", "", "5", unit])
    if not unit:
        assert read(small_workbook).tables["demand_inputs"]["quantity"].tolist() == [10.0, 5.0]
        return
    found = [p["remedy"] for p in problems(small_workbook)]
    assert len(found) == 2
    assert all(remedy.endswith("in the planning unit with unit left blank") for remedy in found)


@pytest.mark.parametrize(
    ("rows", "wrong"),
    [
        ([["A1", "", "", "1", ""], ["", "Alpha", "", "5", ""]], [3]),
        ([["A1", "", "", "1", ""], ["A1", "", "North", "5", ""]], [2]),
        ([["A1", "", "", "1", ""], ["", "Alpha", "North", "5", ""]], [2]),
        ([["A1", "", "North", "1", ""], ["", "Alpha", "North", "5", ""]], [3]),
        ([["A1", "", "North", "1", ""], ["", "Alpha", "South", "5", ""]], []),
        ([["A1", "", "North", "1", ""], ["A1", "", "South", "5", ""]], []),
    ],
)
def test_a_stream_that_says_a_thing_twice_is_refused(small_workbook, rows, wrong):
    given_rows(small_workbook, *rows)
    if not wrong:
        assert len(read(small_workbook).tables["demand_inputs"]) == 2
        return
    found = problems(small_workbook)
    assert [p["row"] for p in found] == wrong
    assert {p["rule"] for p in found} == {"the stream also gives a part of this"}
