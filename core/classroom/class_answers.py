"""What the people of a class answered. A step is answered once; what was said first stays.

A class's answers are read whole, for the lecturer's view and the report: a class of thirty with
ten lessons of five steps has 1,500 of them.
"""

import json
import time
from dataclasses import dataclass

from core.classroom.database import reading, writing
from core.classroom.students import Student
from core.errors import InputError
from core.version import VERSION


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """One answer of one student, as it is kept.

    `guess` is the answer itself, spelled as the lesson's step spells it; `reason` the name of the
    reason that was chosen. `runs` are the ids of the runs from which the truth was read (none where
    it was computed), `program` the version that took the answer, `given` seconds since 1970.
    """

    nickname: str
    lesson: str
    lesson_version: str
    step: str
    guess: str
    reason: str
    runs: tuple[str, ...]
    program: str
    given: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far somebody is: how many steps of the class's lesson are answered, and when the last
    one was (or when they joined)."""

    nickname: str
    answered: int
    since: float


def give(
    student: Student,
    *,
    lesson: str,
    lesson_version: str,
    step: str,
    guess: str,
    reason: str,
    runs: tuple[str, ...] = (),
) -> bool:
    """Keep an answer; False where this student had answered the step before, which is left as it
    was. When this returns, it is on the disk. Raises InputError when the class was deleted."""
    with writing() as connection:
        if not connection.execute("SELECT 1 FROM students WHERE id = ?", (student.id,)).fetchone():
            raise InputError("This class was deleted, so the answer was not kept for it.")
        done = connection.execute(
            "INSERT OR IGNORE INTO answers VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(student.id, lesson, lesson_version, step, guess, reason),
                *(json.dumps(runs), VERSION, time.time()),
            ),
        )
        return done.rowcount == 1


def answers_of(code: str) -> list[Given]:
    """All answers of a class, in the order in which they came."""
    return _given("class = ?", code)


def answers_by(student: Student) -> list[Given]:
    """What one student answered, in order."""
    return _given("students.id = ?", student.id)


def _given(condition: str, value: str | int) -> list[Given]:
    with reading() as connection:
        if connection is None:
            return []
        rows = connection.execute(
            "SELECT nickname, lesson, lesson_version, step, guess, reason, runs, program, given"
            f" FROM answers JOIN students ON students.id = student WHERE {condition}"
            " ORDER BY given, students.id",
            (value,),
        ).fetchall()
    return [Given(**{**row, "runs": tuple(json.loads(row["runs"]))}) for row in map(dict, rows)]


def progress(code: str, lesson: str) -> list[Progress]:
    """How far everybody in a class is with a lesson, those who are furthest behind first."""
    with reading() as connection:
        if connection is None:
            return []
        rows = connection.execute(
            "SELECT nickname, count(step) AS answered, coalesce(max(given), joined) AS since"
            " FROM students LEFT JOIN answers ON student = students.id AND lesson = ?"
            " WHERE class = ? GROUP BY students.id ORDER BY answered, since, nickname",
            (lesson, code),
        ).fetchall()
    return [Progress(**row) for row in map(dict, rows)]
