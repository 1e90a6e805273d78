"""Activations in a network: every tensor is rounded on its way into a matrix product.

The range is found per tensor and batch or per token (scope "token"), fixed before training (scope
"static"), or learned (kinds "lsq" and "elastic"). The gradient passes straight through, as with the
weights.
"""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from core.errors import InputError
from core.experiment import LEARNED_ACTIVATIONS, QuantRecipe
from core.models.straight_through import product_dtype, straight_through
from core.quantizers.activations import fake_quantize_activation
from core.quantizers.elastic import elastic_levels, start_factor
from core.quantizers.learned_steps import LSQ, Learning
from core.quantizers.lsq import STEP_FLOOR, learned_levels, lsq
from core.quantizers.quantizer import levels
from core.quantizers.registry import Rows

KERNEL_DTYPES = (torch.float32, torch.bfloat16)


class ActivationQuantizer(nn.Module):
    """Fake-quantize any tensor by its own range; 32 bits pass it through.

    With kind "lsq" the step is a parameter instead, set by the first training batch; before that
    each tensor uses the first value that LSQ would give it. With kind "elastic" the parameter holds
    step and shift, (1, 2); `is_signed` says whether what it reads can be negative.
    """

    def __init__(
        self, bits: int, kind: str, scope: str = "tensor", learning: Learning = LSQ
    ) -> None:
        super().__init__()
        self.bits, self.kind, self.scope = bits, kind, scope
        # Straight is of weights alone, a clip of lsq alone.
        as_clip = learning.as_clip and kind == "lsq"
        self.learning = replace(learning, straight=False, as_clip=as_clip)
        self.prepared: Tensor | None = None  # the next forward's rounded input
        self.is_signed = True
        self.range: Tensor | None  # (2,) of a static range: its ends; NaN: not found yet
        is_static = scope == "static" and kind not in LEARNED_ACTIVATIONS and bits != 32
        self.register_buffer("range", torch.full((2,), torch.nan) if is_static else None)
        if kind in LEARNED_ACTIVATIONS and bits != 32:
            self.step = nn.Parameter(torch.zeros(1, 2 if kind == "elastic" else 1))

    @classmethod
    def of(cls, recipe: QuantRecipe) -> "ActivationQuantizer":
        """The one that a recipe wants everywhere."""
        kind, scope = recipe.activation, recipe.activation_scope
        return cls(recipe.activation_bits, kind, scope, Learning.of(recipe))

    @property
    def keeps_texts_apart(self) -> bool:
        """Whether a text's levels do not depend on its batch mates, by the recipe's wish."""
        return self.scope != "tensor"

    def forward(self, x: Tensor) -> Tensor:
        if self.bits == 32:
            return x
        prepared, self.prepared = self.prepared, None
        if self.kind == "lsq":
            return learned_levels(x.float(), self._learned(x), self.bits, self.learning).to(x.dtype)
        if self.kind == "elastic":
            step, shift = self._learned(x).split(1, dim=1)
            shift = shift.reshape(())
            return elastic_levels(x.float(), step, shift, self.bits, self.is_signed).to(x.dtype)
        return straight_through(x, self.rounded(x) if prepared is None else prepared)

    def rounded(self, x: Tensor) -> Tensor:
        """The fake-quantized x without a gradient, as the next product reads it."""
        return _round(x.detach(), self, product_dtype(x))

    def set_range(self, low: float, high: float) -> None:
        """Fix the range; a learned step begins with it."""
        if self.range is not None:
            self.range.copy_(torch.tensor([low, high]))
        elif self.bits != 32:
            with torch.no_grad():
                is_signed = self.is_signed or self.kind == "lsq"
                top = levels(self.bits) if is_signed else 2**self.bits - 1
                self.step[0, 0] = max(max(-low, high) / top, STEP_FLOOR)

    @property
    def ends(self) -> tuple[float, float] | None:
        """The ends of a static range; None of one that is measured. Raises InputError where it was
        not found yet."""
        if self.range is None:
            return None
        low, high = self.range.tolist()
        if not low <= high:
            raise InputError(
                "The static ranges of these activations have not been calibrated yet. Train the "
                "student, or choose another activation scope."
            )
        return low, high

    def _learned(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            if float(self.step[0, 0].detach()) == 0.0:
                first = self._first(x.detach().float())
                if not self.training:
                    return first
                self.step.copy_(first)
            self.step[:, :1].clamp_min_(STEP_FLOOR)
        return self.step

    def _first(self, x: Tensor) -> Tensor:
        """What the parameter begins with."""
        if self.kind == "lsq":
            return lsq(Rows.of(x.reshape(1, -1)), self.bits).scale.clamp_min(STEP_FLOOR)
        step = x.abs().mean() * start_factor(self.bits, self.is_signed)
        return torch.stack([step.clamp_min(STEP_FLOOR), torch.zeros(())]).reshape(1, 2)


def share_rounding(x: Tensor, quantizers: Sequence[nn.Module]) -> None:
    """Round `x` once for these ActivationQuantizers, of one recipe, that all read it next: query,
    key and value. A learned range is each one's own, so nothing is shared."""
    first = next(iter(quantizers), None)
    if not isinstance(first, ActivationQuantizer) or first.bits == 32:
        return
    if first.kind in LEARNED_ACTIVATIONS:
        return
    if any(quantizer.ends != first.ends for quantizer in quantizers):  # of somebody's file
        return
    rounded = first.rounded(x)
    for quantizer in quantizers:
        quantizer.prepared = rounded  # type: ignore[assignment]


def _round(x: Tensor, how: ActivationQuantizer, dtype: torch.dtype) -> Tensor:
    """The fake-quantized x in `dtype`, by way of float32 where no loop writes it directly."""
    known = x.dtype in KERNEL_DTYPES and dtype in KERNEL_DTYPES
    source, target = (x, dtype) if known else (x.float(), torch.float32)
    value = fake_quantize_activation(source, how.bits, how.kind, target, how.scope, how.ends)
    return value.to(dtype)
