"""Rules of the house in the supply model: level rates, fixed people, limits on change, runs and lots, classes.

Each function adds its rows to the model and returns how many. A rule that data can make impossible has a quantity by
which it is broken, so that the plan says so.
"""

import linopy
import numpy as np
import pandas as pd
import xarray as xr
from linopy import LinearExpression, Model

from sop_lib.supply_data import IN_HOUSE

__all__ = ["before", "classes", "in_house", "level", "minimum", "rate_changes", "runs", "stock", "workforce_changes"]


def before(variable: linopy.Variable | LinearExpression) -> LinearExpression:
    """Return the month before; 0 before the first month, which otherwise would lose its row."""
    return variable.shift(month=1).fillna(0)


def stock(m: Model) -> LinearExpression:
    """Return the stock at the end of each month: what fills the target and what is above it."""
    return m.variables["in_target"] + m.variables["above"]


def in_house(m: Model, p: xr.Dataset) -> linopy.Variable:
    """Return what is made in regular time and overtime."""
    return m.variables["make"].sel(source=[s for s in IN_HOUSE if s in p["source"]])


def level(m: Model, p: xr.Dataset) -> int:
    """Make output one rate per working day until the segment ends, but where it is firm."""
    segments = pd.Index(np.unique(p["segment"]), name="segment")
    rate = m.add_variables(0, coords=[p.indexes["family"], p.indexes["plant"], segments], name="rate")
    each = rate.sel(segment=p["segment"])
    free = p["firm"].isnull()
    m.add_constraints(m.variables["make"].sum("source") - p["days"] * each == 0, name="level", mask=free)
    return int(free.sum())


def minimum(m: Model, p: xr.Dataset, most: xr.DataArray) -> int:
    """Keep in-house output at `most` per family and month, where others make the rest."""
    m.add_constraints(in_house(m, p).sum(["plant", "source"]) <= most, name="minimum")
    return most.size


def rate_changes(m: Model, p: xr.Dataset) -> int:
    """Count the change of in-house output per working day, and limit it."""
    days = p["days"].where(p["days"] > 0, 1.0)
    rate = (1 / days) * in_house(m, p).sum("source")
    up, down, over = (m.variables[f"rate_{n}"] for n in ("up", "down", "over"))
    start = (np.arange(p.sizes["month"]) == 0) * xr.ones_like(p["month"], dtype=float)
    opening = (p["rate_opening"].fillna(0.0) * start).transpose("family", "plant", "month")
    earlier = (1 / days.shift(month=1).fillna(1.0)) * before(in_house(m, p).sum("source"))
    m.add_constraints(rate - earlier - up + down == opening, name="rate_change")
    rows = p["firm"].size
    known = (start == 0) | p["rate_opening"].notnull()
    share = p["rate_change_share"]
    for name, limit in (("rate_limit", p["rate_change_max"]), ("rate_share", share)):
        asked = (np.isfinite(limit) & known).transpose("family", "plant", "month")
        if not asked.any():
            continue
        most = limit.where(asked, 0.0)
        moved = up + down - over
        if name == "rate_share":
            m.add_constraints(moved - most * earlier <= most * opening, name=name, mask=asked)
        else:
            m.add_constraints(moved <= most, name=name, mask=asked)
        rows += int(asked.sum())
    return rows


def workforce_changes(m: Model, p: xr.Dataset) -> int:
    """Limit the workers hired and laid off in a month, in heads or as a share of those of the month before."""
    if "workers_change_over" not in m.variables:
        return 0
    v, rows = m.variables, 0
    moved = v["hired"] + v["laid_off"] - v["workers_change_over"]
    start = (np.arange(p.sizes["month"]) == 0) * xr.ones_like(p["month"], dtype=float)
    for name, limit in (("heads", p["workers_change_max"]), ("share", p["workers_change_share"])):
        asked = np.isfinite(limit)
        if not asked.any():
            continue
        most = limit.where(asked, 0.0)
        if name == "share":
            opening = (most * p["workers_opening"] * start).transpose("plant", "month")
            m.add_constraints(moved - most * before(v["workers"]) <= opening, name="workers_share", mask=asked)
        else:
            m.add_constraints(moved <= most, name="workers_heads", mask=asked)
        rows += int(asked.sum())
    return rows


def runs(m: Model, p: xr.Dataset) -> int:
    """Make output zero or a run: its minimum or more, in whole lots, at its set-up cost; firm output is as it is."""
    made, free = in_house(m, p).sum("source"), p["firm"].isnull()
    asked = free & ((p["min_run"] > 0) | (p["setup_cost"] > 0).any("month"))
    coords = [p.indexes[d] for d in ("family", "plant", "month")]
    on = m.add_variables(binary=True, coords=coords, name="runs")
    m.add_constraints(made - p["min_run"] * on >= 0, name="run_least", mask=asked)
    m.add_constraints(made - _most(p) * on <= 0, name="run_most", mask=asked)
    whole = free & (p["lot"] > 0)
    if whole.any():
        lots = m.add_variables(0, integer=True, coords=coords, name="lots")
        m.add_constraints(made - p["lot"] * lots == 0, name="in_lots", mask=whole)
    return 2 * int(asked.sum()) + int(whole.sum())


def _most(p: xr.Dataset) -> xr.DataArray:
    """Return more than a family and plant ever make in a month: all that is wanted and fixed, and a run and a lot."""
    wanted = p["demand"].sum("month") + p["opening_backlog"] + p["target"].max("month") + p["final_stock"]
    fixed = p["firm"].fillna(0.0).sum("month")
    return (wanted + fixed + p["min_run"] + p["lot"]).transpose("family", "plant")


def classes(m: Model, p: xr.Dataset, waiting: xr.DataArray) -> int:
    """Split what is lost and what waits between classes of customers; `waiting` is the demand of each class."""
    v = m.variables
    m.add_constraints(v["lost_of"].sum("class") - v["lost"] == 0, name="class_lost")
    m.add_constraints(v["backlog_of"].sum("class") - v["backlog"] == 0, name="class_backlog")
    flow = v["lost_of"] + v["backlog_of"] - before(v["backlog_of"])
    m.add_constraints(flow <= waiting, name="class_served")
    return 2 * p["demand"].size + p["class_share"].size
