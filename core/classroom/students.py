"""Joining a class: a nickname, no account.

Who joins gets a secret, which the browser's address keeps; with it the same person is known again
after the page was loaded again, or on another computer. It opens nothing but their own answers.
"""

import secrets
import time
import unicodedata
from dataclasses import dataclass

from core.classroom.administration import find_class
from core.classroom.database import reading, writing
from core.errors import InputError

MOST_STUDENTS, MOST_NICKNAME = 300, 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Student:
    """Somebody in a class. `secret` is known to that person's browser alone."""

    id: int
    code: str
    nickname: str
    secret: str


def join(code: str, nickname: str) -> Student:
    """Let somebody into a class. Raises InputError where there is no such class, where it is full,
    and for a nickname that is empty, too long or taken."""
    code = find_class(code).code
    nickname = " ".join(nickname.split())
    if not 0 < len(nickname) <= MOST_NICKNAME or not nickname.isprintable():
        raise InputError(f"Choose a nickname of 1 to {MOST_NICKNAME} letters.")
    folded = unicodedata.normalize("NFKC", nickname).casefold()
    secret = secrets.token_urlsafe(16)
    with writing() as connection:
        counted = "SELECT count(*), coalesce(sum(folded = ?), 0) FROM students WHERE class = ?"
        there, taken = connection.execute(counted, (folded, code)).fetchone()
        if taken:
            raise InputError("Somebody in this class has that nickname. Choose another one.")
        if there >= MOST_STUDENTS:
            raise InputError(f"This class is full: {there} people are in it.")
        row = connection.execute(
            "INSERT INTO students (class, nickname, folded, secret, joined) VALUES (?, ?, ?, ?, ?)"
            " RETURNING id",
            (code, nickname, folded, secret, time.time()),
        ).fetchone()
    return Student(id=row["id"], code=code, nickname=nickname, secret=secret)


def student_of(secret: str) -> Student | None:
    """Whose secret this is; None where it is nobody's (any more)."""
    with reading() as connection:
        if connection is None or not secret:
            return None
        row = connection.execute("SELECT * FROM students WHERE secret = ?", (secret,)).fetchone()
    if row is None:
        return None
    return Student(id=row["id"], code=row["class"], nickname=row["nickname"], secret=secret)
