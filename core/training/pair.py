"""The two models of a distillation, and the data that they read."""

from collections.abc import Generator
from dataclasses import dataclass

import torch
from transformers import PreTrainedModel

from core.events import Preparing
from core.experiment import Experiment
from core.families import find_family
from core.machine import check_precision
from core.models.student import build_student, set_dropout
from core.models.teachers import load_teacher, teacher_tokenizer
from core.tasks.prepare import prepare
from core.tasks.registry import find_task
from core.training.distill import check_losses
from core.training.task_data import TaskData, encode_task
from core.training.teacher_outputs import CachedOutputs


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DistillationPair:
    """The two models of a distillation and the data that they read; `cached` are the teacher's
    outputs, where caching them is worth it."""

    teacher: PreTrainedModel
    student: PreTrainedModel
    data: TaskData
    cached: CachedOutputs | None = None


def prepare_pair(experiment: Experiment) -> Generator[Preparing, None, DistillationPair]:
    """Load teacher, student and data; they are the generator's return value."""
    check_precision(experiment.train.precision)
    task, family = find_task(experiment.task), find_family()
    check_losses(family, task.target, experiment.distill)
    yield Preparing(text="Loading the teacher")
    teacher = load_teacher(experiment.task, experiment.model)
    torch.manual_seed(experiment.seed)
    student = build_student(teacher, experiment.quant, family)
    set_dropout(student, experiment.train.dropout)
    yield from prepare(task)
    tokenizer = teacher_tokenizer(experiment.task, experiment.model)
    data = yield from encode_task(
        task, family, teacher, tokenizer, experiment.train, experiment.seed
    )
    return DistillationPair(teacher=teacher, student=student, data=data)
