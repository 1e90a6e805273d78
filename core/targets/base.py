"""A target: a question put to a model, with its labels, losses, answers and metrics.

One file of this folder makes one `Target`, a record of functions, under the name `TARGET`. It reads
`Outputs` and knows no architecture; what it must know of how examples become rows, it asks of a
`Reader`. Predictions are arrays whose rows are examples, so they can be kept with a run; ragged
ones are padded. torch is imported only where losses are computed: pages use the rest without it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from core.metrics import Metric

if TYPE_CHECKING:
    from torch import Tensor

    from core.family import Encoded, Head, Reader, Trace

ALWAYS_ANSWER = 1e9  # a threshold that no gap between two scores reaches
LOGITS = "logits"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A question, by its functions.

    name, words   for files and for people ("a number")
    metrics       that a task may choose from
    group         the text column whose equal values stay together when rows are cut into splits
                  (-1: the last); None: all text columns of a row together
    pipeline_tag  what a model card calls it
    head          labels -> what the model must have on top
    encode        (reader, processor, dataset, task, limit) -> rows with labels
    encode_texts  (reader, processor, one list per text column, task, longest) -> rows, no labels
    label_loss    (answers, labels) -> loss against the truth
    teacher_loss  (student's answers, teacher's, temperature) -> loss against the teacher
    of_rows       (answers of a batch, row numbers, encoded) -> one array row per row
    of_examples   (all rows in order, encoded) -> predictions, (examples, ...)
    threshold     (task, dev predictions, encoded) -> the student's own for "no answer"
    judged        (predictions, encoded, threshold) -> (predictions, references) for metrics
    kept_labels   encoded -> what is saved beside predictions as the truth; None: it is text
    """

    name: str
    words: str
    metrics: tuple[Metric, ...]
    pipeline_tag: str
    head: Callable[[tuple[str, ...]], "Head"]
    encode: "Callable[[Reader, Any, Any, Any, int], Encoded]"
    encode_texts: "Callable[[Reader, Any, Sequence[list[str]], Any, int], Encoded]"
    label_loss: "Callable[[Mapping[str, Trace], Mapping[str, Tensor]], Tensor]"
    teacher_loss: "Callable[[Mapping[str, Trace], Mapping[str, Trace], float], Tensor]"
    of_rows: "Callable[[Mapping[str, np.ndarray], np.ndarray, Encoded], np.ndarray]"
    of_examples: "Callable[[np.ndarray, Encoded], np.ndarray]"
    threshold: "Callable[[Any, np.ndarray, Encoded], float]"
    judged: "Callable[[np.ndarray, Encoded, float], tuple[Any, Any]]"
    kept_labels: "Callable[[Encoded], np.ndarray | None]"
    group: int | None = None


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


def soft_cross_entropy(student: "Tensor", teacher: "Tensor", temperature: float) -> "Tensor":
    """Mean over the batch of -sum_c softmax(teacher / T) log softmax(student / T), times T^2
    (Hinton et al. 2015); logits (batch, ..., classes) are summed over what lies between."""
    import torch

    wanted = torch.softmax(teacher / temperature, dim=-1)
    log_probabilities = torch.log_softmax(student / temperature, dim=-1)
    each = -(wanted * log_probabilities).sum(dim=-1)
    return each.reshape(len(each), -1).sum(dim=1).mean() * temperature**2
