"""Products of each text by itself, so that a text's numbers do not depend on its batch mates.

A matrix product adds thousands of numbers, and a library chooses by the size of the whole product
in which order: the same rows in a batch of another size may differ in their last bit, and one bit
can move a number to the next of 255 levels. So where ranges are each token's own or fixed, an
evaluation multiplies text by text: the same text, padded to the same length, then has the same
bits alone and among any others. Training, where a step has one batch anyway, multiplies at once.

Products this small gain nothing from a second thread, which costs more to wait for (docs/log).
"""

from collections.abc import Callable, Generator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def each_text(product: Callable[..., Tensor], *batches: Tensor) -> Tensor:
    """`product` of the texts (first axis) of these batches, one text after the other."""
    with one_thread():
        return torch.stack([product(*texts) for texts in zip(*batches, strict=True)])


@contextmanager
def one_thread() -> Generator[None]:
    """Compute the block on one thread."""
    threads = torch.get_num_threads()
    if threads == 1:
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


class EachTextLinear(nn.Module):
    """y = x W^T + b, in evaluation each text by itself; takes over the parameters of an
    nn.Linear."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.weight, self.bias = linear.weight, linear.bias

    def forward(self, x: Tensor) -> Tensor:  # (batch, ..., in) -> (batch, ..., out)
        if self.training:
            return F.linear(x, self.weight, self.bias)
        return each_text(lambda text: F.linear(text, self.weight, self.bias), x)
