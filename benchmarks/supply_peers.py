"""The supply model of the benchmark written by hand in PuLP and in Pyomo, and instances for all three.

An instance has families that share lines of their plants, hire and lay off, work overtime, subcontract, hold stock for
a season and may be one month late. Only routes that are open become quantities here.
"""

from collections.abc import Callable
from functools import cached_property

import numpy as np
import pandas as pd
import xarray as xr

from sop_lib import supply_data

__all__ = ["PEERS", "changed", "instance"]

LINES = 2  # per plant
AMPLE, SCARCE = 1.35, 0.8  # capacity over the mean load of a line


def instance(families: int, plants: int, months: int, tight: bool, seed: int = 1) -> xr.Dataset:
    """Return a filled problem of that size; a tight one cannot serve all demand."""
    r = np.random.default_rng(seed)
    names = {"family": [f"F{n:04d}" for n in range(families)], "plant": [f"P{n}" for n in range(plants)]}
    at = {"month": pd.date_range("2026-11-01", periods=months, freq="MS"), "source": list(supply_data.SOURCES)}
    lines = [f"P{n // LINES} line {n % LINES}" for n in range(LINES * plants)]
    size, phase = r.uniform(50, 500, families), r.integers(0, 12, families)
    season = 1 + 0.4 * np.sin(2 * np.pi * (np.arange(months)[None, :] + phase[:, None]) / 12)
    demand = size[:, None] * season * r.uniform(0.8, 1.2, (families, months))
    route = r.random((families, plants)) < 0.5
    route[np.arange(families), r.integers(0, plants, families)] = True
    cost, usage = r.uniform(10, 50, families), r.uniform(0.05, 0.2, (LINES * plants, families))
    share = np.repeat((route / route.sum(axis=1, keepdims=True)).T, LINES, axis=0)
    capacity = (usage * share @ demand).mean(axis=1, keepdims=True) * (SCARCE if tight else AMPLE)
    hours = r.uniform(0.1, 0.5, (families, plants))
    made = cost[:, None] * r.uniform(0.9, 1.1, (families, plants))
    workers = (hours * share[::LINES].T * demand.mean(axis=1)[:, None]).sum(axis=0) / 160
    outside = np.repeat(1.6 * cost[:, None], plants, axis=1)
    bought = np.where(route, (0.03 if tight else 0.1) * size[:, None], 0.0)

    def cells(values, *dims: str) -> xr.DataArray:
        return xr.DataArray(np.asarray(values, dtype=float), dims=dims)

    return supply_data.filled(xr.Dataset(coords=names | at | {"resource": lines}).assign(
        demand=cells(demand, "family", "month"), opening_stock=cells(demand[:, 0] / 2, "family"),
        target=cells(demand * 0.2, "family", "month"), usage=cells(usage, "resource", "family"),
        limit=cells(np.stack([np.where(route, np.inf, 0.0)] * 2 + [bought], -1), "family", "plant", "source"),
        unit_cost=cells(np.stack([made, made, outside], -1), "family", "plant", "source"),
        labour_hours=cells(hours, "family", "plant"), hours_per_worker=160.0, overtime_per_worker=20.0,
        workers_opening=cells(workers, "plant"), wage=3000.0, overtime_rate=28.0, hiring_cost=2500.0,
        layoff_cost=3000.0, plant_of=("resource", [line.split()[0] for line in lines]),
        capacity=cells(np.repeat(capacity, months, axis=1), "resource", "month"),
        capacity_overtime=cells(np.repeat(0.05 * capacity, months, axis=1), "resource", "month"),
        holding_cost=cells(0.02 * cost, "family"), backlog_cost=cells(0.1 * cost, "family"),
        lost_cost=cells(cost * r.uniform(1.5, 2.5, families), "family"), below_cost=cells(0.096 * cost, "family"),
        backlog_months=1.0,
    ))  # fmt: skip


def changed(p: xr.Dataset, wide: bool = False) -> xr.Dataset:
    """Return the problem with a tenth less of the first line and a tenth more demand of the first family, or of all."""
    line, family = (
        xr.ones_like(p[d], dtype=float) if wide else (p[d] == p[d][0]) * 1.0 for d in ("resource", "family")
    )
    return p.assign(capacity=p["capacity"] * (1 - 0.1 * line), demand=p["demand"] * (1 + 0.1 * family))


class _Numbers:
    """The numbers of an instance as plain arrays and the sets to loop over."""

    def __init__(self, p: xr.Dataset) -> None:
        for name in p.data_vars:
            setattr(self, str(name), p[name].values)
        self.F, self.P, self.T, self.K = (range(p.sizes[d]) for d in ("family", "plant", "month", "resource"))
        self.S = range(len(supply_data.SOURCES))
        self.routes = [(f, q, s, t) for f, q, s, t in np.ndindex(p["limit"].shape) if self.limit[f, q, s, t] > 0]
        self.plant_at = [list(p["plant"].values).index(q) for q in self.plant_of]

    @cached_property
    def by(self) -> dict[str, dict]:
        """Return the open routes per family and month, and per plant, source and month."""
        family = {i: [] for i in _product(self.F, self.T)}
        plant = {(q, s, t): [] for q in self.P for s in self.S for t in self.T}
        for f, q, s, t in self.routes:
            family[f, t].append((f, q, s, t))
            plant[q, s, t].append((f, q, s, t))
        return {"family": family, "plant": plant}

    def make_cost(self, f: int, q: int, s: int, t: int) -> float:
        """Return the cost of a unit of a route, with the wages of overtime."""
        over = self.overtime_rate[q] * self.labour_hours[f, q] if s == 1 else 0.0
        return float(self.unit_cost[f, q, s, t] + over)

    def late_cost(self, f: int, t: int) -> float:
        """Return the cost of a unit owed for a month, at the end that of a lost one too."""
        return float(self.backlog_cost[f] + (self.lost_cost[f, t] if t == self.T[-1] else 0.0))

    def net(self, f: int, t: int) -> float:
        """Return the demand of a family and month less the opening stock."""
        return float(self.demand[f, t] - (0 if t else self.opening_stock[f]))

    def capacity_of(self, k: int, t: int, over: bool) -> float:
        """Return what a line gives in a month, with or without overtime."""
        return float(self.capacity[k, t] + (self.capacity_overtime[k, t] if over else 0.0))


def with_pulp(p: xr.Dataset, clock: Callable[[], float], solve: bool) -> dict:
    """Return seconds to build, solve and solve the changed instance, and the objective, in PuLP."""
    import pulp

    n, start = _Numbers(p), clock()
    lp, v = _pulp_columns(n, pulp)
    wanted, lines = _pulp_balance(n, lp, v, pulp), _pulp_lines(n, lp, v, pulp)
    _pulp_people(n, lp, v, pulp)
    solver = pulp.HiGHS(msg=False, threads=1)
    solver.createAndConfigureSolver(lp)
    solver.buildSolverModel(lp)
    out = {"build_s": clock() - start}
    if not solve:
        return out
    start = clock()
    lp.solverModel.run()
    out |= {"solve_s": clock() - start, "objective": lp.solverModel.getInfo().objective_function_value}
    start, other = clock(), _Numbers(changed(p))
    for (k, t, over), row in lines.items():
        row.changeRHS(other.capacity_of(k, t, over))
    for i, row in wanted.items():
        row.changeRHS(other.net(*i))
        v["late"][i].upBound = v["lost"][i].upBound = float(other.demand[i])
    lp.solve(pulp.HiGHS(msg=False, threads=1))
    return out | {"resolve_s": clock() - start, "changed_to": lp.objective.value()}


def _pulp_columns(n: _Numbers, pulp) -> tuple:
    """Return the problem with its objective, and the quantities by name."""

    def cells(name: str, places, high=None):
        return {i: pulp.LpVariable(f"{name}_{'_'.join(map(str, i))}", 0, high(i) if high else None) for i in places}

    ft, pt = list(_product(n.F, n.T)), list(_product(n.P, n.T))
    v = {
        "make": cells("make", n.routes, lambda i: n.limit[i] if np.isfinite(n.limit[i]) else None),
        "target": cells("target", ft, lambda i: n.target[i]), "above": cells("above", ft),
        "late": cells("late", ft, lambda i: n.demand[i]), "lost": cells("lost", ft, lambda i: n.demand[i]),
    } | {name: cells(name, pt) for name in ("workers", "hired", "left", "idle")}  # fmt: skip
    lp = pulp.LpProblem("supply", pulp.LpMinimize)
    lp += pulp.lpSum(
        [n.make_cost(*i) * x for i, x in v["make"].items()]
        + [(n.holding_cost[i] - n.below_cost[i]) * x for i, x in v["target"].items()]
        + [n.holding_cost[i] * x for i, x in v["above"].items()]
        + [n.late_cost(*i) * x for i, x in v["late"].items()]
        + [n.lost_cost[i] * x for i, x in v["lost"].items()]
        + [n.wage[i] * x for i, x in v["workers"].items()]
        + [n.hiring_cost[i[0]] * x for i, x in v["hired"].items()]
        + [n.layoff_cost[i[0]] * x for i, x in v["left"].items()]
    )
    return lp, v


def _pulp_balance(n: _Numbers, lp, v: dict, pulp) -> dict:
    """Add what is made, held, late and lost per family and month, and return those rows."""
    target, above, late, lost, routes = v["target"], v["above"], v["late"], v["lost"], n.by["family"]
    rows = {}
    for f, t in _product(n.F, n.T):
        before = [target[f, t - 1], above[f, t - 1], -late[f, t - 1]] if t else []
        terms = [v["make"][i] for i in routes[f, t]] + before
        rows[f, t] = pulp.lpSum([*terms, lost[f, t], -target[f, t], -above[f, t], late[f, t]]) == n.net(f, t)
        lp += rows[f, t]
    return rows


def _pulp_people(n: _Numbers, lp, v: dict, pulp) -> None:
    """Add who comes and goes, and the hours they work."""
    workers, by = v["workers"], n.by["plant"]
    for q, t in _product(n.P, n.T):
        before = workers[q, t - 1] if t else float(n.workers_opening[q])
        lp += workers[q, t] - before - v["hired"][q, t] + v["left"][q, t] == 0
        regular, over = (pulp.lpSum(n.labour_hours[i[0], q] * v["make"][i] for i in by[q, s, t]) for s in (0, 1))
        lp += regular + v["idle"][q, t] - n.hours_per_worker[q, t] * workers[q, t] == 0
        lp += over - n.overtime_per_worker[q, t] * workers[q, t] <= 0


def _pulp_lines(n: _Numbers, lp, v: dict, pulp) -> dict:
    """Add the load of each line within its capacity, with and without overtime, and return those rows."""
    by, rows = n.by["plant"], {}
    for (k, t), over in ((at, over) for at in _product(n.K, n.T) for over in (False, True)):
        sources, q = ((0, 1) if over else (0,)), n.plant_at[k]
        used = pulp.lpSum(n.usage[k, i[0], t] * v["make"][i] for s in sources for i in by[q, s, t])
        rows[k, t, over] = used <= n.capacity_of(k, t, over)
        lp += rows[k, t, over]
    return rows


def with_pyomo(p: xr.Dataset, clock: Callable[[], float], solve: bool) -> dict:
    """Return seconds to build, solve and solve the changed instance, and the objective, in Pyomo."""
    import pyomo.environ as pyo
    from pyomo.contrib.appsi.solvers.highs import Highs

    n, start = _Numbers(p), clock()
    m = _pyomo_columns(n, pyo)
    _pyomo_rows(n, m, pyo)
    solver = Highs()
    solver.highs_options = {"threads": 1}
    solver.config.load_solution = False
    solver.set_instance(m)
    out = {"build_s": clock() - start}
    if not solve:
        return out
    start = clock()
    objective = solver.solve(m).best_feasible_objective
    out |= {"solve_s": clock() - start, "objective": objective}
    start, other = clock(), _Numbers(changed(p))
    for i in m.capacity:
        m.capacity[i] = other.capacity_of(*i)
    for i in m.demand:
        m.demand[i], m.net[i] = float(other.demand[i]), other.net(*i)
    changed_to = solver.solve(m).best_feasible_objective
    return out | {"resolve_s": clock() - start, "changed_to": changed_to}


def _pyomo_columns(n: _Numbers, pyo):
    """Return the model with its quantities, the numbers that change, and its objective."""
    m = pyo.ConcreteModel()
    ft, pt = list(_product(n.F, n.T)), list(_product(n.P, n.T))
    kt = [(k, t, over) for k, t in _product(n.K, n.T) for over in (0, 1)]
    m.make = pyo.Var(n.routes, bounds=lambda m, *i: (0, float(n.limit[i]) if np.isfinite(n.limit[i]) else None))
    m.target = pyo.Var(ft, bounds=lambda m, *i: (0, float(n.target[i])))
    m.above = pyo.Var(ft, bounds=(0, None))
    m.demand = pyo.Param(ft, initialize={i: float(n.demand[i]) for i in ft}, mutable=True)
    m.net = pyo.Param(ft, initialize={i: n.net(*i) for i in ft}, mutable=True)
    m.late = pyo.Var(ft, bounds=lambda m, *i: (0, m.demand[i]))
    m.lost = pyo.Var(ft, bounds=lambda m, *i: (0, m.demand[i]))
    m.workers, m.hired, m.left, m.idle = (pyo.Var(pt, bounds=(0, None)) for _ in range(4))
    m.capacity = pyo.Param(kt, initialize={i: n.capacity_of(*i) for i in kt}, mutable=True)
    m.cost = pyo.Objective(expr=(
        pyo.quicksum(n.make_cost(*i) * m.make[i] for i in n.routes)
        + pyo.quicksum(float(n.holding_cost[i] - n.below_cost[i]) * m.target[i] for i in ft)
        + pyo.quicksum(float(n.holding_cost[i]) * m.above[i] for i in ft)
        + pyo.quicksum(n.late_cost(*i) * m.late[i] for i in ft)
        + pyo.quicksum(float(n.lost_cost[i]) * m.lost[i] for i in ft)
        + pyo.quicksum(float(n.wage[i]) * m.workers[i] for i in pt)
        + pyo.quicksum(float(n.hiring_cost[i[0]]) * m.hired[i] + float(n.layoff_cost[i[0]]) * m.left[i] for i in pt)
    ))  # fmt: skip
    return m


def _pyomo_rows(n: _Numbers, m, pyo) -> None:
    """Add balances, people with their hours, and the capacity of lines."""
    by, pt = n.by, list(_product(n.P, n.T))

    def balance(m, f, t):
        before = m.target[f, t - 1] + m.above[f, t - 1] - m.late[f, t - 1] if t else 0
        made = pyo.quicksum(m.make[i] for i in by["family"][f, t])
        held = m.target[f, t] + m.above[f, t] - m.late[f, t]
        return made + before + m.lost[f, t] - held == m.net[f, t]

    def hours(m, q, s, t):
        return pyo.quicksum(float(n.labour_hours[i[0], q]) * m.make[i] for i in by["plant"][q, s, t])

    def turnover(m, q, t):
        before = m.workers[q, t - 1] if t else float(n.workers_opening[q])
        return m.workers[q, t] - before - m.hired[q, t] + m.left[q, t] == 0

    def regular(m, q, t):
        return hours(m, q, 0, t) + m.idle[q, t] - float(n.hours_per_worker[q, t]) * m.workers[q, t] == 0

    def overtime(m, q, t):
        return hours(m, q, 1, t) - float(n.overtime_per_worker[q, t]) * m.workers[q, t] <= 0

    def line(m, k, t, over):
        sources, q = ((0, 1) if over else (0,)), n.plant_at[k]
        used = pyo.quicksum(float(n.usage[k, i[0], t]) * m.make[i] for s in sources for i in by["plant"][q, s, t])
        return used <= m.capacity[k, t, over]

    m.balance = pyo.Constraint(list(_product(n.F, n.T)), rule=balance)
    m.turnover, m.regular, m.overtime = (pyo.Constraint(pt, rule=rule) for rule in (turnover, regular, overtime))
    m.line = pyo.Constraint(list(m.capacity), rule=line)


def _product(*sets):
    return ((a, b) for a in sets[0] for b in sets[1])


PEERS: dict[str, Callable[[xr.Dataset, Callable[[], float], bool], dict]] = {"PuLP": with_pulp, "Pyomo": with_pyomo}
