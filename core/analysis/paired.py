"""Two models on the same examples: is one better, or is that the luck of the sample?

Both answered the same questions, so each question is its own pair and most of the luck (hard and
easy questions) cancels. Two tests use that:

    McNemar's exact test   of right and wrong answers. Only the examples count on which exactly one
                           model is right. If neither is better, each of these is a fair coin:
                           with 3 and 9 of them, p = 2 (C(12,0) + ... + C(12,3)) / 2^12 = 0.146.
    paired bootstrap       of any metric. Draw as many examples with replacement, score both models
                           on them, and again 2,000 times; the middle 95 % of the differences are
                           the interval. It needs no formula for the metric's spread.

A difference is shown where p is below 0.05 (McNemar), or the interval leaves out zero. Else none is
shown, which does not mean that there is none.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from core.errors import InputError
from core.targets.registry import metric_of

RESAMPLES = 2000
LEVEL = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Second minus first: the difference of their scores and its 95 % interval.

    `only_first` and `only_second` count the examples on which one alone is right, where answers
    are right or wrong (else None); `p` is that of the `test`.
    """

    metric: str
    examples: int
    first: float
    second: float
    low: float
    high: float
    test: str
    p: float
    only_first: int | None = None
    only_second: int | None = None

    @property
    def difference(self) -> float:
        """Second minus first."""
        return self.second - self.first

    @property
    def better(self) -> str:
        """ "first", "second", or "" where no difference is shown."""
        by_p = self.only_first is not None
        shown = self.p < 1 - LEVEL if by_p else self.low > 0 or self.high < 0
        if not shown:
            return ""
        return "second" if metric_of(self.metric).is_better(self.first, self.second) else "first"


def compare(metric: str, first: Any, second: Any, references: Any) -> Comparison:
    """Compare two models' predictions for the same references, in the shapes of its metric.

    McNemar where the metric is a share of right answers, else the bootstrap. Raises InputError
    when the models did not answer the same number of examples.
    """
    if not len(first) == len(second) == len(references):
        raise InputError("The two did not answer the same test examples, so they have no pairs.")
    judge = metric_of(metric)
    one, two = judge.scorer(first, references), judge.scorer(second, references)
    draws = differences(one, two, len(references))
    low, high = np.quantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    everything = np.arange(len(references))
    found = Comparison(
        metric=metric,
        examples=len(references),
        first=one(everything),
        second=two(everything),
        low=float(low),
        high=float(high),
        test="paired bootstrap",
        p=bootstrap_p(draws),
    )
    if not judge.right_or_wrong or judge.of_example is None:
        return found
    right, also = (judge.of_example(each, references) > 0 for each in (first, second))
    only = int((right & ~also).sum()), int((also & ~right).sum())
    return replace(
        found,
        test="McNemar's exact test",
        p=mcnemar(*only),
        only_first=only[0],
        only_second=only[1],
    )


def mcnemar(only_first: int, only_second: int) -> float:
    """Two-sided p that so many or more of the pairs fall to one side by the toss of a coin."""
    pairs, fewer = only_first + only_second, min(only_first, only_second)
    if pairs == 0:
        return 1.0
    chosen = np.arange(fewer + 1)
    logs = [
        math.lgamma(pairs + 1) - math.lgamma(k + 1) - math.lgamma(pairs - k + 1) for k in chosen
    ]
    return min(1.0, 2 * float(np.exp(np.array(logs) - pairs * math.log(2)).sum()))


def bootstrap_p(draws: np.ndarray) -> float:
    """Two-sided p of the resampled differences: twice the smaller share on one side of zero,
    counting one more draw than there was, since no finite number of draws proves p = 0."""
    smaller = min(int((draws <= 0).sum()), int((draws >= 0).sum()))
    return min(1.0, 2 * (smaller + 1) / (len(draws) + 1))


def differences(
    first: Callable[[np.ndarray], float],
    second: Callable[[np.ndarray], float],
    examples: int,
    resamples: int = RESAMPLES,
) -> np.ndarray:
    """Second minus first on samples drawn with replacement, always the same ones."""
    random = np.random.default_rng(0)
    draws = (random.integers(examples, size=examples) for _ in range(resamples))
    return np.array([second(draw) - first(draw) for draw in draws])


def mean_of(
    scorers: Sequence[Callable[[np.ndarray], float]],
) -> Callable[[np.ndarray], float]:
    """The mean score of several models on the same examples."""
    return lambda rows: sum(each(rows) for each in scorers) / len(scorers)
