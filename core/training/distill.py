"""The distillation losses (TernaryBERT section 3.2; PAPER 3), each by itself.

    L = hidden * sum over L+1 hidden states of MSE(student, teacher)
      + attention * sum over L layers of MSE of the scores Q K^T / sqrt(d), before the softmax
      + attention_maps * sum over L layers of KL(teacher || student) of the probabilities after it
      + attention_outputs * sum over L layers of MSE of what attention gives (both off in the paper)
      + logits * cross-entropy of the student's logits against the teacher's probabilities
      + labels * cross-entropy against the true labels (off in the paper)

For a value to be predicted both cross-entropies become squared errors; for a span the sum of
those of its start and its end is taken, the tokens being the classes.

Padding is left out of every mean: a token that is not there teaches nothing. With temperature T
both logits are divided by T and the loss multiplied by T^2 (Hinton et al. 2015).
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from core.experiment import DistillRecipe
from core.models.attention import recorded_attention
from core.models.heads import logits_of

ZERO = torch.zeros(())
LOWEST = -1e9  # a score that leaves no probability


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outputs:
    """What a forward gives: logits (batch, classes), or (batch, 1), or (batch, 2, tokens) of a
    span; hidden states L+1 x (batch, tokens, hidden); attention scores
    L x (batch, heads, tokens, tokens); attention outputs L x (batch, tokens, hidden), empty where
    nobody asked for them."""

    logits: Tensor
    hidden: tuple[Tensor, ...]
    scores: tuple[Tensor, ...]
    attended: tuple[Tensor, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Losses:
    """The losses, unweighted scalars; those that cost extra are 0 unless they have a weight."""

    hidden: Tensor
    attention: Tensor
    logits: Tensor
    labels: Tensor
    attention_maps: Tensor = ZERO
    attention_outputs: Tensor = ZERO

    def total(self, recipe: DistillRecipe) -> Tensor:
        """The weighted sum; a loss of weight 0 adds nothing, not even its gradient."""
        parts = ((getattr(recipe, name), getattr(self, name)) for name in self.__slots__)
        return torch.stack([weight * loss for weight, loss in parts if weight]).sum()


def run_with_outputs(model, inputs: dict[str, Tensor], recipe: DistillRecipe) -> Outputs:
    """Forward with all that the losses of `recipe` need, in float32."""
    with recorded_attention(model if recipe.attention_outputs else None) as attended:
        out = model(**inputs, output_hidden_states=True, output_attentions=True)
    return Outputs(
        attended=tuple(output.float() for output in attended),
        logits=logits_of(out, inputs["attention_mask"]).float(),
        hidden=tuple(state.float() for state in out.hidden_states),
        scores=tuple(score.float() for score in out.attentions),
    )


def losses(
    student: Outputs, teacher: Outputs, mask: Tensor, labels: Tensor, recipe: DistillRecipe
) -> Losses:
    """All losses; mask (batch, tokens) is 1 on real tokens; labels as in a Batch, real numbers
    where a value is to be predicted."""
    tokens = mask[:, :, None].float()  # (batch, tokens, 1)
    pairs = tokens * tokens.transpose(1, 2)  # (batch, tokens, tokens)
    return Losses(
        hidden=_sum_of_means(student.hidden, teacher.hidden, tokens),
        attention=_sum_of_means(student.scores, teacher.scores, pairs[:, None]),
        logits=teacher_loss(student.logits, teacher.logits, labels, recipe.temperature),
        labels=label_loss(student.logits, labels),
        attention_maps=_maps(student, teacher, mask) if recipe.attention_maps else ZERO,
        attention_outputs=_sum_of_means(student.attended, teacher.attended, tokens),
    )


def _maps(student: Outputs, teacher: Outputs, mask: Tensor) -> Tensor:
    """Sum over layers of the mean over heads and real tokens of KL(teacher || student)."""
    absent = (mask == 0)[:, None, None, :]  # no probability for padding
    total, tokens = torch.zeros(()), mask[:, None, :].float()  # (batch, 1, tokens)
    for ours, theirs in zip(student.scores, teacher.scores, strict=True):
        wanted = torch.log_softmax(theirs.masked_fill(absent, LOWEST), dim=-1)
        found = torch.log_softmax(ours.masked_fill(absent, LOWEST), dim=-1)
        each = (wanted.exp() * (wanted - found)).sum(dim=-1)  # (batch, heads, tokens)
        total = total + (each * tokens).sum() / (tokens.sum() * each.shape[1])
    return total


def label_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Loss against the truth: squared error of a value, cross-entropy of classes; of a span the
    sum of the cross-entropies of start and end."""
    if labels.is_floating_point():
        return F.mse_loss(logits[:, 0], labels)
    if labels.dim() == 2:
        return 2 * F.cross_entropy(logits.flatten(0, 1), labels.flatten())
    return F.cross_entropy(logits, labels)


def teacher_loss(student: Tensor, teacher: Tensor, labels: Tensor, temperature: float) -> Tensor:
    """Loss against the teacher's logits; `labels` only say whether a value is predicted."""
    if labels.is_floating_point():
        return F.mse_loss(student, teacher)
    return soft_cross_entropy(student, teacher, temperature)


def _sum_of_means(
    students: tuple[Tensor, ...], teachers: tuple[Tensor, ...], mask: Tensor
) -> Tensor:
    """Sum over layers of the mean squared difference where mask is 1 (it broadcasts)."""
    total = torch.zeros(())
    for student, teacher in zip(students, teachers, strict=True):
        count = mask.sum() * (student.numel() / mask.numel())
        difference = (student - teacher) * mask
        total = total + (difference * difference).sum() / count
    return total


def soft_cross_entropy(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """Mean over the batch of -sum_c softmax(teacher / T) log softmax(student / T), times T^2;
    logits (batch, ..., classes) are summed over what lies between."""
    target = torch.softmax(teacher / temperature, dim=-1)
    log_probabilities = torch.log_softmax(student / temperature, dim=-1)
    each = -(target * log_probabilities).sum(dim=-1)
    return each.reshape(len(each), -1).sum(dim=1).mean() * temperature**2
