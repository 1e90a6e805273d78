"""A BERT's weights come back out of an ONNX file, by the names of its operators."""

import sys

import numpy as np
import pytest
import torch

from core.errors import InputError
from core.models.onnx_weights import state_of
from core.packed.graph import onnx


def exported(weights: dict[str, np.ndarray], matrices: dict[str, np.ndarray]) -> bytes:
    """A file as the exporter writes it: matrices transposed, under made-up names."""
    helper, to_tensor = onnx().helper, onnx().numpy_helper.from_array
    constants = [to_tensor(value, f"model.0.auto_model.{name}") for name, value in weights.items()]
    nodes = []
    for number, (place, value) in enumerate(matrices.items()):
        constants.append(to_tensor(np.ascontiguousarray(value.T), f"onnx::MatMul_{number}"))
        name = f"/model/model.0/auto_model/{place.replace('.', '/')}/MatMul"
        nodes.append(
            helper.make_node("MatMul", ["x", f"onnx::MatMul_{number}"], [f"y{number}"], name)
        )
    nodes.append(
        helper.make_node("MatMul", ["y0", "y1"], ["z"], "/model/model.0/auto_model/MatMul")
    )
    graph = helper.make_graph(nodes, "made", [], [], constants)
    return helper.make_model(graph).SerializeToString()


def test_names_and_matrices_come_back():
    random = np.random.default_rng(0)
    bias = random.normal(size=6).astype(np.float32)
    matrices = {
        f"encoder.layer.0.{place}": random.normal(size=(6, 4)).astype(np.float32)
        for place in ("attention.self.query", "intermediate.dense")
    }
    state = state_of(exported({"encoder.layer.0.intermediate.dense.bias": bias}, matrices), "made")
    wanted = {f"{place}.weight": value for place, value in matrices.items()}
    wanted["encoder.layer.0.intermediate.dense.bias"] = bias
    assert set(state) == set(wanted)
    for name, value in wanted.items():
        assert torch.equal(state[name], torch.from_numpy(value)), name
        assert state[name].is_contiguous()


@pytest.mark.parametrize("data", [b"nothing", b""])
def test_a_file_that_holds_no_bert_is_refused(data):
    with pytest.raises(InputError, match="The ONNX file of made"):
        state_of(data, "made")


def test_without_the_package_one_is_told_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(InputError, match=r"requirements-engine\.txt"):
        state_of(b"", "made")
