"""The rolling-origin backtest: forecasts as they would have been made from earlier months, beside what came."""

import numpy as np
import pandas as pd

from sop_lib import accuracy, engines, hierarchy, pooled
from sop_lib.engines import LOCAL, REMARK, Engine, Forecasts
from sop_lib.forecast import MONTHS_NEEDED, in_bulk, learned_together, of_rule, plausible, series_rules
from sop_lib.models import BENCHMARK, COMBINATION, ORIGINS, RECIPES

__all__ = ["backtest", "backtest_levels", "first_cycle", "full_windows", "held_out", "model_scores"]

MAX_LAG = 18
TESTED = ["series", "origin", "month", "model", "forecast", "level", "family", "product", "region", "scale", "scale_sq"]
TESTED += ["spread", "rule", "lags", "origins", "actual", "lag"]


def held_out(rules: pd.DataFrame, horizon: int, most_origins: int) -> pd.DataFrame:
    """Return per series how many lags and origins its backtest has, so that 24 months stay before the first origin.

    All 18 lags from 12 origins need 53 months; a shorter series gives up half of what is lacking in lags,
    half in origins. Series with fewer than 25 months or that ended have none.
    """
    most = min(horizon, MAX_LAG)
    spare = (rules["months"] - MONTHS_NEEDED).clip(0, most + most_origins - 1)
    lags = np.maximum(spare // 2, spare - most_origins) + 1
    out = rules[["series"]].assign(lags=lags.clip(upper=most))
    out["origins"] = (spare - out["lags"] + 1).clip(upper=most_origins)
    return out[(spare > 0) & (rules["last"] == rules["last"].max())].reset_index(drop=True)


def first_cycle(cycle: pd.Timestamp, horizon: int, models: str = "best") -> pd.Timestamp:
    """Return the earliest cycle from which a backtest before `cycle` forecasts.

    >>> first_cycle(pd.Timestamp("2026-11-01"), 24)
    Timestamp('2024-06-01 00:00:00')
    """
    return cycle - pd.DateOffset(months=min(horizon, MAX_LAG) + ORIGINS[models] - 1)


def backtest(
    panel: pd.DataFrame, rules: pd.DataFrame, horizon: int, models: str = "best", *, engine: Engine = LOCAL
) -> Forecasts:
    """Return forecasts of every model and of the seasonal naive from earlier origins, beside what came, in units.

    The rule of a series is what its months up to its first origin say. Models that carry a fit forward are
    fitted there and updated; the others are fitted again at every origin. `scale`, `scale_sq` and `spread` are as known
    at the first origin. No forecast has seen its own month.
    """
    found, known = [], []
    windows = held_out(rules, horizon, ORIGINS[models]).merge(
        rules[["series", "last"]], on="series", how="left", validate="one_to_one"
    )
    if windows.empty:
        none = pd.DataFrame(columns=TESTED).astype(dict.fromkeys(["origin", "month"], "datetime64[ns]"))
        return Forecasts(none, pd.DataFrame(columns=REMARK))
    for _, members in windows.groupby(["lags", "origins"]):
        lags, origins = (int(members[name].iloc[0]) for name in ("lags", "origins"))
        part = panel[panel["series"].isin(members["series"])]
        first_origin = members["last"].max() - pd.DateOffset(months=lags + origins - 1)
        then = series_rules(part[part["month"] <= first_origin])
        known.append(then.assign(lags=lags, origins=origins))
        for rule, recipe in RECIPES[models].items():
            found.append(engines.replayed(of_rule(part, then, rule), in_bulk(recipe), lags, origins, engine=engine))
        found.append(engines.replayed(part, (BENCHMARK,), lags, origins, engine=engine))
    facts = pd.concat(known, ignore_index=True)
    for rule, recipe in RECIPES[models].items():
        found += [_together(panel, facts, rule, model) for model in learned_together(recipe)]
    said = plausible(found, panel)
    return Forecasts(_beside_actual(said.table, panel, facts), said.remarks)


def _together(panel: pd.DataFrame, facts: pd.DataFrame, rule: str, model: str) -> Forecasts:
    """Return what a pooled model would have said of the series that a rule forecasts, each within its own windows."""
    members = facts.loc[facts["rule"] == rule, ["series", "lags", "origins"]]
    if members.empty:
        return Forecasts(members, pd.DataFrame(columns=REMARK))
    return pooled.replayed(panel[panel["series"].isin(members["series"])], model, members)


def _beside_actual(table: pd.DataFrame, panel: pd.DataFrame, facts: pd.DataFrame) -> pd.DataFrame:
    known = facts.drop(columns=["first", "last", "months", "interval", "silent", "highest"])
    table = table.merge(known, on="series", how="left", validate="many_to_one")
    actual = panel[["series", "month", "quantity"]].rename(columns={"quantity": "actual"})
    table = table.merge(actual, on=["series", "month"], how="left", validate="many_to_one")
    lag = (table["month"].dt.year - table["origin"].dt.year) * 12 + table["month"].dt.month - table["origin"].dt.month
    return table.assign(lag=lag).sort_values(["series", "model", "origin", "lag"], ignore_index=True)


def full_windows(backtest: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the series that have all lags from all origins."""
    most = backtest[["lags", "origins"]].sum(axis=1)
    return backtest[most == most.max()]


def backtest_levels(backtest: pd.DataFrame, panel: pd.DataFrame, levels: list[str]) -> pd.DataFrame:
    """Return the backtest with the combination and the seasonal naive summed to the other levels.

    Only series with all lags from all origins are summed, so that a sum is of the same series at every origin.
    """
    rows = full_windows(backtest[backtest["model"].isin([COMBINATION, BENCHMARK])])
    part = panel[panel["series"].isin(rows["series"])]
    own, out = backtest["level"].iloc[0] if len(backtest) else "", [backtest]
    for level in [name for name in levels if name != own and len(rows)]:
        sums = hierarchy.aggregate(rows, level, ["model", "origin", "lag", "month"], ["forecast", "actual"])
        months = hierarchy.aggregate(part[part["month"] <= rows["origin"].min()], level, ["month"], ["quantity"])
        scales = series_rules(months.sort_values(["series", "month"]))[["series", "scale", "scale_sq"]]
        out.append(sums.merge(scales, on="series", how="left", validate="many_to_one"))
    return pd.concat(out, ignore_index=True)


def model_scores(backtest: pd.DataFrame, weights: pd.DataFrame) -> pd.DataFrame:
    """Return per rule and model its mean weight and how it did beside the seasonal naive, over all lags.

    Models of a rule are scored on the same series; `series` were forecast by that rule at their first origin.
    `weights` holds the weight of each series and model ahead.
    """
    rows = backtest.dropna(subset=["rule"])
    out = accuracy.scores(rows, ["rule", "model"]).drop(columns=["tracking_signal"])
    series = rows.groupby(["rule", "model"])["series"].nunique().rename("series").reset_index()
    out = out.merge(series, on=["rule", "model"], how="left", validate="one_to_one")
    share = weights.groupby(["rule", "model"])["weight"].mean().reset_index()
    out = out.merge(share, on=["rule", "model"], how="left", validate="one_to_one")
    out.insert(2, "weight", out.pop("weight"))
    return out.sort_values(["rule", "weight", "model"], kind="stable", ignore_index=True)
