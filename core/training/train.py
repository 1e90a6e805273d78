"""Distillation-aware training of a quantized student, as a generator of events.

    for event in train(experiment): ...

Each step (TernaryBERT algorithm 1): quantize the latent weights, run student and teacher on the
batch, compare (see `distill`), send the gradient straight through to the latent weights, update
them with AdamW. The caller is in charge: it stops the training by closing the generator. Nothing
here prints, logs, or knows of any page.

The student that is scored, packed and saved is the one of the last step. Dev is scored on the
way, test once at the end; nothing is selected on either.
"""

import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save as save_arrays
from safetensors.torch import save as save_tensors
from transformers import PreTrainedModel

from core.errors import InputError
from core.events import Evaluated, Event, Finished, Preparing, Started, StepDone
from core.experiment import Experiment
from core.machine import describe, has_bf16
from core.models.backbones import load_tokenizer
from core.models.student import (
    build_student,
    hand_over_second_moments,
    weight_quantizers,
)
from core.models.teachers import load_teacher
from core.packed.file import to_bytes
from core.places import replacing
from core.results import Result, Score
from core.tasks.base import Task, find_task, load, prepare
from core.tasks.metrics import score
from core.training.batches import Batch, Encoded, encode_split, training_batches
from core.training.distill import Losses, losses, run_with_outputs
from core.training.evaluate import split_logits
from core.training.layer_reports import layer_reports
from core.training.optimizer import build_optimizer, descend, second_moments

MODEL_FILE, LATENT_FILE = "model.safetensors", "latent.safetensors"
PREDICTIONS_FILE = "predictions.safetensors"
_BEFORE = (("teacher", "dev"), ("untrained", "dev"), ("teacher", "test"), ("untrained", "test"))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lesson:
    """All that one training needs, loaded."""

    task: Task
    teacher: PreTrainedModel
    student: PreTrainedModel
    train: Encoded
    dev: Encoded
    test: Encoded


def train(experiment: Experiment, folder: Path | None = None) -> Iterator[Event]:
    """Train the student of `experiment`; the last event is `Finished`.

    With `folder`, the packed student, its latent weights and all predictions are written there
    before `Finished`.
    Raises InputError for whatever a person can mend (no data, no teacher, diverged, disk full).
    """
    began = time.perf_counter()
    lesson = yield from prepare_lesson(experiment)
    gathered: dict[str, np.ndarray] = {}
    scores: dict[str, Score] = {}
    for who, split in _BEFORE:
        scores[f"{who} {split}"] = yield from _score(lesson, who, split, gathered)
    yield Started(
        run_id=experiment.run_id,
        total_steps=experiment.train.steps,
        train_examples=len(lesson.train),
        teacher_dev=scores["teacher dev"],
        untrained_dev=scores["untrained dev"],
    )
    train_began = time.perf_counter()
    scores["student dev"] = yield from _steps(experiment, lesson, gathered)
    train_seconds = time.perf_counter() - train_began
    scores["student test"] = yield from _score(lesson, "student", "test", gathered)
    packed = to_bytes(lesson.student, experiment)
    if folder is not None:
        _write(folder, lesson.student, packed, gathered)
    seconds = (train_seconds, time.perf_counter() - began)
    yield Finished(result=_result(experiment, lesson, scores, len(packed), seconds))


def _result(
    experiment: Experiment,
    lesson: Lesson,
    scores: dict[str, Score],
    size_bytes_packed: int,
    seconds: tuple[float, float],
) -> Result:
    """The result; `seconds` of the training loop and of everything."""
    student, teacher = scores["student test"], scores["teacher test"]
    untrained = scores["untrained test"]
    return Result(
        run_id=experiment.run_id,
        task=experiment.task,
        model=experiment.model,
        metric=student.metric,
        score=student.value,
        score_standard_error=student.standard_error,
        teacher_score=teacher.value,
        teacher_standard_error=teacher.standard_error,
        untrained_score=untrained.value,
        untrained_standard_error=untrained.standard_error,
        test_examples=student.examples,
        dev_score=scores["student dev"].value,
        teacher_dev_score=scores["teacher dev"].value,
        size_bytes_float32=4 * sum(p.numel() for p in lesson.teacher.parameters()),
        size_bytes_packed=size_bytes_packed,
        steps=experiment.train.steps,
        train_seconds=seconds[0],
        total_seconds=seconds[1],
        machine=describe(torch.get_num_threads()),
        layers=layer_reports(lesson.student),
    )


def prepare_lesson(experiment: Experiment) -> Generator[Preparing, None, Lesson]:
    """Load teacher, student and text; the lesson is the generator's return value."""
    if experiment.train.precision == "bf16" and not has_bf16():
        raise InputError("This processor has no native bfloat16. Choose the precision fp32.")
    task = find_task(experiment.task)
    yield Preparing(text="Loading the teacher")
    teacher = load_teacher(experiment.task, experiment.model)
    torch.manual_seed(experiment.seed)
    student = build_student(teacher, experiment.quant)
    yield from prepare(task)
    yield Preparing(text="Tokenizing")
    tokenizer, splits = load_tokenizer(experiment.model), load(task)
    limit = min(experiment.train.max_tokens, teacher.config.max_position_embeddings)
    return Lesson(
        task=task,
        teacher=teacher,
        student=student,
        train=encode_split(tokenizer, splits.train, task, limit),
        dev=encode_split(tokenizer, splits.dev, task, limit),
        test=encode_split(tokenizer, splits.test, task, limit),
    )


def _score(
    lesson: Lesson, who: str, split: str, gathered: dict[str, np.ndarray]
) -> Generator[Preparing, None, Score]:
    """Score teacher, untrained or student on a split; logits are kept in `gathered`."""
    model = lesson.teacher if who == "teacher" else lesson.student
    encoded: Encoded = getattr(lesson, split)
    logits = yield from split_logits(model, encoded, f"Scoring the {who} on {split}")
    gathered[f"{split}.{who}"] = logits
    gathered[f"{split}.labels"] = encoded.labels
    return score(lesson.task.metric, logits, encoded.labels)


def _steps(
    experiment: Experiment, lesson: Lesson, gathered: dict[str, np.ndarray]
) -> Generator[Event, None, Score]:
    """The training loop; returns the last dev score."""
    recipe = experiment.train
    optimizer = build_optimizer(lesson.student, recipe)
    batches = training_batches(lesson.train, recipe.batch_size, experiment.seed)
    dev = None
    for step in range(1, recipe.steps + 1):
        yield training_step(experiment, lesson, optimizer, next(batches), step)
        if step % recipe.evaluate_every == 0 or step == recipe.steps:
            dev = yield from _score(lesson, "student", "dev", gathered)
            yield Evaluated(step=step, split="dev", score=dev)
    assert dev is not None
    return dev


def training_step(
    experiment: Experiment,
    lesson: Lesson,
    optimizer: torch.optim.Optimizer,
    batch: Batch,
    step: int,
) -> StepDone:
    """One step of algorithm 1 on one batch; `step` counts from 1."""
    began = time.perf_counter()
    lesson.student.train()
    parts = batch_losses(experiment, lesson, batch)
    loss = parts.total(experiment.distill)
    rate = descend(optimizer, loss, step, experiment.train)
    hand_over_second_moments(lesson.student, second_moments(optimizer))
    return StepDone(
        step=step,
        total_steps=experiment.train.steps,
        loss=float(loss.detach()),
        hidden=float(parts.hidden.detach()),
        attention=float(parts.attention.detach()),
        logits=float(parts.logits.detach()),
        labels=float(parts.labels.detach()),
        learning_rate=rate,
        tokens=int(batch.attention_mask.sum()),
        seconds=time.perf_counter() - began,
    )


def batch_losses(experiment: Experiment, lesson: Lesson, batch: Batch) -> Losses:
    """The four losses of one batch; forward in bfloat16 where the recipe says so."""
    low = experiment.train.precision == "bf16"
    with torch.autocast("cpu", torch.bfloat16, enabled=low):
        with torch.no_grad():
            teacher = run_with_outputs(lesson.teacher, batch.inputs)
        student = run_with_outputs(lesson.student, batch.inputs)
    temperature = experiment.distill.temperature
    return losses(student, teacher, batch.attention_mask, batch.labels, temperature)


def _write(
    folder: Path, student: PreTrainedModel, packed: bytes, gathered: dict[str, np.ndarray]
) -> None:
    """Packed model, predictions, and the latent weights in half precision (to look at)."""
    latent = {name: weight.detach().half() for name, weight, _ in weight_quantizers(student)}
    files = {
        PREDICTIONS_FILE: save_arrays({k: np.ascontiguousarray(a) for k, a in gathered.items()}),
        LATENT_FILE: save_tensors(latent),
        MODEL_FILE: packed,
    }
    for name, data in files.items():
        with replacing(folder / name) as temporary:
            temporary.write_bytes(data)
