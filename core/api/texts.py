"""Questions about text: some examples of a task, what augmentation makes of them, a person's own
file read, guessed, checked and kept."""

import reprlib
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from core.events import Preparing
from core.experiment import TrainRecipe
from core.tables.pace import Tick, keep_going

if TYPE_CHECKING:
    from core.tables.table import Table
    from core.tasks.checking import Checked
    from core.tasks.plans import Plan
    from core.tasks.task import Task

SHOWN_EXAMPLES, SHOWN_COPIES, SHOWN_CHARACTERS = 5, 3, 1000
Copies = list[tuple[str, tuple[str, ...]]]


def examples(task: str, count: int = SHOWN_EXAMPLES) -> list[dict[str, str]]:
    """The first dev examples, column to text; the last column is the truth in words.

    Raises InputError when the task's text is not on this computer.
    """
    from core.tasks.prepare import load
    from core.tasks.registry import find_task

    found = find_task(task)
    dev = load(found).dev
    rows = [dev[row] for row in range(min(count, len(dev)))]
    return [
        {
            **{name: as_shown(row[name]) for name in found.texts},
            "truth": found.target.truth(found, row),
        }
        for row in rows
    ]


def as_shown(text: str | list[str]) -> str:
    """A text of an example; of several (candidates) their number."""
    return text if isinstance(text, str) else f"{len(text)} passages"


def augmented_examples(
    task: str, model: str, recipe: TrainRecipe
) -> Generator[Preparing, None, Copies]:
    """Some training examples and three copies of each, as training would make them; the return
    value pairs each example with its copies.

    Raises InputError without the task's text or the teacher, or for a masked language model that
    cannot be used.
    """
    from core.tasks.prepare import load
    from core.tasks.registry import find_task
    from core.teachers.teacher_store import family_of_teacher, load_teacher, teacher_tokenizer
    from core.training.augment import augmented

    found = find_task(task)
    table = load(found).train
    drawn = [
        (row, copy)
        for row in range(min(SHOWN_EXAMPLES, len(table)))
        for copy in range(SHOWN_COPIES + 1)
    ]
    family, teacher = family_of_teacher(task, model), load_teacher(task, model)
    tokenizer = teacher_tokenizer(task, model)
    made = yield from augmented(table, found, recipe, drawn, family, teacher, tokenizer, seed=0)
    columns = zip(*(made[name] for name in found.texts), strict=True)
    texts = [" / ".join(row) for row in columns]
    step = SHOWN_COPIES + 1
    return [(texts[i], tuple(texts[i + 1 : i + step])) for i in range(0, len(texts), step)]


def read_table(filename: str, data: bytes, tick: Tick = keep_going) -> "Table":
    """A person's file as a table. Raises InputError when it cannot be read or is too large.

    Here and below `tick` is called on the way; what it raises ends the work.
    """
    from core.tables import file_reading

    return file_reading.read_table(filename, data, tick)


def first_rows(table: "Table", count: int) -> list[dict[str, str]]:
    """The first rows as they are shown: every value as a text of bounded length."""
    brief = reprlib.Repr()
    brief.maxstring = brief.maxother = SHOWN_CHARACTERS

    def text_of(value: object) -> str:
        return value[:SHOWN_CHARACTERS] if isinstance(value, str) else brief.repr(value)

    return [{name: text_of(row[name]) for name in table.columns} for row in table.rows[:count]]


def read_files(paths: "Sequence[Path]") -> "Table":
    """Several files with the same columns as one table. Raises InputError as `read_table`."""
    from core.tables import file_reading

    return file_reading.read_files(paths)


def guess_plan(table: "Table", title: str, tick: Tick = keep_going) -> "Plan":
    """What its columns probably mean. Raises InputError when no label or text can be found."""
    from core.tasks.guessing import guess

    return guess(table, title, tick)


def has_classes(kind: str) -> bool:
    """Whether a label of this kind is one of a few names."""
    from core.tasks.file_targets import file_target

    return file_target(kind).has_classes


def label_kind(table: "Table", column: str, tick: Tick = keep_going) -> str:
    """Whether a column looks like "classes" or like a "value"."""
    from core.tasks import guessing
    from core.tasks.plans import check_columns

    check_columns(table, [column])
    return guessing.label_kind(table, column, tick)


def length_of(table: "Table", texts: tuple[str, ...]) -> int:
    """The usual length in tokens that holds nearly all texts of these columns."""
    from core.tasks import guessing
    from core.tasks.plans import check_columns

    check_columns(table, texts)
    return guessing.length_of(table, texts)


def class_names(table: "Table", column: str, tick: Tick = keep_going) -> tuple[str, ...]:
    """The different labels of a column, in order."""
    from core.tasks import checking
    from core.tasks.plans import check_columns

    check_columns(table, [column])
    return checking.class_names(table, column, tick)


def check_rows(table: "Table", plan: "Plan", tick: Tick = keep_going) -> "Checked":
    """Which rows fit the plan, and which do not. Raises InputError when the plan does not fit."""
    from core.tasks.checking import check

    return check(table, plan, tick)


def bad_rows(checked: "Checked") -> tuple[str, ...]:
    """The first twenty rows that do not fit, in words, and how many more there are."""
    from core.tasks.checking import told

    return told(checked.bad)


def keep_data(plan: "Plan", train: "Checked", test: "Checked | None" = None) -> "Task":
    """Keep the rows that fit as a task of this computer. Raises InputError for too few rows."""
    from core.tasks.own_data import save

    return save(plan, train, test)


def delete_data(task: str) -> None:
    """Delete a person's own data. Raises InputError for any other task."""
    from core.tasks.own_data import delete

    delete(task)
