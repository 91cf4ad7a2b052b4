"""Forecasts of several levels made one: bottom-up, top-down, middle-out and MinT, each ending at the series planned.

- bottom-up: each series' own forecast.
- top-down, middle-out: the forecast of the family, of the product, shared out by the mix of the last twelve months
  known at the origin (Gross and Sohl, 1990).
- MinT: the forecasts of all levels moved as little as their errors allow, none below zero. The variance of an error
  is that of the seasonal naive as known then (Wickramasuriya and others, 2019 and 2020).

Families and total are sums of what comes out, whichever method is used. Which is used says `level_choice`.
"""

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.sparse import linalg

from sop_lib import backtest, forecast, hierarchy
from sop_lib.baseline import Baseline
from sop_lib.engines import REMARK
from sop_lib.hierarchy import MEMBERS
from sop_lib.models import BENCHMARK, COMBINATION, STILL
from sop_lib.tables import ALL

__all__ = ["BOTTOM_UP", "METHODS", "candidates", "panels_above", "taking_part"]

METHODS = (BOTTOM_UP, TOP_DOWN, MIDDLE_OUT, MINT) = ("bottom-up", "top-down", "middle-out", "mint")
SHARED_FROM = {TOP_DOWN: "family", MIDDLE_OUT: "product"}
MIX_MONTHS = 12
LEAST = 1e-8  # of a family's size and variance: an error that is known to be none would divide by zero
WINDOW = ["origin", "month"]


def taking_part(leaf: Baseline) -> pd.DataFrame:
    """Return the rules of the series that are reconciled; the others keep their own forecast.

    They have the whole backtest, so that methods can be compared, and have not ended; a family has two or more.
    What has ended by now is left out at earlier origins too, so that a family is the same series throughout.
    """
    whole = backtest.full_windows(leaf.tested.table)["series"].unique()
    out = leaf.rules[leaf.rules["series"].isin(whole) & ~leaf.rules["rule"].isin(STILL)]
    return out[(out["family"] != ALL) & (out.groupby("family")["series"].transform("size") > 1)]


def panels_above(leaf: Baseline, sold: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return month and quantity of the families and, where products have several series, of the products, by level.

    They are sums of the series that take part, for the engine to forecast. `sold` is what `launches.chained` returns.
    Empty where there is nothing to compare. Raises ValueError when a product is in two families.
    """
    _one_family_each(sold)
    own, taking = leaf.rules["level"].iloc[0], taking_part(leaf)
    part = sold[hierarchy.labelled(sold, own)["series"].isin(taking["series"])]
    between = [name for name in hierarchy.levels_above(own)[:-1] if name != "total" and len(part)]
    panels = {name: forecast.panel(part, name) for name in between}
    return {name: panel for name, panel in panels.items() if panel["series"].nunique() < len(taking)}


def _one_family_each(sold: pd.DataFrame) -> None:
    families = sold.groupby("product")["family"].unique()
    twice = families[families.map(len) > 1]
    if len(twice):
        named = "; ".join(f"{product} is in {' and in '.join(sorted(of))}" for product, of in twice.items())
        raise ValueError(f"products: {named}. Forecasts add up only when a product is in one family: keep one of them.")


def candidates(leaf: Baseline, above: dict[str, Baseline]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return what each method says per series, origin and month, in units, a column each; and what went wrong.

    Months of the backtest hold `lag`, `actual` and the seasonal naive, the months to come hold none.
    Methods whose level is not among `above` have no column.
    """
    rows = _stated(leaf)
    rows = rows[rows["series"].isin(taking_part(leaf)["series"])].rename(columns={"forecast": BOTTOM_UP})
    naive = leaf.tested.table.loc[leaf.tested.table["model"] == BENCHMARK, ["series", *WINDOW, "forecast"]]
    naive = naive.rename(columns={"forecast": BENCHMARK})
    rows = rows.merge(naive, on=["series", *WINDOW], how="left", validate="one_to_one")
    rows = rows.merge(_recent(leaf.panel), on=["series", "origin"], how="left", validate="many_to_one")
    stated = {level: _stated(found) for level, found in above.items()}
    for method, level in SHARED_FROM.items():
        if level in stated:
            rows[method] = _shared(rows, stated[level], hierarchy.level_keys(level))
    rows[MINT], failed = _mint(rows, stated)
    return rows, failed


def _stated(found: Baseline) -> pd.DataFrame:
    """Return the combination per series, origin and month, with the variance of its error as known then."""
    known = found.rules[["series", *MEMBERS, "scale_sq"]]
    ahead = found.forecasts.table.merge(known, on="series", how="left", validate="many_to_one")
    both = pd.concat([found.tested.table, ahead], ignore_index=True)
    columns = ["series", *MEMBERS, *WINDOW, "lag", "actual", "forecast", "scale_sq"]
    return both.loc[both["model"] == COMBINATION, columns].sort_values(["series", *WINDOW], ignore_index=True)


def _recent(panel: pd.DataFrame) -> pd.DataFrame:
    """Return what each series sold in the last twelve months known at each origin, in units."""
    series = panel.groupby("series")["quantity"]  # sums of shifts, because a rolling sum leaves crumbs after a zero
    recent = sum(series.shift(k).fillna(0.0) for k in range(MIX_MONTHS))
    return panel[["series"]].assign(origin=panel["month"], recent=recent.clip(lower=0.0))


def _shared(rows: pd.DataFrame, stated: pd.DataFrame, keys: list[str]) -> pd.Series:
    """Return the forecasts of a level shared out by the recent mix, equally where nothing was sold."""
    keys = [*keys, *WINDOW]
    groups = rows.groupby(keys)["recent"]
    total = groups.transform("sum")
    share = (rows["recent"] / total.where(total > 0)).fillna(1.0 / groups.transform("size"))
    given = rows[keys].merge(stated[[*keys, "forecast"]], on=keys, how="left", validate="many_to_one")
    return (share * given["forecast"].to_numpy()).fillna(rows[BOTTOM_UP])


def _mint(rows: pd.DataFrame, stated: dict[str, pd.DataFrame]) -> tuple[pd.Series, pd.DataFrame]:
    """Return the MinT forecast of each row, and remarks where none could be found: bottom-up stands in.

    All families are solved at once, the backtest and the months to come apart, because errors are known better now.
    A family's numbers are divided by its mean forecast, so that a solver meets small and large ones alike.
    """
    families = rows.groupby("family").agg(size=(BOTTOM_UP, "mean"), spread=("scale_sq", "max"))
    size = families["size"].where(families["size"] > LEAST, 1.0)
    least = LEAST * (1.0 + families["spread"] / size**2)
    levels = {name: _scaled(part, size, least) for name, part in stated.items()}
    own = _scaled(rows.rename(columns={BOTTOM_UP: "forecast"}), size, least)
    done, failed = [], []
    for _, part in own.groupby(own["actual"].isna()):
        origins = part["origin"].unique()
        found, why = _least_moved(part, {n: level[level["origin"].isin(origins)] for n, level in levels.items()})
        done.append(found)
        told = {"origin": max(origins), "model": MINT, "remark": "left out: not solved", "error": why}
        failed.append(part.loc[[bool(why)] * len(part), ["series"]].drop_duplicates().assign(**told))
    at = pd.MultiIndex.from_frame(rows[["series", *WINDOW]])
    forecasts = pd.concat(done).loc[at].to_numpy() * rows["family"].map(size).to_numpy()
    return pd.Series(forecasts, index=rows.index), pd.concat(failed, ignore_index=True)[REMARK]


def _scaled(rows: pd.DataFrame, size: pd.Series, least: pd.Series) -> pd.DataFrame:
    by, least = rows["family"].map(size), rows["family"].map(least)
    return rows.assign(forecast=rows["forecast"] / by, scale_sq=rows["scale_sq"] / by**2 + least)


def _least_moved(own: pd.DataFrame, levels: dict[str, pd.DataFrame]) -> tuple[pd.Series, str]:
    """Return the forecast per series, origin and month that moves those of all levels least, and what went wrong.

    Where that takes a series below zero, its family's month is solved again with the bound, else it stays bottom-up.
    """
    wide = own.pivot(index="series", columns=WINDOW, values="forecast")
    series = own.drop_duplicates("series").set_index("series", drop=False).loc[wide.index]
    blocks, said, variance = [], [], []
    for level, rows in levels.items():
        at, names = pd.factorize(hierarchy.labelled(series, level)["series"], sort=True)
        blocks.append(sparse.csr_matrix((np.ones(len(at)), (at, np.arange(len(at)))), shape=(len(names), len(at))))
        given = rows.pivot(index="series", columns=WINDOW, values="forecast").reindex(index=names, columns=wide.columns)
        said.append(np.where(given.isna(), blocks[-1] @ wide.to_numpy(), given))
        variance.append(rows.drop_duplicates("series").set_index("series").loc[names, "scale_sq"].to_numpy())
    above, mine = sparse.vstack(blocks).tocsr(), series["scale_sq"].to_numpy()
    base, errors = (np.vstack(said), wide.to_numpy()), (np.concatenate(variance), mine)
    found = pd.DataFrame(_projected(above, *base, *errors), wide.index, wide.columns)
    below = (found < -LEAST).groupby(series["family"]).transform("any")
    why, months = "", below.any().to_numpy()
    if months.any():
        bound, why = _bounded(above, base[0][:, months], base[1][:, months], *errors)
        found.loc[:, months] = found.loc[:, months].mask(below.loc[:, months], bound)
    return found.clip(lower=0.0).stack(WINDOW, future_stack=True), why


def _projected(
    above: sparse.csr_matrix, said: np.ndarray, own: np.ndarray, variance: np.ndarray, own_variance: np.ndarray
) -> np.ndarray:
    """Return each month's own forecasts with the gaps to the levels above shared out by variance (MinT's closed form).

    The same as the library's dense method, whose matrices a family of 14,000 series would not fit.
    """
    shared = sparse.diags(own_variance) @ above.T
    return own + shared @ linalg.splu((sparse.diags(variance) + above @ shared).tocsc()).solve(said - above @ own)


def _bounded(
    above: sparse.csr_matrix, said: np.ndarray, own: np.ndarray, variance: np.ndarray, own_variance: np.ndarray
) -> tuple[np.ndarray, str]:
    """Return the same with no forecast below zero, and what went wrong: then the own forecasts.

    The sparse method of the library solves a quadratic programme for each month; the dense one takes minutes for
    1,000 series. Its weights are one over a variance, which it takes from two errors that have that variance.
    """
    from hierarchicalforecast.methods import MinTraceSparse

    summing, error = sparse.vstack([above, sparse.identity(len(own))]).tocsr(), np.concatenate([variance, own_variance])
    error = np.sqrt(error / 2)[:, None]
    try:
        method = MinTraceSparse("wls_var", nonnegative=True)
        method.fit(summing, np.vstack([said, own]), np.hstack([error, -error]), np.zeros((len(error), 2)))
        return method.y_hat[-len(own) :], ""
    except Exception as problem:  # the library raises nothing more precise
        return own, str(problem)
