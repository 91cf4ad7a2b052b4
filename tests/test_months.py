"""Months, lags and fiscal years."""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import settings as law
from hypothesis import strategies as st

from sop_lib import months

MONTHS = st.dates(pd.Timestamp("1990-01-01").date(), pd.Timestamp("2060-12-31").date()).map(
    lambda d: pd.Timestamp(d).replace(day=1)
)


@pytest.mark.parametrize("text", ["2026-11", "2026-11-01", pd.Timestamp("2026-11-17 10:00")])
def test_a_month_is_its_first_day(text):
    assert months.month(text) == pd.Timestamp("2026-11-01")


@pytest.mark.parametrize("text", ["", "2026", "2026-13", "2026-11-02", "26-11", "2026/11", "2026-1", None])
def test_what_is_no_month_is_refused(text):
    with pytest.raises(ValueError, match="YYYY-MM"):
        months.month(text)


def test_the_cycles_own_month_is_lag_one():
    ahead = pd.Series(months.month_range(months.month("2026-11"), 3))
    assert months.lag(months.month("2026-11"), ahead).tolist() == [1, 2, 3]
    assert months.lag(months.month("2026-11"), months.month("2026-10")) == 0


def test_a_fiscal_year_is_named_by_the_year_it_ends_in():
    when = pd.Series(pd.to_datetime(["2026-06-01", "2026-07-01"]))
    assert months.fiscal_year(when, 7).tolist() == [2026, 2027]
    assert months.fiscal_year(when).tolist() == [2026, 2026]


def test_working_days_of_a_plant_go_before_the_companys():
    november = months.month_range(months.month("2026-11"), 1)
    calendar = pd.DataFrame({"month": november.repeat(2), "plant": ["ALL", "Tarn"], "working_days": [20.0, 18.0]})
    assert months.working_days(november, calendar, "Tarn").tolist() == [18]
    assert months.working_days(november, calendar, "Brek").tolist() == [20]
    assert months.working_days(november).tolist() == [21]


@law(max_examples=25, deadline=None)
@given(MONTHS, st.integers(1, 12))
def test_a_fiscal_year_holds_the_months_named_after_it(month, start):
    year = months.fiscal_year(month, start)
    held = months.fiscal_year_months(year, start)
    assert month in held
    assert months.fiscal_year(pd.Series(held), start).eq(year).all()


@law(max_examples=25, deadline=None)
@given(MONTHS, st.integers(1, 60))
def test_lag_counts_the_months_of_a_range(month, count):
    assert months.lag(month, months.month_range(month, count)[-1]) == count
    assert months.month(months.month_name(month)) == month
