"""HiGHS at work for the supply model: solve, solve again from a basis, break ties, and ask how far a price holds.

A problem is solved in stages, each keeping the best of those before; the last is a fixed sum of all quantities that
leaves one optimum of many, so that the way it was reached does not matter. Rules come before all of them: none is
broken where none must be; else as little as the data allow, whatever money says.
Source of the stages: an optimal solution of one stage has every quantity and row with a price at its limit
(complementary slackness), so the next stage holds these and moves the others.
"""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace

import highspy
import numpy as np
from scipy.sparse import csc_array

__all__ = ["Aims", "Answer", "Limits", "price_range", "quiet", "settings_of", "solve"]

PRICED = 1e-6  # a smaller price is none
GAP = 1e-6  # whole numbers stop when they may be this much from the best
NODES = 2_000  # where whole numbers stop, if their gap is not closed before
IMPOSSIBLE = (highspy.HighsModelStatus.kInfeasible, highspy.HighsModelStatus.kUnboundedOrInfeasible)


@dataclass(frozen=True)
class Limits:
    """The least and most of every column and row."""

    low: np.ndarray
    high: np.ndarray
    row_low: np.ndarray
    row_high: np.ndarray


@dataclass(frozen=True)
class Aims:
    """What breaking a rule weighs per column; the costs of the stages in their order; the total that prices tell of.

    `ties` is a weight of its own for every column, which leaves one optimum of many.
    """

    rules: np.ndarray
    costs: list[np.ndarray]
    total: np.ndarray
    ties: np.ndarray


@dataclass(frozen=True)
class Answer:
    """Value of every column; price of every row, basis and limits of the stage of money; gap of whole numbers."""

    columns: np.ndarray
    prices: np.ndarray
    basis: highspy.HighsBasis
    limits: Limits
    gap: float = 0.0
    whole: bool = False


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """HiGHS writes two lines before it can be told not to."""
    kept = os.dup(1)
    with open(os.devnull, "w") as nothing:
        os.dup2(nothing.fileno(), 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


def settings_of(h: highspy.Highs, **options) -> None:
    """Set options of HiGHS; one it does not know is an error, not silence."""
    for name, value in options.items():
        if h.setOptionValue(name, value) != highspy.HighsStatus.kOk:
            raise RuntimeError(f"HiGHS does not know {name} = {value}")


def solve(
    h: highspy.Highs,
    limits: Limits,
    aims: Aims,
    method: str,
    basis: highspy.HighsBasis | None = None,
) -> Answer:
    """Return the best answer by the aims in their order; from a basis by the dual simplex."""
    whole = _whole(h)
    if len(whole):
        return _whole_numbers(h, limits, aims, whole)
    return _stages(h, limits, aims, method if basis is None else "simplex", basis)


def _begin(h: highspy.Highs, limits: Limits, aims: Aims, method: str, basis=None) -> tuple[Limits, list[np.ndarray]]:
    """Solve the first stage, nothing broken where that can be; return the limits it keeps and the stages there are."""
    unbroken = replace(limits, high=np.where(aims.rules > 0, limits.low, limits.high))
    ways = [(unbroken, aims.costs), (limits, [aims.rules, *aims.costs])] if aims.rules.any() else [(limits, aims.costs)]
    for held, costs in ways:
        h.clearSolver()
        _hold(h, held)
        if basis is not None:
            h.setBasis(basis)
        settings_of(h, solver=method, simplex_strategy=1, presolve="choose")
        _cost(h, costs[0])
        if _run(h, must=held is limits):
            break
    return held, costs


def _stages(h: highspy.Highs, limits: Limits, aims: Aims, method: str, basis=None) -> Answer:
    """Return the answer after all stages; the first runs by the method, the others go on from it."""
    limits, costs = _begin(h, limits, aims, method, basis)
    for cost in costs[1:]:
        limits = _face(h, limits)
        _cost(h, cost)
        _primal(h)
    found = h.getSolution()
    prices = np.array(found.row_dual) if costs[-1] is aims.total else _prices(h, aims.total)
    answer = Answer(np.array(found.col_value), prices, h.getBasis(), limits)
    return replace(answer, columns=_untied(h, limits, aims.ties))


def _prices(h: highspy.Highs, total: np.ndarray) -> np.ndarray:
    """Return what the total changes by per unit of each row's limit, at the basis at hand, which another aim chose."""
    basic = np.array(h.getBasicVariables()[1])
    return np.array(h.getBasisTransposeSolve(np.where(basic >= 0, total[basic], 0.0))[1])


def _whole_numbers(h: highspy.Highs, limits: Limits, aims: Aims, whole: np.ndarray) -> Answer:
    """Return the answer in whole numbers; its prices are those of the plan with these whole numbers given."""
    settings_of(h, mip_rel_gap=GAP, mip_max_nodes=NODES)
    every, gap, rows = np.arange(h.getNumCol(), dtype=np.int32), 0.0, h.getNumRow()
    _, costs = _begin(h, limits, aims, "choose")
    for n, cost in enumerate(costs):
        if n:
            _cost(h, cost)
            _run(h)
        gap = max(gap, h.getInfo().mip_gap)
        if n + 1 < len(costs):
            best = h.getInfo().objective_function_value
            h.addRow(-np.inf, best + PRICED * max(1.0, abs(best)), len(every), every, cost)
    value = np.round(np.array(h.getSolution().col_value)[whole])
    kept = Limits(limits.low.copy(), limits.high.copy(), limits.row_low, limits.row_high)
    kept.low[whole] = kept.high[whole] = value
    kinds = np.full(len(whole), int(highspy.HighsVarType.kContinuous), dtype=np.uint8)
    h.changeColsIntegrality(len(whole), whole.astype(np.int32), kinds)
    h.deleteRows(h.getNumRow() - rows, np.arange(rows, h.getNumRow(), dtype=np.int32))
    answer = _stages(h, kept, aims, "simplex")
    h.changeColsIntegrality(len(whole), whole.astype(np.int32), kinds + int(highspy.HighsVarType.kInteger))
    return replace(answer, gap=gap, whole=True)


def _untied(h: highspy.Highs, limits: Limits, ties: np.ndarray) -> np.ndarray:
    """Return the one optimum with the least fixed sum of all quantities."""
    _face(h, limits)
    _cost(h, ties)
    _primal(h)
    return np.array(h.getSolution().col_value)


def _primal(h: highspy.Highs) -> None:
    """Go on from the basis at hand, which any cost leaves feasible."""
    settings_of(h, solver="simplex", simplex_strategy=4, presolve="off")
    _run(h)


def _run(h: highspy.Highs, must: bool = True) -> bool:
    """Solve, if it must be once more from nothing; return whether there is an answer, an error where one must be."""
    h.run()
    if not _solved(h) and (must or h.getModelStatus() not in IMPOSSIBLE):
        h.clearSolver()
        settings_of(h, solver="choose", simplex_strategy=1, presolve="on")
        h.run()
    if must and not _solved(h):
        status = h.modelStatusToString(h.getModelStatus())
        raise RuntimeError(f"the supply model ended {status}; it should solve for any data")
    return _solved(h)


def _solved(h: highspy.Highs) -> bool:
    """Return whether an optimum was found, or whole numbers within a gap that is known."""
    status = h.getModelStatus()
    stopped = status == highspy.HighsModelStatus.kSolutionLimit and np.isfinite(h.getInfo().mip_gap)
    return status == highspy.HighsModelStatus.kOptimal or stopped


def _cost(h: highspy.Highs, cost: np.ndarray) -> None:
    h.changeColsCost(len(cost), np.arange(len(cost), dtype=np.int32), cost)


def _hold(h: highspy.Highs, limits: Limits) -> None:
    columns, rows = (np.arange(len(x), dtype=np.int32) for x in (limits.low, limits.row_low))
    h.changeColsBounds(len(columns), columns, limits.low, limits.high)
    h.changeRowsBounds(len(rows), rows, limits.row_low, limits.row_high)


def _face(h: highspy.Highs, limits: Limits) -> Limits:
    """Hold everything that has a price where it is: what is left is equally good."""
    found = h.getSolution()
    value, row = np.array(found.col_value), np.array(found.row_value)
    at, at_row = (np.abs(np.array(d)) > PRICED for d in (found.col_dual, found.row_dual))
    held = Limits(
        np.where(at, value, limits.low), np.where(at, value, limits.high),
        np.where(at_row, row, limits.row_low), np.where(at_row, row, limits.row_high),
    )  # fmt: skip
    _hold(h, held)
    return held


def _whole(h: highspy.Highs) -> np.ndarray:
    kinds = h.getLp().integrality_
    return np.flatnonzero([k == highspy.HighsVarType.kInteger for k in kinds]) if kinds else np.array([], dtype=int)


def price_range(h: highspy.Highs, cost: np.ndarray, answer: Answer, groups: list[np.ndarray]) -> np.ndarray:
    """Return, per group of rows whose limits move together, how far down and up they may move at the same prices."""
    h.clearSolver()
    _hold(h, answer.limits)
    _cost(h, cost)
    h.setBasis(answer.basis)
    settings_of(h, solver="simplex", simplex_strategy=1, presolve="off")
    _run(h)
    matrix, found = h.getLp().a_matrix_, h.getSolution()
    a = csc_array((matrix.value_, matrix.index_, matrix.start_), shape=(h.getNumRow(), h.getNumCol()))
    basic, value = np.array(h.getBasicVariables()[1]), np.array(found.col_value)
    row_value = np.array(found.row_value)
    in_basis = np.zeros(len(row_value), dtype=bool)
    in_basis[-1 - basic[basic < 0]] = True
    out = []
    for rows in groups:
        moved = np.zeros(len(row_value))
        moved[rows] = 1.0
        step = np.zeros(len(value))
        step[basic[basic >= 0]] = h.getBasisSolve(np.where(in_basis, 0.0, moved))[1][basic >= 0]
        limits, room = answer.limits, (a @ step - moved)[in_basis]
        down, up = _room(value, step, limits.low, limits.high)
        low, high = limits.row_low[in_basis], limits.row_high[in_basis]
        row_down, row_up = _room(row_value[in_basis], room, low, high)
        out.append((max(down, row_down), min(up, row_up)))
    return np.array(out).reshape(-1, 2)


def _room(value: np.ndarray, step: np.ndarray, low: np.ndarray, high: np.ndarray) -> tuple[float, float]:
    """Return how far down and up a move goes until the first value that it takes along meets a limit."""
    big = np.abs(step) > 1e-9
    if not big.any():
        return -np.inf, np.inf
    value, step, low, high = (x[big] for x in (value, step, low, high))
    to_low, to_high = np.minimum(low - value, 0.0) / step, np.maximum(high - value, 0.0) / step
    up, down = np.where(step > 0, to_high, to_low), np.where(step > 0, to_low, to_high)
    return float(down.max()), float(up.min())
