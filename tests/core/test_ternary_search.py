"""The alternation in one reading against the alternation as it is written down, in float64."""

import pytest
import torch

from core.quantizers.kernels import moments_above
from core.quantizers.ternary_search import REACH, settled

TURNS, TOLERANCE = 10, 2e-5
SHAPES = [(1, 1), (1, 31), (1, 4096), (1, 12_289), (7, 33), (200, 64)]


def by_turns(weight, border, importance, turns=TURNS, tolerance=TOLERANCE):
    """Each row by itself, every sum again."""
    scales = []
    for row, magnitude in enumerate(weight.abs().double()):
        d = torch.ones_like(magnitude) if importance is None else importance[row].double()
        cut, scale = float(border[row]), 0.0
        for turn in range(turns + 1):
            above = magnitude > cut
            below = float(d[above].sum())
            moved = float((d * magnitude)[above].sum()) / below if below else 0.0
            still = turn > 0 and abs(moved - scale) <= tolerance * scale
            scale, cut = moved, float(torch.tensor(moved).float() / 2)
            if still:
                break
        scales.append([scale])
    return torch.tensor(scales, dtype=torch.float64).float()


def drawn(shape, seed=0):
    draw = torch.Generator().manual_seed(seed + sum(shape))
    weight = torch.randn(shape, generator=draw) * 0.05
    return weight, torch.rand(shape, generator=draw) ** 4


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("start", [0.0, 0.001, 0.03, 0.12, 9.0])
def test_settles_where_the_turns_settle(shape, weighted, start):
    weight, d = drawn(shape)
    importance = d if weighted else None
    border = torch.full((shape[0], 1), start)
    found = settled(weight, border, importance, TURNS, TOLERANCE)
    # A weight that lies on the border to the last bit may fall to either side.
    expected = by_turns(weight, border, importance)
    torch.testing.assert_close(found, expected, rtol=2 * TOLERANCE, atol=0)


@pytest.mark.parametrize("turns", [0, 1, 3])
def test_stops_after_the_turns_it_may_take(turns):
    weight, d = drawn((3, 5000))
    border = torch.full((3, 1), 0.1)
    found = settled(weight, border, d, turns, 0.0)
    torch.testing.assert_close(found, by_turns(weight, border, d, turns, 0.0), rtol=1e-5, atol=0)
    if turns == 0:  # only the best scale for the codes of the start
        upper, lower = moments_above(weight, border, d)
        torch.testing.assert_close(found, upper / lower, rtol=1e-6, atol=0)


def test_weights_near_the_border_are_told_apart():
    border = 0.03
    near = border * (1 + REACH * torch.linspace(-1.5, 1.5, 801))
    weight = torch.cat([near, -near, torch.full((64,), 0.1)]).reshape(1, -1)
    found = settled(weight, torch.tensor([[border]]), None, TURNS, TOLERANCE)
    expected = by_turns(weight, torch.tensor([[border]]), None)
    torch.testing.assert_close(found, expected, rtol=2 * TOLERANCE, atol=0)


def test_zeros_give_zero_and_broken_rows_come_to_an_end():
    weight = torch.zeros(3, 100)
    assert settled(weight, torch.zeros(3, 1), None, TURNS, TOLERANCE).tolist() == [[0.0]] * 3
    weight[1] = float("nan")
    weight[2, 5] = float("inf")
    ended = settled(weight, torch.full((3, 1), 0.5), None, TURNS, TOLERANCE)
    assert ended[0].item() == 0.0
    assert not (ended[2].isfinite().item() and ended[2].item() > 0)
