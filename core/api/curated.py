"""The curated settings, with what their shipped runs show now."""

from collections.abc import Mapping
from dataclasses import dataclass

from core.analysis.good_and_bad import BETTER, NO_DIFFERENCE, SETTINGS, WORSE, Setting
from core.api.comparisons import SeedDifference, difference_of_cases, grids
from core.api.runs import runs
from core.errors import InputError
from core.runs.grid_results import CaseResult, case_results
from core.runs.run_store import Run
from core.targets.registry import metric_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Shows:
    """A setting, its runs and those that it is held against (seed by seed), and the difference,
    setting minus other, with its interval."""

    setting: Setting
    result: CaseResult
    other: CaseResult
    difference: SeedDifference

    @property
    def run(self) -> Run:
        """The run of the first seed: what a link leads to."""
        return self.result.runs[0]

    @property
    def found(self) -> str:
        """What the interval shows: "worse", "better" or "no difference shown"."""
        if not self.difference.is_shown:
            return NO_DIFFERENCE
        assert self.run.result is not None
        is_better = metric_of(self.run.result.metric).is_better
        return BETTER if is_better(self.other.mean, self.result.mean) else WORSE

    @property
    def holds(self) -> bool:
        """Whether the runs show what is claimed."""
        return self.found == self.setting.claim


def good_and_bad() -> list[Shows]:
    """The curated settings whose shipped runs are here, in their order."""
    shipped = {run.run_id: run for run in runs() if run.shipped and run.result is not None}
    found = (_shown(setting, shipped) for setting in SETTINGS)
    return [one for one in found if one is not None]


def _shown(setting: Setting, shipped: Mapping[str, Run]) -> Shows | None:
    """None where a run or its answers are not here."""
    grid = next((grid for grid in grids()[0] if grid.name == setting.grid), None)
    if grid is None:
        return None
    cases = {case.case: case for case in case_results(grid, shipped)}
    if not {setting.case, setting.against} <= cases.keys():
        return None
    ours, theirs = cases[setting.case], cases[setting.against]
    try:
        difference = difference_of_cases(theirs.runs, ours.runs)
    except InputError:
        return None
    return Shows(setting=setting, result=ours, other=theirs, difference=difference)
