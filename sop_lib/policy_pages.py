"""Sections of the supply review about stock policy: how much safety stock and why, and whether it keeps its promise."""

import pandas as pd
from IPython.display import HTML

from sop_lib import page, policy_replay, supply_charts
from sop_lib.tables import ALL

__all__ = ["promise_kept", "rule_sentence", "safety_stock"]

UNITS = [*("fill rate", "cycle service"), "safety", "spread", "demand", "served", "stock", "value"]
LOOKS: dict = dict.fromkeys(UNITS, "{:,.0f}") | {"promised": "{:.1%}", "achieved": "{:.1%}", "difference": "{:+.1%}"}
MORE = (
    "A backtest has few plans, and neighbouring ones are alike: the share served could move by chance at least as far "
    "as resamples tell, that of one family farther. python -m benchmarks.replay WORKBOOK forecasts again from 36 "
    "origins and replays the policy on them."
)


def safety_stock(
    stocks: pd.DataFrame, families: pd.DataFrame, rule: str, unit: str, currency: str, most: int = 8
) -> HTML:
    """Return how much safety stock the plan holds and why: by family beside the other rule, and the largest products.

    `stocks` are rows of `safety_stocks`, `families` what `policy.by_rule` returns; `most` products are shown.
    """
    if stocks.empty:
        return page.note("Nothing is planned: no safety stock.")
    if (stocks["method"] == "none").all() and len(families):
        return page.note(
            "No forecast was tested: no error is known, and no safety stock follows. Cover days set targets."
        )
    order = stocks.sort_values(["value", "safety", "product"], ascending=[False, False, True])
    first = order[order["safety"] > 0].head(most)
    bare = int(((stocks["safety"] == 0) & (stocks["rule"] != "none")).sum())
    rest = f"; {bare} {'products need' if bare != 1 else 'product needs'} none" if bare else ""
    told = f"Safety stock by family and rule, mean of the next twelve months ({unit}; value in {currency})"
    some = f"{len(first)} products" if len(first) != 1 else "product"
    largest = f"The {some} with most money in safety stock ({unit}; value in {currency}){rest}"
    columns = ["product", "family", "demand", "safety", "value", "finding"]
    return page.together(
        page.note(rule_sentence(families, rule, unit, currency)),
        page.table(families, source="safety_stocks", caption=told, formats=LOOKS, empty="All is made to order."),
        page.table(first[columns], source="safety_stocks", caption=largest, formats=LOOKS, empty="None is needed."),
    )


def rule_sentence(families: pd.DataFrame, rule: str, unit: str, currency: str) -> str:
    """Return how much safety stock the plan's rule asks for, its value, and what the other rule would ask for."""
    whole = families[families["family"] == ALL]
    if whole.empty:
        return "Every family is made or assembled to order: no safety stock."
    row, other = whole.iloc[0], "cycle service" if rule == "fill rate" else "fill rate"
    worth = "" if pd.isna(row["value"]) else f", worth {page.money(row['value'], currency)}"
    aim = {"fill rate": "share of units from stock", "cycle service": "share of months without a shortage"}
    told = f"Safety stock by {rule} ({aim[rule]}): {page.count(row[rule])} {unit} on average of the year{worth}. "
    return told + f"By {other} ({aim[other]}) it would be {page.count(row[other])}."


def promise_kept(replayed: pd.DataFrame, unit: str) -> HTML:
    """Return what the policy promised and would have achieved on history, how sure that is, and how to replay more."""
    known = replayed.dropna(subset="achieved")
    said = policy_replay.replay_sentence(replayed)
    if known.empty:
        return page.note(said)
    told = "Promised and achieved share of units served from stock, a row for each family."
    basis = f"The policy replayed on history, on what was {replayed['basis'].iloc[0]} ({unit})"
    columns = ["family", "promised", "achieved", "difference", "origins", "demand", "served", "stock", "finding"]
    return page.together(
        page.figure(supply_charts.promises(known), title=said, alt=told, source="policy_replay"),
        page.note(MORE),
        page.table(
            replayed[columns], source="policy_replay", caption=basis, formats=LOOKS,
            labels={"origins": "plans", "stock": "stock left"},
        ),
    )  # fmt: skip
