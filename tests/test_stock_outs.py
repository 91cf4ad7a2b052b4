"""Stock-outs: found where stock was gone and sales were cut, nowhere else, and what they hide measured."""

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import settings as trials
from hypothesis import strategies as st

from sop_lib import cleansing, history, inputs, life_cycle, settings, stock_outs, tables

REPO = Path(__file__).parent.parent
CYCLE = pd.Timestamp("2026-11-01")
WHEN = pd.date_range("2022-11-01", "2026-10-01", freq="MS")
PRODUCTS = pd.DataFrame({"product": list("ABC"), "family": "F", "end_month": pd.NaT, "unit_price": 10.0})
PRODUCTS["unit_cost"] = 6.0


def company(cut: dict[str, float], *, noise: float = 0.0, seed: int = 1) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return history and stock of A, B and C in two regions; A sells only a share of what is wanted in `cut` months."""
    draw = np.random.default_rng(seed)
    season = 1 + 0.5 * np.sin(2 * np.pi * WHEN.month.to_numpy() / 12)
    wanted = pd.DataFrame({p: size * season * (1 + noise * draw.normal(size=48)) for p, size in
                           zip("ABC", (100, 200, 300), strict=True)}, index=WHEN)  # fmt: skip
    stock = wanted.copy()
    for month, share in cut.items():
        wanted.loc[month, "A"] *= share
        stock.loc[month, "A"] = 0.0
    long = wanted.rename_axis("month").reset_index().melt("month", var_name="product", value_name="ordered")
    parts = [long.assign(region=r, ordered=long["ordered"] * s) for r, s in (("North", 0.75), ("South", 0.25))]
    sales = tables.check("sales", pd.concat(parts).assign(shipped=lambda d: d["ordered"]))
    held = stock.rename_axis("month").reset_index().melt("month", var_name="product", value_name="on_hand")
    return history.complete_history(sales, PRODUCTS, CYCLE), tables.check("inventory", held)


def test_a_cut_month_without_stock_is_found_with_exactly_what_it_hides():
    panel, inventory = company({"2025-03-01": 0.4, "2025-04-01": 0.5})
    outs = stock_outs.stock_outs(panel, inventory, PRODUCTS)
    march, april = 150, 100 * (1 + 0.5 * np.sin(2 * np.pi * 4 / 12))
    assert outs["product"].unique().tolist() == ["A"]
    assert outs["month"].dt.strftime("%Y-%m").tolist() == ["2025-03"] * 2 + ["2025-04"] * 2
    assert outs["quantity"].tolist()[:2] == pytest.approx([0.75 * 0.6 * march, 0.25 * 0.6 * march])
    assert (outs["raw"] + outs["quantity"]).tolist() == pytest.approx(outs["expected"].tolist())
    worth = history.unit_values(panel, PRODUCTS)
    found = stock_outs.summary(outs, worth)
    assert found[["product", "hidden"]].values.tolist() == [["A", pytest.approx(0.6 * march + 0.5 * april)]]
    assert found["money"].item() == pytest.approx(10 * found["hidden"].item())
    assert "1 stock-out: A Mar 25" in stock_outs.sentence(found, True, "EUR")


def test_the_rest_of_the_family_carries_the_estimate():
    panel, inventory = company({"2025-03-01": 0.4})
    doubled = panel["month"].eq("2025-03-01")
    panel.loc[doubled, ["raw", "cleansed"]] *= 2
    outs = stock_outs.stock_outs(panel, inventory, PRODUCTS)
    assert outs["quantity"].sum() == pytest.approx(2 * 0.6 * 150)


def with_more(panel: pd.DataFrame, product: str, month: str, units: float) -> pd.DataFrame:
    at = panel["product"].eq(product) & panel["month"].eq(month)
    return panel.assign(**{c: panel[c].where(~at, panel[c] + units / at.sum()) for c in ("raw", "cleansed")})


def events(**given) -> pd.DataFrame:
    row = {"event": "Deal", "kind": "one_off", "product": "B", "family": "F", "owner": "Sales manager"}
    return tables.check("events", pd.DataFrame([row | {"from_month": "2025-03", "to_month": "2025-03"} | given]))


def test_one_off_orders_and_promotions_of_the_family_are_no_hidden_demand():
    panel, inventory = company({"2025-03-01": 0.4})
    lifted = with_more(panel, "B", "2025-03-01", 400.0)
    assert stock_outs.stock_outs(lifted, inventory, PRODUCTS)["quantity"].sum() > 0.7 * 150
    for told in (
        events(uplift_units=400.0), events(kind="promotion", uplift_rate=0.3), events(),
        events(uplift_rate=400 / 300), events(kind="promotion", from_month="2025-01", to_month="2025-04"),
    ):  # fmt: skip
        outs = stock_outs.stock_outs(lifted, inventory, PRODUCTS, told)
        assert outs["quantity"].sum() == pytest.approx(0.6 * 150)
        assert outs["raw"].sum() == pytest.approx(0.4 * 150)
    of_family = events(kind="promotion", product=None, uplift_rate=0.3)  # lifts A as well: B and C tell of it
    pd.testing.assert_frame_equal(
        stock_outs.stock_outs(panel, inventory, PRODUCTS, of_family), stock_outs.stock_outs(panel, inventory, PRODUCTS)
    )


def test_a_one_off_order_of_the_product_itself_does_not_cover_what_its_customers_lacked():
    panel, inventory = company({"2025-03-01": 0.4})
    sold = with_more(panel, "A", "2025-03-01", 100.0)
    outs = stock_outs.stock_outs(sold, inventory, PRODUCTS, events(product="A", uplift_units=100.0))
    assert outs["quantity"].sum() == pytest.approx(0.6 * 150)
    assert outs["raw"].sum() == pytest.approx(0.4 * 150 + 100)
    assert (outs["raw"] + outs["quantity"]).tolist() == pytest.approx(outs["expected"].tolist())


def test_a_region_that_sold_nothing_for_a_year_hides_nothing():
    panel, inventory = company({"2025-03-01": 0.4})
    south = panel["product"].eq("A") & panel["region"].eq("South")
    panel.loc[south & (panel["month"] > "2022-11-01"), ["raw", "cleansed"]] = 0.0
    assert set(stock_outs.stock_outs(panel, inventory, PRODUCTS)["region"]) == {"North"}


@pytest.mark.filterwarnings("error")
def test_a_product_too_young_to_tell_passes_beside_one_that_tells():
    panel, inventory = company({"2025-03-01": 0.4})
    young = panel["product"].eq("B") & panel["month"].lt("2024-07-01")
    inventory.loc[inventory["product"].eq("B") & inventory["month"].eq("2025-08-01"), "on_hand"] = 0.0
    outs = stock_outs.stock_outs(panel[~young], inventory, PRODUCTS)
    assert outs["product"].unique().tolist() == ["A"]


def test_no_stock_without_cut_sales_and_cut_sales_with_stock_are_no_stock_out():
    panel, inventory = company({"2025-03-01": 1.0})
    assert stock_outs.stock_outs(panel, inventory, PRODUCTS).empty
    panel, inventory = company({"2025-03-01": 0.4})
    inventory["on_hand"] = inventory["on_hand"].clip(lower=50.0)
    assert stock_outs.stock_outs(panel, inventory, PRODUCTS).empty


def test_nothing_is_claimed_without_inventory_while_phasing_out_or_of_what_is_never_stocked():
    panel, inventory = company({"2025-03-01": 0.4})
    assert stock_outs.stock_outs(panel, inventory[:0], PRODUCTS).empty
    ending = PRODUCTS.assign(end_month=pd.Timestamp("2025-06-01"))
    assert stock_outs.stock_outs(panel, inventory, ending).empty
    assert stock_outs.stock_outs(panel, inventory.assign(on_hand=0.0), PRODUCTS).empty
    assert "nobody can tell" in stock_outs.sentence(pd.DataFrame(), False, "EUR")


def test_a_product_that_sold_nothing_this_month_is_out_of_stock_one_silent_for_long_has_ended():
    panel, inventory = company({"2026-10-01": 0.0})
    outs = stock_outs.stock_outs(panel, inventory, PRODUCTS)
    assert outs["quantity"].sum() == pytest.approx(100 * (1 + 0.5 * np.sin(2 * np.pi * 10 / 12)))
    panel, inventory = company({f"2026-{m:02d}-01": 0.0 for m in range(5, 11)})
    assert stock_outs.stock_outs(panel, inventory, PRODUCTS).empty


@given(st.integers(0, 1000), st.sampled_from(["2024-01-01", "2025-06-01", "2026-02-01"]), st.floats(0.05, 0.7))
@trials(max_examples=25, deadline=None)
def test_hidden_demand_is_positive_near_the_truth_and_found_once(seed, month, share):
    panel, inventory = company({month: share}, noise=0.04, seed=seed)
    wanted, _ = company({}, noise=0.04, seed=seed)
    outs = stock_outs.stock_outs(panel, inventory, PRODUCTS)
    assert (outs["quantity"] > 0).all()
    assert set(outs["month"]) == {pd.Timestamp(month)}
    truth = wanted["raw"].sum() - panel["raw"].sum()
    whole = truth / (1 - share)
    assert abs(outs["quantity"].sum() - truth) < 0.2 * whole
    made_good = cleansing.cleansed(panel, cleansing.adjustments(panel, outs))
    again = made_good.assign(raw=made_good["unconstrained"])
    assert stock_outs.stock_outs(again, inventory, PRODUCTS).empty


# The sample company against its truth


@cache
def sample() -> tuple[pd.DataFrame, pd.DataFrame, dict[str, pd.DataFrame]]:
    read = inputs.read_inputs(settings.load(REPO / "data" / "sample", {}), "2026-11")
    panel = history.complete_history(read.tables["sales"], read.tables["products"], read.cycle)
    given = (read.tables[name] for name in ("launches", "engineering_changes"))
    known = life_cycle.dated(read.tables["products"], *given, read.cycle)[0]
    outs = stock_outs.stock_outs(panel, read.tables["inventory"], known, read.tables["events"])
    return panel, outs, read.tables


def truth() -> pd.DataFrame:
    rows = pd.read_csv(REPO / "data" / "sample" / "truth.csv", parse_dates=["from_month", "to_month"])
    rows = rows[rows["cause"].eq("stock-out hides demand")]
    return rows.assign(product=rows["key"].str.removeprefix("product=")).set_index("product")


def test_every_stock_out_of_the_sample_is_found_in_its_months_and_no_other():
    outs = sample()[1]
    found = outs.groupby("product")["month"].agg(["min", "max", "nunique"])
    true = truth().sort_index()
    assert found["min"].tolist() == true["from_month"].tolist()
    assert found["max"].tolist() == true["to_month"].tolist()
    assert found.index.tolist() == true.index.tolist()
    months = (true["to_month"].dt.month - true["from_month"].dt.month + 1).tolist()
    assert found["nunique"].tolist() == months


@pytest.mark.parametrize("product", truth().index)
def test_hidden_demand_of_the_sample_is_within_15_percent_of_its_truth(product):
    outs = sample()[1]
    hidden = outs.loc[outs["product"].eq(product), "quantity"].sum()
    assert hidden == pytest.approx(truth().loc[product, "quantity"], rel=0.15)


def test_a_petroleum_balance_shows_no_stock_out():
    shared = REPO.parent / "shared" / "data" / "eia_petroleum"
    if not shared.is_dir():
        pytest.skip("the petroleum files are not here")
    read = inputs.read_inputs(settings.load(REPO / "data" / "us_petroleum", {"SOP_INPUTS": str(shared)}), "2026-02")
    panel = history.complete_history(read.tables["sales"], read.tables["products"], read.cycle)
    assert stock_outs.stock_outs(panel, read.tables["inventory"], read.tables["products"]).empty
