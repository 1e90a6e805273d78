"""The weights of a BERT out of an ONNX file, as a state under the transformers library's names.

What is not multiplied (embeddings, biases, LayerNorm) keeps its name in the file, after a prefix.
Matrices are transposed constants with made-up names, so they are found by the operator that
multiplies with them, whose own name says where in the network it stands.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from core.errors import InputError

PREFIX = "auto_model."
OPERATOR = "/auto_model/"


def state_of(data: bytes, name: str) -> dict[str, Tensor]:
    """The float32 state of the file's BERT. Raises InputError without the package onnx, and for a
    file that holds none."""
    try:
        import onnx
    except ImportError as error:
        raise InputError(
            f"{name} comes as an ONNX file. Install what reads it with: "
            "pip install -r requirements-engine.txt"
        ) from error
    try:
        graph = onnx.load_model_from_string(data).graph
        state = dict(_weights(graph, onnx.numpy_helper.to_array))
    except Exception as error:  # the package has its own kinds of error for a damaged file
        raise InputError(f"The ONNX file of {name} cannot be read ({error}).") from error
    if not any(key.startswith("encoder.") for key in state):
        raise InputError(f"The ONNX file of {name} holds no BERT.")
    return state


def _weights(graph: Any, to_array: Any) -> Iterator[tuple[str, Tensor]]:
    """(name, weight): those that keep their names, then the matrices by their operators."""
    constants = {tensor.name: tensor for tensor in graph.initializer}
    for name, tensor in constants.items():
        if PREFIX in name:
            yield name.partition(PREFIX)[2], _tensor(to_array(tensor))
    for node in graph.node:
        if node.op_type == "MatMul" and node.input[1] in constants and OPERATOR in node.name:
            place = node.name.partition(OPERATOR)[2].removesuffix("/MatMul").replace("/", ".")
            yield f"{place}.weight", _tensor(to_array(constants[node.input[1]]).T)


def _tensor(values: np.ndarray) -> Tensor:
    return torch.from_numpy(np.array(values, dtype=np.float32, order="C"))
