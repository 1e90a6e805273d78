"""How far a quantized matrix is from the matrix it stands for."""

from dataclasses import dataclass

import torch
from torch import Tensor

from core.quantizers.base import Quantized


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantizationError:
    """zeros: share of zero codes; mse: mean squared error; sqnr_db: 10 log10(signal / noise),
    higher is better; cosine: of the angle between both matrices."""

    zeros: float
    mse: float
    sqnr_db: float
    cosine: float


def quantization_error(weight: Tensor, quantized: Quantized) -> QuantizationError:
    """Compare weight (rows, cols) with its quantized value."""
    latent, value = weight.detach().float(), quantized.dequantize()
    noise = float(torch.mean((latent - value).square()))
    signal = float(torch.mean(latent.square()))
    norms = float(latent.norm() * value.norm())
    return QuantizationError(
        zeros=float((quantized.codes == 0).float().mean()),
        mse=noise,
        sqnr_db=decibels(signal, noise),
        cosine=float((latent * value).sum()) / norms if norms > 0 else 0.0,
    )


def decibels(signal: float, noise: float) -> float:
    """10 log10(signal / noise), cut to [-200, 200] so that no error is still a number."""
    if noise <= 0.0:
        return 200.0
    if signal <= 0.0:
        return -200.0
    return float(10.0 * torch.log10(torch.tensor(signal / noise, dtype=torch.float64)))
