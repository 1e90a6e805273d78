"""The losses against their formulas, written out with loops."""

import math

import pytest
import torch

from core.experiment import DistillRecipe
from core.families.bert.heads import NOT_A_TOKEN
from core.training.distill import (
    Losses,
    Outputs,
    label_loss,
    losses,
    soft_cross_entropy,
    teacher_loss,
)

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
    found = losses(student, teacher, MASK, LABELS, DistillRecipe()).hidden
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
    found = losses(student, teacher, MASK, LABELS, DistillRecipe()).attention
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
    found = losses(teacher, teacher, MASK, LABELS, DistillRecipe())
    shares = torch.softmax(teacher.logits, dim=1)
    assert found.hidden.item() == found.attention.item() == 0.0
    entropy = -(shares * shares.log()).sum(dim=1).mean().item()
    assert found.logits.item() == pytest.approx(entropy, rel=1e-5)


def test_the_total_is_the_weighted_sum():
    values = (1.0, 2.0, 3.0, float("nan"), 4.0, 4.0)
    parts = Losses(
        **{name: torch.tensor(value) for name, value in zip(Losses.__slots__, values, strict=True)}
    )
    recipe = DistillRecipe(
        hidden=10.0, attention=0.5, logits=1.0, labels=0.0, attention_maps=2, attention_outputs=3
    )
    assert parts.total(recipe).item() == pytest.approx(34.0)  # a loss that is off cannot spoil it


# A value


def test_the_losses_of_a_value_are_squared_errors_worked_by_hand():
    student, teacher = torch.tensor([[1.0], [-2.0]]), torch.tensor([[1.5], [0.0]])
    labels = torch.tensor([3.0, -2.5])
    assert label_loss(student, labels).item() == pytest.approx((4.0 + 0.25) / 2)
    for temperature in (1.0, 3.0):  # there is nothing to soften
        found = teacher_loss(student, teacher, labels, temperature).item()
        assert found == pytest.approx((0.25 + 4.0) / 2)


def test_a_batch_of_one_value_is_not_taken_for_a_class():
    found = losses(one_value(0), one_value(1), MASK[:1], torch.tensor([2.0]), DistillRecipe())
    student, teacher = one_value(0).logits.item(), one_value(1).logits.item()
    assert found.logits.item() == pytest.approx((student - teacher) ** 2)
    assert found.labels.item() == pytest.approx((student - 2.0) ** 2)


def one_value(seed: int) -> Outputs:
    whole = outputs(seed)
    return Outputs(
        logits=whole.logits[:1, :1],
        hidden=tuple(state[:1] for state in whole.hidden),
        scores=tuple(score[:1] for score in whole.scores),
    )


# A span


def test_the_losses_of_a_span_worked_by_hand():
    """Two tokens; e to the logits are 1 and 3, so the probabilities are 1/4 and 3/4."""
    low, high = 0.0, math.log(3.0)
    logits = torch.tensor([[[low, high], [high, low]]])  # start, then end, of one window
    labels = torch.tensor([[1, 1]])
    assert label_loss(logits, labels).item() == pytest.approx(-math.log(3 / 4) - math.log(1 / 4))
    same = -(1 / 4 * math.log(1 / 4) + 3 / 4 * math.log(3 / 4))
    assert teacher_loss(logits, logits, labels, 1.0).item() == pytest.approx(2 * same)
    swapped = -(3 / 4 * math.log(1 / 4) + 1 / 4 * math.log(3 / 4))
    found = teacher_loss(logits, logits.flip(1), labels, 1.0).item()
    assert found == pytest.approx(2 * swapped)


def spans(tokens: int = 5, seed: int = 0) -> torch.Tensor:
    return torch.randn(3, 2, tokens, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_the_losses_of_spans_written_out(temperature):
    student, teacher = spans(seed=0), spans(seed=1)
    labels = torch.tensor([[0, 0], [1, 4], [3, 2]])
    against_teacher = against_truth = 0.0
    for row in range(3):
        for side in range(2):
            s, t = student[row, side].tolist(), teacher[row, side].tolist()
            shares = [math.exp(x / temperature) for x in t]
            normal = math.log(sum(math.exp(x / temperature) for x in s))
            for x, share in zip(s, shares, strict=True):
                against_teacher -= share / sum(shares) * (x / temperature - normal)
            against_truth -= s[labels[row, side]] - math.log(sum(map(math.exp, s)))
    found = teacher_loss(student, teacher, labels, temperature).item()
    assert found == pytest.approx(against_teacher / 3 * temperature**2, rel=1e-5)
    assert label_loss(student, labels).item() == pytest.approx(against_truth / 3, rel=1e-5)


@pytest.mark.parametrize("temperature", [0.1, 1.0, 100.0])
@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
def test_padding_does_not_change_the_losses_of_spans(kind, temperature):
    labels = torch.tensor([[0, 0], [1, 4], [3, 2]])
    bare = [spans(seed=seed).to(kind).float() for seed in (0, 1)]
    padding = torch.full((3, 2, 4), NOT_A_TOKEN).to(kind).float()
    padded = [torch.cat([logits, padding], dim=2).requires_grad_() for logits in bare]
    expected = teacher_loss(*bare, labels, temperature)
    found = teacher_loss(*padded, labels, temperature)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(label_loss(padded[0], labels), label_loss(bare[0], labels))
    (gradient,) = torch.autograd.grad(found, padded[0])
    assert (gradient[:, :, 5:] == 0).all()
    assert (gradient[:, :, :5] != 0).any()


def test_the_losses_of_classes_are_the_cross_entropies_of_the_library():
    student, teacher, labels = outputs(0).logits, outputs(1).logits, torch.tensor([1, 2])
    expected = torch.nn.functional.cross_entropy(student, labels)
    assert torch.equal(label_loss(student, labels), expected)
    expected = torch.nn.functional.cross_entropy(student, teacher.softmax(dim=1))
    torch.testing.assert_close(teacher_loss(student, teacher, labels, 1.0), expected)


def test_attention_maps_are_compared_by_their_divergence():
    student, teacher = outputs(0), outputs(1)
    expected, tokens = 0.0, int(MASK.sum())
    for s, t in zip(student.scores, teacher.scores, strict=True):
        total = 0.0
        for b, head, i in ((b, h, i) for b in range(2) for h in range(6) for i in range(4)):
            there = [j for j in range(4) if MASK[b, j]]
            if not MASK[b, i]:
                continue
            ours, theirs = ([math.exp(x[b, head, i, j]) for j in there] for x in (s, t))
            pairs = [(q / sum(ours), p / sum(theirs)) for q, p in zip(ours, theirs, strict=True)]
            total += sum(p * math.log(p / q) for q, p in pairs)
        expected += total / (tokens * 6)
    recipe = DistillRecipe(attention_maps=1.0)
    assert losses(student, teacher, MASK, LABELS, recipe).attention_maps.item() == pytest.approx(
        expected, rel=1e-4
    )
    assert losses(student, teacher, MASK, LABELS, DistillRecipe()).attention_maps == 0
    assert losses(teacher, teacher, MASK, LABELS, recipe).attention_maps.abs() < 1e-6
