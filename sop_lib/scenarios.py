"""Ways to close the gap: the best plan again with one change each, priced against leaving it as it is."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import xarray as xr

from sop_lib import supply_model, supply_tables
from sop_lib.supply_model import Kept

__all__ = ["CHANGES", "options"]

SPENT = ("production", "subcontract", "overtime", "wages", "hiring", "layoffs", "holding", "materials")
NOTHING = "Do nothing"
MORE, SHIFT, SURCHARGE, AT_ANY_COST = 0.5, 0.25, 0.2, 10.0

Change = tuple[xr.Dataset, str]


def options(kept: Kept, margin: pd.Series, scenario: str = "base") -> pd.DataFrame:
    """Return the table `options`: per option units closed, added cost, margin won, service in the short months.

    `kept` is the plan as it is, solved; `margin` is money per unit and family. Units closed are those no longer late or
    lost, in the months in which the plan as it is runs short; margin won is the margin of sales regained and backlog
    cost saved, less the added cost of supply. The option that wins most is recommended, which may be to do nothing.
    What closes nothing is left out; the table is empty when nothing is short. Every option starts from the plan as it
    is, so that their order changes nothing.
    """
    p, base = kept.problem, kept.plan
    late = supply_tables.late_units(p, base)
    if not (late >= 0.5).any():
        return supply_tables.empty("options")
    tried = {NOTHING: (base, "the plan as it is")}
    for name, change in CHANGES.items():
        changed = change(p, base, late)
        if changed:
            tried[name] = (supply_model.again(kept, changed[0]), changed[1])
    rows = [_priced(p, base, late, name, found, words, margin) for name, (found, words) in tried.items()]
    told = pd.DataFrame([r for r in rows if r["option"] == NOTHING or r["units_closed"] >= 0.5])
    told = told.assign(scenario=scenario, question=_question(late))
    best = told["margin"].to_numpy().argmax()
    return told.assign(recommended=np.arange(len(told)) == best)


def _question(late: xr.DataArray) -> str:
    when = pd.DatetimeIndex(late["month"].values[(late >= 0.5).any("family")])
    worst = late["family"].values[late.sum("month").values.argmax()]
    whole, own = float(late.sum()), float(late.sel(family=worst).sum())
    return (
        f"{whole:,.0f} units are late or lost from {when[0]:%b %Y} to {when[-1]:%b %Y}, "
        f"{own:,.0f} of them {worst}: how are they served?"
    )


def _priced(p, base, late, name, found, words, margin) -> dict:
    short, now = (late >= 0.5).any("family"), supply_tables.late_units(p, found)
    added = _spent(found) - _spent(base)
    won = margin.reindex(p["family"].values).fillna(0.0).to_numpy()
    gain = p["standard_cost"] + xr.DataArray(won, {"family": p["family"]})
    regained = ((_unserved(base) - _unserved(found)) * gain).sum()
    saved = (p["backlog_cost"] * (base["backlog"] - found["backlog"])).sum()
    differs = (abs(found["make"] - base["make"]) >= 0.5).any(["family", "plant", "source"])
    wanted = p["demand"].where(short, 0.0).sum()
    return {
        "option": name, "change": words, "units_closed": float((late - now).where(short, 0.0).sum()), "cost": added,
        "margin": float(regained + saved) - added,
        "service": float(1 - now.where(short, 0.0).sum() / wanted) if wanted > 0 else 1.0,
        "first_month": pd.Timestamp(p["month"].values[(differs if differs.any() else short).values.argmax()]),
    }  # fmt: skip


def _spent(found: xr.Dataset) -> float:
    return float(found["cost"].where(found["kind"].isin(SPENT), 0.0).sum())


def _unserved(found: xr.Dataset) -> xr.DataArray:
    return found["lost"].sum("month") + found["backlog"].isel(month=-1, drop=True)


def _until_served(p: xr.Dataset, late: xr.DataArray) -> xr.DataArray:
    """Return the months up to the last short one."""
    last = np.flatnonzero((late >= 0.5).any("family"))[-1]
    return xr.DataArray(np.arange(p.sizes["month"]) <= last, {"month": p["month"]})


def _end(months: xr.DataArray) -> str:
    return f"{pd.Timestamp(months['month'].values[months.values][-1]):%b %Y}"


def more_overtime(p: xr.Dataset, base: xr.Dataset, late: xr.DataArray) -> Change | None:
    """Return the problem with half as much overtime again, of people and resources, until the shortage ends."""
    soon = _until_served(p, late)
    if not (p["overtime_per_worker"] > 0).any() and not (p["capacity_overtime"] > 0).any():
        return None
    raised = {n: p[n] * xr.where(soon, 1 + MORE, 1.0) for n in ("overtime_per_worker", "capacity_overtime")}
    return p.assign(raised), f"overtime limits of people and resources +{MORE:.0%} until {_end(soon)}"


def more_subcontracting(p: xr.Dataset, base: xr.Dataset, late: xr.DataArray) -> Change | None:
    """Return the problem with half as much subcontracting again until the shortage ends."""
    soon, outside = _until_served(p, late), p["source"] == "subcontract"
    open_now = p["limit"].where(outside, 0.0)
    bought = open_now.where(np.isfinite(open_now), 0.0)
    if not (bought > 0).any():
        return None
    return p.assign(
        limit=p["limit"] + MORE * bought.where(soon, 0.0)
    ), f"subcontractors give +{MORE:.0%} until {_end(soon)}"


def second_shift(p: xr.Dataset, base: xr.Dataset, late: xr.DataArray) -> Change | None:
    """Return the problem with a quarter more hours of the bottleneck in its tight months, paid as overtime."""
    if not p.sizes["resource"]:
        return None
    # below zero where one more hour serves at a loss, as service first asks
    price = abs(base["price_capacity"] + base["price_capacity_overtime"]).where(_until_served(p, late), 0.0)
    if not (price > 1e-6).any():
        return None
    name = price["resource"].values[price.sum("month").values.argmax()]
    tight = price.sel(resource=name, drop=True) > 1e-6
    hours = (SHIFT * p["capacity"].max("month")).where(p["resource"] == name, 0.0) * tight
    crew = (SHIFT * p["hours_per_worker"]).where(
        p["plant"] == str(p["plant_of"].sel(resource=name).item()), 0.0
    ) * tight
    raised = {
        "capacity_overtime": p["capacity_overtime"] + hours,
        "overtime_per_worker": p["overtime_per_worker"] + crew,
    }
    words = f"{name}: +{SHIFT:.0%} of its best month in {int(tight.sum())} tight months, paid as overtime"
    return p.assign({n: cells.transpose(*p[n].dims) for n, cells in raised.items()}), words


def build_earlier(p: xr.Dataset, base: xr.Dataset, late: xr.DataArray) -> Change | None:
    """Return the problem in which late and lost units weigh ten times: serve with what there is, at any cost."""
    dearer = {n: p[n] * AT_ANY_COST for n in ("lost_cost", "backlog_cost")}
    return p.assign(dearer), "within today's limits, build ahead and run overtime before anything is late"


def expedite_material(p: xr.Dataset, base: xr.Dataset, late: xr.DataArray) -> Change | None:
    """Return the problem with the tightest material one month sooner, at a surcharge in that month."""
    if not p.sizes["material"] or not (base["price_material"] > 1e-6).any():
        return None
    name = base["material"].values[base["price_material"].sum("month").values.argmax()]
    lead = int(p["lead_time"].sel(material=name))
    if lead < 1 or lead > p.sizes["month"]:
        return None
    sooner = (p["material"] == name) & (xr.DataArray(np.arange(p.sizes["month"]), {"month": p["month"]}) == lead - 1)
    most = p["material_limit"].max("month")
    paid = p["material_cost"] + (SURCHARGE * p["material_price"]).where(sooner, 0.0).transpose(*p["material_cost"].dims)
    limit = p["material_limit"].where(~sooner, most)
    words = f"{name} one month sooner in {pd.Timestamp(p['month'].values[lead - 1]):%b %Y}, {SURCHARGE:.0%} dearer"
    return p.assign(material_limit=limit.transpose(*p["material_limit"].dims), material_cost=paid), words


#: what can be tried: (problem, base plan, late units) -> (changed problem, words), or None where it makes no sense
CHANGES: dict[str, Callable[[xr.Dataset, xr.Dataset, xr.DataArray], Change | None]] = {
    "Build earlier": build_earlier,
    "Expedite material": expedite_material,
    "More overtime": more_overtime,
    "More subcontracting": more_subcontracting,
    "Second shift": second_shift,
}
