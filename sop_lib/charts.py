"""Matplotlib figures in one house style. A chart draws a table: no arithmetic beyond a pivot."""

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

__all__ = ["BUDGET", "FAINT", "INK", "MUTED", "OK", "PLAN", "SHORT", "canvas", "month_ticks"]

INK, MUTED, FAINT = "#1b2733", "#5b6b7a", "#e3e8ee"
PLAN, SHORT, BUDGET, OK = "#0b62b8", "#b3261e", "#b8860b", "#1f7a4d"

STYLE = {
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
    """
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(width, height), layout="constrained")
        axes = figure.subplots(rows, columns, **options)
    return figure, axes


def month_ticks(ax: Axes, months: pd.DatetimeIndex, every: int = 6) -> None:
    """Label every n-th month of the axis like 'Nov 26'."""
    shown = list(months[::every])
    ax.set_xticks(shown, [f"{m:%b %y}" for m in shown])
