"""Symmetric max-abs quantization: the largest weight sets the scale.

The rule everybody tries first, and the paper's choice above 2 bits: the levels reach exactly to
the largest weight. At 8 bits that is nearly free; at 2 bits every weight below half the largest
becomes zero, which is why ternary networks need a better threshold.
"""

from torch import Tensor

from core.quantizers.quantizer import levels
from core.quantizers.registry import Levels, Rows, rule


@rule(
    "uniform",
    title="Uniform (max-abs)",
    latex=r"\alpha = \frac{\max_i |w_i|}{2^{m-1}-1},\quad b_i = \mathrm{round}(w_i / \alpha)",
    numbers=r"\alpha = \frac{$max}{$top} = $scale",
    derivation=(
        r"\max_i |w_i| = $max",
        r"2^{m-1} - 1 = $top",
        r"\alpha = \frac{$max}{$top} = $scale",
    ),
    source="TernaryBERT section 3.1 (quantization above 2 bits)",
)
def uniform(
    rows: Rows, bits: int, importance: Tensor | None = None, start_scale: Tensor | None = None
) -> Levels:
    """Scale max|w| / levels of each row; arguments as in `registry`."""
    return Levels(scale=rows.largest / levels(bits))
