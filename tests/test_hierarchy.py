import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from sop_lib import hierarchy

MONTHS = pd.date_range("2025-11-01", periods=12, freq="MS")


def sold(quantities: list[float]) -> pd.DataFrame:
    """Two products of one family and one of another, in one region, selling evenly over twelve months."""
    names = [("F", "A"), ("F", "B"), ("G", "C")]
    rows = [
        {"month": m, "family": f, "product": p, "region": "North", "cleansed": q}
        for (f, p), q in zip(names, quantities, strict=True)
        for m in MONTHS
    ]
    return pd.DataFrame(rows)


def test_sums_upward_are_labelled_with_their_members():
    rows = sold([1.0, 2.0, 4.0])
    family = hierarchy.aggregate(rows, "family", ["month"], ["cleansed"])
    assert family.loc[
        family.month == MONTHS[0], ["series", "family", "product", "region", "cleansed"]
    ].values.tolist() == [
        ["F", "F", "ALL", "ALL", 3.0],
        ["G", "G", "ALL", "ALL", 4.0],
    ]
    leaf = hierarchy.aggregate(rows, "product-region", ["month"], ["cleansed"])
    assert leaf.series.unique().tolist() == ["F · A · North", "F · B · North", "G · C · North"]
    assert hierarchy.aggregate(rows, "total", ["month"], ["cleansed"]).series.unique().tolist() == ["ALL"]


def test_a_family_is_shared_out_by_the_recent_mix_and_a_silent_one_equally():
    mix = hierarchy.recent_mix(sold([3.0, 1.0, 0.0]), "family")
    assert mix.set_index("product").share.to_dict() == {"A": 0.75, "B": 0.25, "C": 1.0}
    assert hierarchy.recent_mix(sold([0.0, 0.0, 5.0]), "family").set_index("product").share.A == 0.5
    totals = pd.DataFrame({"family": ["F", "G"], "month": MONTHS[0], "quantity": [8.0, 5.0]})
    leaf = hierarchy.split(totals, mix, "family", ["quantity"])
    assert leaf.set_index("product").quantity.to_dict() == {"A": 6.0, "B": 2.0, "C": 5.0}


def test_levels_above_a_level_are_those_whose_series_are_its_sums():
    assert hierarchy.levels_above("family") == ["total", "family"]
    assert hierarchy.levels_above("total") == ["total"]
    assert hierarchy.level_keys("family-region") == ["family", "region"]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(0, 1e4), min_size=1, max_size=8), st.floats(0, 1e6))
def test_what_is_split_adds_up_to_what_was_given(weights, total):
    leaf = pd.DataFrame({"family": "F", "product": [f"P{i}" for i in range(len(weights))], "region": "R"})
    history = leaf.assign(month=MONTHS[0], cleansed=weights)
    mix = hierarchy.recent_mix(history, "family")
    out = hierarchy.split(pd.DataFrame({"family": ["F"], "quantity": [total]}), mix, "family", ["quantity"])
    assert abs(out.quantity.sum() - total) <= 1e-9 * max(total, 1)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(0, 1000), min_size=1, max_size=9))
def test_whole_units_keep_the_rounded_total_and_move_no_part_by_one_unit(quantities):
    given_ = pd.Series(quantities)
    whole = hierarchy.whole_units(given_, [pd.Series(0, index=given_.index)])
    assert whole.sum() == round(given_.sum())
    assert (whole % 1 == 0).all()
    assert ((whole - given_).abs() < 1 + 1e-9).all()
