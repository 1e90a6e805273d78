"""What the teacher says to each example, kept where the same examples are read again and again.

The teacher never changes, and its forward is a fifth of a step. With fifty texts of one's own and
300 steps each text is read two hundred times, so the teacher reads them all once, before the first
step, in an order that depends on nothing but the text: a training that goes on after a break finds
the same numbers, bit for bit. Large sets are not kept (hidden states and scores of one sentence are
150 KB): they would be read hardly twice, and fill the memory.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from core.events import Preparing
from core.experiment import Experiment
from core.models.heads import NOT_A_TOKEN
from core.training.batches import Batch, Encoded, evaluation_batches, lengths
from core.training.distill import Outputs, run_with_outputs

READINGS = 3  # so often each example must be read, on the average, before keeping is worth it
MOST_BYTES = 256 * 2**20


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Said:
    """The outputs for one example of `tokens` real tokens: logits (classes,) or (2, tokens), hidden
    states (L+1, tokens, hidden), scores (L, heads, tokens, tokens), attention outputs
    (L or 0, tokens, hidden)."""

    logits: Tensor
    hidden: Tensor
    scores: Tensor
    attended: Tensor


class KeptOutputs:
    """A teacher's outputs for all rows of a split, in their order."""

    def __init__(self, rows: Sequence[Said]) -> None:
        self._rows = rows

    def of(self, batch: Batch) -> Outputs:
        """What `run_with_outputs` gives, but for rounding and for padding, which no loss sees."""
        tokens = batch.attention_mask.shape[1]
        rows = [self._rows[row] for row in batch.examples.tolist()]
        missing = [tokens - row.hidden.shape[1] for row in rows]
        pairs = list(zip(rows, missing, strict=True))
        return Outputs(
            logits=torch.stack([_padded_logits(row.logits, more) for row, more in pairs]),
            hidden=_layers([F.pad(row.hidden, (0, 0, 0, more)) for row, more in pairs]),
            scores=_layers([F.pad(row.scores, (0, more, 0, more)) for row, more in pairs]),
            attended=_layers([F.pad(row.attended, (0, 0, 0, more)) for row, more in pairs]),
        )

    @property
    def size_bytes(self) -> int:
        """Bytes of all that is kept."""
        parts = (part for r in self._rows for part in (r.logits, r.hidden, r.scores, r.attended))
        return sum(part.nbytes for part in parts)


def are_worth_keeping(experiment: Experiment, config, train: Encoded) -> bool:
    """Whether these steps read each example often enough, and all outputs fit. Only experiment and
    text decide, never the machine: the same experiment gives the same student everywhere."""
    read = experiment.train.steps * experiment.train.batch_size
    return read >= READINGS * len(train) and kept_bytes(experiment, config, train) <= MOST_BYTES


def kept_bytes(experiment: Experiment, config, train: Encoded) -> int:
    """What keeping would take, without the logits."""
    layers, width = config.num_hidden_layers, config.hidden_size
    states = layers + 1 + (layers if experiment.distill.attention_outputs else 0)
    tokens = lengths(train).astype(float)
    scores = layers * config.num_attention_heads * tokens**2
    return int(4 * (states * width * tokens + scores).sum())


def keep_outputs(
    experiment: Experiment, teacher, train: Encoded
) -> Generator[Preparing, None, KeptOutputs | None]:
    """Have the teacher read every row once, in the precision of the training; None where that is
    not worth it. What is kept is the generator's return value."""
    if not are_worth_keeping(experiment, teacher.config, train):
        return None
    rows: dict[int, Said] = {}
    low = experiment.train.precision == "bf16"
    for batch in evaluation_batches(train):
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=low):
            outputs = run_with_outputs(teacher, batch.inputs, experiment.distill)
        for place, row in enumerate(batch.examples.tolist()):
            rows[row] = _one(outputs, place, int(batch.attention_mask[place].sum()))
        yield Preparing(text="The teacher reads the examples", done=len(rows), total=len(train))
    return KeptOutputs([rows[row] for row in range(len(train))])


def _one(outputs: Outputs, place: int, tokens: int) -> Said:
    logits = outputs.logits[place]
    states = [state[place, :tokens] for state in outputs.hidden]
    attended = [output[place, :tokens] for output in outputs.attended]
    return Said(
        logits=(logits[:, :tokens] if logits.dim() == 2 else logits).clone(),
        hidden=torch.stack(states),
        scores=torch.stack([score[place, :, :tokens, :tokens] for score in outputs.scores]),
        attended=torch.stack(attended) if attended else states[0].new_empty(0, *states[0].shape),
    )


def _padded_logits(logits: Tensor, more: int) -> Tensor:
    return F.pad(logits, (0, more), value=NOT_A_TOKEN) if logits.dim() == 2 else logits


def _layers(rows: list[Tensor]) -> tuple[Tensor, ...]:
    """For each layer what all rows have; rows (layers, ...) -> layers x (rows, ...)."""
    return torch.stack(rows, dim=1).unbind(0)
