"""An ONNX graph, written down one operator at a time.

A graph is a list of operators whose inputs and outputs are names, and the constants they use. This
file knows ONNX and nothing of any network: `Graph.op` adds an operator and gives the name of what
comes out, so a formula reads as in the book.

    graph = Graph()
    y = graph.op("Add", graph.op("MatMul", x, graph.constant("w", w)), graph.constant("b", b))
"""

from collections.abc import Sequence

import numpy as np

from core.errors import InputError

OPSET, IR_VERSION = 17, 8  # LayerNormalization came with 17; older readers lack it
OPSET_INT2, IR_VERSION_INT2 = 25, 13  # INT2 came with 25
PRODUCER = "ternary-lab"


def onnx():
    """The onnx package; raises InputError when it is not installed."""
    try:
        import onnx as package
    except ImportError as error:
        raise InputError(
            "This needs the package onnx. Install it with: pip install -r requirements-engine.txt"
        ) from error
    return package


class Graph:
    """A graph under construction."""

    def __init__(self) -> None:
        self._onnx = onnx()
        self._nodes: list = []
        self._constants: dict[str, object] = {}
        self._count = 0
        self._needs_int2 = False
        self._over_last_axis: list = []

    def op(self, kind: str, *inputs: str, **attributes) -> str:
        """Add an operator with one output; the output's name."""
        return self.ops(kind, *inputs, outputs=1, **attributes)[0]

    def ops(self, kind: str, *inputs: str, outputs: int, **attributes) -> list[str]:
        """Add an operator with several outputs; their names."""
        names = [f"{kind.lower()}_{self._count}_{i}" for i in range(outputs)]
        self._count += 1
        self._nodes.append(self._onnx.helper.make_node(kind, list(inputs), names, **attributes))
        return names

    def over_last_axis(self, kind: str, x: str) -> str:
        """Add a reduction (ReduceMax ...) over the last axis, which stays, with length 1."""
        name = self.op(kind, x, keepdims=1)
        self._over_last_axis.append(self._nodes[-1])
        return name

    def _say_axes(self) -> None:
        """Where a reduction's axes stand depends on the opset, which is known at the end."""
        for node in self._over_last_axis:
            if self._needs_int2:
                node.input.append(self.whole(-1))
            else:
                node.attribute.append(self._onnx.helper.make_attribute("axes", [-1]))
        self._over_last_axis = []

    def constant(self, name: str, value: np.ndarray) -> str:
        """A constant under a name; the same name again means the same constant."""
        if name not in self._constants:
            held = np.array(value, order="C")  # a view of the caller's memory may be transposed
            self._constants[name] = self._onnx.numpy_helper.from_array(held, name)
        return name

    def packed_constant(self, name: str, packed: np.ndarray, shape: tuple[int, int]) -> str:
        """A constant of type INT2 from bytes of four codes each, the lowest bits first."""
        self._needs_int2 = True
        kind = self._onnx.TensorProto.INT2
        made = self._onnx.helper.make_tensor(name, kind, shape, packed.tobytes(), raw=True)
        self._constants[name] = made
        return name

    def number(self, value: float) -> str:
        """A float32 constant without dimensions."""
        return self.constant(f"number {value!r}", np.asarray(value, dtype=np.float32))

    def whole(self, *values: int) -> str:
        """An int64 constant of one dimension."""
        return self.constant(f"whole {values}", np.asarray(values, dtype=np.int64))

    def to_bytes(
        self,
        inputs: Sequence[str],
        input_axes: Sequence[str],
        output: tuple[str, str],
        output_axes: Sequence[str | int],
    ) -> bytes:
        """The model file: int64 `inputs`, and the float32 output (name inside, name outside)."""
        helper, kinds = self._onnx.helper, self._onnx.TensorProto
        self._say_axes()
        self._nodes.append(helper.make_node("Identity", [output[0]], [output[1]]))
        graph = helper.make_graph(
            self._nodes,
            PRODUCER,
            [helper.make_tensor_value_info(name, kinds.INT64, list(input_axes)) for name in inputs],
            [helper.make_tensor_value_info(output[1], kinds.FLOAT, list(output_axes))],
            list(self._constants.values()),
        )
        opset = OPSET_INT2 if self._needs_int2 else OPSET
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", opset)], producer_name=PRODUCER
        )
        model.ir_version = IR_VERSION_INT2 if self._needs_int2 else IR_VERSION
        return model.SerializeToString(deterministic=True)
