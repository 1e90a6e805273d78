"""What the pictures of the Weights page show, in sentences made from what they show."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from core.experiment import QuantRecipe

if TYPE_CHECKING:
    from core.analysis.matrix_view import WeightView

Quant = tuple[str, int, str]  # method, bits, granularity
TERNARY_LEVELS = 3
PER = {
    "layer": "one scale for the whole matrix",
    "row": "one scale for every row",
    **{f"group-{size}": f"one scale for every {size} columns of a row" for size in (128, 64, 32)},
}


def levels_of(bits: int) -> int:
    """How many levels a weight can have: 2, 3, 7, 15 or 255."""
    return 2 if bits == 1 else 2**bits - 1


def in_bits(bits: int) -> str:
    """1 bit, 2 bits."""
    return f"{bits} bit" if bits == 1 else f"{bits} bits"


def what_happens(bits: int, view: "WeightView") -> str:
    """What became of the weights of one column."""
    levels, own = levels_of(bits), len(view.scales) > 1
    if bits == 1:
        whose = f"its {owner(view)}" if own else "the matrix"
        return (
            f"Every weight moves to one of the two levels of {whose}, also the smallest: nothing "
            "becomes zero."
        )
    if levels == TERNARY_LEVELS:
        if own:
            return (
                "Between the thresholds weights become zero; beyond them they move to the level of "
                f"their {owner(view)}, and the {len(view.scales):,} {owner(view)}s have a level "
                "each."
            )
        return (
            "Between the thresholds weights become zero; beyond them they all move to the same "
            "level, with their sign."
        )
    if own:
        return (
            f"Every {owner(view)} has {levels} levels of its own, and each weight moves to the "
            "nearest of them."
        )
    return f"Each weight moves to the nearest of {levels} levels, the same for the whole matrix."


def how_drawn(title: str, shown: Sequence[tuple[int, "WeightView"]]) -> str:
    """The caption of the histograms: (bits, view) of each column."""
    view = shown[0][1]
    text = (
        f"{title}: {view.rows:,} x {view.cols:,} weights. All histograms share their bins, the "
        "tails are in the outermost ones, the vertical axis is a square root."
    )
    own = [bool(each.histogram.levels) for _, each in shown if len(each.scales) > 1]
    if own:
        text += " Where there is more than one scale, the "
        text += "lines and the scale are those of the mean scale." if any(own) else "scale is the "
        text += "" if any(own) else "mean."
    without = [bits for bits, each in shown if not each.histogram.levels]
    if without:
        text += f" With {levels_of(without[0])} levels the lines are left out."
    return text


def knobs_of_embedding() -> str:
    """Why bits and scale change when the word embedding is chosen."""
    return (
        "The word embedding has bits and a scale of its own, as on the Train page. These two knobs "
        "are now the embedding's."
    )


def whole_model(recipe: QuantRecipe) -> str:
    """How the whole model is quantized below the columns."""
    embedding = PER[recipe.embedding_granularity]
    return (
        f"Every matrix of the encoder and the pooler by {recipe.method} in "
        f"{in_bits(recipe.weight_bits)}, {PER[recipe.weight_granularity]}; the word embedding by "
        f"{recipe.method} in {in_bits(recipe.embedding_bits)}, {embedding}{_if_papers(recipe)}. "
        f"The score is with activations in {recipe.activation_bits} bits, the ranking without "
        "rounding them."
    )


def _if_papers(recipe: QuantRecipe) -> str:
    return " as in the paper" if recipe.embedding_granularity == "row" else ""


def any_own(views: Iterable["WeightView"]) -> bool:
    """Whether a column has a scale for each row or group."""
    return any(len(view.scales) > 1 for view in views)


def owner(view: "WeightView") -> str:
    """What has a scale of its own, where there is more than one."""
    return "group" if view.group else "row"
