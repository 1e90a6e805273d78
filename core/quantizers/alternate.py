"""The m-bit alternation: scale for the codes, codes for the scale, until nothing moves.

Minimise sum_i D_i (w_i - a b_i)^2 over a > 0 and whole numbers |b_i| <= levels. With the codes
fixed, the best scale is a ratio of two sums; with the scale fixed, the best codes are the nearest
levels. Each half never makes the objective worse, so the end is never worse than the start (Hou
and Kwok, arXiv 1802.08635, section 3). `twn` uses it above 2 bits with D = 1, `lat` always.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from core.quantizers.kernels import cost_nearest, moments_above, moments_nearest
from core.quantizers.quantizer import inverse, levels
from core.quantizers.registry import Levels
from core.quantizers.ternary_search import settled

ITERATIONS = 10
TOLERANCE = 2e-5  # of the scale; Hou and Kwok stop at 1e-6 of scales that are about 0.05


def moments(
    weight: Tensor, start: Levels, bits: int, importance: Tensor | None
) -> tuple[Tensor, Tensor]:
    """sum(D b w) and sum(D b^2) of the codes that `start` gives, each (rows, 1): their ratio is
    the best scale for these codes."""

    if bits == 2:
        return moments_above(weight, _border(start), importance)
    return moments_nearest(weight, inverse(start.scale), levels(bits), importance)


def _border(start: Levels) -> Tensor:
    """A ternary code is not 0 where |w| is above this, (rows, 1)."""
    return start.scale / 2 if start.threshold is None else start.threshold


def ratio(upper: Tensor, lower: Tensor) -> Tensor:
    """upper / lower, and 0 where lower is 0 (no code differs from 0)."""
    return torch.where(lower > 0, upper / lower, 0.0)


def cost(weight: Tensor, scale: Tensor, bits: int, importance: Tensor | None) -> Tensor:
    """The objective of the nearest codes under `scale`, (rows, 1). Summed from the errors
    themselves: at 8 bits they are far too small to be seen in a difference of large sums."""

    return cost_nearest(weight, scale, inverse(scale), levels(bits), importance)


def better(
    weight: Tensor, one: Levels, other: Levels, bits: int, importance: Tensor | None
) -> Levels:
    """Row by row the better of two starts, each at the best scale for its codes."""
    first = ratio(*moments(weight, one, bits, importance))
    second = ratio(*moments(weight, other, bits, importance))
    prefer = cost(weight, first, bits, importance) <= cost(weight, second, bits, importance)
    return Levels(scale=torch.where(prefer, first, second))


def alternate(
    weight: Tensor, start: Levels, bits: int, importance: Tensor | None, turns: int = ITERATIONS
) -> Levels:
    """Alternate from the codes of `start`, at most `turns` times.

    A row stops when its scale moves by at most 0.00002 of itself (above 2 bits: when all do).
    """
    if bits == 2:
        border = _border(start)
        return Levels(scale=settled(weight, border, importance, turns, TOLERANCE))
    current = Levels(scale=ratio(*moments(weight, start, bits, importance)))
    for _ in range(turns):
        moved = ratio(*moments(weight, current, bits, importance))
        all_settled = ((moved - current.scale).abs() <= TOLERANCE * current.scale).all()
        current = Levels(scale=moved)
        if all_settled:
            break
    return current


def turn_by_turn(
    weight: Tensor, start: Levels, bits: int, importance: Tensor | None
) -> Iterator[Levels]:
    """What `alternate` has after no turn (the best scale for the codes of `start`), one, two ..."""
    for turns in range(ITERATIONS + 1):
        yield alternate(weight, start, bits, importance, turns)
