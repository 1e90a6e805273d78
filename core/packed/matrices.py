"""Quantized matrices as a file spells them: codes, scales, and a table that says how to read them.

    <matrix>.codes   the codes as bytes (see `codes`)
    <matrix>.scale   (rows, 1), (1, 1), or (rows, groups) where groups of columns share a scale
    table            <matrix> -> [rows, cols, bits], with groups [rows, cols, bits, columns a group]

Nothing that is read is believed: shapes and types must fit before any code is unpacked.
"""

import json
from collections.abc import Mapping

import torch
from torch import Tensor

from core.errors import InputError
from core.packed.codes import pack, packed_size, unpack
from core.quantizers.quantized import Quantized

CODES, SCALE = ".codes", ".scale"
BITS = (1, 2, 3, 4, 8)
Matrices = Mapping[str, Quantized]


def needs_version_3(matrices: Matrices) -> bool:
    """Whether readers of versions 1 and 2 would not know what some matrix means."""
    return any(matrix.group or matrix.bits == 1 for matrix in matrices.values())


def tensors_of(matrices: Matrices, layout: str, kind: torch.dtype) -> dict[str, Tensor]:
    """Codes and scales under the names that they have in a file."""
    found: dict[str, Tensor] = {}
    for name, matrix in matrices.items():
        found[name + CODES] = pack(matrix.codes, matrix.bits, layout)
        found[name + SCALE] = matrix.scale.to(kind)
    return found


def table_of(matrices: Matrices) -> str:
    """The table of the matrices, as JSON."""
    table = {
        name: [*matrix.codes.shape, matrix.bits, *([matrix.group] if matrix.group else [])]
        for name, matrix in matrices.items()
    }
    return json.dumps(table, separators=(",", ":"), sort_keys=True)


def take_matrices(
    tensors: dict[str, Tensor], table: str, layout: str, kind: torch.dtype
) -> dict[str, Quantized]:
    """Take codes and scales out of `tensors`; what stays there are the leftovers.

    Raises InputError where they do not fit the table, or what a damaged table runs into.
    """
    found = {}
    for name, told in json.loads(table).items():
        scale, codes = tensors.pop(name + SCALE), tensors.pop(name + CODES)
        found[name] = _matrix(name, told, scale, codes, layout, kind)
    return found


def _matrix(
    name: str, told: list, scale: Tensor, codes: Tensor, layout: str, kind: torch.dtype
) -> Quantized:
    rows, cols, bits, group = told if len(told) == 4 else [*told, 0]
    counts = (rows, cols, bits, *told[3:])
    if not all(type(count) is int and count > 0 for count in counts) or bits not in BITS:
        raise InputError(f"the table says {told} of {name}.")
    shapes = ((rows, -(-cols // group)),) if group else ((rows, 1), (1, 1))
    if scale.dtype != kind or tuple(scale.shape) not in shapes:
        raise InputError(f"the scale of {name} is {scale.dtype} {tuple(scale.shape)}.")
    if not bool(torch.isfinite(scale).all()):
        raise InputError(f"a scale of {name} is not finite.")
    if codes.numel() != packed_size(rows * cols, bits, layout):
        raise InputError(f"the codes of {name} do not fit {rows} x {cols} at {bits} bits.")
    return Quantized(
        codes=unpack(codes, bits, (rows, cols), layout),
        scale=scale.to(torch.float32),
        bits=bits,
        group=group,
    )
