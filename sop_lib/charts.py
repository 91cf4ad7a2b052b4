"""Matplotlib figures in one house style. A chart draws a table: no arithmetic beyond a pivot."""

from typing import Any

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

__all__ = [
    "BUDGET",
    "FAINT",
    "INK",
    "MUTED",
    "OK",
    "PLAN",
    "SHORT",
    "canvas",
    "end_labels",
    "history_panels",
    "month_ticks",
    "scaled",
]

INK, MUTED, FAINT = "#1b2733", "#5b6b7a", "#e3e8ee"
PLAN, SHORT, BUDGET, OK = "#0b62b8", "#b3261e", "#b8860b", "#1f7a4d"

STYLE: dict[Any, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": FAINT,
    "axes.grid": True,
    "axes.labelcolor": MUTED,
    "axes.prop_cycle": mpl.cycler(color=[PLAN, BUDGET, OK, SHORT, "#7a4fa3", INK, "#4c9fb5"]),
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


def scaled(ax: Axes, unit: str) -> None:
    """Write the values of the y-axis in thousands or millions where they are large, and name that with the unit."""
    top = max(abs(end) for end in ax.get_ylim())
    steps = ((2e9, 1e9, "billion "), (2e6, 1e6, "million "), (1e4, 1e3, "thousand "), (0, 1, ""))
    size, word = next((size, word) for least, size, word in steps if top >= least)
    ax.yaxis.set_major_formatter(lambda value, _: f"{value / size:,.4g}")
    ax.set_ylabel(word + unit)


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
    ax.margins(x=0.01)
    ax.set_ylim(bottom=0)
    closed_line(ax, cycle)
    scaled(ax, f"{unit} a month")
    end_labels(ax, labels)
    month_ticks(ax, pd.DatetimeIndex(months.month))
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
    ax.set_xticks(range(len(steps)), steps.step)
    ax.tick_params(axis="x", length=0)
    ax.grid(visible=False, axis="x")
    ax.set_ylim(steps.floor.iloc[0])
    ax.margins(y=0.12)
    scaled(ax, unit if steps.floor.iloc[0] == 0 else f"{unit}, axis cut")
    return figure


def resource_bars(load: pd.DataFrame, unit: str) -> Figure:
    """Return the load that demand asks of one resource by month, against what the resource can give."""
    figure, ax = canvas(4.8, 3.0)
    at, limit = range(len(load)), load.capacity + load.overtime
    ax.bar(at, load.unconstrained.clip(upper=limit), color=MUTED, width=0.7)
    ax.bar(at, (load.unconstrained - limit).clip(lower=0), bottom=limit, color=SHORT, width=0.7)
    ax.step(at, load.capacity, where="mid", color=INK, linewidth=1.4)
    ax.step(at, limit, where="mid", color=INK, linewidth=1.4, linestyle="--")
    ax.set_ylim(0, 1.18 * max(limit.max(), load.unconstrained.max()))
    for value, text in ((load.capacity, "capacity"), (limit, "with overtime")):
        spot = ax.annotate(text, (0 - 0.4, value.iloc[0]), xytext=(0, 3), textcoords="offset points", va="bottom")
        spot.set(fontsize=8.5)
    ax.set_xticks(list(at)[::2], [f"{m:%b}" for m in load.month[::2]])
    ax.grid(visible=False, axis="x")
    scaled(ax, f"{unit} a month")
    return figure


def family_rows(rows: pd.DataFrame, cycle: pd.Timestamp, unit: str) -> Figure:
    """Return a family's demand, sales, production and closing stock or backlog by month, as far as it has them."""
    figure, ax = canvas(8.4, 2.6)
    labels = []
    for name, colour, text in (("inventory", "#c9d2dc", "stock"), ("backlog", "#e5c6c3", "backlog")):
        if name in rows:
            ax.bar(rows["month"], rows[name], color=colour, width=22)
            labels.append((float(rows[name].iloc[-1]), text, MUTED))
    lines = (
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
        ax.set_xlim(every[0], every[-1])
        month_ticks(ax, every, every=24)
    return figure
