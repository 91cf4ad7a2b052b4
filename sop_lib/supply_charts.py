"""Figures of the supply review: stock against target, load against capacity, people."""

import numpy as np
import pandas as pd
from matplotlib.colors import BoundaryNorm, ListedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from sop_lib import charts, policy_replay

__all__ = [
    "frontier",
    "load_grid",
    "load_panels",
    "nervous_lines",
    "on_time_lines",
    "order_bars",
    "people_lines",
    "promises",
    "stock_panels",
]


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


def load_grid(shares: pd.DataFrame, levels: dict[str, float]) -> Figure:
    """Return load as a share of proven capacity, in percent: per resource and month, the plan above what demand asks.

    Darker from one level to the next; beyond the last one the number stands white on red, ∞ where nothing is proven.
    """
    names = list(shares["resource"].drop_duplicates())[:12]
    months = pd.DatetimeIndex(shares["month"].drop_duplicates().sort_values())
    rows = [(name, what) for name in names for what in ("plan", "demand")]
    wide = {w: shares.pivot(index="resource", columns="month", values=w) for w in ("plan", "demand")}
    cells = np.array([wide[what].loc[name, months].to_numpy(dtype=float) for name, what in rows])
    steps, colours = [0.0, *levels.values(), 99.0], ["#ffffff", "#faf0e6", "#f2c9c5", charts.SHORT]
    figure, ax = charts.canvas(8.4, 0.3 * len(rows) + 0.7)
    shown = np.ma.masked_invalid(cells.clip(max=98.0) - 1e-6)  # a level itself is not beyond it
    ax.pcolormesh(shown, cmap=ListedColormap(colours), norm=BoundaryNorm(steps, 4), edgecolor="white", linewidth=1)
    for (row, column), value in np.ndenumerate(cells):
        if not np.isnan(value):
            colour, told = "white" if value > max(levels.values()) else charts.INK, f"{100 * value:.0f}"
            told = told if np.isfinite(value) else "∞"
            ax.text(column + 0.5, row + 0.5, told, ha="center", va="center", fontsize=7, color=colour)
    ax.set_yticks([n + 0.5 for n in range(len(rows))], [f"{name}: {what}" for name, what in rows])
    ax.set_xticks([n + 0.5 for n in range(0, len(months), 3)], [f"{m:%b %y}" for m in months[::3]])
    ax.invert_yaxis()
    ax.grid(visible=False)
    ax.tick_params(length=0)
    told = ", ".join(f"{level:.0%}" for level in levels.values())
    ax.set_xlabel(f"percent of proven capacity; darker above {told}")
    return figure


def frontier(stock: pd.DataFrame, changes: pd.DataFrame, unit: str, currency: str) -> Figure:
    """Return added cost against peak stock and against changes of people, a point per plan; today's is filled.

    A panel whose plans are all alike stays away.
    """
    ways = ((stock, "peak_stock", f"peak stock, {unit}"), (changes, "headcount_change", "workers hired and laid off"))
    drawn = [way for way in ways if len(way[0]) > 1]
    figure, axes = charts.canvas(8.4, 2.9, columns=max(len(drawn), 1), squeeze=False)
    for ax, (rows, column, words) in zip(axes.flat, drawn, strict=False):
        ax.plot(rows[column], rows["added"], color=charts.PLAN, linewidth=1.4, marker="o", markerfacecolor="white")
        now = rows[rows["added"] == 0]
        ax.plot(now[column], now["added"], color=charts.PLAN, marker="o", markersize=9, linestyle="")
        ax.set_xlim(left=0)
        ax.xaxis.set_major_locator(MaxNLocator(5))
        ax.set_xlabel(words)
        ax.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        charts.scaled(ax, f"{currency} more")
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


def order_bars(orders: pd.DataFrame, currency: str) -> Figure:
    """Return the cost of material orders per month of order, a colour for each material: the five largest, then others.

    `orders` has order_by, material and cost.
    """
    figure, ax = charts.canvas(8.4, 2.8)
    totals = orders.groupby("material")["cost"].sum().sort_values(ascending=False, kind="stable")
    names = orders["material"].where(orders["material"].isin(totals.index[:5]), "all others")
    costs = orders.groupby(["order_by", names])["cost"].sum().unstack(fill_value=0.0)
    base = np.zeros(len(costs))
    colours = (charts.PLAN, charts.BUDGET, charts.OK, charts.SHORT, charts.INK, charts.MUTED)
    for name, colour in zip(sorted(costs, key=lambda n: -costs[n].sum()), colours, strict=False):
        ax.bar(costs.index, costs[name], bottom=base, color=colour, width=22, label=name)
        base = base + costs[name].to_numpy()
    charts.scaled(ax, f"{currency} a month")
    figure.legend(loc="outside upper left", ncols=3, fontsize=8.5)
    charts.month_ticks(ax, pd.DatetimeIndex(costs.index), every=3)
    return figure


def on_time_lines(flows: pd.DataFrame, late: pd.DataFrame) -> Figure:
    """Return the share on time per month, a line for each lane; the late lanes are red and named, the others grey."""
    lane = ["leg", "from", "to"]
    wide, red = flows.pivot(index="month", columns=lane, values="on_time"), list(late[lane].itertuples(index=False))
    figure, ax = charts.canvas(8.4, 2.9)
    labels = []
    for name in [*wide.columns.drop(red), *red]:
        values, hit = 100 * wide[tuple(name)].dropna(), name in red
        ax.plot(values, color=charts.SHORT if hit else "#9aa7b4", linewidth=2.2 if hit else 1.1)
        labels += [(float(values.iloc[-1]), f"{name[1]} → {name[2]}", charts.SHORT)] if hit and len(values) else []
    ax.set_ylim(0, 102)
    ax.margins(x=0.01)
    ax.set_ylabel("percent on time")
    charts.end_labels(ax, labels)
    charts.month_ticks(ax, pd.DatetimeIndex(wide.index), every=3)
    return figure


def promises(replayed: pd.DataFrame) -> Figure:
    """Return the share of units promised and achieved from stock, a row per family; its colour says if it was kept."""
    rows = replayed.iloc[::-1].reset_index(drop=True)
    figure, ax = charts.canvas(8.4, 0.34 * len(rows) + 0.8)
    words = rows["difference"].map(policy_replay.verdict)
    near = policy_replay.verdict(-policy_replay.NEAR)
    shades = {"kept": charts.PLAN, near: charts.BUDGET, "missed": charts.SHORT}
    colour = list(words.map(shades))
    ax.hlines(rows.index, 100 * rows["promised"], 100 * rows["achieved"], colors=colour, linewidth=1.6)
    ax.scatter(100 * rows["promised"], rows.index, marker="|", s=180, color=charts.INK, label="promised", zorder=3)
    ax.scatter(100 * rows["achieved"], rows.index, s=36, color=colour, zorder=4)
    for word in (word for word in shades if word in set(words)):
        ax.scatter([], [], s=36, color=shades[word], label=f"achieved: {word.replace('of it', 'below')}")
    ax.set_yticks(range(len(rows)), list(rows["family"]))
    ax.set_xlabel("percent of units served from stock")
    ax.grid(visible=False, axis="y")
    ax.margins(y=0.1)
    figure.legend(loc="outside upper right", ncols=2, fontsize=8.5)
    return figure


def nervous_lines(by_lag: pd.DataFrame) -> Figure:
    """Return how much plans changed from cycle to cycle, in percent by lag, a line for demand and one for supply."""
    figure, ax = charts.canvas(8.4, 2.6)
    labels = []
    for measure, colour, dashes in (("supply", charts.PLAN, "-"), ("demand", charts.BUDGET, "--")):
        rows = by_lag[by_lag["measure"].eq(measure) & by_lag["nervousness"].notna()].sort_values("lag")
        if len(rows):
            rate = 100 * rows["nervousness"].astype(float)
            ax.plot(
                rows["lag"].astype(int), rate, color=colour, linestyle=dashes, linewidth=1.8, marker="o", markersize=4
            )
            labels.append((float(rate.iloc[-1]), measure, colour))
    ax.set_ylim(bottom=0)
    ax.set_ylabel("% changed")
    ax.set_xlabel("lag: months from the later plan's first month, which is 1")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    charts.end_labels(ax, labels)
    return figure
