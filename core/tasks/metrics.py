"""Metrics, in numpy, each with its standard error.

predictions (examples, outputs) are logits, or one number each for regression; references are
class numbers or values. Every metric returns a fraction. Checked against scikit-learn in tests.
"""

from collections.abc import Callable

import numpy as np

from core.errors import one_of
from core.results import Score

Metric = Callable[[np.ndarray, np.ndarray], tuple[float, float]]


def accuracy(predictions: np.ndarray, references: np.ndarray) -> tuple[float, float]:
    """Share of right answers and its binomial standard error sqrt(p (1 - p) / n)."""
    share = float((predictions.argmax(axis=1) == references).mean())
    return share, float(np.sqrt(share * (1 - share) / len(references)))


METRICS: dict[str, Metric] = {"accuracy": accuracy}


def score(metric: str, predictions: np.ndarray, references: np.ndarray) -> Score:
    """The Score of `predictions`; raises InputError for an unknown metric."""
    one_of("Metric", metric, METRICS)
    value, standard_error = METRICS[metric](predictions, references)
    return Score(
        metric=metric, value=value, standard_error=standard_error, examples=len(references)
    )
