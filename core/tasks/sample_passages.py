"""The passages that ship: sixteen articles of SQuAD v1.1's dev, so that one can search at once.

`passages.json` holds the passages with their articles, questions with the passages that answer
them, and BM25's best twenty for each question. No model of this project learns from any of it
(see `core.tasks.passages`). The text is Wikipedia's, CC-BY-SA 4.0: its NOTICE lies beside it.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from core.errors import InputError
from core.paths import replacing, shipped
from core.search import Index, index_of
from core.serialization import canonical_json, from_json
from core.tables.cells import Row
from core.tasks.collection import TOP, Collection, articles_by_digest, some

FILE = "passages.json"
ARTICLES, QUESTIONS = 16, 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A question, the numbers of the passages that answer it, and BM25's best, the best first."""

    text: str
    relevant: tuple[int, ...]
    found: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Passages, the title of each one's article, and questions about them."""

    passages: tuple[str, ...]
    articles: tuple[str, ...]
    questions: tuple[Asked, ...]

    @property
    def index(self) -> Index:
        """The first stage over these passages."""
        return index_of(self.passages)

    @property
    def rows(self) -> list[Row]:
        """The questions as rows of a ranking."""
        return [self._row(asked) for asked in self.questions]

    def _row(self, asked: Asked) -> Row:
        places = [place for place, n in enumerate(asked.found) if n in asked.relevant]
        return {
            "query": asked.text,
            "candidates": [self.passages[n] for n in asked.found],
            "relevant": places,
            "missed": len(asked.relevant) - len(places),
        }

    def recall(self, top: int) -> float:
        """The share of all relevant passages that are among BM25's best `top`: what no model that
        ranks them can exceed."""
        found = sum(len({*asked.found[:top]} & {*asked.relevant}) for asked in self.questions)
        return found / sum(len(asked.relevant) for asked in self.questions)


def cut_sample(collection: Collection) -> Sample:
    """Sixteen articles and 300 of their questions, both chosen by digest."""
    part = collection.of_articles(articles_by_digest(collection)[:ARTICLES])
    index = index_of(part.passages)
    return Sample(
        passages=part.passages,
        articles=part.articles,
        questions=tuple(
            Asked(
                text=question.text,
                relevant=question.relevant,
                found=tuple(index.top(question.text, TOP)[0].tolist()),
            )
            for question in some(part.questions, QUESTIONS)
        ),
    )


def sample_file() -> Path:
    """Where the passages lie that ship."""
    return shipped() / "passages" / FILE


def write_sample(sample: Sample) -> Path:
    """Put the passages where they ship; returns the file."""
    text = json.dumps(json.loads(canonical_json(sample)), ensure_ascii=False, indent=0)
    with replacing(sample_file()) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")
    return sample_file()


def load_sample() -> Sample:
    """The passages that ship. Raises InputError when the file is not there or damaged."""
    path = sample_file()
    try:
        return _read(path, path.stat().st_mtime_ns)
    except OSError as error:
        raise InputError(
            f"The passages that come with the source are not there ({path.name}). Restore the "
            "folder cached_models/shipped/passages."
        ) from error


@lru_cache(maxsize=2)
def _read(path: Path, changed_ns: int) -> Sample:
    try:
        sample = from_json(Sample, path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise InputError(f"{path.name} is damaged ({error.reason}). Restore the file.") from error
    _check(sample)
    return sample


def _check(sample: Sample) -> None:
    numbers: Sequence[int] = [n for asked in sample.questions for n in asked.relevant + asked.found]
    if len(sample.articles) != len(sample.passages) or any(
        not 0 <= n < len(sample.passages) for n in numbers
    ):
        raise InputError(f"{FILE} is damaged (it names a passage that is not there). Restore it.")
