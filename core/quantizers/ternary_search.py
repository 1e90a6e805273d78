"""The alternation at two bits, in little more than one reading of the matrix.

Each turn of the alternation sums D |w| and D over the weights above half the scale, and most turns
move the scale by less than a thousandth: the same weights are above, but for a few near the border.
So the matrix is read once. What lies well above the border is summed, what lies within `REACH` of
it is put aside, and the turns look only at that. Should the border leave the reach, the matrix is
read again. The sums are those of `alternate`, turn by turn, but for the order of their terms.
"""

import numba
import numpy as np
import torch
from torch import Tensor

from core.quantizers.kernels import column, compiled, numbers_of

REACH = 1 / 200  # of the border, to both sides
_BLOCK = 32
_PIECE = 4096
_INSIDE = np.float32(0.99)  # nearer to its end rounding might tell otherwise
_ZERO, _ONE = np.float32(0.0), np.float32(1.0)
_helper = numba.njit(error_model="numpy", fastmath={"reassoc", "contract", "nsz"}, nogil=True)


@_helper
def _sums_above(w, d, weighted, middle, reach):
    """sum(D |w|) and sum(D) over what lies further above `middle` than `reach`."""
    upper, lower = _ZERO, _ZERO
    if weighted:
        for i in range(len(w)):
            counts = np.float32(abs(w[i]) - middle > reach) * d[i]
            upper += counts * abs(w[i])
            lower += counts
    else:
        for i in range(len(w)):
            counts = np.float32(abs(w[i]) - middle > reach)
            upper += counts * abs(w[i])
            lower += counts
    return upper, lower


@_helper
def _put_aside(w, d, weighted, middle, reach, aside, count):
    """Append |w| and D of what is within `reach` of `middle` to `aside` (2, cols); returns the new
    count. Most blocks have none, and that is seen sixteen numbers at once."""
    whole = len(w) // _BLOCK * _BLOCK
    blocks = w[:whole].reshape(-1, _BLOCK)
    for block in range(len(blocks)):
        some = _ZERO
        for i in range(_BLOCK):
            some += np.float32(abs(abs(blocks[block, i]) - middle) <= reach)
        if some > _ZERO:
            start = block * _BLOCK
            end = start + _BLOCK
            count = _put_each(w, d, weighted, middle, reach, aside, count, start, end)
    return _put_each(w, d, weighted, middle, reach, aside, count, whole, len(w))


@_helper
def _put_each(w, d, weighted, middle, reach, aside, count, start, end):
    for i in range(start, end):
        value = abs(w[i])
        if abs(value - middle) <= reach:
            aside[0, count] = value
            aside[1, count] = d[i] if weighted else _ONE
            count += 1
    return count


@_helper
def _read(weight, importance, weighted, middle, reach, aside):
    """The sums above the reach, and how many weights were put aside."""
    upper, lower, count = 0.0, 0.0, 0
    for start in range(0, len(weight), _PIECE):
        w = weight[start : start + _PIECE]
        d = importance[start : start + _PIECE] if weighted else w
        some_upper, some_lower = _sums_above(w, d, weighted, middle, reach)
        upper += some_upper
        lower += some_lower
        count = _put_aside(w, d, weighted, middle, reach, aside, count)
    return upper, lower, count


@_helper
def _ratio_above(upper, lower, aside, count, cut):
    """The best scale for the codes that `cut` gives: the sums above the reach and inside it."""
    for i in range(count):
        if aside[0, i] > cut:
            upper += aside[1, i] * aside[0, i]
            lower += aside[1, i]
    return np.float32(upper) / np.float32(lower) if lower > 0 else _ZERO


@compiled
def _settle(weight, border, importance, turns, tolerance, aside, out):
    weighted = importance.shape[0] > 0
    for row in range(len(weight)):
        cut, scale, done, turn = border[row, 0], _ZERO, False, 0
        d = importance[row] if weighted else weight[row]
        while not done:
            middle, reach = cut, np.float32(cut * REACH)
            upper, lower, count = _read(weight[row], d, weighted, middle, reach, aside)
            while not done:
                moved = _ratio_above(upper, lower, aside, count, cut)
                done = turn > 0 and abs(moved - scale) <= tolerance * scale
                scale, cut, turn = moved, moved / np.float32(2.0), turn + 1
                done = done or turn > turns
                if not abs(cut - middle) <= _INSIDE * reach:
                    break
        out[row, 0] = scale


def settled(
    weight: Tensor, border: Tensor, importance: Tensor | None, turns: int, tolerance: float
) -> Tensor:
    """The scale (rows, 1) after alternating from the codes that `border` (rows, 1) gives to
    |w| above it: at most `turns` turns, or until one moves the scale by at most `tolerance` of
    itself. D is 1 without importance."""
    matrix, scale = numbers_of(weight), column(weight)
    aside = np.empty((2, matrix.shape[1]), np.float32)
    numbers = turns, np.float32(tolerance), aside, scale
    _settle(matrix, numbers_of(border), numbers_of(importance), *numbers)
    return torch.from_numpy(scale)
