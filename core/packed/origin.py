"""Where a packed student comes from: hashes of what it was made of, and of what it reads with.

A student is useless with another tokenizer and cannot be made again from another backbone. So
the file may carry SHA-256 digests of both; an empty digest means: not known.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from core.experiment import Experiment
from core.families import find_family
from core.models.backbones import BACKBONES
from core.paths import find
from core.serialization import coerce_fields
from core.teacher_folders import teacher_folder


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """SHA-256 digests (64 hex digits each, or ""): the pretrained backbone's weights, the
    teacher's stored weights, and the file that says how they read (for text `tokenizer.json`)."""

    backbone_sha256: str = ""
    teacher_sha256: str = ""
    tokenizer_sha256: str = ""

    def __post_init__(self) -> None:
        coerce_fields(self)


def origin_of(experiment: Experiment) -> Origin:
    """What this computer knows of the origin of an experiment's student."""
    backbone = BACKBONES.get(experiment.model)
    folder = teacher_folder(experiment.task, experiment.model)
    return Origin(
        backbone_sha256=backbone.weights_sha256 if backbone else "",
        teacher_sha256=_digest(find("teachers", folder, "model.safetensors")),
        tokenizer_sha256=_digest(tokenizer_file(experiment)),
    )


def tokenizer_file(experiment: Experiment) -> Path | None:
    """The file of an embedded backbone that says how it reads, or the copy that the teacher has
    kept."""
    backbone, file = BACKBONES.get(experiment.model), find_family(experiment.family).processor_file
    if backbone and backbone.shared:
        return find("backbones", backbone.shared, file)
    return find("teachers", teacher_folder(experiment.task, experiment.model), file)


def _digest(path: Path | None) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path else ""
