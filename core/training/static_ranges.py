"""Static ranges: what the activations of a student will be rounded to, found before it is trained.

The first texts of train (their order is that of a digest of the text, so they are a fair sample)
are read one by one by the network that the student starts from, in full precision: that is what
distillation draws the student's activations towards. Of every tensor that will be rounded the
smallest and the largest value are noted, in a second pass how the values lie between them, and the
recipe's calibration then says where the range ends (`core.quantizers.range_search`). A learned
range (lsq) begins there.

One text has no padding and one thread adds in one order: equal texts give equal ranges.
"""

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from core.events import Preparing
from core.experiment import QuantRecipe
from core.family import Encoded, Family
from core.models.activation import ActivationQuantizer
from core.models.each_text import one_thread
from core.models.student import build_student
from core.packed.contents import unquantized
from core.quantizers.range_search import BINS, Histogram, range_ends
from core.tasks.prepare import load
from core.tasks.registry import find_task
from core.tasks.task import Task
from core.teachers.teacher_store import load_teacher, teacher_tokenizer

Note = Callable[[str, Tensor], None]  # the name of a quantizer, and what enters it


def needs_ranges(recipe: QuantRecipe) -> bool:
    """Whether a student of this recipe must be calibrated before it computes."""
    return recipe.activation_scope == "static" and recipe.activation_bits != 32


def calibrate(
    student: Any, start: Any, task: Task, family: Family, tokenizer: Any, recipe: QuantRecipe
) -> Generator[Preparing]:
    """Give `student` its static ranges; `start` is the network that it is a copy of. Nothing
    happens where the recipe has none. Raises InputError when the task's text is not here."""
    if not needs_ranges(recipe):
        return
    encoded = _texts(task, family, tokenizer, start, recipe.calibration_texts)
    twin = _in_full_precision(start, recipe, family)
    ends: dict[str, tuple[float, float]] = {}
    counts: dict[str, np.ndarray] = {}

    def note_ends(name: str, x: Tensor) -> None:
        low, high = (float(end) for end in torch.aminmax(x))
        before = ends.get(name, (low, high))
        ends[name] = min(before[0], low), max(before[1], high)

    def note_counts(name: str, x: Tensor) -> None:
        low, high = ends[name]
        if low < high:
            found = torch.histc(x.float(), BINS, low, high).numpy().astype(np.int64)
            counts[name] = counts[name] + found if name in counts else found

    passes = (note_ends,) if recipe.calibration == "minmax" else (note_ends, note_counts)
    rows = min(len(encoded), recipe.calibration_texts)  # a long text has several
    for number, note in enumerate(passes):
        for row in range(rows):
            done, total = number * rows + row, len(passes) * rows
            yield Preparing(text="Calibrating activation ranges", done=done, total=total)
            _read(twin, family, encoded, row, note)
    for name, quantizer in quantizers_of(student):
        low, high = ends[name]
        seen = Histogram(low=low, high=high, counts=counts.get(name, np.zeros(BINS)))
        quantizer.set_range(*range_ends(seen, quantizer.bits, quantizer.kind, recipe.calibration))


def calibrate_copy(
    student: Any, task: str, model: str, recipe: QuantRecipe, family: Family
) -> None:
    """The same, at once, for a student that is a copy of the teacher of this task and model."""
    if needs_ranges(recipe):
        start, tokenizer = load_teacher(task, model), teacher_tokenizer(task, model)
        for _ in calibrate(student, start, find_task(task), family, tokenizer, recipe):
            pass


def quantizers_of(student: nn.Module) -> Iterator[tuple[str, ActivationQuantizer]]:
    """(name, quantizer) of every activation that is rounded."""
    for name, module in student.named_modules():
        if isinstance(module, ActivationQuantizer):
            yield name, module


def _texts(task: Task, family: Family, tokenizer: Any, model: Any, count: int) -> Encoded:
    """The first `count` texts of train."""
    train = load(task).train
    chosen = train.select(range(min(count, len(train))))
    limit = min(task.max_tokens, family.longest(model.config))
    return task.target.encode(family, tokenizer, chosen, task, limit)


def _in_full_precision(start: Any, recipe: QuantRecipe, family: Family) -> Any:
    """A copy of the network with quantizers in the same places, which round nothing."""
    off = replace(
        unquantized(recipe),
        activation_bits=32,
        activation="minmax",
        activation_scope="tensor",
        stages=(),
    )
    return build_student(start, off, family)


@torch.no_grad()
def _read(twin: Any, family: Family, encoded: Encoded, row: int, note: Note) -> None:
    with one_thread(), _noting(twin, note):
        family.forward(twin, family.collate(encoded, np.array([row])))


@contextmanager
def _noting(twin: nn.Module, note: Note) -> Generator[None]:
    """Call `note` with what enters each quantizer while the block runs forward."""
    hooks = [
        quantizer.register_forward_pre_hook(_hook(note, name))
        for name, quantizer in quantizers_of(twin)
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _hook(note: Note, name: str):
    return lambda _module, inputs: note(name, inputs[0])
