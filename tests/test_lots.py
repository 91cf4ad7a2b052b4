from itertools import product

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sop_lib.lots import best_lots

MONEY = ["setup_cost", "unit_cost", "holding_cost"]
WANTED = [69, 29, 36, 61, 61, 26, 34, 67, 45, 67, 79, 56]
SETUP = [85, 102, 102, 101, 98, 114, 105, 86, 119, 110, 98, 114]


def test_published_example_of_1958():
    found = best_lots(pd.Series(WANTED, range(1, 13)), pd.Series(SETUP, range(1, 13)), 1.0)
    assert found[MONEY].sum().sum() == 864
    assert found.index[found["lot"] > 0].tolist() == [1, 3, 5, 8, 10, 11]


def test_every_lot_where_set_ups_are_free():
    found = best_lots(pd.Series([3.0, 0.0, 5.0]), 0.0, 1.0)
    assert found["lot"].tolist() == [3, 0, 5]


def test_one_lot_where_stock_is_free():
    found = best_lots(pd.Series([3.0, 0.0, 5.0]), 10.0, 0.0)
    assert found["lot"].tolist() == [8, 0, 0]
    assert found["closing"].tolist() == [5, 5, 0]


def test_makes_nothing_for_nothing():
    assert best_lots(pd.Series([0.0, 0.0]), 10.0, 1.0)[["lot", *MONEY]].sum().sum() == 0


@pytest.mark.parametrize("name", ["setup", "holding", "unit_cost"])
def test_a_negative_number_is_refused_by_name(name):
    given = {"setup": 1.0, "holding": 1.0, "unit_cost": 0.0} | {name: -1.0}
    with pytest.raises(ValueError, match=name):
        best_lots(pd.Series([1.0]), **given)


numbers = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 60), st.integers(0, 4)), min_size=1, max_size=6)


@given(numbers)
@settings(max_examples=25, deadline=None)
def test_no_choice_of_set_ups_is_cheaper(rows):
    wanted, setup, holding = (pd.Series(c, dtype=float) for c in zip(*rows, strict=True))
    found = best_lots(wanted, setup, holding)
    assert (found["closing"] >= 0).all()
    assert found["lot"].sum() == wanted.sum()
    best = float("inf")
    for chosen in product([0, 1], repeat=len(wanted)):
        made = wanted.groupby(pd.Series(chosen).cumsum()).transform("sum") * pd.Series(chosen)
        closing = (made - wanted).cumsum()
        if (closing >= 0).all():
            best = min(best, float((setup * (made > 0)).sum() + (holding * closing).sum()))
    assert found[MONEY].sum().sum() == pytest.approx(best)
