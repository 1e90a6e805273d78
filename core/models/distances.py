"""How far a student's trace lies from its teacher's. Padding is left out of every mean."""

import torch
from torch import Tensor

from core.family import Trace

LOWEST = -1e9  # a score that leaves no probability


def squared(student: Trace, teacher: Trace) -> Tensor:
    """The mean squared difference over what is real."""
    mask = student.mask
    count = mask.sum() * (student.value.numel() / mask.numel())
    difference = (student.value - teacher.value) * mask
    return (difference * difference).sum() / count


def divergence(student: Trace, teacher: Trace) -> Tensor:
    """KL(teacher || student) of the probabilities over the last axis of two traces of scores
    (batch, heads, queries, keys): the mean over heads and real queries."""
    mask = student.mask  # (batch, 1, queries, keys)
    absent, real = mask == 0, mask.amax(dim=-1)
    wanted = torch.log_softmax(teacher.value.masked_fill(absent, LOWEST), dim=-1)
    found = torch.log_softmax(student.value.masked_fill(absent, LOWEST), dim=-1)
    each = (wanted.exp() * (wanted - found)).sum(dim=-1)  # (batch, heads, queries)
    return (each * real).sum() / (real.sum() * each.shape[1])
