"""An experiment is its own name.

Everything that decides what a run computes is in one frozen value, `Experiment`: which task and
model, how to quantize, what to distil, how to train, which seed. Its canonical JSON is hashed to
`run_id`, so caching, sharing by URL, de-duplication ("thirty students, one run") and
reproducibility are one mechanism. Standard library only: pages and the command line read it
without waiting for torch.
"""

import functools
import hashlib
from dataclasses import dataclass, field
from typing import TypeAlias

from core.errors import InputError, within
from core.option_fields import check, option
from core.recipes.distill_recipe import SUMMED, DistillRecipe
from core.recipes.quant_recipe import (
    ACTIVATION_BITS,
    ACTIVATION_SCOPES,
    ACTIVATIONS,
    CALIBRATIONS,
    GRANULARITIES,
    LEARNED_ACTIVATIONS,
    ONE_BIT_ACTIVATIONS,
    PARTS,
    WEIGHT_BITS,
    QuantRecipe,
)
from core.recipes.train_recipe import PRECISIONS, SCHEDULES, TrainRecipe
from core.serialization import LATER_FIELD, Range, coerce_fields, identity_json

__all__ = [
    "ACTIVATIONS",
    "ACTIVATION_BITS",
    "ACTIVATION_SCOPES",
    "CALIBRATIONS",
    "GRANULARITIES",
    "HARDLY_MATTER",
    "LATER",
    "LEARNED_ACTIVATIONS",
    "ONE_BIT_ACTIVATIONS",
    "PARTS",
    "PRECISIONS",
    "SCHEDULES",
    "SUMMED",
    "USUAL_FAMILY",
    "WEIGHT_BITS",
    "DistillRecipe",
    "Experiment",
    "QuantRecipe",
    "Teaching",
    "TrainRecipe",
]
LATER = {LATER_FIELD: True}
USUAL_FAMILY = "bert"
# Two runs that differ only in these tell the same story; their numbers differ by rounding, or
# their curves have more points. Still part of the identity: a run says what was computed.
HARDLY_MATTER = ("precision", "evaluate_every")
_SEEDS = Range(0, 2**31 - 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """Task, model, recipes and seed: all that a run depends on.

    `student_model` is a backbone that the student starts from; with "" it is a copy of the teacher.
    `family` is the architecture of both.
    """

    task: str = option(
        "movie-sentiment",
        "Task",
        "What is learned; `python -m core tasks` lists them.",
        widget="name",
    )
    model: str = option(
        "minilm-l3",
        "Model",
        "Backbone of teacher and student: an embedded one, a folder with a BERT (safetensors) or a "
        "hub id.",
        widget="name",
    )
    quant: QuantRecipe = field(default_factory=QuantRecipe)
    distill: DistillRecipe = field(default_factory=DistillRecipe)
    train: TrainRecipe = field(default_factory=TrainRecipe)
    seed: int = option(
        0,
        "Seed",
        "Another seed is another order of the training sentences: the spread between seeds is the "
        "luck in a result.",
        _SEEDS,
        box="Training",
    )
    student_model: str = option(
        "",
        "Student starts from",
        "A backbone, with fewer layers perhaps: an embedded one, a folder or a hub id. Without it: "
        "a copy of the teacher.",
        empty="none: a copy of the teacher",
        box="More",
        widget="name",
        later=True,
    )

    family: str = option(
        USUAL_FAMILY,
        "Family",
        "The architecture of teacher and student, which is that of the teacher.",
        box="More",
        widget="given",
        later=True,
    )

    def __post_init__(self) -> None:
        coerce_fields(self)
        check(self)
        _check_names(task=self.task, model=self.model, family=self.family)
        if self.student_model:
            _check_names(model=self.student_model)
        within("Steps that distil language", self.distill.language_steps, 0, self.train.steps)

    @property
    def models_read(self) -> tuple[str, ...]:
        """Models that computing it reads, beside the teacher, which is kept with its task: what
        the student starts from, the language model, and the one that proposes words."""
        names = (
            self.student_model,
            self.model if self.distill.language_steps else "",
            self.train.augment_model if self.train.augment else "",
        )
        return tuple(name for name in names if name)

    @property
    def run_id(self) -> str:
        """First 12 hex digits of the SHA-256 of the canonical JSON."""
        return _digest(self)

    @property
    def title(self) -> str:
        """A short human name, e.g. "movie-sentiment, minilm-l3, twn 2-2-8 layer, 300 steps, seed
        0"."""
        quant = self.quant
        student = f" for {self.student_model}" if self.student_model else ""
        return (
            f"{self.task}, {self.model}{student}, {quant.method} {quant.label} "
            f"{quant.weight_granularity}, {self.train.steps} steps, seed {self.seed}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Teaching:
    """Make a teacher: fine-tune `model` on `task` in full precision, or, without `fine_tune`, take
    a checkpoint that was fine-tuned elsewhere as it is and only score it."""

    task: str
    model: str
    fine_tune: bool = True
    train: TrainRecipe = field(
        default_factory=lambda: TrainRecipe(steps=760, learning_rate=5e-5, evaluate_every=200)
    )
    seed: int = 0

    def __post_init__(self) -> None:
        coerce_fields(self)
        _SEEDS.check("Seed", self.seed)
        _check_names(task=self.task, model=self.model)

    @property
    def models_read(self) -> tuple[str, ...]:
        """Models that computing it reads."""
        return (self.model,)

    @property
    def run_id(self) -> str:
        """First 12 hex digits of the SHA-256 of the canonical JSON, as for an experiment."""
        return _digest(self)

    @property
    def title(self) -> str:
        """A short human name, e.g. "teacher minilm-l3 for movie-sentiment, 760 steps"."""
        how = f"{self.train.steps} steps, seed {self.seed}" if self.fine_tune else "as it is"
        return f"teacher {self.model} for {self.task}, {how}"


def _check_names(**names: str) -> None:
    for what, value in names.items():
        if not value.strip() or len(value) > 500 or "\0" in value:
            raise InputError(f"The {what} needs a name of 1 to 500 characters.")


Job: TypeAlias = Experiment | Teaching
"""What a run computes: a student's training, or a teacher's."""


@functools.lru_cache(maxsize=4000)  # pages ask again and again
def _digest(job: Job) -> str:
    return hashlib.sha256(identity_json(job).encode()).hexdigest()[:12]
