"""Fine-tune a full-precision teacher, as the same kind of generator as `train`.

The word embedding of an embedded backbone stays frozen (rounded to float16 first), so all its
teachers share one copy of it. At the end all weights are rounded to the float16 in which they
are stored, and only then is the teacher scored: what is scored is what ships.
"""

import time
from collections.abc import Iterator
from pathlib import Path

import torch
from torch.nn import functional as F
from transformers import PreTrainedModel

from core.events import Evaluated, Event, Preparing, StepDone, Taught
from core.experiment import TrainRecipe
from core.machine import describe
from core.models.backbones import load_backbone, load_tokenizer, prepare_backbone
from core.models.teachers import save_teacher, shared_embedding_of
from core.results import TeacherCard
from core.tasks.base import find_task, load, prepare
from core.tasks.metrics import score
from core.training.batches import Encoded, encode_split, training_batches
from core.training.evaluate import split_logits
from core.training.optimizer import build_optimizer, descend

TEACH_RECIPE = TrainRecipe(steps=760, learning_rate=5e-5, evaluate_every=200)


def teach(
    task_name: str,
    model_name: str,
    recipe: TrainRecipe = TEACH_RECIPE,
    seed: int = 0,
    root: Path | None = None,
) -> Iterator[Event]:
    """Fine-tune `model_name` on `task_name` and save it; the last event is `Taught`.

    Raises InputError for whatever a person can mend (no data, no backbone, diverged, disk full).
    """
    task = find_task(task_name)
    yield from prepare(task)
    yield from prepare_backbone(model_name)
    yield Preparing(text="Loading the backbone")
    model = load_backbone(model_name, task.labels, seed)
    shared = shared_embedding_of(model_name)
    _freeze_embedding(model, frozen=bool(shared))
    tokenizer, splits = load_tokenizer(model_name), load(task)
    limit = min(recipe.max_tokens, model.config.max_position_embeddings)
    train, dev, test = (
        encode_split(tokenizer, split, task, limit)
        for split in (splits.train, splits.dev, splits.test)
    )
    began = time.perf_counter()
    yield from _steps(model, train, dev, task.metric, recipe, seed)
    seconds = time.perf_counter() - began
    _round_to_half(list(model.parameters()))
    dev_logits = yield from split_logits(model, dev, "Scoring the teacher on dev")
    test_logits = yield from split_logits(model, test, "Scoring the teacher on test")
    card = TeacherCard(
        task=task_name,
        model=model_name,
        labels=task.labels,
        train=recipe,
        seed=seed,
        dev=score(task.metric, dev_logits, dev.labels),
        test=score(task.metric, test_logits, test.labels),
        parameters=sum(p.numel() for p in model.parameters()),
        shared_embedding=shared,
        train_seconds=seconds,
        machine=describe(torch.get_num_threads()),
    )
    save_teacher(model, card, root)
    yield Evaluated(step=recipe.steps, split="dev", score=card.dev)
    yield Taught(teacher=card)


def _freeze_embedding(model: PreTrainedModel, frozen: bool) -> None:
    weights = list(model.get_input_embeddings().parameters())
    _round_to_half(weights)
    for weight in weights:
        weight.requires_grad_(not frozen)


def _steps(
    model: PreTrainedModel,
    train: Encoded,
    dev: Encoded,
    metric: str,
    recipe: TrainRecipe,
    seed: int,
) -> Iterator[Event]:
    """The training loop; the last dev score is left to the caller, who rounds the weights first."""
    optimizer = build_optimizer(model, recipe)
    batches = training_batches(train, recipe.batch_size, seed)
    for step in range(1, recipe.steps + 1):
        step_began = time.perf_counter()
        model.train()
        batch = next(batches)
        loss = F.cross_entropy(model(**batch.inputs).logits, batch.labels)
        rate = descend(optimizer, loss, step, recipe)
        yield StepDone(
            step=step,
            total_steps=recipe.steps,
            loss=float(loss.detach()),
            hidden=0.0,
            attention=0.0,
            logits=0.0,
            labels=float(loss.detach()),
            learning_rate=rate,
            tokens=int(batch.attention_mask.sum()),
            seconds=time.perf_counter() - step_began,
        )
        if step % recipe.evaluate_every == 0 and step != recipe.steps:
            logits = yield from split_logits(model, dev, "Scoring the teacher on dev")
            yield Evaluated(step=step, split="dev", score=score(metric, logits, dev.labels))


@torch.no_grad()
def _round_to_half(parameters: list[torch.nn.Parameter]) -> None:
    for parameter in parameters:
        parameter.copy_(parameter.half().float())
