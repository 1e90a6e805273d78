"""What happens in a model while it reads one text: attention, hidden states, what enters a matrix.

`look` reads a row once and keeps what the family's traces give (attention as probabilities, after
the softmax and over real units only) and, of every matrix of a layer, what comes into it before
anything rounds it. core/analysis/drift.py holds two looks against each other.
"""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from core.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor, nn

    from core.family import Encoded, Family, Matrix, Trace, Unit

HIDDEN, SCORES = "hidden", "attention"  # what families call these traces
BINS = 60
DEVIATIONS = 6  # beyond so many standard deviations a value is an outlier
OUTER = 0.01  # the outermost values: this share of all


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Activations:
    """What enters these matrices of a layer (from 0), which read the same values.

    counts (bins,) lie between edges (bins + 1,); `outer_share` is how much of the range only the
    outermost hundredth of the values takes.
    """

    titles: tuple[str, ...]
    layer: int
    edges: np.ndarray
    counts: np.ndarray
    low: float
    high: float
    mean: float
    deviation: float
    outliers: int
    values: int
    outer_share: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Look:
    """One row as one model reads it; `rows` is how many the text has (windows of a passage).

    hidden (tokens, width): the embedding output and every layer's. attention (heads, tokens,
    tokens): of every layer the probabilities, each row summing to 1; () where the family has none.
    """

    units: "tuple[Unit, ...]"
    rows: int
    layers: int
    hidden: tuple[np.ndarray, ...]
    attention: tuple[np.ndarray, ...]
    inputs: tuple[Activations, ...]


def look(family: "Family", model: Any, processor: Any, encoded: "Encoded", row: int) -> Look:
    """Read one row. The model may be shared: it is left as it is, and others may use it
    meanwhile."""
    import torch

    twin = _twin(model)
    batch = family.collate(encoded, np.array([row]))
    wanted = {HIDDEN, SCORES} & {*family.distances}
    with torch.no_grad(), _entering(family, twin) as entered:
        traces = family.forward(twin, batch, wanted).traces
    scores = [_real(trace, 0) for trace in traces.get(SCORES, ())]
    return Look(
        units=family.units_of(processor, encoded, row),
        rows=len(encoded),
        layers=family.depth(model.config),
        hidden=tuple(_real(trace, 0).numpy() for trace in traces.get(HIDDEN, ())),
        attention=tuple(torch.softmax(each, dim=-1).numpy() for each in scores),
        inputs=tuple(_activations(matrices, value) for matrices, value in _alike(entered)),
    )


def inputs_of(
    family: "Family", model: Any, encoded: "Encoded", row: int
) -> "list[tuple[tuple[str, ...], np.ndarray]]":
    """What enters the matrices of the layers in one row, float32 (units, width), each with the
    titles of those that read it."""
    import torch

    twin = _twin(model)
    with torch.no_grad(), _entering(family, twin) as entered:
        family.forward(twin, family.collate(encoded, np.array([row])))
    return [
        (tuple(matrix.title for matrix in matrices), value[0].float().numpy())
        for matrices, value in _alike(entered)
    ]


def _twin(model: "nn.Module") -> Any:
    """The same network with the very same weights, to which hooks may be added."""
    import copy
    from itertools import chain

    kept: dict[int, Any] = {id(one): one for one in chain(model.parameters(), model.buffers())}
    return copy.deepcopy(model, kept)


def _real(trace: "Trace", row: int) -> "Tensor":
    """What is no padding in a row of a trace."""
    value = trace.value[row]
    for axis, lengths in zip(trace.axes, trace.lengths, strict=True):
        value = value.narrow(axis - 1, 0, int(lengths[row]))
    return value


Entered = list[tuple["Matrix", "Tensor"]]


@contextmanager
def _entering(family: "Family", model: "nn.Module") -> Generator[Entered]:
    """What enters the matrices of the layers while the block runs forward, in its order."""
    found: Entered = []
    hooks = []
    for matrix in family.matrices(model):
        module, _, parameter = matrix.address.rpartition(".")
        # A module of several matrices (recurrent ones) does not say what enters which of them.
        if matrix.layer is None or matrix.is_table or parameter != "weight":
            continue
        hooks.append(model.get_submodule(module).register_forward_pre_hook(_noting(found, matrix)))
    try:
        yield found
    finally:
        for hook in hooks:
            hook.remove()


def _noting(found: Entered, matrix: "Matrix"):
    return lambda _module, inputs: found.append((matrix, inputs[0]))


def _alike(entered: Entered) -> list[tuple[list["Matrix"], "Tensor"]]:
    """Matrices that read the same tensor together, as query, key and value do."""
    groups: dict[int, tuple[list[Matrix], Tensor]] = {}
    for matrix, value in entered:
        groups.setdefault(id(value), ([], value))[0].append(matrix)
    return list(groups.values())


def _activations(matrices: "list[Matrix]", value: "Tensor") -> Activations:
    titles = tuple(matrix.title for matrix in matrices)
    return spread(value.double().numpy().ravel(), titles, matrices[0].layer or 0)


def spread(values: np.ndarray, titles: tuple[str, ...], layer: int) -> Activations:
    """How values (n,) are spread. Raises InputError where one of them is no number."""
    if not np.isfinite(values).all():
        raise InputError(
            f"What enters {titles[0]} has values that are no finite numbers, so there is nothing "
            "to see. Choose another run, or make this one again."
        )
    counts, edges = np.histogram(values, bins=BINS)
    low, high = float(values.min()), float(values.max())
    inner = np.quantile(values, [OUTER / 2, 1 - OUTER / 2])
    mean, deviation = float(values.mean()), float(values.std())
    return Activations(
        titles=titles,
        layer=layer,
        edges=edges,
        counts=counts,
        low=low,
        high=high,
        mean=mean,
        deviation=deviation,
        outliers=int((np.abs(values - mean) > DEVIATIONS * deviation).sum()),
        values=len(values),
        outer_share=1.0 - float(inner[1] - inner[0]) / (high - low) if high > low else 0.0,
    )
