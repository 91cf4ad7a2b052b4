"""Every table's definition, and what its checks say."""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import settings as law
from hypothesis import strategies as st

from sop_lib import tables

KINDS = {"text", "month", "date", "number", "whole", "flag"}


def test_every_definition_is_whole():
    for table in tables.tables().values():
        assert table.group in ("input", "plan", "record")
        assert table.key, table.name
        assert len(set(table.names)) == len(table.names)
        assert [c.role for c in table.columns] == sorted((c.role for c in table.columns), key=["key", "value"].index)
        for column in table.columns:
            assert column.kind in KINDS, (table.name, column.name)
            assert column.over_time in ("", "sum", "last", "mean"), (table.name, column.name)
            if column.refers_to:
                target, name = column.refers_to.split(".")
                assert name in tables.table(target).names


def test_every_plan_table_starts_its_key_with_the_cycle():
    assert all(t.key[0] == "cycle" for t in tables.tables().values() if t.group == "plan")


def test_every_number_of_a_monthly_input_knows_how_it_adds_up():
    for table in tables.tables().values():
        if table.group == "input" and "month" in table.key:
            numbers = [c for c in table.columns if c.role == "value" and c.kind == "number"]
            assert all(c.over_time for c in numbers), table.name


@pytest.mark.parametrize("name", list(tables.tables()))
def test_an_empty_table_passes_with_all_its_columns(name):
    checked = tables.check(name, pd.DataFrame(columns=tables.table(name).names))
    pd.testing.assert_frame_equal(checked, tables.empty(name))
    assert list(checked) == tables.table(name).names


def test_blank_members_are_all():
    df = pd.DataFrame(
        {"month": ["2026-10", "2026-10"], "product": ["a", "b"], "region": [" ", "North"], "shipped": [1, 2]}
    )
    read = tables.check("sales", df)
    assert read["region"].tolist() == ["ALL", "North"]
    assert read["customer"].tolist() == ["ALL", "ALL"]
    assert read["ordered"].isna().all()


def test_kinds_are_read():
    cells = pd.Series(["yes", "FALSE", "1", None])
    assert tables.as_kind(cells, "flag").tolist() == [True, False, True, None]
    assert tables.as_kind(pd.Series([" a ", " ", 7]), "text").tolist() == ["a", None, "7"]
    days = tables.as_kind(pd.Series(["2026-1-5", "2026-01-05T10:00:00Z", "2026-01-05 23:59", "20260105"]), "date")
    assert days.dt.normalize().eq("2026-01-05").tolist() == [True, True, True, False]
    assert days.isna().tolist() == [False, False, False, True]


def test_one_bad_cell_hides_no_other():
    df = pd.DataFrame({
        "family": ["a", "b", "c", "c", None], "unit": "piece", "strategy": ["MTS", "mts", "MTO", "MTO", "ATO"],
        "fill_target": ["x", "2", "0.9", "0.9", "-1"], "frozen_months": ["1", "1.5", "inf", "", None],
    })  # fmt: skip
    with pytest.raises(tables.TableError) as error:
        tables.check("families", df)
    found = {(p.row, p.column, p.rule) for p in error.value.problems.itertuples()}
    assert found == {
        (0, "fill_target", "not a number"), (1, "strategy", "not one of MTS, MTO, ATO"), (1, "fill_target", "above 1"),
        (1, "frozen_months", "not a whole number"), (2, "family", "key occurs more than once"),
        (3, "family", "key occurs more than once"), (2, "frozen_months", "not finite"),
        (2, "frozen_months", "not a whole number"), (4, "family", "blank"), (4, "fill_target", "below 0"),
    }  # fmt: skip
    assert "families:" in str(error.value)


def test_missing_columns_are_named_together():
    with pytest.raises(tables.TableError, match="unit, strategy: column missing"):
        tables.check("families", pd.DataFrame({"family": ["a"]}))


ROWS = st.dictionaries(
    st.tuples(st.sampled_from(["2026-09", "2026-10"]), st.sampled_from(["a", "b", "<b>|$"])), st.integers(-9, 9)
)


@law(max_examples=25, deadline=None)
@given(ROWS, st.randoms(use_true_random=False))
def test_checking_twice_is_checking_once_and_order_does_not_matter(cells, random):
    rows = [(m, p, n) for (m, p), n in cells.items()]
    mixed = random.sample(rows, len(rows))
    names = ["month", "product", "shipped"]
    once = tables.check("sales", pd.DataFrame(rows, columns=names))
    pd.testing.assert_frame_equal(tables.check("sales", once), once)
    pd.testing.assert_frame_equal(tables.check("sales", pd.DataFrame(mixed, columns=names)), once)


def test_the_argument_is_not_changed():
    df = pd.DataFrame({"month": ["2026-10"], "product": ["a"], "shipped": ["1"]})
    before = df.copy()
    tables.check("sales", df)
    pd.testing.assert_frame_equal(df, before)
