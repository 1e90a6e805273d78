"""Computing on this computer, in the calling process, a few runs at a time.

The process waits for its turn by itself: there is no scheduler to die. The order is that of the
tickets, the number of slots is that of `slots/*.lock`, and every lock dies with its holder, so
several servers on one folder need nothing more.
"""

import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from core import settings
from core.events import Event
from core.experiment import Teaching
from core.machine import cores
from core.runs.locks import is_held
from core.runs.run_store import (
    list_runs,
    mark_begun,
    read_folder,
    read_job,
    runs_folder,
    stop_asked,
)

POLL_SECONDS = 0.2


def slots() -> int:
    """Runs that may compute at the same time: TERNARY_LAB_SLOTS, else one per two cores."""
    return settings.SLOTS.value() or max(1, cores() // 2)


def threads() -> int:
    """The most threads of one run: those of TERNARY_LAB_THREADS, else as many as let all slots
    together use every core."""
    return fixed_threads() or max(1, cores() // slots())


def fixed_threads() -> int | None:
    """The number of threads that every run keeps, whatever else the machine does; None where
    TERNARY_LAB_THREADS does not say."""
    return settings.THREADS.value()


@contextmanager
def compute(folder: Path) -> Generator[Generator[Event] | None]:
    """The events of the run of `folder`, computed here (see the port in `backend`)."""
    with _slot(folder) as mine:
        if not mine:
            yield None
            return
        events = events_of(folder, threads())
        try:
            yield events
        finally:
            events.close()


def events_of(folder: Path, threads: int) -> Generator[Event]:
    """Train or teach what the folder says, at once; on that many threads, or on fewer while other
    programs use the processors (see `core.training.threads`), unless the number is fixed."""
    from core.training.student_training import train
    from core.training.teacher_training import teach
    from core.training.threads import ThreadCount, with_threads

    job = read_job(folder)
    follows = threads > 1 and fixed_threads() is None
    training = teach(job, folder=folder) if isinstance(job, Teaching) else train(job, folder)
    yield from with_threads(training, threads, ThreadCount(threads) if follows else None)


@contextmanager
def _slot(folder: Path) -> Generator[bool]:
    """Wait until this run is the first in the queue and a slot is free; False if asked to stop."""
    places = runs_folder().parent / "slots"
    places.mkdir(parents=True, exist_ok=True)
    while not stop_asked(folder):
        for number in range(slots()):
            lock = FileLock(places / f"{number}.lock")
            if is_held(places / f"{number}.lock") or not _is_next(folder):
                continue  # the order of the queue is only looked at when a slot is free
            try:
                lock.acquire(timeout=0)
            except Timeout:
                continue
            try:
                mark_begun(folder)
                yield True
            finally:
                lock.release()
            return
        time.sleep(POLL_SECONDS)
    yield False


def _is_next(folder: Path) -> bool:
    queued = [run for run in list_runs() if run.state == "queued" and not run.shipped]
    mine = read_folder(folder).place_in_queue
    return all(mine <= run.place_in_queue for run in queued)
