"""Answers: one text (a pair, a question with its passage) through one model."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from core.api.models import OpenModel
from core.errors import InputError
from core.targets.base import NO_ANSWER

if TYPE_CHECKING:
    from core.family import Batch, Encoded

MAX_CHARACTERS = 20_000
SHOWN_SPANS = 5
TORCH, ENGINE = "torch, float32", "ONNX Runtime, integers"


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A piece of the passage, characters `start` to `end` (not included); `share` is its
    probability among the candidates."""

    text: str
    start: int
    end: int
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """What a model says to one text; `answer` in words.

    labels and probabilities: of a task with classes. value: of a task with a value. spans: of a
    question, the best first, in the passage without outer blanks (`answer` is NO_ANSWER where the
    model finds none). `milliseconds` is the second of two forward passes, computed by what
    `computed_by` names.
    """

    answer: str
    milliseconds: float
    tokens: int
    labels: tuple[str, ...] = ()
    probabilities: tuple[float, ...] = ()
    value: float | None = None
    spans: tuple[Span, ...] = field(default=())
    computed_by: str = TORCH

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
    from core.training.batches import evaluation_batches

    if len(texts) != len(opened.task.texts):
        wanted = " and ".join(opened.task.texts)
        raise InputError(f"{opened.task.title} takes {len(opened.task.texts)} text(s): {wanted}.")
    encoded = _encode(opened, [[check_text(text)] for text in texts])
    batches = list(evaluation_batches(opened.family, encoded, batch_size=1))
    _logits(opened, batches)  # the first pass of a new shape pays for its preparation
    began = time.perf_counter()
    logits = _logits(opened, batches)
    milliseconds = (time.perf_counter() - began) * 1000
    rows = [int(batch.examples[0]) for batch in batches]
    answered = _answered(opened, encoded, dict(zip(rows, logits, strict=True)))
    tokens = int(encoded.units.sum())
    computed_by = TORCH if opened.engine is None else ENGINE
    return replace(answered, milliseconds=milliseconds, tokens=tokens, computed_by=computed_by)


def answers_to(opened: OpenModel, columns: Sequence[list[str]]) -> dict[int, np.ndarray]:
    """The logits of each row of these text columns, by its number, each computed by itself."""
    from core.training.batches import evaluation_batches

    batches = list(evaluation_batches(opened.family, _encode(opened, columns), batch_size=1))
    rows = [int(batch.examples[0]) for batch in batches]
    return dict(zip(rows, _logits(opened, batches), strict=True))


def _encode(opened: OpenModel, columns: Sequence[list[str]]) -> "Encoded":
    longest = opened.family.longest(opened.config)
    return opened.target.encode_texts(
        opened.family, opened.tokenizer, columns, opened.task, longest
    )


def _logits(opened: OpenModel, batches: "list[Batch]") -> list[np.ndarray]:
    """Of each batch of one row: by the engine where the model has one, else in torch."""
    return [_of_batch(opened, batch)[0].astype(np.float64) for batch in batches]


def _of_batch(opened: OpenModel, batch: "Batch") -> np.ndarray:
    from core.training.evaluate import answers_of

    if opened.engine is None:
        return answers_of(opened.family, opened.model, batch)["logits"]
    logits = opened.engine.logits({name: value.numpy() for name, value in batch.inputs.items()})
    # The engine gives start and end per token: (rows, tokens, 2); one row has no padding to mask.
    return logits.transpose(0, 2, 1) if opened.task.kind == "span" else logits


def _answered(opened: OpenModel, encoded: "Encoded", logits: dict[int, np.ndarray]) -> Prediction:
    task = opened.task
    if task.kind == "span":
        return _best_spans(opened, encoded, logits)
    if task.kind in ("value", "ranking"):
        value = float(logits[0][0])
        return Prediction(answer=f"{value:.2f}", value=value, milliseconds=0.0, tokens=0)
    shares = softmax(logits[0])
    return Prediction(
        answer=task.labels[int(np.argmax(shares))],
        labels=task.labels,
        probabilities=tuple(float(share) for share in shares),
        milliseconds=0.0,
        tokens=0,
    )


def softmax(values: np.ndarray) -> np.ndarray:
    """exp(v) / sum exp(v), (n,) to (n,)."""
    shares = np.exp(values - values.max())
    return shares / shares.sum()


def _best_spans(opened: OpenModel, encoded: "Encoded", logits: dict[int, np.ndarray]) -> Prediction:
    from core.targets.span import spans_of_row

    windows = encoded.about
    tables = [spans_of_row(each, row, windows) for row, each in logits.items()]
    null = min(float(table[0, 3]) for table in tables)
    found: dict[tuple[int, int], float] = {}
    for start, end, score, _ in np.concatenate(tables):
        place = int(start), int(end)
        found[place] = max(score, found.get(place, score))
    ranked = sorted(found.items(), key=lambda item: -item[1])
    shares = softmax(np.array([score for _, score in ranked]))
    passage = windows.contexts[0]
    spans = tuple(
        Span(text=passage[start:end], start=start, end=end, share=float(share))
        for ((start, end), _), share in zip(ranked[:SHOWN_SPANS], shares, strict=False)
    )
    refused = null - ranked[0][1] > opened.threshold
    answer = NO_ANSWER if refused else spans[0].text or NO_ANSWER
    return Prediction(answer=answer, spans=spans, milliseconds=0.0, tokens=0)
