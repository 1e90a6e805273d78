"""All families by name: the modules of this folder, found by walking it."""

import importlib
import pkgutil
from functools import cache
from typing import cast

from core.errors import one_of
from core.family import Family

USUAL = "bert"


@cache
def find_family(name: str = USUAL) -> Family:
    """The family of that name; raises InputError naming the known ones."""
    package = importlib.import_module("core.families")
    names = [found.name for found in pkgutil.iter_modules(package.__path__)]
    known = [each for each in names if each != "registry"]
    one_of("Family", name, known)
    return cast(Family, importlib.import_module(f"core.families.{name}"))
