"""Metrics, in numpy, each with its standard error.

    classes    predictions (examples, classes) are logits, references class numbers
    value      predictions (examples, 1), references numbers
    span       predictions are answers as text, references the accepted answers (see `answers`)

A metric is either a mean over examples, whose standard error is that of a mean, or a statistic of
the whole sample, whose standard error is the spread over 200 bootstrap samples (Efron 1979). What
has no value (a correlation with a constant, F1 without any positive) is 0, as in scikit-learn,
against which all of this is tested.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from core.errors import one_of
from core.results import Score
from core.tasks.answers import exact_match, word_f1

RESAMPLES = 200


def correct(predictions: np.ndarray, references: np.ndarray) -> np.ndarray:
    """1 where the class with the largest logit is right, else 0; (examples,)."""
    return (predictions.argmax(axis=1) == references).astype(np.float64)


def exact_matches(predictions: Sequence[str], references: Sequence[tuple[str, ...]]) -> np.ndarray:
    """1 where an answer equals an accepted one; (examples,)."""
    return np.array([exact_match(*pair) for pair in zip(predictions, references, strict=True)])


def word_f1s(predictions: Sequence[str], references: Sequence[tuple[str, ...]]) -> np.ndarray:
    """F1 over words with the accepted answer that fits best; (examples,)."""
    return np.array([word_f1(*pair) for pair in zip(predictions, references, strict=True)])


def f1(predictions: np.ndarray, references: np.ndarray) -> float:
    """F1 of class 1: 2 hits / (2 hits + misses + false alarms)."""
    return _f1_of(1, predictions.argmax(axis=1), references)


def macro_f1(predictions: np.ndarray, references: np.ndarray) -> float:
    """Mean F1 of all classes that occur among predictions or references."""
    predicted = predictions.argmax(axis=1)
    classes = np.union1d(predicted, references)
    return float(np.mean([_f1_of(each, predicted, references) for each in classes]))


def _f1_of(wanted: int, predicted: np.ndarray, references: np.ndarray) -> float:
    hits = int(((predicted == wanted) & (references == wanted)).sum())
    claimed, there = int((predicted == wanted).sum()), int((references == wanted).sum())
    return 2 * hits / (claimed + there) if hits else 0.0


def matthews(predictions: np.ndarray, references: np.ndarray) -> float:
    """Matthews correlation for any number of classes (Gorodkin 2004)."""
    count = max(predictions.shape[1], int(references.max()) + 1)
    table = np.zeros((count, count))
    np.add.at(table, (references, predictions.argmax(axis=1)), 1)
    there, claimed, total = table.sum(axis=1), table.sum(axis=0), table.sum()
    covariance = np.trace(table) * total - there @ claimed
    spread = (total**2 - there @ there) * (total**2 - claimed @ claimed)
    return float(covariance / np.sqrt(spread)) if spread else 0.0


def pearson(predictions: np.ndarray, references: np.ndarray) -> float:
    """Correlation of values (column 0 of predictions)."""
    return _correlation(predictions[:, 0].astype(np.float64), references.astype(np.float64))


def spearman(predictions: np.ndarray, references: np.ndarray) -> float:
    """Correlation of ranks; equal values share their mean rank."""
    return _correlation(_ranks(predictions[:, 0]), _ranks(references))


def _correlation(left: np.ndarray, right: np.ndarray) -> float:
    left, right = left - left.mean(), right - right.mean()
    spread = np.sqrt((left @ left) * (right @ right))
    return float(left @ right / spread) if spread else 0.0


def _ranks(values: np.ndarray) -> np.ndarray:
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts - 1) / 2)[places]


MEANS: dict[str, Callable[..., np.ndarray]] = {
    "accuracy": correct,
    "exact-match": exact_matches,
    "answer-f1": word_f1s,
}
STATISTICS: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
    "f1": f1,
    "macro-f1": macro_f1,
    "matthews": matthews,
    "pearson": pearson,
    "spearman": spearman,
}
METRICS = (*MEANS, *STATISTICS)


def score(metric: str, predictions: Any, references: Any) -> Score:
    """The Score of `predictions`, a fraction; raises InputError for an unknown metric."""
    one_of("Metric", metric, METRICS)
    if metric in MEANS:
        each = MEANS[metric](predictions, references)
        value, standard_error = float(each.mean()), float(each.std() / np.sqrt(len(each)))
    else:
        value = STATISTICS[metric](predictions, references)
        standard_error = _bootstrap(STATISTICS[metric], predictions, references)
    return Score(
        metric=metric, value=value, standard_error=standard_error, examples=len(references)
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
