"""A target: a question put to a model, with its labels, losses, answers and metrics.

One file of this folder makes one `Target`, a record of functions, under the name `TARGET`. It reads
`Outputs` and knows no architecture; what it must know of how examples become rows, it asks of a
`Reader`. Predictions are arrays whose rows are examples, so they can be kept with a run; ragged
ones are padded. torch is imported only where losses are computed: pages use the rest without it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from core.errors import InputError
from core.metrics import Metric

if TYPE_CHECKING:
    from torch import Tensor

    from core.family import Encoded, Head, Reader, Trace

    TraceMap = Mapping[str, Trace]
    TensorMap = Mapping[str, Tensor]
    MoreLoss = Callable[[TraceMap, TraceMap, TensorMap], Tensor]

Saved = Mapping[str, np.ndarray]  # "dev.student", "test.teacher", "test.labels" ...
Load = Callable[[str], Any]  # the name of a split -> its examples
ALWAYS_ANSWER = 1e9  # a threshold that no gap between two scores reaches
LOGITS = "logits"
NO_ANSWER = "(no answer)"


def labels_of(saved: Saved, split: str, load: Load) -> np.ndarray:
    """`kept_truth` where labels are numbers. Raises InputError where the run kept none."""
    if f"{split}.labels" not in saved:
        raise InputError("The run kept no test labels, so it has no pairs.")
    return saved[f"{split}.labels"]


def logits_as_kept(task: Any, saved: Saved, split: str, who: str, load: Load) -> np.ndarray:
    """`kept_answers` where metrics take the predictions as they are."""
    return saved[f"{split}.{who}"]


def logits_of_rows(
    answers: Mapping[str, np.ndarray], rows: np.ndarray, encoded: "Encoded"
) -> np.ndarray:
    """`of_rows` where a row is an example and its logits are the prediction."""
    return answers[LOGITS]


def rows_are_examples(table: np.ndarray, encoded: "Encoded") -> np.ndarray:
    """`of_examples` where each row is one."""
    return table


def never_refuse(task: Any, predictions: np.ndarray, encoded: "Encoded") -> float:
    """`threshold` where every example has an answer."""
    return ALWAYS_ANSWER


def cut_at_the_end(reader: "Reader", task: Any, lengths: Sequence[int], longest: int) -> int:
    """`units_read` where texts are cut to what the model reads."""
    return min(sum(lengths), longest - reader.marks(len(lengths)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A question, by its functions.

    name, words   for files and for people ("a number")
    metrics       that a task may choose from
    more_losses   more losses against the teacher, by name: (student's answers, teacher's, labels)
    group         the text column whose equal values stay together when rows are cut into splits
                  (-1: the last); None: all text columns of a row together
    can_replace_words   whether a text with some words replaced still has its label
    pipeline_tag  what a model card calls it
    head          labels -> what the model must have on top
    encode        (reader, processor, dataset, task, limit) -> rows with labels
    encode_texts  (reader, processor, one list per text column, task, longest) -> rows, no labels
    label_loss    (answers, labels) -> loss against the truth
    teacher_loss  (student's answers, teacher's, labels, temperature) -> loss against the teacher
    of_rows       (answers of a batch, row numbers, encoded) -> one array row per row
    of_examples   (all rows in order, encoded) -> predictions, (examples, ...)
    threshold     (task, dev predictions, encoded) -> the student's own for "no answer"
    judged        (predictions, encoded, threshold) -> (predictions, references) for metrics
    kept_labels   encoded -> what is saved beside predictions as the truth; None: it is text
    truth         (task, a row of its data) -> what is right, in words
    kept_truth    (saved arrays, split, load) -> references for metrics
    kept_answers  (task, saved arrays, split, who, load) -> predictions for metrics
    answered      (task, encoded, logits by row, threshold) -> the answer to one example
    units_read    (reader, task, tokens of each text, longest) -> how many of them are read
    in_words      (task, dataset, saved arrays of dev by who) -> each answer in words
    agreement     (teacher's predictions, another's) -> how far it answers as the teacher
    """

    name: str
    words: str
    metrics: tuple[Metric, ...]
    pipeline_tag: str
    head: Callable[[tuple[str, ...]], "Head"]
    encode: "Callable[[Reader, Any, Any, Any, int], Encoded]"
    encode_texts: "Callable[[Reader, Any, Sequence[list[str]], Any, int], Encoded]"
    label_loss: "Callable[[TraceMap, TensorMap], Tensor]"
    teacher_loss: "Callable[[TraceMap, TraceMap, TensorMap, float], Tensor]"
    of_rows: "Callable[[Mapping[str, np.ndarray], np.ndarray, Encoded], np.ndarray]" = (
        logits_of_rows
    )
    of_examples: "Callable[[np.ndarray, Encoded], np.ndarray]" = rows_are_examples
    threshold: "Callable[[Any, np.ndarray, Encoded], float]" = never_refuse
    judged: "Callable[[np.ndarray, Encoded, float], tuple[Any, Any]]"
    kept_labels: "Callable[[Encoded], np.ndarray | None]"
    truth: Callable[[Any, Mapping[str, Any]], str]
    kept_truth: "Callable[[Saved, str, Load], Any]" = labels_of
    kept_answers: "Callable[[Any, Saved, str, str, Load], Any]" = logits_as_kept
    answered: "Callable[[Any, Encoded, Mapping[int, np.ndarray], float], Answered]"
    in_words: "Callable[[Any, Any, Saved], InWords]"
    agreement: Callable[[np.ndarray, np.ndarray], float]
    units_read: "Callable[[Reader, Any, Sequence[int], int], int]" = cut_at_the_end
    more_losses: "Mapping[str, MoreLoss]" = field(default_factory=dict[str, "MoreLoss"])
    group: int | None = None
    can_replace_words: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A piece of the passage, characters `start` to `end` (not included); `share` is its
    probability among the candidates."""

    text: str
    start: int
    end: int
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What a model answers to one example, in words; and labels with their probabilities, a value,
    or spans, the best first, where the target has them."""

    answer: str
    labels: tuple[str, ...] = ()
    probabilities: tuple[float, ...] = ()
    value: float | None = None
    spans: tuple[Span, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class InWords:
    """Per example: the truth and each model's answer in words, and how good each answer is (more
    is better, whatever the metric). `numbers` are the answers themselves where they lie more or
    less apart; else two answers are the same or not."""

    truth: list[str]
    said: dict[str, list[str]]
    goodness: dict[str, np.ndarray]
    numbers: dict[str, np.ndarray] | None = None


def soft_cross_entropy(student: "Tensor", teacher: "Tensor", temperature: float) -> "Tensor":
    """Mean over the batch of -sum_c softmax(teacher / T) log softmax(student / T), times T^2
    (Hinton et al. 2015); logits (batch, ..., classes) are summed over what lies between."""
    import torch

    wanted = torch.softmax(teacher / temperature, dim=-1)
    log_probabilities = torch.log_softmax(student / temperature, dim=-1)
    each = -(wanted * log_probabilities).sum(dim=-1)
    return each.reshape(len(each), -1).sum(dim=1).mean() * temperature**2


def softmax(values: np.ndarray) -> np.ndarray:
    """exp(v) / sum exp(v), (n,) to (n,)."""
    shares = np.exp(values - values.max())
    return shares / shares.sum()
