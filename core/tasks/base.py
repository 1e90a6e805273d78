"""A task: text with something to learn from it, cut once into train, dev and test.

A task is one `Task` value registered by its file; the files of this folder are found by walking
it, and a person's own data joins them. `prepare` brings the data into the cache and says how far
it is; `load` reads it from there. Training learns on train, every choice is made on dev, and test
is only ever reported.

The cut does not depend on a random generator of some library's version: examples are ordered by
the SHA-256 of their text, so they fall the same way on every machine, for ever. Where the source
has a standard test split (GLUE: its validation split, the labels of the other are hidden) that
one is test, and only dev is cut from train.
"""

import hashlib
import importlib
import pkgutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache as once
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import InputError, how_to_fetch, one_of
from core.events import Preparing
from core.places import cache
from core.tasks.sources import Source
from core.tasks.splits import Splits, load_splits, save_splits

if TYPE_CHECKING:
    from datasets import Dataset

KINDS = ("classes", "value", "span")
FEWEST_ROWS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What is learned and where its text comes from.

    kind      "classes" (column "label" is a class number), "value" ("label" is a number), or
              "span" (columns "answers" and "starts" hold the accepted answers of a question and
              where each begins in its passage; both empty when the passage has no answer)
    texts     the one or two text columns; question and passage for a span
    metrics   the first is the one that scores are compared by
    dev_examples, test_examples   at most, and never more than a tenth of what is cut
    more_tests                    further test splits of the source, reported beside test
    max_tokens, batch_size, copies   lengths, batch and augmentation of the paper (PAPER 3)
    examples                      texts for people to try, one per column
    """

    name: str
    title: str
    description: str
    source: Source
    metrics: tuple[str, ...]
    kind: str = "classes"
    labels: tuple[str, ...] = ()
    texts: tuple[str, ...] = ("text",)
    citation: str = ""
    dev_examples: int = 1000
    test_examples: int = 1000
    more_tests: tuple[str, ...] = ()
    max_tokens: int = 64
    batch_size: int = 32
    copies: int = 20
    may_have_no_answer: bool = False
    examples: tuple[tuple[str, ...], ...] = field(default=())

    @property
    def metric(self) -> str:
        """The metric that scores are compared by."""
        return self.metrics[0]


_registry: dict[str, Task] = {}


def register(task: Task) -> Task:
    """Make a task known; returns it."""
    one_of("Kind of task", task.kind, KINDS)
    _registry[task.name] = task
    return task


@once
def _walk() -> None:
    package = importlib.import_module("core.tasks")
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"core.tasks.{module.name}")


def tasks() -> dict[str, Task]:
    """All tasks by name: those of this folder's files, then the person's own."""
    _walk()
    from core.tasks.own_data import own_tasks

    return _registry | {task.name: task for task in own_tasks()}


def find_task(name: str) -> Task:
    """The task of that name; raises InputError naming the known ones."""
    known = tasks()
    one_of("Task", name, known)
    return known[name]


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
    passage. Raises InputError when too few rows are left."""
    whole = parts["train"]
    if len(whole) < FEWEST_ROWS:
        raise InputError(
            f"{task.title} has {len(whole)} usable rows; at least {FEWEST_ROWS} are needed."
        )
    deciding = task.texts[-1:] if task.kind == "span" else task.texts
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
