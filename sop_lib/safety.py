"""Safety stock: what it takes for a cycle service or a fill rate, and what a stock gives; demand is normal.

Quantities are in units, a spread is the standard deviation of demand over the lead time, in units.
Source: Chopra and Meindl, *Supply Chain Management*, "Managing uncertainty in a supply chain: safety inventory".
"""

from math import exp, pi, sqrt
from statistics import NormalDist

__all__ = [
    "cycle_service", "fill_rate", "for_cycle_service", "for_fill_rate", "loss", "lot_and_reorder_point", "spread",
]  # fmt: skip

NORMAL = NormalDist()
WIDE = 8.0  # standard deviations beyond which nothing is left


def spread(sd: float, lead_time: float = 1.0, mean: float = 0.0, lead_time_sd: float = 0.0) -> float:
    """Return the standard deviation of demand over a lead time that may itself vary, in units.

    `mean` and `sd` are of demand in one period, lead times in periods; periods do not depend on each other.

    >>> round(spread(500, lead_time=2), 1)
    707.1
    """
    return sqrt(lead_time * sd**2 + mean**2 * lead_time_sd**2)


def loss(z: float) -> float:
    """Return the units short per cycle when one standard deviation is one unit and stock stands z above the mean.

    >>> round(loss(0.0), 4)
    0.3989
    """
    return exp(-(z**2) / 2) / sqrt(2 * pi) - z * (1 - NORMAL.cdf(z))


def for_cycle_service(service: float, spread: float) -> float:
    """Return the safety stock with which a share `service` of cycles (0-1) has no shortage; 0 for one half or less.

    >>> round(for_cycle_service(0.9, 707.1068))
    906
    """
    _share(service, "cycle service")
    return max(NORMAL.inv_cdf(service), 0.0) * spread


def for_fill_rate(rate: float, lot: float, spread: float) -> float:
    """Return the safety stock with which a share `rate` of units (0-1) is served from stock, lot by lot.

    Never below 0: where lots alone serve more than the rate, none is needed, and `fill_rate(0, ...)` says how much.

    >>> round(for_fill_rate(0.975, 10_000, 707.1068)), for_fill_rate(0.95, 10_000, 100.0)
    (67, 0.0)
    """
    _share(rate, "fill rate")
    if spread <= 0:
        return 0.0
    return max(_z_of_loss((1 - rate) * lot / spread), 0.0) * spread


def cycle_service(safety: float, spread: float) -> float:
    """Return the share of cycles without a shortage (0-1) that a safety stock gives.

    >>> round(cycle_service(1000, 707.1068), 2)
    0.92
    """
    return NORMAL.cdf(safety / spread) if spread > 0 else float(safety >= 0)


def fill_rate(safety: float, lot: float, spread: float) -> float:
    """Return the share of units served from stock (0-1) that a safety stock and a lot size give.

    >>> round(fill_rate(1000, 10_000, 707.1068), 4)
    0.9975
    """
    return 1 - spread * loss(safety / spread) / lot if spread > 0 else 1.0


def lot_and_reorder_point(
    annual_demand: float, setup: float, holding: float, shortage: float, mean: float, spread: float
) -> dict[str, float]:
    """Return the lot, reorder point and safety stock in units, and yearly cost in money, that cost least together.

    `holding` is money per unit and year, `shortage` per unit short; `mean` and `spread` are of lead-time demand.
    Raises ValueError where running short is so cheap that no reorder point is best.
    Source: Hadley and Whitin, *Analysis of Inventory Systems*; Nahmias, *Production and Operations Analysis*, ch. 5.

    >>> found = lot_and_reorder_point(200, 50, 2, 25, mean=100, spread=25)
    >>> round(found["lot"]), round(found["reorder_point"])
    (111, 143)
    """
    lot = sqrt(2 * annual_demand * setup / holding)
    for _ in range(200):
        short = lot * holding / (shortage * annual_demand)
        if short >= 1:
            raise ValueError("running short costs less than holding: no reorder point is best")
        z, before = NORMAL.inv_cdf(1 - short), lot
        lot = sqrt(2 * annual_demand * (setup + shortage * spread * loss(z)) / holding)
        if abs(lot - before) < 1e-10 * lot:
            break
    missed = shortage * annual_demand * spread * loss(z) / lot
    cost = holding * (lot / 2 + z * spread) + setup * annual_demand / lot + missed
    return {"lot": lot, "reorder_point": mean + z * spread, "safety": z * spread, "cost": cost}


def _share(value: float, name: str) -> None:
    if not 0 < value < 1:
        raise ValueError(f"{name} {value}: give a share between 0 and 1")


def _z_of_loss(wanted: float) -> float:
    """Return the z whose loss is as wanted: halving, since loss only falls."""
    low, high = -wanted - 1.0, WIDE
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if loss(middle) > wanted else (low, middle)
    return (low + high) / 2
