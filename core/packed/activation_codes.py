"""The codes of activations in a graph, rounding included as in `core.quantizers.activations`.

"minmax" over a whole tensor at 8 bits is one operator, DynamicQuantizeLinear; other ranges are
written out. Codes are uint8 in every case, symmetric ones lie around a zero point of 128.

A runtime multiplies whole numbers under one zero point only. Where each token has its own, the
product is taken of the codes as they are, and what the zero points would have added is subtracted:

    sum over k of (q_k - z) w_k = sum over k of q_k w_k - z (sum over k of w_k)
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from core.errors import InputError
from core.experiment import QuantRecipe
from core.packed.elastic_codes import elastic_codes
from core.packed.graph import Graph, onnx
from core.quantizers.activations import grid_between
from core.quantizers.lsq import STEP_FLOOR

MIDDLE = 128  # the zero point of symmetric codes
ALL_CODES = (0, 255)  # that a byte can hold


@dataclass(frozen=True, slots=True, kw_only=True)
class Codes:
    """A quantized tensor of the graph by the names of its codes (uint8), scale and zero point.
    `is_by_token`: each token has its own scale. With `token_zero`, int32, each has its own zero
    point too, and `zero` is ""."""

    values: str
    scale: str
    zero: str
    is_by_token: bool = False
    token_zero: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _TokenSteps:
    """A tensor as whole multiples of each token's scale, in float32 (the uppermost may be one too
    many), and the zero point of each token; "" where the codes lie around MIDDLE."""

    steps: str
    scale: str
    place: str = ""


class ActivationCodes:
    """Adds what gives activations their codes to a graph; `numbers` are those of a packed file."""

    def __init__(self, graph: Graph, recipe: QuantRecipe, numbers: Mapping[str, Tensor]) -> None:
        self.graph, self._numbers = graph, numbers
        self._bits, self._kind = recipe.activation_bits, recipe.activation
        self._scope = recipe.activation_scope
        self._quantized: dict[tuple[str, tuple[float, ...]], Codes] = {}
        self._kinds = onnx().TensorProto

    def levels(self, x: str, quantizer: str) -> str:
        """x on its levels, in float32; x itself where activations are not quantized."""
        if self._bits == 32:
            return x
        if self._scope == "token":
            return self._token_levels(self._steps_of_tokens(x))
        codes = self.codes(x, quantizer)
        return self.graph.op("DequantizeLinear", codes.values, codes.scale, codes.zero)

    def codes(self, x: str, quantizer: str) -> Codes:
        """The codes of x under its activation quantizer; one tensor is quantized once."""
        step = self._numbers.get(f"{quantizer}.step")
        found = step if step is not None else self._numbers.get(f"{quantizer}.range")
        fixed = () if found is None else tuple(found.reshape(-1).tolist())
        if (x, fixed) not in self._quantized:
            if self._kind == "elastic" and step is not None:
                self._quantized[x, fixed] = self._elastic(x, step, quantizer)
            else:
                self._quantized[x, fixed] = self._new(x, fixed)
        return self._quantized[x, fixed]

    def _elastic(self, x: str, step: Tensor, quantizer: str) -> Codes:
        is_signed = not quantizer.endswith(".probabilities")
        found = elastic_codes(self.graph, x, step, self._bits, is_signed, MIDDLE)
        values, scale, zero = found
        return Codes(values=values, scale=scale, zero=zero)

    @property
    def _top(self) -> int:
        """The largest code."""
        return 2**self._bits - 1 if self._kind == "minmax" else 2 ** (self._bits - 1) - 1

    def _new(self, x: str, fixed: tuple[float, ...]) -> Codes:
        """`fixed`: a learned step, or the two ends of a static range, where there are any."""
        if self._scope == "token":
            return self._token_codes(self._steps_of_tokens(x))
        if len(fixed) == len(("low", "high")):
            return self._static(x, fixed[0], fixed[1])
        if self._kind == "minmax" and self._bits == 8:
            values, scale, zero = self.graph.ops("DynamicQuantizeLinear", x, outputs=3)
            return Codes(values=values, scale=scale, zero=zero)
        if self._kind == "minmax":
            return self._minmax(x, self._top)
        learned = fixed[0] if fixed else 0.0
        return self._around_middle(x, self._step(x, self._kind, learned, self._top), self._top)

    def _static(self, x: str, low: float, high: float) -> Codes:
        if not low <= high:
            raise InputError("The static ranges of these activations have not been calibrated yet.")
        grid = grid_between(low, high, self._bits, self._kind)
        scale = self.graph.number(float(grid.scale[0]))
        if self._kind == "symmetric":
            return self._around_middle(x, scale, self._top)
        zero = self._code(int(grid.zero[0]))
        return self._codes(x, scale, zero, 0, self._top)

    def _steps_of_tokens(self, x: str) -> _TokenSteps:
        of = self._minmax_of_tokens if self._kind == "minmax" else self._symmetric_of_tokens
        return of(x, self._top)

    def _minmax(self, x: str, top: int) -> Codes:
        graph, zero = self.graph, self.graph.number(0.0)
        low = graph.op("Min", graph.op("ReduceMin", x, keepdims=0), zero)
        high = graph.op("Max", graph.op("ReduceMax", x, keepdims=0), zero)
        scale = self._positive(graph.op("Div", graph.op("Sub", high, low), graph.number(top)))
        place = graph.op("Cast", self._place(low, scale, top), to=self._kinds.UINT8)
        return self._codes(x, scale, place, 0, top)

    def _place(self, low: str, scale: str, top: int) -> str:
        """The zero point of a range that begins at `low`, in float32."""
        graph = self.graph
        place = graph.op("Div", graph.op("Neg", low), scale)
        return graph.op("Round", graph.op("Clip", place, graph.number(0.0), graph.number(top)))

    def _minmax_of_tokens(self, x: str, top: int) -> _TokenSteps:
        graph, zero = self.graph, self.graph.number(0.0)
        low = graph.op("Min", graph.over_last_axis("ReduceMin", x), zero)
        high = graph.op("Max", graph.over_last_axis("ReduceMax", x), zero)
        scale = self._positive(graph.op("Div", graph.op("Sub", high, low), graph.number(top)))
        steps = graph.op("Round", graph.op("Div", x, scale))
        return _TokenSteps(steps=steps, scale=scale, place=self._place(low, scale, top))

    def _symmetric_of_tokens(self, x: str, top: int) -> _TokenSteps:
        graph = self.graph
        largest = graph.over_last_axis("ReduceMax", graph.op("Abs", x))
        scale = self._positive(graph.op("Div", largest, graph.number(top)))
        return _TokenSteps(steps=graph.op("Round", graph.op("Div", x, scale)), scale=scale)

    def _token_levels(self, found: _TokenSteps) -> str:
        """The range is the token's own, so no step lies outside; but where both of its ends are
        rounded up, the uppermost is one too many."""
        graph, steps = self.graph, found.steps
        if found.place:
            highest = graph.op("Sub", graph.number(self._top), found.place)
            steps = graph.op("Min", steps, highest)
        return graph.op("Mul", steps, found.scale)

    def _token_codes(self, found: _TokenSteps) -> Codes:
        graph, one = self.graph, self.graph.number(1.0)
        if not found.place:
            zero = self._middle()
            values = graph.op("QuantizeLinear", found.steps, one, zero)
            return Codes(values=values, scale=found.scale, zero=zero, is_by_token=True)
        moved = graph.op("Add", found.steps, found.place)
        codes = self._codes(moved, one, self._code(0), 0, self._top)
        return Codes(
            values=codes.values,
            scale=found.scale,
            zero="",
            is_by_token=True,
            token_zero=graph.op("Cast", found.place, to=self._kinds.INT32),
        )

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
        """The scale, or 1 for a range of zero alone."""
        is_positive = self.graph.op("Greater", scale, self.graph.number(0.0))
        return self.graph.op("Where", is_positive, scale, self.graph.number(1.0))

    def _around_middle(self, x: str, scale: str, top: int) -> Codes:
        return self._codes(x, scale, self._middle(), MIDDLE - top, MIDDLE + top)

    def _middle(self) -> str:
        return self.graph.constant("middle", np.asarray(MIDDLE, dtype=np.uint8))

    def _codes(self, x: str, scale: str, zero: str, lowest: int, highest: int) -> Codes:
        graph = self.graph
        values = graph.op("QuantizeLinear", x, scale, zero)
        if (lowest, highest) != ALL_CODES:
            values = graph.op("Clip", values, self._code(lowest), self._code(highest))
        return Codes(values=values, scale=scale, zero=zero)

    def _code(self, code: int) -> str:
        return self.graph.constant(f"code {code}", np.asarray(code, dtype=np.uint8))
