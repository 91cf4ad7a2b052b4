import pandas as pd
import pytest

from sop_lib import strategy_review, supply_charts
from sop_lib.load_review import LEVELS
from sop_lib.supply_tables import empty


def trials() -> pd.DataFrame:
    """The plan as it is, two of less stock, two of fewer changes that are the same plan, and two rules."""
    rows = [
        ("base", "the plan as it is", 0.0, 100.0, 50.0, 1.0), ("peak stock", "80%", 1000.0, 80.0, 50.0, 0.99),
        ("peak stock", "60%", 5000.0, 60.0, 52.0, 0.98), ("headcount change", "weighed 2 times", 2e6, 110.0, 0.0, 0.97),
        ("headcount change", "none", 2e6, 110.0, 0.0, 0.97), ("rule", "no overtime", 3e6, 100.0, 60.0, 0.9),
        ("rule", "without firm output", -4000.0, 100.0, 55.0, 1.0),
    ]  # fmt: skip
    names = ["kind", "trial", "added", "peak_stock", "headcount_change", "service"]
    return pd.DataFrame(rows, columns=names).assign(finding="words", unit="piece", cost=1e7)


def test_the_frontier_goes_from_most_to_least_and_holds_each_plan_once():
    assert strategy_review.frontier(trials(), "peak stock")["peak_stock"].tolist() == [100, 80, 60]
    assert strategy_review.frontier(trials(), "headcount change")["added"].tolist() == [0, 2e6]
    told = strategy_review.frontier_sentence(trials(), "EUR")
    assert told == "A peak stock 40% lower costs 5.0 thousand EUR more; that nobody comes or goes, 2.0 million EUR."


def test_rules_stand_with_what_they_cost():
    assert strategy_review.rules(trials())["trial"].tolist() == ["no overtime", "without firm output"]
    told = strategy_review.rule_sentence(trials(), "EUR")
    assert "“no overtime” would add most: 3.0 million EUR" in told
    assert "Firm output costs 4.0 thousand EUR" in told


def test_a_family_is_compared_by_strategy():
    months = pd.to_datetime(["2026-11-01", "2026-12-01"])
    one = pd.DataFrame({"month": months, "family": "Grills", "demand": [10.0, 30.0], "closing": [5.0, 1.0],
                        "backlog": [0.0, 4.0], "lost": 0.0, "cover_days": [15.0, 1.0]})  # fmt: skip
    plan = pd.concat([one.assign(strategy="mixed"), one.assign(strategy="level", backlog=0.0, closing=9.0)])
    assert strategy_review.by_family(plan, "peak stock").values.tolist() == [["Grills", 5.0, 9.0]]
    assert strategy_review.by_family(plan, "average stock").values.tolist() == [["Grills", 3.0, 9.0]]
    assert strategy_review.by_family(plan, "cover").values.tolist() == [["Grills", 8.0, 8.0]]
    assert strategy_review.by_family(plan, "service").values.tolist() == [["Grills", 0.9, 1.0]]


def test_heads_stand_by_month_with_the_time_that_hiring_takes():
    people = pd.DataFrame(
        {"plant": "Tarn", "month": pd.to_datetime(["2026-11-01", "2026-12-01"]), "workers": [10.0, 12.0]}
    )
    plants = pd.DataFrame({"plant": ["Tarn"], "hiring_lead_months": [1.0]})
    assert strategy_review.heads(people, plants).iloc[0].tolist() == ["Tarn", 10.0, 12.0, 1.0]
    assert "hiring_lead_months" not in strategy_review.heads(people, plants.assign(hiring_lead_months=float("nan")))


@pytest.mark.parametrize("kind", ["peak stock", "headcount change"])
def test_without_costs_there_is_no_frontier(kind):
    none = empty("supply_trials")
    assert strategy_review.frontier(none, kind).empty
    assert strategy_review.frontier_sentence(none, "EUR") == ""
    assert "No rule was tried" in strategy_review.rule_sentence(none, "EUR")


def test_the_frontier_is_drawn_with_a_point_for_each_plan():
    both = [strategy_review.frontier(trials(), kind) for kind in ("peak stock", "headcount change")]
    figure = supply_charts.frontier(*both, "pieces", "EUR")
    lines = [ax.get_lines()[0] for ax in figure.axes]
    assert [len(line.get_xdata()) for line in lines] == [3, 2]
    assert [ax.get_xlabel() for ax in figure.axes] == ["peak stock, pieces", "workers hired and laid off"]


def test_load_is_drawn_in_percent_for_every_month():
    shares = pd.DataFrame({"resource": "Tarn · press", "month": pd.to_datetime(["2026-11-01", "2026-12-01"]),
                           "plan": [0.5, 1.1], "demand": [0.96, float("nan")]})  # fmt: skip
    (ax,) = supply_charts.load_grid(shares, LEVELS).axes
    assert [t.get_text() for t in ax.texts] == ["50", "110", "96"]
    assert [t.get_text() for t in ax.get_yticklabels()] == ["Tarn · press: plan", "Tarn · press: demand"]


def test_a_plan_that_still_changes_people_is_not_one_in_which_nobody_comes_or_goes():
    rows = trials()
    rows.loc[rows["kind"] == "headcount change", "headcount_change"] = 4.0
    assert strategy_review.frontier_sentence(rows, "EUR") == "A peak stock 40% lower costs 5.0 thousand EUR more."


def test_rules_are_told_without_firm_output_and_where_none_adds():
    rows = trials().query("trial != 'without firm output'")
    told = strategy_review.rule_sentence(rows, "EUR")
    assert told == "Of the rules that do not hold, “no overtime” would add most: 3.0 million EUR."
    none = strategy_review.rule_sentence(rows.assign(added=1e-6), "EUR")
    assert none == "None of the rules that do not hold would add to the cost."
    only_firm = trials().query("trial == 'without firm output'")
    assert "would add most" not in strategy_review.rule_sentence(only_firm, "EUR")


def test_small_money_is_told_in_full():
    few = trials().query("trial == 'no overtime'").assign(added=12.5)
    assert strategy_review.rule_sentence(few, "EUR").endswith("would add most: 12.50 EUR.")
