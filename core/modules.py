"""Registries are folders: whatever file lies in one is imported, so a new rule, target, task or
reveal is a new file and nothing else."""

import importlib
import pkgutil
from types import ModuleType


def modules_in(package: str) -> list[ModuleType]:
    """Every module of a package's folder, imported, in the order of names. Errors of theirs are
    not caught: a file that cannot be imported is a fault, not one entry less."""
    folder = importlib.import_module(package)
    names = [found.name for found in pkgutil.iter_modules(folder.__path__)]
    return [importlib.import_module(f"{package}.{name}") for name in names]
