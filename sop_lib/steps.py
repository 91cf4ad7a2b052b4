"""One step of the batch: a notebook run by papermill in a fresh kernel, complete or refused."""

import os
import shutil
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack
from pathlib import Path

import nbformat

__all__ = ["STEPS", "StepFailed", "label", "notebooks_folder", "parameters", "run_step", "warnings_of"]

STEPS = ("01_data", "02_forecast", "03_supply", "04_gap_analysis", "05_executive_pack")
CELL_SECONDS = 3600
SAME_EVERYWHERE = {"PYTHONHASHSEED": "0", "PYTHONUTF8": "1", "LC_ALL": "C.UTF-8", "TZ": "UTC"}
SAME_EVERYWHERE |= dict.fromkeys(["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"], "1")


class StepFailed(RuntimeError):
    """A notebook did not complete; the message names it, its cell and the error in one line."""


def notebooks_folder() -> Path:
    """Return where the notebooks lie: beside the package in the repository, inside it when installed."""
    package = Path(__file__).parent
    beside = package.parent / "notebooks"
    return beside if (beside / f"{STEPS[0]}.ipynb").exists() else package / "notebooks"


def label(step: str) -> str:
    """Return a step's name as a reader sees it.

    >>> label("04_gap_analysis")
    '4 Gap analysis'
    """
    number, _, words = step.partition("_")
    return f"{int(number)} {words.replace('_', ' ').capitalize()}"


def parameters(notebook: Path) -> dict[str, dict]:
    """Return what a notebook's `parameters` cell offers: default, type and help by name."""
    import papermill

    with tempfile.TemporaryDirectory(prefix="sop-") as scratch:
        return papermill.inspect_notebook(_copy(notebook, Path(scratch)))


def _copy(notebook: Path, scratch: Path) -> Path:
    """Return a copy that names our kernel, in a place whose name has no braces: papermill takes them for parameters."""
    asked = nbformat.read(notebook, as_version=4)
    asked.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(asked, scratch / "asked.ipynb")
    return scratch / "asked.ipynb"


def run_step(
    notebook: Path, given: dict, failed: Path, environment: dict[str, str] | None = None,
    told: Callable[[int, int], None] = lambda begun, cells: None,
) -> nbformat.NotebookNode:  # fmt: skip
    """Return the notebook executed in a fresh kernel, without metadata that differs from run to run.

    `told` hears (code cells begun, code cells). On failure the notebook as far as it came lies in the folder `failed`.
    Raises StepFailed when a parameter is unknown or any code cell did not complete.
    """
    if not notebook.exists():
        raise StepFailed(f"{notebook.stem}: there is no such notebook in {notebook.parent}")
    known = parameters(notebook)
    if unknown := sorted(set(given) - set(known)):
        offered = ", ".join(sorted(known)) or "none"
        raise StepFailed(f"{notebook.stem}: unknown parameter {', '.join(unknown)}; the notebook knows: {offered}")
    begun: list[str] = []
    with tempfile.TemporaryDirectory(prefix="sop-", ignore_cleanup_errors=True) as scratch:
        asked = _copy(notebook, Path(scratch))
        done = asked.with_name(notebook.name)
        cells = sum(c.cell_type == "code" for c in nbformat.read(asked, as_version=4).cells) + bool(given)

        def begin(cell: nbformat.NotebookNode, cell_index: int) -> None:
            begun.append(cell.source)
            told(len(begun), cells)

        try:
            result = _completed(_execute(asked, done, given, environment or {}, begin))
        except Exception as error:
            raise StepFailed(_failure(notebook, begun, error, _keep(done, failed))) from error
    return _tidy(result)


def _execute(asked: Path, done: Path, given: dict, environment: dict[str, str], begin: Callable):
    """Run papermill in a thread of its own, so that Ctrl-C reaches us and not its event loop."""
    import papermill
    from jupyter_client.kernelspec import KernelSpecManager
    from jupyter_client.manager import AsyncKernelManager
    from jupyter_core.utils import run_sync

    scratch = asked.parent
    own = {"IPYTHONDIR": str(scratch / "ipython"), "MPLBACKEND": "module://matplotlib_inline.backend_inline"}
    near = {"transport": "ipc", "ip": str(scratch / "k")} if os.name == "posix" and len(str(scratch)) < 80 else {}
    # Asynchronous, because papermill never notices the death of a kernel behind a blocking client.
    kernel = AsyncKernelManager(kernel_name="python3", kernel_spec_manager=KernelSpecManager(kernel_dirs=[]), **near)
    connect = kernel.client
    with ExitStack() as after, ThreadPoolExecutor(1) as pool:

        def connected(**how):
            client = connect(**how)
            after.callback(client.stop_channels)  # papermill leaves this to who brings the kernel
            return client

        kernel.client = connected  # type: ignore[method-assign]
        try:
            run_sync(kernel.start_kernel)(env=os.environ | SAME_EVERYWHERE | own | environment, cwd=str(scratch))
            work = pool.submit(
                papermill.execute_notebook, str(asked), str(done), given, km=kernel, kernel_name="python3",
                progress_bar=False, execution_timeout=CELL_SECONDS, on_cell_execute=begin,
            )  # fmt: skip
            while not work.done():
                wait([work], timeout=0.5)
            return work.result()
        finally:
            if kernel.has_kernel:
                run_sync(kernel.shutdown_kernel)(now=True)


def _completed(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    runs = [c.metadata.papermill for c in notebook.cells if c.cell_type == "code"]
    if not all(run.status == "completed" and not run.exception for run in runs):
        raise RuntimeError("the notebook stopped before its last cell")
    return notebook


def _failure(notebook: Path, begun: list[str], error: Exception, kept: Path | None) -> str:
    what = f"{getattr(error, 'ename', type(error).__name__)}: {getattr(error, 'evalue', error)}"
    cell = getattr(error, "exec_count", None) or len(begun)
    line = next((s for s in begun[cell - 1].splitlines() if s.strip()), "") if begun else ""
    where = f"cell [{cell}] `{_one_line(line, 80)}`" if begun else "the start of its kernel"
    aside = f" (as far as it came: {kept})" if kept else ""
    return f"{notebook.stem} failed in {where}: {_one_line(what, 600)}{aside}"


def _one_line(text: str, longest: int) -> str:
    r"""Return text as one line of printable characters.

    >>> _one_line("a\n  b\x07c", 20)
    'a bc'
    """
    plain = "".join(c for c in " ".join(text.split()) if c.isprintable())
    return plain if len(plain) <= longest else f"{plain[: longest - 1]}…"


def _keep(done: Path, failed: Path) -> Path | None:
    if not done.exists():
        return None
    failed.mkdir(parents=True, exist_ok=True)
    return Path(shutil.copy(done, failed / done.name))


def warnings_of(notebook: nbformat.NotebookNode) -> list[str]:
    """Return what the cells of an executed notebook wrote to stderr, and take it out of the notebook."""
    said = []
    for cell in [c for c in notebook.cells if c.cell_type == "code"]:
        said += [_one_line(o.text, 600) for o in cell.outputs if o.output_type == "stream" and o.name == "stderr"]
        cell.outputs = [o for o in cell.outputs if o.output_type != "stream" or o.name != "stderr"]
    return said


def _tidy(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    for name in ("papermill", "widgets"):
        notebook.metadata.pop(name, None)
    for number, cell in enumerate(notebook.cells):
        cell.id = f"c{number:02d}"
        cell.metadata = nbformat.from_dict({"tags": cell.metadata.get("tags", [])})
    return notebook
