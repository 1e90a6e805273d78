"""The scores of one training: what each model predicted on each split, and how good that was.

It keeps the predictions (they are saved with the run, for paired tests and for the examples on
which two models differ), the scores of every metric, and each model's threshold for "no answer",
which is chosen on dev and then used on the tests.
"""

from collections.abc import Iterator, Mapping

import numpy as np
from torch import nn

from core.events import Preparing
from core.family import Encoded
from core.results import Measured, Score
from core.training.evaluate import predictions_of, scores_of
from core.training.known_predictions import known_or_computed
from core.training.task_data import TaskData


class Scores:
    """Scores of teacher, untrained and student on the splits of one task."""

    def __init__(self, data: TaskData, rules: str = "") -> None:
        """`rules` says how the untrained student is quantized; it is part of what its predictions
        are known by."""
        self._data = data
        self._rules = {"teacher": "", "untrained": rules}
        self._splits: dict[str, Encoded] = {"dev": data.dev, "test": data.test}
        self._splits |= dict(data.more)
        self._predictions: dict[tuple[str, str], np.ndarray] = {}
        self._scores: dict[tuple[str, str], tuple[Score, ...]] = {}
        self._thresholds: dict[str, float] = {}

    def all_splits(self, who: str, model: nn.Module) -> Iterator[Preparing]:
        """Score on dev, then on the tests."""
        yield from self.split(who, model, "dev")
        yield from self.tests(who, model)

    def tests(self, who: str, model: nn.Module) -> Iterator[Preparing]:
        """Score on test and whatever further tests the task has."""
        for split in self._splits:
            if split != "dev":
                yield from self.split(who, model, split)

    def split(self, who: str, model: nn.Module, split: str) -> Iterator[Preparing]:
        """Score on one split; dev must come first."""
        encoded = self._splits[split]
        text = f"Scoring the {who} on {split}"
        if who in self._rules:
            rules = self._rules[who]
            predictions = yield from known_or_computed(model, self._data, encoded, text, rules)
        else:
            predictions = yield from predictions_of(model, self._data, encoded, text)
        self._enter(who, split, predictions)

    def recall(self, predictions: Mapping[str, np.ndarray]) -> None:
        """Enter what `arrays` held of teacher and untrained. Raises KeyError when it lacks one."""
        for who in ("teacher", "untrained"):
            for split in self._splits:
                self._enter(who, split, predictions[f"{split}.{who}"])

    def _enter(self, who: str, split: str, predictions: np.ndarray) -> None:
        task, target, encoded = self._data.task, self._data.target, self._splits[split]
        if split == "dev":
            self._thresholds[who] = target.threshold(task, predictions, encoded)
        self._predictions[who, split] = predictions
        threshold = self._thresholds[who]
        self._scores[who, split] = scores_of(task, target, predictions, encoded, threshold)

    def first(self, who: str, split: str) -> Score:
        """The score of the task's first metric."""
        return self._scores[who, split][0]

    def threshold(self, who: str) -> float:
        """The threshold for "no answer"."""
        return self._thresholds[who]

    def measured(self) -> tuple[Measured, ...]:
        """Everything, in the order in which it was first scored."""
        return tuple(
            Measured(who=who, split=split, score=each)
            for (who, split), scores in self._scores.items()
            for each in scores
        )

    def predictions(self) -> dict[str, np.ndarray]:
        """All predictions: "dev.student" and so on."""
        return {f"{split}.{who}": found for (who, split), found in self._predictions.items()}

    def arrays(self) -> dict[str, np.ndarray]:
        """What is saved with the run: predictions, and "dev.labels" unless the truth is text."""
        kept = {
            f"{split}.labels": self._data.target.kept_labels(encoded)
            for split, encoded in self._splits.items()
        }
        labels = {name: array for name, array in kept.items() if array is not None}
        every = self.predictions() | labels
        return {name: np.ascontiguousarray(array) for name, array in every.items()}
