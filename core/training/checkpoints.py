"""Checkpoints: all that a training needs to go on as if nothing had happened.

One safetensors file in the run's folder, replaced as a whole:

    weight.NAME                 every parameter that learns, learned steps included
    adam.NAME.KEY               AdamW's moments and its count of steps
    table.NAME.KEY              the same of a table that is updated row by row (see `rows`)
    scale.NAME                  the scale that an alternating quantizer starts from
    range.NAME                  a static range of activations
    random                      torch's random numbers (dropout draws from them)
    averaging.N, watch.NAME     the mean of the weights so far, where histograms end
    said.SPLIT.WHO              what teacher and untrained student said, so as not to ask again
    metadata                    run, step, seconds of training, origin, threads, the version of this
                                program, and a digest of all

The batches are not in it: they are drawn from the seed and drawn again. `origin` is a digest of
text and starting weights: a checkpoint of another teacher or another text is not gone on from.

A run that goes on has the same losses, scores and packed file as one that never stopped, bit for
bit in float32 on as many threads; on others it says so. When one is written, and what becomes of
it: see `resume`.
"""

import hashlib
import json
import math
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from core.errors import InputError
from core.models.student import hand_over_second_moments, weight_quantizers
from core.paths import replacing
from core.training.checkpoint_header import FILE, header
from core.training.optimizer import Optimizer
from core.training.task_data import TaskData
from core.version import VERSION

FORMAT = "2"
WRITER = "ternary_lab"  # the key of the version in the metadata
PREDICTIONS = "said."  # the names of predictions in the file begin so
OTHER_VERSION = "The checkpoint is of another version of this program."


class UnfitCheckpoint(InputError):
    """A checkpoint that this training cannot go on from; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Checkpoint:
    """Where a training on that many threads stood after `step`, having trained for `seconds`.

    `ternary_lab` is the version of the program that wrote it ("": one that did not say so yet).
    """

    run_id: str
    step: int
    seconds: float
    origin: str
    threads: int
    tensors: dict[str, Tensor]
    ternary_lab: str = VERSION

    def predictions(self) -> dict[str, np.ndarray]:
        """The predictions that were kept with it, by name."""
        kept = [name for name in self.tensors if name.startswith(PREDICTIONS)]
        return {name.removeprefix(PREDICTIONS): self.tensors[name].numpy() for name in kept}


def read(folder: Path, run_id: str) -> Checkpoint | None:
    """The checkpoint of this run, or None when there is none.

    Raises UnfitCheckpoint when it is damaged or belongs to another run or version.
    """
    path = folder / FILE
    if not path.exists():
        return None
    told = header(path)
    if told.get("format", FORMAT) != FORMAT:
        raise UnfitCheckpoint(OTHER_VERSION)
    try:
        tensors = load_file(path)
        found = Checkpoint(
            run_id=told["run_id"],
            step=int(told["step"]),
            seconds=float(told["seconds"]),
            origin=told["origin"],
            threads=int(told["threads"]),
            tensors=tensors,
            ternary_lab=told.get(WRITER, ""),
        )
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise UnfitCheckpoint("The checkpoint is damaged.") from error
    if told.get("digest") != _digest(_metadata(found), tensors) or not math.isfinite(found.seconds):
        raise UnfitCheckpoint("The checkpoint is damaged.")
    if found.run_id != run_id:
        raise UnfitCheckpoint("The checkpoint belongs to another run.")
    return found


def write(folder: Path, checkpoint: Checkpoint) -> None:
    """Replace the folder's checkpoint; raises InputError when the disk refuses."""
    metadata = _metadata(checkpoint)
    metadata["digest"] = _digest(metadata, checkpoint.tensors)
    with replacing(folder / FILE) as temporary:
        try:
            save_file(checkpoint.tensors, temporary, metadata)
        except SafetensorError as error:  # how the library reports a full disk
            raise OSError(str(error)) from error


def _metadata(checkpoint: Checkpoint) -> dict[str, str]:
    writer = {WRITER: checkpoint.ternary_lab} if checkpoint.ternary_lab else {}
    return {
        "format": FORMAT,
        "run_id": checkpoint.run_id,
        "step": str(checkpoint.step),
        "seconds": repr(checkpoint.seconds),
        "origin": checkpoint.origin,
        "threads": str(checkpoint.threads),
    } | writer


def _digest(metadata: Mapping[str, str], tensors: Mapping[str, Tensor]) -> str:
    """CRC-32: against accidents only, and three times as fast as SHA-256."""
    digest = zlib.crc32(json.dumps(metadata, sort_keys=True).encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest = zlib.crc32(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode(), digest)
        digest = zlib.crc32(_raw(tensor), digest)
    return f"{digest:08x}"


def _raw(tensor: Tensor) -> memoryview:
    return tensor.detach().contiguous().reshape(-1).view(torch.uint8).numpy().data


def origin(data: TaskData, model: nn.Module) -> str:
    """A digest of the examples that are read and of the weights a training begins with."""
    digest = hashlib.sha256()
    for labels in data.train.labels.values():
        digest.update(labels.tobytes())
    for rows in data.train.inputs.values():
        digest.update(np.fromiter(chain.from_iterable(rows), dtype=np.int32).tobytes())
    for parameter in model.parameters():
        digest.update(_raw(parameter))
    return digest.hexdigest()


def check_origin(checkpoint: Checkpoint, origin: str) -> None:
    """Raise UnfitCheckpoint where a training of this origin is another one."""
    if checkpoint.origin != origin:
        raise UnfitCheckpoint("Text or teacher have changed since the checkpoint was made.")


def capture(model: nn.Module, optimizer: Optimizer) -> dict[str, Tensor]:
    """The state of a training between two steps. The tensors are those in use, not copies."""
    names: dict[Tensor, str] = {p: name for name, p in model.named_parameters()}
    found = {f"weight.{names[p]}": p.detach() for p in optimizer.learning()}
    found |= {f"{part}.{names[p]}.{key}": t for part, p, key, t in optimizer.state()}
    for name, _, quantizer in weight_quantizers(model):
        if quantizer.start_scale is not None:
            found[f"scale.{name}"] = quantizer.start_scale
    found |= {f"range.{name}": ends for name, ends in _ranges(model).items()}
    return found | {"random": torch.get_rng_state()}


@torch.no_grad()
def restore(tensors: Mapping[str, Tensor], model: nn.Module, optimizer: Optimizer) -> None:
    """Bring a training that has not begun to where `capture` found it.

    Everything is copied: what lies in a file is not aligned as in memory, and products of
    unaligned matrices may round otherwise. Raises UnfitCheckpoint.
    """
    names = dict(model.named_parameters())
    wanted = {f"weight.{name}" for name, p in names.items() if p in set(optimizer.learning())}
    if wanted != {name for name in tensors if name.startswith("weight.")}:
        raise UnfitCheckpoint(OTHER_VERSION)
    try:
        for name in wanted:
            _same_shape(names[name.removeprefix("weight.")], tensors[name]).copy_(tensors[name])
        for name, tensor in tensors.items():
            part, _, rest = name.partition(".")
            if part in ("adam", "table"):
                parameter, _, key = rest.rpartition(".")
                optimizer.restore(names[parameter], key, tensor.clone())
        _restore_quantizers(tensors, model)
        hand_over_second_moments(model, optimizer.second_moments())
        torch.set_rng_state(tensors["random"].clone())
    except (KeyError, ValueError, RuntimeError) as error:
        raise UnfitCheckpoint(OTHER_VERSION) from error


def _restore_quantizers(tensors: Mapping[str, Tensor], model: nn.Module) -> None:
    quantizers = {name: quantizer for name, _, quantizer in weight_quantizers(model)}
    for name, tensor in tensors.items():
        if name.startswith("scale."):
            quantizers[name.removeprefix("scale.")].start_scale = tensor.clone()
    for name, ends in _ranges(model).items():
        _same_shape(ends, tensors[f"range.{name}"]).copy_(tensors[f"range.{name}"])


def _ranges(model: nn.Module) -> dict[str, Tensor]:
    """The static ranges of activations."""
    return {name: found for name, found in model.named_buffers() if name.endswith(".range")}


def _same_shape(one: Tensor, other: Tensor) -> Tensor:
    if one.shape != other.shape:
        raise ValueError("shapes differ")
    return one
