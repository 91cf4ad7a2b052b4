"""The unconstrained demand plan: baseline, launches and events, each a step of its own; and how plans changed."""

import pandas as pd

from sop_lib import events as event_plan
from sop_lib import launches as new_products
from sop_lib.accuracy import scores
from sop_lib.tables import ALL

__all__ = ["demand_plan", "plan_changes", "step_totals", "value_added", "wape_by_lag"]

KEY = ["month", "product", "region"]
NAIVE = "seasonal naive"
SCOPE = ["family", "regions"]


def demand_plan(
    leaf: pd.DataFrame,
    history: pd.DataFrame,
    products: pd.DataFrame,
    events: pd.DataFrame,
    launches: pd.DataFrame,
) -> pd.DataFrame:
    """Return the demand plan per month, product, region and step, in units; the steps of a key add up.

    `leaf` is the forecast per month, product, region (`forecast` in units). baseline: the forecast, 0 after
    a product's end_month, taken over by its successor. launch: products with fewer than six months of history
    and a launch row, instead of a baseline. event: probability × declared uplift of coming events.
    """
    ahead = pd.DatetimeIndex(sorted(leaf["month"].unique()))
    coming = new_products.coming_launches(launches, history)
    launched = list(coming["product"])
    own = leaf.rename(columns={"forecast": "quantity"})[[*KEY, "family", "quantity"]]
    own = own[~own["product"].isin(launched)]
    baseline = new_products.take_over(own, products, launched).assign(step="baseline")
    launch = new_products.launch_plan(coming, history, products, ahead).assign(step="launch")
    both = pd.concat([part for part in (baseline, launch) if len(part)], ignore_index=True)
    base = both.groupby([*KEY, "family"], as_index=False)[["quantity"]].sum()
    event = event_plan.event_effects(base, events, ahead[0]).assign(step="event")
    plan = pd.concat([part for part in (both, event) if len(part)], ignore_index=True)
    return plan.assign(author=None)[[*KEY, "step", "family", "quantity", "author", "reason"]]


def step_totals(plan: pd.DataFrame) -> pd.DataFrame:
    """Return what each launch, event and take-over adds per family over the horizon, in units, largest first."""
    rows = plan[plan["step"].isin(["launch", "event"]) | plan["reason"].astype("str").str.startswith("takes over")]
    out = rows.groupby(["step", "reason", "family"], as_index=False)[["quantity"]].sum()
    return out.sort_values("quantity", key=lambda q: -q.abs(), kind="stable", ignore_index=True)


def plan_changes(plan: pd.DataFrame, previous: pd.DataFrame, worth: pd.DataFrame) -> pd.DataFrame:
    """Return the last cycle's plan, the latest and the change (latest minus previous) per month and family, in units.

    `previous` holds measure, month, family, quantity; `worth` price per month, product and region: the change in money
    is at the average price of the latest plan. A month that the last cycle did not plan has no change.
    """
    priced = plan.merge(worth[[*KEY, "price"]], on=KEY, how="left", validate="many_to_one")
    priced["revenue"] = priced["quantity"] * priced["price"]
    now = priced.groupby(["month", "family"], as_index=False)[["quantity", "revenue"]].sum(min_count=1)
    before = previous[previous["measure"] == "demand"].groupby(["month", "family"], as_index=False)[["quantity"]].sum()
    out = now.rename(columns={"quantity": "latest"}).merge(
        before.rename(columns={"quantity": "previous"}), on=["month", "family"], how="left", validate="one_to_one"
    )
    out["change"] = out["latest"] - out["previous"]
    out["change_revenue"] = out["change"] * out["revenue"] / out["latest"].where(out["latest"] > 0)
    return out[["month", "family", "previous", "latest", "change", "change_revenue"]]


def value_added(past_plans: pd.DataFrame, history: pd.DataFrame, products: pd.DataFrame) -> pd.DataFrame:
    """Return WAPE and bias of each stream of earlier plans per lag, and how much better it was than the seasonal naive.

    Compared at family, on the same cycles, months and families in every stream and the naive (the latest same
    month that the cycle knew); a stream that plans some regions only is compared with what came in those.
    A stream with less than half the cycles of the longest one waits: matching it would leave too little to judge.
    Lag 0 is all lags; `value_added` positive = better than naive. Bias positive = over-forecast.
    Source: Gilliland (2010), forecast value added.
    """
    plans = past_plans[past_plans["measure"] == "demand"]
    lived = plans.groupby("stream")["cycle"].nunique()
    plans = plans[plans["stream"].isin(lived.index[2 * lived >= lived.max()])]
    family = plans["product"].map(products.set_index("product")["family"])
    plans = plans.assign(family=plans["family"].where(plans["family"] != ALL, family))
    key = ["cycle", "month", "family", "regions"]
    streams = _covered(plans, history).groupby([*key, "stream"], as_index=False)[["quantity"]].sum()
    known = _sold_in(streams, history)
    matched = streams.groupby(key)["stream"].transform("nunique") == streams["stream"].nunique()
    rows = streams[matched].merge(
        known.rename(columns={"cleansed": "actual"}), on=["month", *SCOPE], how="inner", validate="many_to_one"
    )
    lag = (rows["month"].dt.year - rows["cycle"].dt.year) * 12 + rows["month"].dt.month - rows["cycle"].dt.month + 1
    rows = _with_naive(rows.assign(lag=lag.astype(int)), known)
    rows = rows.rename(columns={"quantity": "forecast"}).assign(scale=0.0, scale_sq=0.0)
    each = pd.concat(
        [scores(rows.assign(lag=0), ["stream", "lag"]), scores(rows, ["stream", "lag"])], ignore_index=True
    )
    naive = each.loc[each["stream"] == NAIVE, ["lag", "wape"]].rename(columns={"wape": "naive"})
    out = each.merge(naive, on="lag", how="left", validate="many_to_one").assign(level="family")
    out["value_added"] = out["naive"] - out["wape"]
    return out[["stream", "lag", "level", "wape", "bias", "value_added", "n"]]


def wape_by_lag(streams: pd.DataFrame) -> pd.DataFrame:
    """Return WAPE with lags as rows and streams as columns, the seasonal naive last, and n, the forecasts compared.

    >>> rows = pd.DataFrame({"stream": ["sales", "seasonal naive"], "lag": 1, "wape": [0.1, 0.2], "n": 12})
    >>> wape_by_lag(rows).values.tolist()
    [[1.0, 0.1, 0.2, 12.0]]
    """
    each = streams[streams["lag"] > 0]
    wide = each.pivot(index="lag", columns="stream", values="wape")
    order = sorted(wide, key=lambda name: (name == NAIVE, name))
    return wide[order].assign(n=each.groupby("lag")["n"].min()).reset_index().rename_axis(columns=None)


def _covered(plans: pd.DataFrame, history: pd.DataFrame) -> pd.DataFrame:
    """Return plans with the `regions` that a stream plans of a family in a cycle and month; (ALL,) is all of them."""
    key = ["cycle", "stream", "month", "family"]
    where = plans[[*key, "region"]].drop_duplicates().sort_values("region", kind="stable")
    named = where.groupby(key)["region"].agg(tuple)
    sold = history[["family", "region"]].drop_duplicates().sort_values(["family", "region"])
    every = set(sold.groupby("family")["region"].agg(tuple).items())
    whole = [(ALL,) if ALL in r or (i[-1], r) in every else r for i, r in named.items()]
    return plans.join(pd.Series(whole, named.index, dtype="object", name="regions"), on=key)


def _sold_in(streams: pd.DataFrame, history: pd.DataFrame) -> pd.DataFrame:
    """Return demand per month, family and `regions` as streams cover them, in units."""
    scopes = streams[SCOPE].drop_duplicates()
    parts = scopes.assign(region=scopes["regions"]).explode("region")
    sold = history.groupby(["month", "family", "region"], as_index=False)[["cleansed"]].sum()
    total = sold.groupby(["month", "family"], as_index=False)[["cleansed"]].sum().assign(region=ALL)
    sold = pd.concat([sold[sold["region"] != ALL], total], ignore_index=True)
    both = parts.merge(sold, on=["family", "region"], how="inner", validate="many_to_many")
    return both.groupby(["month", *SCOPE], as_index=False)[["cleansed"]].sum()


def _with_naive(rows: pd.DataFrame, known: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that have a seasonal naive, and it as a stream of its own."""
    years = (rows["lag"] - 1) // 12 + 1
    then = rows["month"].dt.to_period("M") - (12 * years).to_numpy()
    rows = rows.assign(then=then.dt.to_timestamp().astype("datetime64[ns]"))
    past = known.rename(columns={"month": "then", "cleansed": "naive"})
    rows = rows.merge(past, on=["then", *SCOPE], how="inner", validate="many_to_one")
    naive = rows.drop_duplicates(["cycle", "month", *SCOPE]).assign(stream=NAIVE)
    naive["quantity"] = naive["naive"]
    return pd.concat([part for part in (rows, naive) if len(part)], ignore_index=True) if len(rows) else rows
