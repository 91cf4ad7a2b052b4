"""Figures of history in its context: raw beside cleansed demand, and demand against its natural limits."""

from collections.abc import Iterable, Iterator

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sop_lib import charts
from sop_lib.tables import ALL

__all__ = ["LIMITS", "THREE", "limit_panels", "three_series"]

SERIES = (
    ("raw", charts.SHORT, "-", 1.0),
    ("unconstrained", charts.BUDGET, "--", 1.4),
    ("cleansed", charts.PLAN, "-", 1.4),
)
MOST = 12
LIMITS = "Demand over expectation per month with natural limits, a panel per series; the table gives the last month."
THREE = "Raw, unconstrained and cleansed demand per month of the products with most adjusted units."


def _panels(names: Iterable, height: float) -> tuple[Figure, Iterator[tuple[Axes, str]]]:
    """Return a figure with a small panel for each name, twelve at most, three in a row."""
    shown = list(names)[:MOST]
    rows = -(-len(shown) // 3)
    figure, axes = charts.canvas(8.4, height * rows + 0.25, rows=rows, columns=3, squeeze=False)
    for ax in axes.flat[len(shown) :]:
        ax.set_axis_off()
    return figure, zip(axes.flat, shown, strict=False)


def three_series(months: pd.DataFrame, unit: str) -> Figure:
    """Return raw, unconstrained and cleansed demand of the last 36 months, a panel per product in their order.

    Products that ended before have no panel.
    """
    recent = months[months["month"] > months["month"].max() - pd.DateOffset(months=36)]
    figure, panels = _panels(recent["product"].drop_duplicates(), 1.9)
    every = pd.DatetimeIndex(recent["month"].drop_duplicates().sort_values())
    for ax, product in panels:
        part = recent[recent["product"].eq(product)]
        for name, colour, line, width in SERIES:
            ax.plot(part["month"], part[name], color=colour, linestyle=line, linewidth=width, label=name)
        ax.set_title(product, fontsize=9.5)
        ax.set_ylim(bottom=0)
        charts.scaled(ax, unit)
        ax.set_xlim(every[0], every[-1] + pd.Timedelta(days=20))
        charts.month_ticks(ax, every, every=12)
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside upper right", ncols=3, fontsize=8.5)
    return figure


def limit_panels(signals: pd.DataFrame) -> Figure:
    """Return demand over expectation by month with its middle and natural limits, a panel per series; signals are red.

    The company first, then the largest families.
    """
    size = signals.groupby("family")["expected"].mean().sort_values(ascending=False, kind="stable")
    figure, panels = _panels([*size.index[size.index == ALL], *size.index[size.index != ALL]], 1.7)
    every = pd.DatetimeIndex(signals["month"].drop_duplicates().sort_values())
    for ax, name in panels:
        part = signals[signals["family"].eq(name)]
        told = part[part["rule"].notna()]
        ax.plot(part["month"], part["value"], color=charts.INK, linewidth=1.1, marker=".", markersize=3)
        ax.plot(told["month"], told["value"], color=charts.SHORT, linestyle="", marker="o", markersize=5)
        for column, line in (("middle", "-"), ("low", "--"), ("high", "--")):
            ax.axhline(part[column].iloc[0], color=charts.PLAN, linewidth=0.9, linestyle=line)
        ax.set_title("Company" if name == ALL else name, fontsize=9.5)
        ax.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")
        ax.set_xlim(every[0], every[-1] + pd.Timedelta(days=20))
        charts.month_ticks(ax, every, every=12)
    return figure
