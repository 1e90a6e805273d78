"""The packed student as integers in ONNX Runtime.

The codes become int8 once, when the engine is built; from then on every linear layer is
DynamicQuantizeLinear and MatMulInteger, which the runtime fuses into one operator over weights that
it has packed for the processor. The session is kept, any batch and length runs through it.

The runtime is an extra (requirements-engine.txt). Without it everything else works, in torch.
"""

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from core.errors import InputError
from core.packed.contents import Contents
from core.packed.graphs import draw

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

# Measured here: the runtime's SkipLayerNormalization takes five times as long as addition and
# LayerNormalization one after the other, so they stay apart.
UNWANTED = ["SkipLayerNormFusion"]


def is_available() -> bool:
    """Whether onnx and onnxruntime are installed."""
    return all(importlib.util.find_spec(name) for name in ("onnx", "onnxruntime"))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Engine:
    """A session, ready to compute; `threads` of its own."""

    session: "InferenceSession"
    threads: int

    def logits(self, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
        """float32 logits (batch, labels) of a batch's inputs, of which the graph takes those that
        it names."""
        fed = {each.name: inputs[each.name] for each in self.session.get_inputs()}
        (found,) = self.session.run(None, fed)
        return np.asarray(found)


def build_engine(contents: Contents, threads: int = 1) -> Engine:
    """The engine of a packed student. Raises InputError when the extra is missing, or when the
    model has something that the graph does not know."""
    return open_engine(draw(contents), threads)


def engine_if_possible(contents: Contents) -> Engine | None:
    """The engine on one thread, or None where it is not installed or does not know the model."""
    if not is_available():
        return None
    try:
        return build_engine(contents)
    except InputError:
        return None


def open_engine(model: bytes, threads: int = 1, *, plain: bool = False) -> Engine:
    """The engine of an ONNX model; `plain`: with the runtime's own optimizations, all of them."""
    try:
        import onnxruntime
    except ImportError as error:
        raise InputError(
            "The engine needs the package onnxruntime. Install it with: "
            "pip install -r requirements-engine.txt"
        ) from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        model,
        options,
        providers=["CPUExecutionProvider"],
        disabled_optimizers=None if plain else UNWANTED,
    )
    return Engine(session=session, threads=threads)
