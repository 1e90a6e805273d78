"""Where things are kept: what ships, what this computer made, and what can be fetched again.

shipped   `cached_models/shipped`, tracked in git and never written to by the app;
          TERNARY_LAB_SHIPPED moves it
local     `cached_models/local`, git-ignored; TERNARY_LAB_HOME moves it
grids     `cached_models/grids`, the specifications of the shipped grids; TERNARY_LAB_GRIDS moves it
cache     downloads and parsed data, outside the source tree; TERNARY_LAB_CACHE moves it

Shipped and local have the same layout (`backbones/`, `teachers/`, `runs/`), so whatever reads one
reads the other.
"""

import errno
import os
import stat
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from platformdirs import user_cache_path

from core import settings
from core.errors import InputError
from core.settings import Setting

CACHED_MODELS = settings.PROJECT / "cached_models"
MIB = 2**20
# Not through a link, and without waiting for the other end of a pipe.
_READING = os.O_RDONLY | sum(
    getattr(os, name, 0) for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_BINARY")
)


def shipped() -> Path:
    """The folder of the teachers and runs that come with the source."""
    return _folder(settings.SHIPPED)


def local() -> Path:
    """The folder for everything that a person makes here: runs and teachers."""
    return _folder(settings.HOME)


def grids() -> Path:
    """The folder of the grids that come with the source."""
    return _folder(settings.GRIDS)


def cache() -> Path:
    """The folder for what can be fetched again: archives and parsed data sets."""
    return settings.CACHE.value() or user_cache_path("ternary-lab", appauthor=False)


def _folder(setting: Setting[Path]) -> Path:
    return setting.value() or settings.PROJECT / setting.default


def find(*parts: str) -> Path | None:
    """The file or folder of that name among what is local, then among what ships."""
    for root in (local(), shipped()):
        path = root.joinpath(*parts)
        if path.exists():
            return path
    return None


@contextmanager
def replacing(path: Path) -> Generator[Path]:
    """Give a temporary file beside `path`; rename it to `path` only when the block succeeds.

    A reader therefore sees the old file or the new one, never half of one. Raises InputError
    when the disk refuses (full, read-only), and leaves nothing behind.
    """
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        yield temporary
        temporary.chmod(0o644)
        temporary.replace(path)
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(
            f"{path.name} could not be written in {path.parent}: {reason}. "
            "Free some space or point TERNARY_LAB_HOME to another folder."
        ) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


@contextmanager
def opened(path: Path) -> Generator[BinaryIO]:
    """Open a regular file to read its bytes.

    Raises InputError for a link, a pipe, a device or a folder, and OSError as `open` does.
    """
    try:
        descriptor = os.open(path, _READING)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise _not_regular(path) from error
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise _not_regular(path)
    with os.fdopen(descriptor, "rb") as file:
        yield file


def read_text_up_to(path: Path, most_bytes: int) -> str:
    """The text of a regular file of at most that many bytes, which is all that is ever read.

    Raises InputError when the file is larger, is not regular or is not UTF-8, and OSError as
    `open` does.
    """
    with opened(path) as file:
        data = file.read(most_bytes + 1)
    if len(data) > most_bytes:
        raise _too_large(path, most_bytes)
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise InputError(f"{path.name} is not a text in UTF-8.") from error


def check_file(path: Path, most_bytes: int) -> None:
    """Raise InputError unless a library may open this file: regular, and at most that large.
    Raises OSError when there is none."""
    about = path.lstat()
    if not stat.S_ISREG(about.st_mode):
        raise _not_regular(path)
    if about.st_size > most_bytes:
        raise _too_large(path, most_bytes)


def _not_regular(path: Path) -> InputError:
    return InputError(f"{path.name} is not a regular file, so it is not read.")


def _too_large(path: Path, most_bytes: int) -> InputError:
    size = f"{most_bytes / MIB:,.0f} MiB" if most_bytes >= MIB else f"{most_bytes:,} bytes"
    return InputError(f"{path.name} is larger than {size}, so it is not read.")
