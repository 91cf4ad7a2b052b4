"""Goods on their way: what came when it was promised, leg by leg, how long lanes take, and which lane is late.

A delivery is on time when it came by its promised day, by the requested day where none is promised. What is not there
on its day is late, though nobody knows yet by how much; a leg whose deliveries are never recorded counts by the day
of shipping. An order line is in full when its first delivery held all of it, and on time in full when all of it came
by the day, in one delivery or in several: the rules of the scorecard.
"""

from collections.abc import Iterable

import numpy as np
import pandas as pd
from scipy.stats import hypergeom

from sop_lib.tables import ALL

__all__ = ["LANE", "YEAR", "complete", "due_words", "flows", "lanes", "late_lanes", "late_sentences"]

LANE = ["leg", "from", "to"]
YEAR = pd.DateOffset(months=12)
# of a late lane: chance, points above the others, months, share of months above the others
SURE, APART, LEAST, MOST = 0.001, 0.05, 3, 0.75


def _known(shipments: pd.DataFrame, cycle: pd.Timestamp) -> pd.DataFrame:
    """Return deliveries with what is known when the cycle opens: due, came, late, days on the way, month requested."""
    rows = shipments.sort_values(["order", "line", "shipped_on", "delivery"], kind="stable", ignore_index=True)
    rows[LANE] = rows[LANE].astype("object").fillna(ALL)
    recorded = rows["delivered_on"].notna().groupby(rows["leg"]).transform("any")
    for day in ("shipped_on", "delivered_on"):
        rows[day] = rows[day].where(rows[day] < cycle)
    came = rows["delivered_on"].where(recorded, rows["shipped_on"])
    due = rows["promised_on"].fillna(rows["requested_on"])
    days = (rows["delivered_on"] - rows["shipped_on"]).dt.days.astype("float64")
    return rows.assign(
        month=rows["requested_on"].dt.to_period("M").dt.to_timestamp(), judged=came.notna() | (due < cycle),
        late=(came > due) | (came.isna() & (due < cycle)), delay=(came - due).dt.days.where(came > due),
        in_time=rows["shipped"].where(came <= due, 0.0), days=days.where(days >= 0), backwards=days < 0,
        on_the_way=rows["shipped_on"].notna() & came.isna(),
    )  # fmt: skip


def due_words(shipments: pd.DataFrame) -> str:
    """Return the day that on time is measured against."""
    promised = shipments["promised_on"].notna()
    if not promised.any():
        return "requested day"
    return "promised day" if promised.all() else "promised day, or the requested day where none is promised"


def flows(shipments: pd.DataFrame, products: pd.DataFrame, families: pd.DataFrame, cycle: pd.Timestamp) -> pd.DataFrame:
    """Return deliveries per month requested, leg, from and to: on time, in full, days on the way; as `flows`.

    Units are blank where families of unlike units share a lane. `left_out` counts deliveries that came before they
    were shipped: no day on the way is read from them.
    """
    rows = _known(shipments, cycle)
    unit = rows["product"].map(products.set_index("product")["family"]).map(families.set_index("family")["unit"])
    each = rows.assign(unit=unit).groupby(["month", *LANE])
    out = each.agg(
        deliveries=("order", "size"), judged=("judged", "sum"), late=("late", "sum"), shipped=("shipped", "sum"),
        transit_days=("days", "mean"), late_days=("delay", "mean"), on_the_way=("on_the_way", "sum"),
        left_out=("backwards", "sum"), units=("unit", "nunique"),
    )  # fmt: skip
    out["transit_p90"] = each["days"].quantile(0.9)
    out["on_time"] = 1 - out["late"] / out["judged"].where(out["judged"] > 0)
    out = out.join(_lines(rows)).fillna({"lines": 0})
    out[["ordered", "shipped"]] = out[["ordered", "shipped"]].where(out["units"] <= 1)
    return out.drop(columns="units").reset_index()


def _lines(rows: pd.DataFrame) -> pd.DataFrame:
    """Return order lines per month and lane: how many, units ordered, share in full and on time in full."""
    lines = rows.groupby(["order", "line", *LANE]).agg(
        month=("month", "first"), ordered=("ordered", "max"), first=("shipped", "first"), in_time=("in_time", "sum"),
        judged=("judged", "all"),
    )  # fmt: skip
    known = lines["judged"].where(lines["judged"])
    lines["in_full"] = known * complete(lines["first"], lines["ordered"])
    lines["otif"] = known * complete(lines["in_time"], lines["ordered"])
    each = lines.astype({"in_full": "float64", "otif": "float64"}).groupby(["month", *LANE])
    return each.agg(
        lines=("ordered", "size"), ordered=("ordered", "sum"), in_full=("in_full", "mean"), otif=("otif", "mean")
    )


def complete(came: pd.Series, ordered: pd.Series) -> pd.Series:
    """Return which order lines are all there; sums of fractions may miss by a billionth.

    >>> complete(pd.Series([0.7 + 0.1, 0.7]), pd.Series([0.8, 0.8])).tolist()
    [True, False]
    """
    return came >= ordered * (1 - 1e-9)


def lanes(shipments: pd.DataFrame, cycle: pd.Timestamp) -> pd.DataFrame:
    """Return, per leg, from and to, what the last twelve months say: lead time in days, share late.

    `lead_days` is the median and `lead_p90` what nine of ten deliveries take, shipped to delivered; `transit_days` is
    their mean. Blank where no delivery is recorded. Zero is right: there on the same day.
    """
    rows = _known(shipments, cycle)
    each = rows[(rows["month"] >= cycle - YEAR) & (rows["month"] < cycle)].groupby(LANE)
    out = each.agg(
        deliveries=("order", "size"), judged=("judged", "sum"), late=("late", "sum"), lead_days=("days", "median"),
        transit_days=("days", "mean"), late_days=("delay", "mean"), on_the_way=("on_the_way", "sum"),
    )  # fmt: skip
    out["lead_p90"] = each["days"].quantile(0.9)
    out["late_share"] = out["late"] / out["judged"].where(out["judged"] > 0)
    out["days_recorded"] = each["days"].count()
    return out.reset_index()


# Which lane is late


def late_lanes(flows: pd.DataFrame) -> pd.DataFrame:
    """Return the lanes that are later than the other lanes of their leg beyond chance, the latest first.

    Columns: leg, from, to, since (month), at_least (since the first month looked at, perhaps longer), late, judged,
    rate, others (rate of the leg's other lanes in these months), late_days, transit_days, transit_others, chance. A
    lane is named when, from some month of the last year to the last, Fisher's exact test gives less than 1 in 1,000
    (shared out over all lanes and months tried) and it stands 5 points above the others, for 3 months or more and in
    three of four of them. Counts are first divided by how much more a lane's months differ than chance lets them,
    measured by moving ranges (Laney, "Improved control charts for attributes", *Quality Engineering* 14, 2002), since
    lateness comes in bursts. A leg with one lane has none.
    """
    known = flows[flows["judged"] > 0].sort_values("month", kind="stable")
    known = known[known["month"] > known["month"].max() - YEAR] if len(known) else known
    known = known.assign(lane=known.groupby(LANE).ngroup())
    found = [row for _, leg in known.groupby("leg") if leg["lane"].nunique() > 1 for row in _late_in(leg)]
    out = pd.DataFrame(found, columns=[*LANE, *FOUND])
    return out.sort_values(["excess", *LANE], ascending=[False, True, True, True], ignore_index=True)


FOUND = [
    "since", "at_least", "late", "judged", "rate", "others", "excess", "late_days", "transit_days", "transit_others",
    "chance",
]  # fmt: skip


def _late_in(leg: pd.DataFrame) -> Iterable[dict]:
    """Yield the late lanes of one leg, each with the month since which it stands out most."""
    monthly, spread = _beside(leg), _burst(leg)
    starts = monthly.index.unique("month")
    starts = starts[: len(starts) - LEAST + 1]
    sums = monthly[::-1].groupby("lane").cumsum()[::-1]  # from a month to the last
    sums = sums[(monthly["n"] > 0) & (sums["rest"] > 0) & sums.index.isin(starts, level="month")]
    told = sums.loc[_apart(sums).groupby("lane").idxmax()].reset_index("month").rename(columns={"month": "since"})
    told["rate"], told["others"] = told["mine"] / told["n"], told["theirs"] / told["rest"]
    told["excess"] = told["rate"] - told["others"]
    told = told[(told["excess"] >= APART) & (_above(monthly, told["since"]).reindex(told.index) >= MOST)]
    told = told.assign(chance=_chance(told, spread) * leg["lane"].nunique() * len(starts))
    for lane, r in told[told["chance"] < SURE].iterrows():
        yield _told(leg, lane, r["since"]) | r[["rate", "others", "excess", "chance"]].to_dict()


def _beside(leg: pd.DataFrame) -> pd.DataFrame:
    """Return deliveries per month and lane: late ones (mine) of n, and of the leg's other lanes (theirs) of rest."""
    index = pd.MultiIndex.from_product([sorted(leg["month"].unique()), sorted(leg["lane"].unique())])
    own = leg.set_index(["month", "lane"])[["late", "judged"]].reindex(index.set_names(["month", "lane"]))
    own = own.fillna(0.0).astype("float64").set_axis(["mine", "n"], axis="columns")
    return own.join((own.groupby("month").transform("sum") - own).set_axis(["theirs", "rest"], axis="columns"))


def _above(monthly: pd.DataFrame, since: pd.Series) -> pd.Series:
    """Return, per lane, the share of months since then in which it was late more often than the others."""
    both = monthly[(monthly["n"] > 0) & (monthly["rest"] > 0)]
    higher = both["mine"] / both["n"] > both["theirs"] / both["rest"]
    begun = since.reindex(both.index.get_level_values("lane")).to_numpy()
    return higher[both.index.get_level_values("month") >= begun].groupby("lane").mean()


def _apart(sums: pd.DataFrame) -> pd.Series:
    """Return how many standard deviations a lane's share of late deliveries is above that of the others."""
    whole = (sums["mine"] + sums["theirs"]) / (sums["n"] + sums["rest"])
    width = np.sqrt((whole * (1 - whole)).clip(lower=1e-12) * (1 / sums["n"] + 1 / sums["rest"]))
    return (sums["mine"] / sums["n"] - sums["theirs"] / sums["rest"]) / width


def _chance(told: pd.DataFrame, spread: float) -> np.ndarray:
    """Return the chance that so many of the leg's late deliveries fall on one lane, all lanes being alike."""
    mine, theirs = np.floor(told["mine"] / spread), np.ceil(told["theirs"] / spread)
    n, rest = np.ceil(told["n"] / spread), np.ceil(told["rest"] / spread)
    return hypergeom.sf(mine - 1, n + rest, mine + theirs, n)


def _burst(leg: pd.DataFrame) -> float:
    """Return how much more lateness varies from month to month within lanes than chance lets it: 1 or more."""
    sums = leg.groupby("lane")[["late", "judged"]].transform("sum")
    rate = (sums["late"] + 0.5) / (sums["judged"] + 1)
    z = (leg["late"] - leg["judged"] * rate) / np.sqrt(leg["judged"] * rate * (1 - rate))
    ranges = z.groupby(leg["lane"]).diff().abs().groupby(leg["lane"]).mean()
    return float(max((ranges / 1.128).pow(2).mean(), 1.0)) if ranges.notna().any() else 1.0


def _told(leg: pd.DataFrame, lane: int, since: pd.Timestamp) -> dict:
    now, own = leg["month"] >= since, leg["lane"].eq(lane)
    mine, others = leg[now & own], leg[now & ~own]
    came = mine["late"].where(mine["late_days"].notna(), 0.0)
    out = {c: mine[c].iloc[0] for c in LANE} | {"since": since, "at_least": since == leg.loc[own, "month"].min()}
    out |= {"late": int(mine["late"].sum()), "judged": int(mine["judged"].sum())}
    out["late_days"] = (mine["late_days"] * came).sum() / came.sum() if came.sum() else np.nan
    return out | {"transit_days": _mean_days(mine), "transit_others": _mean_days(others)}


def _mean_days(rows: pd.DataFrame) -> float:
    timed = (rows["deliveries"] - rows["on_the_way"] - rows["left_out"]).where(rows["transit_days"].notna(), 0)
    return float((rows["transit_days"] * timed).sum() / timed.sum()) if timed.sum() else np.nan


def late_sentences(flows: pd.DataFrame, against: str = "promised day", late: pd.DataFrame | None = None) -> list[str]:
    """Return, for each late lane, since when it is late, how late and how much more than the others; or that none is.

    `late` is what `late_lanes` returned, where it is known already.

    >>> late_sentences(pd.DataFrame(columns=["month", "leg", "from", "to", "judged", "late"]))
    []
    """
    known = flows[flows["judged"] > 0]
    if len(flows) and known.empty:
        count = f"Deliveries recorded: {flows['deliveries'].sum():,}"
        return [f"{count}; none has come and the day of none has passed, so none can be judged yet."]
    found = late_lanes(flows) if late is None else late
    if known.empty or len(found):
        return [_late_words(row, against) for row in found.to_dict("records")]
    year = known[known["month"] > known["month"].max() - YEAR]
    share, lead = year["late"].sum() / year["judged"].sum(), "No lane is later than the others of its leg beyond chance"
    return [f"{lead}: {share:.1%} of {year['judged'].sum():,.0f} deliveries of the last year missed the {against}."]


def _late_words(r: dict, against: str) -> str:
    since = f"since {'at least ' if r['at_least'] else ''}{r['since']:%b %Y}"
    text = f"{r['from']} → {r['to']} ({r['leg']}) is late: {r['rate']:.0%} of {r['judged']:,} deliveries missed the "
    text += f"{against} {since}, {r['others']:.0%} on the leg's other lanes"
    text += "" if pd.isna(r["late_days"]) else f"; the late ones came {r['late_days']:.1f} days after it"
    if pd.isna(r["transit_days"]) or pd.isna(r["transit_others"]):
        return text + "."
    return text + f"; {r['transit_days']:.1f} days on the way against {r['transit_others']:.1f}."
