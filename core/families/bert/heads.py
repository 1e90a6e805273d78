"""Heads: what sits on the encoder for each kind of task, and one form for what they answer.

    kind      model class                     logits
    classes   BertForSequenceClassification   (batch, classes)
    value     the same with one output        (batch, 1)
    ranking   the same with one output        (batch, 1), of a query and a passage
    span      BertForQuestionAnswering        (batch, 2, tokens): where the answer starts and ends

Losses and metrics see only these logits; a weight file tells by its names which head it holds.
"""

from collections.abc import Iterable
from typing import Any

from transformers import BertForQuestionAnswering, BertForSequenceClassification

from core.errors import InputError

HEADS = {
    "classes": BertForSequenceClassification,
    "value": BertForSequenceClassification,
    "ranking": BertForSequenceClassification,
    "span": BertForQuestionAnswering,
}
HEAD_WEIGHTS = {
    "classifier.weight": BertForSequenceClassification,
    "qa_outputs.weight": BertForQuestionAnswering,
}


def output_names(kind: str, labels: tuple[str, ...]) -> tuple[str, ...]:
    """What each output of the head stands for (per token for a span)."""
    single = {"value": ("value",), "ranking": ("relevance",), "span": ("start", "end")}
    return single.get(kind, labels)


def head_class(names: Iterable[str]) -> Any:
    """The model class of a weight file with these names; raises InputError without a head."""
    for name in names:
        if name in HEAD_WEIGHTS:
            return HEAD_WEIGHTS[name]
    raise InputError(f"There is no head among the weights ({' or '.join(HEAD_WEIGHTS)}).")
