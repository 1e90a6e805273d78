"""Which matrix hurts? What the loss feels, and what quantizing each matrix does downstream.

`importance` squares the gradients of the task's loss over a few batches: what Adam's second moment
would hold, for a model that is not being trained. `ranking` quantizes one matrix at a time
(isolated) and all up to it (accumulated), and measures how far the last hidden states move.
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel

from core.analysis.matrix_view import matrices
from core.events import Preparing
from core.experiment import QuantRecipe
from core.family import Batch, Family
from core.models.student import build_student, quantized_weights, weight_quantizers
from core.quantizers.importance import FLOOR
from core.targets.target import Target


@dataclass(frozen=True, slots=True, kw_only=True)
class MatrixError:
    """Relative squared error of the last hidden states when only this matrix is quantized
    (isolated), and when it and all before it are (accumulated)."""

    name: str
    isolated: float
    accumulated: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FewRows:
    """An importance (count, cols) of which only some rows are kept: a few hundred sentences mention
    a tenth of the words, and the embedding's other rows are 1e-8 throughout."""

    count: int
    index: Tensor
    rows: Tensor

    def whole(self) -> Tensor:
        """The matrix again, bit for bit."""
        found = torch.full((self.count, self.rows.shape[1]), FLOOR)
        found[self.index] = self.rows
        return found


def few_rows(importance: Tensor) -> FewRows:
    """Leave out the rows that no gradient ever reached."""
    index = (importance != FLOOR).any(dim=1).nonzero().squeeze(1)
    return FewRows(count=len(importance), index=index, rows=importance[index])


def importance(
    model: PreTrainedModel, family: Family, target: Target, batches: list[Batch]
) -> Generator[Preparing, None, dict[str, Tensor]]:
    """D = sqrt(mean of squared gradients) + 1e-8 of every matrix, by name (rows, cols).

    The loss is that of the labels; the model's own gradients and flags are left as they were.
    """
    weights = matrices(model, family)
    squares = {name: torch.zeros_like(weight) for name, weight in weights.items()}
    for done, batch in enumerate(batches):
        yield Preparing(text="Measuring which weights matter", done=done, total=len(batches))
        gradients = _gradients(model, family, target, batch)
        for name, gradient in zip(squares, gradients, strict=True):
            squares[name] += gradient.square()
    return {name: (total / len(batches)).sqrt_().add_(FLOOR) for name, total in squares.items()}


def _gradients(model, family: Family, target: Target, batch: Batch) -> tuple[Tensor, ...]:
    """Gradients are taken of stand-ins, so a model that others share is never changed."""
    stand_ins = {
        matrix.address: model.get_parameter(matrix.address).detach().requires_grad_(True)
        for matrix in family.matrices(model)
    }
    with torch.enable_grad():
        outputs = family.forward(_with(model, stand_ins), batch)
        loss = target.label_loss(outputs.answers, batch.labels)
        return torch.autograd.grad(loss, list(stand_ins.values()))


def _with(model, weights: dict[str, Tensor]) -> Callable[..., Any]:
    """The model as it computes with some other weights."""
    return lambda **inputs: torch.func.functional_call(model, weights, (), inputs)


def ranking(
    model: PreTrainedModel, family: Family, quant: QuantRecipe, batches: list[Batch]
) -> Generator[Preparing, None, list[MatrixError]]:
    """The error of every quantized matrix, in the order of the network. Activations stay float."""
    student = build_student(model, quant, family)
    weights = quantized_weights(student)
    values = {
        quantizer.matrix.address: (name, weights[name].dequantize())
        for name, _, quantizer in weight_quantizers(student)
    }
    exact = [last_hidden(model, family, {}, batch) for batch in batches]
    errors, so_far = [], {}
    for address, (name, value) in values.items():
        yield Preparing(text="Quantizing one by one", done=len(errors), total=len(values))
        so_far[address] = value
        errors.append(
            MatrixError(
                name=name,
                isolated=moved_by(model, family, {address: value}, batches, exact, last_hidden),
                accumulated=moved_by(model, family, so_far, batches, exact, last_hidden),
            )
        )
    return errors


@torch.no_grad()
def last_hidden(model, family: Family, replaced: dict[str, Tensor], batch: Batch) -> Tensor:
    """Last hidden states of real units (units, hidden), with some weights replaced."""
    outputs = family.forward(_with(model, replaced), batch, {"hidden"})
    last = outputs.traces["hidden"][-1]
    return last.value[last.mask[:, :, 0].bool()]


@torch.no_grad()
def answers(model: Any, family: Family, replaced: dict[str, Tensor], batch: Batch) -> Tensor:
    """All that the model answers, in one row, with some weights replaced; padding is left out."""
    outputs = family.forward(_with(model, replaced), batch)
    real = [each.value[each.mask.expand_as(each.value) > 0] for each in outputs.answers.values()]
    return torch.cat(real)


def moved_by(
    model: Any,
    family: Family,
    replaced: dict[str, Tensor],
    batches: list[Batch],
    exact: list[Tensor],
    read: Callable[[Any, Family, dict[str, Tensor], Batch], Tensor],
) -> float:
    """How far replacing some weights moves what is `read` of each batch from the `exact` values:
    squared, relative to their own square."""
    noise = signal = 0.0
    for batch, reference in zip(batches, exact, strict=True):
        noise += float((read(model, family, replaced, batch) - reference).square().sum())
        signal += float(reference.square().sum())
    return noise / signal
