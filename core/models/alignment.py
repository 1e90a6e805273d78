"""Weights that lie in memory as torch itself would lay them.

A weight that was read from a file begins where the file has it: at any multiple of four bytes. On
some processors a matrix product then takes its sums in another order, so the same numbers give
other last digits than before they were saved. Copied to where torch lays a tensor of its own, they
give the same digits again.
"""

from torch import Tensor, nn

BYTES = 64  # what torch's allocator keeps to on every processor


def aligned(tensor: Tensor) -> Tensor:
    """The tensor itself where it begins at a multiple of 64 bytes, else a copy that does."""
    return tensor if tensor.data_ptr() % BYTES == 0 else tensor.detach().clone()


def align(model: nn.Module) -> None:
    """Let every parameter of the model lie like that."""
    for parameter in model.parameters():
        parameter.data = aligned(parameter.data)
