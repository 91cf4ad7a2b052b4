"""Small problems of the supply model, for tests to change a number or two of."""

import numpy as np
import pandas as pd
import xarray as xr

from sop_lib import supply_model


def array(values, *dims: str) -> xr.DataArray:
    return xr.DataArray(np.array(values, dtype=float), dims=dims)


def problem(demand: list, **numbers) -> xr.Dataset:
    """One family in one plant; nothing limited, only lost sales cost money."""
    months = pd.date_range("2026-11-01", periods=len(demand), freq="MS")
    coords = {"family": ["Grills"], "plant": ["Tarn"], "month": months, "source": list(supply_model.SOURCES)}
    p = xr.Dataset(coords=coords).assign(demand=array([demand], "family", "month"), lost_cost=100.0)
    return p.assign(limit=array([np.inf, 0, 0], "source")).assign(numbers)


def pressed(demand: list, capacity: list, **numbers) -> xr.Dataset:
    p = problem(demand, **numbers).assign_coords(resource=["press"])
    return p.assign(plant_of=("resource", ["Tarn"]), usage=1.0, capacity=array([capacity], "resource", "month"))


def made(found: xr.Dataset) -> list:
    return found["make"].sum(["family", "plant", "source"]).values.tolist()


def people(demand: list, **numbers) -> xr.Dataset:
    given = {"labour_hours": 1.0, "hours_per_worker": 10.0, "workers_opening": 1.0, "wage": 1.0}
    return problem(demand, **(given | numbers))
