"""A server that many share: the queue, what can go on, room, the teacher's PIN."""

from pathlib import Path

from core.api.runs import teachers
from core.errors import InputError
from core.experiment import Job, Teaching
from core.runs import event_reading, forecast, pin, retention, run_store, runner
from core.runs.forecast import Forecast
from core.runs.run_store import Run
from core.training.checkpoint_header import step_kept as step_of

__all__ = ["Forecast"]


def used_bytes() -> int:
    """What all local runs take on the disk: every file of every run is looked at."""
    return retention.used_bytes()


def quota_bytes() -> int | None:
    """What they may take; None: as much as there is. Raises InputError when the limit is not a
    number."""
    return retention.quota_bytes()


def step_kept(run: Run) -> int:
    """Last checkpointed step of an unfinished run; 0 if there is none."""
    came_to_nothing = run.is_over and run.state not in ("finished", "damaged")
    return step_of(run.folder) if came_to_nothing else 0


def is_known(job: Job) -> bool:
    """Whether somebody has asked for this before, whatever came of it."""
    return run_store.find_run(job.run_id) is not None


def is_under_way(job: Job) -> bool:
    """Whether somebody has asked for this already and it is not over."""
    run = run_store.find_run(job.run_id)
    return run is not None and not run.is_over


def forecast_of(run: Run) -> Forecast:
    """When a queued or running run begins and how long it takes, as far as that can be told."""
    from core.runs.local import slots

    everything = run_store.list_runs()
    finished = [other for other in everything if other.state == "finished"]
    others = [r for r in everything if not r.is_over and r.run_id != run.run_id]
    before = [r for r in others if r.place_in_queue < run.place_in_queue]

    def left(one: Run) -> float | None:
        job = one.experiment or one.teaching
        return forecast.seconds_left(job, event_reading.log_of(one).events, finished) if job else 0

    running = [left(other) for other in others if other.state == "running"]
    before.sort(key=lambda one: one.place_in_queue)
    queued = [left(other) for other in before if other.state == "queued"]
    waits = run.state == "queued"
    return Forecast(
        before=len(before),
        wait_seconds=forecast.wait_seconds(slots(), running, queued) if waits else 0.0,
        seconds=left(run),
    )


def replaces_teacher(job: Job, again: bool = False) -> bool:
    """Whether starting this would put another teacher in the place of one that is there already,
    or that another run is making."""
    if not isinstance(job, Teaching):
        return False
    here = [card for card in teachers() if (card.task, card.model) == (job.task, job.model)]
    run = run_store.find_run(job.run_id)
    if run is not None and (not run.is_over or (run.card in here and not again)):
        return False  # that very run is shown, nothing is computed
    under_way = [other.teaching for other in run_store.list_runs() if not other.is_over]
    return bool(here) or any(
        one is not None and (one.task, one.model) == (job.task, job.model) for one in under_way
    )


def check_pin(given: str, right: str, address: str = "") -> None:
    """Raise InputError unless `given` is the teacher's PIN, or the right one is empty. Whoever
    gave wrong ones from the same network address waits, see `core.runs.pin`."""
    pin.check_pin(given, right, address)


def is_local_path(model: str) -> bool:
    """Whether this name of a model means a folder of this computer, which need not be there."""
    from core.hub import is_repository
    from core.models.backbones import BACKBONES

    if model in BACKBONES:
        return False
    try:
        return not is_repository(model) or Path(model).expanduser().exists()
    except (OSError, RuntimeError, ValueError):
        return True


def local_paths(job: Job) -> tuple[str, ...]:
    """The folders of this computer that computing the job would read a model from: the teacher's
    own model, what a student starts from, the language model that it learns from first, the one
    that proposes words. (Otherwise a student reads what its teacher has kept.)"""
    return tuple(name for name in job.models_read if is_local_path(name))


def remove_runs(run_ids: list[str]) -> None:
    """Delete runs of this computer that are over. Raises InputError at the first that is not."""
    if not run_ids:
        raise InputError("Choose the runs to remove first.")
    with runner.deciding():
        for run_id in run_ids:
            retention.remove(run_id)
