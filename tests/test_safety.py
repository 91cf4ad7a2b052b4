import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sop_lib import safety


def test_published_numbers_of_a_computer_shop():
    """Demand 2500 a week, spread 500, lead time two weeks, lots of 10,000 (Chopra and Meindl)."""
    sigma = safety.spread(500, lead_time=2)
    assert round(sigma) == 707
    assert round(safety.cycle_service(1000, sigma), 2) == 0.92
    assert round(safety.fill_rate(1000, 10_000, sigma), 4) == 0.9975
    assert round(safety.for_fill_rate(0.975, 10_000, sigma)) == 67
    assert round(safety.for_cycle_service(0.9, sigma)) == 906


def test_a_lead_time_that_varies_asks_for_more():
    assert round(safety.for_cycle_service(0.9, safety.spread(500, 7, mean=2500, lead_time_sd=7))) == 22_491


def test_a_lot_that_serves_enough_by_itself_needs_no_stock():
    assert safety.fill_rate(0, 10_000, 100) > 0.95
    assert safety.for_fill_rate(0.95, 10_000, 100) == 0.0
    assert safety.for_cycle_service(0.4, 100) == 0.0


@pytest.mark.parametrize("share", [0.0, 1.0, 1.5, -0.1])
def test_a_share_that_is_none_is_refused(share):
    with pytest.raises(ValueError, match="share between 0 and 1"):
        safety.for_fill_rate(share, 10, 1)
    with pytest.raises(ValueError, match="share between 0 and 1"):
        safety.for_cycle_service(share, 1)


def test_no_reorder_point_where_running_short_is_cheap():
    with pytest.raises(ValueError, match="no reorder point"):
        safety.lot_and_reorder_point(200, 50, 2, 0.01, mean=100, spread=25)


@given(st.floats(0.6, 0.999), st.floats(1, 1e4), st.floats(1, 1e4))
@settings(max_examples=25, deadline=None)
def test_the_stock_for_a_rate_gives_that_rate(rate, lot, sigma):
    held = safety.for_fill_rate(rate, lot, sigma)
    assert held == 0 or safety.fill_rate(held, lot, sigma) == pytest.approx(rate, abs=1e-9)
    assert safety.fill_rate(held, lot, sigma) >= rate - 1e-9
    assert safety.cycle_service(safety.for_cycle_service(rate, sigma), sigma) == pytest.approx(rate)


def test_agrees_with_many_drawn_cycles():
    """Two million lead times drawn: the share short is what the formula says."""
    drawn = np.random.default_rng(7).normal(5000, 707.1068, 2_000_000)
    short = np.maximum(drawn - 5500, 0).mean()
    assert 1 - short / 10_000 == pytest.approx(safety.fill_rate(500, 10_000, 707.1068), abs=5e-5)
