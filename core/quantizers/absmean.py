"""absmean: BitNet b1.58's rule, for comparison. Ternary only.

The scale is simply the mean magnitude, the codes are the nearest levels, so the threshold is half
the mean magnitude: fewer zeros than TWN, a smaller scale, and no claim to be optimal. BitNet can
afford it because it trains from scratch with it (Ma et al., arXiv 2402.17764, equations 1 to 3).
"""

from torch import Tensor

from core.quantizers.registry import MEAN, Levels, Rows, rule


@rule(
    "absmean",
    title="absmean (BitNet b1.58)",
    latex=r"\alpha = \frac{1}{n}\sum_i |w_i|,\quad b_i = \mathrm{round}(w_i/\alpha) \in \{-1,0,1\}",
    numbers=r"\alpha = \overline{|w|} = $scale",
    derivation=(MEAN, r"\alpha = \overline{|w|} = $scale"),
    source="Ma et al., The Era of 1-bit LLMs (arXiv 2402.17764), equations 1-3",
    bits=(2,),
)
def absmean(
    rows: Rows, bits: int, importance: Tensor | None = None, start_scale: Tensor | None = None
) -> Levels:
    """Scale mean|w| of each row. Arguments as in `registry`."""
    return Levels(scale=rows.mean)
