"""What the student learns from its teacher: the weights of the losses."""

from dataclasses import dataclass
from typing import Any

from core.errors import InputError
from core.option_fields import Box, check, option
from core.serialization import Range, coerce_fields

_FIRST = ("hidden", "attention", "logits", "labels")
SUMMED = (*_FIRST, "attention_maps", "attention_outputs", "margins")  # in this order
_WEIGHT = Range(0.0, 1000.0)


def _loss(
    default: float,
    label: str,
    help: str,
    what: str,
    box: Box = "Distillation",
    later: bool = False,
) -> Any:
    """The weight of a loss."""
    words = f"The weight of the {what} loss"
    return option(default, label, help, _WEIGHT, what=words, step=0.5, box=box, later=later)


@dataclass(frozen=True, slots=True, kw_only=True)
class DistillRecipe:
    """Weights of the losses (PAPER 3: hidden + attention + logits, no labels).

    `attention_maps` compares the attention probabilities (KL divergence) and `attention_outputs`
    what attention gives to the next layer (MSE), beside or in place of the scores. `margins` is for
    rankings: by how much the teacher prefers one candidate to another (Margin-MSE).
    """

    hidden: float = _loss(
        1.0, "Hidden states", "Weight of the loss on hidden states (0: off).", "hidden"
    )
    attention: float = _loss(
        1.0, "Attention scores", "Weight of the loss on attention scores (0: off).", "attention"
    )
    logits: float = _loss(
        1.0, "Teacher's logits", "Weight of the loss on the teacher's logits (0: off).", "logits"
    )
    labels: float = _loss(
        0.0, "True labels", "Weight of the loss on the true labels (0: off).", "labels"
    )
    temperature: float = option(
        1.0,
        "Temperature",
        "Softens the logits of teacher and student before they are compared.",
        Range(0.1, 100.0),
        what="The distillation temperature",
        box="More",
        step=0.5,
    )
    attention_maps: float = _loss(
        0.0,
        "Attention probabilities",
        "Weight of the loss on attention probabilities (KL divergence; 0: off).",
        "attention maps",
        box="More",
        later=True,
    )
    attention_outputs: float = _loss(
        0.0,
        "Attention outputs",
        "Weight of the loss on what attention gives to the next layer (0: off).",
        "attention outputs",
        box="More",
        later=True,
    )
    margins: float = _loss(
        0.0,
        "Margins between candidates",
        "Weight of the loss on the teacher's margins between candidates (rankings only; 0: off).",
        "margins",
        box="More",
        later=True,
    )
    language_steps: int = option(
        0,
        "Steps on the language model",
        "First steps, in which the student learns from the language model that the teacher was "
        "made from.",
        Range(0, 1_000_000),
        what="Steps that distil language",
        box="More",
        step=10,
        later=True,
    )

    def __post_init__(self) -> None:
        coerce_fields(self)
        check(self)
        if not any(weight for _, weight in self.weights()):
            raise InputError("All losses are off, so nothing can be learned. Turn one on.")

    def weights(self) -> tuple[tuple[str, float], ...]:
        """(loss, weight) of every loss, in the order in which they are summed."""
        return tuple((name, getattr(self, name)) for name in SUMMED)
