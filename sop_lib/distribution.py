"""What must be shipped by lane: the supply plan brought from plants through centres to customers, and by when."""

from graphlib import TopologicalSorter

import numpy as np
import pandas as pd

from sop_lib import flow_checks, flows
from sop_lib.flows import LANE, YEAR
from sop_lib.tables import ALL

__all__ = ["distribution_plan", "next_months", "ship_sentence", "unrouted", "used", "why_none"]


def used(shipments: pd.DataFrame, products: pd.DataFrame, cycle: pd.Timestamp) -> pd.DataFrame:
    """Return the lanes of the last twelve months: family, leg, from, to, units shipped; lanes without names fall out.

    `final` marks lanes to those who ship no further.
    """
    rows = shipments.dropna(subset=["from", "to", "shipped_on"])
    rows = rows[(rows["shipped_on"] >= cycle - YEAR) & (rows["shipped_on"] < cycle)]
    rows = rows.assign(family=rows["product"].map(products.set_index("product")["family"]))
    out = rows.groupby(["family", *LANE], as_index=False)["shipped"].sum().rename(columns={"shipped": "units"})
    return out[out["units"] > 0].assign(final=lambda d: ~d["to"].isin(d["from"])).reset_index(drop=True)


def why_none(lanes: pd.DataFrame) -> str:
    """Return why nothing can be planned along the lanes that `used` returns; blank where it can."""
    around = flow_checks.loop(lanes)
    if around:
        return f"Places supply each other in a loop: {' → '.join(around)}. No distribution is planned."
    return "" if len(lanes) else "No lane between named places was used in the last twelve months."


def distribution_plan(
    supply: pd.DataFrame, stock: pd.DataFrame, shipments: pd.DataFrame, products: pd.DataFrame, cycle: pd.Timestamp
) -> pd.DataFrame:
    """Return what must be shipped per month, family and lane, in units, as `distribution_plan`.

    `supply` is the supply plan and `stock` the inventory plan of one strategy. What a plant makes leaves it in its
    month, by its shares of lanes; what the plan ships to customers goes by the family's shares of last lanes; what a
    place between sends on reaches it by the shares of its suppliers. Shares are those of the last twelve months, of
    all families where the family has none. Lead days are those that nine of ten deliveries took; units on the way are
    units a day × mean days (Little's law). Empty without lanes, and where lanes go in a loop.
    """
    lane = used(shipments, products, cycle)
    if supply.empty or why_none(lane):
        return pd.DataFrame(columns=PLAN)
    plants = set(supply["plant"])
    lane = lane.assign(pushed=lane["from"].isin(plants) & ~lane["final"])
    made = supply.groupby(["scenario", "month", "family", "plant"])["quantity"].sum().unstack("plant")
    shipped = stock.set_index(["scenario", "month", "family"])["shipped"]
    found = _sent(lane, shipped, made.reindex(shipped.index).fillna(0.0))
    rows = pd.concat(found.values(), keys=found, names=LANE).reset_index()
    makes = pd.MultiIndex.from_frame(supply[["family", "plant"]].drop_duplicates())
    idle = (
        rows["from"].isin(plants)
        & rows["to"].isin(lane["from"])
        & ~pd.MultiIndex.from_frame(rows[["family", "from"]]).isin(makes)
    )
    return _timed(rows[(rows["share"] > 0) & ~idle], flows.lanes(shipments, cycle))


PLAN = [
    "scenario", "month", "family", *LANE, "quantity", "share", "lead_days", "on_the_way", "ship_by",
]  # fmt: skip


def _sent(lane: pd.DataFrame, shipped: pd.Series, made: pd.DataFrame) -> dict[tuple, pd.DataFrame]:
    """Return quantity and share per lane: first what customers and places need, the last lanes first, then plants."""
    suppliers = lane.groupby("to")["from"].agg(sorted).to_dict()
    order = {place: n for n, place in enumerate(TopologicalSorter(suppliers).static_order())}
    ways = lane.drop_duplicates(LANE).assign(at=lambda d: -d["to"].map(order)).sort_values(["at", *LANE])
    left = pd.DataFrame(0.0, made.index, sorted(order))  # what each place sends on
    found = {}
    for at, final in ways[~ways["pushed"]].set_index(LANE)["final"].items():
        rows = _along(lane, at, lane["final"] if final else lane["to"].eq(at[2]), shipped if final else left[at[2]])
        found[at], left[at[1]] = rows, left[at[1]] + rows["quantity"]
    free = (made - left.reindex(columns=made.columns, fill_value=0.0)).clip(lower=0.0)
    for at in ways.loc[ways["pushed"], LANE].itertuples(index=False, name=None):
        found[at] = _along(lane, at, lane["from"].eq(at[1]) & lane["pushed"], free[at[1]])
    return found


def _along(lane: pd.DataFrame, at: tuple, group: pd.Series, whole: pd.Series) -> pd.DataFrame:
    """Return a lane's share of its group and its quantity per row: of the family, of all where it has no history."""
    here = group & lane["leg"].eq(at[0]) & lane["from"].eq(at[1]) & lane["to"].eq(at[2])
    own, all_of = lane[here].groupby("family")["units"].sum(), lane[group].groupby("family")["units"].sum()
    usual = lane.loc[here, "units"].sum() / lane.loc[group, "units"].sum()
    share = own.reindex(all_of.index).fillna(0.0) / all_of
    share = share.reindex(whole.index.get_level_values("family")).fillna(usual).set_axis(whole.index)
    return pd.DataFrame({"quantity": whole * share, "share": share})


def _timed(rows: pd.DataFrame, lane: pd.DataFrame) -> pd.DataFrame:
    """Add days on the way, mean units on the way and the last day to ship for the first of the month."""
    rows = rows.merge(lane[[*LANE, "lead_p90", "transit_days"]], on=LANE, how="left", validate="many_to_one")
    rows["lead_days"] = np.ceil(rows["lead_p90"] - 1e-9)
    rows["on_the_way"] = rows["quantity"] / rows["month"].dt.days_in_month * rows["transit_days"]
    rows["ship_by"] = rows["month"] - pd.to_timedelta(rows["lead_days"], unit="D")
    return rows[PLAN].sort_values(PLAN[:6], kind="stable", ignore_index=True)


def unrouted(plan: pd.DataFrame, supply: pd.DataFrame, stock: pd.DataFrame) -> pd.DataFrame:
    """Return family, what (made or shipped) and units of the plan that no lane carries; none when all is carried.

    What is made at no named plant is not counted as made: what places need then comes from their suppliers.
    """
    supply = supply[supply["plant"] != ALL]
    ends = ~plan["to"].isin(plan["from"])
    left = plan[plan["from"].isin(supply["plant"])].groupby("family")["quantity"].sum()
    sides = {
        "made": supply.groupby("family")["quantity"].sum().sub(left, fill_value=0.0),
        "shipped": stock.groupby("family")["shipped"].sum().sub(
            plan[ends].groupby("family")["quantity"].sum(), fill_value=0.0
        ),
    }  # fmt: skip
    rows = pd.concat(sides, names=["what"]).rename("units").reset_index()
    return rows[rows["units"] > 0.5][["family", "what", "units"]].sort_values(["family", "what"], ignore_index=True)


def next_months(plan: pd.DataFrame, together: bool, count: int = 3) -> pd.DataFrame:
    """Return what must be shipped by lane in the next months, a column each, with lead days and mean units on the way.

    `together` adds families up; else each family has its own rows. `ship_by` is of what must be there on the first
    day of the second of these months.
    """
    key, months = LANE if together else ["family", *LANE], sorted(plan["month"].unique())[:count]
    rows = plan[plan["month"].isin(months)]
    wide = rows.pivot_table(index=key, columns="month", values="quantity", aggfunc="sum").fillna(0.0)
    lead = rows.groupby(key)["lead_days"].first()
    moving = (rows.groupby(key)["on_the_way"].sum() / max(len(months), 1)).where(lead.notna())
    by = rows[rows["month"].isin(months[1:2])].groupby(key)["ship_by"].first()
    out = wide.join([lead, moving, by]).rename_axis(columns=None)
    return out.reset_index()


def ship_sentence(plan: pd.DataFrame, unit: str) -> str:
    """Return how much must leave in the next three months, and by when on the slowest lane; blank without a plan."""
    if plan.empty:
        return ""
    soon = plan[plan["month"].isin(sorted(plan["month"].unique())[:3])]
    last, first = soon[~soon["to"].isin(soon["from"])], soon["month"].min()
    text = f"{last['quantity'].sum():,.0f} {unit} must leave for customers" if unit else "Goods must leave"
    text += f" from {first:%b %Y} to {soon['month'].max():%b %Y}"
    timed = soon[soon["month"] > first].dropna(subset="lead_days")
    if timed.empty:
        return f"{text}."
    r = timed.sort_values(["lead_days", "month", *LANE], ascending=[False, True, True, True, True]).iloc[0]
    return (
        f"{text}; the slowest lane is {r['from']} → {r['to']}, {r['lead_days']:.0f} days: what must be there on "
        f"1 {r['month']:%b %Y} leaves by {r['ship_by'].day} {r['ship_by']:%b}."
    )
