"""How far a student's inside is from its teacher's, on the same text.

    moved    of a head: half the sum of |teacher - student| over a row of probabilities, the mean
             over rows. 0.2 means that a fifth of the attention went to other units
    cosine   of a hidden state, and norm: its length over the teacher's; means over units

Where a student has fewer layers, core/training/depths.py says which of the teacher's each is
compared with, as in distillation.
"""

from dataclasses import dataclass

import numpy as np

from core.analysis.internals import Look
from core.errors import InputError

SMALLEST = 1e-12  # no length is divided by less


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """How much of a head's attention went elsewhere; layers from 0, `of` being the teacher's."""

    layer: int
    of: int
    head: int
    moved: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """A hidden state against the teacher's: 0 is the embedding output, n what layer n gives; `of`
    is which of the teacher's it is compared with."""

    state: int
    of: int
    cosine: float
    norm: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """A student's look against its teacher's; `layers`: for each of its own, from 0, the teacher's
    that it is compared with. `heads` by how much they moved, the most first."""

    layers: tuple[int, ...]
    heads: tuple[Moved, ...]
    drift: tuple[Drift, ...]


def compare(student: Look, teacher: Look, name: str) -> Compared:
    """How far a student is from its teacher on the same row. Raises InputError, with the student's
    `name`, where they read other units or cannot be compared layer by layer."""
    from core.training.depths import check_depths, matched_layers

    if student.units != teacher.units:
        raise InputError(
            f"{name} does not read this text as the teacher does: their tokens differ. Choose a "
            "run of the same model."
        )
    check_depths(name, student.layers, teacher.layers)
    layers = matched_layers(student.layers, teacher.layers)
    states = (0, *(layer + 1 for layer in layers))
    for ours, theirs, places in (
        (student.attention, teacher.attention, layers),
        (student.hidden, teacher.hidden, states),
    ):
        _check_shapes(ours, theirs, places, name)
    return Compared(
        layers=layers,
        heads=_heads(student, teacher, layers),
        drift=_drift(student, teacher, states),
    )


def _check_shapes(
    ours: tuple[np.ndarray, ...],
    theirs: tuple[np.ndarray, ...],
    places: tuple[int, ...],
    name: str,
) -> None:
    """Raise InputError where the student's values have another shape than those at the teacher's
    `places`."""
    if any(each.shape != theirs[of].shape for each, of in zip(ours, places, strict=False)):
        raise InputError(
            f"{name} is not as wide as the teacher or has other heads, so what is inside them "
            "cannot be compared. Choose a run of the same model."
        )


def _heads(student: Look, teacher: Look, layers: tuple[int, ...]) -> tuple[Moved, ...]:
    found = []
    for layer, (ours, of) in enumerate(zip(student.attention, layers, strict=False)):
        apart = np.abs(ours - teacher.attention[of]).sum(axis=-1) / 2  # (heads, tokens)
        moved = apart.mean(axis=-1, dtype=np.float64)
        found += [
            Moved(layer=layer, of=of, head=head, moved=float(share))
            for head, share in enumerate(moved)
        ]
    return tuple(sorted(found, key=lambda each: -each.moved))


def _drift(student: Look, teacher: Look, states: tuple[int, ...]) -> tuple[Drift, ...]:
    found = []
    for state, (found_state, of) in enumerate(zip(student.hidden, states, strict=False)):
        ours, theirs = found_state.astype(np.float64), teacher.hidden[of].astype(np.float64)
        lengths = [np.maximum(np.linalg.norm(each, axis=1), SMALLEST) for each in (ours, theirs)]
        cosine = (ours * theirs).sum(axis=1) / (lengths[0] * lengths[1])
        norm = float((lengths[0] / lengths[1]).mean())
        found.append(Drift(state=state, of=of, cosine=float(cosine.mean()), norm=norm))
    return tuple(found)
