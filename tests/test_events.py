from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sop_lib import demand_charts, events, history, inputs, tables
from sop_lib import settings as company_settings

SAMPLE = Path(__file__).parent.parent / "data" / "sample"

CYCLE = pd.Timestamp("2026-11-01")


def base() -> pd.DataFrame:
    months, regions = ("2026-12-01", "2027-01-01"), ("North", "South")
    products = (("A", "F", 30.0), ("B", "F", 10.0), ("C", "G", 5.0))
    rows = [(m, p, r, f, q) for m in months for p, f, q in products for r in regions]
    out = pd.DataFrame(rows, columns=["month", "product", "region", "family", "quantity"])
    return out.assign(month=pd.to_datetime(out.month))


def event(**given) -> pd.DataFrame:
    row = {
        "event": "Deal",
        "kind": "promotion",
        "from_month": "2026-12-01",
        "to_month": "2026-12-01",
        "owner": "marketing",
    }
    return tables.check("events", pd.DataFrame([{**row, "family": "ALL", **given}]))


def effects(**given) -> dict:
    out = events.event_effects(base(), event(**given), CYCLE)
    return {(p, r): q for p, r, q in zip(out["product"], out.region, out.quantity, strict=True)}


def test_a_rate_lifts_the_products_regions_and_months_it_names():
    assert effects(product="A", uplift_rate=0.2) == {("A", "North"): 6.0, ("A", "South"): 6.0}
    assert effects(family="F", region="South", uplift_rate=0.5, probability=0.5) == {
        ("A", "South"): 7.5,
        ("B", "South"): 2.5,
    }


def test_units_are_shared_by_planned_demand_and_weighed_by_probability():
    assert effects(family="F", uplift_units=80.0, probability=0.5) == {
        ("A", "North"): 15.0, ("A", "South"): 15.0, ("B", "North"): 5.0, ("B", "South"): 5.0,
    }  # fmt: skip


def test_past_events_and_events_without_an_uplift_add_nothing():
    assert effects(product="A") == {}
    assert effects(product="A", uplift_rate=0.2, from_month="2026-09-01", to_month="2026-10-01") == {}


def test_events_on_the_same_month_add_up_and_each_is_a_row_of_its_own():
    two = pd.concat(
        [event(product="A", region="North", uplift_rate=0.1), event(event="Fair", family="F", uplift_rate=0.2)]
    )
    out = events.event_effects(base(), two, CYCLE)
    own = out[(out["product"] == "A") & (out["region"] == "North")].set_index("item")
    assert own.quantity.to_dict() == {"Deal": pytest.approx(3.0), "Fair": pytest.approx(6.0)}
    assert own.reason["Deal"] == "100% of +10%: as declared"


# ---- past events --------------------------------------------------------------------------------------------------

SEASON = [50.0, 60, 90, 120, 150, 160, 150, 130, 100, 80, 60, 50]
WORTH = pd.DataFrame({"product": ["A", "B", "C"], "price": [30.0, 20.0, 10.0], "cost": [20.0, 15.0, 9.0]})


def sold(lifts: dict, months: int = 72, noise: float = 0.0) -> pd.DataFrame:
    """Three products in two regions with one season; `lifts` holds a factor per product, region and month."""
    when = pd.date_range("2020-11-01", periods=months, freq="MS")
    rng = np.random.default_rng(7)
    rows = [
        (m, p, r, f, SEASON[m.month - 1] * lifts.get((p, r, f"{m:%Y-%m}"), 1.0) * float(np.exp(noise * rng.normal())))
        for p, f in (("A", "F"), ("B", "F"), ("C", "G"))
        for r in ("North", "South")
        for m in when
    ]
    return pd.DataFrame(rows, columns=["month", "product", "region", "family", "cleansed"])


def both_regions(product: str, *months: str, factor: float) -> dict:
    return {(product, r, m): factor for r in ("North", "South") for m in months}


def deal(month: str, **given) -> pd.DataFrame:
    return event(from_month=f"{month}-01", to_month=f"{month}-01", **given)


def test_a_past_event_is_measured_in_rate_units_margin_and_return():
    panel = sold(both_regions("A", "2024-05", factor=1.2))
    told = deal("2024-05", product="A", uplift_rate=0.3, probability=1, spend=300.0)
    found, lifted = events.past_effects(panel, told, WORTH)
    row = found.iloc[0]
    assert row.achieved == pytest.approx(0.2)
    assert row.units == pytest.approx(60.0)  # a fifth of 150 in each of two regions
    assert row.margin == pytest.approx(600.0)  # 10 a unit
    assert row.return_on_spend == pytest.approx(1.0)
    assert (row.claimed, row.basis) == (0.3, "less than claimed")
    assert lifted.quantity.tolist() == pytest.approx([30.0, 30.0])
    assert set(lifted["product"]) == {"A"}


def test_two_events_on_the_same_cells_add_up_on_one_base():
    panel = sold(both_regions("A", "2022-03", factor=1.2 * 1.3) | both_regions("A", "2022-04", factor=1.3))
    two = pd.concat([deal("2022-03", product="A"), event(
        event="Fair", product="A", from_month="2022-03-01", to_month="2022-04-01")])  # fmt: skip
    found, lifted = events.past_effects(panel, two, WORTH)
    assert found.achieved.tolist() == pytest.approx([0.2, 0.3])
    march = lifted[(lifted.month == "2022-03-01") & (lifted.region == "North")].set_index("event").quantity
    base = 90 * 1.2 * 1.3 / (1 + 0.2 + 0.3)
    assert march.to_dict() == pytest.approx({"Deal": 0.2 * base, "Fair": 0.3 * base})


def test_products_with_an_event_of_their_own_are_not_what_an_event_is_compared_with():
    """A and B move alike; B has its own deal in the same month, so that beside it A would seem to have lost."""
    shocks = np.exp(0.1 * np.random.default_rng(5).normal(size=72))
    panel = sold(both_regions("A", "2024-05", factor=1.2) | both_regions("B", "2024-05", factor=3.0))
    panel["cleansed"] *= panel.month.map(dict(zip(panel.month.unique(), shocks, strict=True)))
    two = pd.concat([deal("2024-05", product="A"), deal("2024-05", event="Other", product="B")])
    for told in (two, two.assign(region=["North", "North"])):
        found, _ = events.past_effects(panel, told, WORTH)
        assert found.set_index("event").achieved["Deal"] == pytest.approx(0.2, abs=0.25)


def test_units_claimed_are_compared_as_a_rate_of_the_base_and_a_one_off_lifts_nothing_here():
    panel = sold({("A", "South", "2024-02"): 4.0})
    order = deal("2024-02", product="A", region="South", kind="one_off", uplift_units=180.0)
    found, lifted = events.past_effects(panel, order, WORTH)
    assert found.claimed.iloc[0] == pytest.approx(3.0)
    assert found.units.iloc[0] == pytest.approx(180.0)
    assert lifted.empty


def test_what_cannot_be_told_is_blank_and_says_why():
    every_may = [f"{year}-05" for year in range(2021, 2027)]
    yearly = pd.concat([deal(m, event=f"May {m}", product="A", uplift_rate=0.2) for m in every_may])
    season, _ = events.past_effects(sold({}, noise=0.05), yearly, WORTH)
    assert season.achieved.isna().all()
    assert season.basis.str.contains("no year without an event").all()
    young, _ = events.past_effects(sold({}, months=20), deal("2021-05", product="A", uplift_rate=0.2), WORTH)
    assert young.basis.iloc[0] == "not measured: 20 months of demand, 24 are needed"
    panel = sold({("A", "North", "2022-02"): 0.0, ("A", "South", "2022-02"): 0.0})
    lumpy, _ = events.past_effects(panel, deal("2024-05", product="A", uplift_rate=0.2), WORTH)
    assert lumpy.basis.iloc[0] == "not measured: no demand in Feb 2022"
    twin = pd.concat([deal("2024-05", event=name, product="A", uplift_rate=0.2) for name in ("One", "Two")])
    same, lifted = events.past_effects(sold({}, noise=0.05), twin, WORTH)
    assert same.basis.tolist() == ["not measured: the same months as Two", "not measured: the same months as One"]
    assert lifted.empty
    nobody, _ = events.past_effects(sold({}), deal("2024-05", product="Z", uplift_rate=0.2), WORTH)
    assert nobody.basis.iloc[0].startswith("not measured")


def test_an_effect_that_may_be_none_stays_in_history():
    found, lifted = events.past_effects(sold({}, noise=0.1), deal("2024-05", product="A", uplift_rate=0.05), WORTH)
    assert found.low.iloc[0] < 0 < found.high.iloc[0]
    assert found.basis.iloc[0] == "as claimed, but no effect is as likely: left in history"
    assert lifted.empty


def test_nothing_past_and_no_event_at_all_give_empty_tables():
    none, lifted = events.past_effects(sold({}), deal("2027-05", product="A", uplift_rate=0.05), WORTH)
    assert list(none) == events.EFFECTS
    assert none.empty
    assert list(lifted) == ["month", "product", "region", "quantity", "event"]
    assert events.headline(none, "EUR") == ["No event was given, past or coming."]


def test_the_claim_furthest_off_is_named():
    told = deal("2024-05", product="A", uplift_rate=0.9)
    found, _ = events.past_effects(sold(both_regions("A", "2024-05", factor=1.2)), told, WORTH)
    assert events.headline(found, "EUR") == [
        "1 past event could be measured; the claim of 0 lies inside its interval; "
        "furthest off Deal: +90% claimed, +20% achieved."
    ]


def test_names_are_only_names():
    name = "<script>alert('$1|=\n\"')</script>"
    panel = sold(both_regions("A", "2024-05", factor=1.5)).replace({"product": {"A": name}})
    told = deal("2024-05", event=name, product=name, uplift_rate=0.5)
    found, lifted = events.past_effects(panel, told, WORTH)
    assert found.achieved.iloc[0] == pytest.approx(0.5)
    assert set(lifted["product"]) == set(lifted.event) == {name}


def test_the_chart_shows_each_measured_event_with_its_interval_and_claim():
    name = "<b>$1|=\n</b>"
    panel = sold(both_regions("A", "2024-05", factor=1.2), noise=0.02)
    told = pd.concat([deal("2024-05", event=name, product="A", uplift_rate=0.9), deal("2019-05", product="A")])
    found, _ = events.past_effects(panel, told, WORTH)
    ax = demand_charts.event_claims(found).axes[0]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["<b>$1|= </b>"]
    assert "%" in ax.get_xlabel()
    assert len(demand_charts.event_claims(found[:0]).axes) == 1


def test_the_measured_past_is_drawn_to_the_claim_by_how_sure_it_is():
    past, _ = events.past_effects(
        sold(both_regions("A", "2024-05", factor=1.2), noise=0.02), deal("2024-05", product="A", uplift_rate=0.5), WORTH
    )
    ahead = event(event="Next", product="A", uplift_rate=0.5, from_month="2027-05-01", to_month="2027-05-01")
    named = ahead.assign(family="F")
    used = events.coming(named, base(), CYCLE, past).iloc[0]
    assert past.achieved.iloc[0] < used.used < 0.3  # sure of some 0.2, claimed 0.5
    assert used.basis.startswith("1 earlier event achieved +2")
    assert events.coming(named.assign(region="North"), base(), CYCLE, past).used.iloc[0] == 0.5
    assert events.coming(named.assign(kind="tactic"), base(), CYCLE, past).basis.iloc[0] == "as declared"


def measured(**given) -> pd.DataFrame:
    """What a deal on A achieved in May 2024: some +20 %."""
    told = deal("2024-05", **({"event": "Old", "product": "A", "uplift_rate": 0.5} | given))
    return events.past_effects(sold(both_regions("A", "2024-05", factor=1.2), noise=0.02), told, WORTH)[0]


def test_an_event_declared_in_units_is_planned_once_where_earlier_ones_were_measured():
    units = event(event="Next", product="A", uplift_units=30.0)  # of the 60 of A: +50 %
    rate = event(event="Next", product="A", uplift_rate=0.5)
    one, other = (events.event_effects(base(), told, CYCLE, measured()) for told in (units, rate))
    assert one.quantity.tolist() == pytest.approx(other.quantity.tolist())
    assert one.quantity.sum() < 0.3 * 60
    assert one.reason.iloc[0].endswith("+50% declared")
    plan = events.event_effects(base(), units, CYCLE)
    assert plan.quantity.tolist() == [15.0, 15.0]
    assert plan.reason.iloc[0] == "100% of +30 a month: as declared"


def test_an_event_declared_in_units_where_nothing_is_planned_adds_what_was_declared():
    nothing, units = base().assign(quantity=0.0), event(event="Next", product="A", uplift_units=30.0)
    assert events.event_effects(nothing, units, CYCLE, measured()).quantity.sum() == pytest.approx(30)


def test_a_rate_and_units_both_declared_add_up_in_plan_and_claim():
    told = event(event="Next", product="A", uplift_rate=0.1, uplift_units=30.0)
    plan = events.event_effects(base(), told, CYCLE)
    assert plan.quantity.sum() == pytest.approx(0.1 * 60 + 30)
    assert plan.reason.iloc[0] == "100% of +10% and +30 a month: as declared"
    whole = pd.concat([base().assign(step="baseline", item="ALL"), plan.assign(step="event")])
    row = events.reviewed(measured()[:0], told, whole, WORTH, CYCLE).iloc[0]
    assert (row.claimed, row.used) == (pytest.approx(0.6), pytest.approx(0.6))
    past = measured(uplift_rate=0.1, uplift_units=30.0).iloc[0]  # 30 of a base of some 300
    assert past.claimed == pytest.approx(0.2, abs=0.01)


def test_a_past_one_off_order_tells_nothing_of_the_next():
    past = measured(kind="one_off")
    assert past.achieved.notna().all()
    order = event(event="Next", kind="one_off", product="A", uplift_units=12.0)
    plan = events.event_effects(base(), order, CYCLE, past)
    assert plan.quantity.sum() == pytest.approx(12)
    assert plan.reason.iloc[0] == "100% of +12 a month: as declared"


def test_events_cannot_take_more_than_there_is():
    two = pd.concat([
        event(event=name, product="A", region="North", uplift_rate=rate)
        for name, rate in (("x", -0.8), ("y", -0.8), ("z", 0.2))
    ])  # fmt: skip
    plan = events.event_effects(base(), two, CYCLE).set_index("item")
    assert plan.quantity.to_dict() == pytest.approx({"x": -18.0, "y": -18.0, "z": 6.0})  # 30 and 6 are there
    assert plan.reason["x"] == "100% of -80%: as declared; cut to 75% of it, demand cannot end below zero"
    assert plan.reason["z"] == "100% of +20%: as declared"
    lost = events.event_effects(base(), event(product="A", uplift_units=-500.0), CYCLE)
    assert lost.quantity.sum() == pytest.approx(-60)
    gone = events.event_effects(base(), event(product="A", uplift_rate=-1.0), CYCLE)
    assert gone.reason.iloc[0] == "100% of -100%: as declared"


def test_a_margin_is_blank_where_a_product_has_no_price():
    panel = sold(both_regions("A", "2024-05", factor=1.2) | both_regions("B", "2024-05", factor=1.2))
    told = deal("2024-05", family="F", spend=5.0)
    assert events.past_effects(panel, told, WORTH)[0].margin.iloc[0] == pytest.approx(60 * 10 + 60 * 5)
    lacking = events.past_effects(panel, told, WORTH.assign(price=[np.nan, 20.0, 10.0]))[0].iloc[0]
    assert lacking.units == pytest.approx(120)
    assert np.isnan([lacking.margin, lacking.return_on_spend]).all()
    two = pd.concat([event(product="A", uplift_rate=0.2), event(event="Next", product="B", uplift_rate=0.2)])
    plan = events.event_effects(base(), two, CYCLE).assign(step="event")
    known = events.reviewed(lacking.to_frame().T[:0], two, plan, WORTH.assign(cost=[np.nan, 15.0, 9.0]), CYCLE)
    said = "2 coming events should add 16 units, a margin of EUR 20 (1 event without a price or cost left out)."
    assert events.headline(known, "EUR") == [said]


def test_events_that_run_on_are_counted_and_those_not_measured_are_not_forgotten():
    young, _ = events.past_effects(sold({}, months=20), deal("2021-05", product="A", uplift_rate=0.2), WORTH)
    assert events.headline(young, "EUR") == ["1 past event, none could be measured yet."]
    run = event(product="A", uplift_rate=0.2, from_month="2026-09-01", to_month="2026-12-01")
    past, _ = events.past_effects(sold({}, noise=0.1), run, WORTH)
    plan = events.event_effects(base(), run, CYCLE, past)
    row = events.reviewed(past, run, plan.assign(step="event"), WORTH, CYCLE)
    assert row.planned.iloc[0] == pytest.approx(plan.quantity.sum())
    assert row.units.tolist() == past.units.tolist()
    more = f"1 event begun before should add {plan.quantity.sum():,.0f} units more."
    assert events.headline(row, "EUR")[-1] == more


def test_an_event_that_history_has_held_for_a_year_is_in_the_baseline():
    long = event(product="A", uplift_rate=0.02, from_month="2025-01-01", to_month="2027-12-01").assign(family="F")
    past, _ = events.past_effects(sold({}, noise=0.1), long, WORTH)
    assert events.coming(long, base(), CYCLE, past).empty
    assert len(events.coming(long, base(), CYCLE)) == 1


def test_coming_events_are_reviewed_with_what_the_plan_expects_of_them():
    told = event(product="A", uplift_rate=0.2, probability=0.5, spend=20.0)
    plan = events.event_effects(base(), told, CYCLE).assign(step="event")
    none, _ = events.past_effects(sold({}), told, WORTH)
    row = events.reviewed(none, told, plan, WORTH, CYCLE).iloc[0]
    assert (row.units, row.planned, row.margin, row.return_on_spend, row.used) == (6.0, 6.0, 60.0, 2.0, 0.2)
    again = events.reviewed(events.reviewed(none, told, plan, WORTH, CYCLE), told, plan, WORTH, CYCLE)
    assert again.event.tolist() == ["Deal"]
    assert events.headline(events.reviewed(none, told, plan, WORTH, CYCLE), "EUR") == [
        "1 coming event should add 6 units, a margin of EUR 60."
    ]


# ---- laws ---------------------------------------------------------------------------------------------------------

rates = st.floats(-0.4, 3.0)


@settings(max_examples=25, deadline=None)
@given(chance=st.floats(0, 1), unit=st.sampled_from([0.0, float("nan")]))
def test_law_an_event_with_no_uplift_changes_nothing(chance, unit):
    out = events.event_effects(base(), event(family="F", uplift_rate=0.0, uplift_units=unit, probability=chance), CYCLE)
    assert (out.quantity == 0).all()


@settings(max_examples=25, deadline=None)
@given(first=rates, second=rates, units=st.floats(0, 500))
def test_law_effects_of_events_add_up(first, second, units):
    one = event(event="One", family="F", uplift_rate=first, uplift_units=units)
    two = event(event="Two", product="A", uplift_rate=second)
    apart = sum(events.event_effects(base(), each, CYCLE).quantity.sum() for each in (one, two))
    together = events.event_effects(base(), pd.concat([one, two]), CYCLE).quantity.sum()
    assert together == pytest.approx(apart)


@settings(max_examples=25, deadline=None)
@given(first=st.floats(-1, 1), second=st.floats(-1, 1), units=st.floats(-500, 500), chance=st.floats(0, 1))
def test_law_no_plan_ends_below_zero(first, second, units, chance):
    one = event(event="One", family="F", uplift_rate=first, uplift_units=units, probability=chance)
    two = event(event="Two", product="A", uplift_rate=second)
    both = pd.concat([base(), events.event_effects(base(), pd.concat([one, two]), CYCLE)])
    assert (both.groupby(["month", "product", "region"]).quantity.sum() >= -1e-9).all()


@settings(max_examples=10, deadline=None)
@given(rate=st.floats(-0.5, 2.0), size=st.floats(0.01, 1000))
def test_law_what_is_measured_is_what_was_done_whatever_the_unit(rate, size):
    panel = sold(both_regions("A", "2024-05", factor=1 + rate))
    found, _ = events.past_effects(panel.assign(cleansed=panel.cleansed * size), deal("2024-05", product="A"), WORTH)
    assert found.achieved.iloc[0] == pytest.approx(rate, abs=1e-6)


# ---- the sample ---------------------------------------------------------------------------------------------------


def test_on_the_sample_the_true_uplift_of_each_past_promotion_lies_inside_its_interval():
    company = company_settings.load(SAMPLE)
    found = inputs.read_inputs(company, "2026-11")
    given = {name: found.tables[name] for name in ("sales", "products", "events")}
    panel = history.complete_history(given["sales"], given["products"], CYCLE)
    effects, _ = events.past_effects(panel, given["events"], history.unit_values(panel, given["products"]))
    truth = pd.read_csv(SAMPLE / "truth.csv")
    truth = truth[truth.cause == "promotion lifts demand"].assign(event=lambda t: t.key.str.removeprefix("event="))
    both = effects.merge(truth[["event", "quantity"]], on="event", how="inner")
    assert len(both) == 6
    assert both.quantity.between(both.low, both.high).all()
    order = effects.set_index("event").loc["Hotel contract"]
    assert order.units == pytest.approx(900, rel=0.15)
