"""What a training leaves in its run's folder: the packed student, its latents, all predictions."""

from pathlib import Path

import numpy as np
from safetensors.numpy import save as save_arrays
from safetensors.torch import save as save_tensors
from torch import nn

from core.models.student import weight_quantizers
from core.paths import replacing

MODEL_FILE, LATENT_FILE = "model.safetensors", "latent.safetensors"
PREDICTIONS_FILE = "predictions.safetensors"


def write_student(
    folder: Path, run_id: str, student: nn.Module, packed: bytes, arrays: dict[str, np.ndarray]
) -> None:
    """Packed model, predictions, and the latent weights in half precision (to look at). Each
    names its run."""
    latent = {name: weight.detach().half() for name, weight, _ in weight_quantizers(student)}
    files = {
        PREDICTIONS_FILE: save_arrays(arrays, {"run_id": run_id}),
        LATENT_FILE: save_tensors(latent, {"run_id": run_id}),
        MODEL_FILE: packed,
    }
    for name, data in files.items():
        with replacing(folder / name) as temporary:
            temporary.write_bytes(data)
