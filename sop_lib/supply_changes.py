"""What changed against the last plan, by zone of the time fence, and how nervous plans are from cycle to cycle.

Months are counted from the first month of the plan: up to `frozen_months` frozen, the next `slushy_months` slushy,
then liquid. Nervousness is the sum of |this plan - the last| over the sum of the last plan, over the months and
families that both hold. Source: Sridharan, Berry and Udayabhanu, "Measuring master production schedule stability
under rolling planning horizons", *Decision Sciences* 19 (1988), without its weights.
"""

from itertools import pairwise

import numpy as np
import pandas as pd
import xarray as xr

from sop_lib import approved, months, supply_tables
from sop_lib.supply_data import IN_HOUSE
from sop_lib.tables import ALL

__all__ = [
    "FENCED", "NOTICED", "by_zone", "changed_by", "inside_fence", "kept_inside_fence", "largest", "nervousness",
    "previous_supply", "supply_changes", "zones",
]  # fmt: skip

FENCED = ("frozen", "slushy")
ZONES = (*FENCED, "liquid")
NOTICED = 0.5  # units: a smaller change is none
PREVIOUS = ["cycle", "month", "family", "plant", "source", "quantity"]


def zones(family: pd.Series, lag: pd.Series, families: pd.DataFrame) -> pd.Series:
    """Return the zone of the time fence of each family and lag (1 = first month of the plan); blank limits are 0.

    >>> fences = pd.DataFrame({"family": ["A"], "frozen_months": [1.0], "slushy_months": [None]})
    >>> zones(pd.Series(["A", "A", "B"]), pd.Series([1, 2, 1]), fences).tolist()
    ['frozen', 'liquid', 'liquid']
    """
    limits = families.set_index("family")[["frozen_months", "slushy_months"]].astype(float).fillna(0.0)
    frozen, slushy = (family.map(limits[n]).astype(float).fillna(0.0) for n in limits)
    return pd.Series(np.select([lag <= frozen, lag <= frozen + slushy], FENCED, ZONES[-1]), index=family.index)


def previous_supply(
    own: pd.DataFrame, comparison: pd.DataFrame, past_plans: pd.DataFrame, products: pd.DataFrame, cycle: pd.Timestamp
) -> pd.DataFrame:
    """Return the last supply plan before a cycle in units: cycle, month, family, plant, source; empty when none is.

    `own` and `comparison` are `supply_plan` and `scenario_comparison` of the last own cycle, whose proposed strategy
    counts; a later cycle of `past_plans` (consensus, per family: plant and source ALL) goes before it.
    """
    kept = approved.proposed(own, comparison) if len(own) and len(comparison) else own.iloc[:0]
    kept = kept[kept["cycle"] < cycle].reindex(columns=PREVIOUS)
    given = _consensus(past_plans, products, "supply")
    given = given[given["cycle"] < cycle].assign(plant=ALL, source=ALL).reindex(columns=PREVIOUS)
    last = max([rows["cycle"].max() for rows in (kept, given) if len(rows)], default=cycle)
    chosen = kept if (kept["cycle"] == last).any() else given
    return chosen[chosen["cycle"] == last].reset_index(drop=True)


def _consensus(past_plans: pd.DataFrame, products: pd.DataFrame, *measures: str) -> pd.DataFrame:
    """Return the plans of record per measure, cycle, month and family: products and regions summed."""
    rows = past_plans[past_plans["stream"].eq("consensus") & past_plans["measure"].isin(measures)]
    named = rows["product"].map(products.set_index("product")["family"])
    rows = rows.assign(family=rows["family"].where(rows["family"] != ALL, named))
    return rows.groupby(["measure", "cycle", "month", "family"], as_index=False)["quantity"].sum()


def supply_changes(
    latest: pd.DataFrame, previous: pd.DataFrame, families: pd.DataFrame, unit_cost: pd.Series, scenario: str = "base"
) -> pd.DataFrame:
    """Return per month, family and plant the supply of the last plan and of this one, made and bought, in units.

    `latest` is the proposed `supply_plan`, `previous` as `previous_supply` returns it; months that both hold, a family
    that one of them lacks at 0. change = latest - previous, its value at `unit_cost` per family in money; a family
    whose last plan names no plant stands at plant ALL. `finding` says each change inside the fence.
    """
    key = ["month", "family", "plant"]
    if latest.empty or previous.empty:
        return supply_tables.empty("supply_changes")
    loose = set(previous.loc[previous["plant"] == ALL, "family"]) | (set(latest["family"]) - set(previous["family"]))
    parts = []
    for rows in (previous, latest):
        at = rows["plant"].where(~rows["family"].isin(loose), ALL)
        parts.append(rows.assign(plant=at).groupby(key)["quantity"].sum())
    both = pd.concat(parts, axis=1, keys=["previous", "latest"]).fillna(0.0).sort_index().reset_index()
    both = both[both["month"].isin(set(latest["month"]) & set(previous["month"]))]
    lag = months.lag(latest["month"].min(), both["month"])
    both = both.assign(zone=zones(both["family"], lag, families), change=both["latest"] - both["previous"])
    both["change_value"] = both["change"] * both["family"].map(unit_cost)
    inside = both["zone"].isin(FENCED) & (both["change"].abs() >= NOTICED)
    owner = families.set_index("family")["owner"] if "owner" in families else pd.Series(dtype=object)
    said = [_said(row, owner.get(row.family)) for row in both[inside].itertuples()]
    finding = pd.Series(said, index=both.index[inside], dtype=object).reindex(both.index)
    return both.assign(finding=finding.where(finding.notna(), None), scenario=scenario).reset_index(drop=True)


def _said(row, owner: str | None) -> str:
    where = "" if row.plant == ALL else f" at {row.plant}"
    share = f", {row.change / row.previous:+.0%}" if row.previous > 0 else ", not in the last plan"
    agreed = f"; to be agreed by {owner}" if isinstance(owner, str) and owner else ""
    way = "up" if row.change > 0 else "down"
    return (
        f"{row.family}{where}, {row.month:%b %Y} ({row.zone}): {way} {abs(row.change):,.0f} units, from "
        f"{row.previous:,.0f} to {row.latest:,.0f}{share}{agreed}."
    )


def by_zone(changes: pd.DataFrame) -> pd.DataFrame:
    """Return per zone the family-months planned and changed (by half a unit or more), units up and down, and money.

    money is the sum of |change| at unit cost; up is 0 or more, down 0 or less; blank where a cost is not known.
    """
    noticed = changes["change"].abs() >= NOTICED
    rows = changes.assign(
        planned=1, changed=noticed.astype(int), up=changes["change"].clip(lower=0.0),
        down=changes["change"].clip(upper=0.0), value=changes["change_value"].abs(),
    )  # fmt: skip
    sums = rows.groupby("zone")[["planned", "changed", "up", "down", "previous"]].sum()
    sums["value"] = rows.groupby("zone")["value"].agg(lambda v: v.sum(skipna=False))
    return sums.reindex([z for z in ZONES if z in sums.index]).rename_axis("zone").reset_index()


def largest(changes: pd.DataFrame, count: int = 10) -> pd.DataFrame:
    """Return the changes inside the fence, the dearest first (without costs: the largest), `count` at most."""
    rows = changes[changes["finding"].notna()]
    size = rows["change_value"].astype(float).abs().fillna(-1.0)
    order = rows.assign(size=size, units=rows["change"].abs()).sort_values(
        ["size", "units", "month", "family", "plant"], ascending=[False, False, True, True, True], kind="stable"
    )
    return order.drop(columns=["size", "units"]).head(count).reset_index(drop=True)


# What keeping the last plan would cost


def inside_fence(previous: pd.DataFrame, families: pd.DataFrame, first: pd.Timestamp) -> pd.DataFrame:
    """Return the rows of the last plan in the frozen and slushy months of a plan that begins with `first`."""
    rows = previous[previous["month"] >= first]
    return rows[zones(rows["family"], months.lag(first, rows["month"]), families).isin(FENCED)]


def kept_inside_fence(p: xr.Dataset, plan: xr.Dataset, fenced: pd.DataFrame) -> xr.Dataset:
    """Return the supply problem with the last plan's rates firm inside the fence, and no more bought than it bought.

    Where the last plan names no plants, the family's rate is kept and split over plants and subcontractors as
    `plan`, the plan proposed, splits it (where that makes none: as the family is usually made).
    """
    firm, limit = p["firm"].copy(), p["limit"].copy()
    for (family, month), rows in fenced.groupby(["family", "month"]):
        if family not in p["family"] or month not in p["month"]:
            continue
        at = {"family": family, "month": month}
        own, bought = _split(p.sel(at), plan["make"].sel(at), rows)
        firm.loc[at], limit.loc[at | {"source": "subcontract"}] = own, bought
    return p.assign(firm=firm, limit=limit)


def _split(p: xr.Dataset, make: xr.DataArray, rows: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return what a month's rate of a family is per plant, made and bought."""
    names = p["plant"].values
    if set(rows["plant"]) <= set(names):
        sums = rows.groupby(["plant", rows["source"].isin(IN_HOUSE)])["quantity"].sum().unstack(fill_value=0.0)
        whole = sums.reindex(index=names, columns=[True, False], fill_value=0.0)
        return whole[True].to_numpy(), whole[False].to_numpy()
    total, outside = rows["quantity"].sum(), make.sel(source="subcontract").values
    bought = outside * min(1.0, total / outside.sum()) if outside.sum() > 0 else outside
    own = make.sel(source=list(IN_HOUSE)).sum("source").values
    mix = own if own.sum() > 0 else p["share"].values
    mix = mix if mix.sum() > 0 else np.ones(len(names))
    return (total - bought.sum()) * mix / mix.sum(), bought


# From cycle to cycle


def nervousness(
    past_plans: pd.DataFrame, families: pd.DataFrame, products: pd.DataFrame, unit_cost: pd.Series
) -> pd.DataFrame:
    """Return how much plans of record changed from each cycle to the next, per measure, family, lag and zone.

    changed is the sum of |later - earlier|, previous that of the earlier plan, over `cycles` pairs of plans;
    nervousness is changed / previous, blank where nothing was planned. Lag counts from the later cycle, its own month
    is 1; months before it are over, and left out. Family ALL adds units where all families share one, else money at
    `unit_cost`, and is left out where a cost is not known.
    """
    plans = _consensus(past_plans, products, "demand", "supply")
    order = sorted(plans["cycle"].unique())
    follows = dict(pairwise(order))
    earlier = plans.assign(cycle=pd.to_datetime(plans["cycle"].map(follows))).dropna(subset="cycle")
    pairs = plans.merge(earlier, on=["measure", "cycle", "month", "family"], suffixes=("", "_before"))
    lag = (pairs["month"].dt.year - pairs["cycle"].dt.year) * 12 + pairs["month"].dt.month - pairs["cycle"].dt.month + 1
    pairs = pairs.assign(lag=lag, changed=(pairs["quantity"] - pairs["quantity_before"]).abs())
    pairs = pairs[pairs["lag"] >= 1]
    pairs = pairs.assign(previous=pairs["quantity_before"], zone=zones(pairs["family"], pairs["lag"], families))
    pairs["unit"] = pairs["family"].map(families.set_index("family")["unit"]).fillna("units")
    both = pd.concat([pairs, _together(pairs, unit_cost)], ignore_index=True)
    by = ["measure", "family", "lag", "zone", "unit"]
    sums = both.groupby(by).agg(
        cycles=("cycle", "nunique"), previous=("previous", "sum"), changed=("changed", "sum")
    ).reset_index()  # fmt: skip
    rate = sums["changed"] / sums["previous"].where(sums["previous"] > 0)
    return sums.assign(stream="consensus", nervousness=rate)


def changed_by(nervous: pd.DataFrame, by: str, family: str = ALL) -> pd.DataFrame:
    """Return the nervousness of a family per measure and `by` (lag or zone), with the pairs of plans behind it.

    Changes are summed before they are divided, so that large plans weigh more.
    """
    rows = nervous[nervous["family"] == family]
    sums = rows.groupby(["measure", by], as_index=False).agg(
        cycles=("cycles", "max"), previous=("previous", "sum"), changed=("changed", "sum")
    )
    return sums.assign(nervousness=sums["changed"] / sums["previous"].where(sums["previous"] > 0))


def _together(pairs: pd.DataFrame, unit_cost: pd.Series) -> pd.DataFrame:
    if pairs["unit"].nunique() <= 1:
        return pairs.assign(family=ALL)
    cost = pairs["family"].map(unit_cost)
    if cost.isna().any():
        return pairs.iloc[:0]
    return pairs.assign(family=ALL, unit="money", changed=pairs["changed"] * cost, previous=pairs["previous"] * cost)
