"""Where to cut: the error of every threshold, the rule of thumb and the exact optimum.

At each cut the codes are sign(w) where |w| is above it, and the scale is the best one for these
codes; both by the functions that the rules themselves use.
"""

import math
from typing import TYPE_CHECKING

import numpy as np

from core.lessons.catalogue import Words
from core.lessons.lesson import Settings
from core.lessons.material import matrix_of, teacher, title_of
from core.lessons.revealing import COMPUTED, PER_CENT, Fact, Item, Models, Revealed, reveal

if TYPE_CHECKING:
    from torch import Tensor

POINTS_OF_CURVE, HIGHEST = 49, 2.4  # times the root mean square
ONE = ("task", "model")


@reveal("cut", COMPUTED, needs=("matrix",), may=ONE)
def cut(settings: Settings, models: Models, words: Words) -> Revealed:
    """The threshold with the least squared error, beside TWN's; the curve of all others."""
    opened, name = teacher(settings, models), settings.text("matrix")
    weight = matrix_of(opened, name)
    best, thumb = optimal_cut(weight), twn_cut(weight)
    least, twn = error_of(weight, best), error_of(weight, thumb)
    return Revealed(
        value=best,
        unit="",
        digits=3,
        items=(
            Item(label=words.cuts.optimum, value=best, main=True),
            Item(label=words.cuts.thumb, value=thumb),
        ),
        curve=curve_of(weight),
        facts=(
            Fact(name="twn", text=f"{thumb:.3f}"),
            Fact(name="optimum", text=f"{best:.3f}"),
            Fact(name="optimum_error", text=f"{least:.1f} %"),
            Fact(name="twn_error", text=f"{twn:.1f} %"),
        ),
        how=words.cuts.cut_how.format(matrix=title_of(opened, name), cuts=POINTS_OF_CURVE),
    )


@reveal("thumb", COMPUTED, needs=("matrix",), may=ONE)
def thumb(settings: Settings, models: Models, words: Words) -> Revealed:
    """How many per cent more squared error TWN's rule of thumb has than the exact optimum."""
    opened, name = teacher(settings, models), settings.text("matrix")
    weight = matrix_of(opened, name)
    least, twn = error_of(weight, optimal_cut(weight)), error_of(weight, twn_cut(weight))
    value = 100 * (twn / least - 1)
    return Revealed(
        value=value,
        unit=PER_CENT,
        items=(Item(label=words.cuts.above, value=value, main=True),),
        facts=(
            Fact(name="optimum_error", text=f"{least:.2f} %"),
            Fact(name="twn_error", text=f"{twn:.2f} %"),
        ),
        how=words.cuts.thumb_how.format(matrix=title_of(opened, name)),
    )


@reveal("wrong-side", COMPUTED, needs=("matrix",), may=ONE, answers=("half", "double"))
def wrong_side(settings: Settings, models: Models, words: Words) -> Revealed:
    """Which cut is worse: half of the best one, or twice it."""
    opened, name = teacher(settings, models), settings.text("matrix")
    weight = matrix_of(opened, name)
    best = optimal_cut(weight)
    half, double = error_of(weight, best / 2), error_of(weight, 2 * best)
    least = error_of(weight, best)
    return Revealed(
        value=max(half, double),
        unit=PER_CENT,
        items=(
            Item(label=words.cuts.half, value=half, main=half > double),
            Item(label=words.cuts.best, value=least),
            Item(label=words.cuts.double, value=double, main=double >= half),
        ),
        holds="half" if half > double else "double",
        facts=(
            Fact(name="half", text=f"{half:.1f} %"),
            Fact(name="double", text=f"{double:.1f} %"),
            Fact(name="least", text=f"{least:.1f} %"),
        ),
        how=words.cuts.side_how,
    )


def optimal_cut(weight: "Tensor") -> float:
    """The exact optimum's cut: the nearest of -a, 0 and +a changes at a / 2."""
    from core.quantizers import quantize

    return float(quantize(weight, method="optimal", bits=2, granularity="layer").scale) / 2


def twn_cut(weight: "Tensor") -> float:
    """The cut of TWN's rule of thumb."""
    from core.quantizers import quantize

    found = quantize(weight, method="twn", bits=2, granularity="layer").threshold
    assert found is not None
    return float(found)


def error_of(weight: "Tensor", threshold: float) -> float:
    """Squared error in per cent of the weights' own square, cut there, with the best scale."""
    import torch

    from core.quantizers.alternate import moments, ratio
    from core.quantizers.error import quantization_error
    from core.quantizers.kernels import codes_above
    from core.quantizers.quantizer import Quantized
    from core.quantizers.registry import Levels

    row, at = weight.reshape(1, -1), torch.full((1, 1), threshold)
    scale = ratio(*moments(row, Levels(scale=at, threshold=at), 2, None))
    codes = codes_above(row, at).reshape(weight.shape)
    cut_there = Quantized(codes=codes, scale=scale, bits=2, threshold=at)
    decibels = quantization_error(weight, cut_there).sqnr_db
    return 100 * 10 ** (-decibels / 10)


def curve_of(weight: "Tensor") -> tuple[tuple[float, float], ...]:
    """(cut, error in %) from 0 to where hardly a weight is left."""
    flat = weight.reshape(-1)
    spread = math.sqrt(float(flat @ flat) / flat.numel())
    cuts = np.linspace(0.0, HIGHEST * spread, POINTS_OF_CURVE)
    return tuple((float(at), error_of(weight, float(at))) for at in cuts)
