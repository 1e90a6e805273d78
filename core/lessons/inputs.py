"""What comes into one matrix while the teacher reads a sentence: the activations to be rounded."""

import copy
from typing import TYPE_CHECKING

from core.api.models import OpenModel
from core.errors import InputError, one_of

if TYPE_CHECKING:
    from torch import Tensor


def input_of(opened: OpenModel, matrix: str, sentence: str) -> "Tensor":
    """The input (tokens, features) of that matrix for one sentence, float32. Raises InputError for
    an unknown matrix or one that is looked up instead of multiplied."""
    import numpy as np
    import torch

    found = {one.name: one for one in opened.family.matrices(opened.model)}
    one_of("Matrix", matrix, found)
    if found[matrix].is_table:
        raise InputError("The word embedding is looked up; it has no input to round.")
    columns = [[sentence]] * len(opened.task.texts)
    longest = opened.family.longest(opened.config)
    encoded = opened.target.encode_texts(
        opened.family, opened.tokenizer, columns, opened.task, longest
    )
    seen: list[Tensor] = []
    model = copy.deepcopy(opened.model)  # the opened one is everybody's: nobody hooks into it
    model.get_submodule(matrix).register_forward_pre_hook(
        lambda _module, inputs: seen.append(inputs[0].detach())
    )
    with torch.no_grad():
        opened.family.forward(model, opened.family.collate(encoded, np.arange(1)))
    return seen[0].reshape(-1, seen[0].shape[-1]).float()
