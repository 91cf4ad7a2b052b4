"""A shortage shared among its limits: Shapley values per set of limits and families that hang together.

Limits and families hang together where a limit has a price on a family's way, or lifting it serves the family. Sets
that share nothing are lifted in the same plans, the first limit of each together, and so on, so that the plans to be
solved are as many as the parts of the largest set. In a set of too many limits those that no family has in common are
lifted together; if that leaves too many, those of a cause are, and a family's part is split among its own limits alone.
Source: Shapley (1953), "A value for n-person games".
"""

from collections.abc import Callable, Iterable
from functools import partial
from itertools import combinations
from math import comb

import numpy as np

from sop_lib.lifting import Limit

__all__ = ["shapley", "shares", "together"]

ALONE = 1e-3  # of a shortage; what a limit frees alone and is less is none

Lifted = Callable[[Iterable[Limit]], np.ndarray]


def shapley(worth: Callable[[tuple[int, ...]], np.ndarray], players: int) -> np.ndarray:
    """Return each player's part of what all of them free, per cell: its average over all orders of lifting.

    `worth` gives the shortage per cell when some players, in rising order, are lifted. A cell is as short as under
    the best part of these players; where a part leaves nothing short, more of them are not asked.

    >>> left = {(): 10.0, (0,): 10.0, (1,): 4.0, (0, 1): 0.0}
    >>> shapley(lambda lifted: np.array([left[lifted]]), 2).ravel().tolist()
    [2.0, 8.0]
    """
    value: dict[tuple[int, ...], np.ndarray] = {(): worth(())}
    parts = np.zeros((players, *value[()].shape))
    for size in range(1, players + 1):
        for lifted in combinations(range(players), size):
            before = [value[tuple(x for x in lifted if x != n)] for n in lifted]
            least = np.minimum.reduce(before)
            value[lifted] = np.minimum(least, worth(lifted)) if least.any() else least
            for n, was in zip(lifted, before, strict=True):
                parts[n] += (was - value[lifted]) / (players * comb(players - 1, size - 1))
    return parts


def together(links: np.ndarray) -> list[tuple[list[int], np.ndarray]]:
    """Return the sets of limits that hang together, each with its families; `links` is limits x families.

    >>> [(limits, families.tolist()) for limits, families in together(np.array([[1, 0], [0, 1], [1, 0]]) > 0)]
    [([0, 2], [True, False]), ([1], [False, True])]
    """
    out: list[tuple[list[int], np.ndarray]] = []
    left = set(range(len(links)))
    while left:
        limits = {min(left)}
        families: np.ndarray = np.any(links[sorted(limits)], axis=0)
        while more := set(np.flatnonzero(links[:, families].any(axis=1)).tolist()) - limits:
            limits |= more
            families = np.any(links[sorted(limits)], axis=0)
        out.append((sorted(limits), families))
        left -= limits
    return out


def shares(found: list[Limit], prices: np.ndarray, short: np.ndarray, lift: Lifted, most: int) -> dict:
    """Return units per limit, family and month, that add up to what lifting the limits frees.

    `prices` is limits x families: above zero where a limit stands on a way of the family, by what it costs there.
    `lift` gives the shortage per family and month with some limits lifted; up to `most` limits are shared exactly.
    """
    sets = [([found[n] for n in limits], limits, families) for limits, families in together(prices > 0)]
    groups = [_groups(own, prices[limits], short * families[:, None], lift, most) for own, limits, families in sets]

    def left(chosen: tuple[int, ...]) -> np.ndarray:
        return lift(x for of in groups for n in chosen if n < len(of) for x in of[n])

    out: dict[Limit, np.ndarray] = {}
    for of, (own, limits, families) in zip(groups, sets, strict=True):
        each = shapley(partial(_here, left, families), len(of))
        weights = {limit: prices[n] for limit, n in zip(own, limits, strict=True)}
        out |= _split(of, each, short, weights, lift)
    return out


def _here(left: Callable, families: np.ndarray, chosen: tuple[int, ...]) -> np.ndarray:
    return left(chosen) * families[:, None]


def _groups(own: list[Limit], prices: np.ndarray, short: np.ndarray, lift: Lifted, most: int) -> list[list[Limit]]:
    """Return the limits one by one if they are few, else those without a family in common together, else by cause."""
    if len(own) <= most:
        return [[limit] for limit in own]
    apart = _apart(prices > 0)
    if len(apart) <= most:
        return [[own[n] for n in group] for group in apart]
    by_cause = [[x for x in own if x[0] == cause] for cause in sorted({cause for cause, _ in own})]
    freed = [float((short - np.minimum(lift(group), short)).sum()) for group in by_cause]
    ranked = [by_cause[n] for n in np.argsort([-round(f, 6) for f in freed], kind="stable")]
    last = [limit for group in ranked[most - 1 :] for limit in group]
    return [*ranked[: most - 1], *([last] if last else [])]


def _apart(links: np.ndarray) -> list[list[int]]:
    """Return the limits in groups in which no two share a family; those with most families first.

    >>> _apart(np.array([[1, 0], [1, 1], [0, 1]]) > 0)
    [[1], [0, 2]]
    """
    groups: list[list[int]] = []
    for n in np.argsort(-links.sum(axis=1), kind="stable").tolist():
        free = [group for group in groups if not (links[group].any(axis=0) & links[n]).any()]
        if free:
            free[0].append(n)
        else:
            groups.append([n])
    return groups


def _split(groups: list[list[Limit]], each: np.ndarray, short: np.ndarray, weights: dict, lift: Lifted) -> dict:
    """Return the parts of groups by limit, per family among the limits in its way alone.

    A part of a group without such a limit goes to those of the other groups, as they share the rest.
    """
    out: dict[Limit, np.ndarray] = {}
    for group, part in zip(groups, each, strict=True):
        ways = np.array([weights[limit] for limit in group])[:, :, None]
        alone = np.array([short - lift([limit]) for limit in group]) * (ways > 0) if len(group) > 1 else ways + 0 * part
        by = np.where(alone.sum(axis=0) > ALONE * short, alone, ways)
        whole = by.sum(axis=0)
        own = np.divide(by, whole, out=np.zeros(by.shape), where=whole > 0)
        out |= {limit: share * part for limit, share in zip(group, own, strict=True)}
    freed, told = each.sum(axis=0), sum(out.values(), start=np.zeros_like(short))
    even = np.array([weights[limit] > 0 for limit in out])[:, :, None]
    even = even / np.maximum(even.sum(axis=0), 1)
    scale = np.divide(freed, told, out=np.zeros_like(told), where=told > 0)
    return {limit: np.where(told > 0, part * scale, even[n] * freed) for n, (limit, part) in enumerate(out.items())}
