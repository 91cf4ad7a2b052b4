"""The stock policy replayed on history: by hand, without a look ahead, and with little to go by."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgba
from test_policy import ORIGINS, SWING, backtested, families

from sop_lib import charts, page, policy, policy_pages, policy_replay, safety, supply_charts, tables
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
    assert rows.loc["Grills", "finding"].endswith("served (116 plans): kept.")
    assert rows.loc["ALL", "finding"].endswith("in 90% of resamples of 116 plans): kept.")


@pytest.mark.parametrize(("frozen", "told"), [(3.0, ""), (11.0, "4 of 12")])
def test_a_lead_longer_than_tested_is_replayed_as_far_as_tested_and_not_overstated(frozen, told):
    """Twelve lead months, four tested: a stock for twelve would serve 97 % of the four."""
    rng = np.random.default_rng(1)
    origins = pd.date_range("2016-01-01", periods=72, freq="MS")
    rows = pd.concat([backtested(rng.normal(0, 25, (72, 4)), f"P{n}", origins=origins) for n in range(6)])
    found = replayed(rows, frozen_months=frozen, fill_target=0.9)
    assert found["achieved"].to_numpy() == pytest.approx(0.9, abs=0.02)
    said = f"A shorter lead was replayed where no more months were tested: Grills {told}."
    assert (said in policy_replay.replay_sentence(found)) == bool(told)
    assert (found["finding"].str.contains(said, regex=False) == bool(told)).all()
    assert (said in page.shown(policy_pages.promise_kept(found, "piece").data)) == bool(told)


@pytest.mark.parametrize(
    ("difference", "word"),
    [(0.05, "kept"), (0.0, "kept"), (0.95 - 0.9500000000000001, "kept"), (-0.001, "within 3 points of it"),
     (0.92 - 0.95, "within 3 points of it"), (-0.031, "missed")],
)  # fmt: skip
def test_only_a_promise_that_was_reached_is_kept(difference, word):
    assert policy_replay.verdict(difference) == word


def test_a_promise_missed_by_less_than_three_points_is_not_kept_in_words_or_colour():
    rows = replayed(backtested(SWING))
    missed = 4 * (30 - safety.for_fill_rate(0.95, 100, 30)) / 800
    assert rows.loc[0, "difference"] == pytest.approx(0.05 - missed, abs=1e-4)
    assert rows.loc[0, "finding"].endswith(": within 3 points of it.")
    three = pd.concat([rows[:1].assign(family=str(d), difference=d) for d in (0.0, -0.02, -0.05)])
    figure = supply_charts.promises(three)
    dots = [tuple(c) for c in figure.axes[0].collections[2].get_facecolor()]
    assert dots == [to_rgba(c) for c in (charts.SHORT, charts.BUDGET, charts.PLAN)]
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == ["promised", "achieved: kept", "achieved: within 3 points below", "achieved: missed"]


def test_how_sure_a_replay_is_by_hand():
    """Two plans, one all served and one not: three of four pairs hold the bad one, one in four is bad twice."""
    each = pd.DataFrame({"demand": [100.0, 100.0], "served": [100.0, 80.0]})
    assert policy_replay._resampled(each) == pytest.approx((0.8, 1.0))
    assert policy_replay._resampled(each.assign(served=90.0)) == pytest.approx((0.9, 0.9))
    assert np.isnan(policy_replay._resampled(each[:1])).all()
    assert np.isnan(policy_replay._resampled(each[:0])).all()


def test_more_plans_are_surer_and_the_same_plans_say_the_same():
    rng = np.random.default_rng(5)
    origins = pd.date_range("2016-01-01", periods=90, freq="MS")
    rows = backtested(rng.normal(0, 30, (90, 1)), origins=origins)
    every = policy_replay.plans(rows, families(), Planning())
    few, many = (policy_replay._figures(part) for part in (every[:7], every))
    assert few["high"] - few["low"] > 2 * (many["high"] - many["low"])
    assert many["low"] < many["achieved"] < many["high"]
    pd.testing.assert_frame_equal(replayed(rows), replayed(rows.sample(frac=1, random_state=3)))


def test_one_plan_has_no_resamples():
    rows = replayed(backtested(SWING[:5]))
    assert rows["finding"].str.contains("served (one plan): ", regex=False).all()


def test_the_page_names_the_longer_replay_and_says_how_sure_all_families_are():
    shown = page.shown(policy_pages.promise_kept(replayed(backtested(SWING)), "piece").data)
    assert "python -m benchmarks.replay" in shown
    assert shown.count("in 90% of resamples of 8 plans") == 2
    assert "served (8 plans): within 3 points of it." in shown


def test_the_family_farthest_off_is_named_where_there_are_several():
    two = pd.concat([backtested(SWING), backtested([[60], [-60]] * 6, "two").assign(family="Lamps")])
    both = pd.concat([families(), families(family="Lamps")])
    told = policy_replay.replay_sentence(policy_replay.replay(two, both, Planning(), SALES))
    assert "Families were" in told
    assert "points off on average, Grills at 94.1%." in told
    assert "Families were" not in policy_replay.replay_sentence(replayed(backtested(SWING)))


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
    assert policy_replay.replay_sentence(rows).startswith("Not replayed: no plan whose errors from 4 earlier plans")
    assert "Not replayed" in page.shown(policy_pages.promise_kept(rows, "piece").data)


@pytest.mark.parametrize("strategy", ["MTO", "ATO"])
def test_a_company_that_makes_to_order_has_no_promise_to_replay(strategy):
    for tested in (backtested(SWING), tables.empty("backtest")):
        rows = replayed(tested, strategy=strategy)
        assert rows.empty
        said = "Nothing is held to stock: there is no promise to replay."
        assert policy_replay.replay_sentence(rows) == said
        assert said in page.shown(policy_pages.promise_kept(rows, "piece").data)


def test_what_is_held_to_stock_and_was_not_tested_is_said_to_be_so():
    rows = replayed(tables.empty("backtest"))
    assert rows["family"].tolist() == ["Grills", "ALL"]
    tables.check("policy_replay", rows.assign(cycle=pd.Timestamp("2026-11-01")))
    assert policy_replay.replay_sentence(rows).startswith("Not replayed")


def test_nothing_wanted_breaks_no_promise():
    rows = replayed(backtested([[0]] * 12, forecast=0.0))
    assert rows["achieved"].isna().all()
    assert rows["finding"].str.startswith("Nothing was wanted").all()
    assert policy_replay.replay_sentence(rows) == "Nothing was wanted in 8 plans: no promise to keep."


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
    assert "The product with most money in safety stock" in shown
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
