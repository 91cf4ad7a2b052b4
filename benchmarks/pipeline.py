"""Measure one run of a company's cycle from its inputs to its pack: seconds on the clock, of CPU, and megabytes.

python benchmarks/pipeline.py [DIR]
"""

import os
import resource
import sys
import tempfile
import time
from pathlib import Path

from sop_lib import run, settings


def main(folder: str) -> None:
    """Run the cycle with plans and reports in a folder of its own, and print what it took."""
    with tempfile.TemporaryDirectory() as place:
        own = {"SOP_PLANS": f"{place}/plans", "SOP_REPORTS": f"{place}/reports"}
        began = time.monotonic()
        done = run.run_cycle(settings.load(folder, own))
        wall = time.monotonic() - began
        pages = sum(p.stat().st_size for p in Path(place).rglob("*.html"))
        tables = sum(p.stat().st_size for p in Path(place).rglob("*.parquet"))
        pack = done.index.stat().st_size
    kernels, driver = resource.getrusage(resource.RUSAGE_CHILDREN), resource.getrusage(resource.RUSAGE_SELF)
    rows = {step: f"{seconds:7.1f} s" for step, seconds in done.seconds.items()}
    rows["all"] = f"{wall:7.1f} s"
    rows["CPU of the kernels"] = f"{kernels.ru_utime + kernels.ru_stime:7.1f} s, most {kernels.ru_maxrss / 1024:.0f} MB"
    rows["CPU of the driver"] = f"{driver.ru_utime + driver.ru_stime:7.1f} s, {driver.ru_maxrss / 1024:.0f} MB"
    rows["cores"] = f"{os.cpu_count():7d}, load at the end {os.getloadavg()[0]:.1f}"
    rows["pack"] = f"{pack / 1e6:7.2f} MB, all pages {pages / 1e6:.2f} MB, tables {tables / 1e6:.2f} MB"
    print("\n".join(f"{name:<18} {value}" for name, value in rows.items()))


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "data/sample")
