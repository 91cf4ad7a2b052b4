"""Plans of record: what closed cycles planned, as rows of `past_plans`, so that later cycles are judged against it."""

from dataclasses import replace

import pandas as pd

from sop_lib import months
from sop_lib.checks import issue, issues
from sop_lib.inputs import Inputs
from sop_lib.mapping import listed
from sop_lib.tables import ALL

__all__ = ["OWN_DRAFT", "PLANS", "STREAMS", "opinions", "own_plans", "proposed", "with_closed"]

PLANS = ("demand_plan", "inventory_plan", "scenario_comparison")
OWN_DRAFT = "own draft"  # the stream of an own cycle's plan that nobody has approved
STREAMS = {"consensus": 0, OWN_DRAFT: 0, "statistical": 1}
WITH = {"with launches": {"launch", "cannibalisation"}, "with events": {"event"}, "with streams": {"stream"}}
MEASURES = {"supply": "supply", "closing": "inventory", "backlog": "backlog"}


def proposed(plan: pd.DataFrame, comparison: pd.DataFrame, scenario: str = "base") -> pd.DataFrame:
    """Return the rows of the strategy that `scenario_comparison` proposes, of one scenario; none without a proposal.

    Where both tables hold cycles, each cycle's own proposal counts.
    """
    key = [c for c in ("cycle", "scenario", "strategy") if c in plan and c in comparison]
    is_proposed = (comparison["measure"] == "proposed") & (comparison["value"] == 1)
    chosen = comparison.loc[is_proposed & (comparison["scenario"] == scenario), key]
    return plan.merge(chosen, on=key, how="inner", validate="many_to_one")


def own_plans(demand_plan: pd.DataFrame, inventory_plan: pd.DataFrame, comparison: pd.DataFrame) -> pd.DataFrame:
    """Return plans of own cycles as rows of `past_plans`, in units: one cycle's tables, or several cycles' together.

    Stream consensus: demand per family and region as the sum over all steps, and the family's supply, closing
    stock and backlog of the proposed strategy. Stream statistical: demand of the baseline alone, and 'with launches',
    'with events', 'with streams' what it was after these steps, so that what each added can be judged.
    `comparison` is `scenario_comparison`; a cycle without a proposal has demand alone.
    """
    key = ["cycle", "month", "family", "region"]
    steps = {"consensus": set(demand_plan["step"])} | _cumulative(set(demand_plan["step"]))
    rows = {name: demand_plan[demand_plan["step"].isin(among)] for name, among in steps.items()}
    sums = [part.groupby(key, as_index=False)[["quantity"]].sum().assign(stream=name) for name, part in rows.items()]
    demand = pd.concat(sums, ignore_index=True).assign(measure="demand")
    stock = (
        proposed(inventory_plan, comparison)
        .rename(columns=MEASURES)
        .melt(["cycle", "month", "family"], list(MEASURES.values()), var_name="measure", value_name="quantity")
    )
    parts = [demand, stock.assign(stream="consensus", region=ALL)]
    rows = pd.concat([p for p in parts if len(p)] or [demand], ignore_index=True).assign(product=ALL)
    return rows[["cycle", "stream", "measure", "month", "family", "product", "region", "quantity"]]


def _cumulative(steps: set[str]) -> dict[str, set[str]]:
    """Return the steps that each stream of an own plan holds, in their order.

    >>> _cumulative({"baseline", "event", "override"})["with events"] == {"baseline", "event"}
    True
    """
    found = {"statistical": {"baseline"}}
    for name, own in WITH.items():
        if own & steps:
            found[name] = set().union(*found.values(), own)
    return found


def opinions(past_plans: pd.DataFrame) -> pd.Series:
    """Return which rows are no plan: all of a stream that speaks of demand and is not consensus or statistical."""
    demand = past_plans.loc[past_plans["measure"] == "demand", "stream"].unique()
    return past_plans["stream"].isin(set(demand) - set(STREAMS))


def with_closed(found: Inputs, own: pd.DataFrame) -> Inputs:
    """Return the inputs with `own` (rows of `own_plans` of closed cycles) in `past_plans`, counted in the issues.

    For a cycle that we closed ourselves, our plan of record goes before what a file says was planned;
    opinions of other streams stay.
    """
    if own.empty:
        return found
    given = found.tables["past_plans"]
    gone = given["cycle"].isin(own["cycle"]) & ~opinions(given)
    rows = pd.concat([p for p in (given[~gone], own) if len(p)], ignore_index=True)
    names = listed(months.month_name(m) for m in sorted(own["cycle"].unique()))
    text = f"Judged against the approved plan of {names}, as it was closed."
    if gone.any():
        text += f" {int(gone.sum()):,} rows of past_plans about the same cycles give way to it."
    told = issue("plan_of_record", "past_plans", names, text, "none needed", severity="info", rows=len(own))
    remarks = issues([*found.issues.to_dict("records"), told])
    return replace(found, tables=found.tables | {"past_plans": rows[list(given)]}, issues=remarks)
