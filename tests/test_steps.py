"""One notebook in a fresh kernel: complete, or refused with its name, cell and error in one line."""

import nbformat
import pytest
from conftest import write_notebook

from sop_lib import steps


@pytest.fixture
def place(tmp_path):
    return tmp_path / "a folder {with} braces"


def test_a_notebook_runs_with_its_parameters_in_a_kernel_that_knows_its_workbook(place, monkeypatch):
    monkeypatch.setenv("SOP_WORKBOOK", "somewhere else")
    notebook = write_notebook(place / "01_data.ipynb", "import os\n(cycle, os.environ['SOP_WORKBOOK'])")
    told = []
    given = {"cycle": "2026-11"}
    done = steps.run_step(notebook, given, place / "failed", {"SOP_WORKBOOK": "here"}, lambda *at: told.append(at))
    assert done.cells[-1].outputs[0].data["text/plain"] == "('2026-11', 'here')"
    assert told == [(1, 3), (2, 3), (3, 3)]
    assert "papermill" not in nbformat.writes(done)
    assert [cell.id for cell in done.cells] == ["c00", "c01", "c02", "c03"]
    assert not (place / "failed").exists()


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        (["1", "\nraise ValueError('no\\nplan')", "2"], r"cell [4] `raise ValueError('no\nplan')`: ValueError: no"),
        (["import sys; sys.exit(0)", "2"], "cell [3] `import sys; sys.exit(0)`: RuntimeError: the notebook stopped"),
        (["import os; os._exit(1)", "2"], "cell [3] `import os; os._exit(1)`: DeadKernelError"),
    ],
    ids=["an error", "an early exit", "a kernel that dies"],
)  # fmt: skip
def test_a_cell_that_does_not_complete_is_a_failure_that_names_it(place, cells, said):
    notebook = write_notebook(place / "03_x.ipynb", *cells)
    with pytest.raises(steps.StepFailed) as failed:
        steps.run_step(notebook, {"cycle": "2026-11"}, place / "failed")
    assert str(failed.value).startswith(f"03_x failed in {said}")
    assert "\n" not in str(failed.value)
    kept = nbformat.read(place / "failed" / "03_x.ipynb", as_version=4)
    assert any("2026-11" in cell.source for cell in kept.cells)


def test_an_error_is_a_failure_even_where_the_notebook_allows_it(place):
    notebook = write_notebook(place / "03_x.ipynb", "1 / 0", "2")
    allowing = nbformat.read(notebook, as_version=4)
    allowing.cells[2].metadata.tags = ["raises-exception"]
    nbformat.write(allowing, notebook)
    with pytest.raises(steps.StepFailed, match=r"cell \[3\] `1 / 0`: ZeroDivisionError"):
        steps.run_step(notebook, {"cycle": "2026-11"}, place / "failed")


def test_an_unknown_parameter_is_refused_before_anything_runs(place):
    notebook = write_notebook(place / "03_x.ipynb", "1")
    with pytest.raises(steps.StepFailed, match="unknown parameter cylce; the notebook knows: cycle"):
        steps.run_step(notebook, {"cylce": "2026-11"}, place / "failed")
    assert not (place / "failed").exists()


def test_a_notebook_that_is_not_there_is_named(place):
    with pytest.raises(steps.StepFailed, match="04_gap_analysis: there is no such notebook"):
        steps.run_step(place / "04_gap_analysis.ipynb", {}, place / "failed")


def test_parameters_tell_default_type_and_meaning(place):
    offered = steps.parameters(write_notebook(place / "03_x.ipynb"))
    assert offered["cycle"]["default"] == '""'
    assert offered["cycle"]["help"] == "month to plan from"
