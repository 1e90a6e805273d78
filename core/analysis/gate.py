"""May this student be shipped? A limit to what it loses to its teacher, and a verdict.

A gate that holds two scores against a limit lets every other student pass that loses just what it
may: luck decides. This one asks for evidence, the 95 % interval of the difference on the same
examples (see `pair_spread`):

    passed   the interval lies above -limit: it is shown to lose at most that
    failed   the interval lies below -limit: it is shown to lose more
    open     the interval holds -limit: this sample cannot say, and about how many more
             examples would

So of the students that lose just more than they may one in forty passes; of those that lose just
less one in forty fails, or up to one in twenty where only some ten examples differ.
"""

from dataclasses import dataclass

from core.analysis.pair_spread import PairSpread
from core.analysis.power import examples_for
from core.errors import InputError

PASSED, FAILED, OPEN = "passed", "failed", "open"
MOST_POINTS = 100.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """A verdict, and the `pairs` that it rests on (teacher first). `may_lose` is a fraction, 0.01
    for a point. `more` says for an open verdict about how many further examples would settle it in
    four of five cases, if the two differ as they did here; None where the change is the limit
    itself, which no number settles."""

    may_lose: float
    pairs: PairSpread
    verdict: str
    more: int | None = None

    @property
    def sentence(self) -> str:
        """The verdict in words."""
        points = 100 * self.may_lose
        most = "1 point" if points == 1 else f"{points:g} points"
        if self.verdict == PASSED:
            return f"Shown to lose at most {most}."
        if self.verdict == FAILED:
            return f"Shown to lose more than {most}."
        if self.more is None:
            return f"Not shown: it lost {most} here, so no number of examples would settle it."
        aim = "at most" if self.pairs.change > -self.may_lose else "more than"
        count = f"about {rounded(self.more):,} more examples"
        return f"Not shown to lose {aim} {most}: that needs {count}."

    @property
    def numbers(self) -> str:
        """Change and interval, in points."""
        change, low, high = (100 * x for x in (self.pairs.change, self.pairs.low, self.pairs.high))
        return f"{change:+.1f} points against its teacher (95 %: {low:+.1f} to {high:+.1f})"


def judge(pairs: PairSpread, may_lose: float) -> Gate:
    """Whether a student (second) loses at most `may_lose` of a fraction to its teacher (first)."""
    if pairs.low > -may_lose:
        return Gate(may_lose=may_lose, pairs=pairs, verdict=PASSED)
    if pairs.high < -may_lose:
        return Gate(may_lose=may_lose, pairs=pairs, verdict=FAILED)
    gap = abs(pairs.change + may_lose)
    needed = examples_for(pairs.deviation_if(-may_lose), pairs.deviation_if(pairs.change), gap)
    more = None if needed is None else max(1, needed - pairs.examples)
    return Gate(may_lose=may_lose, pairs=pairs, verdict=OPEN, more=more)


def fraction_of(points: float) -> float:
    """Points as a fraction. Raises InputError for what cannot be lost."""
    if not 0 <= points <= MOST_POINTS:  # NaN neither
        raise InputError(f"A student may lose from 0 to 100 points, not {points:g}.")
    return points / 100


def rounded(count: int) -> int:
    """Two digits of a number that is an estimate: 1,234 is "about 1,200"."""
    digits = max(0, len(str(count)) - 2)
    return max(1, round(count, -digits))
