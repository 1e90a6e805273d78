"""The book of scores of one training: who said what to which split, and how good that was.

It keeps the predictions (they are saved with the run, for paired tests and for the examples on
which two models differ), the scores of every metric, and each model's threshold for "no answer",
which is chosen on dev and then used on the tests.
"""

from collections.abc import Iterator, Mapping

import numpy as np
from transformers import PreTrainedModel

from core.events import Preparing
from core.results import Measured, Score
from core.training.batches import Encoded
from core.training.evaluate import scores_of, split_predictions, threshold_for
from core.training.lessons import Lesson


class ScoreBook:
    """Scores of teacher, untrained and student on the splits of one lesson."""

    def __init__(self, lesson: Lesson) -> None:
        self._task = lesson.task
        self._splits: dict[str, Encoded] = {"dev": lesson.dev, "test": lesson.test}
        self._splits |= dict(lesson.more)
        self._predictions: dict[tuple[str, str], np.ndarray] = {}
        self._scores: dict[tuple[str, str], tuple[Score, ...]] = {}
        self._thresholds: dict[str, float] = {}

    def all_splits(self, who: str, model: PreTrainedModel) -> Iterator[Preparing]:
        """Score on dev, then on the tests."""
        yield from self.split(who, model, "dev")
        yield from self.tests(who, model)

    def tests(self, who: str, model: PreTrainedModel) -> Iterator[Preparing]:
        """Score on test and whatever further tests the task has."""
        for split in self._splits:
            if split != "dev":
                yield from self.split(who, model, split)

    def split(self, who: str, model: PreTrainedModel, split: str) -> Iterator[Preparing]:
        """Score on one split; dev must come first."""
        encoded = self._splits[split]
        said = yield from split_predictions(model, encoded, f"Scoring the {who} on {split}")
        self._enter(who, split, said)

    def recall(self, said: Mapping[str, np.ndarray]) -> None:
        """Enter what `arrays` held of teacher and untrained. Raises KeyError when it lacks one."""
        for who in ("teacher", "untrained"):
            for split in self._splits:
                self._enter(who, split, said[f"{split}.{who}"])

    def _enter(self, who: str, split: str, said: np.ndarray) -> None:
        encoded = self._splits[split]
        if split == "dev":
            self._thresholds[who] = threshold_for(self._task, said, encoded)
        self._predictions[who, split] = said
        self._scores[who, split] = scores_of(self._task, said, encoded, self._thresholds[who])

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

    def said(self) -> dict[str, np.ndarray]:
        """All predictions: "dev.student" and so on."""
        return {f"{split}.{who}": said for (who, split), said in self._predictions.items()}

    def arrays(self) -> dict[str, np.ndarray]:
        """What is saved with the run: what was said, and "dev.labels" unless the answers are
        spans, whose truth is text."""
        labels = {
            f"{split}.labels": encoded.labels
            for split, encoded in self._splits.items()
            if encoded.windows is None
        }
        return {name: np.ascontiguousarray(array) for name, array in (self.said() | labels).items()}
