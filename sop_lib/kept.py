"""Results kept by content: what a model said of a series is not computed again while nothing of it has changed.

Kept under `plans/.results`, beside the cycles and no part of them: one Parquet file per model and task kind. A
result is found by a hash of the series' months and quantities and by how it was made; a file that is damaged, or
that other versions made, is set aside and made anew. The folder may be deleted at any time.
"""

import hashlib
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from sop_lib import archive

__all__ = ["Kept", "series_hashes"]

RUNS_KEPT = 2
COLUMNS = pa.schema([("key", pa.string()), ("values", pa.list_(pa.float64())), ("error", pa.string())])
FILE = COLUMNS.append(pa.field("run", pa.int64()))


def series_hashes(frame: pd.DataFrame) -> pd.DataFrame:
    """Return per series a hash of its months and quantities and its last month; rows lie together and in order.

    >>> rows = pd.DataFrame({"unique_id": ["A", "A"], "ds": pd.to_datetime(["2026-01-01", "2026-02-01"]), "y": 1.0})
    >>> series_hashes(rows)[["series", "last"]].astype(str).values.tolist()
    [['A', '2026-02-01']]
    """
    months, quantities = frame["ds"].to_numpy("datetime64[M]").astype("<i8"), frame["y"].to_numpy("<f8")
    starts = np.flatnonzero(frame["unique_id"].ne(frame["unique_id"].shift()))
    spans = list(pairwise([*starts, len(frame)]))
    keys = [
        hashlib.blake2b(months[a:b].tobytes() + quantities[a:b].tobytes(), digest_size=16).hexdigest() for a, b in spans
    ]
    ends = [b - 1 for _, b in spans]
    return pd.DataFrame({"series": frame["unique_id"].iloc[starts], "key": keys, "last": frame["ds"].iloc[ends].values})


@dataclass(frozen=True)
class Kept:
    """Where results are kept, and those already read in this process. What two runs have not used is dropped."""

    folder: Path
    opened: dict[str, pd.DataFrame] = field(default_factory=dict, compare=False, repr=False)

    def found(self, name: str, made_by: str, keys: pd.Series) -> pd.DataFrame:
        """Return key, values and error of those results of a file that are known; `made_by` says how it made them."""
        if name not in self.opened:
            self.opened[name] = _read(self.folder / f"{name}.parquet", made_by)
        known = self.opened[name]
        known.loc[known.index.isin(keys), "run"] = known.attrs["run"]
        return known.loc[known.index.isin(keys), ["values", "error"]].reset_index()

    def keep(self, name: str, made_by: str, rows: pd.DataFrame) -> None:
        """Add results with key, values and error to a file that `found` has read. A disk that refuses is let be."""
        known = self.opened[name]
        fresh = rows.set_index("key")[["values", "error"]].assign(run=known.attrs["run"])
        both = pd.concat([known, fresh[~fresh.index.duplicated()]]).sort_index()
        both.attrs["run"] = known.attrs["run"]
        self.opened[name] = both[both["run"] > known.attrs["run"] - RUNS_KEPT]
        table = pa.Table.from_pandas(self.opened[name].reset_index(), FILE, preserve_index=False)
        table = table.replace_schema_metadata({"made_by": made_by})
        try:
            archive.write_file(
                self.folder / f"{name}.parquet",
                lambda part: pq.write_table(table, part, compression="zstd", write_page_checksum=True),
            )
        except OSError:
            return


def _read(path: Path, made_by: str) -> pd.DataFrame:
    """Return what a file holds, indexed by key; nothing where it is absent, damaged, foreign or made otherwise."""
    try:
        table = pq.read_table(path, page_checksum_verification=True)
        ours = table.schema.equals(FILE) and (table.schema.metadata or {}).get(b"made_by") == made_by.encode()
        out = table.to_pandas() if ours else FILE.empty_table().to_pandas()
    except (OSError, pa.ArrowException, ValueError):
        out = FILE.empty_table().to_pandas()
    out = out.drop_duplicates("key").set_index("key")
    out.attrs["run"] = int(out["run"].max()) + 1 if len(out) else 1
    return out
