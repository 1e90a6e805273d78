"""What another busy program costs a training step, with three ways to share the processors.

usual      every thread, waiting for each other as OpenMP does by itself
brief      every thread; one that waits sleeps soon, as in every training of this project
followed   as `brief`, with as many threads as the machine gives (`core.training.threads`)

Each way is a process that trains, and only one of them at a time: they take turns, alone and then
beside a process that keeps one processor busy. Between its turns a process is stopped by the
system, for its threads may go on waiting in a loop. All of that once as the command line trains,
and once as the app does, whose trainings give way to pages. A turn's first half is not counted: in
it the number of threads settles.
"""

import multiprocessing
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from core.bench.training_step import arm_of
from core.events import Event, StepDone
from core.experiment import Experiment
from core.machine import SPINS, WAITING, cores, training_environment
from core.runs.runner import let_pages_go_first

USUAL = "usual"
WAYS = (USUAL, "brief", "followed")
TURN_SECONDS = 14.0
WARM_UP = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """Seconds of a step of one way, mean and median over all turns, and the last number of
    threads; `ratio` is the mean over that of `usual` alone."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Worker:
    """A process that trains when it is its turn, and is stopped at all other times."""

    process: Any
    pipe: Connection

    def turn(self) -> _Turn:
        os.kill(self.process.pid, signal.SIGCONT)
        self.pipe.send(TURN_SECONDS)
        found = self.pipe.recv()
        self.stop()
        return found

    def stop(self) -> None:
        os.kill(self.process.pid, signal.SIGSTOP)


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
                            turns.setdefault((way, beside), []).append(worker.turn())
        found += _shared(turns, gives_way)
    return found


def _in_turn(workers: dict[str, _Worker], number: int) -> list[tuple[str, _Worker]]:
    """The workers, in every round from another on."""
    listed, first = list(workers.items()), number % len(workers)
    return [*listed[first:], *listed[:first]]


def _shared(turns: dict[tuple[str, bool], list[_Turn]], gives_way: bool) -> list[Shared]:
    seconds = {key: [s for turn in each for s in turn.seconds] for key, each in turns.items()}
    alone = statistics.mean(seconds[USUAL, False])
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
def _workers(experiment: Experiment, gives_way: bool) -> Generator[dict[str, _Worker]]:
    """A process for each way, ready to train."""
    context, before = multiprocessing.get_context("spawn"), dict(os.environ)
    workers: dict[str, _Worker] = {}
    try:
        for way in WAYS:
            os.environ.update(training_environment())
            if way == USUAL:
                for name in (SPINS, WAITING):
                    os.environ.pop(name, None)
            pipe, other = context.Pipe()
            arguments = (other, experiment, way == "followed", gives_way)
            process = context.Process(target=_work, args=arguments, daemon=True)
            process.start()
            workers[way] = _Worker(process=process, pipe=pipe)
            other.close()
            pipe.recv()
            workers[way].stop()
        yield workers
    finally:
        os.environ.clear()
        os.environ.update(before)
        for worker in workers.values():
            worker.process.kill()
            worker.process.join()


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
