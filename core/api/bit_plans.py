"""Bits by matrix: what each costs and does, and the plan of a budget.

Slow answers are generators, as in `weight_views`; the plans themselves come at once.
"""

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from core.api.models import OpenModel
from core.api.runs import default_experiment
from core.api.weight_views import RANKING_SENTENCES, sentences
from core.errors import InputError, one_of
from core.events import Preparing
from core.experiment import WEIGHT_BITS, Experiment, QuantRecipe
from core.packed.choices import FLOAT32, TWO_BIT

if TYPE_CHECKING:
    from core.analysis.sensitivity import FewRows
    from core.plan.allocation import Plan, Planner
    from core.plan.matrix_losses import MatrixLosses

FRONTIER_POINTS = 60
LEFT_ALONE = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class SizeAndLoss:
    """A point of the frontier: bytes of the whole file, and the loss of the plan that has them."""

    size_bytes: int
    loss: float


def widths_of(method: str) -> tuple[int, ...]:
    """The bits that a plan by this method can choose from."""
    from core.quantizers import rules

    return tuple(bits for bits in WEIGHT_BITS if bits in (*rules()[method].bits, LEFT_ALONE))


def plan_start(task: str, model: str, method: str, widths: Sequence[int]) -> Experiment:
    """What a plan makes exceptions from: the usual recipe of the task by this method, all at the
    fewest of these bits. Raises InputError without a teacher, or for fewer than two widths."""
    from core.quantizers.registry import check as check_rule
    from core.teacher_folders import load_card

    if len(set(widths)) < 2:
        raise InputError("A plan needs at least two numbers of bits to choose from.")
    for bits in widths:
        check_rule(method, bits, "layer")
    least, family = min(widths), load_card(task, model).family
    quant = QuantRecipe(method=method, weight_bits=least, embedding_bits=least)
    return replace(default_experiment(task), model=model, family=family, quant=quant)


def predict_losses(
    opened: OpenModel,
    start: Experiment,
    importances: "Mapping[str, FewRows]",
    widths: Sequence[int],
) -> "Generator[Preparing, None, MatrixLosses]":
    """What each matrix does at each of these numbers of bits, by the importance of its weights (see
    `importances` of `weight_views`)."""
    from core.plan.matrix_losses import predicted

    return predicted(opened.model, opened.family, start.quant, widths, importances)


def measure_losses(
    opened: OpenModel, start: Experiment, widths: Sequence[int]
) -> "Generator[Preparing, None, MatrixLosses]":
    """The same by quantizing one matrix at a time and reading 64 dev sentences. Raises InputError
    when the task's text is not on this computer."""
    from core.plan.matrix_losses import measured
    from core.training.batches import evaluation_batches

    encoded = sentences(opened, "dev", RANKING_SENTENCES)
    batches = list(evaluation_batches(opened.family, encoded, 64))
    return (yield from measured(opened.model, opened.family, start.quant, widths, batches))


def planner_of(
    start: Experiment,
    losses: "MatrixLosses",
    widths: Sequence[int],
    layout: str = TWO_BIT,
    leftovers: str = FLOAT32,
) -> "Planner":
    """What makes plans from these losses, for that kind of packed file. Raises InputError as
    `foreseen_size` does."""
    from core.packed.foreseen import foresee
    from core.plan.allocation import planner

    return planner(foresee(start), losses, sorted(set(widths)), layout, leftovers)


def frontier_of(planner: "Planner") -> list[SizeAndLoss]:
    """Some points of the frontier as whole files, each so many times as large as the last."""
    import numpy as np

    found = planner.frontier()
    sizes = found.costs + planner.least_bytes
    wanted = np.geomspace(sizes[0], sizes[-1], FRONTIER_POINTS)
    nearest = np.searchsorted(sizes, wanted.round()).clip(0, len(sizes) - 1)
    points = sorted({0, len(sizes) - 1, *(int(point) for point in nearest)})
    plans = [planner.at(found, point) for point in points]
    return [SizeAndLoss(size_bytes=plan.size_bytes, loss=plan.loss) for plan in plans]


def kept_bits(text: str, planner: "Planner") -> dict[str, int]:
    """Bits that somebody gives to matrices by hand, written as "name=bits" with commas. Raises
    InputError for what cannot be read, and for a matrix or bits that the planner has not."""
    from core.recipes.matrix_bits import exceptions

    items = [item for item in text.split(",") if item.strip()]
    found = {name: each.bits for name, each in exceptions(items).items()}
    for name, bits in found.items():
        one_of("Matrix", name, planner.costs)
        one_of(f"Bits of the matrix {name}:", bits, planner.widths)
    return found


def spelled_bits(kept: Mapping[str, int]) -> str:
    """The inverse."""
    return ",".join(f"{name}={bits}" for name, bits in kept.items())


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What bits by hand cost: `alone`, everything else being as planned without them, and `within`
    the budget, the others giving way; None where nothing so small is left, and then `why`."""

    free: "Plan"
    alone: "Plan"
    within: "Plan | None"
    why: str = ""


def cost_of_keeping(planner: "Planner", budget_bytes: int, kept: Mapping[str, int]) -> Kept:
    """Compare the plan of a budget with what it becomes where some bits are given. Raises
    InputError where nothing is as small as the budget even without them."""
    free = planner.of_budget(budget_bytes)
    if not kept:
        return Kept(free=free, alone=free, within=free)
    alone = planner.of_bits({**free.bits, **kept})
    try:
        return Kept(free=free, alone=alone, within=planner.of_budget(budget_bytes, kept))
    except InputError as error:
        return Kept(free=free, alone=alone, within=None, why=str(error))
