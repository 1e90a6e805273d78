"""What a run found: plain numbers, JSON both ways through `core.records`.

Scores are fractions (0.847 is 84.7 %), sizes are bytes, times are seconds. Every score carries
its standard error and the number of examples, because a score without them cannot be compared.
"""

import math
from dataclasses import dataclass, field

from core.experiment import TrainRecipe


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """One metric on one split; `standard_error` in the same units as `value`."""

    metric: str
    value: float
    standard_error: float
    examples: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A score with its owner ("teacher", "untrained", "student") and its split."""

    who: str
    split: str
    score: Score


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerReport:
    """What quantizing did to one matrix: `zeros` is a share, `sqnr_db` 10 log10(signal/noise)."""

    name: str
    part: str
    rows: int
    cols: int
    bits: int
    granularity: str
    zeros: float
    mse: float
    sqnr_db: float
    cosine: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Where it was measured: a time without its machine means nothing.

    `threads` is the number at the end. Where a training changed it on the way, `thread_counts`
    holds every number that it computed with since it was last started, in order of first use.
    """

    processor: str
    cores: int
    threads: int
    torch: str
    transformers: str
    thread_counts: tuple[int, ...] = field(default=())


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
    score: float
    score_standard_error: float
    teacher_score: float
    teacher_standard_error: float
    untrained_score: float
    untrained_standard_error: float
    test_examples: int
    dev_score: float
    teacher_dev_score: float
    size_bytes_float32: int
    size_bytes_packed: int
    steps: int
    train_seconds: float
    total_seconds: float
    machine: Machine
    layers: tuple[LayerReport, ...] = field(default=())
    scores: tuple[Measured, ...] = field(default=())
    threshold: float = 0.0
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
    """

    task: str
    model: str
    labels: tuple[str, ...]
    train: TrainRecipe
    seed: int
    dev: Score
    test: Score
    parameters: int
    shared_embedding: str
    train_seconds: float
    machine: Machine
    fine_tuned: bool = True
    scores: tuple[Measured, ...] = field(default=())
    threshold: float = 0.0
    data_revision: str = ""
    model_revision: str = ""
