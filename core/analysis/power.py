"""How many test examples does it take to show a difference, and which could this sample have shown?

A difference d between two models on the same n examples is shown where its estimate lies 1.96
standard errors from zero. To find it in four samples of five (a power of 80 %), n must be so large
that d is that, and 0.84 standard errors more:

    d sqrt(n) = 1.96 s0 + 0.84 s1

s0 is the deviation of an example's difference if there were none, s1 that if d is true. Where
answers are right or wrong and the two disagree on a share p of the examples, s0 = sqrt(p) and
s1 = sqrt(p - d^2) (Connor, Biometrics 43, 1987); McNemar's exact test moves in steps of a whole
example, which costs one more: d n - 1 in place of d n. Two students of one teacher disagree rarely,
so pairs need far fewer examples than two samples would.
"""

import math
from statistics import NormalDist

from core.analysis.pair_spread import PairSpread, Z

POWER = 0.8
Z_POWER = NormalDist().inv_cdf(POWER)  # 0.84
MOST_EXAMPLES = 10**9
HALVINGS = 60


def examples_to_show(pairs: PairSpread, difference: float) -> int | None:
    """How many test examples show a difference of this size (a fraction, above 0) with a power of
    80 %, if the two disagree as often as in this sample. None: more than a billion."""
    by_count = pairs.losses is not None and pairs.gains is not None
    if not by_count:
        return examples_for(pairs.deviation, pairs.deviation, difference)
    assert pairs.losses is not None
    assert pairs.gains is not None
    apart = max((pairs.losses + pairs.gains) / pairs.examples, difference)
    return examples_for(
        math.sqrt(apart), math.sqrt(max(0.0, apart - difference**2)), difference, step=1
    )


def examples_for(at_limit: float, if_true: float, gap: float, step: int = 0) -> int | None:
    """The n at which a true difference `gap` away from what is to be refused is found with a power
    of 80 %; deviations of an example if that limit, and if the difference, is true. `step` is what
    a test of whole examples loses of n * gap."""
    if gap <= 0:
        return None
    reach = Z * at_limit + Z_POWER * if_true
    root = (reach + math.sqrt(reach**2 + 4 * gap * step)) / (2 * gap)
    return math.ceil(root**2) if root**2 <= MOST_EXAMPLES else None


def smallest_to_show(pairs: PairSpread) -> float | None:
    """The smallest difference (a fraction) that a sample of this size shows with a power of 80 %.
    None where not even one of 100 points would be shown."""
    low, high = 0.0, 1.0
    if not _shows(pairs, high):
        return None
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if _shows(pairs, middle) else (middle, high)
    return high


def _shows(pairs: PairSpread, difference: float) -> bool:
    needed = examples_to_show(pairs, difference)
    return needed is not None and needed <= pairs.examples
