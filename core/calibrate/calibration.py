"""What can be done to a quantized model without training it: the choices, as values.

    nearest    each weight to its nearest level, as a rule does
    gptq       column by column; the error of a column is made up for in those to come (`gptq`)
    adaround   all roundings of a matrix searched together, up or down (`adaround`)

and beside either of them

    bias       the mean error of every output goes into its bias (`bias_correction`)
    smoothing  what is hard to round moves from activations into weights first (`smoothing`)
"""

from dataclasses import dataclass

from core.errors import one_of, within

NEAREST, GPTQ, ADAROUND = "nearest", "gptq", "adaround"
ROUNDINGS = (NEAREST, GPTQ, ADAROUND)
TEXTS = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """`damping` is what GPTQ adds to the diagonal of the Hessian, as a share of its mean;
    `iterations` are AdaRound's; `smoothing` is the share of the difficulty that moves into the
    weights, 0 for none."""

    rounding: str = NEAREST
    bias: bool = False
    smoothing: float = 0.0
    damping: float = 0.01
    iterations: int = 250

    def __post_init__(self) -> None:
        one_of("Rounding", self.rounding, ROUNDINGS)
        within("Smoothing", self.smoothing, 0.0, 1.0)
        within("Damping", self.damping, 1e-6, 10.0)
        within("The number of iterations", self.iterations, 1, 100_000)
