"""Shipments written by hand: an order, a lane, days and units a row."""

import pandas as pd

from sop_lib import tables

CYCLE = pd.Timestamp("2026-11-01")
PRODUCTS = pd.DataFrame({"product": ["x", "y"], "family": ["A", "B"]})
ALIKE = pd.DataFrame({"family": ["A", "B"], "unit": "piece"})
NAMES = ["order", "line", "delivery", "leg", "product", "from", "to", "ordered_on", "requested_on", "promised_on",
         "shipped_on", "delivered_on", "ordered", "shipped"]  # fmt: skip


def shipments(*rows: tuple) -> pd.DataFrame:
    """(order, delivery, lane, product, requested, promised, shipped on, delivered on, ordered, shipped) each."""
    named = []
    for order, delivery, lane, product, requested, promised, sent, came, ordered, shipped in rows:
        start, _, end = lane.partition(">")
        dates = ["2026-08-01", requested, promised, sent, came]
        named.append((order, "1", str(delivery), "leg", product, start, end, *dates, ordered, shipped))
    return tables.check("shipments", pd.DataFrame(named, columns=NAMES))


def sent(*rows: tuple) -> pd.DataFrame:
    """(lane, product, units, days on the way) each, shipped in the last year."""
    found = []
    for n, (lane, product, units, days) in enumerate(rows):
        came = str(pd.Timestamp("2026-09-08") + pd.Timedelta(days=days))[:10]
        found.append((f"o{n}", 1, lane, product, "2026-09-20", None, "2026-09-08", came, units, units))
    return shipments(*found)
