"""A task made ready for a training: encoded splits, and no more of train than will be read."""

from collections.abc import Generator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from core.events import Preparing
from core.experiment import TrainRecipe
from core.family import Encoded, Family
from core.targets.target import Target
from core.tasks.prepare import load
from core.tasks.task import Task
from core.training.augment import augmented, draw_rows

if TYPE_CHECKING:
    from datasets import Dataset


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TaskData:
    """A task's splits, encoded for a family; `more` pairs the names of further test splits with
    them."""

    task: Task
    target: Target
    family: Family
    train: Encoded
    dev: Encoded
    test: Encoded
    revision: str
    more: tuple[tuple[str, Encoded], ...] = field(default=())


def encode_task(
    task: Task, family: Family, model: Any, tokenizer: Any, recipe: TrainRecipe, seed: int
) -> Generator[Preparing, None, TaskData]:
    """Load and encode a prepared task for `model`; the data is the generator's return value.

    Texts are cut to the recipe's tokens and to what the model can read. Where the recipe limits
    the examples, or all steps together read fewer than there are, a random part of them, drawn
    from `seed`, is tokenized; with augmentation what is read is drawn from the examples and their
    copies.
    """
    yield Preparing(text="Tokenizing")
    splits, limit = load(task), min(recipe.max_tokens, family.longest(model.config))
    target = task.target

    def encoded(dataset: "Dataset") -> Encoded:
        return target.encode(family, tokenizer, dataset, task, limit)

    needed = recipe.steps * recipe.batch_size
    train = _part(splits.train, recipe.examples or len(splits.train), seed)
    if recipe.augment:
        drawn = draw_rows(len(train), recipe, needed, seed)
        train = yield from augmented(train, task, recipe, drawn, family, model, tokenizer, seed)
    else:
        train = _part(train, needed, seed)
    return TaskData(
        task=task,
        target=target,
        family=family,
        train=encoded(train),
        dev=encoded(splits.dev),
        test=encoded(splits.test),
        revision=splits.revision,
        more=tuple(
            (name, encoded(part)) for name, part in zip(task.more_tests, splits.more, strict=True)
        ),
    )


def _part(examples: "Dataset", most: int, seed: int) -> "Dataset":
    if most >= len(examples):
        return examples
    return examples.select(np.random.default_rng(seed).permutation(len(examples))[:most])
