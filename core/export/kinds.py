"""What can be exported.

packed     one safetensors file (docs/FORMAT.md)
onnx       one ONNX model, int8 weights, opset 17: whatever reads ONNX computes it as integers
onnx-int2  the same with ternary weights as ONNX's INT2, opset 25: small, for runtimes that know it
folder     a Hugging Face folder: config.json with a `quantization_config`, packed weights,
           tokenizer, model card, and `predict.py`
snippet    `predict.py` alone: predicts from the packed file with numpy
"""

from dataclasses import dataclass

from core.errors import one_of
from core.packed.choices import FLOAT16, LAYOUTS, LEFTOVERS, TWO_BIT

KINDS = ("packed", "onnx", "onnx-int2", "folder", "snippet")
SUFFIXES = {
    "packed": ".safetensors",
    "onnx": ".onnx",
    "onnx-int2": ".int2.onnx",
    "folder": ".zip",
    "snippet": ".py",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportKind:
    """What to write: one of KINDS, how codes are packed, how leftovers are rounded."""

    kind: str = "packed"
    codes: str = TWO_BIT
    leftovers: str = FLOAT16

    def __post_init__(self) -> None:
        one_of("Kind of export", self.kind, KINDS)
        one_of("Layout of codes", self.codes, LAYOUTS)
        one_of("Leftovers", self.leftovers, LEFTOVERS)

    @property
    def suffix(self) -> str:
        """How the name of a download ends."""
        return SUFFIXES[self.kind]
