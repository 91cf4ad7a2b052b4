"""Matplotlib figures in one house style. A chart draws a table: no arithmetic beyond a pivot."""

import textwrap
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

__all__ = [
    "BUDGET",
    "FAINT",
    "INK",
    "MUTED",
    "OK",
    "PLAN",
    "SHORT",
    "bridge",
    "canvas",
    "closed_line",
    "end_labels",
    "family_rows",
    "gap_panels",
    "history_panels",
    "month_ticks",
    "outlook",
    "planner_view",
    "resource_bars",
    "risk_grid",
    "scaled",
    "waterfall",
]

INK, MUTED, FAINT = "#1b2733", "#5b6b7a", "#e3e8ee"
PLAN, SHORT, BUDGET, OK = "#0b62b8", "#b3261e", "#b8860b", "#1f7a4d"
MODELS = "#7a4fa3"

STYLE: dict[Any, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": FAINT,
    "axes.grid": True,
    "axes.labelcolor": MUTED,
    "axes.prop_cycle": mpl.cycler(color=[PLAN, BUDGET, OK, SHORT, MODELS, INK, "#4c9fb5"]),
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "font.family": "DejaVu Sans",
    "font.size": 9.5,
    "grid.color": FAINT,
    "legend.frameon": False,
    "svg.fonttype": "path",
    "svg.hashsalt": "sop",
    "text.color": INK,
    "text.parse_math": False,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
}


def canvas(width: float = 8.0, height: float = 3.0, rows: int = 1, columns: int = 1, **options) -> tuple[Figure, Axes]:
    """Return a figure and its axes (an array of axes for several rows or columns) in the house style; inches.

    The figure belongs to no window, so it needs no closing and no display.
    The style stays set: text added later must not be read as formulas either.
    """
    mpl.rcParams.update(STYLE)
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(rows, columns, **options)


def month_ticks(ax: Axes, months: pd.DatetimeIndex, every: int = 6) -> None:
    """Label every n-th month of the axis like 'Nov 26'."""
    shown = list(months[::every])
    ax.set_xticks(shown, [f"{m:%b %y}" for m in shown])


def scaled(ax: Axes, unit: str) -> float:
    """Write the y-axis in thousands or millions where values are large, name that with the unit; return the size."""
    top = max(abs(end) for end in ax.get_ylim())
    steps = ((2e9, 1e9, "billion "), (2e6, 1e6, "million "), (1e4, 1e3, "thousand "), (0, 1, ""))
    size, word = next((size, word) for least, size, word in steps if top >= least)
    ax.yaxis.set_major_formatter(lambda value, _: f"{value / size:,.4g}")
    ax.set_ylabel(word + unit)
    return size


def end_labels(ax: Axes, labels: list[tuple[float, str, str]]) -> None:
    """Write (value, text, colour) labels at the right end of their lines, moved apart where they would touch."""
    bottom, top = ax.get_ylim()
    apart, ordered = (top - bottom) * 0.08, sorted(labels)
    places = [value for value, *_ in ordered[:1]]
    for value, *_ in ordered[1:]:
        places.append(max(value, places[-1] + apart))
    up = sum(p - value for p, (value, *_) in zip(places, ordered, strict=True)) / max(len(places), 1)
    for place, (_, text, colour) in zip(places, ordered, strict=True):
        spot = ax.annotate(
            text, (1, place - up), xycoords=("axes fraction", "data"), xytext=(4, 0), textcoords="offset points"
        )
        spot.set(color=colour, va="center", annotation_clip=False)


def closed_line(ax: Axes, cycle: pd.Timestamp) -> None:
    """Draw the line between closed months and plan."""
    at = cycle - pd.Timedelta(days=15)
    ax.axvline(at, color=MUTED, linewidth=1)
    for text, side, shift in (("closed", "right", -4), ("plan", "left", 4)):
        spot = ax.annotate(
            text, (at, 1), xycoords=("data", "axes fraction"), xytext=(shift, -2), textcoords="offset points"
        )
        spot.set(color=MUTED, ha=side, va="top")


def _by_month(ax: Axes, months: pd.DatetimeIndex, cycle: pd.Timestamp, unit: str, labels: list) -> None:
    """Finish an axis of units a month: from zero, closed and planned months told apart, lines named at their end."""
    ax.margins(x=0.01)
    ax.set_ylim(bottom=0)
    closed_line(ax, cycle)
    scaled(ax, f"{unit} a month")
    end_labels(ax, labels)
    month_ticks(ax, months)


def outlook(months: pd.DataFrame, cycle: pd.Timestamp, unit: str) -> Figure:
    """Return actual, demand with its range, supply and budget by month; what supply leaves open is filled red."""
    figure, ax = canvas(8.4, 3.1)
    ax.fill_between(months.month, months.low, months.high, color=PLAN, alpha=0.18, linewidth=0)
    ax.fill_between(
        months.month, months.supply, months.demand, where=months.supply < months.demand, color=SHORT, alpha=0.35
    )
    labels = []
    for name, colour, line in (
        ("budget", BUDGET, ":"),
        ("actual", INK, "-"),
        ("demand", PLAN, "-"),
        ("supply", SHORT, "--"),
    ):
        known = months.dropna(subset=[name])
        ax.plot(months.month, months[name], color=colour, linestyle=line, linewidth=1.8)
        if len(known) and name != "actual":
            labels.append((float(known[name].iloc[-1]), name, colour))
    _by_month(ax, pd.DatetimeIndex(months.month), cycle, unit, labels)
    return figure


def planner_view(months: pd.DataFrame, cycle: pd.Timestamp, unit: str, said: pd.DataFrame | None = None) -> Figure:
    """Return actual demand, the plan, the forecast with its ranges, and the previous and approved plan by month.

    `said` holds month and what each model says: a thin line each. Rings are demand as found, where it was adjusted.
    """
    figure, ax = canvas(8.4, 3.3)
    ax.plot(months.month, months["raw"], "o", markersize=4.5, markerfacecolor="none", color=INK)
    each = pd.DataFrame({"month": []}) if said is None else said
    for model in each.columns.drop("month"):
        ax.plot(each["month"], each[model], color=MODELS, linewidth=0.7, alpha=0.8)
    for low, high, strength in (("p025", "p975", 0.1), ("p10", "p90", 0.18)):
        ax.fill_between(months.month, months[low], months[high], color=PLAN, alpha=strength, linewidth=0)
    labels = []
    for name, text, colour, line in (
        ("actual", "", INK, "-"),
        ("mean", "forecast", MUTED, "--"),
        ("previous", "previous", BUDGET, ":"),
        ("approved", "approved", OK, "-."),
        ("plan", "plan", PLAN, "-"),
    ):
        known = months.dropna(subset=[name])
        ax.plot(known.month, known[name], color=colour, linestyle=line, linewidth=2.2 if name == "plan" else 1.4)
        labels += [(float(known[name].iloc[-1]), text, colour)] if len(known) and text else []
    labels += [(float(each.iloc[-1, 1:].median()), "each model", MODELS)] if len(each) else []
    _by_month(ax, pd.DatetimeIndex(months.month), cycle, unit, labels)
    return figure


def waterfall(steps: pd.DataFrame, unit: str) -> Figure:
    """Return steps from a first total to a last one; `start` and `end` bound each bar, `total` marks the totals."""
    figure, ax = canvas(4.8, 3.0)
    colour = [
        INK if t else (PLAN if e >= s else SHORT) for s, e, t in zip(steps.start, steps.end, steps.total, strict=True)
    ]
    ax.bar(range(len(steps)), steps.end - steps.start, bottom=steps.start, color=colour, width=0.62)
    for at, (low, high, text) in enumerate(zip(steps.start, steps.end, steps.text, strict=True)):
        spot = ax.annotate(
            text, (at, max(low, high)), xytext=(0, 3), textcoords="offset points", ha="center", va="bottom"
        )
        spot.set(fontsize=8.5)
    ax.set_xticks(range(len(steps)), [textwrap.fill(step, 10) for step in steps.step])
    ax.tick_params(axis="x", length=0)
    ax.grid(visible=False, axis="x")
    ax.set_ylim(steps.floor.iloc[0])
    ax.margins(y=0.12)
    scaled(ax, unit if steps.floor.iloc[0] == 0 else f"{unit}, axis cut")
    return figure


def bridge(bridges: pd.DataFrame, name: str, family: str = "ALL") -> Figure:
    """Return one bridge as a waterfall: its first and last step are totals, the others what lies between them.

    The axis is cut where the steps would be lost beside the totals, and says so.
    """
    steps = bridges[(bridges["bridge"] == name) & (bridges["family"] == family)].sort_values("order", ignore_index=True)
    total = steps.index.isin([0, len(steps) - 1])
    end = steps["value"].cumsum().where(steps.index < len(steps) - 1, steps["value"])
    cut = end.min() - 0.6 * (end.max() - end.min())
    floor = cut if cut > 0.3 * end.max() else 0.0
    start = end.shift(fill_value=0.0).where(~total, floor)
    size = 1e6 if end.abs().max() >= 1e6 else 1e3
    text = [f"{v / size:{'' if t else '+'},.1f}".replace("-", "−") for v, t in zip(steps["value"], total, strict=True)]
    bars = steps.assign(start=start, end=end, total=total, text=text, floor=floor)
    return waterfall(bars, str(steps["unit"].iloc[0]))


def resource_bars(load: pd.DataFrame, unit: str) -> Figure:
    """Return the load that demand asks of one resource by month, against what the resource can give."""
    figure, ax = canvas(4.8, 3.0)
    at, limit = range(len(load)), load.capacity + load.overtime
    ax.bar(at, load.unconstrained.clip(upper=limit), color=MUTED, width=0.7)
    ax.bar(at, (load.unconstrained - limit).clip(lower=0), bottom=limit, color=SHORT, width=0.7)
    ax.step(at, load.capacity, where="mid", color=INK, linewidth=1.4)
    ax.step(at, limit, where="mid", color=INK, linewidth=1.4, linestyle="--")
    ax.set_ylim(0, 1.18 * max(limit.max(), load.unconstrained.max()))
    ax.set_xticks(list(at)[::2], [f"{m:%b}" for m in load.month[::2]])
    ax.grid(visible=False, axis="x")
    ax.margins(x=0.01)
    scaled(ax, f"{unit} a month")
    ends = [(load.capacity, "capacity"), (limit, "overtime")] if (load.overtime > 0).any() else [(limit, "capacity")]
    end_labels(ax, [(float(value.iloc[-1]), text, INK) for value, text in ends])
    return figure


def family_rows(rows: pd.DataFrame, cycle: pd.Timestamp, unit: str) -> Figure:
    """Return a family's demand, sales, production and closing stock or backlog by month, as far as it has them."""
    figure, ax = canvas(8.4, 2.6)
    labels = []
    for name, colour, text in (("inventory", "#c9d2dc", "stock"), ("backlog", "#e5c6c3", "backlog")):
        if name in rows:
            ax.bar(rows["month"], rows[name], color=colour, width=22)
            labels.append((float(rows[name].iloc[-1]), text, MUTED))
    lines: tuple[tuple[str, str, dict[str, Any]], ...] = (
        ("demand", SHORT, {"linestyle": ":"}),
        ("production", INK, {"drawstyle": "steps-mid"}),
        ("sales", PLAN, {}),
    )
    for name, colour, how in lines:
        if name in rows:
            ax.plot(rows["month"], rows[name], color=colour, linewidth=1.8, **how)
            known = rows[name].dropna()
            labels += [(float(known.iloc[-1]), name, colour)] if len(known) else []
    ax.margins(x=0.01)
    ax.set_ylim(bottom=0)
    closed_line(ax, cycle)
    scaled(ax, f"{unit} a month")
    end_labels(ax, labels)
    month_ticks(ax, pd.DatetimeIndex(rows["month"]), every=3)
    return figure


def history_panels(months: pd.DataFrame, unit: str) -> Figure:
    """Return demand per month, one small panel per family in the order of the table, twelve at most."""
    families = list(months["family"].drop_duplicates())[:12]
    rows = -(-len(families) // 3)
    figure, axes = canvas(8.4, 1.75 * rows, rows=rows, columns=3, squeeze=False)
    every = pd.DatetimeIndex(months["month"].drop_duplicates().sort_values())
    for ax in axes.flat[len(families) :]:
        ax.set_axis_off()
    for ax, family in zip(axes.flat, families, strict=False):
        part = months[months["family"].eq(family)]
        ax.fill_between(part["month"], part["cleansed"], color=PLAN, alpha=0.15, linewidth=0)
        ax.plot(part["month"], part["cleansed"], color=PLAN, linewidth=1.3)
        ax.set_title(family, fontsize=9.5)
        ax.set_ylim(bottom=0)
        scaled(ax, unit)
        ax.set_xlim(every[0], every[-1] + pd.Timedelta(days=20))
        month_ticks(ax, every, every=24)
    return figure


def gap_panels(gaps: pd.DataFrame, units: dict[str, str]) -> Figure:
    """Return demand, supply and budget per month, a panel per family in their order, at most twelve; short is red."""
    families = list(gaps["family"].drop_duplicates())[:12]
    rows = -(-len(families) // 3)
    figure, axes = canvas(8.4, 1.9 * rows + 0.25, rows=rows, columns=3, squeeze=False)
    every = pd.DatetimeIndex(gaps["month"].drop_duplicates().sort_values())
    for ax in axes.flat[len(families) :]:
        ax.set_axis_off()
    for ax, family in zip(axes.flat, families, strict=False):
        part = gaps[gaps["family"].eq(family)].sort_values("month")
        short = part["supply"] < part["demand"]
        ax.fill_between(
            part["month"], part["supply"], part["demand"], where=short, color=SHORT, alpha=0.35, linewidth=0
        )
        for name, colour, line in GAP_LINES:
            ax.plot(part["month"], part[name], color=colour, linestyle=line, linewidth=1.4, label=name)
        ax.set_title(family, fontsize=9.5)
        ax.set_ylim(bottom=0)
        scaled(ax, units.get(family, "units"))
        ax.set_xlim(every[0], every[-1])
        month_ticks(ax, every, every=9)
    known = [(h, t) for h, t in zip(*axes[0, 0].get_legend_handles_labels(), strict=True) if gaps[t].notna().any()]
    figure.legend(*zip(*known, strict=True), loc="outside upper right", ncols=3, fontsize=8.5)
    return figure


def risk_grid(risk: pd.DataFrame) -> Figure:
    """Return the chance of being short per family (rows) and month in percent; darker is likelier."""
    wide = risk.pivot(index="family", columns="month", values="p_short").reindex(risk["family"].drop_duplicates())
    figure, ax = canvas(8.4, 0.34 * len(wide) + 0.7)
    shades = LinearSegmentedColormap.from_list("short", ["#ffffff", "#f2c9c5", SHORT])
    ax.pcolormesh(wide.to_numpy(), cmap=shades, vmin=0, vmax=1, edgecolor="white", linewidth=1)
    for (row, column), value in np.ndenumerate(wide.to_numpy()):
        if value >= 0.05:
            colour = "white" if value > 0.6 else INK
            ax.text(column + 0.5, row + 0.5, f"{100 * value:.0f}", ha="center", va="center", fontsize=7.5, color=colour)
    ax.set_yticks([n + 0.5 for n in range(len(wide))], list(wide.index))
    ax.set_xticks([n + 0.5 for n in range(0, wide.shape[1], 3)], [f"{m:%b %y}" for m in wide.columns[::3]])
    ax.invert_yaxis()
    ax.grid(visible=False)
    ax.tick_params(length=0)
    ax.set_xlabel("percent of demand paths on which the month is short; under 5 left blank")
    return figure


GAP_LINES = (("demand", PLAN, "-"), ("supply", SHORT, "--"), ("budget", BUDGET, ":"))
