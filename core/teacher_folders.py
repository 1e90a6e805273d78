"""Where a teacher is kept and what its card says, without opening the teacher itself."""

import hashlib
import re

from core.errors import InputError
from core.places import find
from core.records import from_json
from core.results import TeacherCard


def slug(name: str) -> str:
    """A name that is safe as a folder: letters, digits, dot, dash, underscore; at most 80 of
    them. What had to be changed gets a digest, so two names never share a folder."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip(".-")[-80:]
    digest = hashlib.sha256(name.encode()).hexdigest()[:6]
    return plain if plain == name else f"{plain}-{digest}"


def teacher_folder(task: str, model: str) -> str:
    """The folder name of the teacher of (task, model)."""
    return f"{slug(task)}--{slug(model)}"


def load_card(task: str, model: str) -> TeacherCard:
    """The card of the teacher of (task, model); raises InputError when there is none."""
    folder = find("teachers", teacher_folder(task, model))
    if folder is None or not (folder / "teacher.json").exists():
        raise InputError(
            f"There is no teacher for {task} on {model} yet. "
            f"Train one with: python -m core teach --task {task} --model {model}"
        )
    return from_json(TeacherCard, (folder / "teacher.json").read_text(encoding="utf-8"))
