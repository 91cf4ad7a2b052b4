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

__all__ = ["POOLED", "predicted", "replayed"]

SEASON = 12
RIDGE = 5.0  # months' worth of a scaled unit that say "as last year" before any window is seen
WILD = 4.0  # scaled targets are cut here, so that one spike does not bend every forecast


@dataclass(frozen=True)
class Pooled:
    """A pooled model: how many months it looks back, and what it sees in them.

    `view` takes an array series × months, the last `needs` or more of them known, and returns what the
    regression sees (series × feature), each series' scale, and its forecast before any regression for a lag.
    """

    needs: int
    view: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
    base: Callable[[np.ndarray, int], np.ndarray]


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
        seen, scale = model.view(known[:, :end])
        whole = np.isfinite(seen).all(axis=1) & (scale > 0)
        gram = seen[whole].T @ seen[whole]
        for lag in range(1, min(lags, months - end) + 1):
            base = model.base(known[whole, :end], lag)
            target = np.clip((known[whole, end + lag - 1] - base) / scale[whole], -WILD, WILD)
            squares[end + lag, lag - 1] = gram
            products[end + lag, lag - 1] = target @ seen[whole]
    return squares.cumsum(axis=0), products.cumsum(axis=0)


def _at(wide: pd.DataFrame, model: Pooled, sums: tuple[np.ndarray, np.ndarray], back: int, lags: int) -> pd.DataFrame:
    """Return the forecasts of all series made when the last `back` months were not known."""
    end = wide.shape[1] - back
    known = wide.to_numpy()[:, :end]
    seen, scale = model.view(known)
    whole = np.isfinite(seen).all(axis=1) & (scale > 0)
    weights = np.linalg.solve(sums[0][end] + RIDGE * np.eye(seen.shape[1]), sums[1][end][..., None])[..., 0]
    base = np.column_stack([model.base(known[whole], lag) for lag in range(1, lags + 1)])
    said = base + scale[whole, None] * (seen[whole] @ weights.T)
    count, origin = int(whole.sum()), wide.columns[end - 1]
    months = pd.date_range(origin, periods=lags + 1, freq="MS", unit="ns")[1:]
    out = pd.DataFrame({"series": np.repeat(wide.index[whole], lags), "month": np.tile(months, count)})
    return out.assign(origin=origin, forecast=said.ravel(), held_back=back, lag=np.tile(np.arange(1, lags + 1), count))


def _last_months(known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the last 18 months over the mean of the last 12, less 1, and that mean."""
    scale = np.abs(known[:, -SEASON:].mean(axis=1))
    return np.clip(known[:, -18:] / np.where(scale > 0, scale, 1)[:, None] - 1, -1, WILD), scale


def _last_year(known: np.ndarray, lag: int) -> np.ndarray:
    return known[:, (lag - 1) % SEASON - SEASON]


def _recent_means(known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the means of the last 1, 3, 6 and 12 months and of all, and how often there was demand, all scaled.

    The scale is the root of the mean square, so that errors count as in RMSSE.
    """
    months = np.maximum(np.isfinite(known).sum(axis=1), 1)
    scale = np.sqrt(np.nansum(known**2, axis=1) / months)
    means = [known[:, -span:].mean(axis=1) for span in (1, 3, 6, 12)] + [np.nansum(known, axis=1) / months]
    often = [(known[:, -span:] > 0).mean(axis=1) * scale for span in (6, 12)]
    return np.column_stack([*means, *often]) / np.where(scale > 0, scale, 1)[:, None], scale


def _nothing(known: np.ndarray, lag: int) -> np.ndarray:
    return np.zeros(len(known))


POOLED = {
    "pooled": Pooled(18, _last_months, _last_year),
    "pooled_means": Pooled(12, _recent_means, _nothing),
}
