"""What a matrix reads: the second moments of its inputs, from a few texts.

A layer computes y = W x. With another matrix V in place of W the mean squared error of y is

    mean |W x - V x|^2 = trace((W - V) G (W - V)^T),   G = mean of x x^T, (cols, cols)

so G, the *Gram matrix* of the inputs, is all that rounding needs to know of the texts (it is half
the Hessian of that error). The model is run as it stands, with everything before the matrix already
quantized, and stops as soon as the matrix has been reached. Padding does not count.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from core.family import Batch, Family


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LayerInputs:
    """gram (cols, cols) float64, the mean of x x^T; mean and largest |x|, (cols,) float64; how
    many units were read."""

    gram: Tensor
    mean: Tensor
    largest: Tensor
    units: int


class _Reached(Exception):
    """The matrix has been reached: nothing behind it needs computing."""


@torch.no_grad()
def layer_inputs(
    model: Any, family: Family, batches: Sequence[Batch], module: nn.Module
) -> LayerInputs:
    """The inputs of a layer of `model`, rounded as the layer rounds them."""
    gathered: list[Tensor] = []
    total, first, largest, units = None, None, None, 0

    def look(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        gathered.append(_rounded(layer, inputs[0]))
        raise _Reached

    handle = module.register_forward_pre_hook(look)
    try:
        for batch in batches:
            _run(lambda batch=batch: family.forward(model, batch))
            x = real_units(gathered.pop(), batch.units).double()
            square, summed, top = x.T @ x, x.sum(0), x.abs().amax(0)
            total = square if total is None else total + square
            first = summed if first is None else first + summed
            largest = top if largest is None else torch.maximum(largest, top)
            units += len(x)
    finally:
        handle.remove()
    assert total is not None
    assert first is not None
    assert largest is not None
    return LayerInputs(gram=total / units, mean=first / units, largest=largest, units=units)


def _run(forward: Callable[[], Any]) -> None:
    try:
        forward()
    except _Reached:
        return
    raise AssertionError("the layer takes no part in a forward pass")


def _rounded(layer: nn.Module, x: Tensor) -> Tensor:
    quantizer = getattr(layer, "activation_quantizer", None)
    return (x if quantizer is None else quantizer(x)).float()


def real_units(x: Tensor, lengths: Tensor) -> Tensor:
    """The rows of x (batch, units, cols) that are no padding, (n, cols); of (batch, cols) all."""
    if x.dim() == 2:
        return x
    places = torch.arange(x.shape[1])
    return x[places < lengths[:, None]]
