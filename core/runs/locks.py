"""File locks. The system takes a lock back when the last process that holds it ends, however it
ends, so a held lock is the only sign of life that cannot be wrong.

Whoever starts a process can take a lock first and let the process inherit it (`hand_over`). Then
there is no moment between the start and the process's own first line in which nobody holds it,
however long that takes: a run is never judged by a clock.

Systems without flock (Windows) cannot hand a lock over: there the process takes it itself.
"""

import os
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

WAIT_SECONDS = 0.01
_FLAGS = sum(getattr(os, name, 0) for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC"))


def is_held(lock: Path) -> bool:
    """Whether a process holds this lock. Askers share it, so none takes another for the holder."""
    if fcntl is None:
        return lock.exists() and _cannot_be_had(lock)
    with shared(lock) as free:
        return free is False


@contextmanager
def shared(lock: Path) -> Generator[bool | None]:
    """Keep others from taking the lock during the block, unseen by `is_held`. Gives False where
    somebody holds it, None where there is no such file (or no flock), so that nobody does."""
    try:
        descriptor = os.open(lock, os.O_RDONLY | _FLAGS)
    except OSError:
        yield None
        return
    free = None
    with suppress(OSError):
        free = _flock(descriptor, "LOCK_SH")
    try:
        yield free
    finally:
        os.close(descriptor)


def _flock(descriptor: int, kind: str) -> bool | None:
    """Try to lock an open file; None where the system cannot. Raises OSError where the file system
    cannot."""
    if fcntl is None:
        return None
    try:
        fcntl.flock(descriptor, getattr(fcntl, kind) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _cannot_be_had(lock: Path) -> bool:
    try:
        with FileLock(lock, timeout=0):
            return False
    except Timeout:
        return True


class Held:
    """A lock that this process holds until `release`. `descriptor` is its open file, which a child
    process may inherit; None where that is not possible."""

    def __init__(self, descriptor: int | None, lock: FileLock | None = None) -> None:
        self.descriptor, self._lock = descriptor, lock

    def release(self) -> None:
        """Give the lock back, also for those who inherited it."""
        if self._lock is not None:
            self._lock.release()
        elif self.descriptor is not None:
            with suppress(OSError):
                _flock(self.descriptor, "LOCK_UN")
            self._close()

    def leave(self) -> None:
        """Hold it no longer; a process that inherited it does, until it ends."""
        if self._lock is not None:
            self._lock.release()
        else:
            self._close()

    def _close(self) -> None:
        if self.descriptor is not None:
            os.close(self.descriptor)
            self.descriptor = None


def take(lock: Path, seconds: float = 2.0) -> Held | None:
    """Take the lock; None when somebody else still holds it after that time. Raises OSError where
    the file cannot be made or locked."""
    if fcntl is None:
        file_lock = FileLock(lock)
        try:
            file_lock.acquire(timeout=seconds)
        except Timeout:
            return None
        return Held(None, file_lock)
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | _FLAGS, 0o644)
    deadline = time.monotonic() + seconds
    try:
        while not _flock(descriptor, "LOCK_EX"):  # askers share it for a moment
            if time.monotonic() > deadline:
                os.close(descriptor)
                return None
            time.sleep(WAIT_SECONDS)
    except OSError:
        os.close(descriptor)
        raise
    return Held(descriptor)


def inherited(lock: Path, descriptor: int) -> Held | None:
    """The lock that the process that started this one took for it and handed over as this open
    file; None when the file is not that lock."""
    try:
        os.set_inheritable(descriptor, False)  # not for the processes that this one starts
        same = os.path.samestat(os.fstat(descriptor), lock.stat())
    except (OSError, OverflowError):
        return None
    return Held(descriptor) if same and _flock(descriptor, "LOCK_EX") else None
