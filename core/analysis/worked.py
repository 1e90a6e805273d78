"""A rule worked through on one matrix: every number on the way from weights to scale.

Nothing is computed a second time in another way: the scale, the threshold and the codes are those
of `quantize`, the turns of an alternation are the rule's own, and the sums are of these codes.
Where every row has its own scale, one row is shown; where every group of columns has, the first
group of that row.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from core.errors import within
from core.quantizers.alternate import cost
from core.quantizers.error import QuantizationError, quantization_error
from core.quantizers.groups import group_size
from core.quantizers.quantizer import Quantized, levels, quantize
from core.quantizers.registry import Rows, latex_number, rules


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One turn of an alternation: its scale, how many codes are not 0 under it, and the objective
    sum D (w - a b)^2 that they leave."""

    scale: float
    kept: int
    objective: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Worked:
    """One matrix, or one row of it, under one rule: the lines of LaTeX that lead to the scale, the
    turns of a rule that alternates (else none), what is lost, and that as a line of LaTeX."""

    weights: int
    lines: tuple[str, ...]
    turns: tuple[Turn, ...]
    scale: float
    error: QuantizationError
    error_line: str


def worked(
    weight: Tensor,
    method: str,
    bits: int,
    granularity: str,
    *,
    row: int = 0,
    importance: Tensor | None = None,
) -> Worked:
    """Work through a matrix (rows, cols); if its rows have scales, through the row of that number,
    and of groups through the first in that row.

    Raises InputError as `quantize` does, and for a row that the matrix has not.
    """
    if granularity != "layer":
        within("The row", row, 0, len(weight) - 1)
        part = slice(row, row + 1), slice(0, group_size(granularity) or None)
        weight = weight[part]
        importance = None if importance is None else importance[part]
    rule = rules().get(method)
    if rule is None or not rule.uses_importance:
        importance = None
    found = quantize(weight, method=method, bits=bits, granularity="layer", importance=importance)
    turns = _turns(weight, method, bits, importance)
    error = quantization_error(weight, found, importance)
    numbers = _numbers(weight, found, importance) | ({"turns": len(turns) - 1} if turns else {})
    assert rule is not None  # `quantize` refused it
    return Worked(
        weights=weight.numel(),
        lines=tuple(rule.derived(numbers)),
        turns=turns,
        scale=float(found.scale),
        error=error,
        error_line=_error_line(weight, error),
    )


def _turns(weight: Tensor, method: str, bits: int, importance: Tensor | None) -> tuple[Turn, ...]:
    """The rule's own turns, up to the one that changes nothing any more."""
    steps = rules()[method].steps
    if steps is None:
        return ()
    shown = weight.detach().float().reshape(1, -1)
    felt = None if importance is None else importance.float().reshape(1, -1)
    found: list[Turn] = []
    for answer in steps(Rows.of(shown), bits, felt):
        scale = float(answer.scale)
        if found and scale == found[-1].scale:
            break
        kept = int((shown.abs() > scale / 2).sum())
        left = float(cost(shown, answer.scale, bits, felt))
        found.append(Turn(scale=scale, kept=kept, objective=left))
    return tuple(found)


def _numbers(weight: Tensor, found: Quantized, importance: Tensor | None) -> dict[str, float]:
    """The names that a rule's `derivation` may use."""
    flat, codes = weight.detach().float().reshape(-1), found.codes.reshape(-1).float()
    felt = torch.ones_like(flat) if importance is None else importance.reshape(-1).float()
    total = float(flat.abs().sum(dtype=torch.float64))
    numbers = {
        "n": flat.numel(),
        "total": total,
        "mean": total / flat.numel(),
        "max": float(flat.abs().max()),
        "top": levels(found.bits),
        "scale": float(found.scale),
        "kept": int(torch.count_nonzero(codes)),
        "upper": float((felt * codes * flat).sum(dtype=torch.float64)),
        "lower": float((felt * codes * codes).sum(dtype=torch.float64)),
    }
    if found.threshold is not None:
        numbers["threshold"] = float(found.threshold)
    return numbers


def _error_line(weight: Tensor, error: QuantizationError) -> str:
    power = float(weight.detach().float().square().mean(dtype=torch.float64))
    mse, square, decibels = map(latex_number, (error.mse, power, error.sqnr_db))
    return (
        rf"\frac{{1}}{{n}} \sum_i (w_i - \alpha b_i)^2 = {mse},\quad "
        rf"\mathrm{{SQNR}} = 10 \log_{{10}} \frac{{\overline{{w^2}}}}{{\mathrm{{MSE}}}} = "
        rf"10 \log_{{10}} \frac{{{square}}}{{{mse}}} = {decibels}\ \mathrm{{dB}}"
    )
