"""The board of a class's challenge: which runs its people entered.

Every entry is a run of this server. What it scored and how large it is stands in the run itself,
not here: an entry is a name and a run id.
"""

import time
from dataclasses import dataclass

from core.classroom.database import reading, writing
from core.classroom.students import Student
from core.errors import InputError

MOST_ENTRIES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Somebody's run."""

    nickname: str
    run: str
    given: float


def enter(student: Student, run: str) -> bool:
    """Enter a run; False where this student had entered it. Raises InputError after too many."""
    with writing() as connection:
        count = "SELECT count(*) FROM entries WHERE student = ? AND run <> ?"
        (entered,) = connection.execute(count, (student.id, run)).fetchone()
        if entered >= MOST_ENTRIES:
            raise InputError(f"You have entered {entered} runs, which is the most for one person.")
        done = connection.execute(
            "INSERT OR IGNORE INTO entries VALUES (?, ?, ?)", (student.id, run, time.time())
        )
        return done.rowcount == 1


def entries(code: str) -> list[Entry]:
    """All entries of a class, the first ones first."""
    with reading() as connection:
        if connection is None:
            return []
        rows = connection.execute(
            "SELECT nickname, run, given FROM entries JOIN students ON students.id = student"
            " WHERE class = ? ORDER BY given",
            (code,),
        ).fetchall()
    return [Entry(**row) for row in map(dict, rows)]
