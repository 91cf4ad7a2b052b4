"""New products, and products that take over from others."""

import numpy as np
import pandas as pd

from sop_lib.hierarchy import whole_units
from sop_lib.tables import ALL

__all__ = ["chained", "coming_launches", "launch_plan", "take_over"]

KEY = ["month", "product", "region"]
HISTORY_NEEDED = 6
EVENLY = "first-year volume spread evenly over the year"


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


def take_over(forecast: pd.DataFrame, products: pd.DataFrame, launched: list[str]) -> pd.DataFrame:
    """Return the forecast with products at 0 after their end_month and their successor taking it over, with the reason.

    A successor that is planned by its launch takes nothing over: its launch volume holds that demand.
    """
    facts = products[["product", "end_month", "successor"]]
    facts = facts.assign(successor=facts["successor"].where(~facts["successor"].isin(launched)))
    family, done, rows = products.set_index("product")["family"], [], forecast.assign(reason=None)
    for _ in range(1 + facts["successor"].notna().sum()):
        ends = rows.merge(facts, on="product", how="left", validate="many_to_one")
        over = (ends["month"] > ends["end_month"]).to_numpy()
        done.append(rows.assign(quantity=rows["quantity"].mask(over, 0.0), reason=rows["reason"].mask(over, "ended")))
        heirs = ends[over & ends["successor"].notna()]
        rows = heirs.assign(reason="takes over from " + heirs["product"], product=heirs["successor"])[list(rows)]
        rows["family"] = rows["product"].map(family)
    groups = pd.concat([part for part in done if len(part)]).groupby([*KEY, "family"], as_index=False)
    return groups.agg(quantity=("quantity", "sum"), reason=("reason", "last"))


def coming_launches(launches: pd.DataFrame, history: pd.DataFrame) -> pd.DataFrame:
    """Return the launches planned by their own row: products with fewer than 6 months of history."""
    months = history.groupby("product")["month"].nunique()
    known = launches["product"].map(months).fillna(0)
    return launches[known < HISTORY_NEEDED].reset_index(drop=True)


def launch_plan(
    launches: pd.DataFrame, history: pd.DataFrame, products: pd.DataFrame, months: pd.DatetimeIndex
) -> pd.DataFrame:
    """Return the demand of coming launches per month, product and region, in whole units, with the reason.

    `volume_year_1` is spread over the first twelve months by the like product's season of the last 24 months,
    else its family's, else evenly; and over the region named, else regions by their share of the same, else of
    all the company sold. Later years repeat the first.
    """
    coming = coming_launches(launches, history).merge(
        products[["product", "family"]], on="product", how="left", validate="many_to_one"
    )
    sold = history.loc[history["month"] > history["month"].max() - pd.DateOffset(months=24)]
    out = _in_regions(_with_like(coming, sold), sold).merge(
        pd.DataFrame({"month": months, "calendar": months.month}), on="calendar", validate="many_to_many"
    )
    out = out[out["month"] >= out["launch_month"]].sort_values(["product", "month", "region"], ignore_index=True)
    out["year"] = (out["month"].dt.year - out["launch_month"].dt.year) * 12 + out["month"].dt.month
    out["year"] = (out["year"] - out["launch_month"].dt.month) // 12
    out["exact"] = out["volume_year_1"] * out["share"]
    monthly = out.groupby(["product", "year", "month"], as_index=False)[["exact"]].sum()
    monthly["whole"] = whole_units(monthly["exact"], [monthly["product"], monthly["year"]])
    out = out.merge(
        monthly.rename(columns={"exact": "of_month"}), on=["product", "year", "month"], validate="many_to_one"
    )
    part = out["exact"] * (out["whole"] / out["of_month"].where(out["of_month"] > 0)).fillna(0.0)
    out["quantity"] = whole_units(part, [out["product"], out["month"]])
    out["reason"] = ("first-year volume spread like " + out["like"]).where(out["by"] != "all", EVENLY)
    return out[[*KEY, "family", "quantity", "reason"]]


def _with_like(coming: pd.DataFrame, sold: pd.DataFrame) -> pd.DataFrame:
    """Return the launches with whom they are spread like: `by` product, family or all, and `like`, its name."""
    product, family = coming["like_product"].isin(sold["product"]), coming["family"].isin(sold["family"])
    like = coming["like_product"].where(product, coming["family"].where(family, ALL))
    return coming.assign(like=like, by=np.select([product, family], ["product", "family"], "all"))


def _in_regions(coming: pd.DataFrame, sold: pd.DataFrame) -> pd.DataFrame:
    """Return the launches per region and calendar month with their `share` of a year; shares of a launch sum to 1."""
    year = pd.DataFrame({"month": pd.date_range("2000-01-01", periods=12, freq="MS"), "all": ALL})
    even = sold.groupby("region", as_index=False)[["cleansed"]].sum().merge(year, how="cross")
    parts = {"product": sold, "family": sold, "all": even}
    pattern = pd.concat([_pattern(part, by).assign(by=by) for by, part in parts.items()], ignore_index=True)
    pattern = pattern.rename(columns={"region": "in_region"})
    out = coming.merge(pattern, on=["by", "like"], how="inner", validate="many_to_many")
    out["region"] = out["region"].where(out["region"] != ALL, out["in_region"])
    columns = [c for c in out if c not in ("in_region", "share")]
    return out.groupby(columns, as_index=False, dropna=False)[["share"]].sum()


def _pattern(sold: pd.DataFrame, member: str) -> pd.DataFrame:
    """Return per product (or family), region and calendar month the share of a year's demand; flat when none sold."""
    rows = sold.assign(like=sold[member], calendar=sold["month"].dt.month)
    region = rows.groupby(["like", "region"])["cleansed"].sum().rename("region_sum").reset_index()
    season = rows.groupby(["like", "calendar"])["cleansed"].mean().unstack("calendar")
    season = season.reindex(columns=range(1, 13)).fillna(0.0).reset_index().melt("like", value_name="season")
    out = region.merge(season, on="like", how="inner", validate="many_to_many")
    weight = out["region_sum"] * out["season"]
    total = weight.groupby(out["like"]).transform("sum")
    even = 1 / out.groupby("like")["like"].transform("size")
    out["share"] = (weight / total.where(total > 0)).fillna(even)
    return out[["like", "region", "calendar", "share"]]
