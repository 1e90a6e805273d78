"""A student before anything of it is loaded: its matrices and shapes, by its config alone.

The network is built without numbers, so it takes no memory and hardly any time. It tells how many
bytes a file will have, and whether a recipe names a matrix that the model lacks.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from core.errors import InputError, NotHere
from core.experiment import Experiment, QuantRecipe
from core.families import find_family
from core.family import Family, Head, Matrix
from core.models.backbones import BACKBONES
from core.models.matrix_choices import check_choices
from core.models.student import become_student
from core.paths import find, read_text_up_to
from core.targets.registry import find_target
from core.tasks.registry import find_task
from core.teacher_folders import card_for, teacher_folder
from core.teachers.model_loading import config_text_of

MOST_CONFIG_BYTES = 2**23


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outline:
    """What is known of a student before it is trained.

    matrices   what can be quantized, in the order of the network
    shapes     of every number that a file keeps, by name, no matrix being quantized; learned steps
               of activations are among them
    """

    family: Family
    config: Any
    matrices: tuple[Matrix, ...]
    shapes: Mapping[str, tuple[int, ...]]


def outline_of(experiment: Experiment) -> Outline:
    """The outline of an experiment's student.

    Raises InputError when its teacher is not there, NotHere when the model that it starts from is
    not, and InputError as `check_choices` does.
    """
    card_for(experiment)
    task = find_task(experiment.task)
    head, name = find_target(task.kind).head(task.labels), experiment.student_model
    text = config_text_of(name) if name else _teachers_config(experiment)
    if text is None:
        raise NotHere(
            f"How large a student is that starts from {name} is known once that model is on this "
            "computer: its training fetches it."
        )
    backbone = BACKBONES.get(name)
    layers = backbone.layers if backbone else ()
    quant = experiment.quant
    activations = replace(quant, weight_bits=32, embedding_bits=32, matrix_bits=(), stages=())
    found = _drawn(experiment.family, text, head, name, layers, activations)
    check_choices(quant, found.matrices, found.family.depth(found.config))
    return found


def _teachers_config(experiment: Experiment) -> str:
    path = find("teachers", teacher_folder(experiment.task, experiment.model), "config.json")
    try:
        if path is None:
            raise InputError(f"The teacher of {experiment.task} has no config.json.")
        return read_text_up_to(path, MOST_CONFIG_BYTES)
    except (OSError, ValueError) as error:
        raise InputError(f"The config of the teacher cannot be read: {error}") from error


@lru_cache(maxsize=32)
def _drawn(
    name: str, text: str, head: Head, start: str, layers: tuple[int, ...], activations: QuantRecipe
) -> Outline:
    """The outline of a config; `start` is the model that the student starts from, if that is not
    its teacher, and `layers` those that are kept of it."""
    family = find_family(name)
    if start:
        config = family.fresh_config(text, head, start)
    else:
        config = family.read_config(text, "the teacher")
    model = family.blank(config, head)
    if layers:
        family.keep_layers(model, layers)
    matrices = family.matrices(model)
    student = become_student(model, activations, family)
    shapes = {key: tuple(value.shape) for key, value in student.state_dict().items()}
    return Outline(family=family, config=student.config, matrices=matrices, shapes=shapes)
