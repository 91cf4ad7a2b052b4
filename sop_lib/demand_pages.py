"""Sections of the demand review: what stands on the baseline, who said what, what came of it; pictures and tables."""

import pandas as pd
from IPython.display import HTML

from sop_lib import advice, demand, demand_charts, page, streams, value_added
from sop_lib.review import FORMATS

__all__ = ["aims", "context", "guardrail", "life", "stack", "stairs", "views"]

NUMBERS = "planned actual low high volume taken left stock demand left_over left_over_value to_supply spread"
LOOKS: dict = FORMATS | dict.fromkeys([*NUMBERS.split(), "statistical", "resource_hours"], "{:,.0f}")
LOOKS |= dict.fromkeys(["ratio", "ramp", "cannibalised", "weight", "noise"], "{:.0%}") | {"score": "{:.2f}"}
LOOKS |= {"difference": "{:+,.0f}", "rate": "{:+.0%}", "base": "{:.1%}"}


def stack(plan: pd.DataFrame, unit: str) -> HTML:
    """Return the demand plan as a stack of its steps, the picture where families share a unit, and what each item adds.

    `unit` is blank when families have unlike units.
    """
    told = "Total demand by month beside its baseline, and below what each step adds."
    shown: dict = {"title": "What stands on the baseline, step by step", "alt": told, "source": "demand_plan"}
    items = "Launches, events, streams, overrides and take-overs ahead"
    return page.together(
        page.figure(demand_charts.plan_stack(plan, unit), **shown)
        if unit
        else page.note("Families have unlike units: the stack is shown per family."),
        page.table(demand.stack(plan, unit), source="demand_plan", caption="The plan as a stack", formats=LOOKS),
        page.table(
            demand.step_totals(plan), source="demand_plan", caption=items, formats=LOOKS | {"quantity": "{:+,.0f}"},
            empty="None lies ahead: the plan is the baseline.",
        ),
    )  # fmt: skip


def views(agreed: streams.Consensus, unit: str) -> HTML:
    """Return what the streams of the cycle say beside the plan, and how far the consensus follows each, and why."""
    if agreed.weights.empty:
        return page.missing("Streams", ["demand_inputs"])
    weights, year = agreed.weights.drop(columns="state"), streams.next_year(agreed.streams)
    shown: dict = {"source": "demand_streams", "formats": LOOKS | {"wape": "{:.1%}"}, "empty": "None."}
    return page.together(
        page.bullets([streams.spread_sentence(agreed.streams, unit or "units"), *agreed.remarks]),
        page.table(weights, caption="Weight of each stream", labels={"base": "statistical"}, **shown),
        page.table(year, caption="What streams say of the next twelve months beside the plan", **shown),
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
    if targets["budget"].isna().all() or not unit:
        return page.missing("Targets beside the forecast", ["budget"])
    told = "Budget, forecast with its range, and stretch target by month."
    shown: dict = {"title": "Budget, forecast and stretch are three series", "alt": told, "source": "demand_plan"}
    return page.figure(demand_charts.target_lines(targets, unit), **shown)


def life(said: list[str], begun: pd.DataFrame, unit: str, tables: dict[str, tuple[str, pd.DataFrame]]) -> HTML:
    """Return launches beside their plan as a picture, what is to be said of them, and tables by name: caption, rows."""
    told = "First year of each launch: as planned with its range, and what came."
    shown: dict = {"title": "Launches beside their plan", "alt": told, "source": "launch_ranges"}
    drawn = page.figure(demand_charts.launch_panels(begun, unit or "units"), **shown) if len(begun) else None
    return page.together(
        drawn or page.missing("Launches beside their plan", ["launches"]),
        page.bullets(said) if said else page.note("No launch was scored or re-read, and nothing ends with stock left."),
        *(
            page.table(rows, source=name, caption=caption, formats=LOOKS, empty="None.")
            for name, (caption, rows) in tables.items()
        ),
    )


def context(effects: pd.DataFrame, tried: pd.DataFrame, said: list[str], tests: list[str]) -> HTML:
    """Return what events claimed and achieved and what drivers gain, as pictures and tables.

    `said` and `tests` are their sentences; the first of each is the title of its picture.
    """
    told = "Uplift of each past event: claimed, achieved, and the 95 % interval of what was achieved."
    shown: dict = {"title": said[0], "alt": told, "source": "event_effects"}
    rates: dict = dict.fromkeys(["claimed", "achieved", "low", "high", "used"], "{:+.1%}") | {"return_on_spend": "{:+.0%}"}
    rates |= dict.fromkeys(["units", "spend", "margin"], "{:,.0f}") | {"probability": "{:.0%}"}
    measured = effects["achieved"].notna() & effects["kind"].ne("one_off")
    gains = "Share of the forecast error that each driver takes off, by family."
    drawn: dict = {"title": tests[0] if tests else "", "alt": gains, "source": "driver_review"}
    small: dict = dict.fromkeys(["effect", "low", "high"], "{:+.2%}") | dict.fromkeys(["wape_without", "wape_with"], "{:.1%}")
    return page.together(
        page.figure(demand_charts.event_claims(effects), **shown) if measured.any() else page.bullets(said[:1]),
        page.bullets(said[1:]) if len(said) > 1 else page.together(),
        page.table(effects, source="event_effects", caption="Events, past and coming", formats=rates, empty="None."),
        page.figure(demand_charts.driver_gains(tried), **drawn) if tried["gain"].notna().any() else page.bullets(tests),
        page.bullets(tests[1:]) if len(tests) > 1 else page.together(),
        page.table(
            tried[tried["family"] == "ALL"], source="driver_review", caption="Drivers tried, all families together",
            formats=small | dict.fromkeys(["gain", "explains"], "{:+.1%}"), empty="None could be tried.",
        ),
    )  # fmt: skip
