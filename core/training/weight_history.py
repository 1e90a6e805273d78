"""How the quantized weights move while a student learns, looked at every so many steps.

A latent weight moves a little at every step; its code only now and then jumps from one level to
the next. How many jump, where the threshold and the scale go, and how the latent weights spread
out is what quantization-aware training looks like from inside. A look compares the codes that a
step computed with to those that the next step would compute with, so it costs about one more
quantization; fifteen looks are spread over a training (docs/log has the measured share of time).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from core.events import MatrixState, WeightsSeen
from core.models.student import weight_quantizers
from core.models.weight_quantizer import WeightQuantizer
from core.quantizers.kernels import compiled
from core.quantizers.quantizer import Quantized

LOOKS, SHORTEST = 15, 10
BINS, SPREAD = 32, 4.0  # the histogram reaches four times the root mean square


@dataclass(kw_only=True)
class WeightHistory:
    """Decides when to look, and looks."""

    student: nn.Module
    steps: int
    _ends: dict[str, float] = field(default_factory=dict)
    _seen: dict[str, tuple[Quantized, Tensor | None]] = field(default_factory=dict)

    def expect(self, step: int) -> bool:
        """Before the forward of `step` (from 1): have the codes kept if this step is looked at."""
        wanted = step % max(SHORTEST, self.steps // LOOKS) == 0
        self._seen.clear()
        for name, _, quantizer in weight_quantizers(self.student):
            quantizer.observer = partial(self._observe, name) if wanted else None
        return wanted

    def _observe(self, name: str, quantized: Quantized, rows: Tensor | None) -> None:
        self._seen[name] = quantized, rows

    def state(self) -> dict[str, Tensor]:
        """Where the histograms end, by matrix."""
        return {name: torch.tensor(end, dtype=torch.float64) for name, end in self._ends.items()}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Go on from a `state`."""
        self._ends.update({name: float(end) for name, end in state.items()})

    def look(self, step: int) -> WeightsSeen:
        """After the optimizer's step: what it did to every matrix."""
        return WeightsSeen(
            step=step,
            matrices=tuple(
                self._state(name, weight, quantizer)
                for name, weight, quantizer in weight_quantizers(self.student)
                if name in self._seen
            ),
        )

    def _state(self, name: str, weight: Tensor, quantizer: WeightQuantizer) -> MatrixState:
        before, rows = self._seen[name]
        after = quantizer.peek(weight, rows)
        latent = (weight if rows is None else weight[rows]).detach()
        if name not in self._ends:
            self._ends[name] = SPREAD * float(latent.square().mean().sqrt()) or 1.0
        end = self._ends[name]
        counts = np.zeros(BINS, np.int64)
        _count(latent.contiguous().view(-1).numpy(), np.float32(end), counts)
        return MatrixState(
            name=name,
            part=quantizer.matrix.part,
            changed=_rounded(int((before.codes != after.codes).sum()) / after.codes.numel()),
            zeros=_rounded(1.0 - int(torch.count_nonzero(after.codes)) / after.codes.numel()),
            scale=_rounded(float(after.scale.mean())),
            threshold=_threshold(after),
            low=-_rounded(end),
            high=_rounded(end),
            counts=tuple(counts.tolist()),
        )


def _threshold(quantized: Quantized) -> float | None:
    """Below it a ternary code is 0: the rule's own, or half a step."""
    if quantized.bits != 2:
        return None
    border = quantized.scale / 2 if quantized.threshold is None else quantized.threshold
    return _rounded(float(border.mean()))


def _rounded(number: float) -> float:
    """Five digits: these numbers are drawn, and kept in every run's folder."""
    return float(f"{number:.5g}") if math.isfinite(number) else 0.0


@compiled
def _count(values, end, counts):
    bins = len(counts)
    for value in values:
        place = int((value + end) * (bins / (2 * end)))
        if 0 <= place < bins and value >= -end:
            counts[place] += 1
