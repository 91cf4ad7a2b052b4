"""Ranges that add up: joint sample paths drawn from the errors of the backtest, summed, then quantiles.

How wide: pooled conformal errors, per lag over all series, each counted in its series' spread and the root of its
month's level, so that a high season errs more; those of the latest six origins, when models knew most. Intermittent
series take their own demand of the last three years instead, scaled to the forecast (Willemain and others, 2004).
How months and series move together: a Gaussian multiplier bootstrap of whole error windows; every path weighs the
origins alike, so that what was wrong together stays wrong together. Between families half of that is believed:
it rests on a dozen overlapping windows. The ranks of those sums are then given the pooled errors (Clark and others,
2004, the Schaake shuffle).
"""

import numpy as np
import pandas as pd
from scipy import sparse, stats

from sop_lib import hierarchy
from sop_lib.accuracy import QUANTILES
from sop_lib.backtest import full_windows
from sop_lib.baseline import Baseline
from sop_lib.forecast import series_rules
from sop_lib.hierarchy import MEMBERS
from sop_lib.models import COMBINATION, RULES, STILL

__all__ = [
    "PATHS",
    "at_product_region",
    "backtest_ranges",
    "family_paths",
    "forecast_table",
    "leaf_paths",
    "own_demand",
    "path_quantiles",
    "sample_paths",
]

PATHS, SEED = 500, 20_261_101
LATEST, POOL_NEEDED = 6, 40  # origins; errors of a lag
WINDOWS_NEEDED = 6  # origins whose windows tell how months and series move together
BETWEEN_FAMILIES = 0.5
THREE_YEARS, CHUNK = 36, 500


def sample_paths(base: Baseline, months: pd.DatetimeIndex) -> tuple[pd.DataFrame, np.ndarray]:
    """Return the series (one row each) and their sample paths: an array path × series × month, in units, never below 0.

    Beyond the last lag L whose errors are known, the range of month m is that of lag L times the root of m/L.
    """
    series = base.rules.sort_values("series", ignore_index=True)
    own = base.forecasts.table[base.forecasts.table["model"] == COMBINATION]
    wide = own.pivot(index="series", columns="month", values="forecast").reindex(index=series["series"])
    mean = wide.reindex(columns=months).fillna(0.0).to_numpy()
    errors = _errors(base.tested.table)
    known = errors["series"].isin(_moving(series)["series"]) & ~errors["rule"].isin(STILL)
    return series, _paths(mean, series, errors[known], base.panel)


def _moving(series: pd.DataFrame) -> pd.DataFrame:
    return series[~series["rule"].isin(STILL) & (series["spread"] > 0)]


def _errors(tested: pd.DataFrame) -> pd.DataFrame:
    """Return the combination's errors in the backtest (actual minus forecast), counted in units of their month."""
    own = tested[(tested["model"] == COMBINATION) & (tested["spread"] > 0)]
    level = own.groupby(["series", "origin"])["forecast"].transform("mean")
    unit = own["spread"] * _by_level(own["forecast"].to_numpy(dtype=float), level.to_numpy(dtype=float))
    return own.assign(error=(own["actual"] - own["forecast"]) / unit)


def _by_level(months: np.ndarray, level: np.ndarray) -> np.ndarray:
    """Return the root of each month over the level, between a fifth and five times it."""
    return np.sqrt(np.clip(months / np.where(level > 0, level, 1.0), 0.2, 5.0))


def _paths(mean: np.ndarray, series: pd.DataFrame, errors: pd.DataFrame, panel: pd.DataFrame) -> np.ndarray:
    """Return the sample paths around a forecast, series × month, from errors known when it was made."""
    pooled, windows = _pooled(errors, mean.shape[1]), _windows(errors, series)
    shared, own = _multipliers(windows.shape[0], series["family"].nunique())
    family = pd.factorize(series["family"], sort=True)[0]
    spread = series["spread"].where(series["series"].isin(_moving(series)["series"]), 0.0).to_numpy()
    unit = spread[:, None] * _by_level(mean, mean.mean(axis=1, keepdims=True))
    kind = (series["rule"] == "intermittent").to_numpy()
    demand = own_demand(series, panel, kind)
    out = np.empty((PATHS, *mean.shape), dtype=np.float32)
    for at in np.array_split(np.arange(len(series)), max(1, len(series) // CHUNK)):
        rank = _ranks(windows[:, at], shared, own[:, :, family[at]], mean.shape[1])
        drawn = pooled[np.arange(mean.shape[1])[None, None, :], rank] * unit[at] + mean[at]
        lumpy = kind[at]
        drawn[:, lumpy] = demand[at[lumpy]][np.arange(lumpy.sum())[None, :, None], rank[:, lumpy]] * mean[at[lumpy]]
        out[:, at] = np.clip(drawn, 0.0, None)
    return out


def own_demand(series: pd.DataFrame, panel: pd.DataFrame, lumpy: np.ndarray) -> np.ndarray:
    """Return for each intermittent series the quantiles of its last three years' demand over their mean.

    Of all its months where those three years had none.
    """
    at = (np.arange(PATHS) + 0.5) / PATHS
    out = np.ones((len(series), PATHS))
    if lumpy.any():
        names = series.loc[lumpy, "series"]
        wide = panel[panel["series"].isin(names)].pivot(index="series", columns="month", values="quantity")
        months = wide.sort_index(axis=1).loc[names].to_numpy()
        old = np.arange(months.shape[1]) < months.shape[1] - THREE_YEARS
        lately = (months[:, ~old] > 0).any(axis=1, keepdims=True)
        last = np.where(lately & old, np.nan, months)
        mean = np.nanmean(last, axis=1, keepdims=True)
        found = np.nanquantile(last, at, axis=1, method="inverted_cdf").T
        out[lumpy] = found / np.where(mean > 0, mean, 1.0)
    return out


def _multipliers(origins: int, families: int) -> tuple[np.ndarray, np.ndarray]:
    """Return what each path weighs each origin with: shared by all, path × origin × 1, and of each family."""
    rng = np.random.default_rng(SEED)
    shared, own = rng.standard_normal((PATHS, origins, 1)), rng.standard_normal((PATHS, origins, families))
    return np.sqrt(BETWEEN_FAMILIES) * shared, np.sqrt(1 - BETWEEN_FAMILIES) * own


def _ranks(windows: np.ndarray, shared: np.ndarray, own: np.ndarray, horizon: int) -> np.ndarray:
    """Return the rank of each path among all, path × series × month, as the weighed windows put them."""
    together = np.einsum("pos,osl->psl", shared + own, windows, optimize=True)
    order = together.argsort(axis=0, kind="stable").argsort(axis=0, kind="stable")
    return order[:, :, _reflected(windows.shape[2], horizon)]


def _pooled(errors: pd.DataFrame, horizon: int) -> np.ndarray:
    """Return the pooled quantiles per month and rank, around 0: a bias of the backtest is not believed to last.

    The errors of the latest six origins of a lag, or of all when those are few. Without a backtest: the normal
    distribution with the spread as mean absolute error.
    """
    at = (np.arange(PATHS) + 0.5) / PATHS
    regular = errors[errors["rule"] != "intermittent"]
    regular = regular if len(regular) else errors
    known = regular.groupby("lag").size() if len(regular) else pd.Series(dtype=float)
    last = int(known.index[known >= min(POOL_NEEDED, known.max())].max()) if len(known) else 0
    out = np.empty((horizon, PATHS))
    for month in range(horizon):
        wider = np.sqrt(max(1.0, (month + 1) / max(last, 1)))
        pool = _pool(regular[regular["lag"] == min(month + 1, last)]) if last else np.array([])
        few = np.clip(0.5 + (at - 0.5) * (len(pool) + 1) / max(len(pool), 1), 0, 1)  # as conformal ranges must
        found = np.quantile(pool, few) if len(pool) else stats.norm.ppf(at) * np.sqrt(np.pi / 2)
        out[month] = wider * found
    return out


def _pool(errors: pd.DataFrame) -> np.ndarray:
    latest = errors[errors.groupby("series")["origin"].rank(ascending=False, method="first") <= LATEST]
    pool = (latest if len(latest) >= 2 * POOL_NEEDED else errors)["error"].to_numpy(dtype=float)
    return pool - np.median(pool)


def _windows(errors: pd.DataFrame, series: pd.DataFrame) -> np.ndarray:
    """Return origin × series × lag of errors; a series without all windows borrows those of its family."""
    if errors.empty:
        return np.random.default_rng(SEED).standard_normal((12, len(series), 1))
    whole = full_windows(errors)
    origins = np.sort(whole["origin"].unique())
    known = whole.groupby("lag")["origin"].nunique()
    last = int(known.index[known >= min(WINDOWS_NEEDED, known.max())].max())
    used = whole[(whole["lag"] <= last) & whole["origin"].isin(origins[: known[last]])]
    wide = used.pivot(index="series", columns=["origin", "lag"], values="error").sort_index(axis=1).dropna()
    lender = _lenders(series, wide.index)
    return wide.loc[lender].to_numpy(dtype=float).reshape(len(series), int(known[last]), -1).swapaxes(0, 1)


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
    base: Baseline, sold: pd.DataFrame, months: pd.DatetimeIndex
) -> tuple[pd.DataFrame, pd.DataFrame, np.ndarray]:
    """Return the combination per product, region and month, in units; its series; and their sample paths.

    What was forecast above product × region is shared out by the mix of the last twelve months of `sold`.
    """
    level = base.rules["level"].iloc[0]
    mix = hierarchy.recent_mix(sold, level)
    own = base.forecasts.table[base.forecasts.table["model"] == COMBINATION]
    named = own.merge(base.rules[["series", *MEMBERS]], on="series", how="left", validate="many_to_one")
    leaf = hierarchy.split(named[[*MEMBERS, "month", "forecast"]], mix, level, ["forecast"])
    series, paths = leaf_paths(*sample_paths(base, months), mix, level)
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


def forecast_table(
    leaf: pd.DataFrame, series: pd.DataFrame, paths: np.ndarray, rules: pd.DataFrame, moved: pd.Series | None = None
) -> pd.DataFrame:
    """Return mean and quantiles per level, series and month, in units: sums of product × region and of its paths.

    `leaf` holds the forecast per product, region and month. `method` is the rule of the series where it was
    forecast itself, with how it was reconciled (`moved`, by series), else 'sum' or 'share' of such series.
    """
    months = pd.DatetimeIndex(sorted(leaf["month"].unique()))
    own = rules["level"].iloc[0]
    above = hierarchy.levels_shown(own, leaf)
    levels = dict.fromkeys([*hierarchy.LEVELS, *hierarchy.levels_shown(hierarchy.LEVELS[-1], leaf), own])
    method = rules["rule"].map({name: rule.reason for name, rule in RULES.items()}).set_axis(rules["series"])
    if moved is not None:
        method = method + moved.reindex(method.index).map(", {}".format, na_action="ignore").fillna("")
    out = []
    for level in levels:
        mean = hierarchy.aggregate(leaf, level, ["month"], ["forecast"])[["series", "month", "forecast"]]
        at = path_quantiles(series, paths, level, months)
        at = at.merge(mean, on=["series", "month"], how="left", validate="one_to_one").rename(
            columns={"forecast": "mean"}
        )
        word = "sum" if level in above else "share"
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


def backtest_ranges(base: Baseline, levels: list[str]) -> pd.DataFrame:
    """Return the ranges that would have been given at the later half of the origins, beside what came.

    Each is made from the errors of months up to its origin alone. Only series with all windows take part, so that a
    family or total is the same set at every origin; series that had ended by then do not. Empty when none do, or
    with fewer than four origins.
    """
    rows = full_windows(_errors(base.tested.table))
    origins = sorted(rows["origin"].unique())
    late = origins[len(origins) // 2 :]
    rows = rows[rows["series"].isin(_alive(base.panel, late))]
    if len(origins) < 4 or rows.empty:
        return pd.DataFrame(columns=["level", "series", *MEMBERS, "origin", "lag", "actual", *QUANTILES])
    series = rows.drop_duplicates("series").sort_values("series", ignore_index=True)
    return pd.concat([_ranges_at(rows, series, origin, base.panel, levels) for origin in late], ignore_index=True)


def _alive(panel: pd.DataFrame, late: list[pd.Timestamp]) -> pd.Series:
    """Return the series that had demand and had not ended when the later half of the origins began."""
    known = panel[panel["month"] <= late[0]] if late else panel
    then = series_rules(known)
    return then.loc[~then["rule"].isin(STILL), "series"]


def _ranges_at(
    rows: pd.DataFrame, series: pd.DataFrame, origin: pd.Timestamp, panel: pd.DataFrame, levels: list[str]
) -> pd.DataFrame:
    now = rows[rows["origin"] == origin]
    months = pd.DatetimeIndex(sorted(now["month"].unique()))
    mean = now.pivot(index="series", columns="month", values="forecast").loc[series["series"]].to_numpy(dtype=float)
    paths = _paths(mean, series, rows[rows["month"] <= origin], panel[panel["month"] <= origin])
    out = [
        path_quantiles(series, paths, level, months).merge(
            hierarchy.aggregate(now, level, ["month", "origin", "lag"], ["actual"])[
                ["series", "month", "origin", "lag", "actual"]
            ],
            on=["series", "month"], how="inner", validate="one_to_one",
        )
        for level in levels
    ]  # fmt: skip
    return pd.concat(out, ignore_index=True)
