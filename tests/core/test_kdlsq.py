"""KDLSQ-BERT's ways to learn a step: by hand, and against its own formulas in the clip."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from core import __main__ as command_line
from core.errors import InputError
from core.experiment import TrainRecipe
from core.family import Matrix
from core.models.activation import ActivationQuantizer
from core.models.layers import QuantLinear
from core.models.weight_quantizer import WeightQuantizer
from core.options import flatten
from core.paths import CACHED_MODELS
from core.quantizers.learned_steps import LSQ, Learning, first_clip
from core.quantizers.lsq import LearnedStep
from core.recipes.presets import PRESETS, options_of
from core.runs.grids import read_grid
from core.training.optimizer import Optimizer
from core.training.step_groups import AS_CLIP
from tests.core.test_static_ranges import slow_kl

KDLSQ = Learning(as_clip=True, start="kl", scaled=False, straight=True)


def layer_of(learning: Learning, bits: int, activation_bits: int = 8) -> QuantLinear:
    torch.manual_seed(0)
    linear = nn.Linear(6, 4)
    matrix = Matrix(address="linear.weight", title="a matrix", part="attention", layer=0)
    quantizer = WeightQuantizer(matrix, "lsq", bits, "layer", linear.weight, learning)
    activation = ActivationQuantizer(activation_bits, "lsq", "static", learning)
    activation.set_range(-1.5, 2.0)
    return QuantLinear(linear, quantizer, activation)


def test_the_gradients_by_hand():
    x = torch.tensor([[-3.0, 0.2, 0.9]], requires_grad=True)
    step = torch.tensor([[0.5]], requires_grad=True)
    upstream = torch.tensor([[1.0, 2.0, 4.0]])
    (LearnedStep.apply(x, step, 3, KDLSQ) * upstream).sum().backward()
    # x / s = -6, 0.4, 1.8 with Q = 3: -3 outside; 0 - 0.4 and 2 - 1.8 inside; no 1 / sqrt(3 * 3)
    assert step.grad is not None
    assert step.grad.item() == pytest.approx(-3 + 2 * -0.4 + 4 * 0.2)
    assert x.grad is not None
    assert torch.equal(x.grad, upstream)  # straight through outside the clip, too
    x.grad = None
    (LearnedStep.apply(x, step, 3, LSQ) * upstream).sum().backward()
    assert torch.equal(x.grad, torch.tensor([[0.0, 2.0, 4.0]]))


def in_the_clip(x: torch.Tensor, clip: torch.Tensor, top: int, straight: bool) -> torch.Tensor:
    """KDLSQ's value and gradients, written with the clip and torch's own derivatives."""
    ratio = x / clip
    inside = ratio.abs() <= 1
    level = torch.where(inside, (ratio * top).round() / top, ratio.sign()).detach()
    toward_clip = torch.where(inside, level - ratio, level).detach()
    passing = x if straight else torch.where(inside, x, x.detach())
    return level * clip.detach() + toward_clip * (clip - clip.detach()) + passing - passing.detach()


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_learning_the_step_slower_is_learning_the_clip(bits):
    """Ours against AdamW on the clips themselves, with three rates and two decays."""
    recipe = TrainRecipe(
        steps=40,
        learning_rate=0.01,
        step_learning_rate=0.02,
        activation_step_learning_rate=0.03,
        step_decay=0.5,
        activation_step_decay=0.2,
        schedule="constant",
        warmup=0.0,
    )
    top = 2 ** (bits - 1) - 1
    ours = layer_of(replace(KDLSQ, start="mean"), bits, activation_bits=bits if bits > 2 else 8)
    assert ours.weight_quantizer is not None
    of_activation = 2 ** (ours.activation_quantizer.bits - 1) - 1
    weight = nn.Parameter(ours.weight.detach().clone())
    bias = nn.Parameter(ours.bias.detach().clone())
    clip = nn.Parameter(ours.weight_quantizer.step.detach() * top)
    far = nn.Parameter(ours.activation_quantizer.step.detach() * of_activation)
    slow = torch.optim.AdamW(
        [
            {"params": [weight], "lr": 0.01, "weight_decay": recipe.weight_decay},
            {"params": [bias], "lr": 0.01, "weight_decay": 0.0},
            {"params": [clip], "lr": 0.02, "weight_decay": 0.5},
            {"params": [far], "lr": 0.03, "weight_decay": 0.2},
        ]
    )
    optimizer, draw = Optimizer(ours.train(), recipe), torch.Generator().manual_seed(1)
    for _ in range(6):
        x, wanted = torch.randn(8, 6, generator=draw), torch.randn(8, 4, generator=draw)
        (ours(x) - wanted).square().mean().backward()
        optimizer.step(recipe.learning_rate)
        rounded = in_the_clip(x, far, of_activation, straight=False)
        quantized = in_the_clip(weight, clip, top, straight=True)
        slow.zero_grad()
        (nn.functional.linear(rounded, quantized, bias) - wanted).square().mean().backward()
        slow.step()
    torch.testing.assert_close(ours.weight_quantizer.step * top, clip, rtol=1e-3, atol=1e-5)
    torch.testing.assert_close(
        ours.activation_quantizer.step * of_activation, far, rtol=1e-3, atol=1e-5
    )
    torch.testing.assert_close(ours.weight, weight, rtol=1e-2, atol=1e-4)


def test_stages_of_bits_change_the_rate_of_a_clip():
    layer = layer_of(KDLSQ, 8).train()
    optimizer = Optimizer(layer, TrainRecipe(learning_rate=0.1, step_learning_rate=0.1))
    (group,) = [
        each for each in optimizer.dense.param_groups if each.get(AS_CLIP) is layer.weight_quantizer
    ]
    for bits, top in ((8, 127), (4, 7), (2, 1)):
        assert layer.weight_quantizer is not None
        layer.weight_quantizer.change_bits(bits, layer.weight)
        layer(torch.randn(3, 6)).sum().backward()
        optimizer.step(0.1)
        assert group["lr"] == pytest.approx(0.1 / top)


def test_the_first_clip_cuts_off_a_fortieth_at_each_side():
    weight = torch.arange(-59.0, 141.0)[None]  # 200 numbers from -59 to 140
    assert first_clip(weight, 2, "percentile").tolist() == [[136.0]]  # 5 at each side: -54 and 136
    assert first_clip(-weight, 2, "percentile").tolist() == [[135.0]]
    assert first_clip(torch.ones(2, 3), 2, "percentile").tolist() == [[1.0], [1.0]]


@pytest.mark.parametrize("bits", [2, 4])
def test_the_first_clip_by_kl_is_that_of_a_slow_search(bits):
    draw = np.random.default_rng(bits)
    weight = draw.normal(size=(3, 900)) * [[1.0], [20.0], [1e-3]]
    found = first_clip(torch.from_numpy(weight), bits, "kl").squeeze(1).tolist()
    for row, clip in zip(np.abs(weight), found, strict=True):
        counts, edges = np.histogram(row, bins=30, range=(0, row.max()))
        assert clip == pytest.approx(slow_kl(list(counts), bits) * edges[1], rel=1e-5)
    assert first_clip(torch.zeros(1, 9), bits, "kl").tolist() == [[0.0]]


@pytest.mark.parametrize("granularity", ["layer", "row"])
def test_a_weight_starts_where_it_is_asked_to(granularity):
    weight = torch.randn(5, 400)
    matrix = Matrix(address="a.weight", title="a matrix", part="attention", layer=0)
    for start in ("percentile", "kl"):
        learning = replace(LSQ, start=start)
        quantizer = WeightQuantizer(matrix, "lsq", 4, granularity, weight, learning)
        shown = weight if granularity == "row" else weight.reshape(1, -1)
        torch.testing.assert_close(quantizer.step * 7, first_clip(shown, 4, start))
        usual = WeightQuantizer(matrix, "lsq", 4, granularity, weight).step
        assert not torch.allclose(quantizer.step, usual)


def test_rates_are_apart_only_where_they_differ():
    layer = layer_of(LSQ, 4)
    together = Optimizer(layer, TrainRecipe()).dense.param_groups
    assert [len(group["params"]) for group in together] == [1, 1, 2]
    apart = Optimizer(layer, TrainRecipe(activation_step_learning_rate=0.5)).dense.param_groups
    assert [len(group["params"]) for group in apart] == [1, 1, 1, 1]


def test_a_preset_is_a_recipe_by_one_name():
    parser = command_line._parser()
    found = command_line._experiment(parser.parse_args(["run", "--preset", "kdlsq"]))
    texts = flatten(found)
    for name, preset in PRESETS.items():
        assert {option: texts[option] for option in preset.options} == options_of(name)
    assert Learning.of(found.quant) == KDLSQ
    changed = command_line._experiment(
        parser.parse_args(["run", "--preset", "kdlsq", "--labels", "0", "--steps", "9"])
    )
    assert (changed.distill.labels, changed.train.steps) == (0.0, 9)
    assert changed.quant == found.quant
    with pytest.raises(InputError, match="Preset 'bert' is not known"):
        command_line._experiment(parser.parse_args(["run", "--preset", "bert"]))


def test_the_grid_turns_every_switch_back_by_itself():
    path = CACHED_MODELS / "grids" / "kdlsq-switches.json"
    grid = read_grid(path)
    cases = json.loads(path.read_text())["cases"]
    whole = {"quant." + name for name in ("learned_as", "learned_start", "learned_gradient")}
    whole |= {"quant.weight_gradient", "distill.labels", "quant.activation"}
    changed = {name for case in cases.values() for name in case}
    assert whole | {"train.activation_step_learning_rate"} <= changed
    assert len(grid.runs) == 3 * len(cases)
    assert {run.experiment.seed for run in grid.runs} == {0, 1, 2}


def test_a_clip_starts_in_every_group_as_in_a_matrix_of_its_own():
    """Ten columns in groups of 32 are one short group a row; sixty-four are two."""
    weight = torch.randn(3, 40, generator=torch.Generator().manual_seed(5))
    matrix = Matrix(address="a.weight", title="a", part="attention")
    learning = Learning(start="percentile")
    step = WeightQuantizer(matrix, "lsq", 4, "group-32", weight, learning).step
    alone = [
        first_clip(part.contiguous(), 4, "percentile") for part in weight.split([32, 8], dim=1)
    ]
    assert torch.equal(step, torch.cat(alone, dim=1) / 7)


def test_an_elastic_range_has_no_clip_and_begins_where_it_was_calibrated():
    quantizer = ActivationQuantizer(4, "elastic", "static", KDLSQ)
    assert not quantizer.learning.as_clip
    quantizer.set_range(-3.5, 2.0)
    assert quantizer.step.tolist() == [[0.5, 0.0]]  # 3.5 / 7
    quantizer.is_signed = False
    quantizer.set_range(0.0, 1.5)
    assert quantizer.step[0, 0].item() == pytest.approx(0.1)  # 1.5 / 15
