"""Sections of the demand review: what stands on the baseline, who said what, what came of it; pictures and tables."""

import pandas as pd
from IPython.display import HTML

from sop_lib import (
    accuracy,
    advice,
    charts,
    demand,
    demand_charts,
    finance,
    forecast,
    level_choice,
    model_review,
    overrides,
    page,
    review,
    streams,
    value_added,
)
from sop_lib.baseline import Baseline
from sop_lib.review import FORMATS

__all__ = [
    "aims",
    "bridge",
    "changed_by_people",
    "context",
    "errors",
    "guardrail",
    "levels",
    "life",
    "models",
    "parts",
    "spread",
    "stack",
    "stairs",
    "views",
]

NUMBERS = "planned actual low high volume taken left stock demand left_over left_over_value to_supply spread"
LOOKS: dict = FORMATS | dict.fromkeys([*NUMBERS.split(), "statistical", "resource_hours"], "{:,.0f}")
LOOKS |= dict.fromkeys(["ratio", "ramp", "cannibalised", "weight", "noise"], "{:.0%}") | {"score": "{:.2f}"}
WHEN = ("forecast", "backtest")
WHERE = ("kind", "product", "family", "region", "planned")  # of an event; its name and units say it
LOOKS |= {"difference": "{:+,.0f}", "rate": "{:+.0%}", "base": "{:.1%}"}


def stack(plan: pd.DataFrame, unit: str) -> HTML:
    """Return the demand plan as a stack of its steps, the picture where families share a unit, and what each item adds.

    `unit` is blank when families have unlike units.
    """
    told = "Total demand by month beside its baseline, and below what each step adds."
    stacked = demand.stack(plan, unit)
    items = "Launches, events, streams, overrides and take-overs ahead"
    said = demand.stack_sentence(stacked, unit) if unit else "Families have unlike units: the stack is per family"
    bare = not unit or set(plan["step"]) == {"baseline"}
    drawn = None if bare else demand_charts.plan_stack(plan, unit)
    return page.together(
        page.note(f"{said}.") if bare else page.figure(drawn, title=said, alt=told, source="demand_plan"),
        page.table(stacked, source="demand_plan", caption="The plan as a stack", formats=LOOKS),
        page.table(
            demand.step_totals(plan), source="demand_plan", caption=items, formats=LOOKS | {"quantity": "{:+,.0f}"},
            empty="None lies ahead: the plan is the baseline.",
        ),
    )  # fmt: skip


def bridge(changes: pd.DataFrame, unit: str) -> HTML:
    """Return the way from the last plan to this one by family, as a picture and in numbers."""
    steps, said = review.change_steps(changes, unit or "units"), review.change_sentence(changes, unit or "units")
    if steps.empty:
        return page.missing("The bridge from the last plan", ["past_plans"])
    told = "Bridge from the last plan to this one, by family."
    drawn = charts.bridge(steps, "last plan to this one")
    return page.pair(
        page.figure(drawn, title=said, alt=told, source="plan_changes"),
        page.table(
            steps[["step", "value"]], source="plan_changes", caption="The same in numbers",
            formats={"value": "{:,.0f}"},
        ),
    )  # fmt: skip


def views(agreed: streams.Consensus, unit: str) -> HTML:
    """Return what the streams of the cycle say beside the plan, and how far the consensus follows each, and why."""
    if agreed.weights.empty:
        return page.bullets(agreed.remarks) if agreed.remarks else page.missing("Streams", ["demand_inputs"])
    weights, year = agreed.weights.drop(columns="state"), streams.next_year(agreed.streams)
    shown: dict = {"source": "demand_streams", "formats": LOOKS | {"wape": "{:.1%}"}, "empty": "None."}
    return page.together(
        page.bullets([streams.spread_sentence(agreed.streams, unit or "units"), *agreed.remarks]),
        page.table(
            weights,
            caption="Weight of each stream, on average where it speaks",
            labels={"base": "statistical"},
            **shown,
        ),
        page.table(year, caption="What streams say of the next twelve months beside the plan", **shown),
    )


def changed_by_people(standing: pd.DataFrame, plan: pd.DataFrame, cycle: pd.Timestamp) -> HTML:
    """Return the overrides in force with what each adds to the plan, and those left out with the reason."""
    told = overrides.listed(standing, plan, cycle)
    forced, left = told[told["left_out"] == ""], told[told["left_out"] != ""]
    shown: dict = {"source": "overrides", "formats": {"added": "{:+,.0f}"}}
    none = "None: the plan book holds none."
    return page.together(
        page.table(forced, caption="Overrides in force, in units", empty=none, hidden=("id", "left_out"), **shown),
        page.table(left, caption="Overrides left out, and why", empty="None.", hidden=("id", "added"), **shown),
    )


def guardrail(advised: pd.DataFrame, record: pd.DataFrame, lag: int) -> HTML:
    """Return what the company's own record says of changes like each override and stream, and what following it won."""
    return page.together(
        page.note(advice.guard_sentence(advice.guarded(record, lag), lag)),
        page.table(
            advised, source="override_advice", caption="What our own record says of each change",
            formats=LOOKS | {"change": "{:+,.0f}"}, hidden=("kind", "factor", "n", "helped", "value_added"),
            empty="No override stands and no stream speaks.",
        ),
    )  # fmt: skip


def stairs(added: pd.DataFrame, said: str, lag: int) -> HTML:
    """Return the value that each stream of earlier plans added, step by step at the lag, and by lag.

    `said` is the title: what the picture finds.
    """
    if added.empty:
        return page.missing("Forecast value added", ["past_plans"])
    lags, steps = value_added.wape_by_lag(added[added["level"] == "family"]), value_added.stair(added, lag)
    told = "Error of each stream at the decision lag in the order of steps, and what each step won or lost."
    rates: dict = dict.fromkeys(lags, "{:.1%}") | {"lag": "{:.0f}", "n": "{:,.0f}"}
    return page.together(
        page.figure(demand_charts.stair(steps), title=said, alt=told, source="value_added"),
        page.table(steps, source="value_added", caption=f"Step by step at lag {lag}", formats=LOOKS),
        page.table(lags, source="value_added", caption="WAPE by lag", formats=rates),
    )


def aims(targets: pd.DataFrame, unit: str) -> HTML:
    """Return budget, forecast and stretch target as three lines, where a budget is given and families share a unit."""
    if not unit:
        return page.note("Families have unlike units: targets are not added up.")
    if targets[["budget", "stretch"]].isna().all(axis=None):
        return page.missing("Targets beside the forecast", ["budget"])
    told = "Budget, forecast with its range, and stretch target by month."
    shown: dict = {"title": finance.targets_sentence(targets), "alt": told, "source": "demand_plan"}
    return page.figure(demand_charts.target_lines(targets, unit), **shown)


def life(said: list[str], begun: pd.DataFrame, unit: str, tables: dict[str, tuple[str, pd.DataFrame]]) -> HTML:
    """Return launches beside their plan as a picture, what is to be said of them, and tables by name: caption, rows."""
    told = "First year of each launch: as planned with its range, and what came."
    shown: dict = {"title": said[0] if said else "Launches beside their plan", "alt": told, "source": "launch_ranges"}
    if begun.empty and not said and not any(len(rows) for _, rows in tables.values()):
        return page.missing("Launches beside their plan, and what ends", ["launches", "engineering_changes"])
    drawn = page.figure(demand_charts.launch_panels(begun, unit or "units"), **shown) if len(begun) else None
    return page.together(
        drawn or page.missing("Launches beside their plan", ["launches"]),
        page.bullets(said) if said else page.note("No launch was scored or re-read, and nothing ends with stock left."),
        *(
            page.table(rows, source=name, caption=caption, formats=LOOKS, empty="None.")
            for name, (caption, rows) in tables.items()
        ),
    )


def context(effects: pd.DataFrame, tried: pd.DataFrame, cycle: pd.Timestamp, said: list[str], tests: list[str]) -> HTML:
    """Return what events claimed and achieved and what drivers gain, as pictures and tables.

    `said` and `tests` are their sentences; the first of each is the title of its picture.
    """
    told = "Uplift of each past event: claimed, achieved, and the 95 % interval of what was achieved."
    shown: dict = {"title": said[0], "alt": told, "source": "event_effects"}
    rates: dict = dict.fromkeys(["claimed", "achieved", "low", "high", "used"], "{:+.1%}") | {
        "return_on_spend": "{:+.0%}"
    }
    rates |= dict.fromkeys(["units", "planned", "spend", "margin"], "{:,.0f}") | {"probability": "{:.0%}"}
    measured = effects["achieved"].notna() & effects["kind"].ne("one_off")
    look: dict = {"source": "event_effects", "formats": rates, "empty": "None."}
    past, coming = effects[effects["from_month"] < cycle], effects[effects["from_month"] >= cycle]
    gains = "Share of the forecast error that each driver takes off, by family."
    drawn: dict = {"title": tests[0] if tests else "", "alt": gains, "source": "driver_review"}
    small: dict = dict.fromkeys(["effect", "low", "high"], "{:+.2%}") | dict.fromkeys(
        ["wape_without", "wape_with"], "{:.1%}"
    )
    return page.together(
        page.figure(demand_charts.event_claims(effects), **shown) if measured.any() else page.bullets(said[:1]),
        page.bullets(said[1:]) if len(said) > 1 else page.together(),
        page.table(past, caption="Past events, claimed and achieved", hidden=(*WHERE, "used", "probability"), **look),
        page.table(coming, caption="Coming events", hidden=(*WHERE, "achieved", "low", "high"), **look),
        page.figure(demand_charts.driver_gains(tried), **drawn) if tried["gain"].notna().any() else page.bullets(tests),
        page.bullets(tests[1:]) if len(tests) > 1 else page.together(),
        page.table(
            tried[tried["family"] == "ALL"], source="driver_review", caption="Drivers tried, all families together",
            hidden=("family", "low", "high", "origins", "usable"),
            formats=small | dict.fromkeys(["gain", "explains"], "{:+.1%}"), empty="None could be tried.",
        ),
    )  # fmt: skip


# How good such forecasts were


def spread(
    sold: pd.DataFrame, outlook: pd.DataFrame, scores: pd.DataFrame, level: str, cycle: pd.Timestamp, unit: str
) -> HTML:
    """Return each family's forecast with its range, and how often such ranges held by lag."""
    families = sold.groupby(["month", "family"], as_index=False)["cleansed"].sum()
    ahead, kept = outlook[outlook["level"] == "family"], model_review.held(scores, [level, "family", "total"])
    figure = demand_charts.forecast_panels(families, ahead, cycle, unit or "units")
    told = "Demand of the last three years and the forecast with its range, one panel for each family."
    drawn = page.figure(figure, title=review.range_sentence(outlook), alt=told, source="forecast")
    said, places = model_review.held_sentence(kept), {level: level, "family": "families", "total": "total"}
    if kept.empty:
        return page.together(drawn, page.note(said))
    told = "Share of actual months inside the 80 and the 95 % range by lag, beside what the ranges promise."
    truth = page.figure(demand_charts.calibration(kept, places), title=said, alt=told, source="accuracy")
    return page.together(drawn, truth)


def errors(scores: pd.DataFrame, level: str, lag: int, estimated: str) -> HTML:
    """Return the error of the forecast by lag beside the seasonal naive, and of each family at the decision lag.

    `estimated` says how much of the demand scored is an estimate itself; blank when nothing is.
    """
    by_lag = accuracy.beside_naive(scores, level, "ALL")
    names, said = {"wape": "forecast", "naive": "seasonal naive"}, review.accuracy_sentence(by_lag, lag)
    figure = demand_charts.lag_lines(by_lag[by_lag["lag"] > 0], names, lag, "WAPE")
    families = accuracy.beside_naive(scores, "family", lag=lag).drop(columns="lag")
    shown: dict = {"source": "accuracy", "formats": FORMATS}
    return page.together(
        page.figure(figure, title=said, alt="Forecast error by lag beside the seasonal naive.", source="accuracy"),
        page.table(by_lag, caption=f"Every series at {level}, by lag", hidden=("series", "tracking_signal"), **shown),
        page.table(families, caption="Families at the decision lag", **shown),
        page.note(estimated) if estimated else page.together(),
    )


def levels(by_level: pd.DataFrame) -> HTML:
    """Return which level forecast each family best, and what is used."""
    shown, said = level_choice.beside(by_level), "WAPE at the decision lag by method, of the series and of their family"
    return page.together(
        page.note(level_choice.verdict(by_level)),
        page.table(shown, source="reconciliation", caption=said, formats=dict.fromkeys(shown, "{:.1%}")),
    )


def models(base: Baseline, used: Baseline, scores: pd.DataFrame, lag: int) -> HTML:
    """Return the models by rule with weights and scores, and whatever was left out, counted."""
    ranked, lumpy = model_review.ranking(base.tested.table, base.weights, scores, lag)
    shown: dict = {"formats": FORMATS, "labels": review.score_labels(lag), "source": "backtest"}
    said = "Models by rule: mean weight, and backtest at the decision lag and over all lags"
    rare = "Models of intermittent series: the same by RMSSE, with the pinball loss in units"
    how = "Ways to weigh: scaled error of the mean at the decision lag (squared where intermittent), and which is used"
    counted = {
        at: forecast.left_out(found.remarks) for at, found in zip(WHEN, (used.forecasts, used.tested), strict=True)
    }
    remarks = pd.concat(counted, names=["where"]).reset_index("where")
    rules = forecast.rule_counts(used.rules, used.tested.table)
    return page.together(
        page.table(ranked, caption=said, empty="No series is long enough for a backtest.", **shown),
        page.table(lumpy, caption=rare, hidden=("rule",), empty="None is intermittent.", **shown),
        page.table(model_review.schemes_shown(base), caption=how, **shown),
        page.table(rules, source="forecast", caption="How series are forecast"),
        page.table(remarks, source="backtest", caption="Models left out, negative months, stand-ins", empty="None."),
    )


def parts(sold: pd.DataFrame, unit: str) -> HTML:
    """Return demand split into trend, season and remainder, of the total and the largest family."""
    found = review.decomposition(sold, unit)
    if found.empty:
        return page.note("No series has the 24 months that a decomposition needs.")
    told = "Demand split into trend, season and remainder, for the total and the largest family."
    drawn = demand_charts.components(found, unit or "units")
    return page.figure(drawn, title=review.season_sentence(found), alt=told, source="history")
