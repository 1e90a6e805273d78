"""What a grid found: its finished runs case by case, over the seeds.

The spread over seeds is the luck of a training; it says nothing about the luck of the test
sample, which every seed shares. Both are kept.
"""

import math
import statistics
from collections.abc import Mapping
from dataclasses import dataclass

from core.runs.grids import Grid
from core.runs.run_store import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseResult:
    """The finished runs of one case and their mean; `standard_deviation` is over the seeds (None
    of a single one), `missing` counts the runs that are not finished."""

    case: str
    runs: tuple[Run, ...]
    missing: int
    mean: float
    standard_deviation: float | None

    @property
    def seeds(self) -> int:
        """How many seeds are finished."""
        return len(self.runs)

    @property
    def standard_error(self) -> float | None:
        """Of the mean over seeds; None of a single one."""
        if self.standard_deviation is None:
            return None
        return self.standard_deviation / math.sqrt(self.seeds)


def case_results(grid: Grid, runs: Mapping[str, Run]) -> list[CaseResult]:
    """Each case of the grid with what of it is among `runs` (by run id), in the grid's order."""
    found = []
    for case in grid.cases:
        wanted = [one.experiment.run_id for one in grid.runs if one.case == case]
        there = [runs[run_id] for run_id in wanted if run_id in runs and runs[run_id].result]
        scores = [run.result.score for run in there if run.result]
        found.append(
            CaseResult(
                case=case,
                runs=tuple(there),
                missing=len(wanted) - len(there),
                mean=statistics.fmean(scores) if scores else math.nan,
                standard_deviation=statistics.stdev(scores) if len(scores) > 1 else None,
            )
        )
    return found
