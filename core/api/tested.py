"""What the models of a run answered to the test examples, in the form that its metric takes."""

from typing import Any

import numpy as np

from core.api.disagreements import predictions
from core.errors import InputError
from core.runs.store import Run


class Tested:
    """A finished run's answers on test. Raises InputError where it kept none, or where answers
    are spans and the passages are not on this computer."""

    def __init__(self, run: Run) -> None:
        from core.tasks.registry import find_task

        assert run.result is not None
        self.metric, self.task_name = run.result.metric, run.result.task
        self._task = find_task(run.result.task)
        if not (run.folder / "predictions.safetensors").exists():
            raise InputError(f"Run {run.run_id} ships without its answers, so it has no pairs.")
        self._saved = predictions(run)
        if self._task.kind != "span" and "test.labels" not in self._saved:
            raise InputError(f"Run {run.run_id} kept no test labels, so it has no pairs.")
        self.references = self._references()

    def _references(self) -> Any:
        if self._task.kind != "span":
            return self._saved["test.labels"]
        return [tuple(answers) for answers in self._split("test")["answers"]]

    def matches(self, other: "Tested") -> bool:
        """Whether both were tested on the same examples."""
        if self.task_name != other.task_name or len(self.references) != len(other.references):
            return False
        if isinstance(self.references, list):
            return self.references == other.references
        return np.array_equal(self.references, other.references)

    def answers(self, who: str) -> Any:
        """Logits or numbers of "teacher", "untrained" or "student"; of spans the texts, each
        model with the threshold for "no answer" that is best on dev."""
        said = self._saved[f"test.{who}"]
        if self._task.kind != "span":
            return said
        from core.targets.span import Answers

        passages = list(self._split("test")["context"])
        if len(passages) != len(said):
            raise InputError("The test examples of this computer are not those of the run.")
        return Answers(table=said).texts(passages, self._limit(who))

    def _limit(self, who: str) -> float:
        from core.targets.answers import word_f1
        from core.targets.span import Answers, best_threshold

        if not self._task.may_have_no_answer:
            return np.inf
        dev = self._split("dev")
        accepted = [tuple(answers) for answers in dev["answers"]]
        return best_threshold(
            Answers(table=self._saved[f"dev.{who}"]), list(dev["context"]), accepted, word_f1
        )

    def _split(self, name: str) -> Any:
        from core.tasks.prepare import load

        return getattr(load(self._task), name)
