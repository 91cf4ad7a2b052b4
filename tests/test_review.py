import numpy as np
import pandas as pd
import pytest
from test_launches import AHEAD, sold

from sop_lib import review

PLAN = pd.DataFrame([
    {"month": m, "product": "A", "region": r, "family": "F", "step": "baseline", "quantity": q}
    for m in AHEAD for r, q in (("North", 30.0), ("South", 10.0))
])  # fmt: skip
WORTH = PLAN[["month", "product", "region"]].assign(price=2.0)
EMPTY = pd.DataFrame(columns=["measure", "month", "family", "quantity", "revenue"])
SCORES = pd.DataFrame({
    "level": "product-region", "series": ["ALL", "ALL", "F · A · North"], "family": "F", "product": "A",
    "region": ["ALL", "ALL", "North"], "model": ["combination", "seasonal_naive", "combination"], "lag": 2,
    "metric": "wape", "value": [0.1, 0.2, 0.5],
})  # fmt: skip


def history() -> pd.DataFrame:
    return sold().assign(raw=lambda d: d.cleansed, revenue=lambda d: d.cleansed * 2)


def paths() -> pd.DataFrame:
    rows = [
        {"path": p, "month": m, "family": "F", "region": "ALL", "quantity": 40.0 + p - 5}
        for p in range(11)
        for m in AHEAD
    ]
    return pd.DataFrame(rows)


def outlook(budget=EMPTY, approved=EMPTY, unit="pieces") -> pd.DataFrame:
    out = review.outlook(PLAN, history(), paths(), budget, approved, worth=WORTH, start=1, unit=unit, currency="EUR")
    return out.set_index(["span", "unit"])


def test_spans_add_closed_months_and_plan_and_stand_beside_last_year():
    out = outlook()
    near = out.loc["next three months, Nov 26 to Jan 27", "pieces"]
    assert (near.plan, near.last_year) == (120.0, 30.0)
    year = out.loc["fiscal year, Jan 26 to Dec 26"]
    assert year.plan["pieces"] == 3 * 10 + 6 * 30 + 10 + 2 * 40
    assert year.plan["EUR"] == 2 * year.plan["pieces"]
    assert year.to_last_year["pieces"] == pytest.approx(300 / 240 - 1)
    assert np.isnan(near.budget)
    assert np.isnan(near.approved)


def test_the_range_is_the_sum_of_paths_scaled_to_the_plan():
    near = outlook().loc["next three months, Nov 26 to Jan 27"]
    assert (near.low["pieces"], near.high["pieces"]) == (120 - 12, 120 + 12)
    assert near.high["EUR"] == 264


def test_a_budget_that_lacks_a_month_of_the_span_is_blank():
    whole = pd.DataFrame({"month": AHEAD[:3], "family": "F", "quantity": 50.0, "revenue": 100.0})
    assert outlook(budget=whole).budget.dropna().tolist() == [150.0, 300.0]
    assert outlook(budget=whole.head(2)).budget.isna().all()


def test_a_budget_that_lacks_a_family_of_the_plan_is_blank():
    other = pd.concat([PLAN, PLAN.assign(family="G", product="B")])
    worth = pd.concat([WORTH, WORTH.assign(product="B")])
    whole = pd.DataFrame({"month": AHEAD[:3], "family": "F", "quantity": 50.0, "revenue": 100.0})
    given = {"worth": worth, "start": 1, "unit": "pieces", "currency": "EUR"}
    both = pd.concat([whole, whole.assign(family="G")])
    found = [review.outlook(other, history(), paths(), b, EMPTY, **given).budget.iloc[0] for b in (whole, both)]
    assert np.isnan(found[0])
    assert found[1] == 300


def test_families_with_unlike_units_are_added_only_as_money():
    families = pd.DataFrame({"unit": ["piece", "kg"]})
    assert review.common_unit(families) == ""
    assert outlook(unit="").index.get_level_values("unit").unique().tolist() == ["EUR"]
    assert review.common_unit(families.head(1)) == "pieces"
    assert review.common_unit(families.head(0)) == "units"


def test_exceptions_hold_the_larger_of_change_and_expected_error():
    worst = review.exceptions(PLAN, sold(), SCORES, worth=WORTH, lag=2, level="product-region").set_index("region")
    assert worst.at_stake["North"] == pytest.approx(max(abs(360 - 180) * 2, 0.5 * 720))
    assert worst.at_stake["South"] == pytest.approx(abs(120 - 60) * 2)
    assert worst.why["South"] == "change on last year"
    assert worst.share.sum() == pytest.approx(1)


def changes(previous: list[float]) -> pd.DataFrame:
    out = pd.DataFrame({"month": AHEAD[0], "family": list("FGHIJK"), "previous": previous})
    return out.assign(latest=[10.0, 20, 30, 40, 50, 60], change=lambda d: d.latest - d.previous)


def test_the_bridge_leads_from_the_last_plan_to_this_one():
    steps = review.change_steps(changes([11.0, 20, 25, 60, 49, 60]), "pieces")
    assert steps.step.tolist() == ["last plan", "I", "H", "F", "other families", "this plan"]
    assert steps.value.iloc[:-1].sum() == steps.value.iloc[-1] == 210
    assert review.change_sentence(changes([11.0, 20, 25, 60, 49, 60]), "pieces") == (
        "The next 1 months that both plans hold moved by −15 pieces (−6.7%); I moved most, by −20"
    )
    assert review.change_steps(changes([np.nan] * 6), "pieces").empty


def test_the_decomposition_adds_up_to_demand():
    parts = review.decomposition(sold(), "pieces")
    assert parts.series.unique().tolist() == ["ALL", "F"]
    np.testing.assert_allclose(parts.trend + parts.season + parts.remainder, parts.observed)
    assert review.decomposition(sold().query("month > '2025-01-01'"), "pieces").empty
    assert review.decomposition(sold(), "").series.unique().tolist() == ["F"]


def test_the_headline_says_the_spans_the_error_and_where_to_look():
    spans = outlook().reset_index()
    worst = review.exceptions(PLAN, sold(), SCORES, worth=WORTH, lag=2, level="product-region")
    said = review.headline(spans, SCORES, worst, lag=2, level="product-region")
    assert said[0] == "1 item holds 75 % of the money at risk in the demand plan: review it first."
    assert said[1] == (
        "Next three months, Nov 26 to Jan 27: 120 pieces (108 to 132 in four cases of five); +300.0% against last year."
    )
    assert said[3] == "2 months ahead the forecast missed by 10.0% of demand, better than last year's month (20.0%)."
    none = SCORES.head(0)
    assert "long enough" in review.headline(spans, none, worst.head(0), lag=2, level="product-region")[-1]


def test_the_weakest_are_those_that_squared_errors_call_so():
    rows = [("P1", "combination", 1.2), ("P1", "seasonal_naive", 1.0), ("P2", "combination", 0.5),
            ("P2", "seasonal_naive", 1.0), ("P3", "combination", 9.0)]  # fmt: skip
    scores = pd.DataFrame(rows, columns=["series", "model", "value"]).assign(level="product", lag=2, metric="rmsse")
    bias = scores.drop_duplicates("series").assign(metric="bias", value=0.1)
    shown = review.weakest(pd.concat([scores, bias, scores.assign(series="ALL")]), "product", 2)
    assert shown["series"].tolist() == ["P1", "P2"]
    assert shown.loc[0, ["forecast", "naive", "margin", "bias"]].tolist() == pytest.approx([1.2, 1.0, -0.2, 0.1])
    assert review.weakest(scores.head(0), "product", 2).empty


def test_heads_of_scores_say_their_lag():
    heads = review.score_labels(2)
    assert (heads["wape"], heads["rmsse_all"], heads["loss"]) == (
        "WAPE, lag 2",
        "RMSSE, all lags",
        "scaled error, lag 2",
    )
    assert {name for name in heads if name.endswith("_all")} <= set(review.FORMATS)
