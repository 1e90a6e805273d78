"""Questions about text: some examples of a task, what augmentation makes of them, a person's own
file read, guessed, checked and kept."""

from collections.abc import Generator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from core.events import Preparing
from core.experiment import TrainRecipe

if TYPE_CHECKING:
    from core.tables.reading import Table
    from core.tasks.base import Task
    from core.tasks.checking import Checked
    from core.tasks.plans import Plan

SHOWN_EXAMPLES, SHOWN_COPIES = 5, 3
Copies = list[tuple[str, tuple[str, ...]]]


def examples(task: str, count: int = SHOWN_EXAMPLES) -> list[dict[str, str]]:
    """The first dev examples, column to text; the last column is the truth in words.

    Raises InputError when the task's text is not on this computer.
    """
    from core.tasks.base import find_task, load

    found = find_task(task)
    dev = load(found).dev
    rows = [dev[row] for row in range(min(count, len(dev)))]
    return [
        {**{name: row[name] for name in found.texts}, "truth": _truth(found, row)} for row in rows
    ]


def _truth(task: "Task", row: dict) -> str:
    if task.kind == "span":
        return " | ".join(dict.fromkeys(row["answers"])) or "(no answer)"
    return task.labels[row["label"]] if task.kind == "classes" else f"{row['label']:.2f}"


def augmented_examples(
    task: str, model: str, recipe: TrainRecipe
) -> Generator[Preparing, None, Copies]:
    """Some training examples and three copies of each, as training would make them; the return
    value pairs each example with its copies.

    Raises InputError without the task's text or the teacher, or for a masked language model that
    cannot be used.
    """
    from core.models.teachers import load_teacher, teacher_tokenizer
    from core.tasks.base import find_task, load
    from core.training.augment import augmented

    found = find_task(task)
    table = load(found).train
    drawn = [
        (row, copy)
        for row in range(min(SHOWN_EXAMPLES, len(table)))
        for copy in range(SHOWN_COPIES + 1)
    ]
    teacher, tokenizer = load_teacher(task, model), teacher_tokenizer(task, model)
    made = yield from augmented(table, found, recipe, drawn, teacher, tokenizer, seed=0)
    columns = zip(*(made[name] for name in found.texts), strict=True)
    texts = [" / ".join(row) for row in columns]
    step = SHOWN_COPIES + 1
    return [(texts[i], tuple(texts[i + 1 : i + step])) for i in range(0, len(texts), step)]


def read_table(filename: str, data: bytes) -> "Table":
    """A person's file as a table. Raises InputError when it cannot be read or is too large."""
    from core.tables import reading

    return reading.read_table(filename, data)


def read_files(paths: "Sequence[Path]") -> "Table":
    """Several files with the same columns as one table. Raises InputError as `read_table`."""
    from core.tables import reading

    return reading.read_files(paths)


def guess_plan(table: "Table", title: str) -> "Plan":
    """What its columns probably mean. Raises InputError when no label or text can be found."""
    from core.tasks.own_data import guess

    return guess(table, title)


def label_kind(table: "Table", column: str) -> str:
    """Whether a column looks like "classes" or like a "value"."""
    from core.tasks import own_data

    own_data.check_columns(table, [column])
    return own_data.label_kind(table, column)


def length_of(table: "Table", texts: tuple[str, ...]) -> int:
    """The usual length in tokens that holds nearly all texts of these columns."""
    from core.tasks import own_data

    own_data.check_columns(table, texts)
    return own_data.length_of(table, texts)


def class_names(table: "Table", column: str) -> tuple[str, ...]:
    """The different labels of a column, in order."""
    from core.tasks import own_data

    own_data.check_columns(table, [column])
    return own_data.class_names(table, column)


def check_rows(table: "Table", plan: "Plan") -> "Checked":
    """Which rows fit the plan, and which do not. Raises InputError when the plan does not fit."""
    from core.tasks.own_data import check

    return check(table, plan)


def bad_rows(checked: "Checked") -> tuple[str, ...]:
    """The first twenty rows that do not fit, in words, and how many more there are."""
    from core.tasks.own_data import told

    return told(checked.bad)


def keep_data(plan: "Plan", train: "Checked", test: "Checked | None" = None) -> "Task":
    """Keep the rows that fit as a task of this computer. Raises InputError for too few rows."""
    from core.tasks.own_data import save

    return save(plan, train, test)


def delete_data(task: str) -> None:
    """Delete a person's own data. Raises InputError for any other task."""
    from core.tasks.own_data import delete

    delete(task)
