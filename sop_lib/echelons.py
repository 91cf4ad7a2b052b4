"""Safety stock in a network of stages that promise each other service times: where to hold it, and how much."""

from graphlib import CycleError, TopologicalSorter
from typing import Any

import linopy
import numpy as np
import pandas as pd
import xarray as xr
from linopy import Model

from sop_lib.supply_solver import quiet

__all__ = ["guaranteed_service"]


def guaranteed_service(stages: pd.DataFrame, links: pd.DataFrame) -> pd.DataFrame:
    """Return the service times (whole periods) that cost least, with safety stock in units and its cost, per stage.

    `stages` has stage, time (of its own work), holding (money per unit), z (service factor), spread (of one
    period's demand; blank: that of the stages it serves) and optional `inbound` (service time of its outside supply)
    and `promise` (the longest time its outside customers accept; 0 for a stage that serves no other). `links` has
    supplier and customer. Any network without loops; a loop raises ValueError and is named.
    Safety stock of a stage is z × spread × √(inbound time + own time - promised time). Source: Graves and Willems,
    "Optimizing strategic safety stock placement in supply chains", *MSOM* 2 (2000); here as a one-hot MILP.
    """
    table = _ready(stages, links)
    net = np.arange(int(table["longest"].max()) + 1)
    price = (table["holding"] * table["z"] * table["spread"]).to_numpy()[:, None] * np.sqrt(net)[None, :]
    stage, time = pd.Index(table.index, name="stage"), pd.Index(net, name="net")
    linopy.options["semantics"] = "v1"
    m = Model()
    waits = m.add_variables(binary=True, coords=[stage, time], name="waits")
    inbound = m.add_variables(table["inbound"].to_xarray(), coords=[stage], name="inbound")
    promise = m.add_variables(0, table["promise"].to_xarray(), coords=[stage], name="promise", integer=True)
    waited = (waits * xr.DataArray(net.astype(float), {"net": time})).sum("net")
    m.add_constraints(waits.sum("net") == 1, name="one")
    m.add_constraints(waited - inbound + promise == table["time"].to_xarray(), name="net")
    for n, (supplier, customer) in enumerate(zip(links["supplier"], links["customer"], strict=True)):
        promised = promise.sel(stage=supplier, drop=True)
        m.add_constraints(inbound.sel(stage=customer, drop=True) - promised >= 0, name=f"link {n}")
    m.add_objective((xr.DataArray(price, {"stage": stage, "net": time}) * waits).sum())
    asked: dict[str, Any] = {"output_flag": False, "threads": 1, "mip_rel_gap": 0.0}
    with quiet():
        status, _ = m.solve("highs", io_api="direct", set_names=False, progress=False, **asked)
    if status != "ok":
        raise ValueError("no service times keep every promise: a stage promises its customers less than it can")
    return _placed(table, m)


def _ready(stages: pd.DataFrame, links: pd.DataFrame) -> pd.DataFrame:
    """Return the stages, suppliers first, with blanks filled and the longest time until a stage can deliver."""
    table = stages.set_index("stage").astype(float)
    if unknown := sorted({*links["supplier"], *links["customer"]} - set(table.index)):
        raise ValueError(f"a link names {', '.join(map(str, unknown))}, which is no stage")
    suppliers = links.groupby("customer")["supplier"].agg(list).to_dict()
    serves = links.groupby("supplier")["customer"].agg(list).to_dict()
    try:
        order = list(TopologicalSorter({s: suppliers.get(s, []) for s in table.index}).static_order())
    except CycleError as error:
        raise ValueError(f"stages supply each other in a loop: {' → '.join(map(str, error.args[1]))}") from None
    table = table.reindex(order)
    table["inbound"], table["spread"] = _column(table, "inbound").fillna(0.0), _column(table, "spread")
    last = pd.Series([0.0 if s not in serves else np.inf for s in order], order)
    table["promise"], table["longest"] = _column(table, "promise").fillna(last), 0.0
    for s in order:
        before = [table.at[x, "longest"] for x in suppliers.get(s, [])]
        table.loc[s, "longest"] = table.at[s, "time"] + max([table.at[s, "inbound"], *before])
    for s in reversed(order):
        if np.isnan(table.at[s, "spread"]):
            table.loc[s, "spread"] = np.sqrt(sum(table.at[x, "spread"] ** 2 for x in serves.get(s, [])))
    if table[["time", "holding", "z", "spread"]].isna().any(axis=None) or (table["time"] % 1 != 0).any():
        raise ValueError("every stage needs time in whole periods, holding and z, and the last ones a spread")
    return table


def _column(table: pd.DataFrame, name: str) -> pd.Series:
    return table[name] if name in table else pd.Series(np.nan, table.index)


def _placed(table: pd.DataFrame, m: Model) -> pd.DataFrame:
    """Return the solution per stage; the time a stage waits is what its suppliers promise."""
    found = {name: m.variables[name].solution.to_series().round().astype(int) for name in ("inbound", "promise")}
    out = table[["time"]].assign(**found)
    net = (out["inbound"] + out["time"] - out["promise"]).astype(int)
    out["safety"] = table["z"] * table["spread"] * np.sqrt(net)
    return out.assign(net_time=net, cost=table["holding"] * out["safety"]).rename_axis("stage").reset_index()
