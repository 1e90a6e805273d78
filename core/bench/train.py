"""What a training step of each method costs against twn's, on the same batches, alternating."""

import statistics
import time
from dataclasses import dataclass, replace

import numpy as np

from core.experiment import Experiment
from core.training.batches import training_batches
from core.training.optimizer import Optimizer
from core.training.train import Pupils, prepare_pupils, training_step

WARM_UP = 3
METHODS = ("twn", "lat", "lsq")


@dataclass(frozen=True, slots=True, kw_only=True)
class StepCost:
    """Median seconds of a step, and the median over the batches of its ratio to twn's."""

    method: str
    precision: str
    seconds: float
    over_twn: float


def measure(experiment: Experiment, steps: int) -> list[StepCost]:
    """Time `steps` steps of every method on the same batches, in turns."""
    arms = {}
    for method in METHODS:
        changed = replace(experiment, quant=replace(experiment.quant, method=method))
        pupils = _last(prepare_pupils(changed))
        arms[method] = changed, pupils, Optimizer(pupils.student, changed.train)
    text = next(iter(arms.values()))[1].lesson.train
    batches = training_batches(text, experiment.train.batch_size, experiment.seed)
    seconds: dict[str, list[float]] = {method: [] for method in METHODS}
    for step in range(1, WARM_UP + steps + 1):
        batch = next(batches)
        order = METHODS if step % 2 else METHODS[::-1]
        for method in order:
            changed, pupils, optimizer = arms[method]
            began = time.perf_counter()
            training_step(changed, pupils, optimizer, batch, step)
            if step > WARM_UP:
                seconds[method].append(time.perf_counter() - began)
    twn = np.array(seconds["twn"])
    return [
        StepCost(
            method=method,
            precision=experiment.train.precision,
            seconds=statistics.median(times),
            over_twn=float(np.median(np.array(times) / twn)),
        )
        for method, times in seconds.items()
    ]


def _last(preparing) -> Pupils:
    try:
        while True:
            next(preparing)
    except StopIteration as end:
        return end.value
