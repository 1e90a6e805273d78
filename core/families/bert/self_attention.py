"""BERT's attention, as distillation needs it: with scores, with quantizers.

Our attention is registered with the transformers library under the name `ternary_lab`. The mask
must be registered too: without it the library passes no mask at all and padding is attended,
silently. tests/core/test_models.py holds both against the library's eager attention.
"""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.masking_utils import eager_mask  # pyright: ignore[reportUnknownVariableType]
from transformers.models.bert.modeling_bert import BertSelfAttention

from core.experiment import QuantRecipe
from core.models.activation import share_rounding
from core.models.attention import AttentionQuantizers, attention_with_scores

NAME = "ternary_lab"


def prepare(model: Any, recipe: QuantRecipe) -> None:
    """Give each attention the quantizers of Q, K, V and the probabilities, and have its three
    matrices share their rounded input."""
    model.set_attn_implementation(NAME)
    for module in attentions(model):
        module.add_module("activation_quantizers", AttentionQuantizers(recipe))
        module.register_forward_pre_hook(_round_once)


def without_traces(model: Any) -> None:
    """Attend as the library does by default, without scores."""
    model.set_attn_implementation("sdpa")


def _round_once(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
    layers = [module.get_submodule(name) for name in ("query", "key", "value")]
    quantizers = [getattr(layer, "activation_quantizer", None) for layer in layers]
    share_rounding(inputs[0], [quantizer for quantizer in quantizers if quantizer is not None])


def attentions(model: nn.Module) -> list[nn.Module]:
    """The modules that compute attention, in the order of the layers."""
    return [module for module in model.modules() if isinstance(module, BertSelfAttention)]


def leave_attention_whole(model: nn.Module) -> None:
    """Turn dropout of attention probabilities off."""
    for module in attentions(model):
        module.get_submodule("dropout").p = 0.0  # type: ignore[assignment]


@contextmanager
def recorded_attention(model: nn.Module | None) -> Generator[list[Tensor]]:
    """What each attention of `model` gives, (batch, tokens, hidden), in the order of the layers,
    while the block runs forward; nothing for None."""
    outputs: list[Tensor] = []
    hooks = [
        module.register_forward_hook(lambda _module, _inputs, output: outputs.append(output[0]))
        for module in ([] if model is None else attentions(model))
    ]
    try:
        yield outputs
    finally:
        for hook in hooks:
            hook.remove()


# The library leaves out the types of what its two registers take.
AttentionInterface.register(NAME, attention_with_scores)  # pyright: ignore[reportUnknownMemberType]
AttentionMaskInterface.register(NAME, eager_mask)  # pyright: ignore[reportUnknownMemberType]
