"""Activations: one range per tensor, found anew for every batch.

Activations change with every text, so their range cannot be stored; it is measured while
computing ("dynamic"). Two ranges:

minmax      [min(0, x), max(0, x)] cut into 2^bits - 1 steps with a zero point, because hidden
            states lean to the negative side (TernaryBERT section 3.1). The arithmetic, rounding
            included, is that of ONNX's DynamicQuantizeLinear, so an exported model computes the
            same numbers.
symmetric   [-max|x|, max|x|], no zero point (the authors' released code).
"""

import torch
from torch import Tensor

from core.errors import one_of
from core.experiment import ACTIVATION_BITS, ACTIVATIONS


def activation_range(x: Tensor, bits: int, kind: str) -> tuple[Tensor, Tensor, int, int]:
    """(scale, zero point, lowest code, highest code) for a tensor of any shape.

    Scale and zero point are 0-dimensional float32; codes run over [0, 2^bits - 1] for "minmax"
    and over the symmetric signed range for "symmetric". All zeros give scale 1.
    """
    low, high = torch.aminmax(x)
    if kind == "symmetric":
        top = 2 ** (bits - 1) - 1
        scale = torch.maximum(high, -low) / top
        scale = torch.where(scale > 0, scale, 1.0)
        return scale, torch.zeros_like(scale), -top, top
    top = 2**bits - 1
    low, high = low.clamp_max(0.0), high.clamp_min(0.0)
    scale = (high - low) / top
    scale = torch.where(scale > 0, scale, 1.0)
    return scale, (-low / scale).clamp_(0, top).round_(), 0, top


def fake_quantize_activation(x: Tensor, bits: int, kind: str) -> Tensor:
    """x rounded to its own 2^bits levels, same shape, float32; 32 bits give x back.

    Raises InputError for unknown bits or kind.
    """
    one_of("Activation bits", bits, ACTIVATION_BITS)
    one_of("Activation range", kind, ACTIVATIONS)
    if bits == 32:
        return x
    scale, zero, lowest, highest = activation_range(x, bits, kind)
    shifted = torch.div(x, scale).round_()  # codes less the zero point
    offset = float(zero)  # bounds as plain numbers: clamping by tensors is five times slower
    return shifted.clamp_(lowest - offset, highest - offset).mul_(scale)
