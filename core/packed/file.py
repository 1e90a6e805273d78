"""A student as one safetensors file: what ships, what is measured, what computes.

    <matrix>.codes   uint8             the codes, packed (see `codes` and `matrices`)
    <matrix>.scale   float32, float16  (rows, 1), (1, 1) or (rows, groups)
    <other weight>   float32, float16  biases, LayerNorm, position embedding, head: the leftovers
    <layer>.step     float32, float16  learned steps of activations; or <layer>.range, static ranges
    metadata         format, version, sha256, experiment, config, matrices, who wrote it ...

docs/FORMAT.md tells it to the bit. Reading a file back gives the student's logits bit for bit: the
same codes times the same scales, then the same activation quantizers. The digest is taken over the
whole file with zeros in its own place, so nothing in it can change unnoticed.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from core.errors import InputError
from core.experiment import Experiment
from core.families import find_family
from core.packed.choices import FLOAT32, LAYOUTS, LEFTOVERS, TWO_BIT
from core.packed.container import Container, read_container, write_container
from core.packed.contents import FLOATS, Contents, assemble, contents_of, round_contents
from core.packed.matrices import needs_version_3, table_of, take_matrices, tensors_of
from core.packed.origin import Origin
from core.paths import replacing
from core.quantizers.quantizer import Quantized
from core.serialization import canonical_json, canonical_json_as, from_json
from core.version import VERSION as PROGRAM_VERSION

FORMAT, READABLE = "ternary-lab-packed", ("1", "2", "3")
NO_DIGEST = "0" * 64
WRITER = "ternary_lab"  # the key of the version of the program


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PackedModel:
    """An open packed file: the model that computes from it, and what it holds."""

    model: Any
    contents: Contents
    size_bytes: int

    @property
    def experiment(self) -> Experiment:
        """What the student was made by."""
        return self.contents.experiment

    @property
    def weights(self) -> dict[str, Quantized]:
        """The quantized matrices by name."""
        return dict(self.contents.weights)


def to_bytes(
    student: Any,
    experiment: Experiment,
    *,
    layout: str = TWO_BIT,
    leftovers: str = FLOAT32,
    origin: Origin | None = None,
) -> bytes:
    """The packed file of a student (in eval mode), as bytes."""
    return contents_to_bytes(contents_of(student, experiment, origin), layout, leftovers)


def contents_to_bytes(contents: Contents, layout: str, leftovers: str) -> bytes:
    """The packed file of these contents; equal contents give equal bytes.

    Raises InputError for an unknown layout, or a number that float16 cannot hold.
    """
    return _written(contents, layout, leftovers, {})


def written_again(container: Container) -> bytes:
    """What an open file's contents are written as, in the file's own spelling: a field or setting
    that did not exist when it was made is not named, as it was not then; its writer stays.

    Raises InputError, or what a damaged file runs into, as reading it does.
    """
    contents, old = contents_of_container(container), container.metadata
    spelled = {
        "experiment": canonical_json_as(contents.experiment, old["experiment"]),
        "config": contents.family.config_text_as(contents.config, old["config"]),
        "origin": canonical_json_as(contents.origin, old.get("origin", "{}")),
        WRITER: old.get(WRITER),
    }
    return _written(contents, contents.layout, contents.leftovers, spelled)


def _written(
    contents: Contents, layout: str, leftovers: str, spelled: Mapping[str, str | None]
) -> bytes:
    """The file; `spelled` are metadata in another spelling than today's (None: left out)."""
    contents, kind = round_contents(contents, leftovers), FLOATS[leftovers]
    metadata = metadata_of(contents, layout, leftovers, spelled)
    tensors = {name: value.to(kind) for name, value in contents.rest.items()}
    tensors |= tensors_of(contents.weights, layout, kind)
    return signed(write_container(tensors, metadata))


def metadata_of(
    contents: Contents, layout: str, leftovers: str, spelled: Mapping[str, str | None]
) -> dict[str, str]:
    """The metadata of the file, without its digest. Raises InputError for an unknown layout."""
    if layout not in LAYOUTS:
        raise InputError(f"There is no layout {layout!r} of codes; there are: {', '.join(LAYOUTS)}")
    metadata: dict[str, str | None] = {
        "format": FORMAT,
        "version": version_of(contents),
        "sha256": NO_DIGEST,
        "experiment": canonical_json(contents.experiment),
        "config": contents.family.config_text(contents.config),
        "labels": json.dumps(contents.labels, separators=(",", ":")),
        "matrices": table_of(contents.weights),
        "codes": layout,
        "leftovers": leftovers,
        "origin": canonical_json(contents.origin),
        WRITER: PROGRAM_VERSION,
        **spelled,
    }
    return {name: value for name, value in metadata.items() if value is not None}


def version_of(contents: Contents) -> str:
    """The version of the format that a file of these contents has: the lowest that can say it, so
    that what was written before there was another is still written the same."""
    is_elastic = contents.experiment.quant.activation == "elastic"
    return "3" if is_elastic or needs_version_3(contents.weights) else "2"


def signed(data: bytes) -> bytes:
    """A file written with NO_DIGEST, with its digest in place."""
    digest = hashlib.sha256(data).hexdigest()
    return data.replace(_spelled(NO_DIGEST), _spelled(digest), 1)


def _spelled(digest: str) -> bytes:
    """The digest's entry in the header. A quote inside a text is escaped, so nothing else looks
    like it."""
    return f'"sha256":"{digest}"'.encode()


def write(data: bytes, path: Path) -> None:
    """Write a packed file whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_bytes(data)


def read(path: Path) -> PackedModel:
    """Open a packed file. Raises InputError when it is not one, or is damaged."""
    contents = read_contents(path)
    model = assembled(contents, path.name)
    return PackedModel(model=model, contents=contents, size_bytes=path.stat().st_size)


def assembled(contents: Contents, name: str = "The packed model") -> Any:
    """The model of these contents. Raises InputError when they make none."""
    try:
        return assemble(contents)
    except (AttributeError, KeyError, RuntimeError, TypeError, ValueError) as error:
        raise InputError(f"{name} is damaged: {error}") from error


def read_contents(path: Path) -> Contents:
    """What a packed file holds, checked. Raises InputError as `read` does."""
    try:
        container = read_container(path)
    except InputError as error:
        raise InputError(f"{path.name} is not a readable packed model: {error}.") from error
    check_version(container, path.name)
    try:
        if container.metadata["version"] != "1":
            _check_digest(container)
        return contents_of_container(container)
    except (AttributeError, KeyError, RuntimeError, TypeError, ValueError) as error:
        raise InputError(f"{path.name} is damaged: {error}") from error


def check_version(container: Container, name: str) -> None:
    """Raise InputError unless it is a packed model of a version that we read."""
    found, version = container.metadata.get("format"), container.metadata.get("version")
    if found != FORMAT or version not in READABLE:
        raise InputError(
            f"{name} is not a packed model of version {', '.join(READABLE)} "
            f"(format {found!r}, version {version!r})."
        )


def _check_digest(container: Container) -> None:
    digest = container.metadata["sha256"]
    start = container.data.find(_spelled(digest), 0, container.header_bytes)
    if len(digest) != 64 or start < 0:
        raise InputError("its digest is missing.")
    place = start + len(_spelled("")) - 1
    container.data[place : place + 64] = NO_DIGEST.encode()
    if hashlib.sha256(container.data).hexdigest() != digest:
        raise InputError(
            "its bytes are not those that were written (SHA-256 differs). Copy it again."
        )


def contents_of_container(container: Container) -> Contents:
    """The contents of an open file whose version and digest hold. Raises InputError, or what a
    damaged file runs into."""
    told, tensors = container.metadata, dict(container.tensors)
    layout, leftovers = told.get("codes", TWO_BIT), told.get("leftovers", FLOAT32)
    if layout not in LAYOUTS or leftovers not in LEFTOVERS:
        raise InputError("its layout of codes or leftovers is not known.")
    weights = take_matrices(tensors, told["matrices"], layout, FLOATS[leftovers])
    for name, value in tensors.items():
        if value.dtype != FLOATS[leftovers] or not bool(torch.isfinite(value).all()):
            raise InputError(f"the numbers of {name} are not finite, or not {leftovers}.")
    experiment = from_json(Experiment, told["experiment"])
    return Contents(
        experiment=experiment,
        config=find_family(experiment.family).read_config(told["config"]),
        weights=weights,
        rest={name: value.to(torch.float32) for name, value in tensors.items()},
        layout=layout,
        leftovers=leftovers,
        origin=from_json(Origin, told.get("origin", "{}")),
    )
