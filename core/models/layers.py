"""Layers that compute with quantized numbers and learn full-precision ones.

A quantized layer keeps the *latent* float weight. Forward computes with its quantized value;
backward passes the gradient of that value straight to the latent weight (the straight-through
estimator, PAPER 2: "taken at the quantized weight, applied to the latent one"). Inputs are
fake-quantized the same way (see `activation`).

Shapes: hidden states (batch, tokens, hidden); weights (rows, cols) = (out, in); the embedding
(rows, cols) = (words, hidden).
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from core.models.activation import KERNEL_DTYPES, ActivationQuantizer
from core.models.straight_through import product_dtype, straight_through
from core.quantizers.base import Quantized, quantize, with_scale
from core.quantizers.importance import importance
from core.quantizers.lsq import STEP_FLOOR, LearnedStep
from core.quantizers.registry import check


class WeightQuantizer(nn.Module):
    """Quantize one matrix by a rule, and remember what the next step needs.

    `second_moment` (rows, cols) is Adam's v, handed over by the training loop after each optimizer
    step; the importance is sqrt(v) + 1e-8 (PAPER 2), ones before. A rule that learns its scale has
    it as the parameter `step` instead, (rows, 1) or (1, 1). In training every call quantizes anew.
    In evaluation the first call's result is kept until the next `.train()` or `.eval()`, so the
    scores, the file and the pictures share one object. Whoever watches a training sets
    `keeps_seen` and finds in `seen` what the last forward computed with, and of which rows.
    """

    def __init__(self, name: str, method: str, bits: int, granularity: str, weight: Tensor) -> None:
        super().__init__()
        self.rule = check(method, bits, granularity)
        self.name, self.bits, self.granularity = name, bits, granularity
        self.second_moment: Tensor | None = None
        self.start_scale: Tensor | None = None  # of the last whole matrix: a rule's start
        self._kept: Quantized | None = None
        self._ahead: Tensor | None = None  # the next forward's answer
        self.keeps_seen = False
        self.seen: tuple[Quantized, Tensor | None] | None = None
        if self.rule.learns_scale:
            first = self._solve(weight, None, None)
            self.step = nn.Parameter(first.scale.clamp_min(STEP_FLOOR))

    def change_bits(self, bits: int, weight: Tensor) -> None:
        """Go on with other bits; a learned step starts anew from `weight`."""
        if bits == self.bits:
            return
        self.bits, self.start_scale, self._kept = bits, None, None
        if self.rule.learns_scale:
            first = self._solve(weight, None, None)
            with torch.no_grad():
                self.step.copy_(first.scale.clamp_min(STEP_FLOOR))

    @property
    def works_by_rows(self) -> bool:
        """Whether quantizing some rows needs nothing of the others."""
        return self.granularity == "row" and not self.rule.learns_scale

    def forward(
        self,
        weight: Tensor,
        rows: Tensor | None = None,
        latent: Tensor | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> Tensor:
        """The fake-quantized weight, or its rows (n,), with a gradient to the latent weight; or,
        where the rows' latent values (n, cols) are handed in, to those. `dtype`, float32 or
        bfloat16, is what the caller computes with; a learned step always gives float32."""
        ahead, self._ahead = self._ahead, None
        if ahead is not None and rows is None and ahead.dtype == dtype:
            return straight_through(weight, ahead)
        if latent is None:
            latent = weight if rows is None else F.embedding(rows, weight)
        if self.rule.learns_scale and self.training:
            with torch.no_grad():
                self.step.clamp_min_(STEP_FLOOR)
            if self.keeps_seen:
                self.quantize(weight, rows)
            step = self.step if rows is None or self.step.shape[0] == 1 else self.step[rows]
            value: Tensor = LearnedStep.apply(latent, step, self.bits)  # type: ignore[assignment]
            return value
        return straight_through(latent, self.quantize(weight, rows).dequantize(dtype))

    @torch.no_grad()
    def quantize_ahead(self, weight: Tensor, dtype: torch.dtype) -> None:
        """Compute now what the next forward without rows will give; a learned step is not."""
        self._ahead = None
        if not self.rule.learns_scale:
            self._ahead = self.quantize(weight).dequantize(dtype)

    @torch.no_grad()
    def quantize(self, weight: Tensor, rows: Tensor | None = None) -> Quantized:
        """The quantized matrix; with `rows` (n,) only those rows."""
        if self._kept is not None:
            return self._kept if rows is None else self._kept.rows(rows)
        if self.rule.learns_scale:
            quantized, whole = with_scale(weight, self.step, self.bits), True
        else:
            whole = rows is None or self.granularity == "layer"
            quantized = self._solve(
                weight if whole else weight[rows],
                importance(self._select(self.second_moment, whole, rows), reuse=True),
                self._select(self.start_scale, whole, rows),
            )
        self._remember(quantized, whole)
        quantized = quantized.rows(rows) if whole and rows is not None else quantized
        if self.keeps_seen:
            self.seen = quantized, rows
        return quantized

    def peek(self, weight: Tensor, rows: Tensor | None = None) -> Quantized:
        """What `quantize` would answer now, without any trace in what it answers later."""
        memory = self.start_scale, self._kept, self.seen
        try:
            return self.quantize(weight, rows)
        finally:
            self.start_scale, self._kept, self.seen = memory

    def _solve(self, weight: Tensor, weights: Tensor | None, start: Tensor | None) -> Quantized:
        return quantize(
            weight,
            method=self.rule.name,
            bits=self.bits,
            granularity=self.granularity,
            importance=weights,
            start_scale=start,
            name=self.name,
        )

    def _select(self, value: Tensor | None, whole: bool, rows: Tensor | None) -> Tensor | None:
        return value if whole or value is None else value[rows]

    def _remember(self, quantized: Quantized, whole: bool) -> None:
        if self.rule.uses_importance and self.second_moment is not None and whole:
            self.start_scale = quantized.scale
        if not self.training and whole:
            self._kept = quantized

    def train(self, mode: bool = True) -> "WeightQuantizer":
        self._kept = self._ahead = None
        return super().train(mode)


class QuantLinear(nn.Module):
    """y = quantized(x) quantized(W)^T + b; takes over the parameters of an nn.Linear."""

    def __init__(
        self, linear: nn.Linear, weight: WeightQuantizer | None, activation: ActivationQuantizer
    ) -> None:
        super().__init__()
        self.weight, self.bias = linear.weight, linear.bias
        self.weight_quantizer, self.activation_quantizer = weight, activation

    def forward(self, x: Tensor) -> Tensor:  # (..., in) -> (..., out)
        weight = self.weight
        if self.weight_quantizer is not None:
            weight = self.weight_quantizer(weight, dtype=self.weight_dtype())
        return F.linear(self.activation_quantizer(x), weight, self.bias)

    def weight_dtype(self) -> torch.dtype:
        """What the quantized weight is written in."""
        wanted = product_dtype(self.weight)
        return wanted if wanted in KERNEL_DTYPES else torch.float32


class QuantEmbedding(nn.Module):
    """Look up quantized rows; takes over the table of an nn.Embedding.

    Row by row, only the rows that the batch mentions are quantized: the others cannot change the
    result (tested against the whole table). In training `reader` may hand out the latent rows
    instead of the table: whoever updates the table row by row then gets the rows' gradient, and
    no gradient of the whole table is ever made.
    """

    def __init__(self, embedding: nn.Embedding, weight: WeightQuantizer | None) -> None:
        super().__init__()
        self.weight, self.padding_idx = embedding.weight, embedding.padding_idx
        self.weight_quantizer = weight
        self.reader: Callable[[Tensor], Tensor] | None = None

    def forward(self, ids: Tensor) -> Tensor:  # (batch, tokens) -> (batch, tokens, hidden)
        if self.weight_quantizer is None:
            return F.embedding(ids, self.weight, self.padding_idx)
        rows, places = torch.unique(ids, return_inverse=True)
        latent = self.reader(rows) if self.reader is not None and self.training else None
        return F.embedding(places, self.weight_quantizer(self.weight, rows, latent))


class CodeEmbedding(nn.Module):
    """Look up rows in a table's codes: what its dequantized table gives, bit for bit, in a quarter
    of the memory. It only computes; nothing in it learns."""

    def __init__(self, table: Quantized) -> None:
        super().__init__()
        self.table = table

    def forward(self, ids: Tensor) -> Tensor:  # (batch, tokens) -> (batch, tokens, hidden)
        return self.table.rows(ids.flatten()).dequantize().view(*ids.shape, -1)
