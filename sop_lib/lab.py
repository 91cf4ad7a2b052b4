"""JupyterLab on a company's workbench: on this machine only, behind a token, on copies of notebooks and plans."""

import itertools
import os
import secrets
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import nbformat

from sop_lib import archive, months, run, steps
from sop_lib.settings import Settings

__all__ = ["WORKBENCH", "notebook_copies", "plans_copy", "serve"]

WORKBENCH = "planner_workbench.ipynb"
SERVER = {
    "--ip": "127.0.0.1",
    "--ServerApp.port_retries": "0",
    "--ServerApp.log_level": "ERROR",
    "--LabApp.default_url": f"/lab/tree/{WORKBENCH}",
    "--LabApp.news_url": "None",
    "--LabApp.check_for_updates_class": "jupyterlab.NeverCheckForUpdate",
}


def notebook_copies(company: Settings) -> list[Path]:
    """Put a copy of every notebook into the company's folder `lab` and return what was kept of the planner's own.

    A copy whose cells the planner changed is kept beside the new one, as `02_forecast.yours-1.ipynb`.
    Raises CannotStart when the folder cannot be written.
    """
    folder = company.folder / "lab"
    kept: list[Path] = []
    try:
        folder.mkdir(exist_ok=True)
        for notebook in sorted(steps.notebooks_folder().glob("*.ipynb")):
            copy = folder / notebook.name
            if copy.exists() and _cells(copy) != _cells(notebook):
                kept.append(copy.rename(_free_name(copy)))
            shutil.copyfile(notebook, copy)
    except OSError as error:
        raise run.CannotStart(f"{folder} cannot be written ({error.strerror}); mend its permissions") from None
    return kept


def _cells(path: Path) -> list[str]:
    try:
        return [cell.source for cell in nbformat.read(path, as_version=4).cells]
    except (nbformat.reader.NotJSONError, nbformat.ValidationError, AttributeError):
        return []


def _free_name(path: Path) -> Path:
    names = (path.with_name(f"{path.stem}.yours-{n}.ipynb") for n in itertools.count(1))
    return next(name for name in names if not name.exists())


def plans_copy(company: Settings) -> Path:
    """Return a copy of the company's plans in `lab/plans`: what notebooks write there changes no plan and no run."""
    copy = company.folder / "lab" / "plans"
    shutil.rmtree(copy, ignore_errors=True)
    for month in archive.cycles(company):
        run.linked(archive.Cycle(company, month).folder, copy / months.month_name(month))
    return copy


def serve(company: Settings, say: Callable[[str], None]) -> int:
    """Open JupyterLab on the workbench, say its address, and return its exit code when it has been stopped."""
    kept, folder = notebook_copies(company), company.folder / "lab"
    port, token = _free_port(), secrets.token_urlsafe(24)
    given = SERVER | {"--ServerApp.port": str(port), "--ServerApp.root_dir": str(folder)}
    options = [f"{name}={value}" for name, value in given.items()]
    own = {"SOP_PLANS": str(plans_copy(company)), "JUPYTER_TOKEN": token}
    say(f"The workbench of {company.company.name}: http://127.0.0.1:{port}/lab/tree/{WORKBENCH}?token={token}")
    say(f"Notebooks and plans are copies in {folder}: what you try there alters no run; only the plan book is real.")
    say("After the next sop run, start it again to see the new plan. Ctrl-C stops it.")
    for path in kept:
        say(f"You had changed a notebook: it is kept as {path.name}.")
    command = [sys.executable, "-m", "jupyterlab", "--allow-root", *options]
    return subprocess.call(command, env=os.environ | run.environment(company) | own)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]
