"""What a lecturer does with a class: open it, look for it, delete it with everything in it.

A class is known by its code, five letters and digits that are hard to mistake for each other; who
has the code may join. Codes are drawn at random and not listed to anybody but the lecturer.
"""

import secrets
import time
from dataclasses import dataclass

from core.classroom.database import reading, writing
from core.errors import InputError

ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"  # without i, l, o, 0, 1
CODE_LETTERS = 5
MOST_CLASSES, MOST_TITLE = 200, 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Classroom:
    """A class; `lesson` is the name of the one it does, `opened` seconds since 1970."""

    code: str
    title: str
    lesson: str
    opened: float


def open_class(title: str, lesson: str) -> Classroom:
    """Open a class. Raises InputError for a title that is empty or too long, and where too many
    classes are kept."""
    title = " ".join(title.split())
    if not 0 < len(title) <= MOST_TITLE:
        raise InputError(f"Give the class a name of 1 to {MOST_TITLE} letters.")
    with writing() as connection:
        (kept,) = connection.execute("SELECT count(*) FROM classes").fetchone()
        if kept >= MOST_CLASSES:
            raise InputError(f"{kept} classes are kept already. Delete one that is over.")
        code = "".join(secrets.choice(ALPHABET) for _ in range(CODE_LETTERS))
        found = Classroom(code=code, title=title, lesson=lesson, opened=time.time())
        connection.execute(
            "INSERT INTO classes (code, title, lesson, opened) VALUES (?, ?, ?, ?)",
            (found.code, found.title, found.lesson, found.opened),
        )
    return found


def classes() -> list[Classroom]:
    """All classes that are kept, the newest first."""
    with reading() as connection:
        if connection is None:
            return []
        rows = connection.execute("SELECT * FROM classes ORDER BY opened DESC").fetchall()
    return [Classroom(**row) for row in rows]


def find_class(code: str) -> Classroom:
    """The class of that code, however it is spelled. Raises InputError where there is none."""
    row = None
    with reading() as connection:
        if connection is not None:
            query = "SELECT * FROM classes WHERE code = ?"
            row = connection.execute(query, (code.strip().lower(),)).fetchone()
    if row is None:
        raise InputError(
            "There is no class of that code. Look again at the code that your lecturer shows; a "
            "class that was deleted cannot be joined."
        )
    return Classroom(**row)


def delete_class(code: str) -> None:
    """Delete a class, its students and all their answers. Raises InputError where there is none."""
    found = find_class(code)
    with writing() as connection:
        connection.execute("DELETE FROM classes WHERE code = ?", (found.code,))
