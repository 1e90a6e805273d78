"""Rows to batches: grouped by length, padded only to the longest of the batch.

Sentences of 5 and of 50 tokens in one batch waste nine tenths of the arithmetic on padding. So
the shuffled training set is cut into windows of many batches, each window is sorted by length,
and the batches are shuffled again: nearly no padding, still a random order.

Rows of one group (the candidates of a query) are drawn together, and a batch holds as many whole
groups as fit into its size; at least one.
"""

from collections.abc import Iterator
from itertools import islice

import numpy as np

from core.family import Batch, Encoded, Family

WINDOW_BATCHES = 50


def training_batches(
    family: Family, encoded: Encoded, batch_size: int, seed: int, skip: int = 0
) -> Iterator[Batch]:
    """Endless batches, one shuffled epoch after the other; the same for the same seed. The first
    `skip` are left out."""
    for rows in islice(_drawn(encoded, batch_size, seed), skip, None):
        yield family.collate(encoded, rows)


def _drawn(encoded: Encoded, batch_size: int, seed: int) -> Iterator[np.ndarray]:
    """The numbers of the rows of each batch."""
    random = np.random.default_rng(seed)
    together = _rows_together(encoded)
    longest = np.array([encoded.units[rows].max() for rows in together])
    size = max(1, batch_size // max(len(rows) for rows in together))
    window = size * WINDOW_BATCHES
    while True:
        order = random.permutation(len(together))
        batches: list[np.ndarray] = []
        for start in range(0, len(order), window):
            part = order[start : start + window]
            part = part[np.argsort(longest[part], kind="stable")]
            batches += [part[i : i + size] for i in range(0, len(part), size)]
        for index in random.permutation(len(batches)):
            yield np.concatenate([together[one] for one in batches[index]])


def _rows_together(encoded: Encoded) -> list[np.ndarray]:
    """The rows of each group; single ones where there are no groups."""
    if encoded.groups is None:
        return list(np.arange(len(encoded))[:, None])
    borders = np.flatnonzero(np.diff(encoded.groups)) + 1
    return np.split(np.arange(len(encoded)), borders)


def evaluation_batches(family: Family, encoded: Encoded, batch_size: int = 50) -> Iterator[Batch]:
    """Every row once, shortest first."""
    order = np.argsort(encoded.units, kind="stable")
    for start in range(0, len(order), batch_size):
        yield family.collate(encoded, order[start : start + batch_size])


def even_batches(family: Family, encoded: Encoded, batch_size: int = 50) -> Iterator[Batch]:
    """Every row once, shortest first, and no row padded: a batch has rows of one length."""
    order = np.argsort(encoded.units, kind="stable")
    borders = np.flatnonzero(np.diff(encoded.units[order])) + 1
    for alike in np.split(order, borders):
        for start in range(0, len(alike), batch_size):
            yield family.collate(encoded, alike[start : start + batch_size])
