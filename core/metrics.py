"""What a metric is, and a score with its standard error; numpy only. The metrics themselves stand
in the files of the targets that they judge.

A metric is either a mean over examples (`of_example`), whose standard error is that of a mean, or a
statistic of the whole sample (`of_all`), whose standard error is the spread over 200 bootstrap
samples (Efron 1979). What has no value (a correlation with a constant, F1 without any positive) is
0, as in scikit-learn, against which all of this is tested.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.results import Score

RESAMPLES = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """How predictions are judged; exactly one of `of_example` and `of_all` is there.

    title, unit       for people; a fraction times 100 has the unit "%" or "x 100"
    higher_is_better  False for error rates
    right_or_wrong    each example is right (1) or wrong (0): McNemar's test holds
    of_example        (predictions, references) -> (examples,), whose mean is the score
    of_all            (predictions, references) -> the score
    """

    name: str
    title: str
    unit: str = "%"
    higher_is_better: bool = True
    right_or_wrong: bool = False
    of_example: Callable[[Any, Any], np.ndarray] | None = None
    of_all: Callable[[Any, Any], float] | None = None

    def __post_init__(self) -> None:
        if (self.of_example is None) == (self.of_all is None):
            raise ValueError(f"{self.name} needs either of_example or of_all")

    def is_better(self, first: float, second: float) -> bool:
        """Whether the second score is better than the first."""
        return second > first if self.higher_is_better else second < first

    def best(self, scores: Sequence[float]) -> float:
        """The best of these scores."""
        return max(scores) if self.higher_is_better else min(scores)

    def scorer(self, predictions: Any, references: Any) -> Callable[[np.ndarray], float]:
        """The score as a function of which examples count (their numbers)."""
        if self.of_example is not None:
            each = self.of_example(predictions, references)
            return lambda rows: float(each[rows].mean())
        of_all = self.of_all
        assert of_all is not None
        return lambda rows: of_all(predictions[rows], references[rows])


def score(metric: Metric, predictions: Any, references: Any) -> Score:
    """The Score of `predictions`, a fraction, with its standard error."""
    if metric.of_example is not None:
        each = metric.of_example(predictions, references)
        value, standard_error = float(each.mean()), float(each.std() / np.sqrt(len(each)))
    else:
        assert metric.of_all is not None
        value = metric.of_all(predictions, references)
        standard_error = _bootstrap(metric.of_all, predictions, references)
    return Score(
        metric=metric.name, value=value, standard_error=standard_error, examples=len(references)
    )


def _bootstrap(
    statistic: Callable[[np.ndarray, np.ndarray], float],
    predictions: np.ndarray,
    references: np.ndarray,
) -> float:
    """Spread of the statistic over samples drawn with replacement, always the same ones."""
    random, count = np.random.default_rng(0), len(references)
    draws = (random.integers(count, size=count) for _ in range(RESAMPLES))
    return float(np.std([statistic(predictions[draw], references[draw]) for draw in draws]))
