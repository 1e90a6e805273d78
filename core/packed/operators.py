"""Quantized arithmetic as ONNX operators: what `QuantLinear` imitates in float, done in integers.

Training multiplies fake-quantized floats, (qx - zx) sx times qw sw. Here the integers themselves
are multiplied, and the two scales come after the sum:

    y = sx sw (sum over k of (qx - zx) qw) + b        qx uint8, qw int8, the sum exact in int32

Activations get their codes as `activation_codes` says.
"""

from collections.abc import Mapping

import numpy as np
from torch import Tensor

from core.experiment import QuantRecipe
from core.packed.activation_codes import MIDDLE, ActivationCodes, Codes
from core.packed.codes import pack
from core.packed.graph import Graph, onnx
from core.packed.group_product import groups_of
from core.quantizers.quantizer import Quantized

INT8, INT2 = "int8", "int2"


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
        self._activations = ActivationCodes(graph, recipe, numbers)
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
            product = self._product(self._activations.codes(x, quantizer), name, matrix)
        return graph.op("Add", product, self.parameter(f"{name}.bias"))

    def _product(self, codes: Codes, name: str, matrix: Quantized) -> str:
        """A tensor by its codes times the matrix, (..., in) to (..., out), without the bias."""
        graph = self.graph
        if matrix.group:
            groups = groups_of(graph, codes, name, matrix)
            return graph.op("Sum", *(self._product(*group) for group in groups))
        summed = graph.op("MatMulInteger", codes.values, *self._weight(name, matrix, codes.zero))
        if codes.token_zero:
            sums = matrix.codes.numpy().sum(axis=1, dtype=np.int32)
            added = graph.op("Mul", codes.token_zero, graph.constant(f"{name}.code_sums", sums))
            summed = graph.op("Sub", summed, added)
        scale = graph.constant(f"{name}.scale", _flat(matrix.scale))
        number = graph.op("Cast", summed, to=self._kinds.FLOAT)
        if codes.is_by_token:
            # One after the other: the runtime takes the product of two scales for one number.
            return graph.op("Mul", graph.op("Mul", number, codes.scale), scale)
        return graph.op("Mul", number, graph.op("Mul", codes.scale, scale))

    def _weight(self, name: str, matrix: Quantized, zero: str) -> tuple[str, ...]:
        """Codes (in, out) and zero points, as MatMulInteger takes them."""
        if matrix.bits == 8:
            # Processors without VNNI add pairs of uint8 x int8 in 16 bits, which 8-bit codes
            # overflow. uint8 x uint8 has no such shortcut, so these weights move up by 128.
            moved = (matrix.codes.numpy().T.astype(np.int16) + MIDDLE).astype(np.uint8)
            middle = self.graph.constant("middle", np.asarray(MIDDLE, dtype=np.uint8))
            return self.graph.constant(f"{name}.codes", moved), zero, middle
        if self._is_packed(matrix):
            unpacked = self.graph.op("Cast", self._packed(name, matrix), to=self._kinds.INT8)
            return self.graph.op("Transpose", unpacked, perm=[1, 0]), zero
        return self.graph.constant(f"{name}.codes", matrix.codes.numpy().T), zero

    def _is_packed(self, matrix: Quantized) -> bool:
        """Codes of one bit are kept in two: ONNX has no type of one. A table in groups is not
        kept in two bits: the operator that reads one has one scale a row."""
        return self.storage == INT2 and matrix.bits <= 2 and not matrix.group

    def _packed(self, name: str, matrix: Quantized) -> str:
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
            table = graph.op("DequantizeLinear", self._packed(name, matrix), scale, axis=0)
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
        return self._activations.levels(x, quantizer)


def _flat(scale: Tensor) -> np.ndarray:
    """(rows, 1) as (rows,), (1, 1) without dimensions."""
    return scale.numpy().reshape(-1) if scale.numel() > 1 else scale.numpy().reshape(())
