"""The demand engine made visible: each model's forecast, weight and score, and how often the ranges held."""

import numpy as np
import pandas as pd

from sop_lib import accuracy, backtest, ranges
from sop_lib.baseline import Baseline
from sop_lib.hierarchy import MEMBERS
from sop_lib.models import BENCHMARK, COMBINATION
from sop_lib.tables import ALL
from sop_lib.weights import SQUARED

__all__ = [
    "LUMPY",
    "REGULAR",
    "all_scores",
    "held",
    "held_sentence",
    "lumpy_scores",
    "mean_weights",
    "model_forecasts",
    "range_kept",
    "ranking",
    "said_of",
    "schemes_shown",
    "scored",
    "weights_table",
]

REGULAR, LUMPY = ["wape", "bias", "mase"], ["rmsse", "bias", "pinball"]  # an all-zero forecast wins absolute errors
NOMINAL = {"coverage80": (0.80, 0.04), "coverage95": (0.95, 0.02)}  # what a range promises, and what is near it
PLACES = {"total": "the total", "family": "families"}


def weights_table(base: Baseline) -> pd.DataFrame:
    """Return the weight of each model in the mean of each series ahead, and how it was found; a series' sum to 1."""
    out = _named(base.weights, base)
    size, high, low = (out.groupby("series")["weight"].transform(f) for f in ("size", "max", "min"))
    used = base.schemes[base.schemes["used"]].set_index("rule")["scheme"]
    alike = [size == 1, np.isclose(high, low)]
    return out.assign(scheme=np.select(alike, ["one model", "equal"], out["rule"].map(used).astype(str)))


def model_forecasts(base: Baseline) -> pd.DataFrame:
    """Return what each model, their mean and the seasonal naive say per series and month ahead, in units."""
    return _named(base.forecasts.table.drop(columns="origin"), base)


def _named(rows: pd.DataFrame, base: Baseline) -> pd.DataFrame:
    members = base.rules[["level", "series", *MEMBERS]]
    return rows.merge(members, on="series", how="left", validate="many_to_one")


def all_scores(windows: pd.DataFrame, base: Baseline, given: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of `accuracy`: the scores of the backtest, and how ranges held, of intermittent models too."""
    parts = [accuracy.accuracy(windows, given), lumpy_scores(base, given)]
    return pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)


def lumpy_scores(base: Baseline, given: pd.DataFrame) -> pd.DataFrame:
    """Return the pinball loss of each model of the intermittent series, in units, as rows of `accuracy`.

    Each model's range is its forecast times the shape of the series' own demand, as in `ranges`, at the origins and
    lags of `given`, so that it stands beside the pinball loss of the combination.
    """
    tested, key, points = base.tested.table, ["series", "origin", "lag"], list(accuracy.QUANTILES)
    rows = tested[tested["rule"].isin(SQUARED) & (tested["model"] != COMBINATION)]
    asked = given.loc[given["level"].isin(base.rules["level"]), key].astype(rows[key].dtypes)
    rows = rows.merge(asked, on=key, how="inner", validate="many_to_one")
    found = [pd.DataFrame(columns=[*MEMBERS, "level", "series", "model", "lag", "n", "metric", "value"])]
    shaped = [_with_shape(now, base.panel[base.panel["month"] <= origin]) for origin, now in rows.groupby("origin")]
    for model, part in pd.concat(shaped).groupby("model") if shaped else ():
        part[points] = part[points].mul(part["forecast"], axis=0)
        found.append(accuracy.range_accuracy(part, model))
    out = pd.concat(found[1:] or found, ignore_index=True)
    return out[(out["metric"] == "pinball") & (out["series"] != ALL)].reset_index(drop=True)


def _with_shape(now: pd.DataFrame, known: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of one origin with the quantiles of their series' demand over its mean."""
    series = now[["series"]].drop_duplicates().reset_index(drop=True)
    demand = ranges.own_demand(series, known, np.ones(len(series), dtype=bool))
    points = np.quantile(demand, list(accuracy.QUANTILES.values()), axis=1)
    shape = series.assign(**dict(zip(accuracy.QUANTILES, points, strict=True)))
    return now.merge(shape, on="series", how="left", validate="many_to_one")


# For all series together


def schemes_shown(base: Baseline) -> pd.DataFrame:
    """Return how the ways to weigh did in each rule that weighs several models: the smaller loss was better."""
    several = base.weights.groupby("rule")["model"].nunique()
    return base.schemes[base.schemes["rule"].isin(several[several > 1].index)].reset_index(drop=True)


def ranking(
    tested: pd.DataFrame, weights: pd.DataFrame, scores: pd.DataFrame, lag: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return per rule and model its mean weight and its scores at a lag and over all lags (`_all`), the best first.

    The second table holds the intermittent series: ranked by RMSSE, with the pinball loss at their later origins in
    units, from `scores`, and without absolute-error scores, which an all-zero forecast would win. The others are
    ranked by MASE.
    """
    key, names = ["rule", "model"], ["wape", "bias", "mase", "rmsse"]
    whole = backtest.model_scores(tested, weights)
    near = backtest.model_scores(tested[tested["lag"] == lag], weights)
    out = whole[[*key, "weight", "series"]].merge(near[[*key, *names]], on=key, how="left", validate="one_to_one")
    out = out.merge(whole[[*key, *names]], on=key, how="left", suffixes=("", "_all"), validate="one_to_one")
    for at, end in ((lag, ""), (0, "_all")):
        loss = _pinball(tested, scores, at).rename(columns={"pinball": f"pinball{end}"})
        out = out.merge(loss, on=key, how="left", validate="one_to_one")
    lumpy = out["rule"].isin(SQUARED)
    return _ranked(out[~lumpy], REGULAR, "mase"), _ranked(out[lumpy], LUMPY, "rmsse")


def _ranked(rows: pd.DataFrame, names: list[str], by: str) -> pd.DataFrame:
    rows = rows.sort_values(["rule", by, f"{by}_all", "model"], kind="stable", ignore_index=True)
    return rows[["rule", "model", "weight", *names, *(f"{name}_all" for name in names), "series"]]


def _pinball(tested: pd.DataFrame, scores: pd.DataFrame, lag: int) -> pd.DataFrame:
    rules = tested.dropna(subset="rule").drop_duplicates("series")[["series", "rule"]]
    rows = scores[(scores["metric"] == "pinball") & (scores["lag"] == lag)].merge(rules, on="series", how="inner")
    sums = rows.assign(value=rows["value"] * rows["n"]).groupby(["rule", "model"])[["value", "n"]].sum()
    return (sums["value"] / sums["n"]).rename("pinball").reset_index()


def held(scores: pd.DataFrame, levels: list[str]) -> pd.DataFrame:
    """Return per level and lag (0: all) the share of months inside the 80 and 95 % ranges, and their number `n`."""
    rows = scores[scores["level"].isin(levels) & (scores["series"] == ALL) & scores["metric"].isin(NOMINAL)]
    rows = rows[rows["model"] == COMBINATION]
    wide = rows.pivot(index=["level", "lag", "n"], columns="metric", values="value").reindex(columns=list(NOMINAL))
    order = pd.Categorical(wide.index.get_level_values("level"), dict.fromkeys(levels), ordered=True)
    return wide.reset_index().rename_axis(columns=None).assign(level=order).sort_values(["level", "lag"])


def held_sentence(held: pd.DataFrame) -> str:
    """Return what share of months the ranges held over all lags, and where they are too narrow or too wide.

    >>> whole = pd.DataFrame({"level": ["family", "total"], "lag": 0, "n": 90, "coverage80": [0.8, 0.7],
    ...     "coverage95": [0.94, 0.9]})
    >>> held_sentence(whole)
    'Ranges of 80 and 95 % held 80 and 94 % of months for families, 70 and 90 % for the total: too narrow for the total'
    """
    rows = held[held["lag"] == 0].to_dict("records")
    if not rows:
        return "No series is long enough to say how often its ranges held"
    places = [PLACES.get(str(row["level"]), "series") for row in rows]
    each = [f"{row['coverage80']:.0%} and {row['coverage95']:.0%}".replace("%", "", 1) for row in rows]
    told = ", ".join(f"{share.replace('%', ' %')}{' of months' * (at == 0)} for {place}"
                     for at, (share, place) in enumerate(zip(each, places, strict=True)))  # fmt: skip
    off: dict[str, list[str]] = {"too narrow": [], "too wide": []}
    for row, place in zip(rows, places, strict=True):
        missed = [row[name] - share for name, (share, near) in NOMINAL.items() if abs(row[name] - share) > near]
        if missed:
            off["too narrow" if min(missed) < 0 else "too wide"].append(place)
    verdict = "; ".join(f"{word} for {' and '.join(at)}" for word, at in off.items() if at)
    return f"Ranges of 80 and 95 % held {told}: {verdict or 'as they should'}"


# For what a planner has chosen


def mean_weights(weights: pd.DataFrame, volume: pd.Series) -> pd.DataFrame:
    """Return model and weight: the mean over the series of `weights` by their volume; the largest first.

    >>> weights = pd.DataFrame({"series": ["A", "A", "B"], "model": ["theta", "ets", "tsb"], "weight": [0.5, 0.5, 1.0]})
    >>> mean_weights(weights, pd.Series({"A": 30.0, "B": 10.0})).values.tolist()
    [['ets', 0.375], ['theta', 0.375], ['tsb', 0.25]]
    """
    share = weights["series"].map(volume).fillna(0.0)
    share = share if share.sum() > 0 else share + 1.0
    part = (weights["weight"] * share).groupby(weights["model"]).sum().rename("weight").reset_index()
    part["weight"] = part["weight"] / part["weight"].sum()
    return part.sort_values(["weight", "model"], ascending=[False, True], ignore_index=True)


def said_of(said: pd.DataFrame) -> pd.DataFrame:
    """Return month and a column for each model: the sum over the series of `said`, in units.

    A series whose rule has not the model counts with its combination.

    >>> said = pd.DataFrame({"series": ["A", "A", "B"], "month": 1, "model": ["theta", "combination", "combination"],
    ...     "forecast": [9.0, 8.0, 1.0]})
    >>> said_of(said).values.tolist()
    [[1.0, 9.0, 10.0]]
    """
    wide = said.pivot(index=["series", "month"], columns="model", values="forecast")
    filled = wide.T.fillna(wide[COMBINATION]).T if COMBINATION in wide else wide
    sums = filled.groupby(level="month").sum(min_count=1).rename_axis(columns=None).reset_index()
    first = [c for c in ("month", COMBINATION) if c in sums]
    return sums[[*first, *[c for c in sums if c not in (*first, BENCHMARK)], *[c for c in sums if c == BENCHMARK]]]


def scored(rows: pd.DataFrame, names: list[str], lag: int) -> pd.DataFrame:
    """Return per model the scores of `names` at a lag and over all lags (`_all`), from the `accuracy` of one series."""
    parts = [
        rows[rows["lag"] == at].pivot(index="model", columns="metric", values="value").reindex(columns=names)
        for at in (lag, 0)
    ]
    both = parts[0].join(parts[1], how="outer", rsuffix="_all")
    return both.rename_axis(columns=None).reset_index()


def range_kept(rows: pd.DataFrame, lag: int) -> str:
    """Return how many months the ranges of one series held at a lag and over all lags, from its rows of `accuracy`.

    >>> rows = pd.DataFrame({"model": "combination", "metric": ["coverage80", "coverage80"], "lag": [0, 2],
    ...     "n": [100, 6], "value": [0.75, 0.5]})
    >>> range_kept(rows, 2)
    'Its 80 % range held 3 of 6 months at lag 2, 75 of 100 over all lags.'
    """
    known = rows[(rows["model"] == COMBINATION) & rows["metric"].isin(NOMINAL) & rows["lag"].isin([lag, 0])]
    known = known.assign(inside=(known["value"] * known["n"]).round()).sort_values("lag", ascending=False)
    told = []
    for metric, part in known.groupby("metric"):
        ends = ["over all lags" if at == 0 else f"months at lag {at:.0f}" for at in part["lag"]]
        held = [f"{row.inside:,.0f} of {row.n:,.0f} {end}" for row, end in zip(part.itertuples(), ends, strict=True)]
        told.append(f"Its {100 * NOMINAL[str(metric)][0]:.0f} % range held {', '.join(held)}.")
    return " ".join(told) or "Too little history to say how often its ranges held."
