"""Scores of forecasts as the M competitions count them, and Naive2, which they are measured against.

Every score is worked out per series and then averaged over the series, each counting the same; only bias is a
ratio of sums. sMAPE is in percent, 0 to 200. MASE and MSIS95 are scaled by the mean absolute error of the
seasonal naive (12 months) in the training part, RMSSE by the root of the mean squared error of the one-step
naive there. A series for which such a scale is zero or unknown takes the median scale of the others; it is
counted as `unscaled`. OWA is the mean of sMAPE and MASE, each relative to Naive2.

Sources: Makridakis and others (2020) for sMAPE, MASE, OWA, MSIS and Naive2; the M5 competition for RMSSE,
here from the first month on and not from the first sale.
"""

import numpy as np
import pandas as pd
from utilsforecast import losses

__all__ = ["SEASON", "naive2", "scales", "scores"]

SEASON = 12
TINY = 1e-9
SURE, YEARS_NEEDED = 1.645, 3  # the 90 % test for a season, and the years it needs


def scores(rows: pd.DataFrame, train: pd.DataFrame, methods: list[str]) -> pd.DataFrame:
    """Return one row of scores per method; without ranges its coverage and MSIS95 are None, without Naive2 its OWA.

    `rows` holds unique_id, step (1 = first month after the training part), the actual y and one column per method,
    with `method-lo-80` and so on where it gives ranges. bias is forecast minus actual over actual, positive =
    over-forecast; coverage is a list of shares by step.
    """
    scale = scales(train)
    each = {
        "smape": 200 * _by_series(losses.smape, rows, methods),
        "mase": _by_series(losses.mae, rows, methods).div(scale["absolute"], axis=0),
        "rmsse": np.sqrt(_by_series(losses.mse, rows, methods).div(scale["squared"], axis=0)),
    }
    out = pd.DataFrame({name: table.mean() for name, table in each.items()}).rename_axis("method")
    relative = out[["smape", "mase"]] / out[["smape", "mase"]].reindex(["naive2"]).iloc[0]
    out.insert(0, "owa", relative.mean(axis=1, skipna=False))
    total = rows["y"].sum()
    out["bias"] = (rows[methods].sum() - total) / total
    ranges = {method: _ranges(rows, method, scale["absolute"]) for method in methods}
    return out.join(pd.DataFrame.from_dict(ranges, orient="index")).astype(object)


def _by_series(loss, rows: pd.DataFrame, methods: list[str]) -> pd.DataFrame:
    return loss(rows, models=methods).set_index("unique_id")[methods]


def _ranges(rows: pd.DataFrame, method: str, scale: pd.Series) -> dict:
    if f"{method}-lo-95" not in rows:
        return {"coverage80": None, "coverage95": None, "msis95": None}
    out = {}
    for level in (80, 95):
        held = losses.coverage(rows, models=[method], level=level, id_col="step")
        out[f"coverage{level}"] = held.sort_values("step")[method].tolist()
    width = losses.winkler_score(rows, models=[method], level=95).set_index("unique_id")[method]
    return out | {"msis95": (width / scale).mean()}


def scales(train: pd.DataFrame) -> pd.DataFrame:
    """Return per series `absolute` error of the seasonal naive, `squared` error of the one-step naive, and `unscaled`.

    Both are means over the training part. One that is unknown, or zero but for rounding, becomes the median of the
    others, and the series is marked `unscaled`.

    >>> two = pd.DataFrame({"unique_id": ["a"] * 14 + ["b"] * 14, "y": [*range(14), *[5.0] * 14]})
    >>> scales(two).values.tolist()
    [[12.0, 1.0, False], [12.0, 1.0, True]]
    """
    y, series = train["y"], train["unique_id"]
    seasonal, step = (y - y.groupby(series).shift(lag) for lag in (SEASON, 1))
    errors = pd.DataFrame({"absolute": seasonal.abs(), "squared": step**2})
    means, level = errors.groupby(series).mean(), y.abs().groupby(series).mean()
    least = pd.DataFrame({"absolute": TINY * level, "squared": (TINY * level) ** 2})
    known = means.where(means > least)
    return known.fillna(known.median()).assign(unscaled=known.isna().any(axis=1))


def naive2(train: pd.DataFrame, horizon: int) -> pd.DataFrame:
    """Return per series and step the last deseasonalised month times the season's index, in the units of y.

    Series with three years or more whose autocorrelation at 12 months passes the 90 % test are deseasonalised by
    classical multiplicative decomposition; all others, and those whose index cannot divide, are forecast by
    their last month. `train` is sorted by month within each series.
    """
    ids, wide = _from_the_end(train)
    index = np.where(_seasonal(wide)[:, None], _index(wide), 1.0)
    usable = np.isfinite(index).all(axis=1) & (index[:, -1] > 0)
    index = np.where(usable[:, None], index, 1.0)
    ahead = np.arange(horizon) % SEASON
    forecast = (wide[:, -1] / index[:, -1])[:, None] * index[:, ahead]
    steps = np.tile(np.arange(1, horizon + 1), len(ids))
    return pd.DataFrame({"unique_id": np.repeat(ids, horizon), "step": steps, "naive2": forecast.ravel()})


def _from_the_end(train: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return the series' names and their months side by side, all ending in the last column, blank before."""
    codes, ids = pd.factorize(train["unique_id"], sort=True)
    back = train.groupby("unique_id").cumcount(ascending=False).to_numpy()
    wide = np.full((len(ids), max(back.max() + 1, SEASON + 1)), np.nan)
    wide[codes, -1 - back] = train["y"].to_numpy(dtype=float)
    return np.asarray(ids), wide


def _seasonal(wide: np.ndarray) -> np.ndarray:
    """Return which series have a season at 90 %: their autocorrelation at 12 against Bartlett's limit."""
    months = np.isfinite(wide).sum(axis=1)
    apart = np.nan_to_num(wide - np.nanmean(wide, axis=1, keepdims=True))
    sums = np.stack([(apart[:, lag:] * apart[:, : apart.shape[1] - lag]).sum(axis=1) for lag in range(SEASON + 1)])
    acf = sums[1:] / np.where(sums[0] > 0, sums[0], np.nan)
    limit = SURE * np.sqrt((1 + 2 * (acf[:-1] ** 2).sum(axis=0)) / months)
    return (months >= YEARS_NEEDED * SEASON) & (np.abs(acf[-1]) > limit)


def _index(wide: np.ndarray) -> np.ndarray:
    """Return series × 12 indices of classical multiplicative decomposition, the last one of the last month."""
    weights = np.r_[0.5, np.ones(SEASON - 1), 0.5] / SEASON
    trend = np.full(wide.shape, np.nan)
    trend[:, SEASON // 2 : -(SEASON // 2)] = (
        np.lib.stride_tricks.sliding_window_view(wide, SEASON + 1, axis=1) @ weights
    )
    ratio = wide / np.where(trend > 0, trend, np.nan)
    blank = np.full((len(wide), -wide.shape[1] % SEASON), np.nan)
    cycles = pd.DataFrame(np.hstack([blank, ratio])).T
    index = cycles.groupby(cycles.index % SEASON).mean().T.to_numpy()
    return index / index.mean(axis=1, keepdims=True)
