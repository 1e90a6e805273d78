"""What every architecture can do: the names that a module of core/families has.

    files of a model   read_config, load, from_state, open_processor ...: what is foreign is checked
    examples           encode, windows, collate: text, letters or sound as numbers
    the network        matrices, forward, prepare: what is quantized, what is compared

A family that lacks something says so with an empty value (no `replacing`, no `shared` table, no
`model_types`); a graph and a snippet it has where there is a file of its name in
core/packed/graphs and core/export/snippets.
"""

from collections.abc import Callable, Generator, Mapping, Sequence, Set
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from torch import Tensor

from core.events import Preparing
from core.family.data_types import (
    Batch,
    Counted,
    Distance,
    Encoded,
    Head,
    Loaded,
    Matrix,
    Outputs,
    Smoothing,
    Unit,
)


class Reader(Protocol):
    """The part of a family that turns examples into numbers."""

    def encode(self, processor: Any, columns: Sequence[list[Any]], limit: int) -> Encoded:
        """One column of examples, or two (pairs), each row cut to `limit` units; no labels."""
        ...

    def windows(self, processor: Any, first: list[str], second: list[str], limit: int) -> Encoded:
        """Pairs whose second text may be longer than `limit`: a row for each window of it. `about`
        is a `Windows` without accepted answers."""
        ...

    def marks(self, texts: int) -> int:
        """How many units of a row are no text but marks around so many texts."""
        ...

    def first_units(self, limit: int) -> int:
        """How many units of the first text are read at most in a window of `limit`."""
        ...


class Replacing(Protocol):
    """The part of a family that proposes other words in place of those of a text."""

    def words(self, processor: Any) -> dict[str, int]:
        """The words that may be proposed, and their rows in the embedding."""
        ...

    def embedding(self, model: Any) -> Tensor:
        """What lies near to what: (rows, width)."""
        ...

    def open_masked(self, folder: Path, name: str) -> Any:
        """The masked language model of a folder. Raises InputError, or a ValueError with a
        sentence, when it is none."""
        ...

    def expected(
        self, masked: Any, processor: Any, texts: list[list[str]], spots: list[int], most: int
    ) -> Generator[Preparing, None, list[list[int]]]:
        """For each text (its words) the numbers of the `most` likeliest tokens in place of the
        word at its spot, likeliest first; none for a word that is not one token."""
        ...


class Family(Reader, Protocol):
    """An architecture; one module of core/families has all of these names.

    title            what people call it
    parts            what its matrices belong to
    groups           part -> the row of a size table that it belongs to
    distances        of each trace, by the name of its loss
    always           traces that cost nothing more, so their losses are always shown
    model_types      what the config.json of a model says that can be loaded; () for none
    files            names and patterns of such a model's files, beside config.json
    processor_file   the file of a model's folder that says how it reads
    shared           the table that teachers of one embedded backbone have in common; it stays
                     as it is while they are trained. None: they have nothing in common
    replacing        how words of a text are replaced by others; None: they cannot be
    """

    name: str
    title: str
    parts: tuple[str, ...]
    groups: Mapping[str, str]
    distances: Mapping[str, Distance]
    always: Set[str]
    model_types: tuple[str, ...]
    files: tuple[str, ...]
    processor_file: str
    shared: Matrix | None
    replacing: Replacing | None

    # Files of a model

    def read_config(self, text: str, name: str = "the model") -> Any:
        """The config of this JSON text: a closed list of settings, each of them checked. Raises
        InputError when it is not one that we compute; `name` is what a message calls it."""
        ...

    def config_text(self, config: Any) -> str:
        """The inverse: the settings that are kept, as JSON. Raises InputError when one decides
        what is computed and no reader would know it."""
        ...

    def config_text_as(self, config: Any, text: str) -> str:
        """`config_text` with the settings that `text` names, from which the config was read."""
        ...

    def outputs_of(self, config: Any) -> tuple[str, ...]:
        """What the outputs of a model of this config are called, in their order."""
        ...

    def load(self, folder: Path, head: Head, name: str, seed: int) -> Loaded:
        """The model of a folder, of which nothing is trusted, with this head; a missing head is
        drawn from `seed`. Raises InputError, or a ValueError with a sentence."""
        ...

    def fresh_config(self, text: str, head: Head, name: str) -> Any:
        """The config that `load` gives a model whose config.json is this text and whose head is
        new. Raises InputError as `read_config` does."""
        ...

    def blank(self, config: Any, head: Head) -> Any:
        """A model of this config with such a head that takes no memory: its weights have names and
        shapes, but no numbers (they are on torch's device "meta")."""
        ...

    def has_trained_head(self, folder: Path, head: Head) -> bool:
        """Whether a folder's weights have a head of this kind and size; only names and shapes are
        looked at. Raises ValueError, or what the files run into."""
        ...

    def from_state(self, config: Any, state: dict[str, Tensor]) -> Any:
        """A model with exactly these weights, eval mode, in float32. Raises InputError when names
        or shapes do not fit the config."""
        ...

    def open_processor(self, folder: Path) -> Any:
        """What turns examples of a model's folder into numbers. Raises ValueError."""
        ...

    def save_processor(self, processor: Any, folder: Path) -> None:
        """Write the files that `open_processor` reads."""
        ...

    def check_fits(self, config: Any, processor: Any, columns: int, name: str) -> None:
        """Raise InputError when model and processor do not belong together, or the model cannot
        tell so many columns of an example apart."""
        ...

    def reorder_outputs(self, model: Any, order: list[int]) -> None:
        """Bring the outputs of a head into this order."""
        ...

    def keep_layers(self, model: Any, layers: tuple[int, ...]) -> None:
        """Keep only these layers, renumbered from zero."""
        ...

    # Examples

    def count(self, processor: Any, examples: Sequence[Any]) -> list[Counted]:
        """How much there is to read in each of these, and what of it is unknown."""
        ...

    def units_of(self, processor: Any, encoded: Encoded, row: int) -> tuple[Unit, ...]:
        """What the model reads in a row, unit by unit, as people read it."""
        ...

    # The network

    def matrix_of(self, address: str) -> Matrix | None:
        """The matrix of this address; None for a parameter that is never quantized."""
        ...

    def matrices(self, model: Any) -> tuple[Matrix, ...]:
        """Every matrix of the model, in the order of the network."""
        ...

    def smoothings(self, model: Any) -> tuple[Smoothing, ...]:
        """Where factors can move from what a matrix reads into the matrix; () for nowhere."""
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

    def shapes(self, architecture: str) -> Mapping[str, tuple[int, ...]]:
        """The shape of every parameter of a published architecture, by address, without its head;
        nothing is loaded. Raises InputError for one that is not known."""
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

    def without_traces(self, model: Any) -> None:
        """Let the model compute as its library does by default: no trace can be asked for."""
        ...


def address_of(family: Family, name: str) -> str:
    """The address of the matrix that files and events call `name` (see `Matrix.name`)."""
    return name if family.matrix_of(name) else f"{name}.weight"
