"""The one place that quantizes a weight matrix.

A weight matrix w (rows, cols) becomes `scale * codes`: small integers and one positive scale per
row. A *rule* (one file beside this one) finds the scale; it always sees a matrix and always
answers per row. Layer-wise quantization is the same rule shown the whole matrix as a single row,
and groups of columns are shown as rows (see `groups`), so granularity is written once, here. The
codes are the nearest levels, or, where a rule of one or two bits wants it so, cut at a threshold;
they too are written once, here.

Training, the packed file and the pictures all use the same `Quantized` object, so what is trained
is what is saved and what is shown.

How a rule makes itself known is told in `registry`.
"""

import torch
from torch import Tensor

from core.errors import InputError
from core.quantizers.blocks import row_blocks
from core.quantizers.groups import beside, cut, cut_scale, group_size
from core.quantizers.kernels import codes_above, codes_nearest
from core.quantizers.quantized import Quantized, as_rows, join, joined
from core.quantizers.registry import Levels, Rows, Rule, check


def levels(bits: int) -> int:
    """The largest code: 1, 3, 7, 127 for 2, 3, 4, 8 bits (symmetric, zero included); 1 for one
    bit, whose codes are -1 and 1."""
    return max(1, 2 ** (bits - 1) - 1)


def quantize(
    weight: Tensor,
    *,
    method: str,
    bits: int,
    granularity: str,
    importance: Tensor | None = None,
    start_scale: Tensor | None = None,
    name: str = "weight",
) -> Quantized:
    """Quantize one matrix (PAPER 2).

    weight        (rows, cols) float; computed in float32
    importance    (rows, cols) non-negative, for rules that use it; None means ones
    start_scale   scale of the previous step, of the answer's shape, for rules that alternate
    name          how a message calls the matrix

    Raises InputError for unknown options, a tensor that is not a matrix, NaN or infinity.
    A row of zeros gives zero codes, at one bit a scale of zero.
    """
    found = check(method, bits, granularity)
    if bits == 32:
        raise InputError("32 bits means: leave the matrix alone. There is nothing to quantize.")
    if weight.dim() != 2 or weight.numel() == 0:
        raise InputError(f"{name} has shape {tuple(weight.shape)}; a matrix was expected.")
    matrix, group = weight.detach().to(torch.float32), group_size(granularity)
    shown = _shown(matrix, granularity)
    felt: list[Tensor] | list[None] = [None] * len(shown)
    if importance is not None and found.uses_importance:
        importance = importance.detach().to(torch.float32).reshape(matrix.shape)
        felt = _shown(importance, granularity)
    starts: list[Tensor] | list[None] = [None] * len(shown)
    if start_scale is not None:
        starts = cut_scale(start_scale, matrix.shape[1], group) if group else [start_scale]
    solved = [_solve(found, bits, name, *each) for each in zip(shown, felt, starts, strict=True)]
    return joined(solved, matrix.shape, group)


def with_scale(weight: Tensor, scale: Tensor, bits: int, group: int = 0) -> Quantized:
    """The nearest levels under a given scale, (rows, 1), (1, 1) or, in groups, (rows, groups)."""
    matrix, scale = weight.detach().to(torch.float32), scale.detach()
    parts = as_rows(matrix, scale, group)
    codes = beside([nearest_codes(shown, each, bits) for shown, each in parts], len(matrix))
    return Quantized(codes=codes, scale=scale, bits=bits, group=group)


def _shown(matrix: Tensor, granularity: str) -> list[Tensor]:
    """The matrix as its rule sees it: rows that are answered each for itself."""
    group = group_size(granularity)
    if group:
        return cut(matrix, group)
    return [matrix if granularity == "row" else matrix.reshape(1, -1)]


def _solve(
    found: Rule,
    bits: int,
    name: str,
    shown: Tensor,
    importance: Tensor | None,
    start_scale: Tensor | None,
) -> Quantized:
    """The answer to all rows, some of them at a time."""
    pieces = [
        _solve_rows(
            found,
            shown[rows],
            bits,
            None if importance is None else importance[rows],
            None if start_scale is None else start_scale[rows],
            name,
        )
        for rows in row_blocks(*shown.shape)
    ]
    return join(pieces, shown.shape)


def _solve_rows(
    found: Rule,
    shown: Tensor,
    bits: int,
    importance: Tensor | None,
    start_scale: Tensor | None,
    name: str,
) -> Quantized:
    rows = Rows.of(shown)
    unit = _unit(rows.largest, name)
    if unit is not None:
        shown = shown / unit
        rows = Rows.of(shown)
        start_scale = None if start_scale is None else start_scale / unit
    answer = found.solve(rows, bits, importance, start_scale)
    codes, scale, threshold = _codes(shown, answer, bits), answer.scale, answer.threshold
    if unit is not None:
        scale = scale * unit
        threshold = None if threshold is None else threshold * unit
    return Quantized(codes=codes, scale=scale, bits=bits, threshold=threshold)


def _codes(shown: Tensor, answer: Levels, bits: int) -> Tensor:
    """The int8 codes (rows, cols) of an answer."""
    if answer.threshold is None:
        return nearest_codes(shown, answer.scale, bits)
    if bits == 1:
        return codes_of_sign(shown, answer.threshold)
    return codes_above(shown, answer.threshold)


def codes_of_sign(weight: Tensor, cut: Tensor | float) -> Tensor:
    """1 where a weight is `cut` (rows, 1) or above it, else -1: int8 (rows, cols)."""
    return (weight >= cut).to(torch.int8).mul_(2).sub_(1)


def inverse(scale: Tensor) -> Tensor:
    """1 / scale, and 0 where scale is 0."""
    return torch.where(scale > 0, 1.0 / scale, 0.0)


def nearest_codes(weight: Tensor, scale: Tensor, bits: int) -> Tensor:
    """The nearest level of each weight, int8 (rows, cols); zeros where scale (rows, 1) is 0, but at
    one bit, where no code is zero."""
    if bits == 1:
        return codes_of_sign(weight, 0.0)
    return codes_nearest(weight, inverse(scale), levels(bits))


def fake_quantize(weight: Tensor, **options) -> Tensor:
    """Quantize and dequantize, float32 (rows, cols). Options as in `quantize`."""
    return quantize(weight, **options).dequantize()


def _unit(largest: Tensor, name: str) -> Tensor | None:
    """A power of two per row that brings extreme magnitudes near 1; None if all are ordinary.
    `largest` (rows, 1) is max|w| of each row.

    Rules multiply weights with each other and sum over millions; far from 1 that overflows or
    underflows float32. Dividing by a power of two changes no other bit, so rules need not care.
    """
    low, high = (float(end) for end in torch.aminmax(largest))  # NaN where any is
    if low > 1e-9 and high < 1e9:
        return None
    if not torch.isfinite(largest).all():
        raise InputError(
            f"{name} contains NaN or infinity, so it cannot be quantized. If this happened in "
            "training, lower the learning rate."
        )
    ordinary = (largest == 0) | ((largest > 1e-9) & (largest < 1e9))
    if ordinary.all():
        return None
    _, exponent = torch.frexp(largest)
    return torch.where(ordinary, 1.0, torch.ldexp(torch.ones_like(largest), exponent))
