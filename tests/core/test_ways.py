"""Three ways to a small ranker (Gao et al. 2020): whose layers, from whom, in which order."""

import dataclasses

import pytest
import torch

from core import api
from core.errors import InputError
from core.events import StepDone
from core.experiment import DistillRecipe
from core.family import Outputs, Trace
from core.serialization import identity_json
from core.training.batches import training_batches
from core.training.depths import check_depths, for_student
from core.training.distillation_losses import OF_LANGUAGE
from core.training.pair import prepare_pair
from core.training.student_step import at_step, batch_losses
from tests.conftest import compute, save_tiny_model, tiny_model, with_train


def layers(count: int) -> tuple[Trace, ...]:
    return tuple(Trace(value=torch.tensor([float(n)])) for n in range(count))


def numbers(traces) -> list[float]:
    return [float(trace.value) for trace in traces]


@pytest.mark.parametrize(
    ("ours", "theirs", "hidden", "attention"),
    [
        (3, 6, [0, 2, 4, 6], [1, 3, 5]),
        (2, 6, [0, 3, 6], [2, 5]),
        (1, 3, [0, 3], [2]),
        (4, 12, [0, 3, 6, 9, 12], [2, 5, 8, 11]),
        (2, 2, [0, 1, 2], [0, 1]),
    ],
)
def test_layers_map_evenly(ours, theirs, hidden, attention):
    teacher = Outputs(
        answers={}, traces={"hidden": layers(theirs + 1), "attention": layers(theirs)}
    )
    found = for_student(teacher, ours, theirs)
    assert numbers(found.traces["hidden"]) == hidden
    assert numbers(found.traces["attention"]) == attention


def test_the_same_depth_changes_nothing():
    teacher = Outputs(answers={}, traces={"hidden": layers(3)})
    assert for_student(teacher, 2, 2) is teacher


@pytest.mark.parametrize("depths", [(4, 6), (6, 3), (0, 6), (5, 6)])
def test_layers_that_do_not_map_are_refused(depths):
    with pytest.raises(InputError, match="do not map evenly"):
        check_depths("small", *depths)


# With a student of one layer


@pytest.fixture
def small(ranking_lab, tmp_path) -> str:
    folder = tmp_path / "small"
    save_tiny_model(folder, tiny_model(3, num_hidden_layers=1))
    return str(folder)


def pair_of(experiment):
    making = prepare_pair(experiment)
    try:
        while True:
            next(making)
    except StopIteration as end:
        return end.value


def test_a_student_of_fewer_layers_learns_from_its_teacher(ranking_lab, small):
    run = compute(dataclasses.replace(ranking_lab.experiment, student_model=small))
    assert run.result is not None
    opened = api.open_model(api.source_of_run(run))
    assert opened.config.num_hidden_layers == 1
    first = api.find_candidates("good film", 4)
    assert len(api.rank(opened, "good film", first.numbers).scores) == 4


def test_its_losses_are_those_to_the_layers_that_it_stands_for(ranking_lab, small):
    experiment = dataclasses.replace(ranking_lab.experiment, student_model=small)
    pair = pair_of(experiment)
    batch = next(training_batches(pair.data.family, pair.data.train, 8, 0))
    terms = batch_losses(experiment, pair, batch)
    wanted = pair.data.family.always
    student = pair.data.family.forward(pair.student, batch, wanted)
    teacher = pair.data.family.forward(pair.teacher, batch, wanted)
    for name, places in (("hidden", (0, 2)), ("attention", (1,))):
        distance = pair.data.family.distances[name]
        total = sum(
            float(distance(ours, teacher.traces[name][place]).detach())
            for ours, place in zip(student.traces[name], places, strict=True)
        )
        assert float(terms[name].detach()) == pytest.approx(total, rel=1e-5)


def test_a_student_of_another_width_is_refused(ranking_lab, tmp_path):
    save_tiny_model(tmp_path / "narrow", tiny_model(3, hidden_size=16))
    experiment = dataclasses.replace(ranking_lab.experiment, student_model=str(tmp_path / "narrow"))
    with pytest.raises(InputError, match="as wide as its teacher"):
        compute(experiment)


def test_a_student_that_is_not_there_is_refused(ranking_lab):
    experiment = dataclasses.replace(ranking_lab.experiment, student_model="./nowhere")
    with pytest.raises(InputError, match=r"There is no folder \./nowhere"):
        compute(experiment)


def test_latent_weights_of_such_a_student_are_not_put_into_the_teacher(ranking_lab, small):
    run = compute(dataclasses.replace(ranking_lab.experiment, student_model=small))
    assert run.experiment is not None
    assert not api.has_latent(run, run.experiment.task, run.experiment.model)
    with pytest.raises(InputError, match="did not start from its teacher"):
        api.open_model(api.source_of_run(run, "latent"))


# Language first


def test_in_its_first_steps_the_student_learns_from_the_language_model(ranking_lab):
    recipe = DistillRecipe(labels=1.0, hidden=0.0, attention=0.0, logits=0.0, language_steps=2)
    experiment = dataclasses.replace(ranking_lab.experiment, distill=recipe)
    pair = pair_of(experiment)
    for step, language in ((1, True), (2, True), (3, False), (4, False)):
        now, with_whom = at_step(experiment, pair, step)
        assert now.distill == (OF_LANGUAGE if language else recipe)
        assert with_whom.teacher is (pair.language if language else pair.teacher)
    steps = [event for event in api.events(compute(experiment)) if isinstance(event, StepDone)]
    for event in steps[:2]:
        assert event.loss == pytest.approx(event.hidden + event.attention, rel=1e-5)
    for event in steps[2:]:
        assert event.loss == pytest.approx(event.labels, rel=1e-6)


def test_the_language_model_is_the_one_before_fine_tuning(ranking_lab):
    recipe = DistillRecipe(language_steps=1)
    pair = pair_of(dataclasses.replace(ranking_lab.experiment, distill=recipe))
    before = tiny_model().state_dict()
    assert pair.language is not None
    for name, value in pair.language.state_dict().items():
        if name.startswith("bert."):
            assert torch.equal(value, before[name]), name


def test_more_language_steps_than_steps_are_refused(ranking_lab):
    recipe = DistillRecipe(language_steps=5)
    with pytest.raises(InputError, match="must lie between 0 and 4"):
        dataclasses.replace(ranking_lab.experiment, distill=recipe)


def test_names_of_older_experiments_stay(lab):
    text = identity_json(lab.experiment)
    assert "student_model" not in text
    assert "language_steps" not in text
    assert with_train(lab.experiment, steps=9).run_id != lab.experiment.run_id
