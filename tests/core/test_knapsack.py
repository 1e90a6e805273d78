"""The allocation is exact: against a worked example, and against trying everything."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.plan.knapsack import frontier

options = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 20)), min_size=1, max_size=4)
problems = st.lists(options, min_size=1, max_size=5)


def everything(items) -> list[tuple[int, float]]:
    """(cost, loss) of every combination."""
    return [
        (sum(cost for cost, _ in chosen), sum(loss for _, loss in chosen))
        for chosen in itertools.product(*items)
    ]


def test_a_worked_example():
    """Two matrices: the second byte is better spent on the second one."""
    found = frontier([[(2, 10.0), (4, 4.0)], [(1, 9.0), (2, 1.0)]])
    assert found.costs.tolist() == [3, 4, 6]
    assert found.losses.tolist() == [19.0, 11.0, 5.0]
    assert [found.choices(point) for point in range(3)] == [(0, 0), (0, 1), (1, 1)]


@given(problems)
def test_it_is_what_trying_everything_finds_at_every_budget(items):
    found, tried = frontier(items), everything(items)
    for budget in range(max(cost for cost, _ in tried) + 1):
        fitting = [loss for cost, loss in tried if cost <= budget]
        on_frontier = found.losses[found.costs <= budget]
        if fitting:
            assert on_frontier[-1] == min(fitting)
        else:
            assert len(on_frontier) == 0


@given(problems)
def test_more_bytes_never_make_it_worse_and_every_point_is_a_choice(items):
    found = frontier(items)
    assert (np.diff(found.costs) > 0).all()
    assert (np.diff(found.losses) < 0).all()
    for point in range(len(found.costs)):
        chosen = [item[number] for item, number in zip(items, found.choices(point), strict=True)]
        assert sum(cost for cost, _ in chosen) == found.costs[point]
        assert sum(loss for _, loss in chosen) == pytest.approx(found.losses[point])


def test_a_large_model_takes_no_time():
    """BERT-base has 74 matrices; with five choices each there are 5^74 combinations."""
    draw = np.random.default_rng(0)
    sizes = [23_440_896] + 12 * [589_824] * 4 + 12 * [2_359_296] * 2 + [589_824]
    items = [
        [(n * bits // 8, n * float(draw.uniform(0.5, 2)) / 4.0**bits) for bits in (2, 3, 4, 8)]
        + [(4 * n, 0.0)]
        for n in sizes
    ]
    found = frontier(items)
    assert len(found.choices(len(found.costs) // 2)) == 74
    assert found.losses[-1] == 0.0
