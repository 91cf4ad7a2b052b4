"""Alder Outdoor at work: what customers want, what the plants make, what ships. Each injected problem is a function."""

import numpy as np
import pandas as pd
from sample_facts import (
    CLOSED,
    CODE,
    DRIFT,
    EVENTS,
    FAM,
    INTERMITTENT,
    LEVEL_SHIFT,
    LIFE,
    MONTHS,
    OVERHAUL,
    PAST,
    PRODUCTS,
    REGIONS,
    RESOURCES,
    RETURNS,
    SEASON,
    STOCK_OUTS,
    SUBCONTRACT,
    SUCCESSOR,
    UNEXPLAINED,
    P,
    R,
)


def at(month: str) -> int:
    """Return the position of a month in MONTHS."""
    return int(MONTHS.get_loc(f"{month}-01"))


def normal(rng, *shape) -> np.ndarray:
    """Return bell-shaped noise, mean 0 and deviation 1: twelve uniforms added, the same on every processor."""
    total = np.zeros(shape)
    for _ in range(12):
        total = total + rng.random(shape)
    return total - 6.0


def whole(values) -> np.ndarray:
    """Return values rounded half up, as integers."""
    return np.floor(np.asarray(values, dtype=float) + 0.5).astype(int)


def pick(family: str) -> np.ndarray:
    """Return which products belong to a family."""
    return (PRODUCTS["family"] == family).to_numpy()


def spread(wanted: np.ndarray, total: np.ndarray) -> np.ndarray:
    """Return integer shares of each row's total in proportion to `wanted`; they sum to it exactly."""
    cumulated = wanted.cumsum(axis=1)
    steps = cumulated * total[:, None] // np.maximum(cumulated[:, -1:], 1)
    return np.diff(steps, axis=1, prepend=0)


# ---- demand -------------------------------------------------------------------------------------------------------


def working_days(plant: str = "ALL") -> np.ndarray:
    """Return working days per month: Mondays to Fridays without fixed holidays; Tarn closes a week in August."""
    years = range(2020, 2030)
    holidays = [f"{y}-{d}" for y in years for d in ("01-01", "01-06", "05-01", "10-03", "11-01", "12-25", "12-26")]
    first = MONTHS.to_numpy().astype("datetime64[D]")
    last = (MONTHS + pd.offsets.MonthBegin(1)).to_numpy().astype("datetime64[D]")
    days = np.busday_count(first, last, holidays=holidays)
    return days - np.where((MONTHS.month == 8) & (plant == "Tarn"), 5, 0)


def life(code: str) -> np.ndarray:
    """Return a product's life as a rate of its full pace: ramp of a launch, fade of a phase-out."""
    begin, end = LIFE.get(code, ("", ""))
    rate, t = np.ones(len(MONTHS)), np.arange(len(MONTHS))
    if begin:
        takes_over = code in SUCCESSOR.values()
        rate = np.clip((0.7 if takes_over else 0.3) + 0.12 * (t - at(begin)), 0, 1) * (t >= at(begin))
    if end:
        rate = np.where(t > at(end), 0.0, np.clip(0.4 + 0.15 * (at(end) - t), 0, 1))
    return rate


def trend() -> np.ndarray:
    """Return growth per month and product; Lighting drifts below budget, one product steps up."""
    years = (np.arange(len(MONTHS)) - at("2026-06")) / 12
    rate = 1 + years[:, None] * FAM["growth"].to_numpy()
    since = np.clip(np.arange(len(MONTHS)) - at(DRIFT[1]), 0, None) / 12
    rate = rate * np.where(pick(DRIFT[0]), 1 + DRIFT[2] * since[:, None], 1.0)
    product, month, factor = LEVEL_SHIFT
    rate[: at(month), CODE[product]] /= factor
    return rate


def event_effect(expected: np.ndarray, events: pd.DataFrame) -> np.ndarray:
    """Return units that events add per month, product and region."""
    extra = np.zeros_like(expected)
    for e in events.itertuples():
        rows = slice(at(e.from_month[:7]), at(e.to_month[:7]) + 1 if e.to_month[:7] <= "2028-12" else None)
        who = [CODE[e.product]] if isinstance(e.product, str) else np.flatnonzero(pick(e.family))
        where = [list(REGIONS).index(e.region)] if isinstance(e.region, str) else range(R)
        cells = np.ix_(range(len(MONTHS))[rows], who, where)
        extra[cells] += e.uplift_units if e.uplift_rate != e.uplift_rate else e.uplift_rate * expected[cells]
    return extra


def expected_demand(rng) -> np.ndarray:
    """Return mean demand per month, product and region, events of the past included."""
    season = np.array([SEASON[f] for f in PRODUCTS["family"]])[:, MONTHS.month - 1].T
    alive = np.array([life(code) for code in PRODUCTS["product"]]).T
    standing = PRODUCTS["weight"].where(~PRODUCTS["product"].isin(["HEA-06", "BBQ-08", "FUR-09"]), 0)
    total = standing.groupby(PRODUCTS["family"]).transform("sum")
    pace = (FAM["units"] * PRODUCTS["weight"] / total / 12).to_numpy()
    taste = np.array(list(REGIONS.values())) * (1 + 0.12 * normal(rng, P, R))
    taste = taste / taste.sum(axis=1, keepdims=True)
    days = 1 + 0.5 * (working_days() / 20.7 - 1)
    mean = (season * trend() * alive * pace * days[:, None])[:, :, None] * taste
    return mean + event_effect(mean, EVENTS[EVENTS["to_month"] < "2026-11"])


def warmth(rng) -> np.ndarray:
    """Return degrees above the usual per month and region."""
    common = normal(rng, len(MONTHS), 1)
    return np.round(1.1 * common + 0.5 * normal(rng, len(MONTHS), R), 1)


def wanted_demand(expected: np.ndarray, degrees: np.ndarray, rng) -> np.ndarray:
    """Return what customers wanted: mean, warm or cold months, slow waves per family, noise; spares come in lumps."""
    wave, state = np.zeros((PAST, len(SEASON))), np.zeros(len(SEASON))
    for t in range(PAST):
        state = 0.6 * state + 0.025 * normal(rng, len(SEASON))
        wave[t] = state
    rate = 1 + wave[:, [list(SEASON).index(f) for f in PRODUCTS["family"]]][:, :, None]
    rate = rate + FAM["warmth"].to_numpy()[:, None] * degrees[:PAST, None, :]
    rate = rate + 0.06 * normal(rng, PAST, P)[:, :, None] + 0.10 * normal(rng, PAST, P, R)
    hit = rng.random((PAST, P, R)) < INTERMITTENT
    lumps = np.where(hit, np.clip(1 + 0.5 * normal(rng, PAST, P, R), 0.2, None) / INTERMITTENT, 0.0)
    rate = np.where(pick("Spares")[:, None], lumps, np.clip(rate, 0.3, None))
    return whole(expected[:PAST] * rate)


# ---- supply -------------------------------------------------------------------------------------------------------


def capacity(overhaul: bool) -> dict[str, np.ndarray]:
    """Return hours per month of each shared resource; the press line is overhauled in spring 2027."""
    hours = {r: whole(daily * working_days(plant)) for r, (plant, _, daily, _) in RESOURCES.items()}
    resource, begin, end, left = OVERHAUL
    if overhaul:
        window = slice(at(begin), at(end) + 1)
        hours[resource][window] = whole(hours[resource][window] * left)
    return hours


def strain(units: np.ndarray, t: int, hours: dict[str, np.ndarray]) -> np.ndarray:
    """Return load over capacity per product: of the fullest resource it uses in month t."""
    rate = np.zeros(P)
    for resource, (_, column, _, _) in RESOURCES.items():
        usage = PRODUCTS[column].to_numpy()
        rate = np.maximum(rate, np.where(usage > 0, (usage * units).sum() / hours[resource][t], 0.0))
    return rate


def levelled_plan(mean: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return planned output and stock per month and product: cover for coming months, peaks made earlier."""
    hours, cover = capacity(overhaul=False), FAM["cover"].to_numpy()
    ahead = np.vstack([mean[1:], mean[-12:-11]])
    stock = cover * ahead
    output = np.clip(mean + np.diff(stock, axis=0, prepend=stock[:1]), 0, None)
    for t in range(len(MONTHS) - 1, 0, -1):
        kept = output[t] / np.maximum(strain(output[t], t, hours) / 0.88, 1)
        output[t - 1] += output[t] - kept
        output[t] = kept
    return output, stock[0] + (output - mean).cumsum(axis=0)


def disruption() -> np.ndarray:
    """Return the share of supply that arrives per month and product: stock-outs that hide demand."""
    share = np.ones((PAST, P))
    for product, begin, end, left in STOCK_OUTS:
        share[at(begin) : at(end) + 1, CODE[product]] = left
    return share


def returned() -> np.ndarray:
    """Return units that came back per month, product and region."""
    back = np.zeros((PAST, P, R), dtype=int)
    for product, month, region, units in RETURNS:
        back[at(month), CODE[product], list(REGIONS).index(region)] = units
    return back


def stock_counts(rng) -> np.ndarray:
    """Return booked differences of the yearly count each January: a few units."""
    found = whole(6 * normal(rng, PAST, P)) * (CLOSED.month == 1)[:, None]
    return np.where(rng.random((PAST, P)) < 0.5, found, 0)


LOG = ("made", "subcontracted", "adjusted", "on_hand", "backlog", "ordered", "shipped")


def month_of_supply(need: np.ndarray, share: np.ndarray, t: int) -> tuple[np.ndarray, np.ndarray]:
    """Return units made and subcontracted of what is needed: within 94 % of capacity, and only what arrives."""
    made = whole(need / np.maximum(strain(need, t, capacity(overhaul=False)) / 0.94, 1) * share)
    most = PRODUCTS["family"].map(SUBCONTRACT).fillna(0).to_numpy() // 8
    return made, np.minimum(whole(need * share) - made, most).astype(int)


def month_of_sales(stock: np.ndarray, owed: np.ndarray, wanted: np.ndarray, waits: np.ndarray, cut: np.ndarray):
    """Return what is ordered and shipped per product and region; without supply, customers order only what is there."""
    asked = owed + wanted - np.where(cut, 0, waits)
    sent = spread(asked, np.minimum(stock, asked.sum(axis=1)))
    return np.where(cut, np.clip(sent - owed, 0, None), wanted), sent


def month_end_orders(wanted: np.ndarray, rng) -> np.ndarray:
    """Return orders that come too late in a month to ship in it: a seventh, in three months of ten."""
    caught = rng.random(wanted.shape) < 0.3
    return np.floor(wanted * caught * (0.10 + 0.08 * rng.random(wanted.shape))).astype(int)


def run_factory(mean: np.ndarray, wanted: np.ndarray, rng) -> dict[str, np.ndarray]:
    """Return 72 months of the company at work: made, subcontracted, ordered, shipped, on hand and backlog."""
    (plan, target), share, back, counted = levelled_plan(mean), disruption(), returned(), stock_counts(rng)
    waits = month_end_orders(wanted, rng)
    log: dict[str, list] = {name: [] for name in LOG}
    stock, owed = whole(target[0]), np.zeros((P, R), dtype=int)
    for t in range(PAST):
        need = np.clip(plan[t] + 0.8 * (target[max(t - 1, 0)] - stock + owed.sum(axis=1)), 0, None)
        made, outside = month_of_supply(need * (mean[t] + plan[t] > 0), share[t], t)
        adjusted = np.maximum(np.where(share[t] < 1, 0, counted[t]), -stock)
        stock = stock + made + outside + adjusted
        taken, sent = month_of_sales(stock, owed, wanted[t], waits[t], (share[t] < 1)[:, None])
        owed, stock = owed + taken - sent, stock - sent.sum(axis=1) + back[t].sum(axis=1) + unexplained(t)
        row = (made, outside, adjusted, stock, owed, taken - back[t], sent - back[t])
        for values, kept in zip(row, log.values(), strict=True):
            kept.append(values)
    return {name: np.array(values) for name, values in log.items()}


def unexplained(t: int) -> np.ndarray:
    """Return stock that vanished without a booking: one product in one month."""
    product, month, units = UNEXPLAINED
    return np.where(np.arange(P) == CODE[product], units * (t == at(month)), 0)
