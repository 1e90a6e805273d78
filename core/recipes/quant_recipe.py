"""How weights and activations are quantized."""

from collections.abc import Mapping
from dataclasses import dataclass

from core.errors import InputError
from core.option_fields import check, option
from core.recipes.matrix_bits import MatrixBits, exceptions, spelled
from core.serialization import Among, Range, coerce_fields

WEIGHT_BITS = (1, 2, 3, 4, 8, 32)
ACTIVATION_BITS = (8, 4, 1, 32)
STAGE_BITS = (8, 4, 3)
GRANULARITIES = ("layer", "row", "group-128", "group-64", "group-32")
ACTIVATIONS = ("minmax", "symmetric", "lsq", "elastic")
LEARNED_ACTIVATIONS = ("lsq", "elastic")
ONE_BIT_ACTIVATIONS = ("elastic",)  # the others have no levels of one bit
ACTIVATION_SCOPES = ("tensor", "token", "static")
LEARNED_AS, STARTS = ("step", "clip"), ("mean", "percentile", "kl")
STEP_GRADIENTS, WEIGHT_GRADIENTS = ("scaled", "plain"), ("clipped", "straight")
CALIBRATIONS = ("minmax", "percentile", "mse", "kl")
PARTS = ("embedding", "attention", "feed-forward", "pooler")
_BITS = (
    "1 bit: -1 or +1 (binary methods only), 2 bits: three levels (-1, 0, +1). 3, 4, 8 bits: 7, 15, "
    "255 levels. 32: left alone."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantRecipe:
    """How weights and activations are quantized; the default is the paper's W2-E2-A8.

    Bits of 32 leave a tensor alone. Granularity "layer" gives one scale to a matrix, "row" one
    to each of its rows, "group-64" one to every 64 columns of each row. `parts` and `layers`
    choose what is quantized at all (`layers` empty: every encoder layer). `stages` are the bits
    that training passes through on its way down, in equal shares of the steps: (8, 4) and 2 weight
    bits train a third at each. `matrix_bits` are exceptions for single matrices (see
    `core.recipes.matrix_bits`), whatever parts and layers say.
    """

    method: str = option(
        "twn",
        "Method",
        "The rule that turns float weights into a few levels: which threshold, which scale.",
        widget="name",
    )
    weight_bits: int = option(2, "Weight bits", _BITS, Among(WEIGHT_BITS))
    weight_granularity: str = option(
        "layer",
        "Weight scale per",
        "One scale for the whole matrix (layer), one for each of its rows (row), or one for every "
        "128, 64 or 32 columns of each row (group): nearer levels, more bytes.",
        Among(GRANULARITIES),
        what="Weight granularity",
    )
    embedding_bits: int = option(2, "Embedding bits", _BITS, Among(WEIGHT_BITS))
    embedding_granularity: str = option(
        "row",
        "Embedding scale per",
        "One scale for the whole embedding (layer), one for each word (row), or one for every 128, "
        "64 or 32 numbers of each word (group): nearer levels, more bytes.",
        Among(GRANULARITIES),
        what="Embedding granularity",
    )
    activation_bits: int = option(
        8,
        "Activation bits",
        "Every input of a matrix product is rounded to 2^bits levels on the fly; 1: of an elastic "
        "range only; 32: left alone.",
        Among(ACTIVATION_BITS),
    )
    activation: str = option(
        "minmax",
        "Activation range",
        "minmax: from the smallest to the largest value, with a zero point. symmetric: the same "
        "distance to both sides of zero. lsq: its step is learned. elastic: step and shift are "
        "learned.",
        Among(ACTIVATIONS),
    )
    parts: tuple[str, ...] = option(
        PARTS,
        "Parts",
        "What is quantized (on the command line with commas).",
        Among(PARTS),
        what="Part",
        box="What is quantized",
    )
    layers: tuple[int, ...] = option(
        (),
        "Encoder layers",
        "Numbers from 0 of the layers that are quantized, with commas; empty for all.",
        Range(0, 999),
        what="Layer number",
        box="What is quantized",
    )
    stages: tuple[int, ...] = option(
        (),
        "Stages of bits",
        "Weight bits that training passes through first, with commas, e.g. 8,4; empty for none.",
        Among(STAGE_BITS),
        what="The bits of a stage",
        box="More",
        later=True,
    )
    activation_scope: str = option(
        "tensor",
        "Activation scope",
        "What a range is of. tensor: of all texts that are computed together. token: of each token "
        "by itself. static: fixed before training. With the last two a text's answer does not "
        "depend on its batch mates.",
        Among(ACTIVATION_SCOPES),
        box="More",
        later=True,
    )
    calibration: str = option(
        "minmax",
        "Calibration",
        "Where a static range ends. minmax: it holds all that was seen. percentile: all but a "
        "thousandth. mse: least squared error. kl: the distribution stays most alike.",
        Among(CALIBRATIONS),
        box="More",
        later=True,
    )
    calibration_texts: int = option(
        128,
        "Calibration texts",
        "Training texts that are read before training to find static ranges.",
        Range(1, 10_000),
        box="More",
        step=16,
        later=True,
    )
    learned_as: str = option(
        "step",
        "What lsq learns",
        "step: the distance between two levels. clip: the outermost level, as in KDLSQ-BERT.",
        Among(LEARNED_AS),
        box="More",
        later=True,
    )
    learned_start: str = option(
        "mean",
        "Start of weights' learned steps",
        "mean: from the mean magnitude. percentile: 2.5 % are cut off at each side. kl: the clip "
        "of least KL divergence.",
        Among(STARTS),
        box="More",
        later=True,
    )
    learned_gradient: str = option(
        "scaled",
        "Gradient of learned steps",
        "scaled: by 1 / sqrt(numbers x levels), as in LSQ. plain: as it is.",
        Among(STEP_GRADIENTS),
        box="More",
        later=True,
    )
    weight_gradient: str = option(
        "clipped",
        "Gradient of weights under lsq",
        "clipped: none for weights beyond the outermost level. straight: for all.",
        Among(WEIGHT_GRADIENTS),
        box="More",
        later=True,
    )
    matrix_bits: tuple[str, ...] = option(
        (),
        "Bits by matrix",
        "Matrices with bits of their own, with commas: name=bits, and with /scale per/method "
        "behind where these differ too, as in encoder.0.key=4/row/lat.",
        empty="none: all alike",
        box="What is quantized",
        later=True,
    )

    def __post_init__(self) -> None:
        coerce_fields(self)
        check(self)
        if self.activation in LEARNED_ACTIVATIONS and self.activation_scope == "token":
            raise InputError(
                f"The activation range {self.activation} is learned, one for all tokens, so its "
                "scope cannot be token. Choose another scope, or a range that is measured."
            )
        if self.activation_bits == 1 and self.activation not in ONE_BIT_ACTIVATIONS:
            raise InputError(
                f"The activation range {self.activation} has no levels of 1 bit. Choose the range "
                f"{' or '.join(ONE_BIT_ACTIVATIONS)}, or more bits."
            )
        # One spelling per option: order and repetition carry no meaning, so they are removed.
        object.__setattr__(self, "parts", tuple(part for part in PARTS if part in self.parts))
        object.__setattr__(self, "layers", tuple(sorted(set(self.layers))))
        usual = (self.weight_granularity, self.embedding_granularity)
        own = spelled(self.matrix_bits, WEIGHT_BITS, GRANULARITIES, self.method, usual)
        object.__setattr__(self, "matrix_bits", own)

    @property
    def keeps_texts_apart(self) -> bool:
        """Whether a text's logits must not depend on the texts that are computed with it."""
        return self.activation_scope != "tensor"

    @property
    def label(self) -> str:
        """The paper's shorthand: weight-embedding-activation bits, e.g. "2-2-8", and how many
        matrices have bits of their own: "2-2-8 (5 own)"."""
        own = f" ({len(self.matrix_bits)} own)" if self.matrix_bits else ""
        return f"{self.weight_bits}-{self.embedding_bits}-{self.activation_bits}{own}"

    @property
    def own(self) -> Mapping[str, MatrixBits]:
        """The matrices with bits of their own, by name."""
        return exceptions(self.matrix_bits)
