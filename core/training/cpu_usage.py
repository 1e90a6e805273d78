"""What this process gets of the machine's processors, by the kernel's own accounting.

Three numbers are read: the processor time that this process used, the time that all processes
used on the processors that this one may use, and the time that threads of this process were ready
to run and waited for a processor. Their differences between two readings say how much other
programs use, and whether that is in the way. A reading takes well under a millisecond and measures
nothing by itself, so a training can look every few seconds.

Only Linux keeps such accounts (/proc/stat and /proc/self/task/*/schedstat).
"""

import os
import time
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
_IDLE, _IOWAIT, _STEAL = 3, 4, 7  # columns of /proc/stat; those after steal are counted in others


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Seconds since some moment in the past: of the clock, of processor time of this process and
    of all processes, and of waiting for a processor."""

    clock: float
    own: float
    everybody: float
    waited: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Between two readings: of the `processors` that this process may use how many others used, and
    the time that threads of this process waited as a share of the time that they computed."""

    processors: int
    others: float
    waited: float


def read_usage() -> Reading | None:
    """The accounts as they stand; None where the system keeps none."""
    try:
        return Reading(
            clock=time.monotonic(),
            own=time.process_time(),
            everybody=_busy_seconds(),
            waited=_waited_seconds(),
        )
    except (OSError, ValueError, IndexError, AttributeError):
        return None


def usage_between(before: Reading, after: Reading) -> Usage:
    """What happened between two readings, of which the second is later."""
    own = max(after.own - before.own, 1e-3)
    others = (after.everybody - before.everybody - own) / (after.clock - before.clock)
    waited = (after.waited - before.waited) / own
    processors = len(os.sched_getaffinity(0))
    return Usage(processors=processors, others=max(0.0, others), waited=max(0.0, waited))


def _busy_seconds() -> float:
    """Of the processors that this process may use: everything but idle time. Time that a virtual
    machine's host gave to others ("steal") is somebody else's use too."""
    mine = {f"cpu{number}" for number in os.sched_getaffinity(0)}
    ticks = 0
    for line in (PROC / "stat").read_text().splitlines():
        name, *columns = line.split()
        if name in mine:
            counts = [int(column) for column in columns[: _STEAL + 1]]
            ticks += sum(counts) - counts[_IDLE] - counts[_IOWAIT]
    return ticks / os.sysconf("SC_CLK_TCK")


def _waited_seconds() -> float:
    """Time that this process's threads stood in a queue for a processor."""
    nanoseconds = 0
    for task in (PROC / "self/task").iterdir():
        try:
            nanoseconds += int((task / "schedstat").read_text().split()[1])
        except (FileNotFoundError, ProcessLookupError):  # a thread that has just ended
            if not task.exists():
                continue
            raise
    return nanoseconds / 1e9
