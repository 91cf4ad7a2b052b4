"""The life of products: dates moved by engineering changes, launches re-read and scored, and stock at the end."""

import numpy as np
import pandas as pd
from scipy import stats

from sop_lib.hierarchy import MEMBERS
from sop_lib.history import unit_values
from sop_lib.launches import (
    RAMP,
    YEAR,
    chained,
    coming_launches,
    in_launch,
    launch_shape,
    likeness,
    past_ramps,
    successors,
    taking_until,
)
from sop_lib.mapping import changes_ahead
from sop_lib.tables import ALL

__all__ = [
    "cannibalised",
    "dated",
    "headline",
    "in_paths",
    "launch_ranges",
    "launch_scorecard",
    "like_products",
    "lived",
    "past_cannibalisation",
    "reviewed",
    "run_out",
]

REACHED = (3, 6, 12)  # months after which launches are scored
PAST_NEEDED = 3  # past launches that tell a range
HALF_WEIGHT = 6.0  # average months after which actual demand weighs half, when no past launch tells
TO_P90 = 1.2815515655446004  # standard deviations from the mean to P90
SEED = 20_261_101


def dated(
    products: pd.DataFrame, launches: pd.DataFrame, changes: pd.DataFrame, cycle: pd.Timestamp
) -> tuple[pd.DataFrame, pd.DataFrame, list[str]]:
    """Return products and launches with the dates that engineering changes set, and each move in words.

    A change with a successor, effective in or after the cycle: its product ends the month before, and the
    successor is launched in that month; the earliest of several of a product is followed. Changes of the past move
    nothing: history says what happened.
    """
    ahead = changes_ahead(changes, cycle)
    of = ahead.drop_duplicates("product").set_index("product")
    to = of.drop_duplicates("successor").set_index("successor")
    known = products.assign(
        end_month=_set(products, "end_month", of["effective_month"] - pd.DateOffset(months=1)),
        successor=_set(products, "successor", of["successor"]),
        launch_month=_set(products, "launch_month", to["effective_month"]),
    )
    rows = launches.assign(launch_month=_set(launches, "launch_month", to["effective_month"]))
    moves = [
        *_moves(products, known, "end_month", "ends", of["change"]),
        *_moves(launches, rows, "launch_month", "is launched", to["change"]),
    ]
    later = ahead[ahead.duplicated("product")]
    pairs = zip(later["change"], later["product"], strict=True)
    left = [f"{change}: not followed, {of.at[name, 'change']} ends {name} before" for change, name in pairs]
    return known, rows, [*moves, *left]


def _set(rows: pd.DataFrame, column: str, values: pd.Series) -> pd.Series:
    """Return a column with the values set of the products that have one."""
    named = rows["product"].isin(values.index)
    return rows[column].mask(named, rows["product"].map(values)) if named.any() else rows[column]


def _moves(before: pd.DataFrame, after: pd.DataFrame, column: str, verb: str, change: pd.Series) -> list[str]:
    """Return what moved from when to when, and by which change, where a date differs."""
    both = zip(before["product"], before[column], after[column], strict=True)
    moved = [(name, was, now) for name, was, now in both if now != was and not pd.isna(now)]
    was_said = ["" if pd.isna(was) else f" instead of {was:%Y-%m}" for _, was, _ in moved]
    return [f"{change[p]}: {p} {verb} {now:%Y-%m}{said}" for (p, _, now), said in zip(moved, was_said, strict=True)]


def lived(launches: pd.DataFrame, history: pd.DataFrame, products: pd.DataFrame) -> pd.DataFrame:
    """Return product, family, month, age, `planned` and `actual` (units) of launches since their launch month.

    Planned as it could be then: the stated volume in the shape that was known before the launch. Actual is
    unconstrained demand in the launch's region. Launches at or before the first month of history are left out:
    nothing was known.
    """
    first, last = history["month"].min(), history["month"].max()
    past = launches[(launches["launch_month"] > first) & (launches["launch_month"] <= last)]
    parts = [
        launch_shape(rows, history[history["month"] < when], products, last)
        for when, rows in past.groupby("launch_month")
    ]
    shape = pd.concat(parts or [launch_shape(past, history, products, last)], ignore_index=True)
    out = shape.groupby(["product", "family", "month", "age", "ramped"], as_index=False)[["share"]].sum()
    volume = out["product"].map(past.set_index("product")["volume_year_1"])
    actual = history[in_launch(history, past)].groupby(["product", "month"])["unconstrained"].sum().rename("actual")
    out = out.assign(planned=out["share"] * volume).join(actual, on=["product", "month"])
    return out[out["month"] <= last].fillna({"actual": 0.0}).reset_index(drop=True)


def launch_scorecard(launches: pd.DataFrame, rows: pd.DataFrame, history: pd.DataFrame) -> pd.DataFrame:
    """Return planned and actual units of each past launch after its first 3, 6 and 12 months, as far as it has lived.

    `rows` is what `lived` returns. `low` and `high` are the stated range's share of those months, `inside` is yes
    when actual lay in it; `ramp` is the pace of months 1 to 3 as a rate of months 7 to 12, once they have passed.
    """
    age = rows.groupby("product")["age"].transform("max")
    parts = [rows[(rows["age"] <= n) & (age >= n)].assign(after=n) for n in REACHED]
    sums = pd.concat(parts).groupby(["product", "family", "after"], as_index=False)[["planned", "actual"]].sum()
    facts = launches[["product", "launch_month", "like_product", "volume_year_1", "low", "high"]]
    out = sums.merge(facts, on="product", how="left", validate="many_to_one")
    part = out["planned"] / out["volume_year_1"].where(out["volume_year_1"] > 0)
    out = out.assign(low=out["low"] * part, high=out["high"] * part, ratio=_ratio(out["actual"], out["planned"]))
    inside = out["actual"].between(out["low"], out["high"]).map({True: "yes", False: "no"}).astype("object")
    ramps = past_ramps(history)
    pace = ramps[ramps["age"] <= 3].groupby("product")["ramp"].mean()
    out = out.assign(inside=inside.where(out[["low", "high"]].notna().all(axis=1)), ramp=out["product"].map(pace))
    columns = ["product", "after", "family", "launch_month", "like_product", "planned", "actual", "ratio"]
    return out[[*columns, "low", "high", "inside", "ramp"]].sort_values(["product", "after"], ignore_index=True)


def _ratio(actual: pd.Series, planned: pd.Series) -> pd.Series:
    return actual / planned.where(planned > 0)


def reviewed(launches: pd.DataFrame, rows: pd.DataFrame, history: pd.DataFrame, products: pd.DataFrame) -> pd.DataFrame:
    """Return the launches with ranges and cannibalisation filled from past ones (`lived`), and young ones re-read.

    A blank side of a range: the plan ± the spread of achieved over planned first-year volume of 3 or more past
    launches (P10 and P90 of Student's t for one more launch); their bias is told in `headline`, not planned.
    Re-read, in the first year: volume × (1 + Z × (ratio - 1)), where ratio is actual over planned so far and Z = w
    / (w + k); w is what was planned so far in average months, k the variance of months within past launches over
    that of launches (from the stated range, else from past ones), else 6. The range narrows by the root of 1 - Z.
    Where no past launch tells a ramp, the first three months may be one and are not read. `cannibalised` falls by a
    twelfth per month sold: the parent's last year shows the rest. A launch that never sold tells nothing. Source:
    Bühlmann and Straub (1970), credibility. `basis` says it in words.
    """
    rows = rows[rows.groupby("product")["actual"].transform("sum") > 0]
    ratios = _past_ratios(launch_scorecard(launches, rows, history))
    planned, spread = launches["volume_year_1"], ratios.std() * stats.t.ppf(0.9, max(len(ratios) - 1, 1))
    wide = spread * np.sqrt(1 + 1 / max(len(ratios), 1)) if len(ratios) >= PAST_NEEDED else np.nan
    low = launches["low"].fillna((planned * (1 - wide)).clip(lower=0))
    high = launches["high"].fillna(planned * (1 + wide))
    out = _with_rates(launches, rows, history, products).assign(planned=planned, low=low, high=high)
    sold = chained(history, products, history["month"].max() + pd.offsets.MonthBegin(1))
    young = coming_launches(launches, sold)["product"]
    return _reread(
        out, rows[(rows["age"] > RAMP / 2) | rows["ramped"] | ~rows["product"].isin(young)], young, ratios.var()
    )


def _past_ratios(scorecard: pd.DataFrame) -> pd.Series:
    """Return achieved over planned first-year volume of the past launches that sold at all."""
    return scorecard.loc[(scorecard["after"] == YEAR) & (scorecard["actual"] > 0), "ratio"].dropna()


def _with_rates(
    launches: pd.DataFrame, rows: pd.DataFrame, history: pd.DataFrame, products: pd.DataFrame
) -> pd.DataFrame:
    """Return the launches with the parent and rate of what they take, and until when; blank: as long as they sell.

    A successor's parent is the product that names it, and it takes all of its volume from it until it ends. Any other
    blank rate is that of past launches.
    """
    parent = successors(products).sort_index().reset_index().drop_duplicates("successor").set_index("successor")
    named, heir = launches["cannibalises"], launches["product"].map(parent["product"])
    out = launches.assign(cannibalises=pd.Series(np.where(named.isna(), heir, named), launches.index, dtype="object"))
    out["taking_until"] = taking_until(out, products)
    rate = out["cannibalised"].astype("float64").mask(out["cannibalised"].isna() & out["taking_until"].notna(), 1.0)
    blank = rate.isna() & out["cannibalises"].notna()
    sold_for = out["product"].map(rows.groupby("product")["age"].max()).fillna(0).clip(upper=YEAR)
    rate = rate.mask(blank, past_cannibalisation(launches, history, products))
    return out.assign(cannibalised=rate * (1 - sold_for / YEAR))


def _reread(launches: pd.DataFrame, rows: pd.DataFrame, young: pd.Series, between: float) -> pd.DataFrame:
    """Return the launches with the volume and range of young ones re-read, the months seen, ratio and weight."""
    within = _within(rows[~rows["product"].isin(young)])
    seen = (
        rows[rows["product"].isin(young)]
        .groupby("product")
        .agg(months=("age", "max"), actual=("actual", "sum"), so_far=("planned", "sum"), share=("share", "sum"))
    )
    out = launches.join(seen, on="product").fillna({"months": 0, "share": 0.0})
    known = (((out["high"] - out["low"]) / (2 * TO_P90) / out["planned"]) ** 2).fillna(between)
    needed = (within / known.where(known > 0)).fillna(HALF_WEIGHT)
    out["ratio"] = _ratio(out["actual"], out["so_far"])
    out["weight"] = (YEAR * out["share"] / (YEAR * out["share"] + needed)).where(out["ratio"].notna(), 0.0)
    volume = out["planned"] * (1 + out["weight"] * (out["ratio"].clip(lower=0).fillna(1.0) - 1))
    narrow = np.sqrt(1 - out["weight"])
    out["low"] = (volume - (out["planned"] - out["low"]) * narrow).clip(lower=0)
    out["high"] = volume + (out["high"] - out["planned"]) * narrow
    out = out.assign(volume_year_1=volume, basis=[_basis(*facts) for facts in zip(
        out["months"], out["ratio"], out["weight"], volume, out["planned"], strict=True)])  # fmt: skip
    return out.drop(columns=["actual", "so_far", "share"])


def _within(rows: pd.DataFrame) -> float:
    """Return the variance of a month's actual over planned around its launch's own, per average month of plan."""
    whole = rows.groupby("product")[["actual", "planned"]].transform("sum")
    off = (
        YEAR
        * rows["share"]
        * (_ratio(rows["actual"], rows["planned"]) - _ratio(whole["actual"], whole["planned"])) ** 2
    )
    free = rows.groupby("product")["age"].size().sub(1).sum()
    return float(off.sum() / free) if free > 0 else float("nan")


def _basis(months: float, ratio: float, weight: float, volume: float, planned: float) -> str:
    seen = f"{months:.0f} month{'s' * (months != 1)}"
    said = f"; re-read after {seen}: {volume:,.0f} instead of {planned:,.0f} (sold {ratio:.0%} of plan, "
    return f"{said}weight {weight:.0%})" if weight > 0 else ""


def past_cannibalisation(launches: pd.DataFrame, history: pd.DataFrame, products: pd.DataFrame) -> float:
    """Return the share of past launches' first-year volume that came from their parents; blank when none tells.

    A parent's loss is its demand of the twelve months before, carried on by what its family's other products did,
    minus its demand in the twelve months from the launch. Successors take over and do not count.
    """
    own = launches["cannibalises"].map(successors(products)).eq(launches["product"])
    past = launches[launches["cannibalises"].notna() & ~own & launches["launch_month"].notna()]
    past = past[past["launch_month"] + pd.DateOffset(months=YEAR - 1) <= history["month"].max()]
    past = past[past["launch_month"] - pd.DateOffset(months=YEAR) >= history["month"].min()]
    lost, sold = 0.0, 0.0
    for row in past.itertuples():  # a handful
        there = history if row.region == ALL else history[history["region"] == row.region]
        monthly = there.groupby(["family", "product", "month"], as_index=False)[["cleansed"]].sum()
        parts = _parts(monthly, row.product, row.cannibalises, set(launches["product"]))
        now, then = (
            parts.loc[row.launch_month :].head(YEAR).sum(),
            parts.loc[: row.launch_month].iloc[:-1].tail(YEAR).sum(),
        )
        growth = now["rest"] / then["rest"] if then["rest"] > 0 else 1.0
        lost, sold = lost + max(0.0, then["parent"] * growth - now["parent"]), sold + now["own"]
    return min(1.0, lost / sold) if sold > 0 else float("nan")


def _parts(monthly: pd.DataFrame, product: str, parent: str, launched: set[str]) -> pd.DataFrame:
    """Return per month the demand of a launch, of its parent and of the rest of the parent's family."""
    family = monthly.loc[monthly["product"] == parent, "family"].head(1)
    who = np.select([monthly["product"] == product, monthly["product"] == parent], ["own", "parent"], "rest")
    kept = (who != "rest") | (monthly["family"].isin(family) & ~monthly["product"].isin(launched))
    wide = monthly[kept].groupby(["month", who[kept]])["cleansed"].sum().unstack()
    return wide.reindex(columns=["own", "parent", "rest"]).fillna(0.0).sort_index()


def like_products(launches: pd.DataFrame, history: pd.DataFrame, products: pd.DataFrame, most: int = 3) -> pd.DataFrame:
    """Return the three products most like each coming launch with score (0-1) and why, and the one that is named."""
    near = likeness(coming_launches(launches, history), history, products)
    named = near["product"].map(launches.set_index("product")["like_product"]).eq(near["like_product"])
    near["named"] = np.where(named, "named", "")
    near = near[named | (near.groupby("product").cumcount() < most)]
    told = zip(near["same_family"], near["price"], near["season"], strict=True)
    near = near.assign(why=pd.Series([_why(*facts) for facts in told], near.index, dtype="object"))
    return near[["product", "like_product", "named", "score", "why"]].reset_index(drop=True)


def _why(same_family: bool, price: float, season: float) -> str:
    price_said = "price not known" if np.isnan(price) else f"price {price:+.0%}"
    return f"{'same' if same_family else 'another'} family, {price_said}, season r {season:.2f}"


def launch_ranges(plan: pd.DataFrame, launches: pd.DataFrame, ready: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """Return low, likely and high (P10, plan, P90) and actual demand of each launch's first year per month, in units.

    Months gone: as planned at the launch by `launches`, with what came (`rows`, from `lived`). Months to come: the
    plan's launch step, with the range of `ready` (from `reviewed`). A range is the same share of each month.
    """
    step = plan[(plan["step"] == "launch") & (plan["product"] == plan["item"])]
    step = step.groupby(["month", "product", "family"], as_index=False)[["quantity"]].sum()
    gone = _ranged(rows.rename(columns={"planned": "likely"}), launches)
    both = [gone, _ranged(step.rename(columns={"quantity": "likely"}), ready)]
    out = pd.concat([part for part in both if len(part)] or [gone], ignore_index=True)
    out = out[out["month"] < out["launch_month"] + pd.DateOffset(months=YEAR)]
    columns = ["month", "product", "family", "low", "likely", "high", "actual"]
    return out.reindex(columns=columns).sort_values(["product", "month"], ignore_index=True)


def _ranged(rows: pd.DataFrame, launches: pd.DataFrame) -> pd.DataFrame:
    facts = launches[["product", "launch_month", "volume_year_1", "low", "high"]]
    out = rows.merge(facts, on="product", how="left", validate="many_to_one")
    part = out["likely"] / out["volume_year_1"].where(out["volume_year_1"] > 0)
    return out.assign(low=out["low"] * part, high=out["high"] * part)


def in_paths(
    series: pd.DataFrame, paths: np.ndarray, plan: pd.DataFrame, ready: pd.DataFrame, months: pd.DatetimeIndex
) -> tuple[pd.DataFrame, np.ndarray]:
    """Return series and sample paths at product × region with launches in them, in place of their own forecast.

    A launch's path is its plan times one draw of its first-year volume over the likely one, P10 and P90 as the range
    says (normal on each side), its successor's after its end too. What it takes from its parent is netted: its draws
    weigh 1 - the rate, but those of a successor, whose parent ends, weigh in full.
    """
    step = plan[plan["step"] == "launch"]
    wide = step.pivot_table(index=["item", *MEMBERS], columns="month", values="quantity", aggfunc="sum", fill_value=0.0)
    wide = wide.reindex(columns=months, fill_value=0.0)
    if wide.empty:
        return series, paths
    coming = ready[ready["product"].isin(step["item"])]
    own = ~in_launch(series, coming)
    each = _draws(coming, len(paths))[wide.index.get_level_values("item")].to_numpy()
    out = np.concatenate([paths[:, own], (each[:, :, None] * wide.to_numpy()).astype(paths.dtype)], axis=1)
    return pd.concat([series[own], wide.index.to_frame(index=False)], ignore_index=True)[MEMBERS], out


def _draws(ready: pd.DataFrame, count: int) -> pd.DataFrame:
    """Return draws (rows) of volume over likely volume per launch (columns); 1 where no range is known."""
    at = stats.norm.ppf((np.arange(count) + 0.5) / count) / TO_P90
    rng, out = np.random.default_rng(SEED), {}
    for row in ready.sort_values("product").itertuples():  # a handful
        sides = (
            np.array([1 - row.low / row.volume_year_1, row.high / row.volume_year_1 - 1]) if row.volume_year_1 else 0
        )
        down, up = np.nan_to_num(sides * np.ones(2))
        net = 1 - (np.nan_to_num(row.cannibalised) if pd.isna(row.taking_until) else 0.0)
        out[row.product] = np.clip(1 + rng.permutation(np.where(at < 0, at * down, at * up)) * net, 0, None)
    return pd.DataFrame(out)


def cannibalised(plan: pd.DataFrame, launches: pd.DataFrame) -> pd.DataFrame:
    """Return per launch with a parent: rate, its volume, what it takes and what the parent could not give, in units.

    The volume of a successor is that until its parent's end; one that overlaps in no month is left out.
    """
    ends = plan["item"].map(launches.set_index("product")["taking_until"])
    of = plan[~(plan["month"] > ends)].pivot_table(index="item", columns="step", values="quantity", aggfunc="sum")
    of = of.reindex(columns=["launch", "cannibalisation"]).dropna(subset="launch")
    rows = launches[launches["cannibalises"].notna() & launches["product"].isin(of.index)]
    taken = -rows["product"].map(of["cannibalisation"]).fillna(0.0)
    rows = rows.assign(volume=rows["product"].map(of["launch"]), taken=taken)
    wanted = rows["volume"] * rows["cannibalised"].astype("float64")
    rows["left"] = wanted - rows["taken"]
    return rows[["product", "cannibalises", "cannibalised", "volume", "taken", "left"]].reset_index(drop=True)


def run_out(products: pd.DataFrame, plan: pd.DataFrame, inventory: pd.DataFrame, history: pd.DataFrame) -> pd.DataFrame:
    """Return what is left of each product that ends: stock at the last close, demand until its end, and the rest.

    `left_over` = stock - demand until the end, not below zero, in units and at cost; `to_supply` is what is still
    wanted beyond the stock; `run_out_month` the month in which demand has used the stock up, blank when it never does.
    Receipts still to come are not counted. Products that have ended stand here while stock of them remains.
    """
    last = inventory[inventory["month"] == inventory["month"].max()]
    stock = last.groupby("product")["on_hand"].sum() + last.groupby("product")["in_transit"].sum()
    ending = products.loc[products["end_month"].notna(), ["product", "family", "end_month", "successor"]]
    out = ending.assign(stock=ending["product"].map(stock))
    monthly = plan.groupby(["product", "month"], as_index=False)[["quantity"]].sum()
    rows = monthly.merge(out, on="product", how="inner", validate="many_to_one")
    rows = rows[rows["month"] <= rows["end_month"]]
    rows["so_far"] = rows.groupby("product")["quantity"].cumsum()
    gone = rows[rows["so_far"] >= rows["stock"]].groupby("product")["month"].min()
    demand = rows.groupby("product")["quantity"].sum()
    out = out.assign(demand=out["product"].map(demand).fillna(0.0), run_out_month=out["product"].map(gone))
    cost = out["product"].map(unit_values(history, products).set_index("product")["cost"])
    out["left_over"] = (out["stock"] - out["demand"]).clip(lower=0)
    out = out.assign(to_supply=(out["demand"] - out["stock"]).clip(lower=0), left_over_value=out["left_over"] * cost)
    out = out[(out["end_month"] >= plan["month"].min()) | (out["stock"] > 0)]
    return out.sort_values("product", ignore_index=True)


def headline(scorecard: pd.DataFrame, ready: pd.DataFrame, ending: pd.DataFrame, currency: str) -> list[str]:
    """Return sentences: how launches did, each and on average, which were re-read, and what is left at the end."""
    year = scorecard[scorecard["after"] == YEAR]
    inside = {"yes": "inside its range.", "no": "outside its range."}
    said = [
        f"{row.product} sold {row.actual:,.0f} in its first year against {row.planned:,.0f} planned"
        + f"{'' if pd.isna(row.ratio) else f' ({row.ratio:.0%})'}, {inside.get(row.inside, 'no range was stated.')}"
        for row in year.sort_values("launch_month").tail(3).itertuples()
    ]
    ratios, young = _past_ratios(scorecard), ready[ready["weight"] > 0]
    bias = f"{len(ratios)} past launches sold {ratios.mean():.0%} of their plan on average; coming ones stand as given."
    said += [bias] * (len(ratios) >= PAST_NEEDED)
    said += [f"Launch of {row.product}{row.basis.replace(';', ' is', 1)}." for row in young.itertuples()]
    left = ending[ending["left_over"] > 0]
    return [*said, f"Products that end leave {_worth(left, currency)}."] if len(left) else said


def _worth(left: pd.DataFrame, currency: str) -> str:
    """Return units left over with their worth at cost, as far as the cost is known."""
    units, known = f"{left['left_over'].sum():,.0f} units", left["left_over_value"].notna()
    if not known.any():
        return f"{units}, their cost not known"
    worth = f"{units} worth {currency} {left['left_over_value'].sum():,.0f} at cost"
    return worth if known.all() else f"{worth}, without {(~known).sum()} whose cost is not known"
