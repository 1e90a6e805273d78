"""Masks of traces, and distances between them: worked by hand and written out with loops."""

import math

import pytest
import torch

from core.family import Trace
from core.models.distances import divergence, squared


def lengths(*numbers: int) -> torch.Tensor:
    return torch.tensor(numbers)


def trace(value: torch.Tensor, axes: tuple[int, ...], *numbers: torch.Tensor) -> Trace:
    return Trace(value=value, axes=axes, lengths=numbers)


# Masks


def test_the_mask_of_hidden_states_is_1_on_real_tokens():
    found = trace(torch.zeros(2, 3, 5), (1,), lengths(3, 1)).mask
    assert found.dtype == torch.float32
    assert found.tolist() == [[[1.0], [1.0], [1.0]], [[1.0], [0.0], [0.0]]]


def test_the_mask_of_scores_is_1_on_pairs_of_real_tokens():
    found = trace(torch.zeros(2, 4, 2, 2), (2, 3), lengths(2, 1), lengths(2, 1)).mask
    assert found.tolist() == [[[[1.0, 1.0], [1.0, 1.0]]], [[[1.0, 0.0], [0.0, 0.0]]]]


def test_two_axes_may_have_lengths_of_their_own():
    """Scores of what is written for what was read: 1 of 2 queries, 2 of 3 keys."""
    found = trace(torch.zeros(1, 6, 2, 3), (2, 3), lengths(1), lengths(2)).mask
    assert found.tolist() == [[[[1.0, 1.0, 0.0], [0.0, 0.0, 0.0]]]]
    last = trace(torch.zeros(2, 4, 3), (2,), lengths(1, 3)).mask  # not the first of the axes
    assert last.tolist() == [[[1.0, 0.0, 0.0]], [[1.0, 1.0, 1.0]]]


@pytest.mark.parametrize("shape", [(2,), (2, 3), (2, 3, 4, 5)])
def test_what_does_not_run_along_units_is_real_throughout(shape):
    value = torch.randn(shape)
    found = trace(value, ()).mask
    assert torch.equal(value * found, value)
    assert (found.expand_as(value) == 1).all()


@pytest.mark.parametrize(
    ("shape", "axes"),
    [((3, 4, 5), (1,)), ((3, 2, 4), (2,)), ((3, 2, 4, 4), (2, 3)), ((3, 4, 2, 6, 5), (1, 3))],
)
def test_a_mask_against_loops(shape, axes):
    draw = torch.Generator().manual_seed(0)
    numbers = [torch.randint(1, shape[axis] + 1, (shape[0],), generator=draw) for axis in axes]
    found = trace(torch.zeros(shape), axes, *numbers).mask.expand(shape)
    for place in torch.cartesian_prod(*map(torch.arange, shape)).tolist():
        real = all(place[axis] < each[place[0]] for axis, each in zip(axes, numbers, strict=True))
        assert found[tuple(place)] == float(real)


def test_each_axis_needs_its_lengths():
    with pytest.raises(ValueError, match="shorter"):
        _ = trace(torch.zeros(1, 2, 2), (1, 2), lengths(1)).mask


# Distances


def test_the_squared_difference_by_hand():
    """Two rows of two units and one unit, each of two numbers: six real numbers."""
    student = torch.tensor([[[1.0, 2.0], [3.0, 4.0]], [[5.0, 6.0], [70.0, 80.0]]])
    teacher = torch.tensor([[[1.0, 0.0], [3.0, 3.0]], [[2.0, 6.0], [-9.0, 0.0]]])
    found = squared(*(trace(each, (1,), lengths(2, 1)) for each in (student, teacher)))
    assert found.item() == pytest.approx((4 + 1 + 9) / 6)


def test_the_squared_difference_of_what_has_no_units_is_the_mean():
    student, teacher = torch.tensor([[1.0, 2.0]]), torch.tensor([[0.0, 5.0]])
    found = squared(trace(student, ()), trace(teacher, ()))
    assert found.item() == pytest.approx((1 + 9) / 2)


def test_the_divergence_by_hand():
    """One head, one real query of two, two real keys of three; e to the scores are 1 and 3, so the
    student's probabilities are 1/4 and 3/4, and the teacher's 1/2 and 1/2."""
    student = torch.tensor([[[[0.0, math.log(3.0), 50.0], [9.0, 0.0, 4.0]]]])
    teacher = torch.tensor([[[[7.0, 7.0, -3.0], [0.0, 1.0, 2.0]]]])
    pair = [trace(each, (2, 3), lengths(1), lengths(2)) for each in (student, teacher)]
    expected = 1 / 2 * math.log((1 / 2) / (1 / 4)) + 1 / 2 * math.log((1 / 2) / (3 / 4))
    assert divergence(*pair).item() == pytest.approx(expected, rel=1e-5)


def pairs(axes: tuple[int, ...], seed: int = 0) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    draw = torch.Generator().manual_seed(seed)
    shape = (3, 2, 4, 5)
    values = [torch.randn(shape, generator=draw) for _ in range(2)]
    return values, [torch.randint(1, shape[axis], (3,), generator=draw) for axis in axes]


@pytest.mark.parametrize("seed", range(3))
def test_the_divergence_against_loops_where_queries_and_keys_differ(seed):
    (student, teacher), (queries, keys) = pairs((2, 3), seed)
    found = divergence(*(trace(each, (2, 3), queries, keys) for each in (student, teacher)))
    total = 0.0
    for row in range(3):
        for head in range(2):
            for query in range(int(queries[row])):
                ours, theirs = (
                    torch.softmax(each[row, head, query, : keys[row]].double(), dim=0)
                    for each in (student, teacher)
                )
                total += float((theirs * (theirs / ours).log()).sum())
    assert found.item() == pytest.approx(total / (2 * int(queries.sum())), rel=1e-4)


@pytest.mark.parametrize("distance", [squared, divergence])
def test_padding_has_no_part_in_a_distance(distance):
    (student, teacher), numbers = pairs((2, 3))
    ours = trace(student.requires_grad_(), (2, 3), *numbers)
    real = ours.mask.expand_as(student) == 1
    found = distance(ours, trace(teacher, (2, 3), *numbers))
    found.backward()
    assert found.item() > 0.01
    assert (student.grad[~real] == 0).all()
    assert (student.grad[real] != 0).any()
    spoiled = [torch.where(real, each.detach(), 1e4) for each in (student, teacher)]
    spoiled[1] = torch.where(real, spoiled[1], -3e4)
    again = distance(*(trace(each, (2, 3), *numbers) for each in spoiled))
    assert again.item() == pytest.approx(found.item(), rel=1e-6)


@pytest.mark.parametrize("distance", [squared, divergence])
def test_a_trace_is_at_no_distance_from_itself(distance):
    (value, _), numbers = pairs((2, 3))
    ours = trace(value.clone().requires_grad_(), (2, 3), *numbers)
    found = distance(ours, trace(value, (2, 3), *numbers))
    found.backward()
    assert found.item() == pytest.approx(0.0, abs=1e-6)
    assert ours.value.grad.abs().max() < 1e-6
