"""Score a model on a split, a batch at a time, so that whoever waits can watch or stop."""

from collections.abc import Callable, Generator

import numpy as np
import torch

from core.events import Preparing
from core.models.heads import logits_of
from core.results import Score
from core.tasks.answers import word_f1
from core.tasks.metrics import score
from core.tasks.task import Task
from core.training.batches import Batch, Encoded, evaluation_batches
from core.training.spans import Answers, best_of_windows, best_threshold, spans_of_row

ALWAYS_ANSWER = 1e9  # a threshold that no gap between two scores reaches


@torch.no_grad()
def batch_logits(model, batch: Batch) -> np.ndarray:
    """Logits of one batch, float32: (batch, classes), (batch, 1) or (batch, 2, tokens)."""
    return logits_of(model(**batch.inputs), batch.attention_mask).float().numpy()


def split_predictions(
    model,
    encoded: Encoded,
    text: str,
    forward: Callable[..., np.ndarray] = batch_logits,
) -> Generator[Preparing, None, np.ndarray]:
    """What the model says to every example, in the split's order, as the return value.

    Logits (examples, classes) or (examples, 1); of a span task the table of `Answers`,
    (questions, 4). Yields progress after every batch. The model is left in eval mode.
    """
    model.eval()
    gathered: list[tuple[np.ndarray, np.ndarray]] = []
    done = 0
    for batch in evaluation_batches(encoded):
        rows = batch.examples.numpy()
        gathered.append((rows, _per_row(forward(model, batch), rows, encoded)))
        done += len(rows)
        yield Preparing(text=text, done=done, total=len(encoded))
    order = np.argsort(np.concatenate([rows for rows, _ in gathered]))
    said = np.concatenate([part for _, part in gathered])[order]
    return said if encoded.windows is None else best_of_windows(said, encoded.windows).table


def _per_row(logits: np.ndarray, rows: np.ndarray, encoded: Encoded) -> np.ndarray:
    if encoded.windows is None:
        return logits
    pairs = zip(logits, rows, strict=True)
    return np.stack([spans_of_row(each, int(row), encoded.windows)[0] for each, row in pairs])


def threshold_for(task: Task, predictions: np.ndarray, encoded: Encoded) -> float:
    """The threshold for "no answer" that is best on these (dev) predictions; where every
    question has an answer, one that never refuses."""
    if encoded.windows is None or not task.may_have_no_answer:
        return ALWAYS_ANSWER
    windows = encoded.windows
    return best_threshold(Answers(table=predictions), windows.contexts, windows.accepted, word_f1)


def scores_of(
    task: Task, predictions: np.ndarray, encoded: Encoded, threshold: float
) -> tuple[Score, ...]:
    """All metrics of the task, the one that is compared first."""
    if encoded.windows is None:
        pair = predictions, encoded.labels
    else:
        texts = Answers(table=predictions).texts(encoded.windows.contexts, threshold)
        pair = texts, encoded.windows.accepted
    return tuple(score(metric, *pair) for metric in task.metrics)
