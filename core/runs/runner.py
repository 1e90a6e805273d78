"""Every run has a process of its own.

`submit` writes the run's folder and starts `python -m core run --run-dir FOLDER` in a session of
its own, so neither a page that reruns nor a server that stops takes the training with it. That
process (`work`) holds the folder's lock, which dies with it, and writes down the events of the
place that computes (see `computing`): itself, when its turn comes, unless another is chosen.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from core.errors import InputError
from core.events import Event
from core.experiment import Experiment, Teaching
from core.places import write_text
from core.records import canonical_json
from core.runs.computing import chosen
from core.runs.limits import limits, watched
from core.runs.record import CHECKPOINT_FILE, EVENTS_FILE, Record
from core.runs.retention import make_room
from core.runs.store import (
    EXPERIMENT_FILE,
    TEACHING_FILE,
    Run,
    find_run,
    is_alive,
    is_ordered,
    next_ticket,
    read_folder,
    run_folder,
    runs_folder,
    stop_asked,
)

PROJECT = Path(__file__).resolve().parent.parent.parent
NICE = 10  # of 19: a tenth of the processor where pages want all of it
_THERE = ("finished", "running", "queued")
_children: list[subprocess.Popen[bytes]] = []


def submit(order: Experiment | Teaching, again: bool = False) -> Run:
    """Start the run, or return the one that is running, queued or finished. One that came to
    nothing goes on from its checkpoint. With `again` whatever is over starts from the beginning.

    Raises InputError when the folder cannot be written, there is no room, or a limit makes no
    sense.
    """
    _children[:] = [child for child in _children if child.poll() is None]
    folder = run_folder(order.run_id)
    limits()
    with deciding():
        known = find_run(order.run_id)
        if known is not None and known.state in _THERE and not (again and known.is_over):
            return known
        make_room(order.run_id)
        prepare_folder(folder, order, again)
        with (folder / "worker.log").open("wb") as log:
            command = [sys.executable, "-m", "core", "run", "--run-dir", str(folder)]
            child = subprocess.Popen(
                command, cwd=PROJECT, stdout=log, stderr=log, start_new_session=True
            )
        let_pages_go_first(child.pid)
        _children.append(child)
    return read_folder(folder)


def let_pages_go_first(worker: int) -> None:
    """A training gives way to those who answer people. Called before the worker has threads,
    which take after it. (The scheduling class for what is idle would answer sooner, but beside
    other work on the machine a training would stand still.)

    Where Linux groups processes by session, a process is nice only within its own session: there
    the session itself must be.
    """
    if hasattr(os, "setpriority"):
        with suppress(OSError):  # gone already
            os.setpriority(os.PRIO_PROCESS, worker, NICE)
    with suppress(OSError):  # gone, or no such groups
        Path(f"/proc/{worker}/autogroup").write_text(str(NICE))


@contextmanager
def deciding() -> Generator[None]:
    """One at a time, among all servers on this folder, decides which runs there are; the lock
    dies with its holder."""
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


def prepare_folder(folder: Path, order: Experiment | Teaching, fresh: bool = False) -> None:
    """Make the folder of a new attempt: traces of an earlier one are removed, but for checkpoint
    and record where there is something to go on from (never if `fresh`).

    Raises InputError when it cannot be written.
    """
    goes_on = not fresh and (folder / CHECKPOINT_FILE).exists()
    traces = ["STOP", "error.txt", "result.json", "worker.pid", "began"]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in traces if goes_on else [*traces, EVENTS_FILE, CHECKPOINT_FILE]:
            (folder / name).unlink(missing_ok=True)
    except OSError as error:
        raise _not_startable(error) from error
    file = TEACHING_FILE if isinstance(order, Teaching) else EXPERIMENT_FILE
    write_text(folder / file, canonical_json(order) + "\n")
    write_text(folder / "ticket", f"{next_ticket():.6f}")


def work_here(
    order: Experiment | Teaching, show: Callable[[Event], None], fresh: bool = False
) -> Run:
    """Compute the order in this process, on from its checkpoint unless `fresh`. Raises InputError
    as `submit` and `work` do."""
    folder = run_folder(order.run_id)
    if not is_alive(folder):
        with deciding():
            prepare_folder(folder, order, fresh)
    return work(folder, show)


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
        for torn in folder.glob(".*.safetensors.*"):  # of a process that was killed while writing
            torn.unlink(missing_ok=True)
        _follow(folder, show)
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


def _follow(folder: Path, show: Callable[[Event], None]) -> None:
    def give_up(sentence: str) -> None:
        _keep_reason(folder, sentence)
        print(f"error: {sentence}", file=sys.stderr, flush=True)  # noqa: T201
        os._exit(2)  # from a thread, whatever the training is doing; the lock dies with us

    with chosen()(folder) as training:
        if training is None:
            return
        try:
            with watched(give_up), Record(folder) as record:
                for event in training:
                    record.write(event)
                    show(event)
                    if stop_asked(folder):
                        return
        except OSError as error:
            reason = error.strerror or str(error)
            raise InputError(f"The run could not be written: {reason}. Free some space.") from error


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
