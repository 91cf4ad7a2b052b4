"""History as three series: raw as found, unconstrained as wanted, cleansed as models learn it; changes have reasons.

Cleansing always starts from raw, so doing it twice changes nothing. A single month far off what was to be expected is
shown, not changed: where that was tried, forecasts of raw demand became no better. Who knows its cause records it.
"""

import numpy as np
import pandas as pd

from sop_lib import history
from sop_lib.breaks import month_words

__all__ = [
    "FORMATS",
    "adjusted_share",
    "adjustments",
    "by_cause",
    "cleansed",
    "estimated_sentence",
    "largest",
    "most_adjusted",
    "outliers",
    "sentence",
]

KEY = ["month", "product", "region"]
COLUMNS = [*KEY, "cause", "family", "quantity", "reason"]
RECENT = 24
WANTED = ("return", "missing", "stock_out")  # causes that make raw into unconstrained demand
FAR, REGULAR, MONTHS_NEEDED, ALIKE, LEAST_SPREAD, NOTHING = 8.0, 0.95, 36, 5, 0.03, 0.01


def adjustments(
    panel: pd.DataFrame, outs: pd.DataFrame, events: pd.DataFrame | None = None, lifted: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Return what is added to raw demand per month, product, region and cause, in units, signed, with the reason.

    return and missing: what `history.filled` adds; stock_out: the hidden units of `outs`; one_off: the declared
    units or rate of past one_off `events`, taken out; event: what other events `lifted`, taken out. No more is
    taken out than is there.

    >>> month = pd.Timestamp("2026-10-01")
    >>> panel = pd.DataFrame({"month": [month], "product": "A", "region": "ALL", "family": "F", "status": "sold",
    ...     "raw": [-3.0]})
    >>> none = pd.DataFrame(columns=[*KEY, "raw", "expected", "quantity"])
    >>> adjustments(panel, none)[["cause", "quantity", "reason"]].values.tolist()
    [['return', 3.0, 'more came back than was sold']]
    """
    left = panel[[*KEY, "family", "status", "raw"]].assign(quantity=history.filled(panel))
    parts = [_fills(left), _hidden(outs)]
    left = _after(left, parts[1])
    taken = [] if events is None else [_taken(history.one_offs(left, events), "one_off", "one-off: ")]
    for part in taken + ([] if lifted is None else [_taken(lifted, "event")]):
        parts.append(_at_most(part, left))
        left = _after(left, parts[-1])
    rows = pd.concat([part[[*KEY, "cause", "quantity", "reason"]] for part in parts if len(part)] or [parts[0]])
    rows = rows[rows["quantity"].ne(0)].merge(panel[[*KEY, "family"]], on=KEY, how="inner", validate="many_to_one")
    groups = rows.sort_values([*KEY, "cause", "reason"]).groupby([*KEY, "cause", "family"], as_index=False)
    return groups.agg(quantity=("quantity", "sum"), reason=("reason", "; ".join))[COLUMNS]


def _after(left: pd.DataFrame, part: pd.DataFrame) -> pd.DataFrame:
    """Return the units left of each cell once a part is added."""
    added = part.groupby(KEY)["quantity"].sum().rename("added")
    out = left.join(added.astype("float64"), on=KEY)
    return left.assign(quantity=out["quantity"] + out["added"].fillna(0.0))


def _fills(left: pd.DataFrame) -> pd.DataFrame:
    missing = left["status"].eq("missing")
    words = np.where(missing, "the source holds no row of this month", "more came back than was sold")
    return left.assign(
        cause=np.where(missing, "missing", "return"), reason=words, quantity=left["quantity"] - left["raw"].fillna(0.0)
    )


def _hidden(outs: pd.DataFrame) -> pd.DataFrame:
    whole = outs.groupby(["month", "product"])[["raw", "expected"]].transform("sum").astype("float64")
    words = [f"out of stock: sold {r:,.0f} of {e:,.0f} to be expected" for r, e in whole.to_numpy()]
    return outs.assign(cause="stock_out", reason=words)


def _taken(found: pd.DataFrame, cause: str, kind: str = "") -> pd.DataFrame:
    """Return the units of events, which `found` counts as added, as adjustments that take them out."""
    return found.assign(cause=cause, quantity=-found["quantity"], reason=kind + found["event"])


def _at_most(part: pd.DataFrame, left: pd.DataFrame) -> pd.DataFrame:
    """Return the part with no more taken out of a cell than is left there."""
    there = part[KEY].merge(left[[*KEY, "quantity"]], on=KEY, how="left", validate="many_to_one")["quantity"]
    taken = part.groupby(KEY)["quantity"].transform("sum").astype("float64").to_numpy()
    most = there.fillna(0.0).to_numpy()
    scale = np.divide(most, -taken, out=np.ones_like(most), where=-taken > most)
    return part.assign(quantity=part["quantity"].astype("float64").to_numpy() * scale)


def cleansed(panel: pd.DataFrame, changes: pd.DataFrame) -> pd.DataFrame:
    """Return the history with `cleansed`, `unconstrained` and `adjustment` renewed from raw and the adjustments.

    cleansed = raw + all adjustments; unconstrained = raw + those of cause return, missing and stock_out.
    """
    sums = {
        "all": changes.groupby(KEY)["quantity"].sum(),
        "wanted": changes[changes["cause"].isin(WANTED)].groupby(KEY)["quantity"].sum(),
    }
    added = panel[KEY].join(pd.DataFrame(sums).astype("float64"), on=KEY).fillna(0.0)
    raw = panel["raw"].fillna(0.0)
    whole, wanted = ((raw + added[name]).clip(lower=0.0) for name in ("all", "wanted"))
    return panel.assign(cleansed=whole, unconstrained=wanted, adjustment=whole - raw)


def outliers(panel: pd.DataFrame) -> pd.DataFrame:
    """Return the single months far off what was to be expected of a product × region, furthest in units first.

    Expected is the season (median by month of the year) and the level (median of the seven months around), and what
    the family's other series did in that month. Far is 8 robust spreads (1.4826 × median absolute deviation), three
    times as far as the months before and after: a run of months is a change of level. A month that sold nothing counts
    as a hundredth of what was to be expected. Left out are series that sell now and then or have under 36 months,
    months that were adjusted, and the last one, of which nobody can know yet.
    `off` is the rate, `spreads` how many. Shown, not adjusted.
    """
    wide = panel.pivot(index="month", columns=KEY[1:], values="cleansed").asfreq("MS")
    known = wide.notna().sum()
    wide = wide.loc[:, (wide.gt(0).sum() >= REGULAR * known) & (known >= MONTHS_NEEDED)]
    family = panel.drop_duplicates(KEY[1:]).set_index(KEY[1:])["family"].reindex(wide.columns)
    expected, left = _expected(wide, family)
    z = left / (1.4826 * left.abs().median()).clip(lower=LEAST_SPREAD)
    beside = np.maximum(*((z.shift(k) * np.sign(z)).fillna(np.inf) for k in (1, -1)))
    hit = (z.abs() >= FAR) & (beside < z.abs() / 3)
    parts = {"expected": expected, "spreads": z}
    cells = pd.DataFrame({name: part.where(hit).unstack().dropna() for name, part in parts.items()}).reset_index()
    rows = panel[panel["adjustment"].eq(0)]
    out = rows.merge(cells.reindex(columns=[*KEY, *parts]), on=KEY, how="inner", validate="one_to_one")
    out = out.assign(off=out["raw"] / out["expected"] - 1, size=(out["raw"] - out["expected"]).abs())
    out = out.sort_values(["size", *KEY], ascending=[False, True, True, True], ignore_index=True)
    return out[[*KEY, "family", "raw", "expected", "off", "spreads"]]


def _expected(wide: pd.DataFrame, family: pd.Series) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return what each cell should have been, and by how much its logarithm is off."""
    log = np.log(wide.where(wide > 0))
    about = log - log.rolling(13, center=True, min_periods=7).median()
    season = about.groupby(pd.DatetimeIndex(log.index).month).transform("median")
    flat = log - season
    level = flat.rolling(7, center=True, min_periods=4).median()
    left = (flat - level).mask(wide.eq(0) & level.notna(), np.log(NOTHING))
    common = left.T.groupby(family.to_numpy()).transform("median").T
    common = common * (family.map(family.value_counts()) >= ALIKE).to_numpy()
    return np.exp(season + level + common), left - common


def by_cause(changes: pd.DataFrame, prices: pd.DataFrame) -> pd.DataFrame:
    """Return per cause how many cells were adjusted, of how many products, units added and taken, and their money."""
    rows = _priced(changes, prices)
    rows = rows.assign(added=rows["quantity"].clip(lower=0.0), taken=rows["quantity"].clip(upper=0.0))
    groups = rows.groupby("cause", as_index=False)
    return groups.agg(
        cells=("month", "size"), products=("product", "nunique"), added=("added", "sum"), taken=("taken", "sum"),
        money=("money", lambda m: m.sum(min_count=1)), latest=("month", "max"),
    )  # fmt: skip


def largest(changes: pd.DataFrame, prices: pd.DataFrame) -> pd.DataFrame:
    """Return the adjustments per month, product and cause over their regions, most money (else units) first."""
    rows = _priced(changes, prices)
    key = ["month", "product", "cause", "reason"]
    groups = rows.groupby(key, as_index=False, dropna=False)
    out = groups.agg(regions=("region", "nunique"), quantity=("quantity", "sum"),
                     money=("money", lambda m: m.sum(min_count=1)))  # fmt: skip
    size = out["money"].abs().fillna(out["quantity"].abs())
    order = out.assign(size=size).sort_values(["size", *key], ascending=[False, True, True, True, True])
    return order.drop(columns="size").reset_index(drop=True)[
        ["product", "month", "cause", "quantity", "money", "reason"]
    ]


def _priced(changes: pd.DataFrame, prices: pd.DataFrame) -> pd.DataFrame:
    rows = changes.merge(prices[["product", "price"]], on="product", how="left", validate="many_to_one")
    return rows.assign(money=rows["quantity"] * rows["price"].astype("float64"))


def most_adjusted(panel: pd.DataFrame, count: int = 6) -> pd.DataFrame:
    """Return raw, unconstrained and cleansed demand per month of the products with most adjusted units, most first."""
    size = panel["adjustment"].abs().groupby(panel["product"]).sum()
    first = size[size > 0].sort_values(ascending=False, kind="stable").head(count)
    rows = panel[panel["product"].isin(first.index)]
    out = rows.groupby(["product", "month"], as_index=False)[["raw", "unconstrained", "cleansed"]].sum(min_count=1)
    place = out["product"].map({product: n for n, product in enumerate(first.index)})
    return out.assign(place=place).sort_values(["place", "month"], ignore_index=True).drop(columns="place")


def adjusted_share(panel: pd.DataFrame) -> float:
    """Return the adjusted units of the last 24 months, unsigned, over those sold or returned; blank when none were."""
    recent = panel[panel["month"] > panel["month"].max() - pd.DateOffset(months=RECENT)]
    booked = recent["raw"].abs().sum()
    return float(recent["adjustment"].abs().sum() / booked) if booked > 0 else float("nan")


def sentence(changes: pd.DataFrame, panel: pd.DataFrame, prices: pd.DataFrame) -> str:
    """Return what was adjusted, by cause, and how much that is of the last 24 months."""
    if changes.empty:
        return "Nothing was adjusted: models learn from history as it was found."
    causes, share = by_cause(changes, prices), adjusted_share(panel)
    parts = [f"{NAMES[c.cause]} ({c.added + c.taken:+,.0f} units)" for c in causes.itertuples()]
    said = f"Adjusted before models learn from it: {', '.join(parts)}"
    return (
        f"{said}."
        if np.isnan(share)
        else f"{said}; {share:.1%} of the units sold or returned in the last {RECENT} months."
    )


def estimated_sentence(changes: pd.DataFrame, panel: pd.DataFrame, since: pd.Timestamp) -> str:
    """Return which share of cleansed demand from a month on stands in months × products × regions that are estimates.

    Returns above sales are set to zero, which is no estimate. Blank when nothing was estimated.
    """
    told = changes[changes["month"].ge(since) & changes["cause"].isin(list(MADE))]
    cells = panel[panel["month"] >= since].merge(told[KEY].drop_duplicates(), on=KEY, how="left", indicator=True)
    total, touched = cells["cleansed"].sum(), cells.loc[cells["_merge"].eq("both"), "cleansed"].sum()
    if told.empty or total <= 0:
        return ""
    how = ", ".join(words for cause, words in MADE.items() if cause in set(told["cause"]))
    share = f"{touched / total:.1%} was estimated"
    return f"Of the demand scored since {month_words(since)}, {share}: {how}; there the error is against an estimate."


NAMES = {
    "return": "returns above sales",
    "missing": "months the source lacks",
    "stock_out": "stock-outs",
    "one_off": "one-off orders",
    "event": "past events",
}
MADE = {
    "event": "past events taken out",
    "one_off": "one-off orders taken out",
    "stock_out": "stock-outs made good",
    "missing": "missing months filled",
}
FORMATS = dict.fromkeys(["quantity", "added", "taken"], "{:+,.0f}") | {"off": "{:+.0%}", "spreads": "{:+.0f}"}
FORMATS |= dict.fromkeys(["raw", "expected", "sold", "hidden", "money", "cells", "products"], "{:,.0f}")
