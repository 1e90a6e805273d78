"""A training has as many threads as the machine has to give, and says what it changes."""

import os
import subprocess
import sys
import time
from contextlib import closing

import pytest
import torch

from core.errors import InputError
from core.events import Finished, Preparing, Resumed, StepDone, ThreadsChanged
from core.runs import local
from core.runs.event_reading import read_events
from core.runs.local import events_of
from core.runs.run_store import run_folder
from core.runs.runner import prepare_folder, work
from core.training import cpu_usage, threads
from core.training.checkpoint_header import FILE as CHECKPOINT_FILE
from core.training.cpu_usage import Reading, Usage, read_usage, usage_between
from core.training.threads import (
    LOOKS_DOWN,
    LOOKS_UP_MOST,
    ThreadCount,
    wanted_threads,
    with_threads,
)
from tests.conftest import with_train

linux = pytest.mark.skipif(sys.platform != "linux", reason="no such accounts elsewhere")
BUSY, IDLE = (1.0, 1.0), (0.0, 0.02)  # others' processors and the share waited, of two processors


def accounts(*looks: tuple[float, float]):
    """The readings of a process that computes one second a second, and between them these looks;
    the last goes on for ever."""
    before, queue = Reading(clock=100.0, own=5.0, everybody=50.0, waited=1.0), list(looks)
    started = False

    def read() -> Reading:
        nonlocal before, started
        if started:
            others, waited = queue.pop(0) if len(queue) > 1 else queue[0]
            before = Reading(
                clock=before.clock + 1,
                own=before.own + 1,
                everybody=before.everybody + 1 + others,
                waited=before.waited + waited,
            )
        started = True
        return before

    return read


def numbers(count: ThreadCount, looks: int) -> list[int]:
    found = []
    for _ in range(looks):
        count.look()
        found.append(count.now)
    return found


@pytest.fixture(autouse=True)
def _as_before():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)
    threads._used.clear()


# The decision


@pytest.mark.parametrize(
    ("others", "waited", "now", "most", "processors", "wanted"),
    [
        (0.0, 0.0, 2, 2, 2, 2),  # alone
        (1.0, 0.7, 2, 2, 2, 1),  # one of two is busy
        (1.0, 0.0, 2, 2, 2, 2),  # somebody uses it, and gives way
        (0.1, 0.9, 2, 2, 2, 2),  # our own threads wait for each other
        (0.5, 0.5, 2, 2, 2, 2),  # half of one is not worth a thread
        (2.0, 3.0, 2, 2, 2, 1),  # never none
        (1.0, 0.0, 1, 2, 2, 1),  # nothing to take back
        (0.4, 0.0, 1, 2, 2, 1),
        (0.2, 0.0, 1, 2, 2, 2),
        (0.0, 0.0, 1, 1, 2, 1),  # never more than the run may have
        (6.0, 0.0, 2, 2, 8, 2),  # three other runs beside this one
        (7.0, 0.7, 2, 2, 8, 1),
        (3.0, 0.5, 8, 8, 8, 5),
        (0.0, 0.0, 3, 8, 8, 8),
    ],
)
def test_what_one_look_asks_for(others, waited, now, most, processors, wanted):
    usage = Usage(processors=processors, others=others, waited=waited)
    assert wanted_threads(usage, now, most) == wanted


def test_an_idle_machine_changes_nothing(monkeypatch):
    monkeypatch.setattr(cpu_usage.os, "sched_getaffinity", lambda process: {0, 1})
    assert numbers(ThreadCount(2, accounts(IDLE)), 50) == [2] * 50


def test_one_busy_look_is_not_enough(monkeypatch):
    monkeypatch.setattr(cpu_usage.os, "sched_getaffinity", lambda process: {0, 1})
    count = ThreadCount(2, accounts(BUSY, IDLE, BUSY, IDLE, BUSY, BUSY, BUSY))
    assert numbers(count, 7) == [2, 2, 2, 2, 2, 1, 1]


def test_a_thread_comes_back_later_after_every_disturbance(monkeypatch):
    monkeypatch.setattr(cpu_usage.os, "sched_getaffinity", lambda process: {0, 1})
    waits = []
    count = ThreadCount(2, accounts(*([BUSY] * LOOKS_DOWN)))
    for _ in range(6):
        count._read = accounts(BUSY)
        count._before = count._read()
        assert numbers(count, LOOKS_DOWN)[-1] == 1
        count._read = accounts(IDLE)
        count._before = count._read()
        waits.append(numbers(count, 2 * LOOKS_UP_MOST).index(2) + 1)
    assert waits == [4, 8, 16, LOOKS_UP_MOST, LOOKS_UP_MOST, LOOKS_UP_MOST]


def test_without_accounts_the_number_stays():
    assert numbers(ThreadCount(2, lambda: None), 20) == [2] * 20


# The accounts


@linux
def test_a_busy_neighbour_on_the_same_processor_is_seen():
    """This thread and another process spin on one processor for a second."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    neighbour = subprocess.Popen([sys.executable, "-c", "while True: pass"])  # bound as we are
    try:
        time.sleep(0.3)
        first = read_usage()
        end = time.monotonic() + 1
        while time.monotonic() < end:
            pass
        last = read_usage()
    finally:
        neighbour.kill()
        neighbour.wait()
        os.sched_setaffinity(0, before)
    assert first is not None
    assert last is not None
    usage = usage_between(first, last)
    assert 0.2 < usage.others < 1.05
    assert usage.waited > 0.2
    assert last.own - first.own < 0.9


@linux
def test_the_processors_are_those_that_this_process_may_use(tmp_path, monkeypatch):
    """user nice system idle iowait irq softirq steal guest guest_nice, in hundredths"""
    (tmp_path / "stat").write_text(
        "cpu 999 999 999 999 999 999 999 999 999 999\n"
        "cpu0 100 20 3 5000 600 7 8 9 100 0\n"
        "cpu1 200 0 0 5000 600 0 0 0 0 0\n"
        "cpu10 400 0 0 5000 600 0 0 0 0 0\n"
        "intr 5 0 0\n"
    )
    task = tmp_path / "self/task"
    for number, nanoseconds in ((7, 500_000_000), (8, 250_000_000)):
        (task / str(number)).mkdir(parents=True)
        (task / str(number) / "schedstat").write_text(f"123 {nanoseconds} 9\n")
    monkeypatch.setattr(cpu_usage, "PROC", tmp_path)
    monkeypatch.setattr(cpu_usage.os, "sched_getaffinity", lambda process: {0, 10})
    found = read_usage()
    assert found is not None
    hundredths = 100 + 20 + 3 + 7 + 8 + 9 + 400
    assert found.everybody == pytest.approx(hundredths / os.sysconf("SC_CLK_TCK"))
    assert found.waited == 0.75
    for broken in ("", "cpu0 a b\n"):
        (tmp_path / "stat").write_text(broken)
        (task / "7" / "schedstat").write_text("torn" if not broken else "1 2 3")
        assert read_usage() is None
    monkeypatch.setattr(cpu_usage, "PROC", tmp_path / "nowhere")
    assert read_usage() is None


# A training


@pytest.fixture
def at_once(monkeypatch):
    """A look after every event, on a machine of two processors."""
    monkeypatch.setattr(threads, "LOOK_SECONDS", 0.0)
    monkeypatch.setattr(cpu_usage.os, "sched_getaffinity", lambda process: {0, 1})


def test_the_number_changes_between_two_events_and_is_told(at_once):
    seen, ended = [], []

    def training():
        try:
            for number in range(6):
                seen.append(torch.get_num_threads())
                yield Preparing(text=str(number))
        finally:
            ended.append(True)

    count = ThreadCount(2, accounts(IDLE, BUSY, BUSY, BUSY))
    with closing(with_threads(training(), 2, count)) as events:
        told = [next(events) for _ in range(5)]
        assert not ended
    assert ended, "closing reaches the training"
    assert seen == [2, 2, 2, 1]
    (change,) = [event for event in told if isinstance(event, ThreadsChanged)]
    assert told.index(change) == 3
    assert change.threads == 1
    assert change.text.startswith(
        "Computing with 1 of 2 threads from here on: other programs use 1.0 of 2 processors."
    )


def test_nothing_comes_after_the_last_event(at_once, finished_run):
    last = Finished(result=finished_run.result)
    events = with_threads(
        (e for e in [Preparing(text=""), last]), 2, ThreadCount(2, accounts(BUSY))
    )
    assert list(events)[-1] == last


def run_on_two(lab, monkeypatch, *looks):
    """The lab's run on two threads with these looks, one after every event."""
    monkeypatch.setattr(local, "threads", lambda: 2)
    monkeypatch.setattr(threads, "read_usage", accounts(*looks))
    folder = run_folder(lab.experiment.run_id)
    prepare_folder(folder, lab.experiment)
    return work(folder)


def test_a_run_says_and_records_what_it_changed(lab, at_once, monkeypatch):
    run = run_on_two(lab, monkeypatch, IDLE, IDLE, BUSY)
    told = read_events(run.folder)
    (change,) = [event for event in told if isinstance(event, ThreadsChanged)]
    assert change.threads == 1
    assert isinstance(told[-1], Finished)
    assert [event.step for event in told if isinstance(event, StepDone)] == [1, 2, 3, 4]
    assert run.result is not None
    assert run.result.machine.threads == 1
    assert run.result.machine.thread_counts == (2, 1)


def test_an_undisturbed_run_has_one_number(lab, at_once, monkeypatch):
    run = run_on_two(lab, monkeypatch, IDLE)
    assert not [e for e in read_events(run.folder) if isinstance(e, ThreadsChanged)]
    assert run.result is not None
    assert run.result.machine.threads == 2
    assert run.result.machine.thread_counts == ()


def test_a_run_that_changed_is_stopped_and_goes_on(lab, at_once, monkeypatch):
    """Its record keeps the change that came before the checkpoint."""
    experiment = with_train(lab.experiment, steps=8)
    folder = run_folder(experiment.run_id)
    prepare_folder(folder, experiment)
    monkeypatch.setattr(local, "threads", lambda: 2)
    monkeypatch.setattr(threads, "read_usage", accounts(BUSY))

    def stop_at_five(event):
        if isinstance(event, StepDone) and event.step == 5:
            (folder / "STOP").touch()

    work(folder, stop_at_five)
    assert (folder / CHECKPOINT_FILE).exists()
    prepare_folder(folder, experiment)
    monkeypatch.setattr(threads, "read_usage", accounts(IDLE))
    run = work(folder)
    told = read_events(folder)
    assert [event.step for event in told if isinstance(event, StepDone)] == [*range(1, 9)]
    (resumed,) = [event for event in told if isinstance(event, Resumed)]
    assert "(2 instead of 1)" in resumed.text
    (change,) = [event for event in told if isinstance(event, ThreadsChanged)]
    assert told.index(change) < told.index(resumed)
    assert run.state == "finished"


def test_a_number_that_a_person_chose_is_kept(lab, at_once, monkeypatch):
    monkeypatch.setenv("TERNARY_LAB_THREADS", "2")
    assert local.threads() == 2
    folder = run_folder(lab.experiment.run_id)
    prepare_folder(folder, lab.experiment)
    monkeypatch.setattr(threads, "read_usage", accounts(BUSY))
    told = list(events_of(folder, local.threads()))
    assert not [event for event in told if isinstance(event, ThreadsChanged)]
    assert isinstance(told[-1], Finished)
    assert told[-1].result.machine.threads == 2


@pytest.mark.parametrize("text", ["two", "1.5", "-1", "0", "2000"])
def test_a_slip_in_that_number_does_not_pass_for_none(monkeypatch, text):
    monkeypatch.setenv("TERNARY_LAB_THREADS", text)
    with pytest.raises(InputError, match="TERNARY_LAB_THREADS"):
        local.threads()
