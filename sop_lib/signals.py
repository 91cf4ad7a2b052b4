"""Was a month news or noise? Process-behaviour (XmR) charts of demand, season and growth taken out.

Wheeler, Understanding Variation (1993): natural limits are the mean ± 2.66 × the mean moving range.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from sop_lib.breaks import month_words, some
from sop_lib.tables import ALL

__all__ = ["FORMATS", "last_surprise", "limits", "news", "signals", "surprise_sentence", "unpriced"]

WIDTH, SHOWN, LEAST, RUN = 2.66, 36, 12, 8
RULES = {
    "outside": "outside its natural limits",
    "near limit": "with 2 of the 3 months before nearer the same limit than the middle",
    "run": "8 months in a row on one side of the middle",
}


def limits(values: pd.DataFrame) -> pd.DataFrame:
    """Return the middle, low and high natural limit of each column: mean ± 2.66 × mean moving range.

    Blank months are passed over.

    >>> limits(pd.DataFrame({"A": [10.0, 12.0, 11.0, 13.0, 12.0]})).round(2).values.tolist()
    [[11.6, 7.61, 15.59]]
    """
    middle = values.mean()
    width = WIDTH * values.apply(lambda column: column.dropna().diff().abs().mean())
    return pd.DataFrame({"middle": middle, "low": middle - width, "high": middle + width})


def news(values: pd.DataFrame) -> pd.DataFrame:
    """Return the rule that makes each cell a signal, blank for noise: columns are series, rows months in order.

    Outside the limits goes before 3 of 4 nearer the same limit than the middle, and that before 8 on one side. A month
    is a signal of a run only when it stands there itself; the month of four that does not may be any of the others.

    >>> news(pd.DataFrame({"A": [1.0, 1.1] * 5 + [2.0]}))["A"].iloc[-1]
    'outside'
    """
    bounds = limits(values)
    side = np.sign(values - bounds["middle"])
    far = (values - bounds["middle"]).abs() / (bounds["high"] - bounds["middle"]).where(lambda w: w > 0)
    near = {way: (far > 0.5) & side.eq(way) for way in (1, -1)}
    third = [at & (at.astype("float64").rolling(4, min_periods=3).sum() >= 3) for at in near.values()]
    ways = {
        "outside": far > 1,
        "near limit": third[0] | third[1],
        "run": side.rolling(RUN).sum().abs() >= RUN,
    }
    found = np.select([w.to_numpy(dtype=bool) for w in ways.values()], list(ways), "")
    return pd.DataFrame(found, values.index, values.columns, dtype="object").replace("", None)


def signals(panel: pd.DataFrame, prices: pd.DataFrame) -> pd.DataFrame:
    """Return per family and month whether demand was a signal, over the last 36 months; ALL is the company in money.

    `value` is demand as found over what was to be expected: the mean of the 12 months before, times what the same
    month was of its own 12 months before, mean of up to three years. So steady growth and a steady season leave it
    level. `middle`, `low` and `high` are its natural limits; `rule` is blank for noise. `actual` and `expected` are
    in units, those of ALL at today's `price` per product, without the products that have none (in units when no
    product has one). Expectations stand on cleansed history. A series needs 24 months before its first value, and
    12 values.
    """
    now, known = (_by_series(panel, name, prices) for name in ("raw", "cleansed"))
    base = known.rolling(12).mean().shift(1)
    base = base.where(base > 0)
    before = np.stack([(known / base).shift(12 * k).to_numpy() for k in (1, 2, 3)])
    season = np.ma.masked_invalid(before).mean(axis=0).filled(np.nan)
    expected = base * season
    values = (now / expected.where(expected > 0)).iloc[-SHOWN:]
    values = values.loc[:, values.notna().sum() >= LEAST]
    parts = {"actual": now, "expected": expected, "value": values, "rule": news(values)}
    long = {name: part.loc[values.index, values.columns].stack(future_stack=True) for name, part in parts.items()}
    out = pd.DataFrame(long).rename_axis(["month", "family"]).reset_index().dropna(subset="value")
    bounds = limits(values).assign(low=lambda b: b["low"].clip(lower=0.0))
    out = out.merge(bounds.rename_axis("family").reset_index(), on="family", how="left", validate="m:1")
    names = ["month", "family", "actual", "expected", "value", "middle", "low", "high", "rule"]
    return out[names].sort_values(["family", "month"], ignore_index=True)


def _by_series(panel: pd.DataFrame, column: str, prices: pd.DataFrame) -> pd.DataFrame:
    """Return months × families in units, and ALL in money; months that the source does not hold are blank."""
    wide = panel.pivot_table(index="month", columns="family", values=column, aggfunc="sum")
    price = panel["product"].map(_price(prices))
    worth = panel[column] * (price.fillna(0.0) if price.notna().any() else 1.0)
    out = wide.assign(**{ALL: worth.groupby(panel["month"]).sum()})
    out = out.asfreq("MS")
    held = panel.groupby("month")[column].count().reindex(out.index, fill_value=0)
    return out.where(np.tile(held.gt(0).to_numpy()[:, None], out.shape[1]))


def _price(prices: pd.DataFrame) -> pd.Series:
    """Return the price per product; 0 is none."""
    price = prices.set_index("product")["price"].astype("float64")
    return price.where(price > 0)


def unpriced(panel: pd.DataFrame, prices: pd.DataFrame) -> list[str]:
    """Return the products that ALL of `signals` leaves out: those without a price, where others have one."""
    price = _price(prices).reindex(sorted(panel["product"].unique()))
    return price.index[price.isna()].tolist() if price.notna().any() else []


def last_surprise(found: pd.DataFrame, without: Sequence[str] = ()) -> pd.DataFrame:
    """Return what the last month was to each series: `surprise` (rate off expectation), signal or noise, and why.

    `since` is the series' last month that was a signal; a series that ended before the last month has no row.
    `without` are the products that ALL leaves out: its evidence names them.
    """
    last = found[found["month"].eq(found["month"].max())].set_index("family")
    out = last.assign(surprise=last["value"] - 1, verdict=last["rule"].notna().map({True: "signal", False: "noise"}))
    out["since"] = found[found["rule"].notna()].groupby("family")["month"].max()
    within = [f"natural limits {r.low - 1:+.0%} to {r.high - 1:+.0%}" for r in out.itertuples()]
    out["evidence"] = out["rule"].map(RULES).fillna("inside") + "; " + pd.Series(within, out.index, dtype="object")
    out.loc[out.index == ALL, "evidence"] += f"; without {some(list(without))}: no price" if without else ""
    names = ["month", "actual", "expected", "surprise", "verdict", "evidence", "since"]
    return out.reset_index()[["family", *names]]


def surprise_sentence(last: pd.DataFrame) -> str:
    """Return whether the last month's demand was a signal or noise, in total and which families were signals.

    >>> one = {"family": ["ALL"], "month": pd.Timestamp("2026-10-01"), "surprise": [0.09], "verdict": ["noise"]}
    >>> surprise_sentence(pd.DataFrame(one | {"evidence": "inside; limits -12% to +14%"}))
    'Oct 2026 was 9% above what was to be expected: noise (inside; limits -12% to +14%). No family was a signal.'
    """
    total = last[last["family"].eq(ALL)]
    if total.empty:
        return "History is too short to tell signal from noise: 36 months are needed."
    r, news_of = total.iloc[0], last[last["verdict"].eq("signal") & last["family"].ne(ALL)]
    news_of = news_of.sort_values("surprise", key=np.abs, ascending=False, kind="stable")
    moved = some([f"{f.family} {f.surprise:+.0%}" for f in news_of.itertuples()])
    side = "above" if r["surprise"] >= 0 else "below"
    families = f"Signals by family: {moved}." if moved else "No family was a signal."
    return (
        f"{month_words(r['month'])} was {abs(r['surprise']):.0%} {side} what was to be expected: {r['verdict']} "
        f"({r['evidence']}). {families}"
    )


FORMATS = dict.fromkeys(["actual", "expected"], "{:,.0f}") | {"surprise": "{:+.0%}"}
