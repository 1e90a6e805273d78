"""Room on the disk: how much the runs of this computer may take, and what goes first.

TERNARY_LAB_RUNS_GIB   what all local runs together may take; without it there is no limit

When a run is asked for and the room is used up, the oldest runs that are over are removed, until
what is left fits: a class that starts now matters more than what was left over last week. Runs that
wait or compute are never removed, nor what ships. Where nothing old is left, the new run is refused
with a sentence. Runs under way may exceed the limit by their own size; what was removed is listed
in `removed.txt` beside the runs.
"""

import shutil
import time
from pathlib import Path

from core import settings
from core.errors import InputError
from core.runs.leftovers import REMOVED, sweep
from core.runs.run_store import Run, is_alive, list_runs, run_folder, runs_folder


def quota_bytes() -> int | None:
    """The room for all local runs; raises InputError when it is not a number."""
    gib = settings.RUNS_GIB.value()
    return None if gib is None else int(gib * 2**30)


def size_bytes(folder: Path) -> int:
    """What the files of a folder take; those that vanish meanwhile take nothing."""
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.lstat().st_size
        except OSError:
            continue
    return total


def used_bytes() -> int:
    """What all local runs take."""
    return size_bytes(runs_folder())


def make_room(wanted: str) -> None:
    """Remove what killed processes left behind, then the oldest runs that are over, but not
    `wanted`, until the rest is below the quota. For the process that decides which runs there are.

    Raises InputError when that is not enough.
    """
    sweep(runs_folder())
    quota = quota_bytes()
    if quota is None:
        return
    used = used_bytes()
    if used < quota:
        return
    over = [run for run in list_runs() if run.is_over and not run.shipped]
    for run in reversed(over):  # the oldest first
        if run.folder.name == wanted:
            continue
        freed = size_bytes(run.folder)
        remove(run.folder.name)
        used -= freed
        if used < quota:
            return
    raise InputError(
        f"The runs on this server take {used / 2**30:.2f} GiB of the {quota / 2**30:.2f} GiB they "
        f"may, and none of them is over. Wait until one is, or raise {settings.RUNS_GIB.name}."
    )


def remove(run_id: str) -> None:
    """Delete a local run that is over; raises InputError for one that is not, or is not there.

    The folder is renamed first, so nobody ever sees half a run.
    """
    folder = run_folder(run_id)
    if not folder.is_dir():
        raise InputError(f"There is no run {run_id} of this computer that could be removed.")
    run = next((run for run in list_runs() if run.folder == folder), None)
    if is_alive(folder) or (run is not None and not run.is_over):
        raise InputError(f"Run {run_id} is not over yet. Stop it first.")
    _note(run, run_id)
    gone = folder.with_name(f"{REMOVED}{run_id}-{time.time_ns()}")
    try:
        folder.rename(gone)
    except OSError as error:
        raise InputError(f"Run {run_id} cannot be removed: {error.strerror or error}.") from error
    shutil.rmtree(gone, ignore_errors=True)


def _note(run: Run | None, run_id: str) -> None:
    line = f"{time.strftime('%Y-%m-%d %H:%M:%S')}  {run_id}  {run.title if run else ''}\n"
    try:
        with (runs_folder() / "removed.txt").open("a", encoding="utf-8") as file:
            file.write(line)
    except OSError:
        pass  # on a full disk room matters more than the note
