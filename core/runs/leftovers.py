"""What killed processes leave behind: half-written files, and folders half removed or half made.

A file is written beside its place under a name of its own (`paths.replacing`), so a process that
is killed meanwhile leaves `.result.json.x1y2z3`. Nothing that a living process writes is removed: a
run's folder is swept by the process that holds its lock, and otherwise only of what has not changed
for an hour, while nobody can take that lock. Teachers have no lock; theirs is left for a day.
"""

import shutil
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from core.paths import local
from core.runs.locks import shared

WRITTEN = (
    "experiment.json",
    "teaching.json",
    "ticket",
    "STOP",
    "worker.pid",
    "error.txt",
    "events.jsonl",
    "checkpoint.safetensors",
    "model.safetensors",
    "latent.safetensors",
    "predictions.safetensors",
    "result.json",
)
BY_OTHERS = ("STOP", "worker.pid")  # written by processes that do not hold the run's lock
OLD_SECONDS, OLD_TEACHER_SECONDS = 3600.0, 86_400.0
REMOVED, NEW = ".removed-", ".new-"


def sweep_folder(folder: Path) -> None:
    """Remove what earlier attempts left in a run's folder; only for the holder of its lock."""
    names = [name for name in WRITTEN if name not in BY_OTHERS]
    _remove(_left_in(folder, names))


def sweep(runs: Path) -> None:
    """Remove what was left among the runs and teachers of this computer; only for the process that
    decides which runs there are."""
    for kind in (REMOVED, NEW):
        for folder in runs.glob(f"{kind}*"):
            shutil.rmtree(folder, ignore_errors=True)
    for folder in runs.glob("[0-9a-f]*"):
        old = _older_than(OLD_SECONDS, _left_in(folder, WRITTEN))
        if old:
            with shared(folder / "worker.lock") as free:
                _remove([] if free is False else old)
    _remove(_older_than(OLD_TEACHER_SECONDS, local().glob("teachers/*/.*.*")))


def _left_in(folder: Path, names: Iterable[str]) -> list[Path]:
    beginnings = tuple(f".{name}." for name in names)
    return [path for path in folder.glob(".*") if path.name.startswith(beginnings)]


def _older_than(seconds: float, paths: Iterable[Path]) -> list[Path]:
    found = []
    for path in paths:
        with suppress(OSError):  # gone
            if time.time() - path.lstat().st_mtime > seconds:
                found.append(path)
    return found


def _remove(paths: Iterable[Path]) -> None:
    for path in paths:
        with suppress(OSError):
            path.unlink()
