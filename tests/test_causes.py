"""Why units are short: causes known by construction, shares that add up, and the sample's injected capacity cut."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from sample_files import table, truth
from supply_problems import array, people, pressed, problem
from test_supply_again import instances

from benchmarks.causes import instance
from sop_lib import causes, gap_review, lifting, rents, supply, supply_model, supply_tables, tables
from sop_lib.settings import Planning
from sop_lib.supply_data import RULES
from sop_lib.supply_model import Switches, keep

WORTH = pd.Series({"Grills": 40.0})
NAN = np.nan
AHEAD = pd.date_range("2026-11-01", periods=24, freq="MS")


def told(p: xr.Dataset, switches: Switches = RULES) -> pd.DataFrame:
    kept = keep(p, switches)
    rows = causes.causes(kept, WORTH)
    tables.check("gap_causes", rows.assign(cycle=pd.Timestamp("2026-11-01")))
    late = supply_tables.inventory_rows(kept.problem, kept.plan)
    late = late.assign(late=supply_tables.late(late)).set_index(["month", "family"])["late"]
    sums = rows.groupby(["month", "family"])["quantity"].sum()
    assert np.allclose(sums.reindex(late.index, fill_value=0.0), late, rtol=0, atol=1e-6)
    return rows


def bought(demand: list, most: float, **numbers) -> xr.Dataset:
    return problem(demand, limit=array([0, 0, most], "source"), **numbers)


def steel(demand: list, limit: list, lead: float = 0.0, **numbers) -> xr.Dataset:
    p = problem(demand, **numbers).assign_coords(material=["steel"])
    return p.assign(material_usage=2.0, lead_time=lead, material_limit=array([limit], "material", "month"))


def unstored(demand: list, room: float) -> xr.Dataset:
    """Nothing can be made in the last month, and little be kept for it."""
    closed = array([[np.inf] * (len(demand) - 1) + [0], [0] * len(demand), [0] * len(demand)], "source", "month")
    p = problem(demand, limit=closed, holding_cost=1.0).assign_coords(store=["all locations"])
    return p.assign(storage=array([[room] * len(demand)], "store", "month"))


def unfrozen(demand: list, firm: list, **numbers) -> xr.Dataset:
    return problem(demand, firm=array([[firm]], "family", "plant", "month"), holding_cost=1.0, **numbers)


ONE_CAUSE = {
    "capacity": (pressed([10, 10, 40], [15, 15, 15], holding_cost=1.0), "press"),
    "people": (people([10, 10, 40], workers_max=1.5, holding_cost=1.0), "Tarn"),
    "people hired too late": (people([30, 30], hired_max=array([[0, np.inf]], "plant", "month")), "Tarn"),
    "subcontracting": (bought([10, 30, 10], 12.0, holding_cost=1.0), "Tarn"),
    "material": (steel([10, 30, 10], [24, 24, 24], holding_cost=1.0), "steel"),
    "lead time": (steel([10, 10, 10], [0, 0, 40], lead=2.0), "steel"),
    "frozen plan": (unfrozen([10, 20, 10], [5, 8, NAN]), "Tarn"),
    "storage": (unstored([10, 10, 30], 12.0), "all locations"),
    "policy": (problem([10, 20, 40], rate_opening=10.0, rate_change_max=5.0, holding_cost=99.0), "rate change"),
    "not worth its cost": (problem([10, 20], unit_cost=150.0), "ALL"),
}


@pytest.mark.parametrize("name", ONE_CAUSE)
def test_a_shortage_with_one_cause_gets_that_cause(name):
    p, subject = ONE_CAUSE[name]
    rows = told(p)
    named = rows[rows["cause"].eq(name.split(" hired")[0]) & rows["subject"].eq(subject)]
    assert len(rows)
    assert named["quantity"].sum() >= 0.95 * rows["quantity"].sum()


def test_the_row_says_what_binds_when_and_at_which_price():
    (row,) = told(pressed([10, 10, 40], [15, 15, 15], holding_cost=1.0)).itertuples()
    assert (row.quantity, row.share, row.margin, row.price) == (15.0, 1.0, 600.0, 100.0)
    assert (row.begins, row.binds) == (pd.Timestamp("2026-11-01"), pd.Timestamp("2027-01-01"))
    assert row.finding == (
        "All 15 units of Grills late or lost in January 2027: capacity of press, tightest in January 2027."
    )


def test_two_limits_that_hold_units_back_together_have_half_each():
    p = pressed([40], [15], labour_hours=1.0, hours_per_worker=15.0, workers_opening=1.0, workers_max=1.0, wage=1.0)
    rows = told(p).set_index("cause")["quantity"]
    assert rows.to_dict() == pytest.approx({"capacity": 12.5, "people": 12.5})


def test_what_the_second_limit_keeps_back_alone_is_its_own():
    """The press gives 10, the people 30: lifting the press frees 20, the people then the other 10 with it."""
    p = pressed([40], [10], labour_hours=1.0, hours_per_worker=30.0, workers_opening=1.0, workers_max=1.0, wage=1.0)
    rows = told(p).set_index("cause")["quantity"]
    assert rows.to_dict() == pytest.approx({"capacity": 25.0, "people": 5.0})


def test_a_dearer_way_that_is_full_is_an_option_and_no_cause():
    p = pressed([40], [15], unit_cost=array([10, 10, 20], "source"), limit=array([np.inf, 0, 5], "source"))
    assert told(p)["cause"].tolist() == ["capacity"]


def test_a_month_short_of_stock_that_could_not_be_built_points_to_the_month_that_was_full():
    p = pressed([10, 30, 5], [15, 15, 0], holding_cost=1.0)
    rows = told(p)
    assert set(rows["cause"]) == {"capacity"}
    assert rows["quantity"].sum() == pytest.approx(15)


def test_part_of_a_shortage_may_not_be_worth_its_cost():
    """The second month is too dear to make anything in, and to keep anything for."""
    p = pressed([40, 40], [15, 15], unit_cost=array([5, 150], "month"), holding_cost=200.0)
    rows = told(p)
    assert rows["cause"].tolist() == ["capacity", "not worth its cost"]
    assert rows["quantity"].tolist() == [25, 40]


def test_chase_and_level_are_causes_where_only_they_stand_in_the_way():
    p = pressed([10, 10, 40], [40, 40, 40], limit=array([[np.inf, np.inf, 0], [0] * 3, [0] * 3], "source", "month"))
    assert set(told(p, Switches("chase"))["subject"]) == {"chase strategy"}
    assert told(p.assign(make_to_order=1.0))["subject"].tolist() == ["make to order"]


def test_service_first_finds_the_cause_without_a_price():
    p = pressed([10, 10, 40], [15, 15, 15], holding_cost=1.0)
    rows = told(p, Switches(objective="service first"))
    assert rows["cause"].tolist() == ["capacity"]
    assert rows["price"].isna().all()


def test_nothing_short_has_no_cause():
    assert told(problem([10, 20])).empty


def test_order_of_families_plants_and_resources_changes_nothing():
    p = supply_model.filled(two_short())
    rows = causes.causes(keep(p), pd.Series({"A": 1.0, "B": 2.0}))
    turned = p.isel(family=[1, 0], resource=[1, 0], plant=[1, 0])
    again = causes.causes(keep(turned), pd.Series({"B": 2.0, "A": 1.0}))
    assert set(rows["cause"]) >= {"capacity"}
    pd.testing.assert_frame_equal(rows, again, atol=1e-6)


def two_short() -> xr.Dataset:
    """Two families, two plants, a press in each; one is short in Tarn, the other in Brek."""
    months = pd.date_range("2026-11-01", periods=3, freq="MS")
    coords = {"family": ["A", "B"], "plant": ["Brek", "Tarn"], "month": months, "resource": ["b", "t"]}
    limit = array([[[0, 0, 0], [np.inf, 0, 0]], [[np.inf, 0, 0], [0, 0, 0]]], "family", "plant", "source")
    p = xr.Dataset(coords=coords | {"source": list(supply_model.SOURCES)}).assign(limit=limit)
    return p.assign(
        demand=array([[30, 40, 50], [20, 30, 70]], "family", "month"), lost_cost=100.0, holding_cost=1.0, usage=1.0,
        plant_of=("resource", ["Brek", "Tarn"]), capacity=array([[25, 25, 25], [35, 35, 35]], "resource", "month"),
        backlog_cost=5.0, backlog_months=1.0, unit_cost=array([[3, 4], [5, 6]], "family", "plant"),
    )  # fmt: skip


@given(instances(), st.sampled_from(["mixed", "chase"]), st.sampled_from(["least cost", "service first"]))
@settings(max_examples=2, deadline=None)
def test_shares_add_up_whatever_the_data(p, strategy, objective):
    kept = keep(supply_model.filled(p), Switches(strategy, objective=objective))
    rows = causes.causes(kept, pd.Series({"A": 1.0, "B": 2.0}))
    late = causes.shortage(kept).to_series()
    sums = rows.groupby(["family", "month"])["quantity"].sum().reindex(late.index, fill_value=0.0)
    assert np.allclose(sums.astype(float), late, rtol=0, atol=1e-6)
    assert (rows["quantity"] >= 0).all()
    assert np.allclose(rows.groupby(["family", "month"])["share"].sum().astype(float), 1.0)


def test_solving_for_causes_leaves_the_kept_plan_as_it_is():
    kept = keep(pressed([10, 10, 40], [15, 15, 15], holding_cost=1.0))
    before = kept.plan.copy(deep=True)
    first, second = (causes.causes(kept, WORTH) for _ in range(2))
    assert kept.plan.identical(before)
    pd.testing.assert_frame_equal(first, second)


def test_more_limits_than_can_be_shared_exactly_still_add_up():
    p = many_lines(9)
    rows = causes.causes(keep(p), pd.Series(1.0, p["family"].values))
    found = rows.set_index("family")
    assert (found["subject"] == "line of " + found.index).all()
    assert found["quantity"].tolist() == pytest.approx([5.0] * 9)


def test_strangers_get_nothing_of_a_family_however_many_limits_there_are():
    """The first of eight families needs its own line and a finishing cell, both five units too small."""
    p = many_lines(8)
    usage = np.vstack([np.eye(8), np.eye(8)[0]])
    p = p.drop_dims("resource").assign_coords(resource=[*p["resource"].values, "finishing"])
    p = p.assign(plant_of=("resource", ["Tarn"] * 9), capacity=15.0, usage=array(usage, "resource", "family"))
    rows = causes.causes(keep(p), pd.Series(1.0, p["family"].values)).set_index(["family", "subject"])["quantity"]
    assert rows["F0"].to_dict() == pytest.approx({"finishing": 2.5, "line of F0": 2.5})
    assert all(rows[f"F{n}"].to_dict() == pytest.approx({f"line of F{n}": 5.0}) for n in range(1, 8))


def common_line() -> xr.Dataset:
    """Eight families on a line of 100, which lets the last six fill their own cells of 15; 20 of each are wanted."""
    p = many_lines(8)
    usage = np.vstack([np.eye(8), np.ones(8)])
    p = p.drop_dims("resource").assign_coords(resource=[*p["resource"].values, "line of all"])
    capacity = array([[15.0]] * 8 + [[100.0]], "resource", "month")
    p = p.assign(plant_of=("resource", ["Tarn"] * 9), capacity=capacity, usage=array(usage, "resource", "family"))
    return p.assign(lost_cost=array(np.arange(100.0, 108.0), "family"))


def test_limits_that_share_no_family_are_lifted_together_and_shared_exactly():
    """A family of the last six needs both its cell and the line for its five; the first also lacks 15 of the line."""
    rows = told(common_line()).set_index(["family", "subject"])["quantity"]
    assert rows["F0"].to_dict() == pytest.approx({"line of all": 17.5, "line of F0": 2.5}, abs=1e-4)
    assert rows["F1"].to_dict() == pytest.approx({"line of all": 7.5, "line of F1": 2.5}, abs=1e-4)
    for n in range(2, 8):
        assert rows[f"F{n}"].to_dict() == pytest.approx({"line of all": 2.5, f"line of F{n}": 2.5}, abs=1e-4)


def test_where_too_many_limits_share_families_each_is_split_among_its_own(monkeypatch):
    monkeypatch.setattr(causes, "MOST", 1)
    rows = told(common_line())
    assert rows[(rows["subject"] != "line of all") & (rows["subject"] != "line of " + rows["family"])].empty


def test_what_waits_at_a_profit_is_not_called_worthless():
    """Hiring for one month costs 500, a month of waiting 1; every unit is served, and nothing lost."""
    p = people([10, 10, 20, 0, 0], hiring_cost=500.0, backlog_cost=1.0, backlog_months=2.0, holding_cost=99.0)
    rows = told(p)
    assert rows["cause"].tolist() == ["cheaper to wait"]
    assert rows["finding"].str.endswith(": waiting costs less than serving it in time.").all()


def test_a_family_that_nothing_says_how_to_make_is_not_called_worthless():
    rows = told(problem([10, 20], limit=0.0))
    assert set(zip(rows["cause"], rows["subject"], strict=True)) == {("policy", "no route")}
    assert rows["finding"].str.endswith(": nothing says how it can be made.").all()


def crowded(demand: list, **numbers) -> xr.Dataset:
    """Two families on one press; only B is short, and has no rule of its own."""
    months = pd.date_range("2026-11-01", periods=3, freq="MS")
    coords = {"family": ["A", "B"], "plant": ["Tarn"], "month": months, "resource": ["press"]}
    p = xr.Dataset(coords=coords | {"source": list(supply_model.SOURCES)}).assign(
        demand=array(demand, "family", "month"), lost_cost=100.0, holding_cost=1.0, usage=1.0, unit_cost=5.0,
        limit=array([np.inf, 0, 0], "source"), plant_of=("resource", ["Tarn"]), capacity=100.0,
    )  # fmt: skip
    return p.assign(numbers)


FROZEN = array([[[100, NAN, NAN]], [[NAN] * 3]], "family", "plant", "month")
SLOW = array([[[10] * 3], [[np.inf] * 3]], "family", "plant", "month")
CROWDED = {
    ("frozen plan", "Tarn"): (crowded([[0, 0, 0], [50, 10, 10]], firm=FROZEN), RULES),
    ("policy", "level strategy"): (crowded([[0, 0, 90], [90, 90, 0]]), Switches("level")),
    ("policy", "rate change"): (
        crowded([[0] * 3, [80] * 3], rate_opening=array([[60], [40]], "family", "plant"), rate_change_max=SLOW), RULES),
}  # fmt: skip


@pytest.mark.parametrize("limit", CROWDED)
def test_a_rule_of_another_family_that_takes_the_line_is_a_cause_beside_the_line(limit):
    kept = keep(*CROWDED[limit])
    rows = causes.causes(kept, pd.Series({"A": 1.0, "B": 1.0}))
    named = rows.groupby(["cause", "subject"])["quantity"].sum()
    assert named[limit] == pytest.approx(named["capacity", "press"]) == rows["quantity"].sum() / 2


def test_a_unit_that_waits_for_months_is_valued_once():
    """Ten units owed from November to February count in each month and are worth 10 x 40 in all."""
    rows = told(pressed([40, 30, 30, 30, 0], [30] * 5, backlog_cost=1.0, backlog_months=4.0, holding_cost=1.0))
    assert rows["quantity"].tolist() == [10.0] * 4
    assert rows["margin"].tolist() == [400.0, 0.0, 0.0, 0.0]


@pytest.mark.parametrize("dearer", [0.0, 0.01, -0.01, 1.0])
def test_a_cent_does_not_decide_which_of_two_full_lines_is_the_cause(dearer):
    rows = told(two_lines(dearer)).set_index("subject")["quantity"]
    assert rows.to_dict() == pytest.approx({"b": 10.0, "t": 10.0})


def two_lines(dearer: float) -> xr.Dataset:
    coords = {"family": ["Grills"], "plant": ["Brek", "Tarn"], "month": AHEAD[:1], "resource": ["b", "t"]}
    return xr.Dataset(coords=coords | {"source": list(supply_model.SOURCES)}).assign(
        demand=60.0, lost_cost=100.0, usage=1.0, plant_of=("resource", ["Brek", "Tarn"]), capacity=20.0,
        limit=array([np.inf, 0, 0], "source"), unit_cost=array([10, 10 + dearer], "plant"),
    )  # fmt: skip


def test_runs_and_lots_keep_what_dropping_them_frees_and_no_lifted_plan_has_whole_numbers(monkeypatch):
    """Lots of 4 on a press of 10: 8 are made of 14; without lots 10, so that 2 are the lots' and 4 the press's."""
    kept, solved, again = keep(pressed([14], [10], lot=4.0)), [], supply_model.again
    monkeypatch.setattr(supply_model, "again", lambda *a: (solved.append(again(*a)), solved[-1])[1])
    rows = causes.causes(kept, WORTH).set_index("subject")["quantity"]
    assert rows.to_dict() == pytest.approx({"runs and lots": 2.0, "press": 4.0})
    assert solved
    assert not any(plan.attrs["whole"] for plan in solved)


def many_lines(number: int) -> xr.Dataset:
    """Each family has a line of its own, five units too small."""
    names = [f"F{n}" for n in range(number)]
    coords = {"family": names, "plant": ["Tarn"], "month": pd.to_datetime(["2026-11-01"]),
              "source": list(supply_model.SOURCES), "resource": [f"line of {n}" for n in names]}  # fmt: skip
    p = xr.Dataset(coords=coords).assign(plant_of=("resource", ["Tarn"] * number), demand=20.0, lost_cost=100.0)
    return supply_model.filled(
        p.assign(
            limit=array([np.inf, 0, 0], "source"), capacity=15.0, usage=array(np.eye(number), "resource", "family")
        )
    )


def test_rents_on_the_cheapest_way_make_up_the_difference():
    kept = keep(pressed([10, 10, 40], [15, 15, 15], unit_cost=30.0, holding_cost=1.0))
    rows = rents.rents(kept, causes.shortage(kept) > 0)
    assert rows["price"].tolist() == [70.0]
    assert rents.leading(rows, [("capacity", "press")]) == []


def test_lifting_a_limit_keeps_the_rows_of_the_model(monkeypatch):
    """So that the kept model is solved again from its basis; only another strategy is built anew."""
    p, rules = instance(21)
    kept = keep(p, rules)
    monkeypatch.setattr(supply_model, "keep", lambda *_: pytest.fail("the model was built anew"))
    found = lifting.limits(p, rules)
    assert {cause for cause, _ in found} == set(lifting.CAUSES)
    broken = float(kept.plan["broken"].sum())
    for limit in found:
        eased = supply_model.again(kept, *lifting.lifted(p, rules, [limit]))
        assert float(eased["broken"].sum()) <= broken + 1e-4


def test_lifting_a_limit_costs_nothing_where_no_rule_is_broken():
    p, rules = instance(4)
    kept = keep(p, rules)
    assert float(kept.plan["broken"].sum()) == 0
    total = float(kept.plan["cost"].sum())
    for limit in lifting.limits(p, rules):
        eased = supply_model.again(kept, *lifting.lifted(p, rules, [limit]))
        assert float(eased["cost"].sum()) <= total * (1 + 1e-6) + 1e-2


# The sample, planned with last year's sales and a tenth more: the injected capacity cut is the cause


def sample_tables() -> dict[str, pd.DataFrame]:
    names = {name: tables.table(name).group == "input" for name in supply.READS}
    found = {
        name: table(name) if given else tables.check(name, pd.DataFrame(columns=tables.table(name).names))
        for name, given in names.items()
    }
    sold = found["sales"][found["sales"]["month"] >= AHEAD[0] - pd.DateOffset(months=12)]
    sold = sold.merge(table("products")[["product", "family"]], on="product")
    sums = sold.groupby(["month", "family", "product", "region"], as_index=False)["ordered"].sum()
    years = [sums.assign(month=sums["month"] + pd.DateOffset(years=n), quantity=1.1 * sums["ordered"]) for n in (1, 2)]
    return found | {"demand_plan": pd.concat(years, ignore_index=True).assign(step="baseline")}


def sample_causes(found: dict[str, pd.DataFrame]) -> pd.DataFrame:
    kept = gap_review.kept_plan(found, AHEAD, Planning())
    return causes.causes(kept, pd.Series(1.0, kept.problem["family"].values))


def test_the_capacity_cut_of_the_sample_is_found_in_any_order_of_its_rows():
    (cut,) = truth().query("cause == 'capacity cut'").itertuples()
    rows = sample_causes(sample_tables())
    line = rows[rows["cause"].eq("capacity") & rows["subject"].str.endswith(cut.key.removeprefix("resource="))]
    assert line["quantity"].sum() >= 0.95 * rows["quantity"].sum() > 0
    assert (line["begins"].min(), line["binds"].max()) == (cut.from_month, cut.to_month)
    turned = {name: rows.iloc[::-1].reset_index(drop=True) for name, rows in sample_tables().items()}
    pd.testing.assert_frame_equal(rows, sample_causes(turned), atol=1e-6)


def test_late_units_are_those_of_the_inventory_rows():
    kept = keep(two_short())
    rows = supply_tables.inventory_rows(kept.problem, kept.plan)
    late = rows.assign(late=supply_tables.late(rows)).set_index(["family", "month"])["late"].to_xarray()
    assert np.allclose(late, supply_tables.late_units(kept.problem, kept.plan), rtol=0, atol=1e-9)
