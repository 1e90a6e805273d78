"""The student: the teacher, or a copy of it, whose weights and activations pass through quantizers.

Which matrices there are is the family's knowledge; a table says which quantized layer stands in for
which layer. Everything that is no matrix of the family stays full precision (PAPER 1: position and
type embeddings, LayerNorm, biases and the task head).
"""

import copy
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from torch import Tensor, nn

from core.experiment import QuantRecipe
from core.family import Family, Matrix
from core.models.activation import ActivationQuantizer
from core.models.each_text import EachTextLinear
from core.models.layers import QuantEmbedding, QuantLinear
from core.models.matrix_choices import check_choices, choice_of, final_bits
from core.models.weight_quantizer import WeightQuantizer
from core.quantizers.learned_steps import Learning
from core.quantizers.quantizer import Quantized

Quantizers = Mapping[str, WeightQuantizer | None]  # by the parameter's name inside its module


def _linear(module: Any, quantizers: Quantizers, recipe: QuantRecipe) -> nn.Module:
    return QuantLinear(module, quantizers["weight"], ActivationQuantizer.of(recipe))


def _embedding(module: Any, quantizers: Quantizers, recipe: QuantRecipe) -> nn.Module:
    return QuantEmbedding(module, quantizers["weight"])


REPLACEMENTS: Mapping[type[nn.Module], Callable[[Any, Quantizers, QuantRecipe], nn.Module]] = {
    nn.Linear: _linear,
    nn.Embedding: _embedding,
}


def build_student(teacher: Any, recipe: QuantRecipe, family: Family) -> Any:
    """A quantized copy of `teacher` in eval mode, without dropout; the teacher is untouched.

    Raises InputError when the recipe names an unknown method, bits the method lacks, or a layer or
    a matrix that the model lacks.
    """
    return become_student(copy.deepcopy(teacher), recipe, family).requires_grad_(True)


def become_student(model: Any, recipe: QuantRecipe, family: Family) -> Any:
    """Like `build_student`, but in place. Replaces modules without copying or modifying
    parameters, so these may be shared; `requires_grad` is left unchanged."""
    check_choices(recipe, family.matrices(model), family.depth(model.config))
    set_dropout(model, 0.0)
    inside: dict[str, dict[str, WeightQuantizer | None]] = {}
    made: dict[str, WeightQuantizer | None] = {}
    for matrix in family.matrices(model):
        module, _, parameter = matrix.address.rpartition(".")
        made[matrix.address] = made[matrix.tied_to] if matrix.tied_to else None
        if not matrix.tied_to:
            made[matrix.address] = _quantizer(matrix, model.get_parameter(matrix.address), recipe)
        inside.setdefault(module, {})[parameter] = made[matrix.address]
    for name, quantizers in inside.items():
        module = model.get_submodule(name)
        parent, _, child = name.rpartition(".")
        replacement = REPLACEMENTS[type(module)](module, quantizers, recipe)
        setattr(model.get_submodule(parent), child, replacement)
    family.prepare(model, recipe)
    if recipe.keeps_texts_apart:
        _keep_texts_apart(model)
    return model.eval()


def _keep_texts_apart(model: Any) -> None:
    """What is not quantized, the head, multiplies each text by itself too."""
    for name, module in list(model.named_modules()):
        if type(module) is nn.Linear:
            parent, _, child = name.rpartition(".")
            setattr(model.get_submodule(parent), child, EachTextLinear(module))


def _quantizer(matrix: Matrix, weight: Tensor, recipe: QuantRecipe) -> WeightQuantizer | None:
    """The matrix's quantizer; None where the recipe leaves it alone."""
    choice = choice_of(matrix, recipe)
    if choice is None:
        return None
    learning = Learning.of(recipe)
    return WeightQuantizer(matrix, choice.method, choice.bits, choice.granularity, weight, learning)


def weight_quantizers(student: nn.Module) -> Iterator[tuple[str, Tensor, WeightQuantizer]]:
    """(name, latent weight, quantizer) of every quantized matrix, in the order of the network."""
    for module in student.modules():
        for child_name, child in module.named_children():
            if isinstance(child, WeightQuantizer):
                parameter = child_name.removesuffix("_quantizer")
                yield child.matrix.name, module.get_parameter(parameter), child


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
    for _, weight, quantizer in weight_quantizers(student):
        quantizer.change_bits(max(bits, final_bits(quantizer.matrix, recipe)), weight)


def hand_over_second_moments(student: nn.Module, second_moments: dict[Tensor, Tensor]) -> None:
    """Give every loss-aware quantizer Adam's v of its latent weight (PAPER 2).

    `second_moments` maps a latent weight to v of the same shape. Called after each optimizer
    step; a weight without an entry keeps an importance of ones.
    """
    for _, weight, quantizer in weight_quantizers(student):
        if quantizer.rule.uses_importance:
            quantizer.second_moment = second_moments.get(weight)
