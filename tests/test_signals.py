"""Process-behaviour charts: limits by hand, the three rules, and demand whose season and growth are no news."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import settings as trials
from hypothesis import strategies as st

from sop_lib import history_charts, signals, tables

WHEN = pd.date_range("2020-11-01", "2026-10-01", freq="MS")
PRICES = pd.DataFrame({"product": ["A", "B"], "price": [10.0, 1.0], "cost": np.nan})


def panel(noise: float = 0.05, seed: int = 3, growth: float = 0.004) -> pd.DataFrame:
    """Return 72 months of two families with season and growth."""
    draw, t = np.random.default_rng(seed), np.arange(72)
    season = 1 + 0.6 * np.sin(2 * np.pi * t / 12)
    rows = [
        pd.DataFrame({"month": WHEN, "product": p, "family": f, "region": "ALL",
                      "raw": 1000 * season * (1 + growth) ** t * draw.normal(1, noise, 72)})
        for p, f in (("A", "Alpha"), ("B", "Beta"))
    ]  # fmt: skip
    return pd.concat(rows, ignore_index=True).assign(cleansed=lambda d: d["raw"])


def column(values: list[float]) -> pd.DataFrame:
    return pd.DataFrame({"x": values}, dtype="float64")


def test_natural_limits_are_the_mean_and_266_percent_of_the_mean_moving_range():
    """10, 12, 11, 13, 12: mean 11.6, movements 2, 1, 2, 1, so 11.6 ± 2.66 × 1.5."""
    bounds = signals.limits(column([10, 12, 11, 13, 12])).iloc[0]
    assert bounds.tolist() == pytest.approx([11.6, 7.61, 15.59])


def test_a_point_outside_is_a_signal():
    told = signals.news(column([1.0, 1.1] * 6 + [1.9]))["x"]
    assert told.iloc[-1] == "outside"


def test_eight_in_a_row_on_one_side_are_a_signal_from_the_eighth_on():
    told = signals.news(column([1.0, 3.0] * 6 + [2.1] * 8))[
        "x"
    ]  # the middle is 2.04, the last 3.0 the first of the run
    assert told[told.notna()].to_dict() == {18: "run", 19: "run"}


def test_three_of_four_nearer_the_same_limit_are_a_signal():
    calm = [1.0, 1.1] * 10
    bounds = signals.limits(column([*calm, 1.24, 1.24, 1.05, 1.24])).iloc[0]
    assert (bounds["middle"] + bounds["high"]) / 2 < 1.24 < bounds["high"]
    assert signals.news(column([*calm, 1.24, 1.24, 1.05, 1.24]))["x"].tolist()[-4:] == [None, None, None, "near limit"]
    assert signals.news(column([*calm, 1.24, 0.9, 1.05, 1.24]))["x"].isna().all()


def test_the_one_of_four_that_is_not_near_that_limit_may_be_near_the_other_and_is_no_signal_itself():
    calm = [1.0, 1.1] * 10
    bounds = signals.limits(column([*calm, 1.24, 1.24, 0.87, 1.24])).iloc[0]
    assert bounds["low"] < 0.87 < (bounds["middle"] + bounds["low"]) / 2
    told = signals.news(column([*calm, 1.24, 1.24, 0.87, 1.24]))["x"].tolist()[-4:]
    assert told == [None, None, None, "near limit"]
    after = signals.news(column([*calm, 1.24, 1.24, 1.24, 0.87]))["x"].tolist()[-4:]
    assert after == [None, None, "near limit", None]
    assert signals.RULES["near limit"] == "with 2 of the 3 months before nearer the same limit than the middle"


def test_a_family_that_ended_tells_nothing_of_the_last_month():
    ended = panel()
    ended = ended[ended["product"].eq("A") | (ended["month"] < "2026-05-01")]
    found = signals.signals(ended, PRICES)
    assert found.loc[found["family"].eq("Beta"), "month"].max() == pd.Timestamp("2026-04-01")
    last = signals.last_surprise(found)
    assert last["family"].tolist() == ["ALL", "Alpha"]
    assert set(last["month"]) == {pd.Timestamp("2026-10-01")}


@pytest.mark.parametrize("price", [np.nan, 0.0])
def test_the_company_names_the_products_it_leaves_out_for_want_of_a_price(price):
    some = PRICES.assign(price=[10.0, price])
    assert signals.unpriced(panel(), some) == ["B"]
    last = signals.last_surprise(signals.signals(panel(), some), signals.unpriced(panel(), some))
    assert last["evidence"].str.endswith("; without B: no price").tolist() == [True, False, False]
    assert "; without B: no price" in signals.surprise_sentence(last)
    none = PRICES.assign(price=price)
    assert signals.unpriced(panel(), none) == []
    found = signals.signals(panel(), none)
    assert set(found["family"]) == {"ALL", "Alpha", "Beta"}  # in units


def test_season_and_steady_growth_are_no_news():
    found = signals.signals(panel(noise=0.0), PRICES)
    assert set(found["family"]) == {"ALL", "Alpha", "Beta"}
    assert found.groupby("family").size().tolist() == [36] * 3
    assert found["value"].to_numpy() == pytest.approx(1.0)
    tables.check("signals", found.assign(cycle="2026-11"))


def test_a_month_far_off_is_news_and_the_sentence_says_so():
    given_panel = panel()
    given_panel.loc[given_panel["product"].eq("A") & given_panel["month"].eq("2026-10-01"), "raw"] *= 2
    last = signals.last_surprise(signals.signals(given_panel, PRICES))
    assert last.set_index("family")["verdict"].to_dict() == {"ALL": "signal", "Alpha": "signal", "Beta": "noise"}
    assert last["since"].iloc[0] == pd.Timestamp("2026-10-01")
    said = signals.surprise_sentence(last)
    assert "above what was to be expected: signal" in said
    assert "Signals by family: Alpha" in said


def test_noise_is_seldom_called_a_signal():
    told = [signals.signals(panel(seed=seed), PRICES)["rule"].notna().mean() for seed in range(10)]
    assert np.mean(told) < 0.05


def test_short_histories_and_gaps_pass():
    short = panel()
    short = short[short["month"] > "2024-06-01"]
    assert signals.signals(short, PRICES).empty
    assert "too short" in signals.surprise_sentence(signals.last_surprise(signals.signals(short, PRICES)))
    gap = panel().assign(raw=lambda d: d["raw"].mask(d["month"].eq("2025-05-01")))
    assert pd.Timestamp("2025-05-01") not in set(signals.signals(gap, PRICES)["month"])


@given(st.floats(0.1, 1e6), st.integers(0, 100))
@trials(max_examples=25, deadline=None)
def test_the_unit_of_demand_changes_no_verdict(size, seed):
    one, other = panel(seed=seed), panel(seed=seed)
    other[["raw", "cleansed"]] *= size
    both = [signals.signals(p, PRICES) for p in (one, other)]
    assert both[0]["rule"].tolist() == both[1]["rule"].tolist()
    assert both[0]["value"].to_numpy() == pytest.approx(both[1]["value"].to_numpy())


def test_the_chart_draws_the_company_first_and_a_red_point_for_each_signal():
    hostile = panel().replace({"family": {"Alpha": "<b>$x^2$ & Co", "Beta": "|"}})
    hostile.loc[hostile["product"].eq("A"), ["raw", "cleansed"]] *= 2
    hostile.loc[hostile["month"].eq("2026-10-01"), "raw"] *= 3
    found = signals.signals(hostile, PRICES)
    figure = history_charts.limit_panels(found)
    shown = [ax for ax in figure.axes if ax.lines]
    assert [ax.get_title(loc="left") for ax in shown] == ["Company", "<b>$x^2$ & Co", "|"]
    for ax, name in zip(shown, ["ALL", "<b>$x^2$ & Co", "|"], strict=True):
        part = found[found["family"].eq(name)]
        assert ax.lines[0].get_ydata().tolist() == part["value"].tolist()
        assert len(ax.lines[1].get_ydata()) == part["rule"].notna().sum() > 0
    figure.canvas.draw()
