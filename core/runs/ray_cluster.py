"""Computing on the machines of a Ray cluster (the second adapter of the port in `backend`).

TERNARY_LAB_RAY holds the cluster's address: "auto" for the one that this computer belongs to, or
host:port of its head. A run is one Ray task that asks for TERNARY_LAB_RAY_CPUS processors (2, and
as many threads), and for the memory of the run's limit if there is one; the cluster queues what
does not fit. Its items come back one by one while it computes (see `ray_node`), and the process
that follows the run writes them into the run's folder.

A run whose machine is lost fails with a sentence; started again it goes on from the last
checkpoint that came back. Ray repeats nothing by itself. When the following process dies, Ray
ends its task. Only this file imports Ray.
"""

import importlib
import socket
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from core import events, settings
from core.errors import InputError
from core.events import Event
from core.experiment import Job, Teaching
from core.machine import training_environment
from core.runs.ray_node import Begun, Item, Refused, Said, compute_there
from core.runs.run_bundle import File, parcel, receive
from core.runs.run_limits import limits
from core.runs.run_store import mark_begun, read_job, stop_asked
from core.tasks.prepare import prepare
from core.tasks.registry import find_task

PROJECT = Path(__file__).resolve().parent.parent.parent
LISTEN_SECONDS = 0.1
SOFT_STOP_SECONDS = 0.5
ANSWER_SECONDS = 3.0


def cpus() -> int:
    """Processors, and threads, of one run."""
    return settings.RAY_CPUS.value() or int(settings.RAY_CPUS.default)


@contextmanager
def compute(folder: Path) -> Generator[Generator[Event] | None]:
    """The events of the run of `folder`, computed on a machine of the cluster."""
    job = read_job(folder)
    _prepare(job)
    with _connected() as ray:
        items = _items(ray, job, folder)
        try:
            yield _events(items, folder) if _has_begun(items, folder) else None
        finally:
            items.close()


def _prepare(job: Job) -> None:
    """Fetch here, once for all machines, what computing the job needs."""
    list(prepare(find_task(job.task)))
    if isinstance(job, Teaching):
        from core.models.backbones import prepare_backbone

        list(prepare_backbone(job.model))


def _items(ray: Any, job: Job, folder: Path) -> Generator[Item]:
    """What the machine says, until it has finished or the run is asked to stop; closing ends it."""
    memory_mib = limits().memory_mib
    task = ray.remote(compute_there).options(
        num_returns="streaming",
        num_cpus=cpus(),
        memory=_bytes(memory_mib) or None,
        max_retries=0,
        scheduling_strategy="SPREAD",
        name=f"ternary-lab {job.run_id}",
    )
    files, folders = parcel(job, folder), _folders(job)
    stream = task.remote(job.run_id, files, folders, cpus(), memory_mib)
    del files
    try:
        while not stop_asked(folder):
            if ray.wait([stream], timeout=LISTEN_SECONDS)[0]:
                try:
                    yield ray.get(next(stream))
                except StopIteration:
                    return
    except ray.exceptions.RayTaskError:
        raise  # a fault of ours on that machine; its traceback is in the message
    except ray.exceptions.OutOfMemoryError as error:
        raise InputError(
            "The machine of the cluster ran out of memory. Choose a smaller batch or model."
        ) from error
    except ray.exceptions.RayError as error:
        raise InputError(
            "The machine that computed the run was lost. Start the run again: it goes on from its "
            "last checkpoint."
        ) from error
    finally:
        _end(ray, stream)


def _folders(job: Job) -> tuple[str, ...]:
    """Models of the job that are folders of this computer (teachers are sent, these are not)."""
    return tuple(name for name in job.models_read if Path(name).expanduser().is_dir())


def _end(ray: Any, stream: Any) -> None:
    """End the task: interrupt it, and kill its process if that does not help."""
    with suppress(ray.exceptions.RayError):
        ray.cancel(stream)
        if not ray.wait([stream.completed()], timeout=SOFT_STOP_SECONDS)[0]:
            ray.cancel(stream, force=True)


def _has_begun(items: Iterator[Item], folder: Path) -> bool:
    for item in items:
        if isinstance(item, Begun):
            sys.stderr.write(f"computing on {item.machine}\n")  # which is worker.log
            mark_begun(folder)
            return True
    return False


def _events(items: Iterator[Item], folder: Path) -> Generator[Event]:
    for item in items:
        if isinstance(item, File):
            receive(item, folder)
        elif isinstance(item, Said):
            yield events.from_json(item.line)
        elif isinstance(item, Refused):
            raise InputError(item.sentence)


@contextmanager
def _connected() -> Generator[Any]:
    """Ray, connected to the cluster, which gets the code of core/ to run. Raises InputError when
    there is no Ray, no cluster, or no machine large enough."""
    address = settings.RAY.value() or ""
    instead = "Or start the app without TERNARY_LAB_RAY to compute on this computer."
    try:
        ray = importlib.import_module("ray")
    except ImportError as error:
        raise InputError(
            f"Ray is not installed. Run: pip install -r requirements-ray.txt. {instead}"
        ) from error
    _check_address(address, instead)
    try:
        ray.init(
            address=address, log_to_driver=False, logging_level="error", runtime_env=_code_to_send()
        )
    except (ConnectionError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        raise _unreachable(address, str(error), instead) from error
    try:
        if not any(_is_large_enough(node["Resources"]) for node in _machines(ray)):
            memory_mib = limits().memory_mib
            memory = f" and {memory_mib:,.0f} MiB of memory" if memory_mib else ""
            names = settings.RAY_CPUS.name + f" or {settings.RUN_MEMORY_MIB.name}" * bool(memory)
            raise InputError(
                f"No machine of the cluster has {cpus()} processors{memory} for a run. Add one, or "
                f"set {names} lower."
            )
        yield ray
    finally:
        ray.shutdown()


def _code_to_send() -> dict[str, Any]:
    """core/ and nothing else; it wins over a copy that a machine may have. Ray keeps it by its
    hash, so only the first run after a change sends it. Workers get the settings of runs here."""
    others = [f"/{path.name}" for path in PROJECT.iterdir() if path.name != "core"]
    return {
        "working_dir": str(PROJECT),
        "excludes": [*others, "__pycache__"],
        "env_vars": training_environment(),
    }


def _is_large_enough(resources: dict[str, float]) -> bool:
    enough_memory = resources.get("memory", 0) >= _bytes(limits().memory_mib)
    return enough_memory and resources.get("CPU", 0) >= cpus()


def _bytes(mib: float | None) -> int:
    return int((mib or 0) * 2**20)


def _machines(ray: Any) -> list[Any]:
    return [node for node in ray.nodes() if node["Alive"]]


def _check_address(address: str, instead: str) -> None:
    """Raise InputError at once where Ray would try for a minute."""
    host, colon, port = address.rpartition(":")
    if colon and port.isdecimal():
        try:
            socket.create_connection((host, int(port)), timeout=ANSWER_SECONDS).close()
        except (OSError, OverflowError) as error:
            raise _unreachable(address, str(error), instead) from error


def _unreachable(address: str, reason: str, instead: str) -> InputError:
    first_line = (reason.strip() or "no answer").splitlines()[0].rstrip(".")
    return InputError(
        f"The Ray cluster at {address} cannot be reached: {first_line}. "
        f"Start it with: ray start --head. {instead}"
    )


def reached() -> str:
    """What the cluster has, in words; raises InputError when it cannot be reached."""
    with _connected() as ray:
        machines = _machines(ray)
        processors = sum(node["Resources"].get("CPU", 0) for node in machines)
        at_once = sum(node["Resources"].get("CPU", 0) // cpus() for node in machines)
        return f"{len(machines)} machines, {processors:g} processors, {at_once:g} runs at a time"
