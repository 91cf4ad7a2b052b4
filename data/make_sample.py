"""Write the sample company: Alder Outdoor, an invented maker of outdoor goods. No such firm, person or figure exists.

`python data/make_sample.py [FOLDER]` writes inputs/*.csv and truth.csv into FOLDER (data/sample), the same bytes
each time: one seed, no clock, and only + - * / on floats, so that processors agree. Each planning problem is a function
that says so and leaves its row in truth.csv, which only tests read.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
from sample_deliveries import shipments
from sample_facts import (
    CLOSED,
    CODE,
    CONTROL_SLIP,
    DRIFT,
    EVENTS,
    INTERMITTENT,
    LATE_EAST,
    LEDGER_SLIP,
    LEVEL_SHIFT,
    LIFE,
    OPTIMISM,
    OVERHAUL,
    PRODUCTS,
    RETURNS,
    SEED,
    SMALL,
    STOCK_OUTS,
    UNEXPLAINED,
    small,
)
from sample_plans import demand_inputs, past_plans
from sample_tables import (
    backlog,
    bill_of_resources,
    budget,
    calendar,
    control_totals,
    drivers,
    families,
    finance,
    inventory,
    material_receipts,
    planned_production,
    plants,
    prices,
    products,
    receipts,
    resources,
    sales,
    stretch,
    supply_costs,
    units,
)
from sample_world import expected_demand, pick, returned, run_factory, wanted_demand, warmth


def hidden_demand(wanted: np.ndarray, log: dict) -> list[tuple]:
    """Return a truth row per stock-out: the months in which customers could not order, and the units they wanted."""
    rows = []
    for product, *_ in STOCK_OUTS:
        units = (wanted - log["ordered"] - returned())[:, CODE[product]].sum(axis=1)
        months = CLOSED[units > 0].strftime("%Y-%m")
        rows.append(("stock-out hides demand", "sales", f"product={product}", months[0], months[-1], units.sum()))
    return rows


def truth(wanted: np.ndarray, log: dict) -> pd.DataFrame:
    """Return what was injected: cause, table, key, first and last month, and quantity in the cause's own unit."""
    rows, closed = hidden_demand(wanted, log), ("2020-11", "2026-10")
    for e in EVENTS.fillna({"uplift_rate": EVENTS["uplift_units"]}).itertuples():
        when = (e.from_month[:7], e.to_month[:7])
        rows.append((f"{e.kind} lifts demand", "events", f"event={e.event}", *when, e.uplift_rate))
    for code, (begin, end) in LIFE.items():
        rows += [("launch", "products", f"product={code}", begin, begin, 1)] * (begin > "")
        rows += [("phase-out with successor", "products", f"product={code}", end, end, 1)] * (end > "")
    rows += [("returns", "sales", f"product={p} · region={r}", m, m, -q) for p, m, r, q in RETURNS]
    spares = PRODUCTS.loc[pick("Spares"), "product"]
    rows += [("intermittent demand", "sales", f"product={p}", *closed, INTERMITTENT) for p in spares]
    product, month, factor = LEVEL_SHIFT
    rows.append(("level shift", "sales", f"product={product}", month, month, round(factor - 1, 9)))
    rows.append(("drifts below budget", "budget", f"family={DRIFT[0]}", DRIFT[1], "2026-10", DRIFT[2]))
    rows.append(("always optimistic", "past_plans", "stream=sales", "2025-11", "2026-10", OPTIMISM))
    rows.append(("late leg", "shipments", "leg=dc-customer · to=East", "2025-11", "2026-10", LATE_EAST))
    resource, begin, end, left = OVERHAUL
    rows.append(("capacity cut", "resources", f"resource={resource}", begin, end, round(left - 1, 9)))
    for cause, table, column, (key, month, slip) in (
        ("stock does not roll forward", "inventory", "product", UNEXPLAINED),
        ("ledger differs", "finance", "line", LEDGER_SLIP),
        ("control total differs", "control_totals", "measure", CONTROL_SLIP),
    ):
        rows.append((cause, table, f"{column}={key}", month, month, slip))
    return pd.DataFrame(rows, columns=["cause", "table", "key", "from_month", "to_month", "quantity"])


def company() -> dict[str, pd.DataFrame]:
    """Return every table of the sample company by name, and its truth."""
    rng = np.random.default_rng(SEED)
    mean, degrees = expected_demand(rng), warmth(rng)
    wanted = wanted_demand(mean, degrees, rng)
    log = run_factory(mean.sum(axis=2), wanted, rng)
    sold, plan = sales(log), budget(log)
    plain = (products, families, units, prices, resources, bill_of_resources, supply_costs, material_receipts, calendar)
    tables = {name: small(name) for name in SMALL} | {f.__name__: f() for f in plain}
    tables |= {f.__name__: f(log) for f in (inventory, receipts, backlog, plants)}
    tables |= {
        "sales": sold,
        "budget": pd.concat([plan, stretch(plan)]),
        "finance": finance(sold, plan),
        "control_totals": control_totals(sold),
    }
    tables |= {
        "events": EVENTS,
        "drivers": drivers(degrees),
        "planned_production": planned_production(mean.sum(axis=2)),
    }
    tables |= {"past_plans": past_plans(log, rng), "demand_inputs": demand_inputs(log, plan, rng)}
    return tables | {"shipments": shipments(log, rng), "truth": truth(wanted, log)}


def main(folder: Path) -> None:
    """Write the sample company into a folder."""
    (folder / "inputs").mkdir(parents=True, exist_ok=True)
    for name, table in company().items():
        path = folder / ("truth.csv" if name == "truth" else f"inputs/{name}.csv")
        path.write_bytes(table.to_csv(index=False, lineterminator="\n").encode("utf-8"))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "sample")
