from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sop_lib.echelons import guaranteed_service


def stages(*rows: tuple) -> pd.DataFrame:
    names = ["stage", "time", "holding", "z", "spread", "inbound", "promise"]
    return pd.DataFrame(rows, columns=names)


def links(*pairs: tuple) -> pd.DataFrame:
    return pd.DataFrame(list(pairs), columns=["supplier", "customer"])


def test_one_stage_holds_what_its_own_time_asks():
    found = guaranteed_service(stages(("shop", 4, 2.0, 1.5, 10.0, 0, 0)), links())
    assert found["safety"].tolist() == [30.0]  # 1.5 x 10 x root of 4
    assert found["cost"].tolist() == [60.0]


def test_a_promise_as_long_as_the_work_needs_no_stock():
    found = guaranteed_service(stages(("shop", 4, 2.0, 1.5, 10.0, 3, 7)), links())
    assert found["cost"].tolist() == [0.0]


def test_stock_is_held_where_it_is_cheap():
    two = stages(("plant", 4, 1.0, 1.0, np.nan, 0, np.nan), ("shop", 0, 9.0, 1.0, 10.0, 0, 0))
    found = guaranteed_service(two, links(("plant", "shop"))).set_index("stage")
    assert found["safety"].to_dict() == {"plant": 20.0, "shop": 0.0}


def test_a_loop_is_refused_by_name():
    two = stages(("a", 1, 1.0, 1.0, 1.0, 0, 0), ("b", 1, 1.0, 1.0, 1.0, 0, 0))
    with pytest.raises(ValueError, match=r"loop: (a → b → a|b → a → b)"):
        guaranteed_service(two, links(("a", "b"), ("b", "a")))


def test_a_stage_that_nobody_knows_is_refused_by_name():
    with pytest.raises(ValueError, match="harbour"):
        guaranteed_service(stages(("shop", 4, 2.0, 1.5, 10.0, 0, 0)), links(("harbour", "shop")))


def cheapest(table: pd.DataFrame, pairs: pd.DataFrame) -> float:
    """Every combination of promises, tried one by one."""
    rows, best = table.set_index("stage"), np.inf
    suppliers = pairs.groupby("customer")["supplier"].agg(list).to_dict()
    for promises in product(range(10), repeat=len(rows)):
        told = dict(zip(rows.index, promises, strict=True))
        waits = {
            s: max([0, *(told[x] for x in suppliers.get(s, []))]) + rows.at[s, "time"] - told[s] for s in rows.index
        }
        ends = [s for s in rows.index if s not in set(pairs["supplier"])]
        if min(waits.values()) >= 0 and not any(told[s] for s in ends):
            best = min(best, sum(rows.at[s, "holding"] * rows.at[s, "spread"] * waits[s] ** 0.5 for s in rows.index))
    return best


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(1, 9), st.integers(1, 9)), min_size=3, max_size=3),
    st.sampled_from([(("a", "b"), ("b", "c")), (("a", "c"), ("b", "c")), (("a", "b"), ("b", "c"), ("a", "c"))]),
)
@settings(max_examples=15, deadline=None)
def test_nothing_tried_one_by_one_is_cheaper(numbers, pairs):
    table = stages(*((s, t, h, 1.0, d, 0, np.nan) for s, (t, h, d) in zip("abc", numbers, strict=True)))
    found = guaranteed_service(table, links(*pairs))
    assert found["cost"].sum() == pytest.approx(cheapest(table, links(*pairs)), abs=1e-6)


def published() -> float:
    """Return the least cost of the published tree by stockpyl."""
    pytest.importorskip("stockpyl", reason="stockpyl, an independent solver, is not installed")
    from stockpyl.gsm_tree import optimize_committed_service_times, preprocess_tree
    from stockpyl.instances import load_instance

    return optimize_committed_service_times(preprocess_tree(load_instance("example_6_5")))[1]


def test_agrees_with_an_independent_solver():
    two = 2**0.5
    table = stages(
        (1, 2, 1, 1, two, 1, np.nan), (3, 1, 2, 1, two, 0, np.nan), (2, 1, 3, 1, 1, 0, 0), (4, 1, 3, 1, 1, 0, 1)
    )  # fmt: skip
    found = guaranteed_service(table, links((1, 3), (3, 2), (3, 4)))
    assert found["cost"].sum() == pytest.approx(published(), abs=1e-6)


def random_tree(seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return a tree of four to seven stages: each stage supplies or is supplied by one before it."""
    rng = np.random.default_rng(seed)
    pairs = []
    for n in range(1, int(rng.integers(4, 8))):
        other = int(rng.integers(n))
        pairs.append((other, n) if rng.random() < 0.6 else (n, other))
    suppliers = {a for a, _ in pairs}
    rows = []
    for n in range(len(pairs) + 1):
        end, first = n not in suppliers, n not in {b for _, b in pairs}
        time, holding, spread = int(rng.integers(4)), float(rng.integers(1, 10)), float(rng.integers(1, 10))
        inbound, promise = float(rng.integers(3)) if first else 0.0, float(rng.integers(2)) if end else np.nan
        rows.append((n, time, holding, 1.5, spread if end else np.nan, inbound, promise))
    return stages(*rows), links(*pairs)


def by_stockpyl(table: pd.DataFrame, pairs: pd.DataFrame) -> float:
    """Return the least cost of a tree by stockpyl's dynamic program."""
    pytest.importorskip("stockpyl", reason="stockpyl, an independent solver, is not installed")
    from stockpyl.demand_source import DemandSource
    from stockpyl.gsm_tree import optimize_committed_service_times, preprocess_tree
    from stockpyl.supply_chain_network import SupplyChainNetwork
    from stockpyl.supply_chain_node import SupplyChainNode

    tree = SupplyChainNetwork()
    for r in table.itertuples():
        own = {"processing_time": r.time, "local_holding_cost": r.holding, "demand_bound_constant": r.z}
        node = SupplyChainNode(r.stage, network=tree, **own)
        if r.stage not in set(pairs["customer"]):
            node.external_inbound_cst = int(r.inbound)
        if not np.isnan(r.promise):
            node.external_outbound_cst = int(r.promise)
            node.demand_source = DemandSource(type="N", mean=0, standard_deviation=r.spread)
        tree.add_node(node)
    for supplier, customer in zip(pairs["supplier"], pairs["customer"], strict=True):
        tree.add_edge(supplier, customer)
    return optimize_committed_service_times(preprocess_tree(tree))[1]


@pytest.mark.parametrize("seed", range(8))
def test_agrees_with_an_independent_solver_on_a_random_tree(seed):
    table, pairs = random_tree(seed)
    found = guaranteed_service(table, pairs)
    assert found["cost"].sum() == pytest.approx(by_stockpyl(table, pairs), abs=1e-6)
