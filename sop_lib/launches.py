"""New products, and products that take over from others."""

import numpy as np
import pandas as pd

from sop_lib.hierarchy import whole_units
from sop_lib.tables import ALL

__all__ = [
    "cannibalised_effects",
    "chained",
    "coming_launches",
    "in_launch",
    "launch_plan",
    "launch_shape",
    "likeness",
    "past_ramps",
    "successors",
    "take_over",
    "taking_until",
]

KEY = ["month", "product", "region"]
YEAR = 12
RAMP = 6  # months a launch may take to its full pace, which is the mean of the six months after
PRICE_NEAR, SEASON_NEAR = 0.15, 0.5
EVENLY = "evenly over the year"


def chained(history: pd.DataFrame, products: pd.DataFrame, cycle: pd.Timestamp) -> pd.DataFrame:
    """Return month, product, region, family and `cleansed` (units); successors get their predecessor's months.

    Only products whose end_month lies before the cycle and that name a successor are given over, one unit for one.

    >>> months = pd.to_datetime(["2026-08-01", "2026-10-01"])
    >>> sold = pd.DataFrame({"month": months, "product": ["A", "B"], "region": "ALL", "cleansed": [5.0, 6.0]})
    >>> known = pd.DataFrame({"product": ["A", "B"], "family": "F", "end_month": [months[0], pd.NaT]})
    >>> known["successor"] = ["B", None]
    >>> chained(sold, known, pd.Timestamp("2026-11-01"))[["product", "cleansed"]].values.tolist()
    [['B', 5.0], ['B', 0.0], ['B', 6.0]]
    """
    heirs = products[(products["end_month"] < cycle) & products["successor"].notna()]
    follows, now = heirs.set_index("product")["successor"], history["product"]
    for _ in range(len(heirs)):
        now = now.map(follows).fillna(now)
    rows = history.assign(product=now, family=now.map(products.set_index("product")["family"]))
    return _without_gaps(rows.groupby([*KEY, "family"], as_index=False)[["cleansed"]].sum())


def _without_gaps(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows with a zero for each month between two of a series."""
    series = rows.groupby(["product", "region", "family"], as_index=False)["month"].agg(first="min", last="max")
    every = pd.DataFrame({"month": pd.date_range(rows["month"].min(), rows["month"].max(), freq="MS", unit="ns")})
    grid = series.merge(every, how="cross")
    grid = grid.loc[grid["month"].between(grid["first"], grid["last"]), [*KEY, "family"]]
    out = grid.merge(rows, on=[*KEY, "family"], how="left", validate="one_to_one").fillna({"cleansed": 0.0})
    return out.sort_values(KEY, ignore_index=True)


def take_over(forecast: pd.DataFrame, products: pd.DataFrame, coming: pd.DataFrame) -> pd.DataFrame:
    """Return the forecast with products at 0 after their end_month and their successor taking it over, with the reason.

    A successor that is planned by its launch (`coming`) takes nothing over there: its launch volume holds that demand.
    """
    facts = products[["product", "end_month", "successor"]]
    family, done = products.set_index("product")["family"], []
    rows = forecast if "reason" in forecast else forecast.assign(reason=None)
    for _ in range(1 + facts["successor"].notna().sum()):
        ends = rows.merge(facts, on="product", how="left", validate="many_to_one")
        over = (ends["month"] > ends["end_month"]).to_numpy()
        done.append(rows.assign(quantity=rows["quantity"].mask(over, 0.0), reason=rows["reason"].mask(over, "ended")))
        heirs = ends[over & ends["successor"].notna()]
        rows = heirs.assign(reason="takes over from " + heirs["product"], product=heirs["successor"])[list(rows)]
        rows = rows[~in_launch(rows, coming)].assign(family=lambda d: d["product"].map(family))
    key = [c for c in forecast if c not in ("quantity", "reason")]
    groups = pd.concat([part for part in done if len(part)] or done[:1]).groupby(key, as_index=False)
    return groups.agg(quantity=("quantity", "sum"), reason=("reason", "last"))


def in_launch(rows: pd.DataFrame, launches: pd.DataFrame) -> pd.Series:
    """Return which rows (product, region) a launch speaks of: its product, in its region or everywhere when ALL.

    >>> rows = pd.DataFrame({"product": ["A", "B", "B"], "region": ["North", "North", "South"]})
    >>> in_launch(rows, pd.DataFrame({"product": ["B"], "region": ["South"]})).tolist()
    [False, False, True]
    """
    where = rows["product"].map(launches.set_index("product")["region"])
    return where.eq(ALL) | where.eq(rows["region"])


def coming_launches(launches: pd.DataFrame, history: pd.DataFrame) -> pd.DataFrame:
    """Return the launches planned by their own row: with at most a year of history in their region.

    Their season is unknown. A launch that did not sell in the twelve closed months from its own is planned no more.
    """
    months = history[in_launch(history, launches)].groupby("product")["month"].nunique()
    known = launches["product"].map(months).fillna(0)
    never = (known == 0) & (launches["launch_month"] <= history["month"].max() - pd.DateOffset(months=YEAR))
    return launches[(known <= YEAR) & ~never].reset_index(drop=True)


def launch_plan(
    launches: pd.DataFrame, history: pd.DataFrame, products: pd.DataFrame, months: pd.DatetimeIndex
) -> pd.DataFrame:
    """Return the demand of coming launches per month, product and region, in whole units; `item` is the launch.

    First-year volume × `launch_shape`. A `basis` column of the launches, where there is one, is told in the reason.
    """
    coming = coming_launches(launches, history)
    out = launch_shape(coming, history, products, months[-1])
    out = out[out["month"].isin(months)].sort_values(["product", "month", "region"], ignore_index=True)
    row = coming.set_index("product")
    out["year"] = (out["age"] - 1) // YEAR
    out["exact"] = out["share"] * out["product"].map(row["volume_year_1"])
    monthly = out.groupby(["product", "year", "month"], as_index=False)[["exact"]].sum()
    monthly["whole"] = whole_units(monthly["exact"], [monthly["product"], monthly["year"]])
    monthly = monthly.rename(columns={"exact": "of_month"})
    out = out.merge(monthly, on=["product", "year", "month"], validate="many_to_one")
    part = out["exact"] * (out["whole"] / out["of_month"].where(out["of_month"] > 0)).fillna(0.0)
    out["quantity"] = whole_units(part, [out["product"], out["month"]])
    told = out["product"].map(row["basis"]).fillna("") if "basis" in row else ""
    out["reason"] = "first-year volume spread " + out["how"] + told
    return out.assign(item=out["product"])[[*KEY, "item", "family", "quantity", "reason"]]


def launch_shape(
    launches: pd.DataFrame, history: pd.DataFrame, products: pd.DataFrame, until: pd.Timestamp
) -> pd.DataFrame:
    """Return `share` of the first-year volume per launch, month and region, with `age` in months and `how` it is made.

    Months are the first twelve and those up to `until`. Share = season × ramp: the season of the last 24 months of
    the like-product (named; else the one alike in family, price and season; else the family; else even: each of
    products seen in all twelve calendar months), and the ramp of the company's own past launches, the likelier the
    more; `ramped` is False where none tells. The first twelve months sum to 1; later ones stand at full pace.
    Regions: the one named, else by their share of the same, else of all the company sold.
    """
    known = launches.merge(products[["product", "family"]], on="product", how="left", validate="many_to_one")
    sold = history.loc[history["month"] > history["month"].max() - pd.DateOffset(months=24)]
    near = likeness(launches, history, products)
    whole = sold[sold["product"].isin(_seen_all_year(sold))]
    pace = _in_regions(_with_like(known, near, whole), whole, sold).merge(
        _ages(known, until), on=["product", "calendar"]
    )
    ramp, told = _ramp(near, past_ramps(history))
    pace = pace.merge(ramp, on=["product", "age"], how="left", validate="many_to_one").fillna({"ramp": 1.0})
    pace["share"] = pace["share"] * pace["ramp"]
    first = pace["share"].where(pace["age"] <= YEAR).groupby(pace["product"]).transform("sum")
    even = (1 / (YEAR * pace.groupby("product")["region"].transform("nunique"))).where(first <= 0)
    pace["share"] = even.fillna(pace["share"] / first.where(first > 0))
    pace["how"] = ("like " + pace["like"]).where(pace["by"] != "all", EVENLY) + pace["product"].map(told).fillna("")
    pace["ramped"] = pace["product"].isin(told.index)
    return pace[[*KEY, "family", "age", "share", "how", "ramped"]].sort_values(KEY, ignore_index=True)


def _ages(launches: pd.DataFrame, until: pd.Timestamp) -> pd.DataFrame:
    """Return the months of each launch: its first twelve, and those up to a month."""
    start = launches["launch_month"].dt.to_period("M")
    count = ((until.to_period("M").ordinal - start.astype("int64")).clip(lower=YEAR - 1) + 1).to_numpy()
    out = launches[["product"]].assign(start=start).loc[launches.index.repeat(count)]
    out["age"] = out.groupby("product").cumcount() + 1
    out["month"] = (out.pop("start") + (out["age"] - 1).to_numpy()).dt.to_timestamp().astype("datetime64[ns]")
    return out.assign(calendar=out["month"].dt.month)


def likeness(launches: pd.DataFrame, history: pd.DataFrame, products: pd.DataFrame) -> pd.DataFrame:
    """Return how like each launch every product with a year of history is: a score of 0 to 1.

    Score = mean of three: the same family; a list price within ±15 %; the correlation of its season (mean of each
    calendar month) with that of the launch's family. Best first per launch.
    """
    facts = products.reindex(columns=["product", "family", "unit_price"])
    new = launches[["product"]].merge(facts, on="product", how="left", validate="many_to_one")
    lived = history.groupby("product")["month"].nunique()
    old = facts[facts["product"].isin(lived.index[lived >= YEAR])].rename(columns={"product": "like_product"})
    out = new.merge(old, how="cross", suffixes=("", "_like"))
    out = out[out["product"] != out["like_product"]].reset_index(drop=True)
    out["same_family"] = out["family"].eq(out["family_like"])
    out["price"] = out["unit_price_like"].astype("float64") / out["unit_price"].astype("float64") - 1
    own, family = _profile(history, "product"), _profile(history, "family")
    both = own.reindex(out["like_product"]).to_numpy() * family.reindex(out["family"]).to_numpy()
    out["season"] = np.nan_to_num(both.sum(axis=1))
    parts = [out["same_family"], out["price"].abs() <= PRICE_NEAR, out["season"].clip(lower=0)]
    out["score"] = sum(part.astype("float64") for part in parts) / len(parts)
    out = out.sort_values(["product", "score", "like_product"], ascending=[True, False, True], ignore_index=True)
    return out[["product", "like_product", "score", "same_family", "price", "season"]]


def _profile(history: pd.DataFrame, member: str) -> pd.DataFrame:
    """Return each member's mean demand per calendar month, centred, of length 1: products of two are correlations."""
    monthly = history.groupby([member, "month"], as_index=False)[["cleansed"]].sum()
    wide = monthly.groupby([member, monthly["month"].dt.month])["cleansed"].mean().unstack("month")
    wide = wide.reindex(columns=range(1, YEAR + 1))
    wide = wide.sub(wide.mean(axis=1), axis=0).fillna(0.0)
    size = np.sqrt((wide**2).sum(axis=1))
    return wide.div(size.where(size > 0), axis=0).fillna(0.0)


def past_ramps(history: pd.DataFrame) -> pd.DataFrame:
    """Return product, age (1 to 6) and `ramp`: the pace of past launches by age, as a rate of their full pace.

    A past launch first sold a year or more after its company's data begin and sold in 10 of its first 12 months.
    Pace is demand over that of the family's standing products in the same month, so that season and growth cancel;
    full pace is that of months 7 to 12.
    """
    sold = history.groupby(["family", "product", "month"], as_index=False)[["cleansed"]].sum()
    first = sold.groupby("product")["month"].transform("min").dt.to_period("M").astype("int64")
    begin = sold["month"].min().to_period("M").ordinal if len(sold) else 0
    sold["age"] = sold["month"].dt.to_period("M").astype("int64") - first + 1
    standing = sold[first < begin + YEAR].groupby(["family", "month"], as_index=False)[["cleansed"]].sum()
    new = sold[(first >= begin + YEAR) & (sold["age"] <= YEAR)]
    steady = (new["cleansed"] > 0).groupby(new["product"]).transform("sum") >= YEAR - 2
    lived = new.merge(standing.rename(columns={"cleansed": "family_sold"}), on=["family", "month"], validate="m:1")
    lived = lived[lived["product"].isin(new.loc[steady, "product"]) & (lived["family_sold"] > 0)]
    late = lived[lived["age"] > RAMP].groupby("product")[["cleansed", "family_sold"]].sum()
    full = late["cleansed"] / late["family_sold"]
    early = lived[lived["age"] <= RAMP]
    pace = early["cleansed"] / early["family_sold"] / early["product"].map(full.where(full > 0))
    return early[["product", "age"]].assign(ramp=pace.clip(0, 2)).dropna(ignore_index=True)


def _ramp(near: pd.DataFrame, ramps: pd.DataFrame) -> tuple[pd.DataFrame, pd.Series]:
    """Return product, age and ramp: the mean of past launches weighted by likeness; and in words whose, by product."""
    each = near[near["score"] > 0].merge(
        ramps.rename(columns={"product": "like_product"}), on="like_product", validate="many_to_many"
    )
    each["ramp"] = each["ramp"] * each["score"]
    groups = each.groupby(["product", "age"], as_index=False)[["ramp", "score"]].sum()
    names = each.drop_duplicates(["product", "like_product"]).groupby("product")["like_product"]
    told = names.agg(lambda n: f", ramp of {n.iloc[0]}" if len(n) == 1 else f", ramp of {len(n)} past launches")
    return groups.assign(ramp=groups["ramp"] / groups["score"])[["product", "age", "ramp"]], told


def _with_like(launches: pd.DataFrame, near: pd.DataFrame, sold: pd.DataFrame) -> pd.DataFrame:
    """Return the launches with whom they are spread like: `by` product, family or all, and `like`, its name."""
    alike = near[near["same_family"] & (near["price"].abs() <= PRICE_NEAR) & (near["season"] >= SEASON_NEAR)]
    found = launches["product"].map(alike.drop_duplicates("product").set_index("product")["like_product"])
    named = launches["like_product"].where(launches["like_product"].isin(sold["product"]), found)
    product, family = named.isin(sold["product"]), launches["family"].isin(sold["family"])
    like = named.where(product, launches["family"].where(family, ALL))
    return launches.assign(like=like, by=np.select([product, family], ["product", "family"], "all"))


def _seen_all_year(sold: pd.DataFrame) -> pd.Index:
    """Return the products seen in all twelve calendar months: only of those is a season known."""
    seen = sold["month"].dt.month.groupby(sold["product"]).nunique()
    return seen.index[seen == YEAR]


def _in_regions(coming: pd.DataFrame, whole: pd.DataFrame, sold: pd.DataFrame) -> pd.DataFrame:
    """Return the launches per region and calendar month with their `share` of a year; shares of a launch sum to 1."""
    year = pd.DataFrame({"month": pd.date_range("2000-01-01", periods=YEAR, freq="MS"), "all": ALL})
    even = sold.groupby("region", as_index=False)[["cleansed"]].sum().merge(year, how="cross")
    parts = {"product": whole, "family": whole, "all": even}
    pattern = pd.concat([_pattern(part, by).assign(by=by) for by, part in parts.items()], ignore_index=True)
    pattern = pattern.rename(columns={"region": "in_region"})
    out = coming.merge(pattern, on=["by", "like"], how="inner", validate="many_to_many")
    out["region"] = out["region"].where(out["region"] != ALL, out["in_region"])
    return out.groupby(["product", "family", "like", "by", "region", "calendar"], as_index=False)[["share"]].sum()


def _pattern(sold: pd.DataFrame, member: str) -> pd.DataFrame:
    """Return per product (or family), region and calendar month the share of a year's demand; flat when none sold."""
    rows = sold.assign(like=sold[member], calendar=sold["month"].dt.month)
    region = rows.groupby(["like", "region"])["cleansed"].sum().rename("region_sum").reset_index()
    monthly = rows.groupby(["like", "calendar", "month"])["cleansed"].sum()
    season = monthly.groupby(["like", "calendar"]).mean().unstack("calendar")
    season = season.reindex(columns=range(1, 13)).fillna(0.0).reset_index().melt("like", value_name="season")
    out = region.merge(season, on="like", how="inner", validate="many_to_many")
    weight = out["region_sum"] * out["season"]
    total = weight.groupby(out["like"]).transform("sum")
    even = 1 / out.groupby("like")["like"].transform("size")
    out["share"] = (weight / total.where(total > 0)).fillna(even)
    return out[["like", "region", "calendar", "share"]]


def successors(products: pd.DataFrame) -> pd.Series:
    """Return by product the successor that takes its demand over: of those that end."""
    ending = products[products["end_month"].notna() & products["successor"].notna()]
    return ending.set_index("product")["successor"]


def taking_until(launches: pd.DataFrame, products: pd.DataFrame) -> pd.Series:
    """Return the last month in which each launch takes from its parent: the end of a parent it succeeds, else blank."""
    parent = launches["cannibalises"]
    ends = pd.to_datetime(parent.map(products.set_index("product")["end_month"]))
    return ends.where(parent.map(successors(products)).eq(launches["product"]))


def cannibalised_effects(
    launch: pd.DataFrame, base: pd.DataFrame, launches: pd.DataFrame, products: pd.DataFrame
) -> pd.DataFrame:
    """Return what launches take from the product they cannibalise, per month, product, region and `item`, in units.

    `launch` holds the launches' plan, `base` what stands before (a parent may be a launch itself); `item` is the
    launch. Quantity = -(`cannibalised` × launch volume), and a parent never falls below zero: `left` is what it could
    not give. A blank rate takes nothing. A successor takes until its parent's end_month: then the parent is gone.

    >>> rows = pd.DataFrame({"month": pd.to_datetime(["2027-01-01"]), "region": "ALL", "family": "F"})
    >>> new = pd.DataFrame({"product": ["B"], "cannibalises": ["A"], "cannibalised": [0.25]})
    >>> known = pd.DataFrame({"product": ["A", "B"], "end_month": pd.NaT, "successor": None})
    >>> base = rows.assign(product="A", quantity=100.0)
    >>> cannibalised_effects(rows.assign(product="B", item="B", quantity=40.0), base, new, known).quantity.tolist()
    [-10.0]
    """
    facts = launches[["product", "cannibalises", "cannibalised"]].dropna()
    facts = facts.assign(until=taking_until(facts, products)).rename(columns={"product": "item"})
    out = launch.merge(facts, on="item", how="inner", validate="many_to_one")
    out = out[out["product"].ne(out["cannibalises"]) & ~(out["month"] > out["until"])]
    out["wanted"] = out["quantity"] * out["cannibalised"].astype("float64")
    out = out.drop(columns="product").rename(columns={"cannibalises": "product"})
    out = out.groupby([*KEY, "item", "cannibalised"], as_index=False)[["wanted"]].sum()
    out = out[out["wanted"] > 0].merge(base[[*KEY, "quantity"]], on=KEY, how="left", validate="many_to_one")
    has = out["quantity"].fillna(0.0).clip(lower=0.0)
    asked = out.groupby(KEY)["wanted"].transform("sum")
    taken = out["wanted"] * (has / asked).clip(upper=1.0)
    rate = out["cannibalised"].map("{:.0%} of the launch of ".format).astype("object")
    out = out.assign(quantity=-taken, left=out["wanted"] - taken, reason=rate + out["item"])
    out["family"] = out["product"].map(products.set_index("product")["family"]) if "family" in products else ALL
    return out.sort_values([*KEY, "item"], ignore_index=True)[[*KEY, "family", "item", "quantity", "left", "reason"]]
