"""Hold every row of a table against its plan.

What fits is ready for training, what does not is listed with the line it stands on. A text that
comes again is left out: in train and in test at once it would be a question whose answer was
learned by heart.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from core.errors import InputError, shown
from core.tables.limits import MAX_NAME, check_characters
from core.tables.pace import Tick, keep_going, paced
from core.tables.table import BadRow, Table
from core.tables.values import as_label, as_text, described, number
from core.tasks.plans import ANSWERS, MAX_CLASSES, STARTS, Plan, check_plan
from core.tasks.sources import Row

MAX_TEXT = 20_000  # characters of one text
MAX_ANSWERS = 100  # accepted answers of one question
NUDGE = 2
SHOWN = 20


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Checked:
    """Rows ready for training, and what was left out.

    rows            the texts under `Plan.columns`, and "label" or "answers" and "starts"
    bad             the rows that cannot be used, in the order of the file
    repeated        rows left out because their text came before,
    contradictory   how many of those said something else about it
    """

    rows: list[Row]
    bad: tuple[BadRow, ...] = ()
    repeated: int = 0
    contradictory: int = 0


def check(table: Table, plan: Plan, tick: Tick = keep_going) -> Checked:
    """Hold every row against the plan. Raises InputError where the plan itself does not fit."""
    check_plan(table, plan)
    target = _target_of(plan)
    rows: list[Row] = []
    bad, seen = list(table.broken), dict[bytes, Any]()
    contradictory = characters = 0
    for index, row in enumerate(paced(table.rows, tick)):
        try:
            texts = _texts(row, plan)
            made = texts | target(row, texts)
        except InputError as error:
            bad.append(table.bad_row(index, str(error)))
            continue
        key, goal = key_of(made, plan), made.get("label", made.get(ANSWERS))
        if key in seen:
            contradictory += seen[key] != goal
            continue
        seen[key] = goal
        rows.append(made)
        characters += sum(len(made[column]) for column in plan.columns)
        check_characters(table.name, characters)
    files = [name for name, _ in table.files]
    bad.sort(key=lambda each: (files.index(each.file) if each.file in files else 0, each.line))
    repeated = len(table.rows) + len(table.broken) - len(bad) - len(rows)
    return Checked(rows=rows, bad=tuple(bad), repeated=repeated, contradictory=contradictory)


def apart(plan: Plan, train: Checked, test: Checked) -> Checked:
    """Train without the texts that test has; they count as repeated."""
    known = {key_of(row, plan) for row in test.rows}
    rows = [row for row in train.rows if key_of(row, plan) not in known]
    return replace(train, rows=rows, repeated=train.repeated + len(train.rows) - len(rows))


def told(bad: Sequence[BadRow]) -> tuple[str, ...]:
    """The first 20 bad rows as a person reads them, and how many more there are."""
    lines = [str(each) for each in bad[:SHOWN]]
    return (*lines, *([f"and {len(bad) - SHOWN:,} more"] if len(bad) > SHOWN else []))


def class_names(table: Table, column: str, tick: Tick = keep_going) -> tuple[str, ...]:
    """The different labels of a column, numbers by size, else by alphabet. Of more than
    MAX_CLASSES only the first found are given, one too many."""
    found: set[str] = set()
    for row in paced(table.rows, tick):
        if len(found) > MAX_CLASSES:
            break
        try:
            found.add(_class_name(row, column))
        except InputError:
            continue
    try:
        ordered = sorted(found, key=lambda name: (number(name), name))
    except InputError:
        ordered = sorted(found, key=lambda name: (name.casefold(), name))
    return tuple(ordered)


def key_of(row: Row, plan: Plan) -> bytes:
    """Equal for rows whose texts differ at most in case and blanks."""
    texts = [" ".join(row[column].lower().split()) for column in plan.columns]
    return hashlib.blake2b("\n".join(texts).encode(), digest_size=16).digest()


# One row


def _texts(row: Row, plan: Plan) -> Row:
    """The texts of a row. A passage keeps its blanks: answers are found by their position."""
    made: Row = {}
    for column, name in zip(plan.texts, plan.columns, strict=True):
        text = as_text(row[column])
        if not text.strip():
            raise InputError(f"{shown(column)} is empty")
        if len(text) > MAX_TEXT:
            raise InputError(f"{shown(column)} is longer than {MAX_TEXT:,} characters")
        made[name] = text if plan.kind == "span" else text.strip()
    return made


def _target_of(plan: Plan) -> Callable[[Row, Row], Row]:
    """What reads the thing to learn out of a row and its texts."""
    if plan.kind == "span":
        return lambda row, texts: _answers(row, texts[plan.columns[1]])
    if plan.kind == "value":
        return lambda row, _: {"label": _value(row, plan.label)}
    numbers = {as_label(name): index for index, name in enumerate(plan.labels)}

    def class_of(row: Row, _: Row) -> Row:
        name = _class_name(row, plan.label)
        if name not in numbers:
            raise InputError(f"the label {shown(name)} is not one of the classes")
        return {"label": numbers[name]}

    return class_of


def _class_name(row: Row, column: str) -> str:
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
