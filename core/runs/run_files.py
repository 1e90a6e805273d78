"""The large files of a finished run, each held against the run whose folder it lies in.

A file that was copied from another run's folder is refused: packed files name their experiment,
predictions and latent weights name their run in the metadata (those written before they did are
held against the number of test examples, and against the teacher's matrices).
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import InputError, shown
from core.paths import check_file
from core.runs.folder import Run
from core.training.checkpoint_header import header

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from core.packed.contents import Contents

MODEL_FILE, LATENT_FILE = "model.safetensors", "latent.safetensors"
PREDICTIONS_FILE = "predictions.safetensors"
RUN_ID = "run_id"  # in the metadata of latent weights and predictions
MOST_MODEL_BYTES, MOST_PREDICTIONS_BYTES = 2**32, 2**29
WHO = ("teacher", "untrained", "student")


def student_of(run: Run) -> "Contents":
    """What the packed file of a finished run holds. Raises InputError when it is missing, damaged
    or that of another experiment."""
    from core.packed.file import read_contents

    path = run.folder / MODEL_FILE
    _check(path, MOST_MODEL_BYTES, run)
    contents = read_contents(path)
    if contents.experiment != run.experiment:
        raise InputError(
            f"The packed file in the folder of run {run.run_id} is that of run "
            f"{contents.experiment.run_id}. Delete the folder to train the run again."
        )
    return contents


def latent_of(run: Run) -> "dict[str, Tensor]":
    """The latent weights that a finished run has kept, by matrix. Raises InputError when it kept
    none, or they are damaged or those of another run."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = run.folder / LATENT_FILE
    try:
        _check(path, MOST_MODEL_BYTES, run)
        _check_name(path, run.names)
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise InputError(f"{LATENT_FILE} cannot be read ({error}).") from error


def predictions_of(run: Run) -> "dict[str, np.ndarray]":
    """What the models of a finished run answered, keys like "dev.student" and "test.teacher", and
    the labels, "dev.labels" (not of spans). Raises InputError when the file is missing, damaged or
    that of another run."""
    assert run.result is not None
    try:
        return read_predictions(run.folder, run.names, run.result.test_examples)
    except InputError as error:
        raise InputError(f"The predictions of run {run.run_id} cannot be read: {error}") from error


def read_predictions(folder: Path, names: Sequence[str], examples: int) -> "dict[str, np.ndarray]":
    """The same for the run of these names, which was tested on so many examples."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    path = folder / PREDICTIONS_FILE
    try:
        check_file(path, MOST_PREDICTIONS_BYTES)
        _check_name(path, names)
        found = load_file(path)
        _check_rows(found, examples)
    except (OSError, SafetensorError, KeyError) as error:
        raise InputError(f"{error}.") from error
    return found


def _check(path: Path, most_bytes: int, run: Run) -> None:
    try:
        check_file(path, most_bytes)
    except OSError as error:
        raise InputError(f"Run {run.run_id} has no {path.name}.") from error


def _check_name(path: Path, names: Sequence[str]) -> None:
    name = header(path).get(RUN_ID)
    if name is not None and name not in names:
        raise InputError(f"{path.name} is that of run {shown(name)}.")


def _check_rows(found: "Mapping[str, np.ndarray]", examples: int) -> None:
    """Raises InputError unless there is a row of finite numbers for each model and example."""
    import numpy as np

    for split in ("dev", "test"):
        answers = [found[f"{split}.{who}"] for who in WHO]
        labels = found.get(f"{split}.labels", answers[0])
        rows = examples if split == "test" else len(answers[0])
        for table in answers:
            if table.ndim != 2 or len(table) != rows or not np.isfinite(table).all():
                raise InputError(f"the answers on {split} are not those of {rows:,} examples.")
        if len(labels) != rows:
            raise InputError(f"there are {len(labels):,} labels for {rows:,} examples of {split}.")
