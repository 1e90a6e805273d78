"""Codes as bits: the documented layout, and back again without a change."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InputError
from core.packed.codes import pack, packed_size, unpack


def test_two_bits_are_four_codes_a_byte_lowest_first():
    codes = torch.tensor([[1, 0, -1, 1, -1]], dtype=torch.int8)
    # c3 c2 c1 c0 = 01 11 00 01, then the fifth code, 11, padded with zeros
    assert pack(codes, 2).tolist() == [0b01110001, 0b00000011]


def test_three_bit_codes_straddle_bytes():
    codes = torch.tensor([[3, -3, 1]], dtype=torch.int8)  # 011, 101, 001, lowest bit first
    assert pack(codes, 3).tolist() == [0b01101011, 0b00000000]


@given(
    st.sampled_from([2, 3, 4, 8]),
    st.integers(1, 7),
    st.integers(1, 40),
    st.integers(0, 2**32 - 1),
)
def test_round_trip(bits, rows, cols, seed):
    top = 2 ** (bits - 1) - 1
    random = torch.Generator().manual_seed(seed)
    codes = torch.randint(-top, top + 1, (rows, cols), generator=random).to(torch.int8)
    data = pack(codes, bits)
    assert data.numel() == packed_size(rows * cols, bits)
    assert torch.equal(unpack(data, bits, (rows, cols)), codes)


def test_a_code_that_does_not_fit_is_refused():
    with pytest.raises(InputError, match="does not fit into 2 bits"):
        pack(torch.tensor([[2]], dtype=torch.int8), 2)


def test_the_wrong_number_of_bytes_is_refused():
    data = pack(torch.zeros(4, 4, dtype=torch.int8), 2)
    with pytest.raises(InputError, match="cannot hold 4 x 5 codes"):
        unpack(data, 2, (4, 5))
