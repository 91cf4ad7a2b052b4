"""The supply model beside the same problem written by hand in other libraries."""

import importlib.util

import pytest

from benchmarks import supply_speed
from benchmarks.supply_peers import changed, instance

KEYS = ["size", "tight", "library", "build_s", "solve_s", "resolve_s", "peak_mb", "objective"]


def record(library: str) -> dict:
    return supply_speed.measured("4x2x6", True, library, everything=True)


def test_a_record_holds_what_the_benchmark_states():
    found = record(supply_speed.OURS)
    assert set(KEYS) <= set(found)
    assert found["rebuilt_s"] > 0
    assert found["changed_to"] > found["objective"]


@pytest.mark.parametrize("library", supply_speed.PEERS)
def test_the_same_problem_has_the_same_optimum(library):
    if importlib.util.find_spec(supply_speed.PEERS[library]) is None:
        pytest.skip(f"{library} is not installed; it comes with the extra bench")
    ours, theirs = record(supply_speed.OURS), record(library)
    assert theirs["objective"] == pytest.approx(ours["objective"], rel=1e-9)
    assert theirs["changed_to"] == pytest.approx(ours["changed_to"], rel=1e-9)


def test_a_tight_instance_is_short_and_the_change_is_what_it_says():
    p = instance(4, 2, 6, tight=True)
    assert instance(4, 2, 6, tight=True).identical(p)
    other = changed(p)
    assert (other["capacity"] / p["capacity"]).values[0] == pytest.approx(0.9)
    assert (other["capacity"].values[1:] == p["capacity"].values[1:]).all()
    assert (other["demand"].values[1:] == p["demand"].values[1:]).all()


def test_the_table_names_how_many_times_faster():
    ours = dict.fromkeys(supply_speed.SHOWN, 1.0) | {"size": "s", "tight": True, "library": supply_speed.OURS}
    table = supply_speed.shown([ours | {"rebuilt_s": 3.0}, ours | {"library": "PuLP", "build_s": 5.0, "wide_s": None}])
    assert table.endswith("s tight: built 5.0 times faster than PuLP, solved again 3.0 times faster than rebuilt")


def test_other_objectives_end_the_run():
    ours = {"size": "s", "tight": True, "library": supply_speed.OURS, "objective": 100.0, "changed_to": 110.0}
    same = ours | {"library": "PuLP", "changed_to": None}
    assert supply_speed.disagreeing([ours, same]) == []
    assert supply_speed.disagreeing([ours, same | {"changed_to": 110.1}]) == ["s tight PuLP"]
