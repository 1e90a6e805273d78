"""A quantized matrix: whole numbers, and the scales that they are times.

Which weights share a scale is known here and where rules are asked (`quantizer`); everybody else
asks for the value, or for some rows.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from core.quantizers.groups import beside, cut, cut_scale
from core.quantizers.kernels import scaled


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Quantized:
    """A quantized matrix.

    codes      int8     (rows, cols)       in [-levels, levels], levels = 2^(bits-1) - 1; -1 or 1
                                           at one bit
    scale      float32  (rows, 1), (1, 1) for granularity "layer", or (rows, groups)
    threshold  float32  as scale; a ternary code is 0 where |w| is not above it, one of one bit is
                        1 where w is not below it; None: nearest level
    group      how many columns share a scale, the last ones of a row perhaps fewer; 0: all
    """

    codes: Tensor
    scale: Tensor
    bits: int
    threshold: Tensor | None = None
    group: int = 0

    def dequantize(self, dtype: torch.dtype = torch.float32) -> Tensor:
        """scale * codes, (rows, cols) in float32 or rounded to bfloat16: what the network
        computes with."""
        parts = as_rows(self.codes, self.scale, self.group)
        value = [scaled(codes, scale, dtype) for codes, scale in parts]
        return beside(value, len(self.codes))

    def rows(self, index: Tensor | slice) -> "Quantized":
        """Only the rows of `index`; a shared scale stays shared."""
        return Quantized(
            codes=self.codes[index],
            scale=_rows_of(self.scale, index),
            bits=self.bits,
            threshold=None if self.threshold is None else _rows_of(self.threshold, index),
            group=self.group,
        )


def as_rows(matrix: Tensor, scale: Tensor, group: int) -> list[tuple[Tensor, Tensor]]:
    """(matrix, scale of each row) as a rule sees it: one long row where one scale is shared, and
    every group as a row."""
    if group:
        scales = cut_scale(scale, matrix.shape[1], group)
        return list(zip(cut(matrix, group), scales, strict=True))
    return [(matrix if scale.shape[0] > 1 else matrix.reshape(1, -1), scale)]


def _rows_of(value: Tensor, index: Tensor | slice) -> Tensor:
    return value if value.numel() == 1 else value[index]


def join(pieces: list[Quantized], shape: torch.Size) -> Quantized:
    """Pieces of a matrix, below each other, as one of `shape`."""
    first = pieces[0]
    if len(pieces) == 1:
        codes, scale, threshold = first.codes, first.scale, first.threshold
    else:
        codes = torch.cat([piece.codes for piece in pieces])
        scale = torch.cat([piece.scale for piece in pieces])
        thresholds = [piece.threshold for piece in pieces if piece.threshold is not None]
        threshold = torch.cat(thresholds) if thresholds else None
    return Quantized(codes=codes.reshape(shape), scale=scale, bits=first.bits, threshold=threshold)


def joined(solved: list[Quantized], shape: torch.Size, group: int) -> Quantized:
    """What a rule answered to the parts of a matrix, as the matrix of `shape`."""
    if not group:
        return join(solved, shape)
    thresholds = [part.threshold for part in solved if part.threshold is not None]
    return Quantized(
        codes=beside([part.codes for part in solved], shape[0]),
        scale=beside([part.scale for part in solved], shape[0]),
        bits=solved[0].bits,
        threshold=beside(thresholds, shape[0]) if thresholds else None,
        group=group,
    )
