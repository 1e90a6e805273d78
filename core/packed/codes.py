"""Codes to bytes and back: m bits a code, no bit wasted between codes.

A code in [-(2^(m-1)-1), 2^(m-1)-1] is written as m-bit two's complement into one stream of bits,
least significant bit first. At 2 bits that is four codes a byte, the layout of ONNX's INT2:

    byte     7 6   5 4   3 2   1 0          -1 -> 11     0 -> 00     +1 -> 01
    code     c3    c2    c1    c0

At 3 bits a code may straddle two bytes; only the last byte of a matrix is padded, with zeros.
"""

import numpy as np
import torch
from torch import Tensor

from core.errors import InputError


def packed_size(count: int, bits: int) -> int:
    """Bytes that `count` codes of `bits` bits take."""
    return (count * bits + 7) // 8


def pack(codes: Tensor, bits: int) -> Tensor:
    """int8 codes of any shape to uint8 (bytes,), row-major; raises InputError if one is too big."""
    flat = codes.detach().reshape(-1).numpy()
    top = 2 ** (bits - 1) - 1
    if flat.size and (flat.max() > top or flat.min() < -top):
        raise InputError(f"A code does not fit into {bits} bits ([-{top}, {top}]).")
    unsigned = flat.astype(np.uint8)[:, None]
    stream = (unsigned >> np.arange(bits, dtype=np.uint8)) & np.uint8(1)  # (codes, bits)
    return torch.from_numpy(np.packbits(stream.reshape(-1), bitorder="little"))


def unpack(data: Tensor, bits: int, shape: tuple[int, int]) -> Tensor:
    """The inverse of `pack`: uint8 (bytes,) to int8 codes of `shape`.

    Raises InputError when the number of bytes does not fit the shape.
    """
    count = shape[0] * shape[1]
    if data.dtype != torch.uint8 or data.numel() != packed_size(count, bits):
        raise InputError(
            f"{data.numel()} bytes cannot hold {shape[0]} x {shape[1]} codes of {bits} bits "
            f"({packed_size(count, bits)} expected)."
        )
    stream = np.unpackbits(data.numpy(), count=count * bits, bitorder="little")
    weights = (1 << np.arange(bits)).astype(np.int16)
    unsigned = stream.reshape(count, bits).astype(np.int16) @ weights  # (codes,)
    signed = np.where(unsigned >= 1 << (bits - 1), unsigned - (1 << bits), unsigned)
    return torch.from_numpy(signed.astype(np.int8)).reshape(shape)
