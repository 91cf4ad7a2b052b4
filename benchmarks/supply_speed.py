"""Measure the supply model beside PuLP and Pyomo on the same problem with the same HiGHS, one thread, in one run.

python -m benchmarks.supply_speed [--json] [--sizes 12x3x24 100x5x36 1000x5x36] [--all]

Sizes are families x plants x months, slack and tight (capacity a fifth below the load, so that some demand is lost).
Each library runs in a process of its own; where objectives of one problem differ, the run ends with an error.
build_s: from numbers to a model that HiGHS holds. solve_s: the first optimum; the workbook chooses the method by its
rule and breaks ties, the others take HiGHS as it comes. resolve_s: the optimum (changed_to) after one line gave a
tenth less and one family a tenth more demand, in every month: from the kept model here, with changed right-hand sides
in PuLP (which hands the model over again) and Pyomo (persistent). rebuilt_s: the same built and solved anew here
(the best of three, as resolve_s here: other work on the machine hits the shorter one harder).
wide_s: all lines and families changed, from the kept model. peak_mb: of the whole process with its libraries.
Up to 100x5x36 everything is solved; above, the others are only built and nothing is rebuilt, unless --all.
PuLP and Pyomo come with `pip install -e .[bench]`; what is not there is named and left out.
"""

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import time

SIZES = ("12x3x24", "100x5x36", "1000x5x36")
OURS, PEERS = "workbook", {"PuLP": "pulp", "Pyomo": "pyomo"}
LARGE, TIMES = 100 * 5 * 36, 3
SHOWN = ["build_s", "solve_s", "resolve_s", "rebuilt_s", "wide_s", "peak_mb", "objective", "changed_to"]


def measured(size: str, tight: bool, library: str, everything: bool) -> dict:
    """Return one record of a size, tight or not, and a library, measured in this process."""
    from benchmarks.supply_peers import PEERS as written
    from benchmarks.supply_peers import instance

    families, plants, months = map(int, size.split("x"))
    p, solve = instance(families, plants, months, tight), everything or families * plants * months <= LARGE
    small = instance(3, 2, 4, tight)
    if library == OURS:
        ours(small, True)
        found = ours(p, solve)
    else:
        written[library](small, time.perf_counter, True)
        found = written[library](p, time.perf_counter, solve)
    return (
        {"size": size, "tight": tight, "library": library} | {n: found.get(n) for n in SHOWN} | {"peak_mb": peak_mb()}
    )


def ours(p, rebuild: bool) -> dict:
    """Return the seconds of the shipped model and its objective."""
    from benchmarks.supply_peers import changed
    from sop_lib import supply_model, supply_solver

    def seconds(work) -> tuple[float, object]:
        start = time.perf_counter()
        result = work()
        return time.perf_counter() - start, result

    def best(work) -> tuple[float, object]:
        return min((seconds(work) for _ in range(TIMES if rebuild else 1)), key=lambda found: found[0])

    def built() -> None:
        with supply_solver.quiet():
            supply_model.build(p)[0].to_highspy(set_names=False)

    one, every = changed(p), changed(p, wide=True)
    build, _ = seconds(built)
    both, kept = seconds(lambda: supply_model.keep(p))
    again, plan = best(lambda: supply_model.again(kept, one))
    out = {"build_s": build, "solve_s": both - build, "resolve_s": again}
    # what the others leave out: the price of stock missing from the target counts from the whole target down
    constant = float((p["below_cost"] * p["target"]).sum())
    out["objective"] = float(kept.plan["cost"].sum()) - constant
    out["changed_to"] = float(plan["cost"].sum()) - constant
    if rebuild:
        out["rebuilt_s"], fresh = best(lambda: supply_model.solve(one))
        assert abs(float(fresh["cost"].sum()) / float(plan["cost"].sum()) - 1) < 1e-9
        out["wide_s"], _ = seconds(lambda: supply_model.again(kept, every))
    return out


def peak_mb() -> float:
    """Return the most memory this process held, in MB."""
    if os.path.exists("/proc/self/status"):
        with open("/proc/self/status", encoding="ascii") as status:
            return int(next(line for line in status if line.startswith("VmHWM")).split()[1]) / 1024
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 if sys.platform == "darwin" else 1024) / 1024


def in_own_process(size: str, tight: bool, library: str, everything: bool) -> dict:
    """Return the record of a measurement in a new process."""
    asked = ["--worker", size, "tight" if tight else "slack", library, *(["--all"] if everything else [])]
    command = [sys.executable, "-m", "benchmarks.supply_speed", *asked]
    done = subprocess.run(command, env=os.environ | {"OMP_NUM_THREADS": "1"}, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"benchmarks.supply_speed: {library} failed at {size}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def disagreeing(found: list[dict]) -> list[str]:
    """Return size, case and library of every optimum that is not the workbook's, to a ten-millionth."""
    ours, out = {(r["size"], r["tight"]): r for r in found if r["library"] == OURS}, []
    for r in found:
        base = ours[r["size"], r["tight"]]
        pairs = [(base[n], r[n]) for n in ("objective", "changed_to") if base[n] is not None and r[n] is not None]
        if any(abs(own - other) > 1e-7 * abs(own) for own, other in pairs):
            out.append(f"{r['size']} {'tight' if r['tight'] else 'slack'} {r['library']}")
    return out


def shown(found: list[dict]) -> str:
    """Return the records as a table, and how many times faster the kept and the shipped model are."""
    lines = ["".join(f"{n:>14}" for n in ("size", "case", "library", *SHOWN))]
    for r in found:
        cells = [r["size"], "tight" if r["tight"] else "slack", r["library"]]
        cells += ["-" if r[n] is None else f"{r[n]:,.2f}" for n in SHOWN]
        lines.append("".join(f"{c:>14}" for c in cells))
    for r in [r for r in found if r["library"] == OURS]:
        beside = {q["library"]: q for q in found if (q["size"], q["tight"]) == (r["size"], r["tight"]) and q is not r}
        words = [f"built {q['build_s'] / r['build_s']:.1f} times faster than {name}" for name, q in beside.items()]
        if r["rebuilt_s"]:
            words.append(f"solved again {r['rebuilt_s'] / r['resolve_s']:.1f} times faster than rebuilt")
        lines.append(f"{r['size']} {'tight' if r['tight'] else 'slack'}: {', '.join(words)}")
    return "\n".join(lines)


def main() -> None:
    """Run all measurements and print them."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--sizes", nargs="+", default=SIZES)
    asked.add_argument("--json", action="store_true")
    asked.add_argument("--all", action="store_true")
    asked.add_argument("--worker", nargs=3, help=argparse.SUPPRESS)
    given = asked.parse_args()
    if given.worker:
        size, case, library = given.worker
        print(json.dumps(measured(size, case == "tight", library, given.all)))
        return
    absent = [name for name, module in PEERS.items() if importlib.util.find_spec(module) is None]
    if absent:
        print(f"not installed, left out: {', '.join(absent)}; pip install -e .[bench]", file=sys.stderr)
    libraries = [OURS, *(name for name in PEERS if name not in absent)]
    runs = [(size, tight, library) for size in given.sizes for tight in (False, True) for library in libraries]
    found = [in_own_process(*run, given.all) for run in runs]
    if different := disagreeing(found):
        sys.exit(f"benchmarks.supply_speed: objectives differ at {', '.join(different)}")
    print(json.dumps(found, indent=1) if given.json else shown(found))


if __name__ == "__main__":
    main()
