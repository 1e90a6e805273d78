"""The formulas with numbers put in: they are those of the rules, of the losses and of the bytes."""

import re
from dataclasses import replace

import numpy as np
import pytest
import torch

from core import api
from core.analysis.worked import worked
from core.analysis.worked_step import loss_formulas
from core.api import worked_numbers
from core.errors import InputError
from core.experiment import ACTIVATIONS, SUMMED, DistillRecipe, QuantRecipe
from core.quantizers import activations, quantize, rules
from core.quantizers.registry import latex_number
from core.training import distillation_losses
from tests.core.test_quantizers import EVERY, random_importance, random_matrix


def opened(lab) -> api.OpenModel:
    return api.open_model(api.source_of_teacher("movie-sentiment", lab.model))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (147456, "147{,}456"),
        (0.03124, "0.03124"),
        (0.0000312, r"3.12 \cdot 10^{-5}"),
        (10899.7, "10{,}900"),
        (-2.5, "-2.5"),
        (0.0, "0"),
        (3e12, r"3 \cdot 10^{12}"),
    ],
)
def test_a_number_in_latex(value, text):
    assert latex_number(value) == text


# Rules


@pytest.mark.parametrize(("method", "bits"), EVERY)
@pytest.mark.parametrize(
    ("granularity", "weights"), [("layer", 600), ("row", 50), ("group-32", 32)]
)
@pytest.mark.parametrize("weighted", [False, True])
def test_every_rule_can_be_followed_to_its_scale(method, bits, granularity, weights, weighted):
    w, d = random_matrix(5, tails=0.5), random_importance(5) if weighted else None
    found = worked(w, method, bits, granularity, row=3, importance=d)
    q = quantize(w, method=method, bits=bits, granularity=granularity, importance=d)
    scale = float(q.scale[0 if granularity == "layer" else 3, 0])
    assert found.scale == scale
    assert found.weights == weights
    text = "".join(found.lines)
    assert latex_number(scale) in text
    assert "$" not in text + found.error_line
    assert latex_number(found.error.mse) in found.error_line
    if rules()[method].steps and found.turns:
        assert found.turns[-1].scale == scale
        left = [turn.objective for turn in found.turns]
        assert left == sorted(left, reverse=True) or np.ptp(left) < 1e-5 * left[0]


def test_every_rule_has_words_a_source_and_its_code():
    for name, rule in rules().items():
        assert rule.latex
        assert rule.source
        assert rule.derivation, name
        assert len(rule.doc.split()) > 20
        assert rule.code.startswith("@rule(")
        assert f'"{name}"' in rule.code


def test_twn_by_hand():
    found = worked(torch.tensor([[0.1, -0.9, 1.1, 0.3]]), "twn", 2, "layer")
    first, kept, alpha = found.lines
    assert r"\frac{2.4}{4} = 0.6" in first
    assert r"0.7 \cdot 0.6 = 0.42" in first
    assert kept == r"k = \#\{i : |w_i| > 0.42\} = 2"
    assert r"\frac{2}{2} = 1" in alpha
    assert found.turns == ()
    assert found.error.mse == pytest.approx((0.1**2 + 0.1**2 + 0.1**2 + 0.3**2) / 4)


@pytest.mark.parametrize("weighted", [False, True])
def test_the_turns_of_lat_are_those_of_a_slow_alternation(weighted):
    w, d = random_matrix(7), random_importance(7) if weighted else None
    flat = w.double().reshape(-1).numpy()
    felt = np.ones_like(flat) if d is None else d.double().reshape(-1).numpy()
    threshold = 0.7 * np.abs(flat).mean()
    codes, expected = np.sign(flat) * (np.abs(flat) > threshold), []
    for _ in range(11):
        scale = (felt * codes * flat).sum() / (felt * codes * codes).sum()
        codes = np.sign(flat) * (np.abs(flat) > scale / 2)
        left = (felt * (flat - scale * codes) ** 2).sum()
        expected.append((scale, int(np.abs(codes).sum()), left))
    turns = worked(w, "lat", 2, "layer", importance=d).turns
    assert 2 <= len(turns) <= 11
    for turn, (scale, kept, left) in zip(turns, expected, strict=False):
        assert turn.scale == pytest.approx(scale, rel=1e-5)
        assert turn.kept == kept
        assert turn.objective == pytest.approx(left, rel=1e-4)
    assert turns[-1].scale == pytest.approx(expected[-1][0], rel=1e-4)


def test_a_rule_without_importance_is_not_weighed():
    w = random_matrix(1)
    assert worked(w, "twn", 2, "layer", importance=random_importance(1)) == worked(
        w, "twn", 2, "layer"
    )


def test_what_cannot_be_shown_is_refused():
    with pytest.raises(InputError, match="The row is 12"):
        worked(random_matrix(0), "twn", 2, "row", row=12)
    with pytest.raises(InputError, match="Quantization method"):
        worked(random_matrix(0), "mine", 2, "layer")
    with pytest.raises(InputError, match="number of bits"):
        worked(random_matrix(0), "absmean", 4, "layer")


# Ranges and losses


def test_every_loss_and_every_range_has_its_formula():
    assert set(distillation_losses.FORMULAS) == set(SUMMED)
    assert set(activations.FORMULAS) == set(ACTIVATIONS)
    assert [one.name for one in loss_formulas(DistillRecipe())] == list(SUMMED)
    assert [kind for kind, _ in worked_numbers.range_formulas()] == list(ACTIVATIONS)


def test_the_numbers_of_a_step_belong_together(lab):
    model = opened(lab)
    before = {name: value.clone() for name, value in model.model.state_dict().items()}
    found = worked_numbers.worked_step(model, QuantRecipe())
    assert found.examples == worked_numbers.STEP_EXAMPLES
    weighted = sum(one.weight * one.value for one in found.losses)
    assert found.total == pytest.approx(weighted, rel=1e-6)
    by_name = {one.name: one for one in found.losses}
    values = {name: latex_number(one.value) for name, one in by_name.items()}
    assert f"{values['attention']},\\quad A = QK" in by_name["attention"].line
    assert by_name["hidden"].line.endswith(f" = {values['hidden']}")
    assert f"1 \\cdot {values['hidden']} + 1 \\cdot {values['attention']} +" in found.total_line
    assert {"hidden", "attention", "logits", "labels"} <= by_name.keys()
    assert "margins" not in by_name  # of rankings alone
    assert by_name["hidden"].value > 0
    assert {one.kind for one in found.ranges} == set(ACTIVATIONS)
    assert not any("$" in one.numbers for one in found.ranges)
    after = model.model.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())


def test_a_range_by_hand(lab):
    """The scale that is printed is that of the numbers that are printed beside it."""
    found = {one.kind: one for one in worked_numbers.worked_step(opened(lab), QuantRecipe()).ranges}
    numbers = [float(each) for each in re.findall(r"-?\d+\.?\d*", found["minmax"].numbers)]
    high, low, top, scale = numbers[:4]
    assert top == 255
    assert scale == pytest.approx((high - low) / 255, rel=2e-3)
    low, high, top, scale = (
        float(each) for each in re.findall(r"-?\d+\.?\d*", found["symmetric"].numbers)
    )
    assert scale == pytest.approx(max(-low, high) / 127, rel=2e-3)
    assert 0 < found["minmax"].mse < scale**2


def test_without_rounded_activations_there_is_no_range(lab):
    found = worked_numbers.worked_step(opened(lab), QuantRecipe(activation_bits=32))
    assert found.ranges == ()
    eight = worked_numbers.worked_step(opened(lab), QuantRecipe())
    assert found.total != eight.total


def test_unrounded_a_student_is_its_teacher(lab):
    whole = QuantRecipe(weight_bits=32, embedding_bits=32, activation_bits=32)
    by_name = {one.name: one.value for one in worked_numbers.worked_step(opened(lab), whole).losses}
    assert by_name["hidden"] == pytest.approx(0.0, abs=1e-9)
    assert by_name["attention"] == pytest.approx(0.0, abs=1e-9)


# Bytes


def test_the_bytes_of_a_matrix_by_hand(lab):
    model = opened(lab)
    name = list(api.matrix_shapes(model))[1]
    found = worked_numbers.matrix_bytes(model, name, 2, "row")
    assert found.numbers == 32 * 32
    assert found.size_bytes_float32 == 4096
    assert (found.code_bytes, found.base_3_bytes) == (256, 205)  # 1024 / 4, and / 5 rounded up
    assert (found.scales, found.scale_bytes) == (32, 128)
    assert worked_numbers.matrix_bytes(model, name, 4, "layer").scales == 1


def test_the_arithmetic_of_a_model_is_that_of_its_packed_file(lab, finished_run):
    expected = api.inspect_format(
        api.packed_contents(finished_run), api.ExportKind(leftovers="float32")
    ).expected
    assert worked_numbers.size_arithmetic(opened(lab), QuantRecipe()) == expected
    eight = replace(QuantRecipe(), weight_bits=8)
    assert worked_numbers.size_arithmetic(opened(lab), eight) != expected
