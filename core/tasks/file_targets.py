"""What a person's own file must say for each target, and how a row of it is read.

One record a target: which columns there must be beside the texts, how the thing to learn is read
out of a row, and when there is nothing to learn in all of them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from core.errors import InputError, one_of, shown
from core.tables.cells import Row, as_label, as_text, described, number
from core.tables.squad_format import ANSWERS, STARTS
from core.tables.table_limits import MAX_NAME
from core.tasks.collection import Collection, collection_of
from core.tasks.ranking_parts import COLUMNS, parts_of

if TYPE_CHECKING:
    from datasets import Dataset

    from core.tasks.plans import Plan

FEWEST_PASSAGES = 20
MAX_ANSWERS = 100  # accepted answers of one question
NUDGE = 2

Rows = Sequence[Row]
Read = Callable[[Row, Row], Row]  # (row of the file, its texts) -> the columns to learn


@dataclass(frozen=True, slots=True, kw_only=True)
class FileTarget:
    """How a file tells what is to be learned.

    texts         how many text columns there may be
    columns       the task's texts, where they are not the columns of the file
    made          (train, test or None) of the kept rows -> the parts of the task, where a row of
                  the file is not yet an example
    beside        columns that it needs by these names
    has_label     a column holds the label; `has_classes`: one of a few names
    keeps_blanks  blanks around the texts count
    types         column to learn -> its type in the kept table
    reader        plan -> what reads a row; raises InputError for one that does not fit
    nothing       rows of train -> why nothing can be learned from them; "" if something can
    metrics       plan -> the task's metrics
    batch_size, copies   as in a Task
    """

    texts: tuple[int, ...] = (1, 2)
    columns: tuple[str, ...] = ()
    made: "Callable[[Plan, Rows, Rows | None], dict[str, Dataset]] | None" = None
    beside: tuple[str, ...] = ()
    has_label: bool = True
    has_classes: bool = False
    keeps_blanks: bool = False
    types: Mapping[str, str]
    reader: "Callable[[Plan], Read]"
    nothing: Callable[[Sequence[Row]], str]
    metrics: "Callable[[Plan], tuple[str, ...]]"
    batch_size: int = 32
    copies: int = 20


def file_target(name: str) -> FileTarget:
    """The record of that target; raises InputError naming those that a file can have."""
    one_of("Kind of task", name, FILE_TARGETS)
    return FILE_TARGETS[name]


def class_reader(plan: "Plan") -> Read:
    """The number of the class that the label names."""
    numbers = {as_label(name): index for index, name in enumerate(plan.labels)}

    def class_of(row: Row, _: Row) -> Row:
        name = class_name(row, plan.label)
        if name not in numbers:
            raise InputError(f"the label {shown(name)} is not one of the classes")
        return {"label": numbers[name]}

    return class_of


def value_reader(plan: "Plan") -> Read:
    """The number that the label is."""
    return lambda row, _: {"label": _value(row, plan.label)}


def span_reader(plan: "Plan") -> Read:
    """The answers, and where they stand in the passage."""
    return lambda row, texts: _answers(row, texts[plan.columns[1]])


def one_label(rows: Sequence[Row]) -> str:
    """Whether all labels are the same."""
    if len({row["label"] for row in rows}) > 1:
        return ""
    return (
        f"All {len(rows):,} usable rows have the same label, so there is nothing to learn. Choose "
        "another label column, or give more rows."
    )


def no_answer(rows: Sequence[Row]) -> str:
    """Whether no question has an answer."""
    if any(row[ANSWERS] for row in rows):
        return ""
    return "No usable question has an answer, so there is nothing to learn."


def few_passages(rows: Rows) -> str:
    """Whether there are too few passages for a wrong one to be found beside the right one."""
    passages = {tuple(row.values())[1] for row in rows}
    if len(passages) >= FEWEST_PASSAGES:
        return ""
    return (
        f"There are {len(passages)} different passages; to learn which one answers, at least "
        f"{FEWEST_PASSAGES} are needed."
    )


def rankings(plan: "Plan", train: Rows, test: Rows | None) -> "dict[str, Dataset]":
    """Questions with the candidates that the first stage finds among all passages of the file. A
    passage is its own article, so none that is tested was learned from."""
    return parts_of(_pairs(plan, train), _pairs(plan, test) if test else None)


def _pairs(plan: "Plan", rows: Rows) -> Collection:
    question, passage = plan.columns
    return collection_of((row[passage].strip(), row[passage], row[question]) for row in rows)


def class_name(row: Row, column: str) -> str:
    """The name of the row's class. Raises InputError where it is missing or too long."""
    name = as_label(row[column])
    if not name or len(name) > MAX_NAME:
        raise InputError(
            f"the label is longer than {MAX_NAME} characters" if name else "the label is missing"
        )
    return name


def _value(row: Row, column: str) -> float:
    if not as_text(row[column]).strip():
        raise InputError("the label is missing")
    return number(row[column])


def _answers(row: Row, passage: str) -> Row:
    """The accepted answers, each standing in the passage where it is said to."""
    answers, starts = row[ANSWERS], row[STARTS]
    if not isinstance(answers, list) or not isinstance(starts, list):
        raise InputError("answers and starts are not lists")
    if len(answers) != len(starts):
        raise InputError(f"it has {len(answers)} answers but {len(starts)} starts")
    if len(answers) > MAX_ANSWERS:
        raise InputError(f"it has {len(answers):,} answers; at most {MAX_ANSWERS} are read")
    placed = [_placed(*pair, passage) for pair in zip(answers, starts, strict=True)]
    return {ANSWERS: [answer for answer, _ in placed], STARTS: [start for _, start in placed]}


def _placed(answer: Any, start: Any, passage: str) -> tuple[str, int]:
    """An answer without blanks around it, and where it begins: where it is said to, or at most
    NUDGE characters beside (in SQuAD itself one in a thousand is that far off)."""
    if not isinstance(answer, str) or not answer.strip():
        raise InputError(f"the answer {described(answer)} is empty or not a text")
    answer = answer.strip()
    said = _whole(start)
    if said is not None:
        for place in sorted(range(said - NUDGE, said + NUDGE + 1), key=lambda p: abs(p - said)):
            if place >= 0 and passage.startswith(answer, place):
                return answer, place
    raise InputError(f"the answer {shown(answer)} does not begin at character {described(start)}")


def _whole(start: Any) -> int | None:
    """A start as files write it, 18, 18.0 or "18"; None for anything else."""
    try:
        found = number(start)
    except InputError:
        return None
    return int(found) if found.is_integer() else None


FILE_TARGETS: Mapping[str, FileTarget] = {
    "classes": FileTarget(
        has_classes=True,
        types={"label": "int64"},
        reader=class_reader,
        nothing=one_label,
        metrics=lambda plan: ("accuracy", "f1" if len(plan.labels) == 2 else "macro-f1"),
    ),
    "value": FileTarget(
        types={"label": "float64"},
        reader=value_reader,
        nothing=one_label,
        metrics=lambda _: ("pearson", "spearman"),
    ),
    "span": FileTarget(
        texts=(2,),
        beside=(ANSWERS, STARTS),
        has_label=False,
        keeps_blanks=True,
        types={ANSWERS: "texts", STARTS: "numbers"},
        reader=span_reader,
        nothing=no_answer,
        metrics=lambda _: ("answer-f1", "exact-match"),
        batch_size=16,
        copies=0,
    ),
    "ranking": FileTarget(
        texts=(2,),
        columns=COLUMNS,
        made=rankings,
        has_label=False,
        types={},
        reader=lambda _: lambda row, texts: {},
        nothing=few_passages,
        metrics=lambda _: ("mrr-10", "ndcg-10", "recall-1"),
        copies=0,
    ),
}
