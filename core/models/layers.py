"""Layers that compute with quantized numbers and learn full-precision ones.

A quantized layer keeps the *latent* float weight. Forward computes with its quantized value;
backward passes the gradient of that value straight to the latent weight (the straight-through
estimator, PAPER 2: "taken at the quantized weight, applied to the latent one"). Inputs are
fake-quantized the same way (see `activation`).

Shapes: hidden states (batch, tokens, hidden); weights (rows, cols) = (out, in); the embedding
(rows, cols) = (words, hidden).
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from core.models.activation import KERNEL_DTYPES, ActivationQuantizer
from core.models.each_text import each_text
from core.models.straight_through import product_dtype
from core.models.weight_quantizer import WeightQuantizer
from core.quantizers.quantizer import Quantized


class QuantLinear(nn.Module):
    """y = quantized(x) quantized(W)^T + b; takes over the parameters of an nn.Linear."""

    def __init__(
        self, linear: nn.Linear, weight: WeightQuantizer | None, activation: ActivationQuantizer
    ) -> None:
        super().__init__()
        self.weight, self.bias = linear.weight, linear.bias
        self.weight_quantizer, self.activation_quantizer = weight, activation

    def forward(self, x: Tensor) -> Tensor:  # (..., in) -> (..., out)
        weight = self.weight
        if self.weight_quantizer is not None:
            weight = self.weight_quantizer(weight, dtype=self.weight_dtype())
        rounded = self.activation_quantizer(x)
        if self.activation_quantizer.keeps_texts_apart and not self.training:
            return each_text(lambda text: F.linear(text, weight, self.bias), rounded)
        return F.linear(rounded, weight, self.bias)

    def weight_dtype(self) -> torch.dtype:
        """What the quantized weight is written in."""
        wanted = product_dtype(self.weight)
        return wanted if wanted in KERNEL_DTYPES else torch.float32


class QuantEmbedding(nn.Module):
    """Look up quantized rows; takes over the table of an nn.Embedding.

    Row by row, only the rows that the batch mentions are quantized: the others cannot change the
    result (tested against the whole table). In training `reader` may hand out the latent rows
    instead of the table: an optimizer that updates the table row by row gets the rows' gradient,
    and no gradient of the whole table is ever made.
    """

    def __init__(self, embedding: nn.Embedding, weight: WeightQuantizer | None) -> None:
        super().__init__()
        self.weight, self.padding_idx = embedding.weight, embedding.padding_idx
        self.weight_quantizer = weight
        self.reader: Callable[[Tensor], Tensor] | None = None

    def forward(self, ids: Tensor) -> Tensor:  # (batch, tokens) -> (batch, tokens, hidden)
        if self.weight_quantizer is None:
            return F.embedding(ids, self.weight, self.padding_idx)
        rows, places = torch.unique(ids, return_inverse=True)
        latent = self.reader(rows) if self.reader is not None and self.training else None
        return F.embedding(places, self.weight_quantizer(self.weight, rows, latent))


class CodeEmbedding(nn.Module):
    """Look up rows in a table's codes: what its dequantized table gives, bit for bit, in a quarter
    of the memory. It only computes; nothing in it learns."""

    def __init__(self, table: Quantized) -> None:
        super().__init__()
        self.table = table

    def forward(self, ids: Tensor) -> Tensor:  # (batch, tokens) -> (batch, tokens, hidden)
        return self.table.rows(ids.flatten()).dequantize().view(*ids.shape, -1)
