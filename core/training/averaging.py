"""The mean of the latent weights over the last steps of a training (Izmailov et al. 2018).

Late in training the weights circle around a minimum without reaching it; their mean lies nearer.
Every tenth step counts, which costs nothing that could be measured. Latent weights are averaged,
never quantized ones: the mean is quantized again.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

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

    def state(self) -> dict[str, Tensor]:
        """What was collected so far, by the number of the parameter."""
        if not self.taken:
            return {}
        return {str(n): total for n, total in enumerate(self.sums)} | {
            "taken": torch.tensor(self.taken)
        }

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Go on from a `state`; raises KeyError or RuntimeError when it is another model's."""
        if state:
            self.taken = int(state["taken"])
            for number, total in enumerate(self.sums):
                total.copy_(state[str(number)])

    @torch.no_grad()
    def coerce_fields(self) -> None:
        """Put the mean in the model's place; without a sample nothing changes."""
        if self.taken:
            for total, parameter in zip(self.sums, self.parameters, strict=True):
                parameter.copy_(total.div_(self.taken))
