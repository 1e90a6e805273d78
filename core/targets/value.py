"""A number: logits (examples, 1) are the prediction itself, labels numbers (examples,)."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from core.metrics import Metric
from core.targets.classes import encode_texts
from core.targets.target import LOGITS, Answered, InWords, Saved, Target

if TYPE_CHECKING:
    from torch import Tensor

    from core.family import Encoded, Head, Reader, Trace

LABEL = "value"


def pearson(predictions: np.ndarray, references: np.ndarray) -> float:
    """Correlation of values (column 0 of predictions)."""
    return _correlation(predictions[:, 0].astype(np.float64), references.astype(np.float64))


def spearman(predictions: np.ndarray, references: np.ndarray) -> float:
    """Correlation of ranks; equal values share their mean rank."""
    return _correlation(_ranks(predictions[:, 0]), _ranks(references))


def _correlation(left: np.ndarray, right: np.ndarray) -> float:
    left, right = left - left.mean(), right - right.mean()
    spread = np.sqrt((left @ left) * (right @ right))
    return float(left @ right / spread) if spread else 0.0


def _ranks(values: np.ndarray) -> np.ndarray:
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts - 1) / 2)[places]


def head(labels: tuple[str, ...]) -> "Head":
    """One output."""
    from core.family import Head

    return Head(outputs=("value",))


def encode(reader: "Reader", processor: Any, dataset: Any, task: Any, limit: int) -> "Encoded":
    """A row for each example; labels are the column "label"."""
    columns = [list(dataset[column]) for column in task.texts]
    labels = np.asarray(list(dataset["label"]), dtype=np.float32)
    return replace(reader.encode(processor, columns, limit), labels={LABEL: labels})


def label_loss(answers: "Mapping[str, Trace]", labels: "Mapping[str, Tensor]") -> "Tensor":
    """Squared error."""
    from torch.nn import functional as F

    return F.mse_loss(answers[LOGITS].value[:, 0], labels[LABEL])


def teacher_loss(
    student: "Mapping[str, Trace]",
    teacher: "Mapping[str, Trace]",
    labels: "Mapping[str, Tensor]",
    temperature: float,
) -> "Tensor":
    """Squared difference; a value has no temperature."""
    from torch.nn import functional as F

    return F.mse_loss(student[LOGITS].value, teacher[LOGITS].value)


def judged(predictions: np.ndarray, encoded: "Encoded", threshold: float) -> tuple[Any, Any]:
    """Predicted and true values."""
    return predictions, encoded.labels[LABEL]


def kept_labels(encoded: "Encoded") -> np.ndarray:
    """The true values."""
    return encoded.labels[LABEL]


def truth(task: Any, row: Mapping[str, Any]) -> str:
    """The number with two decimals."""
    return f"{row['label']:.2f}"


def answered(
    task: Any, encoded: "Encoded", logits: Mapping[int, np.ndarray], threshold: float
) -> Answered:
    """The value, with two decimals in words."""
    value = float(logits[0][0])
    return Answered(answer=f"{value:.2f}", value=value)


def in_words(task: Any, dataset: Any, saved: Saved) -> InWords:
    """Numbers with two decimals; the nearer to the truth, the better."""
    truth = np.array(dataset["label"], dtype=float)
    return InWords(
        truth=[f"{value:.2f}" for value in truth],
        said={who: [f"{value:.2f}" for value in found[:, 0]] for who, found in saved.items()},
        goodness={who: -np.abs(found[:, 0] - truth) for who, found in saved.items()},
        numbers={who: found[:, 0].astype(np.float64) for who, found in saved.items()},
    )


def agreement(teacher: np.ndarray, other: np.ndarray) -> float:
    """The correlation of the numbers."""
    return pearson(teacher, other[:, 0])


TARGET = Target(
    name="value",
    words="a number",
    metrics=(
        Metric(name="pearson", title="Pearson correlation", unit="x 100", of_all=pearson),
        Metric(name="spearman", title="rank correlation (Spearman)", unit="x 100", of_all=spearman),
    ),
    pipeline_tag="text-classification",
    head=head,
    encode=encode,
    encode_texts=encode_texts,
    label_loss=label_loss,
    teacher_loss=teacher_loss,
    judged=judged,
    kept_labels=kept_labels,
    truth=truth,
    answered=answered,
    in_words=in_words,
    agreement=agreement,
)
