"""From volume to mix: the approved rate of each family split over its products, so that the sums are the plan.

Who gets how much: the rate of a month lets all products run out alike. A product's need is what its own stock lacks
of its target and of the demand of the coming months, as many months ahead as the rate reaches; a rate that does not
cover the month itself is shared by need, and a product in excess gets nothing until it needs some.
Source: equalisation of run-out times, Bitran, Haas and Hax, "Hierarchical production planning: a single stage
system", *Operations Research* 29 (1981). Where: products that were made in some plants only are made there, the
others as they were made, balanced to the rates by iterative proportional fitting (Deming and Stephan, *Annals of
Mathematical Statistics* 11, 1940).
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from sop_lib import mix, supply_tables
from sop_lib.mapping import listed
from sop_lib.mix import Tables
from sop_lib.tables import ALL

__all__ = [
    "by_family", "largest_remainder", "left_without", "master_schedule", "run_out_alike", "whole_families",
    "with_alarms",
]  # fmt: skip

NOTICED = 0.5  # units: less is rounding
SMALL = 0.1  # of a product's mean month: less is what a family's stock, counted as one, hides anyway
FINE = 0.001  # the step of a family that is not counted in whole units
AHEAD = 3  # months of demand that a product's part of the family's target follows
ROUTE = ["plant", "source"]


@dataclass(frozen=True)
class Family:
    """A family to be split: products × months in units, routes × months in whole steps, products × routes as shares."""

    products: list[str]
    demand: np.ndarray
    target: np.ndarray
    exists: np.ndarray
    opening: np.ndarray
    rate: np.ndarray
    share: np.ndarray
    step: float


def master_schedule(made: pd.DataFrame, stock: pd.DataFrame, found: Tables, scenario: str = "base") -> pd.DataFrame:
    """Return what to make of each product per month, family, plant and source, in units, and the rule it follows.

    `made` and `stock` are the rows of the proposed strategy of `supply_plan` and `inventory_plan`, `found` the tables
    the plan was made from. Never below zero. In a family whose sales are all whole units the quantities are too: each
    plant's and source's running total stays within half a unit of the plan's; elsewhere within 0.0005.
    A rate in a month in which no product of the family exists stands at product ALL.
    """
    whole = whole_families(found["sales"], found["products"])
    parts = [_rows(rows, stock, found, name in whole) for name, rows in made.groupby("family")]
    every = [part for part in parts if len(part)]
    if not every:
        return supply_tables.empty("master_schedule")
    rows = pd.concat(every, ignore_index=True).assign(scenario=scenario)
    total = rows.groupby(["month", "family", *ROUTE])["quantity"].transform("sum")
    return rows.assign(share=rows["quantity"] / total)


def whole_families(sales: pd.DataFrame, products: pd.DataFrame) -> set[str]:
    """Return the families whose sales, ordered and shipped, are whole numbers in every row.

    >>> sales = pd.DataFrame({"product": ["x", "y"], "ordered": [2.0, 2.5], "shipped": [2.0, None]})
    >>> whole_families(sales, pd.DataFrame({"product": ["x", "y"], "family": ["A", "B"]}))
    {'A'}
    """
    cells = sales[["ordered", "shipped"]].astype(float)
    whole = (cells.isna() | (cells == cells.round())).all(axis=1) & cells.notna().any(axis=1)
    return set(
        whole.groupby(sales["product"].map(products.set_index("product")["family"])).all().loc[lambda s: s].index
    )


def run_out_alike(lack: np.ndarray, rate: float) -> np.ndarray:
    """Return what each product gets of a rate, so that all of them last equally long.

    `lack` is products × months ahead: what each lacks to last to the end of that month, below zero where it has more.
    A rate that does not cover the first month is shared by what is lacking there; beyond the last month nothing
    is, so the sum may stay below the rate.

    >>> run_out_alike(np.array([[-5.0, 5.0], [5.0, 15.0]]), 10.0).tolist()
    [0.0, 10.0]
    """
    need = lack.clip(min=0.0)
    total = need.sum(axis=0)
    if rate <= total[0]:
        return need[:, 0] * (rate / total[0] if total[0] > 0 else 0.0)
    reach = int(np.searchsorted(total, rate))
    if reach >= len(total):
        return need[:, -1]
    low, more = lack[:, reach - 1], lack[:, reach] - lack[:, reach - 1]
    begins = -low[(low < 0) & (low + more > 0)] / more[(low < 0) & (low + more > 0)]
    parts = np.unique([0.0, *begins, 1.0])
    sums = [(low + part * more).clip(min=0.0).sum() for part in parts]
    return (low + np.interp(rate, sums, parts) * more).clip(min=0.0)


def largest_remainder(weight: np.ndarray, total: int) -> np.ndarray:
    """Return whole numbers in proportion to weights that sum to a total; ties go to the first.

    >>> largest_remainder(np.array([1.0, 1.0, 1.0]), 5).tolist()
    [2, 2, 1]
    """
    if total == 0 or weight.sum() <= 0:
        return np.zeros(len(weight), dtype=int)
    exact = weight / weight.sum() * total
    down = np.floor(exact + 1e-9).astype(int)
    first = np.argsort(-(exact - down).round(9), kind="stable")
    down[first[: total - down.sum()]] += 1
    return down


def by_family(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the units per month and family: of a schedule or of the supply plan."""
    return rows.groupby(["month", "family"], as_index=False)["quantity"].sum()


def left_without(schedule: pd.DataFrame, stock: pd.DataFrame, found: Tables) -> pd.DataFrame:
    """Return products that run out though their family does not: first month, most units owed, where they are made.

    Counted in months up to which the family's plan (`inventory_plan`, proposed) owes and has lost nothing: its rate is
    enough, but in plants where the product is not made, or in months in which it does not exist. Less than `SMALL` of
    a mean month is left out. Most units first; none where the stock of no product is known.
    """
    columns = ["family", "product", "first", "owed", "plants"]
    if schedule.empty or found["inventory"].empty:
        return pd.DataFrame(columns=columns)
    plan = stock.sort_values("month").assign(lost=lambda t: t.groupby("family")["lost"].cumsum())
    served = plan[plan["backlog"] + plan["lost"] < NOTICED][["family", "month"]]
    wanted = mix.demand_by_product(found["demand_plan"], pd.DatetimeIndex(sorted(stock["month"].unique())))
    made = schedule.groupby(["product", "month"], as_index=False)["quantity"].sum()
    rows = wanted.merge(made, on=["product", "month"], how="left").fillna({"quantity": 0.0})
    rows = rows.sort_values(["product", "month"], kind="stable", ignore_index=True)
    flow = (rows["quantity"] - rows["demand"]).groupby(rows["product"]).cumsum()
    held = rows["product"].map(_held(found, stock["month"].min())).fillna(0.0) + flow
    least = (SMALL * rows.groupby("product")["demand"].transform("mean")).clip(lower=NOTICED)
    owed = rows.assign(owed=-held)[-held >= least].merge(served, on=["family", "month"])
    most = owed.groupby(["family", "product"], as_index=False).agg(first=("month", "first"), owed=("owed", "max"))
    places = {p: ", ".join(row.index[row > 0]) for p, row in _made_in(found).iterrows()}
    most["plants"] = [places.get(p, ALL) for p in most["product"]]
    return most[columns].sort_values(["owed", "product"], ascending=[False, True], kind="stable", ignore_index=True)


def with_alarms(notes: pd.DataFrame, left: pd.DataFrame, made: pd.DataFrame) -> pd.DataFrame:
    """Return `supply_notes` with an alarm per family whose rate hides products that run out.

    `left` is what `left_without` returns, `made` the supply plan of the strategy it speaks of. The quantity is the sum
    of the most units that each product owes.

    >>> left = pd.DataFrame({"family": ["Seats"], "product": ["Stool"], "owed": [90.0], "plants": ["Oak Mill"],
    ...     "first": [pd.Timestamp("2027-01-01")]})
    >>> made = pd.DataFrame({"scenario": ["base"], "strategy": ["mixed"]})
    >>> with_alarms(pd.DataFrame(), left, made)["finding"].item()
    'Seats is served, but Stool runs out from Jan 2027: what the plan makes elsewhere cannot stand in (Oak Mill).'
    """
    rows = []
    for family, part in left.groupby("family", sort=True):
        names, places = sorted(part["product"]), sorted({p for p in part["plants"] if p != ALL})
        where = f": what the plan makes elsewhere cannot stand in ({listed(places)})" if places else ""
        runs = f"{listed(names)} {'runs' if len(names) == 1 else 'run'} out from {part['first'].min():%b %Y}"
        said = {"subject": f"{family} · products", "finding": f"{family} is served, but {runs}{where}."}
        rows.append({"kind": "alarm", "quantity": part["owed"].sum()} | said)
    if not rows:
        return notes
    added = pd.DataFrame(rows).assign(**{c: made[c].iloc[0] for c in ("scenario", "strategy")})
    return pd.concat([notes, added], ignore_index=True) if len(notes) else added


# One family


def _rows(made: pd.DataFrame, stock: pd.DataFrame, found: Tables, whole: bool) -> pd.DataFrame:
    """Return the rows of one family; what is nothing has none."""
    wide = made.pivot_table(index=ROUTE, columns="month", values="quantity", aggfunc="sum").fillna(0.0)
    name, when = made["family"].iloc[0], pd.DatetimeIndex(wide.columns)
    f, known = _family(name, wide, stock[stock["family"] == name], found, FINE if not whole else 1.0)
    cells = _scheduled(f)
    index = pd.MultiIndex.from_product(
        [[*f.products, ALL], range(len(wide)), when], names=["product", "route", "month"]
    )
    rows = pd.Series(cells.ravel() * f.step, index=index, name="quantity").reset_index()
    rows = rows[rows["quantity"] > 0].round({"quantity": 3}).assign(family=name)
    for at, column in enumerate(ROUTE):
        rows[column] = wide.index.get_level_values(at).to_numpy()[rows["route"]]
    return rows.drop(columns="route").assign(rule=_rule(whole, known))


def _rule(whole: bool, known: bool) -> str:
    stock = "own stock first, then target and coming demand" if known else "target and coming demand (no stock known)"
    counted = "whole units" if whole else "thousandths of a unit"
    return f"run out alike: {stock}; in plants as made in the last year; {counted} by largest remainder"


def _family(name: str, wide: pd.DataFrame, stock: pd.DataFrame, found: Tables, step: float) -> tuple[Family, bool]:
    """Return what a family is split by, and whether its stock is known."""
    months_ahead = pd.DatetimeIndex(wide.columns)
    wanted = mix.demand_by_product(found["demand_plan"], months_ahead).query("family == @name")
    own = found["products"][found["products"]["family"] == name].set_index("product").sort_index()
    products = sorted({*own.index, *wanted["product"]} - {ALL})
    demand = wanted.pivot_table(index="product", columns="month", values="demand", aggfunc="sum")
    demand = demand.reindex(index=products, columns=months_ahead).fillna(0.0).to_numpy()
    whole = stock.set_index("month")["target"].reindex(months_ahead).fillna(0.0).to_numpy()
    target = whole * _next_months(demand)
    known = bool(found["inventory"]["product"].isin(products).any())
    held = _held(found, months_ahead[0]).reindex(products).fillna(0.0).to_numpy()
    opening = held if known else held + target[:, 0]
    made = np.floor(wide.to_numpy().cumsum(axis=1).round(6) / step + 0.5)
    rate = np.diff(made, axis=1, prepend=0.0).astype(int)
    exists = _exists(own.reindex(products), months_ahead)
    return Family(products, demand, target, exists, opening, rate, _shares(products, wide.index, found), step), known


def _next_months(demand: np.ndarray) -> np.ndarray:
    """Return each product's share of the demand of the next months, this month's where nothing is wanted later."""
    out = np.zeros_like(demand)
    for t in range(demand.shape[1]):
        ahead = demand[:, t + 1 : t + 1 + AHEAD].sum(axis=1)
        ahead = ahead if ahead.sum() > 0 else demand[:, t]
        out[:, t] = ahead / ahead.sum() if ahead.sum() > 0 else 0.0
    return out


def _held(found: Tables, first: pd.Timestamp) -> pd.Series:
    """Return what is there of each product before the first month, less what is owed to customers."""
    parts = []
    for name, value, sign in (("inventory", "on_hand", 1.0), ("backlog", "quantity", -1.0)):
        rows = found[name][found[name]["month"] < first]
        rows = rows[rows["month"] == rows["month"].max()]
        parts.append(sign * rows.groupby("product")[value].sum().astype(float))
    return parts[0].add(parts[1], fill_value=0.0)


def _made_in(found: Tables) -> pd.DataFrame:
    """Return products × plants: units made in the last year, else 1 where the product's own bill of resources says so.

    A product that neither knows has no row.
    """
    came = found["receipts"].query("source == 'made' and quantity > 0")
    came = came[came["month"] > came["month"].max() - pd.DateOffset(months=12)]
    bill = found["bill_of_resources"].query("product != @ALL").assign(quantity=1.0)
    both = pd.concat([came, bill[~bill["product"].isin(came["product"])]])[["product", "plant", "quantity"]]
    return both.groupby(["product", "plant"])["quantity"].sum().unstack(fill_value=0.0)


def _exists(own: pd.DataFrame, when: pd.DatetimeIndex) -> np.ndarray:
    """Return whether each product is sold in each month, by its first and last month of sale."""
    first, last = own["launch_month"].to_numpy()[:, None], own["end_month"].to_numpy()[:, None]
    at = when.to_numpy()[None, :]
    return ~(at < first) & ~(at > last)


def _shares(products: list[str], routes: pd.MultiIndex, found: Tables) -> np.ndarray:
    """Return how much of each product is made on each route as a share of its most; anywhere where nothing is known.

    A product whose plants the plan does not use may be made anywhere too.
    """
    weight = _made_in(found).reindex(index=products, columns=routes.get_level_values("plant"), fill_value=0.0)
    most = weight.max(axis=1).to_numpy()[:, None]
    return np.divide(weight.to_numpy(), most, out=np.ones(weight.shape), where=most > 0)


# The split


def _scheduled(f: Family) -> np.ndarray:
    """Return products (the last: none in particular) × routes × months in steps."""
    out = np.zeros((len(f.products) + 1, *f.rate.shape), dtype=int)
    held = f.opening.copy()
    for t in range(f.rate.shape[1]):
        there, rate = f.exists[:, t], f.rate[:, t]
        if there.any():
            lack = f.demand[:, t:].cumsum(axis=1) + f.target[:, [t]] - held[:, None]
            weights = _on_routes(np.where(there[:, None], lack, 0.0) / f.step, rate, f.share * there[:, None], there)
            for k, total in enumerate(rate):
                out[:-1, k, t] = largest_remainder(weights[:, k], int(total))
        else:
            out[-1, :, t] = rate
        held = held + out[:-1, :, t].sum(axis=1) * f.step - f.demand[:, t]
    return out


def _on_routes(lack: np.ndarray, rate: np.ndarray, share: np.ndarray, there: np.ndarray) -> np.ndarray:
    """Return products × routes: each route's rate in full, what each product lacks as far as its routes allow."""
    wanted = np.zeros(len(lack))
    for members, routes in _apart(share):
        wanted[members] = run_out_alike(lack[members], float(rate[routes].sum()))
        if wanted[members].sum() == 0:
            wanted[members] = there[members]
    cells = _balanced(wanted[:, None] * share * rate[None, :], wanted, rate)
    for k in np.flatnonzero((rate > 0) & (cells.sum(axis=0) <= 0)):
        cells[:, k] = share[:, k] if share[:, k].sum() > 0 else there
    return cells


def _apart(share: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return groups of products and the routes that only they share."""
    groups: list[tuple[set[int], set[int]]] = []
    for n, row in enumerate(share > 0):
        members, routes = {n}, set(np.flatnonzero(row).tolist())
        for group in [g for g in groups if g[1] & routes]:
            groups.remove(group)
            members, routes = members | group[0], routes | group[1]
        groups.append((members, routes))
    return [(np.array(sorted(m)), np.array(sorted(r), dtype=int)) for m, r in groups]


def _balanced(cells: np.ndarray, wanted: np.ndarray, rate: np.ndarray, rounds: int = 200) -> np.ndarray:
    """Return cells scaled to what products want and what routes make in turn, the routes last."""
    for _ in range(rounds):
        for axis, wish in ((1, wanted), (0, rate)):
            total = cells.sum(axis=axis)
            factor = np.divide(wish, total, out=np.zeros(len(wish)), where=total > 0)
            cells = cells * (factor[:, None] if axis == 1 else factor[None, :])
        if np.abs(cells.sum(axis=1) - wanted).max() < 1e-9:
            break
    return cells
