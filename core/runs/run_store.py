"""A run is a folder; to know something about a run is to read its folder (see `folder`).

There is no other index: these are the runs of this computer and those that ship, and their queue.
"""

import functools
import re
import time
from collections.abc import Iterable
from pathlib import Path

from core.errors import InputError
from core.paths import local, shipped
from core.runs.folder import (
    EXPERIMENT_FILE,
    TEACHING_FILE,
    Run,
    is_alive,
    is_ordered,
    mark_begun,
    read_folder,
    read_job,
    stop_asked,
    ticket_of,
)

__all__ = [
    "EXPERIMENT_FILE",
    "TEACHING_FILE",
    "Run",
    "find_run",
    "is_alive",
    "is_ordered",
    "list_runs",
    "mark_begun",
    "next_ticket",
    "read_folder",
    "read_job",
    "run_folder",
    "runs_folder",
    "stop_asked",
    "ticket_of",
    "waiting_before",
]
RUN_ID = re.compile(r"[0-9a-f]{12}")
SHIPPED_SECONDS = 5.0


def runs_folder() -> Path:
    """Where new runs go."""
    return local() / "runs"


def run_folder(run_id: str) -> Path:
    """The local folder of a run id; raises InputError for anything that is not 12 hex digits."""
    if not RUN_ID.fullmatch(run_id):
        raise InputError(f"{run_id[:40]!r} is not a run id (12 digits from 0-9 and a-f).")
    return runs_folder() / run_id


def list_runs() -> list[Run]:
    """All runs, the newest ticket first, shipped ones after those of this computer."""
    found: dict[str, Run] = {}
    here = [folder for folder in _folders(runs_folder()) if not _is_made_now(folder)]
    for run in (*_newest_first(here), *_shipped_runs()):
        found.setdefault(run.run_id, run)
    return list(found.values())


def _folders(root: Path) -> list[Path]:
    return [path for path in root.glob("*") if RUN_ID.fullmatch(path.name)]


def _is_made_now(folder: Path) -> bool:
    """Whether somebody who starts a run is only just writing this folder."""
    return is_alive(folder) and not is_ordered(folder)


def _shipped_runs() -> tuple[Run, ...]:
    """Shipped runs are many and do not change, so they are read once, and again when a folder of
    theirs came or went, at once, or got another file, seconds later: with thirty visitors every
    look at a file makes a page wait for Python's lock."""
    root = shipped() / "runs"
    try:
        changed = root.stat().st_mtime_ns
    except OSError:  # nothing ships
        return ()
    return _looked_at(root, changed, int(time.monotonic() / SHIPPED_SECONDS))


@functools.lru_cache(maxsize=2)
def _looked_at(root: Path, changed: int, moment: int) -> tuple[Run, ...]:
    stamps = []
    for folder in _folders(root):
        try:
            stamps.append((folder, folder.stat().st_mtime_ns))
        except OSError:  # deleted this very moment
            continue
    return _read_shipped(tuple(sorted(stamps)))


@functools.lru_cache(maxsize=2)
def _read_shipped(stamps: tuple[tuple[Path, int], ...]) -> tuple[Run, ...]:
    return tuple(_newest_first(folder for folder, _ in stamps))


def _newest_first(folders: Iterable[Path]) -> list[Run]:
    return sorted(map(read_folder, folders), key=lambda run: run.ticket, reverse=True)


def find_run(run_id: str) -> Run | None:
    """The run of that id, on this computer or shipped; None if there is none."""
    if is_ordered(run_folder(run_id)):
        run = read_folder(run_folder(run_id))
        if run.run_id == run_id:
            return run
    return next((run for run in list_runs() if run.run_id == run_id), None)


def next_ticket() -> float:
    """The ticket of who asks now: behind everybody that waits, also when the clock went back."""
    waiting = [run.ticket for run in list_runs() if not run.is_over]
    return max([time.time(), *(ticket + 1e-6 for ticket in waiting)])


def waiting_before(run: Run) -> int:
    """How many runs are running or queued before this one."""
    mine = run.place_in_queue
    return sum(other.place_in_queue < mine for other in list_runs() if not other.is_over)
