"""Questions, passages and answers (SQuAD, Rajpurkar et al. 2016) in the forms that files have.

Accepted answers come in three forms, all of them here a list of texts and a list of the characters
where each begins in the passage:

    {"text": ["a", "b"], "answer_start": [3, 9]}                              the hub's flat form
    [{"text": "a", "answer_start": 3}, {"text": "b", "answer_start": 9}]      SQuAD's own files
    null                                                                      no answer (version 2)
"""

from dataclasses import replace
from typing import Any

from core.tables.cells import Row
from core.tables.pace import Tick, paced
from core.tables.table import BadRow, Table

QUESTION, CONTEXT, ANSWERS, STARTS = SQUAD_COLUMNS = ("question", "context", "answers", "starts")
TEXT, START, IMPOSSIBLE = "text", "answer_start", "is_impossible"


def answers_of(value: Any, impossible: Any = None) -> Row | str:
    """The columns "answers" and "starts" of a question, or what is wrong with it. `impossible` is
    what the file says about that: True, False, or None for nothing."""
    pairs = _pairs(value)
    if isinstance(pairs, str):
        return pairs
    if impossible is True and pairs:
        return "it is marked as impossible but has answers"
    if impossible is False and not pairs:
        return "it is marked as possible but has no answers"
    return {ANSWERS: [text for text, _ in pairs], STARTS: [start for _, start in pairs]}


def _pairs(value: Any) -> list[tuple[Any, Any]] | str:
    """Each answer with its start, or what is wrong."""
    if value is None:
        return []
    if isinstance(value, dict):
        texts, starts = _listed(value.get(TEXT)), _listed(value.get(START))
        if len(texts) != len(starts):
            return f"it has {len(texts)} answers but {len(starts)} starts"
        return list(zip(texts, starts, strict=True))
    if not isinstance(value, list) or not all(isinstance(answer, dict) for answer in value):
        return '"answers" is not a list of objects'
    return [(answer.get(TEXT), answer.get(START)) for answer in value]


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def with_starts(table: Table, tick: Tick) -> Table:
    """A flat table of questions with the columns "answers" and "starts" of SQuAD; any other table
    as it is. A row whose answers cannot be read becomes a bad row."""
    if STARTS in table.columns or not {QUESTION, CONTEXT, ANSWERS} <= set(table.columns):
        return table
    if not any(_has_starts(row[ANSWERS]) for row in paced(table.rows, tick)):
        return table
    rows: list[Row] = []
    lines: list[int] = []
    broken = list(table.broken)
    for line, row in zip(table.lines, paced(table.rows, tick), strict=True):
        found = answers_of(row[ANSWERS], row.get(IMPOSSIBLE))
        if isinstance(found, str):
            broken.append(BadRow(line=line, reason=found, unit=table.unit))
            continue
        rows.append(row | found)
        lines.append(line)
    broken.sort(key=lambda bad: bad.line)
    columns = (*table.columns, STARTS)
    return replace(table, columns=columns, rows=rows, lines=lines, broken=tuple(broken))


def _has_starts(value: Any) -> bool:
    """Whether a value holds answers as SQuAD writes them, and not for example labels."""
    first = value[0] if isinstance(value, list) and value else value
    return isinstance(first, dict) and TEXT in first and START in first
