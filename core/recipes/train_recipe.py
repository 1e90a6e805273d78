"""How long and how fast the student is trained, and on which examples."""

from dataclasses import dataclass

from core.option_fields import check, option
from core.serialization import Among, Range, coerce_fields

PRECISIONS = ("fp32", "bf16")
SCHEDULES = ("linear", "cosine", "constant")
RATES = (2e-5, 5e-5, 1e-4, 2e-4, 3e-4, 5e-4, 1e-3, 2e-3)  # that the form offers
_COUNT, _RATE, _SHARE = Range(1, 1_000_000), Range(1e-8, 1.0), Range(0.0, 1.0)


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

    steps: int = option(300, "Steps", "Optimizer steps.", _COUNT, box="Training", step=10)
    batch_size: int = option(
        32, "Batch size", "Examples per step.", Range(1, 1024), box="More", step=8
    )
    learning_rate: float = option(
        1e-3,
        "Learning rate",
        "Peak learning rate of AdamW.",
        _RATE,
        box="Training",
        widget="marks",
        marks=RATES,
    )
    step_learning_rate: float = option(
        2e-4,
        "Learning rate of learned steps",
        "Peak learning rate of the quantization steps that are learned (lsq).",
        _RATE,
        box="More",
        step=1e-4,
    )
    warmup: float = option(
        0.1,
        "Warm-up (a share of the steps)",
        "Share of the steps in which the learning rate rises.",
        _SHARE,
        box="More",
        step=0.05,
    )
    weight_decay: float = option(
        0.01, "Weight decay", "AdamW's decay of the weights.", _SHARE, box="More", step=0.01
    )
    evaluate_every: int = option(
        100,
        "Steps between evaluations",
        "After so many steps the student is scored on dev.",
        _COUNT,
        box="More",
        step=10,
    )
    max_tokens: int = option(
        64, "Tokens per text", "Longer texts are cut.", Range(8, 512), box="More", step=8
    )
    precision: str = option(
        "fp32",
        "Precision",
        "Of matrix products. Without a choice the one that is faster on this machine.",
        Among(PRECISIONS),
        box="More",
    )
    augment: bool = option(
        False,
        "Train on changed copies too",
        "Copies of the examples in which some words are replaced by likely ones; the label stays.",
        box="Data augmentation",
    )
    augment_model: str = option(
        "",
        "Masked language model",
        "A folder with a BERT, or a hub id such as google-bert/bert-base-uncased, that proposes "
        "words. Without it: the nearest words of the embedding.",
        empty="none: nearest words of the embedding",
        box="Data augmentation",
    )
    augment_probability: float = option(
        0.4,
        "Words replaced",
        "Share of the words that a copy replaces.",
        _SHARE,
        what="The share of replaced words",
        box="Data augmentation",
        widget="slider",
        step=0.1,
    )
    augment_candidates: int = option(
        15,
        "Candidates",
        "Words to choose from in each place.",
        Range(1, 100),
        what="Candidates per word",
        box="Data augmentation",
        widget="slider",
    )
    augment_copies: int = option(
        20,
        "Copies of each",
        "Changed copies of each example.",
        Range(1, 100),
        what="Copies per example",
        box="Data augmentation",
        widget="slider",
    )
    schedule: str = option(
        "linear",
        "Schedule",
        "Learning rate after the warm-up: linear (to zero), cosine or constant.",
        Among(SCHEDULES),
        box="More",
        later=True,
    )
    clip: float = option(
        0.0,
        "Largest norm of the gradients",
        "All gradients together are scaled down to this norm; 0: no limit.",
        Range(0.0, 1e6),
        what="The largest norm of the gradients",
        box="More",
        step=0.5,
        later=True,
    )
    dropout: float = option(
        0.0,
        "Dropout",
        "Dropout of the student; the paper's students have none.",
        Range(0.0, 0.9),
        box="More",
        step=0.05,
        later=True,
    )
    averaging: float = option(
        0.0,
        "Averaging (a share of the steps)",
        "The latent weights are averaged over this last share of the steps; 0: none.",
        _SHARE,
        box="More",
        step=0.05,
        later=True,
    )
    examples: int = option(
        0,
        "Training examples",
        "Learn from no more than this many examples; 0: from all.",
        Range(0, 1_000_000_000),
        box="More",
        step=100,
        later=True,
    )

    activation_step_learning_rate: float = option(
        0.0,
        "Learning rate of activations' steps",
        "Peak learning rate of learned steps of activations (lsq); 0: that of all learned steps.",
        _SHARE,
        box="More",
        step=1e-3,
        later=True,
    )
    step_decay: float = option(
        0.0,
        "Decay of weights' steps",
        "AdamW's decay of learned steps of weights.",
        _SHARE,
        box="More",
        step=1e-5,
        later=True,
    )
    activation_step_decay: float = option(
        0.0,
        "Decay of activations' steps",
        "AdamW's decay of learned steps of activations.",
        _SHARE,
        box="More",
        step=1e-5,
        later=True,
    )

    def __post_init__(self) -> None:
        coerce_fields(self)
        check(self)
