"""A student as one safetensors file: what ships, what is measured, what computes.

    <matrix>.codes   uint8    the codes, packed (see `codes`)
    <matrix>.scale   float32  (rows, 1) or (1, 1)
    <other weight>   float32  biases, LayerNorm, position embedding, head: the leftovers
    <layer>.step     float32  learned steps of activations, where there are any
    metadata         format, version, experiment, model config, shape and bits of every matrix

Reading it back gives the student's logits bit for bit: the same codes times the same scales, then
the same activation quantizers.
"""

import json
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor
from transformers import PreTrainedModel

from core.errors import InputError
from core.experiment import Experiment
from core.models.student import build_student, quantized_weights
from core.models.teachers import model_from_state, read_config
from core.packed.codes import pack, unpack
from core.places import replacing
from core.quantizers.base import Quantized
from core.records import canonical_json, from_json

FORMAT, VERSION = "ternary-lab-packed", "1"
WEIGHT_STEP, STEP = ".weight_quantizer.step", ".step"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PackedModel:
    """An open packed file: the model that computes from it, and what it was made by."""

    model: PreTrainedModel
    experiment: Experiment
    weights: dict[str, Quantized]
    size_bytes: int


def to_bytes(student: PreTrainedModel, experiment: Experiment) -> bytes:
    """The packed file of a student (in eval mode), as bytes."""
    weights = quantized_weights(student)
    tensors: dict[str, Tensor] = {}
    for name, value in student.state_dict().items():
        if name.removesuffix(".weight") not in weights and not name.endswith(WEIGHT_STEP):
            tensors[name] = value.detach().to(torch.float32).contiguous()
    for name, matrix in weights.items():
        tensors[f"{name}.codes"] = pack(matrix.codes, matrix.bits)
        tensors[f"{name}.scale"] = matrix.scale.contiguous()
    shapes = {name: [*matrix.codes.shape, matrix.bits] for name, matrix in weights.items()}
    metadata = {
        "format": FORMAT,
        "version": VERSION,
        "experiment": canonical_json(experiment),
        "config": json.dumps(student.config.to_diff_dict(), separators=(",", ":")),
        "matrices": json.dumps(shapes, separators=(",", ":")),
    }
    return save(tensors, metadata=metadata)


def write(data: bytes, path: Path) -> None:
    """Write a packed file whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_bytes(data)


def read(path: Path) -> PackedModel:
    """Open a packed file. Raises InputError when it is not one, or is damaged."""
    try:
        metadata, tensors = _tensors(path)
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path.name} is not a readable packed model: {error}.") from error
    if metadata.get("format") != FORMAT or metadata.get("version") != VERSION:
        raise InputError(
            f"{path.name} is not a packed model of version {VERSION} "
            f"(format {metadata.get('format')!r}, version {metadata.get('version')!r})."
        )
    try:
        return _open(metadata, tensors, path.stat().st_size)
    except (AttributeError, KeyError, RuntimeError, TypeError, ValueError) as error:
        raise InputError(f"{path.name} is damaged: {error}") from error


def _open(metadata: dict[str, str], tensors: dict[str, Tensor], size_bytes: int) -> PackedModel:
    experiment = from_json(Experiment, metadata["experiment"])
    config = read_config(metadata["config"])
    weights = _weights(tensors, json.loads(metadata["matrices"]))
    state = {f"{name}.weight": matrix.dequantize() for name, matrix in weights.items()}
    steps = {name: tensors.pop(name) for name in list(tensors) if name.endswith(STEP)}
    model = model_from_state(config, {**tensors, **state})
    # The weights are already on their levels: only the activations are quantized while computing.
    quant = replace(experiment.quant, weight_bits=32, embedding_bits=32)
    student = build_student(model, quant).requires_grad_(False)
    missing, unknown = student.load_state_dict(steps, strict=False)
    if unknown or any(name.endswith(STEP) for name in missing):
        raise InputError("its learned steps do not fit its model.")
    return PackedModel(model=student, experiment=experiment, weights=weights, size_bytes=size_bytes)


def _tensors(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    with safe_open(path, framework="pt") as file:
        return file.metadata() or {}, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


def _weights(tensors: dict[str, Tensor], shapes: dict[str, list[int]]) -> dict[str, Quantized]:
    """Take codes and scales out of `tensors`; what stays there are the leftovers."""
    weights = {}
    for name, (rows, cols, bits) in shapes.items():
        scale = tensors.pop(f"{name}.scale")
        if scale.dtype != torch.float32 or tuple(scale.shape) not in ((rows, 1), (1, 1)):
            raise InputError(f"the scale of {name} has shape {tuple(scale.shape)}.")
        codes = unpack(tensors.pop(f"{name}.codes"), bits, (rows, cols))
        weights[name] = Quantized(codes=codes, scale=scale, bits=bits)
    return weights
