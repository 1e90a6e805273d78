"""The files of a model's folder, of which nothing is trusted.

A model comes from anywhere, and its folder may hold links to other files of this computer, pipes
that never end, or files of any size. Only regular files are read that lie inside the folder (or,
in the hub's cache, inside the repository's own part of the cache, where a snapshot is a folder of
links), and only up to a size. What is refused is a ValueError with a sentence: the caller knows
what the model is called.
"""

import json
import os
import stat
from pathlib import Path
from typing import Any

MAX_JSON_BYTES = 4 << 20
MAX_WORDS_BYTES = 32 << 20
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0)


def inside(folder: Path, name: str) -> Path | None:
    """The real place of the regular file `name` of a folder, None when there is no such file.

    Raises ValueError when it is no regular file, or lies somewhere else.
    """
    path = folder / name
    if not os.path.lexists(path):
        return None
    try:
        place, root = path.resolve(strict=True), _root(folder)
        is_regular = stat.S_ISREG(place.stat().st_mode)
    except (OSError, RuntimeError) as error:  # a link to nothing, or to itself
        raise ValueError(f"its file {name} leads nowhere.") from error
    if Path(name).name != name or not place.is_relative_to(root):
        raise ValueError(f"its file {name} lies outside of its folder.")
    if not is_regular:
        raise ValueError(f"its {name} is not a regular file.")
    return place


def _root(folder: Path) -> Path:
    """The folder, or what the hub's cache keeps of one repository: snapshots and their blobs."""
    real = folder.resolve(strict=True)
    is_snapshot = real.parent.name == "snapshots" and (real.parents[1] / "blobs").is_dir()
    return real.parents[1] if is_snapshot else real


def read_bytes(folder: Path, name: str, most_bytes: int) -> bytes | None:
    """The content of such a file; None when there is none. Raises ValueError as `inside` does,
    and when it is larger than `most_bytes`."""
    place = inside(folder, name)
    if place is None:
        return None
    with open(os.open(place, _FLAGS), "rb") as file:
        about = os.fstat(file.fileno())
        if not stat.S_ISREG(about.st_mode) or about.st_size > most_bytes:
            raise ValueError(f"its {name} is larger than {most_bytes >> 20} MiB.")
        return file.read(most_bytes)


def read_text(folder: Path, name: str, most_bytes: int = MAX_JSON_BYTES) -> str | None:
    """The same as text. Raises ValueError when it is not UTF-8 too."""
    data = read_bytes(folder, name, most_bytes)
    try:
        return None if data is None else data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"its {name} is not text in UTF-8.") from error


def read_json(folder: Path, name: str, most_bytes: int = MAX_JSON_BYTES) -> dict[str, Any] | None:
    """The JSON object of such a file. Raises ValueError when it holds anything else."""
    text = read_text(folder, name, most_bytes)
    if text is None:
        return None
    try:
        plain = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"its {name} is not JSON.") from error
    if not isinstance(plain, dict):
        raise ValueError(f"its {name} is not a JSON object.")
    return plain
