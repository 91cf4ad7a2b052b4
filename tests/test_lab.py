"""The planner's copies: nothing of theirs is overwritten, and nothing they try reaches the plan."""

import nbformat
import pandas as pd

from sop_lib import archive, lab, settings


def test_a_notebook_the_planner_changed_is_kept_beside_the_new_copy(small_workbook):
    company = settings.load(small_workbook, {})
    assert lab.notebook_copies(company) == []
    own = small_workbook / "lab" / "02_forecast.ipynb"
    notebook = nbformat.read(own, as_version=4)
    notebook.cells[-1].source = "my own idea"
    nbformat.write(notebook, own)
    (kept,) = lab.notebook_copies(company)
    assert kept.name == "02_forecast.yours-1.ipynb"
    assert nbformat.read(kept, as_version=4).cells[-1].source == "my own idea"
    assert nbformat.read(own, as_version=4).cells[-1].source != "my own idea"
    assert lab.notebook_copies(company) == []


def test_what_a_planner_writes_in_the_lab_stays_there(small_workbook):
    company = settings.load(small_workbook, {})
    book = archive.open_cycle(company, "2026-11")
    row = pd.DataFrame({"month": [book.month], "family": ["A"], "previous": [1.0], "latest": [2.0]})
    book.write("plan_changes", row)
    tried = settings.load(small_workbook, {"SOP_PLANS": str(lab.plans_copy(company))})
    archive.open_cycle(tried, "2026-11").write("plan_changes", row.assign(latest=99.0))
    assert book.read("plan_changes")["latest"].tolist() == [2.0]
