"""What stands between a late unit and its customer: the rents on the cheapest way to make it in time.

A way is a plant, a source and a month not after the one that is short, from which stock is carried. Its price is its
direct cost and the price of every limit it meets, as the solved model prices them. In the best plan no way is cheaper
than the unit is worth, so on the cheapest one the limits' prices, the rents, make up the difference.
Later months are no way: a unit that comes later is late. Same-month ways alone miss stock that could not be built.
Ways, and limits, that differ by less than `NEAR` of the rent are equally near: no cent decides who is the cause.
Source: complementary slackness; Chopra and Meindl, *Supply Chain Management*, on the value of constraints.
"""

import numpy as np
import pandas as pd
import xarray as xr

from sop_lib.lifting import Limit, lead_months
from sop_lib.supply_data import IN_HOUSE
from sop_lib.supply_model import Kept

__all__ = ["leading", "rents"]

PRICED = 1e-6  # a smaller rent is none
TIED = 1e-5  # prices this close, as a share of them, are the same
NEAR = 0.05  # ways whose prices differ by less, as a share of the rent on the cheapest, are equally cheap
COLUMNS = ["family", "month", "cause", "subject", "begins", "binds", "price"]

Rents = dict[Limit, xr.DataArray]


def rents(kept: Kept, short: xr.DataArray) -> pd.DataFrame:
    """Return per short family and month each limit on its cheapest ways: `binds`, the month, and `price` per unit.

    `begins` is the first of the months up to `binds` in which the limit has a price for the family without a break.
    `short` is true per family and month. Of equally cheap ways a limit counts on the one where it costs most. Where
    the plan breaks a rule prices lose their sign, so that their size is taken.
    """
    each, wait = _made_rents(kept), _carry_rents(kept)
    price, carry = _way_price(kept), _carry(kept)
    parts = [
        _of_family(kept, int(f), short.values[f], (price.values[f], carry.values[f]), (each, wait))
        for f in np.flatnonzero(short.any("month").values)
    ]
    rows = pd.DataFrame([row for part in parts for row in part], columns=COLUMNS)
    rows = rows.astype(dict.fromkeys(["month", "begins", "binds"], kept.problem.indexes["month"].dtype))
    order = ["price", "binds", "begins"]
    best = rows.sort_values([*COLUMNS[:4], *order], ascending=[True] * 4 + [False, False, True])
    return best.drop_duplicates(COLUMNS[:4], ignore_index=True)


def leading(rows: pd.DataFrame, known: list[Limit]) -> list[Limit]:
    """Return the limits not yet known that cost most in some stretch of short months of a family, sorted.

    In a stretch the months hang together: what is owed in one is made at the cost of the next.
    """
    new = rows.assign(stretch=_stretch(rows))
    seen = [pair in set(known) for pair in zip(rows["cause"], rows["subject"], strict=True)]
    new = new[~np.array(seen, dtype=bool)]
    most = new.groupby(["family", "stretch"])["price"].transform("max")
    chosen = new[new["price"] > most * (1 - NEAR)]
    return sorted(set(zip(chosen["cause"], chosen["subject"], strict=True)))


def _stretch(rows: pd.DataFrame) -> pd.Series:
    """Return the number of the stretch of months without a gap that each row belongs to, in its family."""
    cells = rows[["family", "month"]].drop_duplicates().sort_values(["family", "month"])
    follows = cells.groupby("family")["month"].shift() + pd.DateOffset(months=1) == cells["month"]
    cells["stretch"] = (~follows).groupby(cells["family"]).cumsum()
    return rows.merge(cells, on=["family", "month"], how="left")["stretch"].set_axis(rows.index)


def _of_family(kept: Kept, f: int, short: np.ndarray, prices: tuple, found: tuple[Rents, Rents]) -> list[tuple]:
    """Return the rows of one family: price per plant, source and month; carrying cost from month to month."""
    price, carry = prices
    so_far, name = np.concatenate([[0.0], np.cumsum(carry)]), str(kept.problem["family"].values[f])
    out = []
    for t in map(int, np.flatnonzero(short)):
        total = price[:, :, : t + 1] + (so_far[t] - so_far[: t + 1])
        least = total.min(initial=np.inf)
        if np.isfinite(least):
            rent = _rent(f, t, np.argwhere(total == least)[0], found)
            ways = np.argwhere(total <= least + max(NEAR * rent, TIED * max(1.0, abs(least))))
            out += [(name, _month(kept, t), *row) for row in _on_ways(kept, f, t, ways, found)]
    return out


def _rent(f: int, t: int, way: np.ndarray, found: tuple[Rents, Rents]) -> float:
    """Return what all limits add to the price of a way."""
    made, wait = found
    at = sum(float(cells.values[f][tuple(way)]) for cells in made.values())
    return at + sum(float(cells.values[f, way[2] : t].sum()) for cells in wait.values())


def _month(kept: Kept, t: int) -> pd.Timestamp:
    return pd.Timestamp(kept.problem["month"].values[t])


def _on_ways(kept: Kept, f: int, t: int, ways: np.ndarray, found: tuple[Rents, Rents]) -> list[tuple]:
    """Return cause, subject, binding month and rent of the limits on the ways to a short month."""
    made, wait = found
    rows = []
    for (cause, subject), cells in made.items():
        at = cells.values[f][tuple(ways.T)]
        if at.max(initial=0.0) > PRICED:
            most = np.flatnonzero(at >= at.max() * (1 - TIED))
            there = (cells.values[f] > PRICED).any(axis=(0, 1))
            rows.append((cause, subject, *_span(kept, there, ways[most, 2].max()), float(at.max())))
    first = ways[:, 2].min()
    for (cause, subject), cells in wait.items():
        at = cells.values[f, first:t]
        if at.sum() > PRICED:
            there = cells.values[f] > PRICED
            rows.append((cause, subject, *_span(kept, there, first + int(at.argmax())), float(at.sum())))
    return rows


def _span(kept: Kept, there: np.ndarray, at: int) -> tuple[pd.Timestamp, pd.Timestamp]:
    """Return the first month of those up to `at` in which a limit is there without a break, and that month."""
    gaps = np.flatnonzero(~there[:at])
    return _month(kept, int(gaps[-1]) + 1 if len(gaps) else 0), _month(kept, at)


# Prices of the ways


def _price(kept: Kept, row: str, like: xr.DataArray) -> xr.DataArray:
    """Return what one more of a limit is worth, 0 where the model has no such row."""
    return kept.plan[f"price_{row}"].fillna(0.0) if f"price_{row}" in kept.plan else xr.zeros_like(like)


def _worth(kept: Kept) -> xr.DataArray:
    """Return what one more unit wanted costs, per family and month."""
    return -kept.plan["price_balance"]


def _way_price(kept: Kept) -> xr.DataArray:
    """Return the full price per family, plant, source and month; infinite where there is no route.

    A route at its limit costs what the unit is worth.
    """
    p = kept.problem
    price = sum(_parts(kept).values(), start=p["unit_cost"])
    full = np.isfinite(p["limit"]) & (kept.plan["make"] >= p["limit"] - 1e-6)
    price = xr.where(full, np.maximum(price, _worth(kept)), price).where(p["limit"] > 0, np.inf)
    return price.transpose("family", "plant", "source", "month")


def _parts(kept: Kept) -> dict[str, xr.DataArray]:
    """Return what each kind of limit adds to a unit made, with what its own use costs."""
    p = kept.problem
    inside, regular, over = p["source"].isin(IN_HOUSE) * 1.0, p["source"] == "regular", p["source"] == "overtime"
    hours = regular * _price(kept, "regular_hours", p["wage"]) + over * (
        _price(kept, "overtime_hours", p["wage"]) + p["overtime_rate"]
    )
    material = (p["material_usage"] * _price(kept, "material", p["material_limit"])).sum("material")
    every = _price(kept, "level", p["firm"]) + inside * _price(kept, "firm", p["firm"])
    return {
        "capacity": _by_plant(kept, _resource_rents(kept)), "people": p["labour_hours"] * hours,
        "material": inside * material, "rules": every + inside * _price(kept, "minimum", p["demand"]),
        "rate": inside * _rate_rent(kept),
    }  # fmt: skip


def _resource_rents(kept: Kept) -> xr.DataArray:
    """Return the rent per resource, family, source and month."""
    p = kept.problem
    both = _price(kept, "capacity_overtime", p["capacity"])
    each = both * p["source"].isin(IN_HOUSE) + _price(kept, "capacity", p["capacity"]) * (p["source"] == "regular")
    return (p["usage"] * each).transpose("resource", "family", "source", "month")


def _by_plant(kept: Kept, each: xr.DataArray) -> xr.DataArray:
    at = kept.problem["plant_of"].drop_vars("resource", errors="ignore") == kept.problem["plant"]
    return (each.drop_vars("resource", errors="ignore") * at).sum("resource")


def _rate_rent(kept: Kept) -> xr.DataArray:
    """Return what the change of rate adds to a unit: into its month, less what it spares the next."""
    p = kept.problem
    change = _price(kept, "rate_change", p["firm"])
    days = p["days"].where(p["days"] > 0, 1.0)
    return (change - change.shift(month=-1).fillna(0.0)) / days


def _carry(kept: Kept) -> xr.DataArray:
    """Return what a unit in stock costs from the end of each month to the next, per family and month."""
    parts = _carry_rents(kept).values()
    return (sum(parts, start=_holding(kept))).transpose("family", "month")


def _holding(kept: Kept) -> xr.DataArray:
    return kept.numbers.prices["holding"]["above"] + xr.zeros_like(kept.problem["demand"])


# Rents by limit


def _sized(kept: Kept, rent: xr.DataArray) -> xr.DataArray:
    broken = float(kept.plan["broken"].sum()) > PRICED
    return abs(rent) if broken else rent.clip(min=0)


def _made_rents(kept: Kept) -> Rents:
    """Return, per limit with a price, its rent per family, plant, source and month of making."""
    people, rules = _people(kept), _rules(kept)
    both = {limit: rules[limit] + rent for limit, rent in people.items() if limit in rules}
    found = _capacity(kept) | people | _bought(kept) | _materials(kept) | rules | both
    like = kept.problem["limit"]
    cells = {limit: _sized(kept, rent + xr.zeros_like(like).where(like < 0, 0.0)) for limit, rent in found.items()}
    full = {limit: rent.transpose(*like.dims) for limit, rent in cells.items()}
    return {limit: rent for limit, rent in full.items() if bool((rent > PRICED).any())}


def _capacity(kept: Kept) -> Rents:
    each, out = _resource_rents(kept), {}
    priced = (abs(each) > PRICED).any(["family", "source", "month"]).values
    for name, plant in zip(each["resource"].values[priced], kept.problem["plant_of"].values[priced], strict=True):
        own = each.sel(resource=name, drop=True)
        out["capacity", str(name)] = own * (kept.problem["plant"] == str(plant))
    return out


def _people(kept: Kept) -> Rents:
    """Return the rent of people: an hour's price above its wage where nobody more may come or stay longer."""
    p, s = kept.problem, kept.switches
    if "workers" not in kept.plan:
        return {}
    hour = (p["wage"] / p["hours_per_worker"].where(p["hours_per_worker"] > 0)).fillna(0.0)
    above = (_price(kept, "regular_hours", p["wage"]) - hour).clip(min=0).where(_staffed(kept), 0.0)
    over = _price(kept, "overtime_hours", p["wage"])
    each = p["labour_hours"] * (above * (p["source"] == "regular") + over * (p["source"] == "overtime"))
    fixed = "fixed people" if s.level_workforce or not s.hire_layoff else ""
    rule = "minimum strategy" if s.strategy == "minimum" else fixed
    if rule:
        return {("policy", rule): each}
    return {("people", str(plant)): each.where(p["plant"] == plant, 0.0) for plant in p["plant"].values}


def _staffed(kept: Kept) -> xr.DataArray:
    """Return, per plant and month, whether a limit keeps more people or hours away."""
    p, plan = kept.problem, kept.plan
    full = plan["workers"] >= kept.numbers.bounds["workers"][1] - 1e-6
    unhired = plan["hired"] >= kept.numbers.bounds["hired"][1] - 1e-6
    slow = np.isfinite(p["workers_change_max"]) | np.isfinite(p["workers_change_share"])
    return full | unhired | slow | (_price(kept, "overtime_hours", p["wage"]) > PRICED)


def _bought(kept: Kept) -> Rents:
    """Return what one more unit from a subcontractor at his limit would save."""
    p = kept.problem
    saved = (_worth(kept) - p["unit_cost"]).where(kept.plan["make"] >= p["limit"] - 1e-6, 0.0)
    each = saved.where((p["source"] == "subcontract") & np.isfinite(p["limit"]) & (p["limit"] > 0), 0.0)
    return {("subcontracting", str(plant)): each.where(p["plant"] == plant, 0.0) for plant in p["plant"].values}


def _materials(kept: Kept) -> Rents:
    """Return the rent of materials: their lead time until it has passed, then what is supplied."""
    p = kept.problem
    out: Rents = {}
    above = (_price(kept, "material", p["material_limit"]) - p["material_cost"]).clip(min=0)
    for name in p["material"].values[(above > PRICED).any("month").values]:
        inside = p["source"].isin(IN_HOUSE)
        each = (p["material_usage"] * above).sel(material=name, drop=True) * inside
        early = lead_months(p).sel(material=name, drop=True)
        out |= {("lead time", str(name)): each.where(early, 0.0), ("material", str(name)): each.where(~early, 0.0)}
    return out


def _rules(kept: Kept) -> Rents:
    p, strategy = kept.problem, kept.switches.strategy
    inside = p["source"].isin(IN_HOUSE)
    firm = _price(kept, "firm", p["firm"]) * inside
    out = {("frozen plan", str(plant)): firm.where(p["plant"] == plant, 0.0) for plant in p["plant"].values}
    if strategy == "level":
        out["policy", "level strategy"] = _price(kept, "level", p["firm"]) + 0.0 * p["limit"].clip(max=0)
    if "price_minimum" in kept.plan:
        out["policy", "minimum strategy"] = _price(kept, "minimum", p["demand"]) * inside
    if "price_rate_change" in kept.plan:
        out["policy", "rate change"] = _rate_rent(kept) * inside
    return out


def _carry_rents(kept: Kept) -> Rents:
    """Return, per limit, what it adds to carrying a unit from the end of a month to the next, per family and month."""
    p = kept.problem
    room = _price(kept, "storage", p["storage"])
    out = {
        ("storage", str(store)): (p["volume"] * room).sel(store=store, drop=True).transpose("family", "month")
        for store in p["store"].values
    }
    later = _worth(kept).shift(month=-1).fillna(0.0) - _worth(kept)
    dearer = (later - sum(out.values(), start=_holding(kept))).clip(min=0)
    order = p["make_to_order"] > 0
    tied = {"make to order": order, "chase strategy": ~order & (kept.switches.strategy == "chase")}
    out |= {("policy", rule): dearer.where(held, 0.0) for rule, held in tied.items() if bool(held.any())}
    return {limit: rent.clip(min=0).transpose("family", "month") for limit, rent in out.items()}
