"""A limit to what a student may lose, and how many examples a difference needs."""

from core.analysis.gate import Gate, fraction_of, judge
from core.analysis.pair_spread import PairSpread, pair_spread
from core.analysis.power import examples_to_show, smallest_to_show
from core.api.tested import both_tested
from core.runs.run_store import Run

__all__ = [
    "Gate",
    "PairSpread",
    "examples_to_show",
    "gate",
    "judge",
    "smallest_to_show",
    "spread_of",
]


def gate(run: Run, may_lose: float, split: str = "test") -> Gate:
    """Whether a finished run's student is shown to lose at most so many points to its teacher on a
    split. Raises InputError where the run has no student or no answers, or the limit is none."""
    limit = fraction_of(may_lose)
    return judge(spread_of(run, run, ("teacher", "student"), split), limit)


def spread_of(first: Run, second: Run, who: tuple[str, str], split: str = "test") -> PairSpread:
    """How two models of finished runs differ from example to example of a split. Raises InputError
    where they have no pairs, or a file that is needed is missing."""
    one, two = both_tested(first, second, split)
    return pair_spread(one.metric, one.answers(who[0]), two.answers(who[1]), one.references)
