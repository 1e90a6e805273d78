"""ONNX graphs of packed students: a file of this folder draws those of the family of its name.

Such a file has `draw(contents, storage)`, the model file as bytes. Inputs go by the names that the
family's batches have, so its inputs are asked of the graph.
"""

import importlib
import pkgutil

from core.errors import InputError
from core.packed.contents import Contents
from core.packed.operators import INT8


def graph_names() -> list[str]:
    """The families whose students can be drawn."""
    return [found.name for found in pkgutil.iter_modules(__path__)]


def draw(contents: Contents, storage: str = INT8) -> bytes:
    """The ONNX model of a packed student; `storage` "int2" keeps ternary codes as INT2.

    Raises InputError when its family has no graph yet, or it has a setting or a head that the graph
    does not know.
    """
    family = contents.family
    if family.name not in graph_names():
        raise InputError(f"There is no ONNX graph for {family.title} yet. Use the model in torch.")
    return importlib.import_module(f"core.packed.graphs.{family.name}").draw(contents, storage)
