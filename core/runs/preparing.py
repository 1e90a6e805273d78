"""Making the folder of a run that is asked for: who may, its lock, its first files."""

import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from core.errors import InputError
from core.experiment import Job, Teaching
from core.paths import write_text
from core.runs.event_log import CHECKPOINT_FILE, EVENTS_FILE
from core.runs.leftovers import NEW, sweep_folder
from core.runs.locks import Held, take
from core.runs.run_store import EXPERIMENT_FILE, TEACHING_FILE, next_ticket, runs_folder
from core.serialization import canonical_json

LOCK_FILE = "worker.lock"


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


def prepare_folder(folder: Path, job: Job, fresh: bool = False) -> None:
    """Make the folder of a new attempt: traces of an earlier one are removed, but for checkpoint
    and record where there is something to go on from (never if `fresh`).

    Raises InputError when it cannot be written. For the holder of the folder's lock.
    """
    goes_on = not fresh and (folder / CHECKPOINT_FILE).exists()
    traces = ["began", "STOP", "error.txt", "result.json", "worker.pid"]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        sweep_folder(folder)
        for name in traces if goes_on else [*traces, EVENTS_FILE, CHECKPOINT_FILE]:
            (folder / name).unlink(missing_ok=True)
    except OSError as error:
        raise _not_startable(error) from error
    file = TEACHING_FILE if isinstance(job, Teaching) else EXPERIMENT_FILE
    write_text(folder / file, canonical_json(job) + "\n")
    write_text(folder / "ticket", f"{next_ticket():.6f}")


def reserve(folder: Path) -> Held:
    """The lock of a run's folder, which is made if there is none: nobody sees one that is not
    locked. Raises InputError when a process computes there, and OSError."""
    if not folder.exists():
        new = Path(tempfile.mkdtemp(prefix=NEW, dir=folder.parent))
        new.chmod(0o755)
        lock = take(new / LOCK_FILE)
        new.rename(folder)  # the lock belongs to the file, not to its name
    else:
        lock = take(folder / LOCK_FILE)
    if lock is None:
        raise InputError(f"Another process already computes the run in {folder}.")
    return lock
