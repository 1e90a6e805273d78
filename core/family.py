"""Where an architecture and a question meet: types only, read without waiting for torch.

A *family* (core/families) goes from examples to named outputs: it knows tokens or frames, layers
and the names of weights. A *target* (core/targets) goes from named outputs to a score: it knows
labels, losses and metrics. They meet in `Outputs` and never import each other.
"""

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

Distance = Callable[["Trace", "Trace"], Tensor]  # (student, teacher) -> scalar


HEAD = "task head"


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """A weight matrix that can be quantized.

    address   the name of the PARAMETER in the model, e.g. "lstm.weight_hh_l0"
    title     what people call it: "layer 2, query"
    part      one of its family's parts
    layer     its layer, from 0; None outside the layers
    is_table  rows are looked up, not multiplied: it has the embedding's bits and granularity
    tied_to   the address of the matrix whose parameter this is, too; "" if it is its own
    """

    address: str
    title: str
    part: str
    layer: int | None = None
    is_table: bool = False
    tied_to: str = ""

    @property
    def name(self) -> str:
        """How files and events call it: the address without ".weight"."""
        return self.address.removesuffix(".weight")


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What a target needs of a model: named outputs, one value each per example or per unit."""

    outputs: tuple[str, ...]
    per_unit: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Encoded:
    """A split as numbers. A row is what the model reads at once; often, not always, an example.

    inputs    ragged columns by name, one list of whole numbers per row
    units     (rows,) how many tokens or frames each row has
    labels    the target's, by name, (rows, ...)
    groups    (rows,) rows of one group stand side by side and are learned together; None: each
              row by itself
    about     what else the target must remember of the rows, e.g. the windows of a passage
    """

    inputs: Mapping[str, Sequence[Sequence[int]]]
    units: np.ndarray
    labels: Mapping[str, np.ndarray] = field(default_factory=dict)
    groups: np.ndarray | None = None
    about: Any = None

    def __len__(self) -> int:
        return len(self.units)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Windows:
    """What the rows are windows of, where long texts are read in pieces that overlap.

    example (rows,): the pair's number; first (rows,): where the second text begins in the row;
    offsets: per row (tokens of the second text, 2), where each token lies in that text; contexts:
    the second text of each pair, and accepted: its accepted answers.
    """

    example: np.ndarray
    first: np.ndarray
    offsets: list[np.ndarray]
    contexts: list[str]
    accepted: list[tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Batch:
    """Rows that a model reads together, padded to the longest.

    inputs    what the model's forward takes, by its own names
    units     (batch,) real tokens or frames of each row
    labels    the target's, by name, (batch, ...)
    examples  (batch,) the numbers of the rows in their split
    """

    inputs: "Mapping[str, Tensor]"
    units: "Tensor"
    labels: "Mapping[str, Tensor]"
    examples: "Tensor"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trace:
    """Something by which student and teacher are compared.

    value     (batch, ...) float32
    axes      the axes of `value` that run along units and are padded
    lengths   for each of these axes (batch,) how many units are real
    padding   what stands where there is no unit
    """

    value: "Tensor"
    axes: tuple[int, ...] = ()
    lengths: "tuple[Tensor, ...]" = ()
    padding: float = 0.0

    @property
    def mask(self) -> "Tensor":
        """float32, 1 where a unit is real; broadcasts against `value`."""

        dims = self.value.dim()
        mask = torch.ones((1,) * dims)
        for axis, lengths in zip(self.axes, self.lengths, strict=True):
            places = torch.arange(self.value.shape[axis]).reshape((-1,) + (1,) * (dims - 1 - axis))
            real = places < lengths.reshape((-1,) + (1,) * (dims - 1))
            mask = mask * real.float()
        return mask


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outputs:
    """What a forward gives. answers: what targets read, e.g. {"logits": ...}. traces: what
    distillation compares, by the name of the loss, one for each layer."""

    answers: Mapping[str, Trace]
    traces: Mapping[str, tuple[Trace, ...]] = field(default_factory=dict)


class Reader(Protocol):
    """The part of a family that turns examples into numbers."""

    def encode(self, processor: Any, columns: Sequence[list[Any]], limit: int) -> Encoded:
        """One column of examples, or two (pairs), each row cut to `limit` units; no labels."""
        ...

    def windows(self, processor: Any, first: list[str], second: list[str], limit: int) -> Encoded:
        """Pairs whose second text may be longer than `limit`: a row for each window of it. `about`
        is a `Windows` without accepted answers."""
        ...


class Family(Reader, Protocol):
    """An architecture; one module of core/families has all of these names."""

    name: str
    parts: tuple[str, ...]
    groups: Mapping[str, str]  # part -> the row of a size table that it belongs to
    distances: Mapping[str, Distance]  # of each trace, by the name of its loss
    always: Set[str]  # traces that cost nothing more, so their losses are always shown

    def matrix_of(self, address: str) -> Matrix | None:
        """The matrix of this address; None for a parameter that is never quantized."""
        ...

    def matrices(self, model: Any) -> tuple[Matrix, ...]:
        """Every matrix of the model, in the order of the network."""
        ...

    def kind_of(self, address: str) -> str:
        """What people call a parameter that is not quantized; HEAD for the task's head."""
        ...

    def depth(self, config: Any) -> int:
        """How many layers a model of this config has."""
        ...

    def prepare_teacher(self, model: Any) -> None:
        """Whatever fine-tuning in full precision wants changed."""
        ...

    def prepare(self, model: Any, recipe: Any) -> None:
        """Whatever a student (of this `QuantRecipe`) needs beside quantized layers."""
        ...

    def collate(self, encoded: Encoded, rows: np.ndarray) -> Batch:
        """The batch of these rows, padded to the longest of them."""
        ...

    def made_up_batch(self, config: Any, rows: int, units: int) -> Batch:
        """A batch of random examples, always the same ones, of at most `units` each."""
        ...

    def longest(self, config: Any) -> int:
        """How many units a model of this config can read."""
        ...

    def trace_bytes(self, config: Any, units: np.ndarray, traces: Set[str]) -> int:
        """What keeping these traces of rows of so many units takes; a function of both alone."""
        ...

    def forward(
        self, model: Callable[..., Any], batch: Batch, traces: Set[str] = frozenset()
    ) -> Outputs:
        """All answers of `model` (a network, or what is called as one), and the traces of these
        names."""
        ...
