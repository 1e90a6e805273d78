"""How much the loss feels an error in each weight, from what Adam knows anyway.

Adam keeps v, the mean square of each weight's gradient. Its root stands in for the diagonal of the
loss's curvature: D = sqrt(v) + 1e-8 (Hou, Yao and Kwok, arXiv 1611.01600; PAPER 2). It is made
anew in every step for every matrix, so it is a compiled loop.
"""

import numpy as np
import torch
from torch import Tensor

from core.quantizers.kernels import compiled

FLOOR = 1e-8


@compiled
def _roots(numbers, floor, roots):
    for i in range(len(numbers)):
        roots[i] = np.sqrt(numbers[i]) + floor


def importance(second_moment: Tensor | None) -> Tensor | None:
    """D = sqrt(v) + 1e-8 of Adam's second moment v, same shape, float32; None stays None."""
    if second_moment is None:
        return None
    found = torch.empty(second_moment.shape)
    flat = second_moment.detach().contiguous().view(-1)
    _roots(flat.numpy(), np.float32(FLOOR), found.view(-1).numpy())
    return found
