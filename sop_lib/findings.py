"""General rules that find what is wrong with the data, and the verdict whether it is fit to plan from.

A rule takes the history and the cycle's tables and returns rows of `data_issues`, counted with their money.
`RULES` lists them all, those of `breaks` too.
"""

import pandas as pd

from sop_lib import breaks, checks, history, months
from sop_lib import tables as definitions
from sop_lib.breaks import Tables, counted, issues, month_words, monthly, some, weight

__all__ = ["FORMATS", "RULES", "absent_inputs", "find_issues", "fit_to_plan", "headline", "ranked"]

NAMELESS = (
    r"\b(?:missing|unknown|unspecified|unassigned|unclassified|uncategori[sz]ed|not (?:assigned|specified|known))\b"
)
BLANK_WORDS = r"^(?:\W*|\(?(?:n\.?/?a\.?|#n/a|nan|none|null|nil|undefined|tbd)\)?)$"


def nameless_bucket(panel: pd.DataFrame, tables: Tables) -> pd.DataFrame:
    """Return products, families and regions whose name says that the name is not known, with what they hold."""
    rows: list[dict] = []
    for column in ("product", "family", "region"):
        names = panel[column].astype(str)
        hit = names.str.contains(NAMELESS, case=False) | names.str.match(BLANK_WORDS, case=False)
        for name, part in panel[hit].groupby(column):
            if column == "family" and set(part["product"]) <= {r["name"] for r in rows}:
                continue
            rows.append(_nameless_row(column, str(name), part) | {"name": name})
    return issues(rows, "name_not_known", "sales")


def _nameless_row(column: str, name: str, part: pd.DataFrame) -> dict:
    by_month = weight(part).groupby(part["month"]).sum()
    often, most = counted(int((by_month > 0).sum()), "month"), by_month.index[int(by_month.argmax())]
    return {
        "subject": f"{column} {name}", "severity": "warn", "rows": int(part["status"].eq("sold").sum()),
        "quantity": part["raw"].sum(), "money": part["revenue"].sum(min_count=1),
        "finding": f"Sales stand under the {column} '{name}' in {often}, most in {month_words(most)}.",
        "remedy": f"give these sales their {column} at the source; until then they are planned as one {column}",
    }  # fmt: skip


def without_money(panel: pd.DataFrame, tables: Tables) -> pd.DataFrame:
    """Return the rows of sales that shipped without revenue or cost, or have money without units.

    Money: the units at the product's average price or cost; for rows without units, their revenue.
    """
    worth = history.unit_values(panel, tables["products"]).rename(columns={"cost": "unit_cost"})
    sales = tables["sales"].merge(worth, on="product", how="left", validate="many_to_one")
    moved, paid = sales["shipped"] > 0, sales["revenue"].abs() > 0
    kinds = {
        "units shipped without revenue": (moved & sales["revenue"].eq(0), sales["shipped"] * sales["price"]),
        "units shipped without cost": (moved & sales["cost"].eq(0), sales["shipped"] * sales["unit_cost"]),
        "revenue without units": (sales["shipped"].eq(0) & paid, sales["revenue"].abs()),
    }
    rows = []
    for words, (hit, money) in kinds.items():
        names = some(sorted(sales.loc[hit, "product"].unique()))
        rows.append({
            "subject": words, "severity": "info", "rows": int(hit.sum()), "quantity": sales.loc[hit, "shipped"].sum(),
            "money": money[hit].sum(min_count=1),
            "finding": f"{counted(int(hit.sum()), 'row')} of sales: {words}, of {names}.",
            "remedy": "confirm that these were free goods or corrections; they count in units and pull average prices",
        })  # fmt: skip
    return issues([r for r in rows if r["rows"]], "money_missing", "sales")


def negative_months(panel: pd.DataFrame, tables: Tables) -> pd.DataFrame:
    """Return the products whose returns exceed sales in some month and region: these count as 0 in cleansed."""
    below = panel[panel["raw"] < 0]
    rows = [
        {
            "subject": product, "severity": "info", "rows": len(part), "quantity": -part["raw"].sum(),
            "money": abs(part["revenue"].sum(min_count=1)),
            "finding": f"Returns of {product} exceed its sales in {counted(len(part), 'month')} × region, first in "
            f"{month_words(part['month'].min())}; cleansed history takes them as 0.",
            "remedy": "book returns in the month of their sale if they distort it",
        }
        for product, part in below.groupby("product")
    ]  # fmt: skip
    return issues(rows, "returns_exceed_sales", "sales")


def short_history(panel: pd.DataFrame, tables: Tables) -> pd.DataFrame:
    """Return the selling products with less than 24 months of history: no season can be learnt from them.

    Money and quantity: the last 12 months.
    """
    year = panel[panel["month"] > panel["month"].max() - pd.DateOffset(months=12)]
    sums = year.groupby("product")[["cleansed", "revenue"]].sum(min_count=1)
    age = panel.groupby("product")["month"].agg(first="min", months="nunique").join(sums)
    rows = [
        {
            "subject": r.Index, "severity": "info", "rows": r.months, "quantity": r.cleansed, "money": r.revenue,
            "finding": f"{r.Index} has {counted(r.months, 'month')} of history; a season is learnt from 24 or more.",
            "remedy": "give it a like-product in launches, or plan it at family level",
        }
        for r in age[(age["months"] < 24) & (age["cleansed"] > 0)].itertuples()
    ]  # fmt: skip
    return issues(rows, "short_history", "sales")


def ended_products(panel: pd.DataFrame, tables: Tables) -> pd.DataFrame:
    """Return, in one row, the products without a sale in the last 12 months and without an end month in products.

    Money and quantity: what they ever sold. Their history goes on with zeros.
    """
    told = tables["products"].loc[tables["products"]["end_month"].notna(), "product"]
    last = panel[panel["cleansed"] > 0].groupby("product")["month"].max()
    ended = last.index[(last <= panel["month"].max() - pd.DateOffset(months=12)) & ~last.index.isin(told)]
    if ended.empty:
        return issues([], "ended_products", "products")
    part = panel[panel["product"].isin(ended)]
    row = {
        "subject": "products without a sale for a year", "severity": "info", "rows": len(ended),
        "quantity": part["cleansed"].sum(), "money": part["revenue"].sum(min_count=1),
        "finding": f"{counted(len(ended), 'product')} sold nothing in the last 12 months: {some(sorted(ended))}. "
        "Their history goes on with zeros.",
        "remedy": "give them an end_month or a successor in products",
    }  # fmt: skip
    return issues([row], "ended_products", "products")


def mixed_basis(panel: pd.DataFrame, tables: Tables) -> pd.DataFrame:
    """Return the products counted partly as ordered and partly as shipped, with the units taken from shipped."""
    sales = tables["sales"]
    ordering = sales.loc[sales["ordered"].notna(), "product"].unique()
    mixed = sales[sales["ordered"].isna() & sales["product"].isin(ordering)]
    if mixed.empty:
        return issues([], "ordered_and_shipped_mixed", "sales")
    row = {
        "subject": "shipped where no order is given", "severity": "warn", "rows": len(mixed),
        "quantity": mixed["shipped"].sum(), "money": mixed["revenue"].sum(min_count=1),
        "finding": f"{counted(len(mixed), 'row')} without ordered quantity while other rows of their product have one; "
        "their demand is what shipped, late shipments of earlier orders may count twice.",
        "remedy": "fill ordered in those rows, 0 where nothing was ordered in that month",
    }  # fmt: skip
    return issues([row], "ordered_and_shipped_mixed", "sales")


def stock_unexplained(panel: pd.DataFrame, tables: Tables) -> pd.DataFrame:
    """Return the products whose stock does not roll forward, beyond 1 % of what was there or came, or half a unit.

    Rows: months. Quantity and money: the unexplained units without sign.
    """
    rolled = history.roll_forward(tables["inventory"], tables["receipts"], tables["sales"], tables["products"])
    floor = (0.01 * (rolled["opening"].abs() + rolled["received"].abs())).clip(lower=0.5)
    off = rolled[rolled["unexplained"].abs() > floor].assign(size=lambda r: r["unexplained"].abs())
    rows = []
    for product, part in off.sort_values(["size", "month"], ascending=[False, True]).groupby("product"):
        worst = part.iloc[0]
        rows.append({
            "subject": str(product), "severity": "warn", "rows": len(part), "quantity": part["size"].sum(),
            "money": part["money"].abs().sum(min_count=1),
            "finding": f"Stock of {product} does not roll forward in {counted(len(part), 'month')}; most in "
            f"{month_words(worst['month'])}: {worst['unexplained']:+,.0f} units beyond opening + received - shipped.",
            "remedy": "count it again, or book the adjustment as a receipt with source adjustment",
        })  # fmt: skip
    return issues(rows, "stock_does_not_roll_forward", "inventory")


def history_restated(panel: pd.DataFrame, tables: Tables) -> pd.DataFrame:
    """Return the months whose demand differs from the history the previous cycle froze.

    Rows: products × regions. Quantity: the change without sign; money: at average price. A month that changed
    by more than 1 % is a warning.
    """
    changed = history.restated(panel, tables.get("earlier_history")).merge(
        history.unit_values(panel, tables["products"]), on="product", how="left", validate="many_to_one"
    )
    whole = panel.groupby("month")["raw"].sum()
    rows = [
        {
            "subject": months.month_name(month), "rows": len(part), "quantity": part["change"].abs().sum(),
            "severity": "warn" if part["change"].abs().sum() > 0.01 * whole.get(month, 0.0) else "info",
            "money": (part["change"].abs() * part["price"]).sum(min_count=1),
            "finding": f"Demand of {month_words(month)} was restated since the previous cycle: "
            f"{part['change'].sum():+,.0f} units net, in {len(part)} product × region.",
            "remedy": "ask the source why a closed month changed",
        }
        for month, part in monthly(changed)
    ]  # fmt: skip
    return issues(rows, "history_restated", "sales")


def ranked(found: pd.DataFrame) -> pd.DataFrame:
    """Return data issues worst first: blocks, then warnings, then remarks, each by the money they hold.

    >>> ranked(pd.DataFrame({"severity": ["info", "warn", "warn"], "money": [9.0, 1.0, 5.0], "rule": list("abc"),
    ...     "table": "t", "subject": "s"}))["rule"].tolist()
    ['c', 'b', 'a']
    """
    place = found["severity"].map({"block": 0, "warn": 1, "info": 2})
    order = found.assign(place=place, size=-found["money"].abs().fillna(0.0))
    order = order.sort_values(["place", "size", "rule", "table", "subject"], kind="stable", ignore_index=True)
    return order.drop(columns=["place", "size"])


def find_issues(
    panel: pd.DataFrame, tables: Tables, known: pd.DataFrame | None = None, earlier: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Return what every rule found in the history, with the issues already known, worst first.

    `tables` are the input tables by name; `earlier` is the history the previous cycle froze.
    """
    given = {**tables, **({} if earlier is None else {"earlier_history": earlier})}
    found = [rule(panel, given) for rule in RULES.values()]
    found += [] if known is None else [known[checks.ISSUE]]
    some_rows = [f for f in found if len(f)]
    return ranked(pd.concat(some_rows, ignore_index=True) if some_rows else found[0])


def fit_to_plan(found: pd.DataFrame, complete: pd.DataFrame, totals: pd.DataFrame) -> pd.DataFrame:
    """Return the conditions of planning from this data, each with whether it is met and the evidence in words.

    Fit to plan is when all are met: nothing blocks; the last closed month is complete in families that hold
    nine tenths of the usual quantity; no total of the last closed month is more than 5 % off.
    """
    blocks = found[found["severity"].eq("block")]
    lacking = complete.loc[~complete["complete"], "family"].tolist()
    share = complete.loc[~complete["complete"], "usual"].sum() / max(complete["usual"].sum(), 1e-9)
    last = complete["month"].max()
    wrong = totals[totals["month"].eq(last) & (totals["rate"].abs() > 0.05)]
    names = [f"{t.measure} against {t.source} {t.rate:+.1%}" for t in wrong.itertuples()]
    there = f"incomplete: {some(lacking)}" if lacking else "every family is there"
    agree = "none is more than 5 % off" if len(totals) else "none to compare with"
    rows = [
        ("nothing blocks", blocks.empty, some(blocks["finding"].tolist()) or "no issue blocks"),
        (f"{month_words(last)} is complete", share < 0.1, there),
        ("its totals agree with other systems", wrong.empty, some(names) or agree),
    ]
    return pd.DataFrame(rows, columns=["condition", "met", "evidence"]).astype({"met": bool})


def headline(
    conditions: pd.DataFrame, panel: pd.DataFrame, found: pd.DataFrame, complete: pd.DataFrame, totals: pd.DataFrame,
    changed: pd.DataFrame, *, basis: str, currency: str,
) -> list[str]:  # fmt: skip
    """Return the first screen of notebook 01: fit to plan or not and why, what it stands on, what differs."""
    failed = conditions[~conditions["met"]]
    reasons = "; ".join(f"{r.condition}: no, {r.evidence}" for r in failed.itertuples())
    series = panel[["product", "region"]].drop_duplicates()
    warned = found[found["severity"].eq("warn")]
    money = warned["money"].abs().max()
    which = "the first" if pd.isna(money) else f"the one that holds most money, {currency} {money:,.0f}"
    most = f"{counted(len(warned), 'warning')}; {which}: "
    whole = complete["complete"].sum()
    off = totals[~totals["agrees"]].sort_values("rate", key=abs, ascending=False, kind="stable")
    return [
        f"Fit to plan: no. {reasons}." if len(failed) else "Fit to plan: yes.",
        f"{month_words(complete['month'].max())}: {whole} of {len(complete)} families are complete.",
        _totals_sentence(totals, off),
        _restated_sentence(changed),
        most + warned["finding"].iloc[0] if len(warned) else "No rule found anything to warn of.",
        f"Demand is what was {basis}, {month_words(panel['month'].min())} to {month_words(panel['month'].max())}: "
        f"{counted(panel['product'].nunique(), 'product')}, {len(series):,} product × region series.",
    ]


def _totals_sentence(totals: pd.DataFrame, off: pd.DataFrame) -> str:
    if totals.empty:
        return "No control total or ledger was given to compare with."
    if off.empty:
        return f"All {len(totals)} totals agree with {some(sorted(totals['source'].unique()))}."
    worst = off.iloc[0]
    return (
        f"{len(off)} of {len(totals)} totals differ from other systems, most {worst['measure']} of "
        f"{month_words(worst['month'])}: {worst['difference']:+,.0f} ({worst['rate']:+.1%}) against {worst['source']}."
    )


def _restated_sentence(changed: pd.DataFrame) -> str:
    if changed.empty:
        return "No closed month was restated, as far as an earlier cycle can tell."
    net = f"{changed['change'].sum():+,.0f} units net"
    return f"The previous cycle knew {counted(changed['month'].nunique(), 'closed month')} otherwise: {net} since then."


def absent_inputs(tables: Tables) -> pd.DataFrame:
    """Return the optional input tables that are not there, with what each would unlock; not those nothing uses yet."""
    inputs = [t for t in definitions.tables().values() if t.group == "input" and not t.required and t.used]
    absent = [t for t in inputs if t.name not in tables or tables[t.name].empty]
    return pd.DataFrame([(t.name, t.unlocks) for t in absent], columns=["table", "unlocks"])


RULES = {
    "product_recode": breaks.product_recode,
    "margin_out_of_line": breaks.margin_out_of_line,
    "price_out_of_line": breaks.price_out_of_line,
    "level_step": breaks.level_step,
    "name_not_known": nameless_bucket,
    "money_missing": without_money,
    "returns_exceed_sales": negative_months,
    "short_history": short_history,
    "ended_products": ended_products,
    "ordered_and_shipped_mixed": mixed_basis,
    "stock_does_not_roll_forward": stock_unexplained,
    "history_restated": history_restated,
}
FORMATS = dict.fromkeys(["quantity", "money"], "{:,.0f}")
