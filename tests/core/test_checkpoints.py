"""A training that goes on from a checkpoint ends bit for bit like one that never stopped."""

import random
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings, strategies

from core.errors import InputError
from core.events import Evaluated, Finished, Preparing, Resumed, StepDone, Taught, WeightsSeen
from core.experiment import QuantRecipe, Teaching, TrainRecipe
from core.families.registry import find_family
from core.models.student import build_student
from core.teacher_folders import teacher_folder
from core.training import checkpoints, resume
from core.training.checkpoint_header import FILE, step_kept
from core.training.checkpoints import UnfitCheckpoint, capture, read, write
from core.training.optimizer import Optimizer, descend
from core.training.resume import Checkpointer
from core.training.student_training import train
from core.training.teacher_training import teach
from tests.conftest import tiny_model, with_quant, with_train

BERT = find_family("bert")

STEPS = 9


@pytest.fixture
def often(monkeypatch):
    """A checkpoint after every step."""
    monkeypatch.setattr(resume, "SHARE", 1e9)


def told(events):
    """What was told but for how long it took; progress within a phase is left out."""
    kept = [event for event in events if not isinstance(event, Preparing | Resumed)]
    return [replace(e, seconds=0.0) if isinstance(e, StepDone) else e for e in kept]


def after(events, step):
    """What was told after a step, its own score included."""
    (place,) = [i for i, e in enumerate(events) if isinstance(e, StepDone) and e.step == step]
    return events[place + 1 :]


def broken_off(training, step) -> None:
    """Follow the training until its checkpoint of this step is written, as a killed one would."""
    for event in training:
        if isinstance(event, StepDone) and event.step == step + 1:
            break
    training.close()


def timeless(events):
    """The same without times in the last event."""
    *rest, last = events
    if isinstance(last, Finished):
        return [*rest, replace(last.result, train_seconds=0.0, total_seconds=0.0)]
    assert isinstance(last, Taught)
    return [*rest, replace(last.teacher, train_seconds=0.0)]


CASES = [
    ("twn", "row", "minmax"),
    ("lat", "layer", "minmax"),
    ("lsq", "layer", "lsq"),
    pytest.param("twn", "layer", "minmax", marks=pytest.mark.many),
    pytest.param("lat", "row", "minmax", marks=pytest.mark.many),
    pytest.param("lsq", "row", "lsq", marks=pytest.mark.many),
]


@pytest.mark.parametrize(("method", "granularity", "activation"), CASES)
def test_a_student_goes_on_as_if_it_had_never_stopped(
    lab, tmp_path, often, method, granularity, activation
):
    experiment = with_quant(
        with_train(lab.experiment, steps=STEPS, evaluate_every=3),
        method=method,
        weight_granularity=granularity,
        embedding_granularity=granularity,
        activation=activation,
    )
    whole, parted = tmp_path / "whole", tmp_path / "parted"
    expected = timeless(told(train(experiment, whole)))
    step = random.Random(f"{method} {granularity}").randrange(1, STEPS)
    broken_off(train(experiment, parted), step)
    assert step_kept(parted) == step
    events = list(train(experiment, parted))
    assert events[0] == Resumed(step=step)
    assert timeless(told(events)) == after(expected, step)
    for name in ("model.safetensors", "latent.safetensors", "predictions.safetensors"):
        assert (parted / name).read_bytes() == (whole / name).read_bytes(), name


@pytest.mark.parametrize(
    ("method", "step"),
    [
        pytest.param("lat", 5, marks=pytest.mark.many),
        pytest.param("lat", 20, marks=pytest.mark.many),
        pytest.param("lsq", 10, marks=pytest.mark.many),
        ("lsq", 17),
    ],
)
def test_so_does_one_with_every_art_of_training(lab, tmp_path, often, method, step):
    """Stages of bits, the mean of the last weights, dropout, clipping, looks at the weights; and
    so few examples that what the teacher says is kept."""
    arts = {"averaging": 0.7, "dropout": 0.1, "clip": 1.0, "schedule": "cosine", "examples": 30}
    experiment = with_quant(
        with_train(lab.experiment, steps=24, evaluate_every=5, **arts), method=method, stages=(8, 4)
    )
    whole, parted = tmp_path / "whole", tmp_path / "parted"
    events = list(train(experiment, whole))
    assert Preparing(text="The teacher reads the examples", done=30, total=30) in events
    expected = timeless(told(events))
    broken_off(train(experiment, parted), step)
    seen = [e for e in after(expected, step) if not (type(e) is WeightsSeen and e.step == step)]
    assert timeless(told(train(experiment, parted))) == seen
    for name in ("model.safetensors", "latent.safetensors", "predictions.safetensors"):
        assert (parted / name).read_bytes() == (whole / name).read_bytes(), name


def test_a_teacher_goes_on_as_if_it_had_never_stopped(lab, tmp_path, often):
    train = replace(lab.experiment.train, steps=STEPS, evaluate_every=3)
    teaching = Teaching(task=lab.experiment.task, model=lab.model, train=train, seed=3)
    place = teacher_folder(teaching.task, teaching.model)
    expected = timeless(told(teach(teaching, tmp_path / "whole")))
    run = tmp_path / "run"
    for step in (2, 3, 7):  # broken off three times; at 3 its dev score is still to come
        broken_off(teach(teaching, tmp_path / "parted", run), step)
    events = list(teach(teaching, tmp_path / "parted", run))
    assert timeless(told(events)) == after(expected, 7)
    weights = [
        (tmp_path / who / "teachers" / place / "model.safetensors").read_bytes()
        for who in ("whole", "parted")
    ]
    assert weights[0] == weights[1]


def test_a_stop_between_two_steps_keeps_a_checkpoint_of_the_last(lab, tmp_path):
    training = train(lab.experiment, tmp_path)
    for event in training:
        if isinstance(event, StepDone) and event.step == 2:
            (tmp_path / "STOP").touch()
            break
    training.close()
    (tmp_path / "STOP").unlink()
    assert step_kept(tmp_path) == 2
    events = list(train(lab.experiment, tmp_path))
    assert [e.step for e in events if isinstance(e, Evaluated)] == [2, 4]
    assert timeless(told(events)) == after(timeless(told(train(lab.experiment))), 2)


def test_a_checkpoint_of_the_last_step_leaves_only_the_scoring(lab, tmp_path, often):
    training = train(lab.experiment, tmp_path)
    next(event for event in training if isinstance(event, Evaluated) and event.step == 4)
    training.close()
    events = list(train(lab.experiment, tmp_path))
    assert [type(event) for event in told(events)] == [Evaluated, Finished]


def test_writing_takes_a_bounded_share_of_the_time(lab, tmp_path, monkeypatch):
    clock, written = [0.0], []

    def slow_write(folder, checkpoint):
        written.append(checkpoint.step)
        clock[0] += 3.0

    monkeypatch.setattr(resume.time, "perf_counter", lambda: clock[0])
    monkeypatch.setattr(resume, "write", slow_write)
    student = build_student(tiny_model(), QuantRecipe(), BERT)
    learning = (student, Optimizer(student, TrainRecipe()))
    checkpointer = Checkpointer(tmp_path, "0" * 12, origin="", learning=learning)
    for step in range(1, 1001):
        clock[0] += 1.0
        assert list(checkpointer.after_step([Preparing(text="")], step)) == [Preparing(text="")]
        assert step == 1 or 3.0 * len(written) <= 0.02 * clock[0] + 3.0
    assert 5 <= len(written) <= 8


class Counter:
    """Something that carries state from step to step."""

    def __init__(self, count: float = 0.0) -> None:
        self.count = torch.tensor([count])

    def state(self):
        return {"count": self.count}

    def restore(self, state):
        self.count = state["count"].clone()


def learning_of(seed: int, recipe: QuantRecipe):
    """A student and its optimizer, after one step that depends on `seed`."""
    student = build_student(tiny_model(seed), recipe, BERT)
    optimizer = Optimizer(student, TrainRecipe(learning_rate=0.01, warmup=0.0, steps=5))
    ids = torch.randint(5, 26, (4, 6), generator=torch.Generator().manual_seed(seed))
    descend(optimizer, student.train()(ids).logits.square().sum(), 1, TrainRecipe(steps=5))
    optimizer.finish()
    return student, optimizer


@pytest.mark.parametrize("granularity", ["layer", "row"])
def test_a_checkpointer_brings_all_to_where_it_stood_and_releases_what_it_read(
    tmp_path, often, granularity
):
    recipe = QuantRecipe(weight_granularity=granularity, embedding_granularity=granularity)
    learning, predictions = learning_of(0, recipe), {"dev.teacher": np.eye(3, dtype=np.float32)}
    names = {"folder": tmp_path, "run_id": "0" * 12, "origin": "text and teacher"}
    first = Checkpointer(
        **names, learning=learning, others={"counter": Counter(7.0)}, predictions=predictions
    )
    list(first.after_step([Preparing(text="")], 1))
    found = read(tmp_path, "0" * 12)
    assert found
    assert (found.step, found.origin) == (1, "text and teacher")
    assert found.predictions().keys() == predictions.keys()
    assert np.array_equal(found.predictions()["dev.teacher"], predictions["dev.teacher"])
    expected = {name: tensor.clone() for name, tensor in capture(*learning).items()}
    other, counter = learning_of(1, recipe), Counter()
    differs = [n for n, t in capture(*other).items() if not torch.equal(t, expected[n])]
    assert len(differs) > 20
    Checkpointer(**names, learning=other, others={"counter": counter}, resumed=found)
    restored = capture(*other)
    assert restored.keys() == expected.keys()
    assert all(torch.equal(tensor, expected[name]) for name, tensor in restored.items())
    assert counter.count.tolist() == [7.0]
    assert found.tensors == {}


def test_a_checkpointer_refuses_the_state_of_another_training(tmp_path, often):
    learning = learning_of(0, QuantRecipe())
    names = {"folder": tmp_path, "run_id": "0" * 12, "origin": ""}
    list(Checkpointer(**names, learning=learning).after_step([Preparing(text="")], 1))
    for other, others in (
        (learning_of(0, QuantRecipe()), {"counter": Counter()}),  # its state is not in the file
        (learning_of(0, QuantRecipe(method="lsq")), {}),
        (learning_of(0, QuantRecipe(parts=("pooler",), embedding_granularity="row")), {}),
    ):
        found = read(tmp_path, "0" * 12)
        with pytest.raises(UnfitCheckpoint, match="of another version"):
            Checkpointer(**names, learning=other, others=others, resumed=found)


def test_without_a_folder_no_checkpoint_is_due(tmp_path, often, monkeypatch):
    monkeypatch.chdir(tmp_path)
    learning = learning_of(0, QuantRecipe())
    checkpointer = Checkpointer(None, "0" * 12, origin="", learning=learning)
    events = [Preparing(text="one"), Preparing(text="two")]
    assert list(checkpointer.after_step(events, 1)) == events
    assert not list(tmp_path.rglob("*"))


# A checkpoint that cannot be used


@pytest.fixture
def kept(lab, tmp_path, often):
    """A folder with a checkpoint of step 2."""
    broken_off(train(lab.experiment, tmp_path), 2)
    return tmp_path


def begins_again(lab, folder, reason) -> None:
    events = list(train(lab.experiment, folder))
    (said,) = [event for event in events if isinstance(event, Resumed) and event.step == 0]
    assert reason in said.text
    assert "begins again" in said.text
    assert timeless(told(events)) == timeless(told(train(lab.experiment)))


@pytest.mark.parametrize("place", ["start", "middle", "end", "half", "empty"])
def test_a_damaged_checkpoint_is_said_and_the_run_begins_again(lab, kept, place):
    data = bytearray((kept / FILE).read_bytes())
    if place in ("half", "empty"):
        data = data[: len(data) // 2 if place == "half" else 0]
    else:
        data[{"start": 20, "middle": len(data) // 2, "end": -1}[place]] ^= 1
    (kept / FILE).write_bytes(data)
    begins_again(lab, kept, "The checkpoint is damaged.")


def test_a_pickle_is_no_checkpoint(lab, kept):
    torch.save({"step": 2}, kept / FILE)
    begins_again(lab, kept, "The checkpoint is damaged.")


def test_a_checkpoint_of_another_run_or_version_is_said(lab, kept):
    found = read(kept, lab.experiment.run_id)
    write(kept, replace(found, run_id="0" * 12))
    begins_again(lab, kept, "belongs to another run")
    lacking = dict(list(found.tensors.items())[:-1])
    strange = {name: t for name, t in found.tensors.items() if not name.startswith("said")}
    for tensors in (lacking, strange, {"random": found.tensors["random"]}):
        write(kept, replace(found, tensors=tensors))
        begins_again(lab, kept, "of another version")


def test_a_file_of_another_format_is_said(lab, kept, monkeypatch):
    found = read(kept, lab.experiment.run_id)
    with monkeypatch.context() as another:
        another.setattr(checkpoints, "FORMAT", "0")
        write(kept, found)
    begins_again(lab, kept, "of another version")


def test_other_threads_than_before_are_said_and_the_run_goes_on(lab, kept):
    found = read(kept, lab.experiment.run_id)
    write(kept, replace(found, threads=found.threads + 1))
    events = list(train(lab.experiment, kept))
    (said,) = [event for event in events if isinstance(event, Resumed)]
    assert said.step == 2
    assert f"({found.threads} instead of {found.threads + 1})" in said.text
    assert isinstance(events[-1], Finished)


def test_a_checkpoint_of_another_teacher_is_said(lab, kept):
    path = next((lab.home / "teachers").glob("*/model.safetensors"))
    found = read(kept, lab.experiment.run_id)
    write(kept, replace(found, origin="another"))
    begins_again(lab, kept, "Text or teacher have changed")
    assert path.exists()


def test_a_full_disk_costs_the_checkpoint_and_not_the_run(lab, tmp_path, often, monkeypatch):
    def full(folder, checkpoint):
        raise InputError("No space left.")

    monkeypatch.setattr(resume, "write", full)
    events = list(train(lab.experiment, tmp_path))
    assert isinstance(events[-1], Finished)
    said = [e.text for e in events if isinstance(e, Preparing) and "without a new" in e.text]
    assert said == ["Going on without a new checkpoint: No space left."] * 4


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=strategies.data())
def test_no_change_of_a_single_byte_goes_unseen(lab, kept, data):
    whole = (kept / FILE).read_bytes()
    place = data.draw(strategies.integers(0, len(whole) - 1))
    changed = bytearray(whole)
    changed[place] ^= data.draw(strategies.integers(1, 255))
    (kept / FILE).write_bytes(changed)
    try:
        found = read(kept, lab.experiment.run_id)
    except UnfitCheckpoint:
        found = None
    (kept / FILE).write_bytes(whole)
    assert found is None or found.step == 2  # a blank between two words of the header
    if found is not None:
        expected = read(kept, lab.experiment.run_id)
        assert all(torch.equal(t, found.tensors[n]) for n, t in expected.tensors.items())
