"""Codes to bytes and back: m bits a code, or five ternary codes to a byte.

A code lies in [-(2^(m-1)-1), 2^(m-1)-1]. Layout "2-bit" writes it as m-bit two's complement into
one stream of bits, least significant bit first. At 2 bits that is four codes a byte, the layout of
ONNX's INT2:

    byte     7 6   5 4   3 2   1 0          -1 -> 11     0 -> 00     +1 -> 01
    code     c3    c2    c1    c0

At 3 bits a code may straddle two bytes. Three levels are less than two bits, though: 3^5 = 243
fits into one byte, so layout "base-3" writes five ternary codes as the digits of one number,

    byte = d0 + 3 d1 + 9 d2 + 27 d3 + 81 d4,    d = code + 1

1.6 bits a code; codes of other bits stay as they are. A code of one bit is -1 or 1 and its bit is
set for 1: eight codes a byte, the first in the lowest bit. What is left over of a matrix's last
byte is filled with codes 0, at one bit with -1, so a matrix has exactly one spelling.
"""

from functools import cache

import numpy as np
import torch
from torch import Tensor

from core.errors import InputError
from core.packed.choices import BASE_3, TWO_BIT

TRITS = 5  # to a byte
_PIECE_BYTES = 1 << 18


def packed_size(count: int, bits: int, layout: str = TWO_BIT) -> int:
    """Bytes that `count` codes of `bits` bits take."""
    return -(-count // TRITS) if _is_base_3(bits, layout) else (count * bits + 7) // 8


def _is_base_3(bits: int, layout: str) -> bool:
    return layout == BASE_3 and bits == 2


def pack(codes: Tensor, bits: int, layout: str = TWO_BIT) -> Tensor:
    """int8 codes of any shape to uint8 (bytes,), row-major; raises InputError if one is too big."""
    flat = codes.detach().reshape(-1).numpy()
    if bits == 1:
        return _one_bit(flat)
    top = 2 ** (bits - 1) - 1
    if flat.size and (flat.max() > top or flat.min() < -top):
        raise InputError(f"A code does not fit into {bits} bits ([-{top}, {top}]).")
    if _is_base_3(bits, layout):
        padded = np.zeros(packed_size(flat.size, bits, layout) * TRITS, dtype=np.int8)
        padded[: flat.size] = flat
        digits = (padded + 1).astype(np.uint8).reshape(-1, TRITS)
        data = np.zeros(len(digits), dtype=np.uint8)
        for place in reversed(range(TRITS)):
            data = data * np.uint8(3) + digits[:, place]
        return torch.from_numpy(data)
    if bits == 3:
        unsigned = flat.astype(np.uint8)[:, None]
        stream = (unsigned >> np.arange(bits, dtype=np.uint8)) & np.uint8(1)  # (codes, bits)
        return torch.from_numpy(np.packbits(stream.reshape(-1), bitorder="little"))
    fields = np.zeros((packed_size(flat.size, bits), 8 // bits), dtype=np.uint8)
    fields.reshape(-1)[: flat.size] = flat.view(np.uint8) & np.uint8((1 << bits) - 1)
    data = np.zeros(len(fields), dtype=np.uint8)
    for place in range(8 // bits):
        data |= fields[:, place] << np.uint8(bits * place)
    return torch.from_numpy(data)


def _one_bit(flat: np.ndarray) -> Tensor:
    if not (np.abs(flat) == 1).all():
        raise InputError("A code does not fit into one bit (-1 or 1).")
    return torch.from_numpy(np.packbits(flat > 0, bitorder="little"))


def unpack(data: Tensor, bits: int, shape: tuple[int, int], layout: str = TWO_BIT) -> Tensor:
    """The inverse of `pack`: uint8 (bytes,) to int8 codes of `shape`.

    Raises InputError when the bytes do not fit the shape, or spell what `pack` never writes.
    """
    count = shape[0] * shape[1]
    expected = packed_size(count, bits, layout)
    if data.dtype != torch.uint8 or data.numel() != expected:
        raise InputError(
            f"{data.numel()} bytes cannot hold {shape[0]} x {shape[1]} codes of {bits} bits "
            f"({expected} expected)."
        )
    codes = _three_bit_codes(data.numpy()) if bits == 3 else _whole_bytes(data, bits, layout)
    if bits > 1 and codes.size and codes.min() < -(2 ** (bits - 1) - 1):
        raise InputError(f"A byte holds no code of {bits} bits.")
    if (codes[count:] != (-1 if bits == 1 else 0)).any():
        raise InputError("The unused end of a matrix's last byte is not empty.")
    return torch.from_numpy(codes[:count]).reshape(shape)


def _whole_bytes(data: Tensor, bits: int, layout: str) -> np.ndarray:
    """Codes of a layout in which each byte holds whole codes: looked up, a piece at a time."""
    table = _base_3_table() if _is_base_3(bits, layout) else _table(bits)
    found = np.empty((data.numel(), table.shape[1]), dtype=np.int8)
    for start in range(0, data.numel(), _PIECE_BYTES):  # an index takes 8 bytes: keep it short
        piece = slice(start, start + _PIECE_BYTES)
        found[piece] = table[data.numpy()[piece]]
    return found.reshape(-1)


@cache
def _table(bits: int) -> np.ndarray:
    """The codes of every byte, (256, codes a byte), for 1, 2, 4 or 8 bits."""
    fields = np.arange(256)[:, None] >> np.arange(0, 8, bits) & (1 << bits) - 1
    if bits == 1:
        return (2 * fields - 1).astype(np.int8)
    return np.where(fields >= 1 << bits - 1, fields - (1 << bits), fields).astype(np.int8)


@cache
def _base_3_table() -> np.ndarray:
    """The five codes of every byte, (256, 5); -128 where no five codes give the byte."""
    digits = np.arange(256)[:, None] // 3 ** np.arange(TRITS) % 3
    digits[3**TRITS :] = -127
    return (digits - 1).astype(np.int8)


def _three_bit_codes(data: np.ndarray) -> np.ndarray:
    """Eight codes of every three bytes; the last group is filled up with zeros."""
    padded = np.zeros(-(-len(data) // 3) * 3, dtype=np.uint8)
    padded[: len(data)] = data
    groups = padded.reshape(-1, 3).astype(np.int32) @ np.array([1, 1 << 8, 1 << 16], dtype=np.int32)
    fields = np.stack([(groups >> 3 * i & 7).astype(np.int8) for i in range(8)], axis=1)
    return np.where(fields >= 4, fields - 8, fields).astype(np.int8).reshape(-1)
