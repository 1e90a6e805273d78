"""What a folder says of its run.

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

There is no other index. A folder that cannot be read is listed as damaged, never hidden. Every file
is read up to a size, and experiment, result and events each name the run that they belong to.

Whether a process computes the run is told by worker.lock alone, never by a clock: the process holds
it from its first moment to its last (see `locks`).
"""

import functools
import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

from core.errors import InputError, shown
from core.experiment import Experiment, Job, Teaching
from core.paths import opened, read_text_up_to, shipped
from core.results import Result, TeacherCard
from core.runs.locks import is_held
from core.serialization import from_json

EXPERIMENT_FILE, TEACHING_FILE = ORDERS = ("experiment.json", "teaching.json")
MOST_ORDER_BYTES, MOST_RESULT_BYTES = 2**20, 2**23
MOST_TICKET_BYTES, MOST_REASON_BYTES = 64, 2**14
LATEST_TICKET = 1e11  # seconds since the epoch: no clock of this millennium
ENDED = ("finished", "failed", "stopped", "interrupted", "damaged")
NO_REASON = "The run failed, and the reason could not be written. Is the disk full?"
_parsed = functools.lru_cache(maxsize=4000)(from_json)  # pages list all runs again and again


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What a folder says. state: queued, running, finished, failed, stopped, interrupted (its
    process is gone), damaged; `message` is a sentence for failed and damaged ones; `ticket` when it
    was asked for, in seconds since the epoch (0: by nobody). A run trains the student of
    `experiment` to a `result`, or makes the teacher of `teaching`, a `card`. `names` are the ids by
    which its files may name it: its run id, and the one it had when its experiment was written."""

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
    names: tuple[str, ...] = ()

    @property
    def place_in_queue(self) -> tuple[float, str]:
        """What runs are ordered by while they wait."""
        return self.ticket, self.folder.name

    @property
    def title(self) -> str:
        """A short human name."""
        job = self.experiment or self.teaching
        return job.title if job else self.run_id

    @property
    def keeps_student(self) -> bool:
        """Whether its packed student is there. Many shipped runs keep only what they measured."""
        return (self.folder / "model.safetensors").is_file()

    @property
    def is_over(self) -> bool:
        """Nothing computes it any more."""
        return self.state in ENDED


def is_ordered(folder: Path) -> bool:
    """Whether the folder says what is to be computed."""
    return any((folder / name).exists() for name in ORDERS)


def read_job(folder: Path) -> Job:
    """What the folder's run computes. Raises InputError and what reading a file raises."""
    return _job_and_text(folder)[0]


def _job_and_text(folder: Path) -> tuple[Job, str]:
    if (folder / TEACHING_FILE).exists():
        text = read_text_up_to(folder / TEACHING_FILE, MOST_ORDER_BYTES)
        return _parsed(Teaching, text), text
    text = read_text_up_to(folder / EXPERIMENT_FILE, MOST_ORDER_BYTES)
    return _parsed(Experiment, text), text


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
    except (InputError, OSError) as error:
        reason = f"The folder of run {folder.name} cannot be read ({error})."
        return replace(run, message=f"{reason} Delete it to run again.")


def _understood(run: Run) -> Run:
    folder = run.folder
    job, text = _job_and_text(folder)
    # Until options could be added without changing the ids of runs, the id was that of the text.
    # A run that finished under such an id keeps its folder.
    written_as = hashlib.sha256(text.strip().encode()).hexdigest()[:12]
    has_result = (folder / "result.json").exists()
    names = (job.run_id, written_as) if has_result else (job.run_id,)
    if folder.name not in names:
        raise InputError("its experiment belongs to another run id")
    run = replace(run, run_id=job.run_id, names=names)
    of_teacher = isinstance(job, Teaching)
    run = replace(run, teaching=job) if of_teacher else replace(run, experiment=job)
    if has_result:
        return _finished(run)
    reason = _reason(folder)
    return replace(run, state=_unfinished(folder, bool(reason)), message=reason)


def _finished(run: Run) -> Run:
    """The run with what it found. Raises InputError when that is another run's."""
    text = read_text_up_to(run.folder / "result.json", MOST_RESULT_BYTES)
    outcome = _parsed(TeacherCard if run.teaching else Result, text)
    job = run.teaching or run.experiment
    assert job is not None
    if (outcome.task, outcome.model) != (job.task, job.model):
        raise InputError("its result is that of another task or model")
    if isinstance(outcome, TeacherCard):
        return replace(run, state="finished", card=outcome)
    if outcome.run_id not in run.names:
        raise InputError(f"its result is that of run {shown(outcome.run_id)}")
    return replace(run, state="finished", result=outcome)


def _reason(folder: Path) -> str:
    """The sentence with which the run failed; "" if it did not."""
    try:
        with opened(folder / "error.txt") as file:
            return file.read(MOST_REASON_BYTES).decode(errors="replace") or NO_REASON
    except FileNotFoundError:
        return ""


def _unfinished(folder: Path, failed: bool) -> str:
    begun = (folder / "began").exists()
    if is_alive(folder):
        return "running" if begun else "queued"
    if stop_asked(folder):
        return "stopped"
    return "failed" if failed else "interrupted"


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
        seconds = float(read_text_up_to(folder / "ticket", MOST_TICKET_BYTES))
    except (OSError, ValueError):  # an InputError is a ValueError
        return 0.0
    return seconds if 0.0 <= seconds < LATEST_TICKET else 0.0
