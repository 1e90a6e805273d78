"""What a training step costs: against the floor, against the released code, method by method.

For every batch each arm takes one step, in turns, so that whatever else the machine does hits all
alike; what is reported are medians, over the batches, of ratios on the same batch.

ours       the step of `core.training.student_training` with one quantization method
floor      the same step with nothing quantized: teacher forward, student forward and backward,
           optimizer, same padding, same precision; no quantization can be faster
released   the authors' step (see `as_released`), float32: they have no other

Memory is the largest resident size of a process that trains one arm and nothing else.
"""

import multiprocessing
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from core.bench.as_released import UNQUANTIZED, padded, released_student
from core.events import StepDone
from core.experiment import DistillRecipe, Experiment
from core.family import Batch
from core.machine import peak_resident_bytes
from core.training.batches import training_batches
from core.training.optimizer import Optimizer
from core.training.pair import DistillationPair, prepare_pair
from core.training.student_step import training_step

WARM_UP = 3
MEMORY_STEPS = 30
METHODS = ("twn", "lat", "lsq")
FLOOR, RELEASED = "floor", "released"


@dataclass(frozen=True, slots=True, kw_only=True)
class StepCost:
    """Median seconds of a step of one method in one precision, and medians of ratios: of ours to
    the floor, of the released step to ours, of ours to twn's."""

    method: str
    precision: str
    seconds: float
    floor_seconds: float
    released_seconds: float
    over_floor: float
    released_over_ours: float
    over_twn: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Peak resident bytes of a process that trains twn, and of one that trains the floor."""

    precision: str
    size_bytes: int
    floor_size_bytes: int

    @property
    def over_floor(self) -> float:
        """Ours over the floor's."""
        return self.size_bytes / self.floor_size_bytes


def measure(experiment: Experiment, steps: int) -> list[StepCost]:
    """Time `steps` steps of every arm on the same batches, in turns."""
    steppers, batches = _arms(experiment)
    names = list(steppers)
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for step in range(1, WARM_UP + steps + 1):
        batch, first = next(batches), step % len(names)
        for name in (*names[first:], *names[:first]):
            began = time.perf_counter()
            steppers[name](batch, step)
            if step > WARM_UP:
                seconds[name].append(time.perf_counter() - began)
    return [_cost(method, experiment.train.precision, seconds) for method in METHODS]


def _cost(method: str, precision: str, seconds: dict[str, list[float]]) -> StepCost:
    times = {name: np.array(each) for name, each in seconds.items()}
    ours = times[method]
    return StepCost(
        method=method,
        precision=precision,
        seconds=statistics.median(ours),
        floor_seconds=statistics.median(times[FLOOR]),
        released_seconds=statistics.median(times[RELEASED]),
        over_floor=float(np.median(ours / times[FLOOR])),
        released_over_ours=float(np.median(times[RELEASED] / ours)),
        over_twn=float(np.median(ours / times["twn"])),
    )


def _arms(experiment: Experiment) -> tuple[dict[str, Callable], Iterator[Batch]]:
    """What one step of each arm is, and the batches for all."""
    recipes = {
        method: replace(experiment, quant=replace(experiment.quant, method=method))
        for method in METHODS
    }
    recipes[FLOOR] = replace(experiment, quant=UNQUANTIZED)
    arms = {name: _stepper(recipe, _pair(recipe)) for name, recipe in recipes.items()}
    released = replace(
        experiment,
        distill=DistillRecipe(),
        train=replace(experiment.train, precision="fp32"),
        quant=UNQUANTIZED,
    )
    pair = _pair(released)
    pair = replace(pair, student=released_student(pair.teacher))
    take = _stepper(released, pair)
    arms[RELEASED] = lambda batch, step: take(padded(batch), step)
    train = experiment.train
    return arms, training_batches(
        pair.data.family, pair.data.train, train.batch_size, experiment.seed
    )


def _stepper(experiment: Experiment, pair: DistillationPair) -> Callable[[Batch, int], StepDone]:
    optimizer = Optimizer(pair.student, experiment.train)
    return lambda batch, step: training_step(experiment, pair, optimizer, batch, step)


def _pair(experiment: Experiment) -> DistillationPair:
    preparing = prepare_pair(experiment)
    try:
        while True:
            next(preparing)
    except StopIteration as end:
        return end.value


def memory(experiment: Experiment) -> Memory:
    """Peak memory of ours and of the floor, each in a process of its own."""
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        ours = pool.apply(_peak_bytes, (experiment,))
        floor = pool.apply(_peak_bytes, (replace(experiment, quant=UNQUANTIZED),))
    precision = experiment.train.precision
    return Memory(precision=precision, size_bytes=ours, floor_size_bytes=floor)


def arm_of(experiment: Experiment) -> tuple[Callable[[Batch, int], StepDone], Iterator[Batch]]:
    """What one step of this experiment is, and its batches."""
    pair = _pair(experiment)
    family, train = pair.data.family, experiment.train
    batches = training_batches(family, pair.data.train, train.batch_size, experiment.seed)
    return _stepper(experiment, pair), batches


def _peak_bytes(experiment: Experiment) -> int:
    take, batches = arm_of(experiment)
    for step in range(1, MEMORY_STEPS + 1):
        take(next(batches), step)
    return peak_resident_bytes()
