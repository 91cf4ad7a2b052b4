"""What must be shipped by lane: the supply plan brought from plants through centres to customers, and by when."""

from graphlib import TopologicalSorter

import numpy as np
import pandas as pd

from sop_lib import flow_checks, flows
from sop_lib.flows import LANE, YEAR
from sop_lib.tables import ALL

__all__ = ["distribution_plan", "next_months", "ship_sentence", "unrouted", "used", "why_none"]


def used(shipments: pd.DataFrame, products: pd.DataFrame, cycle: pd.Timestamp) -> pd.DataFrame:
    """Return lanes of the last twelve months: family, leg, from, to, units shipped; lanes without names fall out."""
    rows = shipments.dropna(subset=["from", "to", "shipped_on"])
    rows = rows[(rows["shipped_on"] >= cycle - YEAR) & (rows["shipped_on"] < cycle)]
    rows = rows.assign(family=rows["product"].map(products.set_index("product")["family"]))
    out = rows.groupby(["family", *LANE], as_index=False)["shipped"].sum().rename(columns={"shipped": "units"})
    return out[out["units"] > 0].reset_index(drop=True)


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

    `supply` is the supply plan and `stock` the inventory plan of one strategy. What a plant makes, and what reaches it
    from other plants, leaves it in its month, by its shares of lanes; what the plan ships to customers goes by the
    family's shares of last lanes; what a place between sends on reaches it by the shares of its suppliers. Shares are
    those of the family's last twelve months, of all families' where it has none. Lead days are those that nine of ten
    deliveries took; units on the way are units a day × mean days (Little's law). Empty without lanes, and where lanes
    go in a loop.
    """
    lane = used(shipments, products, cycle)
    if supply.empty or stock.empty or why_none(lane):
        return pd.DataFrame(columns=PLAN)
    made = supply.groupby(["scenario", "month", "family", "plant"])["quantity"].sum().unstack("plant")
    shipped = stock.set_index(["scenario", "month", "family"])["shipped"]
    rows = [_carried(_ways(lane, supply, f), each, made) for f, each in shipped.groupby("family")]
    return _timed(pd.concat(rows), flows.lanes(shipments, cycle))


PLAN = [
    "scenario", "month", "family", *LANE, "quantity", "share", "lead_days", "on_the_way", "ship_by",
]  # fmt: skip


def _ways(lane: pd.DataFrame, supply: pd.DataFrame, family: str) -> pd.DataFrame:
    """Return the lanes a family goes by: leg, from, to, way and share of its way.

    Ways: `last` to those who ship it no further, `pushed` from plants that make it and from places that supply them,
    `pulled` else.
    """
    makers, plants = set(supply.loc[supply["family"] == family, "plant"]), set(supply["plant"])
    out = _own(lane, family, makers).sort_values(LANE, ignore_index=True)
    out["way"] = np.where(out["to"].isin(out["from"]), "pulled", "last")
    out = out[out["way"].eq("last") | out["from"].isin(_fed(out, makers, plants))].reset_index(drop=True)
    out.loc[out["way"].eq("pulled") & out["from"].isin(_before(out, makers)), "way"] = "pushed"
    return out.assign(share=_shares(out))


def _shares(ways: pd.DataFrame) -> pd.Series:
    """Return the share of each lane: of all last lanes, of what is pushed from its plant, else of all that come in."""
    units, last, pushed = ways["units"], ways["way"].eq("last"), ways["way"].eq("pushed")
    whole = units.groupby(ways["to"]).transform("sum")
    whole[last] = units[last].sum()
    whole[pushed] = units[pushed].groupby(ways["from"]).transform("sum")
    return units / whole


def _own(lane: pd.DataFrame, family: str, makers: set[str]) -> pd.DataFrame:
    """Return the lanes and units of a family; of all families where it has none.

    A plant that makes it and has not shipped it yet ships as all families do, to places that ship the family on.
    """
    own, usual = lane[lane["family"] == family], lane.groupby(LANE, as_index=False)["units"].sum()
    new = usual["from"].isin(makers - set(own["from"])) & usual["to"].isin(own["from"])
    return pd.concat([own[[*LANE, "units"]], usual[new]]) if len(own) else usual


def _order(lane: pd.DataFrame) -> list[str]:
    """Return all places, suppliers before those they supply."""
    return list(TopologicalSorter(lane.groupby("to")["from"].agg(sorted).to_dict()).static_order())


def _fed(lane: pd.DataFrame, makers: set[str], plants: set[str]) -> set[str]:
    """Return the places that have something to send: all but plants that neither make it nor are supplied."""
    inward, found = lane.groupby("to")["from"].agg(set).to_dict(), set(makers)
    for place in _order(lane):
        found |= {place} if place not in plants or found & inward.get(place, set()) else set()
    return found


def _before(lane: pd.DataFrame, makers: set[str]) -> set[str]:
    """Return the plants that make it, and the places whose goods reach such a plant."""
    onward, found = lane.groupby("from")["to"].agg(set).to_dict(), set(makers)
    for place in reversed(_order(lane)):
        found |= {place} if found & onward.get(place, set()) else set()
    return found


def _carried(ways: pd.DataFrame, shipped: pd.Series, made: pd.DataFrame) -> pd.DataFrame:
    """Return the quantity of each lane of a family per scenario and month.

    First what customers and places need, the last lanes first; then what plants have left, the first plant first.
    """
    share, order, made = ways["share"].to_numpy(), _order(ways), made.reindex(shipped.index).fillna(0.0)
    into, out = (ways.groupby(side).groups for side in ("to", "from"))
    pulled = ways[ways["way"] == "pulled"].groupby("to").groups
    pushed = ways[ways["way"] == "pushed"].groupby("from").groups
    quantity = np.outer(shipped, share * ways["way"].eq("last"))
    for place in [p for p in reversed(order) if p in pulled]:
        quantity[:, pulled[place]] = np.outer(quantity[:, out[place]].sum(axis=1), share[pulled[place]])
    for place in [p for p in order if p in pushed]:
        served = quantity[:, out[place]].sum(axis=1)  # its own customers
        free = made.get(place, 0.0) + quantity[:, into.get(place, [])].sum(axis=1) - served
        quantity[:, pushed[place]] = np.outer(np.clip(free, 0.0, None), share[pushed[place]])
    rows = shipped.index.to_frame(index=False).merge(ways[[*LANE, "share"]], how="cross")
    return rows.assign(quantity=quantity.ravel())


def _timed(rows: pd.DataFrame, lane: pd.DataFrame) -> pd.DataFrame:
    """Add days on the way, mean units on the way and the last day to ship for the first of the month."""
    rows = rows.merge(lane[[*LANE, "lead_p90", "transit_days"]], on=LANE, how="left", validate="many_to_one")
    rows["lead_days"] = np.ceil(rows["lead_p90"] - 1e-9) + 0.0  # no sign of zero
    rows["on_the_way"] = rows["quantity"] / rows["month"].dt.days_in_month * rows["transit_days"]
    rows["ship_by"] = rows["month"] - pd.to_timedelta(rows["lead_days"], unit="D")
    return rows[PLAN].sort_values(PLAN[:6], kind="stable", ignore_index=True)


def _last(plan: pd.DataFrame) -> pd.Series:
    """Return which rows go to those who ship the family no further."""
    return ~pd.MultiIndex.from_frame(plan[["family", "to"]]).isin(pd.MultiIndex.from_frame(plan[["family", "from"]]))


def unrouted(plan: pd.DataFrame, supply: pd.DataFrame, stock: pd.DataFrame) -> pd.DataFrame:
    """Return family, what (made or shipped), place and units of the plan that no lane carries; none if all is carried.

    A plant that makes a family must send what it makes and what reaches it. What is made at no named plant is not
    counted as made: what places need then comes from their suppliers.
    """
    key, last = ["family", "place"], _last(plan)
    made = supply[supply["plant"] != ALL].rename(columns={"plant": "place"}).groupby(key)["quantity"].sum()
    came = plan[~last].rename(columns={"to": "place"}).groupby(key)["quantity"].sum()
    left = plan.rename(columns={"from": "place"}).groupby(key)["quantity"].sum()
    kept = made + came.reindex(made.index).fillna(0.0) - left.reindex(made.index).fillna(0.0)
    owed = stock.groupby("family")["shipped"].sum().sub(plan[last].groupby("family")["quantity"].sum(), fill_value=0.0)
    rows = pd.concat(
        [kept.rename("units").reset_index().assign(what="made"),
         owed.rename("units").rename_axis("family").reset_index().assign(what="shipped", place=ALL)]
    )  # fmt: skip
    rows = rows[rows["units"] > 0.5][["family", "what", "place", "units"]]
    return rows.sort_values(["family", "what", "place"], ignore_index=True)


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
    """Return how much must leave in the next three months, and by when on the slowest lane; blank without a plan.

    A day before the plan's first is past: it is said to be too late.
    """
    if plan.empty:
        return ""
    soon = plan[plan["month"].isin(sorted(plan["month"].unique())[:3])]
    last, first = soon[_last(soon)], soon["month"].min()
    text = f"{last['quantity'].sum():,.0f} {unit} must leave for customers" if unit else "Goods must leave"
    text += f" from {first:%b %Y} to {soon['month'].max():%b %Y}"
    timed = soon[soon["month"] > first].dropna(subset="lead_days")
    if timed.empty:
        return f"{text}."
    r = timed.sort_values(["lead_days", "month", *LANE], ascending=[False, True, True, True, True]).iloc[0]
    text += f"; the slowest lane is {r['from']} → {r['to']}, {r['lead_days']:.0f} days: "
    if r["ship_by"] < first:
        return f"{text}too late for 1 {r['month']:%b %Y} already; ship at once."
    return f"{text}what must be there on 1 {r['month']:%b %Y} leaves by {r['ship_by'].day} {r['ship_by']:%b}."
