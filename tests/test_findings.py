"""The general rules on made-up histories with one fault each, and on the real wholesaler where it is there."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sop_lib import findings, history, inputs, months, settings, tables

REPOSITORY = Path(__file__).parent.parent
IOWA = REPOSITORY.parent / "shared" / "data" / "iowa_liquor"
CYCLE = months.month("2026-11")
WHEN = months.month_range(months.month("2022-11"), 48)


def steady(names: list[str], seed: int = 7, noise: float = 0.05) -> pd.DataFrame:
    """Return four years of seasonal sales per product with a little noise; price 10, cost 6."""
    draw = np.random.default_rng(seed)
    season = 1 + 0.3 * np.sin(2 * np.pi * (WHEN.month.to_numpy() - 3) / 12)
    parts = [
        pd.DataFrame(
            {"month": WHEN, "product": n, "region": "ALL", "shipped": 1000 * season * draw.normal(1, noise, 48)}
        )
        for n in names
    ]
    rows = pd.concat(parts, ignore_index=True)
    return rows.assign(revenue=rows["shipped"] * 10, cost=rows["shipped"] * 6)


def found(sales: pd.DataFrame, *, earlier: pd.DataFrame | None = None, **more: pd.DataFrame) -> pd.DataFrame:
    """Return the issues of a company that has these sales, one family for all products."""
    given = {t.name: pd.DataFrame(columns=t.names) for t in tables.tables().values() if t.group == "input"}
    names = sorted(sales["product"].unique())
    given |= {"sales": sales, "products": pd.DataFrame({"product": names, "family": "F", "unit_cost": 6.0})} | more
    given = {name: tables.check(name, table) for name, table in given.items()}
    panel = history.complete_history(given["sales"], given["products"], CYCLE)
    issues = findings.find_issues(panel, given, earlier=earlier)
    tables.check("data_issues", issues.assign(cycle=CYCLE))
    return issues


def subjects(issues: pd.DataFrame, rule: str) -> list[str]:
    return issues.loc[issues["rule"].eq(rule), "subject"].tolist()


@pytest.mark.parametrize("seed", range(5))
def test_a_steady_company_has_no_issue(seed):
    assert found(steady(["A", "B", "C"], seed)).empty


def test_a_recode_is_found_at_its_month_and_a_declared_one_is_not():
    rows = steady(["a", "b", "c", "d"])
    later = rows["month"] >= "2024-06-01"
    codes = np.where(later & rows["product"].ne("d"), rows["product"].str.upper(), rows["product"])
    recoded = rows.assign(product=codes)
    issue = found(recoded).query("rule == 'product_recode'").iloc[0]
    assert issue["subject"] in ("2024-05", "2024-06")
    assert "3 codes end and 3 begin; 75%" in issue["finding"]
    told = pd.DataFrame({"product": ["a", "b", "c", "d", "A", "B", "C"], "family": "F"})
    told["successor"] = ["A", "B", "C", None, None, None, None]
    assert not subjects(found(recoded, products=told), "product_recode")


def test_a_month_with_wrong_cost_is_found_with_the_money_it_lacks():
    rows = steady(["A", "B"])
    wrong = rows["month"].eq("2025-02-01")
    issue = found(rows.assign(cost=rows["cost"].where(~wrong, rows["cost"] / 2))).iloc[0]
    assert (issue["rule"], issue["subject"], issue["severity"]) == ("margin_out_of_line", "2025-02", "warn")
    assert issue["money"] == pytest.approx(rows.loc[wrong, "cost"].sum() / 2)


def test_a_unit_mistaken_in_one_month_is_found():
    rows = steady(["A", "B"])
    wrong = rows["month"].eq("2025-02-01") & rows["product"].eq("A")
    rows["shipped"] = rows["shipped"].where(~wrong, rows["shipped"] * 12)
    assert subjects(found(rows), "price_out_of_line") == ["2025-02"]


@pytest.mark.parametrize("size", [0.5, -0.35])
def test_a_level_step_is_found_where_it_is_and_only_there(size):
    rows = steady(["A", "B", "C"])
    stepped = rows["product"].eq("B") & (rows["month"] >= "2025-06-01")
    amounts = ["shipped", "revenue", "cost"]
    rows[amounts] = rows[amounts].where(~stepped, rows[amounts] * (1 + size))
    assert "product B · 2025-06" in subjects(found(rows), "level_step")
    assert not any("product A" in s or "product C" in s for s in subjects(found(rows), "level_step"))


def test_growth_a_bend_and_a_single_peak_are_no_step():
    rows = steady(["A", "B", "C"])
    age = (rows["month"].dt.year - 2022) * 12 + rows["month"].dt.month
    growing = np.where(rows["product"].eq("A"), 1.015**age, 1.0)
    bent = np.where(rows["product"].eq("B"), 1.02 ** np.maximum(0, age - 34), 1.0)
    peak = np.where(rows["product"].eq("C") & rows["month"].eq("2025-08-01"), 3.0, 1.0)
    amounts = ["shipped", "revenue", "cost"]
    rows[amounts] = rows[amounts].mul(growing * bent * peak, axis=0)
    assert not subjects(found(rows), "level_step")


def test_few_of_many_series_without_a_step_are_accused():
    names = [f"P{n:03d}" for n in range(200)]
    assert len(subjects(found(steady(names, noise=0.1)), "level_step")) <= 2


@pytest.mark.parametrize("name", ["(category missing)", "Unknown", "n/a", "Not assigned", "#N/A", "?"])
def test_a_product_without_a_name_is_found(name):
    assert subjects(found(steady(["A", name])), "name_not_known") == [f"product {name}"]


@pytest.mark.parametrize("name", ["Nanotape", "Other", "Tbdex", "Nullarbor grill", "100"])
def test_a_name_that_only_looks_like_none_is_left_alone(name):
    assert not subjects(found(steady(["A", name])), "name_not_known")


def test_free_units_and_money_without_units_are_counted():
    rows = steady(["A"])
    rows.loc[3, ["shipped", "revenue"]] = [50.0, 0.0]
    rows.loc[4, "shipped"] = 0.0
    issues = found(rows).query("rule == 'money_missing'").set_index("subject")
    assert issues.loc["units shipped without revenue", ["rows", "quantity"]].tolist() == [1, 50]
    assert issues.loc["units shipped without revenue", "money"] == pytest.approx(500)
    assert issues.loc["revenue without units", "money"] == pytest.approx(rows.loc[4, "revenue"])


def test_unexplained_stock_is_found_with_its_money():
    rows = steady(["A"]).assign(shipped=100.0)
    level = pd.DataFrame({"month": WHEN, "product": "A", "on_hand": [500.0] * 40 + [430.0] * 8})
    made = pd.DataFrame({"month": WHEN, "product": "A", "source": "made", "quantity": 100.0})
    issue = found(rows, inventory=level, receipts=made).query("rule == 'stock_does_not_roll_forward'").iloc[0]
    assert (issue["rows"], issue["quantity"], issue["money"]) == (1, 70, 420)
    assert "Mar 2026: -70 units" in issue["finding"]


def test_restated_months_are_found():
    rows = steady(["A"])
    given = tables.check("products", pd.DataFrame({"product": ["A"], "family": "F"}))
    then = history.complete_history(tables.check("sales", rows), given, months.month("2026-10"))
    rows.loc[45, "shipped"] += 100
    issue = found(rows, earlier=then).query("rule == 'history_restated'").iloc[0]
    assert (issue["subject"], issue["rows"], round(issue["quantity"])) == ("2026-08", 1, 100)


def test_young_ended_and_mixed_products_are_named():
    rows = steady(["A", "B", "C"])
    rows = rows[~(rows["product"].eq("B") & (rows["month"] > "2025-03-01"))]
    rows = rows[~(rows["product"].eq("C") & (rows["month"] < "2026-01-01"))].reset_index(drop=True)
    rows["ordered"] = rows["shipped"].where(rows["product"].eq("A") & (rows["month"] > "2023-01-01"))
    issues = found(rows).set_index("rule")
    assert issues.loc["short_history", "subject"] == "C"
    assert issues.loc["ended_products", "rows"] == 1
    assert issues.loc["ordered_and_shipped_mixed", "rows"] == 3


def verdict(sales: pd.DataFrame, cycle: pd.Timestamp = CYCLE, **control: list):
    given = {t.name: pd.DataFrame(columns=t.names) for t in tables.tables().values() if t.group == "input"}
    given |= {"sales": sales, "products": pd.DataFrame({"product": sales["product"].unique(), "family": "F"})}
    given |= {"control_totals": pd.DataFrame(control)} if control else {}
    given = {name: tables.check(name, table) for name, table in given.items()}
    panel = history.complete_history(given["sales"], given["products"], cycle)
    issues, complete = findings.find_issues(panel, given), history.completeness(panel)
    totals = history.totals_compared(given["sales"], given["control_totals"], given["finance"])
    conditions = findings.fit_to_plan(issues, complete, totals)
    words = findings.headline(
        conditions, panel, issues, complete, totals, history.restated(panel, None), basis="shipped", currency="EUR"
    )
    return conditions, words


def test_fit_to_plan_says_yes_or_no_and_why():
    rows = steady(["A", "B"])
    assert verdict(rows)[1][0] == "Fit to plan: yes."
    cut = rows.assign(shipped=rows["shipped"].where(rows["month"] < "2026-10-01", rows["shipped"] / 3))
    assert verdict(cut)[1][0] == "Fit to plan: no. Oct 2026 is complete: no, incomplete: F."
    late = verdict(rows, months.month("2026-12"))
    assert late[1][0].startswith("Fit to plan: no. Nov 2026 is complete: no")
    october = rows.loc[rows["month"].eq("2026-10-01"), "shipped"].sum()
    stated = {"month": ["2026-10"], "measure": ["shipped"], "source": ["ERP"], "value": [october * 1.25]}
    conditions, words = verdict(rows, **stated)
    assert conditions["met"].tolist() == [True, True, False]
    assert "1 of 1 totals differ" in words[2]
    assert "-20.0%" in words[0]


def test_a_company_without_money_is_told_none():
    rows = steady(["A", "B"]).drop(columns=["revenue", "cost"])
    rows["shipped"] = rows["shipped"].where(rows["month"] < "2025-01-01", rows["shipped"] / 2)
    words = verdict(rows)[1]
    (told,) = [w for w in words if "warning" in w]
    assert "; the first: " in told
    assert not any("nan" in w for w in words)


@pytest.mark.parametrize("count", [1, 2, 5, 13, 30])
def test_short_histories_pass_through_every_rule(count):
    conditions, words = verdict(steady(["A"]).tail(count).reset_index(drop=True))
    assert conditions["met"].all()
    assert len(words) == 6


def test_absent_inputs_are_named_with_what_they_unlock():
    absent = findings.absent_inputs({"inventory": pd.DataFrame({"month": [1]})}).set_index("table")
    assert "inventory" not in absent.index
    assert "roll-forward" in absent.loc["receipts", "unlocks"]
    assert not {"products", "sales", "exchange_rates", "initiatives"} & set(absent.index)


@pytest.fixture(scope="module")
def iowa():
    if not IOWA.exists():
        pytest.skip("the wholesaler's files are not beside the repository")
    company = settings.load(REPOSITORY / "data" / "iowa_liquor", {"SOP_INPUTS": str(IOWA)})

    def at(cycle: str) -> pd.DataFrame:
        read = inputs.read_inputs(company, cycle)
        panel = history.complete_history(read.tables["sales"], read.tables["products"], read.cycle)
        return findings.find_issues(panel, read.tables, read.issues)

    return at


def test_the_wholesaler_shows_recode_wrong_cost_missing_category_and_the_step_of_2020(iowa):
    issues = iowa("2020-11")
    assert subjects(issues, "product_recode") == ["2016-08"]
    assert subjects(issues, "margin_out_of_line") == ["2016-08"]
    assert subjects(issues, "name_not_known") == ["product (category missing)"]
    assert "total · 2020-03" in subjects(issues, "level_step")
    nameless = issues[issues["rule"].eq("name_not_known")].iloc[0]
    assert nameless["money"] == pytest.approx(4.24e6, rel=0.01)


def test_the_wholesaler_before_2020_shows_no_step_of_2020(iowa):
    issues = iowa("2019-01")
    assert not [s for s in subjects(issues, "level_step") if "2020" in s or s.startswith("total")]
    assert subjects(issues, "product_recode") == ["2016-08"]


def test_the_sample_shows_its_planted_faults():
    read = inputs.read_inputs(settings.load(REPOSITORY / "data" / "sample", {}), "2026-11")
    panel = history.complete_history(read.tables["sales"], read.tables["products"], read.cycle)
    issues = findings.find_issues(panel, read.tables, read.issues)
    truth = pd.read_csv(REPOSITORY / "data" / "sample" / "truth.csv")
    planted = truth[truth["cause"].eq("stock does not roll forward")].iloc[0]
    stock = issues[issues["rule"].eq("stock_does_not_roll_forward")]
    assert [f"product={s}" for s in stock["subject"]] == [planted["key"]]
    assert stock["quantity"].item() == abs(planted["quantity"])
    shift = truth[truth["cause"].eq("level shift")].iloc[0]
    assert subjects(issues, "level_step") == [
        f"product {shift['key'].removeprefix('product=')} · {shift['from_month']}"
    ]
    assert {"control_totals", "finance"} <= set(issues["table"])
