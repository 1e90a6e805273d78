"""The plan of a budget: which matrix gets how many bits, in a file that is not a byte too large.

What a matrix takes at each number of bits is read off the real file: the file with this one change,
less the file without. These differences add up but for a few bytes of the header (the digits of
places in the file, blanks at its end). So the frontier is exact in what matrices take, and each
point of it that a budget might buy is then measured as a whole file, from the best downwards: the
first that fits is the plan. More bytes therefore never give a worse plan.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from core.errors import InputError, one_of
from core.experiment import Experiment
from core.family import Matrix
from core.models.matrix_choices import final_bits
from core.packed.foreseen import Foreseen
from core.plan.knapsack import Frontier, frontier
from core.plan.matrix_losses import MatrixLosses

MIB = 2**20
DIGITS = 24  # by which two entries of a header can differ in the two places that each names
BLANKS = 8


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Plan:
    """Bits by matrix; `size_bytes` is that of the whole file, `loss` the sum over matrices."""

    bits: Mapping[str, int]
    size_bytes: int
    loss: float
    experiment: Experiment


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Planner:
    """Plans for one student.

    foreseen   of an experiment whose recipe makes no exceptions and has the fewest of the bits
    losses     of each matrix at each number of bits
    widths     the bits that there are to choose from
    layout     how codes and
    leftovers  other numbers are stored in the file that is meant
    costs      bytes of each matrix at each number of bits beyond `least_bytes`
    """

    foreseen: Foreseen
    losses: MatrixLosses
    widths: tuple[int, ...]
    layout: str
    leftovers: str
    costs: Mapping[str, Mapping[int, int]]
    least_bytes: int

    @property
    def matrices(self) -> tuple[Matrix, ...]:
        """What has bits to choose, in the order of the network."""
        return _chosen(self.foreseen)

    def of_bits(self, bits: Mapping[str, int]) -> Plan:
        """The plan that gives each matrix these bits."""
        return self._plan(bits, _with_bits(self.foreseen, bits))

    def _plan(self, bits: Mapping[str, int], experiment: Experiment) -> Plan:
        return Plan(
            bits=dict(bits),
            size_bytes=self.foreseen.size_bytes(experiment, self.layout, self.leftovers),
            loss=self.losses.total(bits),
            experiment=experiment,
        )

    def uniform(self, width: int) -> Plan:
        """The same bits for all, which a recipe says without exceptions."""
        bits, start = dict.fromkeys(self.costs, width), self.foreseen.experiment
        quant = replace(start.quant, weight_bits=width, embedding_bits=width)
        return self._plan(bits, replace(start, quant=quant))

    def of_budget(self, budget_bytes: int, kept: Mapping[str, int] | None = None) -> Plan:
        """The plan with the least loss whose file has at most so many bytes; `kept` are matrices
        whose bits are not to be chosen. Raises InputError when nothing is so small, or there is no
        such matrix."""
        found = self.frontier(kept)
        slack = BLANKS + DIGITS * (len(self.foreseen.outline.shapes) + len(self.costs))
        room = budget_bytes - self.least_bytes + slack
        candidates = self._alike(kept or {})
        for point in reversed(range(int(np.searchsorted(found.costs, room, "right")))):
            candidates.append(self.at(found, point, kept))
            if candidates[-1].size_bytes <= budget_bytes:
                break
        fitting = [plan for plan in candidates if plan.size_bytes <= budget_bytes]
        if fitting:
            return min(fitting, key=lambda plan: (plan.loss, plan.size_bytes))
        smallest = self.at(found, 0, kept).size_bytes
        raise InputError(
            f"No file of these choices is so small: the smallest has {smallest:,} bytes "
            f"({smallest / MIB:.2f} MiB), the budget is {budget_bytes:,}. Give more, allow fewer "
            "bits, or store codes in base 3 and leftovers in float16."
        )

    def _alike(self, kept: Mapping[str, int]) -> list[Plan]:
        """The uniform bits that agree with what is kept: their recipes need no room for names."""
        return [self.uniform(width) for width in self.widths if {*kept.values()} <= {width}]

    def frontier(self, kept: Mapping[str, int] | None = None) -> Frontier:
        """All plans that no other one beats, by the bytes that they take beyond the least."""
        for name, width in (kept or {}).items():
            one_of("Matrix", name, self.costs)
            one_of(f"Bits of the matrix {name}:", width, self.widths)
        return frontier(
            [
                [(costs[width], self.losses.of[name][width]) for width in self._open(name, kept)]
                for name, costs in self.costs.items()
            ]
        )

    def at(self, found: Frontier, point: int, kept: Mapping[str, int] | None = None) -> Plan:
        """The plan of a point of a frontier, of which `kept` is as it was asked for."""
        numbers = zip(self.costs, found.choices(point), strict=True)
        return self.of_bits({name: self._open(name, kept)[number] for name, number in numbers})

    def _open(self, name: str, kept: Mapping[str, int] | None) -> tuple[int, ...]:
        """The bits that a matrix can have."""
        return (kept[name],) if kept and name in kept else self.widths


def planner(
    foreseen: Foreseen, losses: MatrixLosses, widths: Sequence[int], layout: str, leftovers: str
) -> Planner:
    """A planner that may give each matrix one of these numbers of bits."""

    def size(bits: Mapping[str, int]) -> int:
        experiment = _with_bits(foreseen, bits)
        return foreseen.size_bytes(experiment, layout, leftovers, filled=False)

    least = size({})
    costs = {
        matrix.name: {width: _cost(matrix, width, foreseen, size, least) for width in widths}
        for matrix in _chosen(foreseen)
    }
    return Planner(
        foreseen=foreseen,
        losses=losses,
        widths=tuple(widths),
        layout=layout,
        leftovers=leftovers,
        costs=costs,
        least_bytes=least - 1,  # of n exceptions only n - 1 have a comma
    )


def _cost(
    matrix: Matrix,
    width: int,
    foreseen: Foreseen,
    size: Callable[[Mapping[str, int]], int],
    least: int,
) -> int:
    """The bytes that one matrix takes more than at the fewest bits, its comma included."""
    if width == final_bits(matrix, foreseen.experiment.quant):
        return 0
    return size({matrix.name: width}) - least + 1


def _chosen(foreseen: Foreseen) -> tuple[Matrix, ...]:
    return tuple(each for each in foreseen.outline.matrices if not each.tied_to)


def _with_bits(foreseen: Foreseen, bits: Mapping[str, int]) -> Experiment:
    """The experiment in which these matrices have these bits, and all others what they had."""
    quant = foreseen.experiment.quant
    own = [
        f"{matrix.name}={bits[matrix.name]}"
        for matrix in _chosen(foreseen)
        if bits.get(matrix.name, 0) not in (0, final_bits(matrix, quant))
    ]
    return replace(foreseen.experiment, quant=replace(quant, matrix_bits=tuple(own)))
