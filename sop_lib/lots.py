"""Lot sizes: when to set up and how much to make, where a set-up costs money and stock does too."""

import numpy as np
import pandas as pd

__all__ = ["best_lots"]


def best_lots(
    demand: pd.Series, setup: pd.Series | float, holding: pd.Series | float, unit_cost: pd.Series | float = 0.0
) -> pd.DataFrame:
    """Return the cheapest lots per period: lot and closing stock in units, cost of set-ups, units and holding in money.

    Nothing is late and nothing limits a lot. `setup` is paid for every period with a lot, `holding` per unit of
    closing stock, `unit_cost` per unit made; one number holds for every period. Raises ValueError for a negative
    or missing number. Source: Wagner and Whitin, "Dynamic version of the economic lot size model",
    *Management Science* 5 (1958): a best plan makes a lot only when stock is empty.

    >>> best_lots(pd.Series([10.0, 10.0, 90.0]), 50.0, 1.0)["lot"].tolist()
    [20.0, 0.0, 90.0]
    """
    given = {"demand": demand, "setup": setup, "holding": holding, "unit_cost": unit_cost}
    table = pd.DataFrame(given, index=demand.index).astype(float)
    if bad := [name for name in table if not (table[name] >= 0).all()]:
        raise ValueError(f"{', '.join(bad)}: give a number of 0 or more for every period")
    count, prices = len(table), _lot_prices(table)
    best, last = np.zeros(count + 1), np.zeros(count + 1, dtype=int)
    for end in range(1, count + 1):
        ways = best[:end] + prices[:end, end]
        last[end] = int(ways.argmin())
        best[end] = ways[last[end]]
    return _plan(table, last)


def _lot_prices(table: pd.DataFrame) -> np.ndarray:
    """Return the cost of one lot that is made in a period (row) and lasts until another begins (column)."""
    wanted, count = table["demand"].to_numpy(), len(table)
    so_far = np.concatenate([[0.0], wanted.cumsum()])
    carried = np.concatenate([[0.0], table["holding"].to_numpy().cumsum()])  # holding from the start to a period
    prices = np.full((count, count + 1), np.inf)
    for start in range(count):
        ends = np.arange(start + 1, count + 1)
        made = so_far[ends] - so_far[start]
        held = np.cumsum(wanted[start:] * (carried[start:count] - carried[start]))
        unit, setup = table["unit_cost"].iloc[start], table["setup"].iloc[start]
        prices[start, ends] = np.where(made > 0, setup, 0.0) + unit * made + held
    return prices


def _plan(table: pd.DataFrame, last: np.ndarray) -> pd.DataFrame:
    lots, end = np.zeros(len(table)), len(table)
    while end > 0:
        start = last[end]
        lots[start] = table["demand"].iloc[start:end].sum()
        end = start
    out = table[["demand"]].assign(lot=lots)
    out["closing"] = (out["lot"] - out["demand"]).cumsum().round(9) + 0.0
    setups = table["setup"] * (out["lot"] > 0)
    return out.assign(
        setup_cost=setups, unit_cost=table["unit_cost"] * out["lot"], holding_cost=table["holding"] * out["closing"]
    )
