"""Limits of one run, for a server that many share: memory, and minutes of computing.

TERNARY_LAB_RUN_MEMORY_MIB   resident memory, watched where Linux tells it (/proc); what a process
                             merely reserves does not count
TERNARY_LAB_RUN_MINUTES      of one attempt, from when its turn comes

Without them there is no limit. A run that reaches one ends with a sentence; its checkpoint stays,
so it can go on later: a time limit lets the next one in the queue have its turn.
"""

import os
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from core import settings

WATCH_SECONDS = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """None means no limit."""

    memory_mib: float | None
    minutes: float | None

    def broken(self, resident_mib: float, minutes: float) -> str:
        """The sentence of the limit that is broken; "" if none is."""
        if self.memory_mib is not None and resident_mib > self.memory_mib:
            return (
                f"The run took {resident_mib:,.0f} MiB of memory; this server allows "
                f"{self.memory_mib:,.0f} MiB. Choose a smaller batch, fewer tokens or a smaller "
                f"model, or raise {settings.RUN_MEMORY_MIB.name}."
            )
        if self.minutes is not None and minutes > self.minutes:
            return (
                f"The run used up the {self.minutes:g} minutes that this server allows for one "
                "attempt. Start it again to go on from its last checkpoint, at the end of the "
                f"queue, or raise {settings.RUN_MINUTES.name}."
            )
        return ""


def limits() -> Limits:
    """Those of the environment; raises InputError for one that is not a number."""
    return Limits(memory_mib=settings.RUN_MEMORY_MIB.value(), minutes=settings.RUN_MINUTES.value())


def resident_mib() -> float:
    """Memory of this process that is really there; 0 where the system does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except (OSError, ValueError, IndexError):
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


@contextmanager
def watched(give_up: Callable[[str], None]) -> Generator[None]:
    """Call `give_up` with a sentence, from a thread, as soon as this process breaks a limit
    within the block, also in the middle of a step that never ends; and again until the block has
    ended: an interrupt that falls into a callback of the garbage collector is lost."""
    wanted, began, over = limits(), time.monotonic(), threading.Event()

    def watch() -> None:
        while not over.wait(WATCH_SECONDS):
            sentence = wanted.broken(resident_mib(), (time.monotonic() - began) / 60)
            if sentence:
                give_up(sentence)

    if wanted == Limits(memory_mib=None, minutes=None):
        yield
        return
    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()
