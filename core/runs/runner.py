"""Runs compute in their own processes, one after the other.

`submit` writes the run's folder and starts `python -m core run --run-dir FOLDER` in a session of
its own, so neither a page that reruns nor a server that stops takes the training with it. The
process waits for its turn by itself: there is no scheduler to die. The order is that of the
tickets, the number of slots is that of `slots/*.lock`, and every lock dies with its holder, so
several servers on one folder need nothing more.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from filelock import FileLock, Timeout

from core.errors import InputError, within
from core.events import Event, Finished, Taught, to_json
from core.experiment import Experiment, Teaching
from core.machine import cores
from core.places import write_text
from core.records import canonical_json
from core.runs.store import (
    EXPERIMENT_FILE,
    TEACHING_FILE,
    Run,
    find_run,
    is_alive,
    is_held,
    is_ordered,
    list_runs,
    read_folder,
    read_order,
    run_folder,
    runs_folder,
    ticket_of,
)

PROJECT = Path(__file__).resolve().parent.parent.parent
POLL_SECONDS = 0.2
_THERE = ("finished", "running", "queued")
_children: list[subprocess.Popen[bytes]] = []


def slots() -> int:
    """Runs that may compute at the same time: TERNARY_LAB_SLOTS, else one per two cores."""
    text = os.environ.get("TERNARY_LAB_SLOTS", "")
    count = int(text) if text.isdecimal() else max(1, cores() // 2)
    within("TERNARY_LAB_SLOTS", count, 1, 256)
    return count


def submit(order: Experiment | Teaching, again: bool = False) -> Run:
    """Start the run, or return the one that is running, queued or (unless `again`) finished.

    Raises InputError when the folder cannot be written.
    """
    _children[:] = [child for child in _children if child.poll() is None]
    folder = run_folder(order.run_id)
    with _submitting():
        known = find_run(order.run_id)
        if known is not None and known.state in _THERE and not (again and known.is_over):
            return known
        prepare_folder(folder, order)
        with (folder / "worker.log").open("wb") as log:
            command = [sys.executable, "-m", "core", "run", "--run-dir", str(folder)]
            child = subprocess.Popen(
                command, cwd=PROJECT, stdout=log, stderr=log, start_new_session=True
            )
        _children.append(child)
    return read_folder(folder)


@contextmanager
def _submitting() -> Generator[None]:
    try:
        runs_folder().mkdir(parents=True, exist_ok=True)
        with FileLock(runs_folder() / "submit.lock", timeout=10):
            yield
    except Timeout as error:
        raise InputError("Another run is being started right now. Try again.") from error
    except OSError as error:
        raise _not_startable(error) from error


def _not_startable(error: OSError) -> InputError:
    return InputError(
        f"The run cannot be started in {runs_folder()}: {error.strerror or error}. "
        "Free some space or point TERNARY_LAB_HOME to another folder."
    )


def prepare_folder(folder: Path, order: Experiment | Teaching) -> None:
    """Make the folder of a new attempt: traces of an earlier one are removed.

    Raises InputError when it cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("STOP", "error.txt", "events.jsonl", "result.json", "worker.pid"):
            (folder / name).unlink(missing_ok=True)
    except OSError as error:
        raise _not_startable(error) from error
    file = TEACHING_FILE if isinstance(order, Teaching) else EXPERIMENT_FILE
    write_text(folder / file, canonical_json(order) + "\n")
    write_text(folder / "ticket", f"{time.time():.6f}")


def work(folder: Path, show: Callable[[Event], None] = lambda event: None) -> Run:
    """Compute the run of `folder` in this process, when its turn comes.

    `show` gets every event. Raises InputError when the run fails (the sentence is
    in error.txt too) or another process already computes it.
    """
    if not is_ordered(folder):
        raise InputError(f"{folder} is not the folder of a run: it has no experiment.json.")
    lock = FileLock(folder / "worker.lock")
    try:
        lock.acquire(timeout=2)
    except Timeout as error:
        raise InputError(f"Another process already computes the run in {folder}.") from error
    try:
        write_text(folder / "worker.pid", str(os.getpid()))
        with _slot(folder) as mine:
            if mine:
                _compute(folder, show)
    except InputError as error:
        _keep_reason(folder, str(error))
        raise
    except Exception as error:
        _keep_reason(folder, f"A fault of ours stopped the run: {error!r}. See worker.log.")
        raise
    finally:
        lock.release()
    return read_folder(folder)


def _keep_reason(folder: Path, sentence: str) -> None:
    try:
        write_text(folder / "error.txt", sentence)
    except InputError:  # a full disk still takes the name of a file
        with suppress(OSError):
            (folder / "error.txt").touch()


def _compute(folder: Path, show: Callable[[Event], None]) -> None:
    import torch

    torch.set_num_threads(max(1, cores() // slots()))
    training = _events_of(folder)
    try:
        with (folder / "events.jsonl").open("a", encoding="utf-8") as log:
            for event in training:
                record(event, folder, log)
                show(event)
                if stop_asked(folder):
                    return
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(f"The run could not be written: {reason}. Free some space.") from error
    finally:
        training.close()  # type: ignore[attr-defined]


def _events_of(folder: Path) -> Iterator[Event]:
    from core.training.teach import teach
    from core.training.train import train

    order = read_order(folder)
    return teach(order) if isinstance(order, Teaching) else train(order, folder)


def record(event: Event, folder: Path, log: TextIO) -> None:
    """Append the event; the last one is also the result file."""
    log.write(to_json(event) + "\n")
    log.flush()
    if isinstance(event, Finished | Taught):
        outcome = event.result if isinstance(event, Finished) else event.teacher
        write_text(folder / "result.json", canonical_json(outcome) + "\n")


def stop_asked(folder: Path) -> bool:
    """Whether somebody asked the run of this folder to stop."""
    return (folder / "STOP").exists()


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
                (folder / "events.jsonl").touch()
                yield True
            finally:
                lock.release()
            return
        time.sleep(POLL_SECONDS)
    yield False


def _is_next(folder: Path) -> bool:
    queued = [run.folder for run in list_runs() if run.state == "queued" and not run.shipped]
    mine = (ticket_of(folder), folder.name)
    return all(mine <= (ticket_of(other), other.name) for other in queued)


def stop(run_id: str) -> None:
    """Stop a run within about two seconds: ask, then SIGTERM, then SIGKILL. Finished runs stay."""
    folder = run_folder(run_id)
    if read_folder(folder).is_over:
        return
    write_text(folder / "STOP", "")
    for wait_seconds, harder in ((1.2, signal.SIGTERM), (0.4, signal.SIGKILL), (1.0, None)):
        deadline = time.monotonic() + wait_seconds
        while time.monotonic() < deadline:
            if not is_alive(folder):
                return
            time.sleep(0.05)
        if harder is not None:
            _signal(folder, harder)


def _signal(folder: Path, number: signal.Signals) -> None:
    try:
        pid = int((folder / "worker.pid").read_text())
        if pid != os.getpid() and is_alive(folder):  # never our own process, never a reused number
            os.killpg(pid, number)
    except (OSError, ValueError):
        pass  # gone in the meantime
