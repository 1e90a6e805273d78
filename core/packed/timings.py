"""What a race between torch, ONNX Runtime and the ternary engine found: plain numbers."""

from dataclasses import dataclass

from core.results import Machine


@dataclass(frozen=True, slots=True, kw_only=True)
class ShapeTimes:
    """Medians and interquartile ranges in ms for one shape; ratios: how often ternary is faster."""

    batch: int
    tokens: int
    torch_ms: float
    onnx_fp32_ms: float
    ternary_ms: float
    ratio_torch: float
    ratio_onnx: float
    torch_spread_ms: float
    onnx_fp32_spread_ms: float
    ternary_spread_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What each takes once it is loaded and used, in bytes of the process; 0: not known here."""

    torch_bytes: int
    onnx_fp32_bytes: int
    ternary_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """The outcome of a race."""

    shapes: tuple[ShapeTimes, ...]
    memory: Memory
    machine: Machine
