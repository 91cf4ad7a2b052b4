"""Where models run: statsforecast in bulk, on this machine or on a cluster, nothing computed twice.

A series' numbers do not depend on where it is computed nor on what is computed with it, to the last bit.
"""

import functools
import hashlib
import importlib.metadata
import json
import platform
import sys
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from sop_lib import clusters, models
from sop_lib.clusters import EngineError, EngineLost
from sop_lib.kept import Kept, series_hashes
from sop_lib.models import MODELS
from sop_lib.settings import Settings

__all__ = ["LOCAL", "REMARK", "Engine", "Forecasts", "chosen", "predicted", "replayed"]

REMARK = ["series", "origin", "model", "remark", "error"]
TABLE = ["series", "origin", "month", "forecast", "model"]
ANSWER = ["series", "model", "values", "error"]
LIBRARIES = ("statsforecast", "coreforecast", "statsmodels", "scipy", "numpy", "pandas")
WENT_ON = "computed here: cluster lost"
BLOCK = 50


@dataclass(frozen=True)
class Forecasts:
    """Forecasts per series, origin, month and model, and what was left out or corrected on the way."""

    table: pd.DataFrame
    remarks: pd.DataFrame


@dataclass(frozen=True)
class Engine:
    """Where models run: the URL of a cluster, else this machine; what is kept; whether to go on here if it is lost."""

    url: str = ""
    kept: Kept | None = None
    go_on: bool = False


LOCAL = Engine()


def chosen(settings: Settings) -> Engine:
    """Return the engine that a company's run was given, with what was kept from earlier runs."""
    return Engine(settings.engine, Kept(settings.results_folder), settings.planning.engine_lost == "local")


def predicted(panel: pd.DataFrame, names: tuple[str, ...], horizon: int, *, engine: Engine = LOCAL) -> Forecasts:
    """Return what each model says of the months after the panel's end, per series, month and model, in units."""
    return _each(panel, names, (horizon, 0), engine)


def replayed(
    panel: pd.DataFrame, names: tuple[str, ...], lags: int, origins: int, *, engine: Engine = LOCAL
) -> Forecasts:
    """Return what each model would have said at the last `origins` months that leave `lags` months to compare with.

    Models that carry a fit forward are fitted at the first origin and updated; the others are fitted at every origin.
    """
    return _each(panel, names, (lags, origins), engine)


def _each(panel: pd.DataFrame, names: tuple[str, ...], task: tuple[int, int], engine: Engine) -> Forecasts:
    """Return what each model says for each series of the panel: what is kept from before, and the rest computed."""
    if panel.empty:
        return Forecasts(pd.DataFrame(columns=TABLE), pd.DataFrame(columns=REMARK))
    frame = panel.rename(columns={"series": "unique_id", "month": "ds", "quantity": "y"})[["unique_id", "ds", "y"]]
    frame = frame.astype({"y": float}).sort_values(["unique_id", "ds"], ignore_index=True)
    series = series_hashes(frame)
    broken = series["series"].isin(frame.loc[~np.isfinite(frame["y"]), "unique_id"])
    series, refused = series[~broken], series.loc[broken, "series"]
    known = {name: _known(series, name, task, engine.kept) for name in names}
    missing = {name: series.loc[~series["series"].isin(known[name]["series"]), "series"] for name in names}
    fresh, went_on = _computed(frame, missing, task, engine)
    tables, remarks = [], [_remarks(refused, name, "a month is not a number") for name in names]
    for name in names:
        own = fresh[fresh["model"] == name]
        _keep(own, series, name, task, engine.kept)
        found = _forecasts(_joined([known[name], own], ANSWER), series, name, task)
        tables.append(found.table)
        remarks += [found.remarks, _remarks(missing[name] if went_on else missing[name][:0], name, went_on, WENT_ON)]
    return Forecasts(_joined(tables, TABLE), _joined(remarks, REMARK))


def _joined(parts: list[pd.DataFrame], columns: list[str]) -> pd.DataFrame:
    full = [part for part in parts if len(part)]
    return pd.concat(full, ignore_index=True) if full else pd.DataFrame(columns=columns)


def _remarks(series: pd.Series, model: str, error, remark: str = "failed") -> pd.DataFrame:
    return pd.DataFrame({"series": series, "origin": pd.NaT, "model": model, "remark": remark, "error": error})[REMARK]


def _forecasts(answers: pd.DataFrame, series: pd.DataFrame, model: str, task: tuple[int, int]) -> Forecasts:
    """Return the values of each series as one row per origin and month, and a remark for each that failed."""
    lags, origins = task
    failed = answers[answers["error"] != ""].sort_values("series")
    said = series.merge(answers[answers["error"] == ""], on="series", how="inner", validate="one_to_one")
    back = np.arange(-(lags + origins - 1), 1 - lags) if origins else np.zeros(1, int)
    last = said["last"].to_numpy("datetime64[M]")[:, None, None]
    origin = np.broadcast_to(last + back[:, None], (len(said), len(back), lags))
    months = {"origin": origin, "month": origin + np.arange(1, lags + 1)}
    out = pd.DataFrame({name: dates.ravel().astype("datetime64[ns]") for name, dates in months.items()})
    names = np.repeat(said["series"].to_numpy(), len(back) * lags)
    out = out.assign(series=names, forecast=np.concatenate([*said["values"], np.empty(0)]), model=model)
    return Forecasts(out[TABLE], _remarks(failed["series"], model, failed["error"]))


# What is kept


def _known(series: pd.DataFrame, model: str, task: tuple[int, int], kept: Kept | None) -> pd.DataFrame:
    if kept is None:
        return pd.DataFrame(columns=ANSWER)
    own = series.assign(key=series["key"] + _suffix(task), model=model)
    found = kept.found(_file(model, task), _made_by(model), own["key"])
    return own.merge(found, on="key", how="inner")[ANSWER]


def _keep(answers: pd.DataFrame, series: pd.DataFrame, model: str, task: tuple[int, int], kept: Kept | None) -> None:
    if kept is None or answers.empty:
        return
    said = answers[answers["error"] == ""]
    rows = said.merge(series[["series", "key"]], on="series", how="left", validate="many_to_one")
    kept.keep(_file(model, task), _made_by(model), rows.assign(key=rows["key"] + _suffix(task)))


def _file(model: str, task: tuple[int, int]) -> str:
    return f"{model}-{'replayed' if task[1] else 'predicted'}"


def _suffix(task: tuple[int, int]) -> str:
    return "-{}-{}".format(*task)


def _made_by(model: str) -> str:
    return f"{MODELS[model]!r} on {platform.machine()} {made_with()}"


@functools.cache
def made_with() -> str:
    """Return the versions that a forecast depends on: of the libraries and of this code."""
    code = [Path(module.__file__ or "").read_bytes() for module in (models, sys.modules[__name__])]
    versions = {name: importlib.metadata.version(name) for name in LIBRARIES}
    return json.dumps(versions | {"sop_lib": hashlib.sha256(b"".join(code)).hexdigest()[:12]})


# What is computed


def _computed(
    frame: pd.DataFrame, missing: dict[str, pd.Series], task: tuple[int, int], engine: Engine
) -> tuple[pd.DataFrame, str]:
    """Return series, model, values and error of what is missing, and why it was computed here and not elsewhere."""
    blocks = [(model, part) for model, ids in missing.items() for part in _parts(frame[frame["unique_id"].isin(ids)])]
    lost = ""
    if engine.url and blocks:
        try:
            return _elsewhere(blocks, task, engine.url), ""
        except EngineLost as error:
            if not engine.go_on:
                raise EngineLost(f"{error}; with engine_lost = 'local' under [planning] it would go on here") from None
            lost = str(error)
    done = [_block(part, model, task) for model, part in blocks]
    return _joined(done, ANSWER), lost


def _parts(frame: pd.DataFrame) -> list[pd.DataFrame]:
    """Return the frame in parts of whole series."""
    starts = np.flatnonzero(frame["unique_id"].ne(frame["unique_id"].shift()))[::BLOCK]
    return [frame.iloc[a:b] for a, b in pairwise([*starts, len(frame)])]


def _elsewhere(blocks: list[tuple[str, pd.DataFrame]], task: tuple[int, int], url: str) -> pd.DataFrame:
    parts = [part.assign(part=number, model=model) for number, (model, part) in enumerate(blocks)]
    given = {"task": list(task), "made": made_with()}
    schema = "series:str,model:str,values:[double],error:str"
    rows = clusters.transformed(url, pd.concat(parts, ignore_index=True), _on_a_worker, schema, given)
    return rows.astype(object).assign(values=[np.asarray(v, dtype=float) for v in rows["values"]])


def _on_a_worker(df: pd.DataFrame, task: list, made: str) -> pd.DataFrame:
    """Return what one model says of the series of one part, computed where this runs."""
    if made != made_with():
        raise EngineError(f"a worker has other versions than this machine: {made_with()} there, {made} here")
    rows = df[["unique_id", "ds", "y"]].astype({"unique_id": object, "ds": "datetime64[ns]", "y": float})
    return _block(rows.sort_values(["unique_id", "ds"]), df["model"].iloc[0], (task[0], task[1]))


def _block(frame: pd.DataFrame, model: str, task: tuple[int, int]) -> pd.DataFrame:
    """Run one model on all series at once; after an error, halve until the series that fails stands alone.

    statsforecast's own fallback_model would put naive forecasts under the model's name and say nothing.
    """
    ids = frame["unique_id"].unique()
    try:
        values = _values(frame, model, task).astype(float).reshape(len(ids), -1)
        return pd.DataFrame({"series": ids, "model": model, "values": list(values), "error": ""})
    except (MemoryError, OSError, ImportError):
        raise
    except Exception as error:
        if len(ids) == 1:
            return pd.DataFrame({"series": ids, "model": model, "values": [np.empty(0)], "error": _one_line(error)})
    halves = [frame[frame["unique_id"].isin(part)] for part in np.array_split(ids, 2)]
    return pd.concat([_block(half, model, task) for half in halves], ignore_index=True)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _values(frame: pd.DataFrame, model: str, task: tuple[int, int]) -> np.ndarray:
    """Return the forecasts of a model by series, origin and month, as statsforecast orders them."""
    from statsforecast.core import _StatsForecast  # StatsForecast itself would send the work out again on a worker

    bulk = _StatsForecast([_apart(MODELS[model].make())], freq="MS", n_jobs=1)
    lags, origins = task
    if not origins:
        return bulk.forecast(df=frame, h=lags)[model].to_numpy()
    out = bulk.cross_validation(df=frame, h=lags, n_windows=origins, step_size=1, refit=MODELS[model].refit)
    return out[model].to_numpy()


def _apart(model: Any) -> Any:
    """Return the model so that it sees each series in memory of its own.

    Sums of the compiled core differ by the last bit with where an array begins, so by what lies before it.
    """
    for name in ("forecast", "fit", "forward"):
        if hasattr(model, name):
            setattr(model, name, _on_a_copy(getattr(model, name)))
    return model


def _on_a_copy(method: Callable) -> Callable:
    @functools.wraps(method)
    def call(*given, y: np.ndarray, **named):
        return method(*given, y=np.array(y), **named)

    return call
