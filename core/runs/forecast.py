"""How long until a run begins and ends: from the pace of what runs and of what ran before.

Pure functions of jobs, events and finished runs. A pace that nobody has measured is None, and
so is whatever depends on it: better no time than a made-up one.
"""

import heapq
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from core.events import Event, StepDone
from core.experiment import Experiment, Job
from core.runs.run_store import Run

RECENT_STEPS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """`before` runs come first; in `wait_seconds` it begins, which then takes `seconds`; None
    where that is not known."""

    before: int
    wait_seconds: float | None
    seconds: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Seconds of one step, and of everything that is not a step."""

    step: float
    beside: float


def pace_of(job: Job, finished: Sequence[Run]) -> Pace | None:
    """The pace of the newest finished run of the same kind, task, model and batch; one of the
    same method rather than of another."""
    alike = [run for run in finished if _alike(job, run)]
    if isinstance(job, Experiment):
        method = job.quant.method
        same = [r for r in alike if r.experiment and r.experiment.quant.method == method]
        alike = same or alike
    return _measured(alike[0]) if alike else None


def _alike(job: Job, run: Run) -> bool:
    other = run.experiment if isinstance(job, Experiment) else run.teaching
    if other is None or run.state != "finished" or run.shipped:  # shipped: another machine's pace
        return False
    kinds = [
        (o.task, o.model, o.train.batch_size, o.train.max_tokens, o.train.precision)
        for o in (job, other)
    ]
    return kinds[0] == kinds[1]


def _measured(run: Run) -> Pace | None:
    if run.result:
        result = run.result
        beside = max(0.0, result.total_seconds - result.train_seconds)
        return Pace(step=result.train_seconds / result.steps, beside=beside)
    if run.card:
        return Pace(step=run.card.train_seconds / run.card.train.steps, beside=0.0)
    return None


def seconds_left(job: Job, events: Sequence[Event], finished: Sequence[Run]) -> float | None:
    """How long a run still computes: its own recent pace, else that of its like."""
    steps = [event for event in events if isinstance(event, StepDone)]
    left = job.train.steps - (steps[-1].step if steps else 0)
    like = pace_of(job, finished)
    beside = like.beside if like else 0.0
    if steps:
        return left * statistics.median(e.seconds for e in steps[-RECENT_STEPS:]) + beside
    return left * like.step + beside if like else None


def wait_seconds(
    slots: int, running: Sequence[float | None], queued: Sequence[float | None]
) -> float | None:
    """When a slot is free for a run behind `queued`: each run takes the first free slot,
    in order. Arguments are seconds still to compute."""
    if len(running) + len(queued) < slots:
        return 0.0
    free = [0.0] * max(0, slots - len(running))
    for seconds in running:
        if seconds is None:
            return None
        free.append(seconds)
    heapq.heapify(free)
    for seconds in queued:
        if seconds is None:
            return None
        heapq.heappush(free, heapq.heappop(free) + seconds)
    return free[0]
