"""The limits that a supply problem has, by cause and name, and the problem with some of them lifted.

A lifted limit is as high as anybody may want it, at the price it has today: what is still not served then
is not worth its cost. Lifting changes numbers only, so that a kept model can be solved again.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr

from sop_lib.supply_data import FREE, Switches

__all__ = ["CAUSES", "NOT_WORTH", "NO_ROUTE", "WAITS", "Limit", "lead_months", "lifted", "limits"]

Limit = tuple[str, str]  # cause, and the resource, plant, material, store or rule it is of
NOT_WORTH, WAITS = "not worth its cost", "cheaper to wait"
NO_ROUTE: Limit = ("policy", "no route")
MANY = 1e6  # workers
LONG = 10.0  # overtime of a worker, in regular hours


def limits(p: xr.Dataset, s: Switches) -> list[Limit]:
    """Return every limit of a filled problem under its switches, by cause, then by name.

    A longest wait is none: an order that waits is late already.
    """
    later, bought = ~lead_months(p), _bought(p)
    names = {
        "subcontracting": _named("plant", np.isfinite(bought) & (bought > 0)),
        "policy": _policies(p, s),
        "storage": _named("store", np.isfinite(p["storage"])),
        "frozen plan": _named("plant", p["firm"].notnull()),
        "lead time": _named("material", ~later),
        "material": _named("material", np.isfinite(p["material_limit"]) & later),
        "people": _named("plant", p["labour_hours"] > 0),
        "capacity": _named("resource", np.isfinite(p["capacity"])),
    }
    return [(cause, str(name)) for cause, members in names.items() for name in sorted(members)]


def lifted(p: xr.Dataset, s: Switches, chosen: Iterable[Limit]) -> tuple[xr.Dataset, Switches]:
    """Return problem and switches with the chosen limits lifted.

    >>> p = xr.Dataset(coords={"resource": ["press"], "month": [1]}).assign(
    ...     capacity=(("resource", "month"), [[20.0]]))
    >>> lifted(p, Switches(), [("capacity", "press")])[0]["capacity"].values.tolist()
    [[inf]]
    """
    for cause, subject in sorted(chosen):
        p, s = CAUSES[cause](p, s, subject)
    return p, s


def lead_months(p: xr.Dataset) -> xr.DataArray:
    """Return, per material and month, whether an order placed now cannot have arrived yet."""
    order = xr.DataArray(np.arange(p.sizes["month"]), {"month": p["month"]})
    return (order < p["lead_time"]).transpose("material", "month")


def _named(dim: str, where: Any) -> list[str]:
    """Return the names along a dimension at which something is so anywhere."""
    anywhere = where.any([d for d in where.dims if d != dim])
    return [str(name) for name in anywhere[dim].values[anywhere.values]]


def _bought(p: xr.Dataset) -> xr.DataArray:
    return p["limit"].where(p["source"] == "subcontract", 0.0).max("source")


def _policies(p: xr.Dataset, s: Switches) -> list[str]:
    changes = np.isfinite(p["rate_change_max"]).any() or np.isfinite(p["rate_change_share"]).any()
    there = {
        f"{s.strategy} strategy": s.strategy != "mixed", "make to order": (p["make_to_order"] > 0).any(),
        "rate change": changes, "fixed people": s.level_workforce or not s.hire_layoff,
        "runs and lots": (p["min_run"] > 0).any() or (p["lot"] > 0).any(),
    }  # fmt: skip
    return [name for name, is_there in there.items() if is_there]


def _to(p: xr.Dataset, name: str, where: xr.DataArray, value: Any) -> xr.Dataset:
    """Return the problem with a number replaced at some of its cells."""
    return p.assign({name: xr.where(where, value, p[name]).transpose(*p[name].dims)})


def _capacity(p: xr.Dataset, s: Switches, subject: str) -> tuple[xr.Dataset, Switches]:
    return _to(p, "capacity", p["resource"] == subject, FREE), s


def _people(p: xr.Dataset, s: Switches, subject: str) -> tuple[xr.Dataset, Switches]:
    """More workers, hired at once and at their cost, and longer overtime; changes of people as they come."""
    here = p["plant"] == subject
    for name in ("workers_max", "hired_max"):
        p = _to(p, name, here & np.isfinite(p[name]), MANY)  # what is finite stays so: the model keeps its rows
    p = _to(p, "overtime_per_worker", here, np.maximum(p["overtime_per_worker"], LONG * p["hours_per_worker"]))
    return p, replace(s, waived=s.waived | {("workforce change", subject)})


def _subcontracting(p: xr.Dataset, s: Switches, subject: str) -> tuple[xr.Dataset, Switches]:
    open_at = (p["limit"] > 0).any("month") & (p["source"] == "subcontract") & (p["plant"] == subject)
    return _to(p, "limit", open_at, FREE), s


def _material(p: xr.Dataset, s: Switches, subject: str) -> tuple[xr.Dataset, Switches]:
    return _to(p, "material_limit", (p["material"] == subject) & ~lead_months(p), FREE), s


def _lead_time(p: xr.Dataset, s: Switches, subject: str) -> tuple[xr.Dataset, Switches]:
    """Orders arrive from the first month on, as many as in the first month after the lead time."""
    later = p["material_limit"].where(~lead_months(p)).bfill("month").isel(month=0, drop=True).fillna(FREE)
    return _to(p, "material_limit", (p["material"] == subject) & lead_months(p), later), s


def _frozen(p: xr.Dataset, s: Switches, subject: str) -> tuple[xr.Dataset, Switches]:
    return p, replace(s, waived=s.waived | {("firm plan", subject)})


def _storage(p: xr.Dataset, s: Switches, subject: str) -> tuple[xr.Dataset, Switches]:
    return _to(p, "storage", p["store"] == subject, FREE), s


def _policy(p: xr.Dataset, s: Switches, subject: str) -> tuple[xr.Dataset, Switches]:
    if subject == "make to order":
        return p.assign(make_to_order=xr.zeros_like(p["make_to_order"])), s
    if subject == "rate change":
        return p, replace(s, waived=s.waived | {(subject, str(plant)) for plant in p["plant"].values})
    if subject == "runs and lots":
        return p.assign({name: xr.zeros_like(p[name]) for name in ("min_run", "lot")}), s
    if subject == "fixed people":
        return p, replace(s, hire_layoff=True, level_workforce=False)
    return p, replace(s, strategy="mixed")


#: cause: (problem, switches, subject) -> both with that limit lifted
CAUSES: dict[str, Callable[[xr.Dataset, Switches, str], tuple[xr.Dataset, Switches]]] = {
    "capacity": _capacity, "people": _people, "subcontracting": _subcontracting, "material": _material,
    "lead time": _lead_time, "frozen plan": _frozen, "storage": _storage, "policy": _policy,
}  # fmt: skip
