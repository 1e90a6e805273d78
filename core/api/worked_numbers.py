"""The formulas with numbers put in: of a matrix, of a few examples, of a model's bytes."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.api.models import OpenModel
from core.api.weight_views import matrix_of, sentences
from core.experiment import DistillRecipe, QuantRecipe

if TYPE_CHECKING:
    from torch import Tensor

    from core.analysis.worked import Worked
    from core.analysis.worked_step import WorkedLoss, WorkedStep
    from core.packed.audit import Expected

STEP_EXAMPLES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class MatrixBytes:
    """What one matrix takes: in float32, its codes in the file (and in base 3, of two bits), and
    its scales in float32."""

    numbers: int
    bits: int
    size_bytes_float32: int
    code_bytes: int
    base_3_bytes: int
    scales: int

    @property
    def scale_bytes(self) -> int:
        """Four for each."""
        return 4 * self.scales

    @property
    def lines(self) -> tuple[str, ...]:
        """The arithmetic as lines of LaTeX."""
        from core.quantizers.registry import latex_number

        n, whole, codes, scales, base_3 = map(
            latex_number,
            (
                self.numbers,
                self.size_bytes_float32,
                self.code_bytes,
                self.scales,
                self.base_3_bytes,
            ),
        )
        packed = self.code_bytes + self.scale_bytes
        found = (
            rf"4\,n = 4 \cdot {n} = {whole}\ \text{{bytes in float32}}",
            rf"\frac{{m\,n}}{{8}} + 4\,s = "
            rf"\frac{{{self.bits} \cdot {n}}}{{8}} + 4 \cdot {scales} = "
            rf"{codes} + {latex_number(self.scale_bytes)} = {latex_number(packed)}\ \text{{bytes}}",
            rf"\frac{{{whole}}}{{{latex_number(packed)}}} = "
            rf"{latex_number(self.size_bytes_float32 / packed)}\ \text{{times smaller}}",
        )
        if self.base_3_bytes == self.code_bytes:
            return found
        return (*found, rf"\text{{codes in base 3: }} n / 5 = {base_3}\ \text{{bytes}}")


def worked_matrix(
    opened: OpenModel,
    name: str,
    quant: tuple[str, int, str],
    row: int = 0,
    importance: "Tensor | None" = None,
) -> "Worked":
    """A matrix (or, with a scale for each row, one row) under (method, bits, granularity), step by
    step. Raises InputError for what cannot be quantized like this."""
    from core.analysis.worked import worked

    method, bits, granularity = quant
    weight = matrix_of(opened, name)
    return worked(weight, method, bits, granularity, row=row, importance=importance)


def worked_step(opened: OpenModel, quant: QuantRecipe) -> "WorkedStep":
    """Activations and losses of eight dev examples, the model against itself quantized.

    Raises InputError when the task's text is not on this computer.
    """
    import numpy as np

    from core.analysis import worked_step

    encoded = sentences(opened, "dev", STEP_EXAMPLES)
    batch = opened.family.collate(encoded, np.arange(len(encoded)))
    return worked_step.worked_step(opened.model, opened.family, opened.target, batch, quant)


def loss_formulas() -> "tuple[WorkedLoss, ...]":
    """Every term of the loss with its formula and its usual weight."""
    from core.analysis import worked_step

    return worked_step.loss_formulas(DistillRecipe())


def range_formulas() -> tuple[tuple[str, str], ...]:
    """(kind, LaTeX) of every kind of activation range."""
    from core.analysis import worked_step

    return worked_step.range_formulas()


def matrix_bytes(opened: OpenModel, name: str, bits: int, granularity: str) -> MatrixBytes:
    """The arithmetic of one matrix."""
    from core.packed.choices import LAYOUTS
    from core.packed.codes import packed_size
    from core.quantizers.groups import scale_shape

    weight = matrix_of(opened, name)
    count = weight.numel()
    code_bytes, base_3_bytes = (packed_size(count, bits, layout) for layout in LAYOUTS)
    return MatrixBytes(
        numbers=count,
        bits=bits,
        size_bytes_float32=4 * count,
        code_bytes=code_bytes,
        base_3_bytes=base_3_bytes,
        scales=math.prod(scale_shape(weight.shape[0], weight.shape[1], granularity)),
    )


def size_arithmetic(opened: OpenModel, quant: QuantRecipe) -> "tuple[Expected, ...]":
    """The paper's arithmetic for a whole model: its rows of numbers and bytes."""
    from core.packed.audit import arithmetic, told_by

    shapes = {name: tuple(value.shape) for name, value in opened.model.named_parameters()}
    return arithmetic(opened.family, shapes, **told_by(quant))
