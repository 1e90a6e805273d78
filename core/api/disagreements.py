"""The dev examples on which teacher and trained student differ, from what a run has saved."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from core.api.predictions import NO_ANSWER
from core.errors import InputError
from core.runs.run_files import WHO, predictions_of
from core.runs.store import Run

if TYPE_CHECKING:
    from core.tasks.base import Task

LARGEST = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Disagreement:
    """A dev example that two models answer differently; answers and truth in words. `better` is
    "teacher" or "student", whoever is (nearer to) right, or "" where neither is."""

    text: str
    truth: str
    teacher: str
    untrained: str
    student: str
    better: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Answers:
    """Per example: the truth, each model's answer, and how good each answer is."""

    truth: list[str]
    said: dict[str, list[str]]
    goodness: dict[str, np.ndarray]


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
    from core.tasks.base import find_task, load

    assert run.experiment is not None
    task = find_task(run.experiment.task)
    saved = {name: predictions(run)[f"dev.{name}"] for name in WHO}
    dev = load(task).dev
    if len(dev) != len(saved["student"]):
        raise InputError("The dev examples of this computer are not those of the run.")
    read = {"classes": _classes, "value": _values, "span": _spans}[task.kind]
    answers = read(task, dev, saved)
    return [
        Disagreement(
            text=" / ".join(dev[int(row)][column] for column in task.texts),
            truth=answers.truth[row],
            better=_better(answers, row),
            **{who: answers.said[who][row] for who in WHO},
        )
        for row in _rows(task, answers)
    ]


def _rows(task: "Task", answers: _Answers) -> list[int]:
    teacher, student = answers.said["teacher"], answers.said["student"]
    if task.kind == "value":
        gap = np.abs(np.array(teacher, dtype=float) - np.array(student, dtype=float))
        return [int(row) for row in np.argsort(-gap, kind="stable")[:LARGEST]]
    return [row for row in range(len(teacher)) if teacher[row] != student[row]]


def _better(answers: _Answers, row: int) -> str:
    teacher, student = answers.goodness["teacher"][row], answers.goodness["student"][row]
    if teacher == student:
        return ""
    return "teacher" if teacher > student else "student"


def _classes(task: "Task", dev, saved: dict[str, np.ndarray]) -> _Answers:
    truth = [task.labels[label] for label in dev["label"]]
    said = {who: [task.labels[i] for i in saved[who].argmax(axis=1)] for who in WHO}
    goodness = {who: np.array(said[who]) == np.array(truth) for who in WHO}
    return _Answers(truth=truth, said=said, goodness=goodness)


def _values(task: "Task", dev, saved: dict[str, np.ndarray]) -> _Answers:
    truth = np.array(dev["label"], dtype=float)
    return _Answers(
        truth=[f"{value:.2f}" for value in truth],
        said={who: [f"{value:.2f}" for value in saved[who][:, 0]] for who in WHO},
        goodness={who: -np.abs(saved[who][:, 0] - truth) for who in WHO},
    )


def _spans(task: "Task", dev, saved: dict[str, np.ndarray]) -> _Answers:
    from core.tasks.answers import word_f1
    from core.training.spans import Answers, best_threshold

    accepted = [tuple(answers) for answers in dev["answers"]]
    passages, said = list(dev["context"]), {}
    for who in WHO:
        found = Answers(table=saved[who])
        usual = best_threshold(found, passages, accepted, word_f1)
        said[who] = found.texts(passages, usual if task.may_have_no_answer else np.inf)
    goodness = {
        who: np.array([word_f1(*pair) for pair in zip(said[who], accepted, strict=True)])
        for who in WHO
    }
    truth = [" | ".join(dict.fromkeys(texts)) or NO_ANSWER for texts in accepted]
    said = {who: [text or NO_ANSWER for text in texts] for who, texts in said.items()}
    return _Answers(truth=truth, said=said, goodness=goodness)
