"""What each rule costs and how far it misses, on the real matrices of a teacher.

Error: sum of squared errors over sum of squared weights, per kind of matrix. Cost: milliseconds to
quantize all matrices of the model once, the best of three, rules alternating.
"""

import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor

from core.analysis.matrix_view import matrices
from core.family import Family, address_of
from core.quantizers import quantize, rules
from core.quantizers.error import quantization_error
from core.teachers.teacher_store import family_of_teacher, load_teacher

ROUNDS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One rule at some bits and granularity: relative squared error in per cent by part, and the
    cost of the whole model in ms."""

    method: str
    bits: int
    granularity: str
    embedding: float
    attention: float
    feed_forward: float
    pooler: float
    cost_ms: float


def measure(task: str, model: str) -> Iterator[Row]:
    """A row for every rule, bit-width and granularity."""
    family = family_of_teacher(task, model)
    weights = matrices(load_teacher(task, model), family)
    for bits in (1, 2, 3, 4, 8):
        for granularity in ("layer", "row"):
            methods = [name for name, rule in rules().items() if bits in rule.bits]
            costs: dict[str, float] = {}
            for _ in range(ROUNDS):
                for method in methods:
                    passed = _cost_ms(weights, method, bits, granularity)
                    costs[method] = min(passed, costs.get(method, passed))
            for method in methods:
                errors = _errors(family, weights, method, bits, granularity)
                yield Row(
                    method=method,
                    bits=bits,
                    granularity=granularity,
                    embedding=errors["embedding"],
                    attention=errors["attention"],
                    feed_forward=errors["feed-forward"],
                    pooler=errors["pooler"],
                    cost_ms=costs[method],
                )


def _cost_ms(weights: dict[str, Tensor], method: str, bits: int, granularity: str) -> float:
    began = time.perf_counter()
    for weight in weights.values():
        quantize(weight, method=method, bits=bits, granularity=granularity)
    return 1000 * (time.perf_counter() - began)


def _errors(
    family: Family, weights: dict[str, Tensor], method: str, bits: int, granularity: str
) -> dict[str, float]:
    noise: dict[str, float] = defaultdict(float)
    signal: dict[str, float] = defaultdict(float)
    for name, weight in weights.items():
        quantized = quantize(weight, method=method, bits=bits, granularity=granularity)
        matrix = family.matrix_of(address_of(family, name))
        part = matrix.part if matrix else ""
        noise[part] += quantization_error(weight, quantized).mse * weight.numel()
        signal[part] += float(weight.square().sum())
    return {part: 100 * noise[part] / signal[part] for part in noise}


def table(rows: list[Row]) -> str:
    """The rows as a Markdown table."""
    lines = [
        "| bits | per | method | embedding | attention | feed-forward | pooler | ms |",
        "|---|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {r.bits} | {r.granularity} | {r.method} | {r.embedding:.3f} | {r.attention:.3f} | "
        f"{r.feed_forward:.3f} | {r.pooler:.3f} | {r.cost_ms:.0f} |"
        for r in rows
    ]
    return "\n".join(lines)
