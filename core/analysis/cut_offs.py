"""What enters one matrix, by channel and by token, and what each kind of range would cut off of it.

A few channels of an encoder carry values far beyond all others, and so do a few tokens, above all
the marks around texts. One range for everything has to hold them, or to cut them off. Every range
here is found on this one text: a static range of a student was found on other texts.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from core.analysis.internals import DEVIATIONS

if TYPE_CHECKING:
    from core.family import Unit
    from core.quantizers.range_search import Histogram

TENSOR, TOKEN = "per tensor", "per token"
OF_METHODS = {"percentile": "percentile", "mse": "least error", "kl": "KL"}


@dataclass(frozen=True, slots=True, kw_only=True)
class RangeCut:
    """A range (of each token: the middle one of them) on these values: which share of them lies
    outside, how wide one step is, and the mean squared error of the rounded values."""

    name: str
    low: float
    high: float
    outside: float
    step: float
    error: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Examined:
    """What enters a matrix, values (tokens, width).

    low, high (width,): the ends of each channel. farthest (tokens,): of each token the largest
    magnitude. outliers (tokens, width): whether a value lies beyond so many standard deviations.
    """

    units: "tuple[Unit, ...]"
    low: np.ndarray
    high: np.ndarray
    farthest: np.ndarray
    outliers: np.ndarray
    ranges: tuple[RangeCut, ...]

    @property
    def channels(self) -> tuple[int, ...]:
        """The channels that hold outliers, those with most of them first."""
        counts = self.outliers.sum(axis=0)
        order = np.argsort(-counts, kind="stable")
        return tuple(int(channel) for channel in order if counts[channel])

    @property
    def at_marks(self) -> int:
        """How many outliers lie at marks around texts."""
        marks = np.array([unit.is_mark for unit in self.units], dtype=bool)
        return int(self.outliers[marks].sum())


def examine(values: np.ndarray, units: "tuple[Unit, ...]", bits: int) -> Examined:
    """Look at values (tokens, width), float32 and finite, and at their ranges of so many bits."""
    mean, deviation = float(values.mean()), float(values.std())
    return Examined(
        units=units,
        low=values.min(axis=0),
        high=values.max(axis=0),
        farthest=np.abs(values).max(axis=1),
        outliers=np.abs(values - mean) > DEVIATIONS * deviation,
        ranges=_ranges(values, bits),
    )


def _ranges(values: np.ndarray, bits: int) -> tuple[RangeCut, ...]:
    from core.quantizers.range_search import Histogram

    seen = Histogram.of(values)
    whole = _cut(TENSOR, values, (min(seen.low, 0.0), max(seen.high, 0.0)), bits)
    methods = (_of_method(method, name, seen, values, bits) for method, name in OF_METHODS.items())
    return whole, _of_tokens(values, bits), *methods


def _of_method(
    method: str, name: str, seen: "Histogram", values: np.ndarray, bits: int
) -> RangeCut:
    from core.quantizers.range_search import range_ends

    return _cut(name, values, range_ends(seen, bits, "minmax", method), bits)


def _cut(name: str, values: np.ndarray, ends: tuple[float, float], bits: int) -> RangeCut:
    """A range for all values."""
    import torch

    from core.quantizers.activations import fake_quantize_activation, grid_between

    low, high = ends
    rounded = fake_quantize_activation(
        torch.from_numpy(values), bits, "minmax", scope="static", ends=ends
    )
    return RangeCut(
        name=name,
        low=low,
        high=high,
        outside=float(((values < np.float32(low)) | (values > np.float32(high))).mean()),
        step=float(grid_between(low, high, bits, "minmax").scale[0]),
        error=float(np.square(rounded.numpy() - values).mean()),
    )


def _of_tokens(values: np.ndarray, bits: int) -> RangeCut:
    """A range for each token, which holds all of its values."""
    import torch

    from core.quantizers.activations import fake_quantize_activation, grid_of

    low, high = np.minimum(values.min(axis=1), 0.0), np.maximum(values.max(axis=1), 0.0)
    rounded = fake_quantize_activation(torch.from_numpy(values), bits, "minmax", scope="token")
    return RangeCut(
        name=TOKEN,
        low=float(np.median(low)),
        high=float(np.median(high)),
        outside=0.0,
        step=float(np.median(grid_of(low, high, bits, "minmax").scale)),
        error=float(np.square(rounded.numpy() - values).mean()),
    )
