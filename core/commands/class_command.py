"""`class`: the classes that are kept on this computer; a copy of their file; deleting one.

python -m core class
python -m core class backup classes-2026-11-26.sqlite3
python -m core class delete abcde
"""

import argparse
import time
from pathlib import Path

from core.classroom import administration, class_answers, database


def add(commands) -> None:
    """Add the command to a parser's commands."""
    text = "list the classes kept here; copy their file; delete one with everything in it"
    parser = commands.add_parser("class", help=text, description=text)
    parser.set_defaults(command=show)
    acts = parser.add_subparsers(metavar="act")
    copying = acts.add_parser("backup", help="copy the file of all classes while the app runs")
    copying.add_argument("file", type=Path)
    copying.set_defaults(command=copy)
    deleting = acts.add_parser("delete", help="delete a class, its people and their answers")
    deleting.add_argument("code")
    deleting.set_defaults(command=delete)


def show(parsed: argparse.Namespace) -> None:
    """A line for each class, the newest first."""
    for one in administration.classes():
        opened = time.strftime("%Y-%m-%d %H:%M", time.localtime(one.opened))
        people = len(class_answers.progress(one.code, one.lesson))
        kept = len(class_answers.answers_of(one.code))
        print(f"{one.code}  {opened}  {people:>3} people  {kept:>5} answers  {one.title}")


def copy(parsed: argparse.Namespace) -> None:
    """Raises InputError where there is nothing to copy, or the file exists."""
    database.backup(parsed.file)
    print(f"{parsed.file}: {parsed.file.stat().st_size / 2**20:.2f} MiB")


def delete(parsed: argparse.Namespace) -> None:
    """Raises InputError where there is no such class."""
    found = administration.find_class(parsed.code)
    administration.delete_class(found.code)
    print(f"{found.title} ({found.code}) is deleted with everything in it.")
