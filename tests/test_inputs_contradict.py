"""Rows that contradict their table, another row or another table stop a run, all named at once."""

import pytest
from conftest import write_rows
from workbook_edits import add, cell, edit, problems, read


def test_duplicate_key(small_workbook):
    edit(small_workbook, "sales.csv", lambda rows: [*rows, rows[1]])
    found = problems(small_workbook)
    assert [p["row"] for p in found] == [2, 218]
    assert found[0]["column"] == "month + product + region"
    assert found[0]["rule"] == "key occurs more than once"
    assert "A1" in found[0]["value"]


def test_product_in_two_families(small_workbook):
    edit(small_workbook, "products.csv", lambda rows: [*rows, ["A1", "Beta", "10"]])
    rules = {(p["row"], p["column"], p["rule"]) for p in problems(small_workbook)}
    assert (5, "family", "product in two families") in rules
    assert (2, "product", "key occurs more than once") in rules


def test_unknown_region_family_and_successor(small_workbook):
    edit(small_workbook, "products.csv", lambda r: [[*r[0], "successor"], [*r[1], "A9"], *([*x, ""] for x in r[2:])])
    head = ["month", "family", "region", "quantity", "revenue"]
    add(small_workbook, "budget", head, ["2026-11", "Alhpa", "North", "1", "1"], ["2026-11", "Beta", "Nort", "1", "1"])
    found = [tuple(p.values()) for p in problems(small_workbook)]
    assert [f[:5] for f in found] == [
        ("budget.csv", 2, "family", "Alhpa", "unknown family"),
        ("budget.csv", 3, "region", "Nort", "unknown region"),
        ("products.csv", 2, "successor", "A9", "unknown product"),
    ]
    assert "did you mean 'Alpha'?" in found[0][5]
    assert "did you mean 'North'?" in found[1][5]


def test_product_or_family(small_workbook):
    head = ["event", "kind", "product", "family", "from_month", "to_month", "owner"]
    end = ["2026-11", "2026-12", "role"]
    rows = [["e1", "tactic", "A1", "", *end], ["e2", "tactic", "", "Beta", *end]]
    add(small_workbook, "events", head, *rows)
    events = read(small_workbook).tables["events"]
    assert events[["product", "family"]].values.tolist() == [["A1", "Alpha"], ["ALL", "Beta"]]
    rows += [["e3", "tactic", "", "", *end], ["e4", "fun", "A1", "Beta", *end]]
    write_rows(small_workbook / "inputs" / "events.csv", [head, *rows])
    assert [(p["row"], p["column"], p["rule"]) for p in problems(small_workbook)] == [
        (4, "product", "neither product nor family"),
        (5, "family", "not the product's family"),
        (5, "kind", "not one of promotion, tactic, account, person, one_off"),
    ]


def test_limits_and_choices(small_workbook):
    head = ["family", "unit", "strategy", "fill_target", "frozen_months"]
    add(small_workbook, "families", head, ["Alpha", "piece", "MTZ", "95", "1.5"], ["Beta", "piece", "MTS", "-0.1", "2"])
    assert [(p["row"], p["column"], p["value"], p["rule"]) for p in problems(small_workbook)] == [
        (2, "fill_target", "95", "above 1"),
        (2, "frozen_months", "1.5", "not a whole number"),
        (2, "strategy", "MTZ", "not one of MTS, MTO, ATO"),
        (3, "fill_target", "-0.1", "below 0"),
    ]


@pytest.mark.parametrize("share", ["0", "1"])
def test_a_promise_of_nothing_or_of_everything(small_workbook, share):
    add(small_workbook, "families", ["family", "unit", "strategy", "fill_target"], ["Alpha", "piece", "MTS", share])
    (found,) = problems(small_workbook)
    assert (found["file"], found["row"], found["column"]) == ("families.csv", 2, "fill_target")
    assert float(found["value"]) == float(share)
    assert found["rule"] == "not above 0 and below 1"
    assert found["remedy"] == "give a number above 0 and below 1"


def test_many_problems_at_once_are_all_listed(small_workbook):
    cell(small_workbook, "sales.csv", 2, "shipped", "ten")
    cell(small_workbook, "sales.csv", 3, "month", "soon")
    cell(small_workbook, "sales.csv", 4, "product", "Z9")
    cell(small_workbook, "sales.csv", 5, "ordered", "1,5")
    edit(small_workbook, "sales.csv", lambda rows: [*rows, rows[9]])
    cell(small_workbook, "products.csv", 3, "unit_price", "-4")
    add(small_workbook, "budget", ["month", "family", "quantity", "revenue"], ["2026-11", "Gamma", "x", "1"])
    add(small_workbook, "families", ["family", "unit"], ["Alpha", "piece"])
    with (small_workbook / "sop.toml").open("a", encoding="utf-8") as out:
        out.write('\n[inputs.inventory]\nfile = "stock.csv"\n')
    found = {(p["file"], p["row"], p["column"], p["rule"]) for p in problems(small_workbook, "2026-99")}
    key = "month + product + region"
    assert found == {
        ("sales.csv", 2, "shipped", "not a number"),
        ("sales.csv", 3, "month", "not a month"),
        ("sales.csv", 4, "product", "unknown product"),
        ("sales.csv", 5, "ordered", "not a number"),
        ("sales.csv", 10, key, "key occurs more than once"),
        ("sales.csv", 218, key, "key occurs more than once"),
        ("products.csv", 3, "unit_price", "below 0"),
        ("budget.csv", 2, "family", "unknown family"),
        ("budget.csv", 2, "quantity", "not a number"),
        ("families.csv", 1, "strategy", "column missing"),
        ("stock.csv", None, None, "file missing"),
        ("--cycle", None, "cycle", "not a month"),
    }


CHANGE = ["change", "product", "effective_month", "successor"]


def test_a_chain_of_successors_in_a_circle_is_refused_wherever_it_closes(small_workbook):
    heirs = ["successor", "A2", "", ""]
    edit(small_workbook, "products.csv", lambda rows: [[*r, s] for r, s in zip(rows, heirs, strict=True)])
    add(small_workbook, "engineering_changes", CHANGE, ["E1", "A2", "2027-01", "A1"], ["E2", "B1", "2027-01", "A1"])
    remedy = "leave successor blank at the product that stays, in "
    assert [tuple(p.values()) for p in problems(small_workbook)] == [
        ("engineering_changes.csv", 2, "successor", "A1", "successors run in a circle", remedy + "A2 > A1 > A2"),
        ("products.csv", 2, "successor", "A2", "successors run in a circle", remedy + "A1 > A2 > A1"),
    ]


def test_a_circle_counts_the_changes_ahead_alone_and_the_earliest_of_a_product(small_workbook):
    heirs = ["successor", "A2", "A1", ""]
    edit(small_workbook, "products.csv", lambda rows: [[*r, s] for r, s in zip(rows, heirs, strict=True)])
    gone, first, later = ["E1", "A1", "2024-01", "B1"], ["E2", "A1", "2027-01", "B1"], ["E3", "A1", "2027-02", "A2"]
    add(small_workbook, "engineering_changes", CHANGE, gone, later)
    assert {(p["file"], p["row"]) for p in problems(small_workbook)} == {
        ("products.csv", 2), ("products.csv", 3), ("engineering_changes.csv", 3)
    }  # fmt: skip
    edit(small_workbook, "engineering_changes.csv", lambda rows: [*rows, first])
    read(small_workbook)


def test_a_launch_is_like_itself_only_in_another_region(small_workbook):
    names = ["product", "region", "launch_month", "volume_year_1", "like_product"]
    add(small_workbook, "launches", names, ["A1", "", "2027-01", "9", "A1"], ["A2", "North", "2027-01", "9", "A2"])
    found = [(p["row"], p["column"], p["rule"]) for p in problems(small_workbook)]
    assert found == [(2, "like_product", "a launch cannot be like itself")]


def test_a_launch_outside_its_own_range_from_itself_or_of_an_unknown_product_is_refused(small_workbook):
    names = ["product", "launch_month", "volume_year_1", "low", "high", "cannibalises", "cannibalised"]
    rows = [["A1", "2027-01", "9", "10", "20", "A1", "0.5"], ["A9", "2027-01", "9", "", "", "A2", "1.5"]]
    add(small_workbook, "launches", names, *rows)
    found = {(p["row"], p["column"], p["rule"]) for p in problems(small_workbook)}
    assert found == {
        (2, "volume_year_1", "not between low and high"),
        (2, "cannibalises", "a launch cannot take from itself"),
        (3, "product", "unknown product"),
        (3, "cannibalised", "above 1"),
    }
