"""Which method is used per family: by what was known at each origin, judged on what came after."""

import numpy as np
import pandas as pd
import pytest
from test_reconcile import AN, AS, BN, BS, FAMILY, LAST, ORIGINS, above, found, leaves, said

from sop_lib import baseline, forecast, level_choice, reconcile, tables
from sop_lib.models import COMBINATION

# Ten of each came. Bottom-up says 8, 12, 8, 12: the family is right, its series are not. Top-down says 10 each.
OWN = (8.0, 12.0, 8.0, 12.0)


def combination(found: baseline.Baseline, origin: pd.Timestamp) -> list[float]:
    every = pd.concat([found.tested.table, found.forecasts.table])
    rows = every[(every["model"] == COMBINATION) & (every["origin"] == origin)]
    return rows.drop_duplicates("series").sort_values("series")["forecast"].round(6).tolist()


def of(table: pd.DataFrame, method: str, level: str = "product-region", family: str = "F") -> pd.Series:
    rows = table[(table["method"] == method) & (table["level"] == level) & (table["family"] == family)]
    return rows.iloc[0]


def test_scores_by_hand():
    came = {AN: 10.0, AS: 10.0, BN: 10.0, BS: 10.0}
    _, table = level_choice.reconciled(leaves(*OWN, came=came), above(44.0, (20.0, 20.0)), 2, "bottom-up")
    assert of(table, "bottom-up")["wape"] == pytest.approx(8 / 40)
    assert of(table, "top-down")["wape"] == pytest.approx(4 / 40)
    assert of(table, "top-down")["margin"] == pytest.approx(4 / 40)
    assert of(table, "middle-out")["wape"] == 0
    assert of(table, "bottom-up", "family")["wape"] == 0
    assert of(table, "top-down", "family")["margin"] == pytest.approx(-4 / 40)
    assert of(table, "seasonal_naive")["wape"] == pytest.approx(2 / 10)
    assert of(table, "bottom-up")["n"] == 4 * len(ORIGINS)
    assert of(table, "bottom-up", "family")["n"] == len(ORIGINS)
    pd.testing.assert_series_equal(
        of(table, "top-down", family="ALL")[["wape", "n"]], of(table, "top-down")[["wape", "n"]], check_names=False
    )
    assert table["lag"].unique().tolist() == [2]


def test_the_best_is_used_from_the_origin_on_at_which_it_was_known_to_be():
    leaf = leaves(9.0, 13.0, 9.0, 13.0)
    new, table = level_choice.reconciled(leaf, {"family": above(40.0)["family"]}, 2, "best")
    # at lag 2 the six origins asked for are known at the eighth, whose month is two after the sixth's
    assert [combination(new, o)[0] for o in [*ORIGINS, LAST]] == pytest.approx([9] * 7 + [9.5] * 2)
    assert of(table, "top-down")["weight"] == of(table, "bottom-up")["weight"] == 0.5
    assert of(table, "top-down")["why"] == "50.0% and 50.0% closer in the halves"
    assert of(table, "as used")["wape"] == pytest.approx((7 * 8 + 4) / 8 / 40)
    assert table.loc[table["family"] == "F"].groupby("level")["weight"].sum().tolist() == [1.0, 1.0]


def test_no_forecast_is_judged_on_the_months_it_was_chosen_by():
    """What came after an origin changes neither what is used at it nor before."""
    turn = np.array([10.0] * 4 + [99.0] * 5)  # what came of the fifth origin and later
    kept, turned = (
        level_choice.reconciled(
            leaves(9.0, 13.0, 9.0, 13.0, came=dict.fromkeys((AN, AS, BN, BS), came)),
            {"family": above(40.0)["family"]}, 2, "best",
        )[0]
        for came in (10.0, turn)
    )  # fmt: skip
    for origin in ORIGINS[:6]:
        assert combination(kept, origin) == combination(turned, origin)


def test_a_method_that_wins_in_one_half_only_is_not_used():
    own = np.array([9.0] * 4 + [10.0] * 5)  # bottom-up is right from the fifth origin on
    leaf = found("product-region", {AN: own, AS: own, BN: own, BS: own})
    _, table = level_choice.reconciled(leaf, {"family": above(40.4)["family"]}, 2, "best")
    assert of(table, "top-down")["wape"] < of(table, "bottom-up")["wape"]
    assert of(table, "bottom-up")["weight"] == 1
    assert of(table, "bottom-up")["why"] == "none 1% closer in both halves"


def test_a_method_that_is_better_at_the_lag_and_worse_over_all_is_not_used():
    leaf, upper = leaves(9.5, 9.5, 9.5, 9.5), {"family": above(40.0)["family"]}
    far = upper["family"].tested.table["lag"] == 3
    upper["family"].tested.table.loc[far, "forecast"] = 100.0
    _, table = level_choice.reconciled(leaf, upper, 2, "best")
    assert of(table, "top-down")["wape"] == 0
    assert of(table, "bottom-up")["weight"] == 1


def test_equals_stay_bottom_up():
    _, table = level_choice.reconciled(leaves(10.0, 10.0, 10.0, 10.0), above(40.0, (20.0, 20.0)), 2, "best")
    assert of(table, "bottom-up")["weight"] == 1


@pytest.mark.parametrize("method", reconcile.METHODS)
def test_a_method_that_is_set_is_used_at_every_origin(method):
    leaf, upper = leaves(1.0, 2.0, 3.0, 4.0), above()
    new, table = level_choice.reconciled(leaf, upper, 2, method)
    rows, _ = reconcile.candidates(leaf, upper)
    for origin in (ORIGINS[0], LAST):
        assert combination(new, origin) == said(rows, method, origin)
    assert of(table, method)["why"] == "set in sop.toml"
    assert of(table, "as used")["wape"] == pytest.approx(of(table, method)["wape"])


def test_a_method_without_a_level_of_its_own_says_so():
    _, table = level_choice.reconciled(leaves(), {"family": above()["family"]}, 2, "middle-out")
    assert of(table, "bottom-up")["why"] == "middle-out is set in sop.toml, but no level is there for it"


def test_a_lag_beyond_the_backtest_is_judged_at_its_last():
    _, table = level_choice.reconciled(leaves(), above(), 9, "best")
    assert table["lag"].unique().tolist() == [3]


def test_few_origins_leave_bottom_up():
    leaf, upper = leaves(9.0, 13.0, 9.0, 13.0), above(40.0)
    for part in (leaf, *upper.values()):
        late = part.tested.table["origin"] >= ORIGINS[5]
        part.tested.table.drop(part.tested.table.index[~late], inplace=True)
    _, table = level_choice.reconciled(leaf, upper, 2, "best")
    assert of(table, "bottom-up")["why"] == "the backtest has fewer than 6 origins to choose by"


def test_the_other_series_models_and_remarks_stay_as_they_were():
    members = dict(zip((AN, AS, BN, BS, ("G", "C", "N")), (9.0, 13.0, 9.0, 13.0, 7.0), strict=True))
    leaf = found("product-region", members)
    new, table = level_choice.reconciled(leaf, above(40.0, (20.0, 20.0)), 2, "best")
    for before, after in ((leaf.tested, new.tested), (leaf.forecasts, new.forecasts)):
        was, now = before.table.reset_index(drop=True), after.table
        other = (was["series"] == "G · C · N") | (was["model"] != COMBINATION)
        pd.testing.assert_frame_equal(was[other], now[other])
        pd.testing.assert_frame_equal(was.drop(columns="forecast"), now.drop(columns="forecast"))
    assert new.rules is leaf.rules
    alone = of(table, "bottom-up", "family", "G")
    assert alone["weight"] == 1
    assert alone["why"].startswith("fewer than two of its series can be compared")


def test_rows_are_those_of_the_table():
    _, table = level_choice.reconciled(leaves(), above(), 2, "best")
    checked = tables.check("reconciliation", table.assign(cycle=LAST))
    assert len(checked) == 2 * 2 * 6  # two levels, the family and all, six methods
    assert level_choice.beside(table)["family"].tolist() == ["ALL", "ALL", "F", "F"]


def test_without_a_level_above_there_is_nothing_to_choose():
    leaf = found("family", {FAMILY: 40.0, ("G", "ALL", "ALL"): 4.0})
    new, table = level_choice.reconciled(leaf, {}, 2, "best")
    assert new is leaf
    assert table[["family", "method", "weight"]].values.tolist() == [["F", "bottom-up", 1], ["G", "bottom-up", 1]]
    assert tables.check("reconciliation", table.assign(cycle=LAST))["weight"].eq(1).all()
    assert level_choice.beside(table)["used"].tolist() == ["bottom-up", "bottom-up"]
    assert level_choice.verdict(table).startswith("Nothing to compare")
    by_region = found("region", {("ALL", "ALL", "N"): 1.0})
    assert level_choice.reconciled(by_region, {}, 2, "best")[1].empty


def test_the_sentence_says_what_is_used_and_what_it_was_worth():
    _, table = level_choice.reconciled(leaves(9.0, 13.0, 9.0, 13.0), {"family": above(40.0)["family"]}, 2, "best")
    assert level_choice.verdict(table) == (
        "Bottom-up for 0 of 1 families; half top-down for F. Used so at each origin, forecasts 2 months "
        "ahead missed by 18.8% at product-region and 9.4% at family; "
        "bottom-up by 20.0% at product-region and 10.0% at family"
    )
    _, table = level_choice.reconciled(leaves(), above(), 2, "bottom-up")
    assert level_choice.verdict(table).startswith("Bottom-up for 1 of 1 families. Used so")


def test_the_engine_forecasts_the_levels_above_and_the_parts_add_up():
    rng, months = np.random.default_rng(3), pd.date_range("2022-01-01", periods=48, freq="MS")
    rows = [
        pd.DataFrame({"month": months, "family": f, "product": p, "region": r,
                      "quantity": 50 + 20 * np.sin(np.arange(48) / 12 * 2 * np.pi) + rng.normal(0, 5, 48)})
        for f, p, r in ((AN, AS, BN, BS))
    ]  # fmt: skip
    sold = pd.concat(rows, ignore_index=True).rename(columns={"quantity": "cleansed"})
    leaf = baseline.baseline(forecast.panel(sold, "product-region"), 6, 2)
    upper = {name: baseline.baseline(panel, 6, 2) for name, panel in reconcile.panels_above(leaf, sold).items()}
    assert list(upper) == ["family", "product"]
    new, _ = level_choice.reconciled(leaf, upper, 2, "top-down")
    parts = new.forecasts.table.query("model == 'combination'").groupby("month")["forecast"].sum()
    whole = upper["family"].forecasts.table.query("model == 'combination'").set_index("month")["forecast"]
    pd.testing.assert_series_equal(parts, whole, check_names=False)


def test_a_series_says_how_it_was_reconciled_unless_bottom_up():
    leaf = leaves(9.0, 13.0, 9.0, 13.0)
    new, table = level_choice.reconciled(leaf, {"family": above(40.0)["family"]}, 2, "best")
    assert level_choice.moved(leaf, new, table).to_dict() == dict.fromkeys(leaf.rules["series"], "half top-down")
    same, table = level_choice.reconciled(leaf, {"family": above(40.0)["family"]}, 2, "bottom-up")
    assert level_choice.moved(leaf, same, table).empty
