"""The weights of a checkpoint, read from its safetensors files without the library's loader.

Names are brought into one spelling (`bert.` in front, LayerNorm's gamma and beta as weight and
bias), then held against the model that they are for, by name and shape, before a number is read.
Only a head may be missing; nothing inside the encoder may be left over, for it would take part in
what the checkpoint was trained to compute; and every number must be finite. Every refusal is a
ValueError with a sentence.
"""

import math
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, cast

import torch
from safetensors import safe_open
from torch import Tensor

from core.models.folder_files import inside, read_json
from core.serialization import object_in

WEIGHTS_FILE, INDEX_FILE = "model.safetensors", "model.safetensors.index.json"
WEIGHT_FILES = (WEIGHTS_FILE, INDEX_FILE, "model-*.safetensors")
MAX_FILES, MAX_TENSORS, MAX_NUMBERS = 200, 20_000, 1_000_000_000
FLOATS = ("F64", "F32", "F16", "BF16")
BACKBONE = "bert."
ENCODER = ("bert.embeddings.", "bert.encoder.")
# Counts that old checkpoints hold; the model makes them itself.
COUNTS = ("bert.embeddings.position_ids", "bert.embeddings.token_type_ids")
OLD_SPELLINGS = {"LayerNorm.gamma": "LayerNorm.weight", "LayerNorm.beta": "LayerNorm.bias"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a weight is kept: the file, its name there, its shape, and the type of its numbers."""

    file: Path
    stored: str
    shape: tuple[int, ...]
    dtype: str


class _Slice(Protocol):
    """Of the library, which has no types: a weight that is not read yet."""

    def get_shape(self) -> list[int]: ...
    def get_dtype(self) -> str: ...


class _Weights(Protocol):
    """Of the library, which has no types: an open file of weights."""

    def keys(self) -> list[str]: ...
    def get_slice(self, name: str) -> _Slice: ...
    def get_tensor(self, name: str) -> Tensor: ...


def _opened(file: Path) -> AbstractContextManager[_Weights]:
    return cast("AbstractContextManager[_Weights]", safe_open(file, framework="pt"))


def places(folder: Path) -> dict[str, Place]:
    """Every weight of a model's folder by its name in our spelling; no number is read.

    Raises ValueError when there are no weights or their files cannot be read.
    """
    stored: dict[str, Place] = {}
    numbers = 0
    for file in _files(folder):
        with _opened(file) as weights:
            for name in weights.keys():  # noqa: SIM118
                part = weights.get_slice(name)
                shape = tuple(part.get_shape())
                place = Place(file=file, stored=name, shape=shape, dtype=part.get_dtype())
                numbers += math.prod(shape)
                if name in stored or len(stored) >= MAX_TENSORS or numbers > MAX_NUMBERS:
                    raise ValueError(f"its files have {name[:80]} twice, or too many weights.")
                stored[name] = place
    named: dict[str, Place] = {}
    has_front = any(name.startswith(BACKBONE) for name in stored)
    for name, place in stored.items():
        new = _spelled(name, has_front)
        if new in named:
            raise ValueError(f"its file has two weights for {new[:80]}.")
        named[new] = place
    return named


def _files(folder: Path) -> list[Path]:
    whole = inside(folder, WEIGHTS_FILE)
    if whole is not None:
        return [whole]
    index = read_json(folder, INDEX_FILE)
    if index is None:
        raise ValueError(f"it has no file {WEIGHTS_FILE}.")
    parts = object_in(index.get("weight_map")) or {}
    names = {name for name in parts.values() if isinstance(name, str)}
    if not 1 <= len(names) <= MAX_FILES or not all(isinstance(p, str) for p in parts.values()):
        raise ValueError(f"its {INDEX_FILE} does not name its files.")
    found = {name: inside(folder, name) for name in sorted(names)}
    lost = [name for name, place in found.items() if place is None]
    if lost or not all(name.endswith(".safetensors") for name in names):
        name = min(lost or names)
        raise ValueError(f"its {INDEX_FILE} names {name[:80]!r}, which is no file of weights.")
    return [place for place in found.values() if place is not None]


def _spelled(name: str, has_front: bool) -> str:
    for old, new in OLD_SPELLINGS.items():
        if name.endswith(old):
            name = name.removesuffix(old) + new
    is_bare = name.startswith(("embeddings.", "encoder.", "pooler."))
    return BACKBONE + name if is_bare and not has_front else name


def missing(found: Mapping[str, Place], wanted: Mapping[str, Tensor]) -> list[str]:
    """The weights of a model (`wanted`, of which only shapes count) without a fitting one."""
    return [
        name
        for name, value in wanted.items()
        if name not in found or found[name].shape != tuple(value.shape)
    ]


def check_encoder(
    found: Mapping[str, Place], wanted: Mapping[str, Tensor], head: tuple[str, ...]
) -> None:
    """Raise ValueError unless the encoder is filled, and by nothing else; `head` is how the names
    begin that may be missing."""
    lost = [name for name in missing(found, wanted) if not name.startswith(head)]
    if lost:
        raise ValueError(f"its file has no fitting weights for {lost[0]}.")
    kinds = {found[name].dtype for name in wanted if name in found} - set(FLOATS)
    if kinds:
        raise ValueError(f"its weights are of the type {min(kinds)}; a model in float is needed.")
    known = {*wanted, *COUNTS}
    own = (*ENCODER, "embeddings.", "encoder.")
    left = [name for name in found if name.startswith(own) and name not in known]
    if left:
        raise ValueError(
            f"its file has weights of the encoder that its config does not name: {left[0][:80]}."
        )


def read_state(found: Mapping[str, Place], names: set[str]) -> dict[str, Tensor]:
    """The weights of these names in float32. All that the files hold are checked: numbers are
    finite, counts are 0, 1, 2 and so on. Raises ValueError."""
    state: dict[str, Tensor] = {}
    for file in {place.file for place in found.values()}:
        with _opened(file) as weights:
            for name, place in found.items():
                if place.file == file:
                    value = _checked(name, weights.get_tensor(place.stored))
                    if name in names:
                        state[name] = value
    return state


def _checked(name: str, value: Tensor) -> Tensor:
    if name in COUNTS:
        counts = torch.arange(value.numel()) if "position" in name else torch.zeros(value.numel())
        if not torch.equal(value.reshape(-1).to(torch.int64), counts.to(torch.int64)):
            raise ValueError(f"its file has a {name} of its own kind, which is not computed here.")
        return value
    if not value.is_floating_point():
        return value
    value = value.to(torch.float32)
    if not bool(torch.isfinite(value).all()):
        raise ValueError(f"its weight {name[:80]} holds a number that is not finite.")
    return value
