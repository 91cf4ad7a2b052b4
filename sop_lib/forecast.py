"""Statistical forecast: a rule per series, models through statsforecast, their plain mean, and the backtest.

Combining beats choosing (Makridakis and others, M4): the forecast is the mean of the rule's models, each with
the same weight. Ranges come from the errors of the backtest, see `ranges`.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from sop_lib import hierarchy

__all__ = [
    "BENCHMARK",
    "COMBINATION",
    "MODELS",
    "RULES",
    "Forecasts",
    "backtest",
    "backtest_levels",
    "combine",
    "forecast",
    "held_out",
    "left_out",
    "model_scores",
    "panel",
    "series_rules",
    "weights",
]  # fmt: skip

SEASON, MAX_LAG, MAX_ORIGINS, MONTHS_NEEDED = 12, 12, 12, 24
INTERMITTENT_FROM = 1.32
IMPLAUSIBLE_ABOVE = 3.0
COMBINATION, BENCHMARK = "combination", "seasonal_naive"
MEMBERS = ["family", "product", "region"]


@dataclass(frozen=True)
class Forecasts:
    """Forecasts per series, origin, month and model, and what was left out or corrected on the way."""

    table: pd.DataFrame
    remarks: pd.DataFrame


def panel(history: pd.DataFrame, level: str) -> pd.DataFrame:
    """Return month and quantity per series of a level, in units, from each series' first month on."""
    out = hierarchy.aggregate(history.rename(columns={"cleansed": "quantity"}), level, ["month"], ["quantity"])
    return out.sort_values(["series", "month"], ignore_index=True)


def series_rules(panel: pd.DataFrame, last_known: pd.Timestamp | None = None) -> pd.DataFrame:
    """Return one row per series: what its months look like and the rule of RULES that forecasts it.

    `interval` is months per month with demand (ADI), `silent` the months without demand at the end, `scale`
    and `scale_sq` the mean absolute and mean squared error of the seasonal naive (of last month's figure
    when there are fewer than 18 months), in units. A series ended when its months stop before `last_known`,
    or when it has been silent for more than six months and more than twice its longest pause before.

    >>> months = pd.date_range("2024-01-01", periods=30, freq="MS")
    >>> one = pd.DataFrame({"level": "total", "series": "S", "family": "F", "product": "P", "region": "R",
    ...     "month": months, "quantity": [5.0, 7.0] * 15})
    >>> series_rules(one)[["months", "interval", "silent", "scale", "rule"]].values.tolist()
    [[30, 1.0, 0, 0.0, 'combination']]
    """
    groups = panel.groupby("series", sort=True)
    quantity = panel["quantity"]
    seasonal, step = (quantity - groups["quantity"].shift(k) for k in (SEASON, 1))
    parts = panel.assign(sold=quantity > 0, seasonal=seasonal.abs(), step=step.abs())
    parts = parts.assign(seasonal_sq=seasonal**2, step_sq=step**2)
    out = parts.groupby("series", sort=True).agg(
        **{m: (m, "first") for m in ("level", *MEMBERS)},
        first=("month", "min"), last=("month", "max"), months=("month", "size"), sold=("sold", "sum"),
        highest=("quantity", "max"), lowest=("quantity", "min"),
        seasonal=("seasonal", "mean"), seasonal_sq=("seasonal_sq", "mean"), step=("step", "mean"), step_sq=("step_sq", "mean"),
    ).reset_index()  # fmt: skip
    out = out.merge(_pauses(parts), on="series", how="left", validate="one_to_one")
    out["interval"] = out["months"] / out["sold"].where(out["sold"] > 0)
    enough = out["months"] >= 18
    out["scale"] = out["seasonal"].where(enough, out["step"]).fillna(out["highest"])
    out["scale_sq"] = out["seasonal_sq"].where(enough, out["step_sq"]).fillna(out["highest"] ** 2)
    out["rule"] = _rule(out, last_known or panel["month"].max())
    names = ["level", "series", *MEMBERS, "first", "last", "months", "interval", "silent", "highest"]
    return out[[*names, "scale", "scale_sq", "rule"]]


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


def forecast(panel: pd.DataFrame, rules: pd.DataFrame, horizon: int) -> Forecasts:
    """Return the forecast of every model and of the combination, per series and month of the horizon, in units."""
    parts = [_members(panel, rules, rule) for rule in RULES]
    found = [_run(part, RULES[rule].models, _predict(horizon)) for rule, part in zip(RULES, parts, strict=True)]
    of_a_year = panel[panel["series"].isin(rules.loc[rules["months"] >= SEASON, "series"])]
    benchmark = _run(of_a_year, (BENCHMARK,), _predict(horizon))
    return combine([*found, benchmark], panel)


def held_out(rules: pd.DataFrame, horizon: int) -> pd.DataFrame:
    """Return per series how many lags and origins its backtest has, so that 24 months stay before the first origin.

    All 12 lags from 12 origins need 47 months; a shorter series gives up half of what is lacking in lags,
    half in origins. Series with fewer than 25 months or that ended have none.
    """
    most = min(horizon, MAX_LAG)
    spare = (rules["months"] - MONTHS_NEEDED).clip(0, most + MAX_ORIGINS - 1)
    out = rules[["series"]].assign(lags=(spare // 2 + 1).clip(upper=most))
    out["origins"] = (spare - out["lags"] + 1).clip(upper=MAX_ORIGINS)
    return out[(spare > 0) & (rules["last"] == rules["last"].max())].reset_index(drop=True)


def backtest(panel: pd.DataFrame, rules: pd.DataFrame, horizon: int) -> Forecasts:
    """Return forecasts of every model, the combination and the seasonal naive from earlier origins, beside what came.

    The rule of a series is what its months up to its first origin say. Models that carry a fit forward are
    fitted there and updated; the others are fitted again at every origin. `scale` and `scale_sq` are as known
    at the first origin. No forecast has seen its own month.
    """
    found, known = [], []
    windows = held_out(rules, horizon).merge(rules[["series", "last"]], on="series", how="left", validate="one_to_one")
    for (lags, origins), members in windows.groupby(["lags", "origins"]):
        part = panel[panel["series"].isin(members["series"])]
        first_origin = members["last"].max() - pd.DateOffset(months=int(lags + origins - 1))
        then = series_rules(part[part["month"] <= first_origin])
        known.append(then.assign(lags=lags, origins=origins))
        for rule in RULES:
            found.append(_run(_members(part, then, rule), RULES[rule].models, _replay(int(lags), int(origins))))
        found.append(_run(part, (BENCHMARK,), _replay(int(lags), int(origins))))
    return _beside_actual(combine(found, panel), panel, known)


def _members(panel: pd.DataFrame, rules: pd.DataFrame, rule: str) -> pd.DataFrame:
    return panel[panel["series"].isin(rules.loc[rules["rule"] == rule, "series"])]


def _predict(horizon: int) -> Callable:
    def run(engine, frame: pd.DataFrame, model: "Model") -> pd.DataFrame:
        out = engine.forecast(df=frame, h=horizon)
        return out.assign(cutoff=out["unique_id"].map(frame.groupby("unique_id")["ds"].max()))

    return run


def _replay(lags: int, origins: int) -> Callable:
    def run(engine, frame: pd.DataFrame, model: "Model") -> pd.DataFrame:
        return engine.cross_validation(df=frame, h=lags, n_windows=origins, step_size=1, refit=model.refit)

    return run


def _run(panel: pd.DataFrame, models: tuple[str, ...], run: Callable) -> Forecasts:
    """Return what each model says for each series of the panel, one model after the other."""
    frame = panel.rename(columns={"series": "unique_id", "month": "ds", "quantity": "y"})[["unique_id", "ds", "y"]]
    done = [_tried(frame, model, run) for model in models if len(frame)]
    tables = [table for table, _ in done if len(table)]
    empty = pd.DataFrame(columns=["series", "origin", "month", "model", "forecast"])
    failed = [remark for _, remarks in done for remark in remarks]
    return Forecasts(pd.concat(tables, ignore_index=True) if tables else empty, pd.DataFrame(failed, columns=REMARK))


def _tried(frame: pd.DataFrame, model: str, run: Callable) -> tuple[pd.DataFrame, list[tuple]]:
    """Run one model on all series at once; after an error, halve until the series that fails stands alone.

    statsforecast's own fallback_model would put naive forecasts under the model's name and say nothing.
    """
    from statsforecast import StatsForecast

    try:
        out = run(StatsForecast([MODELS[model].make()], freq="MS", n_jobs=1), frame, MODELS[model])
    except Exception as error:
        ids = frame["unique_id"].unique()
        if len(ids) == 1:
            return pd.DataFrame(), [(ids[0], pd.NaT, model, "failed", str(error))]
        halves = [frame[frame["unique_id"].isin(part)] for part in np.array_split(ids, 2)]
        done = [_tried(half, model, run) for half in halves]
        return pd.concat([table for table, _ in done]), [r for _, remarks in done for r in remarks]
    out = out.rename(columns={"unique_id": "series", "cutoff": "origin", "ds": "month", model: "forecast"})
    return out[["series", "origin", "month", "forecast"]].assign(model=model), []


def combine(found: list[Forecasts], panel: pd.DataFrame) -> Forecasts:
    """Return all forecasts with the plain mean of each series' models as the model `combination`.

    A model whose forecast is not a number, or is above three times the highest month known, is left out of
    the mean of that series and origin; negative months become 0. Both are remarked, and so is a series for
    which no model is left: its seasonal naive stands in.
    """
    table = pd.concat([f.table for f in found if len(f.table)], ignore_index=True)
    table = table.merge(_highest(panel), on=["series", "origin"], how="left", validate="many_to_one")
    table["wild"] = table["forecast"].isna() | (table["forecast"] > IMPLAUSIBLE_ABOVE * table["highest"])
    table["wild"] = table.groupby(["series", "origin", "model"])["wild"].transform("any") & (
        table["model"] != BENCHMARK
    )
    table["below"] = ~table["wild"] & (table["forecast"] < 0)
    table["forecast"] = table["forecast"].clip(lower=0)
    used = table[~table["wild"] & (table["model"] != BENCHMARK)]
    key = ["series", "origin", "month"]
    mean = used.groupby(key, as_index=False)["forecast"].mean()
    naive = table.loc[table["model"] == BENCHMARK, [*key, "forecast"]].dropna()
    both = pd.concat([mean.assign(own=True), naive.assign(own=False)], ignore_index=True)
    best = both.drop_duplicates(key, keep="first")
    remarks = pd.concat([f.remarks for f in found if len(f.remarks)] + _remarks(table, best), ignore_index=True)
    models = pd.concat([used[[*key, "model", "forecast"]], naive.assign(model=BENCHMARK)])
    models = pd.concat([models, best.drop(columns="own").assign(model=COMBINATION)])
    return Forecasts(models.drop_duplicates([*key, "model"], ignore_index=True), remarks)


def _highest(panel: pd.DataFrame) -> pd.DataFrame:
    """Return the highest month of each series as known at the end of each month."""
    highest = panel.groupby("series")["quantity"].cummax()
    return panel[["series"]].assign(origin=panel["month"], highest=highest)


def _remarks(table: pd.DataFrame, best: pd.DataFrame) -> list[pd.DataFrame]:
    key = ["series", "origin", "model"]
    wild = table[table["wild"]].drop_duplicates(key)[key].assign(remark="left out: implausible", error="")
    below = table.loc[table["below"], key].assign(remark="negative set to 0", error="")
    alone = best[~best["own"]].drop_duplicates(["series", "origin"])[["series", "origin"]]
    return [wild, below, alone.assign(model=BENCHMARK, remark="stood in: no model left", error="")]


def _beside_actual(found: Forecasts, panel: pd.DataFrame, known: list[pd.DataFrame]) -> Forecasts:
    series = pd.concat(known).drop(columns=["first", "last", "months", "interval", "silent", "highest"])
    table = found.table.merge(series, on="series", how="left", validate="many_to_one")
    actual = panel[["series", "month", "quantity"]].rename(columns={"quantity": "actual"})
    table = table.merge(actual, on=["series", "month"], how="left", validate="many_to_one")
    apart = table["month"].dt.to_period("M").astype("int64") - table["origin"].dt.to_period("M").astype("int64")
    order = ["series", "model", "origin", "lag"]
    return Forecasts(table.assign(lag=apart).sort_values(order, ignore_index=True), found.remarks)


def full_windows(backtest: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the series that have all lags from all origins."""
    most = backtest[["lags", "origins"]].sum(axis=1)
    return backtest[most == most.max()]


def backtest_levels(backtest: pd.DataFrame, panel: pd.DataFrame, levels: list[str]) -> pd.DataFrame:
    """Return the backtest of the combination and the seasonal naive summed to each level.

    Only series with all lags from all origins are summed, so that a sum is of the same series at every
    origin; `demand_share` is their share of all demand of the panel's last twelve months.
    """
    rows = full_windows(backtest[backtest["model"].isin([COMBINATION, BENCHMARK])])
    part = panel[panel["series"].isin(rows["series"])]
    recent = panel["month"] > panel["month"].max() - pd.DateOffset(months=SEASON)
    share = part.loc[recent, "quantity"].sum() / max(panel.loc[recent, "quantity"].sum(), 1e-9)
    out = []
    for level in levels:
        sums = hierarchy.aggregate(rows, level, ["model", "origin", "lag", "month"], ["forecast", "actual"])
        months = hierarchy.aggregate(part[part["month"] <= rows["origin"].min()], level, ["month"], ["quantity"])
        scales = series_rules(months.sort_values(["series", "month"]))[["series", "scale", "scale_sq"]]
        out.append(sums.merge(scales, on="series", how="left", validate="many_to_one").assign(demand_share=share))
    return pd.concat(out, ignore_index=True)


def left_out(remarks: pd.DataFrame) -> pd.DataFrame:
    """Return how often each model was left out, corrected or stood in, and for how many series."""
    groups = remarks.groupby(["remark", "model"], as_index=False)
    return groups.agg(times=("series", "size"), series=("series", "nunique"), example=("series", "first"))


def weights(rules: pd.DataFrame) -> pd.DataFrame:
    """Return the rules in use: their models, each model's weight, why, and how many series they forecast."""
    counts = rules["rule"].value_counts()
    used = [
        (rule, m, 1 / len(r.models), counts[rule], r.reason)
        for rule, r in RULES.items()
        if rule in counts
        for m in r.models
    ]
    return pd.DataFrame(used, columns=["rule", "model", "weight", "series", "reason"])


@dataclass(frozen=True)
class Model:
    """A model of statsforecast: its class, its settings, and whether a backtest must fit it at every origin."""

    name: str
    settings: dict
    refit: bool = False

    def make(self):
        """Return a new model of statsforecast, imported only now because that takes seconds."""
        from statsforecast import models

        own = next(alias for alias, model in MODELS.items() if model is self)
        return getattr(models, self.name)(**self.settings, alias=own)


@dataclass(frozen=True)
class Rule:
    """Which models forecast a series, and the words for it in `forecast.method`."""

    models: tuple[str, ...]
    reason: str


REMARK = ["series", "origin", "model", "remark", "error"]
MODELS = {
    "theta": Model("DynamicOptimizedTheta", {"season_length": SEASON}),
    # CES must be fitted at every origin: carried forward, its parameters can make the filter explode
    "ces": Model("AutoCES", {"season_length": SEASON}, refit=True),
    "ets": Model("AutoETS", {"season_length": SEASON, "damped": True}),
    "adida": Model("ADIDA", {}, refit=True),
    "imapa": Model("IMAPA", {}, refit=True),
    "tsb": Model("TSB", {"alpha_d": 0.2, "alpha_p": 0.2}, refit=True),
    "mean": Model("HistoricAverage", {}, refit=True),
    "last": Model("Naive", {}),
    "zero": Model("ZeroModel", {}),
    BENCHMARK: Model("SeasonalNaive", {"season_length": SEASON}),
}
RULES = {
    COMBINATION: Rule(("theta", "ces", "ets"), "combination"),
    "intermittent": Rule(("adida", "imapa", "tsb"), "intermittent: mean of ADIDA, IMAPA and TSB"),
    "under two years": Rule((BENCHMARK,), "12 to 23 months: seasonal naive"),
    "short": Rule(("mean",), "6 to 11 months: their mean"),
    "young": Rule(("mean",), "under 6 months: their mean"),
    "constant": Rule(("last",), "constant: its value"),
    "never sold": Rule(("zero",), "never sold: zero"),
    "ended": Rule(("zero",), "ended: zero"),
}
