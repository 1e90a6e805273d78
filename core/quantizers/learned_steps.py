"""The ways to learn a step: the switches between LSQ (Esser et al.) and KDLSQ-BERT (Jin et al.).

KDLSQ-BERT (arXiv 2101.05938) is LSQ with other choices, as its authors' code has them:

    what is learned    the clip a = Q s, the outermost level, in place of the step s. The gradient
                       of a is that of s divided by Q, and Adam divides every gradient by its own
                       size: learning a at some rate is learning s at that rate divided by Q. So s
                       stays the parameter here, and the optimizer takes its rate so (Q = 1 at two
                       bits: there it is the same thing)
    where it starts    at 2 mean|w| / sqrt(Q); or where 2.5 % of the weights are cut off at each
                       side, the farther of the two; or at the clip of least KL divergence
    gradient of s      with LSQ's factor 1 / sqrt(N Q), or without
    gradient of w      stopped outside the clip, or straight through everywhere
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from core.experiment import QuantRecipe
from core.quantizers.range_search import kl_bins

TAIL = 0.025  # what "percentile" cuts off at each side


@dataclass(frozen=True, slots=True, kw_only=True)
class Learning:
    """How steps are learned; the defaults are LSQ's. `start` is of weights' steps alone."""

    as_clip: bool = False
    start: str = "mean"
    scaled: bool = True
    straight: bool = False

    @classmethod
    def of(cls, recipe: QuantRecipe) -> "Learning":
        """As a recipe wants it."""
        return cls(
            as_clip=recipe.learned_as == "clip",
            start=recipe.learned_start,
            scaled=recipe.learned_gradient == "scaled",
            straight=recipe.weight_gradient == "straight",
        )


LSQ = Learning()


def first_clip(weight: Tensor, bits: int, start: str) -> Tensor:
    """The outermost level that each row of (rows, cols) starts with, (rows, 1); start is
    "percentile" or "kl"."""
    rows = weight.detach().float()
    return _tails(rows) if start == "percentile" else _least_kl(rows, bits)


def _tails(rows: Tensor) -> Tensor:
    count = rows.shape[1]
    cut = round(count * TAIL)
    low = rows.kthvalue(cut + 1, dim=1, keepdim=True).values
    high = rows.kthvalue(min(count - cut, count - 1) + 1, dim=1, keepdim=True).values
    return torch.maximum(low.abs(), high.abs())


def _least_kl(rows: Tensor, bits: int) -> Tensor:
    """As in `range_search`, over a histogram of as many bins as the root of the count."""
    magnitudes = rows.abs().double().numpy()
    bins = math.ceil(math.sqrt(rows.shape[1]))
    largest = magnitudes.max(axis=1, keepdims=True)
    places = np.minimum((magnitudes / np.where(largest > 0, largest, 1.0) * bins), bins - 1)
    places = places.astype(np.int64) + np.arange(len(rows))[:, None] * bins
    counts = np.bincount(places.ravel(), minlength=len(rows) * bins).reshape(len(rows), bins)
    clip = kl_bins(counts, bits)[:, None] * largest / bins
    return torch.from_numpy(clip).float()
