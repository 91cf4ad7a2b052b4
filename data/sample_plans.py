"""What Alder Outdoor planned in twelve past cycles, and what people bring to this one."""

import numpy as np
import pandas as pd
from sample_facts import (
    MONTHS,
    OPTIMISM,
    PAST,
    REGIONS,
    SEASON,
)
from sample_tables import by_family, dates, grid
from sample_world import normal, whole


def statistical(orders: np.ndarray, known: int) -> np.ndarray:
    """Return 18 months from orders known so far: last two years' months carried on at the yearly drift, damped."""
    past = orders[:known].astype(float)
    drift = 1 + 0.6 * (past[-12:].sum(axis=0) / np.maximum(past[-24:-12].sum(axis=0), 1) - 1)
    year = 0.65 * past[-12:] * drift + 0.35 * past[-24:-12] * drift * drift
    return np.concatenate([year, year[:6] * drift])


def streams(orders: np.ndarray, known: int, rng) -> dict[str, np.ndarray]:
    """Return the three streams of a cycle; sales is always optimistic; consensus takes a fifth of it."""
    base = statistical(orders, known)
    hope = base * (1 + OPTIMISM) * (1 + 0.04 * normal(rng, *base.shape))
    return {"statistical": whole(base), "sales": whole(hope), "consensus": whole(0.8 * base + 0.2 * hope)}


def plan_frame(cycle: int, stream: str, measure: str, values: np.ndarray) -> pd.DataFrame:
    """Return one stream of one cycle as rows; values per month and family, and region where they have one."""
    out = grid(MONTHS[cycle : cycle + 18], SEASON, REGIONS if values.ndim == 3 else ["ALL"])
    return out.assign(cycle=dates(MONTHS[[cycle]])[0], stream=stream, measure=measure, quantity=values.ravel())


def past_plans(log: dict, rng) -> pd.DataFrame:
    """Return twelve cycles of plans, each made from what was known then."""
    orders, held = by_family(log["ordered"]), by_family(log["on_hand"])
    frames = []
    for cycle in range(PAST - 12, PAST):
        made = streams(orders, cycle, rng)
        frames += [plan_frame(cycle, stream, "demand", values) for stream, values in made.items()]
        demand = made["consensus"].sum(axis=2)
        stock = np.concatenate([held[cycle - 12 : cycle], held[cycle - 12 : cycle - 6]])
        supply = np.zeros_like(stock)
        have = held[cycle - 1]
        for t in range(18):
            supply[t] = np.clip(demand[t] + stock[t] - have, 0, None)
            have = stock[t] = have + supply[t] - demand[t]
        frames += [plan_frame(cycle, "consensus", "supply", supply), plan_frame(cycle, "consensus", "inventory", stock)]
    return pd.concat(frames)[["cycle", "stream", "measure", "month", "family", "region", "quantity"]]


def demand_inputs(log: dict, plan: pd.DataFrame, rng) -> pd.DataFrame:
    """Return what sales, finance and one customer bring to this cycle."""
    hope = plan_frame(PAST, "sales", "demand", streams(by_family(log["ordered"]), PAST, rng)["sales"])
    hope = hope.assign(author="Sales director", reason="Regional sales outlook")
    aim = plan[plan["month"] >= "2027-01-01"][["month", "family", "region", "quantity"]]
    aim = aim.assign(stream="finance", author="Finance manager", reason="Operating plan 2027")
    chain = hope[(hope["family"] == "Covers") & (hope["region"] == "East") & (hope["month"] >= "2027-03-01")]
    chain = chain.assign(stream="customer", quantity=chain["quantity"] + 420)
    chain = chain.assign(author="Key account manager East", reason="Listing at the DIY chain")
    out = pd.concat([hope, aim, chain]).assign(cycle="2026-11-01")
    return out[["cycle", "stream", "month", "family", "region", "quantity", "author", "reason"]]
