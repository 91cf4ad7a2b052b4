import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sop_lib import charts, history, months, tables

CYCLE = months.month("2026-11")


def sales(rows: list[tuple]) -> pd.DataFrame:
    """Return sales of (month, product, region, ordered, shipped); revenue 2 and cost 1 a unit shipped."""
    df = pd.DataFrame(rows, columns=["month", "product", "region", "ordered", "shipped"])
    money = {"revenue": df["shipped"] * 2, "cost": df["shipped"]} if df["shipped"].notna().any() else {}
    return tables.check("sales", df.assign(**money))


def products(*names: str, **more) -> pd.DataFrame:
    return tables.check("products", pd.DataFrame({"product": names, "family": "F"}).assign(**more))


def empty(name: str) -> pd.DataFrame:
    return tables.check(name, pd.DataFrame(columns=tables.table(name).names))


def monthly(first: str, values: list[float], product: str = "A") -> pd.DataFrame:
    names = [months.month_name(m) for m in months.month_range(months.month(first), len(values))]
    return sales([(m, product, "North", None, v) for m, v in zip(names, values, strict=True)])


def test_absent_row_is_zero_where_the_month_is_held_and_missing_where_it_is_not():
    given_rows = [("2026-06", "A", "North", 10, 8), ("2026-08", "B", "North", 4, 4), ("2026-10", "A", "North", 6, 6)]
    panel = history.complete_history(sales(given_rows), products("A", "B"), CYCLE)
    a = panel[panel["product"].eq("A")].set_index("month")
    assert a["status"].tolist() == ["sold", "missing", "zero", "missing", "sold"]
    assert a["raw"].fillna(-1).tolist() == [10, -1, 0, -1, 6]
    assert a["cleansed"].tolist() == [10, 5, 0, 3, 6]  # no month a year away: the mean of the months around
    assert panel[panel["product"].eq("B")]["month"].min() == months.month("2026-08")
    tables.check("history", panel.assign(cycle=CYCLE))


def test_missing_month_takes_the_mean_of_the_same_month_a_year_before_and_after():
    values = [float(v) for v in range(1, 26)]  # 2024-10 .. 2026-10
    rows = monthly("2024-10", values)
    panel = history.complete_history(rows[rows["month"] != "2025-10-01"], products("A"), CYCLE)
    assert panel.loc[panel["month"].eq("2025-10-01"), "cleansed"].item() == (1 + 25) / 2


def test_demand_is_ordered_where_given_else_shipped_and_the_basis_is_named():
    rows = sales([("2026-09", "A", "North", 10, 8), ("2026-10", "A", "North", None, 7)])
    assert history.complete_history(rows, products("A"), CYCLE)["raw"].tolist() == [10, 7]
    assert history.demand_basis(rows) == "ordered, and shipped where no order is given"
    assert history.demand_basis(rows.assign(ordered=1.0)) == "ordered"
    assert history.demand_basis(rows.assign(ordered=np.nan)) == "shipped"


def test_returns_are_netted_and_a_negative_month_counts_as_zero_with_its_adjustment_kept():
    rows = sales([("2026-09", "A", "North", 10, 10), ("2026-10", "A", "North", -3, -3)])
    last = history.complete_history(rows, products("A"), CYCLE).iloc[-1]
    assert (last["raw"], last["adjustment"], last["cleansed"], last["revenue"]) == (-3, 3, 0, -6)


def test_a_product_goes_on_with_zeros_unless_products_names_its_end():
    rows = pd.concat([monthly("2026-01", [5.0], "A"), monthly("2026-01", [5.0] * 10, "B")], ignore_index=True)
    open_end = history.complete_history(rows, products("A", "B"), CYCLE)
    assert open_end[open_end["product"].eq("A")]["month"].max() == months.month("2026-10")
    ends = products("A", "B", end_month=[pd.Timestamp("2026-03-01"), pd.NaT])
    told = history.complete_history(rows, ends, CYCLE)
    assert told[told["product"].eq("A")]["month"].max() == months.month("2026-03")


def test_rows_from_the_cycle_on_are_left_out_and_a_silent_end_is_missing():
    rows = monthly("2026-07", [1.0, 2.0, 3.0, 4.0, 5.0])
    panel = history.complete_history(rows, products("A"), CYCLE)
    assert (panel["month"].max(), panel["raw"].sum()) == (months.month("2026-10"), 10)
    late = history.complete_history(rows, products("A"), months.month("2027-01"))
    assert late["status"].tolist() == ["sold"] * 5 + ["missing"]


@given(
    st.lists(
        st.tuples(st.integers(0, 29), st.sampled_from("AB"), st.sampled_from(["N", "S"]), st.integers(-5, 50)),
        min_size=1, max_size=40, unique_by=lambda row: row[:3],
    )
)  # fmt: skip
@settings(max_examples=25, deadline=None)
def test_history_sums_to_sales_and_adjustment_ties(cells):
    names = [months.month_name(m) for m in months.month_range(months.month("2024-05"), 30)]
    assume(any(v for *_, v in cells))
    rows = sales([(names[m], p, r, float(v), float(v)) for m, p, r, v in cells])
    panel = history.complete_history(rows, products("A", "B"), CYCLE)
    assert panel["raw"].sum() == pytest.approx(rows["ordered"].sum())
    assert panel["revenue"].sum() == pytest.approx(rows["revenue"].sum())
    assert (panel["cleansed"] >= 0).all()
    pd.testing.assert_series_equal(panel["adjustment"], panel["cleansed"] - panel["raw"].fillna(0), check_names=False)
    span = panel.groupby(["product", "region"])["month"].agg(["min", "max", "size"])
    whole = [len(pd.date_range(row["min"], row["max"], freq="MS")) for _, row in span.iterrows()]
    assert span["size"].tolist() == whole


def test_nothing_ever_sold_is_refused_in_words():
    with pytest.raises(ValueError, match="every quantity up to 2026-10 is zero"):
        history.complete_history(monthly("2026-01", [0.0, 0.0]), products("A"), CYCLE)


def stock(*levels: float, blocked: float = 0.0) -> pd.DataFrame:
    when = months.month_range(months.month("2026-08"), len(levels))
    rows = {"month": when, "product": "A", "location": "DC", "on_hand": levels, "blocked": blocked}
    return tables.check("inventory", pd.DataFrame(rows))


def receipts(*quantities: float) -> pd.DataFrame:
    when = months.month_range(months.month("2026-08"), len(quantities))
    rows = {"month": when, "product": "A", "source": "made", "quantity": quantities}
    return tables.check("receipts", pd.DataFrame(rows))


def test_roll_forward_by_hand():
    rows = monthly("2026-08", [10.0, 40.0, 30.0])
    rolled = history.roll_forward(stock(100, 80, 65), receipts(5, 20, 20), rows, products("A", unit_cost=[7.0]))
    assert rolled["expected"].tolist() == [100 + 20 - 40, 80 + 20 - 30]
    assert rolled["unexplained"].tolist() == [0, -5]
    assert rolled["money"].tolist() == [0, -35]
    year = history.rolled_year(rolled).iloc[0]
    assert year[["opening", "received", "shipped", "closing", "unexplained"]].tolist() == [100, 40, 70, 65, -5]
    assert year["opening"] + year["received"] - year["shipped"] == year["expected"]


def test_roll_forward_needs_stock_and_receipts():
    rows = monthly("2026-08", [1.0])
    assert history.roll_forward(stock(1), empty("receipts"), rows, products("A")).empty
    assert history.rolled_year(history.roll_forward(empty("inventory"), receipts(1), rows, products("A"))).empty


def test_restated_history_is_found_in_closed_months_only():
    now = history.complete_history(monthly("2026-07", [1.0, 2.0, 3.0, 4.0]), products("A"), CYCLE)
    then = history.complete_history(monthly("2026-07", [1.0, 5.0, 3.0]), products("A"), months.month("2026-10"))
    changed = history.restated(now, then)
    assert changed[["month", "earlier", "now", "change"]].values.tolist() == [[months.month("2026-08"), 5, 2, -3]]
    assert history.restated(now, None).empty
    assert history.restated(now, now).empty


def test_totals_are_compared_with_control_totals_and_the_ledger():
    rows = monthly("2026-09", [10.0, 20.0])
    control = {"month": ["2026-09", "2026-10"], "measure": "shipped", "source": "order system", "value": [10.0, 25.0]}
    ledger = {"month": ["2026-10"], "line": ["Revenue"], "plan": [0.0], "actual": [40.0]}
    compared = history.totals_compared(
        rows, tables.check("control_totals", pd.DataFrame(control)), tables.check("finance", pd.DataFrame(ledger))
    )
    assert compared["difference"].tolist() == [0, 0, -5]
    assert compared["agrees"].tolist() == [True, True, False]
    assert compared["rate"].iloc[-1] == -0.2


def seasonal(months_held: int, growth: float = 0.0) -> list[float]:
    at = np.arange(months_held)
    return list(np.round(1000 * (1 + growth * at / 12) * (1 + 0.4 * np.sin(2 * np.pi * at / 12)), 3))


def test_last_month_is_complete_unless_it_falls_below_what_the_past_explains():
    values = seasonal(48)
    start = "2022-11"
    full = history.completeness(history.complete_history(monthly(start, values), products("A"), CYCLE)).iloc[0]
    assert bool(full["complete"])
    assert full["share"] == pytest.approx(1.0)
    half = history.complete_history(monthly(start, [*values[:-1], values[-1] / 2]), products("A"), CYCLE)
    assert not history.completeness(half)["complete"].iloc[0]
    other = pd.concat([monthly(start, values[:-1]), monthly(start, values, "B")], ignore_index=True)
    gone = history.completeness(history.complete_history(other, products("A", "B"), CYCLE)).iloc[0]
    assert (gone["series_expected"], gone["series_sold"], bool(gone["complete"])) == (2, 1, False)


def test_unit_values_come_from_products_else_from_what_shipped():
    panel = history.complete_history(monthly("2026-01", [10.0] * 10), products("A", "B"), CYCLE)
    listed = history.unit_values(panel, products("A", "B", unit_price=[None, 9.0]))
    assert listed["price"].tolist() == [2, 9]
    assert listed["cost"].iloc[0] == 1
    assert np.isnan(listed["cost"].iloc[1])


def test_growth_compares_twelve_months_with_the_twelve_before():
    panel = history.complete_history(monthly("2024-11", [10.0] * 12 + [12.0] * 12), products("A"), CYCLE)
    growth = history.family_growth(panel).iloc[0]
    assert (growth["before_12"], growth["last_12"], growth["revenue"]) == (120, 144, 288)
    assert growth["change"] == pytest.approx(0.2)


def test_panels_show_one_family_each_with_true_values():
    panel = history.complete_history(monthly("2024-11", [20000.0] * 24), products("A"), CYCLE)
    figure = charts.history_panels(history.family_months(panel), "bottles")
    drawn = [ax for ax in figure.axes if ax.lines]
    assert len(drawn) == 1
    assert drawn[0].get_ylabel() == "thousand bottles"
    assert drawn[0].yaxis.get_major_formatter()(20000.0, 0) == "20"
