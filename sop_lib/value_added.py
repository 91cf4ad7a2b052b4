"""Whether each hand made the number better: the errors of earlier forecasts, stream by stream, on the same months."""

import numpy as np
import pandas as pd

from sop_lib import backtest, forecast, weights
from sop_lib.accuracy import scores
from sop_lib.backtest import MAX_LAG
from sop_lib.models import COMBINATION, ORIGINS, RECIPES
from sop_lib.tables import ALL

__all__ = [
    "ENGINE", "NAIVE", "STATISTICAL", "biased_sentence", "record", "replayed", "stair", "value_added", "wape_by_lag",
]  # fmt: skip

NAIVE, ENGINE, STATISTICAL, CONSENSUS = "seasonal naive", "engine, replayed", "statistical", "consensus"
FIRST = (NAIVE, ENGINE, STATISTICAL, "with launches", "with events", "with streams")  # then other streams, consensus
LEVEL, BESIDE_ENGINE = "family", "family, beside the engine"
SCOPE = ["family", "regions"]
KEY = ["cycle", "month", *SCOPE]
MODELS = "fast"  # the models with which earlier cycles are replayed
STEADY, CYCLES = 0.8, 6  # a bias is named when this share of at least so many cycles leans the same way


def record(past_plans: pd.DataFrame, history: pd.DataFrame, products: pd.DataFrame) -> pd.DataFrame:
    """Return earlier forecasts of demand per stream, cycle, month, family and `regions`, in units, beside what came.

    `regions` are what a stream plans of a family in a cycle and month, (ALL,) is all of it: a region, or
    'product · region' where it does not plan the whole family. `actual` is the unconstrained demand of just those.
    Of the same, what the steps of the plan said is there too, where they were given that finely. `lag` 1 is the
    cycle's own month.
    """
    plans = _plans(past_plans, products)
    out = _own(plans, history)
    return pd.concat([p for p in (out, _within(plans, out)) if len(p)] or [out], ignore_index=True)


def _plans(past_plans: pd.DataFrame, products: pd.DataFrame) -> pd.DataFrame:
    plans = past_plans[past_plans["measure"] == "demand"]
    family = plans["product"].map(products.set_index("product")["family"])
    return plans.assign(family=plans["family"].where(plans["family"] != ALL, family))


def _own(plans: pd.DataFrame, history: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of `record` that the streams gave themselves."""
    out = _covered(_whole(plans, history), history).groupby([*KEY, "stream"], as_index=False)[["quantity"]].sum()
    came = _in_scopes(history, out, ["month"], "unconstrained").rename(columns={"unconstrained": "actual"})
    out = out.rename(columns={"quantity": "forecast"})
    out = out.merge(came, on=["month", *SCOPE], how="inner", validate="many_to_one")
    ahead = (out["month"].dt.year - out["cycle"].dt.year) * 12 + out["month"].dt.month - out["cycle"].dt.month
    return out.assign(lag=ahead.astype(int) + 1)


def value_added(
    past_plans: pd.DataFrame, history: pd.DataFrame, products: pd.DataFrame, engine: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Return WAPE and bias of each stream of earlier plans per lag, and what it added to the naive and the step before.

    Level family: every stream on the same cycles, months, families and regions, beside the seasonal naive (the latest
    same month that the cycle knew). Level 'family, beside the engine': the same with `engine`, rows of `replayed`:
    what today's engine would have said. A stream waits that speaks of none of what the statistical plan speaks of,
    or in less than half the cycles of the longest one.
    Lag 0 is all lags. `value_added` is the naive's WAPE minus own, `value_added_step` that of the step before in
    `step_order` minus own; positive = better. Bias positive = over-forecast. Source: Gilliland (2010).
    """
    found = _comparable(_own(_plans(past_plans, products), history))
    lived = found.groupby("stream")["cycle"].nunique()
    found = found[found["stream"].isin(lived.index[2 * lived >= lived.max()])]
    naive = _naive(found, history)
    levels = {LEVEL: _matched(found, naive)}
    if engine is not None and len(engine):
        levels[BESIDE_ENGINE] = _matched(found, naive, engine)
    parts = [_scored(rows).assign(level=level) for level, rows in levels.items() if len(rows)]
    names = ["stream", "lag", "level", "step_order", "wape", "bias", "value_added", "value_added_step", "n"]
    return pd.concat(parts, ignore_index=True)[names] if parts else pd.DataFrame(columns=names)


def _comparable(found: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of what the statistical plan speaks of: the consensus where there is none, else all rows."""
    first = [s for s in (STATISTICAL, CONSENSUS) if found["stream"].eq(s).any()][:1]
    spoken = found[found["stream"].isin(first or found["stream"])]
    return found[_is_in(found, spoken, KEY)]


def _matched(found: pd.DataFrame, *others: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the keys that every stream, of `found` and each of `others`, has."""
    rows = pd.concat([p for p in (found, *others) if len(p)], ignore_index=True) if len(found) else found
    wanted = found["stream"].nunique() + len(others)
    return rows[rows.groupby(KEY)["stream"].transform("nunique") == wanted]


def _scored(rows: pd.DataFrame) -> pd.DataFrame:
    rows = rows.assign(scale=0.0, scale_sq=0.0)
    by = ["stream", "lag"]
    each = pd.concat([scores(rows.assign(lag=0), by), scores(rows, by)], ignore_index=True)
    order = {name: n for n, name in enumerate(sorted(rows["stream"].unique(), key=_place))}
    each = each.assign(step_order=each["stream"].map(order)).sort_values(["lag", "step_order"], ignore_index=True)
    each["value_added"] = each.groupby("lag")["wape"].transform("first") - each["wape"]
    return each.assign(value_added_step=-each.groupby("lag")["wape"].diff())


def _place(stream: str) -> tuple:
    return FIRST.index(stream) if stream in FIRST else len(FIRST) + (stream == CONSENSUS), stream


def _whole(plans: pd.DataFrame, history: pd.DataFrame) -> pd.DataFrame:
    """Return plans with product ALL where a stream plans all of a family in a region (or in all of them).

    The plan's own steps do; others where they name every product that sold there in the year before their cycle.
    """
    key = ["cycle", "stream", "month", "family", "region"]
    names = ~plans["stream"].isin([*FIRST, CONSENSUS]) & plans["product"].ne(ALL)
    named = plans[names]
    asked = named[key].drop_duplicates()
    needed = asked.merge(_sold(history, asked["cycle"].unique()), on=["cycle", "family", "region"], how="inner")
    lacking = ~_is_in(needed, named, [*key, "product"]) & ~_is_in(needed, plans[plans["product"] == ALL], key)
    return plans.assign(product=plans["product"].where(names & _is_in(plans, needed[lacking], key), ALL))


def _is_in(rows: pd.DataFrame, others: pd.DataFrame, key: list[str]) -> np.ndarray:
    return pd.MultiIndex.from_frame(rows[key]).isin(pd.MultiIndex.from_frame(others[key]))


def _sold(history: pd.DataFrame, cycles: np.ndarray) -> pd.DataFrame:
    """Return the products that sold in the twelve months before each cycle, per family and region, ALL among them."""
    rows = history.loc[history["unconstrained"] > 0, ["month", "family", "region", "product"]]
    years = [rows[rows["month"].between(c - pd.DateOffset(months=12), c, inclusive="left")] for c in cycles]
    sold = pd.concat([y.assign(cycle=c) for y, c in zip(years, cycles, strict=True)] or [rows.assign(cycle=pd.NaT)])
    return pd.concat([sold, sold.assign(region=ALL)])[["cycle", "family", "region", "product"]].drop_duplicates()


def _covered(plans: pd.DataFrame, history: pd.DataFrame) -> pd.DataFrame:
    """Return plans with what a stream plans of a family in a cycle and month as `regions`; (ALL,) is all of it."""
    key = ["cycle", "stream", "month", "family"]
    plans = plans.assign(part=_part(plans))
    where = plans[[*key, "part"]].drop_duplicates().sort_values("part", kind="stable")
    named = where.groupby(key)["part"].agg(tuple)
    sold = history[["family", "region"]].drop_duplicates().sort_values(["family", "region"])
    every = set(sold.groupby("family")["region"].agg(tuple).items())
    whole = [(ALL,) if ALL in r or (i[-1], r) in every else r for i, r in named.items()]
    return plans.join(pd.Series(whole, named.index, dtype="object", name="regions"), on=key)


def _part(rows: pd.DataFrame) -> pd.Series:
    """Return the region of rows, 'product · region' where they name a product."""
    return rows["region"].where(rows["product"] == ALL, rows["product"] + " · " + rows["region"])


def _in_parts(rows: pd.DataFrame, asked: pd.DataFrame, when: list[str], *values: str) -> pd.DataFrame:
    """Return the values of rows summed per `when` and each part of each family and `regions` as `asked` has them."""
    scopes, by = asked[SCOPE].drop_duplicates(), [*when, "family", "part"]
    parts = scopes.assign(part=scopes["regions"]).explode("part")
    every, each = rows.assign(region=ALL), rows[rows["region"] != ALL]
    grains = [rows.assign(product=ALL) for rows in (each, every)]
    if parts["part"].astype("str").str.contains(" · ", regex=False).any():
        grains += [rows[rows["product"] != ALL] for rows in (each, every)]
    sums = [rows.assign(part=_part(rows)).groupby(by, as_index=False)[list(values)].sum() for rows in grains]
    known = pd.concat(sums, ignore_index=True)
    return parts.merge(known, on=["family", "part"], how="inner", validate="many_to_many")


def _in_scopes(rows: pd.DataFrame, asked: pd.DataFrame, when: list[str], *values: str) -> pd.DataFrame:
    """Return the values of rows summed per `when`, family and `regions` as `asked` has them."""
    return _in_parts(rows, asked, when, *values).groupby([*when, *SCOPE], as_index=False)[list(values)].sum()


def _within(plans: pd.DataFrame, found: pd.DataFrame) -> pd.DataFrame:
    """Return what the steps of the plan said of the parts that other streams speak of, as rows of `found`."""
    steps, by = plans[plans["stream"].isin(FIRST)], [*KEY, "stream"]
    asked = found[~found["stream"].isin([*FIRST, CONSENSUS]) & found["regions"].str[0].ne(ALL)]
    said = _in_parts(steps, asked, ["cycle", "stream", "month"], "quantity")
    said = said.groupby(by).agg(forecast=("quantity", "sum"), parts=("part", "size")).reset_index()
    said = said[(said["parts"] == said["regions"].map(len)) & ~_is_in(said, found, by)]
    asked = asked.drop(columns=["stream", "forecast"]).drop_duplicates(KEY)
    return said.merge(asked, on=KEY, how="inner", validate="many_to_one")[list(found)]


def _naive(found: pd.DataFrame, history: pd.DataFrame) -> pd.DataFrame:
    """Return the seasonal naive as a stream of its own, where there is one."""
    rows = found.drop_duplicates(KEY)
    years = (rows["lag"] - 1) // 12 + 1
    then = rows["month"].dt.to_period("M") - (12 * years).to_numpy()
    rows = rows.assign(then=then.dt.to_timestamp().astype("datetime64[ns]"), stream=NAIVE)
    past = _in_scopes(history, found, ["month"], "unconstrained")
    past = past.rename(columns={"month": "then", "unconstrained": "naive"})
    out = rows.merge(past, on=["then", *SCOPE], how="inner", validate="many_to_one")
    return out.assign(forecast=out["naive"])[list(found)]


def replayed(past_plans: pd.DataFrame, history: pd.DataFrame, products: pd.DataFrame, lag: int) -> pd.DataFrame:
    """Return what today's engine would have said in the cycles of earlier plans, in the shape of `record`.

    It forecasts the same families and regions as one series each, from the cleansed months before the cycle alone,
    adjusted as history is today: what later months taught of an event or outlier is in them. `lag` is the decision
    lag, at which its weights are judged. Empty without plans.
    """
    found = _comparable(_own(_plans(past_plans, products), history))
    asked = found.drop_duplicates(KEY).drop(columns="forecast").assign(stream=ENGINE)
    learnt = _in_scopes(history, found, ["month"], "cleansed").rename(columns={"cleansed": "quantity"})
    learnt = learnt.assign(level=LEVEL, product=ALL, region=learnt["regions"].map(" + ".join))
    learnt["series"] = learnt["family"] + " · " + learnt["region"]
    ends = asked["cycle"].max() - pd.offsets.MonthBegin(1), asked["cycle"].min() - pd.offsets.MonthBegin(1)
    count = ORIGINS[MODELS] if len(asked) else 1
    parts = []
    for end in pd.date_range(*ends, freq=f"-{count}MS") if len(asked) else ():
        panel = _until(learnt, end + pd.DateOffset(months=MAX_LAG))
        rules = forecast.series_rules(panel)
        tested = backtest.backtest(panel, rules, MAX_LAG, MODELS)
        weighed = weights.weighed(tested.table, rules, RECIPES[MODELS], lag)
        said = forecast.combine(tested, weighed.tested).table
        parts.append(said[(said["model"] == COMBINATION) & (said["origin"] <= end)])
    if not parts:
        return asked.assign(forecast=0.0)
    said = pd.concat(parts).assign(cycle=lambda d: d["origin"] + pd.offsets.MonthBegin(1))
    said = said.drop_duplicates(["series", "cycle", "month"])[["series", "cycle", "month", "forecast"]]
    scopes = learnt[[*SCOPE, "series"]].drop_duplicates()
    rows = asked.merge(scopes, on=SCOPE, validate="many_to_one").merge(
        said, on=["series", "cycle", "month"], how="inner", validate="one_to_one"
    )
    return rows[list(found)]


def _until(panel: pd.DataFrame, last: pd.Timestamp) -> pd.DataFrame:
    """Return the panel up to a month; months to come stand in as a year before, which no replay looks at."""
    known = panel["month"].max()
    rows = panel[panel["month"] <= last]
    while known < last:
        year = rows[rows["month"] > known - pd.DateOffset(months=12)]
        rows = pd.concat([rows, year.assign(month=year["month"] + pd.DateOffset(months=12))])
        known = rows["month"].max()
    return rows[rows["month"] <= last].sort_values(["series", "month"], ignore_index=True)


# Shown


def wape_by_lag(streams: pd.DataFrame) -> pd.DataFrame:
    """Return WAPE with lags as rows and streams as columns in the order of steps, and n, the forecasts compared.

    >>> rows = pd.DataFrame({"stream": ["seasonal naive", "sales"], "lag": 1, "wape": [0.2, 0.1], "n": 12})
    >>> wape_by_lag(rows).values.tolist()
    [[1.0, 0.2, 0.1, 12.0]]
    """
    each = streams[streams["lag"] > 0]
    wide = each.pivot(index="lag", columns="stream", values="wape")
    order = sorted(wide, key=_place)
    return wide[order].assign(n=each.groupby("lag")["n"].min()).reset_index().rename_axis(columns=None)


def stair(streams: pd.DataFrame, lag: int) -> pd.DataFrame:
    """Return the steps of value added at a lag, beside the engine where that is known, in their order.

    The steps add up to the first WAPE minus the last.
    """
    rows = streams[streams["lag"] == lag]
    level = BESIDE_ENGINE if (rows["level"] == BESIDE_ENGINE).any() else LEVEL
    rows = rows[rows["level"] == level].sort_values("step_order", ignore_index=True)
    return rows[["stream", "wape", "value_added_step", "value_added", "bias", "n"]]


def biased_sentence(past_plans: pd.DataFrame, history: pd.DataFrame, products: pd.DataFrame) -> str:
    """Return which stream leaned the same way in most cycles, the furthest from what came, and from the statistical.

    A stream of fewer than six cycles, or that leans one way in less than four of five, is not named.
    """
    found = record(past_plans, history, products)
    each = (
        _own(_plans(past_plans, products), history)
        .groupby(["stream", "cycle"])[["forecast", "actual"]]
        .sum()
        .reset_index()
    )
    each = each[each["stream"] != STATISTICAL].assign(side=np.sign(each["forecast"] - each["actual"]))
    lean = each.groupby("stream").agg(
        {"forecast": "sum", "actual": "sum", "side": ["mean", "size"]}  # the mean side is its share up minus down
    )
    lean.columns = ["forecast", "actual", "side", "cycles"]
    steady = lean[(lean["side"].abs() >= 2 * STEADY - 1) & (lean["cycles"] >= CYCLES) & (lean["actual"] > 0)]
    if steady.empty:
        return "No stream leaned the same way cycle after cycle."
    bias = steady["forecast"] / steady["actual"] - 1
    stream = str(bias.abs().idxmax())
    most = round((1 + abs(steady.at[stream, "side"])) / 2 * steady.at[stream, "cycles"])
    said = f"{stream} forecast {_more(bias[stream])} than came, the same way in {most:.0f} of "
    said += f"{steady.at[stream, 'cycles']:.0f} cycles"
    beside = _beside(found, stream)
    return f"{said}{f', and {_more(beside)} than the statistical forecast' if np.isfinite(beside) else ''}."


def _more(rate: float) -> str:
    return f"{abs(rate):.0%} {'more' if rate >= 0 else 'less'}"


def _beside(found: pd.DataFrame, stream: str) -> float:
    """Return how far a stream's forecasts lie above the statistical ones of the same cycles and months, as a rate."""
    wide = found.pivot_table(index=KEY, columns="stream", values="forecast")
    if STATISTICAL not in wide:
        return float("nan")
    both = wide[[stream, STATISTICAL]].dropna().sum()
    return both[stream] / both[STATISTICAL] - 1 if both[STATISTICAL] > 0 else float("nan")
