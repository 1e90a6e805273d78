"""Making a teacher is a run like any other: a folder, a process, a stop, and no work twice."""

import shutil
from dataclasses import replace

import pytest

from core import api
from core.errors import InputError
from core.events import Evaluated, StepDone, Taught
from core.experiment import Experiment, Teaching, TrainRecipe
from core.runs import runner
from core.runs.event_reading import read_events
from core.runs.run_store import find_run, is_alive, list_runs, read_folder, run_folder
from core.serialization import canonical_json
from core.teacher_folders import load_card, teacher_folder
from core.teachers.teacher_store import load_teacher
from tests.conftest import compute, is_running, save_tiny_model, tiny_model, wait_for

RECIPE = TrainRecipe(steps=3, batch_size=8, evaluate_every=2, max_tokens=16)


@pytest.fixture
def teaching(lab):
    """A teaching of three steps; no worker outlives the test."""
    yield Teaching(task="movie-sentiment", model=lab.model, train=RECIPE)
    for child in runner._children:
        child.kill()
        child.wait()
    runner._children.clear()


def place_of(teaching: Teaching, lab):
    return lab.home / "teachers" / teacher_folder(teaching.task, teaching.model)


def test_a_finished_teaching_has_a_card_events_and_a_teacher(teaching):
    run = compute(teaching)
    assert (run.state, run.run_id, run.teaching) == ("finished", teaching.run_id, teaching)
    assert run.experiment is run.result is None
    assert run.title == teaching.title
    said = api.events(run)
    assert [event.step for event in said if isinstance(event, StepDone)] == [1, 2, 3]
    assert [event.step for event in said if isinstance(event, Evaluated)] == [2, 3]
    assert said[-1] == Taught(teacher=run.card)
    assert run.card == load_card(teaching.task, teaching.model)
    assert (run.card.train, run.card.seed, run.card.fine_tuned) == (RECIPE, 0, True)
    assert run.card in api.teachers()
    assert {(m.who, m.split, m.score.metric) for m in run.card.scores} == {
        ("teacher", "dev", "accuracy"),
        ("teacher", "test", "accuracy"),
    }
    load_teacher(teaching.task, teaching.model)


def test_the_same_teaching_gives_the_same_teacher(teaching, lab):
    weights = []
    for _ in range(2):
        compute(teaching)
        weights.append((place_of(teaching, lab) / "model.safetensors").read_bytes())
    assert weights[0] == weights[1]
    compute(replace(teaching, seed=1))
    assert (place_of(teaching, lab) / "model.safetensors").read_bytes() != weights[0]


@pytest.mark.slow
def test_a_teacher_that_is_gone_is_made_again_in_a_process_of_its_own(teaching, lab):
    first = compute(teaching)
    assert api.submit(teaching) == first  # one run, however often it is asked for
    assert runner._children == []
    shutil.rmtree(place_of(teaching, lab))
    run = api.submit(teaching)
    assert (run.run_id, run.state, run.card) == (first.run_id, "queued", None)
    assert api.submit(teaching).run_id == run.run_id
    assert len(runner._children) == 1
    wait_for(lambda: read_folder(run.folder).is_over)
    again = api.find_run(run.run_id)
    assert again.state == "finished", again.message
    assert again.card in api.teachers()
    assert again.card.test == first.card.test
    assert all(child.wait() == 0 for child in runner._children)


def test_a_teacher_that_another_teaching_replaced_is_made_again(teaching):
    first = compute(teaching)
    second = compute(replace(teaching, seed=1))
    assert api.submit(second.teaching) == second
    assert api.submit(teaching).state == "queued"
    assert api.teachers() == [second.card]
    api.stop(first.run_id)


def test_a_teaching_stops_when_asked_and_leaves_the_old_teacher_alone(teaching, lab):
    before = load_card(teaching.task, teaching.model)
    train = replace(RECIPE, steps=100_000, evaluate_every=100_000)
    run = api.submit(replace(teaching, train=train))
    wait_for(lambda: any(isinstance(event, StepDone) for event in read_events(run.folder)))
    assert read_folder(run.folder).state == "running"
    process = int((run.folder / "worker.pid").read_text())
    api.stop(run.run_id)
    assert not is_alive(run.folder)
    assert read_folder(run.folder).state == "stopped"
    wait_for(lambda: not is_running(process), seconds=20.0)
    assert load_card(teaching.task, teaching.model) == before
    assert not (run.folder / "result.json").exists()


def test_teachings_are_listed_beside_the_runs_of_students(teaching, finished_run):
    made = compute(teaching)
    assert list_runs() == [made, finished_run]
    assert find_run(made.run_id) == made
    assert api.finished_runs() == [finished_run]  # which have scores of students


def test_a_teaching_and_an_experiment_never_share_a_name(lab, teaching):
    asked = Experiment(task=teaching.task, model=teaching.model, train=RECIPE)
    assert asked.run_id != teaching.run_id


@pytest.mark.parametrize("name", ["teaching.json", "result.json"])
def test_a_damaged_teaching_is_listed_with_a_sentence(teaching, name):
    run = compute(teaching)
    for text in (b"", b"{", b"[]", b"\xff\xfe", b'{"seed": -1}', b"[" * 10_000):
        (run.folder / name).write_bytes(text)
        found = find_run(run.run_id)
        assert found.state == "damaged", text
        assert "cannot be read" in found.message
        assert "Delete it to run again" in found.message
        assert [other.run_id for other in list_runs()] == [run.run_id]
    again = compute(teaching)
    assert again.state == "finished"


def test_a_foreign_teaching_is_damaged(teaching):
    folder = run_folder(teaching.run_id)
    runner.prepare_folder(folder, teaching)
    (folder / "teaching.json").write_text(canonical_json(replace(teaching, seed=5)))
    assert "belongs to another run id" in read_folder(folder).message


def headless(lab) -> str:
    """A folder with a model whose head is for something else."""
    save_tiny_model(lab.home.parent / "headless", tiny_model(kind="span"))
    return str(lab.home.parent / "headless")


def test_a_teaching_that_fails_keeps_its_reason_and_its_predecessor(teaching, lab):
    before = load_card(teaching.task, teaching.model)
    for failing, reason in (
        (replace(teaching, model="/nowhere"), "There is no folder /nowhere"),
        (replace(teaching, task="rte"), "Without the hub these tasks work: "),
        (replace(teaching, fine_tune=False, model=headless(lab)), "Fine-tune it first"),
    ):
        with pytest.raises(InputError, match=reason):
            compute(failing)
        run = find_run(failing.run_id)
        assert (run.state, run.card) == ("failed", None)
        assert reason in run.message
    assert load_card(teaching.task, teaching.model) == before


def test_an_unknown_task_is_refused_before_anything_is_written(teaching, lab):
    with pytest.raises(InputError, match="Task 'poetry' is not known"):
        api.submit(replace(teaching, task="poetry"))
    assert not (lab.home / "runs").exists()
