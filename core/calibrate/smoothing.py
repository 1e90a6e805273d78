"""Smoothing: move what is hard to round from activations into weights (SmoothQuant, Xiao et al.,
arXiv 2211.10438).

Activations are rounded with one range for many channels, and a channel thirty times as wide as the
others takes all the levels. Divide each channel j of what a matrix reads by s_j and multiply the
matrix's column j by it: the product is the same, and with

    s_j = max|x_j|^a / max|w_j|^(1 - a)

the width is shared between the two; a = 0.5 by halves, 0 leaves it all with the activations. Where
a division can be had for nothing, because the layer before is linear in its own rows (or is a
LayerNorm with its own scale), the family knows (`Family.smoothings`).
"""

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from core.calibrate.layer_inputs import layer_inputs
from core.family import Batch, Family, Smoothing

SMALLEST = 1e-5  # of a factor and of what it is made of


@torch.no_grad()
def smoothed(teacher: Any, family: Family, batches: Sequence[Batch], share: float) -> Any:
    """A copy of the teacher that answers the same, with narrower activations."""
    model = copy.deepcopy(teacher)
    for place in family.smoothings(model):
        reader = place.readers[0].rpartition(".")[0]
        found = layer_inputs(model, family, batches, model.get_submodule(reader))
        weights = [model.get_parameter(address) for address in place.readers]
        move(model, place, factors(found.largest, weights, share))
    return model


def factors(largest: Tensor, weights: Sequence[Tensor], share: float) -> Tensor:
    """s of every channel, (cols,): largest |x| of each, the matrices (rows, cols) that read it."""
    widest = torch.stack([weight.detach().double().abs().amax(0) for weight in weights]).amax(0)
    found = largest.clamp_min(SMALLEST) ** share / widest.clamp_min(SMALLEST) ** (1 - share)
    # A channel that is never used, or read by nobody, has nothing to share.
    return torch.where((largest > 0) & (widest > 0), found.clamp_min(SMALLEST), 1.0)


def move(model: Any, place: Smoothing, by: Tensor) -> None:
    """Divide the sources of a place by these factors, and multiply its readers."""
    for address in place.sources:
        value = model.get_parameter(address)
        divisor = by if value.dim() == 1 else by[:, None]
        value.copy_((value.double() / divisor).to(value.dtype))
    for address in place.readers:
        value = model.get_parameter(address)
        value.copy_((value.double() * by).to(value.dtype))
