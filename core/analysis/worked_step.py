"""Activations and distillation worked through on a few examples: the numbers of one step.

The activations are the first hidden states of the full-precision model, which is what the first
layer's query, key and value read. The losses are those between that model and itself quantized
without training: what a student begins with.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from string import Template
from typing import Any

import torch
from torch import Tensor

from core.experiment import (
    ACTIVATIONS,
    LEARNED_ACTIVATIONS,
    ONE_BIT_ACTIVATIONS,
    DistillRecipe,
    QuantRecipe,
)
from core.family import Batch, Family
from core.models.activation import ActivationQuantizer
from core.models.student import build_student
from core.quantizers.activations import FORMULAS as OF_RANGES
from core.quantizers.activations import activation_range
from core.quantizers.lsq import lsq
from core.quantizers.quantizer import levels
from core.quantizers.registry import Rows, latex_number
from core.targets.target import Target
from core.training.distillation_losses import FORMULAS as OF_LOSSES
from core.training.distillation_losses import losses, total

FIRST_STATES = "hidden"


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkedRange:
    """One kind of activation range on one tensor: its formula, the formula with numbers (LaTeX),
    and the mean squared error of the rounded values."""

    kind: str
    latex: str
    numbers: str
    mse: float


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkedLoss:
    """One term of the loss, unweighted; `value` is None where there are no numbers."""

    name: str
    latex: str
    weight: float
    value: float | None = None

    @property
    def line(self) -> str:
        """The term as a line of LaTeX, with its value where there is one."""
        name = self.name.replace("_", r"\ ")
        value = "" if self.value is None else f" = {latex_number(self.value)}"
        term, comma, where = self.latex.partition(r",\quad ")
        return rf"\mathcal{{L}}_{{\mathrm{{{name}}}}} = {term}{value}{comma}{where}"


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkedStep:
    """What there is to say of a few examples: the ranges of activations in `bits`, from so many
    `numbers`, the terms of the loss, and their weighted sum."""

    bits: int
    examples: int
    numbers: int
    ranges: tuple[WorkedRange, ...]
    losses: tuple[WorkedLoss, ...]
    total: float

    @property
    def total_line(self) -> str:
        """The weighted sum as a line of LaTeX; terms of weight 0 are left out."""
        parts = [
            rf"{one.weight:g} \cdot {latex_number(one.value)}"
            for one in self.losses
            if one.weight and one.value is not None
        ]
        return rf"\mathcal{{L}} = {' + '.join(parts)} = {latex_number(self.total)}"


def loss_formulas(recipe: DistillRecipe) -> tuple[WorkedLoss, ...]:
    """Every term with its formula and its weight, without numbers."""
    return tuple(
        WorkedLoss(name=name, latex=OF_LOSSES[name], weight=weight)
        for name, weight in recipe.weights()
    )


def range_formulas() -> tuple[tuple[str, str], ...]:
    """(kind, LaTeX) of every kind of activation range."""
    return tuple((kind, OF_RANGES[kind].latex) for kind in ACTIVATIONS)


def worked_step(
    model: Any, family: Family, target: Target, batch: Batch, quant: QuantRecipe
) -> WorkedStep:
    """Work through one batch; `model` is left as it is. Activations of 32 bits have no range, so
    `ranges` is then empty. Raises InputError for a recipe that the model cannot have."""
    recipe, wanted = DistillRecipe(), set(family.distances)
    student = build_student(model, quant, family)
    with torch.no_grad():
        theirs, ours = (family.forward(each, batch, wanted) for each in (model, student))
        terms = losses(ours, theirs, batch.labels, recipe, family, target)
    states = theirs.traces[FIRST_STATES][0]
    real = states.value[states.mask.expand_as(states.value) > 0]
    return WorkedStep(
        bits=quant.activation_bits,
        examples=len(batch.units),
        numbers=real.numel(),
        ranges=tuple(
            _range(kind, real, quant.activation_bits)
            for kind in ACTIVATIONS
            if quant.activation_bits > 1 or kind in ONE_BIT_ACTIVATIONS
        )
        if quant.activation_bits < 32
        else (),
        losses=_with_values(terms, recipe),
        total=float(total(terms, recipe)),
    )


def _with_values(terms: Mapping[str, Tensor], recipe: DistillRecipe) -> tuple[WorkedLoss, ...]:
    return tuple(
        WorkedLoss(name=one.name, latex=one.latex, weight=one.weight, value=float(terms[one.name]))
        for one in loss_formulas(recipe)
        if one.name in terms
    )


def _range(kind: str, x: Tensor, bits: int) -> WorkedRange:
    """One kind of range for the numbers x (n,)."""
    formula, low, high = OF_RANGES[kind], float(x.min()), float(x.max())
    if kind in LEARNED_ACTIVATIONS:
        scale, zero, top = float(lsq(Rows.of(x[None]), bits).scale), 0.0, levels(bits)
    else:
        scale, zero, _, top = activation_range(x, bits, kind)
    numbers = {
        "low": low,
        "high": high,
        "mean": float(x.abs().mean()),
        "top": top,
        "scale": scale,
        "zero": int(zero),
    }
    with torch.no_grad():
        rounded = ActivationQuantizer(bits, kind).eval()(x)
    return WorkedRange(
        kind=kind,
        latex=formula.latex,
        numbers=Template(formula.numbers).substitute(
            {name: latex_number(value) for name, value in numbers.items()}
        ),
        mse=float((rounded - x).square().mean()),
    )
