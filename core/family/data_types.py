"""What goes between a family and a target: values only."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

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
class Smoothing:
    """A place where a factor can move from activations into weights and nothing else changes: the
    rows of `sources` (addresses of parameters, weights and biases) are divided by any positive
    numbers, the columns of `readers` (addresses of matrices) multiplied by the same."""

    sources: tuple[str, ...]
    readers: tuple[str, ...]


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """How a family takes an example apart.

    units     tokens, letters or frames, without marks such as [CLS]
    words     what people would count: words or signs; 0 where nothing is one (sound)
    unknown   how many of these the model cannot tell from each other
    """

    units: int
    words: int
    unknown: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """What stands at one place of a row, as people read it: a piece of a word, a letter, a frame's
    number. `is_mark`: it is no text but a mark around texts, such as [CLS]."""

    text: str
    is_mark: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Loaded:
    """A network in float32, made of a model's files.

    is_fine_tuned   its head was trained for this number of outputs
    labels          the names that its config gives to its outputs
    gives_many      its head was trained to give any number of labels at once
    revision        the hub's, or ""
    """

    model: Any
    is_fine_tuned: bool
    labels: tuple[str, ...]
    gives_many: bool = False
    revision: str = ""
