"""All targets and metrics by name: the files of this folder, found by walking it."""

import importlib
import pkgutil
from functools import cache

from core.errors import one_of
from core.metrics import Metric
from core.targets.base import Target


@cache
def targets() -> dict[str, Target]:
    """All targets by name."""
    package = importlib.import_module("core.targets")
    modules = [
        importlib.import_module(f"core.targets.{found.name}")
        for found in pkgutil.iter_modules(package.__path__)
        if found.name not in ("answers", "base", "ranks", "registry", "windows")
    ]
    made = [module.TARGET for module in modules]
    return {target.name: target for target in made}


def find_target(name: str) -> Target:
    """The target of that name; raises InputError naming the known ones."""
    known = targets()
    one_of("Target", name, known)
    return known[name]


@cache
def _metrics() -> dict[str, Metric]:
    return {metric.name: metric for target in targets().values() for metric in target.metrics}


def metric_of(name: str) -> Metric:
    """The metric of that name; raises InputError naming the known ones."""
    known = _metrics()
    one_of("Metric", name, known)
    return known[name]
