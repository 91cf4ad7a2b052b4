"""Models that learn from all series at once: one linear regression per lag for the whole panel.

What one series is too short to teach, all together may: a pooled autoregression. Every series is divided by
its own scale first, so that each counts alike. Source: Montero-Manso and Hyndman (2021), Principles and
algorithms for forecasting groups of time series: locality and globality.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from sop_lib.engines import REMARK, Forecasts
from sop_lib.models import SEASON

__all__ = ["POOLED", "predicted", "replayed"]

RIDGE = 5.0  # windows' worth of saying "as last year" before any is seen
WILD = 4.0  # scaled changes are cut here, so that one spike does not bend every forecast
UNMOVED = 1e-9  # a yearly change that is rounding: the series repeats itself
LEAST = 0.01  # of the last year's mean: what a month without demand counts as, in logs


@dataclass(frozen=True)
class Pooled:
    """A pooled model: how many months it needs, what it sees in them, and how it writes a month.

    `view` takes months known, series × month, and returns what the regression sees (series × feature) and a measure of
    each series. `written` takes a month's quantity with the months known before it, the measure and the lag, and
    returns the regression's target; `read` is its inverse.
    """

    needs: int
    view: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
    written: Callable[[np.ndarray, np.ndarray, np.ndarray, int], np.ndarray]
    read: Callable[[np.ndarray, np.ndarray, np.ndarray, int], np.ndarray]


def predicted(panel: pd.DataFrame, model: str, horizon: int) -> Forecasts:
    """Return what a pooled model says after the panel's end, per series and month, in units.

    The series must end in the same month. A series shorter than the model looks back has no forecast.
    """
    return _forecasts(_said(panel, model, range(1), horizon), model)


def replayed(panel: pd.DataFrame, model: str, windows: pd.DataFrame) -> Forecasts:
    """Return what a pooled model would have said at earlier months, for the lags and origins that `windows` names.

    `windows` holds series, lags, origins: the last `origins` months that leave `lags` months to compare with. At each
    origin the regression knows only months that lie before it.
    """
    first, last = windows["lags"].min(), windows[["lags", "origins"]].sum(axis=1).max()
    said = _said(panel, model, range(int(first), int(last)), int(windows["lags"].max()))
    said = said.merge(windows, on="series", how="inner", validate="many_to_one")
    own = said["held_back"].between(said["lags"], said["lags"] + said["origins"] - 1)
    return _forecasts(said[own & (said["lag"] <= said["lags"])], model)


def _forecasts(said: pd.DataFrame, model: str) -> Forecasts:
    table = said[["series", "origin", "month", "forecast"]].assign(model=model)
    return Forecasts(table.reset_index(drop=True), pd.DataFrame(columns=REMARK))


def _said(panel: pd.DataFrame, name: str, held_back: range, lags: int) -> pd.DataFrame:
    """Return the forecasts made with so many months held back, for each number of `held_back`."""
    wide = panel.pivot(index="series", columns="month", values="quantity").sort_index(axis=1)
    known, model = wide.to_numpy(), POOLED[name]
    backs = [back for back in held_back if known.shape[1] - back >= model.needs]
    if not len(wide) or not backs:
        return pd.DataFrame(columns=["series", "origin", "month", "forecast", "held_back", "lag"])
    sums = _running_sums(known, model, lags)
    return pd.concat([_at(wide, model, sums, back, lags) for back in backs], ignore_index=True)


def _running_sums(known: np.ndarray, model: Pooled, lags: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the normal equations of each lag, summed over all windows whose target is the month of a row or earlier.

    The first array is month × lag × feature × feature, the second month × lag × feature.
    """
    months, features = known.shape[1], model.view(known)[0].shape[1]
    squares = np.zeros((months + 1, lags, features, features))
    products = np.zeros((months + 1, lags, features))
    for end in range(model.needs, months):
        seen, measure = model.view(known[:, :end])
        whole = np.isfinite(seen).all(axis=1) & (measure > 0)
        gram = seen[whole].T @ seen[whole]
        for lag in range(1, min(lags, months - end) + 1):
            target = model.written(known[whole, end + lag - 1], known[whole, :end], measure[whole], lag)
            came = np.isfinite(target)
            squares[end + lag, lag - 1] = gram if came.all() else seen[whole][came].T @ seen[whole][came]
            products[end + lag, lag - 1] = np.clip(target[came], -WILD, WILD) @ seen[whole][came]
    return squares.cumsum(axis=0), products.cumsum(axis=0)


def _at(wide: pd.DataFrame, model: Pooled, sums: tuple[np.ndarray, np.ndarray], back: int, lags: int) -> pd.DataFrame:
    """Return the forecasts of all series made when the last `back` months were not known."""
    end = wide.shape[1] - back
    known = wide.to_numpy()[:, :end]
    seen, measure = model.view(known)
    whole = np.isfinite(seen).all(axis=1) & (measure > 0)
    weights = np.linalg.solve(sums[0][end] + RIDGE * np.eye(seen.shape[1]), sums[1][end][..., None])[..., 0]
    found = np.clip(seen[whole] @ weights.T, -WILD, WILD)
    said = [model.read(found[:, lag - 1], known[whole], measure[whole], lag) for lag in range(1, lags + 1)]
    count, origin = int(whole.sum()), wide.columns[end - 1]
    months = pd.date_range(origin, periods=lags + 1, freq="MS", unit="ns")[1:]
    out = pd.DataFrame({"series": np.repeat(wide.index[whole], lags), "month": np.tile(months, count)})
    out = out.assign(origin=origin, forecast=np.column_stack(said).ravel(), held_back=back)
    return out.assign(lag=np.tile(np.arange(1, lags + 1), count))


# The pooled autoregression: months in logs over the last year's mean, counted in yearly changes


def _logs(months: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Return the logarithm of months over the mean of the last twelve known; a hundredth of it is the least."""
    mean = known[:, -SEASON:].mean(axis=1)
    over = (months.T / np.where(mean > 0, mean, np.nan)).T
    return np.log(np.maximum(over, LEAST))


def _last_months(known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the last 18 months and the mean yearly change that they are counted in."""
    logs = _logs(known, known)
    change = np.abs(logs[:, SEASON:] - logs[:, :-SEASON])
    count = np.isfinite(change).sum(axis=1)
    moved = np.nansum(change, axis=1) / np.maximum(count, 1)
    measure = np.where((count >= SEASON) & (moved > UNMOVED), moved, np.nan)
    return np.clip(logs[:, -18:] / measure[:, None], -2 * WILD, 2 * WILD), measure


def _last_year(known: np.ndarray, lag: int) -> np.ndarray:
    return _logs(known[:, (lag - 1) % SEASON - SEASON], known)


def _change(month: np.ndarray, known: np.ndarray, measure: np.ndarray, lag: int) -> np.ndarray:
    return (_logs(month, known) - _last_year(known, lag)) / measure


def _changed(change: np.ndarray, known: np.ndarray, measure: np.ndarray, lag: int) -> np.ndarray:
    return known[:, -SEASON:].mean(axis=1) * np.exp(_last_year(known, lag) + change * measure)


# Pooled means, for intermittent series


def _recent_means(known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the means of the last 1, 3, 6 and 12 months and of all, and how often there was demand, all scaled.

    The measure is the root of the mean square, so that errors count as in RMSSE.
    """
    months = np.maximum(np.isfinite(known).sum(axis=1), 1)
    measure = np.sqrt(np.nansum(known**2, axis=1) / months)
    means = [known[:, -span:].mean(axis=1) for span in (1, 3, 6, 12)] + [np.nansum(known, axis=1) / months]
    often = [(known[:, -span:] > 0).mean(axis=1) * measure for span in (6, 12)]
    return np.column_stack([*means, *often]) / np.where(measure > 0, measure, np.nan)[:, None], measure


def _scaled(month: np.ndarray, known: np.ndarray, measure: np.ndarray, lag: int) -> np.ndarray:
    return month / measure


def _unscaled(scaled: np.ndarray, known: np.ndarray, measure: np.ndarray, lag: int) -> np.ndarray:
    return scaled * measure


POOLED = {
    "pooled": Pooled(24, _last_months, _change, _changed),
    "pooled_means": Pooled(12, _recent_means, _scaled, _unscaled),
}
