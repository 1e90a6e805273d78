"""Activation ranges against the written specification of ONNX's DynamicQuantizeLinear."""

import numpy as np
import pytest
import torch

from core.errors import InputError
from core.quantizers.activations import activation_range, fake_quantize_activation


def dynamic_quantize_linear(x: np.ndarray) -> np.ndarray:
    """The ONNX operator (opset 11) in float32, then dequantized: an independent second version."""
    low = np.minimum(np.float32(0), x.min())
    high = np.maximum(np.float32(0), x.max())
    scale = (high - low) / np.float32(255) if high > low else np.float32(1)
    zero_point = np.rint(np.clip(-low / scale, 0, 255)).astype(np.uint8)
    codes = np.clip(np.rint(x / scale) + np.float32(zero_point), 0, 255).astype(np.uint8)
    return (codes.astype(np.int32) - np.int32(zero_point)).astype(np.float32) * scale


@pytest.mark.parametrize("shift", [-3.0, -0.2, 0.0, 0.4, 5.0])
@pytest.mark.parametrize("seed", range(4))
def test_minmax_8_bits_is_dynamic_quantize_linear_bit_for_bit(seed, shift):
    x = torch.randn(5, 7, 9, generator=torch.Generator().manual_seed(seed)) + shift
    ours = fake_quantize_activation(x, 8, "minmax").numpy()
    assert np.array_equal(ours, dynamic_quantize_linear(x.numpy()))


def test_worked_example_with_a_zero_point():
    x = torch.tensor([-1.0, 0.0, 0.5, 1.55])  # 255 steps of 0.01 from -1.00 to 1.55
    scale, zero, lowest, highest = activation_range(x, 8, "minmax")
    assert scale == pytest.approx(0.01)
    assert (zero, lowest, highest) == (100.0, 0, 255)
    torch.testing.assert_close(fake_quantize_activation(x, 8, "minmax"), x)


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("kind", ["minmax", "symmetric"])
def test_no_value_moves_by_more_than_about_half_a_step(bits, kind):
    x = torch.randn(1000, generator=torch.Generator().manual_seed(1)) - 0.3
    scale, *_ = activation_range(x, bits, kind)
    moved = (fake_quantize_activation(x, bits, kind) - x).abs().max()
    assert moved <= scale * 1.01  # half a step, and another half where the zero point was rounded
    levels = fake_quantize_activation(x, bits, kind).unique()
    assert len(levels) <= 2**bits


def test_zero_stays_zero_so_padding_does_not_leak():
    x = torch.tensor([0.0, 3.0, 7.0, 0.0])
    for kind in ("minmax", "symmetric"):
        assert (fake_quantize_activation(x, 8, kind)[[0, 3]] == 0).all()


def test_all_zeros_and_32_bits():
    zeros = torch.zeros(3, 3)
    for kind in ("minmax", "symmetric"):
        assert torch.equal(fake_quantize_activation(zeros, 8, kind), zeros)
    x = torch.randn(4)
    assert fake_quantize_activation(x, 32, "minmax") is x


def test_unknown_settings_are_refused():
    with pytest.raises(InputError, match="Activation bits 5"):
        fake_quantize_activation(torch.ones(2), 5, "minmax")
    with pytest.raises(InputError, match="Activation range 'median'"):
        fake_quantize_activation(torch.ones(2), 8, "median")
