"""JSON: one object a line, one list of objects, or SQuAD's passages with their questions.

SQuAD nests: an article has paragraphs, a paragraph has a passage ("context") and questions, a
question has accepted answers. Here every question becomes one row with its passage, its answers
and their starts; version 2 adds questions that the passage does not answer.
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from core.errors import InputError
from core.tables.cells import Row, described
from core.tables.pace import Tick, keep_going, paced
from core.tables.squad_format import CONTEXT, QUESTION, SQUAD_COLUMNS, answers_of
from core.tables.table import BadRow, Table
from core.tables.table_limits import check_cells, check_columns, check_rows, check_width, decoded

SEPARATORS = b",[{"
SHAPES = (
    'It must be a list of objects, [{"text": ..., "label": ...}, ...], or of SQuAD\'s shape, '
    '{"data": [{"paragraphs": [{"context": ..., "qas": [...]}]}]}'
)

# A place and its row, or what is wrong there.
Found = tuple[int, Row | str]


def read_json_lines(name: str, data: bytes, tick: Tick = keep_going) -> Table:
    """Read one object from each line that is not blank."""
    lines = decoded(name, data, SEPARATORS + b"\n").split("\n")
    found = ((n, _object_of(line)) for n, line in enumerate(lines, start=1) if line.strip())
    return _table(name, found, "line", tick)


def _object_of(line: str) -> Row | str:
    try:
        return _checked(json.loads(line))
    except (ValueError, RecursionError) as error:
        return f"it is not JSON ({error})"


def _checked(value: Any) -> Row | str:
    return value if isinstance(value, dict) else f"it is {described(value)}, not an object"


def read_json(name: str, data: bytes, tick: Tick = keep_going) -> Table:
    """Read a list of objects, or a file of SQuAD's shape."""
    text = decoded(name, data, SEPARATORS)
    tick()
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        advice = "If each line is one object, name the file .jsonl."
        raise InputError(f"{name} is not JSON ({error}). {advice}") from error
    if isinstance(content, list):
        found = ((number, _checked(value)) for number, value in enumerate(content, start=1))
        return _table(name, found, "object", tick)
    if not isinstance(content, dict) or not isinstance(content.get("data"), list):
        raise InputError(f"{name} cannot be read as a table. {SHAPES}.")
    found = enumerate(_questions(content["data"]), start=1)
    return _table(name, found, "question", tick, SQUAD_COLUMNS)


def _table(
    name: str, found: Iterable[Found], unit: str, tick: Tick, columns: tuple[str, ...] = ()
) -> Table:
    good: list[tuple[int, Row]] = []
    broken: list[BadRow] = []
    keys = dict.fromkeys(columns)
    for number, (place, row) in enumerate(paced(found, tick), start=1):
        check_rows(name, number)
        if isinstance(row, str):
            broken.append(BadRow(line=place, reason=row, unit=unit))
            continue
        good.append((place, row))
        keys |= {} if columns else dict.fromkeys(row)
        check_width(name, len(keys))
    columns = tuple(keys)
    check_columns(name, columns)
    check_cells(name, len(good) * len(columns))
    return Table(
        name=name,
        columns=columns,
        rows=[{column: row.get(column) for column in columns} for _, row in paced(good, tick)],
        lines=[place for place, _ in good],
        broken=tuple(broken),
        unit=unit,
    )


def _questions(articles: list[Any]) -> Iterator[Row | str]:
    """A row for each question, or what is wrong in its place."""
    for paragraph in _inside(articles, "paragraphs"):
        if isinstance(paragraph, str):
            yield paragraph
            continue
        for question in _inside([paragraph], "qas"):
            yield question if isinstance(question, str) else _question(question, paragraph)


def _inside(owners: list[Any], key: str) -> Iterator[Row | str]:
    """The objects of the lists that the owners keep under `key`."""
    for owner in owners:
        inner = owner.get(key) if isinstance(owner, dict) else None
        if not isinstance(inner, list):
            yield f'a list "{key}" is missing in {described(owner)}'
            continue
        for each in inner:
            wrong = f'{described(each)} in "{key}" is not an object'
            yield each if isinstance(each, dict) else wrong


def _question(question: Row, paragraph: Row) -> Row | str:
    answers = answers_of(question.get("answers"), question.get("is_impossible"))
    if isinstance(answers, str):
        return answers
    return {QUESTION: question.get("question"), CONTEXT: paragraph.get("context")} | answers
