"""Statistical forecast: a rule per series, models through statsforecast, and their weighted mean.

Combining beats choosing (Makridakis and others, M4): the forecast is the mean of the rule's models. The weights
come from `weights`, how good it is says `backtest`, how sure `ranges`.
"""

import numpy as np
import pandas as pd

from sop_lib import engines, hierarchy, pooled
from sop_lib import weights as weighing
from sop_lib.engines import LOCAL, Engine, Forecasts
from sop_lib.hierarchy import MEMBERS
from sop_lib.models import BENCHMARK, COMBINATION, MODELS, RECIPES, RULES, SEASON, Rule

__all__ = [
    "combine",
    "forecast",
    "in_bulk",
    "learned_together",
    "left_out",
    "of_rule",
    "panel",
    "plausible",
    "rule_counts",
    "series_rules",
]  # fmt: skip

MONTHS_NEEDED, RECENT = 24, 24
INTERMITTENT_FROM = 1.32
IMPLAUSIBLE_ABOVE = 3.0
ROUNDING = 1e-9
KEY = ["series", "origin", "month"]


def panel(history: pd.DataFrame, level: str) -> pd.DataFrame:
    """Return month and quantity per series of a level, in units, from each series' first month on."""
    out = hierarchy.aggregate(history.rename(columns={"cleansed": "quantity"}), level, ["month"], ["quantity"])
    return out.sort_values(["series", "month"], ignore_index=True)


def series_rules(panel: pd.DataFrame, last_known: pd.Timestamp | None = None) -> pd.DataFrame:
    """Return one row per series: what its months look like and the rule of RULES that forecasts it.

    `interval` is months per month with demand (ADI), `silent` the months without demand at the end, `scale`
    and `scale_sq` the mean absolute and mean squared error of the seasonal naive (of last month's figure
    when there are fewer than 18 months), `spread` how far its months move: the geometric mean of `scale`, of the same
    over the last 24 months, and of the yearly changes about their own mean; in units. A series
    ended when its months stop before `last_known`, or when it has been silent for more than six months and
    more than twice its longest pause before.

    >>> months = pd.date_range("2024-01-01", periods=30, freq="MS")
    >>> one = pd.DataFrame({"level": "total", "series": "S", "family": "F", "product": "P", "region": "R",
    ...     "month": months, "quantity": [5.0, 7.0] * 15})
    >>> series_rules(one)[["months", "interval", "silent", "scale", "rule"]].values.tolist()
    [[30, 1.0, 0, 0.0, 'combination']]
    """
    groups = panel.groupby("series", sort=True)
    quantity = panel["quantity"]
    seasonal, step = (quantity - groups["quantity"].shift(k) for k in (SEASON, 1))
    about = seasonal - seasonal.groupby(panel["series"]).transform("mean")
    parts = panel.assign(sold=quantity > 0, seasonal=seasonal.abs(), step=step.abs(), about=about.abs())
    latest = groups.cumcount(ascending=False) < RECENT
    parts = parts.assign(seasonal_sq=seasonal**2, step_sq=step**2, recent=seasonal.abs().where(latest))
    out = parts.groupby("series", sort=True).agg(
        **{m: (m, "first") for m in ("level", *MEMBERS)},
        first=("month", "min"), last=("month", "max"), months=("month", "size"), sold=("sold", "sum"),
        highest=("quantity", "max"), lowest=("quantity", "min"),
        **{c: (c, "mean") for c in ("seasonal", "seasonal_sq", "recent", "about", "step", "step_sq")},
    ).reset_index()  # fmt: skip
    out = out.merge(_pauses(parts), on="series", how="left", validate="one_to_one")
    out["interval"] = out["months"] / out["sold"].where(out["sold"] > 0)
    enough = out["months"] >= 18
    out["scale"] = out["seasonal"].where(enough, out["step"]).fillna(out["highest"])
    out["scale_sq"] = out["seasonal_sq"].where(enough, out["step_sq"]).fillna(out["highest"] ** 2)
    recent, about = (out[c].where(enough, out["scale"]).fillna(out["scale"]) for c in ("recent", "about"))
    out["spread"] = np.cbrt(out["scale"] * recent * np.maximum(about, out["scale"] / 10))
    for size in ("scale", "scale_sq", "spread"):  # what is rounding is none
        out[size] = out[size].where(out["scale"] > ROUNDING * out["highest"].abs(), 0.0)
    out["rule"] = _rule(out, last_known or panel["month"].max())
    names = ["level", "series", *MEMBERS, "first", "last", "months", "interval", "silent", "highest"]
    return out[[*names, "scale", "scale_sq", "spread", "rule"]]


def _pauses(panel: pd.DataFrame) -> pd.DataFrame:
    """Return the months without demand at the end of each series, and its longest such pause before."""
    run = panel["sold"].groupby(panel["series"]).cumsum()
    length = (~panel["sold"]).groupby([panel["series"], run.rename("run")]).sum().rename("length").reset_index()
    last = length.groupby("series")["run"].transform("max") == length["run"]
    silent = length[last].set_index("series")["length"].rename("silent")
    pause = length[~last].groupby("series")["length"].max().rename("pause")
    return pd.concat([silent, pause], axis=1).fillna({"pause": 0}).astype(int).reset_index()


def _rule(series: pd.DataFrame, last_known: pd.Timestamp) -> np.ndarray:
    over = (series["last"] < last_known) | (series["silent"] > (2 * series["pause"]).clip(lower=6))
    cases = {
        "never sold": series["sold"] == 0,
        "ended": over,
        "constant": (series["highest"] == series["lowest"]) & (series["months"] > 1),
        "young": series["months"] < 6,
        "short": series["months"] < SEASON,
        "under two years": series["months"] < MONTHS_NEEDED,
        "intermittent": series["interval"] >= INTERMITTENT_FROM,
    }
    return np.select(list(cases.values()), list(cases), COMBINATION)


def forecast(
    panel: pd.DataFrame, rules: pd.DataFrame, horizon: int, models: str = "best", *, engine: Engine = LOCAL
) -> Forecasts:
    """Return the forecast of every model per series and month of the horizon, in units; implausible ones left out."""
    still = rules[rules["rule"].isin(["ended", "never sold"])].assign(month=panel["month"].max(), quantity=0.0)
    moving = panel[~panel["series"].isin(still["series"])]
    rows = pd.concat([moving, still[list(panel)]], ignore_index=True) if len(still) else moving
    found = []
    for rule, recipe in RECIPES[models].items():
        part = of_rule(rows, rules, rule)
        found.append(engines.predicted(part, in_bulk(recipe), horizon, engine=engine))
        found += [pooled.predicted(part, model, horizon) for model in learned_together(recipe)]
    of_a_year = moving[moving["series"].isin(rules.loc[rules["months"] >= SEASON, "series"])]
    found.append(engines.predicted(of_a_year, (BENCHMARK,), horizon, engine=engine))
    return plausible(found, panel)


def in_bulk(recipe: Rule) -> tuple[str, ...]:
    """Return the models of a rule that statsforecast fits to each series."""
    return tuple(model for model in recipe.models if model in MODELS)


def learned_together(recipe: Rule) -> tuple[str, ...]:
    """Return the models of a rule that learn from all its series at once."""
    return tuple(model for model in recipe.models if model in pooled.POOLED)


def of_rule(panel: pd.DataFrame, rules: pd.DataFrame, rule: str) -> pd.DataFrame:
    """Return the months of the series that a rule forecasts."""
    return panel[panel["series"].isin(rules.loc[rules["rule"] == rule, "series"])]


def plausible(found: list[Forecasts], panel: pd.DataFrame) -> Forecasts:
    """Return all forecasts, none below 0, without those that are not a number or above three times the highest month.

    A model is left out for a series and origin as a whole. What was left out or set to 0 is remarked. The seasonal
    naive stays whatever it says.
    """
    table = pd.concat([f.table for f in found if len(f.table)], ignore_index=True)
    table = table.merge(_highest(panel), on=["series", "origin"], how="left", validate="many_to_one")
    table["wild"] = table["forecast"].isna() | (table["forecast"] > IMPLAUSIBLE_ABOVE * table["highest"].clip(lower=0))
    wild = table.groupby(["series", "origin", "model"])["wild"].transform("any")
    table["wild"] = wild & (table["model"] != BENCHMARK)
    table["below"] = ~table["wild"] & (table["forecast"] < 0)
    table["forecast"] = table["forecast"].clip(lower=0)
    remarks = pd.concat([f.remarks for f in found if len(f.remarks)] + _remarks(table), ignore_index=True)
    kept = table.loc[~table["wild"] & table["forecast"].notna(), [*KEY, "model", "forecast"]]
    return Forecasts(kept.reset_index(drop=True), remarks)


def combine(models: Forecasts, weights: pd.DataFrame) -> Forecasts:
    """Return the forecasts with the weighted mean of each series' models as the model `combination`.

    `weights` holds series, model, weight, and origin where they changed. Where no model of a series is left, its
    seasonal naive stands in, and that is remarked.
    """
    mean = weighing.combined(models.table, weights, [c for c in ("series", "origin") if c in weights])
    facts = models.table.drop(columns=["model", "forecast"]).drop_duplicates(KEY)
    mean = mean.merge(facts, on=KEY, how="left", validate="one_to_one")
    naive = models.table[models.table["model"] == BENCHMARK]
    alone = naive[~_rows_of(naive).isin(_rows_of(mean))].assign(model=COMBINATION)
    told = alone.drop_duplicates(["series", "origin"])[["series", "origin"]]
    told = told.assign(model=BENCHMARK, remark="stood in: no model left", error="")
    tables = [t for t in (models.table, mean, alone) if len(t)] or [models.table]
    return Forecasts(pd.concat(tables, ignore_index=True), pd.concat([models.remarks, told], ignore_index=True))


def _rows_of(table: pd.DataFrame) -> pd.MultiIndex:
    return pd.MultiIndex.from_frame(table[KEY])


def _highest(panel: pd.DataFrame) -> pd.DataFrame:
    """Return the highest month of each series as known at the end of each month."""
    highest = panel.groupby("series")["quantity"].cummax()
    return panel[["series"]].assign(origin=panel["month"], highest=highest)


def _remarks(table: pd.DataFrame) -> list[pd.DataFrame]:
    key = ["series", "origin", "model"]
    wild = table[table["wild"]].drop_duplicates(key)[key].assign(remark="left out: implausible", error="")
    below = table.loc[table["below"], key].assign(remark="negative set to 0", error="")
    return [wild, below]


def left_out(remarks: pd.DataFrame) -> pd.DataFrame:
    """Return how often each model was left out, corrected or stood in, and for how many series."""
    groups = remarks.groupby(["remark", "model"], as_index=False)
    return groups.agg(times=("series", "size"), series=("series", "nunique"), example=("series", "first"))


def rule_counts(rules: pd.DataFrame, backtest: pd.DataFrame) -> pd.DataFrame:
    """Return how many series each rule forecasts, in words, and how many of them are too short for the backtest."""
    tested = rules["series"].isin(backtest["series"]) if len(backtest) else pd.Series(False, index=rules.index)
    rows = rules.assign(untested=~tested, method=rules["rule"].map({n: r.reason for n, r in RULES.items()}))
    out = rows.groupby(["rule", "method"], as_index=False).agg(
        series=("series", "size"), not_backtested=("untested", "sum")
    )
    return out.sort_values("series", ascending=False, kind="stable", ignore_index=True)
