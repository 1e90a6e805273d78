"""Make a full-precision teacher, as the same kind of generator as `train`.

The table that a family calls `shared` (the word embedding of text) stays frozen where the backbone
is embedded (rounded to float16 first), so all its teachers share one copy of it. At the end all
weights are rounded to the float16 in which they are stored, and only then is the teacher scored:
what is scored is what is kept. A checkpoint that was fine-tuned elsewhere can be taken as it is:
then it is only scored, and kept bit for bit.

Hidden states have the usual dropout. Attention probabilities have none: with long passages the
random numbers for them took half of a step (docs/log).
"""

import time
from collections.abc import Generator, Iterator
from pathlib import Path

import torch
from torch import nn

from core.errors import InputError
from core.events import Evaluated, Event, Preparing, StepDone, Taught
from core.experiment import Teaching
from core.family import Batch, Encoded, Family, Loaded
from core.machine import check_precision
from core.models.backbones import prepare_backbone
from core.results import Measured, Score, TeacherCard
from core.tasks.prepare import prepare
from core.tasks.registry import find_task
from core.tasks.task import Task
from core.teachers.labels import use_label_order
from core.teachers.model_loading import family_of, load_model, load_tokenizer
from core.teachers.teacher_store import save_teacher, shared_embedding_of
from core.training.batches import training_batches
from core.training.checkpoints import Checkpoint, check_origin, origin
from core.training.evaluate import predictions_of, scores_of
from core.training.optimizer import Optimizer, descend
from core.training.resume import Checkpointer, resume_or_start
from core.training.task_data import TaskData, encode_task
from core.training.threads import machine


def teach(
    teaching: Teaching, root: Path | None = None, folder: Path | None = None
) -> Generator[Event]:
    """Make the teacher and save it (under `root`, default: local); the last event is `Taught`.

    With `folder`, checkpoints are kept there, from which the training resumes (see `resume`).
    Raises InputError for whatever a person can mend (no data, no model, diverged, disk full).
    """
    yield from resume_or_start(
        lambda resumed: _teach(teaching, root, folder, resumed), folder, teaching.run_id
    )


def _teach(
    teaching: Teaching, root: Path | None, folder: Path | None, resumed: Checkpoint | None
) -> Generator[Event]:
    check_precision(teaching.train.precision)
    task = find_task(teaching.task)
    yield from prepare(task)
    yield from prepare_backbone(teaching.model)
    yield Preparing(text="Loading the model")
    loaded = load_model(teaching.model, task.kind, task.labels, teaching.seed)
    model, tokenizer = loaded.model, load_tokenizer(teaching.model)
    family = family_of(teaching.model)
    family.check_fits(model.config, tokenizer, len(task.texts), teaching.model)
    if not teaching.fine_tune:
        _check_fine_tuned(family, loaded, teaching, task)
    data = yield from encode_task(task, family, model, tokenizer, teaching.train, teaching.seed)
    began = time.perf_counter() - (resumed.seconds if resumed else 0.0)
    start = origin(data, model) if folder is not None else ""
    if resumed is not None:
        check_origin(resumed, start)
    if teaching.fine_tune:
        _freeze_shared(family, model, frozen=bool(shared_embedding_of(teaching.model)))
        family.prepare_teacher(model)
        yield from _steps(model, data, teaching, folder, resumed, start)
        _round_to_half(list(model.parameters()))
    seconds = time.perf_counter() - began
    scores, threshold = yield from _final_scores(model, data)
    card = _card(teaching, loaded, data, scores, threshold, seconds)
    save_teacher(model, card, root)
    yield Evaluated(step=teaching.train.steps, split="dev", score=card.dev)
    yield Taught(teacher=card)


def _check_fine_tuned(family: Family, loaded: Loaded, teaching: Teaching, task: Task) -> None:
    if not loaded.is_fine_tuned:
        raise InputError(
            f"{teaching.model} has no head that was trained for {task.title}. Fine-tune it first."
        )
    if loaded.gives_many:
        raise InputError(
            f"{teaching.model} was trained to give any number of labels at once, and {task.title} "
            "has one for each text. Fine-tune it first."
        )
    if task.labels:
        use_label_order(family, loaded, task.labels)


def _card(
    teaching: Teaching,
    loaded: Loaded,
    data: TaskData,
    scores: tuple[Measured, ...],
    threshold: float,
    seconds: float,
) -> TeacherCard:
    first = {measured.split: measured.score for measured in reversed(scores)}
    return TeacherCard(
        task=teaching.task,
        model=teaching.model,
        labels=data.task.labels,
        train=teaching.train,
        seed=teaching.seed,
        dev=first["dev"],
        test=first["test"],
        parameters=sum(p.numel() for p in loaded.model.parameters()),
        shared_embedding=shared_embedding_of(teaching.model) if teaching.fine_tune else "",
        train_seconds=seconds,
        machine=machine(),
        fine_tuned=teaching.fine_tune,
        scores=scores,
        threshold=threshold,
        data_revision=data.revision,
        model_revision=loaded.revision,
        family=data.family.name,
    )


def _freeze_shared(family: Family, model: nn.Module, frozen: bool) -> None:
    if family.shared is not None:
        table = model.get_parameter(family.shared.address)
        _round_to_half([table])
        table.requires_grad_(not frozen)


def _steps(
    model: nn.Module,
    data: TaskData,
    teaching: Teaching,
    folder: Path | None,
    resumed: Checkpoint | None,
    start: str,
) -> Iterator[Event]:
    """The training loop: data, step, checkpoint, dev score. The last dev score is left to the
    caller, who rounds the weights first."""
    recipe = teaching.train
    optimizer = Optimizer(model, recipe)
    done = resumed.step if resumed else 0
    checkpointer = Checkpointer(
        folder,
        teaching.run_id,
        origin=start,
        learning=(model, optimizer),
        resumed=resumed,
    )
    if done and _is_due(done, teaching):  # its score was lost with the process
        yield from _dev_score(done, model, data)
    batches = training_batches(data.family, data.train, recipe.batch_size, teaching.seed, skip=done)
    for step in range(done + 1, recipe.steps + 1):
        event = _step(model, data, optimizer, next(batches), step, teaching)
        yield from checkpointer.after_step([event], step)
        if _is_due(step, teaching):
            yield from _dev_score(step, model, data)


def _is_due(step: int, teaching: Teaching) -> bool:
    """Whether a dev score follows this step."""
    return step % teaching.train.evaluate_every == 0 and step < teaching.train.steps


def _dev_score(step: int, model: nn.Module, data: TaskData) -> Iterator[Event]:
    scores, _ = yield from _scored(model, data, data.dev, "dev", None)
    yield Evaluated(step=step, split="dev", score=scores[0])


def _step(
    model: nn.Module,
    data: TaskData,
    optimizer: Optimizer,
    batch: Batch,
    step: int,
    teaching: Teaching,
) -> StepDone:
    began = time.perf_counter()
    model.train()
    low = teaching.train.precision == "bf16"
    with torch.autocast("cpu", torch.bfloat16, enabled=low):
        outputs = data.family.forward(model, batch)
    loss = data.target.label_loss(outputs.answers, batch.labels)
    rate = descend(optimizer, loss, step, teaching.train)
    return StepDone(
        step=step,
        total_steps=teaching.train.steps,
        loss=float(loss.detach()),
        labels=float(loss.detach()),
        learning_rate=rate,
        tokens=int(batch.units.sum()),
        seconds=time.perf_counter() - began,
    )


def _final_scores(
    model: nn.Module, data: TaskData
) -> Generator[Preparing, None, tuple[tuple[Measured, ...], float]]:
    """Every metric on dev and the tests; and the threshold, chosen on dev."""
    threshold, measured = None, []
    for split, encoded in (("dev", data.dev), ("test", data.test), *data.more):
        scores, threshold = yield from _scored(model, data, encoded, split, threshold)
        measured += [Measured(who="teacher", split=split, score=each) for each in scores]
    assert threshold is not None
    return tuple(measured), threshold


def _scored(
    model: nn.Module, data: TaskData, encoded: Encoded, split: str, threshold: float | None
) -> Generator[Preparing, None, tuple[tuple[Score, ...], float]]:
    """All scores on a split, and the threshold: the given one, else the best on this split."""
    text = f"Scoring the teacher on {split}"
    predictions = yield from predictions_of(model, data, encoded, text)
    if threshold is None:
        threshold = data.target.threshold(data.task, predictions, encoded)
    return scores_of(data.task, data.target, predictions, encoded, threshold), threshold


@torch.no_grad()
def _round_to_half(parameters: list[torch.nn.Parameter]) -> None:
    for parameter in parameters:
        parameter.copy_(parameter.half().float())
