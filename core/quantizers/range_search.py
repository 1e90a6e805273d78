"""Where a range that is fixed beforehand should end: the whole, a share, least error, least KL.

A static range is found once, on what a few texts gave, and then stays. It need not hold every
value: one that lies far out makes the steps wider for all others. Four ways to choose the ends,
all of them from a histogram:

minmax      everything that was seen
percentile  all but the outermost thousandth, half of it on each side
mse         the ends with the least squared error of the rounded values: for one end, then for the
            other, until neither moves
kl          the magnitude at which the distribution that 2^(bits-1) levels can draw is nearest to
            what was seen: the two cumulative distributions are compared, what is cut off counts
            as lying at the end (as in the code of KDLSQ-BERT's authors, arXiv 2101.05938)
"""

from dataclasses import dataclass

import numpy as np

from core.quantizers.activations import grid_of

BINS = 2048
KL_BINS = 512  # every one of them is tried
OUTSIDE = 0.001  # what "percentile" cuts off
SHARES = np.arange(1, 101, dtype=np.float32) / np.float32(100.0)  # of the whole, that "mse" tries
MOST_TURNS = 10


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Histogram:
    """How many values were seen in each of equally wide bins from `low` to `high`, which are the
    smallest and the largest of them."""

    low: float
    high: float
    counts: np.ndarray

    @classmethod
    def of(cls, values: np.ndarray, bins: int = BINS) -> "Histogram":
        """Of all these finite values."""
        low, high = float(values.min()), float(values.max())
        counts, _ = np.histogram(values, bins=bins, range=(low, high))
        return cls(low=low, high=high, counts=counts)

    @property
    def middles(self) -> np.ndarray:
        """The middle of each bin."""
        return self.low + (np.arange(len(self.counts)) + 0.5) * self.width

    @property
    def width(self) -> float:
        """Of a bin."""
        return (self.high - self.low) / len(self.counts)

    @property
    def largest(self) -> float:
        """The largest magnitude."""
        return max(-self.low, self.high, 0.0)

    def of_magnitudes(self, bins: int = BINS) -> "Histogram":
        """The same of |x|, from 0 on."""
        counts, _ = np.histogram(
            np.abs(self.middles),
            bins=bins,
            range=(0.0, self.largest),
            weights=self.counts,
        )
        return Histogram(low=0.0, high=self.largest, counts=counts)


def range_ends(seen: Histogram, bits: int, kind: str, method: str) -> tuple[float, float]:
    """The ends of the range by this method (one of core.experiment's CALIBRATIONS); 0 lies within.
    Of every kind but "minmax" they lie equally far from 0. One bit has the range of two, whose
    outer levels are the same."""
    bits = max(bits, 2)
    if seen.high <= seen.low or not seen.largest:
        return (
            (min(seen.low, 0.0), max(seen.high, 0.0)) if kind == "minmax" else _both(seen.largest)
        )
    if method == "kl":
        far = kl_threshold(seen.of_magnitudes(KL_BINS), bits)
        return (
            (max(min(seen.low, 0.0), -far), min(max(seen.high, 0.0), far))
            if kind == "minmax"
            else _both(far)
        )
    if kind != "minmax":
        return _both(_far_end(seen, bits, method))
    low, high = min(seen.low, 0.0), max(seen.high, 0.0)
    if method == "percentile":
        inner = _quantiles(seen, OUTSIDE / 2)
        return min(inner[0], 0.0), max(inner[1], 0.0)
    return _least_error(seen, low, high, bits) if method == "mse" else (low, high)


def _both(far: float) -> tuple[float, float]:
    return -far, far


def _far_end(seen: Histogram, bits: int, method: str) -> float:
    """The end of a symmetric range."""
    if method == "percentile":
        return _quantiles(seen.of_magnitudes(), OUTSIDE)[1]
    if method == "mse":
        tried = np.float32(seen.largest) * SHARES
        return float(tried[np.argmin(_squared_errors(seen, -tried, tried, bits, "symmetric"))])
    return seen.largest


def _quantiles(seen: Histogram, outside: float) -> tuple[float, float]:
    """The outer borders of the bins that hold all but this share at either side."""
    below = np.cumsum(seen.counts) / seen.counts.sum()
    first = int(np.searchsorted(below, outside, side="right"))
    last = int(np.searchsorted(below, 1.0 - outside, side="left"))
    return seen.low + first * seen.width, min(seen.low + (last + 1) * seen.width, seen.high)


def _least_error(seen: Histogram, low: float, high: float, bits: int) -> tuple[float, float]:
    lows, highs = np.float32(low) * SHARES, np.float32(high) * SHARES
    found = lows[-1], highs[-1]
    for _ in range(MOST_TURNS):
        before = found
        of_lows = _squared_errors(seen, lows, np.full_like(lows, found[1]), bits, "minmax")
        found = lows[np.argmin(of_lows)], found[1]
        of_highs = _squared_errors(seen, np.full_like(highs, found[0]), highs, bits, "minmax")
        found = found[0], highs[np.argmin(of_highs)]
        if found == before:
            break
    return float(found[0]), float(found[1])


def _squared_errors(
    seen: Histogram, low: np.ndarray, high: np.ndarray, bits: int, kind: str
) -> np.ndarray:
    """The sum of squared errors of what was seen under each range, (ranges,)."""
    grid = grid_of(low, high, bits, kind)
    scale, zero = grid.scale[:, None].astype(np.float64), grid.zero[:, None]
    steps = np.clip(np.rint(seen.middles / scale), grid.lowest - zero, grid.highest - zero)
    return (seen.counts * (steps * scale - seen.middles) ** 2).sum(axis=1)


def kl_threshold(magnitudes: Histogram, bits: int) -> float:
    """The magnitude at which to clip; see `kl_bins`."""
    return float(kl_bins(magnitudes.counts[None], bits)[0]) * magnitudes.width


def kl_bins(counts: np.ndarray, bits: int) -> np.ndarray:
    """Of each histogram of magnitudes (rows, bins) how many bins there are up to the clip, in
    halves: the middle of the bin after the last one that is kept whole, and never past the end.

    With few bins, at most the levels there are, nothing is clipped.
    """
    rows, bins = counts.shape
    levels = 2 ** (bits - 1)
    seen = np.cumsum(counts, axis=1, dtype=np.float64)
    seen = np.maximum(seen / np.maximum(seen[:, -1:], 1.0), 1e-12)
    best = np.full(rows, float(bins))
    least = np.full(rows, np.inf)
    for kept in range(levels + 1, bins + 1):
        drawn = np.ones_like(seen)
        clipped = seen[:, :kept].copy()
        clipped[:, -1] = 1.0  # what lies beyond counts as lying at the end
        drawn[:, :kept] = _resampled(_resampled(clipped, levels), kept)
        distance = ((seen - drawn) * np.log2(seen / np.maximum(drawn, 1e-12))).sum(axis=1)
        is_nearer = distance < least
        least = np.where(is_nearer, distance, least)
        best = np.where(is_nearer, min(kept + 0.5, bins), best)
    return best


def _resampled(values: np.ndarray, count: int) -> np.ndarray:
    """Rows of numbers at `count` places, equally far apart from the first to the last, in straight
    lines between them."""
    places = np.linspace(0.0, values.shape[1] - 1, count)
    before = places.astype(np.int64)
    after = np.minimum(before + 1, values.shape[1] - 1)
    return values[:, before] + (places - before) * (values[:, after] - values[:, before])
