"""Forecasts of several levels made one: each method by hand, and what comes out adds up."""

from dataclasses import fields

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import settings as law
from hypothesis import strategies as st

from sop_lib import hierarchy, reconcile
from sop_lib.baseline import Baseline
from sop_lib.engines import REMARK, Forecasts

ORIGINS = pd.date_range("2025-01-01", periods=8, freq="MS")
LAST = pd.Timestamp("2025-11-01")
MONTHS = pd.date_range("2023-01-01", LAST, freq="MS")
LAGS = 3
AN, AS, BN, BS = LEAVES = [("F", "A", "N"), ("F", "A", "S"), ("F", "B", "N"), ("F", "B", "S")]
FAMILY, PRODUCTS = ("F", "ALL", "ALL"), [("F", "A", "ALL"), ("F", "B", "ALL")]


def found(level: str, said: dict, *, sold=None, came=None, variance=None, rule=None) -> Baseline:
    """Return a baseline that says the same for three months from eight origins and from the last month on.

    `said`, `sold` and `came` hold a number per members, or one for each origin (for each month).
    """
    members = pd.DataFrame(list(said), columns=["family", "product", "region"])
    rules = hierarchy.labelled(members, level)
    rules = rules.assign(rule="combination", scale_sq=1.0, spread=1.0, scale=1.0, key=list(said))
    for column, values in {"rule": rule or {}, "scale_sq": variance or {}}.items():
        rules[column] = rules["key"].map(values).fillna(rules[column])
    months = rules.merge(pd.DataFrame({"month": MONTHS}), how="cross")
    months["quantity"] = spread(months, sold or {}, len(MONTHS), 1.0)
    windows = pd.MultiIndex.from_product([[*ORIGINS, LAST], range(1, LAGS + 1)], names=["origin", "lag"])
    rows = rules.merge(windows.to_frame(index=False), how="cross").assign(model="combination")
    rows["month"] = [o + pd.DateOffset(months=n) for o, n in zip(rows["origin"], rows["lag"], strict=True)]
    rows["forecast"] = spread(rows, said, 9, 0.0, LAGS)
    rows["actual"] = spread(rows, came or {}, 9, 10.0, LAGS)
    tested = rows[rows["origin"] != LAST].assign(lags=LAGS, origins=len(ORIGINS)).drop(columns="key")
    naive = tested.assign(model="seasonal_naive", forecast=8.0)
    ahead = rows.loc[rows["origin"] == LAST, ["series", "origin", "month", "model", "forecast"]]
    none = pd.DataFrame(columns=REMARK)
    parts = [months.drop(columns="key"), rules.drop(columns="key")]
    parts += [Forecasts(ahead, none), Forecasts(pd.concat([tested, naive], ignore_index=True), none)]
    return Baseline(*parts, *[pd.DataFrame()] * (len(fields(Baseline)) - len(parts)))


def spread(rows: pd.DataFrame, values: dict, count: int, other: float, each: int = 1) -> np.ndarray:
    """Return each members' number, or its numbers, each repeated, in the order of the rows."""
    keys = rows["key"].drop_duplicates()
    return np.concatenate([np.repeat(np.broadcast_to(values.get(key, other), count), each) for key in keys])


def said(table: pd.DataFrame, method: str, origin: pd.Timestamp = LAST, lag: int = 1) -> list[float]:
    rows = table[(table["origin"] == origin) & (table["month"] == origin + pd.DateOffset(months=lag))]
    return rows.sort_values("series")[method].round(6).tolist()


def above(family=20.0, products=(9.0, 11.0), **more) -> dict[str, Baseline]:
    return {
        "family": found("family", {FAMILY: family}, **more),
        "product": found("product", dict(zip(PRODUCTS, products, strict=True))),
    }


def leaves(*values, **more) -> Baseline:
    return found("product-region", dict(zip(LEAVES, values or (1.0, 2.0, 3.0, 4.0), strict=True)), **more)


# -- the methods, by hand


def test_each_method_by_hand():
    table, failed = reconcile.candidates(leaves(sold={AN: 1.0, AS: 1.0, BN: 2.0, BS: 6.0}), above())
    assert said(table, "bottom-up") == [1, 2, 3, 4]
    assert said(table, "top-down") == [2, 2, 4, 12]  # 20 by 1:1:2:6
    assert said(table, "middle-out") == [4.5, 4.5, 2.75, 8.25]  # 9 by 1:1, 11 by 2:6
    assert failed.empty


def test_mint_moves_all_levels_least():
    # four leaves of 5 and a family of 24, all errors alike: the 4 missing are shared by five forecasts
    table, _ = reconcile.candidates(leaves(5, 5, 5, 5), {"family": above(24.0)["family"]})
    assert said(table, "mint") == [5.8, 5.8, 5.8, 5.8]
    sure = {"family": found("family", {FAMILY: 24.0}, variance={FAMILY: 1e-6})}
    assert said(reconcile.candidates(leaves(5, 5, 5, 5), sure)[0], "mint") == pytest.approx([6, 6, 6, 6], abs=1e-5)
    unsure = leaves(5, 5, 5, 5, variance={AN: 1e6})  # what is least sure moves most
    assert said(reconcile.candidates(unsure, {"family": above(24.0)["family"]})[0], "mint") == pytest.approx(
        [9, 5, 5, 5], abs=1e-3
    )


def test_mint_goes_below_zero_nowhere():
    # without the bound the first would be 0 - 6/3 = -2; at 0, (4 - b)² + (b - 10)² is least at 7
    two = found("product-region", {AN: 0.0, AS: 10.0})
    table, _ = reconcile.candidates(two, {"family": above(4.0)["family"]})
    assert said(table, "mint") == pytest.approx([0, 7], abs=1e-5)
    assert (table["mint"] >= 0).all()


def test_mint_is_the_librarys_closed_form_where_nothing_would_go_below_zero():
    from hierarchicalforecast.methods import MinTrace

    variance, upper = (
        dict(zip(LEAVES, [4.0, 1.0, 9.0, 2.0], strict=True)),
        above(14.0, (5.0, 8.0), variance={FAMILY: 3.0}),
    )
    table, _ = reconcile.candidates(leaves(5, 1, 2, 4, variance=variance), upper)
    summing = np.array([[1, 1, 1, 1], [1, 1, 0, 0], [0, 0, 1, 1], *np.eye(4)])
    base = np.array([[14.0, 5.0, 8.0, 5.0, 1.0, 2.0, 4.0]]).T
    error = np.sqrt(np.array([[3.0, 1.0, 1.0, 4.0, 1.0, 9.0, 2.0]]).T)
    one = MinTrace("wls_var").fit(summing, base, y_insample=error, y_hat_insample=np.zeros_like(error))
    assert said(table, "mint") == pytest.approx((one.P @ base).ravel().tolist(), abs=1e-5)


def test_where_mint_cannot_be_solved_bottom_up_stands_in_and_it_is_told(monkeypatch):
    def unsolved(*_, **__):
        raise RuntimeError("not today")

    monkeypatch.setattr("hierarchicalforecast.methods.MinTraceSparse.fit", unsolved)
    two = found("product-region", {AN: 0.0, AS: 10.0})
    table, failed = reconcile.candidates(two, {"family": above(4.0)["family"]})
    assert said(table, "mint") == [0, 10]
    assert failed["error"].unique().tolist() == ["not today"]
    assert failed["origin"].unique().tolist() == [ORIGINS[-1], LAST]
    assert failed["series"].nunique() == 2


def test_shares_are_those_of_the_twelve_months_known_at_the_origin():
    turn = np.where(ORIGINS[0] >= MONTHS, 1.0, 3.0)  # A · N triples after the first origin
    table, _ = reconcile.candidates(leaves(sold={AN: turn}), above(16.0))
    assert said(table, "top-down", ORIGINS[0]) == [4, 4, 4, 4]
    assert said(table, "top-down", ORIGINS[6])[0] == pytest.approx(16 * 24 / 60)  # 6 months of 1, 6 of 3
    later = np.where(ORIGINS[3] < MONTHS, 99.0, turn)
    other, _ = reconcile.candidates(leaves(sold={AN: later}), above(16.0))
    for origin in ORIGINS[:4]:
        for method in reconcile.METHODS:
            assert said(table, method, origin) == said(other, method, origin)
    assert said(table, "top-down", ORIGINS[4]) != said(other, "top-down", ORIGINS[4])


def test_a_product_that_sold_nothing_is_shared_equally():
    table, _ = reconcile.candidates(leaves(sold={AN: 0.0, AS: 0.0}), above())
    assert said(table, "middle-out") == [4.5, 4.5, 5.5, 5.5]
    assert said(table, "top-down") == [0, 0, 10, 10]


def test_a_family_that_is_all_zero_stays_so():
    table, failed = reconcile.candidates(leaves(0, 0, 0, 0), above(0.0, (0.0, 0.0)))
    assert all(said(table, method) == [0, 0, 0, 0] for method in reconcile.METHODS)
    assert failed.empty


def test_a_month_without_a_forecast_above_stays_bottom_up():
    upper = above()
    gone = upper["family"].forecasts.table.iloc[1:]
    upper["family"] = Baseline(**vars(upper["family"]) | {"forecasts": Forecasts(gone, pd.DataFrame(columns=REMARK))})
    table, _ = reconcile.candidates(leaves(), upper)
    assert said(table, "top-down", lag=1) == [1, 2, 3, 4]
    assert said(table, "top-down", lag=2) == [5, 5, 5, 5]
    assert sum(said(table, "mint", lag=1)) < sum(said(table, "mint", lag=2))


# -- who takes part


def sold_of(leaf: Baseline) -> pd.DataFrame:
    return leaf.panel.rename(columns={"quantity": "cleansed"})[["month", "family", "product", "region", "cleansed"]]


def test_levels_above_are_sums_of_the_series_that_take_part():
    leaf = leaves(rule={AN: "ended"}, sold={AN: 50.0, BS: 4.0})
    panels = reconcile.panels_above(leaf, sold_of(leaf))
    assert panels["family"]["quantity"].unique().tolist() == [6.0]
    assert panels["product"].groupby("product")["quantity"].first().to_dict() == {"A": 1.0, "B": 5.0}


def test_series_without_the_whole_backtest_and_families_of_one_series_keep_their_own():
    leaf = found("product-region", dict.fromkeys([*LEAVES, ("G", "C", "N"), ("G", "C", "S"), ("H", "D", "N")], 5.0),
                 rule={("G", "C", "S"): "never sold"})  # fmt: skip
    leaf.tested.table.loc[leaf.tested.table["series"] == "F · B · S", "lags"] = 1
    assert reconcile.taking_part(leaf)["series"].tolist() == ["F · A · N", "F · A · S", "F · B · N"]
    assert set(reconcile.candidates(leaf, above())[0]["series"]) == {"F · A · N", "F · A · S", "F · B · N"}


def test_a_level_that_adds_nothing_up_is_not_forecast_again():
    one_region = found("product-region", {AN: 1.0, BN: 2.0})
    assert list(reconcile.panels_above(one_region, sold_of(one_region))) == ["family"]
    by_family = found("family", {FAMILY: 1.0, ("G", "ALL", "ALL"): 2.0})
    assert reconcile.panels_above(by_family, sold_of(leaves())) == {}
    by_region = found("region", {("ALL", "ALL", "N"): 1.0, ("ALL", "ALL", "S"): 1.0})
    assert reconcile.panels_above(by_region, sold_of(leaves())) == {}
    by_family_region = found("family-region", {("F", "ALL", "N"): 1.0, ("F", "ALL", "S"): 1.0})
    assert list(reconcile.panels_above(by_family_region, sold_of(leaves()))) == ["family"]


def test_a_product_in_two_families_is_named_with_both():
    sold = sold_of(leaves())
    twice = pd.concat([sold, sold[sold["product"] == "A"].assign(family="G")])
    with pytest.raises(ValueError, match=r"products: A is in F and in G\. .* keep one of them"):
        reconcile.panels_above(leaves(), twice)


# -- laws


amounts = st.lists(st.floats(0, 1e5), min_size=4, max_size=4)


@law(max_examples=25, deadline=None)
@given(amounts, amounts, st.floats(0, 1e6), st.lists(st.floats(0, 1e6), min_size=2, max_size=2))
def test_no_method_goes_below_zero_and_each_keeps_the_total_it_starts_from(own, sold, family, products):
    leaf = leaves(*own, sold=dict(zip(LEAVES, sold, strict=True)))
    table, _ = reconcile.candidates(leaf, above(family, products))
    now = table[(table["origin"] == LAST) & (table["month"] == table["month"].max())]
    assert (now[list(reconcile.METHODS)] >= 0).all(axis=None)
    assert now["top-down"].sum() == pytest.approx(family)
    assert now["middle-out"].sum() == pytest.approx(sum(products))
    assert now["bottom-up"].tolist() == own


@law(max_examples=25, deadline=None)
@given(amounts, st.floats(0, 1e5), st.sampled_from(reconcile.METHODS))
def test_a_plan_in_whole_units_keeps_each_familys_rounded_total(own, family, method):
    table, _ = reconcile.candidates(leaves(*own), above(family, (family / 3, family)))
    leaf = table.loc[table["origin"] == LAST, ["family", "product", "region", "month", method]]
    leaf = leaf.rename(columns={method: "forecast"})
    whole = leaf.assign(forecast=hierarchy.whole_units(leaf["forecast"], [leaf["family"], leaf["month"]]))
    sums = [rows.groupby(["family", "month"])["forecast"].sum() for rows in (leaf, whole)]
    assert sums[1].tolist() == sums[0].round().tolist()
    assert (whole["forecast"] % 1 == 0).all()
    assert ((whole["forecast"] - leaf["forecast"]).abs() < 1 + 1e-9).all()
