"""Score a model on a split, a batch at a time, so that the person who waits can watch or stop."""

from collections.abc import Callable, Generator, Mapping
from functools import partial

import numpy as np
import torch
from torch import nn

from core.events import Preparing
from core.family import Batch, Encoded, Family
from core.metrics import score
from core.results import Score
from core.targets.registry import metric_of
from core.targets.target import Target
from core.tasks.task import Task
from core.training.batches import evaluation_batches
from core.training.task_data import TaskData

Answers = Mapping[str, np.ndarray]


@torch.no_grad()
def answers_of(family: Family, model: nn.Module, batch: Batch) -> Answers:
    """The answers of a model to one batch, float32, by name."""
    found = family.forward(model, batch).answers
    return {name: trace.value.numpy() for name, trace in found.items()}


def split_predictions(
    forward: Callable[[Batch], Answers],
    family: Family,
    target: Target,
    encoded: Encoded,
    text: str,
) -> Generator[Preparing, None, np.ndarray]:
    """The predictions for every example, in the split's order, as the return value; see
    `Target.of_examples` for their shape. Yields progress after every batch."""
    gathered: list[tuple[np.ndarray, np.ndarray]] = []
    done = 0
    for batch in evaluation_batches(family, encoded):
        rows = batch.examples.numpy()
        gathered.append((rows, target.of_rows(forward(batch), rows, encoded)))
        done += len(rows)
        yield Preparing(text=text, done=done, total=len(encoded))
    order = np.argsort(np.concatenate([rows for rows, _ in gathered]))
    table = np.concatenate([part for _, part in gathered])[order]
    return target.of_examples(table, encoded)


def predictions_of(
    model: nn.Module, data: TaskData, encoded: Encoded, text: str
) -> Generator[Preparing, None, np.ndarray]:
    """`split_predictions` of a torch model, which is left in eval mode."""
    model.eval()
    forward = partial(answers_of, data.family, model)
    return (yield from split_predictions(forward, data.family, data.target, encoded, text))


def scores_of(
    task: Task, target: Target, predictions: np.ndarray, encoded: Encoded, threshold: float
) -> tuple[Score, ...]:
    """All metrics of the task, the one that is compared first."""
    judged = target.judged(predictions, encoded, threshold)
    return tuple(score(metric_of(name), *judged) for name in task.metrics)
