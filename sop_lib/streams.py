"""What people forecast beside the statistics, stream by stream, and how far the consensus follows each."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from sop_lib.tables import ALL

__all__ = ["BEFORE", "Consensus", "beside_base", "consensus", "next_year", "spread_sentence", "with_inputs"]

KEY = ["month", "product", "region"]
CELL = ["month", "family", "region"]
BEFORE = ("with events", "with launches", "statistical")  # what a stream is compared with: the first that is known
FORECAST = ["cycle", "month", "family", "regions"]
OTHER_UNIT = 3.0  # a median this many times the statistical plan, or that part of it, is another unit
AS_BUDGET, MOSTLY = 0.005, 0.5
RECORD_NEEDED = 12
WHY = {
    "unit": "its numbers are {times:,.3g} times the statistical plan's: another unit? Give `unit`, or correct it",
    "budget": "equal to the budget in {budget:.0%} of its months: a target, not a forecast",
    "statistical": "the rule is statistical: no stream moves the plan",
    "mean": "the rule is the mean of the statistical plan and the streams that speak of a month, product and region",
    "none": "no record: {n:.0f} earlier forecasts at lag {lag} that can be judged, and {needed} are needed",
    "lost": "missed by {wape:.1%} at lag {lag}, the statistical forecast by {base:.1%}, in {n:.0f} forecasts",
    "won": "missed by {wape:.1%} at lag {lag}, the statistical forecast by {base:.1%}, in {n:.0f} forecasts: "
    "weighed by inverse squared error among those that speak of a month, product and region",
}
LEAST_RATIO = 1e-6  # of squared errors: a stream without error weighs almost all, and two of them alike


@dataclass(frozen=True)
class Consensus:
    """The plan with the step stream, the rows of `demand_streams`, a weight and its reason per stream, and remarks.

    Beside each row of `streams` stands `family_plan`: the plan of the whole family in the month, up to its events.
    """

    plan: pd.DataFrame
    streams: pd.DataFrame
    weights: pd.DataFrame
    remarks: list[str]


def consensus(
    plan: pd.DataFrame, given: pd.DataFrame, record: pd.DataFrame, aims: pd.DataFrame,
    *, cycle: pd.Timestamp, lag: int, rule: str,
) -> Consensus:  # fmt: skip
    """Return the plan after the streams of the cycle, each a step of its own, in units.

    `plan` is the demand plan up to its events, `given` the table `demand_inputs`, `record` what `value_added.record`
    returns, `aims` the budget per month, family and region. A stream moves each product and region that it speaks of
    by weight × (its quantity − the plan's), shared by the plan's own share, so that its total is kept. Rules:
    statistical (none moves it), mean, weighed by inverse squared error at the decision lag (Bates and Granger, 1969)
    where a stream has beaten the statistical forecast. Weights are shared by those that speak of a month, product and
    region; in `weights` and `streams` they are means over these, by the plan. Where none speaks the plan stays.
    """
    cells, remarks = _spoken(plan, given, cycle)
    views = _views(cells).assign(cycle=cycle)
    views = views.merge(_family_plan(plan), on=["month", "family"], how="left", validate="many_to_one")
    judged = _shares(views, record, aims, lag, rule)
    cells = cells.merge(judged[["stream", "share", "why"]], on="stream", how="left", validate="many_to_one")
    cells["weight"] = cells["share"] / (1 + cells.groupby(KEY)["share"].transform("sum"))
    moved = cells[cells["weight"] > 0]
    moved = moved.assign(
        quantity=moved["weight"] * (moved["quantity"] - moved["planned"]), step="stream", item=moved["stream"],
        reason="weight " + (100 * moved["weight"]).round().astype(int).astype(str) + " %: " + moved["why"],
    )  # fmt: skip
    both = pd.concat([part for part in (plan, moved[list(plan)]) if len(part)], ignore_index=True)
    views = views.merge(judged[["stream", "why"]], on="stream", how="left", validate="many_to_one")
    by_view = _mean_weight(cells.assign(region=cells["where"]), ["stream", *CELL])
    views = views.merge(by_view, on=["stream", *CELL], how="left", validate="one_to_one")
    weights = judged.merge(_mean_weight(cells, ["stream"]), on="stream", how="left", validate="one_to_one")
    return Consensus(both, views, weights[["stream", "author", "weight", "why", "state", "wape", "base", "n"]], remarks)


def _family_plan(plan: pd.DataFrame) -> pd.DataFrame:
    whole = plan.groupby(["month", "family"], as_index=False)[["quantity"]].sum()
    return whole.rename(columns={"quantity": "family_plan"})


def _mean_weight(cells: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Return the mean weight of cells, each counted as the plan has it (alike where it has none)."""
    size = cells["planned"].where(cells.groupby(by)["planned"].transform("sum") > 0, 1.0)
    sums = cells.assign(weight=cells["weight"] * size, size=size).groupby(by, as_index=False)[["weight", "size"]].sum()
    return sums.assign(weight=sums["weight"] / sums["size"])[[*by, "weight"]]


def with_inputs(past_plans: pd.DataFrame, cycle: pd.Timestamp, *given: pd.DataFrame) -> pd.DataFrame:
    """Return `past_plans` with what streams brought to earlier cycles (tables `demand_inputs`), as plans of demand.

    A stream and cycle that is known already stays as it is; the tables are taken in their order.
    """
    for rows in given:
        earlier = rows[rows["cycle"] < cycle].assign(measure="demand")[list(past_plans)]
        known = past_plans.loc[past_plans["measure"] == "demand", ["cycle", "stream"]]
        new = ~pd.MultiIndex.from_frame(earlier[["cycle", "stream"]]).isin(pd.MultiIndex.from_frame(known))
        past_plans = pd.concat([past_plans, earlier[new]], ignore_index=True) if new.any() else past_plans
    return past_plans


def _spoken(plan: pd.DataFrame, given: pd.DataFrame, cycle: pd.Timestamp) -> tuple[pd.DataFrame, list[str]]:
    """Return what each stream of the cycle says per cell of the plan, beside `planned`, and what was set aside."""
    now = given[given["cycle"] == cycle]
    now = now.assign(at=range(len(now)), reason=None)
    cells = plan.groupby([*KEY, "family"], as_index=False)[["quantity"]].sum().rename(columns={"quantity": "planned"})
    found = []
    for columns in (["product", "region"], ["product"], ["region"], []):
        named = [now[c].ne(ALL) == (c in columns) for c in ("product", "region")]
        rows = now[named[0] & named[1]].assign(where=lambda d: d["region"])
        free = [c for c in ("product", "region") if c not in columns]
        on = ["month", "family", *columns]
        found.append(rows.drop(columns=free).merge(cells, on=on, how="inner", validate="many_to_many"))
    out = pd.concat(found, ignore_index=True)
    whole, size = (out.groupby("at")["planned"].transform(how) for how in ("sum", "size"))
    out["quantity"] *= (out["planned"] / whole.where(whole > 0)).fillna(1 / size)
    lost = now[~now["at"].isin(out["at"])]
    units = f"{lost['quantity'].sum():,.0f} units"
    counted = {
        f"{len(given) - len(now):,} rows of other cycles count as record only.": len(now) < len(given),
        f"{len(lost):,} rows, {units}, were set aside: the plan has no such month, product or region.": len(lost) > 0,
    }
    return out, [sentence for sentence, hit in counted.items() if hit]


def _views(cells: pd.DataFrame) -> pd.DataFrame:
    """Return quantity and statistical plan per stream, month, family and region as it was given, and the spread.

    `spread` is the largest less the smallest of all views, the statistical plan's among them, in units.
    """
    named = cells.assign(region=cells["where"])
    out = named.groupby(["stream", *CELL], as_index=False).agg(
        quantity=("quantity", "sum"), statistical=("planned", "sum"), author=("author", _names)
    )
    apart = (out["quantity"] - out["statistical"]).groupby([out[c] for c in CELL])
    return out.assign(spread=apart.transform("max").clip(lower=0) - apart.transform("min").clip(upper=0))


def _names(texts: pd.Series) -> str:
    return ", ".join(sorted(texts.dropna().unique()))


def _shares(views: pd.DataFrame, record: pd.DataFrame, aims: pd.DataFrame, lag: int, rule: str) -> pd.DataFrame:
    """Return per stream its share in the consensus beside the statistical plan's, which is 1, and why."""
    out = views.groupby("stream", as_index=False).agg(author=("author", "first"))
    out = out.assign(times=_times(views, out), budget=_as_budget(views, aims, out), lag=lag, needed=RECORD_NEEDED)
    out = out.merge(_judged(record, lag), on="stream", how="left", validate="one_to_one").fillna({"n": 0})
    odd, aim = ~out["times"].between(1 / OTHER_UNIT, OTHER_UNIT) & out["times"].notna(), out["budget"] >= MOSTLY
    short, lost = out["n"] < RECORD_NEEDED, ~(out["ratio"] < 1)
    asked = [odd, aim, pd.Series(rule == "statistical", out.index), pd.Series(rule == "mean", out.index), short, lost]
    out["state"] = np.select(asked, ["unit", "budget", "statistical", "mean", "none", "lost"], "won")
    out["share"] = (1 / out["ratio"]).where(out["state"] == "won", out["state"].eq("mean").astype(float))
    out["why"] = [WHY[row["state"]].format(**row) for row in out.to_dict("records")]
    return out


def _times(views: pd.DataFrame, streams: pd.DataFrame) -> np.ndarray:
    """Return the median of each stream's quantities over the statistical plan's; blank where that is zero."""
    rate = views["quantity"] / views["statistical"].where(views["statistical"] > 0)
    return rate.groupby(views["stream"]).median().reindex(streams["stream"]).to_numpy()


def _as_budget(views: pd.DataFrame, aims: pd.DataFrame, streams: pd.DataFrame) -> np.ndarray:
    """Return the share of each stream's rows that equal the budget's."""
    whole = aims.groupby(["month", "family"], as_index=False)[["quantity"]].sum().assign(region=ALL)
    known = pd.concat([aims.loc[aims["region"] != ALL, [*CELL, "quantity"]], whole[[*CELL, "quantity"]]])
    both = views.merge(known, on=CELL, how="left", suffixes=("", "_aim"), validate="many_to_one")
    alike = (both["quantity"] - both["quantity_aim"]).abs() <= AS_BUDGET * both["quantity_aim"]
    return alike.groupby(views["stream"]).mean().reindex(streams["stream"]).to_numpy()


def _judged(record: pd.DataFrame, lag: int) -> pd.DataFrame:
    """Return per stream its WAPE, the statistical one on the same forecasts at a lag, and the ratio of their squares.

    Squared errors are in parts of the family's mean demand, so that a large family does not decide alone; in parts of
    the mean of all where a family sold nothing.
    """
    rows = beside_base(record[record["lag"] == lag], BEFORE)
    size = rows["actual"].abs().groupby(rows["family"]).transform("mean")
    size = size.where(size > 0, rows["actual"].abs().mean()).where(lambda mean: mean > 0)
    error, other = rows["forecast"] - rows["actual"], rows["base"] - rows["actual"]
    parts = rows.assign(wape=error.abs(), base=other.abs(), own=(error / size) ** 2, others=(other / size) ** 2, n=1)
    names = ["wape", "base", "own", "others", "n", "actual"]
    sums = parts.assign(actual=rows["actual"].abs()).groupby("stream")[names].sum()
    sums[["wape", "base"]] = sums[["wape", "base"]].div(sums["actual"].where(sums["actual"] > 0), axis=0)
    ratio = sums["own"] / sums["others"].where(sums["others"] > 0)
    return sums[["wape", "base", "n"]].assign(ratio=ratio.clip(lower=LEAST_RATIO)).reset_index()


def beside_base(record: pd.DataFrame, steps: tuple[str, ...]) -> pd.DataFrame:
    """Return earlier forecasts with `base`: what the first of `steps` that is known said of the same, in units."""
    known = record[record["stream"].isin(steps)]
    known = known.assign(place=known["stream"].map(steps.index)).sort_values("place", kind="stable")
    base = known.drop_duplicates(FORECAST)[[*FORECAST, "forecast"]].rename(columns={"forecast": "base"})
    others = record[~record["stream"].isin(steps)]
    return others.merge(base, on=FORECAST, how="inner", validate="many_to_one")


def next_year(streams: pd.DataFrame) -> pd.DataFrame:
    """Return per stream and family what it says of the twelve months from the cycle on beside the plan of the same.

    In units. `difference` is the stream's less the plan's; `spread` how far all views of the same months and regions
    lie apart.
    """
    sums = _near(streams).groupby(["stream", "family"], as_index=False)[["quantity", "statistical", "spread"]].sum()
    sums.insert(4, "difference", sums["quantity"] - sums["statistical"])
    return sums


def _near(streams: pd.DataFrame) -> pd.DataFrame:
    return streams[streams["month"] < streams["cycle"] + pd.DateOffset(months=12)]


def spread_sentence(streams: pd.DataFrame, unit: str) -> str:
    """Return where the views, `streams` of the consensus, lie furthest apart in the next twelve months, in units.

    Of a family and month that is the larger of what whole families and what regions differ by: nothing counts twice.
    """
    near = _near(streams)
    cells, each = near.drop_duplicates(CELL), ["family", "month"]
    apart = cells.groupby([*each, cells["region"] == ALL])["spread"].sum().groupby(each).max().groupby("family").sum()
    if apart.empty:
        return "No stream speaks of the next twelve months."
    total = near.drop_duplicates(each).groupby("family")["family_plan"].sum()
    family = apart.idxmax()
    rate = f", {apart[family] / total[family]:.0%} of its plan in the same months" if total[family] > 0 else ""
    return f"Views lie furthest apart in {family}: by {apart[family]:,.0f} {unit} over twelve months{rate}."
