"""US petroleum products by settings alone: what is read is what is published, and what does not add up is shown."""

from pathlib import Path

import pandas as pd
import pytest

from sop_lib import (
    finance,
    history,
    inputs,
    mix,
    months,
    rough_cut,
    settings,
    supply,
    supply_problem,
    tables,
    value_added,
)
from sop_lib.supply_tables import demonstrated

ROOT = Path(__file__).parent.parent
SHARED = ROOT.parent / "shared" / "data" / "eia_petroleum"
CYCLE = pd.Timestamp("2026-02-01")
PADDS = 5


@pytest.fixture(scope="module")
def found() -> inputs.Inputs:
    if not SHARED.is_dir():
        pytest.skip("the petroleum files are not here")
    company = settings.load(ROOT / "data" / "us_petroleum", {"SOP_INPUTS": str(SHARED)})
    return inputs.read_inputs(company, "2026-02")


@pytest.fixture(scope="module")
def panel(found: inputs.Inputs) -> pd.DataFrame:
    return history.complete_history(found.tables["sales"], found.tables["products"], CYCLE)


def published(name: str) -> pd.DataFrame:
    out = pd.read_csv(SHARED / f"eia_{name}.csv")
    return out.assign(month=pd.to_datetime(out["month"])) if "month" in out else out


def test_stock_rolls_forward_to_the_published_stock_and_shows_the_published_residual(found):
    rolled = history.roll_forward(*(found.tables[n] for n in ("inventory", "receipts", "sales", "products")))
    given = published("balance_us_monthly").dropna(subset="implied_other_kb")
    both = rolled.merge(given, on=["month", "product"], how="outer", validate="one_to_one", indicator=True)
    assert both["_merge"].eq("both").all()
    assert len(both) == 132 * 5
    assert (both["closing"] == both["ending_stocks_kb"]).all()
    assert (both["received"] == both["production_kb"] + both["imports_kb"]).all()
    assert (both["unexplained"] == both["implied_other_kb"]).all()
    assert both[both["product"] == "gasoline"]["unexplained"].abs().mean() > 10_000


def test_what_was_made_by_district_and_its_adjustment_is_the_us_production(found):
    came = found.tables["receipts"].pivot_table(
        index=["month", "product"], columns="source", values="quantity", aggfunc="sum", fill_value=0.0
    )
    given = published("balance_us_monthly").set_index(["month", "product"])
    assert (came["made"] + came["adjustment"] == given["production_kb"].reindex(came.index)).all()
    by_plant = found.tables["receipts"].query("source == 'made'").groupby("product")["plant"].nunique()
    assert by_plant.drop("propane/propylene").eq(PADDS).all()


def test_utilisation_is_the_published_one_by_district_and_for_the_us(found):
    used = rough_cut.measured(found.tables["resources"], CYCLE).replace({"plant": {"ALL": "US"}})
    given = published("refinery_capacity_monthly").rename(columns={"padd": "plant"})
    both = used.merge(given, on=["month", "plant"], how="outer", validate="one_to_one", indicator=True)
    assert both["_merge"].eq("both").all()
    assert len(both) == 133 * (PADDS + 1)
    assert (both["utilisation"] * 100 - both["utilization_pct_reported"]).abs().max() < 0.5
    assert used["utilisation"].max() > 1


def test_demand_is_product_supplied_and_exports_valued_where_a_price_is_published(found):
    sales = found.tables["sales"].set_index(["month", "product", "region"]).sort_index()
    first, last = (pd.Timestamp(m) for m in ("2015-01-01", "2026-01-01"))
    assert sales.loc[(first, "gasoline", "US"), "shipped"] == 272_230
    assert sales.loc[(first, "gasoline", "exports"), "shipped"] == 13_263
    assert sales.loc[first, "revenue"].isna().all()
    row = sales.loc[(last, "gasoline", "US")]
    assert row["revenue"] / row["shipped"] == pytest.approx(2.168612 * 42_000)
    assert row["cost"] / row["shipped"] == pytest.approx(60.54 * 1000)
    assert sales.loc[(last, "propane/propylene"), ["revenue", "cost"]].isna().all(axis=None)


def test_outlooks_are_in_units_a_month_and_those_of_the_cycle_are_set_aside_and_counted(found):
    plans = found.tables["past_plans"].set_index(["cycle", "measure", "month", "product"]).sort_index()
    june = pd.Timestamp("2024-06-01")
    assert plans.loc[(june, "demand", june, "distillate"), "quantity"].item() == pytest.approx(3.86022 * 30 * 1000)
    assert plans.index.get_level_values("cycle").max() == pd.Timestamp("2026-01-01")
    released = published("steo_forecasts").query(
        "months_ahead >= 0 and measure in ['demand_mbd', 'ending_stocks_mb'] and not product.str.contains('PADD')"
        " and product != 'propane'"
    )
    late = released[released["release_month"] >= "2026-02"]
    (row,) = found.issues[found.issues["rule"] == "after_closing_month"].to_dict("records")
    assert (row["table"], row["rows"]) == ("past_plans", len(late))
    assert len(plans) + len(late) == len(released)


def test_value_added_of_the_outlooks_is_judged_on_what_came_in_the_us(found, panel):
    streams = value_added.value_added(found.tables["past_plans"], panel, found.tables["products"])
    told = streams.set_index(["stream", "lag"])
    given = published("balance_us_monthly").assign(key=lambda d: d["month"].dt.strftime("%Y-%m"))
    outlook = published("steo_forecasts").query("measure == 'demand_mbd' and product != 'propane'")
    outlook = outlook[outlook["release_month"] < "2026-02"].merge(
        given, left_on=["target_month", "product"], right_on=["key", "product"], how="inner"
    )
    quantity = outlook["value"] * 1000 * outlook["month"].dt.days_in_month
    missed = (quantity - outlook["demand_product_supplied_kb"]).abs()
    for lag in (1, 2, 6, 12):
        rows = outlook["months_ahead"] == lag - 1
        wape = missed[rows].sum() / outlook.loc[rows, "demand_product_supplied_kb"].sum()
        assert told.loc[("outlook", lag), "wape"] == pytest.approx(wape)
        assert told.loc[("outlook", lag), "n"] == rows.sum()
        naive = told.loc[("seasonal naive", lag), "wape"]
        assert told.loc[("outlook", lag), "value_added"] == pytest.approx(naive - wape)
    assert streams["lag"].max() > 12


def test_the_outlooks_stand_beside_the_engine_of_today_on_the_same_months(found, panel):
    given = found.tables["past_plans"], panel, found.tables["products"]
    engine = value_added.replayed(*given, lag=2)
    streams = value_added.value_added(*given, engine)
    told = streams[streams["level"] != "family"].set_index(["stream", "lag"])
    assert told.loc["outlook", "n"].tolist() == told.loc[value_added.ENGINE, "n"].tolist()
    assert told.loc[("outlook", 2), "n"] == 76
    naive, engine_now, outlook = (told.loc[(s, 2), "wape"] for s in (value_added.NAIVE, value_added.ENGINE, "outlook"))
    assert engine_now < outlook < naive
    assert told.loc[("outlook", 2), "value_added_step"] == pytest.approx(engine_now - outlook)


def test_an_outlook_is_no_approved_plan(found):
    assert len(finance.earlier_plans(found.tables["past_plans"], found.tables["products"])) == 0


def test_the_supply_plan_takes_of_the_refineries_what_a_unit_took_last_year(found, panel):
    ahead = months.month_range(CYCLE, 12)
    last = panel[panel["month"] >= CYCLE - pd.DateOffset(months=12)]
    again = last.assign(month=last["month"] + pd.DateOffset(months=12), quantity=last["raw"], step="baseline")
    given = {name: found.tables[name] for name in supply.READS if name in found.tables}
    given |= {"demand_plan": again, "history": panel, "backtest": tables.empty("backtest")}
    problem = supply_problem.problem(given, ahead, settings.Planning(horizon_months=12))
    assert problem.attrs["depth"] == "load"
    assert any(
        s.startswith("No bill of resources for PADD1 East Coast · crude distillation") for s in problem.assumptions
    )
    shares = mix.plant_shares(given | {"bill_of_resources": rough_cut.bill(given, CYCLE)}, problem.indexes["family"])
    assert shares.groupby("family")["share"].sum().to_list() == pytest.approx([1.0] * 5)
    planned = float((problem["usage"].sel(month=ahead[0]) * 1.0).max())
    assert 0 < planned < 2
    used = rough_cut.measured(found.tables["resources"], CYCLE).query("plant == 'PADD3 Gulf Coast'")
    best = used.set_index("month")["load"].iloc[-36:].rolling(3).mean().max()
    assert demonstrated(given, problem)["PADD3 Gulf Coast · crude distillation"] == pytest.approx(best)
