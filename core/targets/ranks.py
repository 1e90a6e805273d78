"""How good is a ranking? Metrics of a query with its candidates; numpy only.

Predictions are scores (queries, most candidates), NaN where a query has fewer. References
(queries, most candidates + 1) say what is relevant, 1 or 0, and in the last column how many
relevant passages are not among the candidates. A score is a mean over queries, so its standard
error is one over queries.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Candidates:
    """Where the rows stand: query and place (rows,), how many of each there are, and missed
    (queries,), how many relevant passages the first stage did not find."""

    query: np.ndarray
    place: np.ndarray
    queries: int
    most: int
    missed: np.ndarray

    def table(self, of_rows: np.ndarray) -> np.ndarray:
        """One number per row as (queries, most candidates), NaN where there is no row."""
        found = np.full((self.queries, self.most), np.nan)
        found[self.query, self.place] = of_rows
        return found


CUTOFF = 10  # how many ranks MRR and nDCG look at


def ranked(predictions: np.ndarray, references: np.ndarray) -> np.ndarray:
    """The relevance of each query's candidates in the order of their scores, the highest first;
    equal scores keep the order of the first stage, padding comes last with 0."""
    order = np.argsort(-predictions, axis=1, kind="stable")
    found = np.nan_to_num(np.take_along_axis(references[:, :-1], order, axis=1))
    return np.where(np.isnan(np.take_along_axis(predictions, order, axis=1)), 0.0, found)


def reciprocal_rank(predictions: np.ndarray, references: np.ndarray) -> np.ndarray:
    """1 / rank of the first relevant candidate, 0 where it is not among the first 10; (queries,)"""
    hits = ranked(predictions, references)[:, :CUTOFF] > 0
    return np.where(hits.any(axis=1), 1.0 / (1 + hits.argmax(axis=1)), 0.0)


def gain(predictions: np.ndarray, references: np.ndarray) -> np.ndarray:
    """nDCG of the first 10 (Järvelin and Kekäläinen 2002): the discounted gain over that of the
    best order of all relevant passages, missed ones too; 0 where nothing is relevant; (queries,)"""
    discounts = 1.0 / np.log2(np.arange(2, CUTOFF + 2))
    hits = ranked(predictions, references)[:, :CUTOFF]
    reached = hits @ discounts[: hits.shape[1]]
    best = np.cumsum(discounts)[np.clip(_relevant(references), 1, CUTOFF) - 1]
    return reached / best


def recall_first(predictions: np.ndarray, references: np.ndarray) -> np.ndarray:
    """The share of all relevant passages that stand on rank 1; (queries,)"""
    return ranked(predictions, references)[:, 0] / np.maximum(1, _relevant(references))


def _relevant(references: np.ndarray) -> np.ndarray:
    return np.nansum(references, axis=1).astype(np.int64)


def first_stage(references: np.ndarray) -> np.ndarray:
    """Predictions that keep the order in which the candidates came."""
    places = np.arange(int(references.shape[1]) - 1)
    return np.where(np.isnan(references[:, :-1]), np.nan, -1.0 * places)
