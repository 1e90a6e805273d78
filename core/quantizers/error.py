"""How far a quantized matrix is from the matrix it stands for."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from core.quantizers.blocks import row_blocks
from core.quantizers.quantizer import Quantized


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantizationError:
    """zeros: share of zero codes; mse: mean squared error; sqnr_db: 10 log10(signal / noise),
    higher is better; cosine: of the angle between both matrices; weighted: sum D (w - q)^2 over
    sum D w^2 under an importance D, None without one."""

    zeros: float
    mse: float
    sqnr_db: float
    cosine: float
    weighted: float | None = None


def quantized_blocks(weight: Tensor, quantized: Quantized) -> Iterator[tuple[Tensor, Tensor]]:
    """(latent, quantized value) of some rows at a time, float32."""
    for rows in row_blocks(*weight.shape):
        yield weight[rows].detach().float(), quantized.rows(rows).dequantize()


def quantization_error(
    weight: Tensor, quantized: Quantized, importance: Tensor | None = None
) -> QuantizationError:
    """Compare weight (rows, cols) with its quantized value."""
    noise = signal = power = product = 0.0
    for latent, value in quantized_blocks(weight, quantized):
        latent, value = latent.reshape(-1), value.reshape(-1)
        signal += float(torch.dot(latent, latent))
        power += float(torch.dot(value, value))
        product += float(torch.dot(latent, value))
        difference = value.sub_(latent)
        noise += float(torch.dot(difference, difference))
    return QuantizationError(
        zeros=1.0 - int(torch.count_nonzero(quantized.codes)) / weight.numel(),
        mse=noise / weight.numel(),
        sqnr_db=decibels(signal, noise),
        cosine=product / math.sqrt(signal * power) if signal * power > 0 else 0.0,
        weighted=_weighted_error(weight, quantized, importance),
    )


def _weighted_error(
    weight: Tensor, quantized: Quantized, importance: Tensor | None
) -> float | None:
    if importance is None:
        return None
    noise = signal = 0.0
    pairs = zip(quantized_blocks(weight, quantized), row_blocks(*weight.shape), strict=True)
    for (latent, value), rows in pairs:
        noise += float(((latent - value).square_() * importance[rows]).sum())
        signal += float((latent.square() * importance[rows]).sum())
    return noise / signal if signal > 0 else 0.0


def decibels(signal: float, noise: float) -> float:
    """10 log10(signal / noise), cut to [-200, 200] so that no error is still a number."""
    if noise <= 0.0:
        return 200.0
    if signal <= 0.0:
        return -200.0
    return max(-200.0, min(200.0, 10.0 * math.log10(signal / noise)))
