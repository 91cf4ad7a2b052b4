"""Which level forecasts a family best: the methods of `reconcile` compared in the backtest, and one chosen to be used.

A method is chosen by what was known at an origin, and for no family unless it wins there twice. So the backtest that
follows is of what would have been used: no forecast is judged on the months that it was chosen by. What is used lies
halfway between bottom-up and the winner, because the choice is made on few origins: where tried, that was closer at
the series than the winner itself and less far off where the choice was wrong, but not as close at the family.
"""

from dataclasses import replace

import numpy as np
import pandas as pd

from sop_lib import hierarchy
from sop_lib.baseline import Baseline
from sop_lib.engines import Forecasts
from sop_lib.models import BENCHMARK, COMBINATION
from sop_lib.reconcile import BOTTOM_UP, METHODS, candidates
from sop_lib.tables import ALL

__all__ = ["BEST", "beside", "moved", "reconciled", "verdict"]

BEST, AS_USED = "best", "as used"
MARGIN, ORIGINS_NEEDED, WEIGHT = 0.01, 6, 0.5
WINDOW = ["origin", "month"]
COLUMNS = ["level", "family", "method", "lag", "wape", "margin", "n", "weight", "why"]
FACTS = ["level", "family", "method", "n", "weight", "why"]
TOO_SHORT = f"the backtest has fewer than {ORIGINS_NEEDED} origins to choose by"
ALONE = "fewer than two of its series can be compared: each keeps its own forecast"


def reconciled(leaf: Baseline, above: dict[str, Baseline], lag: int, method: str) -> tuple[Baseline, pd.DataFrame]:
    """Return the baseline as reconciled by the method used in each family, and the rows of `reconciliation`.

    `method` is one of METHODS for all families, or 'best': per family and origin, and for the months to come, the
    mean of bottom-up and the method that won at `lag` by what was known then. It wins when that mean is closer than
    bottom-up by 1 % in both halves of the origins known, and no worse over all lags; closer is the mean of how much
    of bottom-up's error is gone at the series and at the family.
    """
    if not above:
        return leaf, _table(pd.DataFrame(), leaf.rules, pd.DataFrame(columns=["method", "weight", "why"]), lag)
    rows, failed = candidates(leaf, above)
    own, near = leaf.rules["level"].iloc[0], min(lag, int(rows["lag"].max()))
    offered = [name for name in METHODS if name in rows]
    choice = _winners_by_origin(rows, own, offered, near) if method == BEST else _the_same(rows, method, offered)
    rows = rows.merge(choice, on=["family", "origin"], how="left", validate="many_to_one")
    picked = np.select([rows["method"] == name for name in offered], [rows[name] for name in offered])
    rows[AS_USED] = rows["weight"] * picked + (1 - rows["weight"]) * rows[BOTTOM_UP]
    errors = _errors(rows[rows["actual"].notna()], own, [*offered, BENCHMARK, AS_USED])
    now = choice[choice["origin"] == choice["origin"].max()].set_index("family")
    return _with(leaf, rows, failed), _table(errors, leaf.rules, now, near)


def _errors(rows: pd.DataFrame, own: str, methods: list[str]) -> pd.DataFrame:
    """Return absolute error, volume and count per method, family, origin and month, of its series and of their sum."""
    found = []
    for level in (own, "family"):
        sums = rows.groupby([*hierarchy.level_keys(level), *WINDOW, "lag"], as_index=False)[[*methods, "actual"]].sum()
        sums[methods] = sums[methods].sub(sums["actual"], axis=0).abs()
        sums = sums.assign(volume=sums["actual"].abs(), n=1).groupby(["family", *WINDOW, "lag"], as_index=False)
        wide = sums[[*methods, "volume", "n"]].sum()
        keys = ["family", *WINDOW, "lag", "volume", "n"]
        found.append(wide.melt(keys, methods, "method", "absolute").assign(level=level))
    return pd.concat(found, ignore_index=True)


def _winners_by_origin(rows: pd.DataFrame, own: str, offered: list[str], lag: int) -> pd.DataFrame:
    """Return per family and origin the method to use, its weight and the reason: bottom-up where none wins."""
    mixed = rows.assign(**{name: WEIGHT * rows[name] + (1 - WEIGHT) * rows[BOTTOM_UP] for name in offered})
    errors = _errors(mixed[mixed["actual"].notna()], own, offered)
    every = rows[["family", "origin"]].drop_duplicates()
    won = [_winners(errors, lag, origin).assign(origin=origin) for origin in sorted(every["origin"].unique())]
    out = every.merge(pd.concat(won), on=["family", "origin"], how="left", validate="one_to_one")
    out["weight"] = np.where(out["method"].isna(), 1.0, WEIGHT)
    short = errors.loc[errors["lag"] == lag, "origin"].nunique() < ORIGINS_NEEDED
    none = f"none {MARGIN:.0%} closer in both halves"
    return out.fillna({"method": BOTTOM_UP, "why": TOO_SHORT if short else none})


def _winners(errors: pd.DataFrame, lag: int, known: pd.Timestamp) -> pd.DataFrame:
    """Return the families for which another method than bottom-up wins by the months up to `known`."""
    seen = errors[errors["month"] <= known]
    near = seen[seen["lag"] == lag]
    origins = sorted(near["origin"].unique())
    if len(origins) < ORIGINS_NEEDED:
        return pd.DataFrame({"family": [], "method": [], "why": []}, dtype="object")
    early = near["origin"] < origins[len(origins) // 2]
    parts = {"first": near[early], "later": near[~early], "near": near, "all": seen}
    gain = pd.DataFrame({name: _gain(part) for name, part in parts.items()})
    won = gain[(gain[["first", "later"]] >= MARGIN).all(axis=1) & (gain["all"] >= 0)]
    won = won.sort_values("near", ascending=False, kind="stable").reset_index().drop_duplicates("family")
    halves = zip(won["first"], won["later"], strict=True)
    won["why"] = [f"{a:.1%} and {b:.1%} closer in the halves" for a, b in halves]
    return won[["family", "method", "why"]]


def _gain(errors: pd.DataFrame) -> pd.Series:
    """Return per family and method by how much of bottom-up's error it is closer, the mean of series and family."""
    sums = errors.groupby(["family", "method", "level"])["absolute"].sum().unstack("method")
    gain = 1 - sums.div(sums[BOTTOM_UP].where(sums[BOTTOM_UP] > 0), axis=0)
    return gain.groupby("family").mean().stack()


def _the_same(rows: pd.DataFrame, method: str, offered: list[str]) -> pd.DataFrame:
    """Return a method that is set for all families, bottom-up where it has no level of its own."""
    there = method in offered
    why = "set in sop.toml" if there else f"{method} is set in sop.toml, but no level is there for it"
    found = method if there else BOTTOM_UP
    return rows[["family", "origin"]].drop_duplicates().assign(method=found, weight=1.0, why=why)


def _with(leaf: Baseline, rows: pd.DataFrame, failed: pd.DataFrame) -> Baseline:
    """Return the baseline with the forecasts used in the place of its combination."""
    key = ["series", *WINDOW]
    used = rows[[*key, AS_USED]].assign(model=COMBINATION)

    def renewed(table: pd.DataFrame) -> pd.DataFrame:
        out = table.merge(used, on=[*key, "model"], how="left", validate="one_to_one")
        return out.assign(forecast=out[AS_USED].fillna(out["forecast"])).drop(columns=AS_USED)

    ahead = failed["origin"] == rows["origin"].max()
    found, tested = leaf.forecasts, leaf.tested
    return replace(
        leaf,
        forecasts=Forecasts(renewed(found.table), _all(found.remarks, failed[ahead])),
        tested=Forecasts(renewed(tested.table), _all(tested.remarks, failed[~ahead])),
    )


def _all(*parts: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([part for part in parts if len(part)] or [parts[0]], ignore_index=True)


def _table(errors: pd.DataFrame, rules: pd.DataFrame, now: pd.DataFrame, lag: int) -> pd.DataFrame:
    """Return the rows of `reconciliation`: per level, family (ALL together) and method its error at the lag."""
    families = sorted(set(rules["family"]) - {ALL, *now.index})
    alone = pd.DataFrame([("family", name, BOTTOM_UP, 0.0, 1.0, ALONE) for name in families], columns=FACTS)
    scored = _scores(errors[errors["lag"] == lag], now) if len(errors) else alone.head(0)
    return _all(scored, alone).assign(lag=lag).reindex(columns=COLUMNS)


def _scores(near: pd.DataFrame, now: pd.DataFrame) -> pd.DataFrame:
    """Return WAPE, how much less it is than bottom-up's, and its weight in what is used, per level, family, method."""
    key = ["level", "family", "method"]
    out = pd.concat([near, near.assign(family=ALL)]).groupby(key, as_index=False)[["absolute", "volume", "n"]].sum()
    out["wape"] = out["absolute"] / out["volume"].where(out["volume"] > 0)
    bottom = out.loc[out["method"] == BOTTOM_UP, ["level", "family", "wape"]].rename(columns={"wape": "margin"})
    out = out.merge(bottom, on=["level", "family"], how="left", validate="many_to_one")
    out["margin"] = out["margin"] - out["wape"]
    used, weight = out["method"] == out["family"].map(now["method"]), out["family"].map(now["weight"])
    out["weight"] = weight.where(used, (1 - weight).where(out["method"] == BOTTOM_UP, 0.0)).fillna(0.0)
    return out.assign(why=out["family"].map(now["why"]).where(used))


def beside(table: pd.DataFrame) -> pd.DataFrame:
    """Return WAPE per family and level, a column for each method, with the method used and why, from `reconciliation`.

    The first rows are of all families together; `as used` is what choosing by what was known at each origin gave.
    """
    wide = table.pivot(index=["family", "level"], columns="method", values="wape")
    wide = wide.reindex(columns=[m for m in (BENCHMARK, *METHODS, AS_USED) if m in wide]).reset_index()
    used = table.dropna(subset="why").assign(used=_named)[["family", "level", "used", "why"]]
    out = wide.merge(used, on=["family", "level"], how="left", validate="one_to_one")
    order = out.assign(below=out["family"] != ALL, leaf=out["level"] == "family")
    return out.loc[order.sort_values(["below", "family", "leaf"], kind="stable").index].reset_index(drop=True)


def _named(used: pd.DataFrame) -> pd.Series:
    return used["method"].where(used["weight"] == 1, "half " + used["method"])


def moved(leaf: Baseline, used: Baseline, table: pd.DataFrame) -> pd.Series:
    """Return for each series that is not forecast bottom-up how it is, such as 'half top-down'.

    `leaf` is before and `used` after reconciling, `table` the rows of `reconciliation`.
    """
    before, after = (
        b.forecasts.table[b.forecasts.table["model"] == COMBINATION].set_index(["series", "month"])["forecast"]
        for b in (leaf, used)
    )
    differ = before.ne(after).groupby("series").any()
    named = table.dropna(subset="why").assign(used=_named).drop_duplicates("family")
    named = named[named["method"] != BOTTOM_UP].set_index("family")["used"]
    family = leaf.rules.set_index("series")["family"]
    return family[family.index.isin(differ[differ].index)].map(named).dropna()


def verdict(table: pd.DataFrame) -> str:
    """Return which method is used where, and what choosing so was worth, from `reconciliation`."""
    every = table[(table["family"] == ALL) & (table["level"] != "family")].set_index("method")
    if every.empty:
        return "Nothing to compare: every series keeps its own forecast, and families are their sums"
    level, lag = every["level"].iloc[0], every["lag"].iloc[0]
    used = table[table["level"] == level].dropna(subset="why").assign(used=_named)
    other = used[used["method"] != BOTTOM_UP].groupby("used")["family"]
    told = "".join(f"; {named} for {', '.join(families)}" for named, families in other)
    few = f"Bottom-up for {(used['method'] == BOTTOM_UP).sum()} of {len(used)} families{told}"
    wape = table[table["family"] == ALL].set_index(["method", "level"])["wape"]
    own, bottom = (" and ".join(f"{wape[m, at]:.1%} at {at}" for at in (level, "family")) for m in (AS_USED, BOTTOM_UP))
    return f"{few}. Used so at each origin, forecasts {lag} months ahead missed by {own}; bottom-up by {bottom}"
