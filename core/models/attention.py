"""Attention that gives its scores before the softmax and quantizes its four tensors.

The distillation loss compares Q K^T / sqrt(d) of student and teacher *before* the softmax, which
no attention of the transformers library returns. A family uses `attention_with_scores` in its
place: it returns (output, scores), and where the module carries `activation_quantizers` (student
only) it fake-quantizes Q, K, V and the attention probabilities on the way.
"""

from functools import partial

import torch
from torch import Tensor, nn

from core.experiment import QuantRecipe
from core.models.activation import ActivationQuantizer
from core.models.each_text import each_text


class AttentionQuantizers(nn.Module):
    """The activation quantizers of one attention module."""

    def __init__(self, recipe: QuantRecipe) -> None:
        super().__init__()
        self.query = ActivationQuantizer.of(recipe)
        self.key = ActivationQuantizer.of(recipe)
        self.value = ActivationQuantizer.of(recipe)
        self.probabilities = ActivationQuantizer.of(recipe)
        self.probabilities.is_signed = False


def attention_with_scores(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    **_unused: object,
) -> tuple[Tensor, Tensor]:
    """softmax(Q K^T / sqrt(d) + mask) V and the scores before the mask.

    query, key, value (batch, heads, tokens, depth); mask (batch, 1, tokens, tokens), 0 or a large
    negative number; returns output (batch, tokens, heads, depth), scores (batch, heads, tokens,
    tokens). The order of operations is that of the library's eager attention, so an unquantized
    module gives exactly its numbers.
    """
    quantizers = getattr(module, "activation_quantizers", None)
    product = torch.matmul
    if quantizers is not None:
        query = _rounded(quantizers.query, query)
        key, value = _rounded(quantizers.key, key), _rounded(quantizers.value, value)
        if quantizers.query.keeps_texts_apart and not module.training:
            product = partial(each_text, torch.matmul)
    depth = query.shape[-1]
    scores = product(query, key.transpose(2, 3)) * (scaling or depth**-0.5)
    masked = scores if mask is None else scores + mask
    probabilities = torch.softmax(masked, dim=-1)
    probabilities = torch.nn.functional.dropout(probabilities, dropout, module.training)
    if quantizers is not None:
        probabilities = quantizers.probabilities(probabilities)
    output = product(probabilities, value).transpose(1, 2).contiguous()
    return output, scores


def _rounded(quantizer: ActivationQuantizer, x: Tensor) -> Tensor:
    """x (batch, heads, tokens, depth) on its levels; what a token carries is that of all heads."""
    if quantizer.scope != "token":
        return quantizer(x)
    carried = quantizer(x.transpose(1, 2).flatten(2))  # (batch, tokens, heads * depth)
    return carried.unflatten(2, (x.shape[1], x.shape[3])).transpose(1, 2)
