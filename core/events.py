"""What a training says while it runs: a handful of plain, frozen events.

`train` and `teach` are generators of these. The command line prints each as one JSON line, the
runner appends the same lines to `events.jsonl`, and replaying that file shows the run again
without computing anything.
"""

import json
from dataclasses import dataclass
from typing import Any, cast

from core.errors import InputError, one_of
from core.results import (
    Amount,
    Count,
    CountOrNone,
    Finite,
    Result,
    Score,
    Seconds,
    Share,
    StepOrNone,
    Steps,
    TeacherCard,
)
from core.serialization import from_plain, to_plain


@dataclass(frozen=True, slots=True, kw_only=True)
class Preparing:
    """Progress of work that is not a training step: `done` of `total`, in units of the text."""

    text: str
    done: CountOrNone = 0
    total: CountOrNone = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """Training is about to begin; the lines that the curve will be read against."""

    run_id: str
    total_steps: Steps
    train_examples: Count
    teacher_dev: Score
    untrained_dev: Score


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumed:
    """A run goes on after `step`: what was told of later steps does not count. With step 0 it
    begins again, and `text` says why; else it says what is not as it was."""

    step: StepOrNone
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadsChanged:
    """After `step` the training goes on with another number of threads, and `text` says why."""

    step: StepOrNone
    threads: Count
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepDone:
    """One optimizer step: each loss by itself, unweighted; `loss` is the weighted sum."""

    step: Steps
    total_steps: Steps
    loss: Finite
    learning_rate: Amount
    tokens: CountOrNone
    seconds: Seconds
    hidden: Finite = 0.0
    attention: Finite = 0.0
    logits: Finite = 0.0
    labels: Finite = 0.0
    attention_maps: Finite = 0.0
    attention_outputs: Finite = 0.0
    margins: Finite = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class MatrixState:
    """How one quantized matrix stands: `changed` is the share of its codes that this one step
    changed, `zeros` the share of zero codes; scale and threshold are means over the rows
    (threshold None: every code is the nearest level); `counts` is the histogram of its latent
    weights in equal bins from `low` to `high`. Of an embedding only the batch's rows count."""

    name: str
    part: str
    changed: Share
    zeros: Share
    scale: Finite
    threshold: Finite | None
    low: Finite
    high: Finite
    counts: tuple[CountOrNone, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightsSeen:
    """A look at the weights after `step`, every so many steps."""

    step: StepOrNone
    matrices: tuple[MatrixState, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluated:
    """The student's score on dev after `step`."""

    step: StepOrNone
    split: str
    score: Score


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """The last event of a run that came to its end."""

    result: Result


@dataclass(frozen=True, slots=True, kw_only=True)
class Taught:
    """The last event of fine-tuning a teacher."""

    teacher: TeacherCard


Event = (
    Preparing
    | Started
    | Resumed
    | ThreadsChanged
    | StepDone
    | WeightsSeen
    | Evaluated
    | Finished
    | Taught
)
KINDS: dict[str, type[Any]] = {
    kind.__name__: kind
    for kind in (
        Preparing,
        Started,
        Resumed,
        ThreadsChanged,
        StepDone,
        WeightsSeen,
        Evaluated,
        Finished,
        Taught,
    )
}


def to_json(event: Any) -> str:
    """One line of JSON, its "type" first."""
    return json.dumps({"type": type(event).__name__, **to_plain(event)}, allow_nan=False)


def from_json(line: str) -> Event:
    """The event of one line; raises InputError for anything else."""
    try:
        plain: Any = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise InputError(f"This line is not an event: {error}.") from error
    if not isinstance(plain, dict):
        raise InputError("This line is not an event: it is not a JSON object.")
    values = cast("dict[str, Any]", plain)
    kind = values.pop("type", None)
    one_of("Event", kind, KINDS)
    return from_plain(KINDS[kind], values)
