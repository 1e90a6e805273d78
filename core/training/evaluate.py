"""Score a model on a split, a batch at a time, so that whoever waits can watch or stop."""

from collections.abc import Generator

import numpy as np
import torch

from core.events import Preparing
from core.training.batches import Batch, Encoded, evaluation_batches


@torch.no_grad()
def batch_logits(model, batch: Batch) -> np.ndarray:
    """Logits (batch, classes) of one batch, float32."""
    return model(**batch.inputs).logits.float().numpy()


def split_logits(model, encoded: Encoded, text: str) -> Generator[Preparing, None, np.ndarray]:
    """Logits (examples, classes) in the split's order, as the generator's return value.

    Yields progress after every batch. The model is left in eval mode.
    """
    model.eval()
    gathered: list[tuple[np.ndarray, np.ndarray]] = []
    done = 0
    for batch in evaluation_batches(encoded):
        gathered.append((batch.examples.numpy(), batch_logits(model, batch)))
        done += len(batch.examples)
        yield Preparing(text=text, done=done, total=len(encoded))
    examples = np.concatenate([part for part, _ in gathered])
    logits = np.concatenate([part for _, part in gathered])
    return logits[np.argsort(examples)]
