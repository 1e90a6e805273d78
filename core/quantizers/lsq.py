"""LSQ: the scale is learned like a weight (Learned Step Size Quantization; KDLSQ-BERT).

    value = round(clip(w / s, -Qn, Qp)) * s                       Qn = Qp = levels (symmetric)
    d value / d w = 1 inside the clip, 0 outside
    d value / d s = round(w / s) - w / s inside, -Qn or Qp outside, times 1 / sqrt(N Qp)

N is how many weights share the scale. The rule below only gives the first value,
s = 2 mean|w| / sqrt(Qp); from then on the scale is a parameter of the student with its own
learning rate (Esser et al., arXiv 1902.08153; Jin et al., arXiv 2101.05938, section 3).
"""

import math

import torch
from torch import Tensor

from core.quantizers.learned_steps import LSQ, Learning
from core.quantizers.quantizer import levels, with_scale
from core.quantizers.registry import MEAN, Levels, Rows, rule

STEP_FLOOR = 1e-9  # a learned step stays positive


@rule(
    "lsq",
    title="LSQ (learned step)",
    latex=(
        r"s_0 = \frac{2\,\overline{|w|}}{\sqrt{Q_p}},\quad "
        r"\hat w = s\,\mathrm{round}(\mathrm{clip}(w/s, -Q_n, Q_p)),\quad "
        r"\frac{\partial \hat w}{\partial s} = \mathrm{round}(w/s) - w/s \ \text{(inside)}"
    ),
    numbers=r"s_0 = \frac{2 \cdot $mean}{\sqrt{$top}} = $scale",
    derivation=(
        MEAN,
        r"Q_p = 2^{m-1} - 1 = $top",
        r"s_0 = \frac{2\,\overline{|w|}}{\sqrt{Q_p}} = \frac{2 \cdot $mean}{\sqrt{$top}} = $scale",
    ),
    source="Esser et al. (arXiv 1902.08153); KDLSQ-BERT (arXiv 2101.05938)",
    learns_scale=True,
)
def lsq(
    rows: Rows, bits: int, importance: Tensor | None = None, start_scale: Tensor | None = None
) -> Levels:
    """The first value of the step of each row, or the learned one. Arguments as in `registry`."""
    if start_scale is not None:
        return Levels(scale=start_scale)
    return Levels(scale=2 * rows.mean / math.sqrt(levels(bits)))


class LearnedStep(torch.autograd.Function):
    """The nearest levels of x under step s, with LSQ's gradients for both.

    x (rows, cols) with s (rows, 1), or x of any shape with s (1, 1); s > 0. `learning` may leave
    out the factor or the clip of the gradient.
    """

    @staticmethod
    def forward(  # type: ignore[override]
        ctx, x: Tensor, step: Tensor, bits: int, learning: Learning = LSQ
    ) -> Tensor:
        ctx.save_for_backward(x, step)
        ctx.bits, ctx.learning = bits, learning
        rows = x if step.shape[0] > 1 else x.reshape(1, -1)
        return with_scale(rows, step, bits).dequantize().reshape(x.shape)

    @staticmethod
    def backward(ctx, gradient: Tensor):  # type: ignore[override]
        x, step = ctx.saved_tensors
        top = levels(ctx.bits)
        ratio = x / step
        inside = (ratio.abs() <= top).to(x.dtype)
        codes = ratio.clamp(-top, top).round_()
        toward_step = gradient * (codes - ratio * inside)
        dims = [d for d in range(x.dim()) if d >= step.dim() or step.shape[d] == 1]
        shared = x.numel() // step.numel()
        step_gradient = toward_step.sum(dim=dims).reshape(step.shape)
        if ctx.learning.scaled:
            step_gradient = step_gradient / math.sqrt(shared * top)
        return gradient if ctx.learning.straight else gradient * inside, step_gradient, None, None


def learned_levels(x: Tensor, step: Tensor, bits: int, learning: Learning = LSQ) -> Tensor:
    """`LearnedStep` of x under `step`."""
    levels_of_x: Tensor = LearnedStep.apply(x, step, bits, learning)  # type: ignore[assignment]
    return levels_of_x
