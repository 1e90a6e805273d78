"""Quantizers: one rule a file, found by walking this folder. Start reading at `base`."""

from core.quantizers.quantizer import Quantized, fake_quantize, quantize
from core.quantizers.registry import Rule, rule, rules

__all__ = ["Quantized", "Rule", "fake_quantize", "quantize", "rule", "rules"]
