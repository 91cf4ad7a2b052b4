"""The demand engine: rules, models, backtest, weights and combination of one panel, as batch and benchmark run it."""

from dataclasses import dataclass

import pandas as pd

from sop_lib import backtest, forecast, weights
from sop_lib.engines import LOCAL, Engine, Forecasts
from sop_lib.models import RECIPES

__all__ = ["Baseline", "baseline"]


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


def baseline(panel: pd.DataFrame, horizon: int, lag: int, models: str = "best", *, engine: Engine = LOCAL) -> Baseline:
    """Return the forecast of every series for the months of the horizon, and the same from earlier months, in units.

    `panel` is what `forecast.panel` returns: level, series, family, product, region, month, quantity. `lag` is the
    decision lag, at which weights are judged. `models` names the models of RECIPES: the fast ones cost less than half.
    `engine` says where they run.
    """
    rules = forecast.series_rules(panel)
    ahead = forecast.forecast(panel, rules, horizon, models, engine=engine)
    tested = backtest.backtest(panel, rules, horizon, models, engine=engine)
    found = weights.weighed(tested.table, rules, RECIPES[models], lag)
    both = [forecast.combine(*pair) for pair in ((ahead, found.ahead), (tested, found.tested))]
    return Baseline(panel, rules, both[0], both[1], found.ahead, found.schemes)
