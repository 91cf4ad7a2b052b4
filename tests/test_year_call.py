"""The full-year call and its bridges, by hand and by laws."""

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_finance import table

from sop_lib import months, tables, year_call

CYCLE = months.month("2026-11")
HORIZON = months.month_range(CYCLE, 14)  # to December 2027
YEAR = months.fiscal_year_months(2026)
NO_STOCK = table("budget").rename(columns={"revenue": "value", "region": "basis"})[
    ["month", "family", "quantity", "value", "basis"]
]
PLANS = table("past_plans")[["cycle", "measure", "month", "family", "quantity"]].assign(draft=False)


def outlook(
    quantity: float = 10.0, families: tuple[str, ...] = ("A", "B"), price: float = 2.0, region: str = "ALL"
) -> pd.DataFrame:
    """Return two closed years and the horizon, the same quantity every month."""
    parts = []
    for family in families:
        every = pd.date_range("2025-01-01", HORIZON[-1], freq="MS")
        part = pd.DataFrame(
            {"month": every, "product": family.lower(), "region": region, "family": family, "quantity": quantity}
        )
        parts.append(part.assign(demand=quantity, price=price, unit_cost=1.0, limited=True))
    out = pd.concat(parts, ignore_index=True)
    basis = (out["month"] < CYCLE).map({True: "actual", False: "plan"})
    return out.assign(basis=basis, revenue=out["quantity"] * price, cost=out["quantity"])


def budget(quantity: float = 12.0, revenue: float = 30.0, margin: float = 15.0, every=YEAR) -> pd.DataFrame:
    rows = pd.DataFrame({"month": every}).merge(pd.DataFrame({"family": ["A", "B"]}), how="cross")
    return table("budget", **rows.assign(quantity=quantity, revenue=revenue, margin=margin).to_dict("series"))


def outcomes(*factors: float) -> pd.DataFrame:
    rows = outlook()[["month", "family"]].drop_duplicates()
    ahead = rows[rows["month"] >= CYCLE].merge(
        pd.DataFrame({"path": range(len(factors)), "factor": factors}), how="cross"
    )
    return ahead.assign(demand=10 * ahead["factor"], shipped=10 * ahead["factor"], late=0.0, closing=0.0)


def call(**more) -> pd.DataFrame:
    options = {"horizon": HORIZON, "start": 1, "lag": 2, "currency": "EUR", "units": {"A": "case", "B": "case"}}
    return year_call.year_call(outlook(), NO_STOCK, budget(), outcomes(0.5, 1.0, 1.5), PLANS, **options | more)


def test_call_is_actual_to_date_plus_plan():
    found = call()
    row = found[(found["family"] == "ALL") & (found["fiscal_year"] == 2026)].set_index("line").loc["revenue"]
    assert row[["actual_to_date", "latest", "budget", "last_year"]].tolist() == [400, 480, 720, 480]
    assert row[["low", "high"]].tolist() == [400 + 80 * 0.6, 400 + 80 * 1.4]  # P10 and P90 of 0.5, 1, 1.5
    assert row["months"] == 12
    tables.check("year_call", found.assign(cycle=CYCLE))


def test_years_are_the_current_and_those_the_horizon_covers():
    assert set(call()["fiscal_year"]) == {2026, 2027}
    assert set(call(start=7)["fiscal_year"]) == {2027}


def test_a_year_the_budget_does_not_cover_has_no_budget():
    found = call()
    assert found.loc[found["fiscal_year"] == 2027, "budget"].isna().all()


def test_a_budget_of_some_families_is_not_the_company_s():
    aims = budget()
    only_a = aims[aims["family"] == "A"]
    some_b = aims[(aims["family"] == "A") | (aims["month"] < months.month("2026-04"))]
    for given_budget in (only_a, some_b):
        found = year_call.year_call(
            outlook(), NO_STOCK, given_budget, outcomes(1.0), PLANS,
            horizon=HORIZON, start=1, lag=2, currency="EUR", units={},
        ).set_index(["fiscal_year", "line", "family"])  # fmt: skip
        assert found.loc[(2026, "revenue", "A"), "budget"] == 12 * 30
        assert found.loc[(2026, "revenue", ["B", "ALL"]), "budget"].isna().all()
        assert found.loc[(2026, "revenue", "ALL"), "last_year"] == 480
        bridges = year_call.budget_bridges(outlook(), given_budget, horizon=HORIZON, start=1, currency="EUR")
        assert set(bridges["family"]) == {"A"}


def test_families_add_up_to_all_and_unlike_units_do_not():
    found = call()
    sums = found[found["family"] != "ALL"].groupby(["fiscal_year", "line"])["latest"].sum()
    whole = found[found["family"] == "ALL"].set_index(["fiscal_year", "line"])["latest"]
    assert (sums == whole).all()
    mixed = call(units={"A": "case", "B": "litre"})
    assert mixed[(mixed["family"] == "ALL") & (mixed["line"] == "quantity")].empty
    assert len(mixed) == len(found) - 2


def test_stock_is_called_at_the_end_of_the_year():
    dec, closed = months.month("2026-12"), months.month("2026-10")
    stock = pd.DataFrame(
        {
            "month": [closed, dec],
            "family": "A",
            "quantity": [5.0, 7.0],
            "value": [50.0, 70.0],
            "basis": ["actual", "plan"],
        }
    )
    options = {"horizon": HORIZON[:2], "start": 1, "lag": 2, "currency": "EUR", "units": {}}
    found = year_call.year_call(outlook(), stock, budget(), outcomes(1.0), PLANS, **options).set_index(
        ["line", "family"]
    )
    assert found.loc[("inventory_value", "ALL"), ["actual_to_date", "latest"]].tolist() == [50, 70]


def test_previous_is_actual_before_the_last_cycle_and_its_plan_after():
    plan = pd.DataFrame({"month": months.month_range(months.month("2026-10"), 3)}).merge(
        pd.DataFrame({"family": ["A", "B"]}), how="cross"
    )
    plans = plan.assign(cycle=months.month("2026-10"), measure="demand", draft=False, quantity=20.0)
    options = {"horizon": HORIZON, "start": 1, "lag": 2, "currency": "EUR", "units": {}}
    found = year_call.year_call(outlook(), NO_STOCK, budget(), outcomes(1.0), plans, **options).set_index(
        ["fiscal_year", "line", "family"]
    )
    assert found.loc[(2026, "quantity", "A"), "previous"] == 9 * 10 + 3 * 20
    assert found.loc[(2026, "revenue", "A"), "previous"] == 2 * (9 * 10 + 3 * 20)
    assert pd.isna(found.loc[(2027, "quantity", "A"), "previous"])


def test_bridge_from_budget_by_hand():
    # a family: budget 12 x 12 units at 2.5, latest 12 x 10 units at 2: volume -24 x 2.5, price 120 x -0.5
    found = year_call.budget_bridges(outlook(), budget(), horizon=HORIZON, start=1, currency="EUR")
    steps = found[(found["family"] == "A") & (found["bridge"] == "budget to latest, revenue 2026")].set_index("step")[
        "value"
    ]
    assert steps.to_dict() == {"Budget": 360, "Volume": -60, "Mix": 0, "Price": -60, "Latest": 240}
    margin = found[(found["family"] == "A") & (found["bridge"] == "budget to latest, margin 2026")].set_index("step")[
        "value"
    ]
    # budget margin 1.25 a unit, cost 1.25; latest cost 1: volume -24 x 1.25, cost 120 x 0.25
    assert margin.to_dict() == {"Budget": 180, "Volume": -30, "Mix": 0, "Price": -60, "Cost": 30, "Latest": 120}
    tables.check("bridges", found.assign(cycle=CYCLE))


def test_product_mix_is_no_price():
    # last year half dear (3), half cheap (1); this year all dear: the family's average moves, prices do not
    every = pd.date_range("2025-01-01", YEAR[-1], freq="MS")
    dear, cheap = ((every.year == 2026).astype(float) * 5 + 5, 5 - (every.year == 2026).astype(float) * 5)
    parts = [
        pd.DataFrame({"month": every, "product": p, "region": "ALL", "family": "A", "quantity": q}).assign(
            price=w, revenue=q * w, cost=q
        )
        for p, q, w in (("dear", dear, 3.0), ("cheap", cheap, 1.0))
    ]
    aims = budget(10.0, 20.0, 10.0)
    found = year_call.budget_bridges(
        pd.concat(parts), aims[aims["family"] == "A"], horizon=HORIZON[:2], start=1, currency="EUR"
    )
    steps = found[(found["family"] == "A") & found["bridge"].str.contains("revenue")].set_index("step")["value"]
    assert steps.to_dict() == {"Budget": 240, "Volume": 0, "Mix": 120, "Price": 0, "Latest": 360}


def test_bridge_from_the_last_call():
    plan = pd.DataFrame({"month": months.month_range(months.month("2026-10"), 3), "family": "A"})
    plans = plan.assign(cycle=months.month("2026-10"), measure="demand", draft=False, quantity=12.0)
    sold = outlook(families=("A",)).assign(demand=11.0)
    found = year_call.previous_bridges(sold, plans, horizon=HORIZON, start=1, currency="EUR")
    steps = found[found["family"] == "ALL"].set_index("step")["value"]
    assert steps.to_dict() == {"Previous": 252, "Closed months": -4, "Open months": -4, "Supply": -4, "Latest": 240}


def test_without_earlier_plans_or_budget_there_is_no_bridge():
    assert year_call.bridges(outlook(), table("budget"), PLANS, horizon=HORIZON, start=1, currency="EUR").empty


amount = st.floats(0, 1e6)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(amount, amount, amount), min_size=2, max_size=2), st.tuples(amount, amount))
def test_steps_of_every_bridge_add_up(aims, sold):
    rows = pd.DataFrame(aims, columns=["quantity", "revenue", "margin"]).assign(family=["A", "B"])
    planned = pd.DataFrame({"month": YEAR}).merge(rows, how="cross")
    latest = outlook(sold[0], price=sold[1])
    found = year_call.budget_bridges(
        latest, table("budget", **planned.to_dict("series")), horizon=HORIZON, start=1, currency="EUR"
    )
    for _, steps in found.groupby(["bridge", "family"]):
        value = steps.sort_values("order")["value"].to_numpy()
        assert value[:-1].sum() == pytest.approx(value[-1], rel=1e-9, abs=1e-6 * max(1.0, abs(value).max()))


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(0.1, 3), min_size=2, max_size=9))
def test_low_is_never_above_high(factors):
    found = year_call.year_call(
        outlook(), NO_STOCK, budget(), outcomes(*factors), PLANS,
        horizon=HORIZON, start=1, lag=2, currency="EUR", units={},
    )  # fmt: skip
    assert (found["low"] <= found["high"] + 1e-9).all()
