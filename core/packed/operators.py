"""Quantized arithmetic as ONNX operators: what `QuantLinear` imitates in float, done in integers.

Training multiplies fake-quantized floats, (qx - zx) sx times qw sw. Here the integers themselves
are multiplied, and the two scales come after the sum:

    y = sx sw (sum over k of (qx - zx) qw) + b        qx uint8, qw int8, the sum exact in int32

Activations get their codes as in `core.quantizers.activations`, rounding included: "minmax" at 8
bits is one operator, DynamicQuantizeLinear; other ranges are written out. Codes are uint8 in every
case, symmetric ones lie around a zero point of 128.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from core.experiment import QuantRecipe
from core.packed.codes import pack
from core.packed.graph import Graph, onnx
from core.packed.group_product import added_up, grouped_codes, in_groups
from core.quantizers.lsq import STEP_FLOOR
from core.quantizers.quantizer import Quantized

MIDDLE = 128  # the zero point of symmetric codes
INT8, INT2 = "int8", "int2"


@dataclass(frozen=True, slots=True, kw_only=True)
class Codes:
    """A quantized tensor of the graph by the names of its codes (uint8), scale and zero point."""

    values: str
    scale: str
    zero: str


class Operators:
    """Adds operators on quantized tensors to a graph.

    weights and numbers are those of a packed file; `storage` "int2" keeps ternary matrices in the
    model file as two bits a code, to be unpacked when the runtime loads it.
    """

    def __init__(
        self,
        graph: Graph,
        recipe: QuantRecipe,
        weights: Mapping[str, Quantized],
        numbers: Mapping[str, Tensor],
        storage: str = INT8,
    ) -> None:
        self.graph, self.recipe, self.storage = graph, recipe, storage
        self._weights, self._numbers = weights, numbers
        self._quantized: dict[tuple[str, float], Codes] = {}
        self._kinds = onnx().TensorProto

    def parameter(self, name: str) -> str:
        """A leftover as a constant."""
        return self.graph.constant(name, self._numbers[name].numpy())

    def linear(self, x: str, name: str) -> str:
        """The layer `name` applied to x (..., in): (..., out)."""
        graph, matrix = self.graph, self._weights.get(name)
        quantizer = f"{name}.activation_quantizer"
        if matrix is None or self.recipe.activation_bits == 32:
            product = graph.op("MatMul", self.imitate(x, quantizer), self._float_weight(name))
        else:
            product = self._product(self.quantize(x, quantizer), name, x)
        return graph.op("Add", product, self.parameter(f"{name}.bias"))

    def _product(self, codes: Codes, name: str, x: str) -> str:
        """x by its codes times the matrix, (..., in) to (..., out), without the bias."""
        graph, matrix = self.graph, self._weights[name]
        if matrix.group:
            values = in_groups(graph, codes.values, matrix)
            summed = graph.op("MatMulInteger", values, *self._weight(name, codes.zero))
            return graph.op("Mul", added_up(graph, summed, name, matrix, x), codes.scale)
        summed = graph.op("MatMulInteger", codes.values, *self._weight(name, codes.zero))
        scale = graph.constant(f"{name}.scale", _flat(matrix.scale))
        scales = graph.op("Mul", codes.scale, scale)
        return graph.op("Mul", graph.op("Cast", summed, to=self._kinds.FLOAT), scales)

    def _weight(self, name: str, zero: str) -> tuple[str, ...]:
        """Codes (in, out), or (groups, group, out), and zero points, as MatMulInteger takes
        them."""
        matrix = self._weights[name]
        codes = grouped_codes(matrix) if matrix.group else matrix.codes.numpy().T
        if matrix.bits == 8:
            # Processors without VNNI add pairs of uint8 x int8 in 16 bits, which 8-bit codes
            # overflow. uint8 x uint8 has no such shortcut, so these weights move up by 128.
            moved = (codes.astype(np.int16) + MIDDLE).astype(np.uint8)
            middle = self.graph.constant("middle", np.asarray(MIDDLE, dtype=np.uint8))
            return self.graph.constant(f"{name}.codes", moved), zero, middle
        if self._is_packed(matrix):
            unpacked = self.graph.op("Cast", self._packed(name), to=self._kinds.INT8)
            return self.graph.op("Transpose", unpacked, perm=[1, 0]), zero
        return self.graph.constant(f"{name}.codes", codes), zero

    def _is_packed(self, matrix: Quantized) -> bool:
        """In groups codes lie in another order than in two bits a code: they stay int8. Codes of
        one bit are kept in two: ONNX has no type of one."""
        return self.storage == INT2 and matrix.bits <= 2 and not matrix.group

    def _packed(self, name: str) -> str:
        matrix = self._weights[name]
        shape = (matrix.codes.shape[0], matrix.codes.shape[1])
        return self.graph.packed_constant(f"{name}.codes", pack(matrix.codes, 2).numpy(), shape)

    def _float_weight(self, name: str) -> str:
        """The weight (in, out) in float32, for products whose other side is float."""
        matrix = self._weights.get(name)
        weight = self._numbers[f"{name}.weight"] if matrix is None else matrix.dequantize()
        return self.graph.constant(f"{name}.weight", weight.numpy().T)

    def rows(self, ids: str, name: str) -> str:
        """The rows of an embedding, (...) to (..., hidden): codes are looked up, then scaled."""
        graph, matrix = self.graph, self._weights.get(name)
        if matrix is None:
            return graph.op("Gather", self.parameter(f"{name}.weight"), ids)
        if self._is_packed(matrix):
            scale = graph.constant(f"{name}.scale", _flat(matrix.scale))
            table = graph.op("DequantizeLinear", self._packed(name), scale, axis=0)
            return graph.op("Gather", table, ids)
        table = graph.constant(f"{name}.codes", matrix.codes.numpy())
        found = graph.op("Cast", graph.op("Gather", table, ids), to=self._kinds.FLOAT)
        if matrix.scale.numel() == 1:
            return graph.op("Mul", found, graph.constant(f"{name}.scale", _flat(matrix.scale)))
        column = graph.constant(f"{name}.column", matrix.scale.numpy())
        scales = graph.op("Gather", column, ids)
        if matrix.group:  # each word's scales, as often as their groups have columns
            owner = np.arange(matrix.codes.shape[1]) // matrix.group
            scales = graph.op("Gather", scales, graph.constant(f"{name}.groups", owner), axis=-1)
        return graph.op("Mul", found, scales)

    def imitate(self, x: str, quantizer: str) -> str:
        """x on its levels, in float32; x itself where activations are not quantized."""
        if self.recipe.activation_bits == 32:
            return x
        codes = self.quantize(x, quantizer)
        return self.graph.op("DequantizeLinear", codes.values, codes.scale, codes.zero)

    def quantize(self, x: str, quantizer: str) -> Codes:
        """The codes of x under its activation quantizer; one tensor is quantized once."""
        step = self._numbers.get(f"{quantizer}.step")
        key = x, float(step) if step is not None else 0.0
        if key not in self._quantized:
            bits, kind = self.recipe.activation_bits, self.recipe.activation
            if kind == "minmax" and bits == 8:
                values, scale, zero = self.graph.ops("DynamicQuantizeLinear", x, outputs=3)
                self._quantized[key] = Codes(values=values, scale=scale, zero=zero)
            elif kind == "minmax":
                self._quantized[key] = self._minmax(x, 2**bits - 1)
            else:
                top = 2 ** (bits - 1) - 1
                self._quantized[key] = self._around_middle(x, self._step(x, kind, key[1], top), top)
        return self._quantized[key]

    def _minmax(self, x: str, top: int) -> Codes:
        graph, zero = self.graph, self.graph.number(0.0)
        low = graph.op("Min", graph.op("ReduceMin", x, keepdims=0), zero)
        high = graph.op("Max", graph.op("ReduceMax", x, keepdims=0), zero)
        scale = self._positive(graph.op("Div", graph.op("Sub", high, low), graph.number(top)))
        place = graph.op("Div", graph.op("Neg", low), scale)
        place = graph.op("Round", graph.op("Clip", place, zero, graph.number(top)))
        place = graph.op("Cast", place, to=self._kinds.UINT8)
        return self._codes(x, scale, place, 0, top)

    def _step(self, x: str, kind: str, learned: float, top: int) -> str:
        graph = self.graph
        if kind == "symmetric":
            low = graph.op("Neg", graph.op("ReduceMin", x, keepdims=0))
            largest = graph.op("Max", graph.op("ReduceMax", x, keepdims=0), low)
            return self._positive(graph.op("Div", largest, graph.number(top)))
        if learned:
            return graph.number(max(learned, STEP_FLOOR))
        mean = graph.op("ReduceMean", graph.op("Abs", x), keepdims=0)
        first = graph.op(
            "Div", graph.op("Mul", mean, graph.number(2.0)), graph.number(math.sqrt(top))
        )
        return graph.op("Max", first, graph.number(STEP_FLOOR))

    def _positive(self, scale: str) -> str:
        """The scale, or 1 for a tensor of zeros."""
        is_positive = self.graph.op("Greater", scale, self.graph.number(0.0))
        return self.graph.op("Where", is_positive, scale, self.graph.number(1.0))

    def _around_middle(self, x: str, scale: str, top: int) -> Codes:
        middle = self.graph.constant("middle", np.asarray(MIDDLE, dtype=np.uint8))
        return self._codes(x, scale, middle, MIDDLE - top, MIDDLE + top)

    def _codes(self, x: str, scale: str, zero: str, lowest: int, highest: int) -> Codes:
        graph = self.graph
        values = graph.op("QuantizeLinear", x, scale, zero)
        limits = [
            graph.constant(f"code {code}", np.asarray(code, dtype=np.uint8))
            for code in (lowest, highest)
        ]
        return Codes(values=graph.op("Clip", values, *limits), scale=scale, zero=zero)


def _flat(scale: Tensor) -> np.ndarray:
    """(rows, 1) as (rows,), (1, 1) without dimensions."""
    return scale.numpy().reshape(-1) if scale.numel() > 1 else scale.numpy().reshape(())
