"""Measured load: utilisation, and what a unit took when no bill of resources says."""

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sop_lib import finance, mix, rough_cut, tables, value_added

CYCLE = pd.Timestamp("2026-11-01")
MONTHS = pd.date_range("2025-10-01", "2026-12-01", freq="MS")
PRODUCTS = pd.DataFrame({"product": ["a", "b"], "family": ["A", "B"]})
BILL = ["product", "family", "plant", "resource", "usage_per_unit"]


def company(load: float = 60.0, units: tuple[str, str] = ("kb", "kb")) -> mix.Tables:
    """Return a plant that makes 20 of a and 10 of b a month, buys 10 of a, and measures its oven."""
    rows = [(m, "a", "made", "P", 20.0) for m in MONTHS] + [(m, "b", "made", "P", 10.0) for m in MONTHS]
    rows += [(m, "a", "bought", "ALL", 10.0) for m in MONTHS]
    receipts = pd.DataFrame(rows, columns=["month", "product", "source", "plant", "quantity"])
    oven = pd.DataFrame({"month": MONTHS, "plant": "P", "resource": "oven", "unit": "hours"})
    return {
        "products": PRODUCTS,
        "families": pd.DataFrame({"family": ["A", "B"], "unit": units}),
        "resources": oven.assign(capacity=100.0, load=load),
        "receipts": receipts,
        "bill_of_resources": tables.empty("bill_of_resources")[BILL],
        "supply_costs": tables.empty("supply_costs"),
    }


def test_a_unit_takes_the_measured_load_over_what_was_made_there():
    bill = rough_cut.bill(company(), CYCLE)
    assert bill[["family", "product", "plant", "resource"]].to_numpy().tolist() == [
        ["A", "ALL", "P", "oven"],
        ["B", "ALL", "P", "oven"],
    ]
    assert bill["usage_per_unit"].tolist() == [2.0, 2.0]


def test_months_that_are_not_closed_or_older_than_a_year_do_not_count():
    found = company()
    outside = (found["resources"]["month"] >= CYCLE) | (found["resources"]["month"] < "2025-11-01")
    assert outside.sum() == 3
    found["resources"]["load"] = found["resources"]["load"].mask(outside, 9_999.0)
    assert rough_cut.bill(found, CYCLE)["usage_per_unit"].tolist() == [2.0, 2.0]
    used = rough_cut.measured(found["resources"], CYCLE)
    assert used["month"].max() == pd.Timestamp("2026-10-01")


def test_a_bill_of_the_company_goes_first():
    found = company()
    own = pd.DataFrame([["a", "A", "P", "oven", 0.5]], columns=BILL)
    assert rough_cut.bill(found | {"bill_of_resources": own}, CYCLE).equals(own)


def test_unlike_units_and_unmeasured_resources_give_no_factor():
    assert rough_cut.bill(company(units=("kb", "piece")), CYCLE).empty
    found = company()
    assert rough_cut.bill(found | {"resources": found["resources"].assign(load=float("nan"))}, CYCLE).empty
    assert rough_cut.measured(tables.empty("resources"), CYCLE).empty
    assert rough_cut.best_load(tables.empty("resources"), CYCLE).empty


def test_the_total_of_a_resource_stands_only_where_all_its_plants_do():
    oven = company()["resources"]
    both = pd.concat([oven, oven.assign(plant="Q", capacity=300.0)[1:]])
    whole = rough_cut.measured(both, CYCLE).query("plant == 'ALL'")
    assert len(whole) == len(rough_cut.measured(oven, CYCLE)) - 1
    assert whole["utilisation"].tolist() == [0.3] * len(whole)


def test_what_was_bought_is_not_made():
    found = company()
    found["bill_of_resources"] = rough_cut.bill(found, CYCLE)
    shares = mix.plant_shares(found, pd.Index(["A", "B"], name="family"))
    assert shares.set_index(["family", "plant"])["share"].round(9).to_dict() == {
        ("A", "ALL"): round(1 / 3, 9),
        ("A", "P"): round(2 / 3, 9),
        ("B", "P"): 1.0,
    }


@settings(max_examples=25, deadline=None)
@given(st.floats(0.0, 1e6))
def test_factors_times_what_was_made_is_the_load(load):
    found = company(load)
    bill = rough_cut.bill(found, CYCLE)
    made = found["receipts"].query("source == 'made'").groupby("product")["quantity"].mean()
    assert (bill["usage_per_unit"] * bill["family"].str.lower().map(made)).sum() == pytest.approx(load)


def sold() -> pd.DataFrame:
    """Return two regions that sell 100 and 50 every month."""
    every = pd.MultiIndex.from_product([pd.date_range("2024-01-01", "2026-10-01", freq="MS"), ["North", "South"]])
    rows = every.to_frame(index=False, name=["month", "region"]).assign(product="a", family="A")
    return rows.assign(unconstrained=rows["region"].map({"North": 100.0, "South": 50.0}))


def plan_of(*cells: tuple[str, str, float]) -> pd.DataFrame:
    rows = pd.DataFrame(cells, columns=["stream", "region", "quantity"])
    when = pd.Timestamp("2026-09-01")
    return rows.assign(cycle=when, month=when, measure="demand", family="A", product="ALL")


@pytest.mark.parametrize(
    ("cells", "bias"),
    [
        ((("outlook", "North", 110.0),), 0.10),
        ((("outlook", "North", 100.0), ("outlook", "South", 65.0)), 0.10),
        ((("outlook", "ALL", 165.0),), 0.10),
    ],
)
def test_a_stream_is_judged_on_the_regions_it_plans(cells, bias):
    told = value_added.value_added(plan_of(*cells), sold(), PRODUCTS).set_index(["stream", "lag"])
    assert told.loc[("outlook", 1), "bias"] == pytest.approx(bias)
    assert told.loc[("seasonal naive", 1), "wape"] == 0


def test_streams_of_all_regions_meet_whether_they_name_them_or_not():
    cells = [("sales", "ALL", 165.0), ("finance", "North", 90.0), ("finance", "South", 60.0)]
    told = value_added.value_added(plan_of(*cells), sold(), PRODUCTS).query("lag == 1").set_index("stream")
    assert told["wape"].round(9).to_dict() == {"finance": 0.0, "sales": 0.1, "seasonal naive": 0.0}


def test_the_stock_of_an_opinion_is_no_plan():
    opinion = plan_of(("outlook", "North", 110.0))
    stock = opinion.assign(measure="inventory", region="ALL")
    assert finance.earlier_plans(pd.concat([opinion, stock]), PRODUCTS).empty
    assert len(finance.earlier_plans(stock.assign(stream="supply"), PRODUCTS)) == 1


def test_overall_factors_split_all_hours_as_history_was():
    """Published first week: 62.80 hours, split 37.87, 19.09, 5.84 (Vollmann, Berry and Whybark)."""
    plan = pd.DataFrame({"period": [1, 1, 4, 4], "product": list("ABAB"), "quantity": [33, 17, 40, 13]})
    hours, shares = pd.Series({"A": 0.95, "B": 1.85}), pd.Series({"100": 0.603, "200": 0.304, "300": 0.093})
    found = rough_cut.overall_factors(plan, hours, shares)
    assert found["load"].round(2).tolist() == [37.87, 19.09, 5.84, 37.42, 18.86, 5.77]
    assert found.groupby("period")["load"].sum().round(2).tolist() == [62.8, 62.05]


def test_overall_factors_refuse_shares_and_products_that_do_not_fit():
    plan = pd.DataFrame({"period": [1], "product": ["A"], "quantity": [1]})
    with pytest.raises(ValueError, match=r"add up to 0\.9"):
        rough_cut.overall_factors(plan, pd.Series({"A": 1.0}), pd.Series({"100": 0.9}))
    with pytest.raises(ValueError, match="no hours per unit for A"):
        rough_cut.overall_factors(plan, pd.Series({"B": 1.0}), pd.Series({"100": 1.0}))


def test_load_follows_the_bill():
    plan = pd.DataFrame({"period": [1, 1, 2], "product": ["A", "B", "A"], "quantity": [10, 20, 5]})
    bill = pd.DataFrame({
        "product": ["A", "A", "B"], "resource": ["press", "oven", "press"], "usage_per_unit": [0.5, 1.0, 0.1]
    })  # fmt: skip
    found = rough_cut.bill_load(plan, bill)
    assert found.values.tolist() == [[1, "oven", 10.0], [1, "press", 7.0], [2, "oven", 5.0], [2, "press", 2.5]]
