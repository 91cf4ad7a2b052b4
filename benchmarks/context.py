"""Measure on a company's own history whether drivers help the engine, and whether the intervals of events hold.

python -m benchmarks.context drivers WORKBOOK [--inputs DIR] [--cycle YYYY-MM] [--origins N --lags N]
python -m benchmarks.context events WORKBOOK [--inputs DIR] [--cycle YYYY-MM] [--tries N]

drivers: the WAPE of the backtest per level and lag, without and with what the review of drivers would have kept before
its first origin. More origins and fewer lags tell more: with the twelve and eighteen of a cycle, all lags together.
events: events that nobody held, of one to three months at months and scopes drawn by a fixed seed. The share of their
95 % intervals that hold zero should be 95 %; `rmse` is how far the logarithm of their effect is from it.
"""

import argparse
import os
from pathlib import Path

import numpy as np
import pandas as pd

from sop_lib import (
    backtest,
    baseline,
    drivers,
    events,
    forecast,
    hierarchy,
    history,
    inputs,
    launches,
    months,
    settings,
)
from sop_lib.models import COMBINATION, ORIGINS
from sop_lib.tables import ALL

SCOPES = {"product and region": [], "product": ["region"], "family": ["product", "region"]}


def driver_gain(tables: dict, panel: pd.DataFrame, cycle: pd.Timestamp, planning: settings.Planning) -> pd.DataFrame:
    """Return WAPE per level and lag (0: all), without and with drivers, and the share of the error that is gone."""
    sold, horizon = launches.chained(panel, tables["products"], cycle), months.month_range(cycle, 24)
    level = hierarchy.level_name(planning.hierarchy)
    rows, levels = forecast.panel(sold, level), hierarchy.levels_shown(level, sold)
    values = drivers.known_values(
        tables["drivers"], tables["calendar"], pd.DatetimeIndex(sold["month"].unique()).union(horizon)
    )
    first = backtest.first_cycle(cycle, len(horizon), planning.models)
    review, found = drivers.used(sold, values, cycle, horizon, first)
    print(*drivers.headline(review), sep="\n")
    out = {}
    for name, factors in (("without", None), ("with", found)):
        base = baseline.baseline(rows, len(horizon), planning.decision_lag, planning.models, factors=factors)
        tested = backtest.backtest_levels(base.tested.table, rows, levels)
        tested = tested[tested["model"] == COMBINATION]
        errors = tested.assign(error=(tested["forecast"] - tested["actual"]).abs(), volume=tested["actual"].abs())
        sums = pd.concat([errors, errors.assign(lag=0)]).groupby(["level", "lag"])[["error", "volume"]].sum()
        out[name] = sums["error"] / sums["volume"]
    return pd.DataFrame(out).assign(gain=lambda d: 1 - d["with"] / d["without"])


def event_coverage(panel: pd.DataFrame, tries: int) -> pd.DataFrame:
    """Return per scope and span how often the interval of an event that was none holds zero, its width and the rmse."""
    rng, every = np.random.default_rng(20_261_101), sorted(panel["month"].unique())
    cells = panel[["product", "family", "region"]].drop_duplicates(ignore_index=True)
    worth, rows = pd.DataFrame({"product": [], "price": [], "cost": []}), []
    for scope, whole in SCOPES.items():
        for span in (1, 2, 3):
            drawn = cells.loc[rng.integers(len(cells), size=tries)].assign(**dict.fromkeys(whole, ALL))
            for member, at in zip(drawn.to_dict("records"), rng.integers(2, len(every) - 5, size=tries), strict=True):
                told = pd.DataFrame([{**member, "event": "none", "kind": "promotion", "uplift_rate": 0.0}])
                told = told.assign(from_month=every[at], to_month=every[at + span - 1], uplift_units=np.nan)
                told = told.assign(probability=1.0, spend=np.nan)
                part = panel[panel["family"] == member["family"]]
                rows.append(events.past_effects(part, told, worth)[0].assign(scope=scope, span=span))
    found = pd.concat(rows).dropna(subset=["low"])
    low, high, effect = (np.log1p(found[name]) for name in ("low", "high", "achieved"))
    found = found.assign(holds=(low <= 0) & (high >= 0), width=high - low, squared=effect**2)
    out = found.groupby(["scope", "span"]).agg(
        events=("holds", "size"), holds=("holds", "mean"), width=("width", "median"), rmse=("squared", "mean")
    )
    return out.assign(rmse=np.sqrt(out["rmse"]))


def main() -> None:
    """Print what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["drivers", "events"])
    parser.add_argument("workbook", type=Path)
    parser.add_argument("--inputs", default="")
    parser.add_argument("--cycle", default="")
    parser.add_argument("--origins", type=int, default=0)
    parser.add_argument("--lags", type=int, default=0)
    parser.add_argument("--tries", type=int, default=100)
    asked = parser.parse_args()
    os.environ |= {"SOP_WORKBOOK": str(asked.workbook), "SOP_INPUTS": asked.inputs}
    company = settings.load()
    found = inputs.read_inputs(company, asked.cycle)
    panel = history.complete_history(found.tables["sales"], found.tables["products"], found.cycle)
    if asked.origins:
        ORIGINS[company.planning.models] = asked.origins
    backtest.MAX_LAG = asked.lags or backtest.MAX_LAG
    told = (
        driver_gain(found.tables, panel, found.cycle, company.planning)
        if asked.what == "drivers"
        else event_coverage(panel, asked.tries)
    )
    print(told.round(4).to_string())


if __name__ == "__main__":
    main()
