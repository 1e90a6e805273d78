"""The exact answers: no codes and scale have a smaller objective than these.

Minimise sum_i D_i (w_i - a b_i)^2. For any scale a, the best codes are the nearest levels, so as a
falls from infinity each weight passes through its codes 0, 1, 2, ... at a = |w| / (j + 1/2). Sort
these events. Between two of them the codes are fixed, and their objective at its best scale is
sum(D w^2) - A^2 / B, with running sums A = sum(D b |w|) and B = sum(D b^2). The largest A^2 / B is
the optimum. O(n log n) at 2 bits (one event a weight: Hou and Kwok, arXiv 1802.08635, section 3.1
"exact solver"), levels times as many events at 3 and 4 bits.

`optimal` weighs all weights alike: the yardstick for TWN's rule of thumb. `lat-exact` uses the
importance. Both name the same solver. At 8 bits there are 127 events a weight, too many to sort,
and hardly anything to gain: there the best of 16 starting scales is polished by alternation.
"""

import numpy as np
import torch
from torch import Tensor

from core.quantizers.alternate import alternate, better, cost
from core.quantizers.blocks import BLOCK, row_blocks
from core.quantizers.lat import lat
from core.quantizers.quantizer import levels
from core.quantizers.registry import Levels, Rows, rule

_LATEX = (
    r"\alpha^* = \frac{A_k}{B_k},\quad k = \arg\max_k \frac{A_k^2}{B_k},\quad "
    r"A_k = \sum_{i \le k} D_i |w_i|,\ B_k = \sum_{i \le k} D_i \quad (|w_1| \ge |w_2| \ge \dots)"
)
_DERIVATION = (
    r"A = \sum_i D_i b_i w_i = $upper,\quad B = \sum_i D_i b_i^2 = $lower",
    r"\alpha^* = \frac{A}{B} = \frac{$upper}{$lower} = $scale,\quad "
    r"k = \#\{i : b_i \ne 0\} = $kept",
)
STARTS = 16


@rule(
    "optimal",
    title="Exact optimum (least squares)",
    latex=_LATEX.replace("D_i |w_i|", "|w_i|").replace("D_i", "1"),
    derivation=tuple(line.replace("D_i ", "") for line in _DERIVATION),
    source="the exact solution of TWN's problem (arXiv 1605.04711, equation 3), by sorting",
)
def optimal(
    rows: Rows, bits: int, importance: Tensor | None = None, start_scale: Tensor | None = None
) -> Levels:
    """The least-squares optimum of each row. Arguments as in `registry`."""
    return _solve(rows, bits, None)


@rule(
    "lat-exact",
    title="LAT, exact solver",
    latex=_LATEX,
    derivation=_DERIVATION,
    source="Hou and Kwok (arXiv 1802.08635), section 3.1, exact solver",
    uses_importance=True,
)
def lat_exact(
    rows: Rows, bits: int, importance: Tensor | None = None, start_scale: Tensor | None = None
) -> Levels:
    """The optimum of each row under the importance. Arguments as in `registry`."""
    return _solve(rows, bits, importance)


def _solve(rows: Rows, bits: int, importance: Tensor | None) -> Levels:
    if bits == 8:
        return _by_starts(rows, bits, importance)
    magnitude, top = rows.weight.abs(), levels(bits)
    if len(magnitude) == 1:
        magnitude, importance = _merge_equal(magnitude, importance)
    count, cols = magnitude.shape
    scales = [  # in pieces whose events fit the cache
        _by_events(magnitude[part], None if importance is None else importance[part], top)
        for part in row_blocks(count, cols * top)
    ]
    return Levels(scale=torch.cat(scales))


def _by_events(magnitude: Tensor, importance: Tensor | None, top: int) -> Tensor:
    """Exact scale (rows, 1) for magnitudes (rows, n) under importance (rows, n) or ones."""
    if top == 1 and importance is None:  # every event adds (|w|, 1): the values alone are sorted
        ascending = torch.from_numpy(np.sort(magnitude.numpy(), axis=1))
        a = ascending.flip(1).cumsum(dim=1, dtype=torch.float64)
        b = torch.arange(1.0, a.shape[1] + 1, dtype=torch.float64).expand_as(a)
    else:
        halves = torch.arange(top) + 0.5  # code j becomes j + 1 where scale = |w| / (j + 1/2)
        events, order = (magnitude[:, :, None] / halves).flatten(1).sort(dim=1, descending=True)
        element, code = order // top, order % top
        weights = torch.ones_like(events) if importance is None else importance.gather(1, element)
        a = (weights * magnitude.gather(1, element)).cumsum(dim=1, dtype=torch.float64)
        b = (weights * (2 * code + 1)).cumsum(dim=1, dtype=torch.float64)  # (j + 1)^2 - j^2
    b = b.clamp_min(torch.finfo(torch.float64).tiny)
    best = (a * a / b).argmax(dim=1, keepdim=True)
    return (a.gather(1, best) / b.gather(1, best)).to(torch.float32)


def _merge_equal(magnitude: Tensor, importance: Tensor | None) -> tuple[Tensor, Tensor | None]:
    """Equal magnitudes of one long row as one, their importance added.

    Weights that were stored in float16 have at most 31,744 different magnitudes: counting them is
    much faster than sorting millions. Other rows come back as they are.
    """
    half = magnitude.to(torch.float16)
    if not torch.equal(half.to(torch.float32), magnitude):
        return magnitude, importance
    numbers = half.view(torch.int16).reshape(-1).to(torch.int32)
    weights = None if importance is None else importance.reshape(-1).double()
    total = torch.bincount(numbers, weights=weights)
    present = total.nonzero().reshape(-1)
    values = present.to(torch.int16).view(torch.float16).to(torch.float32)
    return values.reshape(1, -1), total[present].to(torch.float32).reshape(1, -1)


def _by_starts(rows: Rows, bits: int, importance: Tensor | None) -> Levels:
    """The better of `lat` and the alternation from the best of 16 starting scales."""
    weight, shares = rows.weight, torch.logspace(-0.7, 0.0, STARTS)
    sample = slice(None) if weight.shape[0] > 1 else slice(0, BLOCK)
    part = weight[:, sample]
    part_importance = None if importance is None else importance[:, sample]
    starts = rows.largest / levels(bits) * shares  # (rows, starts)
    costs = [cost(part, scale[:, None], bits, part_importance) for scale in starts.T]
    best = torch.cat(costs, dim=1).argmin(dim=1, keepdim=True)
    found = alternate(weight, Levels(scale=starts.gather(1, best)), bits, importance)
    return better(weight, found, lat(rows, bits, importance), bits, importance)
