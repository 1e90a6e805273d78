"""One bit: every weight becomes +a or -a, and nothing can become zero.

Minimise ||w - a b||^2 over a > 0 and b in {-1, +1}^n. Whatever the scale, the nearest level has the
weight's own sign, and for these codes the best scale is the mean magnitude: so at one bit the exact
answer needs no search (Rastegari et al., XNOR-Net, arXiv 1603.05279, equations 5 and 6):

    b = sign(w)        a = mean|w|

What is lost is the spread of the magnitudes: sum(w^2) - (sum|w|)^2 / n. A small weight is moved by
almost a, which is what the zero of a ternary code is for.

`binary-centred` first takes the mean off, so that half of the codes are +1 and half are -1, also
where the weights lean to one side; the scale stays the mean magnitude and the mean is not put back
(Liu et al., BiT, as their code has it). Its error is never smaller; its codes carry a whole bit.
Both answer for whatever shares a scale: a matrix, a row, or a group of columns.
"""

import numpy as np
import torch
from torch import Tensor

from core.quantizers.kernels import column, compiled, numbers_of
from core.quantizers.registry import MEAN, Levels, Rows, rule

_PIECE = 4096
_SCALE = (MEAN, r"\alpha = \overline{|w|} = $scale")


@rule(
    "binary",
    title="Binary (sign and mean magnitude)",
    latex=r"\alpha = \frac{1}{n}\sum_i |w_i|,\quad b_i = \mathrm{sign}(w_i) \in \{-1, +1\}",
    numbers=r"\alpha = \overline{|w|} = $scale",
    derivation=_SCALE,
    source="Rastegari et al., XNOR-Net (arXiv 1603.05279), equations 5 and 6",
    bits=(1,),
)
def binary(
    rows: Rows, bits: int, importance: Tensor | None = None, start_scale: Tensor | None = None
) -> Levels:
    """Cut at 0, scale mean|w| of each row. Arguments as in `registry`."""
    return Levels(scale=rows.mean)


@rule(
    "binary-centred",
    title="Binary, centred (BiT)",
    latex=(
        r"\alpha = \frac{1}{n}\sum_i |w_i|,\quad "
        r"b_i = \mathrm{sign}(w_i - \overline{w}) \in \{-1, +1\}"
    ),
    numbers=r"\overline{w} = $threshold,\quad \alpha = \overline{|w|} = $scale",
    derivation=(r"\overline{w} = \frac{1}{n} \sum_i w_i = $threshold", *_SCALE),
    source="Liu et al., BiT: Robustly Binarized Multi-distilled Transformer (arXiv 2205.13016)",
    bits=(1,),
)
def binary_centred(
    rows: Rows, bits: int, importance: Tensor | None = None, start_scale: Tensor | None = None
) -> Levels:
    """Cut at the mean of each row, scale mean|w|. Arguments as in `registry`."""
    mean = column(rows.weight)
    _means(numbers_of(rows.weight), mean)
    return Levels(scale=rows.mean, threshold=torch.from_numpy(mean))


@compiled
def _means(weight, mean):
    rows, cols = weight.shape
    for row in range(rows):
        whole = 0.0
        for start in range(0, cols, _PIECE):
            part = np.float32(0.0)
            for value in weight[row, start : start + _PIECE]:
                part += value
            whole += part
        mean[row, 0] = whole / cols
