"""Results kept by content: the same bits back, and a file that is not ours never an error."""

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sop_lib import kept

NAME, FILE = "theta-predicted", "theta-predicted.parquet"


def results(**values) -> pd.DataFrame:
    rows = [(key, np.array(v, dtype=float), "") for key, v in values.items()]
    return pd.DataFrame(rows, columns=["key", "values", "error"])


def known(folder, *keys, made_by="v1") -> dict[str, list[float]]:
    """Return what a new process finds."""
    found = kept.Kept(folder).found(NAME, made_by, pd.Series(keys, dtype=object))
    return {key: values.tolist() for key, values in zip(found["key"], found["values"], strict=True)}


def keep(folder, rows: pd.DataFrame, *used) -> None:
    """Keep rows as a new process does that has used some of what was there."""
    place = kept.Kept(folder)
    place.found(NAME, "v1", pd.Series(used, dtype=object))
    place.keep(NAME, "v1", rows)


@given(st.lists(st.floats(width=64, allow_nan=True), max_size=30))
@settings(max_examples=25, deadline=None)
def test_what_is_kept_comes_back_to_the_last_bit(tmp_path_factory, values):
    folder = tmp_path_factory.mktemp("kept")
    keep(folder, results(a=values))
    (back,) = kept.Kept(folder).found(NAME, "v1", pd.Series(["a"]))["values"]
    np.testing.assert_array_equal(np.asarray(back, dtype=float), np.array(values, dtype=float))
    assert np.signbit(np.asarray(back, dtype=float)).tolist() == np.signbit(np.array(values, dtype=float)).tolist()


def test_only_what_was_asked_for_is_found_and_only_as_it_was_made(tmp_path):
    keep(tmp_path, results(a=[1, 2], b=[3]))
    assert known(tmp_path, "b", "c") == {"b": [3.0]}
    assert known(tmp_path, "a", made_by="v2") == {}


def test_what_two_runs_have_not_used_is_dropped(tmp_path):
    keep(tmp_path, results(a=[1], b=[2]))
    keep(tmp_path, results(c=[3]), "a")
    assert known(tmp_path, "a", "b", "c") == {"a": [1.0], "b": [2.0], "c": [3.0]}
    keep(tmp_path, results(d=[4]), "a")
    assert known(tmp_path, "a", "b", "c", "d") == {"a": [1.0], "c": [3.0], "d": [4.0]}


def test_one_process_keeps_in_several_steps(tmp_path):
    place = kept.Kept(tmp_path)
    for key in "abcd":
        place.found(NAME, "v1", pd.Series([key]))
        place.keep(NAME, "v1", results(**{key: [1]}))
    assert set(known(tmp_path, *"abcd")) == set("abcd")
    assert [p.name for p in tmp_path.iterdir()] == [FILE]


@pytest.mark.parametrize(
    "damage",
    [
        lambda p: p.write_bytes(b""),
        lambda p: p.write_bytes(p.read_bytes()[:-7]),
        lambda p: p.write_bytes(p.read_bytes()[:100]),
        lambda p: p.write_text("not a table"),
        lambda p: pd.DataFrame({"key": ["a"], "values": [5]}).to_parquet(p),
        lambda p: pq.write_table(pq.read_table(p).replace_schema_metadata(None), p),
        lambda p: (p.unlink(), p.mkdir()),
        lambda p: p.unlink(),
    ],
)
def test_a_damaged_or_foreign_file_is_no_error_and_made_anew(tmp_path, damage):
    keep(tmp_path, results(a=[1.5] * 50))
    damage(tmp_path / FILE)
    assert known(tmp_path, "a") == {}
    keep(tmp_path, results(b=[2]))
    assert known(tmp_path, "a", "b") == ({"b": [2.0]} if (tmp_path / FILE).is_file() else {})


def test_a_flipped_bit_is_never_taken_for_a_number(tmp_path):
    keep(tmp_path, results(a=np.arange(500) / 7, b=np.arange(500) / 11))
    whole = (tmp_path / FILE).read_bytes()
    truth = known(tmp_path, "a", "b")
    for at in range(4, len(whole), 97):
        (tmp_path / FILE).write_bytes(whole[:at] + bytes([whole[at] ^ 8]) + whole[at + 1 :])
        found = known(tmp_path, "a", "b")
        assert all(truth.get(key) == values for key, values in found.items()), at


def test_a_folder_that_cannot_be_written_stops_nothing(tmp_path):
    (tmp_path / "file").write_text("")
    keep(tmp_path / "file" / "below", results(a=[1]))


def test_equal_results_are_equal_bytes(tmp_path):
    for place, order in (("one", "ab"), ("two", "ba")):
        keep(tmp_path / place, results(**{key: [ord(key)] for key in order}))
    assert (tmp_path / "one" / FILE).read_bytes() == (tmp_path / "two" / FILE).read_bytes()
