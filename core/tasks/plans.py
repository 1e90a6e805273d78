"""A plan: what the columns of a file mean. Guessed from the file, corrected in a form, kept with
the data."""

from collections.abc import Iterable
from dataclasses import dataclass

from core.errors import InputError, one_of, shown, within
from core.serialization import coerce_fields
from core.tables.cells import is_whole_text
from core.tables.squad_format import ANSWERS, STARTS
from core.tables.table import Table
from core.tables.table_limits import MAX_NAME, listed
from core.tasks.file_targets import FILE_TARGETS, file_target

MAX_CLASSES = 100
RESERVED = ("label", ANSWERS, STARTS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How to read a table as a task: which columns are text, which is the label.

    kind     "classes", "value", "span" or "ranking", as in Task
    texts    one or two columns; of a span question and passage, beside "answers" and "starts"; of
             a ranking a question and a passage that answers it
    label    the column of the class or value; "" for the others
    labels   the names of the classes in the order of their numbers; empty for the other kinds
    """

    title: str
    kind: str = "classes"
    texts: tuple[str, ...] = ()
    label: str = ""
    labels: tuple[str, ...] = ()
    max_tokens: int = 64

    def __post_init__(self) -> None:
        coerce_fields(self)
        one_of("Kind of task", self.kind, FILE_TARGETS)
        within("Tokens per text", self.max_tokens, 8, 512)
        title = " ".join(self.title.split())
        if not title or len(title) > MAX_NAME or not is_whole_text(title):
            raise InputError(f"The data needs a title of 1 to {MAX_NAME} characters.")
        # One spelling per plan: what a kind does not use is removed.
        target = file_target(self.kind)
        object.__setattr__(self, "title", title)
        object.__setattr__(self, "label", self.label if target.has_label else "")
        object.__setattr__(self, "labels", self.labels if target.has_classes else ())

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the texts in the rows that are made: the person's own where possible."""
        clash = any(text in RESERVED for text in self.texts)
        return tuple(f"{text} (text)" for text in self.texts) if clash else self.texts


def check_columns(table: Table, columns: Iterable[str]) -> None:
    """Raise InputError for a column that the table does not have."""
    for column in columns:
        if column not in table.columns:
            raise InputError(
                f"{table.name} has no column {shown(column)}. It has: {listed(table.columns)}."
            )


def check_plan(table: Table, plan: Plan) -> None:
    """Raise InputError where the plan does not fit the columns of the table."""
    target = file_target(plan.kind)
    if len(plan.texts) not in target.texts:
        raise InputError(
            "Choose one or two text columns; a span and a ranking need question and passage."
        )
    chosen = [*plan.texts, *target.beside, *((plan.label,) if target.has_label else ())]
    for column in chosen:
        if not column:
            raise InputError("Choose the column that holds the label.")
        check_columns(table, [column])
        if chosen.count(column) > 1:
            raise InputError(f"The column {shown(column)} is chosen twice. Choose another one.")
    if target.has_classes:
        _check_classes(plan)


def _check_classes(plan: Plan) -> None:
    names = plan.labels
    if len(names) < 2:
        raise InputError(
            f"The label column {shown(plan.label)} has fewer than two classes, so there is nothing "
            "to tell apart. Choose another column."
        )
    if len(names) > MAX_CLASSES:
        raise InputError(
            f"The label column {shown(plan.label)} has more than {MAX_CLASSES} classes. If its "
            'labels are numbers, choose the kind "value"; otherwise choose another column.'
        )
    if len(set(names)) < len(names) or not all(name and name == name.strip() for name in names):
        raise InputError("Each class needs a name of its own.")
