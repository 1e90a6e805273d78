"""One matrix and its rule: what the rule remembers from step to step, and what a forward computes.

In training every call quantizes again. In evaluation the first call's result is cached until the
next `.train()` or `.eval()`, so the scores, the file and the pictures share one object.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from core.family import Matrix
from core.models.straight_through import straight_through
from core.quantizers.groups import beside, cut, cut_scale, group_size
from core.quantizers.importance import importance
from core.quantizers.learned_steps import LSQ, Learning, first_clip
from core.quantizers.lsq import STEP_FLOOR, learned_levels
from core.quantizers.quantizer import Quantized, levels, quantize, with_scale
from core.quantizers.registry import check

Observer = Callable[[Quantized, Tensor | None], None]  # (what was computed with, its rows)


class WeightQuantizer(nn.Module):
    """Quantize one matrix by a rule.

    second_moment  (rows, cols) Adam's v, handed over by the training loop after each optimizer
                   step; the importance is sqrt(v) + 1e-8 (PAPER 2), ones before
    start_scale    of the last whole matrix, as its scale: an alternating rule's start
    step           as the matrix's scale, the parameter of a rule that learns it
    group          how many columns share a scale; 0: all of a row
    observer       called with what every training forward computes with; None: nobody looks
    """

    def __init__(
        self,
        matrix: Matrix,
        method: str,
        bits: int,
        granularity: str,
        weight: Tensor,
        learning: Learning = LSQ,
    ) -> None:
        super().__init__()
        self.learning = learning
        self.rule = check(method, bits, granularity)
        self.matrix, self.bits, self.granularity = matrix, bits, granularity
        self.group = group_size(granularity)
        self.second_moment: Tensor | None = None
        self.start_scale: Tensor | None = None
        self.observer: Observer | None = None
        self._cached: Quantized | None = None  # of the whole matrix, in evaluation
        self._given: Quantized | None = None  # what it holds in place of the rule's answer
        self._prepared: Tensor | None = None  # the next forward's answer
        if self.rule.learns_scale:
            self.step = nn.Parameter(self._first_step(weight))

    def change_bits(self, bits: int, weight: Tensor) -> None:
        """Continue with other bits; a learned step starts again from `weight`."""
        if bits == self.bits:
            return
        self.bits, self.start_scale, self._cached, self._given = bits, None, None, None
        if self.rule.learns_scale:
            with torch.no_grad():
                self.step.copy_(self._first_step(weight))

    def _first_step(self, weight: Tensor) -> Tensor:
        scale = self._solve(weight, None, None).scale
        if self.learning.start != "mean":
            whole = weight if scale.shape[0] > 1 else weight.reshape(1, -1)
            parts = cut(whole, self.group) if self.group else [whole]
            clips = [first_clip(part, self.bits, self.learning.start) for part in parts]
            scale = beside(clips, len(scale)) / levels(self.bits)
        return scale.clamp_min(STEP_FLOOR)

    def give(self, quantized: Quantized) -> None:
        """Compute with this in evaluation, in place of the rule's answer, until it is trained:
        training quantizes the latent weight again."""
        self._given = self._cached = quantized

    @property
    def works_by_rows(self) -> bool:
        """Whether quantizing some rows needs nothing of the others."""
        return self.granularity != "layer" and not self.rule.learns_scale

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
        prepared, self._prepared = self._prepared, None
        if prepared is not None and rows is None and prepared.dtype == dtype:
            return straight_through(weight, prepared)
        if latent is None:
            latent = weight if rows is None else F.embedding(rows, weight)
        if self.rule.learns_scale and self.training:
            return self._with_learned_step(weight, rows, latent)
        return straight_through(latent, self.quantize(weight, rows).dequantize(dtype))

    def _with_learned_step(self, weight: Tensor, rows: Tensor | None, latent: Tensor) -> Tensor:
        with torch.no_grad():
            self.step.clamp_min_(STEP_FLOOR)
        if self.observer is not None:
            self.quantize(weight, rows)
        step = self.step if rows is None or self.step.numel() == 1 else self.step[rows]
        if not self.group:
            return learned_levels(latent, step, self.bits, self.learning)
        steps = cut_scale(step, latent.shape[1], self.group)
        parts = zip(cut(latent, self.group), steps, strict=True)
        return beside(
            [learned_levels(*part, self.bits, self.learning) for part in parts], len(latent)
        )

    @torch.no_grad()
    def prepare(self, weight: Tensor, dtype: torch.dtype) -> None:
        """Compute now what the next forward without rows will give; a learned step is not."""
        self._prepared = None
        if not self.rule.learns_scale:
            self._prepared = self.quantize(weight).dequantize(dtype)

    @torch.no_grad()
    def quantize(self, weight: Tensor, rows: Tensor | None = None) -> Quantized:
        """The quantized matrix; with `rows` (n,) only those rows."""
        if self._cached is not None:
            return self._cached if rows is None else self._cached.rows(rows)
        quantized, is_whole = self._compute(weight, rows)
        if is_whole:
            self._remember(quantized)
        quantized = quantized.rows(rows) if is_whole and rows is not None else quantized
        if self.observer is not None:
            self.observer(quantized, rows)
        return quantized

    @torch.no_grad()
    def peek(self, weight: Tensor, rows: Tensor | None = None) -> Quantized:
        """What `quantize` would answer now, without any trace in what it answers later."""
        if self._cached is not None:
            return self._cached if rows is None else self._cached.rows(rows)
        quantized, is_whole = self._compute(weight, rows)
        return quantized.rows(rows) if is_whole and rows is not None else quantized

    def _compute(self, weight: Tensor, rows: Tensor | None) -> tuple[Quantized, bool]:
        """The quantized rows, or the whole matrix where these cannot be had by themselves; and
        whether it is the whole matrix."""
        if self.rule.learns_scale:
            return with_scale(weight, self.step, self.bits, self.group), True
        if rows is None or self.granularity == "layer":
            weights = importance(self.second_moment, reuse=True)
            return self._solve(weight, weights, self.start_scale), True
        moment, start = self.second_moment, self.start_scale
        weights = importance(None if moment is None else moment[rows], reuse=True)
        return self._solve(weight[rows], weights, None if start is None else start[rows]), False

    def _solve(self, weight: Tensor, weights: Tensor | None, start: Tensor | None) -> Quantized:
        return quantize(
            weight,
            method=self.rule.name,
            bits=self.bits,
            granularity=self.granularity,
            importance=weights,
            start_scale=start,
            name=self.matrix.name,
        )

    def _remember(self, quantized: Quantized) -> None:
        """Keep of the whole matrix what later calls need."""
        if self.rule.uses_importance and self.second_moment is not None:
            self.start_scale = quantized.scale
        if not self.training:
            self._cached = quantized

    def train(self, mode: bool = True) -> "WeightQuantizer":
        self._given = None if mode else self._given
        self._cached, self._prepared = self._given, None
        return super().train(mode)
