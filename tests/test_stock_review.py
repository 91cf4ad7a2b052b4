"""Stock of each product against its own plan, by hand, by law, and on the sample beside what was injected."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sample_files import table, truth

from sop_lib import finance, history, inventory, life_cycle, stock_review, supply_checks, tables

HORIZON = pd.date_range("2026-11-01", periods=24, freq="MS")
CLOSED = pd.Timestamp("2026-10-01")
PAST = pd.date_range("2024-11-01", periods=24, freq="MS")
NO_SAFETY = pd.DataFrame(columns=["product", "safety"])


def company(stock: dict[str, float], monthly: dict[str, float], **more) -> dict[str, pd.DataFrame]:
    """Products of one family with their stock at the last close and a level plan, each sold 10 a month until now."""
    names = sorted({*stock, *monthly})
    plan = [(m, p, "Grills", q) for p, q in monthly.items() for m in HORIZON]
    past = pd.DataFrame([(m, p) for p in names for m in PAST], columns=["month", "product"])
    found = {
        "products": pd.DataFrame({"product": names, "family": "Grills", "unit_cost": 2.0, "unit_price": 3.0}),
        "demand_plan": pd.DataFrame(plan, columns=["month", "product", "family", "quantity"]),
        "history": past.assign(family="Grills", raw=10.0, shipped=10.0, revenue=30.0, cost=20.0),
        "inventory": pd.DataFrame({"month": CLOSED, "product": list(stock), "on_hand": list(stock.values())}).assign(
            blocked=np.nan, in_transit=np.nan
        ),
        "families": pd.DataFrame({"family": ["Grills"], "strategy": "MTS", "cover_days": 30.0}),
        "prices": tables.empty("prices"),
    }
    return found | more


def reviewed(found: dict[str, pd.DataFrame], safety: pd.DataFrame = NO_SAFETY, run_out=None) -> pd.DataFrame:
    ends = life_cycle.run_out(
        found["products"].assign(successor=None, **({} if "end_month" in found["products"] else {"end_month": pd.NaT})),
        found["demand_plan"], found["inventory"], found["history"],
    ) if run_out is None else run_out  # fmt: skip
    out = stock_review.stock_review(found, safety, ends, HORIZON, "EUR")
    tables.check("stock_review", out.assign(cycle=HORIZON[0]))
    return out.set_index("product")


def test_excess_is_what_twelve_months_and_the_target_do_not_want():
    row = reviewed(company({"A": 150.0}, {"A": 10.0})).loc["A"]
    assert (row["demand"], row["needed"], row["excess"], row["obsolete"]) == (120, 120, 30, 0)
    assert (row["value"], row["needed_value"], row["excess_value"]) == (300, 240, 60)
    assert row["runs_out"] == HORIZON[14]
    assert row["state"] == "excess"
    assert row["finding"].startswith("A: 30 of 150 units are more than twelve months want")


def test_the_target_is_the_larger_of_safety_and_cover():
    safety = pd.DataFrame({"product": ["A", "B"], "safety": [200.0, 1.0]})
    out = reviewed(company({"A": 150.0, "B": 5.0}, {"A": 10.0, "B": 10.0}), safety)
    assert out.loc["A", "target"] == 200
    assert out.loc["A", ["excess", "state"]].tolist() == [0, "below safety"]
    assert out.loc["B", "target"] == pytest.approx(10 * 30 / 31)  # December has 31 days
    assert out.loc["B", "state"] == "in order"


def test_stock_beyond_an_end_is_what_run_out_says():
    found = company({"A": 100.0, "B": 40.0}, {"A": 10.0, "B": 10.0})
    found["products"]["end_month"] = [HORIZON[2], HORIZON[5]]
    plan = found["demand_plan"]
    ends = plan["product"].map(found["products"].set_index("product")["end_month"])
    found["demand_plan"] = plan[plan["month"] <= ends]
    ends = life_cycle.run_out(
        found["products"].assign(successor=None), *(found[n] for n in ("demand_plan", "inventory", "history"))
    )
    out = reviewed(found, run_out=ends)
    assert out["obsolete"].tolist() == ends["left_over"].tolist() == [70, 0]
    assert out["obsolete_value"].tolist() == ends["left_over_value"].tolist()
    assert out.loc["B", "runs_out"] == ends["run_out_month"].iloc[1]
    assert out.loc["A", "finding"] == "A: 70 of 100 units are left at its end in Jan 2027, EUR 140 at cost."


def test_an_end_after_the_plan_leaves_nothing_obsolete_yet():
    found = company({"A": 500.0}, {"A": 10.0})
    found["products"]["end_month"] = HORIZON[-1] + pd.DateOffset(months=6)
    assert reviewed(found).loc["A", ["obsolete", "excess"]].tolist() == [0, 380]


def test_what_nothing_wants_or_nobody_bought_for_a_year_is_obsolete():
    found = company({"never": 5.0, "old": 7.0, "new": 9.0}, {"old": 1.0, "new": 10.0})
    past = found["history"]
    old = past["product"].eq("old") & past["month"].ge("2025-11-01")
    found["history"] = past.assign(raw=past["raw"].mask(old, 0.0), shipped=past["shipped"].mask(old, 0.0))
    found["history"] = found["history"][past["product"].ne("new")]  # a launch has not sold yet
    out = reviewed(found)
    assert out["obsolete"].to_dict() == {"never": 5, "new": 0, "old": 7}
    assert "wanted by nothing in the plan" in out.loc["never", "finding"]
    assert "not wanted for twelve months" in out.loc["old", "finding"]
    assert pd.isna(out.loc["never", "cover_days"])


def test_negative_stock_is_owed_and_never_excess():
    row = reviewed(company({"A": -4.0}, {"A": 10.0}), pd.DataFrame({"product": ["A"], "safety": [5.0]})).loc["A"]
    assert row[["needed", "excess", "obsolete", "value"]].tolist() == [-4, 0, 0, -8]
    assert row["state"] == "below safety"


def test_made_to_order_asks_no_stock():
    found = company({"A": 0.0}, {"A": 10.0})
    found["families"]["strategy"] = "MTO"
    assert reviewed(found, pd.DataFrame({"product": ["A"], "safety": [5.0]})).loc["A", "state"] == "not stocked"


def test_blocked_stock_is_counted_apart_and_transit_within():
    found = company({"A": 10.0}, {"A": 10.0})
    found["inventory"] = found["inventory"].assign(blocked=3.0, in_transit=4.0)
    row = reviewed(found).loc["A"]
    assert (row["needed"], row["value"], row["blocked_value"]) == (14, 28, 6)
    assert stock_review.stock_sentence(reviewed(found).reset_index(), "EUR").endswith("; 6 more is blocked.")


def test_stock_without_a_cost_is_counted_and_named():
    found = company({"A": 10.0, "B": 4.0}, {"A": 10.0, "B": 1.0})
    found["products"].loc[1, "unit_cost"] = np.nan
    found["history"].loc[found["history"]["product"] == "B", "cost"] = np.nan
    out = reviewed(found).reset_index()
    assert out["value"].isna().tolist() == [False, True]
    assert stock_review.uncosted_sentence(out) == "Without a cost, and so without value: 4 units of 1 product (B)."
    assert stock_review.by_family(out)["without_cost"].tolist() == [1, 1]
    sales = found["history"].assign(region="ALL")
    (told,) = supply_checks.stock_without_cost(found | {"sales": sales}, HORIZON)
    assert (told["subject"], told["rows"], told["quantity"]) == ("B", 1, 4)
    assert told["remedy"]
    known = found | {"sales": sales, "products": found["products"].assign(unit_cost=1.0)}
    assert supply_checks.stock_without_cost(known, HORIZON) == []


def test_stock_in_transit_or_blocked_without_a_cost_is_counted_too():
    found = company({"A": 10.0, "B": 0.0, "C": 0.0}, {"A": 10.0, "B": 1.0, "C": 1.0})
    found["inventory"] = found["inventory"].assign(in_transit=[np.nan, 5000.0, np.nan], blocked=[np.nan, np.nan, 7.0])
    found["products"].loc[1:, "unit_cost"] = np.nan
    found["history"] = found["history"].assign(cost=np.nan)
    out = reviewed(found).reset_index()
    said = stock_review.uncosted_sentence(out)
    assert said == "Without a cost, and so without value: 5,007 units of 2 products (B, C)."
    assert stock_review.by_family(out)["without_cost"].tolist() == [2, 2]


def test_no_cost_at_all_is_said():
    found = company({"A": 10.0}, {"A": 10.0})
    found = found | {
        "products": found["products"].assign(unit_cost=np.nan),
        "history": found["history"].assign(cost=np.nan),
    }
    assert "is not known" in stock_review.stock_sentence(reviewed(found).reset_index(), "EUR")


def test_nothing_in_stock_is_an_empty_table():
    found = company({}, {"A": 10.0})
    assert stock_review.stock_review(found, NO_SAFETY, pd.DataFrame(), HORIZON, "EUR").empty


def test_the_order_of_rows_changes_nothing():
    found = company({"A": 150.0, "B": 7.0, "C": 0.0}, {"A": 10.0, "B": 3.0, "C": 1.0})
    mixed = {name: frame.sample(frac=1, random_state=3) for name, frame in found.items()}
    pd.testing.assert_frame_equal(reviewed(mixed), reviewed(found))


NUMBER = st.floats(-50, 500).map(lambda x: round(x, 2))


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(NUMBER, st.floats(0, 30), st.booleans(), st.floats(0, 300)), min_size=1, max_size=4))
def test_value_is_needed_and_excess_and_obsolete(drawn):
    names = [f"P{n}" for n in range(len(drawn))]
    found = company(
        {n: d[0] for n, d in zip(names, drawn, strict=True)}, {n: d[1] for n, d in zip(names, drawn, strict=True)}
    )
    found["products"]["end_month"] = pd.to_datetime([HORIZON[3] if d[2] else None for d in drawn])
    out = reviewed(found, pd.DataFrame({"product": names, "safety": [d[3] for d in drawn]}))
    stock = out["on_hand"]
    assert np.allclose(out["needed"] + out["excess"] + out["obsolete"], stock, atol=1e-9)
    assert (out[["excess", "obsolete"]].sum(axis=1) <= stock.clip(lower=0) + 1e-9).all()
    whole = stock_review.by_family(out.reset_index()).set_index("family")
    assert whole.loc["ALL", "value"] == pytest.approx(2 * stock.sum(), abs=1e-6)
    parts = whole[["needed_value", "excess_value", "obsolete_value"]].sum(axis=1)
    assert np.allclose(parts, whole["value"], atol=1e-6)
    told = stock_review.stock_sentence(out.reset_index(), "EUR").replace(",", "")
    numbers = [int(w) for w in told.replace(":", "").split() if w.lstrip("-").isdigit()]
    assert numbers[0] == sum(numbers[1:4])


# The plan's stock by family


def test_projection_says_what_is_below_safety_and_excess():
    plan = pd.DataFrame({"month": HORIZON[:3], "family": "A", "demand": 10.0, "opening": [900.0, 200, 3]})
    plan = plan.assign(closing=[200.0, 3, 0], target=20.0, safety=5.0, cover_days=np.nan)
    rows = stock_review.projected(plan)
    year = inventory.cover_stock(plan, pd.Series({"A": 365.0}))["cover"]
    assert rows["excess"].tolist() == [pytest.approx(200 - year[0]), 0, 0]
    assert rows["below_safety"].tolist() == [0, 2, 5]
    row = stock_review.watched(rows).iloc[0]
    assert (row["lowest"], row["months_below_safety"], row["first_below"]) == (0, 2, HORIZON[1])
    assert stock_review.watched(stock_review.projected(plan.head(0))).empty


# The sample company


@pytest.fixture(scope="module")
def sample() -> dict[str, pd.DataFrame]:
    """The sample with last year's demand as its plan, ended products at none."""
    found = {n: table(n) for n in ("products", "inventory", "families", "prices", "sales")}
    past = history.complete_history(found["sales"], found["products"], HORIZON[0])
    year = past[past["month"] > past["month"].max() - pd.DateOffset(months=12)]
    ahead = [year.assign(month=year["month"] + pd.DateOffset(months=n)) for n in (12, 24)]
    plan = pd.concat(ahead).rename(columns={"cleansed": "quantity"})
    ends = plan["product"].map(found["products"].set_index("product")["end_month"])
    return found | {"history": past, "demand_plan": plan[~(plan["month"] > ends)]}


def test_the_sample_s_stock_in_money_is_that_of_the_financial_plan(sample):
    ends = life_cycle.run_out(*(sample[n] for n in ("products", "demand_plan", "inventory", "history")))
    out = stock_review.stock_review(sample, NO_SAFETY, ends, HORIZON, "EUR")
    kinds = {"month": "datetime64[ns]", "family": object, "basis": object}
    numbers = dict.fromkeys(["cost", "quantity", "demand", "revenue", "closing"], float)
    none = pd.DataFrame({c: pd.Series(dtype=kind) for c, kind in (kinds | numbers).items()})
    values = finance.stock_values(
        sample["inventory"], none, none, sample["history"], sample["products"], sample["prices"]
    )
    now = values[values["month"] == CLOSED].set_index("family")["value"]
    found = stock_review.by_family(out).set_index("family")["value"]
    assert np.allclose(found.drop("ALL").reindex(now.index), now)


def test_the_phase_out_of_the_sample_is_its_obsolete_stock(sample):
    ended = truth().loc[truth()["cause"] == "phase-out with successor", "key"].str.removeprefix("product=")
    ends = life_cycle.run_out(*(sample[n] for n in ("products", "demand_plan", "inventory", "history")))
    out = stock_review.stock_review(sample, NO_SAFETY, ends, HORIZON, "EUR").set_index("product")
    past = out["obsolete"] > 0
    assert set(out.index[past & out.index.isin(ended)]) == set(ended)
    assert out.loc[ended, "obsolete"].tolist() == ends.set_index("product").loc[ended, "left_over"].tolist()
