"""The mean of the latent weights over the last steps of a training (Izmailov et al. 2018).

Late in training the weights circle around a minimum without reaching it; their mean lies nearer.
Every tenth step counts, which costs nothing that could be measured. Latent weights are averaged,
never quantized ones: the mean is quantized anew.
"""

import torch
from torch import nn

EVERY = 10


class Averaging:
    """Collects the mean of all parameters of `model` over the last `share` of `steps`."""

    def __init__(self, model: nn.Module, share: float, steps: int) -> None:
        self.parameters = list(model.parameters())
        self.first, self.last = steps - share * steps, steps
        self.taken = 0
        self.sums = [torch.zeros_like(p) for p in self.parameters] if share else []

    def wants(self, step: int) -> bool:
        """Whether `step` (from 1) counts: every tenth from the last backwards."""
        return bool(self.sums) and step > self.first and (self.last - step) % EVERY == 0

    @torch.no_grad()
    def take(self) -> None:
        """Add the weights as they stand."""
        self.taken += 1
        for total, parameter in zip(self.sums, self.parameters, strict=True):
            total.add_(parameter)

    @torch.no_grad()
    def settle(self) -> None:
        """Put the mean in the model's place; without a sample nothing changes."""
        if self.taken:
            for total, parameter in zip(self.sums, self.parameters, strict=True):
                parameter.copy_(total.div_(self.taken))
