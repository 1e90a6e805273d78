"""Runs against each other: paired tests, agreement with the teacher, grids case by case.

All of it rests on what every run saved of its answers to the test examples; nothing is computed
by a model here.
"""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.analysis.paired import Comparison, compare
from core.analysis.published import Published, published
from core.analysis.seeds import SeedDifference, difference_over_seeds
from core.api.tested import Tested, both_tested
from core.errors import InputError
from core.runs.grid_results import CaseResult, case_results
from core.runs.grids import Grid, grid_files, read_grid
from core.runs.run_files import PREDICTIONS_FILE, read_predictions
from core.runs.run_store import Run
from core.tasks.registry import tasks

__all__ = [
    "Comparison",
    "Grid",
    "GridRow",
    "Published",
    "SeedDifference",
    "published",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class GridRow:
    """One case of a grid against `reference`, the case that it is compared with; `difference` is
    None for a reference and where there are no pairs, and `why` then says why. `over_teacher` is
    the case against its own teacher, None where nothing was computed or the predictions are
    gone."""

    result: CaseResult
    reference: str
    difference: SeedDifference | None = None
    why: str = ""
    over_teacher: SeedDifference | None = None

    @property
    def is_reference(self) -> bool:
        """Whether others are compared with this case."""
        return self.reference == self.result.case


def compare_runs(first: Run, second: Run, who: tuple[str, str]) -> Comparison:
    """The paired test of two models of finished runs on the test examples of their task; `who`
    is "teacher", "untrained" or "student" for each.

    Raises InputError where the runs have no pairs, or a file that is needed is missing.
    """
    one, two = both_tested(first, second)
    return compare(one.metric, one.answers(who[0]), two.answers(who[1]), one.references)


def agreement(run: Run, who: str = "student") -> float | None:
    """How far a model answers as its teacher does on test: the share of equal answers, or for
    numbers their correlation. None where the run kept no predictions."""
    file, examples = run.folder / PREDICTIONS_FILE, run.result.test_examples if run.result else 0
    task = tasks().get(run.result.task) if run.result else None
    if task is None:
        return None
    try:
        changed_ns = file.stat().st_mtime_ns
        return _agreement(run.folder, run.names, examples, changed_ns, who, task.kind)
    except OSError:
        return None


@functools.lru_cache(maxsize=4000)
def _agreement(
    folder: Path, names: tuple[str, ...], examples: int, changed_ns: int, who: str, target: str
) -> float | None:
    from core.targets import find_target

    try:
        found = read_predictions(folder, names, examples)
    except InputError:
        return None
    teacher, other = found["test.teacher"], found[f"test.{who}"]
    if teacher.shape != other.shape:
        return None
    return find_target(target).agreement(teacher, other)


def grids() -> tuple[list[Grid], list[str]]:
    """The shipped grids, and a sentence for each file that is none."""
    found, wrong = [], []
    for path in grid_files():
        try:
            found.append(_grid(path, path.stat().st_mtime_ns))
        except InputError as error:
            wrong.append(str(error))
    return found, wrong


@functools.lru_cache(maxsize=200)
def _grid(path: Path, changed_ns: int) -> Grid:
    return read_grid(path)


def grid_rows(grid: Grid, runs: Mapping[str, Run]) -> list[GridRow]:
    """The cases of a grid with what has finished among `runs` (by run id), each against its
    reference on the seeds that both have."""
    cases = {case.case: case for case in case_results(grid, runs)}
    rows = []
    for name, case in cases.items():
        reference, difference, why = grid.reference_of(name), None, ""
        if name != reference:
            try:
                difference = difference_of_cases(cases[reference].runs, case.runs)
            except InputError as error:
                why = str(error)
        rows.append(
            GridRow(
                result=case,
                reference=reference,
                difference=difference,
                why=why,
                over_teacher=_over_teacher(case.runs),
            )
        )
    return rows


def _over_teacher(runs: Sequence[Run]) -> SeedDifference | None:
    try:
        return _over_seeds([(Tested(run), Tested(run)) for run in runs], "teacher")
    except InputError:
        return None


def difference_of_cases(
    reference: Sequence[Run], case: Sequence[Run], split: str = "test"
) -> SeedDifference:
    """The students of a case minus those of another on a split, on the seeds that both have. Raises
    InputError where there are no pairs."""
    by_seed = {_seed(run): run for run in reference}
    pairs = [(by_seed[_seed(run)], run) for run in case if _seed(run) in by_seed]
    tested = [(Tested(one, split), Tested(two, split)) for one, two in pairs]
    return _over_seeds(tested, "student")


def _over_seeds(pairs: Sequence[tuple[Tested, Tested]], who: str) -> SeedDifference:
    """The students of the second runs against the models `who` of the first."""
    if not pairs:
        raise InputError("Not computed yet.")
    start = pairs[0][0]
    for side in (side for pair in pairs for side in pair):
        if not side.matches(start):
            raise InputError("Tested on other examples.")
    ones = [one.answers(who) for one, _ in pairs]
    twos = [two.answers("student") for _, two in pairs]
    return difference_over_seeds(start.metric, ones, twos, start.references)


def _seed(run: Run) -> int:
    return run.experiment.seed if run.experiment else 0
