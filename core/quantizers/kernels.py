"""The inner loops of quantization, compiled.

A formula such as "the sum of |w| over |w| > threshold" is four operations to torch, and each walks
through memory and writes a matrix that nobody wants. Here each loop reads its matrix once and
writes only its answer: quantizing the weights of a step takes a fifth of the time (docs/log). numba
translates the loops to machine code when they are first used, and keeps the code in the cache
folder.

What is computed is said by the rules, not here; tests/core/test_kernels.py holds every loop against
the same formula in plain torch. Sums run over pieces of 4,096 numbers in float32 and over the
pieces in float64, always in the same order. Matrices are (rows, cols), answers (rows, 1).
"""

from collections.abc import Callable

import numba
import numpy as np
import torch
from torch import Tensor

from core.paths import cache

numba.config.CACHE_DIR = str(cache() / "kernels")  # type: ignore[attr-defined]


def compiled(loop: Callable[..., None]) -> Callable[..., None]:
    """`loop` as machine code, kept for the next start where a folder can be written.

    Sums may be reordered (that is what lets a processor add sixteen numbers at once), but NaN and
    infinity keep their meaning.
    """
    options = {"error_model": "numpy", "fastmath": {"reassoc", "contract", "nsz"}, "nogil": True}
    try:
        return numba.njit(cache=True, **options)(loop)
    except RuntimeError:  # no folder for the code: it is translated again in every process
        return numba.njit(**options)(loop)


_PIECE = 4096
_NONE = torch.empty(0, 0)
_ZERO = np.float32(0.0)
_WITHOUT_SIGN = np.uint32(0x7FFFFFFF)


@numba.njit(inline="always", error_model="numpy")
def to_bfloat16(value):
    """The upper half of a finite float32, rounded to even, as its 16 bits."""
    bits = np.float32(value).view(np.uint32)
    return np.uint16((bits + np.uint32(0x7FFF) + ((bits >> 16) & np.uint32(1))) >> np.uint32(16))


@numba.njit(inline="always", error_model="numpy")
def from_bfloat16(bits):
    """The float32 of 16 bits of a bfloat16."""
    return np.uint32(np.uint32(bits) << np.uint32(16)).view(np.float32)


@compiled
def _magnitudes(bits, weight, total, largest):
    rows, cols = weight.shape
    for row in range(rows):
        whole, top = 0.0, np.uint32(0)
        for start in range(0, cols, _PIECE):
            part, w, u = (
                _ZERO,
                weight[row, start : start + _PIECE],
                bits[row, start : start + _PIECE],
            )
            for i in range(len(w)):
                part += abs(w[i])
            for i in range(len(u)):  # as whole numbers: NaN is above everything
                top = max(top, u[i] & _WITHOUT_SIGN)
            whole += part
        total[row, 0] = whole
        largest[row, 0] = top


def magnitudes(weight: Tensor) -> tuple[Tensor, Tensor]:
    """sum|w| and max|w| of each row; the latter is NaN or infinity where the row has any."""
    matrix = numbers_of(weight)
    total, largest = column(weight), np.empty((len(matrix), 1), np.uint32)
    _magnitudes(matrix.view(np.uint32), matrix, total, largest)
    return torch.from_numpy(total), torch.from_numpy(largest.view(np.float32))


@compiled
def _moments_above(weight, border, importance, upper, lower):
    rows, cols = weight.shape
    weighted = importance.shape[0] > 0
    for row in range(rows):
        a, b, cut = 0.0, 0.0, border[row, 0]
        for start in range(0, cols, _PIECE):
            some_a, some_b, w = _ZERO, _ZERO, weight[row, start : start + _PIECE]
            if weighted:
                d = importance[row, start : start + _PIECE]
                for i in range(len(w)):
                    counts = np.float32(abs(w[i]) > cut) * d[i]
                    some_a += counts * abs(w[i])
                    some_b += counts
            else:
                for i in range(len(w)):
                    counts = np.float32(abs(w[i]) > cut)
                    some_a += counts * abs(w[i])
                    some_b += counts
            a += some_a
            b += some_b
        upper[row, 0], lower[row, 0] = a, b


def moments_above(
    weight: Tensor, border: Tensor, importance: Tensor | None
) -> tuple[Tensor, Tensor]:
    """sum(D |w|) and sum(D) over |w| > border (rows, 1); D is 1 without importance."""
    upper, lower = column(weight), column(weight)
    _moments_above(numbers_of(weight), numbers_of(border), numbers_of(importance), upper, lower)
    return torch.from_numpy(upper), torch.from_numpy(lower)


@compiled
def _moments_nearest(weight, inverse, top, importance, upper, lower):
    rows, cols = weight.shape
    weighted = importance.shape[0] > 0
    for row in range(rows):
        a, b, share = 0.0, 0.0, inverse[row, 0]
        for start in range(0, cols, _PIECE):
            some_a, some_b, w = _ZERO, _ZERO, weight[row, start : start + _PIECE]
            d = importance[row, start : start + _PIECE] if weighted else w
            for i in range(len(w)):
                code = min(max(np.rint(w[i] * share), -top), top)
                counts = d[i] * code if weighted else code
                some_a += counts * w[i]
                some_b += counts * code
            a += some_a
            b += some_b
        upper[row, 0], lower[row, 0] = a, b


def moments_nearest(
    weight: Tensor, inverse: Tensor, top: int, importance: Tensor | None
) -> tuple[Tensor, Tensor]:
    """sum(D b w) and sum(D b^2) of the codes b nearest to w * inverse, at most `top`."""
    upper, lower = column(weight), column(weight)
    _moments_nearest(
        numbers_of(weight),
        numbers_of(inverse),
        np.float32(top),
        numbers_of(importance),
        upper,
        lower,
    )
    return torch.from_numpy(upper), torch.from_numpy(lower)


@compiled
def _cost_nearest(weight, scale, inverse, top, importance, cost):
    rows, cols = weight.shape
    weighted = importance.shape[0] > 0
    for row in range(rows):
        whole, share, step = 0.0, inverse[row, 0], scale[row, 0]
        for start in range(0, cols, _PIECE):
            part, w = _ZERO, weight[row, start : start + _PIECE]
            d = importance[row, start : start + _PIECE] if weighted else w
            for i in range(len(w)):
                code = min(max(np.rint(w[i] * share), -top), top)
                error = code * step - w[i]
                error *= error
                part += d[i] * error if weighted else error
            whole += part
        cost[row, 0] = whole


def cost_nearest(
    weight: Tensor, scale: Tensor, inverse: Tensor, top: int, importance: Tensor | None
) -> Tensor:
    """sum(D (w - scale b)^2) of the codes b nearest to w * inverse, at most `top`."""
    cost = column(weight)
    numbers = numbers_of(scale), numbers_of(inverse), np.float32(top)
    _cost_nearest(numbers_of(weight), *numbers, numbers_of(importance), cost)
    return torch.from_numpy(cost)


@compiled
def _codes_above(weight, border, codes):
    rows, cols = weight.shape
    for row in range(rows):
        cut, w, code = border[row, 0], weight[row], codes[row]
        for i in range(cols):
            code[i] = np.int8(w[i] > cut) - np.int8(w[i] < -cut)


def codes_above(weight: Tensor, border: Tensor) -> Tensor:
    """sign(w) where |w| > border >= 0, else 0: int8 (rows, cols)."""
    codes = torch.empty(weight.shape, dtype=torch.int8)
    _codes_above(numbers_of(weight), numbers_of(border), codes.numpy())
    return codes


@compiled
def _codes_nearest(weight, inverse, top, codes):
    rows, cols = weight.shape
    for row in range(rows):
        share, w, code = inverse[row, 0], weight[row], codes[row]
        for i in range(cols):
            code[i] = np.int8(min(max(np.rint(w[i] * share), -top), top))


def codes_nearest(weight: Tensor, inverse: Tensor, top: int) -> Tensor:
    """The whole numbers nearest to w * inverse, at most `top`: int8 (rows, cols)."""
    codes = torch.empty(weight.shape, dtype=torch.int8)
    _codes_nearest(numbers_of(weight), numbers_of(inverse), np.float32(top), codes.numpy())
    return codes


@compiled
def _scaled(codes, scale, value):
    rows, cols = codes.shape
    for row in range(rows):
        step, code, out = scale[row, 0], codes[row], value[row]
        for i in range(cols):
            out[i] = np.float32(code[i]) * step


@compiled
def _scaled_to_bfloat16(codes, scale, value):
    rows, cols = codes.shape
    for row in range(rows):
        step, code, out = scale[row, 0], codes[row], value[row]
        for i in range(cols):
            out[i] = to_bfloat16(np.float32(code[i]) * step)


def scaled(codes: Tensor, scale: Tensor, dtype: torch.dtype) -> Tensor:
    """scale * codes, (rows, cols) in float32 or bfloat16; scale (rows, 1)."""
    value = torch.empty(codes.shape, dtype=dtype)
    if dtype == torch.bfloat16:
        _scaled_to_bfloat16(numbers_of(codes), numbers_of(scale), value.view(torch.uint16).numpy())
    else:
        _scaled(numbers_of(codes), numbers_of(scale), value.numpy())
    return value


def numbers_of(matrix: Tensor | None) -> np.ndarray:
    """The matrix (None: an empty one) as numpy sees it, without a copy if it lies in order."""
    return (_NONE if matrix is None else matrix.detach().contiguous()).numpy()


def column(weight: Tensor) -> np.ndarray:
    """Room for one float32 answer a row, (rows, 1)."""
    return np.empty((len(weight), 1), np.float32)
