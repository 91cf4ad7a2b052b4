"""Reads a small workbook, says what is wrong with it, and breaks one thing in it."""

import csv
from pathlib import Path

import pytest
from conftest import write_rows

from sop_lib import inputs, settings

SHARED = Path(__file__).parent.parent.parent / "shared" / "data" / "iowa_liquor"
ROOT = Path(__file__).parent.parent


def read(folder: Path, cycle: str = "") -> inputs.Inputs:
    return inputs.read_inputs(settings.load(folder, {}), cycle)


def problems(folder: Path, cycle: str = "") -> list[dict]:
    with pytest.raises(inputs.InputError) as error:
        read(folder, cycle)
    assert list(error.value.problems) == ["file", "row", "column", "value", "rule", "remedy"]
    assert error.value.problems["file"].notna().all()
    assert error.value.problems["remedy"].str.len().gt(3).all()
    return error.value.problems.to_dict("records")


def the_problem(folder: Path, cycle: str = "") -> tuple:
    (found,) = problems(folder, cycle)
    return tuple(found.values())


def issue(found: inputs.Inputs, rule: str, table: str = "sales") -> dict:
    rows = found.issues[(found.issues["rule"] == rule) & (found.issues["table"] == table)]
    assert len(rows) == 1, found.issues[["rule", "table"]]
    return rows.iloc[0].to_dict()


def rows_of(folder: Path, file: str) -> list[list[str]]:
    with (folder / "inputs" / file).open(encoding="utf-8", newline="") as source:
        return list(csv.reader(source))


def edit(folder: Path, file: str, change) -> None:
    rows = rows_of(folder, file)
    write_rows(folder / "inputs" / file, change(rows) or rows)


def cell(folder: Path, file: str, row: int, column: str, value: str) -> None:
    """Write one cell; rows are numbered as a spreadsheet shows them."""
    rows = rows_of(folder, file)
    rows[row - 1][rows[0].index(column)] = value
    write_rows(folder / "inputs" / file, rows)


def add(folder: Path, table: str, *rows: list, settings_of: str = "") -> None:
    write_rows(folder / "inputs" / f"{table}.csv", list(rows))
    with (folder / "sop.toml").open("a", encoding="utf-8") as out:
        out.write(f'\n[inputs.{table}]\nfile = "{table}.csv"\n{settings_of}')


def set_sales(folder: Path, keys: str) -> None:
    path = folder / "sop.toml"
    path.write_text(path.read_text("utf-8").split("[inputs.sales]")[0] + f"[inputs.sales]\n{keys}\n", "utf-8")


def text_of(folder: Path, file: str) -> str:
    return (folder / "inputs" / file).read_text("utf-8")


def put(folder: Path, file: str, data: bytes | str) -> None:
    (folder / "inputs" / file).write_bytes(data.encode() if isinstance(data, str) else data)
