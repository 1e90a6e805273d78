"""The challenge: a budget in bytes, and the best score wins.

Every entry is a real run of the store. What counts until the end is dev; test
is looked at once, for the entry that was chosen. Entries within one standard error of the first
cannot be told from it.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from core.errors import InputError, within
from core.lessons.material import TASK
from core.results import Result
from core.runs.run_store import Run

MIB = 2**20
LEAST_MIB, MOST_MIB = 0.5, 500.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A run that fits the budget: dev scores only. `error` is that of the dev sample."""

    run_id: str
    title: str
    size_bytes: int
    dev: float
    error: float
    teacher_dev: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Unveiled:
    """What the chosen entry scored on test, at the end; shares, with standard errors."""

    metric: str
    test: float
    error: float
    teacher: float
    teacher_error: float
    dev: float


def entries(runs: Iterable[Run], budget_mib: float, task: str = TASK) -> list[Entry]:
    """The finished runs of the task whose packed file fits the budget, the best dev score first.
    Raises InputError for a budget that makes no sense."""
    within("The budget in MiB", budget_mib, LEAST_MIB, MOST_MIB)
    found = [
        _entry(run, run.result)
        for run in runs
        if run.result is not None
        and run.result.task == task
        and run.result.size_bytes_packed <= budget_mib * MIB
    ]
    return sorted(found, key=lambda entry: (-entry.dev, entry.size_bytes, entry.run_id))


def _entry(run: Run, result: Result) -> Entry:
    return Entry(
        run_id=run.run_id,
        title=run.title,
        size_bytes=result.size_bytes_packed,
        dev=result.dev_score,
        error=_dev_error(result),
        teacher_dev=result.teacher_dev_score,
    )


def _dev_error(result: Result) -> float:
    """The standard error of the dev score; where the run did not keep it, that of test, whose
    sample is of about the same size."""
    kept = [
        each.score.standard_error
        for each in result.scores
        if (each.who, each.split) == ("student", "dev") and each.score.metric == result.metric
    ]
    return kept[0] if kept else result.score_standard_error


def level_with_first(found: list[Entry]) -> int:
    """How many entries lie within one standard error of the first, itself counted."""
    if not found:
        return 0
    first = found[0]
    return sum(entry.dev >= first.dev - first.error for entry in found)


def unveil(run: Run) -> Unveiled:
    """The test score of a chosen entry. Raises InputError for a run that has none."""
    if run.result is None:
        raise InputError(f"Run {run.run_id} has not finished, so it has no test score.")
    result = run.result
    return Unveiled(
        metric=result.metric,
        test=result.score,
        error=result.score_standard_error,
        teacher=result.teacher_score,
        teacher_error=result.teacher_standard_error,
        dev=result.dev_score,
    )
