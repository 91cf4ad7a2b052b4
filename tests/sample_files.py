"""The sample company's own files: its input tables as they are read, and what was injected into them."""

from functools import cache
from pathlib import Path

import pandas as pd

from sop_lib import tables

SAMPLE = Path(__file__).parent.parent / "data" / "sample"


@cache
def table(name: str) -> pd.DataFrame:
    source = pd.read_csv(SAMPLE / "inputs" / f"{name}.csv", dtype=str, keep_default_na=False)
    return tables.check(name, source.where(source != "", None))


@cache
def truth() -> pd.DataFrame:
    return pd.read_csv(SAMPLE / "truth.csv", keep_default_na=False, parse_dates=["from_month", "to_month"])
