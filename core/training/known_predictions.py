"""Predictions of models that do not learn, kept in the cache where making them takes minutes.

A teacher says the same to the same rows in every training, and so does a teacher that is quantized
without training, whatever the seed. A ranking of 1,000 queries has 20,000 rows to read, so what was
computed once is kept, under a digest of everything that decides it: weights, rules of quantization,
rows, and the version of torch.
"""

import hashlib
from collections.abc import Generator
from contextlib import suppress
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file
from torch import nn

from core.errors import InputError
from core.events import Preparing
from core.family import Encoded
from core.paths import cache, replacing
from core.training.evaluate import predictions_of
from core.training.task_data import TaskData

FEWEST_ROWS = 5000  # fewer are read again sooner than one would wait for them
NAME = "predictions"


def known_or_computed(
    model: nn.Module, data: TaskData, encoded: Encoded, text: str, rules: str
) -> Generator[Preparing, None, np.ndarray]:
    """As `predictions_of`, from the cache where it has them; `rules` says how the model is
    quantized ("" for a float model)."""
    if len(encoded) < FEWEST_ROWS:
        return (yield from predictions_of(model, data, encoded, text))
    path = cache() / NAME / f"{_digest(model, data, encoded, rules)}.safetensors"
    found = _kept(path)
    if found is None:
        found = yield from predictions_of(model, data, encoded, text)
        with suppress(InputError), replacing(path) as temporary:  # a full disk costs only time
            save_file({NAME: np.ascontiguousarray(found)}, temporary)
    return found


def _digest(model: nn.Module, data: TaskData, encoded: Encoded, rules: str) -> str:
    about = (torch.__version__, data.task.kind, data.family.name, rules)
    digest = hashlib.sha256("\n".join(about).encode())
    for name, value in model.state_dict().items():
        digest.update(name.encode())
        digest.update(value.detach().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    digest.update(encoded.units.tobytes())
    if encoded.groups is not None:
        digest.update(encoded.groups.tobytes())
    for rows in encoded.inputs.values():
        digest.update(np.fromiter(chain.from_iterable(rows), dtype=np.int32).tobytes())
    return digest.hexdigest()[:24]


def _kept(path: Path) -> np.ndarray | None:
    try:
        return load_file(path)[NAME]
    except (OSError, SafetensorError, KeyError, ValueError):
        return None
