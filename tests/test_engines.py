import numpy as np
import pandas as pd
import pytest

from sop_lib import engines, models

MONTHS = pd.date_range("2020-11-01", periods=72, freq="MS")


def panel(**series) -> pd.DataFrame:
    """Return the months of named series, each ending in October 2026."""
    parts = [
        pd.DataFrame({"series": name, "month": MONTHS[-len(values):], "quantity": np.asarray(values, dtype=float)})
        for name, values in series.items()
    ]  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def seasonal(months: int) -> np.ndarray:
    at = np.arange(72)
    return (100 + 50 * np.sin(2 * np.pi * at / 12) + at / 3 + 3 * np.cos(7.0 * at))[-months:]


def test_a_model_that_fails_on_one_series_is_named_with_it_and_serves_the_others():
    def fails_on_b(engine, frame, model):
        if "b" in set(frame.unique_id):
            raise RuntimeError("no fit")
        ids = frame.unique_id.unique()
        return pd.DataFrame({"unique_id": ids, "cutoff": MONTHS[-1], "ds": MONTHS[-1], "zero": 1.0})

    found = engines._each(panel(a=[1, 2], b=[1, 2], c=[1, 2], d=[1, 2]), ("zero",), fails_on_b)
    assert found.table.series.tolist() == ["a", "c", "d"]
    assert found.remarks[["series", "model", "remark", "error"]].values.tolist() == [["b", "zero", "failed", "no fit"]]


@pytest.mark.parametrize("name", models.MODELS)
def test_every_model_forecasts_the_months_asked_for_and_the_same_twice(name):
    rows = panel(a=seasonal(48), b=seasonal(48) * 3)

    first, second = (engines.predicted(rows, (name,), 5) for _ in range(2))
    pd.testing.assert_frame_equal(first.table, second.table)
    assert first.table.groupby("series").size().to_dict() == {"a": 5, "b": 5}
    assert np.isfinite(first.table.forecast).all()
    assert first.remarks.empty
