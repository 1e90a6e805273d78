"""Attention that gives its scores before the softmax and quantizes its four tensors.

The distillation loss compares Q K^T / sqrt(d) of student and teacher *before* the softmax, which
no attention of the transformers library returns. A family uses `attention_with_scores` in its
place: it returns (output, scores), and where the module carries `activation_quantizers` (student
only) it fake-quantizes Q, K, V and the attention probabilities on the way.
"""

import torch
from torch import Tensor, nn

from core.models.activation import ActivationQuantizer


class AttentionQuantizers(nn.Module):
    """The activation quantizers of one attention module."""

    def __init__(self, bits: int, kind: str) -> None:
        super().__init__()
        self.query = ActivationQuantizer(bits, kind)
        self.key = ActivationQuantizer(bits, kind)
        self.value = ActivationQuantizer(bits, kind)
        self.probabilities = ActivationQuantizer(bits, kind)


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
    if quantizers is not None:
        query, key, value = quantizers.query(query), quantizers.key(key), quantizers.value(value)
    depth = query.shape[-1]
    scores = torch.matmul(query, key.transpose(2, 3)) * (scaling or depth**-0.5)
    masked = scores if mask is None else scores + mask
    probabilities = torch.softmax(masked, dim=-1)
    probabilities = torch.nn.functional.dropout(probabilities, dropout, module.training)
    if quantizers is not None:
        probabilities = quantizers.probabilities(probabilities)
    output = torch.matmul(probabilities, value).transpose(1, 2).contiguous()
    return output, scores
