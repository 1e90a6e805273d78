"""Answers: one text through one model, and the dev examples on which two models differ."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from core.api.models import OpenModel
from core.errors import InputError
from core.runs.store import Run

if TYPE_CHECKING:
    from core.training.batches import Batch

MAX_CHARACTERS = 20_000
TORCH, ENGINE = "torch, float32", "ONNX Runtime, integers"


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """probabilities: one per label of the task; `milliseconds` of the second of two
    forward passes; `computed_by` names what computed it."""

    labels: tuple[str, ...]
    probabilities: tuple[float, ...]
    milliseconds: float
    tokens: int
    computed_by: str = TORCH

    @property
    def label(self) -> str:
        """The most probable label."""
        return self.labels[int(np.argmax(self.probabilities))]

    @property
    def margin(self) -> float:
        """Probability of the first label less that of the second."""
        first, second = sorted(self.probabilities, reverse=True)[:2]
        return first - second


@dataclass(frozen=True, slots=True, kw_only=True)
class Disagreement:
    """A dev example that two models answer differently; answers are label names."""

    text: str
    truth: str
    teacher: str
    untrained: str
    student: str


def check_text(text: str) -> str:
    """The text without outer blanks; raises InputError when there is nothing or far too much."""
    if not text.strip():
        raise InputError("There is no text. Write a sentence first.")
    if len(text) > MAX_CHARACTERS:
        raise InputError(
            f"The text has {len(text):,} characters; at most {MAX_CHARACTERS:,} can be read here. "
            "Use a shorter piece of it."
        )
    return text.strip()


def predict(opened: OpenModel, *texts: str) -> Prediction:
    """Classify one text (or a pair); raises InputError for an empty or far too long one."""
    from core.training.batches import collate, encode

    if len(texts) != len(opened.task.texts):
        raise InputError(f"{opened.task.title} takes {len(opened.task.texts)} text(s).")
    columns = [[check_text(text)] for text in texts]
    limit = opened.model.config.max_position_embeddings
    batch = collate(encode(opened.tokenizer, columns, [0], limit), np.array([0]))
    compute = _computing(opened)
    compute(batch)  # the first pass of a new shape pays for its preparation
    began = time.perf_counter()
    logits = compute(batch)[0].astype(np.float64)
    milliseconds = (time.perf_counter() - began) * 1000
    shares = np.exp(logits - logits.max())
    return Prediction(
        labels=opened.task.labels,
        probabilities=tuple(float(p) for p in shares / shares.sum()),
        milliseconds=milliseconds,
        tokens=batch.input_ids.shape[1],
        computed_by=TORCH if opened.engine is None else ENGINE,
    )


def _computing(opened: OpenModel) -> "Callable[[Batch], np.ndarray]":
    """Batch to logits: by the engine where the model has one, else in torch."""
    from core.training.evaluate import batch_logits

    if opened.engine is None:
        return lambda batch: batch_logits(opened.model, batch)
    return lambda batch: opened.engine.logits({k: v.numpy() for k, v in batch.inputs.items()})


def predictions(run: Run) -> dict[str, np.ndarray]:
    """Logits and labels of a finished run, keys like "dev.student" and "test.labels"."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        found = load_file(run.folder / "predictions.safetensors")
        for name in ("teacher", "untrained", "student", "labels"):
            _ = found[f"dev.{name}"], found[f"test.{name}"]
    except (OSError, SafetensorError, KeyError) as error:
        raise InputError(f"The predictions of run {run.run_id} cannot be read: {error}.") from error
    return found


def disagreements(run: Run) -> list[Disagreement]:
    """Dev examples on which teacher and trained student differ.

    Raises InputError when the run has no predictions or the text is not on this computer.
    """
    from core.tasks.base import find_task, load

    assert run.experiment is not None
    task = find_task(run.experiment.task)
    saved = predictions(run)
    dev = load(task).dev
    if len(dev) != len(saved["dev.labels"]):
        raise InputError("The dev examples of this computer are not those of the run.")
    answers = {
        who: saved[f"dev.{who}"].argmax(axis=1) for who in ("teacher", "untrained", "student")
    }
    rows = np.flatnonzero(answers["teacher"] != answers["student"])
    texts = [" / ".join(dev[int(i)][column] for column in task.texts) for i in rows]
    return [
        Disagreement(
            text=text,
            truth=task.labels[int(saved["dev.labels"][i])],
            **{who: task.labels[int(answer[i])] for who, answer in answers.items()},
        )
        for i, text in zip(rows, texts, strict=True)
    ]
