"""Big matrices in pieces that fit into the processor's cache.

An operation on 11.7 million floats moves 47 MB through memory, and a formula of eight operations
does so eight times. The same formula on pieces of a few hundred thousand floats stays in the
cache (see docs/log). Matrices are cut between rows, which changes nothing because rules work row by
row; a matrix shown as one long row is one piece.
"""

from collections.abc import Iterator

BLOCK = 1 << 18


def row_blocks(rows: int, cols: int) -> Iterator[slice]:
    """Slices of rows, each of at most BLOCK numbers (at least one row)."""
    step = max(1, BLOCK // cols)
    for start in range(0, rows, step):
        yield slice(start, min(start + step, rows))
