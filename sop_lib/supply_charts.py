"""Figures of the supply review: stock against target, load against capacity, people."""

import pandas as pd
from matplotlib.figure import Figure

from sop_lib import charts

__all__ = ["load_panels", "people_lines", "stock_panels"]


def stock_panels(plan: pd.DataFrame, unit: str) -> Figure:
    """Return closing stock and target per month, a panel per family, twelve at most; backlog is red, below zero."""
    families = list(plan["family"].drop_duplicates())[:12]
    rows = -(-len(families) // 3)
    figure, axes = charts.canvas(8.4, 1.9 * rows, rows=rows, columns=3, squeeze=False)
    every = pd.DatetimeIndex(plan["month"].drop_duplicates().sort_values())
    for ax in axes.flat[len(families) :]:
        ax.set_axis_off()
    for ax, family in zip(axes.flat, families, strict=False):
        part = plan[plan["family"].eq(family)].sort_values("month")
        ax.bar(part["month"], part["closing"], color="#c9d2dc", width=25)
        ax.bar(part["month"], -part["backlog"], color=charts.SHORT, width=25)
        ax.plot(part["month"], part["target"], color=charts.PLAN, linewidth=1.3, drawstyle="steps-mid")
        ax.set_title(family, fontsize=9.5)
        charts.scaled(ax, unit)
        ax.set_xlim(every[0] - pd.Timedelta(days=16), every[-1] + pd.Timedelta(days=16))
        charts.month_ticks(ax, every, every=12)
    return figure


def load_panels(load: pd.DataFrame) -> Figure:
    """Return load per month, red beyond capacity, and what demand would ask, a panel per resource, six at most."""
    names = load[["plant", "resource"]].drop_duplicates().head(6)
    figure, axes = charts.canvas(8.4, 2.4 * len(names), rows=len(names), squeeze=False)
    for ax, plant, resource in zip(axes.flat, names["plant"], names["resource"], strict=True):
        part = load[load["plant"].eq(plant) & load["resource"].eq(resource)].sort_values("month")
        inside = part["load"].clip(upper=part["capacity"])
        ax.bar(part["month"], inside, color="#c9d2dc", width=25)
        ax.bar(part["month"], part["load"] - inside, bottom=inside, color=charts.SHORT, width=25)
        ax.step(part["month"], part["capacity"], where="mid", color=charts.INK, linewidth=1.4)
        ax.plot(part["month"], part["unconstrained"], color=charts.PLAN, linewidth=1.6, linestyle="--")
        ax.margins(x=0.01)
        ax.set_title(f"{resource}, {plant}", fontsize=9.5)
        charts.scaled(ax, f"{part['unit'].iloc[0]} a month")
        ends = [
            (float(part["capacity"].iloc[-1]), "capacity", charts.INK),
            (float(part["unconstrained"].iloc[-1]), "demand", charts.PLAN),
        ]
        charts.end_labels(ax, ends)
        charts.month_ticks(ax, pd.DatetimeIndex(part["month"]), every=3)
    return figure


def people_lines(people: pd.DataFrame) -> Figure:
    """Return workers per month, a line for each plant."""
    figure, ax = charts.canvas(8.4, 2.6)
    labels = []
    colours = (charts.PLAN, charts.BUDGET, charts.OK, charts.SHORT, charts.INK, charts.MUTED)
    for plant, colour in zip(people["plant"].drop_duplicates(), colours, strict=False):
        part = people[people["plant"].eq(plant)].sort_values("month")
        ax.plot(part["month"], part["workers"], color=colour, linewidth=1.8, drawstyle="steps-mid")
        labels.append((float(part["workers"].iloc[-1]), plant, colour))
    ax.set_ylim(bottom=0)
    ax.margins(x=0.01)
    ax.set_ylabel("workers")
    charts.end_labels(ax, labels)
    charts.month_ticks(ax, pd.DatetimeIndex(people["month"].drop_duplicates()), every=3)
    return figure
