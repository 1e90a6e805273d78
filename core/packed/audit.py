"""How many bytes is it really? By part of a real file, and by arithmetic for any architecture.

The audit reads a file's header: every byte belongs to a part, so the parts sum to the file's size.
The arithmetic is the paper's (PAPER 1): codes of all matrices, a float scale for every row of a
table and every other matrix, everything else in float. It counts neither header nor task head, so
the two differ by exactly those.
"""

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.experiment import QuantRecipe
from core.family import HEAD, Family, address_of
from core.packed.choices import FLOAT32, TWO_BIT
from core.packed.codes import packed_size
from core.packed.container import Container
from core.packed.contents import FLOATS, OF_QUANTIZERS, Contents
from core.packed.matrices import CODES, SCALE
from core.quantizers.groups import scale_shape

KEPT, SCALES, HEADER = "kept in float", "scales", "header"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Bytes of one part of a file; `group` is the row of the paper's table that it belongs to."""

    group: str
    name: str
    size_bytes: int


def audit(container: Container, family: Family) -> tuple[Part, ...]:
    """Every byte of a packed file by part; the parts sum to its size."""
    sizes: dict[tuple[str, str], int] = defaultdict(int)
    for entry in container.entries:
        sizes[_part(entry.name, family)] += entry.end - entry.begin
    sizes[HEADER, "header"] = container.header_bytes
    return tuple(
        Part(group=group, name=name, size_bytes=size) for (group, name), size in sizes.items()
    )


def _part(name: str, family: Family) -> tuple[str, str]:
    if name.endswith(CODES):
        matrix = family.matrix_of(address_of(family, name.removesuffix(CODES)))
        return (family.groups[matrix.part], f"{matrix.part} codes") if matrix else (KEPT, "codes")
    if name.endswith(SCALE):
        matrix = family.matrix_of(address_of(family, name.removesuffix(SCALE)))
        is_table = matrix is not None and matrix.is_table
        return SCALES, "scales of words" if is_table else "scales of matrices"
    kind = family.kind_of(name)
    return (HEAD if kind == HEAD else KEPT), kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """One row of the arithmetic: numbers, bytes in float32, bytes packed."""

    group: str
    numbers: int
    size_bytes_float32: int
    size_bytes: int


Shapes = Mapping[str, tuple[int, ...]]  # of every parameter, by its address


def shapes_of(contents: Contents) -> Shapes:
    """The shapes of a packed model's parameters."""
    matrices = {
        address_of(contents.family, name): tuple(matrix.codes.shape)
        for name, matrix in contents.weights.items()
    }
    rest = {n: tuple(t.shape) for n, t in contents.rest.items() if not n.endswith(OF_QUANTIZERS)}
    return matrices | rest


def told_by(quant: QuantRecipe) -> dict[str, Any]:
    """What a recipe says of bits and scales, as arguments of `arithmetic`."""
    own = quant.own
    return {
        "weight_bits": quant.weight_bits,
        "embedding_bits": quant.embedding_bits,
        "own_bits": {name: each.bits for name, each in own.items()},
        "weight_granularity": quant.weight_granularity,
        "embedding_granularity": quant.embedding_granularity,
        "own_granularity": {n: each.granularity for n, each in own.items() if each.granularity},
    }


def arithmetic(
    family: Family,
    shapes: Shapes,
    layout: str = TWO_BIT,
    leftovers: str = FLOAT32,
    weight_bits: int = 2,
    embedding_bits: int = 2,
    own_bits: Mapping[str, int] | None = None,
    weight_granularity: str = "layer",
    embedding_granularity: str = "row",
    own_granularity: Mapping[str, str] | None = None,
) -> tuple[Expected, ...]:
    """The paper's table for an architecture, with its granularity: tables row by row, matrices with
    one scale each.

    Bits of 32 leave a part in float, without a scale. `own_bits` and
    `own_granularity` are those of single matrices, by name, that have others.
    """
    wide = FLOATS[leftovers].itemsize
    numbers: dict[str, int] = dict.fromkeys(family.groups.values(), 0)
    packed: dict[str, int] = dict.fromkeys(family.groups.values(), 0)
    kept = scales = 0
    for address, shape in shapes.items():
        count, matrix = math.prod(shape), family.matrix_of(address)
        if matrix is None:
            kept += 0 if family.kind_of(address) == HEAD else count
            continue
        bits = embedding_bits if matrix.is_table else weight_bits
        bits = (own_bits or {}).get(matrix.name, bits)
        group = family.groups[matrix.part]
        numbers[group] += count
        packed[group] += count * wide if bits == 32 else packed_size(count, bits, layout)
        granularity = embedding_granularity if matrix.is_table else weight_granularity
        granularity = (own_granularity or {}).get(matrix.name, granularity)
        scales += math.prod(scale_shape(shape[0], shape[1], granularity)) if bits < 32 else 0
    rows = [_expected(group, numbers[group], packed[group]) for group in numbers]
    rows.append(_expected(KEPT, kept, kept * wide))
    rows.append(
        Expected(group=SCALES, numbers=scales, size_bytes_float32=0, size_bytes=scales * wide)
    )
    return tuple(rows)


def _expected(group: str, numbers: int, size_bytes: int) -> Expected:
    return Expected(
        group=group, numbers=numbers, size_bytes_float32=4 * numbers, size_bytes=size_bytes
    )
