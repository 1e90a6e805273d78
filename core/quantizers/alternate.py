"""The m-bit alternation: scale for the codes, codes for the scale, until nothing moves.

Minimise sum_i D_i (w_i - a b_i)^2 over a > 0 and whole numbers |b_i| <= levels. With the codes
fixed, the best scale is a ratio of two sums; with the scale fixed, the best codes are the nearest
levels. Each half never makes the objective worse, so the end is never worse than the start (Hou
and Kwok, arXiv 1802.08635, section 3). `twn` uses it above 2 bits with D = 1, `lat` always.
"""

import torch
from torch import Tensor

from core.quantizers.base import levels

ITERATIONS = 10
TOLERANCE = 1e-6


def nearest_codes(weight: Tensor, scale: Tensor, bits: int) -> Tensor:
    """The nearest level of each weight, as float32 whole numbers; zeros where scale is 0."""
    inverse = torch.where(scale > 0, 1.0 / scale, 0.0)
    return (weight * inverse).round_().clamp_(-levels(bits), levels(bits))


def best_scale(weight: Tensor, codes: Tensor, importance: Tensor | None) -> Tensor:
    """argmin over a of sum D (w - a b)^2 = sum(D b w) / sum(D b^2), (rows, 1); 0 if b = 0."""
    weighted = codes if importance is None else codes * importance
    upper = (weighted * weight).sum(dim=1, keepdim=True)
    lower = (weighted * codes).sum(dim=1, keepdim=True)
    return torch.where(lower > 0, upper / lower.clamp_min(torch.finfo(lower.dtype).tiny), 0.0)


def alternate(
    weight: Tensor, codes: Tensor, bits: int, importance: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Alternate from `codes` (rows, cols) at most 10 times; returns (codes, scale (rows, 1)).

    Stops when no row's scale moves by more than 1e-6 of itself.
    """
    scale = best_scale(weight, codes, importance)
    for _ in range(ITERATIONS):
        codes = nearest_codes(weight, scale, bits)
        moved = best_scale(weight, codes, importance)
        settled = ((moved - scale).abs() <= TOLERANCE * scale).all()
        scale = moved
        if settled:
            break
    return codes, scale
