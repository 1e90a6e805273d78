"""All families by name: the modules of this folder, found by walking it."""

import importlib
import pkgutil
from functools import cache
from typing import cast

from core.errors import one_of
from core.family import Family


def family_names() -> list[str]:
    """The names of all families."""
    package = importlib.import_module("core.families")
    names = [found.name for found in pkgutil.iter_modules(package.__path__)]
    return [each for each in names if each != "registry"]


@cache
def find_family(name: str) -> Family:
    """The family of that name; raises InputError naming the known ones."""
    one_of("Family", name, family_names())
    return cast(Family, importlib.import_module(f"core.families.{name}"))


def families() -> list[Family]:
    """All families."""
    return [find_family(name) for name in family_names()]
