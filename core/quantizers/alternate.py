"""The m-bit alternation: scale for the codes, codes for the scale, until nothing moves.

Minimise sum_i D_i (w_i - a b_i)^2 over a > 0 and whole numbers |b_i| <= levels. With the codes
fixed, the best scale is a ratio of two sums; with the scale fixed, the best codes are the nearest
levels. Each half never makes the objective worse, so the end is never worse than the start (Hou
and Kwok, arXiv 1802.08635, section 3). `twn` uses it above 2 bits with D = 1, `lat` always.
"""

import torch
from torch import Tensor

from core.quantizers.base import above, nearest_codes
from core.quantizers.blocks import sum_over_columns
from core.quantizers.registry import Levels

ITERATIONS = 10
TOLERANCE = 1e-6


def moments(
    weight: Tensor, start: Levels, bits: int, importance: Tensor | None
) -> tuple[Tensor, Tensor]:
    """sum(D b w) and sum(D b^2) of the codes that `start` gives, each (rows, 1): their ratio is
    the best scale for these codes."""

    def ternary(w: Tensor, d: Tensor | None) -> tuple[Tensor, Tensor]:
        magnitude = w.abs()
        border = start.scale / 2 if start.threshold is None else start.threshold
        weighted = above(magnitude, border)  # |b|, which is also b^2
        weighted = weighted if d is None else weighted.mul_(d)
        lower = weighted.sum(dim=1, keepdim=True)
        return weighted.mul_(magnitude).sum(dim=1, keepdim=True), lower

    def general(w: Tensor, d: Tensor | None) -> tuple[Tensor, Tensor]:
        codes = nearest_codes(w, start.scale, bits)
        weighted = codes if d is None else codes * d
        upper, lower = weighted * w, weighted * codes
        return upper.sum(dim=1, keepdim=True), lower.sum(dim=1, keepdim=True)

    upper, lower = sum_over_columns(ternary if bits == 2 else general, weight, importance)
    return upper, lower


def ratio(upper: Tensor, lower: Tensor) -> Tensor:
    """upper / lower, and 0 where lower is 0 (no code differs from 0)."""
    return torch.where(lower > 0, upper / torch.where(lower > 0, lower, 1.0), 0.0)


def cost(weight: Tensor, scale: Tensor, bits: int, importance: Tensor | None) -> Tensor:
    """The objective of the nearest codes under `scale`, (rows, 1). Summed from the errors
    themselves: at 8 bits they are far too small to be seen in a difference of large sums."""

    def squares(w: Tensor, d: Tensor | None) -> tuple[Tensor]:
        error = nearest_codes(w, scale, bits).mul_(scale).sub_(w).square_()
        error = error if d is None else error.mul_(d)
        return (error.sum(dim=1, keepdim=True),)

    (total,) = sum_over_columns(squares, weight, importance)
    return total


def better(
    weight: Tensor, one: Levels, other: Levels, bits: int, importance: Tensor | None
) -> Levels:
    """Row by row the better of two starts, each at the best scale for its codes."""
    first = ratio(*moments(weight, one, bits, importance))
    second = ratio(*moments(weight, other, bits, importance))
    prefer = cost(weight, first, bits, importance) <= cost(weight, second, bits, importance)
    return Levels(scale=torch.where(prefer, first, second))


def alternate(weight: Tensor, start: Levels, bits: int, importance: Tensor | None) -> Levels:
    """Alternate from the codes of `start`, at most 10 times.

    Stops when no row's scale moves by more than 1e-6 of itself.
    """
    current = Levels(scale=ratio(*moments(weight, start, bits, importance)))
    for _ in range(ITERATIONS):
        moved = ratio(*moments(weight, current, bits, importance))
        settled = ((moved - current.scale).abs() <= TOLERANCE * current.scale).all()
        current = Levels(scale=moved)
        if settled:
            break
    return current
