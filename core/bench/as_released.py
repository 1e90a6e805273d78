"""The training step of the authors' released code, rebuilt from its description (PAPER 2, 3 and 5).

What a newcomer who clones it would wait for, and what our step is measured against: every text
padded to 64 tokens, the whole embedding quantized whether its words occur or not, each quantizer a
chain of whole-matrix operations, weights and activations clipped to 2.5 with the gradient stopped
outside, dropout in the student, float32. Only for timing: nothing here trains a student that
anybody uses, so it is the one place beside `core.quantizers` that computes with codes.
"""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from core.experiment import QuantRecipe
from core.families import find_family
from core.family import Batch
from core.models.attention import AttentionQuantizers
from core.models.student import build_student, set_dropout

CLIP, TOKENS, DROPOUT = 2.5, 64, 0.1
UNQUANTIZED = QuantRecipe(weight_bits=32, embedding_bits=32, activation_bits=32)


class _Clipped(torch.autograd.Function):
    """Clip, quantize op by op, and stop the gradient where something was clipped."""

    @staticmethod
    def forward(ctx, x: Tensor, kind: str) -> Tensor:  # type: ignore[override]
        ctx.save_for_backward(x)
        x = torch.where(x < CLIP, x, torch.full_like(x, CLIP))
        x = torch.where(x > -CLIP, x, torch.full_like(x, -CLIP))
        return _FORWARD[kind](x)

    @staticmethod
    def backward(ctx, gradient: Tensor):  # type: ignore[override]
        (x,) = ctx.saved_tensors
        gradient = gradient.clone()
        gradient[x.ge(CLIP)] = 0
        gradient[x.le(-CLIP)] = 0
        return gradient, None


def _ternary(x: Tensor, dim: int | None) -> Tensor:
    """TWN, per matrix (dim None) or per row (dim 1)."""
    size = x.numel() if dim is None else x.shape[1]
    mean = x.abs().sum() / size if dim is None else x.abs().sum(dim=1, keepdim=True) / size
    threshold = 0.7 * mean
    positive, negative = (x > threshold).float(), (x < -threshold).float()
    mask = (x.abs() > threshold).float()
    kept, count = (mask * x).abs(), mask
    if dim is None:
        scale = kept.sum() / count.sum().clamp_min(1)
    else:
        # clamped, or a row of zeros gives NaN (fault 4 of PAPER 5) and nothing can be timed
        scale = kept.sum(dim=1, keepdim=True) / count.sum(dim=1, keepdim=True).clamp_min(1)
    return scale * positive - scale * negative


def _symmetric(x: Tensor) -> Tensor:
    """8 bits over [-max|x|, max|x|]."""
    step = 127 / x.abs().max().expand_as(x)
    return torch.round(x * step).div(step + 1e-6)


_FORWARD = {
    "matrix": lambda x: _ternary(x, None),
    "rows": lambda x: _ternary(x, 1),
    "activation": _symmetric,
}


def _clipped(x: Tensor, kind: str) -> Tensor:
    value: Tensor = _Clipped.apply(x, kind)  # type: ignore[assignment]
    return value


class _Activation(nn.Module):
    scope, keeps_texts_apart = "tensor", False

    def forward(self, x: Tensor) -> Tensor:
        return _clipped(x, "activation")


class _Linear(nn.Module):
    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.weight, self.bias = linear.weight, linear.bias

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(_clipped(x, "activation"), _clipped(self.weight, "matrix"), self.bias)


class _Embedding(nn.Module):
    def __init__(self, table: nn.Embedding) -> None:
        super().__init__()
        self.weight, self.padding_idx = table.weight, table.padding_idx

    def forward(self, ids: Tensor) -> Tensor:
        return F.embedding(ids, _clipped(self.weight, "rows"), self.padding_idx)


def released_student(teacher: Any) -> Any:
    """A ternary copy of `teacher` (2-2-8: per matrix, embedding per row) that computes as the
    released code does."""
    family = find_family("bert")
    student = build_student(teacher, UNQUANTIZED, family)
    set_dropout(student, DROPOUT)
    for module in student.modules():
        if isinstance(module, AttentionQuantizers):
            for child in ("query", "key", "value", "probabilities"):
                setattr(module, child, _Activation())
    for matrix in family.matrices(student):
        name = matrix.name
        module = student.get_submodule(name)
        changed = _Embedding(module) if matrix.is_table else _Linear(module)
        parent, _, child = name.rpartition(".")
        setattr(student.get_submodule(parent), child, changed)
    return student


def padded(batch: Batch) -> Batch:
    """The batch with every text padded (never cut) to 64 tokens."""
    widened = {
        name: F.pad(value, (0, max(0, TOKENS - value.shape[1])))
        for name, value in batch.inputs.items()
    }
    return replace(batch, inputs=widened)
