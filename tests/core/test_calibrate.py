"""Rungs without training: against slow second implementations, and as students like any other."""

import itertools
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from core.calibrate.adaround import learned_rounding
from core.calibrate.calibrated_student import calibrated, mean_error
from core.calibrate.calibration import Calibration
from core.calibrate.gptq import compensated, inverse_factor, nearest, output_error, scale_of_each
from core.calibrate.layer_inputs import LayerInputs, layer_inputs, real_units
from core.calibrate.smoothing import factors, smoothed
from core.errors import InputError
from core.experiment import Experiment, QuantRecipe
from core.families import find_family
from core.models.student import build_student, quantized_weights
from core.packed import engine, file
from core.packed.choices import FLOAT32, TWO_BIT
from core.quantizers.quantizer import Quantized, levels, quantize
from core.training.batches import evaluation_batches
from tests.conftest import made_up_rows, tiny_model, tiny_tokenizer

BERT = find_family("bert")
BITS = (2, 3, 4, 8)


def problem(rows: int, cols: int, seed: int = 0, correlated: float = 0.7) -> tuple[Tensor, Tensor]:
    """Weights, and the Gram matrix of inputs whose columns go together."""
    source = torch.Generator().manual_seed(seed)
    mix = torch.eye(cols) + torch.randn(cols, cols, generator=source) * correlated / cols**0.5
    x = torch.randn(300, cols, generator=source) @ mix + torch.randn(cols, generator=source) / 2
    weight = torch.randn(rows, cols, generator=source) / 10
    return weight, (x.T.double() @ x.double()) / 300


def rounded(weight: Tensor, bits: int, granularity: str = "layer") -> Quantized:
    method = "binary" if bits == 1 else "optimal"
    return quantize(weight, method=method, bits=bits, granularity=granularity)


def error(weight: Tensor, found: Quantized, gram: Tensor) -> float:
    return float(output_error(weight, found, gram).sum())


# GPTQ


def test_two_inputs_that_are_always_equal():
    weight, start = torch.tensor([[0.6, 0.6]]), torch.ones(1, 1)
    found = Quantized(codes=torch.ones(1, 2, dtype=torch.int8), scale=start, bits=2)
    gram = torch.ones(2, 2, dtype=torch.float64)
    assert nearest(weight, found).codes.tolist() == [[1, 1]]
    better = compensated(weight, found, gram, 1e-6)
    assert sorted(better.codes[0].tolist()) == [0, 1]
    assert error(weight, better, gram) == pytest.approx(0.04)
    assert error(weight, found, gram) == pytest.approx(0.64)


def column_by_column(weight: Tensor, start: Quantized, gram: Tensor, damping: float) -> Tensor:
    """The formula as it stands: the inverse of what is left is made again for every column."""
    diagonal = gram.diagonal()
    damped = gram + damping * diagonal.mean() * torch.eye(len(gram), dtype=torch.float64)
    left = sorted(range(len(gram)), key=lambda j: -float(diagonal[j]))
    w, scale, top = weight.double().clone(), scale_of_each(start).double(), levels(start.bits)
    codes = torch.zeros_like(start.codes)
    while left:
        j, inverse = left[0], torch.linalg.inv(damped[left][:, left])
        code = (w[:, j] / scale[:, j]).round().clamp(-top, top)
        code = torch.where(w[:, j] >= 0, 1.0, -1.0).double() if start.bits == 1 else code
        codes[:, j] = code.to(torch.int8)
        lost = (w[:, j] - code * scale[:, j]) / inverse[0, 0]
        for place, k in enumerate(left):
            w[:, k] -= lost * inverse[0, place]
        left = left[1:]
    return codes


@pytest.mark.parametrize("bits", [1, *BITS])
@pytest.mark.parametrize("granularity", ["layer", "row", "group-32"])
def test_the_cholesky_factor_says_what_all_inverses_say(bits, granularity):
    weight, gram = problem(5, 40, bits)
    start = rounded(weight, bits, granularity)
    found = compensated(weight, start, gram, 0.01)
    assert torch.equal(found.codes, column_by_column(weight, start, gram, 0.01))
    assert torch.equal(found.scale, start.scale)
    assert int(found.codes.abs().max()) <= levels(bits)


def test_blocks_change_nothing(monkeypatch):
    weight, gram = problem(6, 40)
    start = rounded(weight, 3)
    whole = compensated(weight, start, gram, 0.01)
    monkeypatch.setattr("core.calibrate.gptq.BLOCK", 7)
    assert torch.equal(compensated(weight, start, gram, 0.01).codes, whole.codes)


@pytest.mark.parametrize("bits", BITS)
def test_made_up_errors_are_smaller(bits):
    weight, gram = problem(24, 48)
    start = rounded(weight, bits)
    usual = error(weight, nearest(weight, start), gram)
    assert error(weight, compensated(weight, start, gram, 0.01), gram) < 0.85 * usual
    assert error(weight, learned_rounding(weight, start, gram, 300), gram) < 0.75 * usual


def test_inputs_that_stand_alone_leave_nearest_levels():
    weight, _ = problem(4, 9)
    gram = torch.diag(torch.rand(9, dtype=torch.float64) + 0.1)
    start = rounded(weight, 3)
    assert torch.equal(compensated(weight, start, gram, 0.01).codes, nearest(weight, start).codes)


def test_an_input_that_is_always_zero_is_left_in_peace():
    weight, gram = problem(4, 9)
    gram[3], gram[:, 3] = 0, 0
    assert bool(inverse_factor(gram, 0.01).isfinite().all())
    start = rounded(weight, 2)
    found = compensated(weight, start, gram, 0.01)
    assert torch.equal(found.codes[:, 3], nearest(weight, start).codes[:, 3])


# AdaRound


@pytest.mark.parametrize("bits", [2, 3, 4])
@pytest.mark.parametrize("seed", range(3))
def test_what_is_found_is_nearly_the_best_of_all_roundings(bits, seed):
    weight, gram = problem(6, 9, seed)
    start, top = rounded(weight, bits), levels(bits)
    below = (weight / start.scale).floor().clamp(-top, top - 1)
    best = torch.full((6,), float("inf"), dtype=torch.float64)
    for ups in itertools.product((0, 1), repeat=9):
        codes = (below + torch.tensor(ups)).to(torch.int8)
        best = torch.minimum(best, output_error(weight, replace(start, codes=codes), gram))
    found = output_error(weight, learned_rounding(weight, start, gram, 500), gram)
    usual = output_error(weight, nearest(weight, start), gram)
    assert bool((found >= best - 1e-9).all())
    assert bool((found <= usual).all())  # no row becomes worse
    # Of what there was to gain over nearest levels, most is found.
    assert float((usual - found).sum()) > 0.6 * float((usual - best).sum())


@pytest.mark.parametrize("granularity", ["row", "group-32"])
def test_one_bit_is_rounded_to_minus_one_or_one_and_no_row_becomes_worse(granularity):
    weight, gram = problem(6, 40)
    start = rounded(weight, 1, granularity)
    found = learned_rounding(weight, start, gram, 200)
    assert (found.codes.abs() == 1).all()
    usual = output_error(weight, nearest(weight, start), gram)
    assert bool((output_error(weight, found, gram) <= usual).all())
    assert float(output_error(weight, found, gram).sum()) < 0.95 * float(usual.sum())


def test_a_matrix_of_zeros_stays_one():
    gram = problem(2, 4)[1]
    zeros = torch.zeros(2, 4)
    start = rounded(zeros, 2)
    for found in (learned_rounding(zeros, start, gram, 5), compensated(zeros, start, gram, 0.01)):
        assert not found.codes.any()


# Inputs, biases, smoothing


@pytest.fixture
def batches():
    texts = [str(row["text"]) for row in made_up_rows(24, 3)]
    encoded = BERT.encode(tiny_tokenizer(), [texts], 16)
    return list(evaluation_batches(BERT, encoded, 8))


def tiny(**changes):
    model = tiny_model(3, **changes)
    model.set_attn_implementation("ternary_lab")
    return model


def logits(model: nn.Module, batches) -> Tensor:
    with torch.no_grad():
        found = [BERT.forward(model, batch).answers["logits"].value for batch in batches]
    return torch.cat(found)


def test_padding_is_no_input():
    x = torch.arange(12.0).reshape(2, 3, 2)
    assert real_units(x, torch.tensor([1, 3])).tolist() == [[0, 1], [6, 7], [8, 9], [10, 11]]
    assert real_units(x[:, 0], torch.tensor([1, 3])).tolist() == [[0, 1], [6, 7]]


def test_inputs_are_those_of_the_layer_and_nothing_behind_it_runs(batches):
    model = tiny()
    layer, behind = model.get_submodule("bert.encoder.layer.0.output.dense"), []
    last = model.get_submodule("bert.pooler.dense")
    last.register_forward_hook(lambda *_: behind.append(1))
    found = layer_inputs(model, BERT, batches, layer)
    assert behind == []
    assert not layer._forward_pre_hooks
    seen: list[Tensor] = []
    layer.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    for batch in batches:
        BERT.forward(model, batch)
    rows = [row[: int(n)] for x, b in zip(seen, batches, strict=True)
            for row, n in zip(x, b.units, strict=True)]  # fmt: skip
    x = torch.cat(rows).detach().double()
    assert found.units == len(x)
    assert torch.allclose(found.gram, x.T @ x / len(x))
    assert torch.allclose(found.mean, x.mean(0))
    assert torch.equal(found.largest, x.abs().amax(0))


def test_corrected_outputs_are_right_on_average():
    weight, _ = problem(5, 12)
    x = torch.randn(200, 12, generator=torch.Generator().manual_seed(1)) + 2
    found = rounded(weight, 2)
    inputs = LayerInputs(
        gram=torch.eye(12).double(), mean=x.double().mean(0), largest=x.abs().amax(0), units=200
    )
    added = mean_error(weight, found, inputs).float()
    wanted = F.linear(x, weight).mean(0)
    assert not torch.allclose(F.linear(x, found.dequantize()).mean(0), wanted, atol=0.01)
    assert torch.allclose(F.linear(x, found.dequantize(), added).mean(0), wanted, atol=1e-5)


def test_half_of_the_width_moves():
    found = factors(torch.tensor([4.0, 1.0, 0.0]).double(), [torch.tensor([[1.0, -0.25, 2]])], 0.5)
    assert found.tolist() == [2.0, 2.0, 1.0]  # sqrt(4 / 1), sqrt(1 / 0.25), never used


@pytest.mark.parametrize("activation", ["gelu", "relu"])
def test_a_smoothed_model_answers_the_same_with_narrower_activations(batches, activation):
    model = tiny(hidden_act=activation)
    layers = model.config.num_hidden_layers
    assert len(BERT.smoothings(model)) == layers * (2 if activation == "relu" else 1) + 1
    with torch.no_grad():
        model.get_parameter("bert.encoder.layer.1.attention.self.value.weight")[5] *= 30
    found = smoothed(model, BERT, batches, 0.5)
    assert torch.allclose(logits(found, batches), logits(model, batches), atol=1e-4)
    reader = "bert.encoder.layer.1.attention.output.dense"
    before, after = (
        layer_inputs(one, BERT, batches, one.get_submodule(reader)).largest
        for one in (model, found)
    )
    assert float(after.max() / after.median()) < float(before.max() / before.median()) / 3
    weight = found.get_parameter(f"{reader}.weight").detach().double().abs().amax(0)
    assert torch.allclose(after, weight, rtol=1e-3)  # by halves: both are equally wide


def test_a_model_without_a_pooler_is_smoothed_too(batches):
    model = tiny(kind="span")
    assert len(BERT.smoothings(model)) == model.config.num_hidden_layers
    found, one = smoothed(model, BERT, batches, 0.5), batches[:1]
    assert torch.allclose(logits(found, one), logits(model, one), atol=1e-4)


# Students


def made(calibration: Calibration, batches, **changes) -> nn.Module:
    recipe = QuantRecipe(**({"method": "optimal", "weight_bits": 3, "embedding_bits": 3} | changes))
    return last(calibrated(tiny(), recipe, BERT, batches, calibration))


def last(computing):
    try:
        while True:
            next(computing)
    except StopIteration as end:
        return end.value


WAYS = {
    "gptq": Calibration(rounding="gptq"),
    "adaround": Calibration(rounding="adaround", iterations=60),
    "bias": Calibration(bias=True),
    "smoothing": Calibration(smoothing=0.5),
    "all": Calibration(rounding="gptq", bias=True, smoothing=0.5),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_calibrated_student_is_one_like_any_other(batches, way, tmp_path):
    student = made(WAYS[way], batches)
    usual = build_student(
        tiny(), QuantRecipe(method="optimal", weight_bits=3, embedding_bits=3), BERT
    )
    said = logits(student, batches)
    assert not torch.equal(said, logits(usual, batches))
    student.eval()  # as scoring does
    assert torch.equal(logits(student, batches), said)
    quant = QuantRecipe(method="optimal", weight_bits=3, embedding_bits=3)
    experiment = Experiment(task="movie-sentiment", model="tiny", quant=quant)
    contents = file.contents_of(student, experiment)
    data = file.contents_to_bytes(contents, TWO_BIT, FLOAT32)
    assert len(data) == len(file.to_bytes(usual, experiment))
    file.write(data, tmp_path / "model.safetensors")
    back = file.read(tmp_path / "model.safetensors")
    assert torch.equal(logits(back.model, batches), said)
    if engine.is_available():
        inputs = {name: value.numpy() for name, value in batches[0].inputs.items()}
        answers = engine.build_engine(contents).logits(inputs)
        assert torch.allclose(torch.from_numpy(answers), said[: len(answers)], atol=0.05)


def test_the_same_texts_give_the_same_student_and_leave_the_teacher_alone(batches):
    teacher = tiny()
    before = {name: value.clone() for name, value in teacher.state_dict().items()}
    recipe = QuantRecipe(method="optimal")
    found = [last(calibrated(teacher, recipe, BERT, batches, WAYS["all"])) for _ in range(2)]
    for name, value in teacher.state_dict().items():
        assert torch.equal(value, before[name]), name
    one, two = (quantized_weights(student) for student in found)
    for name, quantized in one.items():
        assert torch.equal(quantized.codes, two[name].codes)
    assert torch.equal(logits(found[0], batches), logits(found[1], batches))


def test_outputs_are_nearer_to_the_teachers(batches):
    """Last hidden states, mean squared error over the texts of the calibration."""
    recipe = QuantRecipe(method="optimal", weight_bits=3, embedding_bits=32, activation_bits=32)
    wanted = hidden(tiny(), batches)
    gaps = {
        way: float((hidden(last(calibrated(tiny(), recipe, BERT, batches, one)), batches) - wanted)
                   .square().mean())
        for way, one in ({"nearest": Calibration()} | WAYS).items()
    }  # fmt: skip
    assert gaps["gptq"] < 0.8 * gaps["nearest"]
    assert gaps["adaround"] < 0.8 * gaps["nearest"]
    assert gaps["bias"] < gaps["nearest"]


def hidden(model: nn.Module, batches) -> Tensor:
    with torch.no_grad():
        traces = [BERT.forward(model, batch, {"hidden"}).traces["hidden"][-1] for batch in batches]
    return torch.cat([trace.value[trace.mask[:, :, 0].bool()] for trace in traces])


@pytest.mark.parametrize("way", ["gptq", "adaround"])
def test_groups_keep_their_scales(batches, way):
    student = made(WAYS[way], batches, weight_granularity="group-32")
    name = "bert.encoder.layer.0.output.dense"
    usual = student.get_submodule(name).weight_quantizer
    found = quantized_weights(student)[name]
    assert found.scale.shape == (32, 2)  # 64 columns
    usual.train()  # it is the rule's again
    usual.eval()
    assert torch.equal(usual.quantize(student.get_parameter(f"{name}.weight")).scale, found.scale)


def test_training_quantizes_anew(batches):
    student = made(WAYS["gptq"], batches)
    given = quantized_weights(student)
    student.train()
    student.eval()
    again = quantized_weights(student)
    assert any(not torch.equal(given[name].codes, again[name].codes) for name in given)


def test_progress_is_told(batches):
    recipe = QuantRecipe(method="optimal")
    said = list(calibrated(tiny(), recipe, BERT, batches, Calibration(bias=True, smoothing=0.5)))
    assert said[0].text == "Smoothing activations"
    assert [(one.done, one.total) for one in said[1:]] == [(n, 13) for n in range(13)]


@pytest.mark.parametrize(
    "wrong",
    [{"rounding": "best"}, {"smoothing": 1.5}, {"damping": 0.0}, {"iterations": 0}],
)
def test_what_cannot_be_chosen_is_refused(wrong):
    with pytest.raises(InputError):
        Calibration(**wrong)
    with pytest.raises(InputError, match="at least one text"):
        next(calibrated(None, QuantRecipe(), BERT, [], Calibration()))
