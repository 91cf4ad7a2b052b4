"""Why units are short, for the gap review and the executive pack: in a sentence, as a waterfall, by family."""

import pandas as pd
from IPython.display import HTML
from markupsafe import Markup

from sop_lib import causes, charts, page
from sop_lib.lifting import NOT_WORTH, WAITS

__all__ = ["by_family", "counted", "headline", "steps", "waterfall", "why"]

SHOWN = 5  # limits with a bar of their own, and family-months told in words
NEEDS = ["inventory", "supply_costs", "plants"]
COUNTED = (
    "A unit counts in every month at whose end it is late, and in that in which it is lost; its margin counts once."
)
RUNS = "Units short because runs, lots or workers come in whole numbers are told first; the others share the rest."
LONG = {cause: causes.words(cause, "") for cause in (NOT_WORTH, WAITS)}  # in the step of a waterfall, in a sentence


def why(table: pd.DataFrame, *, planned: bool, unit: str, currency: str) -> HTML:
    """Return why units are short: the headline, the waterfall, families by cause, and the worst months in words.

    `table` is `gap_causes`; `planned` says whether there is an optimal plan to ask. `unit` is blank when families have
    unlike units: they are added in money then, and not at all without margins.
    """
    if not planned:
        return page.missing("Why units are short", NEEDS)
    if table.empty:
        return page.note("Nothing is short: every unit is served in its month.")
    worst = _worst(table)
    return page.together(
        page.note(Markup("{} {}").format(headline(table, unit=unit, currency=currency), counted(table))),
        page.pair(waterfall(table, unit=unit, currency=currency), by_family(table)),
        page.bullets(list(worst["finding"])),
    )  # fmt: skip


def counted(table: pd.DataFrame) -> str:
    """Return how units and their margin are counted, and whole numbers where they are a cause.

    >>> counted(pd.DataFrame({"subject": ["press"]})) == COUNTED
    True
    """
    return f"{COUNTED} {RUNS}" if table["subject"].isin(["runs and lots", "whole workers"]).any() else COUNTED


def headline(table: pd.DataFrame, *, unit: str, currency: str) -> Markup:
    """Return the part of the shortage that its first cause explains, with the cause and its months, in one sentence.

    >>> row = {"family": "A", "month": pd.Timestamp("2027-05-01"), "cause": "capacity", "subject": "press",
    ...     "quantity": 30.0, "margin": 60.0, "begins": pd.Timestamp("2027-01-01"), "binds": pd.Timestamp("2027-05-01")}
    >>> headline(pd.DataFrame([row]), unit="units", currency="EUR").striptags()
    'All 30 units late or lost: capacity of press, January 2027 to May 2027.'
    """
    if table.empty:
        return Markup("Nothing is short: every unit is served in its month.")
    column = _column(table, unit)
    if not column:
        return _first_family(table)
    sums = _sums(table, column)
    cause, subject = sums.index[0]
    part, whole = float(sums.iloc[0]), float(table[column].sum())
    told = [
        page.number(v, _shown(v, column, currency), source="gap_causes", column=column, **key)
        for v, key in ((part, {"cause": cause, "subject": subject}), (whole, {}))
    ]
    what = f"{unit} late or lost" if column == "quantity" else "margin that waits or is lost"
    rows = table[table["cause"].eq(cause) & table["subject"].eq(subject)]
    alone = table.loc[table["quantity"].astype(float) > 0, ["cause", "subject"]].drop_duplicates()
    lead = Markup("All {1} {2}") if len(alone) == 1 else Markup("{0} of {1} {2}")
    return Markup("{}: {}{}.").format(lead.format(*told, what), _words(cause, subject), _span(rows))


def waterfall(table: pd.DataFrame, *, unit: str, currency: str) -> HTML:
    """Return the shortage as bars, a step per cause up to the whole; nothing for one cause, or unlike units."""
    bars = steps(table, unit=unit, currency=currency)
    if len(bars) < 3:
        return HTML("")
    drawn = charts.waterfall(bars, str(bars["unit"].iloc[0]))
    first = bars.iloc[0]
    title = f"{first['text']} of {bars['text'].iloc[-1]} late or lost: {LONG.get(first['step'], first['step'])}"
    alt = f"Shortage by cause, in {first['unit']}, adding up to the whole; the largest cause first."
    return page.figure(drawn, title=title, alt=alt, source="gap_causes", wide=False)


def steps(table: pd.DataFrame, *, unit: str, currency: str) -> pd.DataFrame:
    """Return the bars of the waterfall, the largest limit first: step, value, start, end, total, text, floor, unit.

    The steps add up to the last row, the whole shortage, which is the sum of the table's cells: in units where families
    share one, else in margin. Limits beyond the first five stand together. Empty where families cannot be added.
    """
    column = _column(table, unit)
    if table.empty or not column:
        return pd.DataFrame(columns=["step", "value", "start", "end", "total", "text", "floor", "unit"])
    sums = _sums(table, column)
    named = [(_name(cause, subject), float(v)) for (cause, subject), v in sums.head(SHOWN).items()]
    named += [("other causes", float(sums.iloc[SHOWN:].sum()))] if len(sums) > SHOWN else []
    rows = pd.DataFrame(named, columns=["step", "value"])
    end = rows["value"].cumsum()
    bars = rows.assign(start=end.shift(fill_value=0.0), end=end, total=False)
    whole = {"step": "late or lost", "value": end.iloc[-1], "start": 0.0, "end": end.iloc[-1], "total": True}
    bars = pd.concat([bars, pd.DataFrame([whole])], ignore_index=True)
    text = [_shown(v, column, currency) for v in bars["value"]]
    return bars.assign(text=text, floor=0.0, unit=unit if column == "quantity" else f"{currency} margin")


def _column(table: pd.DataFrame, unit: str) -> str:
    """Return what families are added in: units where they share one, else margin where it can be added."""
    return "quantity" if unit else "margin" if _valued(table) else ""


def _valued(table: pd.DataFrame) -> bool:
    """Return whether every family's margin is known and none below zero, so that parts add up to a whole."""
    margin = table["margin"].astype(float)
    return bool((margin >= 0).all() and margin.sum() > 0)


def _sums(table: pd.DataFrame, column: str) -> pd.Series:
    """Return the part of each limit, the largest first."""
    sums = table.groupby(["cause", "subject"])[column].sum().astype(float)
    return sums.iloc[(-sums.round(6)).argsort(kind="stable")]


def _shown(value: float, column: str, currency: str) -> str:
    """Return units in full, so that steps can be seen to add up, and money to three digits."""
    return f"{value:,.0f}" if column == "quantity" else page.money(value, currency)


def _words(cause: str, subject: str) -> str:
    return causes.words(cause, subject)


def _name(cause: str, subject: str) -> str:
    return cause if cause in LONG else _words(cause, subject)


def _span(rows: pd.DataFrame) -> str:
    known = rows.dropna(subset=["binds"])
    if known.empty:
        return ""
    begin, end = known["begins"].min(), known["binds"].max()
    return f", {begin:%B %Y}" if begin == end else f", {begin:%B %Y} to {end:%B %Y}"


def _first_family(table: pd.DataFrame) -> Markup:
    """Return the shortest family's first cause, where families cannot be added."""
    late = table.groupby("family")["quantity"].sum().astype(float)
    family = str(late.index[late.to_numpy().argmax()])
    rest = f" Families short in all: {len(late)}, of unlike units." if len(late) > 1 else ""
    own = headline(table[table["family"] == family], unit="units", currency="")
    return Markup("{}: {}{}").format(family, own, rest)


def by_family(table: pd.DataFrame) -> HTML:
    """Return units late or lost per family (rows) and cause (columns in the order of causes), with their sum."""
    wide = table.assign(quantity=table["quantity"].astype(float)).pivot_table(
        index="family", columns="cause", values="quantity", aggfunc="sum", fill_value=0.0
    )
    wide = wide[[cause for cause in causes.WORDS if cause in wide]].rename_axis(columns=None)
    sums = wide.assign(**{"late or lost": wide.sum(axis=1)}).reset_index()
    told = "Units late or lost, by family and cause"
    return page.table(sums, source="gap_causes", caption=told, formats=dict.fromkeys(sums.columns[1:], _whole))


def _whole(value: float) -> str:
    return page.BLANK if abs(value) < 0.5 else f"{value:,.0f}"


def _worst(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that hold most margin, else most units."""
    by = "margin" if _valued(table) else "quantity"
    ranked = table.assign(most=-table[by].astype(float).round(6))
    return ranked.sort_values(["most", "month", "family", "cause", "subject"], kind="stable").head(SHOWN)
