"""One choice for each item, as little loss as a budget allows: solved exactly.

Each item (a matrix) has some choices (bits) with a cost (bytes) and a loss. Wanted is, for every
budget, the choice of each whose costs stay within the budget and whose losses have the smallest
sum: the multiple-choice knapsack. Items are taken one after the other. Of all combinations of the
items so far only those are kept that no other one beats in both, cost and loss: whatever comes
later adds the same to both, so a beaten combination never becomes part of a best one. What is left
at the end is the frontier, and nothing was guessed on the way.

       loss                                 kept: o    beaten: x
         |  o                               A frontier of n points and an item of m choices make
         |     o   x                        n m candidates, sorted once by cost.
         |          o    x
         |                 o
         +---------------------- cost
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

Option = tuple[int, float]  # cost, loss


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Frontier:
    """The best combinations, from the cheapest to the best.

    costs    (points,) whole numbers, rising
    losses   (points,) falling
    """

    costs: np.ndarray
    losses: np.ndarray
    _steps: tuple[tuple[np.ndarray, np.ndarray], ...]  # of each item: (where from, choice)

    def choices(self, point: int) -> tuple[int, ...]:
        """For each item the number of its choice, at a point of the frontier."""
        found = []
        for parents, chosen in reversed(self._steps):
            found.append(int(chosen[point]))
            point = int(parents[point])
        return tuple(reversed(found))


def frontier(items: Sequence[Sequence[Option]]) -> Frontier:
    """The frontier of these items; each has at least one choice, losses are finite."""
    costs, losses = np.zeros(1, np.int64), np.zeros(1)
    steps = []
    for options in items:
        more_costs = np.array([cost for cost, _ in options], np.int64)
        more_losses = np.array([loss for _, loss in options], float)
        all_costs = (costs[:, None] + more_costs).reshape(-1)
        all_losses = (losses[:, None] + more_losses).reshape(-1)
        kept = _unbeaten(all_costs, all_losses)
        costs, losses = all_costs[kept], all_losses[kept]
        steps.append((kept // len(options), kept % len(options)))
    return Frontier(costs=costs, losses=losses, _steps=tuple(steps))


def _unbeaten(costs: np.ndarray, losses: np.ndarray) -> np.ndarray:
    """The numbers of the points that no other one beats, by rising cost."""
    order = np.lexsort((losses, costs))
    falling = np.minimum.accumulate(losses[order])
    is_better = np.ones(len(order), bool)
    is_better[1:] = losses[order][1:] < falling[:-1]
    return order[is_better]
