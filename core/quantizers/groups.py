"""Groups: a scale for every so many columns of each row.

A rule sees rows and answers per row. A matrix in groups of g columns is, to a rule, a matrix whose
rows are the groups: the same numbers, read in shorter rows, so no rule knows of groups. Where g
does not divide the columns, the last group of every row is shorter, and these are a second,
narrower matrix. Ten columns in groups of four:

    row 0    a a a a  b b b b  c c          rows of four: a, b, d, e
    row 1    d d d d  e e e e  f f          rows of two:  c, f

The more groups, the nearer the levels are to the weights, and the more bytes the scales take: at
2 bits, float32 scales for every 64 columns add half a bit to each weight.
"""

import torch
from torch import Tensor


def group_size(granularity: str) -> int:
    """How many columns share a scale: 64 for "group-64", 0 where no group ends within a row."""
    word, _, size = granularity.partition("-")
    return int(size) if word == "group" else 0


def scale_shape(rows: int, cols: int, granularity: str) -> tuple[int, int]:
    """The shape of the scales of a matrix (rows, cols)."""
    size = group_size(granularity)
    if size:
        return rows, -(-cols // size)
    return (rows if granularity == "row" else 1), 1


def cut(matrix: Tensor, size: int) -> list[Tensor]:
    """A matrix (rows, cols) as one whose rows are the whole groups, and one of the shorter last
    groups; each only if there are any."""
    whole = matrix.shape[1] // size * size
    parts = matrix[:, :whole].reshape(-1, size), matrix[:, whole:]
    return [part for part in parts if part.numel()]


def cut_scale(scale: Tensor, cols: int, size: int) -> list[Tensor]:
    """The scales (rows, groups) of a matrix of `cols` columns, as columns beside what `cut`
    gives."""
    whole = cols // size
    parts = scale[:, :whole].reshape(-1, 1), scale[:, whole:]
    return [part for part in parts if part.numel()]


def beside(parts: list[Tensor], rows: int) -> Tensor:
    """What `cut` or `cut_scale` took apart, or the answers to it, as one of so many rows."""
    if len(parts) == 1:
        return parts[0].reshape(rows, -1)
    return torch.cat([part.reshape(rows, -1) for part in parts], dim=1)


def spread(scale: Tensor, cols: int, size: int) -> Tensor:
    """The scale of every weight, to be multiplied with codes (rows, cols): one that is shared by
    whole rows stays a column."""
    return scale.repeat_interleave(size, dim=1)[:, :cols] if size else scale
