"""Whether somebody holds a lock, asked without taking it. Locks die with the process that holds
them, so a held one is the only sign of life that never lies."""

from pathlib import Path

from filelock import FileLock, Timeout

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None


def is_held(lock: Path) -> bool:
    """Whether a process holds this lock. Askers share it, so none takes another for the holder."""
    if fcntl is None:
        return lock.exists() and _cannot_be_had(lock)
    try:
        with lock.open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # no such file, or not readable: nobody computes there
        return False
    return False


def _cannot_be_had(lock: Path) -> bool:
    try:
        with FileLock(lock, timeout=0):
            return False
    except Timeout:
        return True
