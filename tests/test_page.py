import html
import re

import matplotlib as mpl
import nbformat
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markupsafe import Markup
from nbformat import v4

from sop_lib import charts, page

HOSTILE = '</td><script>alert(1)</script>"&'


def test_counts_have_three_digits_and_real_minus_signs():
    assert page.count(14187) == "14,200"
    assert page.count(999) == "999"
    assert page.count(-1234567, "+") == "−1.23\u00a0m"
    assert page.count(2.1e9) == "2.10\u00a0bn"
    assert page.count(5, "+") == "+5"
    assert page.money(-820_400, "EUR", "+") == "−EUR\u00a0820,000"
    assert page.percent(0.9614, 1) == "96.1\u00a0%"


@given(st.floats(min_value=-1e12, max_value=1e12))
@settings(max_examples=25, deadline=None)
def test_a_count_reads_back_within_its_rounding(value):
    text = page.count(value).replace("−", "-").replace(",", "")
    size = {"m": 1e6, "n": 1e9}.get(text[-1], 1.0)
    read = float(re.sub(r"[^0-9.e+-]", "", text.removesuffix("bn").removesuffix("m"))) * size
    assert read == pytest.approx(value, rel=0.006, abs=0.51)


def test_a_range_names_the_size_once():
    assert page.between(6.89e6, 7.02e6) == "6.89 to 7.02\u00a0m"
    assert page.between(900e3, 1.1e6) == "900,000 to 1.10\u00a0m"


def test_a_number_carries_value_source_column_and_key():
    span = (pd.Timestamp("2027-03-01"), pd.Timestamp("2027-06-01"))
    marked = page.number(96.5, "97", source="gap", column="late", family=HOSTILE, month=span)
    assert 'value="96.5"' in marked
    assert 'data-source="gap" data-column="late"' in marked
    assert "month=2027-03..2027-06" in marked
    assert "<script>" not in marked


def test_a_table_escapes_data_and_names_its_source():
    df = pd.DataFrame({"family": [HOSTILE], "month": pd.to_datetime(["2026-11-01"]), "late": [-1234.5]})
    shown = page.table(df, source="gap", caption=HOSTILE, formats={"late": "{:,.0f}"}).data
    assert "<script>" not in shown
    assert html.escape("</td><script>", quote=False) in shown
    assert 'data-column="late">−1,234</td>' in shown
    assert "month=2026-11" in shown
    assert '<th scope="row">' in shown
    assert 'tabindex="0"' in shown


def test_formats_may_be_functions_and_blanks_stay_dashes():
    df = pd.DataFrame({"family": ["A", "B"], "share": [0.5, None]})
    shown = page.table(df, source="gap", formats={"share": page.percent}, labels={"share": "of demand"}).data
    assert ">50\u00a0%</td>" in shown
    assert ">–</td>" in shown
    assert ">of demand</th>" in shown


def test_hidden_columns_belong_to_the_key_alone():
    df = pd.DataFrame({"choice": ["x"], "decision": [1.0], "option": ["second shift"]})
    shown = page.table(df, source="decisions_required", hidden=("decision", "option")).data
    assert 'data-key="decision=1 · option=second shift"' in shown
    assert "second shift</td>" not in shown


def test_an_empty_table_says_so():
    assert "No rows." in page.table(pd.DataFrame({"family": []}), source="gap").data


def test_empty_parts_leave_nothing_behind():
    nothing = page.bullets([])
    assert page.section("A heading", nothing).data == ""
    assert page.pair(nothing, nothing).data == ""
    assert page.tiles([]).data == ""


def test_sentences_are_escaped_unless_they_are_marked():
    assert "<script>" not in page.lead([HOSTILE]).data
    assert "<data" in page.lead([Markup('<data value="1">1</data>')]).data


def test_a_figure_is_drawn_for_wide_and_narrow_screens_and_always_the_same():
    def drawn():
        figure, ax = charts.canvas()
        ax.plot([1, 2], [1, 2], label="$x_1$")
        ax.set_title("a$b$ < c")
        return page.figure(figure, title=HOSTILE, alt="two points", source="gap").data

    first = drawn()
    assert first.count("data:image/svg+xml;base64,") == 2
    assert 'alt="two points"' in first
    assert 'data-source="gap"' in first
    assert "<script>" not in first
    assert first == drawn()


def test_dollar_signs_are_text():
    charts.canvas()
    assert mpl.rcParams["text.parse_math"] is False


def test_a_sparkline_needs_two_values():
    assert page.spark([1.0]) == ""
    assert "<polyline" in page.spark([1.0, float("nan"), 3.0])
    assert "nan" not in page.spark([2.0, 2.0])


def exported(*cells) -> str:
    return page.export(v4.new_notebook(cells=list(cells)), "A & B", [("Data", "01_data.html")])


def result(markup: str) -> nbformat.NotebookNode:
    return v4.new_code_cell("secret_code()", outputs=[v4.new_output("execute_result", {"text/html": markup})])


def test_an_exported_page_shows_results_and_no_code():
    out = exported(v4.new_markdown_cell("# Heading"), result("<p>shown</p>"))
    assert "<p>shown</p>" in out
    assert "secret_code" not in out
    assert '<html lang="en">' in out
    assert "<title>A &amp; B</title>" in out
    assert "default-src 'none'" in out
    assert '<a href="01_data.html">Data</a>' in out


def test_cells_tagged_not_in_page_and_streams_are_left_out():
    noisy = v4.new_code_cell("x", outputs=[v4.new_output("stream", text="a warning of a library")])
    out = exported(noisy, v4.new_markdown_cell("for planners", metadata={"tags": ["not-in-page"]}))
    assert "a warning" not in out
    assert "for planners" not in out


def test_a_long_page_links_to_its_sections_by_their_headings():
    parts = [page.section(title, page.note("x")) for title in ("One", "Two & more", "Three", "Four")]
    out = exported(*[result(p.data) for p in parts])
    assert '<a href="#two-more">Two &amp; more</a>' in out
    assert "<!--contents-->" not in out


def test_run_metadata_does_not_change_the_page():
    one, two = result("<p>x</p>"), result("<p>x</p>")
    two.id, two.execution_count = "other", 7
    two.metadata["papermill"] = {"start_time": "now"}
    assert exported(one) == exported(two)
