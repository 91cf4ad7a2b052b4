"""The planner's workbench without a browser: what is chosen, typed and clicked, and what stands in the plan book."""

from dataclasses import replace

import nbformat
import pandas as pd
import pytest
from small_company import HOSTILE, company

from sop_lib import archive, overrides, planbook, tables, widgets, workbench
from sop_lib.workbench import Chosen

NOW = pd.Timestamp("2026-11-04 09:30", tz="UTC")
DUE = pd.DataFrame(columns=["id", "what"])  # no overrides
DEC, JAN, FEB = pd.date_range("2026-12-01", periods=3, freq="MS", unit="ns")


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    cycle = company(tmp_path_factory.mktemp("company"))
    cycle.write("accuracy", tables.empty("accuracy"))
    return cycle


@pytest.fixture
def url(book):
    for left in book.settings.folder.glob("planbook.db*"):
        left.unlink()
    return planbook.book_url(book.settings, {})


@pytest.fixture
def bench(book, url):
    """Return a workbench of Barbecues in the North, with author and reason filled in."""
    made = planner(book, url)
    made.family.value, made.region.value = "Barbecues", "North"
    return made


def planner(book, url, author="demand planner", reason="the trade fair moves to spring"):
    made = widgets.Workbench(workbench.read(book), url, clock=lambda: NOW)
    made.author.value, made.reason.value = author, reason
    return made


def standing(url):
    return planbook.current(planbook.open_book(url, readonly=True), "overrides")


def test_the_grid_holds_the_plan_of_what_is_chosen(book, bench):
    plan = book.read("demand_plan").query("family == 'Barbecues' and region == 'North'").groupby("month")["quantity"]
    assert [cell.value for cell in bench.cells.values()] == [f"{v:.0f}" for v in plan.sum().head(12)]
    assert [cell.description for cell in bench.cells.values()][:2] == ["Nov 26", "Dec 26"]


def test_a_family_offers_its_own_products_only(bench):
    assert [value for _, value in bench.product.options] == ["ALL", "Barbecues 1", "Barbecues 2"]
    bench.product.value = "Barbecues 2"
    bench.family.value = "a|b $x_1$ =1+1"
    assert bench.product.value == "ALL"


def test_saving_records_each_changed_month_once(url, bench):
    for month, text in ((DEC, "1500"), (JAN, " 1600.5 "), (FEB, "1700")):
        bench.cells[month].value = text
    bench.expires.value, bench.driver.value = "2027-02", " trade fair in March "
    bench.save.click()
    assert widgets.SAVED in bench.message.value
    kept = standing(url)
    assert kept["value"].tolist() == [1500, 1600.5, 1700]
    assert kept["from_month"].tolist() == kept["to_month"].tolist() == [DEC, JAN, FEB]
    (same,) = kept[["family", "product", "region", "kind", "author", "reason", "recorded_at"]].drop_duplicates().values
    assert list(same[:6]) == [
        "Barbecues", "ALL", "North", "absolute", "demand planner", "the trade fair moves to spring",
    ]  # fmt: skip
    assert same[6] == NOW.tz_localize(None)
    assert set(kept["expires"]) == {FEB}
    assert set(kept["driver"]) == {"trade fair in March"}
    assert not bench.drafts[bench.chosen]
    bench.save.click()
    assert "nothing was changed" in bench.message.value


def test_what_was_saved_is_found_again_by_a_new_workbench(book, url, bench):
    bench.cells[DEC].value = "1500"
    bench.save.click()
    again = planner(book, url)
    again.family.value, again.region.value = "Barbecues", "North"
    assert again.cells[DEC].value == "1500"
    assert [name for name, _ in again.pick.options] == ["Barbecues · North · Dec 26 · demand planner"]
    assert "the trade fair moves to spring" in again.details.value


def test_a_number_for_a_family_shows_in_its_products_by_their_share(bench):
    bench.cells[DEC].value = "1000"
    bench.save.click()
    bench.product.value = "Barbecues 1"
    assert bench.cells[DEC].value == "750"


def test_all_that_is_wrong_is_said_at_once_and_nothing_is_saved(book, url):
    made = planner(book, url, author=" ", reason="")
    made.cells[DEC].value, made.cells[JAN].value, made.cells[FEB].value = "many", "-5", "800"
    made.expires.value = "soon"
    made.save.click()
    said = made.message.value
    for words in ("no author", "no reason", "2026-12: value 'many' is not a number", "2027-01: value -5", "'soon'"):
        assert words in said.replace("&#39;", "'")
    assert said.count("no reason") == 1
    assert standing(url).empty
    assert made.cells[FEB].value == "800"


@pytest.mark.parametrize("text", ["", "nan", "inf", "1,250", "1 250", "12e999"])
def test_what_is_no_number_is_refused(url, bench, text):
    bench.cells[DEC].value = text
    bench.save.click()
    assert "is not a number" in bench.message.value
    assert standing(url).empty


def test_the_second_planner_is_told_who_and_what_and_may_keep_it(book, url, bench):
    other = planner(book, url, author="sales", reason="a new account")
    other.family.value, other.region.value = "Barbecues", "North"
    other.cells[DEC].value = "2000"
    other.save.click()
    bench.cells[DEC].value, bench.cells[JAN].value = "1500", "1600"
    bench.save.click()
    for words in (widgets.SAVED, "sales", "2000", "a new account"):
        assert words in bench.message.value
    assert bench.choice.layout.display == ""
    bench.theirs.click()
    assert bench.choice.layout.display == "none"
    assert bench.cells[DEC].value == "2000"
    assert standing(url).set_index("from_month")["value"].to_dict() == {DEC: 2000, JAN: 1600}


def test_the_second_planner_may_replace_it(book, url, bench):
    other = planner(book, url, author="sales", reason="a new account")
    other.family.value, other.region.value = "Barbecues", "North"
    other.cells[DEC].value = "2000"
    other.save.click()
    bench.cells[DEC].value = "1500"
    bench.save.click()
    bench.mine.click()
    assert standing(url)[["value", "author", "version"]].values.tolist() == [[1500, "demand planner", 2]]
    assert len(planbook.trail(planbook.open_book(url, readonly=True), "overrides")) == 2


def test_an_override_is_withdrawn_with_a_reason(url, bench):
    before = bench.cells[DEC].value
    bench.cells[DEC].value = "1500"
    bench.save.click()
    bench.reason.value = ""
    bench.withdraw.click()
    assert "no reason" in bench.message.value
    bench.reason.value = "the fair was cancelled"
    bench.withdraw.click()
    assert standing(url).empty
    assert bench.cells[DEC].value == before


def test_what_was_typed_and_not_saved_is_kept_while_others_are_looked_at(bench):
    bench.cells[DEC].value = "1500"
    bench.region.value = "South"
    assert "Not saved yet, and kept: 1 month" in bench.message.value
    assert bench.cells[DEC].value != "1500"
    bench.region.value = "North"
    assert bench.cells[DEC].value == "1500"


def test_a_row_or_a_column_is_pasted_and_a_wrong_size_refused(bench):
    numbers = [str(100 + n) for n in range(12)]
    for between in ("\t", "\n", "\r\n"):
        bench.paste.value = between.join(numbers) + "\r\n"
        bench.fill.click()
        assert [cell.value for cell in bench.cells.values()] == numbers
    bench.paste.value = "1\t2"
    bench.fill.click()
    assert "pasted 2 numbers, the grid has 12 months" in bench.message.value
    bench.paste.value = "\t".join(["x", *numbers[1:]])
    bench.fill.click()
    assert "is not a number" in bench.message.value
    assert [cell.value for cell in bench.cells.values()] == numbers


def test_a_newer_number_stands_for_the_one_of_an_earlier_cycle(book, url, bench):
    old = {"cycle": "2026-10", "family": "Barbecues", "region": "North", "from_month": "2026-12", "to_month": "2026-12"}
    old |= {"kind": "delta", "value": 50}
    name = overrides.override_id(old)
    planbook.record(planbook.open_book(url), "overrides", name, old, author="sales", at=NOW, reason="old")
    bench.refresh()
    bench.cells[DEC].value = "1500"
    bench.save.click()
    assert "replaced by a newer one" in overrides_shown(book, url)


def overrides_shown(book, url):
    made = planner(book, url)
    made.family.value = "Barbecues"
    return made.details.value


def test_a_closed_cycle_takes_no_overrides(book, url):
    desk = workbench.read(book)
    made = widgets.Workbench(workbench.Desk(**{**vars(desk), "open": False}), url)
    made.author.value, made.reason.value, made.cells[DEC].value = "demand planner", "a fair", "1"
    made.save.click()
    assert "2026-11 is closed" in made.message.value
    assert standing(url).empty


def test_a_plan_book_that_cannot_be_read_is_said_and_nothing_typed_is_lost(book, url, bench):
    bench.cells[DEC].value = "1500"
    (book.settings.folder / "planbook.db").write_bytes(b"no plan book" * 100)
    bench.save.click()
    assert "not a plan book" in bench.message.value
    assert bench.cells[DEC].value == "1500"


def test_names_cannot_break_the_screen(bench):
    bench.family.value = HOSTILE
    assert "<script>window.hacked" not in bench.picture.value + bench.details.value


def test_without_widgets_the_largest_family_is_shown(book, url):
    page = widgets.opened(workbench.read(book), url, interactive=False)
    assert "Barbecues · all products · all regions" in page.data
    assert not list(book.settings.folder.glob("planbook.db*"))


def test_families_with_unlike_units_are_not_added(book):
    desk = workbench.read(book)
    families = desk.tables["families"].assign(unit=["piece", "kg", "piece"])
    desk.tables["families"] = families
    assert "ALL" not in workbench.choices(desk)[0]
    assert workbench.unit(desk, Chosen("Barbecues")) == "pieces"


# What the models said and how they did


def engine(desk: workbench.Desk) -> workbench.Desk:
    """Return the desk with two regular products of Barbecues, 30 and 10 a month, and an intermittent one."""
    rows = [("Barbecues 1", "theta", 0.8, 33.0), ("Barbecues 1", "ets", 0.2, 18.0), ("Barbecues 2", "theta", 0.4, 13.0),
            ("Barbecues 2", "ets", 0.6, 8.0), ("Rare", "tsb", 1.0, 2.0)]  # fmt: skip
    weights = pd.DataFrame(rows, columns=["product", "model", "weight", "forecast"])
    weights["rule"] = (weights["product"] == "Rare").map({True: "intermittent", False: "combination"})
    mean = pd.DataFrame({"product": ["Barbecues 1", "Barbecues 2", "Rare"], "model": "combination"})
    said = pd.concat([weights[["product", "model", "forecast"]], mean.assign(forecast=[30.0, 10.0, 2.0])])
    said = said.merge(pd.DataFrame({"month": desk.horizon}), how="cross")
    scores = [(p, m, s, lag, v) for p, m in (("Barbecues 1", "theta"), ("Barbecues 1", "combination"), ("Rare", "tsb"))
              for s, v in (("wape", 0.2), ("bias", -0.1), ("mase", 0.9), ("rmsse", 0.7), ("pinball", 3.0))
              for lag in (0, 2)]  # fmt: skip
    scores = pd.DataFrame(scores, columns=["product", "model", "metric", "lag", "value"]).assign(n=6)
    made = {"weights": weights, "model_forecasts": said, "accuracy": scores}
    for name, table in made.items():
        members = table.assign(family="Barbecues", region="North", level="product-region")
        desk.tables[name] = members.assign(series="Barbecues · " + members["product"] + " · North")
    return desk


def test_the_weights_shown_are_those_that_were_used(book):
    desk = engine(workbench.read(book))
    shown = workbench.scores_of(desk, Chosen("Barbecues", "Barbecues 1", "North")).set_index("model")
    assert shown["weight"].dropna().to_dict() == {"theta": 0.8, "ets": 0.2}
    assert list(shown.index) == ["combination", "theta", "ets"]
    assert shown.loc["theta", ["wape", "bias", "mase", "wape_all"]].tolist() == [0.2, -0.1, 0.9, 0.2]
    assert "rmsse" not in shown
    said = workbench.said_of(desk, Chosen("Barbecues", "Barbecues 1", "North"))
    assert said.loc[0, ["combination", "theta", "ets"]].tolist() == [30.0, 33.0, 18.0]


def test_a_sum_has_mean_weights_by_volume_and_no_scores_of_single_models(book):
    desk = engine(workbench.read(book))
    desk.tables["weights"] = desk.tables["weights"].query("product != 'Rare'")
    desk.tables["model_forecasts"] = desk.tables["model_forecasts"].query("product != 'Rare'")
    for chosen in (Chosen("Barbecues"), Chosen(region="North"), Chosen()):
        shown = workbench.scores_of(desk, chosen).set_index("model")
        assert shown["weight"].to_dict() == pytest.approx({"theta": (24 + 4) / 40, "ets": (6 + 6) / 40})
        assert shown["wape"].isna().all()
        said = workbench.said_of(desk, chosen)
        assert said.loc[0, ["combination", "theta", "ets"]].tolist() == [40.0, 46.0, 26.0]
    assert "mean weight over its 2 series" in workbench.details(desk, desk.tables["demand_plan"], DUE, Chosen()).data


def test_of_a_share_the_models_say_that_share(book):
    desk = engine(workbench.read(book))
    whole = desk.tables["model_forecasts"].query("product == 'Barbecues 1'")
    desk.tables["model_forecasts"] = whole.assign(level="product", region="ALL", series="Barbecues · Barbecues 1")
    leaf = pd.DataFrame({"region": ["North", "South"], "mean": [20.0, 10.0]}).merge(
        pd.DataFrame({"month": desk.horizon}), how="cross"
    )
    desk.tables["forecast"] = leaf.assign(level="product-region", family="Barbecues", product="Barbecues 1", series="")
    said = workbench.said_of(desk, Chosen("Barbecues", "Barbecues 1", "North"))
    assert said.loc[0, ["combination", "theta"]].tolist() == pytest.approx([20.0, 22.0])


def test_intermittent_series_are_not_judged_by_absolute_errors(book):
    shown = workbench.scores_of(engine(workbench.read(book)), Chosen("Barbecues", "Rare", "North"))
    assert list(shown) == ["model", "weight", "rmsse", "bias", "pinball", "rmsse_all", "bias_all", "pinball_all"]
    assert shown.loc[0, ["rmsse", "bias", "pinball"]].tolist() == [0.7, -0.1, 3.0]


def test_a_cycle_of_an_older_version_opens_without_what_its_models_said(book):
    desk = workbench.read(book)
    assert desk.tables["weights"].empty
    assert workbench.said_of(desk, Chosen("Barbecues")).empty
    shown = workbench.details(desk, desk.tables["demand_plan"], DUE, Chosen("Barbecues")).data
    assert "run before each model" in shown
    assert "Too little history" in shown


def test_the_batch_does_not_import_widgets():
    from sop_lib import steps

    batch = [archive.Path(steps.notebooks_folder() / f"{step}.ipynb") for step in steps.STEPS]
    code = [c.source for path in batch for c in nbformat.read(path, 4).cells if c.cell_type == "code"]
    assert not [source for source in code if "widgets" in source or "workbench" in source]


def test_the_picture_rings_demand_as_found_and_says_why_it_was_adjusted(book, url):
    desk = workbench.read(book)
    sold = desk.tables["sold"].query("product == 'Barbecues 1' and region == 'North'").iloc[[-2]]
    one = sold.assign(cause="event", reason="<b>grill</b> week", quantity=-0.5 * sold["cleansed"])
    seen = replace(desk, tables=desk.tables | {"adjustments": one})
    chosen = Chosen("Barbecues", "Barbecues 1", "North")
    shown = workbench.months_of(seen, desk.tables["demand_plan"], chosen).set_index("month")["raw"].dropna()
    assert shown.to_dict() == {one["month"].iloc[0]: pytest.approx(1.5 * one["cleansed"].iloc[0])}
    told = workbench.adjusted(seen, chosen).data
    assert "&lt;b&gt;grill&lt;/b&gt; week" in told
    assert "<b>grill" not in told
    assert "as found" in workbench.adjusted(desk, chosen).data


def test_the_plan_of_what_is_chosen_is_told_step_by_step(book):
    plan = book.read("demand_plan").query("family == 'Barbecues'").assign(step="baseline", item="ALL")
    plan = plan.groupby(["month", "product", "region", "family", "step", "item"], as_index=False)[["quantity"]].sum()
    lifted = plan.assign(step="event", quantity=plan["quantity"] / 10)
    told = workbench.stacked(pd.concat([plan, lifted]), Chosen("Barbecues"), pd.DatetimeIndex([DEC, JAN])).data
    whole = plan[plan["month"] == DEC]["quantity"].sum()
    assert f"{whole:,.0f}" in told
    assert f"{whole / 10:+,.0f}" in told
    assert f"{whole * 1.1:,.0f}" in told
