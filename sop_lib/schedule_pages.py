"""Sections of the supply review on what the plants are told: changes inside the time fence, rates by product."""

import pandas as pd
from IPython.display import HTML

from sop_lib import master_schedule, page, supply_changes, supply_charts, supply_trials
from sop_lib.mapping import listed
from sop_lib.tables import ALL

__all__ = ["fence", "fence_sentence", "hand_off", "left_sentence", "nervous_sentence", "tie_sentence"]

KEPT = 0.01  # a frozen month that changes by less from cycle to cycle is kept
FIRST = 3  # months of the master schedule that are shown
ALIKE: dict = {"previous": "{:,.0f}", "latest": "{:,.0f}", "change": "{:+,.0f}", "change_value": "{:+,.0f}"}


# What changed against the last plan, inside the fence?


def fence(changes: pd.DataFrame, trials: pd.DataFrame, nervous: pd.DataFrame, unit: str, currency: str) -> HTML:
    """Return what changed by zone and what keeping the last plan would cost, the largest changes, and nervousness.

    `changes`, `trials` and `nervous` are `supply_changes`, `supply_trials` and `nervousness`; `unit` is blank where
    families are counted in unlike ones.
    """
    if changes.empty:
        told = page.missing("What changed against the last plan", ["past_plans"])
    else:
        told = page.together(page.note(fence_sentence(changes, trials, currency)), _changed(changes, unit, currency))
    return page.together(told, _nervous(nervous))


def fence_sentence(changes: pd.DataFrame, trials: pd.DataFrame, currency: str) -> str:
    """Return how many months of families changed inside the fence, what they are worth, and what keeping them costs."""
    zones = supply_changes.by_zone(changes).query("zone != 'liquid'")
    if zones.empty:
        return "No family has frozen or slushy months in the plan: nothing is fenced, every month may change."
    each = [f"{r.changed:,.0f} of {r.planned:,.0f} {r.zone}" for r in zones.itertuples()]
    worth = zones["value"].sum(skipna=False)
    value = f", worth {page.money(worth, currency)} at unit cost" if pd.notna(worth) and worth > 0 else ""
    said = f"Against the last plan the rate changed in {' and '.join(each)} months of families{value}."
    return f"{said} {_kept(trials, currency)}"


def _kept(trials: pd.DataFrame, currency: str) -> str:
    row = trials[trials["trial"] == supply_trials.KEPT]
    if row.empty:
        return "What keeping the last plan there would cost is not known: no costs, or its rates break another rule."
    added, words = float(row["added"].iloc[0]), str(row["finding"].iloc[0])
    lost = words.partition(", but ")[2]
    kept = f"Keeping the last plan there{f' (but {lost})' if lost else ''} would cost"
    if abs(added) < 1:
        return f"{kept} no more than the plan proposed: the changes bring nothing."
    return f"{kept} {page.money(abs(added), currency)} {'more' if added > 0 else 'less'} than the plan proposed."


def _changed(changes: pd.DataFrame, unit: str, currency: str) -> HTML:
    zones = supply_changes.by_zone(changes).drop(columns="previous")
    hidden = () if unit else ("up", "down")
    forms: dict = {"planned": "{:,.0f}", "changed": "{:,.0f}", "up": "{:+,.0f}", "down": "{:+,.0f}", "value": "{:,.0f}"}
    heads = {"planned": "months of families", "up": f"units up ({unit})", "down": f"units down ({unit})"}
    heads["value"] = f"worth of the changes, {currency}"
    first = supply_changes.largest(changes)[["finding", *ALIKE, "family", "plant", "month"]]
    said = f"The dearest changes inside the fence: each is agreed to, or the last plan stays ({currency} at unit cost)"
    none = "Nothing changed by half a unit or more."
    return page.together(
        page.table(
            zones, source="supply_changes", caption="Changes by zone of the time fence", formats=forms, labels=heads,
            hidden=hidden,
        ),
        page.table(
            first, source="supply_changes", caption=said, formats=ALIKE, hidden=("family", "plant", "month"), empty=none
        ),
    )  # fmt: skip


def nervous_sentence(nervous: pd.DataFrame) -> str:
    """Return by how much supply changed from cycle to cycle in each zone, over how many pairs, and what it means."""
    zones = supply_changes.changed_by(nervous, "zone").query("measure == 'supply'").set_index("zone")
    zones = zones[zones["nervousness"].notna()]
    if zones.empty:
        return _without_total(nervous)
    rate = {z: page.percent(zones.loc[z, "nervousness"], 1) for z in ("frozen", "slushy", "liquid") if z in zones.index}
    pairs = int(zones["cycles"].max())
    said = ", ".join(f"{value} in {zone} months" for zone, value in rate.items())
    told = f"From cycle to cycle the supply plan changed by {said}, over {pairs} pairs of plans."
    if "frozen" not in rate:
        return f"{told} No month is frozen."
    if zones.loc["frozen", "nervousness"] <= KEPT:
        return f"{told} Frozen months are kept."
    return f"{told} Frozen months should hardly change: they are not kept."


def _without_total(nervous: pd.DataFrame) -> str:
    """Return the families whose supply changed least and most, and why no total over all is known."""
    supply = nervous[(nervous["measure"] == "supply") & (nervous["family"] != ALL)]
    sums = supply.groupby("family")[["changed", "previous"]].sum().query("previous > 0")
    if sums.empty:
        return "No two plans of supply of earlier cycles can be compared: how nervous plans are is not known."
    rate = (sums["changed"] / sums["previous"]).sort_values(kind="stable")
    each = [f"{page.percent(rate[f], 1)} ({f})" for f in dict.fromkeys((rate.index[0], rate.index[-1]))]
    why = "families are counted in unlike units, and the cost of one is not known"
    return f"From cycle to cycle the supply plan changed by {' to '.join(each)}; there is no total: {why}."


def _nervous(nervous: pd.DataFrame) -> HTML:
    said, by_lag = nervous_sentence(nervous), supply_changes.changed_by(nervous, "lag")
    told = "How much demand and supply plans changed from cycle to cycle, by lag."
    drawn = by_lag["nervousness"].notna().sum() > 1
    first = (
        page.figure(supply_charts.nervous_lines(by_lag), title=said, alt=told, source="nervousness")
        if drawn
        else page.note(said)
    )
    families = nervous[(nervous["measure"] == "supply") & nervous["nervousness"].notna()]
    return first if families.empty else page.together(first, _nervous_families(families))


def _nervous_families(families: pd.DataFrame) -> HTML:
    """Return how much the supply of each family changed, by zone, all families first."""
    each = [
        supply_changes.changed_by(families, "zone", f).assign(family=f) for f in sorted(families["family"].unique())
    ]
    wide = pd.concat(each).pivot(index="family", columns="zone", values="nervousness")
    wide = wide[[z for z in supply_changes.ZONES if z in wide]].reset_index().rename_axis(columns=None)
    wide = wide.sort_values("family", key=lambda f: f.ne(ALL), kind="stable")
    caption = "Supply changed from cycle to cycle: sum of absolute changes over the sum of the earlier plan"
    return page.table(wide, source="nervousness", caption=caption, formats=dict.fromkeys(wide, "{:.1%}"))


# What goes to the master schedule?


def hand_off(schedule: pd.DataFrame, plan: pd.DataFrame, left: pd.DataFrame, unit: str) -> HTML:
    """Return that the rates by product add up to the plan, those of the first months, and who is left without.

    `plan` is the proposed `supply_plan`, `left` what `master_schedule.left_without` found.
    """
    if schedule.empty:
        return page.missing("The master schedule", ["inventory"])
    rates, most = _rates(schedule, plan), _largest(schedule)
    months: dict = {c: "{:,.0f}" for c in most if isinstance(c, pd.Timestamp)}
    heads = {"first": "first month", "owed": f"most units owed ({unit or 'units'})", "plants": "made in"}
    return page.together(
        page.note(tie_sentence(schedule, plan)),
        page.table(
            rates, source="master_schedule", caption=f"Rate of the family and sum of its products ({unit or 'units'})",
            formats={"plan": "{:,.1f}", "products": "{:,.0f}", "difference": "{:+,.1f}"}, hidden=("family",),
        ),
        page.table(most, source="master_schedule", caption="Largest products, first months", formats=months),
        page.note(left_sentence(left)),
        page.table(
            left.head(10), source="master_schedule", caption="Products that run out though their family does not",
            formats={"owed": "{:,.0f}"}, labels=heads, empty="None.",
        ),
        page.bullets([f"{family}: {rule}." for family, rule in _rules(schedule)]),
    )  # fmt: skip


def tie_sentence(schedule: pd.DataFrame, plan: pd.DataFrame) -> str:
    """Return how far the running totals of the schedule are from those of the plan, per family, plant and source."""
    key = ["family", "plant", "source"]
    sums = [
        t.pivot_table(index=key, columns="month", values="quantity", aggfunc="sum").fillna(0.0)
        for t in (plan, schedule)
    ]
    made = sums[1].reindex(index=sums[0].index, columns=sums[0].columns, fill_value=0.0).fillna(0.0)
    apart = (made.cumsum(axis=1) - sums[0].cumsum(axis=1)).abs().max().max()
    count, families = schedule["product"].nunique(), schedule["family"].nunique()
    within = f"every running total by plant and source is within {page.shown(round(apart, 3), '{:,.3g}')} units of it"
    tied = "adds up to the plan" if apart <= supply_changes.NOTICED + 1e-6 else "does NOT add up to the plan"
    return f"The schedule of {count:,} products {tied} of {families:,} families: {within}."


def left_sentence(left: pd.DataFrame) -> str:
    """Return which products run out though their family does not, and from when."""
    if left.empty:
        return "No product runs out while its family has enough, as far as stock by product is known."
    first = left["first"].min()
    places = listed(sorted({p for p in left["plants"] if p != ALL}))
    why = f" The plan gives too little to where they are made ({places})." if places else ""
    return (
        f"The family's rate hides a shortage: {listed(left['product'])} run out from {first:%b %Y} though their "
        f"families do not.{why} Agree on it before the rates go out."
    )


def _rates(schedule: pd.DataFrame, plan: pd.DataFrame) -> pd.DataFrame:
    """Return family and month with the rate of the plan and the sum of the products, first months only."""
    both = [master_schedule.by_family(t).set_index(["family", "month"])["quantity"] for t in (plan, schedule)]
    rows = pd.concat(both, axis=1, keys=["plan", "products"]).fillna(0.0).reset_index()
    rows = rows[rows["month"].isin(sorted(rows["month"].unique())[:FIRST])].sort_values(["family", "month"])
    named = rows["family"].astype(str) + ", " + [page.shown(m) for m in rows["month"]]
    rows.insert(0, "family and month", named)
    return rows.assign(difference=(rows["products"] - rows["plan"]).round(6)).drop(columns="month")


def _largest(schedule: pd.DataFrame, count: int = 10) -> pd.DataFrame:
    """Return the products with the largest rates of the first months, by month."""
    first = sorted(schedule["month"].unique())[:FIRST]
    rows = schedule[schedule["month"].isin(first)]
    wide = rows.pivot_table(index=["product", "family"], columns="month", values="quantity", aggfunc="sum").fillna(0.0)
    order = wide.sum(axis=1).sort_values(ascending=False, kind="stable").index[:count]
    return wide.loc[order].reset_index().rename_axis(columns=None)


def _rules(schedule: pd.DataFrame) -> list[tuple[str, str]]:
    """Return families that follow one rule together, and the rule."""
    rules = schedule.groupby("family")["rule"].first()
    return [(listed(part.index, most=20), rule) for rule, part in rules.groupby(rules)]
