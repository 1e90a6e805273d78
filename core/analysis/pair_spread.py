"""What a sample says of the difference of two models on the same examples: its 95 % interval, and
how far it varies from example to example, from which follows how many examples would say more.

Where answers are right or wrong, the interval is Tango's (Statistics in Medicine 17, 1998): every
difference that his score test does not refuse. With l and g the shares of examples on which only
the first and only the second is right, the difference g - l varies from sample to sample by

    (2 q + D (1 - D)) / n,   q the likeliest l if the true difference were D

so the interval has a width even where the two agree on every example. A bootstrap of such a sample
would be sure of "no difference" after five examples. Elsewhere it is the paired bootstrap, and
where fewer than ten examples differ it is widened by the share of examples that may differ although
none was seen: 1 - 0.025^(1/n), some 3.7 examples.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np

from core.analysis.paired import LEVEL, differences
from core.errors import InputError
from core.targets.registry import metric_of

Z = NormalDist().inv_cdf((1 + LEVEL) / 2)  # 1.96
FEW = 10  # examples that differ; a bootstrap of fewer knows too little
HALVINGS = 60  # of an interval of length 1 or 2: down to the last digit


@dataclass(frozen=True, slots=True, kw_only=True)
class PairSpread:
    """Two models on the same examples, in fractions. `change` is second minus first, signed so
    that negative is worse whatever the metric, `low` to `high` its 95 % interval, `deviation` its
    standard deviation from example to example; `losses` and `gains` count the examples on which
    only the first, only the second is right, None where answers are more or less good."""

    metric: str
    examples: int
    first: float
    second: float
    change: float
    low: float
    high: float
    deviation: float
    losses: int | None = None
    gains: int | None = None

    def deviation_if(self, change: float) -> float:
        """The deviation if the true change were this one."""
        if self.losses is None or self.gains is None:
            return self.deviation
        shares = self.losses / self.examples, self.gains / self.examples
        return math.sqrt(variance_if(*shares, change))


def pair_spread(metric: str, first: Any, second: Any, references: Any) -> PairSpread:
    """Measure two models' predictions, in the shapes of the metric. Raises InputError when they
    did not answer the same number of examples."""
    if not len(first) == len(second) == len(references):
        raise InputError("The two did not answer the same test examples, so they have no pairs.")
    judge, count = metric_of(metric), len(references)
    sign = 1 if judge.higher_is_better else -1
    one, two = judge.scorer(first, references), judge.scorer(second, references)
    everything = np.arange(count)
    scores = one(everything), two(everything)
    known: dict[str, Any] = {"metric": metric, "examples": count}
    known |= {"first": scores[0], "second": scores[1], "change": sign * (scores[1] - scores[0])}
    gaps = None
    if judge.of_example is not None:
        gaps = sign * (judge.of_example(second, references) - judge.of_example(first, references))
    if gaps is not None and judge.right_or_wrong:
        losses, gains = int((gaps < 0).sum()), int((gaps > 0).sum())
        low, high = tango_interval(losses, gains, count)
        deviation = float(gaps.std())
        known |= {"losses": losses, "gains": gains}
    else:
        draws = sign * differences(one, two, count)
        low, high = (float(end) for end in np.quantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]))
        deviation = float(draws.std()) * math.sqrt(count)
        if unseen := _unseen(draws, gaps, count):
            low, high = low - unseen, high + unseen
            deviation = max(deviation, unseen * math.sqrt(count) / Z)
    return PairSpread(**known, low=low, high=high, deviation=deviation)


def _unseen(draws: np.ndarray, gaps: np.ndarray | None, count: int) -> float:
    """What the interval is widened by on both sides; 0 where enough examples differ."""
    few = not draws.any() if gaps is None else np.count_nonzero(gaps) < FEW
    return 1 - ((1 - LEVEL) / 2) ** (1 / count) if few else 0.0


def tango_interval(losses: int, gains: int, count: int) -> tuple[float, float]:
    """The 95 % interval of (gains - losses) / count."""
    change = (gains - losses) / count

    def refused(true: float) -> bool:
        spread = variance_if(losses / count, gains / count, true) / count
        return abs(change - true) > Z * math.sqrt(spread)

    return _edge(change, -1.0, refused), _edge(change, 1.0, refused)


def _edge(inside: float, outside: float, refused: Callable[[float], bool]) -> float:
    """Where between the two the test begins to refuse."""
    if not refused(outside):
        return outside
    for _ in range(HALVINGS):
        middle = (inside + outside) / 2
        inside, outside = (inside, middle) if refused(middle) else (middle, outside)
    return inside


def variance_if(losing: float, gaining: float, change: float) -> float:
    """The variance of one example's difference, -1, 0 or 1, if the true change were this one and
    a sample had shown these shares (Tango's constrained maximum of the likelihood)."""
    linear = -losing - gaining + (2 - gaining + losing) * change
    constant = -losing * change * (1 - change)
    likeliest = (math.sqrt(max(0.0, linear**2 - 8 * constant)) - linear) / 4
    return max(0.0, 2 * likeliest + change * (1 - change))
