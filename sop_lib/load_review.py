"""Load against what resources have shown they can do: every month, with the marks at which a planner looks closer."""

import numpy as np
import pandas as pd

from sop_lib.mix import label

__all__ = ["LEVELS", "load_sentence", "shares", "tight"]

#: shares of proven capacity at which a month is watched, tight, and beyond what was ever done
LEVELS = {"watch": 0.85, "tight": 0.95, "over": 1.0}


def shares(load: pd.DataFrame) -> pd.DataFrame:
    """Return, per resource (named with its plant) and month, the proven capacity and the load as shares of it.

    Proven is what history demonstrated, or capacity with overtime where that is less or nothing is known of history;
    in the resource's unit. `plan` is the load of the plan, `demand` the load if all demand were made in its month;
    infinite where there is load and nothing proven, blank where there is neither. `load` is one strategy's.

    >>> rows = pd.DataFrame({"month": pd.Timestamp("2026-11-01"), "plant": "Tarn", "resource": "press", "unit": "hours",
    ...     "load": [90.0], "capacity": [100.0], "overtime": [20.0], "demonstrated": [110.0], "unconstrained": [121.0]})
    >>> shares(rows)[["proven", "plan", "demand"]].round(2).values.tolist()
    [[110.0, 0.82, 1.1]]
    """
    numbers = ["capacity", "overtime", "demonstrated", "load", "unconstrained"]
    load = load.astype(dict.fromkeys(numbers, float))
    most = load["capacity"] + load["overtime"].fillna(0.0)
    proven = load["demonstrated"].where(lambda t: t < most, most)
    rows = pd.DataFrame({
        "resource": label(load["plant"], load["resource"]), "month": load["month"], "unit": load["unit"],
        "proven": proven, "plan": _share(load["load"], proven), "demand": _share(load["unconstrained"], proven),
    })  # fmt: skip
    return rows.sort_values(["resource", "month"], ignore_index=True)


def _share(load: pd.Series, proven: pd.Series) -> pd.Series:
    return (load.round(6) / proven.clip(lower=0.0)).round(6)


def tight(load: pd.DataFrame) -> pd.DataFrame:
    """Return, per resource, how many months pass each level, of the plan and if demand were made in its month.

    `highest` is the highest share of the plan, `first_over` the first month in which demand would pass proven capacity.
    """
    rows = shares(load)
    counts = {
        f"{what}_{name}": (rows[what] > level).groupby(rows["resource"]).sum()
        for what in ("plan", "demand")
        for name, level in LEVELS.items()
    }
    over = rows[rows["demand"] > LEVELS["over"]]
    out = pd.DataFrame(counts).assign(
        highest=rows.groupby("resource")["plan"].max(), first_over=over.groupby("resource")["month"].min()
    )
    names = ["highest", *counts, "first_over"]
    return out.rename_axis("resource").reset_index()[["resource", *names]]


def load_sentence(load: pd.DataFrame) -> str:
    """Return which resource the plan loads most against what it has shown, and in how many months it is tight.

    Where the plan loads nothing: from when on demand would load what has no capacity.
    """
    rows = tight(load)
    if rows.empty:
        return ""
    if not (rows["highest"] >= 0).any():
        return _nothing_left(rows)
    most = rows.loc[rows["highest"].fillna(-1.0).idxmax()]
    if np.isinf(most["highest"]):
        return f"The plan loads {most['resource']} in months in which it has shown no capacity at all."
    months = int(most["plan_tight"])
    when = f"above {LEVELS['tight']:.0%} in {months} of {load['month'].nunique()} months" if months else "never tight"
    return f"The plan loads {most['resource']} most: {most['highest']:.0%} of what it has shown at its peak, {when}."


def _nothing_left(rows: pd.DataFrame) -> str:
    over = rows.dropna(subset="first_over").sort_values(["first_over", "resource"])
    told = "The plan loads nothing: no resource has capacity"
    if over.empty:
        return f"{told} that is known."
    first = over.iloc[0]
    return f"{told}, and demand would load {first['resource']} from {first['first_over']:%b %Y}."
