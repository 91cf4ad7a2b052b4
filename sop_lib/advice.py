"""What the company's own record says of people's changes: accept, damp or drop. It advises and never blocks.

Fildes, Goodwin, Lawrence and Nikolopoulos (2009) found over 60,000 adjusted forecasts that small changes often harm and
that upward ones help less: so changes are judged by direction, and by size against the forecast's own expected error.
"""

import numpy as np
import pandas as pd

from sop_lib.streams import BEFORE, Consensus, beside_base
from sop_lib.tables import ALL

__all__ = ["guard_sentence", "guarded", "noise_of", "override_advice"]

CONSENSUS = "consensus"
DECIDED = ("with streams", *BEFORE)  # what planners changed: the first that is known
LIKE, FINDINGS = ["stream", "direction", "size"], ["n", "helped", "value_added", "factor"]
RECORD_NEEDED = 12
ACCEPT, DROP = 0.75, 0.25
ROUND_FROM, YEAR = 100, 12
NOTHING = "No record yet ({n:.0f} of {needed} changes like it): accept, and it will be judged."
FOUND = (
    "Of {n:.0f} earlier changes like it by {who} ({direction}, {size}), {helped:.0%} brought the forecast closer; "
    "together they {did} {points:.1f} points of WAPE, and of each 100 units changed {needed_units:.0f} were needed."
)


def override_advice(
    plan: pd.DataFrame, standing: pd.DataFrame, agreed: Consensus, record: pd.DataFrame, noise: pd.Series,
    *, lag: int, horizon: pd.DatetimeIndex,
) -> pd.DataFrame:  # fmt: skip
    """Return per override in force and per stream of the cycle, and family, what the record says of changes like it.

    `plan` is the demand plan with its overrides, `standing` their records, `agreed` the consensus of streams, `record`
    what `value_added.record` returns, `noise` each family's expected error at the decision lag, a rate. Overrides are
    judged by earlier consensus against the plan before it, a stream by its own. `factor` is the least-squares part
    of such changes that was needed: from 0.75 on they are accepted if they brought the WAPE down, to 0.25 dropped.
    """
    forecasts = agreed.weights.loc[~agreed.weights["state"].isin(["unit", "budget"]), "stream"]
    told = (
        agreed.streams[agreed.streams["stream"].isin(forecasts)]
        .groupby(["stream", "family"], as_index=False)[["quantity", "statistical"]]
        .sum()
    )
    told = told.assign(kind="stream", change=told["quantity"] - told["statistical"], planned=told["statistical"])
    rows = pd.concat([_forced(plan), told.rename(columns={"stream": "id"})], ignore_index=True)
    rows["stream"] = rows["id"].where(rows["kind"] == "stream", CONSENSUS)
    rows["noise"] = rows["family"].map(noise).astype("float64")
    rows = _alike(rows.assign(rate=rows["change"] / rows["planned"].where(rows["planned"] > 0)))
    out = _advised(rows, _changes(record, lag))
    out["flags"] = out["id"].map(_flags(standing, horizon)).where(out["kind"] == "override")
    out["evidence"] = [_evidence(row) for row in out.to_dict("records")]
    names = ["kind", "id", "family", "change", "rate", "noise", "advice", "factor", "n", "helped", "value_added"]
    return out[[*names, "flags", "evidence"]].sort_values(["kind", "id", "family"], ignore_index=True)


def noise_of(scores: pd.DataFrame, lag: int) -> pd.Series:
    """Return each family's expected error at a lag, as a rate: the WAPE of its backtest."""
    rows = scores[(scores["level"] == "family") & (scores["lag"] == lag) & (scores["metric"] == "wape")]
    return rows[(rows["model"] == "combination") & (rows["family"] != ALL)].set_index("family")["value"]


def _forced(plan: pd.DataFrame) -> pd.DataFrame:
    """Return per override in force and family what it adds and what the other steps plan in its cells, in units."""
    cell = ["month", "product", "region"]
    rows = plan[plan["step"] == "override"].rename(columns={"item": "id", "quantity": "change"})
    before = plan[plan["step"] != "override"].groupby(cell, as_index=False)[["quantity"]].sum()
    rows = rows.merge(before.rename(columns={"quantity": "planned"}), on=cell, how="left", validate="many_to_one")
    return rows.groupby(["id", "family"], as_index=False)[["change", "planned"]].sum().assign(kind="override")


def _alike(rows: pd.DataFrame) -> pd.DataFrame:
    """Return rows of `rate` and `noise` with direction and size: a record is kept for each pair."""
    size = np.where(rows["rate"].abs() > rows["noise"], "beyond the noise", "within the noise")
    return rows.assign(direction=np.where(rows["rate"] < 0, "downward", "upward"), size=size)


def _changes(record: pd.DataFrame, lag: int) -> pd.DataFrame:
    """Return every earlier change of the forecast at a lag, beside what was needed, in parts of the family's demand."""
    rows = record[record["lag"] == lag]
    agreed = rows["stream"] == CONSENSUS
    parts = [beside_base(rows[~agreed], BEFORE), beside_base(rows[agreed | rows["stream"].isin(DECIDED)], DECIDED)]
    rows = pd.concat(parts, ignore_index=True)
    rows = rows[~rows["stream"].isin(DECIDED)]
    missed = (rows["base"] - rows["actual"]).abs().groupby(rows["family"])
    whole = rows["actual"].abs().groupby(rows["family"]).transform("sum")
    rows = rows.assign(noise=missed.transform("sum") / whole.where(whole > 0), change=rows["forecast"] - rows["base"])
    rows = _alike(rows.assign(rate=rows["change"] / rows["base"].where(rows["base"] > 0)))
    gain = (rows["base"] - rows["actual"]).abs() - (rows["forecast"] - rows["actual"]).abs()
    size = rows["actual"].abs().groupby(rows["family"]).transform("mean")
    rows = rows.assign(gain=gain, volume=rows["actual"].abs(), needed=(rows["actual"] - rows["base"]) / size)
    return rows.assign(part=rows["change"] / size)[rows["change"] != 0]


def _judged(changes: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Return per stream, direction (and size): n, the share that helped, WAPE won, and the part that was needed."""
    parts = changes.assign(
        n=1, helped=changes["gain"] > 0, both=changes["part"] * changes["needed"], own=changes["part"] ** 2
    )
    out = parts.groupby(by)[["n", "helped", "gain", "volume", "both", "own"]].sum().reset_index()
    out["value_added"] = out["gain"] / out["volume"].where(out["volume"] > 0)
    out["factor"] = (out["both"] / out["own"].where(out["own"] > 0)).astype("float64").clip(0.0, 1.0)
    return out.assign(helped=out["helped"] / out["n"])[[*by, *FINDINGS]]


def _advised(rows: pd.DataFrame, changes: pd.DataFrame) -> pd.DataFrame:
    """Return rows with the record of changes like them and the advice; of any size where those alike are too few."""
    near, wide = (rows[by].merge(_judged(changes, by), on=by, how="left") for by in (LIKE, LIKE[:2]))
    few = ~(near["n"] >= RECORD_NEEDED) & (wide["n"] >= RECORD_NEEDED)
    found = near[FINDINGS].mask(few, wide[FINDINGS]).set_axis(rows.index)
    rows = rows.assign(**found, size=rows["size"].mask(few.to_numpy(), "of any size"))
    rows = rows.assign(n=rows["n"].fillna(0).astype(int))
    new = (rows["n"] < RECORD_NEEDED) | rows["factor"].isna()
    good = (rows["factor"] >= ACCEPT) & (rows["value_added"] >= 0)
    advice = np.select([new | good, rows["factor"] <= DROP], ["accept", "drop"], "damp")
    factor = rows["factor"].where(~new, 1.0)
    blank = {c: rows[c].where(~new) for c in ("helped", "value_added")}
    return rows.assign(advice=advice, factor=factor, **blank)


def _evidence(row: dict) -> str:
    if pd.isna(row["helped"]):
        return NOTHING.format(needed=RECORD_NEEDED, **row)
    who = "planners" if row["kind"] == "override" else row["id"]
    did = "won" if row["value_added"] >= 0 else "lost"
    told = {"who": who, "did": did, "points": 100 * abs(row["value_added"]), "needed_units": 100 * row["factor"]}
    return FOUND.format(**told, **row)


def _flags(standing: pd.DataFrame, horizon: pd.DatetimeIndex) -> dict[str, str]:
    """Return by override what looks arbitrary: no driver nor assumption, and flat for a year or a round number."""
    bare = standing[standing["driver"].isna() & standing["assumption"].isna()]
    last, first = (bare[c].dt.year * YEAR + bare[c].dt.month for c in ("to_month", "from_month"))
    count = last - first + 1
    flat = (bare["kind"] == "percent") & (count >= min(YEAR, len(horizon)))
    even = [_is_round(kind, value) for kind, value in zip(bare["kind"], bare["value"], strict=True)]
    words = (("flat percentage over all its months", flat), ("round number", pd.Series(even, bare.index, dtype=bool)))
    said = {i: [word for word, hit in words if hit[at]] for at, i in bare["id"].items()}
    return {i: f"{' and '.join(found)}, without a driver or assumption" for i, found in said.items() if found}


def _is_round(kind: str, value: float) -> bool:
    """Return whether a number looks guessed: a percentage in fives, or half of its digits zeros at the end.

    >>> [_is_round("absolute", v) for v in (5000, 1200, 1250, 90)], _is_round("percent", -10)
    ([True, True, False, False], True)
    """
    if kind == "percent":
        return value % 5 == 0
    digits = f"{abs(value):.0f}"
    zeros = len(digits) - len(digits.rstrip("0"))
    return abs(value) >= ROUND_FROM and value == round(value) and 2 * zeros >= len(digits)


# Had the advice been followed


def guarded(record: pd.DataFrame, lag: int) -> pd.DataFrame:
    """Return WAPE per stream at a lag: statistical, as given, and had each cycle followed the advice; matched months.

    The advice of a cycle is made of the months closed before it alone; changes without a record then are left out.
    """
    parts = []
    for cycle in sorted(record["cycle"].unique()):
        known, now = (_changes(record[part], lag) for part in (record["month"] < cycle, record["cycle"] == cycle))
        noise = known.drop_duplicates("family").set_index("family")["noise"]
        now = _alike(now.assign(noise=now["family"].map(noise)))
        parts.append(_advised(now, known))
    if not parts:
        return pd.DataFrame(columns=["stream", "statistical", "as_given", "guarded", "n"])
    rows = pd.concat(parts, ignore_index=True)
    rows = rows[rows["helped"].notna()]
    kept = rows["factor"].mask(rows["advice"] == "accept", 1.0).mask(rows["advice"] == "drop", 0.0)
    views = {"statistical": rows["base"], "as_given": rows["forecast"], "guarded": rows["base"] + kept * rows["change"]}
    missed = rows[["stream"]].assign(**{name: (said - rows["actual"]).abs() for name, said in views.items()})
    sums = missed.assign(volume=rows["volume"], n=1).groupby("stream").sum()
    sums[list(views)] = sums[list(views)].div(sums["volume"].where(sums["volume"] > 0), axis=0)
    return sums.drop(columns="volume").reset_index()


def guard_sentence(guarded: pd.DataFrame, lag: int) -> str:
    """Return what following the advice would have done for the stream whose changes were furthest off."""
    guarded = guarded.dropna(subset=["as_given", "statistical"])  # of what never sold no rate is known
    if guarded.empty:
        return "There is no record of people's changes to advise from yet: each is accepted, and will be judged."
    row = guarded.loc[(guarded["as_given"] - guarded["statistical"]).abs().idxmax()]
    return (
        f"Had the advice been followed since there is a record of {row['stream']}, its forecasts would have missed by "
        f"{row['guarded']:.1%} at lag {lag}: {row['as_given']:.1%} as given, {row['statistical']:.1%} without it "
        f"({row['n']:,.0f} forecasts)."
    )
