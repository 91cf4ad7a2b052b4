"""The demand engine: rules, models, backtest, weights and combination of one panel, as batch and benchmark run it."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from sop_lib import backtest, forecast, weights
from sop_lib.engines import LOCAL, Engine, Forecasts
from sop_lib.models import RECIPES

__all__ = ["Baseline", "baseline", "moved", "steady"]


@dataclass(frozen=True)
class Baseline:
    """What the engine found for a panel: the rule of each series, its forecasts, its backtest and its weights.

    `weights` holds series, rule, model, weight; `schemes` how the ways to weigh did at the decision lag.
    """

    panel: pd.DataFrame
    rules: pd.DataFrame
    forecasts: Forecasts
    tested: Forecasts
    weights: pd.DataFrame
    schemes: pd.DataFrame


def baseline(
    panel: pd.DataFrame, horizon: int, lag: int, models: str = "best", *, engine: Engine = LOCAL,
    factors: pd.DataFrame | None = None,
) -> Baseline:  # fmt: skip
    """Return the forecast of every series for the months of the horizon, and the same from earlier months, in units.

    `panel` is what `forecast.panel` returns: level, series, family, product, region, month, quantity. `lag` is the
    decision lag, at which weights are judged. `models` names the models of RECIPES: the fast ones cost less than half.
    `engine` says where they run. `factors`, from `drivers.used`, say how drivers move each month of a family: models
    learn from the panel without them, and what they say is moved by them; the backtest by what was known then.
    """
    now, then = steady(panel, factors, "factor"), steady(panel, factors, "tested")
    rules = forecast.series_rules(now)
    ahead = forecast.forecast(now, rules, horizon, models, engine=engine)
    tested = backtest.backtest(then, rules, horizon, models, engine=engine)
    found = weights.weighed(tested.table, rules, RECIPES[models], lag)
    both = [forecast.combine(*pair) for pair in ((ahead, found.ahead), (tested, found.tested))]
    family = rules.set_index("series")["family"]
    ahead, tested = (
        Forecasts(moved(f.table, f.table["series"].map(family), factors, at), f.remarks)
        for f, at in zip(both, ("factor", "tested"), strict=True)
    )
    return Baseline(panel, rules, ahead, tested, found.ahead, found.schemes)


def steady(panel: pd.DataFrame, factors: pd.DataFrame | None, column: str) -> pd.DataFrame:
    """Return the panel without what drivers did: quantity over the factor of its month and family."""
    times = _times(panel["month"], panel["family"], factors, column)
    return panel if times is None else panel.assign(quantity=panel["quantity"] / times)


def moved(table: pd.DataFrame, family: pd.Series, factors: pd.DataFrame | None, column: str) -> pd.DataFrame:
    """Return forecasts, and what came beside them, times the factor of their month and family."""
    times = _times(table["month"], family, factors, column)
    named = [name for name in ("forecast", "actual") if name in table]
    return table if times is None else table.assign(**{name: table[name] * times for name in named})


def _times(month: pd.Series, family: pd.Series, factors: pd.DataFrame | None, column: str) -> np.ndarray | None:
    """Return the factor of each row, 1 where none is given; None when nothing moves."""
    if factors is None or (factors[column] == 1).all():
        return None
    wide = factors.pivot(index="month", columns="family", values=column)
    at, of = wide.index.get_indexer(month), wide.columns.get_indexer(family)
    return np.where((at < 0) | (of < 0), 1.0, wide.to_numpy()[at, of])
