"""The unconstrained demand plan, a stack of steps that add up; and how plans changed."""

import pandas as pd

from sop_lib import events as event_plan
from sop_lib import launches as new_products
from sop_lib.tables import ALL

__all__ = ["STEPS", "demand_plan", "plan_changes", "stack", "stack_sentence", "step_totals"]

KEY = ["month", "product", "region"]
STEPS = ("baseline", "launch", "cannibalisation", "event", "stream", "override")
SPANS = {"next_3": 3, "next_12": 12}


def demand_plan(
    leaf: pd.DataFrame,
    history: pd.DataFrame,
    products: pd.DataFrame,
    events: pd.DataFrame,
    launches: pd.DataFrame,
    effects: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Return the demand plan up to its events per month, product, region, step and item, in units; the steps add up.

    `leaf` is the forecast per month, product, region (`forecast` in units). baseline: the forecast, 0 after a
    product's end_month, taken over by its successor. launch: products with at most a year of history in their
    launch's region, instead of a baseline there, and taken over at their own end. cannibalisation: what launches
    take from the products they name. event: what coming events are expected to add; `effects` holds the past ones
    as measured. Streams and overrides follow in `streams` and `overrides`.
    """
    ahead = pd.DatetimeIndex(sorted(leaf["month"].unique()))
    coming = new_products.coming_launches(launches, history)
    own = leaf.rename(columns={"forecast": "quantity"})[[*KEY, "family", "quantity"]]
    own = own[~new_products.in_launch(own, coming)]
    baseline = new_products.take_over(own, products, coming).assign(item=ALL)
    launch = new_products.launch_plan(coming, history, products, ahead)
    launch = new_products.take_over(launch, products, coming)
    standing = pd.concat([part[[*KEY, "quantity"]] for part in (baseline, launch)])
    standing = standing.groupby(KEY, as_index=False)[["quantity"]].sum()
    taken = new_products.cannibalised_effects(launch, standing, coming, products)
    before = _stacked({"baseline": baseline, "launch": launch, "cannibalisation": taken})
    base = before.groupby([*KEY, "family"], as_index=False)[["quantity"]].sum()
    event = event_plan.event_effects(base, events, ahead[0], effects)
    parts = [part for part in (before, _stacked({"event": event})) if len(part)]
    plan = pd.concat(parts or [before], ignore_index=True)
    return plan.assign(author=None)[[*KEY, "step", "item", "family", "quantity", "author", "reason"]]


def _stacked(steps: dict[str, pd.DataFrame]) -> pd.DataFrame:
    parts = [rows.assign(step=step) for step, rows in steps.items() if len(rows)]
    names = [*KEY, "step", "item", "family", "quantity", "reason"]
    return pd.concat(parts, ignore_index=True)[names] if parts else pd.DataFrame(columns=names)


def stack(plan: pd.DataFrame, unit: str) -> pd.DataFrame:
    """Return the plan as a stack: a row per family and step and their `total`, in units, over spans of the horizon.

    ALL families first where they share a `unit`, then each family that more than its baseline stands in.

    >>> one = {"month": pd.to_datetime(["2026-11-01", "2027-03-01"]), "family": "F", "step": ["baseline", "event"]}
    >>> stack(pd.DataFrame({**one, "quantity": [100.0, 8.0]}), "pieces").query("family == 'ALL'").values.tolist()
    [['ALL', 'baseline', 100.0, 100.0, 100.0], ['ALL', 'event', 0.0, 8.0, 8.0], ['ALL', 'total', 100.0, 108.0, 108.0]]
    """
    first = plan["month"].min()
    rows = plan.assign(horizon=plan["quantity"])
    for name, count in SPANS.items():
        rows[name] = plan["quantity"].where(plan["month"] < first + pd.DateOffset(months=count), 0.0)
    lifted = rows[rows["family"].isin(rows.loc[rows["step"] != "baseline", "family"])]
    parts = [rows.assign(family=ALL)] * bool(unit) + [lifted]
    each = pd.concat([pd.concat(parts), pd.concat(parts).assign(step="total")], ignore_index=True)
    out = each.groupby(["family", "step"], as_index=False)[[*SPANS, "horizon"]].sum()
    place = {name: n for n, name in enumerate((*STEPS, "total"))}
    out = out.assign(own=out["family"] != ALL, place=out["step"].map(place))
    return out.sort_values(["own", "family", "place"], ignore_index=True).drop(columns=["own", "place"])


def stack_sentence(stacked: pd.DataFrame, unit: str) -> str:
    """Return what the steps after the baseline add over twelve months, from rows of `stack` of ALL families.

    >>> rows = {"family": "ALL", "step": ["baseline", "event", "total"], "next_12": [900.0, -80.0, 820.0]}
    >>> stack_sentence(pd.DataFrame(rows), "pieces")
    'Over twelve months a baseline of 900 pieces, event −80'
    """
    rows = stacked[stacked["family"] == ALL].set_index("step")["next_12"].drop("total")
    added = [f"{step} {units:+,.0f}".replace("-", "−") for step, units in rows.items() if step != "baseline"]
    said = f"Over twelve months a baseline of {rows.get('baseline', 0.0):,.0f} {unit}"
    return ", ".join([said, *added]) if added else f"{said}; nothing stands on it"


def step_totals(plan: pd.DataFrame) -> pd.DataFrame:
    """Return what each item of each step, and each take-over, adds per family over the horizon, in units, by step."""
    rows = plan[(plan["step"] != "baseline") | plan["reason"].astype("str").str.startswith("takes over")]
    rows = rows.assign(place=rows["step"].map(STEPS.index), size=rows["quantity"])
    out = rows.groupby(["place", "step", "item", "reason", "family"], as_index=False)[["quantity"]].sum()
    out = out.assign(size=-out["quantity"].abs()).sort_values(["place", "size", "item"], ignore_index=True)
    return out.drop(columns=["place", "size"])


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
