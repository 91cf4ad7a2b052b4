"""Measure the causes of shortages: whether their shares add up on random problems, and how long they take.

python -m benchmarks.causes [--instances 200] [--sizes 12x3x24 100x5x36]

An instance has two or three families, two plants, four or five months and, at random, lines, people, subcontractors,
materials with lead times, storage, firm output, make to order, strategies, limits on changes of rate, and either
objective. Its shares must add up to the units that its inventory rows count as late or lost, per family and month.
Sizes are families x plants x months of the tight problems of `benchmarks.supply_speed`; plans are counted as solved.
"""

import argparse
import sys
import time

import numpy as np
import pandas as pd
import xarray as xr

from benchmarks.supply_peers import instance as tight
from sop_lib import causes, finance, supply_data, supply_model, supply_tables
from sop_lib.supply_data import FREE, Switches

EXACT = 1e-6


def instance(seed: int) -> tuple[xr.Dataset, Switches]:
    """Return a random problem, with every kind of limit in some of them, and its switches."""
    r = np.random.default_rng(seed)
    sizes = {"family": int(r.integers(2, 4)), "plant": 2, "month": int(r.integers(4, 6)), "source": 3, "resource": 2}
    sizes |= {"material": int(r.integers(0, 3)), "store": int(r.integers(0, 2))}
    coords = {d: [f"{d} {n}" for n in range(size)] for d, size in sizes.items()}
    coords |= {"month": list(pd.date_range("2026-11-01", periods=sizes["month"], freq="MS"))}
    coords |= {"source": list(supply_data.SOURCES)}

    def some(low: float, high: float, *dims: str) -> xr.DataArray:
        return xr.DataArray(r.uniform(low, high, [sizes[d] for d in dims]).round(1), dims=dims)

    def or_not(cells: xr.DataArray, chance: float, instead: float) -> xr.DataArray:
        return cells.where(xr.DataArray(r.random(cells.shape) < chance, dims=cells.dims), instead)

    month = xr.DataArray(np.arange(sizes["month"]), dims="month")
    lead = or_not(some(1, 3, "material").round(0), 0.7, 0.0)
    limit = or_not(some(5, 60, "family", "plant", "source"), 0.5, 0.0)
    inside = xr.DataArray([True, True, False], dims="source")
    p = xr.Dataset(coords={d: pd.Index(c, name=d, dtype=None if c else object) for d, c in coords.items()}).assign(
        demand=or_not(some(10, 200, "family", "month"), 0.9, 0.0), opening_stock=some(0, 60, "family"),
        opening_backlog=or_not(some(0, 40, "family"), 0.3, 0.0), target=some(0, 30, "family", "month"),
        limit=xr.where(inside & (limit > 0), FREE, limit).transpose("family", "plant", "source"),
        unit_cost=some(5, 40, "family", "plant", "source"), labour_hours=some(0.1, 1, "family", "plant"),
        hours_per_worker=10.0, overtime_per_worker=2.0, workers_opening=some(2, 20, "plant"),
        workers_max=or_not(some(10, 25, "plant"), 0.6, FREE), wage=50.0, overtime_rate=8.0, hiring_cost=30.0,
        hired_max=xr.where(month < r.integers(0, 3), 0.0, FREE), layoff_cost=40.0,
        plant_of=("resource", coords["plant"]), rate_opening=or_not(some(5, 50, "family", "plant"), 0.5, 0),
        usage=some(0.2, 1, "resource", "family"), capacity=some(30, 160, "resource", "month"), capacity_overtime=8.0,
        firm=or_not(some(0, 60, "family", "plant", "month"), 0.1, np.nan), holding_cost=some(0.2, 2, "family"),
        material_usage=some(0.2, 2, "material", "family"), material_stock=some(0, 200, "material"), lead_time=lead,
        material_limit=xr.where(month < lead, 0.0, or_not(some(40, 300, "material"), 0.7, FREE)).transpose(
            "material", "month"), storage=some(40, 200, "store", "month"), backlog_cost=some(1, 6, "family"),
        make_to_order=or_not(some(1, 1, "family"), 0.2, 0.0), lost_cost=some(20, 90, "family"), below_cost=1.0,
        rate_change_max=float(r.choice([FREE, 40.0], p=[0.8, 0.2])),
        backlog_months=float(r.integers(0, 3)), segment=month // 3,
    )  # fmt: skip
    strategy = str(r.choice(["mixed", "level", "chase", "minimum"], p=[0.7, 0.1, 0.1, 0.1]))
    objective = str(r.choice(["least cost", "service first"], p=[0.7, 0.3]))
    return supply_data.filled(p), Switches(strategy, objective=objective, hire_layoff=bool(r.random() < 0.9))


def error(kept: supply_model.Kept, rows: pd.DataFrame) -> tuple[float, float]:
    """Return the largest difference of a family and month's shares from its late units, and all late units."""
    plan = supply_tables.inventory_rows(kept.problem, kept.plan)
    late = supply_tables.late(plan).where(
        lambda units: units > finance.SAME * plan["demand"], 0.0
    )  # as gap.late has it
    late = plan.assign(late=late).groupby(["family", "month"])["late"].sum()
    sums = rows.groupby(["family", "month"])["quantity"].sum().reindex(late.index).astype(float).fillna(0.0)
    lowest = float(rows["quantity"].min()) if len(rows) else 0.0
    return max(float((sums - late).abs().max()), -lowest), float(late.sum())


def random_problems(number: int) -> bool:
    """Print how well the shares of random problems add up; return whether all do."""
    worst, short, most, parts, start = 0.0, 0, 0, [], time.perf_counter()
    for seed in range(number):
        p, switches = instance(seed)
        kept = supply_model.keep(p, switches)
        rows = causes.causes(kept, pd.Series(1.0, p["family"].values))
        off, late = error(kept, rows)
        worst, short, most = (
            max(worst, off),
            short + (late > 0),
            max(most, len(rows.drop_duplicates(["cause", "subject"]))),
        )
        parts.append(rows[["cause", "quantity"]])
    by_cause = pd.concat([x for x in parts if len(x)]).groupby("cause")["quantity"].sum()
    print(f"{number} problems, {short} of them short, up to {most} causes: largest error {worst:.1e} units, "
          f"{time.perf_counter() - start:.0f} s")  # fmt: skip
    print("share of all late units: " + ", ".join(f"{c} {v:.1%}" for c, v in (by_cause / by_cause.sum()).items()))
    return worst <= EXACT


def timed(size: str) -> None:
    """Print how long the causes of a tight problem take beside its plan, and how often it was solved."""
    p, solved, again = tight(*map(int, size.split("x")), True), [], supply_model.change
    supply_model.change = lambda *a: (solved.append(1), again(*a))[1]
    start = time.perf_counter()
    kept = supply_model.keep(p)
    planned = time.perf_counter()
    rows = causes.causes(kept, pd.Series(1.0, p["family"].values))
    supply_model.change = again
    off, late = error(kept, rows)
    print(f"{size}: plan {planned - start:.1f} s, causes {time.perf_counter() - planned:.1f} s, {len(solved)} plans, "
          f"{late:,.0f} units late, {rows[['cause', 'subject']].drop_duplicates().shape[0]} causes, "
          f"largest error {off:.1e}")  # fmt: skip


def main() -> None:
    """Print both measurements; end with an error where shares do not add up."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--instances", type=int, default=200)
    asked.add_argument("--sizes", nargs="*", default=["12x3x24", "100x5x36"])
    given = asked.parse_args()
    exact = random_problems(given.instances) if given.instances else True
    for size in given.sizes:
        timed(size)
    if not exact:
        sys.exit("benchmarks.causes: shares do not add up")


if __name__ == "__main__":
    main()
