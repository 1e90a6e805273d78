"""One of several classes: logits (examples, classes), labels class numbers (examples,)."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from core.metrics import Metric
from core.targets.target import (
    LOGITS,
    Answered,
    InWords,
    Saved,
    Target,
    soft_cross_entropy,
    softmax,
)

if TYPE_CHECKING:
    from torch import Tensor

    from core.family import Encoded, Head, Reader, Trace

LABEL = "class"


def correct(predictions: np.ndarray, references: np.ndarray) -> np.ndarray:
    """1 where the class with the largest logit is right, else 0; (examples,)."""
    return (predictions.argmax(axis=1) == references).astype(np.float64)


def f1(predictions: np.ndarray, references: np.ndarray) -> float:
    """F1 of class 1: 2 hits / (2 hits + misses + false alarms)."""
    return _f1_of(1, predictions.argmax(axis=1), references)


def macro_f1(predictions: np.ndarray, references: np.ndarray) -> float:
    """Mean F1 of all classes that occur among predictions or references."""
    predicted = predictions.argmax(axis=1)
    classes = np.union1d(predicted, references)
    return float(np.mean([_f1_of(each, predicted, references) for each in classes]))


def _f1_of(wanted: int, predicted: np.ndarray, references: np.ndarray) -> float:
    hits = int(((predicted == wanted) & (references == wanted)).sum())
    claimed, there = int((predicted == wanted).sum()), int((references == wanted).sum())
    return 2 * hits / (claimed + there) if hits else 0.0


def matthews(predictions: np.ndarray, references: np.ndarray) -> float:
    """Matthews correlation for any number of classes (Gorodkin 2004)."""
    count = max(predictions.shape[1], int(references.max()) + 1)
    table = np.zeros((count, count))
    np.add.at(table, (references, predictions.argmax(axis=1)), 1)
    there, claimed, total = table.sum(axis=1), table.sum(axis=0), table.sum()
    covariance = np.trace(table) * total - there @ claimed
    spread = (total**2 - there @ there) * (total**2 - claimed @ claimed)
    return float(covariance / np.sqrt(spread)) if spread else 0.0


def head(labels: tuple[str, ...]) -> "Head":
    """An output for each class."""
    from core.family import Head

    return Head(outputs=labels)


def encode(reader: "Reader", processor: Any, dataset: Any, task: Any, limit: int) -> "Encoded":
    """A row for each example; labels are the column "label"."""
    from dataclasses import replace

    columns = [list(dataset[column]) for column in task.texts]
    labels = np.asarray(list(dataset["label"]), dtype=np.int64)
    return replace(reader.encode(processor, columns, limit), labels={LABEL: labels})


def encode_texts(
    reader: "Reader", processor: Any, columns: Sequence[list[str]], task: Any, longest: int
) -> "Encoded":
    """A row for each example, as long as the model can read."""
    return reader.encode(processor, columns, longest)


def label_loss(answers: "Mapping[str, Trace]", labels: "Mapping[str, Tensor]") -> "Tensor":
    """Cross-entropy of the classes."""
    from torch.nn import functional as F

    return F.cross_entropy(answers[LOGITS].value, labels[LABEL])


def teacher_loss(
    student: "Mapping[str, Trace]",
    teacher: "Mapping[str, Trace]",
    labels: "Mapping[str, Tensor]",
    temperature: float,
) -> "Tensor":
    """Cross-entropy against the teacher's probabilities."""
    return soft_cross_entropy(student[LOGITS].value, teacher[LOGITS].value, temperature)


def judged(predictions: np.ndarray, encoded: "Encoded", threshold: float) -> tuple[Any, Any]:
    """Logits and class numbers."""
    return predictions, encoded.labels[LABEL]


def kept_labels(encoded: "Encoded") -> np.ndarray:
    """The class numbers."""
    return encoded.labels[LABEL]


def truth(task: Any, row: Mapping[str, Any]) -> str:
    """The name of the class."""
    return task.labels[row["label"]]


def answered(
    task: Any, encoded: "Encoded", logits: Mapping[int, np.ndarray], threshold: float
) -> Answered:
    """The most probable class, and the probabilities of all."""
    shares = softmax(logits[0])
    return Answered(
        answer=task.labels[int(np.argmax(shares))],
        labels=task.labels,
        probabilities=tuple(float(share) for share in shares),
    )


def in_words(task: Any, dataset: Any, saved: Saved) -> InWords:
    """Names of classes; an answer is right or wrong."""
    truth = [task.labels[label] for label in dataset["label"]]
    said = {who: [task.labels[i] for i in found.argmax(axis=1)] for who, found in saved.items()}
    goodness = {who: np.array(said[who]) == np.array(truth) for who in said}
    return InWords(truth=truth, said=said, goodness=goodness)


def agreement(teacher: np.ndarray, other: np.ndarray) -> float:
    """The share of equal classes."""
    return float((teacher.argmax(axis=1) == other.argmax(axis=1)).mean())


TARGET = Target(
    name="classes",
    words="classes",
    metrics=(
        Metric(name="accuracy", title="accuracy", right_or_wrong=True, of_example=correct),
        Metric(name="f1", title="F1", of_all=f1),
        Metric(name="macro-f1", title="macro F1", of_all=macro_f1),
        Metric(name="matthews", title="Matthews correlation", unit="x 100", of_all=matthews),
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
