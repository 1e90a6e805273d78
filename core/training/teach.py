"""Make a full-precision teacher, as the same kind of generator as `train`.

The word embedding of an embedded backbone stays frozen (rounded to float16 first), so all its
teachers share one copy of it. At the end all weights are rounded to the float16 in which they
are stored, and only then is the teacher scored: what is scored is what is kept. A checkpoint that
was fine-tuned elsewhere can be taken as it is: then it is only scored, and kept bit for bit.

Hidden states have the usual dropout. Attention probabilities have none: with long passages the
random numbers for them took half of a step (LOG.md).
"""

import time
from collections.abc import Generator, Iterator
from pathlib import Path

import torch
from transformers import PreTrainedModel

from core.errors import InputError
from core.events import Evaluated, Event, Preparing, StepDone, Taught
from core.experiment import Teaching
from core.machine import check_precision, describe
from core.models.anatomy import leave_attention_whole
from core.models.backbones import prepare_backbone
from core.models.heads import logits_of
from core.models.labels import use_label_order
from core.models.loading import (
    Loaded,
    check_pairs,
    check_words,
    load_model,
    load_tokenizer,
)
from core.models.teachers import save_teacher, shared_embedding_of
from core.results import Measured, Score, TeacherCard
from core.tasks.base import Task, find_task, prepare
from core.training.batches import Batch, training_batches
from core.training.distill import label_loss
from core.training.evaluate import scores_of, split_predictions, threshold_for
from core.training.lessons import Lesson, tokenize
from core.training.optimizer import Optimizer, descend
from core.training.resume import Keeper, going_on


def teach(
    teaching: Teaching, root: Path | None = None, folder: Path | None = None
) -> Generator[Event]:
    """Make the teacher and save it (under `root`, default: local); the last event is `Taught`.

    With `folder`, checkpoints are kept there, from which the training goes on (see `resume`).
    Raises InputError for whatever a person can mend (no data, no model, diverged, disk full).
    """
    yield from going_on(lambda keeper: _teach(teaching, root, keeper), folder, teaching.run_id)


def _teach(teaching: Teaching, root: Path | None, keeper: Keeper) -> Generator[Event]:
    check_precision(teaching.train.precision)
    task = find_task(teaching.task)
    yield from prepare(task)
    yield from prepare_backbone(teaching.model)
    yield Preparing(text="Loading the model")
    loaded = load_model(teaching.model, task.kind, task.labels, teaching.seed)
    model, tokenizer = loaded.model, load_tokenizer(teaching.model)
    check_words(model, tokenizer, teaching.model)
    check_pairs(model, len(task.texts), teaching.model)
    if not teaching.fine_tune:
        _check_fine_tuned(loaded, teaching, task)
    lesson = yield from tokenize(task, model, tokenizer, teaching.train, teaching.seed)
    keeper.begin(lesson, model)
    began = time.perf_counter() - keeper.seconds
    if teaching.fine_tune:
        _freeze_embedding(model, frozen=bool(shared_embedding_of(teaching.model)))
        leave_attention_whole(model)
        yield from _steps(model, lesson, teaching, keeper)
        _round_to_half(list(model.parameters()))
    seconds = time.perf_counter() - began
    scores, threshold = yield from _final_scores(model, lesson)
    card = _card(teaching, loaded, lesson, scores, threshold, seconds)
    save_teacher(model, card, root)
    yield Evaluated(step=teaching.train.steps, split="dev", score=card.dev)
    yield Taught(teacher=card)


def _check_fine_tuned(loaded: Loaded, teaching: Teaching, task: Task) -> None:
    if not loaded.is_fine_tuned:
        raise InputError(
            f"{teaching.model} has no head that was trained for {task.title}. Fine-tune it first."
        )
    if loaded.model.config.problem_type == "multi_label_classification":
        raise InputError(
            f"{teaching.model} was trained to give any number of labels at once, and {task.title} "
            "has one for each text. Fine-tune it first."
        )
    if task.kind == "classes":
        use_label_order(loaded, task.labels)


def _card(
    teaching: Teaching,
    loaded: Loaded,
    lesson: Lesson,
    scores: tuple[Measured, ...],
    threshold: float,
    seconds: float,
) -> TeacherCard:
    first = {measured.split: measured.score for measured in reversed(scores)}
    return TeacherCard(
        task=teaching.task,
        model=teaching.model,
        labels=lesson.task.labels,
        train=teaching.train,
        seed=teaching.seed,
        dev=first["dev"],
        test=first["test"],
        parameters=sum(p.numel() for p in loaded.model.parameters()),
        shared_embedding=shared_embedding_of(teaching.model) if teaching.fine_tune else "",
        train_seconds=seconds,
        machine=describe(torch.get_num_threads()),
        fine_tuned=teaching.fine_tune,
        scores=scores,
        threshold=threshold,
        data_revision=lesson.revision,
        model_revision=loaded.revision,
    )


def _freeze_embedding(model: PreTrainedModel, frozen: bool) -> None:
    weights = list(model.get_input_embeddings().parameters())
    _round_to_half(weights)
    for weight in weights:
        weight.requires_grad_(not frozen)


def _steps(
    model: PreTrainedModel, lesson: Lesson, teaching: Teaching, keeper: Keeper
) -> Iterator[Event]:
    """The training loop; the last dev score is left to the caller, who rounds the weights first."""
    recipe = teaching.train
    optimizer = Optimizer(model, recipe)
    done = keeper.restore(model, optimizer)
    batches = training_batches(lesson.train, recipe.batch_size, teaching.seed, skip=done)
    for step in range(done, recipe.steps + 1):
        if step > done:
            yield from keeper.tell([_step(model, optimizer, next(batches), step, teaching)], step)
        if step % recipe.evaluate_every == 0 and 0 < step < recipe.steps:
            said = yield from split_predictions(model, lesson.dev, "Scoring the teacher on dev")
            threshold = threshold_for(lesson.task, said, lesson.dev)
            scores = scores_of(lesson.task, said, lesson.dev, threshold)
            yield Evaluated(step=step, split="dev", score=scores[0])


def _step(
    model: PreTrainedModel,
    optimizer: Optimizer,
    batch: Batch,
    step: int,
    teaching: Teaching,
) -> StepDone:
    began = time.perf_counter()
    model.train()
    low = teaching.train.precision == "bf16"
    with torch.autocast("cpu", torch.bfloat16, enabled=low):
        logits = logits_of(model(**batch.inputs), batch.attention_mask)
    loss = label_loss(logits.float(), batch.labels)
    rate = descend(optimizer, loss, step, teaching.train)
    return StepDone(
        step=step,
        total_steps=teaching.train.steps,
        loss=float(loss.detach()),
        hidden=0.0,
        attention=0.0,
        logits=0.0,
        labels=float(loss.detach()),
        learning_rate=rate,
        tokens=int(batch.attention_mask.sum()),
        seconds=time.perf_counter() - began,
    )


def _final_scores(
    model: PreTrainedModel, lesson: Lesson
) -> Generator[Preparing, None, tuple[tuple[Measured, ...], float]]:
    """Every metric on dev and the tests; and the threshold, chosen on dev."""
    threshold, measured = 0.0, []
    for split, encoded in (("dev", lesson.dev), ("test", lesson.test), *lesson.more):
        said = yield from split_predictions(model, encoded, f"Scoring the teacher on {split}")
        if split == "dev":
            threshold = threshold_for(lesson.task, said, encoded)
        scores: tuple[Score, ...] = scores_of(lesson.task, said, encoded, threshold)
        measured += [Measured(who="teacher", split=split, score=each) for each in scores]
    return tuple(measured), threshold


@torch.no_grad()
def _round_to_half(parameters: list[torch.nn.Parameter]) -> None:
    for parameter in parameters:
        parameter.copy_(parameter.half().float())
