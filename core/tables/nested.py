"""JSON: one object a line, one list of objects, or SQuAD's passages with their questions.

SQuAD (Rajpurkar et al. 2016) nests: an article has paragraphs, a paragraph has a passage
("context") and questions, a question has accepted answers, each with the character where it
begins in the passage. Here every question becomes one row with its passage, its answers and their
starts; version 2 adds questions that the passage does not answer.
"""

import json
from collections.abc import Iterator
from typing import Any

from core.errors import InputError
from core.tables.limits import check_cells, check_columns, check_rows, decoded
from core.tables.table import BadRow, Table
from core.tables.values import Row, described

SEPARATORS = b",[{"
SQUAD_COLUMNS = ("question", "context", "answers", "starts")
SHAPES = (
    'It must be a list of objects, [{"text": ..., "label": ...}, ...], or of SQuAD\'s shape, '
    '{"data": [{"paragraphs": [{"context": ..., "qas": [...]}]}]}'
)

# A place and its row, or what is wrong there.
Found = tuple[int, Row | str]


def read_json_lines(name: str, data: bytes) -> Table:
    """Read one object from each line that is not blank."""
    lines = decoded(name, data, SEPARATORS + b"\n").split("\n")
    found = [(n, _object_of(line)) for n, line in enumerate(lines, start=1) if line.strip()]
    return _table(name, found, "line")


def _object_of(line: str) -> Row | str:
    try:
        return _checked(json.loads(line))
    except (ValueError, RecursionError) as error:
        return f"it is not JSON ({error})"


def _checked(value: Any) -> Row | str:
    return value if isinstance(value, dict) else f"it is {described(value)}, not an object"


def read_json(name: str, data: bytes) -> Table:
    """Read a list of objects, or a file of SQuAD's shape."""
    text = decoded(name, data, SEPARATORS)
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        advice = "If each line is one object, name the file .jsonl."
        raise InputError(f"{name} is not JSON ({error}). {advice}") from error
    if isinstance(content, list):
        found = [(number, _checked(value)) for number, value in enumerate(content, start=1)]
        return _table(name, found, "object")
    if not isinstance(content, dict) or not isinstance(content.get("data"), list):
        raise InputError(f"{name} cannot be read as a table. {SHAPES}.")
    found = list(enumerate(_questions(content["data"]), start=1))
    return _table(name, found, "question", SQUAD_COLUMNS)


def _table(name: str, found: list[Found], unit: str, columns: tuple[str, ...] = ()) -> Table:
    check_rows(name, len(found))
    good = [(place, row) for place, row in found if isinstance(row, dict)]
    bad = [(place, reason) for place, reason in found if isinstance(reason, str)]
    columns = columns or tuple(dict.fromkeys(key for _, row in good for key in row))
    check_columns(name, columns)
    check_cells(name, len(good) * len(columns))
    return Table(
        name=name,
        columns=columns,
        rows=[{column: row.get(column) for column in columns} for _, row in good],
        lines=[place for place, _ in good],
        broken=tuple(BadRow(line=place, reason=reason, unit=unit) for place, reason in bad),
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
    answers = question.get("answers", [])
    if not isinstance(answers, list) or not all(isinstance(answer, dict) for answer in answers):
        return '"answers" is not a list of objects'
    if question.get("is_impossible") is True and answers:
        return "it is marked as impossible but has answers"
    return {
        "question": question.get("question"),
        "context": paragraph.get("context"),
        "answers": [answer.get("text") for answer in answers],
        "starts": [answer.get("answer_start") for answer in answers],
    }
