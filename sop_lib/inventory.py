"""Stock: how much covers the days ahead, how much is projected, and how long it lasts against the plan's own demand."""

import numpy as np
import pandas as pd

from sop_lib.models import COMBINATION

__all__ = ["cover_days", "cover_stock", "error_spread", "projection"]

AFTER = 12  # months of demand assumed after the horizon: the last year again


def _curve(demand: pd.DataFrame) -> tuple[np.ndarray, pd.DataFrame]:
    """Return each month's start in days since the first, and demand so far per family, to a year past the horizon."""
    wide = demand.pivot(index="month", columns="family", values="demand").sort_index().clip(lower=0)
    last = wide.index[-1]
    beyond = pd.date_range(last, periods=AFTER + 1, freq="MS")[1:]
    again = wide.tail(AFTER) if len(wide) >= AFTER else wide.iloc[[-1] * AFTER]
    whole = pd.concat([wide, again.set_axis(beyond)])
    edges = whole.index.append(pd.DatetimeIndex([beyond[-1] + pd.offsets.MonthBegin(1)]))
    so_far = np.vstack([np.zeros((1, whole.shape[1])), whole.cumsum().to_numpy()])
    days = (edges - edges[0]).days.to_numpy(dtype=float)
    return days, pd.DataFrame(so_far, index=edges, columns=whole.columns)


def _stacked(values: dict, months: pd.Index, name: str) -> pd.DataFrame:
    wide = pd.DataFrame(values, index=pd.Index(months, name="month")).rename_axis(columns="family")
    return wide.stack().to_frame(name).reset_index()[["month", "family", name]]


def cover_stock(demand: pd.DataFrame, days: pd.Series) -> pd.DataFrame:
    """Return the closing stock, in units per month and family, that covers the next `days` of planned demand.

    Demand falls evenly on the days of a month; after the horizon the last year comes again.

    >>> plan = pd.DataFrame({"month": pd.to_datetime(["2026-11-01", "2026-12-01"]), "family": "A",
    ...     "demand": [30.0, 62.0]})
    >>> cover_stock(plan, pd.Series({"A": 15.0}))["cover"].tolist()
    [30.0, 30.0]
    """
    at, so_far = _curve(demand)
    count = demand["month"].nunique()
    ends = at[1 : count + 1]
    wanted = {f: np.interp(ends + days[f], at, so_far[f]) - so_far[f].to_numpy()[1 : count + 1] for f in so_far}
    return _stacked(wanted, so_far.index[:count], "cover")


def cover_days(stock: pd.DataFrame) -> pd.Series:
    """Return how many days of planned demand each closing stock covers, row by row; blank where nothing is wanted.

    `stock` has month, family, demand and closing; every family has every month.

    >>> plan = pd.DataFrame({"month": pd.to_datetime(["2026-11-01", "2026-12-01"]), "family": "A"})
    >>> cover_days(plan.assign(demand=[30.0, 31.0], closing=[15.5, 0.0])).tolist()
    [15.5, 0.0]
    """
    at, so_far = _curve(stock)
    months = so_far.index[: stock["month"].nunique()]
    closing = stock.pivot(index="month", columns="family", values="closing").sort_index().clip(lower=0)
    ends, found = at[1 : len(months) + 1], {}
    for family in so_far:
        level, until = np.unique(so_far[family].to_numpy(), return_index=True)
        begun = so_far[family].to_numpy()[1 : len(months) + 1]
        held = closing[family].to_numpy()
        days = np.interp(begun + held, level, at[until]) - ends
        found[family] = np.where(level[-1] > 0, np.where(held > 0, np.maximum(days, 0), 0.0), np.nan)
    table = _stacked(found, months, "cover_days").merge(
        stock[["month", "family"]].reset_index(), on=["month", "family"], how="right", validate="one_to_one"
    )
    return table.set_index("index")["cover_days"].reindex(stock.index).rename("cover_days")


def error_spread(backtest: pd.DataFrame, months: pd.Series) -> pd.Series:
    """Return, per family in units, the root mean square of the forecast error summed over its `months`.

    >>> errors = pd.DataFrame({"level": "family", "family": "A", "model": "combination", "lag": 1,
    ...     "origin": pd.date_range("2026-01-01", periods=2, freq="MS"), "forecast": [110.0, 90.0], "actual": 100.0})
    >>> error_spread(errors, pd.Series({"A": 1})).tolist()
    [10.0]
    """
    used = _family_errors(backtest)
    used = used[used["lag"] <= used["family"].map(months)]
    per_origin = used.groupby(["family", "origin"])["error"].agg(["sum", "size"]).reset_index()
    per_origin = per_origin[per_origin["size"] == per_origin["family"].map(months)]
    return per_origin.assign(square=per_origin["sum"] ** 2).groupby("family")["square"].mean() ** 0.5


def _family_errors(backtest: pd.DataFrame) -> pd.DataFrame:
    """Return forecast minus actual per family, origin and lag: of the family level, else summed from below it."""
    found = set(backtest["model"])
    model = COMBINATION if COMBINATION in found else min(found, default=COMBINATION)
    rows = backtest[(backtest["model"] == model) & (backtest["level"] != "total")]
    for level in ("family", "product", "product-region"):
        if (rows["level"] == level).any():
            rows = rows[rows["level"] == level]
            break
    errors = rows.assign(error=rows["forecast"] - rows["actual"])
    return errors.groupby(["family", "origin", "lag"], as_index=False)["error"].sum()


def projection(flows: pd.DataFrame, opening: pd.DataFrame) -> pd.DataFrame:
    """Return opening, supply, demand, shipped, closing, backlog and lost per month and family, in units.

    `flows` has month, family, demand, supply and lost; `opening` has family, stock and backlog.
    Two identities hold in every row: opening + supply - shipped = closing, and
    backlog = backlog before + demand - shipped - lost. What is there ships; what is owed goes first.

    >>> flows = pd.DataFrame({"month": pd.to_datetime(["2026-11-01"]), "family": "A",
    ...     "demand": 120.0, "supply": 90.0, "lost": 0.0})
    >>> held = projection(flows, pd.DataFrame({"family": ["A"], "stock": [20.0], "backlog": [0.0]}))
    >>> held[["closing", "backlog"]].to_numpy().tolist()
    [[0.0, 10.0]]
    """
    rows = flows.sort_values(["family", "month"]).merge(opening, on="family", how="left", validate="many_to_one")
    rows = rows.fillna({"stock": 0.0, "backlog": 0.0})
    change = rows["supply"] + rows["lost"] - rows["demand"]
    net = (rows["stock"] - rows["backlog"] + change.groupby(rows["family"]).cumsum()).round(6)
    before = net.groupby(rows["family"]).shift()
    rows["opening"] = before.clip(lower=0).fillna(rows["stock"])
    owed = (-before).clip(lower=0).fillna(rows["backlog"])
    rows["closing"], rows["backlog"] = net.clip(lower=0) + 0.0, (-net).clip(lower=0) + 0.0
    rows["shipped"] = owed + rows["demand"] - rows["lost"] - rows["backlog"]
    columns = ["month", "family", "opening", "supply", "demand", "shipped", "closing", "backlog", "lost"]
    return rows[columns].sort_values(["month", "family"], ignore_index=True)
