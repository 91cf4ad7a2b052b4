"""The shape of the project: imports one way, notebooks in style, documents and lists of versions true."""

import ast
import re
import shutil
import statistics
import subprocess
import tomllib
from functools import cache
from importlib.metadata import version as installed
from pathlib import Path

import nbformat
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from sop_lib import cli, models, scorecard, settings, steps, tables

REPO = Path(__file__).parent.parent
README = (REPO / "README.md").read_text(encoding="utf-8")
NOTEBOOKS = sorted((REPO / "notebooks").glob("*.ipynb"))

# A module imports only from those before it.
NAMES = """
months tables settings archive overrides planbook sources mapping checks supply_checks flow_checks inputs models
clusters kept engines approved history breaks stock_outs signals events cleansing findings hierarchy accuracy drivers
pooled weights forecast backtest baseline reconcile level_choice ranges model_review review launches life_cycle streams
value_added demand advice inventory lots safety policy policy_replay mix supply_data supply_numbers supply_rules
supply_rows supply_solver supply_vectors supply_model echelons flows distribution placement rough_cut supply_problem
supply_tables stock_review stock_rolled procurement supply_changes master_schedule supply_trials supply supply_review
load_review strategy_review lifting rents sharing causes finance gap scenarios year_call scorecard display charts
demand_charts history_charts supply_charts page demand_pages supply_pages cause_pages policy_pages stock_pages
flow_pages schedule_pages briefing gap_review story family_page pack export workbench widgets verify steps publish
schedule_file returned_schedule run closing lab adopt cli
"""
ORDER = NAMES.split()
PURE = ORDER[ORDER.index("history") : ORDER.index("charts")]


def source(module: str) -> str:
    return (REPO / "sop_lib" / f"{module}.py").read_text(encoding="utf-8")


MODULES = sorted(p.stem for p in (REPO / "sop_lib").glob("*.py") if p.stem != "__init__")


def imported(module: str) -> set[str]:
    """Return every module that a module imports, those of the package by their own name."""
    found = set()
    for node in ast.walk(ast.parse(source(module))):
        if isinstance(node, ast.Import):
            found |= {name.name.removeprefix("sop_lib.") for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module == "sop_lib":
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.removeprefix("sop_lib."))
    return found


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_only_those_before_it(module):
    assert module in ORDER, f"{module} has no place in the order of modules"
    later = set(ORDER[ORDER.index(module) :])
    assert not imported(module) & later


@pytest.mark.parametrize("module", [m for m in MODULES if m in PURE])
def test_planning_reads_no_file_clock_or_environment(module):
    outside = {"pathlib", "time", "datetime", "random", "socket", "subprocess", "ipywidgets", "matplotlib"}
    assert not {name.partition(".")[0] for name in imported(module)} & outside
    assert not re.search(
        r"environ|\bopen\((?!os\.devnull)|\.today\(|\.now\(|read_csv|read_parquet|to_parquet", source(module)
    )


@pytest.mark.parametrize("module", MODULES)
def test_dates_are_written_alike_on_every_system(module):
    assert "%-" not in source(module)  # Windows knows no %-d


@pytest.mark.parametrize("module", MODULES)
def test_a_module_holds_one_idea(module):
    assert len(source(module).splitlines()) <= 400


# Notebooks


@cache
def notebook(path: Path) -> nbformat.NotebookNode:
    return nbformat.read(path, as_version=4)


def code(path: Path) -> list[nbformat.NotebookNode]:
    return [cell for cell in notebook(path).cells if cell.cell_type == "code"]


def lines(cell: nbformat.NotebookNode) -> int:
    return len([line for line in cell.source.splitlines() if line.strip()])


def test_there_is_a_notebook_for_each_step():
    assert [path.stem for path in NOTEBOOKS] == [*steps.STEPS, "planner_workbench"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_a_notebook_is_stored_without_outputs(path):
    assert not [cell.id for cell in code(path) if cell.outputs or cell.execution_count]
    assert set(notebook(path).metadata) <= {"kernelspec", "language_info"}
    assert notebook(path).metadata.kernelspec.name == "python3"
    ids = [cell.id for cell in notebook(path).cells]
    assert ids == [f"c{n:02d}" for n in range(int(ids[0][1:]), int(ids[0][1:]) + len(ids))]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_a_notebook_is_short_and_says_what_it_does(path):
    sizes = [lines(cell) for cell in code(path)]
    assert 8 <= len(sizes) <= 20
    assert max(sizes) <= 12
    assert statistics.median(sizes) <= 6
    words = sum(len(cell.source.split()) for cell in notebook(path).cells if cell.cell_type == "markdown")
    assert 300 <= words <= 1000


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_a_notebook_calls_the_library_and_defines_nothing(path):
    tree = ast.parse("\n".join(cell.source for cell in code(path)))
    kinds = (ast.FunctionDef, ast.ClassDef, ast.Try, ast.With, ast.Lambda, ast.For, ast.While, ast.If)
    assert not [ast.unparse(node) for node in ast.walk(tree) if isinstance(node, kinds)]
    sums = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.BinOp) and not isinstance(node.op, ast.BitAnd | ast.BitOr)
    ]
    assert not [ast.unparse(node) for node in sums]
    assert not re.search(r"HTML\(|Markdown\(|\.style\b|to_html|^[!%]|print\(|sys\.path", ast.unparse(tree), re.M)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_a_notebook_opens_with_its_parameters_and_then_its_imports(path):
    first, second, *rest = code(path)
    assert first.metadata.tags == ["parameters"]
    assert re.match(r'cycle = ""  # type: str  \S', first.source)
    assert all(isinstance(node, ast.Import | ast.ImportFrom) for node in ast.parse(second.source).body)
    assert not [c.source for c in rest if re.search(r"^\s*(import|from)\s", c.source, re.M)]
    assert notebook(path).cells[0].source.startswith("# ")


# Documents against code


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_the_readme_lists_each_notebook_with_its_parameters(path):
    (row,) = [line for line in README.splitlines() if line.startswith(f"| `{path.stem}` |")]
    assert re.findall(r"`(\w+)`", row.split("|")[-2]) == list(steps.parameters(path))


def test_the_readme_lists_each_command_and_option_and_exit_code():
    import typer

    group = typer.main.get_command(cli.app)
    for name, command in group.commands.items():
        assert f"| `sop {name} DIR` |" in README
        assert command.help
        for option in (o for p in command.params for o in p.opts if o.startswith("--")):
            assert f"`{option}" in README, option
    for number in {0, 130, *cli.EXIT_CODES.values()}:
        assert f"\n| {number} |" in README


def test_the_readme_names_each_setting_with_its_default():
    for name, field in settings.Planning.model_fields.items():
        shown = f"`{name}` ({field.default})" if isinstance(field.default, int | float) else f"`{name}`"
        assert shown in README, name
    for name in (*settings.Source.model_fields, *settings.Folders.model_fields):
        assert f"`{name}`" in README, name


def test_the_readme_names_each_model_and_key_figure():
    assert not [name for name in (*models.MODELS, models.COMBINATION) if f"`{name}`" not in README]
    assert not [kpi.label for kpi in scorecard.KPIS.values() if kpi.label not in README]


def test_the_readme_names_only_what_make_knows():
    targets = set(re.findall(r"^([a-z]+):", (REPO / "Makefile").read_text(), re.M))
    assert {"run", "test", "lab", "lint", "bench"} <= targets
    assert set(re.findall(r"`make ([a-z]+)", README)) <= targets


def test_the_minimal_settings_of_the_readme_are_valid():
    (toml,) = re.findall(r"```toml\n(.*?)```", README, re.S)
    given = settings.Settings.model_validate(tomllib.loads(toml))
    for name, origin in given.inputs.items():
        assert set(origin.columns) <= set(tables.table(name).names)


def test_the_data_dictionary_is_the_one_that_the_code_prints():
    assert (REPO / "docs" / "tables.md").read_text(encoding="utf-8") == tables.dictionary(), "run: make docs"


# One list of libraries and versions


def project() -> dict:
    return tomllib.loads((REPO / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def pinned() -> list[Requirement]:
    rows = (REPO / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return [Requirement(row) for row in rows]  # a row that is an address or an option is no requirement


def asked() -> list[Requirement]:
    return [Requirement(r) for r in (*project()["dependencies"], *project()["optional-dependencies"]["test"])]


def test_every_library_is_pinned_to_a_version_that_the_project_allows():
    pins = {canonicalize_name(pin.name): pin for pin in pinned() if pin.marker is None or pin.marker.evaluate()}
    for need in asked():
        (spec,) = pins[canonicalize_name(need.name)].specifier
        assert spec.operator == "=="
        assert need.specifier.contains(spec.version), need


def test_the_pins_are_names_and_versions_only():
    assert not [pin.name for pin in pinned() if pin.url or pin.extras or len(pin.specifier) != 1]


def test_the_tests_run_with_the_pinned_versions():
    pins = {pin.name: pin for pin in pinned() if pin.marker is None or pin.marker.evaluate()}
    differ = {r.name: installed(r.name) for r in asked() if installed(r.name) not in pins[r.name].specifier}
    assert not differ


def test_conda_takes_the_same_python_and_the_same_pins():
    environment = yaml.safe_load((REPO / "environment.yml").read_text(encoding="utf-8"))
    python, pip, inside = environment["dependencies"]
    assert python == f"python{project()['requires-python']}"
    assert (pip, inside) == ("pip", {"pip": ["-c constraints.txt", "-e ."]})
    assert environment["name"] == project()["name"]


def test_the_hooks_before_a_commit_are_our_own_tools():
    hooks = yaml.safe_load((REPO / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    assert [repo["repo"] for repo in hooks["repos"]] == ["local"]
    tools = {re.match(r"\.venv/bin/(\S+)", hook["entry"])[1] for repo in hooks["repos"] for hook in repo["hooks"]}
    assert tools <= {requirement.name for requirement in asked()}


# What is committed


@cache
def committed() -> dict[str, str]:
    git = shutil.which("git")
    listed = git and subprocess.run([git, "ls-files", "-z"], cwd=REPO, capture_output=True, text=True)
    if not listed or listed.returncode:
        pytest.skip("not a git checkout")
    files = {name: REPO / name for name in listed.stdout.split("\0") if name and (REPO / name).is_file()}
    return {n: p.read_text(encoding="utf-8") for n, p in files.items() if p.suffix not in (".png", ".xlsx", ".parquet")}


def test_no_file_names_a_place_of_one_machine():
    place = re.compile(r"(?<![\w./<~-])/(?:home|root|work|farm|mnt|Users|private|var/folders)/\w|\b[C-Z]:\\\\?Users\b")
    assert not {name: place.findall(text) for name, text in committed().items() if place.search(text)}


def test_no_file_names_a_registry_or_a_local_address():
    host = re.compile(
        r"\bpypi\.|pythonhosted|anaconda\.org|index-url|\blocalhost:\d|\b(?:10|192\.168)\.\d+\.\d+\.\d+\b"
    )
    found = {name: host.findall(text) for name, text in committed().items() if host.search(text)}
    assert set(found) <= {"tests/test_structure.py"}


def test_nothing_large_and_nothing_generated_is_committed():
    large = {name: len(text) for name, text in committed().items() if len(text) > 1_500_000}
    assert not large
    assert not [n for n in committed() if n.startswith("reports/") and n != "reports/.gitkeep"]
