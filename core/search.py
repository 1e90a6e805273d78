"""The first stage of a search: BM25 (Robertson et al. 1994) finds the candidates that a model then
ranks.

Words are what counts: runs of letters and digits in lower case, without stemming and without a list
of stop words (neither changed MRR@10 on a thousand questions by more than its standard error). The
formula is Lucene's with its k1 = 1.2 and b = 0.75. The library, bm25s, keeps all scores as one
sparse table; the table is kept in the cache under a digest of the passages.
"""

import hashlib
import re
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from core.errors import InputError
from core.paths import cache

if TYPE_CHECKING:
    from bm25s import BM25

K1, B = 1.2, 0.75
WORD = re.compile(r"[^\W_]+")
FORM = "bm25s-lucene-1"  # part of the digest: changes whenever words or formula do


def words_of(text: str) -> list[str]:
    """The words of a text, as BM25 counts them: "Who's in U.S.?" has who, s, in, u, s."""
    return WORD.findall(text.lower())


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Index:
    """An index over passages; a passage is its number."""

    passages: tuple[str, ...]
    _table: "BM25"

    def scores(self, query: str) -> np.ndarray:
        """The BM25 score of every passage, (passages,); 0 where no word is shared."""
        known = [word for word in words_of(query) if word in self._table.vocab_dict]
        if not known:
            return np.zeros(len(self.passages), dtype=np.float32)
        return np.asarray(self._table.get_scores(known))

    def top(self, query: str, k: int) -> tuple[np.ndarray, np.ndarray]:
        """(numbers, scores) of the k best passages, the best first; of equal ones the earlier."""
        scores = self.scores(query)
        numbers = np.argsort(-scores, kind="stable")[:k]
        return numbers, scores[numbers]


def index_of(passages: Sequence[str]) -> Index:
    """The index over these passages, from the cache where it is there. Raises InputError without
    any passage that has a word."""
    passages = tuple(passages)
    if not any(WORD.search(text) for text in passages):
        raise InputError("There is no passage with a word in it, so there is nothing to search.")
    folder = cache() / "search" / _digest(passages)
    table = _kept(folder)
    if table is None:
        table = _built(passages)
        _keep(table, folder)
    return Index(passages=passages, _table=table)


def _digest(passages: tuple[str, ...]) -> str:
    digest = hashlib.sha256(FORM.encode())
    for passage in passages:
        digest.update(hashlib.sha256(passage.encode("utf-8", "surrogatepass")).digest())
    return digest.hexdigest()[:16]


def _built(passages: tuple[str, ...]) -> "BM25":
    from bm25s import BM25

    table = BM25(method="lucene", k1=K1, b=B)
    table.index([words_of(passage) for passage in passages], show_progress=False)
    return table


def _kept(folder: Path) -> Any:
    """The table of this folder; None where there is none or it cannot be read."""
    from bm25s import BM25

    try:
        return BM25.load(folder, show_progress=False)
    except (OSError, ValueError, KeyError, EOFError):
        return None


def _keep(table: "BM25", folder: Path) -> None:
    """Write the folder whole. The index works without, so a disk that refuses is no error."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
        try:
            table.save(temporary, show_progress=False)
            shutil.rmtree(folder, ignore_errors=True)
            temporary.rename(folder)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    except OSError:
        return
