"""What a run found: plain numbers, JSON both ways through `core.serialization`.

Scores are fractions (0.847 is 84.7 %), sizes are bytes, times are seconds. Every score carries
its standard error and the number of examples, because a score without them cannot be compared.
The types below say which values a number may have; a file with another is refused.
"""

import math
from dataclasses import dataclass, field
from typing import Annotated

from core.experiment import USUAL_FAMILY, TrainRecipe
from core.serialization import Among, Range

Fraction = Annotated[float, Range(-1.0, 1.0)]  # correlations can be negative
Spread = Annotated[float, Range(0.0, 10.0)]  # of a Fraction
Share = Annotated[float, Range(0.0, 1.0)]
Finite = Annotated[float, Range(-1e12, 1e12)]
Amount = Annotated[float, Range(0.0, 1e12)]
Seconds = Annotated[float, Range(0.0, 1e10)]
Count = Annotated[int, Range(1, 2**53)]
CountOrNone = Annotated[int, Range(0, 2**53)]
Steps = Annotated[int, Range(1, 1_000_000)]
StepOrNone = Annotated[int, Range(0, 1_000_000)]
Seed = Annotated[int, Range(0, 2**31 - 1)]
Bits = Annotated[int, Range(1, 32)]
WHO = {
    "teacher": "teacher (full precision)",
    "untrained": "quantized without training",
    "student": "trained student",
}
Who = Annotated[str, Among(tuple(WHO))]
Cosine = Annotated[float, Range(-1.001, 1.001)]  # of float32: the last digits are rounded


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """One metric on one split; `standard_error` in the same units as `value`."""

    metric: str
    value: Fraction
    standard_error: Spread
    examples: Count


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A score with its owner ("teacher", "untrained", "student") and its split."""

    who: Who
    split: str
    score: Score


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerReport:
    """What quantizing did to one matrix: `zeros` is a share, `sqnr_db` 10 log10(signal/noise)."""

    name: str
    part: str
    rows: Count
    cols: Count
    bits: Bits
    granularity: str
    zeros: Share
    mse: Amount
    sqnr_db: Finite
    cosine: Cosine


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Where it was measured, and by what: a time without its machine means nothing.

    `ternary_lab` is the version of this program ("": one that did not say so yet). `threads` is
    the number at the end. Where a training changed it on the way, `thread_counts` holds every
    number that it computed with since it was last started, in order of first use.
    """

    processor: str
    cores: Count
    threads: Count
    torch: str
    transformers: str
    thread_counts: tuple[Count, ...] = field(default=())
    ternary_lab: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The outcome of a run. `score` and its companions are on the test split, which nothing
    selected on; `dev_score` is the last dev score of the same weights. The student is the one
    of the last step: no checkpoint was picked.

    `scores` holds every metric of the task on every split. `threshold` is the student's for "no
    answer" (chosen on dev); revisions are those of the hub's data and model ("": no hub).
    """

    run_id: str
    task: str
    model: str
    metric: str
    score: Fraction
    score_standard_error: Spread
    teacher_score: Fraction
    teacher_standard_error: Spread
    untrained_score: Fraction
    untrained_standard_error: Spread
    test_examples: Count
    dev_score: Fraction
    teacher_dev_score: Fraction
    size_bytes_float32: Count
    size_bytes_packed: Count
    steps: Steps
    train_seconds: Seconds
    total_seconds: Seconds
    machine: Machine
    layers: tuple[LayerReport, ...] = field(default=())
    scores: tuple[Measured, ...] = field(default=())
    threshold: Finite = 0.0
    data_revision: str = ""
    model_revision: str = ""

    def of_teacher(self, value: float) -> float:
        """A score as a share of the teacher's; NaN where the teacher's is 0."""
        return value / self.teacher_score if self.teacher_score else math.nan

    @property
    def compression(self) -> float:
        """How many times smaller the packed file is than 4 bytes a weight."""
        return self.size_bytes_float32 / self.size_bytes_packed


@dataclass(frozen=True, slots=True, kw_only=True)
class TeacherCard:
    """What is known of a teacher; kept beside its weights as `teacher.json`.

    `shared_embedding` names the backbone folder whose word embedding it uses (it was frozen while
    training), or is empty when the teacher's own file holds it. `fine_tuned` is False for a
    checkpoint that was taken as it is. `scores`, `threshold` and revisions are as in a Result.
    `family` is its architecture.
    """

    task: str
    model: str
    labels: tuple[str, ...]
    train: TrainRecipe
    seed: Seed
    dev: Score
    test: Score
    parameters: Count
    shared_embedding: str
    train_seconds: Seconds
    machine: Machine
    fine_tuned: bool = True
    scores: tuple[Measured, ...] = field(default=())
    threshold: Finite = 0.0
    data_revision: str = ""
    model_revision: str = ""
    family: str = USUAL_FAMILY
