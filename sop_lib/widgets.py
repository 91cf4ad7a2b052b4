"""The planner's workbench on the screen: ipywidgets over the batch's own functions. The batch never imports it."""

from collections.abc import Callable

import ipywidgets as w
import pandas as pd
import sqlalchemy as sa
from IPython.display import HTML

from sop_lib import overrides, page, planbook, workbench
from sop_lib.tables import ALL, empty
from sop_lib.workbench import Chosen, Desk

__all__ = ["Workbench", "opened"]

SAVED = "Saved; the next sop run takes it up."


def utc_now() -> pd.Timestamp:
    """Return the time; the only clock of the workbench."""
    return pd.Timestamp.now("UTC")


def opened(desk: Desk, url: sa.URL, interactive: bool = True) -> w.Widget | HTML:
    """Return the workbench of a cycle with its widgets, or when not interactive the same views of its largest family.

    `url` is the address of the plan book. Without widgets nothing can be saved.
    """
    if interactive:
        return Workbench(desk, url).box
    standing = planbook.current(planbook.open_book(url, readonly=True), "overrides")
    chosen = Chosen(_largest(desk))
    plan, told = _now(desk, standing)
    touching = workbench.standing_of(told, standing, chosen)
    return page.together(workbench.picture(desk, plan, chosen), workbench.details(desk, plan, touching, chosen))


def _now(desk: Desk, standing: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the demand plan with the overrides that stand now, as the next run will make it, and them in words."""
    facts = desk.tables
    plan = overrides.with_overrides(facts["demand_plan"], standing, desk.month, facts["products"])
    return plan, overrides.listed(standing, plan, desk.month)


def _largest(desk: Desk) -> str:
    return desk.tables["demand_plan"].groupby("family")["quantity"].sum().idxmax()


class Workbench:
    """The widgets of one planner on one cycle; each is an attribute, so that a test can use it as a planner would."""

    def __init__(self, desk: Desk, url: sa.URL, clock: Callable[[], pd.Timestamp] = utc_now):
        self.desk, self.url, self.clock = desk, url, clock
        self.standing = empty("overrides").assign(version=pd.Series(dtype="int64"))
        self.drafts: dict[Chosen, dict[pd.Timestamp, str]] = {}
        self.conflicts: list[tuple[dict, planbook.Conflict]] = []
        self.shown: dict[pd.Timestamp, str] = {}
        self._make()
        self.chosen = self._selection()
        self._arrange()
        self.refresh()

    # The widgets

    def _make(self) -> None:
        families, products, regions = workbench.choices(self.desk, _largest(self.desk))
        self.family = w.Dropdown(options=_named(families, "all families"), value=_largest(self.desk))
        self.product = w.Dropdown(options=_named(products, "all products"), value=ALL)
        self.region = w.Dropdown(options=_named(regions, "all regions"), value=ALL)
        for box, name in ((self.family, "Family"), (self.product, "Product"), (self.region, "Region")):
            box.description = name
            box.observe(self._choose, "value")
        self.picture, self.details, self.message = w.HTML(layout=w.Layout(max_width="860px")), w.HTML(), w.HTML()
        wide, narrow = {"description_width": "60px"}, w.Layout(width="170px")
        self.cells = {m: w.Text(description=f"{m:%b %y}", style=wide, layout=narrow) for m in self.desk.grid}
        for cell in self.cells.values():
            cell.observe(self._typed, "value")
        self.paste = w.Textarea(
            description="Paste", placeholder="a row or column of 12 cells from a spreadsheet", rows=1
        )
        self.author = w.Text(description="Author", placeholder="your role, such as demand planner")
        self.reason = w.Text(description="Reason", placeholder="why the plan changes", layout=w.Layout(width="500px"))
        self.expires = w.Text(description="Expires", placeholder="YYYY-MM, the last cycle to use it; may stay blank")
        self.driver = w.Text(description="Driver", placeholder="what in the world makes it so; may stay blank")
        self.pick = w.Dropdown(description="Override", layout=w.Layout(width="500px"))
        self.fill = self._button("Fill in", self._fill)
        self.save = self._button("Save", self._save, "primary")
        self.theirs, self.mine = self._button("Keep theirs", self._keep), self._button("Replace theirs", self._replace)
        self.withdraw = self._button("Withdraw", self._withdraw)

    def _button(self, text: str, action: Callable, style: str = "") -> w.Button:
        button = w.Button(description=text, button_style=style)
        button.on_click(action)
        return button

    def _arrange(self) -> None:
        for box in (self.picture, self.details, self.message):
            box.add_class("jp-RenderedHTMLCommon")  # page.py styles what stands in it
        grid = w.GridBox(list(self.cells.values()), layout=w.Layout(grid_template_columns="repeat(4, 180px)"))
        self.choice = w.HBox([self.mine, self.theirs])
        self.taking_back = w.HBox([self.pick, self.withdraw])
        heading = w.HTML(str(page.in_lab_style()) + "<b>New plan: type over the months that change</b>")
        self.box = w.VBox([
            w.HBox([self.family, self.product, self.region]), self.picture, heading, grid,
            w.HBox([self.paste, self.fill]), w.HBox([self.author, self.driver, self.expires]),
            w.HBox([self.reason, self.save]), self.message, self.choice, self.taking_back, self.details,
        ])  # fmt: skip

    # What it shows

    def refresh(self) -> None:
        """Read the plan book again and show what is chosen; what was typed and not saved stays typed."""
        try:
            self.standing = planbook.current(planbook.open_book(self.url, readonly=True), "overrides")
        except planbook.BookError as error:
            self._say([str(error)])
        plan, told = _now(self.desk, self.standing)
        touching = workbench.standing_of(told, self.standing, self.chosen)
        self.shown = workbench.numbers(self.desk, plan, self.chosen)
        typed = self.drafts.get(self.chosen, {})
        for month, cell in self.cells.items():
            cell.value = typed.get(month, self.shown[month])
        labels = touching["what"] + " · " + touching["months"] + " · " + touching["author"]
        self.pick.options = list(zip(labels, touching["id"], strict=True))
        self.pick.value = touching["id"].iloc[0] if len(touching) else None
        self.taking_back.layout.display = "" if len(touching) else "none"
        self.choice.layout.display = "" if self.conflicts else "none"
        self.details.value = workbench.details(self.desk, plan, touching, self.chosen).data
        self.picture.value = workbench.picture(self.desk, plan, self.chosen).data  # last: a new picture says "ready"

    def _selection(self) -> Chosen:
        return Chosen(self.family.value, self.product.value, self.region.value)

    def _choose(self, change: dict) -> None:
        if change["owner"] is self.family:
            _, products, _ = workbench.choices(self.desk, self.family.value)
            with self.product.hold_trait_notifications():
                self.product.options, self.product.value = _named(products, "all products"), ALL
        if self._selection() != self.chosen:
            left = self.drafts.get(self.chosen)
            self.chosen, self.conflicts = self._selection(), []
            self._say([f"Not saved yet, and kept: {len(left)} months of the one before."] if left else [])
            self.refresh()

    def _typed(self, change: dict) -> None:
        month = next(m for m, cell in self.cells.items() if cell is change["owner"])
        typed = self.drafts.setdefault(self.chosen, {})
        typed[month] = change["new"]
        if change["new"].strip() == self.shown[month]:
            del typed[month]

    def _say(self, sentences: list[str]) -> None:
        found = page.note(sentences[0]) if len(sentences) == 1 else page.bullets(sentences)
        self.message.value = f'<div role="status">{found.data}</div>' if sentences else ""

    # What the planner does

    def _fill(self, _button) -> None:
        texts, wrong = workbench.pasted(self.paste.value, len(self.cells))
        for cell, text in zip(self.cells.values(), texts, strict=False):
            cell.value = text
        self._say([wrong] if wrong else [f"{len(texts)} months filled in; not saved yet."])

    def _save(self, _button) -> None:
        typed = dict(sorted(self.drafts.get(self.chosen, {}).items()))
        known = {"reason": self.reason.value, "driver": self.driver.value, "expires": self.expires.value}
        values = workbench.edits(self.desk, self.chosen, typed, self.standing, **known)
        wrong = workbench.problems(self.desk, values, self.author.value)
        if wrong:
            self._say(["Nothing was saved.", *wrong])
            return
        seen = self.standing.set_index("id")["version"].to_dict()
        self._record([(v, int(seen.get(overrides.override_id(v), 0))) for v in values])

    def _record(self, values: list[tuple[dict, int]]) -> None:
        """Record each override; what somebody else changed first stays typed, and the planner is asked."""
        saved, self.conflicts, failed = 0, [], []
        signed = {"author": self.author.value, "at": self.clock(), "reason": self.reason.value}
        for value, seen in values:
            try:
                book, name = planbook.open_book(self.url), overrides.override_id(value)
                planbook.record(book, "overrides", name, value, **signed, seen=seen)
            except planbook.Conflict as conflict:
                self.conflicts.append((value, conflict))
            except (planbook.BookError, ValueError) as error:
                failed.append(str(error))
            else:
                saved += 1
                self._drop(value)
        told = [f"{SAVED} Months: {saved}."] if saved else []
        self._say([*told, *dict.fromkeys(failed), *(str(conflict) for _, conflict in self.conflicts)])
        self.refresh()

    def _drop(self, value: dict) -> None:
        self.drafts.get(self.chosen, {}).pop(pd.Timestamp(value["from_month"]), None)

    def _replace(self, _button) -> None:
        self._record([(value, conflict.version) for value, conflict in self.conflicts])

    def _keep(self, _button) -> None:
        for value, _ in self.conflicts:
            self._drop(value)
        self.conflicts = []
        self._say(["Theirs stands; nothing of yours was saved over it."])
        self.refresh()

    def _withdraw(self, _button) -> None:
        signed = {"author": self.author.value, "at": self.clock(), "reason": self.reason.value}
        seen = self.standing.set_index("id")["version"].get(self.pick.value, 0)
        try:
            planbook.withdraw(planbook.open_book(self.url), "overrides", self.pick.value, **signed, seen=int(seen))
        except planbook.BookError as error:
            self._say([str(error)])
        else:
            self._say(["Withdrawn; the next sop run plans without it."])
        self.refresh()


def _named(members: list[str], whole: str) -> list[tuple[str, str]]:
    return [(whole if member == ALL else member, member) for member in members]
