"""The student: the teacher, or a copy of it, whose weights and activations pass through quantizers.

Quantized are the word embedding, every linear of the encoder and the pooler; position and type
embeddings, LayerNorm, biases and the task head stay full precision (PAPER 1). Which module is
which part is the architecture's knowledge (`anatomy.part_of`); nothing here knows BERT.
"""

import copy
from collections.abc import Iterator

from torch import Tensor, nn
from transformers import PreTrainedModel

from core.errors import InputError
from core.experiment import QuantRecipe
from core.models.activation import ActivationQuantizer
from core.models.anatomy import is_attention, layer_of, part_of
from core.models.attention import NAME, AttentionQuantizers
from core.models.layers import QuantEmbedding, QuantLinear, WeightQuantizer
from core.quantizers.base import Quantized
from core.quantizers.registry import check


def build_student(teacher: PreTrainedModel, recipe: QuantRecipe) -> PreTrainedModel:
    """A quantized copy of `teacher` in eval mode, without dropout; the teacher is untouched.

    Raises InputError when the recipe names an unknown method, bits the method lacks, or a layer
    that the model lacks.
    """
    return become_student(copy.deepcopy(teacher), recipe).requires_grad_(True)


def become_student(model: PreTrainedModel, recipe: QuantRecipe) -> PreTrainedModel:
    """As `build_student`, of a model that nobody else holds: its layers are replaced, and no number
    is copied or written, so it may share weights with others. Whether they learn is as it was."""
    check(recipe.method, recipe.weight_bits, recipe.weight_granularity)
    check(recipe.method, recipe.embedding_bits, recipe.embedding_granularity)
    for bits in recipe.stages:
        check(recipe.method, bits, recipe.weight_granularity)
    depth = model.config.num_hidden_layers
    if recipe.layers and max(recipe.layers) >= depth:
        raise InputError(
            f"There is no layer {max(recipe.layers)}: this model's layers are 0 to {depth - 1}."
        )
    model.set_attn_implementation(NAME)
    for name, module in list(model.named_modules()):
        if isinstance(module, nn.Dropout):
            module.p = 0.0
        if is_attention(module):
            quantizers = AttentionQuantizers(recipe.activation_bits, recipe.activation)
            module.add_module("activation_quantizers", quantizers)
        replacement = _quantized(name, module, recipe)
        if replacement is not None:
            parent, _, child = name.rpartition(".")
            setattr(model.get_submodule(parent), child, replacement)
    return model.eval()


def _quantized(name: str, module: nn.Module, recipe: QuantRecipe) -> nn.Module | None:
    part = part_of(name)
    if part is None:
        return None
    if isinstance(module, nn.Embedding):
        bits, granularity = recipe.embedding_bits, recipe.embedding_granularity
    else:
        bits, granularity = recipe.weight_bits, recipe.weight_granularity
    layer = layer_of(name)
    wanted = part in recipe.parts and (layer is None or not recipe.layers or layer in recipe.layers)
    assert isinstance(module, nn.Linear | nn.Embedding), f"{name} is a {type(module).__name__}"
    weight = None
    if wanted and bits != 32:
        weight = WeightQuantizer(name, recipe.method, bits, granularity, module.weight)
    if isinstance(module, nn.Embedding):
        return QuantEmbedding(module, weight)
    return QuantLinear(
        module, weight, ActivationQuantizer(recipe.activation_bits, recipe.activation)
    )


def weight_quantizers(student: nn.Module) -> Iterator[tuple[str, Tensor, WeightQuantizer]]:
    """(name, latent weight, quantizer) of every quantized matrix, in the order of the network."""
    for name, module in student.named_modules():
        if isinstance(module, QuantLinear | QuantEmbedding) and module.weight_quantizer is not None:
            yield name, module.weight, module.weight_quantizer


def quantized_weights(student: nn.Module) -> dict[str, Quantized]:
    """What the student computes with, by name: the objects that its forward uses in eval mode."""
    return {
        name: quantizer.quantize(weight) for name, weight, quantizer in weight_quantizers(student)
    }


def set_dropout(student: nn.Module, share: float) -> None:
    """Dropout wherever the architecture has it; a student is built without."""
    for module in student.modules():
        if isinstance(module, nn.Dropout):
            module.p = share


def enter_stage(student: nn.Module, recipe: QuantRecipe, bits: int) -> None:
    """Quantize with `bits` for now, or with a matrix's own final bits where those are more."""
    for name, weight, quantizer in weight_quantizers(student):
        final = recipe.embedding_bits if part_of(name) == "embedding" else recipe.weight_bits
        quantizer.change_bits(max(bits, final), weight)


def hand_over_second_moments(student: nn.Module, second_moments: dict[Tensor, Tensor]) -> None:
    """Give every loss-aware quantizer Adam's v of its latent weight (PAPER 2).

    `second_moments` maps a latent weight to v of the same shape. Called after each optimizer
    step; a weight without an entry keeps an importance of ones.
    """
    for _, weight, quantizer in weight_quantizers(student):
        if quantizer.rule.uses_importance:
            quantizer.second_moment = second_moments.get(weight)
