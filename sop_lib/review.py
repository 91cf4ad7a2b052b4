"""The first screen of the demand review: the plan against what people compare it with, and where to look first."""

import numpy as np
import pandas as pd

from sop_lib import months
from sop_lib.accuracy import beside_naive
from sop_lib.hierarchy import level_keys
from sop_lib.models import BENCHMARK, COMBINATION

__all__ = [
    "FORMATS",
    "accuracy_sentence",
    "change_sentence",
    "change_steps",
    "common_unit",
    "decomposition",
    "exceptions",
    "exceptions_sentence",
    "headline",
    "outlook",
    "range_sentence",
    "score_labels",
    "season_sentence",
    "weakest",
]

KEY = ["month", "family"]
SEASON, TWO_YEARS = 12, 24
MOST = 0.7  # of the money at risk


def common_unit(families: pd.DataFrame) -> str:
    """Return the unit that all families share, in the plural; 'units' when none is named, blank when they differ."""
    named = families["unit"].dropna().unique()
    if len(named) != 1:
        return "" if len(named) else "units"
    return named[0] if len(named[0]) <= 3 or named[0].endswith("s") else f"{named[0]}s"


def outlook(
    plan: pd.DataFrame, history: pd.DataFrame, paths: pd.DataFrame, budget: pd.DataFrame, approved: pd.DataFrame,
    *, worth: pd.DataFrame, start: int, unit: str, currency: str,
) -> pd.DataFrame:  # fmt: skip
    """Return the next three months and the full fiscal year against approved plan, budget and last year.

    One row per span in `unit` (none when families have unlike units) and one in money at average prices.
    Closed months are actual demand and revenue, in `approved` too. low and high are P10 and P90 of the sample
    paths, scaled to the plan. A figure is blank when it does not cover every month of its span, `approved` and
    `budget` also when they lack a family and month that the plan has.
    """
    cycle = plan["month"].min()
    approved = approved[approved["measure"] == "demand"]
    frames = _views(plan, history, budget, approved, worth, cycle)
    year = months.fiscal_year_months(int(str(months.fiscal_year(cycle, start))), start)
    spans = {"next three months": months.month_range(cycle, 3), "fiscal year": year}
    rows = [
        {"span": f"{span}, {when[0]:%b %y} to {when[-1]:%b %y}", "unit": word, **_figures(frames, paths, when, column)}
        for span, when in spans.items()
        for column, word in (("quantity", unit), ("revenue", currency))
        if word
    ]
    out = pd.DataFrame(rows).dropna(subset=["plan"])
    for base in ("approved", "budget", "last_year"):
        out[f"to_{base}"] = out["plan"] / out[base].where(out[base] > 0) - 1
    order = ["span", "unit", "plan", *[c for base in ("approved", "budget", "last_year") for c in (base, f"to_{base}")]]
    return out[[*order, "low", "high"]].reset_index(drop=True)


def _views(plan, history, budget, approved, worth, cycle) -> dict[str, pd.DataFrame]:
    """Return month, family, quantity and revenue of each view."""
    priced = plan.merge(worth[["month", "product", "region", "price"]], on=["month", "product", "region"], how="left")
    priced = priced.assign(revenue=priced["quantity"] * priced["price"])
    ahead = priced.groupby(KEY, as_index=False)[["quantity", "revenue"]].sum(min_count=1)
    past = (
        history.rename(columns={"raw": "quantity"})
        .groupby(KEY, as_index=False)[["quantity", "revenue"]]
        .sum(min_count=1)
    )
    each = ahead.assign(price=ahead["revenue"] / ahead["quantity"].where(ahead["quantity"] > 0))
    agreed = approved[approved["month"] >= cycle].merge(
        each[[*KEY, "price"]], on=KEY, how="left", validate="many_to_one"
    )
    agreed = agreed.assign(revenue=agreed["quantity"] * agreed["price"])
    before = past.assign(month=past["month"] + pd.DateOffset(months=SEASON))
    closed = past[past["month"] < cycle]
    known = {
        "plan": [closed, ahead],
        "approved": [closed, agreed] if len(agreed) else [],
        "last_year": [before],
        "budget": [budget],
    }
    empty = pd.DataFrame(columns=[*KEY, "quantity", "revenue"])
    return {name: pd.concat([p for p in parts if len(p)] or [empty]) for name, parts in known.items()} | {
        "price": each[[*KEY, "price"]]
    }


def _figures(frames: dict, paths: pd.DataFrame, when: pd.DatetimeIndex, column: str) -> dict[str, float]:
    """Return each view's sum over the months of a span; blank when the view lacks one of them or a plan's family."""
    out = {}
    wanted = frames["plan"][frames["plan"]["month"].isin(when) & frames["plan"][column].fillna(0.0).ne(0)]
    for view in ("plan", "approved", "budget", "last_year"):
        rows = frames[view][frames[view]["month"].isin(when)].dropna(subset=[column])
        whole = rows["month"].nunique() == len(when)
        if view in ("approved", "budget"):
            whole &= pd.MultiIndex.from_frame(wanted[KEY]).isin(pd.MultiIndex.from_frame(rows[KEY])).all()
        out[view] = float(rows[column].sum()) if whole else np.nan
    drawn = paths[paths["month"].isin(when)].groupby(["path", *KEY], as_index=False)[["quantity"]].sum()
    drawn = drawn.merge(frames["price"], on=KEY, how="left", validate="many_to_one")
    worth = drawn["quantity"] * (drawn["price"] if column == "revenue" else 1.0)
    totals = worth.groupby(drawn["path"]).sum()
    ahead = frames["plan"][frames["plan"]["month"].isin(drawn["month"].unique())][column].sum()
    scale = ahead / totals.mean() if len(totals) and totals.mean() > 0 else 0.0
    low, high = (
        (totals.quantile([0.1, 0.9]) * scale - ahead * (scale > 0)).tolist() if len(totals) else (np.nan, np.nan)
    )
    return out | {"low": out["plan"] + low, "high": out["plan"] + high}


def exceptions(
    plan: pd.DataFrame, sold: pd.DataFrame, scores: pd.DataFrame, *, worth: pd.DataFrame, lag: int, level: str,
    count: int = 20,
) -> pd.DataFrame:  # fmt: skip
    """Return the products × regions that hold most money, with what is at stake in the next twelve months.

    At stake is the larger of the change against the last twelve months and the expected error (WAPE of the
    backtest at `lag` × planned revenue), both in money at average prices. `share` is of all series' stakes.
    """
    key = ["family", "product", "region"]
    first = plan["month"].min()
    priced = plan.merge(worth[["month", "product", "region", "price"]], on=["month", "product", "region"], how="left")
    near = priced[priced["month"] < first + pd.DateOffset(months=SEASON)]
    near = near.assign(revenue=near["quantity"] * near["price"])
    ahead = near.groupby(key, as_index=False).agg(next_12=("quantity", "sum"), revenue=("revenue", "sum"))
    last = sold[sold["month"] >= first - pd.DateOffset(months=SEASON)]
    last = last.groupby(key, as_index=False)[["cleansed"]].sum().rename(columns={"cleansed": "last_12"})
    out = ahead.merge(last, on=key, how="left", validate="one_to_one").fillna({"last_12": 0.0})
    chosen = scores[(scores["model"] == COMBINATION) & (scores["metric"] == "wape") & (scores["lag"] == lag)]
    chosen = chosen[(chosen["level"] == level) & (chosen["series"] != "ALL")].rename(columns={"value": "wape"})
    keys = level_keys(level)
    out = (
        out.merge(chosen[[*keys, "wape"]], on=keys, how="left", validate="many_to_one")
        if keys
        else out.assign(wape=np.nan)
    )
    price = out["revenue"] / out["next_12"].where(out["next_12"] > 0)
    change = ((out["next_12"] - out["last_12"]) * price).abs()
    error = (out["wape"].astype("float64") * out["revenue"]).fillna(0.0)
    out["at_stake"] = np.maximum(change.fillna(0.0), error)
    out["change"] = out["next_12"] / out["last_12"].where(out["last_12"] > 0) - 1
    out["why"] = np.select(
        [out["last_12"] <= 0, change >= error],
        ["no demand in the last year", "change on last year"],
        f"error at lag {lag}",
    )
    out["share"] = out["at_stake"] / max(out["at_stake"].sum(), 1e-9)
    names = [*key, "why", "at_stake", "share", "last_12", "next_12", "change", "wape"]
    return (
        out.sort_values(["at_stake", *key], ascending=[False, True, True, True])[names]
        .head(count)
        .reset_index(drop=True)
    )


def weakest(scores: pd.DataFrame, level: str, lag: int, count: int = 10) -> pd.DataFrame:
    """Return the series of a level where the forecast did worst beside the seasonal naive at a lag, by RMSSE.

    `margin` is the naive's RMSSE minus the forecast's; negative = the naive was better. Squared errors, because
    absolute ones would praise a forecast of nothing for intermittent series.
    """
    rows = scores[(scores["level"] == level) & (scores["lag"] == lag) & (scores["series"] != "ALL")]
    both = rows[rows["metric"] == "rmsse"].pivot(index="series", columns="model", values="value")
    both = both.reindex(columns=[COMBINATION, BENCHMARK]).set_axis(["forecast", "naive"], axis=1)
    bias = rows[(rows["metric"] == "bias") & (rows["model"] == COMBINATION)].set_index("series")["value"]
    out = both.assign(margin=both["naive"] - both["forecast"], bias=bias).dropna(subset="margin")
    return out.reset_index().sort_values(["margin", "series"], ignore_index=True).head(count)


def change_steps(changes: pd.DataFrame, unit: str, count: int = 3) -> pd.DataFrame:
    """Return the bridge from the last cycle's plan to the latest over the next twelve months, one step per family.

    Rows as in `bridges`, in units; the families that moved least are one step. Empty without a last plan.
    """
    known = changes.dropna(subset=["previous"])
    known = known[known["month"] < known["month"].min() + pd.DateOffset(months=SEASON)]
    if known.empty:
        return pd.DataFrame(columns=["bridge", "family", "step", "order", "value", "unit"])
    moved = known.groupby("family")["change"].sum().sort_values(key=lambda c: -c.abs(), kind="stable")
    steps = {"last plan": known["previous"].sum(), **moved.head(count).to_dict()}
    if len(moved) > count:
        steps["other families"] = moved.iloc[count:].sum()
    steps["this plan"] = known["latest"].sum()
    out = pd.DataFrame({"step": list(steps), "value": list(steps.values())})
    return out.assign(bridge="last plan to this one", family="ALL", order=range(len(out)), unit=unit)


def decomposition(sold: pd.DataFrame, unit: str) -> pd.DataFrame:
    """Return trend, season and remainder per month of the total and of the largest family, in units.

    STL with a season of twelve months, robust; the parts add up to the observed demand. A series with fewer
    than 24 months is left out, and so is the total of unlike units. Source: Cleveland and others (1990).
    """
    from statsmodels.tsa.seasonal import STL

    recent = sold[sold["month"] > sold["month"].max() - pd.DateOffset(months=SEASON)]
    largest = recent.groupby("family")["cleansed"].sum().idxmax()
    total = sold.groupby("month")["cleansed"].sum()
    family = sold[sold["family"] == largest].groupby("month")["cleansed"].sum()
    parts = []
    for series, observed in {**({"ALL": total} if unit else {}), largest: family}.items():
        if len(observed) >= TWO_YEARS:
            found = STL(observed.to_numpy(), period=SEASON, robust=True).fit()
            split = {"observed": observed, "trend": found.trend, "season": found.seasonal, "remainder": found.resid}
            parts.append(pd.DataFrame(split).assign(series=series).reset_index())
    names = ["series", "month", "observed", "trend", "season", "remainder"]
    return pd.concat(parts, ignore_index=True)[names] if parts else pd.DataFrame(columns=names)


def headline(outlook: pd.DataFrame, scores: pd.DataFrame, worst: pd.DataFrame, *, lag: int, level: str) -> list[str]:
    """Return the answer of the demand review in sentences: the spans, the accuracy at the lag, where to look."""
    said = [_span_sentence(row) for row in outlook.drop_duplicates("span").to_dict("records")]
    said.append(accuracy_sentence(beside_naive(scores, level, "ALL"), lag))
    if len(worst):
        said.insert(0, exceptions_sentence(worst))
    return said


def exceptions_sentence(worst: pd.DataFrame) -> str:
    """Return how many of the exceptions hold most of the money at risk: the fewest that hold 70 %, else all of them.

    >>> exceptions_sentence(pd.DataFrame({"share": [0.5, 0.21, 0.1]}))
    '2 items hold 71 % of the money at risk in the demand plan: review them first.'
    """
    held = worst["share"].cumsum()
    count = min(int((held < MOST).sum()) + 1, len(held))
    verb, them = ("holds", "it") if count == 1 else ("hold", "them")
    items = f"{count} item{'s' * (count != 1)}"
    part = f"{100 * held.iloc[count - 1]:.0f} %"
    return f"{items} {verb} {part} of the money at risk in the demand plan: review {them} first."


def _span_sentence(row: dict) -> str:
    bases = {"to_approved": "the approved plan", "to_budget": "budget", "to_last_year": "last year"}
    against = [f"{_signed(row[c])} against {word}" for c, word in bases.items() if pd.notna(row[c])]
    between = f" ({_short(row['low'])} to {_short(row['high'])} in four cases of five)" if pd.notna(row["low"]) else ""
    span = row["span"][0].upper() + row["span"][1:]
    return (
        f"{span}: {_short(row['plan'])} {row['unit']}{between}" + (f"; {', '.join(against)}" if against else "") + "."
    )


def _signed(rate: float) -> str:
    return f"{rate:+.1%}".replace("-", "−")


def _short(quantity: float, sign: str = "") -> str:
    """Return a quantity to four significant digits."""
    return f"{float(f'{quantity:.4g}'):{sign},.0f}".replace("-", "−")


def accuracy_sentence(beside: pd.DataFrame, lag: int) -> str:
    """Return how far the forecast missed at a lag, beside the seasonal naive, from rows of `accuracy.beside_naive`."""
    row = beside[beside["lag"] == lag].dropna(subset=["wape", "naive"])
    if row.empty:
        return "No series is long enough for a backtest: nothing is known yet about the forecast's error."
    own, naive = row["wape"].iloc[0], row["naive"].iloc[0]
    verdict = "better than" if own < naive else "no better than"
    return f"{lag} months ahead the forecast missed by {own:.1%} of demand, {verdict} last year's month ({naive:.1%})."


def change_sentence(changes: pd.DataFrame, unit: str) -> str:
    """Return how the plan of the next twelve months, or of those that the last cycle's plan holds, changed."""
    steps = change_steps(changes, unit)
    if steps.empty:
        return "There is no last plan to compare with."
    count = min(SEASON, changes.dropna(subset=["previous"])["month"].nunique())
    before, now, moved = steps["value"].iloc[0], steps["value"].iloc[-1], steps.iloc[1:-1]
    most = moved.iloc[int(moved["value"].abs().to_numpy().argmax())]
    rate = f" ({_signed(now / before - 1)})" if before > 0 else ""
    said = f"The next {count} months that both plans hold moved by {_short(now - before, '+')} {unit}{rate}"
    return f"{said}; {most['step']} moved most, by {_short(most['value'], '+')}"


def range_sentence(forecast: pd.DataFrame) -> str:
    """Return which family's next twelve months are least certain, by the mean width of its 80 % range over its mean."""
    near = forecast[
        (forecast["level"] == "family") & (forecast["month"] < forecast["month"].min() + pd.DateOffset(months=SEASON))
    ]
    sums = near.assign(width=near["p90"] - near["p10"]).groupby("family")[["width", "mean"]].sum()
    wide = (sums["width"] / sums["mean"].where(sums["mean"] > 0)).dropna()
    if wide.empty:
        return "No family has a forecast above zero"
    return (
        f"{wide.idxmax()} is the least certain family, {wide.idxmin()} the most: 80 % of months within "
        f"±{wide.max() / 2:.0%} and ±{wide.min() / 2:.0%}"
    )


def season_sentence(parts: pd.DataFrame) -> str:
    """Return when the season of the last year is highest and how the trend moved over it, for the first series."""
    last = parts[parts["series"] == parts["series"].iloc[0]].tail(SEASON + 1)
    top, trend = last.iloc[1:].loc[last["season"].iloc[1:].idxmax()], last["trend"]
    move = trend.iloc[-1] / trend.iloc[0] - 1 if trend.iloc[0] > 0 else np.nan
    return f"Season taken out, demand moved by {_signed(move)} in a year; the season peaks in {top['month']:%B}"


def score_labels(lag: int) -> dict[str, str]:
    """Return the heads of columns of scores: at the lag, and over all lags for names that end in `_all`."""
    names = {"wape": "WAPE", "bias": "bias", "mase": "MASE", "rmsse": "RMSSE", "pinball": "pinball"}
    ends = {"": f"lag {lag}", "_all": "all lags"}
    heads = {name + end: f"{word}, {when}" for name, word in names.items() for end, when in ends.items()}
    return heads | {"loss": f"scaled error, lag {lag}"}


COUNTS = "plan low high approved budget last_year at_stake last_12 next_3 next_12 horizon quantity n"
CHANGES = "to_approved to_budget to_last_year margin bias value_added value_added_step change"
FORMATS: dict = dict.fromkeys(COUNTS.split(), "{:,.0f}") | dict.fromkeys(CHANGES.split(), "{:+.1%}")
FORMATS |= dict.fromkeys(["wape", "naive", "coverage80", "coverage95", "share"], "{:.1%}")
FORMATS |= dict.fromkeys(["mase", "rmsse"], "{:.2f}") | {"tracking_signal": "{:+.1f}"}
FORMATS |= {"weight": "{:.0%}", "loss": "{:.3f}", "pinball": "{:,.2f}"}
FORMATS |= {f"{name}_all": FORMATS[name] for name in ("wape", "bias", "mase", "rmsse", "pinball")}
