import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sop_lib import launches, tables

CYCLE = pd.Timestamp("2026-11-01")
AHEAD = pd.date_range(CYCLE, periods=24, freq="MS")
PAST = pd.date_range("2024-11-01", periods=24, freq="MS")


def sold() -> pd.DataFrame:
    """A sells 10 in winter (October to March) and 30 in summer, three quarters of it in the North."""
    rows = [
        {
            "month": m,
            "product": "A",
            "region": r,
            "family": "F",
            "cleansed": share * (30.0 if 4 <= m.month <= 9 else 10.0),
        }
        for m in PAST
        for r, share in (("North", 0.75), ("South", 0.25))
    ]
    return pd.DataFrame(rows)


def products(**end) -> pd.DataFrame:
    out = pd.DataFrame({"product": ["A", "B", "C"], "family": ["F", "F", "F"], "successor": [None, None, None]})
    out["end_month"] = pd.to_datetime(out["product"].map({k: v for k, (v, _) in end.items()}))
    out["successor"] = out["product"].map({k: s for k, (_, s) in end.items()}).astype(object)
    return out


def launch(**given_) -> pd.DataFrame:
    row = {"product": "B", "launch_month": "2027-01-01", "like_product": "A", "volume_year_1": 240.0}
    return tables.check("launches", pd.DataFrame([{**row, **given_}]))


def test_the_first_year_is_spread_like_the_like_product_and_sums_to_its_volume():
    plan = launches.launch_plan(launch(), sold(), products(), AHEAD)
    first = plan[plan.month < "2028-01-01"]
    assert first.quantity.sum() == 240
    months = first.groupby("month").quantity.sum()
    assert months["2027-06-01"] == 30
    assert months["2027-01-01"] == 10
    assert first.groupby("region").quantity.sum().to_dict() == pytest.approx({"North": 180, "South": 60}, abs=6)
    assert plan.month.min() == pd.Timestamp("2027-01-01")
    assert plan[plan.month >= "2028-01-01"].groupby("month").quantity.sum()["2028-06-01"] == 30


def test_a_launch_in_one_region_stays_there_and_one_without_a_like_product_follows_its_family():
    plan = launches.launch_plan(launch(region="South", like_product=None), sold(), products(), AHEAD)
    assert plan.region.unique().tolist() == ["South"]
    assert plan[plan.month < "2028-01-01"].quantity.sum() == 240
    assert plan.reason.unique().tolist() == ["first-year volume spread like F"]


def test_a_new_family_without_a_like_product_is_spread_evenly_over_the_companys_regions():
    known = pd.concat([products(), pd.DataFrame({"product": ["N"], "family": ["New"]})], ignore_index=True)
    plan = launches.launch_plan(launch(product="N", like_product=None), sold(), known, AHEAD)
    first = plan[plan.month < "2028-01-01"]
    assert first.quantity.sum() == 240
    assert first.groupby("month").quantity.sum().tolist() == [20] * 12
    assert first.groupby("region").quantity.sum().to_dict() == {"North": 180, "South": 60}
    assert plan.reason.unique().tolist() == ["first-year volume spread evenly over the year"]


@pytest.mark.parametrize("like", ["A", None])
def test_a_launch_in_a_region_where_its_pattern_never_sold_arrives_there_in_full(like):
    plan = launches.launch_plan(launch(region="West", like_product=like), sold(), products(), AHEAD)
    assert plan.region.unique().tolist() == ["West"]
    first = plan[plan.month < "2028-01-01"].set_index("month").quantity
    assert (first.sum(), first["2027-06-01"], first["2027-01-01"]) == (240, 30, 10)


def test_a_family_named_as_a_product_is_not_counted_twice():
    known = products().replace({"family": {"F": "A"}})
    plan = launches.launch_plan(launch(), sold().assign(family="A"), known, AHEAD)
    assert not plan.duplicated(["month", "product", "region"]).any()
    assert plan[plan.month < "2028-01-01"].quantity.sum() == 240


def test_a_launch_with_more_than_a_year_of_history_is_no_longer_planned_by_its_row():
    known = sold().assign(product="B")
    assert launches.coming_launches(launch(), known[known.month > "2025-10-01"])["product"].tolist() == ["B"]
    assert launches.coming_launches(launch(), known[known.month >= "2025-10-01"]).empty


def test_an_ended_product_is_taken_over_and_a_chain_ends_at_the_last():
    forecast = pd.DataFrame({"month": AHEAD[:3], "product": "A", "region": "North", "family": "F", "quantity": 10.0})
    known = products(A=("2026-11-01", "B"), B=("2026-12-01", "C"))
    out = launches.take_over(forecast, known, launch().head(0)).set_index(["product", "month"])
    assert out.quantity["A"].tolist() == [10, 0, 0]
    assert out.quantity["B", pd.Timestamp("2026-12-01")] == 10
    assert out.quantity["C"].to_dict() == {pd.Timestamp("2027-01-01"): 10}
    assert out.reason["C", pd.Timestamp("2027-01-01")] == "takes over from B"


def test_a_successor_planned_by_its_launch_takes_nothing_over():
    forecast = pd.DataFrame({"month": AHEAD[:2], "product": "A", "region": "North", "family": "F", "quantity": 10.0})
    out = launches.take_over(forecast, products(A=("2026-11-01", "B")), launch())
    assert out.groupby("product").quantity.sum().to_dict() == {"A": 10.0}


def test_a_product_that_ended_lives_on_in_its_successors_history():
    history = sold()
    chained = launches.chained(history, products(A=("2026-10-01", "B")), CYCLE)
    assert chained["product"].unique().tolist() == ["B"]
    assert chained.cleansed.sum() == pytest.approx(history.cleansed.sum())
    coming = launches.chained(history, products(A=("2026-12-01", "B")), CYCLE)
    assert coming["product"].unique().tolist() == ["A"]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 100_000), st.integers(0, 11))
def test_no_launch_loses_a_unit_of_its_first_year(volume, start):
    row = launch(volume_year_1=float(volume), launch_month=str(AHEAD[start].date()))
    plan = launches.launch_plan(row, sold(), products(), AHEAD)
    first = plan[plan.month < AHEAD[start] + pd.DateOffset(months=12)]
    assert first.quantity.sum() == volume
    assert (plan.quantity >= 0).all()


# Where and how long a launch is planned


def test_a_launch_in_a_region_is_new_where_its_product_has_not_sold_for_a_year():
    history = sold().assign(product="B").query("region == 'North'")
    coming = [launches.coming_launches(launch(region=r), history)["product"].tolist() for r in ("South", "North", None)]
    assert coming == [["B"], [], []]


def test_a_launch_that_did_not_sell_for_a_year_is_planned_no_more():
    plans = [
        launches.launch_plan(launch(launch_month=m), sold(), products(), AHEAD) for m in ("2025-10-01", "2025-11-01")
    ]
    assert [len(plan) > 0 for plan in plans] == [False, True]


def test_a_season_not_seen_in_all_calendar_months_is_the_familys_or_even():
    few = sold().query("month >= '2026-07-01'")
    other = sold().assign(product="C")
    plan = launches.launch_plan(launch(), pd.concat([few, other]), products(), AHEAD)
    assert plan.reason.unique().tolist() == ["first-year volume spread like F"]
    months = plan.groupby("month").quantity.sum()
    assert (months["2027-01-01"], months["2027-06-01"]) == (10, 30)
    even = launches.launch_plan(launch(), few, products(), AHEAD)
    assert even.reason.unique().tolist() == ["first-year volume spread evenly over the year"]
    assert set(even[even.month < "2028-01-01"].groupby("month").quantity.sum()) == {20}


def test_a_season_is_that_of_monthly_sums_whatever_region_was_added_late():
    """A sells 100 a month in the North and, in the last six months, 10 in the South: a mean month of 100 or 105."""
    flat = sold().query("region == 'North'").assign(cleansed=100.0)
    late = flat.query("month >= '2026-05-01'").assign(region="South", cleansed=10.0)
    plan = launches.launch_plan(launch(volume_year_1=1230.0), pd.concat([flat, late]), products(), AHEAD)
    months = plan.groupby("month").quantity.sum()
    assert (months["2027-01-01"], months["2027-06-01"]) == (100, 105)
