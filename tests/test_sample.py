"""The sample company: the same bytes each time, valid tables, flows that add up but for what truth.csv says."""

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from sample_files import SAMPLE, table, truth

from sop_lib import settings, tables

REPO = Path(__file__).parent.parent
YEAR = pd.DateOffset(years=1)
INPUTS = [name for name, t in tables.tables().items() if t.group == "input"]


def row(cause: str) -> pd.Series:
    found = truth()[truth()["cause"] == cause]
    assert len(found) == 1, cause
    return found.iloc[0]


def keys(text: str) -> dict[str, str]:
    return dict(part.split("=", 1) for part in text.split(" · "))


def family(df: pd.DataFrame) -> pd.Series:
    return df["product"].map(table("products").set_index("product")["family"])


def test_make_sample_writes_the_committed_bytes(tmp_path):
    subprocess.run([sys.executable, REPO / "data" / "make_sample.py", tmp_path], check=True)
    made = {p.relative_to(tmp_path): p.read_bytes() for p in tmp_path.rglob("*.csv")}
    kept = {p.relative_to(SAMPLE): p.read_bytes() for p in [*SAMPLE.glob("*.csv"), *SAMPLE.glob("inputs/*.csv")]}
    assert set(made) == set(kept)
    assert [name for name in made if made[name] != kept[name]] == []
    assert sum(map(len, kept.values())) < 6_000_000


@pytest.mark.parametrize("name", INPUTS)
def test_every_input_table_is_there_and_meets_its_definition(name):
    assert len(table(name)) > 0
    source = pd.read_csv(SAMPLE / "inputs" / f"{name}.csv", nrows=0)
    assert set(source.columns) <= set(tables.table(name).names)


@pytest.mark.parametrize("name", INPUTS)
def test_every_reference_leads_to_a_row(name):
    for c in tables.table(name).columns:
        if c.refers_to:
            other, column = c.refers_to.split(".")
            used = set(table(name)[c.name].dropna()) - {tables.ALL}
            assert used <= set(table(other)[column]), c.name


def test_settings_name_every_table_and_say_the_company_is_invented():
    sample = settings.load(SAMPLE, {})
    assert {name: source.file for name, source in sample.inputs.items()} == {n: f"{n}.csv" for n in INPUTS}
    assert "nvented" in sample.company.note


def test_sizes():
    sales, products, plans = table("sales"), table("products"), table("past_plans")
    months = sales["month"].drop_duplicates().sort_values()
    assert list(months) == list(pd.date_range("2020-11-01", "2026-10-01", freq="MS"))
    assert (products["family"].nunique(), len(products), sales["region"].nunique()) == (7, 45, 4)
    assert set(table("plants")["plant"]) == {"Tarn", "Brek"}
    assert table("resources")["resource"].nunique() == 3
    assert table("supply_costs")["subcontract_max"].notna().sum() == 2
    assert table("materials")["lead_time_months"].between(3, 4).all()
    demand = plans[plans["measure"] == "demand"]
    assert demand.groupby("stream")["cycle"].nunique().to_dict() == {"consensus": 12, "sales": 12, "statistical": 12}
    assert (demand.groupby(["cycle", "stream", "family", "region"]).size() == 18).all()
    assert (plans["month"] >= plans["cycle"]).all()


def test_stock_rolls_forward_in_every_place_but_for_the_row_of_truth():
    sales = table("sales").assign(location=lambda d: d["region"].map(served_from()))
    key = ["product", "location", "month"]
    flows = pd.concat(
        [
            table("receipts").groupby(key)["quantity"].sum(),
            -sales.groupby(key)["shipped"].sum(),
        ]
    )
    stock = table("inventory").set_index(key)["on_hand"]
    change = stock.sort_index().groupby(level=["product", "location"]).diff().dropna()
    left = (change - flows.groupby(level=key).sum().reindex(change.index, fill_value=0)).loc[lambda d: d != 0]
    said = row("stock does not roll forward")
    assert list(left) == [said["quantity"]]
    assert (left.index[0][0], left.index[0][2]) == (keys(said["key"])["product"], said["from_month"])


def served_from() -> dict[str, str]:
    legs = table("shipments").query("leg == 'dc-customer'")
    return legs.drop_duplicates("to").set_index("to")["from"].to_dict()


def test_what_moves_between_centres_sums_to_nothing():
    moved = table("receipts").query("source == 'transfer'")
    assert (moved.groupby(["month", "product"])["quantity"].sum() == 0).all()


def test_backlog_is_what_was_ordered_and_not_shipped():
    key = ["product", "region", "month"]
    sales = table("sales").set_index(key)
    owed = (sales["ordered"] - sales["shipped"]).sort_index().groupby(level=["product", "region"]).cumsum()
    stated = table("backlog").groupby(key)["quantity"].sum()
    assert owed.sub(stated, fill_value=0).abs().max() == 0
    assert (table("backlog")["requested_month"] <= table("backlog")["month"]).all()


def test_nobody_ships_what_is_not_there():
    assert (table("inventory")["on_hand"] >= 0).all()


def test_customers_deliveries_of_each_month_are_the_sales_of_the_month():
    legs = table("shipments").query("leg == 'dc-customer'").dropna(subset="shipped_on")
    month = legs["shipped_on"].dt.to_period("M").dt.to_timestamp()
    sent = legs.groupby([month.rename("month"), "product", legs["to"].rename("region")])["shipped"].sum()
    sales = table("sales").query("month >= '2025-12-01'").set_index(["month", "product", "region"])["shipped"]
    back = -truth()[truth()["cause"] == "returns"]["quantity"].sum()
    assert sent.loc["2025-12-01":].sum() - sales.sum() == pytest.approx(back, abs=0.002 * sales.sum())


def test_revenue_and_cost_are_shipped_at_the_list():
    both = table("sales").merge(table("prices"), on=["month", "product"], validate="many_to_one")
    assert (both["revenue"] - both["shipped"] * both["price"]).abs().max() < 0.006
    assert (both["cost_x"] - both["shipped"] * both["cost_y"]).abs().max() < 0.006


def test_budget_stock_rolls_forward_within_each_year_and_region():
    plan = table("budget").query("version != 'stretch'").sort_values("month").assign(year=lambda d: d["month"].dt.year)
    before = plan.groupby(["year", "family", "region"])["inventory"].shift()
    kept = before.notna()
    assert (plan["inventory"] == before + plan["production"] - plan["quantity"])[kept].all()


def test_ledger_ties_to_sales_but_for_the_row_of_truth():
    actual = table("finance").pivot(index="month", columns="line", values="actual")[["revenue", "cost"]]
    sold = table("sales").groupby("month")[["revenue", "cost"]].sum().loc[actual.index]
    off = (actual - sold).stack().loc[lambda d: d.abs() > 1]
    said = row("ledger differs")
    assert list(off.index) == [(said["from_month"], keys(said["key"])["line"])]
    assert off.iloc[0] == pytest.approx(said["quantity"], abs=1)


def test_control_totals_tie_to_sales_but_for_the_row_of_truth():
    stated = table("control_totals").set_index(["month", "measure"])["value"]
    sold = table("sales").groupby("month")[["ordered", "shipped", "revenue", "cost"]].sum().stack()
    off = (stated - sold.reindex(stated.index)).loc[lambda d: d.abs() > 0.01]
    said = row("control total differs")
    assert off.to_dict() == {(said["from_month"], keys(said["key"])["measure"]): said["quantity"]}


def test_history_keeps_within_capacity():
    made = table("receipts").query("source == 'made'")
    bill = table("bill_of_resources")
    own = made.merge(bill[bill["product"] != tables.ALL], on=["product", "plant"])
    whole = made.assign(family=family(made)).merge(
        bill[bill["product"] == tables.ALL].drop(columns="product"), on=["family", "plant"]
    )
    used = pd.concat([own, whole])
    used = (used["quantity"] * used["usage_per_unit"]).groupby([used["month"], used["resource"]]).sum()
    capacity = table("resources").set_index(["month", "resource"])["capacity"]
    assert (used / capacity.reindex(used.index)).max() <= 1.0


def test_a_year_is_of_the_size_the_story_tells():
    year = table("sales").query("'2025-11-01' <= month")
    assert 60e6 < year["revenue"].sum() < 120e6
    late = table("backlog").query("'2025-11-01' <= month")["quantity"].sum() / year["ordered"].sum()
    assert 0.03 < late < 0.05


def test_truth_refers_to_rows_that_exist():
    for r in truth().itertuples():
        df = table(r.table)
        for column, value in keys(r.key).items():
            df = df[df[column] == value]
        assert len(df), r.key
        if "month" in df and r.cause != "launch":
            assert df["month"].between(r.from_month, r.to_month).any(), r.key


@pytest.mark.parametrize("product", ["BBQ-03", "PAR-02", "LIG-04"])
def test_stock_outs_hide_demand(product):
    said = truth()[(truth()["cause"] == "stock-out hides demand") & (truth()["key"] == f"product={product}")].iloc[0]
    stock = table("inventory").query("product == @product").groupby("month")["on_hand"].sum()
    assert (stock[said["from_month"] : said["to_month"]] == 0).all()
    orders = table("sales").query("product == @product").groupby("month")["ordered"].sum()
    gone, year_ago = (
        orders[said["from_month"] - shift : said["to_month"] - shift].sum() for shift in (pd.DateOffset(0), YEAR)
    )
    assert gone < 0.8 * year_ago
    assert said["quantity"] > 0.2 * year_ago


def test_spares_are_intermittent():
    sales = table("sales")
    spares = sales[(family(sales) == "Spares") & (sales["ordered"] > 0)]
    interval = 72 / spares.groupby(["product", "region"]).size()
    assert (interval > 1.32).all()
    assert (72 / spares.groupby("product")["month"].nunique() > 1.32).all()


def test_sales_stream_is_always_optimistic():
    plans = table("past_plans").query("measure == 'demand'")
    by_stream = plans.pivot_table(index=["cycle", "family"], columns="stream", values="quantity", aggfunc="sum")
    assert ((by_stream["sales"] / by_stream["statistical"] - 1) > 0.05).all()
    overall = by_stream["sales"].sum() / by_stream["statistical"].sum() - 1
    assert overall == pytest.approx(row("always optimistic")["quantity"], abs=0.01)


def test_past_plans_know_only_what_was_sold_before_their_cycle():
    sales = table("sales").assign(family=family(table("sales")))
    orders = sales.groupby(["month", "family", "region"])["ordered"].sum()
    plans = table("past_plans").query("measure == 'demand' and stream == 'statistical' and family != 'Spares'")
    cycle = pd.Timestamp("2025-11-01")
    plan = plans.query("cycle == @cycle and family == 'Covers' and region == 'North'").set_index("month")["quantity"]
    known = orders.xs(("Covers", "North"), level=("family", "region"))
    last, before = known["2024-11-01":"2025-10-01"], known["2023-11-01":"2024-10-01"]
    drift = 1 + 0.6 * (last.sum() / before.sum() - 1)
    by_hand = 0.65 * last.iloc[0] * drift + 0.35 * before.iloc[0] * drift**2
    assert plan.loc[cycle] == pytest.approx(by_hand, abs=1)


def test_lighting_drifts_below_budget():
    sales = table("sales").assign(family=family(table("sales")))
    year = sales.query("'2026-01-01' <= month").groupby(["family"])["ordered"].sum()
    plan = table("budget").query("'2026-01-01' <= month <= '2026-10-01'").groupby("family")["quantity"].sum()
    ratio = year / plan
    assert ratio["Lighting"] < 0.93
    assert ratio.drop("Spares").idxmin() == "Lighting"


def test_east_is_served_late():
    legs = table("shipments").query("leg == 'dc-customer' and delivery == '1'").dropna(subset="delivered_on")
    late = (legs["delivered_on"] > legs["requested_on"]).groupby(legs["to"]).mean()
    assert late["East"] == pytest.approx(row("late leg")["quantity"], abs=0.03)
    assert late.drop("East").max() < 0.08


def test_launch_and_phase_out():
    products = table("products").set_index("product")
    first, last = (table("sales").query("ordered > 0").groupby("product")["month"].agg(f) for f in ("min", "max"))
    assert first["FUR-09"] == products.loc["FUR-09", "launch_month"]
    assert last["HEA-02"] == products.loc["HEA-02", "end_month"]
    assert first[products.loc["HEA-02", "successor"]] == pd.Timestamp("2026-05-01")
    assert "BBQ-08" not in first
    launches = table("launches").set_index("product")
    assert launches.loc["BBQ-08", "launch_month"] > pd.Timestamp("2026-11-01")
    assert launches.loc["BBQ-08", "like_product"] in first


def test_the_press_line_cannot_make_the_peak_in_its_months():
    said = row("capacity cut")
    presses = table("resources").query("resource == 'press line'").set_index("month")
    peak = pd.date_range("2027-04-01", said["to_month"], freq="MS")
    cut = presses.loc[peak, "capacity"].sum() / presses.loc[peak - YEAR, "capacity"].sum()
    assert cut == pytest.approx(1 + said["quantity"], abs=0.03)
    usage = table("bill_of_resources").query("resource == 'press line' and family == 'Barbecues'")
    orders = table("sales")[table("sales")["month"].isin(peak - YEAR)].merge(usage, on="product")
    load = (orders["ordered"] * orders["usage_per_unit"]).sum()
    assert load > 1.5 * presses.loc[peak, ["capacity", "overtime"]].sum().sum()
