"""The approved rate of each family split over its products: sums are the plan, nobody gets what cannot be made."""

import numpy as np
import pandas as pd
import pytest
import sample_files
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from sop_lib import master_schedule, mix, months, tables
from sop_lib.tables import ALL

NOV = months.month("2026-11")
WHOLE = st.integers(0, 400)


def table(name: str, rows: list[dict] | None = None) -> pd.DataFrame:
    return tables.check(name, pd.DataFrame(rows)) if rows else tables.empty(name)


def when(count: int) -> pd.DatetimeIndex:
    return months.month_range(NOV, count)


def wanted(**demand: list) -> pd.DataFrame:
    """Return a demand plan of family Grills by product."""
    rows = [
        {"month": m, "product": p, "region": ALL, "step": "baseline", "family": "Grills", "quantity": float(q)}
        for p, each in demand.items() for m, q in zip(when(len(each)), each, strict=True)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def company(demand: pd.DataFrame, held: dict | None = None, made: dict | None = None, **given) -> dict:
    """Return the tables of a company that makes its products in whole units, all in Tarn unless `made` says where."""
    products = [{"product": p, "family": "Grills"} | given.get(p, {}) for p in demand["product"].unique()]
    before = NOV - pd.DateOffset(months=1)
    stock = [{"month": before, "product": p, "location": "DC", "on_hand": q} for p, q in (held or {}).items()]
    came = [
        {"month": before, "product": p, "location": "DC", "source": "made", "plant": plant, "quantity": q}
        for p, places in (made or {}).items() for plant, q in places.items()
    ]  # fmt: skip
    sold = [
        {"month": before, "product": p["product"], "ordered": 5, "shipped": 5, **given.get("sold", {})}
        for p in products
    ]
    rows = {"products": products, "inventory": stock, "receipts": came, "sales": sold}
    rows |= {"backlog": None, "bill_of_resources": given.get("bill")}
    return {name: table(name, each) for name, each in rows.items()} | {"demand_plan": demand}


def plan(**rates: list) -> pd.DataFrame:
    """Return a supply plan of family Grills; `Brek_overtime` names plant and source."""
    rows = [
        {"month": m, "family": "Grills", "plant": at.split("_")[0], "source": (at + "_regular").split("_")[1]}
        | {"quantity": float(q)}
        for at, each in rates.items() for m, q in zip(when(len(each)), each, strict=True)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def policy(target: list, **given) -> pd.DataFrame:
    rows = {"month": when(len(target)), "family": "Grills", "target": np.array(target, dtype=float)}
    return pd.DataFrame(rows | {"backlog": 0.0, "lost": 0.0} | given)


def by_product(rows: pd.DataFrame, month: int = 0, plant: str = "") -> dict:
    at = rows[(rows["month"] == when(month + 1)[month]) & (rows["plant"].eq(plant) | (plant == ""))]
    return at.groupby("product")["quantity"].sum().to_dict()


# By hand


def test_a_product_in_excess_gets_nothing_until_it_needs_some():
    found = company(wanted(A=[10, 10, 10], B=[10, 10, 10]), held={"A": 25, "B": 0})
    rows = master_schedule.master_schedule(plan(Tarn=[15, 10, 20]), policy([0, 0, 0]), found)
    assert by_product(rows) == {"B": 15}  # ten for this month, five for the next
    assert by_product(rows, 1) == {"B": 10}
    assert by_product(rows, 2) == {"A": 10, "B": 10}  # five each for this month, then five each that nobody needs yet


def test_a_rate_below_need_is_shared_by_need():
    found = company(wanted(A=[30], B=[10]), held={"A": 0, "B": 0})
    assert by_product(master_schedule.master_schedule(plan(Tarn=[20]), policy([0]), found)) == {"A": 15, "B": 5}


def test_target_and_what_is_owed_are_part_of_the_need():
    found = company(wanted(A=[10, 10], B=[10, 10]), held={"A": 0, "B": 0})
    found["backlog"] = table(
        "backlog", [{"month": NOV - pd.DateOffset(months=1), "product": "A", "requested_month": NOV, "quantity": 6}]
    )
    rows = master_schedule.master_schedule(plan(Tarn=[34, 0]), policy([8, 0]), found)
    assert by_product(rows) == {"A": 20, "B": 14}  # ten each, six owed of A, four of the target each


def test_products_get_nothing_before_their_launch_and_after_their_end():
    demand = wanted(A=[10, 10, 10], New=[0, 10, 10], Old=[5, 0, 0])
    life = {"New": {"launch_month": "2026-12"}, "Old": {"end_month": "2026-11"}}
    found = company(demand, held={"A": 0}, **life)
    rows = master_schedule.master_schedule(plan(Tarn=[40, 40, 40]), policy([0, 0, 0]), found)
    assert set(by_product(rows)) == {"A", "Old"}
    assert "Old" not in by_product(rows, 1)
    assert by_product(rows, 1)["New"] > 0


def test_a_rate_without_a_product_that_exists_stays_in_the_file_as_the_family():
    found = company(wanted(New=[0, 10]), New={"launch_month": "2026-12"})
    rows = master_schedule.master_schedule(plan(Tarn=[7, 10]), policy([0, 0]), found)
    assert by_product(rows) == {ALL: 7}
    assert by_product(rows, 1) == {"New": 10}


def test_a_product_made_only_in_tarn_gets_nothing_in_brek():
    made = {"Steel": {"Tarn": 100}, "Teak": {"Brek": 80}, "Both": {"Tarn": 10, "Brek": 30}}
    found = company(wanted(Steel=[40], Teak=[40], Both=[40]), held={"Steel": 0}, made=made)
    rows = master_schedule.master_schedule(plan(Tarn=[50], Brek=[70]), policy([0]), found)
    assert by_product(rows) == {"Steel": 40, "Teak": 40, "Both": 40}
    assert by_product(rows, plant="Tarn") == {"Steel": 40, "Both": 10}
    assert "Steel" not in by_product(rows, plant="Brek")


def test_the_bill_of_resources_says_where_a_new_product_is_made():
    bill = [{"product": "New", "family": "Grills", "plant": "Brek", "resource": "line", "usage_per_unit": 1}]
    found = company(wanted(A=[10], New=[10]), held={"A": 0}, made={"A": {"Tarn": 5}}, bill=bill)
    rows = master_schedule.master_schedule(plan(Tarn=[10], Brek=[10]), policy([0]), found)
    assert by_product(rows, plant="Brek") == {"New": 10}


def test_a_product_whose_plant_makes_nothing_is_named_with_what_it_lacks():
    made = {"Steel": {"Tarn": 100}, "Teak": {"Brek": 80}}
    found = company(wanted(Steel=[10, 10], Teak=[10, 10]), held={"Steel": 4, "Teak": 0}, made=made)
    rows = master_schedule.master_schedule(plan(Tarn=[0, 0], Brek=[20, 20]), policy([0, 0]), found)
    left = master_schedule.left_without(rows, policy([0, 0]), found)
    assert left.to_dict("records") == [
        {"family": "Grills", "product": "Steel", "first": NOV, "owed": 16.0, "plants": "Tarn"}
    ]
    short = policy([0, 0], backlog=16.0)  # a family that owes anyway: no matter of the mix
    assert master_schedule.left_without(rows, short, found).empty


def test_halves_are_not_lost_over_the_months():
    found = company(wanted(A=[2.5] * 4), held={"A": 0})
    rows = master_schedule.master_schedule(plan(Tarn=[2.5] * 4), policy([0] * 4), found)
    assert rows.sort_values("month")["quantity"].tolist() == [3, 2, 3, 2]
    assert rows["rule"].str.contains("whole units").all()


def test_a_family_sold_in_fractions_is_split_in_fractions():
    found = company(wanted(A=[1], B=[2]), held={"A": 0}, sold={"ordered": 2.5})
    rows = master_schedule.master_schedule(plan(Tarn=[1.0]), policy([0]), found)
    assert by_product(rows) == {"A": 0.333, "B": 0.667}
    assert rows["rule"].str.contains("thousandths").all()


def test_without_stock_receipts_or_sales_the_demand_alone_splits_the_rate():
    found = company(wanted(A=[30], B=[10])) | {"sales": tables.empty("sales")}
    rows = master_schedule.master_schedule(plan(Tarn=[20]), policy([0]), found)
    assert by_product(rows) == {"A": 15, "B": 5}
    assert rows["rule"].str.contains("no stock known").all()
    assert master_schedule.left_without(rows, policy([0]), found).empty


def test_no_supply_plan_gives_an_empty_table():
    rows = master_schedule.master_schedule(plan(Tarn=[1]).iloc[:0], policy([0]), company(wanted(A=[1])))
    assert tables.check("master_schedule", rows.assign(cycle=NOV)).empty


# Laws


@settings(max_examples=60, deadline=None, phases=[Phase.generate])
@given(st.data())
def test_sums_are_the_plan_whatever_the_company(data):
    count = data.draw(st.integers(1, 5))
    names = [f"P{n}" for n in range(data.draw(st.integers(1, 4)))]
    demand = wanted(**{n: data.draw(st.lists(WHOLE, min_size=count, max_size=count)) for n in names})
    rate = st.lists(st.floats(0, 500).map(lambda v: round(v, 4)), min_size=count, max_size=count)
    made = plan(Tarn=data.draw(rate), Brek=data.draw(rate), Brek_overtime=data.draw(rate))
    places = st.dictionaries(st.sampled_from(["Tarn", "Brek", "Elsewhere"]), st.integers(1, 90), max_size=2)
    where = {n: data.draw(places) for n in names}
    life = {n: {"launch_month": data.draw(st.sampled_from([None, *when(count)]))} for n in names}
    found = company(demand, {n: data.draw(WHOLE) for n in names}, where, **life)
    stock = policy(data.draw(st.lists(WHOLE, min_size=count, max_size=count)))
    rows = tables.check("master_schedule", master_schedule.master_schedule(made, stock, found).assign(cycle=NOV))
    assert (rows["quantity"] == rows["quantity"].round()).all()
    at = ["plant", "source"]
    given_, planned = (
        t.pivot_table(index=at, columns="month", values="quantity", aggfunc="sum")
        .reindex(columns=when(count))
        .fillna(0)
        for t in (rows, made)
    )
    apart = given_.reindex(planned.index).fillna(0).cumsum(axis=1) - planned.cumsum(axis=1)
    assert apart.abs().max().max() <= 0.5 + 1e-6
    launched = rows[rows["product"] != ALL].merge(found["products"], on="product")
    assert not (launched["month"] < launched["launch_month"]).any()
    shares = rows.groupby(["month", *at])["share"].sum()
    assert shares.to_numpy() == pytest.approx(1.0)


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=8), st.integers(0, 10_000))
def test_largest_remainder_adds_up_and_stays_within_one(weights, total):
    weight = np.array(weights)
    found = master_schedule.largest_remainder(weight, total)
    assert (found >= 0).all()
    if weight.sum() > 0:
        assert found.sum() == total
        assert np.abs(found - weight / weight.sum() * total).max() < 1 + 1e-6


@given(
    st.lists(st.lists(st.integers(1, 100), min_size=3, max_size=3), min_size=1, max_size=4),
    st.lists(st.integers(0, 150), min_size=4, max_size=4),
    st.integers(0, 1200),
)
def test_everything_lasts_equally_long(parts, held, rate):
    lack = np.array(parts, dtype=float).cumsum(axis=1) - np.array(held[: len(parts)])[:, None]
    found = master_schedule.run_out_alike(lack, rate)
    assert found.sum() == pytest.approx(min(rate, lack[:, -1].clip(min=0).sum()))
    if lack[:, 0].clip(min=0).sum() < rate < lack[:, -1].clip(min=0).sum():
        reach = np.array([np.interp(q, row, range(3)) for q, row in zip(found, lack, strict=True)])
        lasts = reach[found > 0]
        assert np.ptp(lasts) < 1e-6
        has = [np.interp(0, row, range(3)) for row in lack[found == 0]]
        assert not has or min(has) >= lasts.max() - 1e-6  # who gets nothing has enough for as long


# The sample


def test_the_sample_says_where_each_product_is_made_and_keeps_its_rates():
    """Steel furniture comes from Tarn alone: a plan that makes all furniture in Brek leaves it without."""
    given_ = {
        n: sample_files.table(n) for n in ("products", "inventory", "backlog", "receipts", "bill_of_resources", "sales")
    }
    own = given_["products"].query("family == 'Furniture'")["product"]
    rows = pd.concat([wanted(**{p: [100, 100]}) for p in own]).assign(family="Furniture")
    made = plan(Brek=[900.4, 900.4], Tarn=[0, 300]).assign(family="Furniture")
    stock = policy([0, 0]).assign(family="Furniture")
    found = given_ | {"demand_plan": rows}
    schedule = master_schedule.master_schedule(made, stock, found)
    steel = {"FUR-01", "FUR-02", "FUR-03", "FUR-04"}
    assert not steel & set(by_product(schedule))
    assert set(by_product(schedule, 1, "Tarn")) <= steel
    assert master_schedule.by_family(schedule)["quantity"].tolist() == [900, 1201]
    assert mix.family_of(found).loc[list(steel)].eq("Furniture").all()
