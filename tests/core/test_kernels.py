"""Every compiled loop against the same formula in plain torch, in float64 where it sums."""

import subprocess
import sys

import pytest
import torch

from core.quantizers import kernels
from core.quantizers.activations import activation_range, fake_quantize_activation
from core.quantizers.importance import importance

SHAPES = [(1, 1), (1, 4096), (1, 12_289), (7, 33), (300, 64)]


@pytest.fixture(params=SHAPES, ids=str)
def matrix(request):
    draw = torch.Generator().manual_seed(sum(request.param))
    weight = torch.randn(request.param, generator=draw) * 0.05
    weight[0, 0] = 0.0
    return weight, torch.rand(request.param, generator=draw)


def column(weight, value):
    return torch.full((len(weight), 1), value)


def check_sum(found, terms):
    assert found.shape == (len(terms), 1)
    exact = terms.double().sum(1, keepdim=True).float()
    torch.testing.assert_close(found, exact, rtol=2e-6, atol=0)


def test_magnitudes(matrix):
    total, largest = kernels.magnitudes(matrix[0])
    check_sum(total, matrix[0].abs())
    assert torch.equal(largest, matrix[0].abs().amax(dim=1, keepdim=True))


@pytest.mark.parametrize("broken", [float("nan"), -float("nan"), float("inf"), -float("inf")])
def test_the_largest_magnitude_of_a_broken_row_is_not_finite(broken):
    weight = torch.ones(3, 5000)
    weight[1, 4500] = broken
    assert kernels.magnitudes(weight)[1].isfinite().tolist() == [[True], [False], [True]]


@pytest.mark.parametrize("weighted", [False, True])
def test_moments_above(matrix, weighted):
    weight, d = matrix[0], matrix[1] if weighted else None
    kept = (weight.abs() > 0.03) * (torch.ones_like(weight) if d is None else d)
    upper, lower = kernels.moments_above(weight, column(weight, 0.03), d)
    check_sum(upper, kept * weight.abs())
    check_sum(lower, kept)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("top", [1, 7, 127])
def test_moments_and_cost_of_the_nearest_codes(matrix, weighted, top):
    weight, d = matrix[0], matrix[1] if weighted else None
    ones = torch.ones_like(weight) if d is None else d
    scale = column(weight, 0.15 / top)
    codes = (weight * (1 / scale)).round().clamp(-top, top)
    assert torch.equal(kernels.codes_nearest(weight, 1 / scale, top).float(), codes)
    upper, lower = kernels.moments_nearest(weight, 1 / scale, top, d)
    check_sum(upper, ones * codes * weight)
    check_sum(lower, ones * codes * codes)
    cost = kernels.cost_nearest(weight, scale, 1 / scale, top, d)
    exact = ones.double() * (codes.double() * scale.double() - weight.double()) ** 2
    torch.testing.assert_close(cost, exact.sum(1, keepdim=True).float(), rtol=1e-4, atol=1e-12)


def test_importance_is_the_root_of_the_second_moment(matrix):
    expected = matrix[1].sqrt() + 1e-8
    torch.testing.assert_close(importance(matrix[1]), expected, rtol=2e-7, atol=0)
    assert importance(None) is None
    first = importance(matrix[1], reuse=True)
    assert torch.equal(first, importance(matrix[1]))
    second = importance(matrix[1] + 1, reuse=True)
    assert first.data_ptr() == second.data_ptr() != importance(matrix[1]).data_ptr()


def test_codes_above_are_cut_strictly():
    weight = torch.tensor([[0.5, -0.5, 0.50001, -0.50001, 0.0, -0.0]])
    assert kernels.codes_above(weight, torch.tensor([[0.5]])).tolist() == [[0, 0, 1, -1, 0, 0]]
    assert kernels.codes_above(weight[:, 4:], torch.tensor([[0.0]])).tolist() == [[0, 0]]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_scaled_rounds_as_torch_does(matrix, dtype):
    codes = (matrix[0] * 300).round().clamp(-127, 127).to(torch.int8)
    scale = matrix[1][:, :1] + 0.01
    assert torch.equal(kernels.scaled(codes, scale, dtype), (codes.float() * scale).to(dtype))


def test_matrices_that_do_not_lie_in_order_are_read_right():
    weight = torch.randn(50, 40, generator=torch.Generator().manual_seed(0))
    check_sum(kernels.magnitudes(weight.T)[0], weight.T.abs())


@pytest.mark.parametrize("kind", ["minmax", "symmetric"])
@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("wanted", [torch.float32, torch.bfloat16])
def test_activations_written_out(kind, bits, dtype, wanted):
    x = (torch.randn(5, 33, generator=torch.Generator().manual_seed(bits)) * 3 - 1).to(dtype)
    scale, zero, low, high = activation_range(x, bits, kind)
    codes = (x.float() / torch.tensor(scale)).round()
    expected = (codes.clamp(low - zero, high - zero) * torch.tensor(scale)).to(wanted)
    found = fake_quantize_activation(x, bits, kind, wanted)
    assert found.dtype == wanted
    assert torch.equal(found, expected)


@pytest.mark.parametrize("broken", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("kind", ["minmax", "symmetric"])
def test_an_activation_without_a_range_says_so(broken, kind):
    x = torch.tensor([1.0, broken, -2.0])
    assert fake_quantize_activation(x, 8, kind).isnan().all()


def test_a_computer_where_nothing_can_be_written_still_computes():
    code = (
        "import numba.core.caching as c; c.CacheImpl._locator_classes = []\n"
        "import torch; from core.quantizers.kernels import magnitudes\n"
        "print(float(magnitudes(torch.ones(2, 3))[0][1]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "3.0"
