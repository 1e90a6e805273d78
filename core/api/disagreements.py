"""The dev examples on which teacher and trained student differ, from what a run has saved."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from core.api.texts import as_shown
from core.errors import InputError
from core.runs.run_files import WHO, predictions_of
from core.runs.run_store import Run

if TYPE_CHECKING:
    from core.targets.target import InWords

LARGEST = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Disagreement:
    """A dev example that two models answer differently: its texts, the answers and the truth in
    words. `better` is "teacher" or "student", whichever is (nearer to) right, or "" where neither
    is. `graded`: answers lie more or less apart, and those farthest apart were chosen."""

    texts: tuple[str, ...]
    truth: str
    teacher: str
    untrained: str
    student: str
    better: str
    graded: bool = False

    @property
    def text(self) -> str:
        """All of its texts in one line."""
        return " / ".join(self.texts)


def predictions(run: Run) -> dict[str, np.ndarray]:
    """What the models of a finished run said, keys like "dev.student" and "test.teacher", and the
    labels, "dev.labels" (not of spans). Raises InputError when the file is damaged or another
    run's."""
    return predictions_of(run)


def disagreements(run: Run) -> list[Disagreement]:
    """Dev examples on which teacher and trained student differ; where a value is predicted, the
    fifty on which they differ most.

    Raises InputError when the run has no predictions or the text is not on this computer.
    """
    from core.tasks.prepare import load
    from core.tasks.registry import find_task

    assert run.experiment is not None
    task = find_task(run.experiment.task)
    saved = {name: predictions(run)[f"dev.{name}"] for name in WHO}
    dev = load(task).dev
    if len(dev) != len(saved["student"]):
        raise InputError("The dev examples of this computer are not those of the run.")
    answers = task.target.in_words(task, dev, saved)
    return [
        Disagreement(
            texts=tuple(as_shown(dev[int(row)][column]) for column in task.texts),
            truth=answers.truth[row],
            better=_better(answers, row),
            graded=answers.numbers is not None,
            **{who: answers.said[who][row] for who in WHO},
        )
        for row in _rows(answers)
    ]


def _rows(answers: "InWords") -> list[int]:
    """The examples on which the two differ; where answers are numbers, the farthest apart."""
    teacher, student = answers.said["teacher"], answers.said["student"]
    if answers.numbers is not None:
        gap = np.abs(answers.numbers["teacher"] - answers.numbers["student"])
        return [int(row) for row in np.argsort(-gap, kind="stable")[:LARGEST]]
    return [row for row in range(len(teacher)) if teacher[row] != student[row]]


def _better(answers: "InWords", row: int) -> str:
    teacher, student = answers.goodness["teacher"][row], answers.goodness["student"][row]
    if teacher == student:
        return ""
    return "teacher" if teacher > student else "student"
