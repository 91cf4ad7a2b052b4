"""Safety stock per product: by hand, by law, on the sample's own demand, and where little is known."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sop_lib import policy, safety, supply_checks, tables
from sop_lib.settings import Planning

ORIGINS = pd.date_range("2025-01-01", periods=12, freq="MS")
HORIZON = pd.date_range("2026-11-01", periods=24, freq="MS")


def backtested(errors, product="one", forecast=100.0, origins=ORIGINS) -> pd.DataFrame:
    """A row of forecast errors (actual - forecast) per origin, a column per lag."""
    rows = [
        {"origin": o, "lag": lag, "forecast": forecast, "actual": forecast + e}
        for o, line in zip(origins, errors, strict=False)
        for lag, e in enumerate(np.atleast_1d(line), 1)
    ]
    return pd.DataFrame(rows).assign(
        level="product", family="Grills", product=product, region="ALL", model="combination"
    )


def families(**stated) -> pd.DataFrame:
    row = {"family": "Grills", "strategy": "MTS", "fill_target": 0.95, "frozen_months": 0.0, "cover_days": 0.0}
    return pd.DataFrame([row | stated])


def wanted(*products: str, demand: float = 100.0, family: str = "Grills") -> pd.DataFrame:
    rows = [{"month": m, "family": family, "product": p, "demand": demand} for m in HORIZON for p in products]
    return pd.DataFrame(rows, columns=["month", "family", "product", "demand"])


def held(backtest, rule="fill rate", plan=None, planning=None, **stated) -> pd.DataFrame:
    plan = wanted("one") if plan is None else plan
    return policy.monthly(plan, families(**stated), backtest, planning or Planning(), rule)


SWING = [[30], [-30]] * 6


def test_both_rules_by_hand_for_normal_errors():
    """Errors of 30 either way, 100 wanted a month: z of 95 % is 1.645; loss of 5 units is 30 x 0.1667, z = 0.596."""
    assert held(backtested(SWING), "cycle service")["safety"].to_numpy() == pytest.approx(1.645 * 30, abs=0.2)
    assert held(backtested(SWING), "fill rate")["safety"].to_numpy() == pytest.approx(
        safety.for_fill_rate(0.95, 100, 30), abs=0.02
    )


def test_errors_are_summed_over_the_frozen_months_and_one_of_review():
    following, cancelling = [[30, 30], [-30, -30]] * 6, [[30, -30], [-30, 30]] * 6
    assert held(backtested(following), frozen_months=1.0)["spread"].to_numpy() == pytest.approx(60)
    assert held(backtested(cancelling), frozen_months=1.0)["spread"].to_numpy() == pytest.approx(0)


def test_a_fill_rate_counts_the_units_of_one_month_whatever_the_lead():
    stock = held(backtested([[30, 30], [-30, -30]] * 6), frozen_months=1.0)["safety"]
    assert stock.to_numpy() == pytest.approx(safety.for_fill_rate(0.95, 100, 60), abs=0.05)


def test_products_do_not_serve_each_other():
    """Two products whose errors cancel: their family needs nothing, each of them does."""
    both = pd.concat([backtested(SWING), backtested([[-30], [30]] * 6, "two")])
    found = held(both, plan=wanted("one", "two")).groupby("product")["safety"].first()
    assert found.to_numpy() == pytest.approx(safety.for_fill_rate(0.95, 100, 30), abs=0.02)


def test_regions_of_a_product_do_serve_each_other():
    north, south = backtested(SWING), backtested([[-30], [30]] * 6)
    both = pd.concat([north.assign(region="N"), south.assign(region="S")]).assign(level="product-region")
    assert (held(both)["safety"] == 0).all()


def test_lumpy_errors_are_taken_as_they_came():
    """Eleven plans 20 too high, one 400 short, of 100: to lose 5 units a plan on average, stock 400 - 12 x 5."""
    found = held(backtested([[-20]] * 11 + [[400]]))
    assert set(found["method"]) == {"empirical"}
    assert found["safety"].to_numpy() == pytest.approx(400 - 12 * 5)
    assert held(backtested([[-20]] * 11 + [[400]]), "cycle service")["safety"].iloc[0] == pytest.approx(400)


def test_demand_in_few_months_is_lumpy_though_its_errors_are_small():
    rows = backtested([[-5], [-5], [8]] * 4, forecast=5.0)
    assert set(held(rows)["method"]) == {"empirical"}


def test_a_forecast_always_too_low_asks_for_what_it_lacks():
    stock = held(backtested([[40]] * 12))
    assert stock["safety"].iloc[0] > 30


@pytest.mark.parametrize("rule", policy.RULES)
def test_errors_of_nothing_and_a_forecast_too_high_ask_for_none(rule):
    assert held(backtested([[0]] * 12), rule)["safety"].to_numpy() == pytest.approx(0, abs=1e-6)
    assert (held(backtested([[-1]] * 12), "fill rate")["safety"] == 0).all()


def test_little_history_takes_the_errors_of_the_family():
    both = pd.concat([backtested(SWING), backtested([[40]] * 3, "two")])
    found = held(both, plan=wanted("one", "two", "never tested")).groupby("product").first()
    assert found["method"].to_dict() == {"one": "normal", "two": "shared", "never tested": "shared"}
    assert found.loc["two", "spread"] == pytest.approx(30)
    assert found.loc["never tested", "spread"] == pytest.approx(np.sqrt((12 * 30**2 + 3 * 40**2) / 15))


def test_half_of_the_weight_lies_on_the_others_of_the_family():
    both = pd.concat([backtested(SWING), backtested([[10], [-10]] * 6, "two")])
    found = held(both, plan=wanted("one", "two")).groupby("product")["spread"].first()
    assert found.to_numpy() == pytest.approx(np.sqrt((30**2 + 10**2) / 2))


def test_safety_follows_the_season_of_the_lead_months():
    plan = wanted("one").assign(demand=lambda t: np.where(t["month"].dt.month == 6, 400.0, 100.0))
    found = held(backtested([[30, 30], [-30, -30]] * 6), plan=plan, frozen_months=1.0).set_index("month")["safety"]
    usual = found["2027-03-01"]
    assert found[["2027-06-01", "2027-07-01"]].to_numpy() == pytest.approx(2.5 * usual)
    assert found["2027-08-01"] == pytest.approx(usual)


def test_made_to_order_holds_none_and_has_no_target():
    found = held(backtested(SWING), strategy="MTO")
    assert (found["safety"] == 0).all()
    goal = policy.targets(wanted("one"), found, families(strategy="MTO", cover_days=30.0))
    assert (goal[["safety", "target"]] == 0).all(axis=None)


def test_target_is_the_larger_of_cover_and_safety_of_all_products():
    found = held(pd.concat([backtested(SWING), backtested(SWING, "two")]), plan=wanted("one", "two"))
    demand = wanted("both", demand=200.0)[["month", "family", "demand"]]
    low, high = (policy.targets(demand, found, families(cover_days=days)) for days in (0.0, 90.0))
    assert low["target"].to_numpy() == pytest.approx(2 * safety.for_fill_rate(0.95, 100, 30), abs=0.05)
    assert low["safety"].equals(high["safety"])
    assert (high["target"] > 500).all()


def test_longer_frozen_than_tested_takes_the_error_in_proportion_and_says_so():
    found = held(backtested([[30, 30], [-30, -30]] * 6), frozen_months=200.0)
    assert set(found["tested"]) == {2}
    assert found["spread"].iloc[-1] == pytest.approx(201 * 100 * 0.3)
    (row,) = policy.safety_stocks(found, pd.Series({"one": 2.0})).to_dict("records")
    assert "201 months of forecast error" in row["finding"]
    assert "measured over 2 and taken in proportion" in row["finding"]


def test_frozen_beyond_history_is_counted():
    sales = pd.DataFrame({"month": pd.date_range("2025-11-01", periods=12, freq="MS")})
    given = {"families": families(frozen_months=12.0), "sales": sales}
    (found,) = supply_checks.frozen_beyond_history(given, HORIZON)
    assert (found["subject"], found["rows"]) == ("Grills", 1)
    assert "12 months that sales go back" in found["finding"]
    assert supply_checks.frozen_beyond_history(given | {"families": families(frozen_months=11.0)}, HORIZON) == []


def test_nothing_tested_gives_none_and_says_so():
    found = held(tables.empty("backtest"))
    assert set(found["method"]) == {"none"}
    (row,) = policy.safety_stocks(found, pd.Series(dtype=float)).to_dict("records")
    assert row["safety"] == 0
    assert "no error is known" in row["finding"]


def test_no_plan_gives_no_rows():
    found = held(backtested(SWING), plan=wanted())
    assert found.empty
    assert policy.safety_stocks(found, pd.Series(dtype=float)).empty
    assert policy.by_rule(dict.fromkeys(policy.RULES, tables.empty("safety_stocks")), "fill rate", REPLAYED[:0]).empty


REPLAYED = pd.DataFrame({"family": ["Grills", "ALL"], "promised": 0.95, "achieved": [0.94, 0.96]})


def test_every_product_has_its_reason_with_its_numbers():
    plan = pd.concat([wanted("one", "two"), wanted("idle", demand=0.0)])
    found = held(pd.concat([backtested(SWING), backtested([[40]] * 3, "two")]), plan=plan)
    rows = policy.safety_stocks(found, pd.Series({"one": 10.0})).set_index("product")
    tables.check("safety_stocks", rows.reset_index().assign(cycle=HORIZON[0]))
    one = rows.loc["one"]
    assert one["value"] == pytest.approx(10 * one["safety"])
    assert pd.isna(rows.loc["two", "value"])
    assert f"±{one['spread']:,.0f} (root mean square; 12 plans" in one["finding"]
    assert f"95 % of units served from stock asks for {one['safety']:,.0f}" in one["finding"]
    assert rows.loc["idle", "finding"].startswith("Nothing is planned")
    assert "too few plans of its own" in rows.loc["two", "finding"]


def reason(backtest, **stated) -> str:
    found = policy.safety_stocks(held(backtest, **stated), pd.Series(dtype=float))
    return found.set_index("product")["finding"]["one"]


def test_one_month_comes_and_two_come():
    assert reason(backtested(SWING)).startswith("One month of forecast error comes to ±30 ")
    assert reason(backtested(SWING * 2), frozen_months=1.0).startswith("2 months of forecast error come to ±")


@pytest.mark.parametrize("errors", [SWING, [[-20]] * 11 + [[400]]])
def test_the_others_of_a_family_are_named_only_where_it_has_others(errors):
    assert "others of" not in reason(backtested(errors))
    assert "12 plans)" in reason(backtested(errors))
    assert "others of Grills" in reason(pd.concat([backtested(errors), backtested(errors, "two")]))


def test_families_show_both_rules_what_was_achieved_and_the_value_of_the_plans_own():
    both = {
        rule: policy.safety_stocks(held(backtested(SWING), rule), pd.Series({"one": 10.0})) for rule in policy.RULES
    }
    rows = policy.by_rule(both, "fill rate", REPLAYED).set_index("family")
    assert rows.loc["Grills", "achieved"] == 0.94
    assert rows.loc["ALL", "cycle service"] == pytest.approx(1.645 * 30, abs=0.2)
    assert rows.loc["ALL", "value"] == pytest.approx(10 * rows.loc["Grills", "fill rate"])


def test_the_setting_chooses_the_rule_and_its_level_where_the_family_states_none():
    asked = Planning(safety_rule="cycle service", service_level=0.9)
    found = policy.monthly(wanted("one"), families(fill_target=np.nan), backtested(SWING), asked)
    assert set(found["rule"]) == {"cycle service"}
    assert found["safety"].iloc[0] == pytest.approx(1.2816 * 30, abs=0.2)


@given(st.lists(st.integers(-90, 300), min_size=6, max_size=12), st.floats(0.5, 0.99), st.integers(0, 2))
@settings(max_examples=10, deadline=None)
def test_more_promised_never_asks_for_less_and_order_of_rows_is_nothing(errors, promised, frozen):
    rows = backtested([[e, e / 2, -e] for e in errors])
    for rule in policy.RULES:
        low, high = (held(rows, rule, fill_target=p, frozen_months=float(frozen)) for p in (promised, promised + 0.005))
        assert (high["safety"] >= low["safety"] - 1e-9).all()
        mixed = held(rows.sample(frac=1, random_state=1), rule, fill_target=promised, frozen_months=float(frozen))
        assert mixed["safety"].to_numpy() == pytest.approx(low["safety"].to_numpy(), abs=1e-9)


@given(st.lists(st.integers(-95, 400), min_size=6, max_size=12), st.floats(0.5, 0.99))
@settings(max_examples=40, deadline=None)
def test_empirical_stock_serves_exactly_what_it_promises_on_the_errors_it_is_from(errors, promised):
    shares = np.array(errors) / 100
    spread = policy.spread_of(shares, np.array([]), gaps=2.0)
    stock = spread.asked("fill rate", promised, 1)
    served = 1 - np.maximum(shares - stock, 0).mean()
    assert served >= promised - 1e-9
    assert stock == 0 or served == pytest.approx(promised)
    assert (shares <= spread.asked("cycle service", promised, 1) + 1e-12).mean() >= promised - 1e-9


@pytest.mark.parametrize("share", ["0", "1"])
def test_a_promise_of_nothing_or_of_everything_is_refused(share):
    row = {"family": ["A"], "unit": ["piece"], "strategy": ["MTS"], "fill_target": [share]}
    with pytest.raises(tables.TableError, match=r"fill_target: not above 0 and below 1.*'?[01].*give a number above"):
        tables.check("families", pd.DataFrame(row))
