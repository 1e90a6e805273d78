"""What a recipe means for one matrix: its method, bits and granularity, or that it is left alone.

Everything that asks for the bits of a matrix asks here: the student, the stages of its training,
sizes that are worked out, plans. A matrix that the recipe names has what is said of it there;
every other one has the recipe's bits for tables or for the rest, if its part and layer are chosen.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from core.errors import InputError, shown
from core.experiment import QuantRecipe
from core.family import Matrix
from core.quantizers.registry import check

NEAR, ALIKE = 3, 0.4  # names that a refusal proposes, and how alike they are at least


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """How one matrix is quantized."""

    method: str
    bits: int
    granularity: str


def choice_of(matrix: Matrix, recipe: QuantRecipe) -> Choice | None:
    """How the recipe quantizes a matrix in the end; None where it leaves it alone."""
    own, bits = recipe.own.get(matrix.name), final_bits(matrix, recipe)
    is_in_layer = matrix.layer is None or not recipe.layers or matrix.layer in recipe.layers
    is_chosen = own is not None or (matrix.part in recipe.parts and is_in_layer)
    if not is_chosen or bits == 32:
        return None
    usual = recipe.embedding_granularity if matrix.is_table else recipe.weight_granularity
    return Choice(
        method=(own.method if own else "") or recipe.method,
        bits=bits,
        granularity=(own.granularity if own else "") or usual,
    )


def final_bits(matrix: Matrix, recipe: QuantRecipe) -> int:
    """The bits that the recipe gives a matrix, stages aside."""
    own = recipe.own.get(matrix.name)
    if own is not None:
        return own.bits
    return recipe.embedding_bits if matrix.is_table else recipe.weight_bits


def check_choices(recipe: QuantRecipe, matrices: Sequence[Matrix], depth: int) -> None:
    """Raise InputError when the recipe names an unknown method, bits the method lacks (in a stage,
    too), or a layer or a matrix that a model of these lacks."""
    check(recipe.method, recipe.weight_bits, recipe.weight_granularity)
    check(recipe.method, recipe.embedding_bits, recipe.embedding_granularity)
    for bits in recipe.stages:
        check(recipe.method, bits, recipe.weight_granularity)
    if recipe.layers and max(recipe.layers) >= depth:
        raise InputError(
            f"There is no layer {max(recipe.layers)}: this model's layers are 0 to {depth - 1}."
        )
    known = {matrix.name: matrix for matrix in matrices}
    for name in recipe.own:
        if name not in known:
            raise _unknown(name, list(known))
        _check_own(known[name], recipe)


def _check_own(matrix: Matrix, recipe: QuantRecipe) -> None:
    if matrix.tied_to:
        raise InputError(
            f"{shown(matrix.name)} is the same matrix as {matrix.tied_to}: give that one the bits."
        )
    choice = choice_of(matrix, recipe)
    if choice is not None:
        for bits in (choice.bits, *recipe.stages):
            check(choice.method, max(bits, choice.bits), choice.granularity)


def _unknown(name: str, known: list[str]) -> InputError:
    near = get_close_matches(name, known, NEAR, ALIKE) or known[:NEAR]
    return InputError(
        f"There is no matrix {name[:100]} in this model, so it can have no bits of its own. "
        f"Among its {len(known)} matrices are: {', '.join(near)}."
    )
