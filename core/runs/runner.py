"""Every run has a process of its own.

`submit` takes the lock of the run's folder, writes the folder and starts `python -m core run
--run-dir FOLDER` in a session of its own, so neither a page that reruns nor a server that stops
takes the training with it. The process inherits the lock, which dies with it: the run is known to
live from its first moment to its last, however long it takes to load. It (`work`) writes down the
events of the place that computes (see `backend`): itself, when its turn comes, unless another is
chosen.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from core import settings
from core.errors import InputError
from core.events import Event
from core.experiment import Job
from core.machine import training_environment
from core.paths import read_text_up_to, write_text
from core.runs.backend import chosen
from core.runs.event_log import Record
from core.runs.leftovers import sweep_folder
from core.runs.locks import Held
from core.runs.preparing import deciding, prepare_folder, reserve
from core.runs.retention import make_room
from core.runs.run_limits import watched
from core.runs.run_store import (
    Run,
    find_run,
    is_alive,
    is_ordered,
    read_folder,
    run_folder,
    stop_asked,
)

PROJECT = Path(__file__).resolve().parent.parent.parent
NICE = 10  # of 19: a tenth of the processor where pages want all of it
MOST_PID_BYTES, POLL_SECONDS = 20, 0.05
_THERE = ("finished", "running", "queued")
_children: list[subprocess.Popen[bytes]] = []


def submit(job: Job, again: bool = False) -> Run:
    """Start the run, or return the one that is running, queued or finished. One that came to
    nothing goes on from its checkpoint. With `again` whatever is over starts from the beginning.

    Raises InputError when the folder cannot be written, there is no room, or a setting of the
    environment makes no sense.
    """
    _children[:] = [child for child in _children if child.poll() is None]
    folder = run_folder(job.run_id)
    settings.check()
    with deciding():
        known = find_run(job.run_id)
        if known is not None and known.state in _THERE and not (again and known.is_over):
            return known
        make_room(job.run_id)
        lock = reserve(folder)
        try:
            prepare_folder(folder, job, again)
            _children.append(_start(folder, lock))
        finally:
            lock.leave()
    return read_folder(folder)


def _start(folder: Path, lock: Held) -> subprocess.Popen[bytes]:
    """The process that computes the folder's run; it inherits the lock."""
    command = [sys.executable, "-m", "core", "run", "--run-dir", str(folder)]
    passed = ()
    if lock.descriptor is None:  # this system cannot hand it over
        lock.release()
    else:
        passed = (lock.descriptor,)
        command += ["--lock-fd", str(lock.descriptor)]
    with (folder / "worker.log").open("wb") as log:
        child = subprocess.Popen(
            command,
            cwd=PROJECT,
            env=os.environ | training_environment(),
            stdout=log,
            stderr=log,
            pass_fds=passed,
            start_new_session=True,
        )
    with suppress(InputError):  # a full disk; the process will say so itself
        write_text(folder / "worker.pid", str(child.pid))
    let_pages_go_first(child.pid)
    while not passed and child.poll() is None and not is_alive(folder):
        time.sleep(POLL_SECONDS)  # until it has taken the lock itself
    return child


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


def work_here(job: Job, show: Callable[[Event], None], fresh: bool = False) -> Run:
    """Compute the job in this process, on from its checkpoint unless `fresh`. Raises InputError
    as `submit` and `work` do."""
    folder = run_folder(job.run_id)
    with deciding():
        lock = reserve(folder)
        try:
            prepare_folder(folder, job, fresh)
        except InputError:
            lock.release()
            raise
    return work(folder, show, lock)


def work(
    folder: Path,
    show: Callable[[Event], None] = lambda event: None,
    lock: Held | None = None,
) -> Run:
    """Compute the run of `folder` in this process, when its turn comes; `lock` is the folder's,
    where this process has it already.

    `show` gets every event. Raises InputError when the run fails (the sentence is
    in error.txt too) or another process already computes it.
    """
    if not is_ordered(folder):
        raise InputError(f"{folder} is not the folder of a run: it has no experiment.json.")
    lock = lock or reserve(folder)
    try:
        sweep_folder(folder)
        write_text(folder / "worker.pid", str(os.getpid()))
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
        pid = int(read_text_up_to(folder / "worker.pid", MOST_PID_BYTES))
        # Never our own group (which is what 0 means), nor init's, never a reused number.
        if 1 < pid < 2**31 and pid not in (os.getpid(), os.getpgrp()) and is_alive(folder):
            os.killpg(pid, number)
    except (OSError, ValueError, OverflowError):
        pass  # gone in the meantime
