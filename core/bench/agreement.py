"""Does the engine answer as the student that was trained? And what do batch mates change?

The engine's sums are exact, torch's are rounded at each of a few hundred additions, so now and
then a number falls on the other side of a border between two of 256 levels and the logits move a
little. Who is right is told by the same torch student in float64: both are compared with it.

More important: the range of an activation is taken over the whole tensor, as in the paper, so a
text's logits depend on which texts are computed with it, and on their padding. All of this is
counted on every text of a split.
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import nn

from core.errors import InputError
from core.events import Preparing
from core.export.scoring import encoded_for
from core.family import Batch, Encoded
from core.packed.contents import Contents, assemble
from core.packed.engine import build_engine
from core.tasks.registry import find_task
from core.training.evaluate import answers_of

BATCH = 50
ONE, LIKE, ANY = "one text", f"{BATCH} texts of like length", f"{BATCH} texts of any length"


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """Two ways to compute the same texts: share of equal answers, differences of logits, the share
    of `examples` that differ by less than 1e-4, and the largest difference between first and second
    logit where the answers are not the same."""

    compared: str
    examples: int
    same: float
    largest: float
    mean: float
    alike: float
    undecided: float


def measure(
    contents: Contents, split: str = "test", threads: int = 1
) -> Generator[Preparing, None, list[Agreement]]:
    """Compare engine and torch, and batches with single texts; the list is the return value."""
    encoded = _encoded(contents, split)
    torch.set_num_threads(threads)
    student, engine = assemble(contents), build_engine(contents, threads)
    exact = assemble(contents).double()

    def in_engine(batch: Batch) -> np.ndarray:
        return engine.logits({name: value.numpy() for name, value in batch.inputs.items()})

    ways = {"torch": partial(_logits, contents, student), "engine": in_engine}
    one, many, mixed = _orders(encoded)
    found: dict[tuple[str, str], np.ndarray] = {}
    for who, compute in ways.items():
        for how, batches in ((ONE, one), (LIKE, many), (ANY, mixed)):
            found[who, how] = yield from _all(compute, contents, encoded, batches, f"{who}, {how}")
    compute = partial(_logits, contents, exact)
    found["torch in float64", ONE] = yield from _all(
        compute, contents, encoded, one, f"float64, {ONE}"
    )
    return [
        _compare(found, ("engine", ONE), ("torch", ONE)),
        _compare(found, ("engine", ONE), ("torch in float64", ONE)),
        _compare(found, ("torch", ONE), ("torch in float64", ONE)),
        _compare(found, ("engine", LIKE), ("torch", LIKE)),
        _compare(found, ("torch", LIKE), ("torch", ONE)),
        _compare(found, ("engine", LIKE), ("engine", ONE)),
        _compare(found, ("engine", ANY), ("engine", ONE)),
    ]


def _logits(contents: Contents, model: nn.Module, batch: Batch) -> np.ndarray:
    return answers_of(contents.family, model, batch)["logits"]


def _encoded(contents: Contents, split: str) -> Encoded:
    task = find_task(contents.experiment.task)
    if not task.labels:
        raise InputError(f"Agreement compares classes; {task.title} has none.")
    return encoded_for(contents, split)


def _orders(encoded: Encoded) -> tuple[list[np.ndarray], list[np.ndarray], list[np.ndarray]]:
    """Batches as lists of examples: single ones, by length, and as they come."""
    count = len(encoded)
    sorted_by_length = np.argsort(encoded.units, kind="stable")
    return (
        [np.array([i]) for i in range(count)],
        [sorted_by_length[i : i + BATCH] for i in range(0, count, BATCH)],
        [np.arange(i, min(i + BATCH, count)) for i in range(0, count, BATCH)],
    )


def _all(
    compute: Callable[[Batch], np.ndarray],
    contents: Contents,
    encoded: Encoded,
    batches: list[np.ndarray],
    text: str,
) -> Generator[Preparing, None, np.ndarray]:
    """Logits (examples, labels) in the order of the split."""
    gathered, done = [], 0
    for examples in batches:
        gathered.append(compute(contents.family.collate(encoded, examples)))
        done += len(examples)
        if done % BATCH == 0:
            yield Preparing(text=text, done=done, total=len(encoded))
    return np.concatenate(gathered)[np.argsort(np.concatenate(batches))]


def _compare(
    found: dict[tuple[str, str], np.ndarray], first: tuple[str, str], second: tuple[str, str]
) -> Agreement:
    one, other = found[first], found[second]
    gaps = np.abs(one - other).max(axis=1)
    differ = one.argmax(axis=1) != other.argmax(axis=1)
    ordered = np.sort(other, axis=1)
    margins = (ordered[:, -1] - ordered[:, -2])[differ]
    return Agreement(
        compared=f"{', '.join(first)}; {', '.join(second)}",
        examples=len(gaps),
        same=float(np.mean(~differ)),
        largest=float(gaps.max()),
        mean=float(gaps.mean()),
        alike=float(np.mean(gaps < 1e-4)),
        undecided=float(margins.max(initial=0.0)),
    )
