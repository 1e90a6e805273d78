"""AdamW for a table of which every step reads only a few rows.

A batch mentions a few hundred of 30,522 words. To AdamW that makes no difference: rows without a
gradient still move, by the momentum they have left and by weight decay, so the whole table (and a
gradient of its size, nearly all zeros) passes through memory at every step. Here a row is left
alone until it is read again, and the steps it has missed are then made up for at once.

They have a closed form. After its last gradient, at step s, a row keeps m and v; at step j

    m_j = b1^(j-s) m      v_j = b2^(j-s) v
    w_j = (1 - lr_j wd) w_(j-1) - lr_j mhat_j / (sqrt(vhat_j) + eps)

so all missed steps together are w = D w - C m / (sqrt(v) + e) with numbers D and C that depend on
s and now only. (e is the mean of eps over those steps as it counts there, right to first order in
eps: the one place where this is not AdamW to the last digit, and it shows only where gradients
are about as small as eps. tests/core/test_rows.py holds it against torch's.)
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

LONGEST = 400  # missed steps that matter: 0.9^400 is nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Decay:
    """AdamW's constants (Loshchilov and Hutter 2019)."""

    weight_decay: float
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8


class RowAdamW:
    """One table (rows, hidden) and AdamW's state for it, updated in place.

    Before each step `read` brings the rows it needs up to date; after backward `advance` moves
    them. `finish` brings all rows up to date: before the table is read as a whole.
    """

    def __init__(self, table: Tensor, decay: Decay) -> None:
        self.table, self.decay = table, decay
        self.first_moment, self.second_moment = torch.zeros_like(table), torch.zeros_like(table)
        self._last = np.zeros(len(table), dtype=np.int64)  # the step each row is up to date with
        self._rates = [0.0]  # of step 1, 2, ...
        self._kept = [1.0]  # product of 1 - rate * decay up to each step
        self._reading: tuple[Tensor, Tensor] | None = None

    @property
    def steps(self) -> int:
        """Steps taken."""
        return len(self._rates) - 1

    @property
    def reading(self) -> tuple[Tensor, ...]:
        """The leaf that was read last, with its gradient; nothing between two steps."""
        return () if self._reading is None else (self._reading[1],)

    @torch.no_grad()
    def read(self, rows: Tensor) -> Tensor:
        """The rows (n,), up to date, as a leaf (n, hidden) that takes a gradient."""
        self._catch_up(rows)
        leaf = self.table[rows].requires_grad_(True)
        self._reading = rows, leaf
        return leaf

    def advance(self, rate: float) -> None:
        """One step with the gradient of the rows that were read last."""
        assert self._reading is not None, "nothing was read"
        rows, leaf = self._reading
        assert leaf.grad is not None, "backward did not reach the rows"
        self.step(rows, leaf.grad, rate)
        self._reading = None

    @torch.no_grad()
    def step(self, rows: Tensor, gradient: Tensor, rate: float) -> None:
        """One step of AdamW with the gradient (n, hidden) of these different rows."""
        decay, now = self.decay, self.steps + 1
        self._rates.append(rate)
        self._kept.append(self._kept[-1] * (1 - rate * decay.weight_decay))
        first = self.first_moment[rows].lerp_(gradient, 1 - decay.beta1)
        second = self.second_moment[rows].mul_(decay.beta2)
        second.addcmul_(gradient, gradient, value=1 - decay.beta2)
        size = second.sqrt().div_((1 - decay.beta2**now) ** 0.5).add_(decay.eps)
        values = self.table[rows].mul_(1 - rate * decay.weight_decay)
        values.addcdiv_(first, size, value=-rate / (1 - decay.beta1**now))
        self._put(rows, values, first, second, now)

    def finish(self) -> None:
        """Bring all rows up to date."""
        behind = np.flatnonzero(self._last < self.steps)
        for part in np.array_split(behind, max(1, len(behind) // 4096)):
            self._catch_up(torch.from_numpy(part))

    @torch.no_grad()
    def _catch_up(self, rows: Tensor) -> None:
        behind = rows[torch.from_numpy(self._last[rows.numpy()] < self.steps)]
        if len(behind) == 0:
            return
        starts, places = np.unique(self._last[behind.numpy()], return_inverse=True)
        kept, moved, eps = (
            torch.from_numpy(each[places]).to(self.table.dtype)[:, None]
            for each in self._missed(starts)
        )
        ages = torch.from_numpy(self.steps - starts[places])[:, None].to(self.table.dtype)
        first, second = self.first_moment[behind], self.second_moment[behind]
        values = self.table[behind].mul_(kept).sub_(moved * first / (second.sqrt() + eps))
        first.mul_(self.decay.beta1**ages)
        second.mul_(self.decay.beta2**ages)
        self._put(behind, values, first, second, self.steps)

    def _missed(self, starts: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """D, C and e of the docstring for rows whose last step was `starts` (n,)."""
        decay, now = self.decay, self.steps
        rates, products = np.array(self._rates), np.array(self._kept)
        steps = starts[:, None] + np.arange(1, min(LONGEST, now - int(starts.min())) + 1)
        missed, steps = steps <= now, np.minimum(steps, now)
        ages = steps - starts[:, None]
        scale = decay.beta2 ** (ages / 2) / np.sqrt(1 - decay.beta2**steps)
        share = decay.beta1**ages / (1 - decay.beta1**steps) / scale
        each = np.where(missed, rates[steps] * share * products[now] / products[steps], 0.0)
        moved = each.sum(axis=1)
        mean = (each / scale).sum(axis=1) / np.where(moved > 0, moved, 1.0)
        eps = decay.eps * np.where(moved > 0, mean, 1.0)
        return products[now] / products[starts], moved, eps

    def _put(self, rows: Tensor, values: Tensor, first: Tensor, second: Tensor, now: int) -> None:
        self.table[rows] = values
        self.first_moment[rows], self.second_moment[rows] = first, second
        self._last[rows.numpy()] = now
