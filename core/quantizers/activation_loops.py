"""The inner loop of rounding activations, compiled for the four pairs of types that occur.

A network in bfloat16 hands its activations over in it, and may want them back in it; the rounding
itself is float32 in every case. Each row has its own range: a tensor with one range is one row.
"""

import numpy as np
import torch
from torch import Tensor

from core.quantizers.kernels import compiled, from_bfloat16, to_bfloat16


@compiled
def _float_to_float(x, value, scale, lowest, highest):
    for row in range(len(x)):
        step, low, high = scale[row], lowest[row], highest[row]
        one, out = x[row], value[row]
        for i in range(len(one)):
            out[i] = min(max(np.rint(one[i] / step), low), high) * step


@compiled
def _float_to_half(x, value, scale, lowest, highest):
    for row in range(len(x)):
        step, low, high = scale[row], lowest[row], highest[row]
        one, out = x[row], value[row]
        for i in range(len(one)):
            out[i] = to_bfloat16(min(max(np.rint(one[i] / step), low), high) * step)


@compiled
def _half_to_float(x, value, scale, lowest, highest):
    for row in range(len(x)):
        step, low, high = scale[row], lowest[row], highest[row]
        one, out = x[row], value[row]
        for i in range(len(one)):
            out[i] = min(max(np.rint(from_bfloat16(one[i]) / step), low), high) * step


@compiled
def _half_to_half(x, value, scale, lowest, highest):
    for row in range(len(x)):
        step, low, high = scale[row], lowest[row], highest[row]
        one, out = x[row], value[row]
        for i in range(len(one)):
            code = np.rint(from_bfloat16(one[i]) / step)
            out[i] = to_bfloat16(min(max(code, low), high) * step)


_LOOPS = {
    (torch.float32, torch.float32): _float_to_float,
    (torch.float32, torch.bfloat16): _float_to_half,
    (torch.bfloat16, torch.float32): _half_to_float,
    (torch.bfloat16, torch.bfloat16): _half_to_half,
}


def round_between(
    x: Tensor, value: Tensor, scale: np.ndarray, lowest: np.ndarray, highest: np.ndarray
) -> None:
    """Write into `value` what each row of x (rows, cols) is on whole multiples of its scale,
    from the `lowest` to the `highest` of them; all three float32 (rows,)."""
    _LOOPS[x.dtype, value.dtype](_numbers(x.contiguous()), _numbers(value), scale, lowest, highest)


def _numbers(x: Tensor) -> np.ndarray:
    shown = x.detach()
    return (shown.view(torch.uint16) if x.dtype == torch.bfloat16 else shown).numpy()
