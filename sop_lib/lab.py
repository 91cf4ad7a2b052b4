"""JupyterLab on a company's workbench: on this machine only, behind a token, on copies of the notebooks."""

import os
import secrets
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from sop_lib import run, steps
from sop_lib.settings import Settings

__all__ = ["WORKBENCH", "notebook_copies", "serve"]

WORKBENCH = "planner_workbench.ipynb"
SERVER = {
    "--ip": "127.0.0.1",
    "--ServerApp.port_retries": "0",
    "--ServerApp.log_level": "ERROR",
    "--LabApp.default_url": f"/lab/tree/{WORKBENCH}",
    "--LabApp.news_url": "None",
    "--LabApp.check_for_updates_class": "jupyterlab.NeverCheckForUpdate",
}


def notebook_copies(company: Settings) -> Path:
    """Return the company's folder `lab` with a fresh copy of every notebook; others in it stay.

    The notebooks of the package are never opened themselves: what a planner tries out in a copy changes no run.
    Raises CannotStart when the folder cannot be written.
    """
    folder = company.folder / "lab"
    try:
        folder.mkdir(exist_ok=True)
        for notebook in sorted(steps.notebooks_folder().glob("*.ipynb")):
            shutil.copyfile(notebook, folder / notebook.name)
    except OSError as error:
        raise run.CannotStart(f"{folder} cannot be written ({error.strerror}); mend its permissions") from None
    return folder


def serve(company: Settings, say: Callable[[str], None]) -> int:
    """Open JupyterLab on the workbench, say its address, and return its exit code when it has been stopped."""
    folder, port, token = notebook_copies(company), _free_port(), secrets.token_urlsafe(24)
    given = SERVER | {"--ServerApp.port": str(port), "--ServerApp.root_dir": str(folder)}
    options = [f"{name}={value}" for name, value in given.items()]
    say(f"The workbench of {company.company.name}: http://127.0.0.1:{port}/lab/tree/{WORKBENCH}?token={token}")
    say(f"Its notebooks are copies in {folder}: what you change there alters no run. Ctrl-C stops it.")
    command = [sys.executable, "-m", "jupyterlab", "--allow-root", *options]
    return subprocess.call(command, env=os.environ | run.environment(company) | {"JUPYTER_TOKEN": token})


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]
