"""What the models of a run answered to its examples, in the form that its metric takes."""

from typing import Any

import numpy as np

from core.api.disagreements import predictions
from core.errors import InputError, one_of
from core.runs.run_store import Run


def both_tested(first: Run, second: Run, split: str = "test") -> "tuple[Tested, Tested]":
    """Two runs on the same examples of a split. Raises InputError where they have no pairs: one is
    not finished or kept no answers, or they were tested on other examples."""
    for run in (first, second):
        if run.result is None:
            raise InputError(
                f"Run {run.run_id} has no finished student to compare: it is {run.state}."
            )
    one, two = Tested(first, split), Tested(second, split)
    if not one.matches(two):
        raise InputError("The two runs were not tested on the same examples.")
    return one, two


class Tested:
    """A finished run's answers on a split, usually test. Raises InputError where it kept none, or
    where answers are spans and the passages are not on this computer."""

    def __init__(self, run: Run, split: str = "test") -> None:
        from core.tasks.registry import find_task

        assert run.result is not None
        self._split = split
        self.metric, self.task_name = run.result.metric, run.result.task
        self._task = find_task(run.result.task)
        self._target = self._task.target
        if not (run.folder / "predictions.safetensors").exists():
            raise InputError(f"Run {run.run_id} ships without its answers, so it has no pairs.")
        self._saved = predictions(run)
        splits = [name.removesuffix(".student") for name in self._saved if ".student" in name]
        one_of("Split", split, splits)
        self.references = self._target.kept_truth(self._saved, split, self._load)

    def matches(self, other: "Tested") -> bool:
        """Whether both were tested on the same examples."""
        if self.task_name != other.task_name or len(self.references) != len(other.references):
            return False
        if isinstance(self.references, list):
            return self.references == other.references
        return np.array_equal(self.references, other.references)

    def answers(self, who: str) -> Any:
        """What "teacher", "untrained" or "student" answered, in the form that metrics take."""
        return self._target.kept_answers(self._task, self._saved, self._split, who, self._load)

    def _load(self, split: str) -> Any:
        from core.tasks.prepare import load

        return getattr(load(self._task), split)
