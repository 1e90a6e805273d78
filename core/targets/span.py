"""An answer in a passage: windows in, answers out.

A passage may be longer than the model can read, so it is cut into windows that overlap (see
`Reader.windows` and `core.targets.windows`); each window is a row for the model. Logits
(rows, 2, tokens) of starts and ends; predictions (questions, 4), see `Answers`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from core.errors import InputError
from core.metrics import Metric
from core.targets.answer_match import exact_match, word_f1
from core.targets.target import (
    ALWAYS_ANSWER,
    LOGITS,
    NO_ANSWER,
    Answered,
    InWords,
    Load,
    Saved,
    Span,
    Target,
    soft_cross_entropy,
    softmax,
)
from core.targets.windows import (
    Answers,
    best_of_windows,
    best_threshold,
    positions,
    ranked_spans,
    spans_of_row,
)

if TYPE_CHECKING:
    from torch import Tensor

    from core.family import Encoded, Head, Reader, Trace

LABEL = "span"
SHOWN_SPANS = 5


def exact_matches(predictions: Sequence[str], references: Sequence[tuple[str, ...]]) -> np.ndarray:
    """1 where an answer equals an accepted one; (examples,)."""
    return np.array([exact_match(*pair) for pair in zip(predictions, references, strict=True)])


def word_f1s(predictions: Sequence[str], references: Sequence[tuple[str, ...]]) -> np.ndarray:
    """F1 over words with the accepted answer that fits best; (examples,)."""
    return np.array([word_f1(*pair) for pair in zip(predictions, references, strict=True)])


def head(labels: tuple[str, ...]) -> "Head":
    """Start and end, for each token."""
    from core.family import Head

    return Head(outputs=("start", "end"), per_unit=True)


def encode(reader: "Reader", processor: Any, dataset: Any, task: Any, limit: int) -> "Encoded":
    """A row for each window, with the accepted answers of each question."""
    columns = [list(dataset[column]) for column in task.texts]
    answers, starts = list(dataset["answers"]), list(dataset["starts"])
    return encode_answers(reader, processor, columns, answers, starts, limit)


def encode_answers(
    reader: "Reader",
    processor: Any,
    columns: Sequence[list[str]],
    answers: list[list[str]],
    starts: list[list[int]],
    limit: int,
) -> "Encoded":
    """Questions and passages as windows; `starts` is where each answer begins in its passage."""
    encoded = reader.windows(processor, columns[0], columns[1], limit)
    windows = replace(encoded.about, accepted=[tuple(texts) for texts in answers])
    labels = {LABEL: positions(windows, answers, starts)}
    return replace(encoded, labels=labels, about=windows)


def encode_texts(
    reader: "Reader", processor: Any, columns: Sequence[list[str]], task: Any, longest: int
) -> "Encoded":
    """Windows of the task's length, without answers."""
    nothing: list[list[Any]] = [[] for _ in columns[0]]
    limit = min(task.max_tokens, longest)
    return encode_answers(reader, processor, columns, nothing, nothing, limit)


def label_loss(answers: "Mapping[str, Trace]", labels: "Mapping[str, Tensor]") -> "Tensor":
    """Sum of the cross-entropies of start and end, the tokens being the classes."""
    from torch.nn import functional as F

    logits = answers[LOGITS].value
    return 2 * F.cross_entropy(logits.flatten(0, 1), labels[LABEL].flatten())


def teacher_loss(
    student: "Mapping[str, Trace]",
    teacher: "Mapping[str, Trace]",
    labels: "Mapping[str, Tensor]",
    temperature: float,
) -> "Tensor":
    """Sum of the cross-entropies of start and end against the teacher's probabilities."""
    return soft_cross_entropy(student[LOGITS].value, teacher[LOGITS].value, temperature)


def of_rows(answers: Mapping[str, np.ndarray], rows: np.ndarray, encoded: "Encoded") -> np.ndarray:
    """The best span of each window, (rows, 4)."""
    pairs = zip(answers[LOGITS], rows, strict=True)
    return np.stack([spans_of_row(each, int(row), encoded.about)[0] for each, row in pairs])


def of_examples(table: np.ndarray, encoded: "Encoded") -> np.ndarray:
    """The best span of all windows of each question, (questions, 4)."""
    return best_of_windows(table, encoded.about).table


def threshold(task: Any, predictions: np.ndarray, encoded: "Encoded") -> float:
    """The threshold for "no answer" that is best on these (dev) predictions; where every
    question has an answer, one that never refuses."""
    if not task.may_have_no_answer:
        return ALWAYS_ANSWER
    windows = encoded.about
    return best_threshold(Answers(table=predictions), windows.contexts, windows.accepted, word_f1)


def judged(predictions: np.ndarray, encoded: "Encoded", threshold: float) -> tuple[Any, Any]:
    """Answers as text, and the accepted ones."""
    windows = encoded.about
    texts = Answers(table=predictions).texts(windows.contexts, threshold)
    return texts, windows.accepted


def kept_labels(encoded: "Encoded") -> None:
    """The truth is text."""
    return


def kept_truth(saved: Saved, split: str, load: Load) -> list[tuple[str, ...]]:
    """The accepted answers of each question."""
    return [tuple(answers) for answers in load(split)["answers"]]


def kept_answers(task: Any, saved: Saved, split: str, who: str, load: Load) -> list[str]:
    """The answers as text, each model with the threshold for "no answer" that is best on dev.
    Raises InputError when the passages here are not those of the run."""
    found, passages = saved[f"{split}.{who}"], list(load(split)["context"])
    if len(passages) != len(found):
        raise InputError("The test examples of this computer are not those of the run.")
    limit = _limit(task, saved[f"dev.{who}"], load("dev")) if task.may_have_no_answer else np.inf
    return Answers(table=found).texts(passages, limit)


def _limit(task: Any, found: np.ndarray, dev: Any) -> float:
    """The threshold for "no answer" that is best for these predictions of dev."""
    if not task.may_have_no_answer:
        return np.inf
    accepted = [tuple(answers) for answers in dev["answers"]]
    return best_threshold(Answers(table=found), list(dev["context"]), accepted, word_f1)


def truth(task: Any, row: Mapping[str, Any]) -> str:
    """The accepted answers."""
    return " | ".join(dict.fromkeys(row["answers"])) or NO_ANSWER


def answered(
    task: Any, encoded: "Encoded", logits: Mapping[int, np.ndarray], threshold: float
) -> Answered:
    """The best spans of all windows; NO_ANSWER where that is more likely."""
    null, ranked = ranked_spans(encoded.about, logits)
    shares = softmax(np.array([score for _, score in ranked]))
    passage = encoded.about.contexts[0]
    spans = tuple(
        Span(text=passage[start:end], start=start, end=end, share=float(share))
        for ((start, end), _), share in zip(ranked[:SHOWN_SPANS], shares, strict=False)
    )
    refused = null - ranked[0][1] > threshold
    return Answered(answer=NO_ANSWER if refused else spans[0].text or NO_ANSWER, spans=spans)


def units_read(reader: "Reader", task: Any, lengths: Sequence[int], longest: int) -> int:
    """Of a passage everything is read, window by window; of its question only the beginning."""
    limit = reader.first_units(min(task.max_tokens, longest))
    return min(lengths[0], limit) + sum(lengths[1:])


def in_words(task: Any, dataset: Any, saved: Saved) -> InWords:
    """Answers as text; the more words they share with an accepted one, the better."""
    accepted = [tuple(answers) for answers in dataset["answers"]]
    passages = list(dataset["context"])
    texts = {
        who: Answers(table=found).texts(passages, _limit(task, found, dataset))
        for who, found in saved.items()
    }
    return InWords(
        truth=[" | ".join(dict.fromkeys(each)) or NO_ANSWER for each in accepted],
        said={who: [text or NO_ANSWER for text in found] for who, found in texts.items()},
        goodness={who: word_f1s(found, accepted) for who, found in texts.items()},
    )


def agreement(teacher: np.ndarray, other: np.ndarray) -> float:
    """The share of answers with the same start and end."""
    return float((teacher[:, :2] == other[:, :2]).all(axis=1).mean())


TARGET = Target(
    name="span",
    words="an answer in a passage",
    metrics=(
        Metric(
            name="exact-match",
            title="exact match",
            right_or_wrong=True,
            of_example=exact_matches,
        ),
        Metric(name="answer-f1", title="F1 over words", of_example=word_f1s),
    ),
    pipeline_tag="question-answering",
    head=head,
    encode=encode,
    encode_texts=encode_texts,
    label_loss=label_loss,
    teacher_loss=teacher_loss,
    of_rows=of_rows,
    of_examples=of_examples,
    threshold=threshold,
    judged=judged,
    kept_labels=kept_labels,
    truth=truth,
    kept_truth=kept_truth,
    kept_answers=kept_answers,
    answered=answered,
    in_words=in_words,
    agreement=agreement,
    units_read=units_read,
    group=-1,
    can_replace_words=False,
)
