"""The stock policy replayed on history: what safety stock from errors known by then would have served from stock."""

import numpy as np
import pandas as pd

from sop_lib import policy, tables
from sop_lib.settings import Planning
from sop_lib.tables import ALL

__all__ = ["basis_of", "plans", "replay", "replay_sentence"]

WARM = 4  # origins that only teach: their outcome must be known before the first plan that is replayed
MOST = 12  # newest origins that teach a plan: as many as the backtest of a cycle has
SUMS = ["demand", "served", "stock"]


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
    In units; families made to order are left out.
    """
    names = pd.Index(sorted(backtest["family"].unique()), name="family")
    promised = policy.promises(families, names, planning)
    errors = policy.lead_errors(backtest, promised["lead_months"])
    errors = errors.merge(promised, on="family", how="left", validate="many_to_one").query("rule != 'none'")
    known_from = _months_on(errors["origin"], errors["months"])
    parts = []
    for origin in sorted(errors["origin"].unique()):
        known = errors[known_from <= origin]
        known = known[_newest(known)]
        enough = known.groupby("product")["origin"].nunique().reindex(errors["product"].unique(), fill_value=0) >= WARM
        now = errors[(errors["origin"] == origin) & errors["product"].map(enough)]
        rows = now.assign(demand=now["planned"].clip(lower=0), ahead=now["forecast"].clip(lower=0))
        parts.append(_outcome(policy.safety(rows.reset_index(drop=True), known)))
    return pd.concat(parts, ignore_index=True) if parts else _outcome(policy.safety(errors.assign(ahead=0.0), errors))


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
    out = rows[["family", "product", "origin", "promised", "method", "safety", "lead_months", "months"]]
    return out.assign(demand=wanted, served=wanted - short, stock=(stock - rows["actual"]).clip(lower=0))


def replay(
    backtest: pd.DataFrame, families: pd.DataFrame, planning: Planning, sales: pd.DataFrame
) -> pd.DataFrame:  # fmt: skip
    """Return the rows of `policy_replay`, without the cycle: promised and achieved fill rate per family and for ALL.

    Achieved is blank where the backtest has too few origins; `stock` is what was left at the end of a month, summed
    over products, on average.
    """
    every = plans(backtest, families, planning)
    names = pd.Index(sorted(backtest["family"][backtest["family"] != ALL].unique()), name="family")
    asked = policy.promises(families, names, planning).query("rule != 'none'")
    own = every.groupby("family")
    found = own[SUMS].sum().assign(origins=own["origin"].nunique()).reindex(asked.index).fillna(0.0)
    found = found.assign(promised=asked["promised"])
    if found.empty:
        return tables.empty("policy_replay").drop(columns="cycle")
    whole = found[SUMS].sum().to_frame(ALL).T.assign(origins=found["origins"].max(), promised=_mean(found))
    rows = pd.concat([found, whole]).rename_axis("family").reset_index()
    rows["achieved"] = rows["served"] / rows["demand"].where(rows["demand"] > 0)
    rows["stock"] = (rows["stock"] / rows["origins"].where(rows["origins"] > 0)).astype(float)
    rows = rows.assign(basis=basis_of(sales), difference=rows["achieved"] - rows["promised"])
    rows["finding"] = [_finding(row) for row in rows.itertuples()]
    return rows[[c for c in tables.table("policy_replay").names if c != "cycle"]]


def _mean(found: pd.DataFrame) -> float:
    """Return what was promised, weighted by demand, alike where nothing was wanted."""
    weight = found["demand"] if found["demand"].sum() > 0 else found["demand"] + 1
    return float((found["promised"] * weight).sum() / weight.sum())


def _finding(row) -> str:
    if np.isnan(row.achieved) and row.origins > 0:
        return f"Nothing was wanted in {row.origins:.0f} plans: no promise to keep."
    if np.isnan(row.achieved):
        return f"Not replayed: no plan whose errors from {WARM} earlier plans were known."
    points = 100 * row.difference
    word = "kept" if abs(points) <= 3 else ("more than promised" if points > 0 else "missed")
    many = f"{row.origins:.0f} plans replayed" if row.origins != 1 else "one plan replayed"
    return f"{row.promised:.1%} promised, {row.achieved:.1%} of what was {row.basis} served: {word} ({many})."


def replay_sentence(replayed: pd.DataFrame) -> str:
    """Return in one sentence what the replay found over all families, and the family farthest below its promise."""
    known = replayed.dropna(subset="achieved")
    whole, rest = known[known["family"] == ALL], known[known["family"] != ALL]
    if whole.empty:
        return "The policy could not be replayed: the backtest has too few plans."
    row, worst = whole.iloc[0], rest.loc[rest["difference"].idxmin()]
    told = f"Replayed on {row['origins']:.0f} earlier plans, the policy promised {row['promised']:.1%} of units from "
    told += f"stock and served {row['achieved']:.1%} of what was {row['basis']}"
    apart = rest["difference"].abs().mean()
    return (
        f"{told}; families were {100 * apart:.1f} points off on average, {worst['family']} at {worst['achieved']:.1%}."
    )
