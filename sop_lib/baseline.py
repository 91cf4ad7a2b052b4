"""The demand engine: rules, models, backtest and combination of one panel, as the batch and the benchmark run it."""

from dataclasses import dataclass

import pandas as pd

from sop_lib import backtest, forecast
from sop_lib.engines import Forecasts

__all__ = ["Baseline", "baseline"]


@dataclass(frozen=True)
class Baseline:
    """What the engine found for a panel: the rule of each series, its forecasts, and its backtest."""

    panel: pd.DataFrame
    rules: pd.DataFrame
    forecasts: Forecasts
    tested: Forecasts


def baseline(panel: pd.DataFrame, horizon: int) -> Baseline:
    """Return the forecast of every series for the months of the horizon, and the same from earlier months, in units.

    `panel` is what `forecast.panel` returns: level, series, family, product, region, month, quantity.
    """
    rules = forecast.series_rules(panel)
    found = forecast.forecast(panel, rules, horizon)
    return Baseline(panel, rules, found, backtest.backtest(panel, rules, horizon))
