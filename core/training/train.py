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
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from transformers import PreTrainedModel

from core.events import Evaluated, Event, Finished, Preparing, Started, StepDone
from core.experiment import Experiment
from core.machine import check_precision
from core.models.ahead import quantize_ahead
from core.models.student import (
    build_student,
    enter_stage,
    hand_over_second_moments,
    set_dropout,
)
from core.models.teachers import load_teacher, teacher_tokenizer
from core.packed.file import to_bytes
from core.packed.origin import origin_of
from core.results import Result
from core.tasks.base import find_task, prepare
from core.teacher_folders import load_card
from core.training.averaging import Averaging
from core.training.batches import Batch, training_batches
from core.training.checkpoints import OTHER_VERSION, UnfitCheckpoint
from core.training.distill import Losses, losses, run_with_outputs
from core.training.layer_reports import layer_reports
from core.training.lessons import Lesson, tokenize
from core.training.optimizer import Optimizer, descend
from core.training.resume import Keeper, going_on
from core.training.score_book import ScoreBook
from core.training.student_files import write_student
from core.training.teacher_outputs import KeptOutputs, keep_outputs
from core.training.threads import machine
from core.training.watching import Watch


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pupils:
    """The two models of a distillation, and the text that they read."""

    teacher: PreTrainedModel
    student: PreTrainedModel
    lesson: Lesson
    said: KeptOutputs | None = None  # by the teacher, where that is kept


def train(experiment: Experiment, folder: Path | None = None) -> Generator[Event]:
    """Train the student of `experiment`; the last event is `Finished`.

    With `folder`, the packed student, its latent weights and all predictions are written there
    before `Finished`; and on the way checkpoints, from which the training goes on (see `resume`).
    Raises InputError for whatever a person can mend (no data, no teacher, diverged, disk full).
    """
    yield from going_on(
        lambda keeper: _train(experiment, folder, keeper), folder, experiment.run_id
    )


def _train(experiment: Experiment, folder: Path | None, keeper: Keeper) -> Generator[Event]:
    began = time.perf_counter() - keeper.seconds
    pupils = yield from prepare_pupils(experiment)
    keeper.begin(pupils.lesson, pupils.teacher)
    book = ScoreBook(pupils.lesson)
    yield from _first_scores(experiment, pupils, book, keeper)
    train_began = time.perf_counter() - keeper.seconds
    yield from _steps(experiment, pupils, book, keeper)
    train_seconds = time.perf_counter() - train_began
    yield from book.tests("student", pupils.student)
    origin = origin_of(experiment.task, experiment.model)
    packed = to_bytes(pupils.student, experiment, origin=origin)
    if folder is not None:
        write_student(folder, pupils.student, packed, book.arrays())
    seconds = (train_seconds, time.perf_counter() - began)
    yield Finished(result=_result(experiment, pupils, book, len(packed), seconds))


def _first_scores(
    experiment: Experiment, pupils: Pupils, book: ScoreBook, keeper: Keeper
) -> Iterator[Event]:
    """What teacher and untrained student say; recalled where the training goes on."""
    if keeper.goes_on:
        try:
            book.recall(keeper.recalled())
        except KeyError as error:
            raise UnfitCheckpoint(OTHER_VERSION) from error
    else:
        for who, model in (("teacher", pupils.teacher), ("untrained", pupils.student)):
            yield from book.all_splits(who, model)
        yield Started(
            run_id=experiment.run_id,
            total_steps=experiment.train.steps,
            train_examples=len(pupils.lesson.train),
            teacher_dev=book.first("teacher", "dev"),
            untrained_dev=book.first("untrained", "dev"),
        )
    keeper.remember(book.said())


def _result(
    experiment: Experiment,
    pupils: Pupils,
    book: ScoreBook,
    size_bytes_packed: int,
    seconds: tuple[float, float],
) -> Result:
    """The result; `seconds` of the training loop and of everything."""
    student, teacher = book.first("student", "test"), book.first("teacher", "test")
    untrained = book.first("untrained", "test")
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
        dev_score=book.first("student", "dev").value,
        teacher_dev_score=book.first("teacher", "dev").value,
        size_bytes_float32=4 * sum(p.numel() for p in pupils.teacher.parameters()),
        size_bytes_packed=size_bytes_packed,
        steps=experiment.train.steps,
        train_seconds=seconds[0],
        total_seconds=seconds[1],
        machine=machine(),
        layers=layer_reports(pupils.student),
        scores=book.measured(),
        threshold=book.threshold("student"),
        data_revision=pupils.lesson.revision,
        model_revision=load_card(experiment.task, experiment.model).model_revision,
    )


def prepare_pupils(experiment: Experiment) -> Generator[Preparing, None, Pupils]:
    """Load teacher, student and text; they are the generator's return value."""
    check_precision(experiment.train.precision)
    task = find_task(experiment.task)
    yield Preparing(text="Loading the teacher")
    teacher = load_teacher(experiment.task, experiment.model)
    torch.manual_seed(experiment.seed)
    student = build_student(teacher, experiment.quant)
    set_dropout(student, experiment.train.dropout)
    yield from prepare(task)
    tokenizer = teacher_tokenizer(experiment.task, experiment.model)
    lesson = yield from tokenize(task, teacher, tokenizer, experiment.train, experiment.seed)
    return Pupils(teacher=teacher, student=student, lesson=lesson)


def _steps(
    experiment: Experiment, pupils: Pupils, book: ScoreBook, keeper: Keeper
) -> Iterator[Event]:
    """The training loop; the last step is followed by a dev score."""
    recipe = experiment.train
    said = yield from keep_outputs(experiment, pupils.teacher, pupils.lesson.train)
    pupils = replace(pupils, said=said)
    optimizer = Optimizer(pupils.student, recipe)
    averaging = Averaging(pupils.student, recipe.averaging, recipe.steps)
    watch = Watch(student=pupils.student, steps=recipe.steps)
    enter_stage(pupils.student, experiment.quant, bits_at(max(1, keeper.step), experiment))
    done = keeper.restore(pupils.student, optimizer, averaging=averaging, watch=watch)
    batches = training_batches(pupils.lesson.train, recipe.batch_size, experiment.seed, skip=done)
    for step in range(done, recipe.steps + 1):
        if step > done:
            enter_stage(pupils.student, experiment.quant, bits_at(step, experiment))
            watched = watch.expect(step)
            told: list[Event] = [
                training_step(experiment, pupils, optimizer, next(batches), step),
                *([watch.look(step)] if watched else []),
            ]
            if averaging.wants(step):
                optimizer.finish()
                averaging.take()
            if step == recipe.steps:
                optimizer.finish()
                averaging.settle()
            yield from keeper.tell(told, step)
        if step and (step % recipe.evaluate_every == 0 or step == recipe.steps):
            optimizer.finish()
            yield from book.split("student", pupils.student, "dev")
            yield Evaluated(step=step, split="dev", score=book.first("student", "dev"))


def bits_at(step: int, experiment: Experiment) -> int:
    """The bits of the stage that `step` (from 1) falls into; 2 in the last: what a matrix has."""
    stages = (*experiment.quant.stages, 2)
    return stages[(step - 1) * len(stages) // experiment.train.steps]


def training_step(
    experiment: Experiment,
    pupils: Pupils,
    optimizer: Optimizer,
    batch: Batch,
    step: int,
) -> StepDone:
    """One step of algorithm 1 on one batch; `step` counts from 1."""
    began = time.perf_counter()
    pupils.student.train()
    parts = batch_losses(experiment, pupils, batch)
    loss = parts.total(experiment.distill)
    rate = descend(optimizer, loss, step, experiment.train)
    hand_over_second_moments(pupils.student, optimizer.second_moments())
    return StepDone(
        step=step,
        total_steps=experiment.train.steps,
        loss=float(loss.detach()),
        hidden=float(parts.hidden.detach()),
        attention=float(parts.attention.detach()),
        logits=float(parts.logits.detach()),
        labels=float(parts.labels.detach()),
        attention_maps=float(parts.attention_maps.detach()),
        attention_outputs=float(parts.attention_outputs.detach()),
        learning_rate=rate,
        tokens=int(batch.attention_mask.sum()),
        seconds=time.perf_counter() - began,
    )


def batch_losses(experiment: Experiment, pupils: Pupils, batch: Batch) -> Losses:
    """The losses of one batch; forward in bfloat16 where the recipe says so."""
    low = experiment.train.precision == "bf16"
    with torch.autocast("cpu", torch.bfloat16, enabled=low):
        with torch.no_grad():
            teacher = (
                run_with_outputs(pupils.teacher, batch.inputs, experiment.distill)
                if pupils.said is None
                else pupils.said.of(batch)
            )
        quantize_ahead(pupils.student)
        student = run_with_outputs(pupils.student, batch.inputs, experiment.distill)
    return losses(student, teacher, batch.attention_mask, batch.labels, experiment.distill)
