"""One step of TernaryBERT's algorithm 1: quantize, compare with the teacher, update the latents."""

import time
from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from core.events import StepDone
from core.experiment import Experiment
from core.family import Batch
from core.models.parallel_quantize import quantize_in_parallel
from core.models.student import hand_over_second_moments
from core.training.depths import for_student
from core.training.distillation_losses import OF_LANGUAGE, losses, total, traces_of
from core.training.optimizer import Optimizer, descend
from core.training.pair import DistillationPair


def training_step(
    experiment: Experiment,
    pair: DistillationPair,
    optimizer: Optimizer,
    batch: Batch,
    step: int,
) -> StepDone:
    """One step of algorithm 1 on one batch; `step` counts from 1."""
    began = time.perf_counter()
    pair.student.train()
    experiment, pair = at_step(experiment, pair, step)
    terms = batch_losses(experiment, pair, batch)
    loss = total(terms, experiment.distill)
    rate = descend(optimizer, loss, step, experiment.train)
    hand_over_second_moments(pair.student, optimizer.second_moments())
    return StepDone(
        step=step,
        total_steps=experiment.train.steps,
        loss=float(loss.detach()),
        learning_rate=rate,
        tokens=int(batch.units.sum()),
        seconds=time.perf_counter() - began,
        **{name: float(term.detach()) for name, term in terms.items()},
    )


def at_step(
    experiment: Experiment, pair: DistillationPair, step: int
) -> tuple[Experiment, DistillationPair]:
    """From whom and by which losses the student learns in this step: first from the language model,
    where the recipe says so, then from the teacher."""
    if step > experiment.distill.language_steps or pair.language is None:
        return experiment, pair
    return (
        replace(experiment, distill=OF_LANGUAGE),
        replace(pair, teacher=pair.language, cached=None),
    )


def batch_losses(
    experiment: Experiment, pair: DistillationPair, batch: Batch
) -> Mapping[str, Tensor]:
    """The losses of one batch by name; forward in bfloat16 where the recipe says so."""
    family, recipe = pair.data.family, experiment.distill
    wanted = traces_of(family, recipe)
    low = experiment.train.precision == "bf16"
    with torch.autocast("cpu", torch.bfloat16, enabled=low):
        with torch.no_grad():
            if pair.cached is None:
                teacher = family.forward(pair.teacher, batch, wanted)
            else:
                teacher = pair.cached.of(batch)
            depths = (family.depth(model.config) for model in (pair.student, pair.teacher))
            teacher = for_student(teacher, *depths)
        quantize_in_parallel(pair.student)
        student = family.forward(pair.student, batch, wanted)
    return losses(student, teacher, batch.labels, recipe, family, pair.data.target)
