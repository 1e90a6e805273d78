"""Settings worth looking at, good and bad, with the reason: which runs, and what they must show.

A setting is a case of a grid that ships with its runs, held against another case of it. No figure
stands here: scores and intervals are read from the runs whenever somebody looks, and so is whether
the runs show what is claimed (`core.api.curated`; tests/core/test_good_and_bad.py asks for it
of all of them).
"""

from dataclasses import dataclass

WORSE, BETTER, NO_DIFFERENCE = "worse", "better", "no difference shown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A case of a grid against another of its cases. claim: "worse", "better" or "no difference
    shown". `other` is what a sentence calls what it is held against."""

    title: str
    grid: str
    case: str
    against: str
    other: str
    claim: str
    reason: str


SETTINGS = (
    Setting(
        title="Two bits by the largest weight",
        grid="ablation-methods",
        case="uniform",
        against="twn",
        other="TWN's threshold",
        claim=WORSE,
        reason="One outlier sets the scale, and every weight below half of it becomes zero: hardly "
        "any weight is left to learn with.",
    ),
    Setting(
        title="500 examples and their labels alone",
        grid="distillation-data-steps",
        case="500 examples, labels",
        against="500 examples, distillation",
        other="the teacher's answers to the same 500",
        claim=WORSE,
        reason="A label is one bit about a sentence. The teacher's hidden states and logits say "
        "how it got there, so the same sentences teach more.",
    ),
    Setting(
        title="A learning rate that never falls",
        grid="recipe-details",
        case="constant rate",
        against="as it is",
        other="one that falls to zero",
        claim=WORSE,
        reason="A latent weight near a threshold is thrown from one code to the other by every "
        "large step. Only small steps let the codes settle.",
    ),
    Setting(
        title="Logits without hidden states and attention",
        grid="ablation-distillation",
        case="without hidden states and attention",
        against="full",
        other="all three losses",
        claim=WORSE,
        reason="The logits tell only the last layer what to do. The other two losses tell every "
        "layer, so errors are mended where they arise.",
    ),
    Setting(
        title="Activations in 4 bits",
        grid="ablation-bits",
        case="2-2-4",
        against="2-2-8",
        other="8 bits",
        claim=WORSE,
        reason="The range of the activations is set by a few outliers. With 16 levels across it, "
        "most values share two or three of them.",
    ),
    Setting(
        title="A learning rate five times as high",
        grid="recipe-minilm-l6",
        case="0.001",
        against="0.0002",
        other="0.0002",
        claim=BETTER,
        reason="A code changes only when its latent weight crosses a threshold. Steps that are "
        "right for float weights are too small to get there in 300 of them.",
    ),
    Setting(
        title="Eight bits everywhere",
        grid="ablation-bits",
        case="8-8-8",
        against="2-2-8",
        other="two bits for weights and words",
        claim=NO_DIFFERENCE,
        reason="Once a student is trained while quantized, two bits do here. The eight make the "
        "file almost four times as large.",
    ),
    Setting(
        title="One scale for the whole word embedding",
        grid="ablation-granularity",
        case="embedding layer, weights layer",
        against="embedding row, weights layer",
        other="a scale for every word",
        claim=NO_DIFFERENCE,
        reason="The paper gives each word its own scale. On this model and text no difference is "
        "shown; that is no proof that there is none.",
    ),
)
