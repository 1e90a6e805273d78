"""Elastic activations: codes and gradients by hand, the same codes in the engine, and the file."""

import math

import numpy as np
import onnx
import pytest
import torch

from core.errors import InputError
from core.experiment import Experiment, QuantRecipe
from core.families.registry import find_family
from core.models.activation import ActivationQuantizer
from core.models.student import build_student
from core.packed import engine, file
from core.packed.contents import contents_of
from core.packed.graph import Graph
from core.packed.operators import Operators
from core.quantizers.elastic import code_ends, elastic_levels, start_factor
from tests.conftest import tiny_model
from tests.core.test_packed_engine import batches, differences, student_of

BERT = find_family("bert")
KINDS = [(8, True), (4, True), (1, True), (8, False), (4, False), (1, False)]


def slowly(x: float, step: float, shift: float, bits: int, is_signed: bool):
    """(value, d value / d x, d value / d step) of one number, as the docstring has them."""
    moved = x - shift
    lowest, highest = code_ends(bits, is_signed)
    ratio = moved / step
    inside = lowest <= ratio <= highest
    if bits == 1 and is_signed:
        code = 1 if moved >= 0 else -1
        return code * step, float(inside), float(code)
    code = min(max(round(ratio), lowest), highest)
    return code * step, float(inside), code - ratio if inside else float(code)


def test_worked_example():
    x, step, shift = torch.tensor([-0.9, 0.0, 0.2, 0.35, 3.0]), torch.tensor([[0.5]]), 0.1
    moved = [-1.0, -0.1, 0.1, 0.25, 2.9]  # what is left of the shift
    assert pytest.approx((x - shift).tolist()) == moved
    seen = {kind: elastic_levels(x, step, torch.tensor(shift), *kind).tolist() for kind in KINDS}
    assert seen[1, True] == [-0.5, -0.5, 0.5, 0.5, 0.5]  # the sign
    assert seen[1, False] == [0.0, 0.0, 0.0, 0.0, 0.5]  # 0.25 is on the border: to the even code
    assert seen[4, True] == [-1.0, 0.0, 0.0, 0.0, 3.0]
    assert seen[4, False] == [0.0, 0.0, 0.0, 0.0, 3.0]


@pytest.mark.parametrize(("bits", "is_signed"), KINDS)
def test_values_and_gradients_against_the_formula_written_out(bits, is_signed):
    draw = torch.Generator().manual_seed(bits)
    x = torch.randn(7, 9, generator=draw).requires_grad_(True)
    step = torch.tensor([[0.31 if bits < 8 else 0.013]], requires_grad=True)
    shift = torch.tensor(0.07, requires_grad=True)
    upstream = torch.randn(7, 9, generator=draw)
    found = elastic_levels(x, step, shift, bits, is_signed)
    (found * upstream).sum().backward()
    numbers = [slowly(v, step.item(), shift.item(), bits, is_signed) for v in x.flatten().tolist()]
    values, by_x, by_step = (torch.tensor(each) for each in zip(*numbers, strict=True))
    torch.testing.assert_close(found.flatten(), values)
    assert x.grad is not None
    assert step.grad is not None
    assert shift.grad is not None
    torch.testing.assert_close(x.grad.flatten(), by_x * upstream.flatten())
    torch.testing.assert_close(shift.grad, -(by_x * upstream.flatten()).sum())
    share = math.sqrt(63 * code_ends(bits, is_signed)[1])
    torch.testing.assert_close(step.grad.sum(), (by_step * upstream.flatten()).sum() / share)


def test_the_first_training_batch_sets_the_step_and_training_moves_both():
    quantizer = ActivationQuantizer(4, "elastic").eval()
    x = torch.randn(4, 3)
    before = quantizer(x)
    assert not quantizer.step.detach().any()  # looking does not change it
    quantizer.train()
    assert torch.equal(quantizer(x), before)
    step, shift = quantizer.step.detach()[0].tolist()
    assert step == pytest.approx(2 * x.abs().mean().item() / math.sqrt(7), rel=1e-5)
    assert shift == 0.0
    (quantizer(x) * torch.randn(4, 3)).sum().backward()
    assert quantizer.step.grad is not None
    assert quantizer.step.grad.shape == (1, 2)
    assert (quantizer.step.grad != 0).all()
    assert start_factor(4, False) == 4 / math.sqrt(15)


def test_probabilities_have_no_negative_codes():
    quant = QuantRecipe(activation="elastic", activation_bits=1)
    student = build_student(tiny_model(), quant, BERT)
    quantizers = {n: m for n, m in student.named_modules() if isinstance(m, ActivationQuantizer)}
    signed = {name.rpartition(".")[2] for name, one in quantizers.items() if one.is_signed}
    unsigned = {name.rpartition(".")[2] for name, one in quantizers.items() if not one.is_signed}
    assert signed == {"activation_quantizer", "query", "key", "value"}
    assert unsigned == {"probabilities"}


@pytest.mark.parametrize("name", ["layer", "layer.probabilities"])
@pytest.mark.parametrize("bits", [8, 4, 1])
@pytest.mark.parametrize("learned", [[0.25, 0.125], [0.25, 0.0], [0.0, 0.0]])
def test_the_engine_gives_exactly_the_codes_of_training(name, bits, learned):
    step, is_signed = torch.tensor([learned]), not name.endswith("probabilities")
    graph, kinds = Graph(), onnx.TensorProto
    recipe = QuantRecipe(activation="elastic", activation_bits=bits)
    operators = Operators(graph, recipe, {}, {f"{name}.step": step})
    small = graph.op("Div", graph.op("Cast", "x", to=kinds.FLOAT), graph.number(256.0))
    model = graph.to_bytes(["x"], ["n", "m"], (operators.imitate(small, name), "y"), ["n", "m"])
    quantizer = ActivationQuantizer(bits, "elastic").eval()
    quantizer.is_signed = is_signed
    with torch.no_grad():
        quantizer.step.copy_(step)
    whole = torch.randint(-900, 1000, (7, 9), generator=torch.Generator().manual_seed(bits))
    (found,) = engine.open_engine(model).session.run(None, {"x": whole.numpy()})
    expected = quantizer(whole / 256).detach().numpy()
    assert len(np.unique(expected)) > 1
    np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize("bits", [8, 4, 1])
def test_the_engine_computes_what_the_student_computes(bits):
    """With steps and shifts as training leaves them. Before, at one bit, a sum of as many ones as
    minus ones is 0 or nearly 0, as the sum happens to be taken, and its sign is anything."""
    quant = QuantRecipe(
        **{"method": "binary", "weight_bits": 1, "embedding_bits": 1},
        **{"activation": "elastic", "activation_bits": bits},
    )
    student = student_of(quant)
    set_steps(student)
    computed = engine.build_engine(contents_of(student, Experiment(quant=quant)))
    gaps = differences(student, computed, [*batches(20, size=1), *batches(5, size=4)])
    assert np.mean(gaps < 5e-6) > 0.8


def set_steps(student) -> None:
    """Steps and shifts as if they had been learned."""
    draw = torch.Generator().manual_seed(0)
    for name, parameter in student.named_parameters():
        if name.endswith(".step"):
            parameter.uniform_(0.05, 0.3, generator=draw)


@pytest.mark.parametrize("bits", [8, 4, 1])
def test_learned_steps_and_shifts_go_through_the_file(tmp_path, bits):
    quant = QuantRecipe(
        **{"method": "binary", "weight_bits": 1, "embedding_bits": 1},
        **{"activation": "elastic", "activation_bits": bits},
    )
    student = build_student(tiny_model(), quant, BERT).requires_grad_(False)
    set_steps(student)
    path = tmp_path / "model.safetensors"
    file.write(file.to_bytes(student, Experiment(quant=quant)), path)
    assert file.read_contents(path).experiment.quant.label == f"1-1-{bits}"
    tokens = torch.randint(5, 26, (2, 7), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = student(tokens).logits
        assert torch.equal(file.read(path).model(tokens).logits, expected)
        student.get_parameter("bert.pooler.dense.activation_quantizer.step")[0, 1] += 0.5
        assert not torch.equal(student(tokens).logits, expected)


@pytest.mark.parametrize("kind", ["minmax", "symmetric", "lsq"])
def test_one_bit_of_another_range_is_refused_in_a_sentence(kind):
    with pytest.raises(InputError, match=f"{kind} has no levels of 1 bit. .* the range elastic"):
        QuantRecipe(activation=kind, activation_bits=1)
