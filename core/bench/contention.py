"""What another busy program costs a training step, with three ways to share the processors.

spinning   every thread; one that waits for another spins (OpenMP's usual way)
sleeping   every thread; one that waits sleeps, as in every training of this project
followed   as `sleeping`, with as many threads as the machine gives (`core.training.threads`)

Each way is a process that trains, and only one of them at a time: they take turns, alone and then
beside a process that keeps one processor busy. All of that once as the command line trains, and
once as the app does, whose trainings give way to pages. A turn's first half is not counted: in it
the number of threads settles.
"""

import multiprocessing
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from core.bench.train import arm_of
from core.events import Event, StepDone
from core.experiment import Experiment
from core.machine import WAITING, cores, training_environment
from core.runs.runner import let_pages_go_first

WAYS = {"spinning": "active", "sleeping": "passive", "followed": "passive"}
TURN_SECONDS = 14.0
WARM_UP = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """Seconds of a step of one way, mean and median over all turns, and the last number of
    threads; `ratio` is the mean over that of `spinning` alone."""

    way: str
    gives_way: bool
    beside: bool
    seconds: float
    median_seconds: float
    steps: int
    threads: int
    ratio: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Turn:
    seconds: tuple[float, ...]
    threads: int


def measure(experiment: Experiment, rounds: int, show: Callable[[str], None]) -> list[Shared]:
    """All ways, alone and beside a busy process, as from the command line and as from the app."""
    found = []
    for gives_way in (False, True):
        turns: dict[tuple[str, bool], list[_Turn]] = {}
        with _workers(experiment, gives_way) as workers:
            for number in range(rounds):
                for beside in (False, True):
                    show(f"round {number + 1} of {rounds}, nice {gives_way}, beside {beside}")
                    with _busy_process() if beside else _nothing():
                        for way, worker in _in_turn(workers, number):
                            worker.send(TURN_SECONDS)
                            turns.setdefault((way, beside), []).append(worker.recv())
        found += _shared(turns, gives_way)
    return found


def _in_turn(workers: dict[str, Connection], number: int) -> list[tuple[str, Connection]]:
    """The workers, in every round from another on."""
    listed, first = list(workers.items()), number % len(workers)
    return [*listed[first:], *listed[:first]]


def _shared(turns: dict[tuple[str, bool], list[_Turn]], gives_way: bool) -> list[Shared]:
    seconds = {key: [s for turn in each for s in turn.seconds] for key, each in turns.items()}
    alone = statistics.mean(seconds["spinning", False])
    return [
        Shared(
            way=way,
            gives_way=gives_way,
            beside=beside,
            seconds=statistics.mean(times),
            median_seconds=statistics.median(times),
            steps=len(times),
            threads=turns[way, beside][-1].threads,
            ratio=statistics.mean(times) / alone,
        )
        for (way, beside), times in seconds.items()
    ]


@contextmanager
def _nothing() -> Generator[None]:
    yield


@contextmanager
def _busy_process() -> Generator[None]:
    """A program of its own session that wants one processor, all the time."""
    program = [sys.executable, "-c", "while True: pass"]
    process = subprocess.Popen(program, start_new_session=True)
    try:
        yield
    finally:
        process.kill()
        process.wait()


@contextmanager
def _workers(experiment: Experiment, gives_way: bool) -> Generator[dict[str, Connection]]:
    """A process for each way, ready to train."""
    context, before = multiprocessing.get_context("spawn"), dict(os.environ)
    processes: list[Any] = []
    workers: dict[str, Connection] = {}
    try:
        for way, waiting in WAYS.items():
            os.environ.update(training_environment() | {WAITING: waiting})
            workers[way], other = context.Pipe()
            arguments = (other, experiment, way == "followed", gives_way)
            processes.append(context.Process(target=_work, args=arguments, daemon=True))
            processes[-1].start()
            other.close()
            workers[way].recv()
        yield workers
    finally:
        os.environ.clear()
        os.environ.update(before)
        for process in processes:
            process.kill()
            process.join()


def _work(parent: Connection, experiment: Experiment, follows: bool, gives_way: bool) -> None:
    """Train for as many seconds as the parent says, again and again."""
    from core.training.threads import ThreadCount, with_threads

    if hasattr(os, "setsid"):
        os.setsid()
    take, batches = arm_of(experiment)
    numbers = iter(range(1, sys.maxsize))

    def steps(until: float) -> Generator[Event]:
        while time.perf_counter() < until:
            yield take(next(batches), next(numbers))

    for _ in range(WARM_UP):
        take(next(batches), next(numbers))
    if gives_way:
        let_pages_go_first(os.getpid())
    parent.send(None)
    while True:
        turn: float = parent.recv()
        began = time.perf_counter()
        count = ThreadCount(cores()) if follows else None
        parent.send(_turn(with_threads(steps(began + turn), cores(), count), began + turn / 2))


def _turn(events: Iterator[Event], half: float) -> _Turn:
    """The steps that began in the second half of the turn, the last one at least."""
    import torch

    counted: list[float] = []
    last: list[float] = []
    began = time.perf_counter()
    for event in events:
        if isinstance(event, StepDone):
            last = [event.seconds]
            counted += last if began > half else []
        began = time.perf_counter()
    return _Turn(seconds=tuple(counted or last), threads=torch.get_num_threads())
