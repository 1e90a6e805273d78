"""All targets and metrics by name. A file of this folder that makes a target calls it `TARGET`."""

from functools import cache

from core.errors import one_of
from core.metrics import Metric
from core.modules import modules_in
from core.targets.target import Target


@cache
def targets() -> dict[str, Target]:
    """All targets by name."""
    modules = modules_in("core.targets")
    made = [module.TARGET for module in modules if hasattr(module, "TARGET")]
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
