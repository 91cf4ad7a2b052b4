"""Series with a known future, read from a file, checked, and aligned so that all training parts end together."""

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd

__all__ = ["COLUMNS", "by_hash", "read"]

COLUMNS = ["unique_id", "ds", "y", "split"]


def read(path: Path, limit: int | None = None) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the training months (unique_id, ds, y) and the test months (and step, 1 = first), checked and aligned.

    With `limit` only so many series, the first by a hash of their names: the same in every run, and a fair sample.
    Raises ValueError naming every problem of the file, where it is and what to do.
    """
    try:
        rows = pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise ValueError(
            f"{path}: cannot be read as Parquet ({error}); give a file with {', '.join(COLUMNS)}"
        ) from None
    missing = [name for name in COLUMNS if name not in rows]
    if missing:
        raise ValueError(f"{path}: no column {', '.join(missing)}; needed are {', '.join(COLUMNS)}")
    rows = rows[COLUMNS].astype({"unique_id": str, "split": str})
    if limit is not None:
        ids = sorted(rows["unique_id"].unique(), key=by_hash)
        rows = rows[rows["unique_id"].isin(ids[:limit])]
    rows = rows.assign(ds=_months(rows["ds"], path), y=pd.to_numeric(rows["y"], errors="coerce").astype(float))
    rows = rows.sort_values(["unique_id", "ds"], kind="stable", ignore_index=True)
    problems = [f"{path}: {text}" for text in _problems(rows)]
    if problems:
        raise ValueError("\n".join(problems))
    return _aligned(rows)


def by_hash(name: str) -> str:
    """Return a key that sorts names in an order that has nothing to do with them, the same everywhere."""
    return hashlib.sha256(name.encode()).hexdigest()


def _months(ds: pd.Series, path: Path) -> pd.Series:
    if not pd.api.types.is_datetime64_any_dtype(ds):
        raise ValueError(f"{path}: ds holds {ds.dtype}, not dates; write it as dates, one per month")
    return ds.dt.tz_localize(None).dt.to_period("M")


def _problems(rows: pd.DataFrame) -> list[str]:
    """Return what is wrong with the rows, all at once, each with where it is first and what to do."""
    if rows.empty:
        return ["no rows; give at least one series"]
    series = rows["unique_id"]
    splits = rows.groupby("unique_id")["split"].agg(set)
    jump = rows["ds"].astype("int64").diff().where(series == series.shift())
    back = (rows["split"] == "train") & (rows["split"].shift() == "test") & (series == series.shift())
    found = {
        "split is neither train nor test; name the part of each row": ~rows["split"].isin(["train", "test"]),
        "ds is blank; every row needs its month": rows["ds"].isna(),
        "y is not a number or not finite; fill or remove it": ~np.isfinite(rows["y"]),
        "the month occurs twice; keep one row": jump == 0,
        "months are missing before this one; complete the calendar": jump > 1,
        "a training month after a test month; the test part comes last": back,
    }
    out = [
        f"{series[at.idxmax()]}, {rows['ds'][at.idxmax()]} ({int(at.sum())} rows): {text}"
        for text, at in found.items()
        if at.any()
    ]
    for part, use in (("train", "there is nothing to forecast from"), ("test", "there is nothing to compare with")):
        without = [name for name, has in splits.items() if part not in has]
        if len(without) == len(splits):
            out.append(f"no rows with split {part}: {use}")
        elif without:
            out.append(f"{without[0]} ({len(without)} series): no rows with split {part}: {use}; remove the series")
    return out


def _aligned(rows: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    number = rows["ds"].astype("int64")
    last = number.where(rows["split"] == "train").groupby(rows["unique_id"]).transform("max").astype("int64")
    moved = pd.PeriodIndex.from_ordinals(number - last + last.max(), freq="M").to_timestamp()
    out = rows[["unique_id", "ds", "y"]].assign(ds=moved, step=number - last)
    test = rows["split"] == "test"
    return out.loc[~test, ["unique_id", "ds", "y"]].reset_index(drop=True), out[test].reset_index(drop=True)
