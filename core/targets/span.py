"""An answer in a passage: windows in, answers out.

A passage may be longer than the model can read, so it is cut into windows that overlap (see
`Reader.windows`); each window is a row for the model. In training its labels are the tokens where
the answer starts and ends, or token 0 when this window does not hold it. In prediction each window
proposes its best span, the best of all windows is the answer, and token 0 as start and end stands
for none. Logits (rows, 2, tokens) of starts and ends; predictions (questions, 4), see `Answers`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from core.metrics import Metric
from core.targets.answers import exact_match, word_f1
from core.targets.base import ALWAYS_ANSWER, LOGITS, Target, soft_cross_entropy

if TYPE_CHECKING:
    from torch import Tensor

    from core.family import Encoded, Head, Reader, Trace, Windows

LABEL = "span"
ANSWER_TOKENS = 30
BEST = 20  # starts and ends that are tried with each other in a window


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answers:
    """One answer per question: start, end (characters of the passage; end not included), score
    (start logit plus end logit) and null, the smallest score of "no answer" in any window. All
    are columns of `table` (questions, 4)."""

    table: np.ndarray

    def texts(self, contexts: Sequence[str], threshold: float) -> list[str]:
        """The answers as text; "" where null exceeds score by more than `threshold`."""
        return [
            "" if null - score > threshold else context[int(start) : int(end)]
            for (start, end, score, null), context in zip(self.table, contexts, strict=True)
        ]


def positions(windows: "Windows", answers: Sequence, starts: Sequence) -> np.ndarray:
    """(rows, 2): first and last token of the first accepted answer in each row, or 0, 0."""
    found = np.zeros((len(windows.example), 2), dtype=np.int64)
    for row, number in enumerate(windows.example):
        if not answers[number] or not answers[number][0].strip():
            continue
        answer, begin = answers[number][0], starts[number][0]
        begin += len(answer) - len(answer.lstrip())  # blanks around an answer are in no token
        end = begin + len(answer.strip())
        places = windows.offsets[row]
        inside = np.flatnonzero((places[:, 0] < end) & (places[:, 1] > begin))
        whole = len(inside) and places[inside[0], 0] <= begin and places[inside[-1], 1] >= end
        if whole:
            found[row] = windows.first[row] + inside[[0, -1]]
    return found


def spans_of_row(logits: np.ndarray, row: int, windows: "Windows") -> np.ndarray:
    """Candidate answers of one window, best first: (candidates, 4) as in `Answers`.

    logits (2, tokens) of start and end; spans of at most 30 tokens, inside the passage.
    """
    places, first = windows.offsets[row], windows.first[row]
    null = float(logits[0, 0] + logits[1, 0])
    start, end = logits[:, first : first + len(places)]
    starts, ends = np.argsort(-start)[:BEST], np.argsort(-end)[:BEST]
    pairs = [
        (places[s, 0], places[e, 1], start[s] + end[e], null)
        for s in starts
        for e in ends
        if s <= e < s + ANSWER_TOKENS
    ]
    if not pairs:  # no end within reach of a start: the best single token
        best = int(np.argmax(start + end)) if len(places) else 0
        where = places[best] if len(places) else (0, 0)
        pairs = [(*where, start[best] + end[best] if len(places) else null, null)]
    table = np.asarray(pairs, dtype=np.float64)
    return table[np.argsort(-table[:, 2], kind="stable")]


def best_of_windows(rows: np.ndarray, windows: "Windows") -> Answers:
    """The answer of each question from the best span of each row, (rows, 4)."""
    table = np.zeros((len(windows.contexts), 4))
    for number in range(len(windows.contexts)):
        mine = rows[windows.example == number]
        table[number] = mine[np.argmax(mine[:, 2])]
        table[number, 3] = mine[:, 3].min()
    return Answers(table=table)


def best_threshold(
    answers: Answers,
    contexts: Sequence[str],
    accepted: Sequence[tuple[str, ...]],
    goodness: Callable[[str, tuple[str, ...]], float],
) -> float:
    """The threshold for "no answer" that gives the best mean of `goodness(text, accepted)`.

    Chosen on dev, used on test; tried are all values that change an answer.
    """
    said = answers.texts(contexts, np.inf)
    given = np.array([goodness(*pair) for pair in zip(said, accepted, strict=True)])
    silent = np.array([goodness("", each) for each in accepted])
    gap = answers.table[:, 3] - answers.table[:, 2]
    order = np.argsort(gap, kind="stable")
    # With the threshold at gap[order[k]] the questions order[: k + 1] are answered, others not.
    totals = silent.sum() + np.cumsum((given - silent)[order])
    # Questions with one gap are answered together, so only the last of them is a choice.
    totals[:-1][np.diff(gap[order]) == 0] = -np.inf
    if silent.sum() >= totals.max():
        return float(gap.min() - 1.0)
    return float(gap[order[int(np.argmax(totals))]])


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
    student: "Mapping[str, Trace]", teacher: "Mapping[str, Trace]", temperature: float
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
    group=-1,
)
