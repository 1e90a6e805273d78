"""Snippets: programs that predict from a packed file with numpy, to be read and taken away.

A file of this folder computes the students of the family of its name. It is copied, never imported.
"""

from pathlib import Path

from core.errors import InputError
from core.family import Family


def has_snippet(family: Family) -> bool:
    """Whether there is a program for this family."""
    return _file(family).exists()


def snippet(family: Family) -> bytes:
    """The program for this family. Raises InputError when there is none."""
    if not has_snippet(family):
        raise InputError(
            f"There is no snippet for {family.title} yet. Export the packed file instead."
        )
    return _file(family).read_bytes()


def _file(family: Family) -> Path:
    return Path(__file__).with_name(f"{family.name}.py")
