"""Where things are kept: what ships, what this computer made, and what can be fetched again.

shipped   `cached_models/shipped`, tracked in git and never written to by the app;
          TERNARY_LAB_SHIPPED moves it
local     `cached_models/local`, git-ignored; TERNARY_LAB_HOME moves it
grids     `cached_models/grids`, the specifications of the shipped grids; TERNARY_LAB_GRIDS moves it
cache     downloads and parsed data, outside the source tree; TERNARY_LAB_CACHE moves it

Shipped and local have the same layout (`backbones/`, `teachers/`, `runs/`), so whatever reads one
reads the other.
"""

import os
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from platformdirs import user_cache_path

from core.errors import InputError

CACHED_MODELS = Path(__file__).resolve().parent.parent / "cached_models"


def shipped() -> Path:
    """The folder of the teachers and runs that come with the source."""
    return _folder("TERNARY_LAB_SHIPPED", CACHED_MODELS / "shipped")


def local() -> Path:
    """The folder for everything that a person makes here: runs and teachers."""
    return _folder("TERNARY_LAB_HOME", CACHED_MODELS / "local")


def grids() -> Path:
    """The folder of the grids that come with the source."""
    return _folder("TERNARY_LAB_GRIDS", CACHED_MODELS / "grids")


def cache() -> Path:
    """The folder for what can be fetched again: archives and parsed data sets."""
    return _folder("TERNARY_LAB_CACHE", user_cache_path("ternary-lab", appauthor=False))


def _folder(variable: str, usual: Path) -> Path:
    return Path(os.environ.get(variable) or usual).expanduser()


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
