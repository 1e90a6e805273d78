"""One claim about two recipes, held against several tasks at once.

A thousand test sentences cannot tell recipes apart that differ by a point. Several tasks together
can: each gives the difference of the two recipes over its seeds (see `seeds`), in points of its own
metric, and they are averaged with their numbers of test examples as weights,

    D = sum_t (n_t / N) d_t        se^2 = sum_t ((n_t / N) se_t)^2,   se_t = half an interval / 1.96

With N examples together the smallest difference that is found in four of five samples is
(1.96 + 0.84) se. A claim that rests on fewer than 5,000 examples is called small.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from core.analysis.pair_spread import Z
from core.analysis.power import Z_POWER
from core.analysis.seeds import SeedDifference
from core.errors import InputError

ENOUGH = 5000


@dataclass(frozen=True, slots=True, kw_only=True)
class Pooled:
    """Second recipe minus first as a fraction, its 95 % interval, over so many examples; the
    smallest difference that they could have shown with a power of 80 %."""

    difference: float
    low: float
    high: float
    examples: int
    smallest: float

    @property
    def is_small(self) -> bool:
        """Whether it rests on too few examples to be a claim."""
        return self.examples < ENOUGH

    @property
    def sentence(self) -> str:
        """The verdict in words."""
        size = f"{100 * self.smallest:.1f} points"
        if self.low > 0:
            return "The second is shown to be better."
        if self.high < 0:
            return "The first is shown to be better."
        return f"No difference is shown; one of {size} or more would have been, in four of five."


def pooled(parts: Sequence[SeedDifference]) -> Pooled:
    """The differences of several tasks as one. Raises InputError without any."""
    if not parts:
        raise InputError("There is no pair of runs to compare.")
    count = sum(part.examples for part in parts)
    shares = [part.examples / count for part in parts]
    difference = sum(share * part.difference for share, part in zip(shares, parts, strict=True))
    errors = [(part.high - part.low) / 2 / Z for part in parts]
    error = math.hypot(*(share * each for share, each in zip(shares, errors, strict=True)))
    return Pooled(
        difference=difference,
        low=difference - Z * error,
        high=difference + Z * error,
        examples=count,
        smallest=(Z + Z_POWER) * error,
    )
