"""Plans of bits: never a byte over the budget in the real file, never worse with more bytes, and
what each matrix does is what a slow second way finds."""

import copy
import itertools
import math
import random
from dataclasses import replace

import pytest
import torch

from core import api
from core.analysis.sensitivity import few_rows
from core.api.weight_views import sentences
from core.errors import InputError
from core.experiment import QuantRecipe
from core.families.registry import find_family
from core.models.student import build_student
from core.packed import file
from core.packed.foreseen import foresee
from core.packed.origin import origin_of
from core.plan.allocation import Planner, planner
from core.plan.matrix_losses import MatrixLosses, measured, predicted
from core.quantizers import quantize
from core.teachers.teacher_store import load_teacher
from core.training.batches import evaluation_batches
from tests.conftest import tiny_model

BERT = find_family("bert")
WORDS = "bert.embeddings.word_embeddings"
WIDTHS = (2, 3, 4, 8)


def last(computing):
    """The return value of a generator, and what it said on the way."""
    said = []
    while True:
        try:
            said.append(next(computing).text)
        except StopIteration as end:
            return end.value, said


@pytest.fixture
def planning(lab) -> Planner:
    """Plans for the lab's student, with made-up losses."""
    return planning_of(lab)


def planning_of(lab, widths=WIDTHS, layout="2-bit", leftovers="float32") -> Planner:
    start = api.plan_start(lab.experiment.task, lab.model, "twn", widths)
    foreseen, draw = foresee(start), random.Random(3)
    of = {
        matrix.name: {bits: draw.random() / 4.0**bits if bits < 32 else 0.0 for bits in widths}
        for matrix in foreseen.outline.matrices
    }
    losses = MatrixLosses(how="made up", of=of)
    return planner(foreseen, losses, widths, layout, leftovers)


def real_size(plan, layout="2-bit", leftovers="float32") -> int:
    """The file that a training of no steps would leave."""
    experiment = plan.experiment
    teacher = load_teacher(experiment.task, experiment.model)
    student = build_student(teacher, experiment.quant, BERT)
    origin = origin_of(experiment)
    data = file.to_bytes(student, experiment, layout=layout, leftovers=leftovers, origin=origin)
    return len(data)


@pytest.mark.parametrize("widths", [(2, 3, 4, 8), (2, 8, 32), (3, 4)])
def test_the_real_file_is_within_the_budget_to_the_byte(lab, widths):
    planning = planning_of(lab, widths)
    least, most = planning.uniform(min(widths)), planning.uniform(max(widths))
    losses = []
    for share in (0.0, 0.1, 0.3, 0.5, 0.8, 1.0):
        budget = round(least.size_bytes + share * (most.size_bytes - least.size_bytes))
        plan = planning.of_budget(budget)
        assert plan.size_bytes <= budget
        assert real_size(plan) == plan.size_bytes
        losses.append(plan.loss)
    assert losses == sorted(losses, reverse=True)
    assert losses[0] == pytest.approx(least.loss)
    assert losses[-1] <= most.loss


def test_the_budget_is_that_of_the_kind_of_file_that_is_meant(lab):
    planning = planning_of(lab, layout="base-3", leftovers="float16")
    plan = planning.of_budget(planning.uniform(3).size_bytes)
    assert real_size(plan, "base-3", "float16") == plan.size_bytes


def test_a_plan_buys_what_a_byte_less_cannot(planning):
    plan = planning.of_budget(planning.uniform(4).size_bytes)
    assert planning.of_budget(plan.size_bytes).bits == plan.bits
    assert planning.of_budget(plan.size_bytes - 1).loss > plan.loss


def test_no_other_choice_that_fits_is_better(planning):
    """Everything is tried: five matrices have three choices each, the others are kept."""
    names = [matrix.name for matrix in planning.matrices]
    free = names[::3]
    kept = {name: 2 for name in names if name not in free}
    every = [
        planning.of_bits(kept | dict(zip(free, chosen, strict=True)))
        for chosen in itertools.product((2, 3, 8), repeat=len(free))
    ]
    three = replace(planning, widths=(2, 3, 8))
    for budget in sorted(plan.size_bytes for plan in every)[:: len(every) // 12]:
        found = three.of_budget(budget, kept)
        fitting = min(plan.loss for plan in every if plan.size_bytes <= budget)
        smaller = [plan.loss for plan in every if plan.size_bytes <= budget - 64]
        nearly = min(smaller, default=math.inf)
        assert found.size_bytes <= budget
        assert fitting <= found.loss + 1e-15
        assert found.loss <= nearly + 1e-15  # a header has some bytes more or less


def test_more_bytes_never_give_a_worse_plan(planning):
    least, most = planning.uniform(2).size_bytes, planning.uniform(3).size_bytes
    losses = [planning.of_budget(budget).loss for budget in range(least, most, 301)]
    assert losses == sorted(losses, reverse=True)


def test_a_plan_is_never_worse_than_uniform_bits_of_as_many_bytes(planning):
    """Which a recipe spells without naming a matrix, in fewer bytes of the header."""
    for width in WIDTHS:
        alike = planning.uniform(width)
        assert planning.of_budget(alike.size_bytes).loss <= alike.loss
    alike = planning.uniform(8)
    assert alike.size_bytes < planning.of_bits(dict.fromkeys(planning.costs, 8)).size_bytes
    assert real_size(alike) == alike.size_bytes


def test_what_is_kept_is_kept_and_costs_something(planning):
    budget = planning.uniform(3).size_bytes
    free, held = planning.of_budget(budget), planning.of_budget(budget, {WORDS: 8})
    assert held.bits[WORDS] == 8
    assert held.size_bytes <= budget
    assert held.loss >= free.loss


@pytest.mark.parametrize(
    ("budget", "kept", "sentence"),
    [
        (1000, {}, "No file of these choices is so small: the smallest has .* the budget is 1,000"),
        (10**9, {"nothing": 2}, "Matrix 'nothing' is not known"),
        (10**9, {WORDS: 5}, f"Bits of the matrix {WORDS}: 5 is not known"),
    ],
)
def test_what_cannot_be_planned_is_refused(planning, budget, kept, sentence):
    with pytest.raises(InputError, match=sentence):
        planning.of_budget(budget, kept)


def test_a_plan_is_spelled_as_exceptions_from_the_fewest_bits(planning):
    bits = {matrix.name: 2 for matrix in planning.matrices} | {WORDS: 8, "bert.pooler.dense": 3}
    quant = planning.of_bits(bits).experiment.quant
    assert quant == QuantRecipe(matrix_bits=(f"{WORDS}=8", "bert.pooler.dense=3"))
    assert planning.uniform(2).experiment.quant == QuantRecipe()


def test_points_of_the_frontier_are_whole_files(planning):
    points = api.frontier_of(planning)
    assert len(points) > 10
    assert points[0].size_bytes == planning.uniform(2).size_bytes
    eight = dict.fromkeys(planning.costs, 8)
    assert points[-1].size_bytes == planning.of_bits(eight).size_bytes
    for point in points[:: len(points) // 4]:
        assert planning.of_budget(point.size_bytes).loss <= point.loss
    assert all(a.loss > b.loss for a, b in itertools.pairwise(points))


def test_choices_that_make_no_plan_are_refused(lab):
    task = lab.experiment.task
    with pytest.raises(InputError, match="at least two numbers of bits"):
        api.plan_start(task, lab.model, "twn", (2, 2))
    with pytest.raises(InputError, match="For absmean, the number of bits 4"):
        api.plan_start(task, lab.model, "absmean", (2, 4))
    with pytest.raises(InputError, match="no teacher"):
        api.plan_start(task, "minilm-l6", "twn", (2, 4))
    assert api.widths_of("absmean") == (2, 32)


# Losses


def test_the_prediction_is_importance_times_squared_rounding_error():
    """A slow second way, weight by weight, and nothing where a matrix is left alone."""
    model, recipe = tiny_model(), QuantRecipe(method="lat")
    draw = torch.Generator().manual_seed(0)
    importance = {
        each.name: torch.rand(model.get_parameter(each.address).shape, generator=draw)
        for each in BERT.matrices(model)
    }
    few = {name: few_rows(values) for name, values in importance.items()}
    found, said = last(predicted(model, BERT, recipe, (2, 4, 32), few))
    assert found.how == "predicted"
    assert len(said) == len(found.of) == 14
    for name, granularity in ((WORDS, "row"), ("bert.pooler.dense", "layer")):
        weight, known = model.get_parameter(f"{name}.weight").detach(), importance[name]
        for bits in (2, 4):
            how = {"method": "lat", "bits": bits, "granularity": granularity}
            value = quantize(weight, importance=known, **how).dequantize()
            slow = 0.0
            for row in range(weight.shape[0]):
                for column in range(weight.shape[1]):
                    off = float(weight[row, column] - value[row, column])
                    slow += 0.5 * float(known[row, column]) ** 2 * off**2
            assert found.of[name][bits] == pytest.approx(slow, rel=1e-4)
        assert found.of[name][32] == 0.0
    bits = dict.fromkeys(found.of, 4)
    assert found.total(bits) == pytest.approx(sum(each[4] for each in found.of.values()))


def test_what_is_measured_is_how_far_the_answers_move(lab):
    """A slow second way: a copy of the model in which that matrix alone is quantized."""
    opened = api.open_model(api.source_of_teacher(lab.experiment.task, lab.model))
    model, batches = opened.model, list(evaluation_batches(BERT, sentences(opened, "dev", 16), 8))
    found, said = last(measured(model, BERT, QuantRecipe(), (2, 8, 32), batches))
    assert found.how == "measured"
    assert "Rounding word embedding" in said
    for name in (WORDS, "bert.encoder.layer.1.output.dense", "bert.pooler.dense"):
        other = copy.deepcopy(model)
        weight = other.get_parameter(f"{name}.weight")
        granularity = "row" if name == WORDS else "layer"
        value = quantize(weight, method="twn", bits=2, granularity=granularity).dequantize()
        noise = signal = 0.0
        with torch.no_grad():
            weight.copy_(value)
            for batch in batches:
                exact = BERT.forward(model, batch).answers["logits"].value
                moved = BERT.forward(other, batch).answers["logits"].value
                noise += float((moved - exact).square().sum())
                signal += float(exact.square().sum())
        assert found.of[name][2] == pytest.approx(noise / signal, rel=1e-4)
    assert all(of[2] > of[8] > of[32] == 0.0 for of in found.of.values())


def test_from_the_models_own_text_to_a_plan(lab):
    """All of it, as the page and the command line do."""
    start = api.plan_start(lab.experiment.task, lab.model, "twn", WIDTHS)
    opened = api.open_model(api.source_of_teacher(start.task, start.model))
    importances, _ = last(api.importances(opened))
    for computing in (
        api.predict_losses(opened, start, importances, WIDTHS),
        api.measure_losses(opened, start, WIDTHS),
    ):
        losses, _ = last(computing)
        planning = api.planner_of(start, losses, WIDTHS)
        budget = planning.uniform(3).size_bytes
        plan = planning.of_budget(budget)
        assert plan.loss <= planning.uniform(3).loss
        assert len({*plan.bits.values()}) > 1
        assert real_size(plan) == plan.size_bytes <= budget
