"""TWN: the approximation-based rule, blind to the loss.

Minimise ||w - a b||^2. The exact answer needs a sort; Ternary Weight Networks (arXiv 1605.04711,
section 2.3; TernaryBERT equation 6) cut at 0.7 times the mean magnitude instead, which is close
to optimal for weights that are normally distributed:

    threshold = 0.7 * mean|w|       b = sign(w) where |w| > threshold, else 0
    a = mean of |w| over the survivors

Example: [0.1, -0.9, 1.1, 0.3] has mean magnitude 0.6, threshold 0.42, codes [0, -1, 1, 0] and
scale 1.0. Above 2 bits the same objective is met by alternation (see `alternate`), started from
the max-abs scale or from LSQ's first step, whichever is nearer to the weights: so it is never worse
than `uniform`, nor caught in the bad minimum where one outlier dictates the scale.
"""

from collections.abc import Iterator

from torch import Tensor

from core.quantizers.alternate import alternate, better, moments, ratio, turn_by_turn
from core.quantizers.lsq import lsq
from core.quantizers.registry import MEAN, Levels, Rows, rule
from core.quantizers.uniform import uniform

THRESHOLD_FACTOR = 0.7


def _start(rows: Rows, bits: int) -> Levels:
    """What the alternation above 2 bits begins with."""
    return better(rows.weight, uniform(rows, bits), lsq(rows, bits), bits, None)


def _steps(rows: Rows, bits: int, importance: Tensor | None) -> Iterator[Levels]:
    if bits > 2:
        yield from turn_by_turn(rows.weight, _start(rows, bits), bits, None)


@rule(
    "twn",
    title="TWN (approximation)",
    latex=(
        r"\Delta = \frac{0.7}{n}\sum_i |w_i|,\quad b_i = \mathrm{sign}(w_i)\,[\,|w_i| > \Delta\,]"
        r",\quad \alpha = \frac{\sum_i |w_i|\,[\,|w_i| > \Delta\,]}{\sum_i [\,|w_i| > \Delta\,]}"
    ),
    numbers=r"\Delta = 0.7 \cdot $mean = $threshold,\quad \alpha = $scale",
    derivation=(
        MEAN + r",\quad \Delta = 0.7\,\overline{|w|} = 0.7 \cdot $mean = $threshold",
        r"k = \#\{i : |w_i| > $threshold\} = $kept",
        r"\alpha = \frac{1}{k} \sum_{|w_i| > $threshold} |w_i| = \frac{$upper}{$kept} = $scale",
        r"\alpha \approx \frac{\sum_i b_i w_i}{\sum_i b_i^2} = \frac{$upper}{$lower},\quad "
        r"\alpha = $scale\ \text{(turn $turns)}",
    ),
    steps=_steps,
    source="Li et al., Ternary Weight Networks (arXiv 1605.04711); TernaryBERT equation 6",
)
def twn(
    rows: Rows, bits: int, importance: Tensor | None = None, start_scale: Tensor | None = None
) -> Levels:
    """Ternary by threshold; above 2 bits the alternation. Arguments as in `registry`."""
    if bits > 2:
        return alternate(rows.weight, _start(rows, bits), bits, None)
    threshold = THRESHOLD_FACTOR * rows.mean
    cut = Levels(scale=threshold, threshold=threshold)
    return Levels(scale=ratio(*moments(rows.weight, cut, bits, None)), threshold=threshold)
