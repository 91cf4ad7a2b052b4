"""Drivers: found, tried at rolling origins, kept or refused, and taken through the engine."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sop_lib import backtest, baseline, demand_charts, drivers, forecast, history, inputs, months
from sop_lib import settings as company_settings

SAMPLE = Path(__file__).parent.parent / "data" / "sample"
CYCLE = pd.Timestamp("2026-11-01")
HORIZON = months.month_range(CYCLE, 24)
CLOSED = pd.date_range("2020-11-01", "2026-10-01", freq="MS", unit="ns")
NONE = pd.DataFrame({"month": [], "driver": [], "region": [], "value": [], "known_on": []}).astype(
    {"month": "datetime64[ns]", "known_on": "datetime64[ns]"}
)
NO_CALENDAR = pd.DataFrame({"month": [], "plant": [], "working_days": []})


def sold(moves: dict | None = None, noise: float = 0.03) -> pd.DataFrame:
    """Two families with a season; `moves` holds the factor of each month per family."""
    rng, rows = np.random.default_rng(3), []
    for family in ("F", "G"):
        factor = (moves or {}).get(family, np.ones(len(CLOSED)))
        for at, month in enumerate(CLOSED):
            mean = 1000 * (1 + 0.3 * np.sin(month.month / 2)) * factor[at]
            rows.append((month, f"{family}1", "ALL", family, mean * np.exp(noise * rng.normal())))
    return pd.DataFrame(rows, columns=["month", "product", "region", "family", "cleansed"])


def rain(known: str | None = "before", last: str = "2028-10-01", seed: int = 11) -> pd.DataFrame:
    """A driver of random values up to `last`, known long before, two weeks after its month, or nobody says when."""
    span = pd.date_range("2020-11-01", last, freq="MS", unit="ns")
    value = np.random.default_rng(seed).normal(size=len(span)).round(2)
    shift = {"before": -pd.DateOffset(years=3), "after": pd.DateOffset(days=45)}
    known_on = span + shift[known] if known else pd.NaT
    return pd.DataFrame({"month": span, "driver": "rain", "region": "ALL", "value": value, "known_on": known_on})


def reviewed(demand: pd.DataFrame, given: pd.DataFrame) -> pd.DataFrame:
    values = drivers.known_values(given, NO_CALENDAR, CLOSED.append(HORIZON))
    review = drivers.driver_review(demand, values, CYCLE, HORIZON)
    return review[review.driver == "rain"].set_index("family")


def moved_by(given: pd.DataFrame, effect: float) -> np.ndarray:
    return np.exp(np.log1p(effect) * given.set_index("month").value.reindex(CLOSED).to_numpy())


# ---- examples -----------------------------------------------------------------------------------------------------


def test_a_driver_that_moves_demand_is_found_and_kept():
    given = rain()
    review = reviewed(sold({f: moved_by(given, 0.1) for f in "FG"}), given)
    assert review.kept.all()
    assert review.low["F"] < 0.1 < review.high["F"]
    assert review.gain["ALL"] > 0.3
    assert review.why["F"] == "kept: the error falls in both halves of the origins"


def test_a_driver_that_moves_one_family_is_kept_there_only():
    given = rain()
    review = reviewed(sold({"F": moved_by(given, 0.15)}), given)
    assert review.kept["F"]
    assert not review.kept["G"]
    assert review.effect["G"] == pytest.approx(0, abs=0.02)


def test_a_driver_that_moves_nothing_is_not_kept():
    review = reviewed(sold(), rain())
    assert not review.kept.any()
    assert review.why.str.startswith("not used").all()


def test_a_driver_known_too_late_explains_but_is_not_usable():
    given = rain("after", last="2026-10-01")
    review = reviewed(sold({f: moved_by(given, 0.1) for f in "FG"}), given)
    assert not (review.usable | review.kept).any()
    assert review.explains["F"] > 0.3 > review.gain["F"]
    assert review.why["F"].startswith("not usable: its values for Nov 2026 on are not given; known, they would take ")


def test_a_driver_of_which_nobody_says_when_it_was_known_is_not_usable():
    given = rain(None)
    review = reviewed(sold({f: moved_by(given, 0.1) for f in "FG"}), given)
    assert not (review.usable | review.kept).any()


def test_a_driver_given_for_some_coming_months_stays_where_it_was_after_them():
    given = rain(last="2027-10-01")
    demand = sold({f: moved_by(given, 0.1) for f in "FG"})
    values = drivers.known_values(given, NO_CALENDAR, CLOSED.append(HORIZON))
    review = drivers.driver_review(demand, values, CYCLE, HORIZON)
    why = "its values for Nov 2027 on are not given: there it stays at the mean of its last twelve"
    assert why in review[review.kept].why.iloc[0]
    found = drivers.factors(review[review.driver == "rain"], values, CYCLE, CLOSED.append(HORIZON))
    own = found[found.family == "F"].set_index("month").factor
    last_year = np.exp(np.log(own["2026-11":"2027-10"]).mean())
    assert np.allclose(own["2027-11":], last_year, rtol=1e-12)


def rising(last: str) -> pd.DataFrame:
    return rain(last=last).assign(value=lambda d: d.value + 0.15 * np.arange(len(d)))


def test_a_driver_with_a_trend_makes_no_cliff_where_its_values_end_or_begin():
    given = rising("2027-10-01")[lambda d: d.month >= "2021-05-01"]
    kept = pd.DataFrame({"driver": "rain", "family": "F", "effect": [0.1], "kept": True})
    values = drivers.known_values(given, NO_CALENDAR, CLOSED.append(HORIZON))
    own = drivers.factors(kept, values, CYCLE, CLOSED.append(HORIZON)).set_index("month").factor
    assert own["2027-11-01"] == pytest.approx(np.exp(np.log(own["2026-11":"2027-10"]).mean()))
    assert own["2027-11-01"] > 1.5
    assert own["2020-11-01"] == pytest.approx(np.exp(np.log(own["2021-05":"2022-04"]).mean()))
    assert own["2020-11-01"] < 0.8
    none = drivers.factors(kept.assign(kept=False), values, CYCLE, CLOSED.append(HORIZON))
    assert (none.factor == 1).all()


def test_a_driver_is_tried_as_far_ahead_as_its_values_reach_now():
    """Known three months ahead it cannot carry a year: the forecast without it follows the trend."""
    moves = {f: moved_by(rising("2028-10-01"), 0.1) for f in "FG"}
    far, near = (reviewed(sold(moves), rising(last)) for last in ("2028-10-01", "2027-01-01"))
    assert far.kept["F"]
    assert near.usable["F"]
    assert not near.kept["F"]
    assert near.gain["F"] < 0.1 < far.gain["F"]
    assert near.explains["F"] == pytest.approx(far.explains["F"])


def test_months_that_a_region_lacks_are_blank_and_named():
    """A region ten units higher would shift the mean of the months that it lacks."""
    both = pd.concat([rain().assign(region="N"), rain().assign(region="S", value=lambda d: d.value + 10)])
    lacking = both[(both.region == "N") | (both.month != "2024-03-01")]
    values = drivers.known_values(lacking, NO_CALENDAR, CLOSED).query("driver == 'rain'").set_index("month").value
    assert values.index[values.isna()].tolist() == [pd.Timestamp("2024-03-01")]
    assert reviewed(sold(), lacking).why["F"] == "no value for Mar 2024: give every month"
    behind = both[(both.region == "N") | (both.month < "2026-11-01")]
    assert not reviewed(sold({f: moved_by(rain(), 0.1) for f in "FG"}), behind).usable.any()


def test_a_driver_without_any_value_is_refused():
    assert reviewed(sold(), rain().assign(value=np.nan)).why["F"] == "0 months of demand and driver, 36 are needed"


def test_working_days_of_the_company_replace_the_computed_ones():
    values = drivers.known_values(rain().assign(driver="working days"), NO_CALENDAR, CLOSED.append(HORIZON))
    assert values.month.is_unique
    assert values.value.tolist() == rain().value.tolist()
    assert drivers.driver_review(sold(), values, CYCLE, HORIZON).driver.unique().tolist() == ["working days"]


def test_a_driver_that_moves_demand_the_other_way_in_one_half_of_the_origins_is_not_kept():
    given = rain()
    move = moved_by(given, 0.1)
    for turned in (CLOSED >= "2026-01-01", (CLOSED >= "2024-11-01") & (CLOSED < "2025-11-01")):
        one_way = np.where(turned, 1 / move, move)
        review = reviewed(sold({f: one_way for f in "FG"}), given)
        assert review.low["ALL"] > 0
        assert not review.kept.any()


def test_what_is_usual_is_learned_from_months_that_were_closed():
    given, late = rain(), rain()
    late.loc[late.month >= CYCLE, "value"] += 100.0
    kept = pd.DataFrame({"driver": "rain", "family": "F", "effect": [0.1], "kept": True})
    spans = CLOSED.append(HORIZON)
    one, other = (
        drivers.factors(kept, drivers.known_values(g, NO_CALENDAR, spans), CYCLE, CLOSED) for g in (given, late)
    )
    pd.testing.assert_frame_equal(one, other, check_exact=True)
    logs, known = np.log(sold().pivot(index="month", columns="family", values="cleansed").to_numpy()), 60
    moves = [
        drivers._moves(logs[:known], x.value.to_numpy()[: len(CLOSED)], CLOSED, np.full(len(CLOSED), True))
        for x in (given, given.assign(value=given.value.where(given.month < CLOSED[known], 100.0)))
    ]
    assert np.array_equal(moves[0][:known], moves[1][:known])


def test_a_gap_is_refused_and_named():
    given = rain()
    review = reviewed(sold(), given[given.month != "2024-03-01"])
    assert not review.usable.any()
    assert review.why["F"] == "no value for Mar 2024: give every month"


def test_too_few_months_and_families_without_demand_say_so():
    given = rain()
    few = reviewed(sold()[lambda d: d.month >= "2024-11-01"], given)
    assert few.why["F"] == "24 months of demand and driver, 36 are needed"
    dead = sold()
    dead.loc[(dead.family == "G") & (dead.month == "2025-05-01"), "cleansed"] = 0
    review = reviewed(dead, given)
    assert review.why["G"] == "not tried: it has months without demand"
    assert not review.kept["G"]


def test_working_days_come_from_the_calendar_where_there_is_one():
    span = pd.DatetimeIndex(["2026-11-01", "2026-12-01"])
    own = pd.DataFrame({"month": span, "plant": "ALL", "working_days": [20.0, 18.0]})
    found = drivers.known_values(NONE, own, span)
    assert found[["driver", "value"]].values.tolist() == [["working days", 20.0], ["working days", 18.0]]
    assert drivers.known_values(NONE, NO_CALENDAR, span).value.tolist() == [21.0, 23.0]


def test_a_driver_named_like_markup_is_only_a_name():
    given = rain().assign(driver="<b>$1|=\n</b>")
    values = drivers.known_values(given, NO_CALENDAR, CLOSED.append(HORIZON))
    review = drivers.driver_review(sold(), values, CYCLE, HORIZON)
    assert set(review.driver) == {"working days", "<b>$1|=\n</b>"}
    assert len(drivers.headline(review)) == 2


def test_the_chart_has_a_panel_for_each_driver_and_a_bar_for_each_family():
    values = drivers.known_values(rain(), NO_CALENDAR, CLOSED.append(HORIZON))
    review = drivers.driver_review(sold(), values, CYCLE, HORIZON)
    axes = demand_charts.driver_gains(review).axes
    assert [ax.get_title(loc="left") for ax in axes] == ["working days", "rain"]
    assert [label.get_text() for label in axes[0].get_yticklabels()] == ["F", "G", "all families"]
    assert len(demand_charts.driver_gains(review[:0]).axes) == 1


def test_no_demand_at_all_keeps_nothing():
    review = drivers.driver_review(
        sold().assign(cleansed=0.0), drivers.known_values(NONE, NO_CALENDAR, CLOSED.append(HORIZON)), CYCLE, HORIZON
    )
    assert not review.kept.any()


# ---- through the engine -------------------------------------------------------------------------------------------


def test_models_learn_without_the_driver_and_forecasts_and_actuals_hold_it():
    given = rain()
    demand = sold({f: moved_by(given, 0.1) for f in "FG"})
    values = drivers.known_values(given, NO_CALENDAR, CLOSED.append(HORIZON))
    tested = backtest.first_cycle(CYCLE, 24, "fast")
    _, found = drivers.used(demand, values, CYCLE, HORIZON, tested)
    panel = forecast.panel(demand, "family")
    plain = baseline.baseline(panel, 24, 2, "fast")
    moved = baseline.baseline(panel, 24, 2, "fast", factors=found)
    key = ["series", "origin", "month", "model"]
    both = plain.tested.table.merge(moved.tested.table, on=key, suffixes=("", "_moved"))
    assert np.allclose(both.actual, both.actual_moved, rtol=1e-12)
    own = both[both.model == "combination"]
    assert (own.forecast_moved - own.actual).abs().sum() < 0.8 * (own.forecast - own.actual).abs().sum()
    ahead = moved.forecasts.table.query("model == 'combination' and series == 'F'").set_index("month").forecast
    factor = found[found.family == "F"].set_index("month").factor
    steady = ahead / factor.reindex(ahead.index)
    assert steady.groupby(steady.index.month).std().max() < ahead.groupby(ahead.index.month).std().max()
    assert moved.panel is panel


def test_a_plan_above_the_families_takes_the_mean_effect():
    given = rain()
    values = drivers.known_values(given, NO_CALENDAR, CLOSED.append(HORIZON))
    review = drivers.driver_review(sold({f: moved_by(given, 0.1) for f in "FG"}), values, CYCLE, HORIZON)
    found = drivers.factors(review[review.driver == "rain"], values, CYCLE, HORIZON)
    wide = found.pivot(index="month", columns="family", values="factor")
    assert np.allclose(np.log(wide["ALL"]), np.log(wide[["F", "G"]]).mean(axis=1), rtol=0.2)
    assert (wide["ALL"] != 1).all()


def test_factors_of_one_change_nothing_bit_for_bit():
    panel = forecast.panel(sold(), "family")
    ones = pd.DataFrame({"month": CLOSED, "family": "F", "factor": 1.0, "tested": 1.0})
    plain, moved = (baseline.baseline(panel, 24, 2, "fast", factors=f) for f in (None, ones))
    pd.testing.assert_frame_equal(plain.forecasts.table, moved.forecasts.table, check_exact=True)
    pd.testing.assert_frame_equal(plain.tested.table, moved.tested.table, check_exact=True)
    half = pd.concat([ones, ones.assign(family="other", factor=2.0)])
    assert baseline.steady(panel, half, "factor").equals(panel)
    assert baseline.moved(plain.forecasts.table, plain.forecasts.table.series, half, "factor").equals(
        plain.forecasts.table
    )


def test_the_backtest_uses_what_was_known_before_it():
    given = rain()
    late = np.where(pd.Timestamp("2024-11-01") > CLOSED, 1.0, moved_by(given, 0.3))
    values = drivers.known_values(given, NO_CALENDAR, CLOSED.append(HORIZON))
    _, found = drivers.used(sold({"F": late, "G": late}), values, CYCLE, HORIZON, pd.Timestamp("2024-09-01"))
    assert (found.factor != 1).any()
    assert (found.tested == 1).all()


# ---- laws ---------------------------------------------------------------------------------------------------------


@settings(max_examples=5, deadline=None)
@given(size=st.floats(0.01, 1e5), shift=st.floats(-50, 50))
def test_law_the_unit_of_demand_and_the_zero_of_a_driver_do_not_matter(size, shift):
    given = rain()
    demand = sold({f: moved_by(given, 0.05) for f in "FG"})
    one = reviewed(demand, given)
    other = reviewed(demand.assign(cleansed=demand.cleansed * size), given.assign(value=given.value + shift))
    names = ["effect", "low", "high", "gain", "explains"]
    assert np.allclose(one[names].astype(float), other[names].astype(float), atol=1e-7)


@settings(max_examples=25, deadline=None)
@given(effect=st.floats(-0.5, 1.0))
def test_law_restored_is_what_was_before(effect):
    panel = forecast.panel(sold(), "family")
    found = pd.DataFrame({"month": CLOSED, "family": "F", "factor": (1 + effect) ** np.sin(np.arange(len(CLOSED)))})
    steady = baseline.steady(panel, found, "factor").rename(columns={"quantity": "forecast"})
    assert np.allclose(baseline.moved(steady, steady["family"], found, "factor")["forecast"], panel["quantity"])


# ---- the sample ---------------------------------------------------------------------------------------------------


def test_on_the_sample_working_days_are_kept_and_the_temperature_is_not_usable():
    found = inputs.read_inputs(company_settings.load(SAMPLE), "2026-11").tables
    panel = history.complete_history(found["sales"], found["products"], CYCLE)
    values = drivers.known_values(found["drivers"], found["calendar"], CLOSED.append(HORIZON))
    review = drivers.driver_review(panel, values, CYCLE, HORIZON).set_index(["driver", "family"])
    days = review.loc[("working days", "ALL")]
    assert days.kept
    assert days.low < 0.5 / 20.7 < days.high  # as made: half of what the days change
    warm = review.loc["temperature above usual"]
    assert not warm.usable.any()
    for family, degree in (("Parasols", 0.03), ("Heaters", -0.03), ("Furniture", 0.01)):
        assert warm.low[family] < degree < warm.high[family]
    assert warm.explains["Parasols"] > 0.05
