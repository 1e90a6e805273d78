"""Heads: what sits on the encoder, and one form for what it answers.

    a target's head           model class                     logits
    one row of outputs        BertForSequenceClassification   (batch, outputs)
    outputs for each token    BertForQuestionAnswering        (batch, 2, tokens): where the answer
                                                              starts and ends

Losses and metrics see only these logits; a weight file tells by its names which head it holds.
"""

from collections.abc import Iterable
from typing import Any

import torch
from transformers import BertForQuestionAnswering, BertForSequenceClassification

from core.errors import InputError
from core.family import Head

HEAD_WEIGHTS = {
    "classifier.weight": BertForSequenceClassification,
    "qa_outputs.weight": BertForQuestionAnswering,
}
HEAD_PARTS = ("classifier.", "qa_outputs.", "bert.pooler.")


def class_of(head: Head) -> Any:
    """The model class that has this head."""
    return BertForQuestionAnswering if head.per_unit else BertForSequenceClassification


def weight_of(head: Head) -> str:
    """The name of this head's weight, (outputs, hidden)."""
    return next(name for name, kind in HEAD_WEIGHTS.items() if kind is class_of(head))


def head_class(names: Iterable[str]) -> Any:
    """The model class of a weight file with these names; raises InputError without a head."""
    for name in names:
        if name in HEAD_WEIGHTS:
            return HEAD_WEIGHTS[name]
    raise InputError(f"There is no head among the weights ({' or '.join(HEAD_WEIGHTS)}).")


@torch.no_grad()
def reorder_outputs(model: Any, order: list[int]) -> None:
    """Bring the outputs of a classifier into this order."""
    head = model.get_submodule("classifier")
    head.weight.copy_(head.weight[order].clone())
    head.bias.copy_(head.bias[order].clone())
