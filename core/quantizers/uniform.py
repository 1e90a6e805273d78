"""Symmetric max-abs quantization: the largest weight sets the scale.

The rule everybody tries first, and the paper's choice above 2 bits: the levels reach exactly to
the largest weight. At 8 bits that is nearly free; at 2 bits every weight below half the largest
becomes zero, which is why ternary networks need a better threshold.
"""

import torch
from torch import Tensor

from core.quantizers.alternate import nearest_codes
from core.quantizers.base import levels, rule


@rule(
    "uniform",
    title="Uniform (max-abs)",
    latex=r"\alpha = \frac{\max_i |w_i|}{2^{m-1}-1},\quad b_i = \mathrm{round}(w_i / \alpha)",
    source="TernaryBERT section 3.1 (quantization above 2 bits)",
)
def uniform(
    weight: Tensor, bits: int, importance: Tensor | None, start_scale: Tensor | None
) -> tuple[Tensor, Tensor]:
    """codes, scale = nearest levels under scale max|w| / levels; shapes as in `base.rule`."""
    scale = max_abs_scale(weight, bits)
    return nearest_codes(weight, scale, bits), scale


def max_abs_scale(weight: Tensor, bits: int) -> Tensor:
    """max|w| / levels of each row, (rows, 1)."""
    low, high = torch.aminmax(weight, dim=1, keepdim=True)
    return torch.maximum(high, -low) / levels(bits)
