"""Killed, not asked to stop: workers, submitters and whoever holds a lock."""

import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from core.events import Finished, StepDone
from core.runs import runner
from core.runs.event_reading import read_events
from core.runs.run_store import is_alive, list_runs, read_folder, run_folder
from core.serialization import canonical_json
from tests.conftest import compute, end_worker, idle_worker, wait_for, with_train

# Asks for experiments whose worker does nothing but live, all processes at the same moment, and
# prints how many it started.
ASK = """
import os, sys, time
from pathlib import Path
from core.experiment import Experiment
from core.serialization import from_json
from core.runs import runner
start, sys.executable, *orders = sys.argv[1:]
Path(start + "-" + str(os.getpid())).touch()
while not Path(start).exists():
    time.sleep(0.001)
started = 0
for order in orders:
    runner._children.clear()
    runner.submit(from_json(Experiment, order))
    started += len(runner._children)
print(started)
"""


def ask_from(processes: int, start: Path, orders) -> list[int]:
    """How many workers each of some processes started when all asked for all orders at once."""
    texts = [canonical_json(job) for job in orders]
    worker = idle_worker(start.parent)
    askers = [
        subprocess.Popen(
            [sys.executable, "-c", ASK, str(start), worker, *texts[shift:], *texts[:shift]],
            cwd=runner.PROJECT,
            stdout=subprocess.PIPE,
        )
        for shift in range(processes)
    ]
    wait_for(lambda: len(list(start.parent.glob(f"{start.name}-*"))) == processes)
    start.touch()
    return [int(asker.communicate(timeout=60)[0]) for asker in askers]


def test_servers_on_one_folder_lose_no_run_and_double_none(lab, tmp_path):
    orders = [replace(lab.experiment, seed=seed) for seed in range(8)]
    started = ask_from(3, tmp_path / "start", orders)
    assert sum(started) == len(orders)
    assert {run.run_id for run in list_runs()} == {job.run_id for job in orders}
    assert {run.state for run in list_runs()} == {"queued"}
    for run in list_runs():
        end_worker(run.folder)
    tickets = [float((run.folder / "ticket").read_text()) for run in list_runs()]
    assert len(set(tickets)) == len(orders)


def test_the_lock_on_starting_dies_with_its_holder(lab, tmp_path, monkeypatch):
    script = (
        "import sys, time\nfrom core.runs import runner\n"
        "with runner.deciding():\n    print('held', flush=True)\n    time.sleep(600)"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", script], cwd=runner.PROJECT, stdout=subprocess.PIPE
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    holder.stdout.close()
    began = time.monotonic()
    with runner.deciding():
        assert time.monotonic() - began < 1.0


# Real workers


def finish(job):
    """Ask for the run until it is finished."""
    run = runner.submit(job)
    wait_for(lambda: read_folder(run.folder).is_over, seconds=120)
    return read_folder(run.folder)


def told(run):
    """Losses and scores of a run, and its packed file, without how long anything took."""
    events = [e for e in read_events(run.folder) if type(e).__name__ in ("StepDone", "Evaluated")]
    plain = [replace(e, seconds=0.0) if isinstance(e, StepDone) else e for e in events]
    files = ("model.safetensors", "latent.safetensors", "predictions.safetensors")
    return plain, [(run.folder / name).read_bytes() for name in files]


@pytest.fixture
def workers():
    yield
    for child in runner._children:
        child.kill()
        child.wait()
    runner._children.clear()


def killed_at(seconds, job) -> None:
    """Start the run and kill its worker so long after its turn came; it may have finished."""
    run = runner.submit(job)
    wait_for(lambda: (run.folder / "began").exists() or read_folder(run.folder).is_over)
    time.sleep(seconds)  # the moment is what is tested
    if is_alive(run.folder):
        os.killpg(int((run.folder / "worker.pid").read_text()), signal.SIGKILL)
    wait_for(lambda: not is_alive(run.folder))


@pytest.mark.many
@pytest.mark.parametrize("seed", range(4))
def test_killed_at_five_moments_a_run_ends_as_if_it_had_not_been(lab, workers, seed):
    job = with_train(lab.experiment, steps=600, evaluate_every=150)
    began = time.monotonic()
    expected = told(compute(job))
    whole_seconds = time.monotonic() - began
    moments, states = random.Random(seed), []
    runner.prepare_folder(run_folder(job.run_id), job, fresh=True)
    for _ in range(5):
        killed_at(moments.uniform(0.0, 3.0 + whole_seconds), job)
        run = read_folder(run_folder(job.run_id))
        assert run.state in ("interrupted", "finished"), run.message
        states.append(run.state)
    run = finish(job)
    assert run.state == "finished", run.message
    assert told(run) == expected
    assert isinstance(read_events(run.folder)[-1], Finished)
    assert "interrupted" in states
