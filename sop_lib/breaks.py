"""General rules that find where the history breaks: products recoded, prices or margins out of line, level steps.

A rule takes the history and the cycle's tables and returns rows of `data_issues`, counted with their money.
No rule knows a company: each compares a month or a product with its own past.
"""

from collections.abc import Mapping
from typing import cast

import numpy as np
import pandas as pd

from sop_lib import checks, months

__all__ = [
    "Tables",
    "counted",
    "issues",
    "level_step",
    "margin_out_of_line",
    "month_words",
    "monthly",
    "price_out_of_line",
    "product_recode",
    "some",
    "weight",
]

STEP_MONTHS, STEP_AFTER, STEP_BEFORE, STEP_SURE = 48, 6, 18, 4.5
Tables = Mapping[str, pd.DataFrame]


def issues(rows: list[dict], rule: str, table: str) -> pd.DataFrame:
    """Return rows of `data_issues` of one rule, with all their columns."""
    out = pd.DataFrame(rows).reindex(columns=checks.ISSUE).assign(rule=rule, table=table)
    return out.astype({"rows": "float64", "quantity": "float64", "money": "float64"})


def month_words(when: pd.Timestamp) -> str:
    """Return a month as sentences write it.

    >>> month_words(pd.Timestamp("2026-11-01"))
    'Nov 2026'
    """
    return f"{when:%b %Y}"


def monthly(rows: pd.DataFrame) -> list[tuple[pd.Timestamp, pd.DataFrame]]:
    """Return the rows of each month, earliest first."""
    return [(cast(pd.Timestamp, month), part) for month, part in rows.groupby("month")]


def counted(number: int, word: str) -> str:
    """Return a number with its word, in the plural unless it is one.

    >>> counted(1, "month"), counted(1200, "row")
    ('1 month', '1,200 rows')
    """
    return f"{number:,} {word}" + ("" if number == 1 else "s")


def some(names: list[str], limit: int = 3) -> str:
    """Return the first names, and how many more there are.

    >>> some(list("abcde"))
    'a, b, c and 2 more'
    """
    return ", ".join(names[:limit]) + (f" and {len(names) - limit} more" if len(names) > limit else "")


def weight(panel: pd.DataFrame) -> pd.Series:
    """Return what a row weighs: its revenue when the company gives revenue, else its units."""
    return panel["revenue"].fillna(0.0) if panel["revenue"].notna().any() else panel["cleansed"]


def product_recode(panel: pd.DataFrame, tables: Tables) -> pd.DataFrame:
    """Return the months around which many products end and others begin: the volume changes its code.

    Counted are products without a declared launch, end or successor that sold last in the three months up to a
    month, or first in the three from it. A recode: three or more on each side, holding a twentieth or more of
    the 12 months before and of the 12 after. Money and quantity: the ended codes in the 12 months before.
    """
    products = tables["products"]
    dated = products.loc[products[["launch_month", "end_month"]].notna().any(axis=1), "product"]
    told = {*dated, *products.loc[products["successor"].notna(), ["product", "successor"]].to_numpy().ravel()}
    sums = panel.assign(weight=weight(panel)).groupby(["month", "product"])[["weight", "cleansed"]].sum()
    both = sums.unstack("product").asfreq("MS").fillna(0.0)
    index, names = both.index, both["weight"].columns
    wide, units, place = both["weight"].to_numpy(), both["cleansed"].to_numpy(), np.arange(len(both))
    sold = units > 0
    first, last = sold.argmax(axis=0), len(sold) - 1 - sold[::-1].argmax(axis=0)
    free = ~names.isin(list(told)) & sold.any(axis=0)
    found: list[dict] = []
    for at in place[6:-6]:
        ended, begun = free & (last > at - 3) & (last <= at), free & (first >= at) & (first < at + 3)
        before, after = slice(max(at - 12, 0), at), slice(at + 1, at + 13)
        share = _share(wide[before], ended)
        score = min(share, _share(wide[after], begun))
        if min(ended.sum(), begun.sum()) >= 3 and score >= 0.05:
            held = {"quantity": units[before][:, ended].sum(), "money": wide[before][:, ended].sum()}
            found.append(held | {"at": at, "score": score, "share": share, "ended": ended.sum(), "begun": begun.sum()})
    return issues([_recode_row(r, index[r["at"]], panel) for r in _peaks(found)], "product_recode", "sales")


def _share(weights: np.ndarray, who: np.ndarray) -> float:
    return float(weights[:, who].sum() / max(weights.sum(), 1e-9))


def _peaks(found: list[dict]) -> list[dict]:
    """Return the strongest of each run of neighbouring months."""
    if not found:
        return []
    table = pd.DataFrame(found)
    run = table["at"].diff().gt(3).cumsum()
    return table.loc[table.groupby(run)["score"].idxmax()].to_dict("records")


def _recode_row(r: dict, month: pd.Timestamp, panel: pd.DataFrame) -> dict:
    priced = panel["revenue"].notna().any()
    return {
        "subject": months.month_name(month), "severity": "warn", "rows": r["ended"] + r["begun"],
        "quantity": r["quantity"], "money": r["money"] if priced else None,
        "finding": f"Products were recoded around {month_words(month)}: {r['ended']} codes end and {r['begun']} begin; "
        f"{r['share']:.0%} of the volume of the 12 months before changes its code.",
        "remedy": "name each ended product's successor in products, or plan at family level across that month",
    }  # fmt: skip


def _ratio_table(panel: pd.DataFrame, over: str, under: str) -> pd.DataFrame:
    """Return per month and product (ALL: together) how far the ratio of two columns is off its normal.

    Normal is the median of the six months before and six after; `off` is ratio over normal minus 1; `z` counts
    it in robust spreads of the product's own months, one percent at least.
    """
    sums = panel.groupby(["month", "product"])[[over, under]].sum(min_count=1)
    sums = sums[(sums > 0).all(axis=1)]
    total = pd.concat({"ALL": sums.groupby("month").sum()}, names=["product"]).swaplevel()
    sums = pd.concat([sums, total])
    ratio = (sums[over] / sums[under]).unstack("product").asfreq("MS")
    around = np.ma.masked_invalid(np.stack([ratio.shift(k).to_numpy() for k in range(-6, 7) if k]))
    middle = np.ma.median(around, axis=0).filled(np.nan)
    normal = pd.DataFrame(middle, ratio.index, ratio.columns).where(around.count(axis=0) >= 6)
    off = ratio / normal - 1
    spread = (1.4826 * (off - off.median()).abs().median()).clip(lower=0.01)
    parts = {"off": off, "z": off / spread, "normal": normal}
    return pd.DataFrame({name: part.stack() for name, part in parts.items()}).join(sums).reset_index()


def margin_out_of_line(panel: pd.DataFrame, tables: Tables) -> pd.DataFrame:
    """Return the months whose revenue over cost departs from its normal, in total or for products that matter.

    A product's month is out of line 6 robust spreads and 5 % off; the total 6 spreads and 2 % off. Money: the
    cost that the normal ratio would give minus the cost stated, without sign. A month is shown when its
    total is out of line, or such cost is a thousandth of a year's.
    """
    if panel[["revenue", "cost"]].isna().all().any():
        return issues([], "margin_out_of_line", "sales")
    cells = _ratio_table(panel, "revenue", "cost")
    cells["money"] = (cells["revenue"] / cells["normal"] - cells["cost"]).abs()
    off = cells[(cells["z"].abs() >= 6) & (cells["off"].abs() >= np.where(cells["product"].eq("ALL"), 0.02, 0.05))]
    floor = 0.001 * 12 * panel["cost"].sum() / panel["month"].nunique()
    words = "Revenue over cost", "have cost and revenue of that month corrected; until then its margin is no evidence"
    return issues(_off_rows(off, floor, panel, *words), "margin_out_of_line", "sales")


def price_out_of_line(panel: pd.DataFrame, tables: Tables) -> pd.DataFrame:
    """Return the months in which revenue per unit left its normal: products by half or a third, or the total.

    A product's month is out of line 8 robust spreads and half above or a third below; the total 6 spreads and
    10 % off. Mostly a unit or a quantity is mistaken. Money: the revenue concerned. A month is shown when its
    total is out of line, or such revenue is a thousandth of a year's.
    """
    if panel[["revenue", "shipped"]].isna().all().any():
        return issues([], "price_out_of_line", "sales")
    cells = _ratio_table(panel, "revenue", "shipped").assign(money=lambda c: c["revenue"])
    single = (cells["z"].abs() >= 8) & ~cells["off"].between(-1 / 3, 0.5)
    total = (cells["z"].abs() >= 6) & (cells["off"].abs() >= 0.1)
    off = cells[np.where(cells["product"].eq("ALL"), total, single)]
    floor = 0.001 * 12 * panel["revenue"].sum() / panel["month"].nunique()
    words = "Revenue per unit", "check units and quantities of that month"
    return issues(_off_rows(off, floor, panel, *words), "price_out_of_line", "sales")


def _off_rows(cells: pd.DataFrame, floor: float, panel: pd.DataFrame, what: str, remedy: str) -> list[dict]:
    """Return one row per month that is out of line in total, or by more money than `floor`."""
    rows = []
    for month, part in monthly(cells.sort_values(["month", "money"], ascending=[True, False])):
        single, total = part[part["product"].ne("ALL")], part[part["product"].eq("ALL")]
        money = max(single["money"].sum(), total["money"].sum())
        if len(total) or money >= floor:
            hit = panel["month"].eq(month) & panel["product"].isin(single["product"])
            whole = f"is {total['off'].iloc[0]:+.1%} off its normal in total" if len(total) else "is normal in total"
            names = some([f"{p.product} {p.off:+.0%}" for p in single.itertuples()])
            rows.append({
                "subject": months.month_name(month), "severity": "warn" if len(total) else "info",
                "rows": int(hit.sum()), "quantity": panel.loc[hit, "shipped"].sum(min_count=1), "money": money,
                "finding": f"{what} of {month_words(month)} {whole}; {counted(len(single), 'product')} out of line"
                + (f": {names}." if names else "."),
                "remedy": remedy,
            })  # fmt: skip
    return rows


def level_step(panel: pd.DataFrame, tables: Tables) -> pd.DataFrame:
    """Return where demand stepped to another level and stayed: in total, by family, or by product.

    Over the last 48 months, log demand per working day is fitted by month of year, trend and a step. A step is
    believed when its t-value, lowered for autocorrelation, is 4.5 or more, it is 5 % or more (product: 15 %), half
    of it comes within three months, at least six months follow, and no bent trend fits as well: the step leaves
    less than 0.9 of the bend's squares, 0.75 once a year follows. A product that only follows
    its family is left out. Money and quantity: what the step adds or takes since.
    """
    recent = panel[panel["month"] > panel["month"].max() - pd.DateOffset(months=STEP_MONTHS)]
    levels = {"total": recent.assign(total="ALL"), "family": recent, "product": recent}
    wide = {
        level: p.pivot_table(index="month", columns=level, values="cleansed", aggfunc="sum")
        for level, p in levels.items()
    }
    joined = pd.concat(wide, axis=1)
    full = joined.loc[:, (joined > 0).all()]
    if len(full) < STEP_MONTHS or full.shape[1] == 0:
        return issues([], "level_step", "sales")
    steps = _steps(full, months.working_days(full.index, tables.get("calendar")).to_numpy())
    limit = np.where(steps["month"] > full.index[-12], 0.9, 0.75)
    big = steps["step"].abs() >= np.where(steps["level"].eq("product"), 0.15, 0.05)
    steps = steps[big & (steps["sure"] >= STEP_SURE) & (steps["local"] >= 0.5) & (steps["to_bend"] < limit)]
    return issues([_step_row(s, panel) for s in _without_repeats(steps, panel).itertuples()], "level_step", "sales")


def _fit(terms: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Return the last coefficient of a least-squares fit per column, its residuals and its variance factor."""
    inverse = np.linalg.pinv(terms)
    coefficients = inverse @ values
    return coefficients[-1], values - terms @ coefficients, float((inverse @ inverse.T)[-1, -1])


def _steps(wide: pd.DataFrame, days: np.ndarray) -> pd.DataFrame:
    """Return each series' surest step: its month, size, t-value, share that is local, fit relative to a bend."""
    count = len(wide)
    values = np.log(wide.to_numpy()) - np.log(days)[:, None]
    place = np.arange(count)
    base = np.column_stack([np.eye(12)[pd.DatetimeIndex(wide.index).month - 1], place / 12])
    bends = [
        (_fit(np.column_stack([base, np.maximum(0, place - at)]), values)[1] ** 2).sum(axis=0) for at in place[3:-2]
    ]
    found = []
    for at in place[STEP_BEFORE : count - STEP_AFTER + 1]:
        after = (place >= at).astype(float)
        size, left, factor = _fit(np.column_stack([base, after]), values)
        error = np.maximum((left**2).sum(axis=0), 1e-12)
        memory = np.clip((left[1:] * left[:-1]).sum(axis=0) / error, 0, 0.9)
        sure = np.abs(size) / np.sqrt(error / (count - 14) * factor) * np.sqrt((1 - memory) / (1 + memory))
        adjusted = left + after[:, None] * size
        jump = adjusted[at : at + 3].mean(axis=0) - adjusted[at - 3 : at].mean(axis=0)
        local = jump / np.where(size == 0, 1, size)
        part = pd.DataFrame(
            {
                "step": np.expm1(size),
                "sure": sure,
                "local": local,
                "to_bend": error / np.maximum(np.min(bends, axis=0), 1e-12),
            }
        )
        found.append(
            part.assign(
                level=wide.columns.get_level_values(0), series=wide.columns.get_level_values(1), month=wide.index[at]
            )
        )
    every = pd.concat(found).sort_values("sure", ascending=False, kind="stable")
    return every.drop_duplicates(["level", "series"]).sort_values(["level", "series"], ignore_index=True)


def _without_repeats(steps: pd.DataFrame, panel: pd.DataFrame) -> pd.DataFrame:
    """Return the steps without the products that only follow their family: same way, two months, no larger by half."""
    family = panel.drop_duplicates("product").set_index("product")["family"]
    known = steps[steps["level"].eq("family")].set_index("series")
    own = steps["series"].map(family).where(steps["level"].eq("product"))
    apart = (steps["month"] - own.map(known["month"])).abs() > pd.Timedelta(days=62)
    times = steps["step"] / own.map(known["step"])
    return steps[~own.isin(known.index) | apart | ~times.between(0, 1.5)]


def _step_row(s, panel: pd.DataFrame) -> dict:
    part = panel if s.level == "total" else panel[panel[s.level].eq(s.series)]
    after = part[part["month"] >= s.month]
    who = "Total demand" if s.level == "total" else f"Demand of {s.level} {s.series}"
    due = abs(s.step / (1 + s.step))
    return {
        "subject": f"{'total' if s.level == 'total' else f'{s.level} {s.series}'} · {months.month_name(s.month)}",
        "severity": "warn", "rows": len(after),
        "quantity": after["cleansed"].sum() * due, "money": after["revenue"].sum(min_count=1) * due,
        "finding": f"{who} stepped {'up' if s.step > 0 else 'down'} by {abs(s.step):.0%} in {month_words(s.month)}, "
        "season, trend and working days taken out, and stayed there.",
        "remedy": "say whether it lasts: if not, record it as an event; if so, trust only forecasts that saw it",
    }  # fmt: skip
