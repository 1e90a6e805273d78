"""The two models of a distillation, and the data that they read."""

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import torch

from core.errors import InputError
from core.events import Preparing
from core.experiment import Experiment
from core.families import find_family
from core.family import Family
from core.machine import check_precision
from core.models.backbones import prepare_backbone
from core.models.student import build_student, set_dropout
from core.tasks.prepare import prepare
from core.tasks.registry import find_task
from core.tasks.task import Task
from core.teacher_folders import card_for
from core.teachers.model_loading import family_of, load_model
from core.teachers.teacher_store import load_teacher, teacher_tokenizer
from core.training.depths import check_student
from core.training.distillation_losses import OF_LANGUAGE, check_losses
from core.training.static_ranges import calibrate
from core.training.task_data import TaskData, encode_task
from core.training.teacher_outputs import CachedOutputs


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DistillationPair:
    """The two models of a distillation and the data that they read; `cached` are the teacher's
    outputs, where caching them is worth it; `language` is the language model that the teacher was
    made from, where the student learns from it first."""

    teacher: Any
    student: Any
    data: TaskData
    cached: CachedOutputs | None = None
    language: Any | None = None


def prepare_pair(experiment: Experiment) -> Generator[Preparing, None, DistillationPair]:
    """Load teacher, student and data; they are the generator's return value."""
    check_precision(experiment.train.precision)
    card_for(experiment)
    task, family = find_task(experiment.task), find_family(experiment.family)
    check_losses(family, task.target, experiment.distill)
    yield Preparing(text="Loading the teacher")
    teacher = load_teacher(experiment.task, experiment.model)
    start = yield from _start(experiment, family, teacher)
    language = None
    if experiment.distill.language_steps:
        check_losses(family, task.target, OF_LANGUAGE)
        language = yield from _backbone(experiment.model, family, task, experiment.seed)
    torch.manual_seed(experiment.seed)
    student = build_student(start, experiment.quant, family)
    set_dropout(student, experiment.train.dropout)
    yield from prepare(task)
    tokenizer = teacher_tokenizer(experiment.task, experiment.model)
    yield from calibrate(student, start, task, family, tokenizer, experiment.quant)
    data = yield from encode_task(
        task, family, teacher, tokenizer, experiment.train, experiment.seed
    )
    return DistillationPair(teacher=teacher, student=student, data=data, language=language)


def _start(experiment: Experiment, family: Family, teacher: Any) -> Generator[Preparing, None, Any]:
    """What the student is a copy of. Raises InputError where it cannot learn from the teacher."""
    name = experiment.student_model
    if not name:
        return teacher
    found = yield from _backbone(name, family, find_task(experiment.task), experiment.seed)
    check_student(family, name, found, teacher)
    return found


def _backbone(name: str, family: Family, task: Task, seed: int) -> Generator[Preparing, None, Any]:
    """A language model with a head for the task that nobody has trained. Raises InputError for one
    of another family."""
    yield from prepare_backbone(name)
    other = family_of(name)
    if other is not family:
        raise InputError(
            f"{name} is of the family {other.title}, its teacher of {family.title}: there is "
            "nothing by which they could be compared. Choose a student of the teacher's family."
        )
    return load_model(name, task.kind, task.labels, seed).model.eval().requires_grad_(False)
