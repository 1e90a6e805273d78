"""GPTQ: round column by column, and let the columns to come make up for the error (Frantar et al.,
arXiv 2210.17323).

With G the Gram matrix of the inputs (see `layer_inputs`), the error of a row's outputs is
(w - v) G (w - v)^T. Fix the code of column j: the best change of the columns behind it is known in
closed form (Optimal Brain Surgeon), and costs no search,

    e = (w_j - v_j) / H^-1_jj          w_k <- w_k - e H^-1_jk    for the columns k that are left

where H^-1 is the inverse of G without the columns that are done. All those inverses are rows of
one Cholesky factor, H^-1 = U^T U: e = (w_j - v_j) / U_jj and w_k <- w_k - e U_jk. The inverse is
damped, because a few texts leave G without full rank. Columns go in the order of their G_jj, the
largest first, while there are still many to make up for them. Changes are applied to a block of
columns at once, and to what lies behind it when the block is done: the same numbers, fewer passes.

Scales stay those of the rule: GPTQ chooses codes. Example: w = (0.6, 0.6), scale 1, two inputs
that are always equal to each other. Nearest levels are (1, 1), so 2 x for 1.2 x. GPTQ rounds the
first to 1; the second, which is now to be 0.2, becomes 0: 1 x for 1.2 x.
"""

from dataclasses import replace

import torch
from torch import Tensor

from core.quantizers.quantizer import Quantized, nearest_codes

BLOCK = 128


def compensated(weight: Tensor, start: Quantized, gram: Tensor, damping: float) -> Quantized:
    """`start` with other codes. weight (rows, cols) float32; gram (cols, cols) float64; `damping`
    is added to its diagonal, as a share of the diagonal's mean."""
    order = gram.diagonal().argsort(descending=True, stable=True)
    factor = inverse_factor(gram[order][:, order], damping)
    scales = scale_of_each(start)[:, order]
    left = weight.detach().double()[:, order]
    codes = torch.empty_like(start.codes)
    for begin in range(0, weight.shape[1], BLOCK):
        end = min(begin + BLOCK, weight.shape[1])
        block, errors = left[:, begin:end], torch.empty(len(left), end - begin, dtype=torch.float64)
        for j in range(end - begin):
            column, scale = block[:, j : j + 1], scales[:, begin + j : begin + j + 1]
            chosen = nearest_codes(column.float(), scale.contiguous(), start.bits)
            place = begin + j
            error = (column - chosen.double() * scale.double()) / factor[place, place]
            block[:, j + 1 :] -= error * factor[place, place + 1 : end]
            errors[:, j : j + 1] = error
            codes[:, int(order[place])] = chosen[:, 0]
        left[:, end:] -= errors @ factor[begin:end, end:]
    return replace(start, codes=codes, threshold=None)


def inverse_factor(gram: Tensor, damping: float) -> Tensor:
    """U, upper triangular, with U^T U the inverse of the damped Gram matrix, float64."""
    diagonal = gram.diagonal()
    # An input that is always 0 has no error to make up for, and none to take on.
    silent = torch.where(diagonal == 0, 1.0, 0.0)
    damped = gram + torch.diag(silent + damping * diagonal.mean())
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(damped))
    return torch.linalg.cholesky(inverse, upper=True)


def nearest(weight: Tensor, start: Quantized) -> Quantized:
    """The nearest levels under the scales of `start`."""
    scales = scale_of_each(start).reshape(-1, 1)
    codes = nearest_codes(weight.detach().float().reshape(-1, 1), scales, start.bits)
    return replace(start, codes=codes.reshape(weight.shape), threshold=None)


def scale_of_each(quantized: Quantized) -> Tensor:
    """The scale of every weight, (rows, cols) float32, whatever shares one."""
    return replace(quantized, codes=torch.ones_like(quantized.codes)).dequantize()


def output_error(weight: Tensor, quantized: Quantized, gram: Tensor) -> Tensor:
    """The mean squared error of each output, (rows,) float64."""
    gap = weight.detach().double() - quantized.dequantize().double()
    return ((gap @ gram) * gap).sum(1)
