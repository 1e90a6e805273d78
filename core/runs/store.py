"""A run is a folder; whoever wants to know something about a run reads the folder.

    experiment.json          what is computed, written first; or
    teaching.json            the same, where the run makes a teacher
    ticket                   when it was asked for: its place in the queue
    began                    its turn has come
    checkpoint.safetensors   what an unfinished run goes on from
    worker.lock, worker.pid  held while a process computes it; the lock dies with the process
    events.jsonl             one event a line, appended; of shipped runs events.jsonl.gz
    STOP, error.txt          asked to stop; the sentence it failed with
    model.safetensors        the packed student
    latent.safetensors       its latent weights in float16, for the Weights page; may be missing
    predictions.safetensors  logits of teacher, untrained and student on dev and test
    result.json              written last, so its presence means finished (of a teaching: the
                             teacher's card; the teacher itself is among the teachers)

There is no other index. A folder that cannot be read is listed as damaged, never hidden.
"""

import functools
import re
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from core.errors import InputError
from core.experiment import Experiment, Teaching
from core.places import local, shipped
from core.records import from_json
from core.results import Result, TeacherCard
from core.runs.locks import is_held

EXPERIMENT_FILE, TEACHING_FILE = ORDERS = ("experiment.json", "teaching.json")
RUN_ID = re.compile(r"[0-9a-f]{12}")
START_GRACE_SECONDS = 15.0
SHIPPED_SECONDS = 5.0
ENDED = ("finished", "failed", "stopped", "interrupted", "damaged")
NO_REASON = "The run failed, and the reason could not be written. Is the disk full?"
_parsed = functools.lru_cache(maxsize=4000)(from_json)  # pages list all runs again and again


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What a folder says. state: queued, running, finished, failed, stopped, interrupted (its
    process is gone), damaged; `message` is a sentence for failed and damaged ones; `ticket` when it
    was asked for, in seconds since the epoch (0: by nobody). A run trains the student of
    `experiment` to a `result`, or makes the teacher of `teaching`, a `card`."""

    run_id: str
    folder: Path
    state: str
    experiment: Experiment | None = None
    result: Result | None = None
    teaching: Teaching | None = None
    card: TeacherCard | None = None
    message: str = ""
    shipped: bool = False
    ticket: float = 0.0

    @property
    def place_in_queue(self) -> tuple[float, str]:
        """What runs are ordered by while they wait."""
        return self.ticket, self.folder.name

    @property
    def title(self) -> str:
        """A short human name."""
        order = self.experiment or self.teaching
        return order.title if order else self.run_id

    @property
    def keeps_student(self) -> bool:
        """Whether its packed student is there. Many shipped runs keep only what they measured."""
        return (self.folder / "model.safetensors").exists()

    @property
    def is_over(self) -> bool:
        """Nothing computes it any more."""
        return self.state in ENDED


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
    for run in (*_newest_first(_folders(runs_folder())), *_shipped_runs()):
        found.setdefault(run.run_id, run)
    return list(found.values())


def _folders(root: Path) -> list[Path]:
    return [path for path in root.glob("*") if RUN_ID.fullmatch(path.name)]


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


def is_ordered(folder: Path) -> bool:
    """Whether the folder says what is to be computed."""
    return any((folder / name).exists() for name in ORDERS)


def read_order(folder: Path) -> Experiment | Teaching:
    """What the folder's run computes. Raises InputError and what reading a file raises."""
    if (folder / TEACHING_FILE).exists():
        return _parsed(Teaching, (folder / TEACHING_FILE).read_text(encoding="utf-8"))
    return _parsed(Experiment, (folder / EXPERIMENT_FILE).read_text(encoding="utf-8"))


def read_folder(folder: Path) -> Run:
    """What the folder says of its run; a folder that makes no sense has the state "damaged"."""
    run = Run(
        run_id=folder.name,
        folder=folder,
        state="damaged",
        shipped=folder.parent == shipped() / "runs",
        ticket=ticket_of(folder),
    )
    try:
        return _understood(run)
    except (InputError, OSError, UnicodeDecodeError) as error:
        reason = f"The folder of run {folder.name} cannot be read ({error})."
        return replace(run, message=f"{reason} Delete it to run again.")


def _understood(run: Run) -> Run:
    order, folder = read_order(run.folder), run.folder
    has_result = (folder / "result.json").exists()
    # A finished run of an older version keeps its folder; new options gave it a new run id.
    if order.run_id != run.run_id and not has_result:
        raise InputError("its experiment belongs to another run id")
    if isinstance(order, Teaching):
        run = replace(run, run_id=order.run_id, teaching=order)
    else:
        run = replace(run, run_id=order.run_id, experiment=order)
    if has_result:
        text = (folder / "result.json").read_text(encoding="utf-8")
        if run.teaching:
            return replace(run, state="finished", card=_parsed(TeacherCard, text))
        return replace(run, state="finished", result=_parsed(Result, text))
    message = ""
    if (folder / "error.txt").exists():
        message = (folder / "error.txt").read_text(encoding="utf-8") or NO_REASON
    return replace(run, state=_unfinished(folder, bool(message)), message=message)


def _unfinished(folder: Path, failed: bool) -> str:
    begun = (folder / "began").exists()
    if is_alive(folder):
        return "running" if begun else "queued"
    if stop_asked(folder):
        return "stopped"
    if failed:
        return "failed"
    return "queued" if not begun and _is_starting(folder) else "interrupted"


def _is_starting(folder: Path) -> bool:
    """Whether the run was asked for just now, so its process may still be on its way. By the time
    of the file, not by the ticket, which may lie ahead of a clock that was set back."""
    try:
        age_seconds = time.time() - (folder / "ticket").stat().st_mtime
    except OSError:
        return False
    return abs(age_seconds) < START_GRACE_SECONDS


def mark_begun(folder: Path) -> None:
    """The run's turn has come: from now on it is running, no longer queued."""
    (folder / "began").touch()


def stop_asked(folder: Path) -> bool:
    """Whether somebody asked the run of this folder to stop."""
    return (folder / "STOP").exists()


def is_alive(folder: Path) -> bool:
    """Whether a process holds the run's lock."""
    return is_held(folder / "worker.lock")


def ticket_of(folder: Path) -> float:
    """Seconds since the epoch when the run was asked for; 0 if nobody did."""
    try:
        return float((folder / "ticket").read_text())
    except (OSError, ValueError):
        return 0.0


def next_ticket() -> float:
    """The ticket of who asks now: behind everybody that waits, also when the clock went back."""
    waiting = [run.ticket for run in list_runs() if not run.is_over]
    return max([time.time(), *(ticket + 1e-6 for ticket in waiting)])


def waiting_before(run: Run) -> int:
    """How many runs are running or queued before this one."""
    mine = run.place_in_queue
    return sum(other.place_in_queue < mine for other in list_runs() if not other.is_over)
