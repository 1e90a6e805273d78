"""How much the loss feels an error in each weight, from what Adam knows anyway.

Adam keeps v, the mean square of each weight's gradient. Its root stands in for the diagonal of the
loss's curvature: D = sqrt(v) + 1e-8 (Hou, Yao and Kwok, arXiv 1611.01600; PAPER 2). It is made
again in every step for every matrix, so it is a compiled loop.
"""

import threading

import numpy as np
import torch
from torch import Tensor

from core.quantizers.kernels import compiled

FLOOR = 1e-8
_NONE = torch.empty(0)
_kept = threading.local()


def _scratch(like: Tensor) -> Tensor:
    if getattr(_kept, "memory", _NONE).numel() < like.numel():
        _kept.memory = torch.empty(like.numel())
    return _kept.memory[: like.numel()].view(like.shape)


@compiled
def _roots(numbers, floor, roots):
    for i in range(len(numbers)):
        roots[i] = np.sqrt(numbers[i]) + floor


def importance(second_moment: Tensor | None, reuse: bool = False) -> Tensor | None:
    """D = sqrt(v) + 1e-8 of Adam's second moment v, same shape, float32; None stays None.

    With `reuse` the answer holds only until the next such call of this thread: one piece of
    memory, still in the processor's cache, serves all matrices of a step.
    """
    if second_moment is None:
        return None
    found = _scratch(second_moment) if reuse else torch.empty(second_moment.shape)
    flat = second_moment.detach().contiguous().view(-1)
    _roots(flat.numpy(), np.float32(FLOOR), found.view(-1).numpy())
    return found
