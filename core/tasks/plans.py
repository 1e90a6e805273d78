"""A plan: what the columns of a file mean. Guessed from the file, corrected in a form, kept with
the data."""

from dataclasses import dataclass

from core.errors import InputError, one_of, shown, within
from core.records import settle
from core.tables.limits import MAX_NAME, listed
from core.tables.nested import SQUAD_COLUMNS
from core.tables.table import Table
from core.tables.values import is_whole_text

MAX_CLASSES = 100
KINDS = ("classes", "value", "span")  # that a file can be read as
ANSWERS, STARTS = SQUAD_COLUMNS[2:]
RESERVED = ("label", ANSWERS, STARTS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How to read a table as a task: which columns are text, which is the label.

    kind     "classes", "value" or "span", as in Task
    texts    one or two columns; of a span question and passage, beside "answers" and "starts"
    label    the column of the class or value; "" for a span
    labels   the names of the classes in the order of their numbers; empty for the other kinds
    """

    title: str
    kind: str = "classes"
    texts: tuple[str, ...] = ()
    label: str = ""
    labels: tuple[str, ...] = ()
    max_tokens: int = 64

    def __post_init__(self) -> None:
        settle(self)
        one_of("Kind of task", self.kind, KINDS)
        within("Tokens per text", self.max_tokens, 8, 512)
        title = " ".join(self.title.split())
        if not title or len(title) > MAX_NAME or not is_whole_text(title):
            raise InputError(f"The data needs a title of 1 to {MAX_NAME} characters.")
        # One spelling per plan: what a kind does not use is removed.
        object.__setattr__(self, "title", title)
        object.__setattr__(self, "label", "" if self.kind == "span" else self.label)
        object.__setattr__(self, "labels", self.labels if self.kind == "classes" else ())

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the texts in the rows that are made: the person's own where possible."""
        clash = any(text in RESERVED for text in self.texts)
        return tuple(f"{text} (text)" for text in self.texts) if clash else self.texts


def check_plan(table: Table, plan: Plan) -> None:
    """Raise InputError where the plan does not fit the columns of the table."""
    span = plan.kind == "span"
    if len(plan.texts) not in ((2,) if span else (1, 2)):
        raise InputError("Choose one or two text columns; a span needs question and passage.")
    chosen = [*plan.texts, *((ANSWERS, STARTS) if span else (plan.label,))]
    for column in chosen:
        if not column:
            raise InputError("Choose the column that holds the label.")
        if column not in table.columns:
            raise InputError(
                f"{table.name} has no column {shown(column)}. It has: {listed(table.columns)}."
            )
        if chosen.count(column) > 1:
            raise InputError(f"The column {shown(column)} is chosen twice. Choose another one.")
    if plan.kind == "classes":
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
