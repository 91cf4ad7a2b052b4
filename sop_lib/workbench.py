"""What the planner's workbench shows of a cycle, and what the planner's numbers become: overrides, checked."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from IPython.display import HTML

from sop_lib import (
    approved,
    archive,
    charts,
    demand,
    finance,
    hierarchy,
    launches,
    life_cycle,
    model_review,
    months,
    overrides,
    page,
    review,
)
from sop_lib.models import BENCHMARK, COMBINATION
from sop_lib.settings import Planning
from sop_lib.tables import ALL, MEMBERS, as_kind, empty
from sop_lib.weights import SQUARED

__all__ = [
    "Chosen",
    "Desk",
    "adjusted",
    "choices",
    "details",
    "edits",
    "months_of",
    "numbers",
    "pasted",
    "picture",
    "problems",
    "read",
    "said_of",
    "scores_of",
    "stacked",
    "standing_of",
]  # fmt: skip

GRID = 12  # months that can be changed at once
LEAST = 0.05  # weight from which a model is shown in a sum


@dataclass(frozen=True)
class Chosen:
    """What the planner looks at; ALL in a member is the sum over all of it."""

    family: str = ALL
    product: str = ALL
    region: str = ALL


@dataclass(frozen=True)
class Desk:
    """What the workbench reads of one cycle; `tables` by name, `open` when the cycle may still be changed."""

    name: str
    month: pd.Timestamp
    horizon: pd.DatetimeIndex
    open: bool
    planning: Planning
    tables: dict[str, pd.DataFrame]

    @property
    def grid(self) -> pd.DatetimeIndex:
        """The months that the grid shows."""
        return self.horizon[:GRID]


def read(book: archive.Cycle) -> Desk:
    """Return what the workbench shows of a cycle that notebook 02 has written."""
    names = ("products", "families", "history", "forecast", "accuracy", "demand_plan")
    found = {name: book.read(name) for name in names}
    later = ("weights", "model_forecasts", "adjustments")  # cycles run by an older version have none
    found |= {name: book.read(name) if book.has(name) else empty(name) for name in later}
    dates = (book.read("launches"), book.read("engineering_changes"), book.month)
    found["products"] = life_cycle.dated(found["products"], *dates)[0]
    found["sold"] = launches.chained(found["history"], found["products"], book.month)
    last = [archive.previous_table(book, name) for name in approved.PLANS]
    found["past_plans"] = finance.with_own(book.read("past_plans"), *last)
    closed = archive.approved_table(book, "demand_plan").assign(stream="consensus")
    draft = last[0][~last[0]["cycle"].isin(closed["cycle"])].assign(stream=approved.OWN_DRAFT)
    own = pd.concat([part for part in (closed, draft) if len(part)] or [closed], ignore_index=True)
    found["own_plans"] = own.assign(measure="demand")[list(found["past_plans"])]
    state = book.manifest()["status"] != "closed"
    return Desk(book.name, book.month, book.horizon, state, book.settings.planning, found)


def choices(desk: Desk, family: str = ALL) -> tuple[list[str], list[str], list[str]]:
    """Return the families, the products of a family and the regions to choose from; ALL where a sum has one unit."""
    plan = desk.tables["demand_plan"]
    families, regions = sorted(plan["family"].unique()), sorted(set(plan["region"]) - {ALL})
    known = part(plan, Chosen(family))["product"].unique()
    whole = [ALL] if review.common_unit(desk.tables["families"]) else []
    return [*whole, *families], [ALL, *sorted(known)], [ALL, *regions]


def part(df: pd.DataFrame, chosen: Chosen) -> pd.DataFrame:
    """Return the rows that belong to what is chosen: a sum's parts."""
    for column in MEMBERS:
        member = getattr(chosen, column)
        df = df if member == ALL else df[df[column] == member]
    return df


def _series(df: pd.DataFrame, chosen: Chosen) -> pd.DataFrame:
    """Return the rows of the one series that is exactly what is chosen; none where no level keeps it."""
    pooled = (df["series"] == ALL) & (df["level"] != "total")
    rows = df[~pooled]
    for column in MEMBERS:
        rows = rows[rows[column] == getattr(chosen, column)]
    return rows[rows["level"] == rows["level"].iloc[0]] if len(rows) else rows


def unit(desk: Desk, chosen: Chosen) -> str:
    """Return the unit of what is chosen."""
    families = desk.tables["families"]
    return review.common_unit(families if chosen.family == ALL else families[families["family"] == chosen.family])


# What is shown


def months_of(desk: Desk, plan: pd.DataFrame, chosen: Chosen) -> pd.DataFrame:
    """Return per month demand cleansed and as found (`raw`), plan, forecast and range, and earlier plans, in units.

    `raw` only where adjustments moved it by more than a hundredth.
    """
    past = part(desk.tables["sold"], chosen).groupby("month")["cleansed"].sum().rename("actual")
    added = part(desk.tables["adjustments"], chosen).groupby("month")["quantity"].sum().reindex(past.index)
    raw = (past - added).where(added.abs() > past.abs() / 100).rename("raw")
    ahead = part(plan, chosen).groupby("month")["quantity"].sum().rename("plan")
    ranges = _series(desk.tables["forecast"], chosen).set_index("month")[["mean", "p025", "p10", "p90", "p975"]]
    earlier = [_earlier(desk, chosen, view) for view in ("previous", "approved")]
    out = pd.concat([past, raw, ahead, ranges, *earlier], axis=1).sort_index().rename_axis("month").reset_index()
    out["last_year"] = out["actual"].shift(12)
    return out[(out["month"] >= desk.month - pd.DateOffset(months=36)) & (out["month"] <= desk.horizon[-1])]


def _earlier(desk: Desk, chosen: Chosen, view) -> pd.Series:
    """Return what earlier cycles planned of it per month; of a product only where they named it."""
    past, own = desk.tables["past_plans"], desk.tables["own_plans"]
    if chosen.product != ALL:
        past = past[(past["product"] == chosen.product) & ~past["cycle"].isin(own["cycle"])]
        past = pd.concat([rows for rows in (past, own[own["product"] == chosen.product]) if len(rows)] or [past])
    past = past if chosen.region == ALL else past[past["region"] == chosen.region]
    known = finance.earlier_plans(past[past["measure"] == "demand"], desk.tables["products"])
    rows = finance.plan_view(known, desk.month, desk.planning.decision_lag, view)
    rows = rows if chosen.family == ALL else rows[rows["family"] == chosen.family]
    return rows.groupby("month")["quantity"].sum().rename(view)


def _made_of(df: pd.DataFrame, chosen: Chosen) -> pd.DataFrame:
    """Return the rows of the series that sum to what is chosen, or of the one from which it is shared out."""
    for column in MEMBERS:
        member = getattr(chosen, column)
        df = df if member == ALL else df[df[column].isin([member, ALL])]
    return df


def scores_of(desk: Desk, chosen: Chosen) -> pd.DataFrame:
    """Return the models of what is chosen: weight in the mean, and scores at the decision lag and over all lags.

    Of a sum the weights are means over its series by their forecast of the next months, small ones left out, and the
    scores are its own, which only the combination and the seasonal naive have. Intermittent series are not judged by
    absolute errors.
    """
    weights, said = (_made_of(desk.tables[name], chosen) for name in ("weights", "model_forecasts"))
    near = said[said["month"].isin(desk.grid) & (said["model"] == COMBINATION)]
    share = model_review.mean_weights(weights, near.groupby("series")["forecast"].sum())
    names = model_review.LUMPY if set(weights["rule"]) == set(SQUARED) else model_review.REGULAR
    scores = model_review.scored(_series(desk.tables["accuracy"], chosen), names, desk.planning.decision_lag)
    out = share[share["weight"] >= _least(weights)].merge(scores, on="model", how="outer", validate="one_to_one")
    place = out["model"].map({COMBINATION: 0, BENCHMARK: 2}).fillna(1)
    order = out.assign(place=place, heavy=-out["weight"]).sort_values(["place", "heavy", "model"], kind="stable").index
    return out.loc[order].reset_index(drop=True)


def _least(weights: pd.DataFrame) -> float:
    return LEAST if weights["series"].nunique() > 1 else 0.0


def said_of(desk: Desk, chosen: Chosen) -> pd.DataFrame:
    """Return month and what each model of `scores_of` says of what is chosen, in units.

    Of a sum: what it would be by that model, with the combination of the series whose rule has not the model. Of a
    share: the same share of what the model says of the whole.
    """
    made = _made_of(desk.tables["model_forecasts"], chosen)
    said = model_review.said_of(made).set_index("month")
    share = _share(desk.tables["forecast"], made, chosen).reindex(said.index, fill_value=1.0)
    said = said.mul(share, axis=0).reset_index()
    shown = dict.fromkeys([COMBINATION, *scores_of(desk, chosen)["model"]])
    shown.pop(BENCHMARK, None)
    return said[["month", *[model for model in (*shown, BENCHMARK) if model in said]]]


def _share(forecast: pd.DataFrame, made: pd.DataFrame, chosen: Chosen) -> pd.Series:
    """Return per month the share of what is chosen in the series that it is made of, by their forecasts; 1 of a sum."""
    if made.empty:
        return pd.Series(dtype=float)
    leaf = forecast[forecast["level"] == "product-region"]
    every = leaf[hierarchy.labelled(leaf, made["level"].iloc[0])["series"].isin(made["series"])]
    whole, own = (rows.groupby("month")["mean"].sum() for rows in (every, part(every, chosen)))
    return (own / whole.where(whole > 0)).fillna(1.0)


def standing_of(listed: pd.DataFrame, standing: pd.DataFrame, chosen: Chosen) -> pd.DataFrame:
    """Return of the overrides, as `overrides.listed` tells them, those that touch what is chosen."""
    touches = pd.Series(True, index=standing.index)
    for column in MEMBERS:
        member = getattr(chosen, column)
        touches &= (member == ALL) | standing[column].isin([member, ALL])
    return listed[listed["id"].isin(standing.loc[touches, "id"])].reset_index(drop=True)


def picture(desk: Desk, plan: pd.DataFrame, chosen: Chosen) -> HTML:
    """Return the chart of what is chosen: demand, plan, forecast with its range, each model, and earlier plans."""
    name, said = words(chosen), said_of(desk, chosen)
    each = said.drop(columns=[c for c in (COMBINATION, BENCHMARK) if c in said])
    return page.figure(
        charts.planner_view(months_of(desk, plan, chosen), desk.month, unit(desk, chosen) or "units", each),
        title=name, source="demand_plan",
        alt=f"Demand of three years, plan, forecast with its range, each model and earlier plans of {name}, by month.",
    )  # fmt: skip


def stacked(plan: pd.DataFrame, chosen: Chosen, grid: pd.DatetimeIndex) -> HTML:
    """Return the plan of what is chosen step by step: a row per month, a column per step, and their total."""
    rows = part(plan, chosen)
    steps = rows[rows["month"].isin(grid)].pivot_table(index="month", columns="step", values="quantity", aggfunc="sum")
    steps = steps[[step for step in demand.STEPS if step in steps]].reindex(grid).fillna(0.0)
    shown = steps.assign(plan=steps.sum(axis=1)).rename_axis("month").reset_index()
    looks: dict = dict.fromkeys(shown.columns[1:], "{:+,.0f}") | {"baseline": "{:,.0f}", "plan": "{:,.0f}"}
    told = "The plan step by step: what each adds, in units"
    return page.table(shown, source="demand_plan", caption=told, formats=looks)


def adjusted(desk: Desk, chosen: Chosen) -> HTML:
    """Return what was added to or taken from the demand of what is chosen, in the last three years, with the reason."""
    rows = part(desk.tables["adjustments"], chosen)
    rows = rows[rows["month"] >= desk.month - pd.DateOffset(months=36)]
    shown = rows.groupby(["month", "product", "cause", "reason"], as_index=False)[["quantity"]].sum()
    return page.table(
        shown.sort_values(["month", "product"], ascending=[False, True], kind="stable").head(24),
        source="adjustments", formats={"quantity": "{:+,.0f}"}, empty="None: models learn from demand as found.",
        caption="Adjustments of demand (rings in the picture: as found), the last 24 of three years",
    )  # fmt: skip


def details(desk: Desk, plan: pd.DataFrame, told: pd.DataFrame, chosen: Chosen) -> HTML:
    """Return the overrides (`told`) of what is chosen, its next months, what each model says, and how good it was."""
    ahead = months_of(desk, plan, chosen)
    ahead = ahead[ahead["month"].isin(desk.grid)].rename(columns={"mean": "forecast", "p10": "low", "p90": "high"})
    columns = ["month", "last_year", "forecast", "low", "high", "previous", "approved", "plan"]
    ahead = ahead[columns].dropna(axis="columns", how="all")
    said, scores, lag = said_of(desk, chosen), scores_of(desk, chosen), desk.planning.decision_lag
    near = said[said["month"].isin(desk.grid)]
    counts: dict = dict.fromkeys([*columns[1:], *said.columns[1:]], "{:,.0f}")
    span = f"the next {len(desk.grid)} months, {unit(desk, chosen)}"
    return page.together(
        page.table(told, source="overrides", hidden=("id",), formats={"added": "{:+,.0f}"}, caption="Overrides",
                   empty="None touches this."),
        page.pair(
            page.table(ahead, source="demand_plan", caption=f"Plan and forecast of {span}", formats=counts),
            page.table(near, source="model_forecasts", caption=f"What each model says of {span}", formats=counts,
                       labels={BENCHMARK: "naive"}, empty="This cycle was run before each model's forecast was kept."),
            least=480,
        ),
        page.table(scores, source="accuracy", caption=_about(desk, chosen), formats=review.FORMATS,
                   labels=review.score_labels(lag), empty="Too little history for a backtest."),
        page.note(model_review.range_kept(_series(desk.tables["accuracy"], chosen), lag)),
        stacked(plan, chosen, desk.grid),
        adjusted(desk, chosen),
    )  # fmt: skip


def _about(desk: Desk, chosen: Chosen) -> str:
    """Return what the weights and scores of what is chosen are of."""
    series = _made_of(desk.tables["weights"], chosen)["series"].unique()
    if len(series) > 1:
        return f"Models: mean weight over its {len(series)} series by volume, from {LEAST:.0%} on; backtest of the sum"
    same = not len(series) or series[0] in set(_series(desk.tables["forecast"], chosen)["series"])
    return "Models: weight in the mean, and backtest" + ("" if same else f" of {series[0]}, which it is a share of")


def words(chosen: Chosen) -> str:
    """Return what is chosen in words.

    >>> words(Chosen("Heaters", region="North"))
    'Heaters · all products · North'
    """
    named = {"all families": chosen.family, "all products": chosen.product, "all regions": chosen.region}
    return " · ".join(text if member == ALL else member for text, member in named.items())


# What the planner's numbers become


def numbers(desk: Desk, plan: pd.DataFrame, chosen: Chosen) -> dict[pd.Timestamp, str]:
    """Return the plan of each month of the grid as text to be edited: whole units from 100 on, else two decimals."""
    cells = part(plan, chosen).groupby("month")["quantity"].sum().reindex(desk.grid, fill_value=0.0)
    digits = np.where(cells.abs() >= 100, 0, 2)
    return {m: f"{round(v, d):.10g}" for (m, v), d in zip(cells.items(), digits.tolist(), strict=True)}


def pasted(text: str, size: int) -> tuple[list[str], str]:
    r"""Return the cells of a row or column copied from a spreadsheet, and what is wrong with it, blank when nothing is.

    >>> pasted("1\t2\t3", 3)
    (['1', '2', '3'], '')
    >>> pasted("1\n2\n", 3)[1]
    'pasted 2 numbers, the grid has 3 months: copy one row or column of 3 cells'
    """
    lines = [line.split("\t") for line in text.strip("\r\n").splitlines()]
    cells = [cell.strip() for line in lines for cell in line]
    if len(lines) > 1 and max(map(len, lines)) > 1:
        return [], f"pasted {len(lines)} rows of several cells: copy one row or column of {size} cells"
    if len(cells) != size:
        return [], f"pasted {len(cells)} numbers, the grid has {size} months: copy one row or column of {size} cells"
    wrong = [cell for cell in cells if pd.isna(_number(cell))]
    return ([], f"pasted '{wrong[0]}' is not a number: write it in digits, such as 1250.5") if wrong else (cells, "")


def _number(text: str) -> float:
    return as_kind(pd.Series([text], dtype="object"), "number").iloc[0]


def edits(
    desk: Desk, chosen: Chosen, typed: dict[pd.Timestamp, str], standing: pd.DataFrame, *,
    reason: str, driver: str = "", expires: str,
) -> list[dict]:  # fmt: skip
    """Return one absolute override for each month that was typed; it stands for an older one of the very same cells."""
    family = desk.tables["products"].set_index("product")["family"].get(chosen.product, chosen.family)
    given = {"cycle": desk.name, "family": family, "product": chosen.product, "region": chosen.region}
    given |= {"kind": "absolute", "reason": reason.strip(), "driver": driver.strip() or None}
    given |= {"expires": expires.strip() or None}
    out = []
    for month, text in typed.items():
        name, value = months.month_name(month), _number(text.strip())
        one = given | {"from_month": name, "to_month": name, "value": text.strip() if pd.isna(value) else float(value)}
        older = overrides.same_cells(standing, one)
        older = older[(older["from_month"] == month) & (older["to_month"] == month)]
        out.append(one | {"replaces": older["id"].iloc[-1] if len(older) else None})
    return out


def problems(desk: Desk, values: list[dict], author: str) -> list[str]:
    """Return all that keeps the overrides from being saved, a sentence each, with the month where it is one month's."""
    plan = desk.tables["demand_plan"]
    family = desk.tables["products"].set_index("product")["family"].to_dict()
    known = family, set(plan["family"]), set(plan["region"]), desk.month, desk.horizon
    found = {v["from_month"]: overrides.check_override(v, *known) for v in values}
    told_once = dict.fromkeys(s for said in found.values() for s in said)
    every = [s for s in told_once if all(s in said for said in found.values())]
    one = [f"{month}: {s}" for month, said in found.items() for s in said if s not in every]
    author_missing = [] if author.strip() else ["no author: write your role"]
    closed = [] if desk.open else [f"{desk.name} is closed: sop reopen makes its next version"]
    nothing = [] if values else ["nothing was changed: type a number over the plan of a month"]
    return [*closed, *nothing, *author_missing, *every, *one]
