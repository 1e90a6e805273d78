"""Elastic activations: scale and shift are learned, and one bit has the two codes that suit.

    value = s clip(round((x - t) / s), lowest, highest)          step s, shift t, both learned

A step that is measured at the largest number (min-max) leaves nothing for the many small ones once
there are only 15 levels, or 2. Learned, it clips what is far out; the shift moves the borders to
where the numbers lie. The shift is not put back: the network learns with the moved numbers. What
can be negative has the codes of a symmetric range; what cannot, the attention probabilities, has
all 2^m codes from 0 on. At one bit these are {-1, 1}, by the sign of x - t, and {0, 1}.

Gradients as in LSQ: straight through inside the clip, to the step code - (x - t) / s inside and the
code outside, at one bit with a sign the code everywhere, times 1 / sqrt(N highest) (Liu et al.,
BiT, arXiv 2205.13016; the starts are those of their code).
"""

import math

import torch
from torch import Tensor


def code_ends(bits: int, is_signed: bool) -> tuple[int, int]:
    """The smallest and the largest code: -7 and 7, or 0 and 15 where nothing is negative, at 4
    bits; -1 and 1, or 0 and 1, at one."""
    if is_signed:
        top = max(1, 2 ** (bits - 1) - 1)
        return -top, top
    return 0, 2**bits - 1


def start_factor(bits: int, is_signed: bool) -> float:
    """How many times the mean magnitude the step is at first."""
    return (2 if is_signed else 4) / math.sqrt(code_ends(bits, is_signed)[1])


def elastic_levels(x: Tensor, step: Tensor, shift: Tensor, bits: int, is_signed: bool) -> Tensor:
    """x of any shape on its levels, float32, under a step and a shift of one number each."""
    levels: Tensor = _Elastic.apply(x - shift, step, bits, is_signed)  # type: ignore[assignment]
    return levels


class _Elastic(torch.autograd.Function):
    """Levels of numbers that are shifted already, with the gradients of the paper."""

    @staticmethod
    def forward(ctx, x: Tensor, step: Tensor, bits: int, is_signed: bool) -> Tensor:  # type: ignore[override]
        ctx.save_for_backward(x, step)
        ctx.ends, ctx.by_sign = code_ends(bits, is_signed), bits == 1 and is_signed
        size = step.reshape(())
        return _codes(x, x / size, ctx.ends, ctx.by_sign) * size

    @staticmethod
    def backward(ctx, gradient: Tensor):  # type: ignore[override]
        x, step = ctx.saved_tensors
        lowest, highest = ctx.ends
        ratio = x / step.reshape(())
        inside = ((ratio >= lowest) & (ratio <= highest)).to(x.dtype)
        toward = _codes(x, ratio, ctx.ends, ctx.by_sign)
        if not ctx.by_sign:
            toward = toward - ratio * inside
        share = math.sqrt(x.numel() * highest)
        return gradient * inside, (gradient * toward).sum().reshape(step.shape) / share, None, None


def _codes(x: Tensor, ratio: Tensor, ends: tuple[int, int], by_sign: bool) -> Tensor:
    if by_sign:
        return torch.where(x >= 0, 1.0, -1.0)
    return ratio.round().clamp(*ends)
