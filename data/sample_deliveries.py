"""Order lines of the last year and their deliveries, by leg."""

import numpy as np
import pandas as pd
from sample_facts import (
    CLOSED,
    DCS,
    LATE_EAST,
    LATE_ELSEWHERE,
    PRODUCTS,
    REGIONS,
)
from sample_tables import grid, receipts


def shipments(log: dict, rng) -> pd.DataFrame:
    """Return order lines of the last twelve months: plant to centre, centre to customer."""
    when = ["ordered_on", "requested_on", "promised_on", "shipped_on", "delivered_on"]
    columns = ["order", "line", "delivery", "leg", "product", "from", "to", *when, "ordered", "shipped"]
    return pd.concat([to_customers(log, rng), to_centres(log)])[columns]


def order_lines(log: dict) -> pd.DataFrame:
    """Return three order lines per month, product and region; `later` is what did not ship in its month."""
    cells = grid(CLOSED, PRODUCTS["product"], REGIONS)
    cells = cells.assign(ordered=log["ordered"].ravel(), short=log["backlog"].ravel())
    cells["order"] = [f"C{n:05d}" for n in range(len(cells))]
    cells = cells[(cells["month"] >= "2025-11-01") & (cells["ordered"] > 0)]
    share = [cells["ordered"] // 3 + (cells["ordered"] % 3 >= n) for n in (1, 2, 3)]
    lines = pd.concat([cells.assign(line=n + 1, ordered=share[n]) for n in range(3)])
    lines = lines[lines["ordered"] > 0].sort_values(["order", "line"], ignore_index=True)
    after = lines.iloc[::-1].groupby("order")["ordered"].cumsum().iloc[::-1] - lines["ordered"]
    return lines.assign(later=np.clip(lines["short"] - after, 0, lines["ordered"]))


def to_customers(log: dict, rng) -> pd.DataFrame:
    """Return the deliveries of each line: at once, and in the month after what was short; East is often late."""
    lines = order_lines(log)
    day, luck, wait = (rng.random(len(lines)) for _ in range(3))
    late = luck < np.where(lines["region"] == "East", LATE_EAST, LATE_ELSEWHERE)
    lines["requested_on"] = pd.to_datetime(lines["month"]) + pd.to_timedelta(4 + (20 * day).astype(int), unit="D")
    lines["way"] = pd.to_timedelta(3 + np.where(late, 2 + (8 * wait).astype(int), 0), unit="D")
    first = lines.assign(delivery=1, shipped=lines["ordered"] - lines["later"])
    first["shipped_on"] = first["requested_on"] - pd.Timedelta(days=3)
    rest = lines[(lines["later"] > 0) & (lines["month"] < "2026-10-01")]
    rest = rest.assign(delivery=2, shipped=rest["later"], ordered=0)
    rest["shipped_on"] = pd.to_datetime(rest["month"]) + pd.DateOffset(months=1, days=4)
    return written(pd.concat([first, rest]))


def written(lines: pd.DataFrame) -> pd.DataFrame:
    """Return deliveries with their route and dates as text; a line of which nothing left has not shipped."""
    centre = {region: dc for dc, regions in DCS.items() for region in regions}
    out = lines.assign(**{"leg": "dc-customer", "from": lines["region"].map(centre), "to": lines["region"]})
    out["ordered_on"] = out["requested_on"] - pd.Timedelta(days=14)
    out["promised_on"] = out["requested_on"]
    out["shipped_on"] = out["shipped_on"].where(out["shipped"] > 0)
    out["delivered_on"] = out["shipped_on"] + out["way"]
    when = [name for name in out if name.endswith("_on")]
    out[when] = out[when].apply(lambda d: d.dt.strftime("%Y-%m-%d"))
    return out.sort_values(["order", "line", "delivery"])


def to_centres(log: dict) -> pd.DataFrame:
    """Return one transport a month, product and centre from its plant."""
    made = receipts(log).query("source == 'made' and month >= '2025-11-01'").reset_index(drop=True)
    out = made.rename(columns={"plant": "from", "location": "to", "quantity": "ordered"})
    out = out.assign(order=[f"P{n:05d}" for n in range(len(made))], line=1, delivery=1, leg="plant-dc")
    days = {"ordered_on": "02", "requested_on": "18", "promised_on": "18", "shipped_on": "16", "delivered_on": "18"}
    out = out.assign(shipped=out["ordered"], **{name: made["month"].str[:8] + day for name, day in days.items()})
    late = out.index % 29 == 0
    return out.assign(delivered_on=out["delivered_on"].where(~late, made["month"].str[:8] + "21"))
