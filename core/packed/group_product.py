"""The product with a matrix in groups: whole numbers group by group, added with their scales.

Where a row has one scale it comes after the sum over all columns. With a scale for each group of
columns there is a sum for each, exact in int32, and a scale after each:

    y = sx sum over groups g of sw_g (sum over k in g of (qx - zx) qw) + b

All groups are one MatMulInteger on three axes: (groups, tokens, group) by (groups, group, out).
Where the last group is shorter it is filled up with weights of 0, whose products are 0.
"""

import numpy as np

from core.packed.graph import Graph, onnx
from core.quantizers.quantized import Quantized


def grouped_codes(matrix: Quantized) -> np.ndarray:
    """The codes as (groups, group, rows), int8, filled up with zeros."""
    rows, cols = matrix.codes.shape
    groups = matrix.scale.shape[1]
    filled = np.zeros((rows, groups * matrix.group), np.int8)
    filled[:, :cols] = matrix.codes.numpy()
    return np.ascontiguousarray(filled.reshape(rows, groups, matrix.group).transpose(1, 2, 0))


def code_sums(matrix: Quantized) -> np.ndarray:
    """The sum of each row's codes, int32 (rows,), or of each group's, (groups, 1, rows)."""
    if matrix.group:
        return grouped_codes(matrix).sum(axis=1, keepdims=True, dtype=np.int32)
    return matrix.codes.numpy().sum(axis=1, dtype=np.int32)


def of_tokens(graph: Graph, numbers: str) -> str:
    """One number for each token (..., 1) as (tokens, 1), beside products in groups."""
    return graph.op("Reshape", numbers, graph.whole(-1, 1))


def in_groups(graph: Graph, codes: str, matrix: Quantized) -> str:
    """Codes of activations (..., in) as (groups, tokens, group)."""
    cols, groups = matrix.codes.shape[1], matrix.scale.shape[1]
    flat = graph.op("Reshape", codes, graph.whole(-1, cols))
    missing = groups * matrix.group - cols
    if missing:
        flat = graph.op("Pad", flat, graph.whole(0, 0, 0, missing))
    parts = graph.op("Reshape", flat, graph.whole(-1, groups, matrix.group))
    return graph.op("Transpose", parts, perm=[1, 0, 2])


def added_up(graph: Graph, sums: str, name: str, matrix: Quantized, x: str) -> str:
    """The sums (groups, tokens, rows) times their scales, added: (..., rows), x being (..., in)."""
    rows, groups = matrix.scale.shape
    scale = graph.constant(f"{name}.scale", matrix.scale.numpy().T.reshape(groups, 1, rows))
    scaled = graph.op("Mul", graph.op("Cast", sums, to=onnx().TensorProto.FLOAT), scale)
    added = graph.op("ReduceSum", scaled, graph.whole(0), keepdims=0)
    outside = graph.op("Shape", x, end=-1)
    return graph.op("Reshape", added, graph.op("Concat", outside, graph.whole(rows), axis=0))
