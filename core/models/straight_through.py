"""The straight-through estimator: round in the forward, pretend in the backward that nothing was.

Rounding has no gradient worth the name, so the gradient of the quantized value is handed to the
latent one as it is (Bengio et al. 2013; PAPER 2).
"""

import torch
from torch import Tensor


class _StraightThrough(torch.autograd.Function):
    """Forward the second argument, send its gradient to the first (Bengio et al. 2013)."""

    @staticmethod
    def forward(ctx, latent: Tensor, quantized: Tensor) -> Tensor:  # type: ignore[override]
        ctx.dtype = latent.dtype
        return quantized.view_as(quantized)

    @staticmethod
    def backward(ctx, gradient: Tensor):  # type: ignore[override]
        return gradient.to(ctx.dtype), None


def product_dtype(x: Tensor) -> torch.dtype:
    """The type in which a matrix product of x is computed: under autocast that of autocast, so
    that a quantized number is written once, in the type it is used in."""
    return torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else x.dtype


def straight_through(latent: Tensor, quantized: Tensor) -> Tensor:
    """`quantized`, bit for bit, whose gradient flows to `latent`; both of one shape."""
    result: Tensor = _StraightThrough.apply(latent, quantized)  # type: ignore[assignment]
    return result
