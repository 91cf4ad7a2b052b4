"""Figures of the demand review: the forecast and its range, how good and how true they were, trend and season."""

import textwrap

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from sop_lib import charts

__all__ = [
    "calibration",
    "components",
    "driver_gains",
    "event_claims",
    "forecast_panels",
    "lag_lines",
    "launch_panels",
    "plan_stack",
    "stair",
    "target_lines",
]


def forecast_panels(history: pd.DataFrame, forecast: pd.DataFrame, cycle: pd.Timestamp, unit: str) -> Figure:
    """Return the last three years and the forecast with its 80 and 95 % range, a panel per family, twelve at most."""
    families = list(forecast["family"].drop_duplicates())[:12]
    rows = -(-len(families) // 3)
    figure, axes = charts.canvas(8.4, 1.9 * rows, rows=rows, columns=3, squeeze=False)
    recent = history[history["month"] >= cycle - pd.DateOffset(months=36)]
    every = pd.DatetimeIndex(pd.concat([recent["month"], forecast["month"]]).drop_duplicates().sort_values())
    for ax in axes.flat[len(families) :]:
        ax.set_axis_off()
    for ax, family in zip(axes.flat, families, strict=False):
        past, ahead = (part[part["family"].eq(family)] for part in (recent, forecast))
        ax.fill_between(ahead["month"], ahead["p025"], ahead["p975"], color=charts.PLAN, alpha=0.12, linewidth=0)
        ax.fill_between(ahead["month"], ahead["p10"], ahead["p90"], color=charts.PLAN, alpha=0.22, linewidth=0)
        ax.plot(past["month"], past["cleansed"], color=charts.INK, linewidth=1.2)
        ax.plot(ahead["month"], ahead["mean"], color=charts.PLAN, linewidth=1.4)
        ax.axvline(cycle - pd.Timedelta(days=15), color=charts.MUTED, linewidth=0.8)
        ax.set_title(family, fontsize=9.5)
        ax.set_ylim(bottom=0)
        charts.scaled(ax, unit)
        ax.set_xlim(every[0], every[-1])
        charts.month_ticks(ax, every, every=24)
    return figure


def lag_lines(scores: pd.DataFrame, names: dict[str, str], decision_lag: int, label: str) -> Figure:
    """Return one line per column of `names` over `lag`, in percent, with the decision lag marked."""
    figure, ax = charts.canvas(8.4, 2.8)
    labels = []
    for (column, name), colour in zip(
        names.items(), (charts.PLAN, charts.BUDGET, charts.SHORT, charts.OK, charts.INK), strict=False
    ):
        known = scores.dropna(subset=[column])
        ax.plot(known["lag"], known[column], color=colour, linewidth=1.8, marker="o", markersize=3)
        labels += [(float(known[column].iloc[-1]), name, colour)] if len(known) else []
    ax.axvline(decision_lag, color=charts.MUTED, linewidth=1, linestyle=":")
    spot = ax.annotate("decision lag", (decision_lag, 1), xycoords=("data", "axes fraction"), xytext=(4, -2),
                       textcoords="offset points")  # fmt: skip
    spot.set(color=charts.MUTED, va="top")
    ax.set_ylim(bottom=0)
    ax.yaxis.set_major_formatter(lambda value, _: f"{value * 100:.3g} %")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_xlabel("months ahead (lag)")
    ax.set_ylabel(label)
    charts.end_labels(ax, labels)
    return figure


def calibration(held: pd.DataFrame, names: dict[str, str]) -> Figure:
    """Return the share of months inside the 80 and 95 % ranges by lag beside the promised (dashed), a panel per level.

    `names` gives each level of the table its title.
    """
    promised = (("coverage80", 0.80, charts.PLAN, "o"), ("coverage95", 0.95, charts.BUDGET, "^"))
    levels = [level for level in names if level in set(held["level"])]
    figure, axes = charts.canvas(8.4, 2.5, columns=len(levels), squeeze=False, sharey=True)
    for ax, level in zip(axes[0], levels, strict=True):
        rows = held[held["level"].eq(level) & (held["lag"] > 0)]
        for column, share, colour, mark in promised:
            ax.axhline(share, color=colour, linewidth=1.2, linestyle="--")
            ax.plot(rows["lag"], rows[column], color=colour, linewidth=1.4, marker=mark, markersize=3)
        count = " to ".join(f"{n:,}" for n in dict.fromkeys((rows["n"].min(), rows["n"].max())))
        ax.set_title(f"{names[level]}\n{count} months a lag", fontsize=9.5)
        ax.set_ylim(min(0.5, held[["coverage80", "coverage95"]].min(axis=None) - 0.05), 1.03)
        ax.yaxis.set_major_formatter(lambda value, _: f"{value * 100:.3g} %")
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        ax.set_xlabel("months ahead (lag)")
    axes[0, 0].set_ylabel("months inside")
    charts.end_labels(axes[0, -1], [(0.80, "80 % range", charts.PLAN), (0.95, "95 % range", charts.BUDGET)])
    return figure


def components(parts: pd.DataFrame, unit: str) -> Figure:
    """Return observed demand with its trend, season and remainder, a column for each series."""
    series = list(parts["series"].drop_duplicates())
    figure, axes = charts.canvas(8.4, 4.6, rows=3, columns=len(series), squeeze=False, sharex=True)
    for at, name in enumerate(series):
        rows = parts[parts["series"].eq(name)]
        axes[0, at].plot(rows["month"], rows["observed"], color=charts.MUTED, linewidth=1)
        axes[0, at].plot(rows["month"], rows["trend"], color=charts.PLAN, linewidth=1.8)
        axes[1, at].plot(rows["month"], rows["season"], color=charts.PLAN, linewidth=1.2)
        axes[2, at].bar(rows["month"], rows["remainder"], color=charts.MUTED, width=22)
        axes[0, at].set_title("all families" if name == "ALL" else name, fontsize=9.5)
        axes[0, at].set_ylim(bottom=0)
        for row, word in enumerate(("demand and trend", "season", "remainder")):
            charts.scaled(axes[row, at], unit)
            axes[row, at].set_ylabel(f"{word}\n{axes[row, at].get_ylabel()}", fontsize=8.5)
        charts.month_ticks(axes[2, at], pd.DatetimeIndex(rows["month"]), every=24)
    return figure


def launch_panels(ranges: pd.DataFrame, unit: str, most: int = 6) -> Figure:
    """Return the first year of the latest launches, a panel each: likely with its range (P10 to P90), and what came."""
    latest = ranges.groupby("product")["month"].min().sort_values(kind="stable").index[-most:]
    columns = min(3, len(latest))
    rows = -(-len(latest) // columns)
    figure, axes = charts.canvas(8.4, 2.4 * rows, rows=rows, columns=columns, squeeze=False)
    for ax in axes.flat[len(latest) :]:
        ax.set_axis_off()
    for ax, product in zip(axes.flat, latest, strict=False):
        year = ranges[ranges["product"].eq(product)]
        ax.fill_between(year["month"], year["low"], year["high"], color=charts.PLAN, alpha=0.18, linewidth=0)
        ax.plot(year["month"], year["likely"], color=charts.PLAN, linewidth=1.4)
        ax.plot(year["month"], year["actual"], color=charts.INK, linewidth=1.4, marker="o", markersize=3)
        ax.set_title(product, fontsize=9.5)
        ax.set_ylim(bottom=0)
        charts.scaled(ax, unit)
        charts.month_ticks(ax, pd.DatetimeIndex(year["month"]), every=6)
    return figure


def plan_stack(plan: pd.DataFrame, unit: str) -> Figure:
    """Return the demand plan by month as a stack: the total beside its baseline, and below what each step adds."""
    steps = plan.pivot_table(index="month", columns="step", values="quantity", aggfunc="sum", fill_value=0.0)
    added = [name for name in STEP_COLOURS if name in steps]
    figure, (ax, below) = charts.canvas(8.4, 4.2, rows=2, sharex=True, height_ratios=(3, 2))
    ax.fill_between(steps.index, steps["baseline"], color=charts.MUTED, alpha=0.25, linewidth=0)
    ax.plot(steps.index, steps.sum(axis=1), color=charts.PLAN, linewidth=1.8)
    up, down = (pd.Series(0.0, steps.index) for _ in range(2))
    for name in added:
        high, low = steps[name].clip(lower=0), steps[name].clip(upper=0)
        below.bar(steps.index, high, bottom=up, width=22, color=STEP_COLOURS[name], label=name)
        below.bar(steps.index, low, bottom=down, width=22, color=STEP_COLOURS[name])
        up, down = up + high, down + low
    below.axhline(0, color=charts.MUTED, linewidth=0.8)
    ax.set_ylim(bottom=0)
    for axis in (ax, below):
        charts.scaled(axis, unit)
    charts.end_labels(ax, [(float(steps["baseline"].iloc[-1]), "baseline", charts.MUTED),
                           (float(steps.iloc[-1].sum()), "plan", charts.PLAN)])  # fmt: skip
    if added:
        below.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
    charts.month_ticks(below, pd.DatetimeIndex(steps.index), every=4)
    return figure


def target_lines(targets: pd.DataFrame, unit: str) -> Figure:
    """Return budget, forecast with its range, and stretch target by month: three series, shown apart."""
    figure, ax = charts.canvas(8.4, 3.0)
    ax.fill_between(targets["month"], targets["low"], targets["high"], color=charts.PLAN, alpha=0.18, linewidth=0)
    labels = []
    for name, colour, line in (
        ("forecast", charts.PLAN, "-"), ("budget", charts.BUDGET, ":"), ("stretch", charts.OK, "--")
    ):  # fmt: skip
        known = targets.dropna(subset=[name])
        ax.plot(known["month"], known[name], color=colour, linestyle=line, linewidth=1.8)
        labels += [(float(known[name].iloc[-1]), name, colour)] if len(known) else []
    ax.set_ylim(bottom=0)
    charts.scaled(ax, f"{unit} a month")
    charts.end_labels(ax, labels)
    charts.month_ticks(ax, pd.DatetimeIndex(targets["month"]), every=4)
    return figure


def stair(steps: pd.DataFrame) -> Figure:
    """Return the error of each stream in the order of steps, and what each step won (+) or lost (−) in points."""
    figure, ax = charts.canvas(8.4, 0.5 + 0.42 * len(steps))
    at = range(len(steps))[::-1]
    won = steps["value_added_step"].fillna(0.0)
    colours = [charts.OK if w > 0 else charts.SHORT if w < 0 else charts.MUTED for w in won]
    ax.barh(at, steps["wape"], color=colours, height=0.6)
    for place, wape, step in zip(at, steps["wape"], won, strict=True):
        points = f"{100 * step:+.1f} points".replace("-", "−") if step else ""
        spot = ax.annotate(f"{100 * wape:.1f} %  {points}", (wape, place), xytext=(4, 0), textcoords="offset points")
        spot.set(va="center", fontsize=8.5)
    ax.set_yticks(list(at), list(steps["stream"]))
    ax.set_xlim(0, 1.3 * steps["wape"].max())
    ax.xaxis.set_major_formatter(lambda value, _: f"{value * 100:.3g} %")
    ax.set_xlabel("WAPE")
    return figure


STEP_COLOURS = {
    "launch": charts.OK, "cannibalisation": charts.SHORT, "event": charts.BUDGET, "stream": charts.MODELS,
    "override": charts.PLAN,
}  # fmt: skip


def _short(name: str) -> str:
    return textwrap.shorten(name, 34, placeholder="…")


def event_claims(effects: pd.DataFrame) -> Figure:
    """Return per measured event, one-off orders left out, what was claimed beside what was achieved and its interval.

    The latest sixteen; a dot in the colour of a shortage where the claim lies outside the interval.
    """
    rows = effects[effects["achieved"].notna() & effects["kind"].ne("one_off")]
    rows = rows.sort_values(["from_month", "event"]).tail(16).reset_index(drop=True)
    outside = (rows["claimed"] < rows["low"]) | (rows["claimed"] > rows["high"])
    figure, ax = charts.canvas(8.4, 1.0 + 0.34 * max(len(rows), 1))
    ax.hlines(rows.index, rows["low"], rows["high"], color=charts.PLAN, alpha=0.35, linewidth=6)
    ax.scatter(rows["achieved"], rows.index, color=charts.PLAN, zorder=3, s=34)
    for hit, colour in ((~outside, charts.BUDGET), (outside, charts.SHORT)):
        ax.scatter(rows["claimed"][hit], rows.index[hit], color=colour, marker="D", zorder=4, s=26)
    ax.axvline(0, color=charts.MUTED, linewidth=1)
    ax.set_yticks(rows.index, list(rows["event"].map(_short)))
    ax.set_ylim(len(rows) - 0.4, -0.6)
    ax.xaxis.set_major_formatter(lambda value, _: f"{value * 100:+.3g} %")
    ax.set_xlabel("uplift of demand: dot achieved, bar its 95 % interval, diamond claimed")
    return figure


def driver_gains(review: pd.DataFrame) -> Figure:
    """Return the share of the error that each driver takes off, by family, a panel for each of the first three drivers.

    Bars are what it does with the values known in time, filled where it is used; dots what it would do were all known.
    """
    names = list(review.dropna(subset=["gain"])["driver"].drop_duplicates())[:3]
    most = max((review["driver"].eq(name).sum() for name in names), default=1)
    figure, axes = charts.canvas(8.4, 1.0 + 0.24 * most, columns=max(len(names), 1), squeeze=False, sharex=True)
    for ax, name in zip(axes[0], names, strict=False):
        rows = review[review["driver"].eq(name)].dropna(subset=["gain"]).reset_index(drop=True)
        colours = rows["kept"].map({True: charts.PLAN, False: charts.FAINT})
        ax.barh(rows.index, rows["gain"], color=colours, edgecolor=charts.MUTED, linewidth=0.6)
        ax.scatter(rows["explains"], rows.index, color=charts.BUDGET, s=16, zorder=3)
        ax.axvline(0, color=charts.MUTED, linewidth=1)
        ax.set_yticks(rows.index, list(rows["family"].replace("ALL", "all families").map(_short)))
        ax.set_ylim(len(rows) - 0.4, -0.6)
        ax.set_title(_short(name), fontsize=9.5)
        ax.xaxis.set_major_formatter(lambda value, _: f"{value * 100:+.3g} %")
        ax.set_xlabel("error taken off")
    return figure
