"""A run's state is that of its process: from the start to the end, whatever a clock says."""

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import replace

import pytest

from core import api
from core.runs import locks, runner
from core.runs.run_store import is_alive, list_runs, read_folder, run_folder
from tests.conftest import end_worker, idle_worker, wait_for

PYTHON = sys.executable
OTHER_SERVER = """
from core.runs.run_store import list_runs
print(*sorted({run.state for run in list_runs()}))
"""


@pytest.fixture
def workers():
    """No worker outlives its test."""
    yield
    for child in runner._children:
        with suppress(OSError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
    runner._children.clear()


@pytest.fixture
def idle(lab, tmp_path, monkeypatch, workers):
    """Workers that never get as far as their first line."""
    monkeypatch.setattr(runner.sys, "executable", idle_worker(tmp_path))
    return lab


def seen_while(action, every: float = 0.0) -> set[str]:
    """Every state that any run had, looked at so many seconds apart, while `action` ran."""
    seen, over = set(), threading.Event()

    def look() -> None:
        while not over.wait(every):
            seen.update(run.state for run in list_runs())

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        action()
    finally:
        over.set()
        watcher.join()
    return seen


def test_thirty_starts_within_a_second_are_queued_at_every_moment(idle, monkeypatch):
    orders = [replace(idle.experiment, seed=seed) for seed in range(30)]
    seen = seen_while(lambda: [runner.submit(order) for order in orders])
    assert seen | {run.state for run in list_runs()} == {"queued"}
    assert len(list_runs()) == 30
    later = time.time() + 86_400.0
    monkeypatch.setattr(time, "time", lambda: later)
    for run in list_runs():
        os.utime(run.folder / "ticket", (1.0, 1.0))
    assert {run.state for run in list_runs()} == {"queued"}
    first, *others = list_runs()
    end_worker(first.folder)
    assert read_folder(first.folder).state == "interrupted"
    assert {read_folder(run.folder).state for run in others} == {"queued"}


def test_another_server_sees_that_a_starting_process_lives(idle):
    run = runner.submit(idle.experiment)
    ask = [PYTHON, "-c", OTHER_SERVER]
    told = subprocess.run(ask, cwd=runner.PROJECT, capture_output=True, text=True, check=True)
    assert told.stdout.split() == ["queued"]
    assert runner.submit(idle.experiment).run_id == run.run_id
    assert len(runner._children) == 1


def test_a_start_that_is_made_again_is_queued_at_every_moment(idle):
    run = runner.submit(idle.experiment)
    end_worker(run.folder)
    for name in ("began", "error.txt"):
        (run.folder / name).write_text("of the attempt before")
    assert read_folder(run.folder).state == "failed"
    assert seen_while(lambda: runner.submit(idle.experiment)) <= {"failed", "running", "queued"}
    assert read_folder(run.folder).state == "queued"


def test_a_process_that_ended_but_that_nobody_waited_for_does_not_live(idle):
    run = runner.submit(idle.experiment)
    (child,) = runner._children
    os.kill(child.pid, signal.SIGKILL)
    wait_for(lambda: read_folder(run.folder).state == "interrupted")
    assert child.returncode is None  # never asked, so it is still in the table of processes
    child.wait()


def test_a_starting_process_is_stopped_in_two_seconds(idle):
    run = runner.submit(idle.experiment)
    began = time.monotonic()
    api.stop(run.run_id)
    assert time.monotonic() - began < 2.5
    assert read_folder(run.folder).state == "stopped"


@pytest.mark.parametrize("number", ["0", "1", "-1", "9" * 20, "x", "", "9" * 100])
def test_a_number_that_is_no_worker_is_never_signalled(lab, monkeypatch, number):
    runner.prepare_folder(run_folder(lab.experiment.run_id), lab.experiment)
    folder = run_folder(lab.experiment.run_id)
    (folder / "worker.pid").write_text(number)
    monkeypatch.setattr(runner.os, "killpg", lambda pid, what: pytest.fail(f"killed {pid}"))
    held = locks.take(folder / "worker.lock")
    assert held is not None
    runner._signal(folder, signal.SIGTERM)
    held.release()


def test_a_reused_number_is_no_sign_of_life(lab):
    folder = run_folder(lab.experiment.run_id)
    runner.prepare_folder(folder, lab.experiment)
    other = subprocess.Popen(["sleep", "600"], start_new_session=True)
    (folder / "worker.pid").write_text(str(other.pid))
    assert read_folder(folder).state == "interrupted"
    runner._signal(folder, signal.SIGKILL)
    assert other.poll() is None
    other.kill()
    other.wait()


# Locks


def test_a_lock_outlives_whoever_handed_it_over(tmp_path):
    lock = tmp_path / "lock"
    held = locks.take(lock)
    assert held is not None
    assert held.descriptor is not None
    child = subprocess.Popen(["sleep", "600"], pass_fds=(held.descriptor,))
    held.leave()
    assert locks.is_held(lock)
    assert locks.take(lock, seconds=0.0) is None
    child.kill()
    child.wait()
    assert not locks.is_held(lock)


def test_an_inherited_lock_is_the_one_of_the_folder(tmp_path):
    held = locks.take(tmp_path / "lock")
    assert held is not None
    assert held.descriptor is not None
    (tmp_path / "other").touch()
    assert locks.inherited(tmp_path / "other", held.descriptor) is None
    assert locks.inherited(tmp_path / "lock", 10**6) is None
    again = locks.inherited(tmp_path / "lock", held.descriptor)
    assert again is not None
    again.release()
    assert not locks.is_held(tmp_path / "lock")


def test_whoever_sweeps_is_not_taken_for_a_worker_and_keeps_workers_out(tmp_path):
    lock = tmp_path / "lock"
    with locks.shared(lock) as free:
        assert free is None
    lock.touch()
    with locks.shared(lock) as free:
        assert free is True
        assert not locks.is_held(lock)
        assert locks.take(lock, seconds=0.0) is None
    held = locks.take(lock)
    assert held is not None
    with locks.shared(lock) as free:
        assert free is False
    held.release()


# Real workers


def test_where_a_lock_cannot_be_handed_over_the_start_waits_until_it_is_taken(
    lab, monkeypatch, workers
):
    monkeypatch.setattr(locks, "fcntl", None)
    run = runner.submit(lab.experiment)
    assert run.state in ("queued", "running")
    assert is_alive(run.folder)
    api.stop(run.run_id)
    assert read_folder(run.folder).state == "stopped"


@pytest.mark.slow
def test_thirty_real_starts_on_few_cores_end_finished_and_are_never_called_interrupted(
    lab, monkeypatch, workers
):
    monkeypatch.setenv("TERNARY_LAB_SLOTS", "2")
    orders = [replace(lab.experiment, seed=seed) for seed in range(30)]

    def all_of_them() -> None:
        for order in orders:
            runner.submit(order)
        wait_for(lambda: all(run.is_over for run in list_runs()), seconds=1200.0, every=0.2)

    # Without a pause the one who looks would take a core from those who are to start.
    assert seen_while(all_of_them, every=0.2) == {"queued", "running", "finished"}
    assert len(list_runs()) == 30
