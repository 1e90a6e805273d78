"""One weight matrix and its quantized self: the numbers behind the pictures.

Everything takes a latent matrix and the very `Quantized` object that a model would compute with,
works through both in blocks that fit the cache (the 30,522 x 384 embedding must answer while
somebody turns a knob), and gives plain arrays.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn

from core.family import Family
from core.quantizers.blocks import row_blocks
from core.quantizers.error import QuantizationError, quantization_error, quantized_blocks
from core.quantizers.quantizer import Quantized, quantize
from core.quantizers.quantizer import levels as top_level

BINS = 81
SPREAD = 4.5  # standard deviations to both sides on the histogram's axis
BLOCK = 64
SAMPLED_ROWS = 512


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Histogram:
    """Latent and quantized weights on the same bins.

    edges (bins + 1,); latent, quantized (bins,) counts. levels: quantized values; thresholds:
    where a weight changes from one level to the next; optimum: the levels that least squares
    would choose. With many scales all three are those of the mean scale.
    """

    edges: np.ndarray
    latent: np.ndarray
    quantized: np.ndarray
    levels: tuple[float, ...]
    thresholds: tuple[float, ...]
    optimum: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WeightView:
    """One matrix and its quantized self: histogram, error, scales (of the matrix, of the rows, or
    of the groups of `group` columns), a 64 x 64 corner of latent weights, codes and values, and the
    numbers for the rule's formula (of the first row or group where each has its own scale)."""

    name: str
    rows: int
    cols: int
    histogram: Histogram
    error: QuantizationError
    scales: np.ndarray
    group: int
    block_latent: np.ndarray
    block_codes: np.ndarray
    block_values: np.ndarray
    numbers: dict[str, float]


def matrices(model: nn.Module, family: Family) -> dict[str, Tensor]:
    """Every matrix that a student would quantize, by name, in the order of the network."""
    return {
        matrix.name: model.get_parameter(matrix.address).detach()
        for matrix in family.matrices(model)
    }


def latent_histogram(weight: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """(edges, counts) of a matrix over +-4.5 standard deviations; the tails are in the outermost
    bins, so nothing is left out. It does not depend on any knob, so it is computed once."""
    spread = SPREAD * math.sqrt(_mean_square(weight)) or 1.0
    counts = sum(_counts(weight[rows], spread) for rows in row_blocks(*weight.shape))
    return np.linspace(-spread, spread, BINS + 1), np.asarray(counts)


def _mean_square(weight: Tensor) -> float:
    flat = weight.reshape(-1)
    return float(torch.dot(flat, flat)) / flat.numel()


def _counts(values: Tensor, spread: float) -> np.ndarray:
    inside = values.clamp(-spread, spread)
    return torch.histc(inside, bins=BINS, min=-spread, max=spread).double().numpy()


def weight_view(
    name: str,
    weight: Tensor,
    quantized: Quantized,
    latent: tuple[np.ndarray, np.ndarray],
    optimum: tuple[float, ...],
    importance: Tensor | None,
) -> WeightView:
    """All that the Weights page shows of one matrix (rows, cols); `latent` and `optimum` as from
    `latent_histogram` and `optimum_lines`, importance (rows, cols) or None."""
    edges, counts = latent
    levels, thresholds = level_lines(quantized)
    corner = quantized.rows(slice(0, BLOCK))
    return WeightView(
        name=name,
        rows=weight.shape[0],
        cols=weight.shape[1],
        histogram=Histogram(
            edges=edges,
            latent=counts,
            quantized=_quantized_counts(weight, quantized, edges),
            levels=levels,
            thresholds=thresholds,
            optimum=optimum,
        ),
        error=quantization_error(weight, quantized, importance),
        scales=quantized.scale.reshape(-1).numpy(),
        group=quantized.group,
        block_latent=weight[:BLOCK, :BLOCK].numpy().copy(),  # a view would keep the whole matrix
        block_codes=corner.codes[:, :BLOCK].numpy().copy(),
        block_values=corner.dequantize()[:, :BLOCK].numpy(),
        numbers=dict(formula_numbers(weight, quantized)),
    )


def _quantized_counts(weight: Tensor, quantized: Quantized, edges: np.ndarray) -> np.ndarray:
    """Counts of the quantized values on the bins of `edges`.

    One scale for all means few values: then the codes are counted, not every weight placed.
    """
    top, limit = top_level(quantized.bits), float(edges[-1])
    if quantized.scale.numel() > 1:
        blocks = quantized_blocks(weight, quantized)
        return np.asarray(sum(_counts(value, limit) for _, value in blocks))
    counts = torch.zeros(2 * top + 1, dtype=torch.long)
    for rows in row_blocks(*weight.shape):
        shifted = quantized.codes[rows].reshape(-1).to(torch.int32).add_(top)
        counts += torch.bincount(shifted, minlength=2 * top + 1)
    values = float(quantized.scale) * np.arange(-top, top + 1)
    return np.histogram(np.clip(values, -limit, limit), bins=edges, weights=counts.numpy())[0]


def level_lines(quantized: Quantized) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Levels and the borders between them; both empty above 4 bits, where nobody could see
    them."""
    scale, top = float(quantized.scale.mean()), top_level(quantized.bits)
    if top > 7:
        return (), ()
    codes = (-1, 1) if quantized.bits == 1 else range(-top, top + 1)
    levels = tuple(scale * code for code in codes)
    if quantized.threshold is not None:
        border = float(quantized.threshold.mean())
        return levels, (border,) if quantized.bits == 1 else (-border, border)
    return levels, tuple((low + high) / 2 for low, high in pairwise(levels))


def optimum_lines(weight: Tensor, bits: int, granularity: str) -> tuple[float, ...]:
    """The outermost levels of the least-squares optimum; none at 8 bits.

    Where rows have scales only 512 evenly spaced rows are solved: their mean scale is all that is
    drawn.
    """
    if top_level(bits) > 7:
        return ()
    if granularity != "layer":
        weight = weight[:: max(1, weight.shape[0] // SAMPLED_ROWS)]
    exact = "binary" if bits == 1 else "optimal"  # at one bit the rule is the optimum
    best = quantize(weight, method=exact, bits=bits, granularity=granularity)
    edge = float(best.scale.mean()) * top_level(bits)
    return (-edge, edge)


def formula_numbers(weight: Tensor, quantized: Quantized) -> Iterator[tuple[str, float]]:
    """The names that a rule's formula with numbers may use: n, mean, max, top, scale, threshold."""
    part = weight[:1] if quantized.scale.numel() > 1 else weight
    part = part[:, : quantized.group] if quantized.group else part
    yield "n", part.numel()
    yield "mean", sum(float(part[r].abs().sum()) for r in row_blocks(*part.shape)) / part.numel()
    yield "max", max(float(part.amax()), -float(part.amin()))
    yield "top", top_level(quantized.bits)
    yield "scale", float(quantized.scale[0, 0])
    if quantized.threshold is not None:
        yield "threshold", float(quantized.threshold[0, 0])
