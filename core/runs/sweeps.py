"""A sweep computes what a grid still lacks: run after run, each in its own process.

Nothing is remembered but the runs themselves, so a sweep that is started again goes on where it
was. Several sweeps may work on one grid: each claims a run before it submits it, goes on with the
next one where another sweep was first, and waits for the others' runs only at the end. Claims are
locks, so they die with their holder.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from filelock import FileLock, Timeout

from core.errors import InputError
from core.runs import runner
from core.runs.grids import Planned
from core.runs.run_store import Run, find_run, list_runs, read_folder, run_folder, runs_folder

POLL_SECONDS = 0.3


def known_runs() -> dict[str, Run]:
    """All runs by id, read once."""
    return {run.run_id: run for run in list_runs()}


def sweep(planned: Sequence[Planned]) -> Iterator[tuple[Planned, Run]]:
    """Compute each run that is not finished, in order; yields each with what became of it.

    A run that fails is yielded like any other. Closing the generator stops the run that it
    computes. Raises InputError when a run cannot be started at all.
    """
    known, others = known_runs(), list[Planned]()
    for one in planned:
        run = known.get(one.experiment.run_id)
        if run is not None and run.state == "finished":
            yield one, run
            continue
        with _claim(one) as mine:
            if mine:
                yield one, _compute(one)
            else:
                others.append(one)
    for one in others:  # by now their sweeps are at work on them, done, or gone
        with _claim(one, patient=True):
            yield one, _compute(one)


@contextmanager
def _claim(one: Planned, patient: bool = False) -> Iterator[bool]:
    folder = runs_folder().parent / "sweeps"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / f"{one.experiment.run_id}.lock")
        lock.acquire(timeout=-1 if patient else 0)
    except Timeout:
        yield False
        return
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(f"The sweep cannot be written in {folder}: {reason}.") from error
    try:
        yield True
    finally:
        lock.release()


def _compute(one: Planned) -> Run:
    """Submit the run (unless it is finished by now) and wait until it is over."""
    known = find_run(one.experiment.run_id)
    if known is not None and known.state == "finished":
        return known
    ours = known is None or known.is_over
    run = runner.submit(one.experiment)
    try:
        while not run.is_over:
            time.sleep(POLL_SECONDS)
            run = read_folder(run_folder(run.run_id))
    except BaseException:
        if ours:
            runner.stop(run.run_id)
        raise
    return run
