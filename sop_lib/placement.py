"""Where safety stock costs least in the network plant → distribution centre → shop, by guaranteed service times.

What is taken: the lanes used in the last twelve months; a plant needs the family's frozen months, one month at least,
and a place further on the days that nine of ten deliveries to it took, in whole weeks; the weekly forecast error of a
family is its monthly error ÷ √(weeks a month), and that of an end of the network × √(its share of what customers
get), ends being independent; a place that shares its customers with others meets its share of their error squared.
Source of the model: Graves and Willems, "Optimizing strategic safety stock placement in supply chains", 2000.
"""

from graphlib import TopologicalSorter
from statistics import NormalDist

import numpy as np
import pandas as pd

from sop_lib import distribution, flow_checks, flows, inventory, mix
from sop_lib.echelons import guaranteed_service
from sop_lib.mix import Tables
from sop_lib.policy import TO_ORDER
from sop_lib.settings import Planning

__all__ = ["READS", "by_family", "choices", "network", "placement", "reasons", "saving_sentence", "stages"]

#: the tables that a placement is made from
READS = ("shipments", "locations", "products", "families", "backtest", "demand_plan", "prices", "history")
WEEKS = 365.25 / 12 / 7  # in a month
HOLDING = 0.02  # share of unit cost per month, where a family states no holding cost
SMALL = 0.005  # a saving that is not worth its words


def network(found: Tables, cycle: pd.Timestamp) -> pd.DataFrame:
    """Return the lanes each family used in the last twelve months between named places: family, from, to, units, days.

    `inside` marks lanes between locations; `days` are those that nine of ten deliveries took.
    """
    used = distribution.used(found["shipments"], found["products"], cycle)
    days = flows.lanes(found["shipments"], cycle)[["leg", "from", "to", "lead_p90"]]
    rows = used.merge(days, on=["leg", "from", "to"], how="left", validate="many_to_one")
    out = rows.groupby(["family", "from", "to"], as_index=False).agg(units=("units", "sum"), days=("lead_p90", "max"))
    return out.assign(inside=out["to"].isin(found["locations"]["location"]))


def _left_out(found: Tables, lanes: pd.DataFrame) -> dict[str, str]:
    """Return each planned family whose stock cannot be placed, with the reason."""
    tested, placed = set(inventory.error_spread(found["backtest"], _one_month(found)).index), found["locations"]
    out: dict[str, str] = {}
    for family in sorted(set(found["demand_plan"]["family"])):
        own = lanes[lanes["family"] == family]
        around, unknown = flow_checks.loop(own), sorted(set(own["from"]) - set(placed["location"]))
        reasons = (
            (own.empty, "no shipment between named places in the last twelve months"),
            (around, f"its places supply each other in a loop: {' → '.join(around)}"),
            (unknown, f"{', '.join(unknown)} ships and is not in locations"),
            (not own["inside"].any(), "one place serves all: there is nothing to choose"),
            (own.loc[own["inside"], "days"].isna().any(), "no delivery day is recorded between its places"),
            (family not in tested, "its forecast error was not measured"),
        )
        out |= {family: next((text for hit, text in reasons if hit), "")}
    return {family: text for family, text in out.items() if text}


def _one_month(found: Tables) -> pd.Series:
    return pd.Series(1, pd.Index(sorted(set(found["demand_plan"]["family"])), name="family"))


def stages(own: pd.DataFrame, spread: float, making: float, plants: set[str]) -> pd.DataFrame:
    """Return the places of one family: stage, own time in weeks, spread of the weekly error, whether customers come.

    `own` are the family's lanes, `spread` is the family's weekly error in units, `making` the weeks that a plant takes
    and a place that nobody is seen to supply. Customers come to whoever ships to them, and to a place that is supplied
    and ships to nobody, such as a shop: there they take what it gets.
    """
    inside, outside = own[own["inside"]], own[~own["inside"]]
    names = sorted({*own["from"], *inside["to"]})
    last = inside[~inside["to"].isin(own["from"])]
    ends = pd.concat([outside.groupby("from")["units"].sum(), last.groupby("to")["units"].sum()])
    ends = ends.reindex(names).fillna(0.0)
    way = np.ceil(inside.groupby("to")["days"].max() / 7 - 1e-9).reindex(names)
    makes = way.isna() | way.index.isin(plants)
    squared = _shared(inside, spread**2 * ends / ends.sum())
    time = way.fillna(0.0) + makes * making
    parts = {"stage": names, "time": time, "spread": np.sqrt(squared), "serves": ends > 0}
    return pd.DataFrame({name: np.asarray(part) for name, part in parts.items()})


def _shared(inside: pd.DataFrame, squared: pd.Series) -> pd.Series:
    """Return the squared error that each place meets: its customers', and its share of that of places it supplies."""
    suppliers, reached = inside.groupby("to")["from"].agg(sorted).to_dict(), inside.groupby("to")["units"].sum()
    squared = squared.copy()
    for place in reversed(list(TopologicalSorter(suppliers).static_order())):
        lanes = inside[inside["to"] == place]
        for supplier, units in zip(lanes["from"], lanes["units"], strict=True):
            squared[supplier] += squared[place] * units / reached[place]
    return squared


def choices(table: pd.DataFrame, links: pd.DataFrame) -> pd.DataFrame:
    """Return the yearly cost per stage of two other ways to place safety stock: `alone_cost` and `ends_cost`.

    `table` holds stage, time, spread, holding, z, promise and serves. Alone: each place covers its own time and
    promises nothing. At the ends: whoever serves customers covers the longest way to it, and nobody else keeps any.
    """
    rows, before = table.set_index("stage"), links.groupby("customer")["supplier"].agg(sorted).to_dict()
    longest = pd.Series(0.0, rows.index)
    for place in TopologicalSorter({s: before.get(s, []) for s in rows.index}).static_order():
        longest[place] = rows.at[place, "time"] + max([0.0, *(longest[s] for s in before.get(place, []))])
    price, promise = rows["holding"] * rows["z"] * rows["spread"], rows["promise"].fillna(0.0)
    waits = (longest - promise).clip(lower=0).where(rows["serves"], 0.0)
    alone = (rows["time"] - promise).clip(lower=0)
    return pd.DataFrame({"alone_cost": price * np.sqrt(alone), "ends_cost": price * np.sqrt(waits)})


def placement(found: Tables, cycle: pd.Timestamp, planning: Planning) -> pd.DataFrame:
    """Return where each family's safety stock costs least, per location, as `stock_placement`; see the module.

    `found` holds the tables of `READS`. A family that cannot be placed has no rows: `reasons` says why. Customers of
    families made or assembled to order accept `backlog_weeks`, others nothing. `value` is money at unit cost.
    """
    lanes = network(found, cycle) if _given(found) else EMPTY
    out = [] if lanes.empty else _each(found, lanes, planning)
    return pd.concat(out, ignore_index=True)[COLUMNS] if out else pd.DataFrame(columns=COLUMNS)


def reasons(found: Tables, cycle: pd.Timestamp) -> dict[str, str]:
    """Return each planned family that has no placement, with the reason; none where an input table is missing."""
    return _left_out(found, network(found, cycle)) if _given(found) else {}


def _given(found: Tables) -> bool:
    return bool(len(found["shipments"]) and len(found["locations"]))


EMPTY = pd.DataFrame(columns=["family", "from", "to", "units", "days", "inside"])
COLUMNS = [
    "family", "location", "type", "own_weeks", "waits_weeks", "promises_weeks", "net_weeks", "spread", "safety",
    "value", "yearly_cost", "alone_cost", "ends_cost", "finding",
]  # fmt: skip


def _each(found: Tables, lanes: pd.DataFrame, planning: Planning) -> list[pd.DataFrame]:
    missed, facts = _left_out(found, lanes), _facts(found, planning)
    kinds = found["locations"].set_index("location")["type"]
    out = []
    for family, own in lanes.groupby("family"):
        if family in facts.index and family not in missed:
            out.append(_placed(str(family), own, facts.loc[family], kinds))
    return out


def _placed(family: str, own: pd.DataFrame, facts: pd.Series, kinds: pd.Series) -> pd.DataFrame:
    plants = set(kinds.index[kinds == "plant"])
    table = stages(own, facts["error"] / WEEKS**0.5, np.ceil(facts["months"] * WEEKS), plants)
    accepted = np.where(table["serves"], facts["accepted"], np.nan)
    table = table.assign(holding=facts["holding"], z=facts["z"], promise=accepted)
    links = own[own["inside"]].rename(columns={"from": "supplier", "to": "customer"})[["supplier", "customer"]]
    best = guaranteed_service(table.drop(columns="serves"), links).set_index("stage")
    best = best.rename(columns=NAMES).join(choices(table, links)).join(table.set_index("stage")["spread"])
    rows = best.rename_axis("location").sort_index().reset_index().assign(family=family)
    rows = rows.assign(type=rows["location"].map(kinds), value=rows["safety"] * facts["cost"])
    rows["finding"] = _finding(rows)
    return rows if facts["priced"] else rows.assign(**dict.fromkeys(COSTS, np.nan))


NAMES = {"time": "own_weeks", "inbound": "waits_weeks", "promise": "promises_weeks", "net_time": "net_weeks"}
NAMES |= {"cost": "yearly_cost"}
COSTS = ["yearly_cost", "alone_cost", "ends_cost"]
WAYS = {"alone_cost": "each place covering its own time", "ends_cost": "all of it where customers are served"}


def _facts(found: Tables, planning: Planning) -> pd.DataFrame:
    """Return per family: monthly error, months of making, z, accepted weeks, unit cost, yearly holding cost a unit.

    Without unit cost and holding cost a family is weighed in units (`priced` is false).
    """
    months = _one_month(found)
    policy = found["families"].set_index("family").reindex(months.index)
    wanted = mix.demand_by_product(found["demand_plan"], pd.DatetimeIndex(found["demand_plan"]["month"].unique()))
    cost = mix.unit_costs(found, wanted)["cost"].reindex(months.index)
    service = policy["fill_target"].astype(float).fillna(planning.service_level).clip(0.5, 0.9999)
    quoted = policy["backlog_weeks"].astype(float).fillna(0.0).where(policy["strategy"].isin(TO_ORDER), 0.0)
    holding = 12 * policy["holding_cost"].astype(float).fillna(HOLDING * cost)
    return pd.DataFrame({
        "error": inventory.error_spread(found["backtest"], months), "z": service.map(NormalDist().inv_cdf),
        "months": policy["frozen_months"].astype(float).fillna(0).clip(lower=1), "accepted": np.floor(quoted),
        "cost": cost, "holding": holding.fillna(1.0), "priced": holding.notna(),
    }).dropna(subset="error")  # fmt: skip


def _finding(rows: pd.DataFrame) -> str:
    """Return where the family's stock lies best, and what that saves against the other ways."""
    held = rows[rows["safety"] > 0.005].sort_values(["safety", "location"], ascending=[False, True])["location"]
    if held.empty:
        return "No safety stock is needed: customers wait long enough."
    where = " and ".join(held) if len(held) < 3 else f"{len(held)} places, most at {held.iloc[0]}"
    return f"At {where}: {_against(rows[COSTS].sum())}."


def by_family(placed: pd.DataFrame) -> pd.DataFrame:
    """Return one row per family: where its safety stock lies best, and the yearly cost of that and of other ways."""
    costs = placed.groupby("family")[COSTS].sum(min_count=1)
    return placed.groupby("family")["finding"].first().to_frame().join(costs).reset_index()


def _against(cost: pd.Series, currency: str = "") -> str:
    """Return what the best way saves beside each other way, in percent of that one, and in money with a currency.

    >>> _against(pd.Series({"yearly_cost": 90.0, "alone_cost": 120.0, "ends_cost": 90.0}))
    '25% less than each place covering its own time, as much as all of it where customers are served'
    """
    words = []
    for way, text in WAYS.items():
        saved = cost[way] - cost["yearly_cost"]
        money = f"{saved:,.0f} {currency} or " if currency else ""
        less = saved > SMALL * cost[way]
        words.append(f"{money}{saved / cost[way]:.0%} less than {text}" if less else f"as much as {text}")
    return ", ".join(words)


def saving_sentence(placed: pd.DataFrame, currency: str) -> str:
    """Return what safety stock costs a year where it lies best, and what that saves against other ways; else blank."""
    known = placed.dropna(subset="yearly_cost")
    if known.empty:
        return ""
    places = known[known["safety"] > 0.005].groupby("location")["value"].sum().sort_values(ascending=False)
    most = f" at {' and '.join(places.index)}" if 0 < len(places) < 4 else ""
    lead = f"Placed best{most}, safety stock costs {known['yearly_cost'].sum():,.0f} {currency} a year to hold"
    return f"{lead}: {_against(known[COSTS].sum(), currency)}."
