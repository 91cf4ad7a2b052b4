"""Small companies with launches, for tests of the life cycle."""

import numpy as np
import pandas as pd

from sop_lib import launches, life_cycle, tables

CYCLE = pd.Timestamp("2026-11-01")
AHEAD = pd.date_range(CYCLE, periods=24, freq="MS")


def products(*rows: dict) -> pd.DataFrame:
    """A to D are of one family; each row changes the facts of one of them."""
    out = pd.DataFrame({"product": list("ABCD"), "family": "F", "unit_price": 10.0, "unit_cost": 6.0})
    out = out.set_index("product")
    out[["launch_month", "end_month"]], out["successor"] = pd.NaT, pd.Series(dtype="object")
    for row in rows:
        for column, value in row.items():
            if column != "product":
                out.loc[row["product"], column] = pd.Timestamp(value) if column.endswith("month") else value
    return out.reset_index()


def sold(**series: tuple[str, list[float]]) -> pd.DataFrame:
    """Demand of products in one region: first month, and the quantities from there to the last closed month."""
    rows = [
        pd.DataFrame({"month": pd.date_range(first, periods=len(units), freq="MS"), "product": name, "raw": units})
        for name, (first, units) in series.items()
    ]
    out = pd.concat(rows, ignore_index=True).assign(region="ALL", family="F")
    return out.assign(cleansed=out["raw"], unconstrained=out["raw"], shipped=np.nan, revenue=np.nan, cost=np.nan)


def launch(**facts) -> pd.DataFrame:
    row = {"product": "B", "launch_month": "2026-08-01", "like_product": "A", "volume_year_1": 1200.0}
    return tables.check("launches", pd.DataFrame([{**row, **facts}]))


def change(**facts) -> pd.DataFrame:
    row = {"change": "E1", "product": "A", "effective_month": "2027-03-01", "successor": "B"}
    return tables.check("engineering_changes", pd.DataFrame([{**row, **facts}]))


def reviewed(new: pd.DataFrame, history: pd.DataFrame, known: pd.DataFrame) -> pd.DataFrame:
    return life_cycle.reviewed(new, life_cycle.lived(new, history, known), history, known)


FLAT = {"A": ("2023-11-01", [100.0] * 36), "C": ("2023-11-01", [100.0] * 36)}


def past_launch() -> tuple[pd.DataFrame, pd.DataFrame]:
    """B was to sell 100 a month from 2025-11 and sold 50 for three months, then 110; A and C always sell 100."""
    return launch(launch_month="2025-11-01", low=900, high=1500), sold(
        **FLAT, B=("2025-11-01", [50.0] * 3 + [110.0] * 9)
    )


def steps(rate: float | None, parent: float, volume: float = 1200.0, **ends) -> tuple[pd.DataFrame, ...]:
    new = launch(launch_month="2027-01-01", volume_year_1=volume, cannibalises="A", cannibalised=rate)
    known = products({"product": "A", **ends} if ends else {})
    plan = launches.launch_plan(new, sold(**FLAT), known, AHEAD)
    base = pd.DataFrame({"month": AHEAD, "product": "A", "region": "ALL", "family": "F", "quantity": parent})
    return plan, base, launches.cannibalised_effects(plan, base, new, known)
