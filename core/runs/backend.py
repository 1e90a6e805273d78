"""Where a run computes, as a port: experiment in, events out.

    with compute(folder) as events:
        for event in events or (): ...

Entering the block waits for the run's turn and gives its events one by one, or None when the run
was asked to stop while it waited. The files of a run are in its folder before the event that
tells of them. Leaving the block, for whatever reason, ends the computation.

Whoever calls is the run's own process (`runner.work`): it holds the lock of the folder and writes
down what it hears, so states, Stop and queue are the same wherever the computing is done.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from core import settings
from core.events import Event


class Compute(Protocol):
    """A place that computes the job (experiment or teaching) in a run's folder."""

    def __call__(self, folder: Path, /) -> AbstractContextManager[Iterator[Event] | None]:
        """Wait for the run's turn, then give its events. Raises InputError as `train` does."""
        ...


def chosen() -> Compute:
    """The Ray cluster of TERNARY_LAB_RAY where it is set, else this computer."""
    if settings.RAY.value():
        from core.runs import ray_cluster

        return ray_cluster.compute
    from core.runs import local

    return local.compute
