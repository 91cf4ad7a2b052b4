"""Replay the stock policy on a company's own history: promised against achieved share of units from stock.

python -m benchmarks.replay WORKBOOK [--inputs DIR] [--cycle YYYY-MM] [--origins N] [--frozen N] [--promise RATE]

The product's own engine forecasts again from the last N origins (36), as the backtest of a cycle does from twelve; at
each, safety stock comes from the errors of the twelve newest plans whose outcome was known, and serves the months
after. Prints promised, achieved and stock left per family, by both rules: what they are and how far off on average.
`--frozen` gives every family that many frozen months, for a company that states none; `--promise` the share.
"""

import argparse
import os
from pathlib import Path

import pandas as pd

from sop_lib import (
    backtest,
    baseline,
    forecast,
    hierarchy,
    history,
    inputs,
    launches,
    policy,
    policy_replay,
    settings,
)
from sop_lib.models import ORIGINS
from sop_lib.tables import ALL

SPARE = 2  # months tested beyond the longest lead time


def tested(tables: dict, cycle: pd.Timestamp, planning: settings.Planning, origins: int, lags: int) -> pd.DataFrame:
    """Return the backtest of `lags` months from `origins` origins, at the company's level and the levels above it."""
    panel = history.complete_history(tables["sales"], tables["products"], cycle)
    sold = launches.chained(panel, tables["products"], cycle)
    level = hierarchy.level_name(planning.hierarchy)
    rows, levels = forecast.panel(sold, level), hierarchy.levels_shown(level, sold)
    ORIGINS[planning.models], backtest.MAX_LAG = origins, lags
    base = baseline.baseline(rows, lags, planning.decision_lag, planning.models)
    return backtest.backtest_levels(base.tested.table, rows, levels)


def stated(tables: dict, frozen: int | None, promise: float | None) -> pd.DataFrame:
    """Return the families of a company with frozen months and promise replaced where they are given."""
    names = sorted(tables["products"]["family"].dropna().unique())
    rows = tables["families"] if len(tables["families"]) else pd.DataFrame({"family": names, "strategy": "MTS"})
    rows = rows.reindex(columns=[*{**dict.fromkeys(rows), "fill_target": 0, "frozen_months": 0}])
    changed = {"frozen_months": frozen, "fill_target": promise}
    return rows.assign(**{name: value for name, value in changed.items() if value is not None})


def off(rows: pd.DataFrame) -> tuple[float, float]:
    """Return how far families are from their promise on average, in points: without sign, and with it."""
    each = 100 * rows.loc[rows["family"] != ALL, "difference"].dropna()
    return each.abs().mean(), each.mean()


def main() -> None:
    """Print the replay by both rules."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workbook", type=Path)
    parser.add_argument("--inputs", default="")
    parser.add_argument("--cycle", default="")
    parser.add_argument("--origins", type=int, default=36)
    parser.add_argument("--frozen", type=int)
    parser.add_argument("--promise", type=float)
    asked = parser.parse_args()
    os.environ |= {"SOP_WORKBOOK": str(asked.workbook), "SOP_INPUTS": asked.inputs}
    company = settings.load()
    found = inputs.read_inputs(company, asked.cycle)
    families = stated(found.tables, asked.frozen, asked.promise)
    lags = int(policy.lead_months(families).max()) + SPARE
    errors = tested(found.tables, found.cycle, company.planning, asked.origins, lags)
    for rule in policy.RULES:
        planning = company.planning.model_copy(update={"safety_rule": rule})
        rows = policy_replay.replay(errors, families, planning, found.tables["sales"])
        print(f"\n{rule}: {'{:.1f} points off on average, {:+.1f} with sign'.format(*off(rows))}")
        print(rows.drop(columns="finding").round(3).to_string(index=False))
        print(policy_replay.replay_sentence(rows))


if __name__ == "__main__":
    main()
