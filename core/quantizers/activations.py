"""Activations: one range per tensor, found anew for every batch.

Activations change with every text, so their range cannot be stored; it is measured while
computing ("dynamic"). Two ranges:

minmax      [min(0, x), max(0, x)] cut into 2^bits - 1 steps with a zero point, because hidden
            states lean to the negative side (TernaryBERT section 3.1). The arithmetic, rounding
            included, is that of ONNX's DynamicQuantizeLinear, so an exported model computes the
            same numbers.
symmetric   [-max|x|, max|x|], no zero point (the authors' released code).
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from core.errors import one_of
from core.experiment import ACTIVATION_BITS, ACTIVATIONS
from core.quantizers.kernels import compiled, from_bfloat16, to_bfloat16


@dataclass(frozen=True, slots=True, kw_only=True)
class RangeFormula:
    """How a range becomes levels, and the same with numbers put in: LaTeX in which $low, $high,
    $mean (of |x|), $top (largest code), $scale and $zero are filled in."""

    latex: str
    numbers: str


FORMULAS = {  # of every kind that core.experiment.ACTIVATIONS has
    "minmax": RangeFormula(
        latex=(
            r"s = \frac{x_{\max} - x_{\min}}{2^m - 1},\quad "
            r"z = \mathrm{round}(-x_{\min} / s),\quad "
            r"\hat x = s\,(\mathrm{clip}_{0}^{2^m - 1}(\mathrm{round}(x / s) + z) - z)"
        ),
        numbers=(
            r"s = \frac{$high - ($low)}{$top} = $scale,\quad "
            r"z = \mathrm{round}(-($low) / s) = $zero"
        ),
    ),
    "symmetric": RangeFormula(
        latex=(
            r"s = \frac{\max |x|}{Q},\quad Q = 2^{m-1} - 1,\quad "
            r"\hat x = s\,\mathrm{clip}_{-Q}^{Q}(\mathrm{round}(x / s))"
        ),
        numbers=r"s = \frac{\max(|$low|, |$high|)}{$top} = $scale",
    ),
    "lsq": RangeFormula(
        latex=(
            r"s_0 = \frac{2\,\overline{|x|}}{\sqrt{Q}},\quad Q = 2^{m-1} - 1,\quad "
            r"\hat x = s\,\mathrm{clip}_{-Q}^{Q}(\mathrm{round}(x / s)),\quad s \text{ is learned}"
        ),
        numbers=r"s_0 = \frac{2 \cdot $mean}{\sqrt{$top}} = $scale",
    ),
}


def activation_range(x: Tensor, bits: int, kind: str) -> tuple[float, float, int, int]:
    """(scale, zero point, lowest code, highest code) for a tensor of any shape.

    Scale and zero point are float32 numbers; codes run over [0, 2^bits - 1] for "minmax" and over
    the symmetric signed range for "symmetric". All zeros give scale 1; NaN or infinity in x gives
    a scale of NaN or infinity.
    """
    low, high = (np.float32(float(end)) for end in torch.aminmax(x))
    if kind == "symmetric":
        top = 2 ** (bits - 1) - 1
        scale = max(high, -low) / np.float32(top)
        return float(scale) if scale != 0 else 1.0, 0.0, -top, top
    top = 2**bits - 1
    low, high = min(low, np.float32(0.0)), max(high, np.float32(0.0))
    scale = (high - low) / np.float32(top)
    if not scale > 0 or not math.isfinite(scale):
        return float(scale) if scale != 0 else 1.0, 0.0, 0, top
    zero = np.rint(min(max(-low / scale, np.float32(0.0)), np.float32(top)))
    return float(scale), float(zero), 0, top


def fake_quantize_activation(
    x: Tensor, bits: int, kind: str, dtype: torch.dtype = torch.float32
) -> Tensor:
    """x (float32 or bfloat16) rounded to its own 2^bits levels, same shape, as float32 or rounded
    once more to bfloat16; 32 bits give x back.

    A tensor with NaN or infinity becomes all NaN: it has no range.
    Raises InputError for unknown bits or kind.
    """
    one_of("Activation bits", bits, ACTIVATION_BITS)
    one_of("Activation range", kind, ACTIVATIONS)
    if bits == 32:
        return x
    scale, zero, lowest, highest = activation_range(x, bits, kind)
    value = torch.empty(x.shape, dtype=dtype)
    if not math.isfinite(scale):
        return value.fill_(math.nan)
    ends = np.float32(lowest - zero), np.float32(highest - zero)  # codes less the zero point
    loop = _ROUND[x.dtype, dtype]
    loop(_numbers(x.contiguous()), _numbers(value), np.float32(scale), *ends)
    return value


def _numbers(x: Tensor) -> np.ndarray:
    flat = x.detach().view(-1)
    return (flat.view(torch.uint16) if x.dtype == torch.bfloat16 else flat).numpy()


@compiled
def _float_to_float(x, value, scale, lowest, highest):
    for i in range(len(x)):
        value[i] = min(max(np.rint(x[i] / scale), lowest), highest) * scale


@compiled
def _float_to_half(x, value, scale, lowest, highest):
    for i in range(len(x)):
        value[i] = to_bfloat16(min(max(np.rint(x[i] / scale), lowest), highest) * scale)


@compiled
def _half_to_float(x, value, scale, lowest, highest):
    for i in range(len(x)):
        code = np.rint(from_bfloat16(x[i]) / scale)
        value[i] = min(max(code, lowest), highest) * scale


@compiled
def _half_to_half(x, value, scale, lowest, highest):
    for i in range(len(x)):
        code = np.rint(from_bfloat16(x[i]) / scale)
        value[i] = to_bfloat16(min(max(code, lowest), highest) * scale)


_ROUND = {
    (torch.float32, torch.float32): _float_to_float,
    (torch.float32, torch.bfloat16): _float_to_half,
    (torch.bfloat16, torch.float32): _half_to_float,
    (torch.bfloat16, torch.bfloat16): _half_to_half,
}
