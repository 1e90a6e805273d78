"""What there is (tasks, rules, teachers, runs), and starting and stopping runs."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from core.errors import InputError
from core.events import Event, Preparing
from core.experiment import Experiment, TrainRecipe
from core.results import TeacherCard
from core.runs import runner, store
from core.runs.store import Run

if TYPE_CHECKING:
    from core.quantizers.registry import Rule
    from core.tasks.base import Task


def tasks() -> "dict[str, Task]":
    """All tasks by name."""
    from core.tasks import base

    return base.tasks()


def rules() -> "dict[str, Rule]":
    """All quantization rules by name."""
    from core import quantizers

    return quantizers.rules()


def teachers() -> list[TeacherCard]:
    """Cards of all teachers on this computer."""
    from core.models.teachers import list_teachers

    return list_teachers()


def runs() -> list[Run]:
    """All runs, the newest first, shipped ones last."""
    return store.list_runs()


def finished_runs() -> list[Run]:
    """The finished runs of tasks that this version knows, in the order of `runs`."""
    known = tasks()
    return [run for run in runs() if run.result is not None and run.result.task in known]


def find_run(run_id: str) -> Run:
    """The run of that id; raises InputError when there is none."""
    run = store.find_run(run_id)
    if run is None:
        raise InputError(f"There is no run {run_id}. `python -m core runs` lists what there is.")
    return run


def shown_run(experiment: Experiment | None) -> Run | None:
    """What to show before anything is started: the run of these settings, else any finished one."""
    run = store.find_run(experiment.run_id) if experiment else None
    return run or next(iter(finished_runs()), None)


def showcase(finished: list[Run]) -> Run | None:
    """The run that the Start page tells of: the largest shipped model, else the newest run."""
    shipped = [run for run in finished if run.shipped]
    return max(shipped, key=_size_bytes) if shipped else next(iter(finished), None)


def _size_bytes(run: Run) -> int:
    return run.result.size_bytes_float32 if run.result else 0


def events(run: Run) -> list[Event]:
    """What a run said so far."""
    return store.read_events(run.folder)


def waiting_before(run: Run) -> int:
    """How many runs come before this one."""
    return store.waiting_before(run)


def default_experiment() -> Experiment:
    """The paper's recipe on the quick model, in the precision that is faster on this machine."""
    from core.machine import fastest_precision

    return Experiment(train=TrainRecipe(precision=fastest_precision()))


def check(experiment: Experiment) -> None:
    """Raise InputError when the experiment names a task, teacher, method or bits that are not."""
    from core.models.teachers import load_card
    from core.quantizers.registry import check as check_rule
    from core.tasks.base import find_task

    find_task(experiment.task)
    quant = experiment.quant
    check_rule(quant.method, quant.weight_bits, quant.weight_granularity)
    check_rule(quant.method, quant.embedding_bits, quant.embedding_granularity)
    load_card(experiment.task, experiment.model)


def submit(experiment: Experiment) -> Run:
    """Start the run, or return the one that exists; raises InputError as `check` does."""
    check(experiment)
    return runner.submit(experiment)


def stop(run_id: str) -> None:
    """Stop a queued or running run; returns when it is gone, within about two seconds."""
    runner.stop(run_id)


def is_prepared(task: str) -> bool:
    """Whether the text of a task is on this computer."""
    from core.tasks.base import find_task
    from core.tasks.base import is_prepared as prepared

    return prepared(find_task(task))


def prefetch(task: str, model: str = "") -> Iterator[Preparing]:
    """Bring the text of a task (and the backbone of a model) to this computer."""
    from core.tasks.base import find_task, prepare

    yield from prepare(find_task(task))
    if model:
        from core.models.backbones import prepare_backbone

        yield from prepare_backbone(model)
