"""What of a finished run goes into the repository: everything that was measured, and the student
only where somebody will want to ask it.

A run's folder on the computer that trained it takes some 40 MB, most of it latent weights. Its
settings, result, predictions and events (packed with gzip: they are read as a whole or not at all)
are 0.15 MB, and Compare needs nothing else; a packed student adds 5 to 20 MB. The latent weights
that it was packed from, for the Weights page, come without those of the word embedding, which are
half of them: they stay the teacher's.
"""

import gzip
import shutil
from pathlib import Path

from safetensors.torch import load, save

from core.errors import InputError
from core.families import find_family
from core.family import address_of
from core.paths import check_file, replacing, shipped
from core.runs.event_reading import EVENTS_FILE, MOST_BYTES, PACKED_EVENTS_FILE
from core.runs.run_files import RUN_ID
from core.runs.run_store import Run, find_run
from core.training.student_files import LATENT_FILE, MODEL_FILE, PREDICTIONS_FILE


def ship(run_id: str, with_student: bool = False, with_latent: bool = False) -> Path:
    """Copy the finished training `run_id` among the shipped runs; returns its folder there, which
    holds afterwards what was asked for and nothing more.

    Raises InputError when there is no such run, it is not finished, is a teacher's, or no longer
    has a file that is wanted.
    """
    run = find_run(run_id)
    if run is None or run.result is None:
        raise InputError(f"Run {run_id} is not a finished training, so there is nothing to ship.")
    files = ["experiment.json", "result.json", PREDICTIONS_FILE]
    files += [MODEL_FILE] * with_student + [LATENT_FILE] * with_latent
    missing = [name for name in files if not (run.folder / name).exists()]
    if missing:
        raise InputError(f"Run {run_id} has no {missing[0]} any more. Compute it again.")
    contents = {name: (run.folder / name).read_bytes() for name in files}
    contents[PACKED_EVENTS_FILE] = _packed_events(run.folder)
    if with_latent:
        contents[LATENT_FILE] = _without_tables(contents[LATENT_FILE], run)
    folder = shipped() / "runs" / run.run_id
    shutil.rmtree(folder, ignore_errors=True)
    for name, data in contents.items():
        with replacing(folder / name) as temporary:
            temporary.write_bytes(data)
    return folder


def _packed_events(folder: Path) -> bytes:
    """The same bytes for the same events, whenever they are packed."""
    packed = folder / PACKED_EVENTS_FILE
    if packed.exists():
        return packed.read_bytes()
    check_file(folder / EVENTS_FILE, MOST_BYTES)  # more is not read from a packed file
    return gzip.compress((folder / EVENTS_FILE).read_bytes(), compresslevel=9, mtime=0)


def _without_tables(latent: bytes, run: Run) -> bytes:
    assert run.experiment is not None
    matrices, family = load(latent), find_family(run.experiment.family)
    kept = {}
    for name, weight in matrices.items():
        matrix = family.matrix_of(address_of(family, name))
        if matrix is None or not matrix.is_table:
            kept[name] = weight
    return save(kept, {RUN_ID: run.run_id})
