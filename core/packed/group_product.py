"""A matrix in groups as matrices side by side, each with one scale a row.

Where a row has one scale it comes after the sum over all columns. With a scale for each group of
columns there is a sum for each, exact in int32, and a scale after each:

    y = sx sum over groups g of sw_g (sum over k in g of (qx - zx) qw) + b

So the product with such a matrix is the sum of the products of its groups with their columns of x.
A runtime has a fast operator for each of these; one product on three axes, with the groups as the
first, took nearly twice as long (docs/log, 2026-11-26).
"""

from collections.abc import Iterator
from dataclasses import replace

from core.packed.activation_codes import Codes
from core.packed.graph import Graph
from core.quantizers.quantized import Quantized


def groups_of(
    graph: Graph, codes: Codes, name: str, matrix: Quantized
) -> Iterator[tuple[Codes, str, Quantized]]:
    """Of every group: the codes of its columns of x, a name, and the matrix that it is."""
    cols = matrix.codes.shape[1]
    for place, first in enumerate(range(0, cols, matrix.group)):
        last = min(first + matrix.group, cols)
        ends = graph.whole(first), graph.whole(last), graph.whole(-1)
        part = Quantized(
            codes=matrix.codes[:, first:last],
            scale=matrix.scale[:, place : place + 1],
            bits=matrix.bits,
        )
        values = graph.op("Slice", codes.values, *ends)
        yield replace(codes, values=values), f"{name}.group {place}", part
