"""Scores of forecasts: sums of numerators over sums of denominators, never means of percentages.

Error is forecast minus actual; positive = over-forecast. Sources: Hyndman and Koehler (2006) for
MASE, the M5 competition for RMSSE, Gneiting and Raftery (2007) for the pinball loss.
"""

import numpy as np
import pandas as pd

__all__ = ["METRICS", "QUANTILES", "accuracy", "beside_naive", "range_accuracy", "scores"]

SERIES = ["level", "series", "family", "product", "region"]
QUANTILES = {"p025": 0.025, "p10": 0.10, "p50": 0.50, "p90": 0.90, "p975": 0.975}
FIRES_FROM = 8


def scores(errors: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Return every metric of METRICS per `by` from `forecast`, `actual`, `scale` and `scale_sq`; `n` counts forecasts.

    `scale` is the mean absolute, `scale_sq` the mean squared error of the seasonal naive in the months known
    before the first origin. A metric without a denominator is blank.

    >>> errors = pd.DataFrame({"model": "m", "forecast": [12.0, 9.0], "actual": [10.0, 10.0]})
    >>> errors = errors.assign(scale=3.0, scale_sq=10.0)
    >>> scores(errors, ["model"])[["wape", "bias", "mase", "rmsse"]].round(3).values.tolist()
    [[0.15, 0.05, 0.5, 0.5]]
    """
    return _rates(_sums(errors, by), by)


def _sums(errors: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Return what the metrics are made of, summed; sums of them may be summed again."""
    error = errors["forecast"] - errors["actual"]
    parts = errors[[*by, "actual", "scale", "scale_sq"]].assign(
        n=1, error=error, absolute=error.abs(), squared=error**2, volume=errors["actual"].abs()
    )
    return _summed(parts, by)


def _summed(parts: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    return parts.groupby(by, as_index=False, observed=True).sum()


def _rates(sums: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    sums = sums.replace({c: {0.0: np.nan} for c in ("actual", "scale", "scale_sq", "volume")})
    return sums[by].assign(n=sums["n"], **{name: metric(sums) for name, metric in METRICS.items()})


def _tracking_signal(sums: pd.DataFrame) -> pd.Series:
    """Sum of errors over their mean absolute: it can pass ±4 only with more than 4 forecasts, so 8 are asked for."""
    mean = sums["absolute"] / sums["n"]
    return (sums["error"] / mean.where(mean > 0)).where(sums["n"] >= FIRES_FROM)


def accuracy(backtest: pd.DataFrame, ranges: pd.DataFrame | None = None) -> pd.DataFrame:
    """Return value and n per level, series, model, lag and metric; lag 0 is all lags together.

    With `ranges` (see `range_accuracy`) also how they held, for the combination.

    The series `ALL` of a level holds all its series, each error counted at that level. The tracking signal
    stands at single lags only, where each month is counted once.
    """
    by = [*SERIES, "model", "lag"]
    own = _sums(backtest, by)
    together = own[own["level"] != "total"].assign(**dict.fromkeys(SERIES[1:], "ALL"))
    sums = pd.concat([own, _summed(together, by)], ignore_index=True)
    each, whole = _rates(sums, by), _rates(_summed(sums.assign(lag=0), by), by).assign(tracking_signal=np.nan)
    parts = [_long(pd.concat([whole, each], ignore_index=True), by, list(METRICS))]
    if ranges is not None and len(ranges):
        parts.append(range_accuracy(ranges, "combination"))
    return pd.concat(parts, ignore_index=True)


def range_accuracy(ranges: pd.DataFrame, model: str) -> pd.DataFrame:
    """Return coverage of the 80 and 95 % ranges (0-1) and the mean pinball loss (units) in the shape of `accuracy`.

    `ranges` holds the quantiles of QUANTILES beside `actual`, per series, origin and lag.
    """
    rows = ranges.assign(
        n=1,
        coverage80=ranges["actual"].between(ranges["p10"], ranges["p90"]).astype(float),
        coverage95=ranges["actual"].between(ranges["p025"], ranges["p975"]).astype(float),
        pinball=sum(pinball(ranges[q], ranges["actual"], share) for q, share in QUANTILES.items()) / len(QUANTILES),
    )
    pooled = rows[rows["level"] != "total"].assign(series="ALL", family="ALL", product="ALL", region="ALL")
    rows = pd.concat([rows, pooled], ignore_index=True).assign(model=model)
    by, metrics = [*SERIES, "model", "lag"], ["coverage80", "coverage95", "pinball"]
    both = pd.concat([rows.assign(lag=0), rows], ignore_index=True)
    sums = both.groupby(by, as_index=False, observed=True)[["n", *metrics]].sum()
    sums[metrics] = sums[metrics].div(sums["n"], axis=0)
    return _long(sums, by, metrics)


def pinball(quantile: pd.Series, actual: pd.Series, share: float) -> pd.Series:
    """Return the pinball loss of one quantile.

    >>> pinball(pd.Series([10.0, 10.0]), pd.Series([20.0, 5.0]), 0.9).round(6).tolist()
    [9.0, 0.5]
    """
    missed = actual - quantile
    return (share * missed).where(missed > 0, (share - 1) * missed)


def beside_naive(accuracy: pd.DataFrame, level: str, series: str | None = None, lag: int | None = None) -> pd.DataFrame:
    """Return per series and lag of a level the scores of the combination beside the seasonal naive's WAPE.

    `margin` is the naive's WAPE minus the combination's; positive = better than naive.
    """
    rows = accuracy[accuracy["level"] == level]
    rows = rows[(rows["series"] == series) if series else ((rows["series"] != "ALL") | (level == "total"))]
    rows = rows[rows["lag"] == lag] if lag is not None else rows
    keys = ["series", "lag"]
    own = rows[rows["model"] == "combination"].pivot(index=keys, columns="metric", values="value")
    wape = rows[rows["metric"] == "wape"].pivot(index=keys, columns="model", values="value")
    wape = wape.reindex(columns=["combination", "seasonal_naive"])
    out = own.reindex(columns=[*METRICS, "coverage80", "coverage95"])
    out.insert(1, "naive", wape["seasonal_naive"])
    out.insert(2, "margin", wape["seasonal_naive"] - wape["combination"])
    return out.rename_axis(columns=None).reset_index()


def _long(wide: pd.DataFrame, by: list[str], metrics: list[str]) -> pd.DataFrame:
    long = wide.melt([*by, "n"], metrics, var_name="metric", value_name="value")
    return long.dropna(subset="value").sort_values([*by, "metric"], ignore_index=True)


METRICS = {
    "wape": lambda s: s["absolute"] / s["volume"],
    "bias": lambda s: s["error"] / s["actual"],
    "mase": lambda s: s["absolute"] / s["scale"],
    "rmsse": lambda s: np.sqrt(s["squared"] / s["scale_sq"]),
    "tracking_signal": _tracking_signal,
}
