"""What runs on a machine of the cluster: unpack, compute, and say what happens, item by item.

Ray streams each item to the process that follows the run. Nothing here knows Ray, so this file
can be read, and tested, as what it is: a generator.
"""

import platform
import signal
from _thread import interrupt_main
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import current_thread, main_thread

from core import settings
from core.errors import InputError
from core.events import to_json
from core.runs.run_bundle import RUN, File, Watch, little_home
from core.runs.run_limits import watched


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """The first item: the run has its turn, on the machine of that name."""

    machine: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """An event, as the line of JSON that it is in events.jsonl."""

    line: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The last item of a run that a person can mend: the sentence of its InputError."""

    sentence: str


Item = Begun | File | Said | Refused


def compute_there(
    run_id: str,
    files: tuple[File, ...],
    folders: tuple[str, ...],
    threads: int,
    memory_mib: float | None = None,
) -> Iterator[Item]:
    """Compute the run whose parcel was sent, on that many threads, in at most that much memory.

    `folders` are models in folders of the sender's: too large and too foreign to send along, so
    they must lie under the same name here.
    """
    yield Begun(machine=platform.node())
    try:
        for name in folders:
            _check_here(name)
        with little_home(run_id, files) as root, _limited(memory_mib):
            yield from _computed(root, threads)
    except InputError as error:
        yield Refused(sentence=str(error))


def _check_here(name: str) -> None:
    if not Path(name).expanduser().is_dir():
        raise InputError(
            f"The machine {platform.node()} has no folder {name}. Put it where all machines of "
            "the cluster find it under this name, or start the app without TERNARY_LAB_RAY."
        )


@contextmanager
def _limited(memory_mib: float | None) -> Generator[None]:
    """Refuse when this process takes more memory. (Its minutes are counted by its follower.)"""
    settings.RUN_MINUTES.set(None)
    settings.RUN_MEMORY_MIB.set(memory_mib)
    broken: list[str] = []

    def give_up(sentence: str) -> None:
        broken.append(sentence)
        interrupt_main()

    try:
        with _interruptible(), watched(give_up):
            yield
    except KeyboardInterrupt as error:
        if not broken:
            raise  # the run was cancelled
        raise InputError(broken[0]) from error


@contextmanager
def _interruptible() -> Generator[None]:
    """A process that was started in the background of a shell ignores interrupts, and all that it
    starts do too: here they must be heard."""
    before = signal.getsignal(signal.SIGINT)
    deaf = before == signal.SIG_IGN and current_thread() is main_thread()
    if deaf:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        if deaf:
            signal.signal(signal.SIGINT, before)


def _computed(root: Path, threads: int) -> Iterator[Item]:
    from core.runs.local import events_of

    watch = Watch(root)
    for event in events_of(root / RUN, threads):
        yield from watch.changes()
        yield Said(line=to_json(event))
