"""Measure `sop run` beside one plain script that calls the same functions, in one go.

python -m benchmarks.pipeline [DIR] [--json]

The script is the code cells of the five notebooks, one after the other in one process: no
papermill, no kernels, no pages. Wall and CPU are of the whole process tree; peak is its largest process.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nbformat

from sop_lib import steps


def script(place: Path) -> Path:
    """Return a Python file that does what the notebooks do, each in a namespace of its own."""
    lines = []
    for step in steps.STEPS:
        notebook = nbformat.read(steps.notebooks_folder() / f"{step}.ipynb", as_version=4)
        code = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
        lines.append(f"exec(compile({code!r}, {step!r}, 'exec'), {{'display': lambda *shown: None}})")
    path = place / "script.py"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def measured(command: list[str], company: Path, place: Path) -> dict[str, float]:
    """Return seconds of wall and CPU and megabytes at most of one command with plans and reports of its own."""
    own = {"SOP_WORKBOOK": str(company), "SOP_PLANS": f"{place}/plans", "SOP_REPORTS": f"{place}/reports"}
    threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    subprocess.run(command, env=os.environ | own | threads, check=True, stdout=subprocess.DEVNULL)
    wall, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"wall_s": wall, "cpu_s": cpu, "peak_mb": after.ru_maxrss / 1024}


def main() -> None:
    """Run both and print the figures."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("company", nargs="?", default="data/sample", type=Path)
    asked.add_argument("--json", action="store_true")
    given = asked.parse_args()
    company = given.company.resolve()
    with tempfile.TemporaryDirectory() as a, tempfile.TemporaryDirectory() as b:
        plain = measured([sys.executable, str(script(Path(a)))], company, Path(a))
        whole = measured([str(Path(sys.executable).with_name("sop")), "run", str(company)], company, Path(b))
    found = {
        "run_wall_s": whole["wall_s"],
        "script_wall_s": plain["wall_s"],
        "ratio": whole["wall_s"] / plain["wall_s"],
        "run_cpu_s": whole["cpu_s"],
        "script_cpu_s": plain["cpu_s"],
        "peak_mb": whole["peak_mb"],
    }
    rows = (f"{name:<14} {value:9.2f}" for name, value in found.items())
    print(json.dumps({k: round(v, 3) for k, v in found.items()}) if given.json else "\n".join(rows))


if __name__ == "__main__":
    main()
