"""What travels when a run computes on a machine that shares no disk with this one.

The job and its checkpoint, the teacher, the text, and a person's own data are sent as a parcel
of files. The other machine unpacks it into an empty folder, its little home, computes there, and
sends back every file that appears or changes. So a machine needs our Python packages and nothing
else: no copy of this repository, no teacher, no text, no network.

    run/...     the run's folder
    home/...    teachers, backbones and own data, wherever they lie here
    cache/...   prepared text and fetched backbones
"""

import tempfile
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from shutil import rmtree

from filelock import FileLock

from core import settings
from core.errors import InputError
from core.experiment import Experiment, Job
from core.paths import local, replacing, shipped
from core.runs.event_log import CHECKPOINT_FILE, lines_until
from core.runs.locks import is_held
from core.tasks.prepare import folder as text_of
from core.tasks.registry import find_task
from core.teacher_folders import load_card, teacher_folder
from core.training.checkpoint_header import step_kept

RUN, HOME, CACHE = "run", "home", "cache"
# What only the process that follows the run reads and writes.
OURS = ("STOP", "error.txt", "events.jsonl", "result.json", "ticket", "began")
LEFT_BEHIND_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file by its name in the little home; without `content` it was deleted there."""

    name: str
    content: bytes | None


def parcel(job: Job, folder: Path) -> tuple[File, ...]:
    """All that computing the job of a run's folder needs. Raises InputError when something of
    it is not here, and when it cannot be read."""
    paths = [(f"{RUN}/{path.name}", path) for path in folder.iterdir() if _travels(path)]
    for top, part in _parts(job):
        inside = [path for path in sorted(part.rglob("*")) if path.is_file()]
        root = part.parent.parent
        paths += [(f"{top}/{path.relative_to(root).as_posix()}", path) for path in inside]
    try:
        return tuple(File(name=name, content=path.read_bytes()) for name, path in paths)
    except OSError as error:
        reason = f"{error.filename}: {error.strerror}"
        raise InputError(f"What the run needs cannot be sent to a machine ({reason}).") from error


def _travels(path: Path) -> bool:
    name = path.name
    if name == CHECKPOINT_FILE and not _fits_record(path.parent):
        return False  # the follower's record begins again, so the machine must too
    return path.is_file() and name not in OURS and not name.startswith((".", "worker."))


def _fits_record(folder: Path) -> bool:
    try:
        return lines_until(folder, step_kept(folder)) is not None
    except OSError:  # there is no record
        return False


def _parts(job: Job) -> Iterator[tuple[str, Path]]:
    """The folders to send: the text, the teacher or the backbone, and what teachers share."""
    yield CACHE, text_of(find_task(job.task))
    homes = [f"tasks/{job.task}"]
    yield from _backbones(job)
    if isinstance(job, Experiment):
        homes.append(f"teachers/{teacher_folder(job.task, job.model)}")
        shared = load_card(job.task, job.model).shared_embedding
    else:
        from core.models.backbones import BACKBONES  # takes a second and 150 MiB

        shared = BACKBONES[job.model].shared if job.model in BACKBONES else ""
    homes += [f"backbones/{shared}"] if shared else []
    for name in homes:
        for root in (shipped(), local()):  # what is local is unpacked last, so it wins
            if (root / name).is_dir():
                yield HOME, root / name


def _backbones(job: Job) -> Iterator[tuple[str, Path]]:
    """The embedded backbones that the training begins with, where it needs their files."""
    wanted = {job.model}
    if isinstance(job, Experiment):
        wanted = {job.student_model} | ({job.model} if job.distill.language_steps else set())
    if wanted != {""}:
        from core.models.backbones import BACKBONES, backbone_folder

        for name in sorted(wanted & set(BACKBONES)):
            yield CACHE, backbone_folder(BACKBONES[name])


def receive(file: File, folder: Path) -> None:
    """Write (or delete) a file that a machine sent, for the run of `folder`. Raises InputError
    when the disk refuses or the name is not one of a run or a teacher."""
    top, *rest = PurePosixPath(file.name).parts
    if top not in (RUN, HOME) or not rest or ".." in rest:
        raise InputError(f"A machine sent a file of the name {file.name!r}, which is none of ours.")
    path = (folder if top == RUN else local()).joinpath(*rest)
    if file.content is None:
        path.unlink(missing_ok=True)
        return
    with replacing(path) as temporary:
        temporary.write_bytes(file.content)


@contextmanager
def little_home(run_id: str, files: tuple[File, ...]) -> Generator[Path]:
    """Unpack the files into a folder that is gone afterwards, and let it be the home and the
    cache of this process."""
    _sweep()
    root = Path(tempfile.mkdtemp(prefix=f"ternary-lab-{run_id}-"))
    try:
        with FileLock(root / "held.lock"):
            for file in files:
                path = root / file.name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(file.content or b"")
            settings.HOME.set(root / HOME)
            settings.CACHE.set(root / CACHE)
            settings.SHIPPED.set(root / "nothing")
            yield root
    finally:
        rmtree(root, ignore_errors=True)


def _sweep() -> None:
    """Remove the little homes of processes that were killed."""
    for root in Path(tempfile.gettempdir()).glob("ternary-lab-*-*"):
        with suppress(OSError):
            age_seconds = time.time() - root.stat().st_mtime
            if age_seconds > LEFT_BEHIND_SECONDS and not is_held(root / "held.lock"):
                rmtree(root, ignore_errors=True)


class Watch:
    """Tells which files of a little home appeared, changed or went since it was last asked."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.known = self._look()

    def changes(self) -> Iterator[File]:
        """The changed files, the one that was written last at the end."""
        now = self._look()
        for name in self.known.keys() - now.keys():
            yield File(name=name, content=None)
        written = [name for name, stamp in now.items() if self.known.get(name) != stamp]
        for name in sorted(written, key=now.__getitem__):
            yield File(name=name, content=(self.root / name).read_bytes())
        self.known = now

    def _look(self) -> dict[str, tuple[int, int]]:
        found = {}
        for top in (RUN, HOME):
            for path in (self.root / top).rglob("*"):
                if path.is_file() and not path.name.startswith("."):
                    about = path.stat()
                    name = path.relative_to(self.root).as_posix()
                    found[name] = (about.st_mtime_ns, about.st_size)
        return found
