"""Where a teacher is kept and what its card says, without opening the teacher itself."""

import hashlib
import re
from pathlib import Path

from core.errors import InputError
from core.experiment import Experiment
from core.paths import find, read_text_up_to
from core.results import TeacherCard
from core.serialization import from_json

MOST_CARD_BYTES = 2**23


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
    return read_card(folder / "teacher.json")


def read_card(path: Path) -> TeacherCard:
    """The card of this file. Raises InputError when it is none."""
    try:
        return from_json(TeacherCard, read_text_up_to(path, MOST_CARD_BYTES))
    except OSError as error:
        raise InputError(f"{path.name} cannot be read: {error.strerror or error}.") from error


def card_for(experiment: Experiment) -> TeacherCard:
    """The card of an experiment's teacher. Raises InputError when there is none, or it is of
    another family than the experiment says."""
    card = load_card(experiment.task, experiment.model)
    if card.family != experiment.family:
        raise InputError(
            f"The teacher for {card.task} on {card.model} is of the family {card.family}, this "
            f"experiment of {experiment.family}. Choose the family {card.family}."
        )
    return card
