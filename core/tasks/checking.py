"""Hold every row of a table against its plan.

What fits is ready for training, what does not is listed with the line it stands on. A text that
comes again is left out: in train and in test at once it would be a question whose answer was
learned by heart.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from core.errors import InputError, shown
from core.tables.cells import as_text, number
from core.tables.pace import Tick, keep_going, paced
from core.tables.table import BadRow, Table
from core.tables.table_limits import check_characters
from core.tasks.file_targets import class_name, file_target
from core.tasks.plans import ANSWERS, MAX_CLASSES, Plan, check_plan
from core.tasks.sources import Row

MAX_TEXT = 20_000  # characters of one text
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
    target = file_target(plan.kind).reader(plan)
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
            found.add(class_name(row, column))
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
    keeps_blanks = file_target(plan.kind).keeps_blanks
    for column, name in zip(plan.texts, plan.columns, strict=True):
        text = as_text(row[column])
        if not text.strip():
            raise InputError(f"{shown(column)} is empty")
        if len(text) > MAX_TEXT:
            raise InputError(f"{shown(column)} is longer than {MAX_TEXT:,} characters")
        made[name] = text if keeps_blanks else text.strip()
    return made
