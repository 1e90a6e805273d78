"""Codes as bits: the documented layout, and back again without a change."""

from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import core
from core.errors import InputError
from core.packed.choices import LAYOUTS
from core.packed.codes import pack, packed_size, unpack


def test_two_bits_are_four_codes_a_byte_lowest_first():
    codes = torch.tensor([[1, 0, -1, 1, -1]], dtype=torch.int8)
    # c3 c2 c1 c0 = 01 11 00 01, then the fifth code, 11, padded with zeros
    assert pack(codes, 2).tolist() == [0b01110001, 0b00000011]


def test_three_bit_codes_straddle_bytes():
    codes = torch.tensor([[3, -3, 1]], dtype=torch.int8)  # 011, 101, 001, lowest bit first
    assert pack(codes, 3).tolist() == [0b01101011, 0b00000000]


@given(
    st.sampled_from([1, 2, 3, 4, 8]),
    st.sampled_from(LAYOUTS),
    st.integers(1, 7),
    st.integers(1, 40),
    st.integers(0, 2**32 - 1),
)
def test_round_trip(bits, layout, rows, cols, seed):
    top = 2 ** (bits - 1) - 1
    random = torch.Generator().manual_seed(seed)
    codes = torch.randint(-top, top + 1, (rows, cols), generator=random).to(torch.int8)
    if bits == 1:
        codes = 2 * torch.randint(0, 2, (rows, cols), generator=random).to(torch.int8) - 1
    data = pack(codes, bits, layout)
    assert data.numel() == packed_size(rows * cols, bits, layout)
    assert torch.equal(unpack(data, bits, (rows, cols), layout), codes)


def test_every_byte_of_five_trits_is_the_number_that_its_digits_spell():
    codes = torch.cartesian_prod(*[torch.tensor([-1, 0, 1], dtype=torch.int8)] * 5)  # (243, 5)
    data = pack(codes, 2, "base-3")
    slowly = [sum((int(c) + 1) * 3**place for place, c in enumerate(row)) for row in codes]
    assert data.tolist() == slowly
    assert sorted(slowly) == list(range(243))


@pytest.mark.parametrize("rows", [1, 3, 70_000])  # the last is longer than a piece
def test_large_matrices_keep_their_order(rows):
    random = torch.Generator().manual_seed(rows)
    codes = torch.randint(-1, 2, (rows, 21), generator=random).to(torch.int8)
    for layout in LAYOUTS:
        assert torch.equal(unpack(pack(codes, 2, layout), 2, (rows, 21), layout), codes)


@pytest.mark.parametrize(
    ("data", "bits", "layout", "count"),
    [
        ([0b10], 2, "2-bit", 1),  # -2
        ([0b0100], 2, "2-bit", 1),  # something behind the only code
        ([243], 2, "base-3", 5),
        ([0], 2, "base-3", 1),
        ([0b1000], 4, "2-bit", 1),
        ([0b1001], 1, "2-bit", 3),
        ([0x80], 8, "2-bit", 1),
        ([0b100], 3, "2-bit", 1),
        ([0b1000000], 3, "2-bit", 2),
    ],
)
def test_bytes_that_pack_never_writes_are_refused(data, bits, layout, count):
    with pytest.raises(InputError, match=r"holds no code|is not empty"):
        unpack(torch.tensor(data, dtype=torch.uint8), bits, (1, count), layout)


def test_the_worked_example_of_the_format_description():
    told = (Path(core.__file__).parent.parent / "docs" / "FORMAT.md").read_text(encoding="utf-8")
    codes = torch.tensor([[1, 0, -1], [0, 1, 1]], dtype=torch.int8)
    for layout in LAYOUTS:
        data = bytes(pack(codes, 2, layout).tolist()).hex(" ").upper()
        assert f"`{layout}` gives `{data}`" in told
    one = torch.tensor([[1, -1, -1], [-1, 1, 1]], dtype=torch.int8)
    assert f"`{bytes(pack(one, 1).tolist()).hex(' ').upper()}`" in told
    three = torch.tensor([[3, -3, 1]], dtype=torch.int8)
    assert f"`{bytes(pack(three, 3).tolist()).hex(' ').upper()}`" in told


def test_a_code_that_does_not_fit_is_refused():
    with pytest.raises(InputError, match="does not fit into 2 bits"):
        pack(torch.tensor([[2]], dtype=torch.int8), 2)
    with pytest.raises(InputError, match="does not fit into one bit"):
        pack(torch.tensor([[1, 0]], dtype=torch.int8), 1)


def test_the_wrong_number_of_bytes_is_refused():
    data = pack(torch.zeros(4, 4, dtype=torch.int8), 2)
    with pytest.raises(InputError, match="cannot hold 4 x 5 codes"):
        unpack(data, 2, (4, 5))
