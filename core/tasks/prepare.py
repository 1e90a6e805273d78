"""From a task to its splits: bring the data here, cut it once into train, dev and test, keep it.

`prepare` brings the data into the cache and says how far it is; `load` reads it from there.
Training learns on train, every choice is made on dev, and test is only ever reported.

The cut does not depend on a random generator of some library's version: examples are ordered by
the SHA-256 of their text, so they fall the same way on every machine, for ever. Where the source
has a standard test split (GLUE: its validation split, the labels of the other are hidden) that
one is test, and only dev is cut from train; where it has dev too, nothing is cut.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import InputError, how_to_fetch
from core.events import Preparing
from core.paths import cache
from core.tasks.splits import Splits, load_splits, save_splits
from core.tasks.task import Task

if TYPE_CHECKING:
    from datasets import Dataset

FEWEST_ROWS = 50


def folder(task: Task) -> Path:
    """Where the splits are kept; different data or another cut has a different folder."""
    cut = f"{task.source.identity}/{task.dev_examples}/{task.test_examples}"
    return cache() / "tasks" / f"{task.name}-{hashlib.sha256(cut.encode()).hexdigest()[:8]}"


def is_prepared(task: Task) -> bool:
    """Whether `load` would work now."""
    return (folder(task) / "test").is_dir()


def prepare(task: Task) -> Iterator[Preparing]:
    """Bring the task's data here unless it is. Raises InputError as its source does."""
    if is_prepared(task):
        return
    reading = yield from task.source.read()
    yield Preparing(text=f"Cutting {task.title} into train, dev and test")
    save_splits(folder(task), cut(reading.parts, task), reading.revision)


def cut(parts: "dict[str, Dataset]", task: Task) -> "dict[str, Dataset]":
    """Order train by the SHA-256 of its text; the first rows are test (unless the source has its
    own), the next dev, the rest train; equal texts stay together, and so do all questions about one
    passage. A source that has dev has made the cut itself. Raises InputError when too few rows are
    left."""
    whole = parts["train"]
    if "dev" in parts:
        return parts
    check_enough(len(whole), task)
    group = task.target.group
    deciding = task.texts if group is None else (task.texts[group],)
    columns = [whole[column] for column in deciding]
    digests = [
        hashlib.sha256("\n".join(texts).encode()).digest() for texts in zip(*columns, strict=True)
    ]
    order = sorted(range(len(whole)), key=digests.__getitem__)
    tests = {name: part for name, part in parts.items() if name != "train"}
    if "test" not in tests:
        count = _border(digests, order, min(task.test_examples, len(whole) // 10))
        tests["test"], order = whole.select(order[:count]), order[count:]
    dev = _border(digests, order, min(task.dev_examples, len(whole) // 10))
    return {"train": whole.select(order[dev:]), "dev": whole.select(order[:dev]), **tests}


def check_enough(rows: int, task: Task) -> None:
    """Raise InputError when nothing could be learned from so few rows."""
    if rows < FEWEST_ROWS:
        raise InputError(f"{task.title} has {rows} usable rows; at least {FEWEST_ROWS} are needed.")


def _border(digests: list[bytes], order: list[int], count: int) -> int:
    """At most `count` rows that end between different texts; `count` where all texts are equal."""
    border = count
    while border and digests[order[border - 1]] == digests[order[border]]:
        border -= 1
    return border or count


def load(task: Task) -> Splits:
    """The splits from the cache; raises InputError when `prepare` has not run here."""
    if not is_prepared(task):
        raise InputError(
            f"The text of {task.title} is not on this computer yet "
            f"({task.source.size_bytes / 2**20:.1f} MiB from {task.source.place}). "
            f"{how_to_fetch(task.name)}"
        )
    return load_splits(folder(task), task.more_tests)
