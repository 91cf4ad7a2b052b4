"""What coming promotions, tactics and accounts add to the plan."""

import pandas as pd

from sop_lib.tables import ALL

__all__ = ["coming", "event_effects"]

KEY = ["month", "product", "region"]


def coming(events: pd.DataFrame, cycle: pd.Timestamp) -> pd.DataFrame:
    """Return the events that reach into the plan and declare an uplift, with their probability (1 when blank)."""
    declared = events[["uplift_rate", "uplift_units"]].notna().any(axis=1)
    out = events[(events["to_month"] >= cycle) & declared].copy()
    out["probability"] = out["probability"].fillna(1.0)
    return out.fillna({"uplift_rate": 0.0, "uplift_units": 0.0})


def event_effects(base: pd.DataFrame, events: pd.DataFrame, cycle: pd.Timestamp) -> pd.DataFrame:
    """Return what coming events are expected to add per month, product and region, in units, and which events.

    Effect = probability × (uplift rate × planned demand + uplift units). Units are per month for all that the
    event covers, shared by planned demand. Effects of several events add up.

    >>> base = pd.DataFrame({"month": pd.to_datetime(["2027-04-01"]), "product": "A", "region": "ALL", "family": "F",
    ...     "quantity": [100.0]})
    >>> deal = pd.DataFrame({"event": "Deal", "product": "A", "family": "F", "region": "ALL", "uplift_rate": [0.2],
    ...     "uplift_units": [float("nan")], "probability": [0.5]})
    >>> deal[["from_month", "to_month"]] = base["month"].iloc[0]
    >>> event_effects(base, deal, pd.Timestamp("2026-11-01"))["quantity"].tolist()
    [10.0]
    """
    ahead = coming(events, cycle).rename(columns={"product": "on", "region": "where"})
    product_family = base.drop_duplicates("product").set_index("product")["family"]
    ahead["family"] = ahead["family"].where(ahead["on"] == ALL, ahead["on"].map(product_family))
    hit = base.merge(ahead.drop(columns="kind", errors="ignore"), on="family", how="inner", validate="many_to_many")
    hit = hit[hit["month"].between(hit["from_month"], hit["to_month"])]
    hit = hit[hit["on"].isin([ALL]) | (hit["on"] == hit["product"])]
    hit = hit[hit["where"].isin([ALL]) | (hit["where"] == hit["region"])]
    groups = hit.groupby(["event", "month"])["quantity"]
    share = (hit["quantity"] / groups.transform("sum").where(lambda total: total > 0)).fillna(
        1 / groups.transform("size")
    )
    effect = hit["probability"] * (hit["uplift_rate"] * hit["quantity"] + hit["uplift_units"] * share)
    rows = hit[[*KEY, "family"]].assign(quantity=effect, reason=hit["event"])
    rows = rows.sort_values([*KEY, "reason"])
    return rows.groupby([*KEY, "family"], as_index=False).agg(
        quantity=("quantity", "sum"), reason=("reason", ", ".join)
    )
