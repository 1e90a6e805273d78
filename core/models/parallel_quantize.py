"""All matrices of a step, quantized before its forward on every core.

A compiled loop runs on one core, and most are too short to be cut in two. But a student has dozens
of matrices, and none needs another: workers take matrices from a shared queue. Results are
bitwise identical to quantizing in each layer.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial

import torch
from torch import nn

from core.models.layers import QuantLinear


def quantize_in_parallel(student: nn.Module) -> None:
    """Have every linear layer's weight ready for the next forward, on as many threads as torch
    uses; nothing where that is one. (The embedding waits for the words of its batch.)

    Raises InputError where a layer would.
    """
    helpers = torch.get_num_threads() - 1
    if not helpers:
        return
    todo = iter(list(_tasks(student)))
    others = [_pool(helpers).submit(_work, todo) for _ in range(helpers)]
    try:
        _work(todo)
    finally:
        for other in others:
            other.result()


def _tasks(student: nn.Module) -> Iterator[Callable[[], None]]:
    """A call for each matrix. Types are found here: another thread knows nothing of autocast."""
    for layer in student.modules():
        if isinstance(layer, QuantLinear) and layer.weight_quantizer is not None:
            prepare = layer.weight_quantizer.prepare
            yield partial(prepare, layer.weight, layer.weight_dtype())


def _work(todo: Iterator[Callable[[], None]]) -> None:
    for task in todo:
        task()


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="quantize")
