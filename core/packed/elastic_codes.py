"""The codes of elastic activations in a graph: a step and a shift that training has learned.

Codes with a sign lie around a zero point of 128; those of numbers that are never negative begin at
0. At one bit with a sign there are two, 127 and 129, by the sign of what is left of the shift.
"""

import numpy as np
from torch import Tensor

from core.packed.graph import Graph
from core.quantizers.elastic import code_ends, start_factor
from core.quantizers.lsq import STEP_FLOOR


def elastic_codes(
    graph: Graph, x: str, learned: Tensor, bits: int, is_signed: bool, middle: int
) -> tuple[str, str, str]:
    """The names of codes (uint8), scale and zero point of x; `learned` (1, 2) holds step and
    shift, a step of 0 being not learned yet."""
    step, shift = learned.reshape(-1).tolist()
    lowest, highest = code_ends(bits, is_signed)
    moved = graph.op("Sub", x, graph.number(shift)) if shift else x
    scale = graph.number(max(step, STEP_FLOOR)) if step else _first(graph, x, bits, is_signed)
    middle = middle if is_signed else 0
    zero, low, high = (
        graph.constant(f"code {code}", np.asarray(code, dtype=np.uint8))
        for code in (middle, middle + lowest, middle + highest)
    )
    if bits == 1 and is_signed:
        is_high = graph.op("GreaterOrEqual", moved, graph.number(0.0))
        return graph.op("Where", is_high, high, low), scale, zero
    values = graph.op("QuantizeLinear", moved, scale, zero)
    return graph.op("Clip", values, low, high), scale, zero


def _first(graph: Graph, x: str, bits: int, is_signed: bool) -> str:
    """The step that training would begin with."""
    mean = graph.op("ReduceMean", graph.op("Abs", x), keepdims=0)
    first = graph.op("Mul", mean, graph.number(start_factor(bits, is_signed)))
    return graph.op("Max", first, graph.number(STEP_FLOOR))
