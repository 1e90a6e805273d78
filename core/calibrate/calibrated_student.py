"""A student that is quantized with care and not trained: the teacher, a recipe, some texts.

Matrices are taken in the order of the network, each with the inputs that it gets from what is
quantized already, so later ones can make up for what earlier ones did to their inputs. Tables are
looked up, not multiplied: each row stands alone, and its nearest levels are the best that there
are. Scales are those of the recipe's rule. What comes out is a student like any other; its packed
file, its score and its export know of no difference.
"""

from collections.abc import Callable, Generator, Sequence
from typing import Any

import torch
from torch import nn

from core.calibrate.adaround import learned_rounding
from core.calibrate.calibration import ADAROUND, GPTQ, Calibration
from core.calibrate.gptq import compensated
from core.calibrate.layer_inputs import LayerInputs, layer_inputs
from core.calibrate.smoothing import smoothed
from core.errors import InputError
from core.events import Preparing
from core.experiment import QuantRecipe
from core.family import Batch, Family
from core.models.layers import QuantLinear
from core.models.student import build_student
from core.quantizers.quantizer import Quantized

FindRanges = Callable[[Any, Any], Generator[Preparing]]  # (student, what it is a copy of)


def calibrated(
    teacher: Any,
    recipe: QuantRecipe,
    family: Family,
    batches: Sequence[Batch],
    calibration: Calibration,
    find_ranges: FindRanges | None = None,
) -> Generator[Preparing, None, Any]:
    """The calibrated student, in eval mode, as the return value; the teacher is untouched. The
    same texts give the same student. `find_ranges` gives the student its static ranges of
    activations, where the recipe has them. Raises InputError as `build_student` does, and without
    texts.
    """
    if not batches:
        raise InputError("Calibration needs at least one text.")
    if calibration.smoothing:
        yield Preparing(text="Smoothing activations")
        teacher = smoothed(teacher, family, batches, calibration.smoothing)
    student = build_student(teacher, recipe, family)
    if find_ranges is not None:
        yield from find_ranges(student, teacher)
    layers = (
        _layers(student) if calibration.rounding in (GPTQ, ADAROUND) or calibration.bias else []
    )
    for done, layer in enumerate(layers):
        yield Preparing(text="Calibrating matrix by matrix", done=done, total=len(layers))
        _calibrate(layer, layer_inputs(student, family, batches, layer), calibration)
    return student


def _layers(student: nn.Module) -> list[QuantLinear]:
    """The layers whose weights are quantized, in the order of the network."""
    found = (module for module in student.modules() if isinstance(module, QuantLinear))
    return [layer for layer in found if layer.weight_quantizer is not None]


@torch.no_grad()
def _calibrate(layer: QuantLinear, inputs: LayerInputs, calibration: Calibration) -> None:
    assert layer.weight_quantizer is not None
    start = layer.weight_quantizer.quantize(layer.weight)
    found = _rounded(layer, start, inputs, calibration)
    layer.weight_quantizer.give(found)
    if calibration.bias and layer.bias is not None:
        layer.bias.add_(mean_error(layer.weight, found, inputs).to(layer.bias.dtype))


def _rounded(
    layer: QuantLinear, start: Quantized, inputs: LayerInputs, calibration: Calibration
) -> Quantized:
    if calibration.rounding == GPTQ:
        return compensated(layer.weight, start, inputs.gram, calibration.damping)
    if calibration.rounding == ADAROUND:
        return learned_rounding(layer.weight, start, inputs.gram, calibration.iterations)
    return start


def mean_error(weight: torch.Tensor, found: Quantized, inputs: LayerInputs) -> torch.Tensor:
    """What every output lacks on average, (rows,) float64: (W - V) times the mean input. Added to
    the bias, it makes the outputs right on average (bias correction: Nagel et al., arXiv
    1906.04721)."""
    return (weight.double() - found.dequantize().double()) @ inputs.mean
