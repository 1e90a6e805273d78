"""Looking at weights: the numbers behind the pictures.

Everything here takes a latent matrix and the very `Quantized` object that the model would compute
with, and gives plain arrays. Nothing draws.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn

from core.models.backbones import part_of
from core.quantizers.base import Quantized
from core.quantizers.base import levels as quantizer_levels
from core.quantizers.error import QuantizationError, quantization_error

BINS = 81
BLOCK = 64


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Histogram:
    """Latent and quantized weights on the same bins.

    edges (bins + 1,); latent, quantized (bins,) counts; levels: quantized values (several scales:
    of the mean scale); thresholds: where a weight changes from one level to the next.
    """

    edges: np.ndarray
    latent: np.ndarray
    quantized: np.ndarray
    levels: tuple[float, ...]
    thresholds: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WeightView:
    """One matrix and its quantized self: histogram, error, scales (rows,), and a 64 x 64 corner
    of latent weights, codes and error."""

    name: str
    rows: int
    cols: int
    histogram: Histogram
    error: QuantizationError
    scales: np.ndarray
    block_latent: np.ndarray
    block_codes: np.ndarray
    block_error: np.ndarray


def matrices(model: nn.Module) -> dict[str, Tensor]:
    """Every matrix that a student would quantize, by name, in the order of the network."""
    found = {}
    for name, module in model.named_modules():
        weight = getattr(module, "weight", None)
        if part_of(name) is not None and isinstance(weight, Tensor):
            found[name] = weight.detach()
    return found


def weight_view(name: str, weight: Tensor, quantized: Quantized) -> WeightView:
    """All that the Weights page shows of one matrix; weight (rows, cols)."""
    value = quantized.dequantize()
    corner = (slice(0, BLOCK), slice(0, BLOCK))
    return WeightView(
        name=name,
        rows=weight.shape[0],
        cols=weight.shape[1],
        histogram=histogram(weight, value, quantized),
        error=quantization_error(weight, quantized),
        scales=quantized.scale.reshape(-1).numpy(),
        block_latent=weight[corner].numpy(),
        block_codes=quantized.codes[corner].numpy(),
        block_error=(value[corner] - weight[corner]).numpy(),
    )


def histogram(weight: Tensor, value: Tensor, quantized: Quantized) -> Histogram:
    """Counts of latent and quantized weights over +-4.5 standard deviations, tails in the last
    bins, so nothing is left out."""
    spread = 4.5 * float(weight.std(correction=0)) or 1.0
    edges = np.linspace(-spread, spread, BINS + 1)
    levels, thresholds = level_lines(quantized)
    return Histogram(
        edges=edges,
        latent=_counts(weight, spread),
        quantized=_counts(value, spread),
        levels=levels,
        thresholds=thresholds,
    )


def _counts(values: Tensor, spread: float) -> np.ndarray:
    inside = values.clamp(-spread, spread)
    return torch.histc(inside, bins=BINS, min=-spread, max=spread).numpy()


def level_lines(quantized: Quantized) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Where to draw the levels and the borders between them, for the mean scale of all rows.

    Above 4 bits there are too many levels to draw and both are empty.
    """
    scale = float(quantized.scale.mean())
    top = quantizer_levels(quantized.bits)
    if top > 7:
        return (), ()
    levels = tuple(scale * code for code in range(-top, top + 1))
    if quantized.threshold is not None:
        border = float(quantized.threshold.mean())
        return levels, (-border, border)
    return levels, tuple((low + high) / 2 for low, high in pairwise(levels))
