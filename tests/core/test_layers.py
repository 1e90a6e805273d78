"""Quantized layers: the right numbers forward, the right gradients backward."""

import math

import pytest
import torch
from torch import nn

from core.family import Matrix
from core.models.activation import ActivationQuantizer
from core.models.layers import QuantEmbedding, QuantLinear
from core.models.weight_quantizer import WeightQuantizer
from core.quantizers import quantize, rules
from core.quantizers.importance import importance
from core.quantizers.lsq import LearnedStep


def quant_linear(method: str = "twn", bits: int = 2, granularity: str = "layer") -> QuantLinear:
    torch.manual_seed(0)
    linear = nn.Linear(6, 4)
    matrix = Matrix(address="linear.weight", title="a matrix", part="attention", layer=0)
    quantizer = WeightQuantizer(matrix, method, bits, granularity, linear.weight)
    return QuantLinear(linear, quantizer, ActivationQuantizer(32, "minmax"))


def quant_embedding(method: str, granularity: str) -> QuantEmbedding:
    torch.manual_seed(1)
    table = nn.Embedding(20, 36, padding_idx=0)
    matrix = Matrix(address="words.weight", title="words", part="embedding", is_table=True)
    quantizer = WeightQuantizer(matrix, method, 2, granularity, table.weight)
    return QuantEmbedding(table, quantizer)


@pytest.mark.parametrize("method", list(rules()))
def test_forward_computes_with_exactly_the_quantized_weight(method):
    layer = quant_linear(method, rules()[method].bits[0])
    x = torch.randn(3, 6)
    assert layer.weight_quantizer is not None
    quantized = layer.weight_quantizer.quantize(layer.weight).dequantize()
    assert torch.equal(layer(x), nn.functional.linear(x, quantized, layer.bias))


@pytest.mark.parametrize("method", [name for name, r in rules().items() if not r.learns_scale])
def test_the_gradient_goes_straight_through(method):
    layer = quant_linear(method, rules()[method].bits[0])
    x = torch.randn(3, 6)
    layer(x).sum().backward()
    expected = x.sum(dim=0).expand(4, 6)  # d sum(x W^T) / d W, as if nothing were quantized
    torch.testing.assert_close(layer.weight.grad, expected)


def test_activation_gradient_goes_straight_through():
    x = torch.randn(3, 6, requires_grad=True)
    for kind in ("minmax", "symmetric"):
        x.grad = None
        (ActivationQuantizer(8, kind)(x) * 2).sum().backward()
        assert torch.equal(x.grad, torch.full_like(x, 2.0))


@pytest.mark.parametrize("granularity", ["layer", "row", "group-32"])
@pytest.mark.parametrize("method", ["twn", "lat", "uniform", "lsq"])
def test_quantizing_only_the_rows_of_the_batch_changes_nothing(method, granularity):
    layer = quant_embedding(method, granularity)
    ids = torch.tensor([[3, 7, 7, 0], [19, 3, 1, 0]])
    assert layer.weight_quantizer is not None
    layer.train()
    whole = layer.weight_quantizer.quantize(layer.weight).dequantize()
    assert torch.equal(layer(ids), whole[ids])
    layer(ids).sum().backward()
    expected = torch.zeros(20, 36)
    for row in ids.flatten().tolist():
        expected[row] += 1.0
    if method != "lsq":  # whose clip stops some gradients
        torch.testing.assert_close(layer.weight.grad, expected)


def test_importance_is_the_root_of_the_second_moment():
    v = torch.tensor([[4.0, 0.0]])
    assert importance(None) is None
    torch.testing.assert_close(importance(v), torch.tensor([[2.0 + 1e-8, 1e-8]]))


def test_evaluation_keeps_one_object_and_training_forgets_it():
    layer = quant_linear().eval()
    quantizer = layer.weight_quantizer
    assert quantizer is not None
    first = quantizer.quantize(layer.weight)
    assert quantizer.quantize(layer.weight) is first
    with torch.no_grad():
        layer.weight.mul_(2.0)
    layer.train().eval()
    assert quantizer.quantize(layer.weight) is not first
    torch.testing.assert_close(quantizer.quantize(layer.weight).scale, first.scale * 2)


def test_lat_starts_warm_from_the_previous_scale():
    layer = quant_linear("lat")
    quantizer = layer.weight_quantizer
    assert quantizer is not None
    quantizer.second_moment = torch.rand(4, 6)
    first = quantizer.quantize(layer.weight)
    with torch.no_grad():
        layer.weight.add_(0.05 * torch.randn(4, 6))
    expected = quantize(
        layer.weight,
        method="lat",
        bits=2,
        granularity="layer",
        importance=importance(quantizer.second_moment),
        start_scale=first.scale,
    )
    assert torch.equal(quantizer.quantize(layer.weight).scale, expected.scale)


def test_learned_step_gradients_are_those_of_the_paper():
    x = torch.tensor([[-3.0, -0.4, 0.2, 0.9, 5.0]], requires_grad=True)
    step = torch.tensor([[0.5]], requires_grad=True)
    upstream = torch.tensor([[1.0, 2.0, 3.0, 4.0, 5.0]])
    (LearnedStep.apply(x, step, 3) * upstream).sum().backward()
    ratios = [-6.0, -0.8, 0.4, 1.8, 10.0]  # x / s, clipped to [-3, 3]
    by_step = [-3.0, -1.0 + 0.8, 0.0 - 0.4, 2.0 - 1.8, 3.0]
    expected = sum(g * d for g, d in zip(upstream[0].tolist(), by_step, strict=True))
    assert step.grad is not None
    assert step.grad.item() == pytest.approx(expected / math.sqrt(5 * 3), rel=1e-5)
    inside = [float(abs(r) <= 3) * g for r, g in zip(ratios, upstream[0].tolist(), strict=True)]
    assert x.grad is not None
    assert x.grad[0].tolist() == inside


def test_learned_step_of_rows_gathers_each_row_by_itself():
    x = torch.randn(3, 5, requires_grad=True)
    steps = torch.rand(3, 1).add_(0.2).requires_grad_(True)
    (LearnedStep.apply(x, steps, 2) * torch.arange(15.0).reshape(3, 5)).sum().backward()
    for row in range(3):
        one, step = x[row : row + 1].detach(), steps[row : row + 1].detach().requires_grad_(True)
        weights = torch.arange(15.0).reshape(3, 5)[row : row + 1]
        (LearnedStep.apply(one, step, 2) * weights).sum().backward()
        torch.testing.assert_close(steps.grad[row : row + 1], step.grad)


def test_learned_steps_of_groups_learn_as_if_each_group_were_a_matrix():
    torch.manual_seed(3)
    linear = nn.Linear(40, 3)
    matrix = Matrix(address="linear.weight", title="a matrix", part="attention", layer=0)
    quantizer = WeightQuantizer(matrix, "lsq", 4, "group-32", linear.weight).train()
    upstream = torch.randn(3, 40)
    (quantizer(linear.weight) * upstream).sum().backward()
    for place, part in enumerate((slice(0, 32), slice(32, 40))):
        weight = linear.weight[:, part].detach().requires_grad_(True)
        step = quantizer.step[:, place : place + 1].detach().requires_grad_(True)
        (LearnedStep.apply(weight, step, 4) * upstream[:, part]).sum().backward()
        torch.testing.assert_close(linear.weight.grad[:, part], weight.grad)
        torch.testing.assert_close(quantizer.step.grad[:, place : place + 1], step.grad)


def test_learned_activation_step_is_set_by_the_first_training_batch():
    quantizer = ActivationQuantizer(8, "lsq")
    x = torch.randn(4, 3)
    quantizer.eval()
    before = quantizer(x)
    assert float(quantizer.step.detach()) == 0.0  # looking does not change it
    quantizer.train()
    assert torch.equal(quantizer(x), before)
    assert float(quantizer.step.detach()) == pytest.approx(
        2 * x.abs().mean().item() / math.sqrt(127), 1e-5
    )
