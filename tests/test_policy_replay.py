"""The stock policy replayed on history: by hand, without a look ahead, and with little to go by."""

import numpy as np
import pandas as pd
import pytest
from test_policy import ORIGINS, SWING, backtested, families

from sop_lib import page, policy, policy_pages, policy_replay, safety, tables
from sop_lib.settings import Planning

SALES = pd.DataFrame({"ordered": [1.0, 2.0], "shipped": [1.0, 2.0]})


def replayed(backtest, sales=SALES, **stated) -> pd.DataFrame:
    return policy_replay.replay(backtest, families(**stated), Planning(), sales)


def test_a_replay_by_hand():
    """Errors of 30 either way ask for 17.9; every second plan is 30 short: 12.1 of 100 are missing then."""
    stock = safety.for_fill_rate(0.95, 100, 30)
    rows = replayed(backtested(SWING)).set_index("family")
    missed = 100 + 30 - (100 + stock)
    assert rows.loc["Grills", "origins"] == 12 - policy_replay.WARM  # one month of lead: known when the next is made
    assert rows.loc["Grills", "demand"] == 4 * 130 + 4 * 70
    assert rows.loc["Grills", "served"] == pytest.approx(800 - 4 * missed, abs=0.1)
    assert rows.loc["Grills", "stock"] == pytest.approx((30 + stock) / 2, abs=0.05)
    assert rows.loc["ALL", "achieved"] == pytest.approx(1 - 4 * missed / 800, abs=1e-4)
    tables.check("policy_replay", rows.reset_index().assign(cycle=pd.Timestamp("2026-11-01")))


def test_outcomes_of_a_plan_do_not_reach_its_own_safety_stock_nor_that_of_earlier_ones():
    quiet = policy_replay.plans(backtested(SWING), families(), Planning()).set_index("origin")["safety"]
    loud = policy_replay.plans(backtested([*SWING[:8], [5000], *SWING[9:]]), families(), Planning())
    loud = loud.set_index("origin")["safety"]
    assert loud[: ORIGINS[8]].to_numpy() == pytest.approx(quiet[: ORIGINS[8]].to_numpy())
    assert loud[ORIGINS[9]] > 2 * quiet[ORIGINS[9]]


def test_two_months_of_lead_are_known_two_months_later():
    quiet, loud = (
        policy_replay.plans(backtested(e), families(frozen_months=1.0), Planning()).set_index("origin")["safety"]
        for e in ([[30, 0], [-30, 0]] * 6, [*[[30, 0], [-30, 0]] * 4, [5000, 0], *[[-30, 0], [30, 0]] * 3])
    )
    assert loud[ORIGINS[9]] == pytest.approx(quiet[ORIGINS[9]])
    assert loud[ORIGINS[10]] > 2 * quiet[ORIGINS[10]]


def test_only_what_the_last_month_misses_counts_there():
    """A first month 900 short leaves nothing for the second: it misses its own 100 and no more."""
    rows = policy_replay.plans(backtested([[900, 0]] * 12), families(frozen_months=1.0, fill_target=0.5), Planning())
    assert (rows["demand"] == 100).all()
    assert rows["served"].between(0, 100).all()


def test_a_promise_is_kept_on_errors_that_stay_as_they_are():
    rng = np.random.default_rng(7)
    origins = pd.date_range("2010-01-01", periods=120, freq="MS")
    parts = [backtested(rng.normal(0, 25, (120, 1)), f"P{n}", origins=origins) for n in range(6)]
    rows = replayed(pd.concat(parts)).set_index("family")
    assert rows.loc["Grills", "achieved"] == pytest.approx(0.95, abs=0.01)
    assert rows.loc["Grills", "finding"].endswith("kept (116 plans replayed).")


def test_a_promise_is_kept_on_lumpy_demand():
    rng = np.random.default_rng(11)
    origins = pd.date_range("2010-01-01", periods=120, freq="MS")
    lumps = [np.where(rng.random((120, 1)) < 0.3, rng.gamma(4, 82, (120, 1)), 0.0) - 100 for _ in range(6)]
    rows = replayed(pd.concat([backtested(e, f"P{n}", origins=origins) for n, e in enumerate(lumps)])).set_index(
        "family"
    )
    assert rows.loc["Grills", "achieved"] == pytest.approx(0.95, abs=0.03)


def test_few_plans_are_not_replayed_and_say_so():
    rows = replayed(backtested(SWING[:4]))
    assert rows["achieved"].isna().all()
    assert rows["finding"].str.startswith("Not replayed").all()
    assert "too few plans" in policy_replay.replay_sentence(rows)
    assert "too few plans" in page.shown(policy_pages.promise_kept(rows, "piece").data)


def test_nothing_tested_and_nothing_held_have_no_replay():
    assert replayed(tables.empty("backtest")).empty
    assert replayed(backtested(SWING), strategy="MTO").empty
    assert "too few plans" in policy_replay.replay_sentence(replayed(tables.empty("backtest")))


def test_nothing_wanted_breaks_no_promise():
    rows = replayed(backtested([[0]] * 12, forecast=0.0))
    assert rows["achieved"].isna().all()
    assert rows["finding"].str.startswith("Nothing was wanted").all()


def test_the_basis_is_what_history_is():
    assert replayed(backtested(SWING), SALES.assign(ordered=np.nan))["basis"].unique().tolist() == ["shipped"]
    assert replayed(backtested(SWING))["basis"].unique().tolist() == ["ordered"]


def test_the_pages_tell_it():
    plan = pd.DataFrame({
        "month": pd.date_range("2026-11-01", periods=12, freq="MS"), "family": "Grills", "product": "<b>one",
        "demand": 100.0,
    })  # fmt: skip
    held = {r: policy.monthly(plan, families(), backtested(SWING, "<b>one"), Planning(), r) for r in policy.RULES}
    stocks = {rule: policy.safety_stocks(rows, pd.Series({"<b>one": 10.0})) for rule, rows in held.items()}
    rows = replayed(backtested(SWING))
    table = policy.by_rule(stocks, "fill rate", rows)
    shown = policy_pages.safety_stock(stocks["fill rate"], table, "fill rate", "piece", "EUR").data
    assert "18 piece on average of the year, worth EUR" in shown.replace("\u00a0", " ")
    assert "&lt;b&gt;one" in shown
    assert "<b>one" not in shown
    assert "<figure" in policy_pages.promise_kept(rows, "piece").data
    assert "made or assembled to order" in policy_pages.rule_sentence(table.iloc[:0], "fill rate", "piece", "EUR")


def test_the_pages_say_what_is_not_known():
    plan = pd.DataFrame({"month": [pd.Timestamp("2026-11-01")], "family": "Grills", "product": "one", "demand": 100.0})
    held = policy.monthly(plan, families(), tables.empty("backtest"), Planning())
    stocks, none = policy.safety_stocks(held, pd.Series(dtype=float)), tables.empty("policy_replay")
    table = policy.by_rule(dict.fromkeys(policy.RULES, stocks), "fill rate", none)
    assert table["promised"].tolist() == [0.95, 0.95]
    shown = [policy_pages.safety_stock(s, table, "fill rate", "piece", "EUR").data for s in (stocks, stocks.iloc[:0])]
    assert "No forecast was tested" in shown[0]
    assert "Nothing is planned" in shown[1]
