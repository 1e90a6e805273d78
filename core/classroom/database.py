"""The one file in which classes are kept: SQLite, in the mode that lets many read while one writes.

    classes   code, title, the lesson, when it was opened
    students  a class's code, a number, a nickname, and the secret that the student's address holds
    answers   a student, a step, what was answered and when; a step is answered once

Each act opens the file, does one transaction and closes it, so that an answer is on the disk before
it is confirmed, and a killed server loses none. While nobody is connected the file is whole: to
back it up, copy it (with the app stopped), or `backup` while it runs.
"""

import sqlite3
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path

from core.errors import InputError
from core.paths import local

FILE = "classes.sqlite3"
VERSION = 1
WAIT_SECONDS = 10.0
_TABLES = """
CREATE TABLE classes (
    code TEXT PRIMARY KEY, title TEXT NOT NULL, lesson TEXT NOT NULL, opened REAL NOT NULL
) STRICT;
CREATE TABLE students (
    id INTEGER PRIMARY KEY,
    class TEXT NOT NULL REFERENCES classes (code) ON DELETE CASCADE,
    nickname TEXT NOT NULL, folded TEXT NOT NULL, secret TEXT NOT NULL UNIQUE, joined REAL NOT NULL,
    UNIQUE (class, folded)
) STRICT;
CREATE TABLE answers (
    student INTEGER NOT NULL REFERENCES students (id) ON DELETE CASCADE,
    lesson TEXT NOT NULL, lesson_version TEXT NOT NULL, step TEXT NOT NULL,
    guess TEXT NOT NULL, reason TEXT NOT NULL, runs TEXT NOT NULL, program TEXT NOT NULL,
    given REAL NOT NULL,
    PRIMARY KEY (student, lesson, step)
) STRICT;
CREATE TABLE entries (
    student INTEGER NOT NULL REFERENCES students (id) ON DELETE CASCADE,
    run TEXT NOT NULL, given REAL NOT NULL,
    PRIMARY KEY (student, run)
) STRICT;
"""


def path() -> Path:
    """Where the file is, or will be."""
    return local() / FILE


@contextmanager
def reading() -> Generator[sqlite3.Connection | None]:
    """The file as it stands now; None while no class was ever opened."""
    if not path().exists():
        yield None
        return
    with _connected() as connection:
        yield connection


@contextmanager
def writing() -> Generator[sqlite3.Connection]:
    """One transaction: all of it is on the disk after the block, or none where it raises."""
    with _connected() as connection:
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")


def backup(target: Path) -> None:
    """Copy the file, whole, while others write to it. Raises InputError where there is none, or
    where the target exists."""
    if target.exists():
        raise InputError(f"{target} exists already. Name a new file.")
    with reading() as connection:
        if connection is None:
            raise InputError("No class was ever opened here, so there is nothing to copy.")
        with closing(sqlite3.connect(target)) as copy:
            connection.backup(copy)


@contextmanager
def _connected() -> Generator[sqlite3.Connection]:
    """The open file. What SQLite refuses is said as an InputError."""
    file = path()
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(file, timeout=WAIT_SECONDS, isolation_level=None)) as found:
            found.row_factory = sqlite3.Row
            found.execute("PRAGMA foreign_keys = ON")
            found.execute("PRAGMA secure_delete = ON")
            _prepare(found, file)
            yield found
    except (sqlite3.Error, OSError) as error:
        raise InputError(
            f"The file of the classes ({file.name}) cannot be used: {error}. If it is damaged, "
            "put a copy back or move it away; a new one is made then."
        ) from error


def _prepare(connection: sqlite3.Connection, file: Path) -> None:
    """Make the tables where the file is new. Raises InputError for the file of a later program."""
    version = _version(connection)
    if version == VERSION:
        return
    if version > VERSION:
        raise InputError(
            f"{file.name} was written by a later version of Ternary Lab. Update the program, or "
            "move the file away."
        )
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("BEGIN IMMEDIATE")
    if _version(connection) == 0:  # nobody else was faster
        for statement in _TABLES.split(";"):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {VERSION}")
    connection.execute("COMMIT")


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])
