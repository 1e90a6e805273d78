"""Two recipes, each trained with several seeds: the difference of their means and its interval.

Two kinds of luck are in it, and each is measured where it shows:

    of training   how the difference of the two recipes varies from seed to seed (the same seed
                  gives both the same order of batches, so seeds are pairs too)
    of the test   how the difference would vary with other test examples, averaged over the seeds

Their squared standard errors add up, which counts a little of the second twice, so the interval is
rather too wide than too narrow. Few seeds know their own spread badly; Student's t with
Satterthwaite's degrees of freedom makes up for that: with three seeds and a spread that is all of
training, the interval is 4.3 standard errors wide to each side, not 1.96. With a single seed the
luck of training cannot be measured at all, and the interval is only that of the test sample.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.analysis.paired import LEVEL, differences, mean_of
from core.errors import InputError
from core.targets.registry import metric_of

RESAMPLES = 300
_ANGLES = np.linspace(0.0, np.pi / 2, 200_001)
_MOST_FREEDOM = 100_000.0  # from here on Student's t is the normal distribution


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedDifference:
    """Second recipe minus first, its 95 % interval, and what it rests on."""

    difference: float
    low: float
    high: float
    seeds: int
    examples: int

    @property
    def is_shown(self) -> bool:
        """Whether the interval leaves out zero."""
        return self.low > 0 or self.high < 0


def difference_over_seeds(
    metric: str, first: Sequence[Any], second: Sequence[Any], references: Any
) -> SeedDifference:
    """The difference of two recipes from their predictions, one per seed, in the same order of
    seeds. Raises InputError when seeds or examples do not match."""
    counts = {len(each) for each in (*first, *second, references)}
    if len(counts) != 1 or len(first) != len(second) or not first:
        raise InputError("The two recipes do not have the same seeds and test examples.")
    judge = metric_of(metric)
    ones = [judge.scorer(each, references) for each in first]
    twos = [judge.scorer(each, references) for each in second]
    everything = np.arange(len(references))
    of_seeds = np.array([b(everything) - a(everything) for a, b in zip(ones, twos, strict=True)])
    if judge.of_example is not None:
        gaps = [
            judge.of_example(b, references) - judge.of_example(a, references)
            for a, b in zip(first, second, strict=True)
        ]
        test_error = float(np.mean(gaps, axis=0).std() / math.sqrt(len(references)))
    else:
        draws = differences(mean_of(ones), mean_of(twos), len(references), RESAMPLES)
        test_error = float(np.std(draws))
    difference = float(of_seeds.mean())
    reach = _reach(of_seeds, test_error)
    return SeedDifference(
        difference=difference,
        low=difference - reach,
        high=difference + reach,
        seeds=len(first),
        examples=len(references),
    )


def _reach(of_seeds: np.ndarray, test_error: float) -> float:
    """Half the width of the interval."""
    seeds = len(of_seeds)
    of_training = float(of_seeds.var(ddof=1)) / seeds if seeds > 1 else 0.0
    variance = of_training + test_error**2
    freedom = _MOST_FREEDOM
    if of_training > 0:
        freedom = min(freedom, (seeds - 1) * (variance / of_training) ** 2)
    return student_t(freedom) * math.sqrt(variance)


def student_t(freedom: float, level: float = LEVEL) -> float:
    """t so that Student's distribution has `level` of its mass within -t and t: 12.71, 4.30,
    3.18 at 1, 2, 3 degrees of freedom, and 1.96 at infinitely many.

    With t = sqrt(freedom) tan(angle) the density becomes cos(angle)^(freedom - 1), which is
    summed up to the angle where `level` of its whole is reached.
    """
    density = np.cos(_ANGLES) ** (min(freedom, _MOST_FREEDOM) - 1)
    mass = np.concatenate([[0.0], np.cumsum(density[1:] + density[:-1])])
    angle = np.interp(level * mass[-1], mass, _ANGLES)
    return float(math.sqrt(min(freedom, _MOST_FREEDOM)) * math.tan(angle))
