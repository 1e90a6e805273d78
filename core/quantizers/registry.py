"""The list of rules: what a rule is, how it makes itself known, how it is found.

A rule is a function in a file of this folder:

    @rule("mine", title="My rule", latex=r"...", source="paper, equation")
    def mine(rows, bits, importance, start_scale):
        return Levels(scale=...)      # (rows, 1) float32

It is then in the form, on the pages, on the command line and under the contract tests.

rows: the weights (rows, cols) float32, finite, and their magnitudes (see `Rows`); importance
(rows, cols) or None for ones; start_scale (rows, 1) of the previous training step or None. The
answer is per row.
"""

import importlib
import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from string import Template
from typing import TypeVar

from torch import Tensor

from core.errors import one_of
from core.experiment import GRANULARITIES
from core.modules import modules_in
from core.quantizers.kernels import magnitudes


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rows:
    """Weights as a rule sees them, measured once: the check before the rule and the rule itself
    need the same sums.

    weight     (rows, cols) float32
    total      (rows, 1) sum|w| of each row
    largest    (rows, 1) max|w| of each row; NaN or infinity where the row has any
    """

    weight: Tensor
    total: Tensor
    largest: Tensor

    @classmethod
    def of(cls, weight: Tensor) -> "Rows":
        """Measure a matrix (rows, cols) float32."""
        total, largest = magnitudes(weight)
        return cls(weight=weight, total=total, largest=largest)

    @property
    def mean(self) -> Tensor:
        """mean|w| of each row, (rows, 1)."""
        return self.total / self.weight.shape[1]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Levels:
    """A rule's answer: scale (rows, 1) float32, >= 0. With `threshold` (rows, 1), ternary codes
    are sign(w) where |w| > threshold, and codes of one bit 1 where w >= threshold; without it every
    code is the nearest level."""

    scale: Tensor
    threshold: Tensor | None = None


Solver = Callable[[Rows, int, Tensor | None, Tensor | None], Levels]
AnySolver = TypeVar("AnySolver", bound=Solver)
Steps = Callable[[Rows, int, Tensor | None], Iterator[Levels]]
PLAIN_NUMBERS = r"\alpha = $scale"
MEAN = r"\overline{|w|} = \frac{1}{n} \sum_i |w_i| = \frac{$total}{$n} = $mean"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A registered rule and what pages need to know of it."""

    name: str
    title: str
    latex: str
    source: str
    bits: tuple[int, ...]
    uses_importance: bool
    learns_scale: bool
    solve: Solver
    numbers: str
    derivation: tuple[str, ...]
    steps: Steps | None

    def with_numbers(self, values: Mapping[str, float]) -> str:
        """The formula in LaTeX with the numbers of one matrix put in (see `rule`)."""
        return _filled(self.numbers, values) or _filled(PLAIN_NUMBERS, values) or ""

    def derived(self, values: Mapping[str, float]) -> list[str]:
        """The way to the scale with the numbers of one matrix, a line of LaTeX each; lines that
        these bits do not have are left out."""
        found = [_filled(line, values) for line in self.derivation]
        return [line for line in found if line is not None] or [self.with_numbers(values)]

    @property
    def code(self) -> str:
        """The source of the rule itself."""
        return inspect.getsource(self.solve)

    @property
    def doc(self) -> str:
        """The explanation at the head of the rule's file."""
        return importlib.import_module(self.solve.__module__).__doc__ or ""


def _filled(template: str, values: Mapping[str, float]) -> str | None:
    """None where a number is missing: a threshold that these bits do not have."""
    try:
        return Template(template).substitute({n: latex_number(v) for n, v in values.items()})
    except KeyError:
        return None


def latex_number(value: float) -> str:
    """147456 -> "147{,}456", 0.03124 -> "0.03124", 0.0000312 -> "3.12 \\cdot 10^{-5}"."""
    if isinstance(value, int) or 1e4 <= abs(value) < 1e9:
        value = round(value)
        return f"{value:,}".replace(",", "{,}")
    digits, _, power = f"{value:.4g}".partition("e")
    return rf"{digits} \cdot 10^{{{int(power)}}}" if power else digits


_registry: dict[str, Rule] = {}


def rule(
    name: str,
    *,
    title: str,
    latex: str,
    source: str,
    bits: tuple[int, ...] = (2, 3, 4, 8),
    uses_importance: bool = False,
    learns_scale: bool = False,
    numbers: str = PLAIN_NUMBERS,
    derivation: tuple[str, ...] = (),
    steps: Steps | None = None,
) -> Callable[[AnySolver], AnySolver]:
    """Register the decorated solver under `name`.

    `uses_importance`: training hands it sqrt(v) of Adam. `learns_scale`: the scale is a parameter
    of the network that training updates; the solver only gives its first value. `numbers`: LaTeX
    in which $n, $mean (of |w|), $max, $top (largest code), $scale and $threshold are filled in.
    `derivation`: lines like it, the way to the scale, which may also have $total (sum|w|), $kept
    (codes that are not 0), $upper (sum D b w), $lower (sum D b^2) and, of a rule that alternates,
    $turns. `steps`: the answer of such a rule after each turn, from a cold start.
    """

    def register(solve: AnySolver) -> AnySolver:
        _registry[name] = Rule(
            name=name,
            title=title,
            latex=latex,
            source=source,
            bits=bits,
            uses_importance=uses_importance,
            learns_scale=learns_scale,
            solve=solve,
            numbers=numbers,
            derivation=derivation,
            steps=steps,
        )
        return solve

    return register


@cache
def rules() -> dict[str, Rule]:
    """All rules by name: every module of this folder is imported once, errors and all."""
    modules_in("core.quantizers")
    return dict(sorted(_registry.items()))


def check(method: str, bits: int, granularity: str) -> Rule:
    """The rule of that name; raises InputError where it cannot answer."""
    one_of("Quantization method", method, rules())
    one_of("Granularity", granularity, GRANULARITIES)
    found = rules()[method]
    one_of(f"For {method}, the number of bits", bits, (*found.bits, 32))
    return found
