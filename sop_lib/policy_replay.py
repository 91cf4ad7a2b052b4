"""The stock policy replayed on history: what safety stock from errors known by then would have served from stock."""

import numpy as np
import pandas as pd

from sop_lib import policy, tables
from sop_lib.settings import Planning
from sop_lib.tables import ALL

__all__ = ["NEAR", "basis_of", "plans", "replay", "replay_sentence", "verdict"]

WARM = 4  # origins that only teach: their outcome must be known before the first plan that is replayed
MOST = 12  # newest origins that teach a plan: as many as the backtest of a cycle has
SUMS = ["demand", "served", "stock"]
NEAR = 0.03  # below the promise: more is missed
TINY = 1e-9
DRAWS, SEED, ENDS = 1000, 0, (0.05, 0.95)


def basis_of(sales: pd.DataFrame) -> str:
    """Return what demand history is: `ordered` where most rows of sales say it, else `shipped`.

    >>> basis_of(pd.DataFrame({"ordered": [None, 5.0, 7.0], "shipped": [4.0, 5.0, 6.0]}))
    'ordered'
    """
    return "ordered" if len(sales) and sales["ordered"].notna().mean() > 0.5 else "shipped"


def plans(backtest: pd.DataFrame, families: pd.DataFrame, planning: Planning) -> pd.DataFrame:
    """Return per origin, family and product what the last lead month wanted, what stock served and what was left.

    Each plan stands by itself: stock for the lead months is their forecast and the safety stock that errors known at
    its origin ask for. A unit short in the last month counts there, one short before it counts in the plan before.
    In units; families made to order are left out. Where fewer `months` were tested than `asked`, the lead months, the
    replayed lead is the tested one: no outcome beyond it is known.
    """
    names = pd.Index(sorted(backtest["family"].unique()), name="family")
    promised = policy.promises(families, names, planning)
    errors = policy.lead_errors(backtest, promised["lead_months"])
    errors = errors.merge(promised, on="family", how="left", validate="many_to_one").query("rule != 'none'")
    errors = errors.assign(
        asked=errors["lead_months"], lead_months=errors["months"], ahead=errors["forecast"].clip(lower=0)
    )
    known_from = _months_on(errors["origin"], errors["months"])
    parts = []
    for origin in sorted(errors["origin"].unique()):
        known = errors[known_from <= origin]
        known = known[_newest(known)]
        enough = known.groupby("product")["origin"].nunique().reindex(errors["product"].unique(), fill_value=0) >= WARM
        now = errors[(errors["origin"] == origin) & errors["product"].map(enough)]
        parts.append(_outcome(policy.safety(now.reset_index(drop=True), known)))
    return pd.concat(parts, ignore_index=True) if parts else _outcome(policy.safety(errors, errors))


def _months_on(origin: pd.Series, months: pd.Series) -> pd.Series:
    """Return the month in which the last of an origin's lead months is closed."""
    at = origin.dt.to_period("M").astype("int64") + months.astype("int64")
    return pd.Series(pd.PeriodIndex.from_ordinals(at, freq="M").to_timestamp(), index=origin.index)


def _newest(known: pd.DataFrame) -> pd.Series:
    return known.groupby(["family", "product"])["origin"].rank(ascending=False) <= MOST


def _outcome(rows: pd.DataFrame) -> pd.DataFrame:
    stock = rows["forecast"].clip(lower=0) + rows["safety"]
    wanted = rows["wanted"].clip(lower=0)
    short = np.minimum((rows["actual"] - stock).clip(lower=0), wanted)
    out = rows[["family", "product", "origin", "promised", "method", "safety", "asked", "months"]]
    return out.assign(demand=wanted, served=wanted - short, stock=(stock - rows["actual"]).clip(lower=0))


def replay(
    backtest: pd.DataFrame, families: pd.DataFrame, planning: Planning, sales: pd.DataFrame
) -> pd.DataFrame:  # fmt: skip
    """Return the rows of `policy_replay`, without the cycle: promised and achieved fill rate per family and for ALL.

    A row for each family held to stock, and none where no family is. Achieved is blank where the backtest has too few
    origins; `stock` is what was left at the end of a month, summed over products, on average.
    """
    every = plans(backtest, families, planning)
    names = (set(backtest["family"]) | set(families["family"])) - {ALL}
    asked = policy.promises(families, pd.Index(sorted(names), name="family"), planning).query("rule != 'none'")
    if asked.empty:
        return tables.empty("policy_replay").drop(columns="cycle")
    found = pd.DataFrame([_figures(every[every["family"] == name]) for name in asked.index], asked.index)
    found = found.assign(promised=asked["promised"])
    whole = pd.DataFrame([_figures(every)], [ALL]).assign(promised=_mean(found))
    rows = pd.concat([found, whole]).rename_axis("family").reset_index()
    rows = rows.assign(basis=basis_of(sales), difference=rows["achieved"] - rows["promised"])
    rows["finding"] = [_finding(row) for row in rows.itertuples()]
    return rows[[c for c in tables.table("policy_replay").names if c != "cycle"]]


def _figures(own: pd.DataFrame) -> dict:
    """Return what plans wanted, were served and had left, how sure that is, and the families with a shortened lead."""
    each = own.groupby("origin")[SUMS].sum()
    sums = each.sum()
    low, high = _resampled(each)
    lead = own.groupby("family").agg(months=("months", "min"), asked=("asked", "max"))
    cut = lead[lead["months"] < lead["asked"]].astype(int)
    return {
        "origins": len(each), "demand": sums["demand"], "served": sums["served"], "low": low, "high": high,
        "achieved": sums["served"] / sums["demand"] if sums["demand"] > 0 else np.nan,
        "stock": sums["stock"] / len(each) if len(each) else np.nan,
        "cut": ", ".join(f"{name} {months} of {asked}" for name, months, asked in cut.itertuples()),
    }  # fmt: skip


def _resampled(each: pd.DataFrame) -> tuple[float, float]:
    """Return between which shares served 90 % of resamples lie: as many plans drawn, each possibly more than once.

    Blank for fewer than two plans. Too narrow for a single family: neighbouring plans meet the same months.
    Source: Efron and Tibshirani, *An Introduction to the Bootstrap*, ch. 13.
    """
    drawn = np.random.default_rng(SEED).integers(0, max(len(each), 1), (DRAWS, len(each)))
    sums = each[["served", "demand"]].to_numpy()[drawn].sum(axis=1)
    sums = sums[sums[:, 1] > 0]
    if len(each) < 2 or not len(sums):
        return np.nan, np.nan
    low, high = np.quantile(sums[:, 0] / sums[:, 1], ENDS)
    return float(low), float(high)


def _mean(found: pd.DataFrame) -> float:
    """Return what was promised, weighted by demand, alike where nothing was wanted."""
    weight = found["demand"] if found["demand"].sum() > 0 else found["demand"] + 1
    return float((found["promised"] * weight).sum() / weight.sum())


def _finding(row) -> str:
    if np.isnan(row.achieved) and row.origins > 0:
        return f"Nothing was wanted in {row.origins:.0f} plans: no promise to keep."
    if np.isnan(row.achieved):
        return f"Not replayed: no plan whose errors from {WARM} earlier plans were known."
    plans = f"{row.origins:.0f} plans" if row.origins != 1 else "one plan"
    sure = (
        f"{row.low:.0%} to {row.high:.0%} in 90% of resamples of {plans}"
        if row.family == ALL and row.low == row.low
        else plans
    )
    told = f"{row.promised:.1%} promised, {row.achieved:.1%} of what was {row.basis} served ({sure})"
    cut = f" A shorter lead was replayed where no more months were tested: {row.cut}." if row.cut else ""
    return f"{told}: {verdict(row.difference)}.{cut}"


def verdict(difference: float) -> str:
    """Return whether a promise was kept; `difference` is the achieved less the promised share.

    >>> [verdict(points / 100) for points in (1, -2, -4)]
    ['kept', 'within 3 points of it', 'missed']
    """
    if difference >= -TINY:
        return "kept"
    return f"within {100 * NEAR:.0f} points of it" if difference >= -NEAR - TINY else "missed"


def replay_sentence(replayed: pd.DataFrame) -> str:
    """Return what the replay found over all families, how sure that is, and the family farthest below its promise."""
    if replayed.empty:
        return "Nothing is held to stock: there is no promise to replay."
    told = replayed.loc[replayed["family"] == ALL, "finding"].iloc[0]
    rest = replayed[replayed["family"] != ALL].dropna(subset="achieved")
    if len(rest) < 2:
        return told
    worst, apart = rest.loc[rest["difference"].idxmin()], rest["difference"].abs().mean()
    off = f"Families were {100 * apart:.1f} points off on average, {worst['family']} at {worst['achieved']:.1%}."
    return f"{told} {off}"
