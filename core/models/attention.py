"""Attention that shows its scores before the softmax and quantizes its four tensors.

The distillation loss compares Q K^T / sqrt(d) of student and teacher *before* the softmax, which
no attention of the transformers library returns. So we register our own under the name
`ternary_lab`: it returns (output, scores), and where the module carries `activation_quantizers`
(student only) it fake-quantizes Q, K, V and the attention probabilities on the way.

The mask must be registered too: without it the library passes no mask at all and padding is
attended, silently. tests/core/test_models.py holds both against the library's eager attention.
"""

from collections.abc import Generator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.masking_utils import eager_mask

from core.models.activation import ActivationQuantizer
from core.models.anatomy import is_attention

NAME = "ternary_lab"


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
    attention_mask: Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    **_unused,
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
    masked = scores if attention_mask is None else scores + attention_mask
    probabilities = torch.softmax(masked, dim=-1)
    probabilities = torch.nn.functional.dropout(probabilities, dropout, module.training)
    if quantizers is not None:
        probabilities = quantizers.probabilities(probabilities)
    output = torch.matmul(probabilities, value).transpose(1, 2).contiguous()
    return output, scores


@contextmanager
def recorded_attention(model: nn.Module | None) -> Generator[list[Tensor]]:
    """What each attention of `model` gives, (batch, tokens, hidden), in the order of the layers,
    while the block runs forward; nothing for None."""
    outputs: list[Tensor] = []
    modules = [] if model is None else [m for m in model.modules() if is_attention(m)]
    hooks = [
        module.register_forward_hook(lambda _module, _inputs, output: outputs.append(output[0]))
        for module in modules
    ]
    try:
        yield outputs
    finally:
        for hook in hooks:
            hook.remove()


AttentionInterface.register(NAME, attention_with_scores)
AttentionMaskInterface.register(NAME, eager_mask)
