"""Where a packed student comes from: hashes of what it was made of, and of what it reads with.

A student is useless with another tokenizer and cannot be made again from another backbone. So
the file may carry SHA-256 digests of both; an empty digest means: not known.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from core.models.backbones import BACKBONES
from core.places import find
from core.records import settle
from core.teacher_folders import teacher_folder
from core.teachers.store import TOKENIZER_FILE


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """SHA-256 digests (64 hex digits each, or ""): the pretrained backbone's weights, the
    teacher's stored weights, and `tokenizer.json`."""

    backbone_sha256: str = ""
    teacher_sha256: str = ""
    tokenizer_sha256: str = ""

    def __post_init__(self) -> None:
        settle(self)


def origin_of(task: str, model: str) -> Origin:
    """What this computer knows of the origin of students of (task, model)."""
    backbone = BACKBONES.get(model)
    return Origin(
        backbone_sha256=backbone.weights_sha256 if backbone else "",
        teacher_sha256=_digest(find("teachers", teacher_folder(task, model), "model.safetensors")),
        tokenizer_sha256=_digest(tokenizer_file(task, model)),
    )


def tokenizer_file(task: str, model: str) -> Path | None:
    """The `tokenizer.json` of an embedded backbone, or the copy that the teacher has kept."""
    backbone = BACKBONES.get(model)
    if backbone and backbone.shared:
        return find("backbones", backbone.shared, TOKENIZER_FILE)
    return find("teachers", teacher_folder(task, model), TOKENIZER_FILE)


def _digest(path: Path | None) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path else ""
