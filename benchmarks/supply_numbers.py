"""Numbers of published problems as the supply model takes them."""

import numpy as np
import pandas as pd
import xarray as xr

from sop_lib import supply_model
from sop_lib.supply_data import Switches

__all__ = ["Read", "Unread", "array", "blank", "first", "needed", "never", "spread_out"]

Read = tuple[xr.Dataset, Switches, float]


class Unread(ValueError):
    """A problem says, or leaves out, what no reader knows how to take."""


def array(values, *dims: str) -> xr.DataArray:
    """Return numbers with the names of their dimensions."""
    return xr.DataArray(np.array(values, dtype=float), dims=dims)


def spread_out(value, count: int) -> np.ndarray:
    """Return one number for all periods, or a list of one each, as one each."""
    cells = np.array(value, dtype=float)
    if cells.ndim and len(cells) != count:
        raise Unread(f"{len(cells)} numbers where there are {count} periods")
    return np.broadcast_to(cells, count).astype(float)


def first(of: dict, *names: str, default=None):
    """Return the first of the names that is given."""
    return next((of[n] for n in names if n in of), default)


def needed(of: dict, *names: str):
    """Return the first of the names that is given; Unread where none is."""
    if (found := first(of, *names)) is None:
        raise Unread(f"{' or '.join(names)} is not given")
    return found


def never(costs: dict) -> float:
    """Return a price above all that one unit can cost, for what a problem does not allow."""
    return 1000 * (1 + max((float(np.max(v)) for v in costs.values()), default=0.0))


def blank(demand, families=("all",), plants=("one",), sources=supply_model.SOURCES) -> xr.Dataset:
    """Return a problem with nothing but demand."""
    months = pd.date_range("2026-01-01", periods=np.shape(demand)[-1], freq="MS")
    coords = {"family": list(families), "plant": list(plants), "month": months, "source": list(sources)}
    return xr.Dataset(coords=coords).assign(demand=array(np.atleast_2d(demand), "family", "month"))
