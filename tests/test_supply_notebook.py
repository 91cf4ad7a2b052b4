"""Notebook 03, cell by cell, for companies that have some of the supply tables and not others."""

from dataclasses import dataclass, field
from pathlib import Path

import nbformat
import pandas as pd
import pytest
from test_supply import HORIZON, company

from sop_lib import archive, tables
from sop_lib.settings import Settings

NOTEBOOK = Path(__file__).parent.parent / "notebooks" / "03_supply.ipynb"
SOME = ("inventory", "families", "resources", "bill_of_resources", "plants", "supply_costs")


@dataclass(frozen=True)
class Book:
    """A cycle in memory, as the notebook asks for it."""

    found: dict[str, pd.DataFrame]
    settings: Settings = field(default_factory=Settings)
    month: pd.Timestamp = HORIZON[0]
    horizon: pd.DatetimeIndex = field(default_factory=lambda: HORIZON)
    name: str = "2026-11"
    last_closed: pd.Timestamp = HORIZON[0] - pd.offsets.MonthBegin(1)

    def read(self, name: str) -> pd.DataFrame:
        return self.found[name] if name in self.found else tables.empty(name)

    def write(self, name: str, table: pd.DataFrame) -> pd.DataFrame:
        return tables.check(name, table.assign(cycle=self.month))


def without(found: dict[str, pd.DataFrame], table: str, **changes: float) -> dict[str, pd.DataFrame]:
    return found | {table: found[table].assign(**changes)}


COMPANIES = {
    "nothing but products": lambda: company(),
    "no firm output, no materials": lambda: company(*SOME),
    "no capacity at all": lambda: without(company(*SOME), "resources", capacity=0.0, overtime=0.0),
}


@pytest.mark.parametrize("which", COMPANIES)
def test_every_cell_runs(which, monkeypatch):
    book = Book(COMPANIES[which]())
    monkeypatch.setattr(archive, "open_cycle", lambda *_: book)
    names: dict = {}
    for cell in nbformat.read(NOTEBOOK, 4).cells:
        if cell.cell_type == "code":
            exec(compile(cell.source, cell.id, "exec"), names)
    assert names["written"].keys() == names["plans"].keys()
