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

from core.errors import InputError, one_of, within
from core.records import LATER_FIELD, identity_json, settle

WEIGHT_BITS = (2, 3, 4, 8, 32)
ACTIVATION_BITS = (8, 4, 32)
GRANULARITIES = ("layer", "row")
ACTIVATIONS = ("minmax", "symmetric", "lsq")
PARTS = ("embedding", "attention", "feed-forward", "pooler")
PRECISIONS = ("fp32", "bf16")
_FIRST = ("hidden", "attention", "logits", "labels")
SUMMED = (*_FIRST, "attention_maps", "attention_outputs", "margins")  # in this order
SCHEDULES = ("linear", "cosine", "constant")
LATER = {LATER_FIELD: True}
USUAL_FAMILY = "bert"
# Two runs that differ only in these tell the same story; their numbers differ by rounding, or
# their curves have more points. Still part of the identity: a run says what was computed.
HARDLY_MATTER = ("precision", "evaluate_every")


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantRecipe:
    """How weights and activations are quantized; the default is the paper's W2-E2-A8.

    Bits of 32 leave a tensor alone. Granularity "layer" gives one scale to a matrix, "row" one
    to each of its rows. `parts` and `layers` choose what is quantized at all (`layers` empty:
    every encoder layer). `stages` are the bits that training passes through on its way down, in
    equal shares of the steps: (8, 4) and 2 weight bits train a third at each.
    """

    method: str = "twn"
    weight_bits: int = 2
    embedding_bits: int = 2
    activation_bits: int = 8
    weight_granularity: str = "layer"
    embedding_granularity: str = "row"
    activation: str = "minmax"
    parts: tuple[str, ...] = PARTS
    layers: tuple[int, ...] = ()
    stages: tuple[int, ...] = field(default=(), metadata=LATER)

    def __post_init__(self) -> None:
        settle(self)
        for bits in self.stages:
            one_of("The bits of a stage", bits, (8, 4, 3))
        one_of("Weight bits", self.weight_bits, WEIGHT_BITS)
        one_of("Embedding bits", self.embedding_bits, WEIGHT_BITS)
        one_of("Activation bits", self.activation_bits, ACTIVATION_BITS)
        one_of("Weight granularity", self.weight_granularity, GRANULARITIES)
        one_of("Embedding granularity", self.embedding_granularity, GRANULARITIES)
        one_of("Activation range", self.activation, ACTIVATIONS)
        for part in self.parts:
            one_of("Part", part, PARTS)
        for layer in self.layers:
            within("Layer number", layer, 0, 999)
        # One spelling per option: order and repetition carry no meaning, so they are removed.
        object.__setattr__(self, "parts", tuple(part for part in PARTS if part in self.parts))
        object.__setattr__(self, "layers", tuple(sorted(set(self.layers))))

    @property
    def label(self) -> str:
        """The paper's shorthand: weight-embedding-activation bits, e.g. "2-2-8"."""
        return f"{self.weight_bits}-{self.embedding_bits}-{self.activation_bits}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DistillRecipe:
    """Weights of the losses (PAPER 3: hidden + attention + logits, no labels).

    `attention_maps` compares the attention probabilities (KL divergence) and `attention_outputs`
    what attention gives to the next layer (MSE), beside or in place of the scores. `margins` is for
    rankings: by how much the teacher prefers one candidate to another (Margin-MSE).
    """

    hidden: float = 1.0
    attention: float = 1.0
    logits: float = 1.0
    labels: float = 0.0
    temperature: float = 1.0
    attention_maps: float = field(default=0.0, metadata=LATER)
    attention_outputs: float = field(default=0.0, metadata=LATER)
    margins: float = field(default=0.0, metadata=LATER)
    language_steps: int = field(default=0, metadata=LATER)

    def __post_init__(self) -> None:
        settle(self)
        for name in SUMMED:
            words = name.replace("_", " ")
            within(f"The weight of the {words} loss", getattr(self, name), 0.0, 1000.0)
        within("The distillation temperature", self.temperature, 0.1, 100.0)
        within("Steps that distil language", self.language_steps, 0, 1_000_000)
        if not any(weight for _, weight in self.weights()):
            raise InputError("All losses are off, so nothing can be learned. Turn one on.")

    def weights(self) -> tuple[tuple[str, float], ...]:
        """(loss, weight) of every loss, in the order in which they are summed."""
        return tuple((name, getattr(self, name)) for name in SUMMED)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainRecipe:
    """How long and how fast: AdamW, linear warm-up over `warmup` of the steps, then `schedule`.

    `clip` bounds the norm of all gradients together (0: it does not). `dropout` is the student's.
    With `averaging` the student that counts is the mean of its latent weights over that last
    share of the steps. `examples` is how many of the task's training examples there are to learn
    from, drawn from the seed (0: all).

    With `augment`, training draws from the examples and `augment_copies` changed copies of each
    (PAPER 3): every word is replaced with `augment_probability` by one of `augment_candidates`
    words that the masked language model `augment_model` expects in its place (a folder or a hub
    id), or, with "", that lie nearest in the word embedding.
    """

    steps: int = 300
    batch_size: int = 32
    learning_rate: float = 1e-3
    step_learning_rate: float = 2e-4
    warmup: float = 0.1
    weight_decay: float = 0.01
    evaluate_every: int = 100
    max_tokens: int = 64
    precision: str = "fp32"
    augment: bool = False
    augment_model: str = ""
    augment_probability: float = 0.4
    augment_candidates: int = 15
    augment_copies: int = 20
    schedule: str = field(default="linear", metadata=LATER)
    clip: float = field(default=0.0, metadata=LATER)
    dropout: float = field(default=0.0, metadata=LATER)
    averaging: float = field(default=0.0, metadata=LATER)
    examples: int = field(default=0, metadata=LATER)

    def __post_init__(self) -> None:
        settle(self)
        within("Steps", self.steps, 1, 1_000_000)
        within("Batch size", self.batch_size, 1, 1024)
        within("Learning rate", self.learning_rate, 1e-8, 1.0)
        within("Learning rate of learned steps", self.step_learning_rate, 1e-8, 1.0)
        within("Warm-up (a share of the steps)", self.warmup, 0.0, 1.0)
        within("Weight decay", self.weight_decay, 0.0, 1.0)
        within("Steps between evaluations", self.evaluate_every, 1, 1_000_000)
        within("Tokens per text", self.max_tokens, 8, 512)
        one_of("Precision", self.precision, PRECISIONS)
        within("The share of replaced words", self.augment_probability, 0.0, 1.0)
        within("Candidates per word", self.augment_candidates, 1, 100)
        within("Copies per example", self.augment_copies, 1, 100)
        one_of("Schedule", self.schedule, SCHEDULES)
        within("The largest norm of the gradients", self.clip, 0.0, 1e6)
        within("Dropout", self.dropout, 0.0, 0.9)
        within("Averaging (a share of the steps)", self.averaging, 0.0, 1.0)
        within("Training examples", self.examples, 0, 1_000_000_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """Task, model, recipes and seed: all that a run depends on.

    `student_model` is a backbone that the student starts from; with "" it is a copy of the teacher.
    `family` is the architecture of both.
    """

    task: str = "movie-sentiment"
    model: str = "minilm-l3"
    quant: QuantRecipe = field(default_factory=QuantRecipe)
    distill: DistillRecipe = field(default_factory=DistillRecipe)
    train: TrainRecipe = field(default_factory=TrainRecipe)
    seed: int = 0
    student_model: str = field(default="", metadata=LATER)
    family: str = field(default=USUAL_FAMILY, metadata=LATER)

    def __post_init__(self) -> None:
        settle(self)
        _check_names(self.seed, task=self.task, model=self.model, family=self.family)
        if self.student_model:
            _check_names(self.seed, model=self.student_model)
        within("Steps that distil language", self.distill.language_steps, 0, self.train.steps)

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
        settle(self)
        _check_names(self.seed, task=self.task, model=self.model)

    @property
    def run_id(self) -> str:
        """First 12 hex digits of the SHA-256 of the canonical JSON, as for an experiment."""
        return _digest(self)

    @property
    def title(self) -> str:
        """A short human name, e.g. "teacher minilm-l3 for movie-sentiment, 760 steps"."""
        how = f"{self.train.steps} steps, seed {self.seed}" if self.fine_tune else "as it is"
        return f"teacher {self.model} for {self.task}, {how}"


def _check_names(seed: int, **names: str) -> None:
    within("Seed", seed, 0, 2**31 - 1)
    for what, value in names.items():
        if not value.strip() or len(value) > 500 or "\0" in value:
            raise InputError(f"The {what} needs a name of 1 to 500 characters.")


@functools.lru_cache(maxsize=4000)  # pages ask again and again
def _digest(order: Experiment | Teaching) -> str:
    return hashlib.sha256(identity_json(order).encode()).hexdigest()[:12]
