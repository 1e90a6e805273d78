"""Answers: one text (a pair, a question with its passage) through one model."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from core.api.models import OpenModel
from core.api.text_coverage import Reading, reading
from core.errors import InputError
from core.targets.target import Span

if TYPE_CHECKING:
    from core.family import Batch, Encoded

MAX_CHARACTERS = 20_000
PER_UNIT = 3  # dimensions of logits that each token has
NOT_COUNTED = Reading(tokens=0, read=0, words=0, unknown=0)
TORCH, ENGINE = "torch, float32", "ONNX Runtime, integers"


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """What a model says to one text; `answer` in words.

    labels and probabilities: of a task with classes. value: of a task with a value. spans: of a
    question, the best first, in the passage without outer blanks (`answer` is NO_ANSWER where the
    model finds none). `reading`: how much of the text was read. `milliseconds` is the second of
    two forward passes, computed by what `computed_by` names.
    """

    answer: str
    milliseconds: float
    tokens: int
    labels: tuple[str, ...] = ()
    probabilities: tuple[float, ...] = ()
    value: float | None = None
    spans: tuple[Span, ...] = field(default=())
    computed_by: str = TORCH
    reading: Reading = NOT_COUNTED

    @property
    def margin(self) -> float:
        """Probability of the first label (or span) less that of the second."""
        shares = self.probabilities or tuple(span.share for span in self.spans)
        first, second = sorted((*shares, 0.0, 0.0), reverse=True)[:2]
        return first - second


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
    """Answer one text (or a pair, or question and passage); raises InputError for an empty or far
    too long one, or for the wrong number of texts."""
    if len(texts) != len(opened.task.texts):
        wanted = " and ".join(opened.task.texts)
        raise InputError(f"{opened.task.title} takes {len(opened.task.texts)} text(s): {wanted}.")
    encoded = _encode(opened, [[check_text(text)] for text in texts])
    batches = _batches(opened, encoded)
    _logits(opened, batches)  # the first pass of a new shape pays for its preparation
    began = time.perf_counter()
    logits = _logits(opened, batches)
    milliseconds = (time.perf_counter() - began) * 1000
    answered = opened.target.answered(opened.task, encoded, logits, opened.threshold)
    return Prediction(
        answer=answered.answer,
        labels=answered.labels,
        probabilities=answered.probabilities,
        value=answered.value,
        spans=answered.spans,
        milliseconds=milliseconds,
        tokens=int(encoded.units.sum()),
        computed_by=TORCH if opened.engine is None else ENGINE,
        reading=reading(opened, [check_text(text) for text in texts]),
    )


def answers_to(opened: OpenModel, columns: Sequence[list[str]]) -> dict[int, np.ndarray]:
    """The logits of each row of these text columns, by its number; they are those that the row
    would have by itself."""
    return _logits(opened, _batches(opened, _encode(opened, columns)))


def _batches(opened: OpenModel, encoded: "Encoded") -> "list[Batch]":
    """The rows one by one; in batches of one length where that changes no row's logits."""
    from core.training.batches import evaluation_batches, even_batches

    if opened.keeps_texts_apart:
        return list(even_batches(opened.family, encoded))
    return list(evaluation_batches(opened.family, encoded, batch_size=1))


def _encode(opened: OpenModel, columns: Sequence[list[str]]) -> "Encoded":
    longest = opened.family.longest(opened.config)
    return opened.target.encode_texts(
        opened.family, opened.tokenizer, columns, opened.task, longest
    )


def _logits(opened: OpenModel, batches: "list[Batch]") -> dict[int, np.ndarray]:
    """Of each row, by its number: by the engine where the model has one, else in torch."""
    found: dict[int, np.ndarray] = {}
    for batch in batches:
        logits = _of_batch(opened, batch).astype(np.float64)
        found |= dict(zip(map(int, batch.examples), logits, strict=True))
    return found


def _of_batch(opened: OpenModel, batch: "Batch") -> np.ndarray:
    from core.training.evaluate import answers_of

    if opened.engine is None:
        return answers_of(opened.family, opened.model, batch)["logits"]
    logits = opened.engine.logits({name: value.numpy() for name, value in batch.inputs.items()})
    # The engine gives start and end per token: (rows, tokens, 2); no row has padding to mask.
    return logits.transpose(0, 2, 1) if logits.ndim == PER_UNIT else logits
