"""One contract for every place that computes runs: experiment in, events out.

The same tests run on this computer and, with the marker `ray`, on a real Ray cluster of two
nodes that has one processor each and is started here.
"""

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from core.errors import InputError
from core.events import Event, Finished, Resumed, StepDone, Taught, to_json
from core.experiment import Experiment, Job, Teaching, TrainRecipe
from core.runs import runner
from core.runs.event_log import CHECKPOINT_FILE
from core.runs.event_reading import read_events
from core.runs.run_store import Run, find_run, is_alive
from core.teacher_folders import load_card, teacher_folder
from core.training.student_training import train
from tests.conftest import Lab, compute, wait_for, with_train

needs_ray = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason="Ray is not installed"
)
LOST = "The machine that computed the run was lost. Start the run again: it goes on"
SMALL_STORE_BYTES = 80 * 2**20


@pytest.fixture(scope="module")
def cluster() -> Iterator:
    """A cluster of two nodes on this computer, each with one processor."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        from ray.cluster_utils import Cluster

        quiet = {"include_dashboard": False, "num_cpus": 1}
        quiet["object_store_memory"] = SMALL_STORE_BYTES
        started = Cluster(initialize_head=True, head_node_args=quiet)
        try:
            started.add_node(num_cpus=1, object_store_memory=SMALL_STORE_BYTES)
            yield started
        finally:
            started.shutdown()


@pytest.fixture
def lab_on_ray(lab: Lab, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Lab:
    cluster = request.getfixturevalue("cluster")
    monkeypatch.setenv("TERNARY_LAB_RAY", cluster.address)
    monkeypatch.setenv("TERNARY_LAB_RAY_CPUS", "1")
    return lab


@pytest.fixture
def long(lab: Lab) -> Experiment:
    """An experiment that would run for an hour."""
    return with_train(lab.experiment, steps=100_000, evaluate_every=100_000)


@pytest.fixture(autouse=True)
def no_worker_left() -> Iterator[None]:
    """No worker outlives its test."""
    yield
    for child in runner._children:
        child.kill()
        child.wait()
    runner._children.clear()


@dataclass(frozen=True)
class Place:
    """A place under test, and the lab that it finds."""

    lab: Lab
    is_cluster: bool

    def finish(self, job: Job) -> Run:
        """The run of the order when it is over. (Here in this process: no two seconds to start.)"""
        if not self.is_cluster:
            with suppress(InputError):
                compute(job)
            return found(job.run_id)
        return wait_until_over(runner.submit(job))


@pytest.fixture(params=["here", pytest.param("ray", marks=(pytest.mark.ray, needs_ray))])
def place(request: pytest.FixtureRequest, lab: Lab) -> Place:
    if request.param == "ray":
        request.getfixturevalue("lab_on_ray")
    return Place(lab=lab, is_cluster=request.param == "ray")


def found(run_id: str) -> Run:
    run = find_run(run_id)
    assert run is not None
    return run


def state_of(run: Run) -> str:
    return found(run.run_id).state


def steps_of(run: Run) -> int:
    return sum(isinstance(event, StepDone) for event in read_events(run.folder))


def resumed_at(run: Run) -> int | None:
    return next((e.step for e in read_events(run.folder) if isinstance(e, Resumed)), None)


def processes_of(run: Run) -> list[str]:
    """The processes, on every node of the test's cluster, that have to do with this run."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            found.append(file.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
    return [command for command in found if run.run_id in command]


def wait_until_over(run: Run) -> Run:
    wait_for(lambda: found(run.run_id).is_over)
    return found(run.run_id)


def timeless(event: Event) -> object:
    """The event without what a clock says."""

    def strip(value):
        if isinstance(value, dict):
            return {k: strip(v) for k, v in value.items() if not k.endswith("seconds")}
        return [strip(item) for item in value] if isinstance(value, list) else value

    return strip(json.loads(to_json(event)))


def test_events_and_files_are_those_of_the_generator(place, tmp_path):
    direct = tmp_path / "direct"
    direct.mkdir()
    expected = list(train(place.lab.experiment, direct))
    run = place.finish(place.lab.experiment)
    assert run.state == "finished", run.message
    heard = read_events(run.folder)
    assert [timeless(event) for event in heard] == [timeless(event) for event in expected]
    assert isinstance(heard[-1], Finished)
    assert run.result == heard[-1].result
    made = {file.name for file in direct.iterdir()} - {CHECKPOINT_FILE}
    assert len(made) == 3
    for name in made:
        assert (run.folder / name).read_bytes() == (direct / name).read_bytes(), name
    wait_for(lambda: not is_alive(run.folder))


def test_a_teacher_comes_home(place):
    recipe = TrainRecipe(steps=2, batch_size=8, max_tokens=16)
    teaching = Teaching(task="movie-sentiment", model=place.lab.model, train=recipe)
    run = place.finish(teaching)
    assert run.state == "finished", run.message
    last = read_events(run.folder)[-1]
    assert isinstance(last, Taught)
    assert load_card(teaching.task, teaching.model) == last.teacher == run.card


def test_a_refusal_reaches_the_person_as_its_sentence(place):
    name = teacher_folder(place.lab.experiment.task, place.lab.model)
    (place.lab.home / "teachers" / name / "model.safetensors").write_bytes(b"not a model")
    run = place.finish(place.lab.experiment)
    assert run.state == "failed"
    assert run.message.startswith(f"The teacher in {name} is damaged")
    assert "Traceback" not in run.message


@pytest.mark.slow
def test_what_is_killed_can_be_started_again_and_stop_leaves_no_process(place, long):
    run = runner.submit(long)
    wait_for(lambda: steps_of(run) > 2)
    assert processes_of(run)
    os.kill(int((run.folder / "worker.pid").read_text()), signal.SIGKILL)
    wait_for(lambda: state_of(run) == "interrupted")
    wait_for(lambda: not processes_of(run), seconds=5.0)
    runner.submit(long)
    wait_for(lambda: steps_of(run) > 2)
    stop_within_three_seconds(run)
    # Whoever follows a run on a cluster has ended its task before it takes leave of the cluster,
    # and that takes Ray 1.3 s.
    wait_for(lambda: not processes_of(run), seconds=5.0 if place.is_cluster else 2.0)


def stop_within_three_seconds(run: Run) -> None:
    began = time.monotonic()
    runner.stop(run.run_id)
    assert time.monotonic() - began < 3.0
    assert state_of(run) == "stopped"


# What only a cluster can do


@pytest.mark.ray
@needs_ray
@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"TERNARY_LAB_RAY": "127.0.0.1:9"}, "The Ray cluster at 127.0.0.1:9 cannot be reached"),
        ({"TERNARY_LAB_RAY_CPUS": "64"}, "No machine of the cluster has 64 processors for a run"),
        ({"TERNARY_LAB_RUN_MEMORY_MIB": "1e8"}, "processors and 100,000,000 MiB of memory"),
    ],
)
def test_what_cannot_be_reached_is_said(lab_on_ray, monkeypatch, settings, sentence):
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    run = wait_until_over(runner.submit(lab_on_ray.experiment))
    assert run.state == "failed"
    assert sentence in run.message


@pytest.mark.ray
@needs_ray
def test_the_doctor_reaches_the_cluster(lab_on_ray):
    command = [sys.executable, "-m", "core", "doctor"]
    said = subprocess.run(
        command, cwd=runner.PROJECT, capture_output=True, text=True, timeout=60, check=False
    )
    assert "ok       ray: 2 machines, 2 processors, 2 runs at a time" in said.stdout


@pytest.mark.ray
@needs_ray
def test_two_runs_compute_on_two_nodes_and_one_survives_the_other_node(lab_on_ray, long, cluster):
    runs = [runner.submit(replace(long, seed=seed)) for seed in (1, 2)]
    wait_for(lambda: all((run.folder / CHECKPOINT_FILE).exists() for run in runs))
    third = runner.submit(replace(long, seed=3))
    wait_for(lambda: len(processes_of(third)) == 1)
    assert state_of(third) == "queued"  # both processors are taken
    stop_within_three_seconds(third)
    (node,) = cluster.worker_nodes
    cluster.remove_node(node, allow_graceful=False)
    try:
        wait_for(lambda: "failed" in map(state_of, runs))
        lost, other = sorted(runs, key=state_of)
        assert found(lost.run_id).message.startswith(LOST)
        assert state_of(other) == "running"
        said = steps_of(other)
        wait_for(lambda: steps_of(other) > said)
    finally:
        cluster.add_node(num_cpus=1, object_store_memory=SMALL_STORE_BYTES)
    runner.submit(lost.experiment)
    wait_for(lambda: resumed_at(lost) is not None)
    step = resumed_at(lost)
    assert step
    wait_for(lambda: steps_of(lost) > step)
    for run in (other, lost):
        stop_within_three_seconds(run)
