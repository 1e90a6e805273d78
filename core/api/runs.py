"""What there is (tasks, rules, teachers, runs), and starting and stopping runs."""

from collections.abc import Generator
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from core.errors import InputError, NotHere
from core.events import Event, Preparing
from core.experiment import Experiment, Job, Teaching, TrainRecipe
from core.results import TeacherCard
from core.runs import event_reading, run_store, runner
from core.runs.run_store import Run

if TYPE_CHECKING:
    from core.quantizers.registry import Rule
    from core.tasks.task import Task


def tasks() -> "dict[str, Task]":
    """All tasks by name."""
    from core.tasks import registry

    return registry.tasks()


def rules() -> "dict[str, Rule]":
    """All quantization rules by name."""
    from core import quantizers

    return quantizers.rules()


def teachers() -> list[TeacherCard]:
    """Cards of all teachers on this computer."""
    from core.teachers.teacher_store import list_teachers

    return list_teachers()


def embedded_models() -> list[str]:
    """Names of the backbones that need no hub."""
    from core.models.backbones import BACKBONES

    return list(BACKBONES)


def runs() -> list[Run]:
    """All runs, the newest first, shipped ones last."""
    return run_store.list_runs()


def finished_runs() -> list[Run]:
    """The finished runs whose student can be asked and exported, in the order of `runs`."""
    return [run for run in _with_results() if run.keeps_student]


def _with_results() -> list[Run]:
    """The finished runs of tasks that this version knows."""
    known = tasks()
    return [run for run in runs() if run.result is not None and run.result.task in known]


def find_run(run_id: str) -> Run:
    """The run of that id; raises InputError when there is none."""
    run = run_store.find_run(run_id)
    if run is None:
        raise InputError(f"There is no run {run_id}. To see what there is: python -m core runs")
    return run


def showcase(finished: list[Run]) -> Run | None:
    """The run that the Start page tells of: the largest shipped model, else the newest run."""
    shipped = [run for run in finished if run.shipped]
    return max(shipped, key=_size_bytes) if shipped else next(iter(finished), None)


def _size_bytes(run: Run) -> int:
    return run.result.size_bytes_float32 if run.result else 0


def events(run: Run) -> list[Event]:
    """What a run said so far."""
    return event_reading.log_of(run).events


def note_on_events(run: Run) -> str:
    """A sentence where `events` are not all that is in the run's folder, else ""."""
    return event_reading.log_of(run).note


def waiting_before(run: Run) -> int:
    """How many runs come before this one."""
    return run_store.waiting_before(run)


def default_experiment(task: str = "") -> Experiment:
    """The paper's recipe on the quick model with the task's own lengths and batch, in the
    precision that is faster on this machine."""
    usual = Experiment()
    task = task or usual.task
    return replace(usual, task=task, train=_suited(usual.train, task))


def default_teaching(task: str, model: str, fine_tune: bool = True) -> Teaching:
    """Fine-tuning with the task's lengths and batch; three epochs where its text is here, but
    at least 800 and at most 3,000 steps."""
    from core.tasks.prepare import is_prepared, load
    from core.tasks.registry import find_task

    usual = Teaching(task=task, model=model, fine_tune=fine_tune)
    train = _suited(usual.train, task)
    if is_prepared(find_task(task)):
        epochs = 3 * len(load(find_task(task)).train) / train.batch_size
        train = replace(train, steps=min(3000, max(800, 10 * round(epochs / 10))))
    return replace(usual, train=train)


def has_trained_head(task: str, model: str) -> bool:
    """Whether a folder holds a checkpoint that could be the task's teacher as it is."""
    from core.tasks.registry import find_task
    from core.teachers.model_loading import has_trained_head

    found = find_task(task)
    return has_trained_head(model, found.kind, found.labels)


def _suited(recipe: TrainRecipe, name: str) -> TrainRecipe:
    """The recipe with the lengths, batch and copies of the task."""
    from core.machine import fastest_precision
    from core.tasks.registry import find_task

    task = find_task(name)
    return replace(
        recipe,
        max_tokens=task.max_tokens,
        batch_size=task.batch_size,
        augment_copies=max(1, task.copies),
        precision=fastest_precision(),
    )


def check(experiment: Experiment) -> None:
    """Raise InputError when the experiment names a task, teacher, method or bits that are not."""
    from core.families import find_family
    from core.quantizers.registry import check as check_rule
    from core.tasks.registry import find_task
    from core.teacher_folders import card_for

    task = find_task(experiment.task)
    if experiment.train.augment and not task.target.can_replace_words:
        raise InputError("With other words the answers would be others: turn augmentation off.")
    if experiment.train.augment and find_family(experiment.family).replacing is None:
        raise InputError("This family has no words to replace: turn augmentation off.")
    quant = experiment.quant
    check_rule(quant.method, quant.weight_bits, quant.weight_granularity)
    check_rule(quant.method, quant.embedding_bits, quant.embedding_granularity)
    card_for(experiment)
    if quant.matrix_bits:
        from core.teachers.outlines import outline_of

        with suppress(NotHere):  # then the training itself finds out
            outline_of(experiment)


def submit(job: Job, again: bool = False) -> Run:
    """Start the run, or return the one that exists; one that did not finish resumes from its
    checkpoint, or with `again` begins again. Raises InputError as `check` does, and for a
    teaching of an unknown task."""
    if isinstance(job, Teaching):
        return _submit_teaching(job, again)
    check(job)
    return runner.submit(job, again)


def _submit_teaching(teaching: Teaching, again: bool) -> Run:
    """Start making a teacher, or return the run that does or did. One whose teacher was replaced
    or deleted since is made again. Raises InputError for an unknown task."""
    from core.tasks.registry import find_task

    find_task(teaching.task)
    known = run_store.find_run(teaching.run_id)
    lost = known is not None and known.card is not None and known.card not in teachers()
    return runner.submit(teaching, again or lost)


def stop(run_id: str) -> None:
    """Stop a queued or running run; returns when it is gone, within about two seconds."""
    runner.stop(run_id)


def is_prepared(task: str) -> bool:
    """Whether the text of a task is on this computer."""
    from core.tasks.prepare import is_prepared as prepared
    from core.tasks.registry import find_task

    return prepared(find_task(task))


def prefetch(task: str, model: str = "") -> Generator[Preparing]:
    """Bring the text of a task, and the files of a model, to this computer."""
    from core.tasks.prepare import prepare
    from core.tasks.registry import find_task

    yield from prepare(find_task(task))
    if model:
        from core.models.backbones import prepare_backbone
        from core.teachers.model_loading import files_of

        yield from prepare_backbone(model)
        yield Preparing(text=f"Asking for {model}")
        files_of(model)
