"""The one place that quantizes a weight matrix.

A weight matrix w (rows, cols) becomes `scale * codes`: small integers and one positive scale per
row. A *rule* (one file beside this one) says which integers and which scale; it always sees a
matrix and always answers per row. Layer-wise quantization is the same rule shown the whole matrix
as a single row, so granularity is written once, here.

Training, the packed file and the pictures all use the same `Quantized` object, so what is trained
is what is saved and what is shown.

A new rule is a new file in this folder:

    @rule("mine", title="My rule", latex=r"...", source="paper, equation")
    def mine(weight, bits, importance, start_scale):
        ...
        return codes, scale      # (rows, cols) whole numbers as float32, (rows, 1) float32

It is then in the form, on the pages, on the command line and under the contract tests.
"""

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from core.errors import InputError, one_of
from core.experiment import GRANULARITIES

Solver = Callable[[Tensor, int, Tensor | None, Tensor | None], tuple[Tensor, Tensor]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A registered rule and what pages need to know of it."""

    name: str
    title: str
    latex: str
    source: str
    bits: tuple[int, ...]
    uses_importance: bool
    solve: Solver


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Quantized:
    """A quantized matrix.

    codes   int8     (rows, cols)       in [-levels, levels], levels = 2^(bits-1) - 1
    scale   float32  (rows, 1), or (1, 1) for granularity "layer"
    """

    codes: Tensor
    scale: Tensor
    bits: int

    def dequantize(self) -> Tensor:
        """scale * codes, float32 (rows, cols): what the network computes with."""
        return self.codes.to(torch.float32).mul_(self.scale)

    def rows(self, index: Tensor) -> "Quantized":
        """Only the rows of `index` (n,); a shared scale stays shared."""
        scale = self.scale if self.scale.shape[0] == 1 else self.scale[index]
        return Quantized(codes=self.codes[index], scale=scale, bits=self.bits)


_registry: dict[str, Rule] = {}


def levels(bits: int) -> int:
    """The largest code: 1, 3, 7, 127 for 2, 3, 4, 8 bits (symmetric, zero included)."""
    return 2 ** (bits - 1) - 1


def rule(
    name: str,
    *,
    title: str,
    latex: str,
    source: str,
    bits: tuple[int, ...] = (2, 3, 4, 8),
    uses_importance: bool = False,
) -> Callable[[Solver], Solver]:
    """Register the decorated solver under `name`."""

    def register(solve: Solver) -> Solver:
        _registry[name] = Rule(
            name=name,
            title=title,
            latex=latex,
            source=source,
            bits=bits,
            uses_importance=uses_importance,
            solve=solve,
        )
        return solve

    return register


@cache
def rules() -> dict[str, Rule]:
    """All rules by name: every module of this folder is imported once, errors and all."""
    package = importlib.import_module("core.quantizers")
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"core.quantizers.{module.name}")
    return dict(sorted(_registry.items()))


def check(method: str, bits: int, granularity: str) -> Rule:
    """The rule of that name; raises InputError where it cannot answer."""
    one_of("Quantization method", method, rules())
    one_of("Granularity", granularity, GRANULARITIES)
    found = rules()[method]
    one_of(f"For {method}, the number of bits", bits, (*found.bits, 32))
    return found


def quantize(
    weight: Tensor,
    *,
    method: str,
    bits: int,
    granularity: str,
    importance: Tensor | None = None,
    start_scale: Tensor | None = None,
    name: str = "weight",
) -> Quantized:
    """Quantize one matrix (PAPER 2).

    weight        (rows, cols) float; computed in float32
    importance    (rows, cols) non-negative, for rules that use it; None means ones
    start_scale   scale of the previous step, (rows, 1) or (1, 1), for rules that alternate
    name          how a message calls the matrix

    Raises InputError for unknown options, a tensor that is not a matrix, NaN or infinity.
    A row of zeros gives zero codes.
    """
    found = check(method, bits, granularity)
    if bits == 32:
        raise InputError("32 bits means: leave the matrix alone. There is nothing to quantize.")
    if weight.dim() != 2 or weight.numel() == 0:
        raise InputError(f"{name} has shape {tuple(weight.shape)}; a matrix was expected.")
    matrix = weight.detach().to(torch.float32)
    shown = matrix if granularity == "row" else matrix.reshape(1, -1)
    if importance is not None and found.uses_importance:
        importance = importance.detach().to(torch.float32).reshape(shown.shape)
    unit = _unit(shown, name)
    if unit is not None:
        shown = shown / unit
        start_scale = None if start_scale is None else start_scale / unit
    codes, scale = found.solve(shown, bits, importance, start_scale)
    scale = scale if unit is None else scale * unit
    return Quantized(codes=codes.to(torch.int8).reshape(matrix.shape), scale=scale, bits=bits)


def fake_quantize(weight: Tensor, **options) -> Tensor:
    """Quantize and dequantize, float32 (rows, cols). Options as in `quantize`."""
    return quantize(weight, **options).dequantize()


def _unit(shown: Tensor, name: str) -> Tensor | None:
    """A power of two per row that brings extreme magnitudes near 1; None if all are ordinary.

    Rules multiply weights with each other and sum over millions; far from 1 that overflows or
    underflows float32. Dividing by a power of two changes no other bit, so rules need not care.
    """
    low, high = torch.aminmax(shown, dim=1, keepdim=True)
    largest = torch.maximum(high, -low)
    if not torch.isfinite(largest).all():
        raise InputError(
            f"{name} contains NaN or infinity, so it cannot be quantized. If this happened in "
            "training, lower the learning rate."
        )
    ordinary = (largest == 0) | ((largest > 1e-9) & (largest < 1e9))
    if ordinary.all():
        return None
    _, exponent = torch.frexp(largest)
    return torch.where(ordinary, 1.0, torch.ldexp(torch.ones_like(largest), exponent))
