"""Ranges that add up: joint sample paths drawn from the errors of the backtest, summed, then quantiles.

How wide: pooled conformal errors, each divided by its series' spread (the seasonal
naive's mean error of the last 24 months), per lag over all series.
How months and series move together: a Gaussian multiplier bootstrap of whole error windows; every path
weighs the origins alike for all series, so that what was wrong together stays wrong together. The ranks of
those sums are then given the pooled errors (Clark and others, 2004, the Schaake shuffle).
"""

import numpy as np
import pandas as pd
from scipy import sparse, stats

from sop_lib import hierarchy
from sop_lib.accuracy import QUANTILES
from sop_lib.backtest import full_windows
from sop_lib.forecast import series_rules
from sop_lib.models import COMBINATION, RULES

__all__ = [
    "PATHS",
    "at_product_region",
    "backtest_ranges",
    "family_paths",
    "forecast_table",
    "leaf_paths",
    "path_quantiles",
    "sample_paths",
]

PATHS, SEED = 500, 20_261_101
POOL_NEEDED = 40
STILL = ["ended", "never sold", "constant"]
MEMBERS = ["family", "product", "region"]


def sample_paths(
    forecast: pd.DataFrame, rules: pd.DataFrame, backtest: pd.DataFrame, months: pd.DatetimeIndex
) -> tuple[pd.DataFrame, np.ndarray]:
    """Return the series (one row each) and their sample paths: an array path × series × month, in units, never below 0.

    `forecast` is the combination per series and month, `backtest` the backtest of `backtest.backtest`.
    Beyond the backtest's last lag L the range of month m is that of lag L times the root of m/L.
    """
    series = rules.sort_values("series", ignore_index=True)
    wide = forecast.pivot(index="series", columns="month", values="forecast").reindex(index=series["series"])
    mean = wide.reindex(columns=months).fillna(0.0).to_numpy()
    spread = series["spread"].where(~series["rule"].isin(STILL), 0.0).to_numpy()
    moving = backtest[backtest["series"].isin(series.loc[spread > 0, "series"])]
    draws = _draws(moving, series, len(months))
    return series, np.clip(mean + spread[:, None] * draws, 0.0, None)


def _draws(backtest: pd.DataFrame, series: pd.DataFrame, horizon: int) -> np.ndarray:
    """Return joint draws of scaled errors (actual minus forecast, over spread): path × series × month."""
    errors = backtest[(backtest["model"] == COMBINATION) & (backtest["spread"] > 0)]
    errors = errors.assign(error=(errors["actual"] - errors["forecast"]) / errors["spread"])
    pooled = _pooled(errors, horizon)
    rng = np.random.default_rng(SEED)
    windows = _windows(errors, series, rng)
    weight = rng.standard_normal((PATHS, windows.shape[0]))
    lags = _reflected(windows.shape[2], horizon)
    together = np.tensordot(weight, windows, axes=1)[:, :, lags]
    rank = together.argsort(axis=0, kind="stable").argsort(axis=0, kind="stable")
    kind = (series["rule"] == "intermittent").to_numpy().astype(int)
    return pooled[kind[None, :, None], np.arange(horizon)[None, None, :], rank]


def _pooled(errors: pd.DataFrame, horizon: int) -> np.ndarray:
    """Return the pooled quantiles per kind of series, month and rank.

    Errors of regular series are mirrored, so that the range stands around the forecast and a bias of the
    backtest widens it on both sides; those of intermittent series keep their skew. A kind with fewer than
    40 errors at a lag takes those of all series; a company without a backtest takes the normal distribution
    with the spread as mean absolute error.
    """
    at = (np.arange(PATHS) + 0.5) / PATHS
    out = np.empty((2, horizon, PATHS))
    last = int(errors["lag"].max()) if len(errors) else 0
    for month in range(horizon):
        lag, wider = min(month + 1, last), np.sqrt(max(1.0, (month + 1) / max(last, 1)))
        every = errors[errors["lag"] == lag]
        regular = every.loc[every["rule"] != "intermittent", "error"].to_numpy()
        skewed = every.loc[every["rule"] == "intermittent", "error"].to_numpy()
        both = every["error"].to_numpy()
        regular = regular if len(regular) >= POOL_NEEDED else both
        skewed = skewed if len(skewed) >= POOL_NEEDED else regular
        regular = np.concatenate([regular, -regular]) if len(both) else stats.norm.ppf(at) * np.sqrt(np.pi / 2)
        out[0, month] = wider * np.quantile(regular, at)
        out[1, month] = wider * np.quantile(skewed if len(both) else regular, at)
    return out


def _windows(errors: pd.DataFrame, series: pd.DataFrame, rng: np.random.Generator) -> np.ndarray:
    """Return origin × series × lag of scaled errors; a series without all windows borrows those of its family."""
    if errors.empty:
        return rng.standard_normal((12, len(series), 1))
    whole = full_windows(errors).pivot(index="series", columns=["origin", "lag"], values="error").sort_index(axis=1)
    origins = whole.columns.get_level_values(0).nunique()
    lender = _lenders(series, whole.index)
    return whole.loc[lender].to_numpy().reshape(len(series), origins, -1).swapaxes(0, 1)


def _lenders(series: pd.DataFrame, whole: pd.Index) -> list[str]:
    """Return for each series itself if it has all windows, else the next of its family's in turn, else of all."""
    order = series.assign(own=series["series"].isin(whole)).sort_values("series", kind="stable")
    lenders = {family: list(names) for family, names in order[order["own"]].groupby("family")["series"]}
    turn = order.groupby("family").cumcount()
    pairs = zip(order["series"], order["own"], order["family"], turn, strict=True)
    every = list(whole)
    return [
        name if own else (lenders.get(family) or every)[at % len(lenders.get(family) or every)]
        for name, own, family, at in pairs
    ]


def _reflected(lags: int, horizon: int) -> np.ndarray:
    """Return the lag whose window each month takes: 0 to the last, back to 0, and so on.

    >>> _reflected(3, 8).tolist()
    [0, 1, 2, 2, 1, 0, 0, 1]
    """
    return np.resize(np.r_[np.arange(lags), np.arange(lags)[::-1]], horizon)


def _summed(paths: np.ndarray, groups: pd.Series) -> tuple[list, np.ndarray]:
    """Return the groups' names in order and the sums of their paths."""
    codes, names = pd.factorize(groups, sort=True)
    members = sparse.csr_array((np.ones(len(codes)), (codes, np.arange(len(codes)))), shape=(len(names), len(codes)))
    count, _, months = paths.shape
    flat = members @ paths.transpose(1, 0, 2).reshape(len(codes), -1)
    return list(names), flat.reshape(len(names), count, months).transpose(1, 0, 2)


def path_quantiles(series: pd.DataFrame, paths: np.ndarray, level: str, months: pd.DatetimeIndex) -> pd.DataFrame:
    """Return the quantiles of the summed paths per series of a level and month, in units."""
    named = hierarchy.labelled(series, level)
    names, summed = _summed(paths, named["series"])
    at = np.quantile(summed, list(QUANTILES.values()), axis=0)
    out = pd.DataFrame({"series": np.repeat(names, len(months)), "month": np.tile(months, len(names))})
    out = out.assign(**{q: at[i].ravel() for i, q in enumerate(QUANTILES)})
    members = named[["level", "series", *MEMBERS]].drop_duplicates("series")
    return members.merge(out, on="series", how="inner", validate="one_to_many")


def at_product_region(
    forecast: pd.DataFrame, rules: pd.DataFrame, backtest: pd.DataFrame, sold: pd.DataFrame, months: pd.DatetimeIndex
) -> tuple[pd.DataFrame, pd.DataFrame, np.ndarray]:
    """Return the combination per product, region and month, in units; its series; and their sample paths.

    What was forecast above product × region is shared out by the mix of the last twelve months of `sold`.
    """
    level = rules["level"].iloc[0]
    mix = hierarchy.recent_mix(sold, level)
    own = forecast[forecast["model"] == COMBINATION]
    named = own.merge(rules[["series", *MEMBERS]], on="series", how="left", validate="many_to_one")
    leaf = hierarchy.split(named[[*MEMBERS, "month", "forecast"]], mix, level, ["forecast"])
    series, paths = leaf_paths(*sample_paths(own, rules, backtest, months), mix, level)
    return leaf, series, paths


def leaf_paths(
    series: pd.DataFrame, paths: np.ndarray, mix: pd.DataFrame, level: str
) -> tuple[pd.DataFrame, np.ndarray]:
    """Return the series and paths at product × region: each series' paths shared out by the mix."""
    at = series.assign(position=range(len(series)))[[*hierarchy.level_keys(level), "position"]]
    keys = hierarchy.level_keys(level)
    leaf = at.merge(mix, on=keys, validate="one_to_many") if keys else at.merge(mix, how="cross")
    leaf = leaf.sort_values(MEMBERS, ignore_index=True)
    return leaf[MEMBERS], paths[:, leaf["position"].to_numpy(), :] * leaf["share"].to_numpy()[None, :, None]


def forecast_table(leaf: pd.DataFrame, series: pd.DataFrame, paths: np.ndarray, rules: pd.DataFrame) -> pd.DataFrame:
    """Return mean and quantiles per level, series and month, in units: sums of product × region and of its paths.

    `leaf` holds the forecast per product, region and month. `method` is the rule of the series where it was
    forecast itself, else 'sum' or 'share' of such series.
    """
    months = pd.DatetimeIndex(sorted(leaf["month"].unique()))
    own = rules["level"].iloc[0]
    levels = dict.fromkeys([*hierarchy.LEVELS, own])
    method = rules["rule"].map({name: rule.reason for name, rule in RULES.items()}).set_axis(rules["series"])
    out = []
    for level in levels:
        mean = hierarchy.aggregate(leaf, level, ["month"], ["forecast"])[["series", "month", "forecast"]]
        at = path_quantiles(series, paths, level, months)
        at = at.merge(mean, on=["series", "month"], how="left", validate="one_to_one").rename(
            columns={"forecast": "mean"}
        )
        word = "sum" if level in hierarchy.levels_above(own) else "share"
        out.append(at.assign(method=at["series"].map(method) if level == own else word))
    return pd.concat(out, ignore_index=True)


def family_paths(series: pd.DataFrame, paths: np.ndarray, months: pd.DatetimeIndex) -> pd.DataFrame:
    """Return path, month, family, region, quantity: the summed paths of a family's products in a region, in units."""
    keys = series[["family", "region"]].drop_duplicates().sort_values(["family", "region"], ignore_index=True)
    at = pd.MultiIndex.from_frame(keys).get_indexer(pd.MultiIndex.from_frame(series[["family", "region"]]))
    _, summed = _summed(paths, pd.Series(at))
    index = pd.MultiIndex.from_product([range(len(summed)), keys.index, months], names=["path", "key", "month"])
    out = pd.DataFrame({"quantity": summed.ravel()}, index=index).reset_index()
    return out.join(keys, on="key")[["path", "month", "family", "region", "quantity"]]


def backtest_ranges(backtest: pd.DataFrame, panel: pd.DataFrame, levels: list[str]) -> pd.DataFrame:
    """Return the ranges that would have been given at the later half of the origins, beside what came.

    They are calibrated on the earlier half alone. Only series with all windows take part, so that a family
    or total is the same set at every origin; series that had ended by then do not. Empty when none do, or with
    fewer than four origins.
    """
    rows = full_windows(backtest[backtest["model"] == COMBINATION])
    origins = sorted(rows["origin"].unique())
    rows = rows[rows["series"].isin(_alive(panel, origins))]
    if len(origins) < 4 or rows.empty:
        return pd.DataFrame(columns=["level", "series", *MEMBERS, "origin", "lag", "actual", *QUANTILES])
    early, late = origins[: len(origins) // 2], origins[len(origins) // 2 :]
    series = rows.drop_duplicates("series").sort_values("series", ignore_index=True)
    draws = _draws(rows[rows["origin"].isin(early)], series, int(rows["lag"].max()))
    return pd.concat([_ranges_at(rows[rows["origin"] == o], series, draws, levels) for o in late], ignore_index=True)


def _alive(panel: pd.DataFrame, origins: list[pd.Timestamp]) -> pd.Series:
    """Return the series that had demand and had not ended when the later half of the origins began."""
    known = panel[panel["month"] <= (origins[(len(origins) - 1) // 2] if origins else panel["month"].max())]
    then = series_rules(known)
    return then.loc[~then["rule"].isin(STILL), "series"]


def _ranges_at(rows: pd.DataFrame, series: pd.DataFrame, draws: np.ndarray, levels: list[str]) -> pd.DataFrame:
    months = pd.DatetimeIndex(sorted(rows["month"].unique()))
    mean = rows.pivot(index="series", columns="month", values="forecast").loc[series["series"]].to_numpy()
    paths = np.clip(mean + series["spread"].to_numpy()[:, None] * draws, 0.0, None)
    out = [
        path_quantiles(series, paths, level, months).merge(
            hierarchy.aggregate(rows, level, ["month", "origin", "lag"], ["actual"])[
                ["series", "month", "origin", "lag", "actual"]
            ],
            on=["series", "month"], how="inner", validate="one_to_one",
        )
        for level in levels
    ]  # fmt: skip
    return pd.concat(out, ignore_index=True)
