"""The teacher's outputs, cached where the same examples are read again and again.

The teacher never changes, and its forward is a fifth of a step. With fifty texts of one's own and
300 steps each text is read two hundred times, so the teacher reads them all once, before the first
step, in an order that depends on nothing but the text: a training that resumes after a break finds
the same numbers, bit for bit. Large sets are not cached (hidden states and scores of one sentence
are 150 KB): they would be read hardly twice, and fill the memory.
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import replace
from itertools import chain

import torch
from torch import Tensor
from torch.nn import functional as F

from core.events import Preparing
from core.experiment import Experiment
from core.family import Batch, Encoded, Family, Outputs, Trace
from core.training.batches import evaluation_batches
from core.training.distillation_losses import traces_of

READINGS = 3  # how often each example must be read, on average, before caching is worth it
MOST_BYTES = 256 * 2**20


_Row = Outputs  # of one example: traces of batch size 1, cut to its real units


class CachedOutputs:
    """A teacher's outputs for all rows of a split, in their order."""

    def __init__(self, rows: Sequence[_Row]) -> None:
        self._rows = rows

    def of(self, batch: Batch) -> Outputs:
        """What the family's `forward` gives, but for rounding and for padding, which no loss
        sees."""
        rows = [self._rows[row] for row in batch.examples.tolist()]
        every = zip(*map(_all_traces, rows), strict=True)
        joined = {id(traces[0]): _joined(traces) for traces in every}
        return _changed(rows[0], lambda trace: joined[id(trace)])

    @property
    def size_bytes(self) -> int:
        """Bytes of everything that is cached."""
        return sum(trace.value.nbytes for row in self._rows for trace in _all_traces(row))


def _all_traces(outputs: Outputs) -> list[Trace]:
    """Answers and traces; what stands under two names is listed once."""
    traces = [*outputs.answers.values(), *chain.from_iterable(outputs.traces.values())]
    return list({id(trace): trace for trace in traces}.values())


def _changed(outputs: Outputs, change: Callable[[Trace], Trace]) -> Outputs:
    return Outputs(
        answers={name: change(trace) for name, trace in outputs.answers.items()},
        traces={name: tuple(map(change, every)) for name, every in outputs.traces.items()},
    )


def are_worth_caching(experiment: Experiment, family: Family, config, train: Encoded) -> bool:
    """Whether these steps read each example often enough, and all outputs fit. Only experiment and
    text decide, never the machine: the same experiment gives the same student everywhere."""
    read = experiment.train.steps * experiment.train.batch_size
    if read < READINGS * len(train):
        return False
    return cached_bytes(experiment, family, config, train) <= MOST_BYTES


def cached_bytes(experiment: Experiment, family: Family, config, train: Encoded) -> int:
    """What caching would take, without the answers."""
    return family.trace_bytes(config, train.units, traces_of(family, experiment.distill))


def cache_outputs(
    experiment: Experiment, family: Family, teacher, train: Encoded
) -> Generator[Preparing, None, CachedOutputs | None]:
    """Have the teacher read every row once, in the precision of the training; None where that is
    not worth it. The cache is the generator's return value."""
    if not are_worth_caching(experiment, family, teacher.config, train):
        return None
    wanted = traces_of(family, experiment.distill)
    rows: dict[int, _Row] = {}
    low = experiment.train.precision == "bf16"
    for batch in evaluation_batches(family, train):
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=low):
            outputs = family.forward(teacher, batch, wanted)
        for place, row in enumerate(batch.examples.tolist()):
            rows[row] = _one(outputs, place)
        yield Preparing(text="The teacher reads the examples", done=len(rows), total=len(train))
    return CachedOutputs([rows[row] for row in range(len(train))])


def _one(outputs: Outputs, place: int) -> _Row:
    cut = {id(trace): _cut(trace, place) for trace in _all_traces(outputs)}
    return _changed(outputs, lambda trace: cut[id(trace)])


def _cut(trace: Trace, place: int) -> Trace:
    value = trace.value[place : place + 1]
    lengths = tuple(each[place : place + 1] for each in trace.lengths)
    for axis, length in zip(trace.axes, lengths, strict=True):
        value = value.narrow(axis, 0, int(length))
    return replace(trace, value=value.clone(), lengths=lengths)


def _joined(rows: Sequence[Trace]) -> Trace:
    """Traces of single examples, padded to the longest of them, as one of the batch."""
    first = rows[0]
    lengths = tuple(torch.cat(each) for each in zip(*(row.lengths for row in rows), strict=True))
    longest = {axis: int(each.max()) for axis, each in zip(first.axes, lengths, strict=True)}
    return replace(
        first,
        value=torch.cat([_padded(row, longest) for row in rows]),
        lengths=lengths,
    )


def _padded(row: Trace, longest: Mapping[int, int]) -> Tensor:
    missing = [0] * (2 * row.value.dim())
    for axis, length in longest.items():
        missing[2 * (row.value.dim() - 1 - axis) + 1] = length - row.value.shape[axis]
    return F.pad(row.value, missing, value=row.padding)
