"""History as three series: each adjustment by hand, its laws, and what was found on the sample and on public data."""

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import settings as trials
from hypothesis import strategies as st

from sop_lib import (
    breaks,
    charts,
    cleansing,
    events,
    history,
    history_charts,
    inputs,
    settings,
    signals,
    stock_outs,
    tables,
)

REPO = Path(__file__).parent.parent
SHARED = REPO.parent / "shared" / "data"
CYCLE = pd.Timestamp("2026-11-01")
LAST = pd.Timestamp("2026-10-01")
NO_OUTS = pd.DataFrame(columns=stock_outs.COLUMNS)


def panel(values: dict[tuple[str, str], list[float | None]]) -> pd.DataFrame:
    """Return the history of (product, region): raw up to the last closed month; None: a missing month."""
    rows = [
        (month, product, region, value)
        for (product, region), raw in values.items()
        for month, value in zip(pd.date_range(end=LAST, periods=len(raw), freq="MS"), raw, strict=True)
    ]
    df = pd.DataFrame(rows, columns=["month", "product", "region", "raw"]).astype({"raw": "float64"})
    df = df.assign(family="F", status=np.where(df["raw"].isna(), "missing", "sold"), revenue=np.nan, shipped=df["raw"])
    df["cleansed"] = df["unconstrained"] = history.filled(df)
    return df.assign(adjustment=df["cleansed"] - df["raw"].fillna(0.0))


def event(**given) -> pd.DataFrame:
    row = {"event": "Deal", "kind": "one_off", "product": "A", "family": "F", "from_month": LAST, "to_month": LAST}
    row |= {"owner": "Sales manager"}
    return tables.check("events", pd.DataFrame([row | given]))


def one_by_one(changes: pd.DataFrame) -> list[list]:
    return changes[["product", "region", "cause", "quantity"]].values.tolist()


def test_returns_and_missing_months_become_rows_with_their_reason():
    changes = cleansing.adjustments(panel({("A", "N"): [10, None, 20, -3]}), NO_OUTS)
    assert one_by_one(changes) == [["A", "N", "missing", 15.0], ["A", "N", "return", 3.0]]
    assert changes["reason"].tolist() == ["the source holds no row of this month", "more came back than was sold"]
    tables.check("adjustments", changes.assign(cycle=CYCLE))


def test_a_one_off_order_is_taken_out_of_its_cells_by_what_was_sold_there():
    before = panel({("A", "N"): [100, 150], ("A", "S"): [100, 50], ("B", "N"): [70, 70]})
    changes = cleansing.adjustments(before, NO_OUTS, event(uplift_units=80))
    assert one_by_one(changes) == [["A", "N", "one_off", -60.0], ["A", "S", "one_off", -20.0]]
    assert set(changes["reason"]) == {"one-off: Deal"}
    after = cleansing.cleansed(before, changes)
    assert after["cleansed"].sum() == before["raw"].sum() - 80
    assert after["unconstrained"].sum() == before["raw"].sum()
    only_south = cleansing.adjustments(before, NO_OUTS, event(region="S", uplift_units=80))
    assert one_by_one(only_south) == [["A", "S", "one_off", -50.0]]  # no more than was sold
    by_rate = cleansing.adjustments(before, NO_OUTS, event(region="N", uplift_rate=0.5))
    assert one_by_one(by_rate) == [["A", "N", "one_off", -50.0]]


def test_a_rate_that_left_nothing_adjusts_nothing_and_the_units_lost_are_given_back():
    before = panel({("A", "N"): [100, 0], ("A", "S"): [100, 5]})
    for rate in (-1.0, -1.0 - 1e-9):
        lost = event().assign(uplift_rate=rate)
        assert cleansing.adjustments(before, NO_OUTS, lost).empty
    changes = cleansing.adjustments(before, NO_OUTS, event(uplift_rate=-0.5))
    assert one_by_one(changes) == [["A", "S", "one_off", 5.0]]
    changes = cleansing.adjustments(panel({("A", "N"): [100, 0]}), NO_OUTS, event(uplift_units=-90))
    assert one_by_one(changes) == [["A", "N", "one_off", 90.0]]


def test_an_event_that_is_no_one_off_a_coming_one_and_one_of_another_product_change_nothing():
    before = panel({("A", "N"): [100, 150]})
    for other in ({"kind": "promotion"}, {"product": "B"}, {"from_month": CYCLE, "to_month": CYCLE}):
        assert cleansing.adjustments(before, NO_OUTS, event(uplift_units=80, **other)).empty


def test_what_events_lifted_is_taken_out_and_stock_outs_are_made_good_first():
    before = panel({("A", "N"): [100, 40]})
    lifted = pd.DataFrame({"month": [LAST] * 2, "product": "A", "region": "N", "quantity": [30.0, 90.0]})
    outs = pd.DataFrame([[LAST, "A", "N", "F", 0.0, 40.0, 100.0, 60.0]], columns=stock_outs.COLUMNS)
    changes = cleansing.adjustments(before, outs, event()[:0], lifted.assign(event=["Deal", "Fair"]))
    assert one_by_one(changes) == [["A", "N", "event", -100.0], ["A", "N", "stock_out", 60.0]]
    assert changes["reason"].tolist() == ["Deal; Fair", "out of stock: sold 40 of 100 to be expected"]
    after = cleansing.cleansed(before, changes).iloc[-1]
    assert (after["raw"], after["unconstrained"], after["cleansed"], after["adjustment"]) == (40, 100, 0, -40)


def test_the_tables_of_the_page_add_up():
    before = panel({("A", "N"): [100, 150], ("A", "S"): [100, -50]})
    changes = cleansing.adjustments(before, NO_OUTS, event(uplift_units=80))
    prices = pd.DataFrame({"product": ["A"], "price": [2.0], "cost": [1.0]})
    causes = cleansing.by_cause(changes, prices).set_index("cause")
    assert causes["added"].to_dict() == {"one_off": 0.0, "return": 50.0}
    assert causes["taken"].to_dict() == {"one_off": -80.0, "return": 0.0}
    assert causes["money"].to_dict() == {"one_off": -160.0, "return": 100.0}
    assert cleansing.largest(changes, prices)["quantity"].tolist() == [-80.0, 50.0]
    after = cleansing.cleansed(before, changes)
    assert cleansing.adjusted_share(after) == pytest.approx(130 / 400)
    assert "one-off orders (-80 units)" in cleansing.sentence(changes, after, prices)
    most = cleansing.most_adjusted(after)
    assert most["cleansed"].tolist() == [200.0, 70.0]
    lines = history_charts.three_series(most, "units").axes[0].lines
    drawn = {line.get_label(): line.get_ydata().tolist() for line in lines}
    assert drawn == {"raw": [200, 100], "unconstrained": [200, 150], "cleansed": [200, 70]}


@pytest.mark.parametrize(
    ("raw", "rest"),
    [([5, -50], "returns above sales (+50 units); 90.9% of the units sold or returned in the last 24 months."),
     ([50, *[0] * 11, None, *[0] * 24], "months the source lacks (+25 units).")],
)  # fmt: skip
def test_the_share_adjusted_stays_a_share_where_more_came_back_than_was_sold(raw, rest):
    before = panel({("A", "N"): raw})
    changes = cleansing.adjustments(before, NO_OUTS)
    prices = pd.DataFrame({"product": ["A"], "price": [2.0], "cost": [1.0]})
    said = cleansing.sentence(changes, cleansing.cleansed(before, changes), prices)
    assert said == f"Adjusted before models learn from it: {rest}"


def test_the_demand_whose_error_is_against_an_estimate_is_told_since_a_month():
    before = panel({("A", "N"): [100, 150], ("A", "S"): [100, 60], ("B", "N"): [70, -70]})
    lifted = pd.DataFrame({"month": [LAST], "product": "A", "region": "N", "quantity": [50.0], "event": "Fair"})
    outs = pd.DataFrame([[LAST, "A", "S", "F", 0.0, 60.0, 100.0, 40.0]], columns=stock_outs.COLUMNS)
    changes = cleansing.adjustments(before, outs, None, lifted)
    after = cleansing.cleansed(before, changes)  # of 470 units, 100 in the north and 100 in the south are estimates
    assert cleansing.estimated_sentence(changes, after, before["month"].min()) == (
        "Of the demand scored since Sep 2026, 42.6% was estimated: past events taken out, stock-outs made good; "
        "there the error is against an estimate."
    )
    assert "since Oct 2026, 100.0%" in cleansing.estimated_sentence(changes, after, LAST)
    assert cleansing.estimated_sentence(changes, after, CYCLE) == ""
    returned = cleansing.adjustments(before, NO_OUTS)
    assert cleansing.estimated_sentence(returned, cleansing.cleansed(before, returned), LAST) == ""


CELLS = st.lists(st.one_of(st.none(), st.floats(-50, 1000)), min_size=24, max_size=24)


@pytest.mark.filterwarnings("error")
def test_the_figure_shows_one_month_and_leaves_out_what_ended_long_ago():
    one = panel({("A", "N"): [-5]})
    most = cleansing.most_adjusted(cleansing.cleansed(one, cleansing.adjustments(one, NO_OUTS)))
    history_charts.three_series(most, "units").canvas.draw()
    charts.history_panels(history.family_months(one), "units").canvas.draw()
    old = panel({("A", "N"): [-5] * 60, ("B", "N"): [-9] * 60})
    old = old[old["product"].eq("A") | (old["month"] < "2023-01-01")]
    most = cleansing.most_adjusted(cleansing.cleansed(old, cleansing.adjustments(old, NO_OUTS)))
    assert set(most["product"]) == {"A", "B"}
    shown = [ax for ax in history_charts.three_series(most, "units").axes if ax.axison]
    assert [ax.get_title(loc="left") for ax in shown] == ["A"]


@given(CELLS, CELLS, st.floats(0, 2000), st.floats(-200, 500), st.floats(0, 300))
@trials(max_examples=25, deadline=None)
def test_cleansing_ties_and_twice_is_once(north, south, units, lift, hidden):
    held = [n if s is not None else None for n, s in zip(north, south, strict=True)]
    before = panel({("A", "N"): held, ("A", "S"): [None if h is None else s for h, s in zip(held, south, strict=True)]})
    lifted = pd.DataFrame({"month": [LAST], "product": "A", "region": "N", "quantity": lift, "event": "Fair"})
    outs = pd.DataFrame([[LAST, "A", "S", "F", 0.0, 0.0, hidden, hidden]], columns=stock_outs.COLUMNS)
    changes = cleansing.adjustments(before, outs, event(uplift_units=units), lifted)
    after = cleansing.cleansed(before, changes)
    key = ["month", "product", "region"]
    sums = before[key].join(changes.groupby(key)["quantity"].sum().astype("float64"), on=key)["quantity"].fillna(0.0)
    assert after["adjustment"].to_numpy() == pytest.approx(sums.to_numpy(), abs=1e-6)
    assert (after["cleansed"] - after["raw"].fillna(0.0)).tolist() == after["adjustment"].tolist()
    assert (after[["cleansed", "unconstrained"]] >= 0).all(axis=None)
    again = cleansing.cleansed(after, cleansing.adjustments(after, outs, event(uplift_units=units), lifted))
    pd.testing.assert_frame_equal(again, after)


# Single months far off


def seasonal(seed: int, months: int = 60, noise: float = 0.04) -> list[float]:
    draw, t = np.random.default_rng(seed), np.arange(months)
    return (500 * (1 + 0.5 * np.sin(2 * np.pi * t / 12)) * draw.normal(1, noise, months)).tolist()


def test_a_single_month_is_found_with_what_was_to_be_expected_and_a_step_or_the_last_month_is_not():
    raw, step, late = seasonal(1), seasonal(2), seasonal(3)
    expected, raw[40] = raw[40], raw[40] + 900
    step[40:] = [3 * v for v in step[40:]]
    late[-1] *= 4
    found = cleansing.outliers(panel({("A", "N"): raw, ("B", "N"): step, ("C", "N"): late}))
    assert found[["product", "region"]].values.tolist() == [["A", "N"]]
    assert found["expected"].item() == pytest.approx(expected, rel=0.15)
    assert found["spreads"].item() > 8


def test_a_single_month_that_sold_nothing_is_found_two_of_them_and_an_end_are_not():
    once, twice, ended, family = (seasonal(n) for n in (1, 2, 3, 4))
    once[40] = twice[40] = twice[41] = ended[-1] = 0.0
    found = cleansing.outliers(panel({("A", "N"): once, ("B", "N"): twice, ("C", "N"): ended, ("D", "N"): family}))
    assert found[["product", "off"]].values.tolist() == [["A", -1.0]]
    assert found["month"].item() == LAST - pd.DateOffset(months=19)
    assert found["expected"].item() == pytest.approx(seasonal(1)[40], rel=0.15)


def test_what_sells_now_and_then_is_left_alone_and_a_month_that_moved_the_whole_family_is_no_outlier():
    lumps = [0.0, 0.0, 0.0, 5.0] * 15
    lumps[40] = 400.0
    assert cleansing.outliers(panel({("A", "N"): lumps})).empty
    family = {(name, "N"): seasonal(n) for n, name in enumerate("ABCDEF")}
    for raw in family.values():
        raw[40] *= 0.3
    assert cleansing.outliers(panel(family)).empty


@given(st.integers(0, 1000))
@trials(max_examples=25, deadline=None)
def test_noise_alone_is_hardly_ever_an_outlier(seed):
    assert len(cleansing.outliers(panel({(p, "N"): seasonal(seed + n) for n, p in enumerate("ABC")}))) <= 1


# The sample and public data


@cache
def company(folder: str, cycle: str, data: str = "") -> tuple[pd.DataFrame, dict[str, pd.DataFrame]]:
    if data and not (SHARED / data).is_dir():
        pytest.skip(f"the files of {data} are not here")
    given = {"SOP_INPUTS": str(SHARED / data)} if data else {}
    read = inputs.read_inputs(settings.load(REPO / "data" / folder, given), cycle)
    return history.complete_history(read.tables["sales"], read.tables["products"], read.cycle), read.tables


def sample_cleansed() -> tuple[pd.DataFrame, pd.DataFrame]:
    before, given = company("sample", "2026-11")
    outs = stock_outs.stock_outs(before, given["inventory"], given["products"], given["events"])
    prices = history.unit_values(before, given["products"])
    wanted = cleansing.cleansed(before, cleansing.adjustments(before, outs))
    _, lifted = events.past_effects(wanted, given["events"], prices)
    changes = cleansing.adjustments(before, outs, given["events"], lifted)
    return cleansing.cleansed(before, changes), changes


def test_the_one_off_order_of_the_sample_is_found_even_when_nobody_declared_it():
    before, given = company("sample", "2026-11")
    truth = pd.read_csv(REPO / "data" / "sample" / "truth.csv")
    true = truth[truth["cause"].eq("one_off lifts demand")].iloc[0]
    declared = given["events"].set_index("event").loc[true["key"].removeprefix("event=")]
    outs = stock_outs.stock_outs(before, given["inventory"], given["products"], given["events"])
    wanted = cleansing.cleansed(before, cleansing.adjustments(before, outs))
    (found,) = cleansing.outliers(wanted).to_dict("records")
    where = [declared["product"], declared["region"], pd.Timestamp(true["from_month"])]
    assert [found["product"], found["region"], found["month"]] == where
    assert found["raw"] - found["expected"] == pytest.approx(true["quantity"], rel=0.1)
    known = cleansing.adjustments(before, outs, given["events"])
    assert known.loc[known["cause"].eq("one_off"), "quantity"].sum() == -true["quantity"]
    assert cleansing.outliers(cleansing.cleansed(before, known)).empty


def test_adjustments_of_the_sample_tie_to_its_history():
    after, changes = sample_cleansed()
    tables.check("adjustments", changes.assign(cycle=CYCLE))
    tables.check("history", after.assign(cycle=CYCLE))
    assert changes["quantity"].sum() == pytest.approx((after["cleansed"] - after["raw"].fillna(0.0)).sum())
    truth = pd.read_csv(REPO / "data" / "sample" / "truth.csv")
    netted = -truth.loc[truth["cause"].eq("returns"), "quantity"].sum()
    returned = changes.loc[changes["cause"].eq("return"), "quantity"].sum()
    assert 0 < returned <= netted  # returns within what was sold that month are only netted
    assert set(changes["cause"]) == {"return", "stock_out", "one_off", "event"}


def test_the_level_shift_of_the_sample_is_dated_within_a_month():
    truth = pd.read_csv(REPO / "data" / "sample" / "truth.csv").set_index("cause").loc["level shift"]
    name = truth["key"].replace("product=", "product ")
    for before in (company("sample", "2026-11")[0], sample_cleansed()[0]):
        steps = breaks.level_step(before, {})["subject"].str.split(" · ", expand=True).set_index(0)[1]
        assert abs((pd.Timestamp(steps[name]) - pd.Timestamp(truth["from_month"])).days) <= 31
        assert [s for s in steps.index if s.startswith("product")] == [name]


def test_the_wholesaler_steps_only_where_something_happened():
    """2020: people drank at home; 2018-10 and -11: whiskey liqueur and cordials changed their codes and family."""
    before, _ = company("iowa_liquor", "2020-11", "iowa_liquor")
    steps = breaks.level_step(before, {})["subject"].str.split(" · ", expand=True)
    assert "2020-03" in steps.loc[steps[0].eq("total"), 1].tolist()
    families = set(steps.loc[steps[0].str.startswith("family"), 0].str.removeprefix("family "))
    assert not families & {"gin", "rum", "schnapps", "vodka", "other", "unknown"}
    assert steps[1].between("2018-10", "2018-11").sum() + steps[1].between("2020-02", "2020-05").sum() == len(steps)
    odd = cleansing.outliers(before)
    assert odd["month"].iloc[0] == pd.Timestamp("2016-08-01")  # the recode, in both codes
    assert len(odd) < 0.005 * len(before)


def test_the_spring_of_2020_is_a_signal_of_petroleum_and_no_outlier():
    before, given = company("us_petroleum", "2026-02", "eia_petroleum")
    assert not (cleansing.outliers(before)["month"] == "2020-04-01").any()
    year = before[before["month"] < "2021-01-01"]
    found = signals.signals(year, history.unit_values(year, given["products"]))
    assert found[found["month"].eq("2020-04-01") & found["family"].eq("Gasoline")]["rule"].tolist() == ["outside"]
    assert cleansing.adjustments(before, NO_OUTS).empty


@pytest.mark.parametrize("count", [1, 5, 13, 36, 60])
@pytest.mark.parametrize("kind", ["steady", "lumpy", "no stock", "gap", "returns"])
def test_small_and_odd_companies_pass_through_every_step(count, kind):
    values = {"lumpy": [0.0, 0.0, 50.0] * 20, "returns": [100.0] * 59 + [-5.0]}.get(kind, [100.0] * 60)[-count:]
    values = [None if kind == "gap" and n in (2, 40) else v for n, v in enumerate(values)]
    before = panel({(p, "N"): values for p in "AB"})
    products = pd.DataFrame({"product": list("AB"), "family": "F", "end_month": pd.NaT})
    stock = before[["month", "product"]].assign(on_hand=0.0 if kind == "no stock" else 100.0)
    outs = stock_outs.stock_outs(before, tables.check("inventory", stock), products)
    prices = pd.DataFrame({"product": list("AB"), "price": np.nan, "cost": np.nan})
    changes = cleansing.adjustments(before, outs, event(uplift_units=5))
    after = cleansing.cleansed(before, changes)
    found = signals.signals(after, prices)
    for name, table in (("adjustments", changes), ("signals", found)):
        tables.check(name, table.assign(cycle=CYCLE))
    assert set(changes["cause"]) <= set(cleansing.NAMES)
    assert cleansing.outliers(after).empty
    assert cleansing.sentence(changes, after, prices)
    assert signals.surprise_sentence(signals.last_surprise(found))
    assert len(cleansing.largest(changes, prices)) <= len(changes)
