"""Activations: their levels lie in a range, which is found again whenever they are computed.

Activations change with every text, so their range is measured while computing ("dynamic"): over
the whole tensor, with all texts of a batch in it, or of each token by itself (the last axis is what
a token carries), so that no text moves the levels of another. Or the range was fixed beforehand
("static", see `range_search`); what lies outside is then clipped. Two ranges:

minmax      [min(0, x), max(0, x)] cut into 2^bits - 1 steps with a zero point, because hidden
            states lean to the negative side (TernaryBERT section 3.1). The arithmetic, rounding
            included, is that of ONNX's DynamicQuantizeLinear, so an exported model computes the
            same numbers.
symmetric   [-max|x|, max|x|], no zero point (the authors' released code).
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from core.errors import one_of
from core.experiment import ACTIVATION_BITS, ACTIVATION_SCOPES, ACTIVATIONS
from core.quantizers.activation_loops import round_between


@dataclass(frozen=True, slots=True, kw_only=True)
class RangeFormula:
    """How a range becomes levels, and the same with numbers put in: LaTeX in which $low, $high,
    $mean (of |x|), $top (largest code), $scale and $zero are filled in."""

    latex: str
    numbers: str


FORMULAS = {  # of every kind that core.experiment.ACTIVATIONS has
    "minmax": RangeFormula(
        latex=(
            r"s = \frac{x_{\max} - x_{\min}}{2^m - 1},\quad "
            r"z = \mathrm{round}(-x_{\min} / s),\quad "
            r"\hat x = s\,(\mathrm{clip}_{0}^{2^m - 1}(\mathrm{round}(x / s) + z) - z)"
        ),
        numbers=(
            r"s = \frac{$high - ($low)}{$top} = $scale,\quad "
            r"z = \mathrm{round}(-($low) / s) = $zero"
        ),
    ),
    "symmetric": RangeFormula(
        latex=(
            r"s = \frac{\max |x|}{Q},\quad Q = 2^{m-1} - 1,\quad "
            r"\hat x = s\,\mathrm{clip}_{-Q}^{Q}(\mathrm{round}(x / s))"
        ),
        numbers=r"s = \frac{\max(|$low|, |$high|)}{$top} = $scale",
    ),
    "lsq": RangeFormula(
        latex=(
            r"s_0 = \frac{2\,\overline{|x|}}{\sqrt{Q}},\quad Q = 2^{m-1} - 1,\quad "
            r"\hat x = s\,\mathrm{clip}_{-Q}^{Q}(\mathrm{round}(x / s)),\quad s \text{ is learned}"
        ),
        numbers=r"s_0 = \frac{2 \cdot $mean}{\sqrt{$top}} = $scale",
    ),
    "elastic": RangeFormula(
        latex=(
            r"s_0 = \frac{2\,\overline{|x|}}{\sqrt{Q}},\quad t_0 = 0,\quad "
            r"\hat x = s\,\mathrm{clip}_{-Q}^{Q}(\mathrm{round}((x - t) / s)),\quad "
            r"s, t \text{ are learned}"
        ),
        numbers=r"s_0 = \frac{2 \cdot $mean}{\sqrt{$top}} = $scale",
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Grid:
    """The levels of some ranges: scale and zero point of each, float32 (ranges,); their codes run
    from `lowest` to `highest`."""

    scale: np.ndarray
    zero: np.ndarray
    lowest: int
    highest: int


def grid_of(low: np.ndarray, high: np.ndarray, bits: int, kind: str) -> Grid:
    """The levels of the ranges [low, high], float32 (ranges,).

    Codes run over [0, 2^bits - 1] for "minmax" and over the symmetric signed range for "symmetric".
    A range of zero alone has scale 1; a range with NaN or infinity a scale of NaN or infinity.
    """
    nothing, one = np.float32(0.0), np.float32(1.0)
    if kind == "symmetric":
        top = 2 ** (bits - 1) - 1
        scale = np.maximum(high, -low) / np.float32(top)
        return Grid(
            scale=np.where(scale == 0, one, scale),
            zero=np.zeros_like(scale),
            lowest=-top,
            highest=top,
        )
    top = np.float32(2**bits - 1)
    low, high = np.minimum(low, nothing), np.maximum(high, nothing)
    scale = (high - low) / top
    scale = np.where(scale == 0, one, scale)
    with np.errstate(invalid="ignore"):  # of a range without end
        zero = np.rint(np.clip(-low / scale, nothing, top))
    zero = np.where(np.isfinite(scale), zero, nothing)
    return Grid(scale=scale, zero=zero, lowest=0, highest=int(top))


def grid_between(low: float, high: float, bits: int, kind: str) -> Grid:
    """The levels of one range."""
    return grid_of(np.array([low], np.float32), np.array([high], np.float32), bits, kind)


def activation_range(x: Tensor, bits: int, kind: str) -> tuple[float, float, int, int]:
    """(scale, zero point, lowest code, highest code) for a tensor of any shape: see `grid_of`."""
    grid = _measured(x.reshape(1, -1), bits, kind)
    return float(grid.scale[0]), float(grid.zero[0]), grid.lowest, grid.highest


def fake_quantize_activation(
    x: Tensor,
    bits: int,
    kind: str,
    dtype: torch.dtype = torch.float32,
    scope: str = "tensor",
    ends: tuple[float, float] | None = None,
) -> Tensor:
    """x (float32 or bfloat16) rounded to 2^bits levels, same shape, as float32 or rounded once more
    to bfloat16; 32 bits give x back. The range is that of x, or with scope "token" of each of its
    vectors (last axis), or with scope "static" between these `ends`.

    What has NaN or infinity in its range becomes all NaN: it has none. Under a static range a NaN
    stays one. Raises InputError for unknown bits, kind or scope.
    """
    one_of("Activation bits", bits, ACTIVATION_BITS)
    one_of("Activation range", kind, ACTIVATIONS)
    one_of("Activation scope", scope, ACTIVATION_SCOPES)
    if bits == 32:
        return x
    shown = x.contiguous().view(-1, x.shape[-1]) if scope == "token" else x.reshape(1, -1)
    if ends is None:
        return _on_grid(shown, _measured(shown, bits, kind), dtype).view(x.shape)
    value = _on_grid(shown, grid_between(*ends, bits, kind), dtype).view(x.shape)
    is_none = x.isnan()
    return value.masked_fill_(is_none, torch.nan) if is_none.any() else value


def _measured(shown: Tensor, bits: int, kind: str) -> Grid:
    """The levels of the range of each row of (rows, cols)."""
    low, high = (end.float().numpy() for end in torch.aminmax(shown.detach(), dim=1))
    return grid_of(low, high, bits, kind)


def _on_grid(shown: Tensor, grid: Grid, dtype: torch.dtype) -> Tensor:
    """Each row of (rows, cols) on its levels."""
    value = torch.empty(shown.shape, dtype=dtype)
    lowest = np.float32(grid.lowest) - grid.zero  # codes less the zero point
    highest = np.float32(grid.highest) - grid.zero
    round_between(shown, value, grid.scale, lowest, highest)
    broken = ~np.isfinite(grid.scale)
    if broken.any():
        value[torch.from_numpy(broken)] = torch.nan
    return value
