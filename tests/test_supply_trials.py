import numpy as np
import pandas as pd
import pytest
import xarray as xr

from sop_lib import supply_model
from sop_lib.supply_data import Switches
from sop_lib.supply_trials import COLUMNS, trials


def array(values, *dims: str) -> xr.DataArray:
    return xr.DataArray(np.array(values, dtype=float), dims=dims)


def problem(**numbers) -> xr.Dataset:
    """One family, ten people who make one unit each, a peak of 25 in the last month; subcontractors are dear."""
    months = pd.date_range("2026-11-01", periods=4, freq="MS")
    coords = {"family": ["Grills"], "plant": ["Tarn"], "month": months, "source": list(supply_model.SOURCES)}
    p = xr.Dataset(coords=coords, attrs={"unit": "piece"}).assign(
        demand=array([[5, 5, 5, 25]], "family", "month"), lost_cost=500.0, holding_cost=1.0, backlog_months=0.0,
        unit_cost=array([0, 0, 100], "source"), labour_hours=1.0, hours_per_worker=1.0, workers_opening=10.0,
        wage=10.0, hiring_cost=60.0, layoff_cost=40.0, limit=array([np.inf, 0, np.inf], "source"),
    )  # fmt: skip
    return p.assign(numbers)


@pytest.fixture(scope="module")
def found() -> pd.DataFrame:
    return trials(problem(), Switches()).set_index("trial")


def test_the_plan_as_it_is_adds_nothing(found):
    base = found.loc["the plan as it is"]
    assert base["added"] == 0
    assert base["peak_stock"] == 15  # five a month more than is wanted, for three months
    assert base["cost"] == 4 * 10 * 10 + 5 + 10 + 15
    assert base["service"] == 1


def test_less_stock_costs_more_the_tighter_it_is(found):
    stock = found[found["kind"] == "peak stock"]
    assert (stock["peak_stock"] <= stock["limit"] + 1e-6).all()
    assert stock["limit"].tolist() == pytest.approx([13.5, 12, 10.5, 9, 7.5, 6])
    assert (stock["added"] > 0).all()
    assert stock["added"].is_monotonic_increasing
    # for the first 1.5 units less one and a half people are hired and paid, and three months of holding saved
    assert stock["added"].iloc[0] == pytest.approx(1.5 * (60 + 10) - 3 * 1.5)


def test_a_rule_more_never_costs_less(found):
    rules = found[found["kind"] == "rule"]
    assert {"the same people", "no subcontract", "steady rates"} <= set(rules.index)
    assert (rules["added"] >= -1e-6).all()


def test_without_its_firm_output_a_plan_costs_less():
    firm = array([[[0, np.nan, np.nan, np.nan]]], "family", "plant", "month")
    rows = trials(problem(firm=firm), Switches()).set_index("trial")
    firm_too = array([[[2, np.nan, np.nan, np.nan]]], "family", "plant", "month")
    assert "without firm output" not in rows.index  # nothing was fixed to be made
    rows = trials(problem(firm=firm_too), Switches()).set_index("trial")
    assert rows.loc["without firm output", "added"] < 0


def test_fewer_changes_of_people_cost_more():
    dear = problem(hiring_cost=20.0, layoff_cost=20.0, holding_cost=30.0)
    rows = trials(dear, Switches())
    changes = rows[rows["kind"].isin(["base", "headcount change"])]
    assert changes["headcount_change"].iloc[0] > 0
    assert changes["headcount_change"].iloc[-1] == 0
    assert (changes["headcount_change"].diff().dropna() <= 1e-6).all()
    assert (changes["added"].diff().dropna() >= -1e-6).all()


def test_stock_of_unlike_units_is_money():
    plain = problem(standard_cost=array([2.0], "family")).assign_attrs(unit="")
    rows = trials(plain, Switches())
    assert set(rows["unit"]) == {"money"}
    assert rows["peak_stock"].iloc[0] == 30
    assert list(rows) == COLUMNS


def test_plans_of_fewer_changes_stand_where_the_best_plan_breaks_a_rule():
    cut = array([[[np.nan, np.nan, np.nan, 30]]], "family", "plant", "month")
    wide = problem(firm=cut, limit=array([20, 0, np.inf], "source"))  # 20 is all a month can give of the firm 30
    rows = trials(wide, Switches())
    assert float(supply_model.solve(wide)["firm_under"].sum()) == pytest.approx(10)
    weighed = rows.loc[rows["kind"] == "headcount change", "trial"].tolist()
    assert [f"weighed {t} times" for t in ("1.1", "1.2", "1.4", "1.7", "2")] == weighed[:5]
