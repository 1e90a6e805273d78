"""The losses against their formulas, written out with loops."""

import math
from dataclasses import replace

import pytest
import torch

from core.errors import InputError
from core.experiment import DistillRecipe
from core.families.bert.outputs import NOT_A_TOKEN
from core.families.registry import find_family
from core.family import Outputs, Trace
from core.targets import find_target
from core.targets.target import soft_cross_entropy
from core.training.distillation_losses import check_losses, losses, total, traces_of

BERT = find_family("bert")
CLASSES, VALUE, SPAN = (find_target(name) for name in ("classes", "value", "span"))
LENGTHS = torch.tensor([3, 2])
MASK = torch.tensor([[1, 1, 1, 0], [1, 1, 0, 0]])
LABELS = {"class": torch.tensor([1, 0])}


def answers(logits: torch.Tensor) -> dict[str, Trace]:
    return {"logits": Trace(value=logits)}


def traces(values, axes: tuple[int, ...], lengths: torch.Tensor = LENGTHS) -> tuple[Trace, ...]:
    return tuple(Trace(value=each, axes=axes, lengths=(lengths,) * len(axes)) for each in values)


def outputs(seed: int, maps: bool = False, rows: int = 2) -> Outputs:
    """Three hidden states and the scores of two layers of six heads; `rows` of two texts."""
    random = torch.Generator().manual_seed(seed)
    logits = torch.randn(2, 3, generator=random)
    hidden = [torch.randn(2, 4, 5, generator=random)[:rows] for _ in range(3)]
    scores = [torch.randn(2, 6, 4, 4, generator=random)[:rows] for _ in range(2)]
    found = {
        "hidden": traces(hidden, (1,), LENGTHS[:rows]),
        "attention": traces(scores, (2, 3), LENGTHS[:rows]),
    }
    found |= {"attention_maps": found["attention"]} if maps else {}
    return Outputs(answers=answers(logits[:rows]), traces=found)


def logits_of(found: Outputs) -> torch.Tensor:
    return found.answers["logits"].value


def terms_of(student: Outputs, teacher: Outputs, **recipe) -> dict[str, torch.Tensor]:
    return losses(student, teacher, LABELS, DistillRecipe(**recipe), BERT, CLASSES)


def values(outputs: Outputs, name: str) -> list[torch.Tensor]:
    return [trace.value for trace in outputs.traces[name]]


def test_hidden_loss_is_the_sum_over_layers_of_the_mean_over_real_tokens():
    student, teacher = outputs(0), outputs(1)
    expected = 0.0
    for s, t in zip(values(student, "hidden"), values(teacher, "hidden"), strict=True):
        squares = [
            (s[b, i, h] - t[b, i, h]).item() ** 2
            for b in range(2)
            for i in range(4)
            for h in range(5)
            if MASK[b, i]
        ]
        expected += sum(squares) / len(squares)
    found = terms_of(student, teacher)["hidden"]
    assert found.item() == pytest.approx(expected, rel=1e-5)


def test_attention_loss_counts_only_pairs_of_real_tokens():
    student, teacher = outputs(0), outputs(1)
    expected = 0.0
    for s, t in zip(values(student, "attention"), values(teacher, "attention"), strict=True):
        squares = [
            (s[b, head, i, j] - t[b, head, i, j]).item() ** 2
            for b in range(2)
            for head in range(6)
            for i in range(4)
            for j in range(4)
            if MASK[b, i] and MASK[b, j]
        ]
        expected += sum(squares) / len(squares)
    found = terms_of(student, teacher)["attention"]
    assert found.item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("temperature", [1.0, 2.5])
def test_logit_loss_written_out(temperature):
    student, teacher = logits_of(outputs(0)), logits_of(outputs(1))
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
    found = terms_of(teacher, teacher)
    shares = torch.softmax(logits_of(teacher), dim=1)
    assert found["hidden"].item() == found["attention"].item() == 0.0
    entropy = -(shares * shares.log()).sum(dim=1).mean().item()
    assert found["logits"].item() == pytest.approx(entropy, rel=1e-5)


def test_the_total_is_the_weighted_sum():
    names = ("hidden", "attention", "logits", "labels", "attention_maps", "attention_outputs")
    parts = (1.0, 2.0, 3.0, float("nan"), 4.0, 4.0)
    terms = {name: torch.tensor(part) for name, part in zip(names, parts, strict=True)}
    recipe = DistillRecipe(
        hidden=10.0, attention=0.5, logits=1.0, labels=0.0, attention_maps=2, attention_outputs=3
    )
    assert total(terms, recipe).item() == pytest.approx(34.0)  # a loss that is off cannot spoil it


def test_a_loss_that_is_off_has_no_gradient():
    weights = {name: torch.ones((), requires_grad=True) for name in ("hidden", "logits", "labels")}
    total(weights, DistillRecipe(hidden=3.0, attention=0.0)).backward()
    assert (weights["hidden"].grad, weights["logits"].grad) == (3.0, 1.0)
    assert weights["labels"].grad is None


def test_the_sum_is_taken_in_the_order_of_the_recipe():
    """Float sums depend on their order: 1e8 - 1e8 + 1 is 1, and 1e8 + 1 - 1e8 is 0."""
    terms = {
        name: torch.tensor(value)
        for name, value in (("logits", 1.0), ("attention", -1e8), ("hidden", 1e8))
    }
    assert total(terms, DistillRecipe()).item() == 1.0


@pytest.mark.parametrize(
    ("recipe", "more"),
    [
        (DistillRecipe(), set()),
        (DistillRecipe(hidden=0.0, attention=0.0), set()),  # they are shown nevertheless
        (DistillRecipe(attention_maps=1.0), {"attention_maps"}),
        (DistillRecipe(attention_outputs=0.5, labels=1.0), {"attention_outputs"}),
    ],
)
def test_what_the_losses_need_of_the_inside(recipe, more):
    assert traces_of(BERT, recipe) == {"hidden", "attention"} | more


def test_a_loss_that_there_is_not_is_refused_by_name():
    check_losses(BERT, CLASSES, DistillRecipe(attention_maps=1.0, attention_outputs=1.0, labels=1))
    with pytest.raises(InputError, match=r"There is no margins loss for classes\. Set .* to 0"):
        check_losses(BERT, CLASSES, DistillRecipe(margins=1.0))
    ranking = replace(CLASSES, more_losses={"margins": lambda *_: torch.zeros(())})
    check_losses(BERT, ranking, DistillRecipe(margins=1.0))


def test_a_loss_of_the_targets_own_is_a_term_like_any_other():
    student, teacher = outputs(0), outputs(1)

    def margins(ours, theirs, labels):
        return (ours["logits"].value - theirs["logits"].value)[labels["class"] == 1].sum()

    target = replace(CLASSES, more_losses={"margins": margins})
    found = losses(student, teacher, LABELS, DistillRecipe(margins=2.0), BERT, target)
    expected = (logits_of(student)[0] - logits_of(teacher)[0]).sum()
    assert found["margins"].item() == pytest.approx(expected.item())
    assert {*found} == {"logits", "labels", "margins", "hidden", "attention"}


# A value


def test_the_losses_of_a_value_are_squared_errors_worked_by_hand():
    student = answers(torch.tensor([[1.0], [-2.0]]))
    teacher = answers(torch.tensor([[1.5], [0.0]]))
    labels = {"value": torch.tensor([3.0, -2.5])}
    assert VALUE.label_loss(student, labels).item() == pytest.approx((4.0 + 0.25) / 2)
    for temperature in (1.0, 3.0):  # there is nothing to soften
        found = VALUE.teacher_loss(student, teacher, labels, temperature).item()
        assert found == pytest.approx((0.25 + 4.0) / 2)


def test_a_batch_of_one_value_is_not_taken_for_a_class():
    labels = {"value": torch.tensor([2.0])}
    found = losses(one_value(0), one_value(1), labels, DistillRecipe(), BERT, VALUE)
    student, teacher = (logits_of(one_value(seed)).item() for seed in (0, 1))
    assert found["logits"].item() == pytest.approx((student - teacher) ** 2)
    assert found["labels"].item() == pytest.approx((student - 2.0) ** 2)


def one_value(seed: int) -> Outputs:
    whole = outputs(seed, rows=1)
    return replace(whole, answers=answers(logits_of(whole)[:, :1]))


# A span


def test_the_losses_of_a_span_worked_by_hand():
    """Two tokens; e to the logits are 1 and 3, so the probabilities are 1/4 and 3/4."""
    low, high = 0.0, math.log(3.0)
    logits = torch.tensor([[[low, high], [high, low]]])  # start, then end, of one window
    labels = {"span": torch.tensor([[1, 1]])}
    found = SPAN.label_loss(answers(logits), labels).item()
    assert found == pytest.approx(-math.log(3 / 4) - math.log(1 / 4))
    same = -(1 / 4 * math.log(1 / 4) + 3 / 4 * math.log(3 / 4))
    found = SPAN.teacher_loss(answers(logits), answers(logits), labels, 1.0).item()
    assert found == pytest.approx(2 * same)
    swapped = -(3 / 4 * math.log(1 / 4) + 1 / 4 * math.log(3 / 4))
    found = SPAN.teacher_loss(answers(logits), answers(logits.flip(1)), labels, 1.0).item()
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
    ours, theirs, truth = answers(student), answers(teacher), {"span": labels}
    found = SPAN.teacher_loss(ours, theirs, truth, temperature).item()
    assert found == pytest.approx(against_teacher / 3 * temperature**2, rel=1e-5)
    assert SPAN.label_loss(ours, truth).item() == pytest.approx(against_truth / 3, rel=1e-5)


@pytest.mark.parametrize("temperature", [0.1, 1.0, 100.0])
@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
def test_padding_does_not_change_the_losses_of_spans(kind, temperature):
    labels = {"span": torch.tensor([[0, 0], [1, 4], [3, 2]])}
    bare = [spans(seed=seed).to(kind).float() for seed in (0, 1)]
    padding = torch.full((3, 2, 4), NOT_A_TOKEN).to(kind).float()
    padded = [torch.cat([logits, padding], dim=2).requires_grad_() for logits in bare]
    expected = SPAN.teacher_loss(*map(answers, bare), labels, temperature)
    found = SPAN.teacher_loss(*map(answers, padded), labels, temperature)
    torch.testing.assert_close(found, expected)
    truth = [SPAN.label_loss(answers(logits[0]), labels) for logits in (padded, bare)]
    torch.testing.assert_close(*truth)
    (gradient,) = torch.autograd.grad(found, padded[0])
    assert (gradient[:, :, 5:] == 0).all()
    assert (gradient[:, :, :5] != 0).any()


def test_the_losses_of_classes_are_the_cross_entropies_of_the_library():
    student, teacher = logits_of(outputs(0)), logits_of(outputs(1))
    labels = torch.tensor([1, 2])
    expected = torch.nn.functional.cross_entropy(student, labels)
    assert torch.equal(CLASSES.label_loss(answers(student), {"class": labels}), expected)
    expected = torch.nn.functional.cross_entropy(student, teacher.softmax(dim=1))
    found = CLASSES.teacher_loss(answers(student), answers(teacher), {"class": labels}, 1.0)
    torch.testing.assert_close(found, expected)


def test_attention_maps_are_compared_by_their_divergence():
    student, teacher = outputs(0), outputs(1)
    expected, tokens = 0.0, int(MASK.sum())
    for s, t in zip(values(student, "attention"), values(teacher, "attention"), strict=True):
        total = 0.0
        for b, head, i in ((b, h, i) for b in range(2) for h in range(6) for i in range(4)):
            there = [j for j in range(4) if MASK[b, j]]
            if not MASK[b, i]:
                continue
            ours, theirs = ([math.exp(x[b, head, i, j]) for j in there] for x in (s, t))
            pairs = [(q / sum(ours), p / sum(theirs)) for q, p in zip(ours, theirs, strict=True)]
            total += sum(p * math.log(p / q) for q, p in pairs)
        expected += total / (tokens * 6)
    mapped, goal = outputs(0, maps=True), outputs(1, maps=True)
    found = terms_of(mapped, goal, attention_maps=1.0)["attention_maps"]
    assert found.item() == pytest.approx(expected, rel=1e-4)
    assert "attention_maps" not in terms_of(student, teacher)
    assert terms_of(goal, goal, attention_maps=1.0)["attention_maps"].abs() < 1e-6
