"""What a forward pass costs: torch FP32, ONNX Runtime FP32, and the ternary engine.

The same teacher twice, as torch runs it by default and as a plain ONNX graph with all of the
runtime's own optimizations, and its ternary student. They take turns on the same inputs in one
process with the same number of threads, each after a pass that is not counted and a pause in which
the threads of the one before come to rest. Medians of many passes; the ratio is that of medians.
"""

import ctypes
import gc
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from core.experiment import Experiment, QuantRecipe
from core.family import Family
from core.machine import describe
from core.models.student import build_student
from core.packed.contents import Contents, contents_of
from core.packed.engine import open_engine
from core.packed.graphs import draw
from core.packed.timings import Measured, Memory, ShapeTimes
from core.teachers.teacher_store import family_of_teacher, load_teacher

SHAPES = ((1, 32), (1, 128), (32, 32))
ROUNDS, SECONDS_OF_A_TURN, PAUSE_SECONDS = 21, 0.06, 0.01
TORCH, ONNX, TERNARY = "torch FP32", "ONNX Runtime FP32", "ternary"

Inputs = dict[str, np.ndarray]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Arm:
    """One of those that race; `memory_bytes` is what the process grew by when it was loaded."""

    name: str
    run: Callable[[Inputs], object]
    memory_bytes: int


def measure(
    task: str, model: str, contents: Contents | None, threads: int, rounds: int = ROUNDS
) -> Measured:
    """Race the teacher of (task, model) and a packed student of it.

    Without `contents` the student is the teacher quantized by the paper's recipe, untrained: the
    time is the same. Raises InputError without the teacher or the engine.
    """
    torch.set_num_threads(threads)
    teacher, family = load_teacher(task, model), family_of_teacher(task, model)
    family.without_traces(teacher)  # as torch runs it by default
    contents = contents or _untrained(task, model, teacher, family)
    config, longest = teacher.config, family.longest(teacher.config)
    arms = _arms(family, teacher, contents, threads)
    del teacher, contents
    shapes = [(batch, tokens) for batch, tokens in SHAPES if tokens <= longest]
    times = [_shape(arms, _inputs(family, config, *shape), shape, rounds) for shape in shapes]
    used = {arm.name: arm.memory_bytes for arm in arms}
    memory = Memory(
        torch_bytes=used[TORCH], onnx_fp32_bytes=used[ONNX], ternary_bytes=used[TERNARY]
    )
    return Measured(shapes=tuple(times), memory=memory, machine=describe(threads))


def _untrained(task: str, model: str, teacher: Any, family: Family) -> Contents:
    experiment = Experiment(task=task, model=model, family=family.name)
    return contents_of(build_student(teacher, experiment.quant, family), experiment)


def _arms(family: Family, teacher: Any, contents: Contents, threads: int) -> list[Arm]:
    off = QuantRecipe(weight_bits=32, embedding_bits=32, activation_bits=32)
    plain = contents_of(teacher, Experiment(quant=off, family=family.name))
    first = _inputs(family, teacher.config, 1, 32)
    ternary_model, plain_model = draw(contents), draw(plain)
    del plain
    return [
        _loaded(TORCH, first, lambda: _torch_arm(family, teacher)),
        _loaded(ONNX, first, lambda: open_engine(plain_model, threads, plain=True).logits),
        _loaded(TERNARY, first, lambda: open_engine(ternary_model, threads).logits),
    ]


def _torch_arm(family: Family, teacher: Any) -> Callable[[Inputs], object]:
    # A copy of its own, so that what it takes can be seen.
    state = {name: value.clone() for name, value in teacher.state_dict().items()}
    copied = family.from_state(teacher.config, state).requires_grad_(False)
    family.without_traces(copied)

    @torch.inference_mode()
    def run(inputs: Inputs) -> object:
        return copied(**{name: torch.from_numpy(value) for name, value in inputs.items()})

    return run


def _loaded(name: str, first: Inputs, load: Callable[[], Callable[[Inputs], object]]) -> Arm:
    before = _resident_bytes()
    run = load()
    run(first)
    return Arm(name=name, run=run, memory_bytes=max(0, _resident_bytes() - before))


def _resident_bytes() -> int:
    """Memory of this process that is in use now; 0 where the system does not tell."""
    gc.collect()
    try:
        ctypes.CDLL(None).malloc_trim(0)
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except (OSError, AttributeError):
        return 0
    return pages * 4096


def _inputs(family: Family, config: Any, batch: int, tokens: int) -> Inputs:
    """Full texts (no padding) of random words."""
    made = family.made_up_batch(config, batch, tokens)
    return {name: value.numpy() for name, value in made.inputs.items()}


def _shape(arms: list[Arm], inputs: Inputs, shape: tuple[int, int], rounds: int) -> ShapeTimes:
    batch, tokens = shape
    passes = {arm.name: _passes(arm, inputs) for arm in arms}
    times: dict[str, list[float]] = {arm.name: [] for arm in arms}
    for turn in range(rounds):
        for arm in arms if turn % 2 else arms[::-1]:
            time.sleep(PAUSE_SECONDS)
            arm.run(inputs)
            for _ in range(passes[arm.name]):
                times[arm.name].append(_milliseconds(arm, inputs))
    middle = {name: float(np.median(found)) for name, found in times.items()}
    spread = {name: float(np.subtract(*np.percentile(t, (75, 25)))) for name, t in times.items()}
    return ShapeTimes(
        batch=batch,
        tokens=tokens,
        torch_ms=round(middle[TORCH], 4),
        onnx_fp32_ms=round(middle[ONNX], 4),
        ternary_ms=round(middle[TERNARY], 4),
        ratio_torch=round(middle[TORCH] / middle[TERNARY], 3),
        ratio_onnx=round(middle[ONNX] / middle[TERNARY], 3),
        torch_spread_ms=round(spread[TORCH], 4),
        onnx_fp32_spread_ms=round(spread[ONNX], 4),
        ternary_spread_ms=round(spread[TERNARY], 4),
    )


def _passes(arm: Arm, inputs: Inputs) -> int:
    """How many passes make a turn of the length that is wanted, at least 3."""
    arm.run(inputs)
    return max(3, min(30, int(1000 * SECONDS_OF_A_TURN / _milliseconds(arm, inputs))))


def _milliseconds(arm: Arm, inputs: Inputs) -> float:
    began = time.perf_counter()
    arm.run(inputs)
    return 1000 * (time.perf_counter() - began)
