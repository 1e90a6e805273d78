"""The losses against their formulas, written out with loops."""

import math

import pytest
import torch

from core.experiment import DistillRecipe
from core.training.distill import Losses, Outputs, losses, soft_cross_entropy

MASK = torch.tensor([[1, 1, 1, 0], [1, 1, 0, 0]])
LABELS = torch.tensor([1, 0])


def outputs(seed: int) -> Outputs:
    random = torch.Generator().manual_seed(seed)
    return Outputs(
        logits=torch.randn(2, 3, generator=random),
        hidden=tuple(torch.randn(2, 4, 5, generator=random) for _ in range(3)),
        scores=tuple(torch.randn(2, 6, 4, 4, generator=random) for _ in range(2)),
    )


def test_hidden_loss_is_the_sum_over_layers_of_the_mean_over_real_tokens():
    student, teacher = outputs(0), outputs(1)
    expected = 0.0
    for s, t in zip(student.hidden, teacher.hidden, strict=True):
        squares = [
            (s[b, i, h] - t[b, i, h]).item() ** 2
            for b in range(2)
            for i in range(4)
            for h in range(5)
            if MASK[b, i]
        ]
        expected += sum(squares) / len(squares)
    found = losses(student, teacher, MASK, LABELS, 1.0).hidden
    assert found.item() == pytest.approx(expected, rel=1e-5)


def test_attention_loss_counts_only_pairs_of_real_tokens():
    student, teacher = outputs(0), outputs(1)
    expected = 0.0
    for s, t in zip(student.scores, teacher.scores, strict=True):
        squares = [
            (s[b, head, i, j] - t[b, head, i, j]).item() ** 2
            for b in range(2)
            for head in range(6)
            for i in range(4)
            for j in range(4)
            if MASK[b, i] and MASK[b, j]
        ]
        expected += sum(squares) / len(squares)
    found = losses(student, teacher, MASK, LABELS, 1.0).attention
    assert found.item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("temperature", [1.0, 2.5])
def test_logit_loss_written_out(temperature):
    student, teacher = outputs(0).logits, outputs(1).logits
    expected = 0.0
    for s, t in zip(student.tolist(), teacher.tolist(), strict=True):
        shares = [math.exp(x / temperature) for x in t]
        normal = math.log(sum(math.exp(x / temperature) for x in s))
        parts = zip(s, shares, strict=True)
        expected -= sum(p / sum(shares) * (x / temperature - normal) for x, p in parts)
    found = soft_cross_entropy(student, teacher, temperature).item()
    assert found == pytest.approx(expected / 2 * temperature**2, rel=1e-5)


def test_a_perfect_copy_has_no_loss_but_the_entropy_of_its_teacher():
    teacher = outputs(1)
    found = losses(teacher, teacher, MASK, LABELS, 1.0)
    shares = torch.softmax(teacher.logits, dim=1)
    assert found.hidden.item() == found.attention.item() == 0.0
    entropy = -(shares * shares.log()).sum(dim=1).mean().item()
    assert found.logits.item() == pytest.approx(entropy, rel=1e-5)


def test_the_total_is_the_weighted_sum():
    parts = Losses(
        **{
            name: torch.tensor(value)
            for name, value in zip(Losses.__slots__, (1.0, 2.0, 3.0, float("nan")), strict=True)
        }
    )
    recipe = DistillRecipe(hidden=10.0, attention=0.5, logits=1.0, labels=0.0)
    assert parts.total(recipe).item() == pytest.approx(14.0)  # a loss that is off cannot spoil it
