"""Published planning problems through the shipped functions, by switches and data alone.

python -m benchmarks.supply_cases DIR [--json]

Each *.json of DIR is one problem. Planning problems go through the one supply model, lot sizes, safety stocks and
load through theirs. Prints id, kind, expected, got and ok; exit 1 when one does not match within its tolerance,
2 when one has a kind or a field that is not known: it is named, never ignored.
"""

import argparse
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.supply_numbers import Unread, needed
from benchmarks.supply_readers import FIELDS, READERS
from sop_lib import echelons, lots, rough_cut, safety, supply_model

__all__ = ["answer", "measured", "unknown"]

PART = {"source": "name capacity unit_cost", "node": "T si_ext s_ext h z sigma"}
FIELDS = FIELDS | {
    "lot_sizing": ("demand setup holding unit_cost", "", "type"),
    "rccp": ("mps hours_per_unit historical_share bill_of_resources", "", "type"),
    "safety_stock": (
        "mean sd lead_time lead_time_sd review_period ltd_mean ltd_sd Q rop csl fill_rate z annual_demand K h p",
        "", "type",
    ),
    "safety_stock_gsm": ("nodes arcs", "", "type"),
}  # fmt: skip
TOP = "id name kind source provenance data strategy objective tolerance notes verified"
#: kind: the strategy types it has, as words that a type begins with or holds; any other is refused by name
TYPES = {
    "aggregate_workforce": r"^(mixed|level|chase)\b", "fixed_strategy": r"^(mixed|level|chase)\b",
    "capacity_lp": r"^mixed\b|optimal|least cost|min cost|transport|\blp\b",
    "multi_product_capacity": r"profit|contribution|^mixed\b",
    "lot_sizing": r"lot sizing|uncapacitated|wagner|\bww\b|optimal|least cost|^mixed\b",
}  # fmt: skip
RULES_OF_THUMB = r"silver|meal|part.?period|least unit|\be?oq\b|\bpoq\b|fixed|(?<!un)capacitated"
ANSWERS_BESIDE = re.compile(r"plan|expected|published|objective|revenue|profit|provenance|note")


def unknown(case: dict) -> list[str]:
    """Return every field of a case that no reader takes, with where it stands."""
    kind = case.get("kind")
    if kind not in FIELDS:
        return [f"kind {kind}"]
    data, strategy = case["data"], case.get("strategy") or {}
    data_fields, cost_fields, rules = FIELDS[kind]
    found = [n for n in case if n not in TOP.split() and not ANSWERS_BESIDE.search(n)]
    found += _beyond("data", data, data_fields) + _beyond("strategy", strategy, f"{rules} rule note")
    found += _beyond("data.cost", data.get("cost") or {}, cost_fields)
    for source in data.get("sources", []):
        found += _beyond("data.sources", source, PART["source"])
    for node in data.get("nodes", {}).values():
        found += _beyond("data.nodes", node, PART["node"])
    return list(dict.fromkeys(found))


def _beyond(where: str, given: dict, known: str) -> list[str]:
    return [f"{where}.{name}" for name in given if name not in known.split()]


def planned(case: dict) -> float:
    """Return the cost of the best plan, or its profit where the objective is profit."""
    d = {"cost": {}} | case["data"]
    s = case.get("strategy") or {"type": "mixed"}
    kind = _type_of(case["kind"], s)
    p, switches, constant = READERS[case["kind"]](d, s | {"type": kind})
    found = supply_model.solve(p, switches)
    cost = float(found["cost"].sum())
    may_lose = case["kind"] == "multi_product_capacity" or "lost_sale" in d["cost"]
    if broken := _broken(found, switches, may_lose):
        raise Unread(f"no plan does what is asked: {', '.join(broken)}")
    if case["kind"] == "multi_product_capacity":
        return constant - cost
    if "profit" not in case["objective"]:
        return cost + constant
    sold = np.array(d["demand"]) - found["lost"].sum("family").values
    sold[-1] -= found["backlog"].isel(month=-1).sum()
    return float((np.array(needed(d, "price")) * sold).sum()) - cost - constant


def _type_of(kind: str, s: dict) -> str:
    """Return the word of a strategy's type that a kind of problem knows; Unread where it knows none."""
    told = str(s.get("type", "mixed")).lower().replace("-", " ")
    found = re.search(r"lot for lot|l4l", told) if kind == "lot_sizing" else None
    found = found or re.search(TYPES[kind], told)
    if found is None or (kind == "lot_sizing" and re.search(RULES_OF_THUMB, told)):
        raise Unread(f"strategy type '{told}' is not known to {kind}")
    return found[0]


def _broken(found, switches, may_lose: bool) -> list[str]:
    """Return what the best plan does not do of what a problem asks; only what may be lost need not be served."""
    rules = ["final_missed", "firm_under", "firm_over", "workers_missed", "storage_over", "outages_missed"]
    rules += [] if switches.idle_allowed else ["idle"]
    left = {name: float(found[name].sum()) for name in rules if name in found}
    if not may_lose:
        left |= {"lost": float(found["lost"].sum()), "owed at the end": float(found["backlog"].isel(month=-1).sum())}
    return [name.replace("_", " ") for name, units in left.items() if units > 1e-5]


def lot_sizing(case: dict) -> float:
    """Return the cost of the best lots, or of a lot for each demand where the strategy says so."""
    d, s = case["data"], case.get("strategy") or {}
    wanted = pd.Series(d["demand"], dtype=float)
    setup, holding, unit = (_each(d.get(n, 0), wanted) for n in ("setup", "holding", "unit_cost"))
    if _type_of("lot_sizing", s) in ("lot for lot", "l4l"):
        return float((setup * (wanted > 0) + unit * wanted).sum())
    found = lots.best_lots(wanted, setup, holding, unit)
    return float(found[["setup_cost", "unit_cost", "holding_cost"]].sum().sum())


def _each(value, like: pd.Series):
    return pd.Series(value, like.index, dtype=float) if isinstance(value, list) else float(value)


def load(case: dict) -> float:
    """Return hours: the total, or those of the work centres and periods that the objective names."""
    d, asked = case["data"], case["objective"].lower()
    plan = pd.DataFrame(d["mps"])
    plan.index = pd.RangeIndex(1, len(plan) + 1, name="period")
    asked = re.sub(rf"\b{len(plan)}[ -](?:period|week|month|quarter)s?\b", " ", asked)  # all of them
    plan = plan.rename_axis(columns="product").stack().rename("quantity").reset_index()
    found = _load_of(d, str((case.get("strategy") or {}).get("type", "")).lower(), plan)
    spans = [(int(a), int(b or a)) for a, b in re.findall(PERIODS, asked)]
    periods = [n for a, b in spans for n in range(a, b + 1)]
    rows = found[found["resource"].isin(_resources_of(re.sub(PERIODS, " ", asked), list(found["resource"].unique())))]
    if beyond := sorted(set(periods) - set(found["period"])):
        raise Unread(f"objective '{asked}': period {beyond[0]} is not known")
    return float(rows["load"][rows["period"].isin(periods or rows["period"])].sum())


def _resources_of(asked: str, there: list) -> list:
    """Return the resources that an objective names, all where it names none; Unread where words of it are left."""
    left = re.sub("|".join(map(_word, there)), " ", asked)
    if unread := re.findall(NOT_HOURS, left):
        raise Unread(f"objective '{asked}': {', '.join(unread)} is not known")
    return [r for r in there if re.search(_word(r), asked)] or there


PERIODS = r"\b(?:periods?|weeks?|months?|quarters?)\s+(\d+)(?:\s*(?:-|–|to|through)\s*(\d+))?"
NOT_HOURS = r"\w*\d+\w*|\bpeak|\bhighest|\bmax\w*|\bmean|\baverage|\butili[sz]ation"


def _word(resource: str) -> str:
    return rf"\b(?:wc)?{re.escape(str(resource).lower())}\b"


def _load_of(d: dict, kind: str, plan: pd.DataFrame) -> pd.DataFrame:
    """Return period, resource and load: by what a unit takes of each resource where that is given, else by shares."""
    hours = d.get("bill_of_resources", d.get("hours_per_unit"))
    by_bill = isinstance(hours, dict) and any(isinstance(v, dict) for v in hours.values())
    if re.search("profile" if by_bill else "profile|bill", kind) or (by_bill and re.search("overall|factor", kind)):
        raise Unread(f"strategy type '{kind}' does not go with what is given")
    if not by_bill:
        return rough_cut.overall_factors(plan, pd.Series(needed(d, "hours_per_unit")),
                                         pd.Series(needed(d, "historical_share")))  # fmt: skip
    if "historical_share" in d:
        raise Unread("historical_share beside hours by resource")
    bill = pd.DataFrame(hours).rename_axis(index="resource", columns="product")
    if not set(plan["product"]) <= set(bill.columns):  # by resource, not by product
        bill = bill.T.rename_axis(index="resource", columns="product")
    if lacking := sorted(set(plan["product"]) - set(bill.columns)):
        raise Unread(f"no hours by resource for {', '.join(map(str, lacking))}")
    return rough_cut.bill_load(plan, bill.stack().dropna().rename("usage_per_unit").reset_index())


def stock(case: dict) -> float:
    """Return what the objective asks of one stock; what the data give is not the question."""
    d, asked = case["data"], case["objective"].lower()
    if "annual_demand" in d and ("p" in d or not {"Q", "fill_rate", "csl"} & set(d)):
        return best_lot(d, asked)
    mean, sigma = _lead(d)
    held = _held(d, mean, sigma)
    ways: dict[str, Callable[[], float]] = {
        "cycle service": lambda: safety.cycle_service(held, sigma), "csl": lambda: safety.cycle_service(held, sigma),
        "fill rate": lambda: safety.fill_rate(held, _lot(d), sigma), "safety": lambda: held,
        "shortage": lambda: sigma * safety.loss(held / sigma), "short": lambda: sigma * safety.loss(held / sigma),
        "reorder": lambda: mean + held, "rop": lambda: mean + held, "base stock": lambda: mean + held,
        "order up": lambda: mean + held, "quantity": lambda: _lot(d), "lot": lambda: _lot(d), "r": lambda: mean + held,
        "q": lambda: _lot(d),
    }  # fmt: skip
    given = {"csl": ("cycle service", "csl"), "fill_rate": ("fill rate",), "rop": ("reorder", "rop", "r"),
             "Q": ("quantity", "lot", "q")}  # fmt: skip
    known = {name for field, words in given.items() if field in d for name in words}
    return ways[_asked(asked, [name for name in ways if name not in known])]()


def best_lot(d: dict, asked: str) -> float:
    """Return what the objective asks of the lot and reorder point that cost least together."""
    if both := [n for n in ("csl", "fill_rate", "z", "rop", "Q") if n in d]:
        raise Unread(f"{both[0]} beside p: one of them decides the stock")
    mean, sigma = _lead(d)
    best = safety.lot_and_reorder_point(*(needed(d, n) for n in ("annual_demand", "K", "h", "p")), mean, sigma)
    held, lot = best["safety"], best["lot"]
    ways: dict[str, float] = {
        "cost": best["cost"], "fill rate": safety.fill_rate(held, lot, sigma), "safety": held,
        "reorder": best["reorder_point"], "rop": best["reorder_point"], "r": best["reorder_point"],
        "quantity": lot, "lot": lot, "q": lot,
    }  # fmt: skip
    ways |= dict.fromkeys(("cycle service", "csl"), safety.cycle_service(held, sigma))
    return ways[_asked(asked, ways)]


def _asked(objective: str, names) -> str:
    """Return the name that an objective asks for: the first word of it that is one, else a letter that is one."""
    if "cost" not in names and re.search(r"\bcost", objective):
        raise Unread(f"objective '{objective}': cost is none of {', '.join(names)}")
    for words in ([n for n in names if len(n) > 1], [n for n in names if len(n) == 1]):
        found = {n: re.search(rf"\b{n}" if len(n) > 1 else rf"\b{n}\b", objective) for n in words}
        at = {n: place.start() for n, place in found.items() if place}
        if at:
            return min(at, key=lambda n: (at[n], words.index(n)))
    raise Unread(f"objective '{objective}' is none of {', '.join(names)}")


def _lead(d: dict) -> tuple[float, float]:
    """Return mean and spread of demand over the lead time, and over the review period where there is one."""
    time = d.get("lead_time", 1) + d.get("review_period", 0)
    mean = d["ltd_mean"] if "ltd_mean" in d else d.get("mean", 0) * time
    if "ltd_sd" in d:
        return mean, d["ltd_sd"]
    return mean, safety.spread(needed(d, "sd"), time, d.get("mean", 0), d.get("lead_time_sd", 0))


def _lot(d: dict) -> float:
    if "Q" in d:
        return d["Q"]
    return (2 * needed(d, "annual_demand") * needed(d, "K") / needed(d, "h")) ** 0.5


def _held(d: dict, mean: float, sigma: float) -> float:
    if "rop" in d:
        return d["rop"] - mean
    if "fill_rate" in d:
        return safety.for_fill_rate(d["fill_rate"], _lot(d), sigma)
    if "csl" in d:
        return safety.for_cycle_service(d["csl"], sigma)
    return needed(d, "z") * sigma


def network(case: dict) -> float:
    d = case["data"]
    names = {"T": "time", "si_ext": "inbound", "s_ext": "promise", "h": "holding", "z": "z", "sigma": "spread"}
    nodes = pd.DataFrame.from_dict(d["nodes"], orient="index").rename(columns=names)
    nodes = nodes.reindex(columns=list(names.values())).rename_axis("stage").reset_index()
    links = pd.DataFrame([[str(a), str(b)] for a, b in d["arcs"]], columns=["supplier", "customer"])
    return float(echelons.guaranteed_service(nodes, links)["cost"].sum())


ANSWERS: dict[str, Callable[[dict], float]] = dict.fromkeys(READERS, planned) | {
    "lot_sizing": lot_sizing, "rccp": load, "safety_stock": stock, "safety_stock_gsm": network,
}  # fmt: skip


def answer(case: dict) -> dict:
    """Return id, kind, expected, got, whether they match within the case's tolerance, and what was not read."""
    out = {"id": case.get("id"), "kind": case.get("kind"), "expected": case.get("expected_objective"), "got": None}
    if fields := unknown(case):
        return out | {"ok": False, "unknown": fields}
    try:
        got = ANSWERS[case["kind"]](case)
    except KeyError as error:
        return out | {"ok": False, "problem": f"{error} is not given"}
    except ValueError as error:
        return out | {"ok": False, "problem": str(error)}
    near = abs(got - case["expected_objective"]) <= case["tolerance"]
    return out | {"got": round(got, 6) if np.isfinite(got) else None, "ok": bool(near)}


def measured(folder: Path) -> list[dict]:
    """Return the answer to every case of a folder, by file name."""
    return [answer(json.loads(path.read_text(encoding="utf-8"))) for path in sorted(folder.glob("*.json"))]


def _line(row: dict) -> str:
    got = "–" if row["got"] is None else f"{row['got']:,.4f}"
    why = "; ".join(row.get("unknown", [])) or row.get("problem", "")
    told = f"  not known: {why}" if "unknown" in row else f"  {why}" if why else ""
    return f"{row['id']:<24} {row['kind']:<24} {row['expected']:>14,} {got:>16} {'ok' if row['ok'] else 'NO'}{told}"


def main(arguments: list[str] | None = None) -> int:
    """Print every answer; return the exit code."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("folder", type=Path)
    asked.add_argument("--json", action="store_true")
    given = asked.parse_args(arguments)
    rows = measured(given.folder)
    if not rows:
        sys.exit(f"{given.folder} holds no case: one *.json for each problem")
    print(json.dumps(rows, indent=1) if given.json else "\n".join(_line(row) for row in rows))
    if any("unknown" in row for row in rows):
        return 2
    return 0 if all(row["ok"] for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
