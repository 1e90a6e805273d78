"""LAT: the loss-aware rule, approximate solver.

Errors in weights that the loss does not feel are free, so weigh them: minimise
sum_i D_i (w_i - a b_i)^2 with the diagonal curvature estimate that Adam keeps anyway,
D = sqrt(v) + 1e-8, v its second moment of the gradient (Hou, Yao and Kwok, arXiv 1611.01600;
Hou and Kwok, arXiv 1802.08635; TernaryBERT equation 7). The solver alternates:

    a = |b . D . w|_1 / |b . D|_1        b = the nearest level of w / a

from the codes of the previous step (a warm start: weights move little), in the first step from
TWN's; above 2 bits from TWN's or the max-abs codes, whichever are better. Without importance
(before the first step, or untrained) D is one everywhere.
"""

from collections.abc import Iterator

from torch import Tensor

from core.quantizers.alternate import alternate, better, turn_by_turn
from core.quantizers.registry import Levels, Rows, rule
from core.quantizers.twn import twn
from core.quantizers.uniform import uniform


def _start(rows: Rows, bits: int, importance: Tensor | None) -> Levels:
    """What the first step begins with, when there are no codes of a previous one."""
    start = twn(rows, bits)
    if bits == 2:
        return start
    return better(rows.weight, start, uniform(rows, bits), bits, importance)


def _steps(rows: Rows, bits: int, importance: Tensor | None) -> Iterator[Levels]:
    return turn_by_turn(rows.weight, _start(rows, bits, importance), bits, importance)


@rule(
    "lat",
    title="LAT (loss-aware)",
    latex=(
        r"\min_{\alpha, b} \sum_i D_i (w_i - \alpha b_i)^2,\quad D_i = \sqrt{v_i} + 10^{-8}:\quad "
        r"\alpha \leftarrow \frac{\sum_i D_i b_i w_i}{\sum_i D_i b_i^2},\quad "
        r"b_i \leftarrow \mathrm{round}(w_i / \alpha)"
    ),
    derivation=(
        r"\alpha \approx \frac{\sum_i D_i b_i w_i}{\sum_i D_i b_i^2} = \frac{$upper}{$lower},\quad "
        r"\alpha = $scale\ \text{(turn $turns)}",
    ),
    steps=_steps,
    source="Hou and Kwok, Loss-aware weight quantization (arXiv 1802.08635), approximate solver",
    uses_importance=True,
)
def lat(
    rows: Rows, bits: int, importance: Tensor | None = None, start_scale: Tensor | None = None
) -> Levels:
    """Alternate under the importance. Arguments as in `registry`."""
    warm = None if start_scale is None else Levels(scale=start_scale)
    start = warm or _start(rows, bits, importance)
    return alternate(rows.weight, start, bits, importance)
