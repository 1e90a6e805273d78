"""What quantizing one matrix does to the model, at every number of bits: predicted, or measured.

Predicted: a weight w that becomes q raises the loss by about F (w - q)^2 / 2, where F is the
Fisher information, the mean square of the loss's gradient. The gradients were taken once, of whole
batches, so the sum is right up to a factor that all matrices share: only ratios of it mean
something.

Measured: one matrix at a time is quantized, and what counts is how far the model's answers move,
squared and relative to their own square.

Both add up matrix by matrix, as if one error did not know of another. That is what makes an exact
choice possible, and it is not quite true: the score of the whole, at the end, is what decides.
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor

from core.analysis.matrix_view import matrices
from core.analysis.sensitivity import FewRows, answers, moved_by
from core.events import Preparing
from core.experiment import QuantRecipe
from core.family import Batch, Family, Matrix
from core.models.matrix_choices import choice_of
from core.quantizers.blocks import row_blocks
from core.quantizers.error import quantized_blocks
from core.quantizers.quantizer import Quantized, quantize

PREDICTED, MEASURED = "predicted", "measured"
LEFT_ALONE = 32
Judge = Callable[[Matrix, Tensor, Quantized], float]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MatrixLosses:
    """`of[name][bits]` is the loss of one matrix, 0 where it is left alone."""

    how: str
    of: Mapping[str, Mapping[int, float]]

    def total(self, bits: Mapping[str, int]) -> float:
        """Of a whole model with these bits by matrix."""
        return sum(self.of[name][each] for name, each in bits.items())


def predicted(
    model: Any,
    family: Family,
    recipe: QuantRecipe,
    widths: Sequence[int],
    importance: Mapping[str, FewRows],
) -> Generator[Preparing, None, MatrixLosses]:
    """By the importance of every weight, which is the root of F, and its rounding error; `recipe`
    says method and granularity."""

    def judge(matrix: Matrix, weight: Tensor, quantized: Quantized) -> float:
        return _fisher_error(weight, quantized, importance[matrix.name].whole())

    found = yield from _judged(model, family, recipe, widths, judge, importance)
    return MatrixLosses(how=PREDICTED, of=found)


def _fisher_error(weight: Tensor, quantized: Quantized, importance: Tensor) -> float:
    pairs = zip(quantized_blocks(weight, quantized), row_blocks(*weight.shape), strict=True)
    return 0.5 * sum(
        float(((value - latent) * importance[rows]).square().sum())
        for (latent, value), rows in pairs
    )


def measured(
    model: Any,
    family: Family,
    recipe: QuantRecipe,
    widths: Sequence[int],
    batches: list[Batch],
) -> Generator[Preparing, None, MatrixLosses]:
    """By what each matrix alone does to the answers to these batches."""
    exact = [answers(model, family, {}, batch) for batch in batches]

    def judge(matrix: Matrix, weight: Tensor, quantized: Quantized) -> float:
        replaced = {matrix.address: quantized.dequantize()}
        return moved_by(model, family, replaced, batches, exact, answers)

    found = yield from _judged(model, family, recipe, widths, judge, {})
    return MatrixLosses(how=MEASURED, of=found)


def _judged(
    model: Any,
    family: Family,
    recipe: QuantRecipe,
    widths: Sequence[int],
    judge: Judge,
    importance: Mapping[str, FewRows],
) -> Generator[Preparing, None, dict[str, dict[int, float]]]:
    """The loss of each matrix at each number of bits, in the order of the network."""
    weights, found = matrices(model, family), {}
    own = [matrix for matrix in family.matrices(model) if not matrix.tied_to]
    for done, matrix in enumerate(own):
        yield Preparing(text=f"Rounding {matrix.title}", done=done, total=len(own))
        weight, found[matrix.name] = weights[matrix.name], {}
        known = importance.get(matrix.name)
        for bits in widths:
            quantized = _quantized(matrix, weight, recipe, bits, known)
            loss = 0.0 if quantized is None else judge(matrix, weight, quantized)
            found[matrix.name][bits] = loss
    return found


def _quantized(
    matrix: Matrix, weight: Tensor, recipe: QuantRecipe, bits: int, importance: FewRows | None
) -> Quantized | None:
    """The matrix at these bits, otherwise as the recipe says; None at 32."""
    choice = choice_of(matrix, replace(recipe, matrix_bits=(f"{matrix.name}={bits}",)))
    if choice is None:
        return None
    return quantize(
        weight,
        method=choice.method,
        bits=choice.bits,
        granularity=choice.granularity,
        importance=None if importance is None else importance.whole(),
        name=matrix.name,
    )
