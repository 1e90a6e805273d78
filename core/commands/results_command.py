"""`results`: write the tables of docs/results.md again, or check that they are those of today.

A table stands between two marks, with prose around it that nobody touches:

    <!-- table: grid ablation-bits -->
    ...
    <!-- end -->

`--check` writes nothing and fails when a table is not what it would be written as; a test asks it.
"""

import argparse
import re
from pathlib import Path

from core.commands.result_tables import table
from core.errors import InputError
from core.paths import write_text
from core.runs.runner import PROJECT

FILE = "docs/results.md"
MARKED = re.compile(r"<!-- table: ([^\n]+?) -->\n(.*?)<!-- end -->", re.DOTALL)
HOW = "Write them again: python -m core results"


def add(commands) -> None:
    """Add the command to a parser's commands."""
    text = f"write the tables of {FILE} from the shipped runs, grids and benches"
    parser = commands.add_parser("results", help=text, description=text)
    parser.set_defaults(command=run)
    parser.add_argument("--check", action="store_true", help="only say whether they are up to date")


def run(parsed: argparse.Namespace) -> None:
    """Write or check the file of this project."""
    path = PROJECT / FILE
    if parsed.check:
        check(path)
    else:
        write_text(path, renewed(_read(path)))
    print(f"{FILE}: {len(MARKED.findall(_read(path)))} tables as they are computed today.")


def check(path: Path) -> None:
    """Raise InputError naming the tables of the file that are not those of today."""
    text = _read(path)
    stale = [
        name
        for (name, old), (_, new) in zip(
            MARKED.findall(text), MARKED.findall(renewed(text)), strict=True
        )
        if old != new
    ]
    if stale:
        raise InputError(f"{path.name} has stale tables: {', '.join(stale)}. {HOW}")


def renewed(text: str) -> str:
    """The text with every table as it is computed today."""
    if text.count("<!-- table:") != len(MARKED.findall(text)):
        raise InputError("A table is not closed: after its rows there must be <!-- end -->.")
    return MARKED.sub(lambda found: _block(found[1]), text)


def _block(name: str) -> str:
    return f"<!-- table: {name} -->\n\n{table(name)}\n\n<!-- end -->"


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path.name} cannot be read: {error.strerror}.") from error
