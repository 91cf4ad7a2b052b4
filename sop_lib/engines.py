"""Where models run: statsforecast in bulk, one model after the other, on this machine."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from sop_lib.models import MODELS, Model

__all__ = ["REMARK", "Forecasts", "predicted", "replayed"]

REMARK = ["series", "origin", "model", "remark", "error"]


@dataclass(frozen=True)
class Forecasts:
    """Forecasts per series, origin, month and model, and what was left out or corrected on the way."""

    table: pd.DataFrame
    remarks: pd.DataFrame


def predicted(panel: pd.DataFrame, models: tuple[str, ...], horizon: int) -> Forecasts:
    """Return what each model says of the months after the panel's end, per series, month and model, in units."""

    def run(engine, frame: pd.DataFrame, model: Model) -> pd.DataFrame:
        out = engine.forecast(df=frame, h=horizon)
        return out.assign(cutoff=out["unique_id"].map(frame.groupby("unique_id")["ds"].max()))

    return _each(panel, models, run)


def replayed(panel: pd.DataFrame, models: tuple[str, ...], lags: int, origins: int) -> Forecasts:
    """Return what each model would have said at the last `origins` months that leave `lags` months to compare with.

    Models that carry a fit forward are fitted at the first origin and updated; the others are fitted at every origin.
    """

    def run(engine, frame: pd.DataFrame, model: Model) -> pd.DataFrame:
        return engine.cross_validation(df=frame, h=lags, n_windows=origins, step_size=1, refit=model.refit)

    return _each(panel, models, run)


def _each(panel: pd.DataFrame, models: tuple[str, ...], run: Callable) -> Forecasts:
    """Return what each model says for each series of the panel, one model after the other."""
    frame = panel.rename(columns={"series": "unique_id", "month": "ds", "quantity": "y"})[["unique_id", "ds", "y"]]
    done = [_tried(frame, model, run) for model in models if len(frame)]
    tables = [table for table, _ in done if len(table)]
    empty = pd.DataFrame(columns=["series", "origin", "month", "model", "forecast"])
    failed = [remark for _, remarks in done for remark in remarks]
    return Forecasts(pd.concat(tables, ignore_index=True) if tables else empty, pd.DataFrame(failed, columns=REMARK))


def _tried(frame: pd.DataFrame, model: str, run: Callable) -> tuple[pd.DataFrame, list[tuple]]:
    """Run one model on all series at once; after an error, halve until the series that fails stands alone.

    statsforecast's own fallback_model would put naive forecasts under the model's name and say nothing.
    """
    from statsforecast import StatsForecast

    try:
        out = run(StatsForecast([MODELS[model].make()], freq="MS", n_jobs=1), frame, MODELS[model])
    except Exception as error:
        ids = frame["unique_id"].unique()
        if len(ids) == 1:
            return pd.DataFrame(), [(ids[0], pd.NaT, model, "failed", str(error))]
        halves = [frame[frame["unique_id"].isin(part)] for part in np.array_split(ids, 2)]
        done = [_tried(half, model, run) for half in halves]
        return pd.concat([table for table, _ in done]), [r for _, remarks in done for r in remarks]
    out = out.rename(columns={"unique_id": "series", "cutoff": "origin", "ds": "month", model: "forecast"})
    return out[["series", "origin", "month", "forecast"]].assign(model=model), []
