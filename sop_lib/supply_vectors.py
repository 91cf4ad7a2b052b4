"""The supply model as HiGHS holds it: the place of every quantity and row, and its numbers in that order."""

import highspy
import numpy as np
import xarray as xr
from linopy import Model

from sop_lib.supply_data import Switches
from sop_lib.supply_numbers import Numbers, added, stages
from sop_lib.supply_solver import Aims, Limits

__all__ = [
    "aims_of",
    "as_built",
    "changed",
    "flat",
    "limits_of",
    "only",
    "open_columns",
    "paid",
    "rows_of",
    "set_slopes",
]


GOLDEN = 0.6180339887498949  # its multiples lie apart: a weight of its own for every quantity


def rows_of(m: Model) -> dict[str, np.ndarray]:
    """Return where each row of the model stands in the solver; rows left out stand at -1."""
    labels = m.matrices.clabels
    out = {}
    for name, rows in m.constraints.items():
        flat = rows.labels.values.ravel()
        out[name] = np.where(flat >= 0, np.searchsorted(labels, flat), -1)
    return out


def flat(number: xr.DataArray, like: xr.DataArray) -> np.ndarray:
    """Return a number per cell of `like`, in its order."""
    at = tuple(slice(None) if d in number.dims else None for d in like.dims)
    cells = number.transpose(*[d for d in like.dims if d in number.dims]).values[at]
    return np.broadcast_to(cells, like.shape).ravel().astype(float)


def as_built(h: highspy.Highs) -> Limits:
    """Return the limits that the solver holds."""
    lp = h.getLp()
    return Limits(*(np.array(x) for x in (lp.col_lower_, lp.col_upper_, lp.row_lower_, lp.row_upper_)))


def limits_of(m: Model, n: Numbers, rows: dict[str, np.ndarray], base: Limits) -> Limits:
    """Return the limits of the base with these numbers in their place."""
    low, high, row_low, row_high = (x.copy() for x in (base.low, base.high, base.row_low, base.row_high))
    for name, bounds in n.bounds.items():
        like = m.variables[name].labels
        low[like.values.ravel()], high[like.values.ravel()] = (flat(b, like) for b in bounds)
    for name, side in n.sides.items():
        constraint, at = m.constraints[name], rows[name]
        value, sign = flat(side, constraint.labels)[at >= 0], constraint.sign.values.ravel()[0]
        if sign in ("=", ">="):
            row_low[at[at >= 0]] = value
        if sign in ("=", "<="):
            row_high[at[at >= 0]] = value
    return Limits(low, high, row_low, row_high)


def aims_of(p: xr.Dataset, m: Model, n: Numbers, s: Switches, columns: np.ndarray) -> Aims:
    """Return rules, stages, total and ties of these columns."""

    def cells(prices: dict[str, xr.DataArray]) -> np.ndarray:
        cost = np.zeros(m.nvars)
        for name, price in prices.items():
            like = m.variables[name].labels
            cost[like.values.ravel()] = flat(price, like)
        return cost[columns]

    rules, total = cells(added(n.broken)), cells(added(n.prices))
    costs = [total] if s.objective == "least cost" else [cells(prices) for prices in stages(p, n)]
    return Aims(rules, costs, total, 1 + np.modf((1 + columns) * GOLDEN)[0])


def open_columns(m: Model, limits: Limits) -> np.ndarray:
    """Return the columns that a solver needs: all but routes that are closed in every month."""
    make = m.variables["make"].labels
    shut = (limits.high[make.values] == 0).all(axis=make.dims.index("month"), keepdims=True)
    needed = np.ones(m.nvars, dtype=bool)
    needed[make.values[np.broadcast_to(shut, make.shape)]] = False
    return np.flatnonzero(needed)


def only(limits: Limits, columns: np.ndarray) -> Limits:
    """Return the limits of these columns, and of all rows."""
    return Limits(limits.low[columns], limits.high[columns], limits.row_low, limits.row_high)


def changed(before: Limits, after: Limits) -> int:
    """Return how many rows have another limit."""
    return int(((before.row_low != after.row_low) | (before.row_high != after.row_high)).sum())


def set_slopes(h: highspy.Highs, m: Model, n: Numbers, rows: dict[str, np.ndarray], columns: np.ndarray) -> None:
    """Bring the hours of a worker in the solver up to date."""
    for name, slope in n.slopes.items():
        workers = m.variables["workers"].labels
        at = np.searchsorted(columns, workers.values.ravel())
        for row, column, value in zip(rows[name], at, flat(slope, workers), strict=True):
            h.changeCoeff(int(row), int(column), float(value))


def paid(m: Model, prices: dict[str, xr.DataArray], columns: np.ndarray) -> float:
    """Return what an answer comes to at these prices."""
    total = 0.0
    for name, price in prices.items():
        like = m.variables[name].labels
        total += float(flat(price, like) @ columns[like.values.ravel()])
    return total
