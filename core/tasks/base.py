"""A task: labelled text, cut once into train, dev and test.

A task is one `Task` value registered by its file; the files of this folder are found by walking
it. `prepare` brings the data into the cache and says how far it is; `load` reads it from there.
Training learns on train, every choice is made on dev, and test is only ever reported.

The cut does not depend on a random generator of some library's version: examples are ordered by
the SHA-256 of their text, so they fall the same way on every machine, for ever.
"""

import hashlib
import importlib
import pkgutil
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache as once
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.errors import InputError, one_of
from core.events import Preparing
from core.places import cache
from core.tasks.archives import Archive, fetch

if TYPE_CHECKING:
    from datasets import Dataset

Row = dict[str, Any]
SPLITS = ("train", "dev", "test")


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What is learned and where it comes from.

    `texts` names the one or two text columns; `label` is the class number in every row. `read`
    parses the fetched archive into rows (already cleaned), without network.
    """

    name: str
    title: str
    description: str
    labels: tuple[str, ...]
    metric: str
    archive: Archive
    citation: str
    read: Callable[[], list[Row]]
    texts: tuple[str, ...] = ("text",)
    dev_examples: int = 1000
    test_examples: int = 1000
    examples: tuple[str, ...] = field(default=())


@dataclass(frozen=True, slots=True, kw_only=True)
class Splits:
    """Three `datasets.Dataset`s with the task's text columns and "label"."""

    train: "Dataset"
    dev: "Dataset"
    test: "Dataset"


_registry: dict[str, Task] = {}


def register(task: Task) -> Task:
    """Make a task known; returns it."""
    _registry[task.name] = task
    return task


@once
def tasks() -> dict[str, Task]:
    """All tasks by name."""
    package = importlib.import_module("core.tasks")
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"core.tasks.{module.name}")
    return dict(_registry)


def find_task(name: str) -> Task:
    """The task of that name; raises InputError naming the known ones."""
    one_of("Task", name, tasks())
    return tasks()[name]


def folder(task: Task) -> Path:
    """Where the parsed splits are kept; a different archive or cut has a different folder."""
    cut = f"{task.archive.sha256}/{task.dev_examples}/{task.test_examples}"
    return cache() / "tasks" / f"{task.name}-{hashlib.sha256(cut.encode()).hexdigest()[:8]}"


def is_prepared(task: Task) -> bool:
    """Whether `load` would work now."""
    return (folder(task) / "test").is_dir()


def prepare(task: Task) -> Iterator[Preparing]:
    """Fetch and parse the task's data unless it is there. Raises InputError as `fetch` does."""
    if is_prepared(task):
        return
    yield from fetch(task.archive)
    yield Preparing(text=f"Reading {task.title}")
    rows = task.read()
    save_splits(task, cut(rows, task))


def cut(rows: list[Row], task: Task) -> dict[str, list[Row]]:
    """Order rows by the SHA-256 of their text; the first are test, the next dev, the rest train.

    Raises InputError when too few rows are left to train on.
    """
    held_out = task.test_examples + task.dev_examples
    if len(rows) <= held_out:
        raise InputError(
            f"{task.title} has {len(rows)} usable rows; more than {held_out} are needed."
        )

    def order(row: Row) -> bytes:
        return hashlib.sha256("\n".join(row[column] for column in task.texts).encode()).digest()

    ordered = sorted(rows, key=order)
    return {
        "test": ordered[: task.test_examples],
        "dev": ordered[task.test_examples : held_out],
        "train": ordered[held_out:],
    }


def save_splits(task: Task, splits: dict[str, list[Row]]) -> None:
    """Keep the splits in the cache, whole or not at all; the first to finish wins."""
    from datasets import Dataset

    target = folder(task)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
        try:
            for split in SPLITS:
                table = Dataset.from_list(splits[split])
                table.save_to_disk(temporary / split, num_shards=1)
            if not is_prepared(task):
                temporary.rename(target)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    except OSError as error:
        if is_prepared(task):  # somebody else was faster
            return
        raise InputError(
            f"The data of {task.title} could not be kept in {target.parent}: "
            f"{error.strerror or error}. Free some space or set TERNARY_LAB_CACHE."
        ) from error


def load(task: Task) -> Splits:
    """The three splits from the cache; raises InputError when `prepare` has not run here."""
    if not is_prepared(task):
        raise InputError(
            f"The text of {task.title} is not on this computer yet "
            f"({task.archive.size_bytes / 2**20:.1f} MiB). "
            f"Fetch it with: python -m core prefetch {task.name}"
        )
    from datasets import disable_progress_bars, load_from_disk

    disable_progress_bars()
    try:
        train, dev, test = (load_from_disk(str(folder(task) / split)) for split in SPLITS)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"The cached data of {task.title} cannot be read ({error}). "
            f"Delete {folder(task)} and prepare it again."
        ) from error
    return Splits(train=train, dev=dev, test=test)  # type: ignore[arg-type]
