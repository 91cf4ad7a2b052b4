"""What a planner's override means: what is wrong with it in plain words, and the cells of the plan it changes."""

import difflib
from collections.abc import Collection, Mapping

import pandas as pd

from sop_lib import months, tables

__all__ = ["apply_overrides", "check_override", "listed", "override_id", "same_cells", "with_overrides"]

KEY = ["month", "product", "region"]
CHANGES = {"absolute": "{:,.10g}", "delta": "{:+,.10g}", "percent": "{:+,.10g} %"}


def _member(values: Mapping, column: str) -> str:
    given = values.get(column)
    return tables.ALL if pd.isna(given) or not str(given).strip() else str(given).strip()


def _month(values: Mapping, column: str) -> pd.Timestamp:
    return tables.as_kind(pd.Series([values.get(column)], dtype="object"), "month").iloc[0]


def override_id(values: Mapping) -> str:
    """Return the natural key of an override, in words: its cycle, product or family, region and months.

    Two planners who change the same cells in a cycle get the same id, so that the second is told.
    A product belongs to one family, so that its family is not in the key.

    >>> override_id({"cycle": "2026-11", "product": "Grill", "from_month": "2026-12", "to_month": "2027-01"})
    '2026-11 · product Grill · ALL · 2026-12 to 2027-01'
    """
    product, family, region = (_member(values, c).replace("·", "··") for c in tables.MEMBERS)
    what = f"family {family}" if product == tables.ALL else f"product {product}"
    cycle, first, last = (f"{_month(values, c):%Y-%m}" for c in ("cycle", "from_month", "to_month"))
    return f"{cycle} · {what} · {region} · {first} to {last}"


def same_cells(standing: pd.DataFrame, values: Mapping) -> pd.DataFrame:
    """Return the standing overrides of other months or cycles that touch a cell this one changes too."""
    product, family, region = (_member(values, c) for c in tables.MEMBERS)
    same = (standing["product"] == product) & (standing["region"] == region) & (standing["id"] != override_id(values))
    if product == tables.ALL:
        same &= standing["family"] == family
    same &= standing["from_month"] <= _month(values, "to_month")
    same &= standing["to_month"] >= _month(values, "from_month")
    return standing[same].reset_index(drop=True)


def check_override(
    values: Mapping,
    products: Mapping[str, str],
    families: Collection[str],
    regions: Collection[str],
    first_open_month: pd.Timestamp,
    horizon: pd.DatetimeIndex,
) -> list[str]:
    """Return what is wrong with an override, one sentence each with its remedy; empty when it can be saved.

    `products` is each product's family; `first_open_month` the first month that may still be changed.

    >>> ahead = months.month_range(months.month("2026-11"), 3)
    >>> good = {"cycle": "2026-11", "family": "Heaters", "from_month": "2026-12", "to_month": "2026-12"}
    >>> good |= {"kind": "percent", "value": 10, "reason": "a trade fair"}
    >>> check_override(good, {"H1": "Heaters"}, ["Heaters"], ["North"], ahead[0], ahead)
    []
    >>> check_override({**good, "reason": " "}, {"H1": "Heaters"}, ["Heaters"], ["North"], ahead[0], ahead)
    ['no reason: write why the plan changes']
    """
    reason = values.get("reason")
    problems = [] if reason and str(reason).strip() else ["no reason: write why the plan changes"]
    problems += _unknown(values, {"product": products, "family": families, "region": regions})
    product, family = (_member(values, c) for c in ("product", "family"))
    if product in products and family not in (products[product], tables.ALL):
        problems.append(f"product '{product}' belongs to family '{products[product]}', not '{family}'")
    return problems + _wrong_value(values) + _wrong_months(values, first_open_month, horizon)


def _unknown(values: Mapping, known: Mapping[str, Collection[str]]) -> list[str]:
    found = []
    for column, names in known.items():
        given = _member(values, column)
        if given != tables.ALL and given not in names:
            near = difflib.get_close_matches(given, names, n=1, cutoff=0.5)
            found.append(f"unknown {column} '{given}'" + (f": did you mean '{near[0]}'?" if near else ""))
    return found


def _wrong_value(values: Mapping) -> list[str]:
    kind, value = values.get("kind"), values.get("value")
    kinds = tables.table("overrides")["kind"].choices
    if kind not in kinds:
        return [f"kind '{kind}' is not one of {', '.join(kinds)}"]
    number = tables.as_kind(pd.Series([value], dtype="object"), "number").iloc[0]
    if pd.isna(number) or abs(number) == float("inf"):
        return [f"value '{value}' is not a number: write it in digits, such as 1250.5"]
    least = {"absolute": 0, "percent": -100}.get(kind, number)
    return [f"value {number:g}: {kind} cannot be below {least}, as demand cannot be negative"] if number < least else []


def _wrong_months(values: Mapping, first_open: pd.Timestamp, horizon: pd.DatetimeIndex) -> list[str]:
    asked = ["cycle", "from_month", "to_month"] + ["expires"] * (not pd.isna(values.get("expires") or None))
    unread = [f"{c} '{values.get(c)}' is not a month: write YYYY-MM" for c in asked if pd.isna(_month(values, c))]
    if unread:
        return unread
    cycle, first, last, expires = (_month(values, c) for c in ("cycle", "from_month", "to_month", "expires"))
    name = months.month_name
    rules = {
        f"months {name(first)} to {name(last)}: the last is before the first": last < first,
        f"month {name(first)} is past or closed: {name(first_open)} is the first that can be changed": first
        < first_open,
        f"month {name(last)} is beyond the plan, which ends in {name(horizon[-1])}": last > horizon[-1],
        f"cycle {name(cycle)} is closed: record it in {name(first_open)}, the first that is open": cycle < first_open,
        f"expires {values.get('expires')}: that is before its cycle {name(cycle)}": expires < cycle,
    }
    return [sentence for sentence, broken in rules.items() if broken]


# In the demand plan


def _in_use(overrides: pd.DataFrame, cycle: pd.Timestamp) -> pd.DataFrame:
    """Return the overrides in order of recording with `left_out`: why the cycle does not use one, blank if it does."""
    rows = overrides.sort_values(["recorded_at", "id"], kind="stable", ignore_index=True).assign(left_out="")
    later, over = rows["cycle"] > cycle, rows["expires"] < cycle
    name = months.month_name
    rows.loc[over, "left_out"] = [f"expired after {name(m)}" for m in rows.loc[over, "expires"]]
    rows.loc[later, "left_out"] = [f"of the later cycle {name(m)}" for m in rows.loc[later, "cycle"]]
    newer = rows[rows["left_out"] == ""].reset_index().groupby("replaces")["index"].max()
    gone = (rows["id"].map(newer) > rows.index) & (rows["left_out"] == "")
    rows.loc[gone, "left_out"] = "replaced by a newer one"
    past = (rows["to_month"] < cycle) & (rows["left_out"] == "")
    rows.loc[past, "left_out"] = "its months are closed"
    return rows


def apply_overrides(
    plan: pd.DataFrame, overrides: pd.DataFrame, cycle: pd.Timestamp, products: pd.DataFrame
) -> pd.DataFrame:
    """Return the rows of `demand_plan` with step override: what each adds per month, product, region; units, signed.

    They are applied in the order of recording, each to the plan with those before it, and hold for the months they name
    until replaced, withdrawn or expired. A total is spread over its products and regions by the plan's own share
    (equally where the plan is zero) and kept exactly. No delta takes a month below zero.

    >>> plan = pd.DataFrame({"month": pd.Timestamp("2026-12-01"), "product": ["A", "B"], "region": "ALL", "family": "F",
    ...     "quantity": [30.0, 10.0]})
    >>> one = {"id": "1", "cycle": "2026-11", "family": "F", "from_month": "2026-12", "to_month": "2026-12"}
    >>> one |= {"kind": "absolute", "value": 60, "reason": "a fair", "author": "planner", "recorded_at": "2026-11-03"}
    >>> known = pd.DataFrame({"product": ["A", "B"], "family": "F"})
    >>> rows = tables.check("overrides", pd.DataFrame([one]))
    >>> apply_overrides(plan, rows, pd.Timestamp("2026-11-01"), known)["quantity"].tolist()
    [15.0, 5.0]
    """
    used = _in_use(overrides, cycle).query("left_out == ''")
    cells = _cells(plan, used, products)
    made = []
    for one in used.itertuples(index=False):
        chosen = _touched(cells, one)
        before = cells.loc[chosen, "quantity"]
        cells.loc[chosen, "quantity"] = _changed(before, cells.loc[chosen, "month"], one.kind, one.value)
        row = cells[chosen].assign(item=one.id, author=one.author, reason=one.reason)
        made.append(row.assign(quantity=row["quantity"] - before))
    rows = pd.concat(made, ignore_index=True) if made else cells.head(0).assign(item="", author=None, reason=None)
    return rows.assign(step="override")[[*KEY, "step", "item", "family", "quantity", "author", "reason"]]


def _cells(plan: pd.DataFrame, used: pd.DataFrame, products: pd.DataFrame) -> pd.DataFrame:
    """Return the plan per month, product, region; a product that only an override plans has zero in every region."""
    cells = plan.groupby([*KEY, "family"], as_index=False)[["quantity"]].sum()
    named = products.loc[products["product"].isin(used["product"]), ["product", "family"]]
    new = named.merge(cells[["month"]].drop_duplicates(), how="cross")
    new = new.merge(cells[["region"]].drop_duplicates(), how="cross")
    planned = pd.MultiIndex.from_frame(cells[["month", "product"]])
    new = new[~pd.MultiIndex.from_frame(new[["month", "product"]]).isin(planned)].assign(quantity=0.0)
    both = pd.concat([cells, new], ignore_index=True) if len(new) else cells
    return both.sort_values(KEY, kind="stable", ignore_index=True)


def _touched(cells: pd.DataFrame, one) -> pd.Series:
    chosen = cells["month"].between(one.from_month, one.to_month)
    for column in tables.MEMBERS:
        member = getattr(one, column)
        if member != tables.ALL and not (column == "family" and one.product != tables.ALL):
            chosen &= cells[column] == member
    return chosen


def _changed(quantity: pd.Series, month: pd.Series, kind: str, value: float) -> pd.Series:
    """Return the quantities after an override, per month the same total over all of them."""
    if kind == "percent":
        return quantity * (1 + value / 100)
    total, members = (quantity.groupby(month).transform(how) for how in ("sum", "size"))
    wanted = (total + value).clip(lower=0.0) if kind == "delta" else value
    return (quantity / total.where(total > 0)).fillna(1 / members) * wanted


def with_overrides(
    plan: pd.DataFrame, overrides: pd.DataFrame, cycle: pd.Timestamp, products: pd.DataFrame
) -> pd.DataFrame:
    """Return the demand plan with its overrides applied afresh: earlier steps as they are, and a row per override."""
    before = plan[plan["step"] != "override"].drop(columns="cycle", errors="ignore")
    rows = apply_overrides(before, overrides, cycle, products)
    return pd.concat([before, rows[list(before)]], ignore_index=True) if len(rows) else before


def listed(overrides: pd.DataFrame, plan: pd.DataFrame, cycle: pd.Timestamp) -> pd.DataFrame:
    """Return each override in words and what it adds to the demand plan over the horizon, in units, signed.

    `left_out` says why the cycle does not use one; blank when it is in force.
    """
    rows = _in_use(overrides, cycle)
    added = plan[plan["step"] == "override"].groupby("item")["quantity"].sum()
    nothing = (rows["left_out"] == "") & ~rows["id"].isin(added.index)
    rows.loc[nothing, "left_out"] = "the plan has no such product, family, region or month"
    words = [_words(one) for one in rows.itertuples(index=False)]
    rows[["what", "months", "change"]] = pd.DataFrame(words, columns=["what", "months", "change"], dtype="object")
    rows["added"] = rows["id"].map(added)
    names = ["what", "months", "kind", "change", "added", "author", "reason", "cycle", "expires", "left_out", "id"]
    return rows[names]


def _words(one) -> tuple[str, str, str]:
    what = one.product if one.product != tables.ALL else one.family
    where = "all regions" if one.region == tables.ALL else one.region
    first, last = (f"{month:%b %y}" for month in (one.from_month, one.to_month))
    span = first if first == last else f"{first} to {last}"
    return f"{'all families' if what == tables.ALL else what} · {where}", span, CHANGES[one.kind].format(one.value)
