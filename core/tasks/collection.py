"""A collection: passages of articles, and questions with the passages that answer them.

It is what rows of a ranking are made of. Read from the JSON form of SQuAD (Rajpurkar et al. 2016),
where every question was written for one passage; a question that was written for several has them
all as relevant. The first stage is BM25 (core/search.py).
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from core.errors import InputError
from core.search import Index
from core.tables.cells import Row

TOP = 20  # candidates that a model ranks
Item = TypeVar("Item")
OTHERS = 3  # candidates beside a relevant one to learn from


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A question, the numbers of the passages that answer it, and their articles."""

    text: str
    relevant: tuple[int, ...]
    articles: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    """Passages, the article of each, and the questions. No passage and no question is twice."""

    passages: tuple[str, ...]
    articles: tuple[str, ...]
    questions: tuple[Question, ...]

    def of_articles(self, chosen: Iterable[str]) -> "Collection":
        """The passages of these articles, and the questions that ask about no others."""
        chosen = frozenset(chosen)
        kept = [n for n, article in enumerate(self.articles) if article in chosen]
        number = {old: new for new, old in enumerate(kept)}
        questions = (
            Question(
                text=question.text,
                relevant=tuple(number[old] for old in question.relevant),
                articles=question.articles,
            )
            for question in self.questions
            if question.articles <= chosen
        )
        return Collection(
            passages=tuple(self.passages[n] for n in kept),
            articles=tuple(self.articles[n] for n in kept),
            questions=tuple(questions),
        )


def read_squad(name: str, text: bytes) -> Collection:
    """The collection of a SQuAD JSON file. Raises InputError when the file is not one."""
    try:
        found = [
            (str(article["title"]), part["context"].strip(), asked["question"].strip())
            for article in json.loads(text)["data"]
            for part in article["paragraphs"]
            for asked in part["qas"]
        ]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(f"{name} is not a SQuAD JSON file ({error!r}).") from error
    return collection_of(found)


def collection_of(found: Iterable[tuple[str, str, str]]) -> Collection:
    """The collection of (article, passage, question), in their order; what is empty is left out."""
    passages: dict[str, tuple[int, str]] = {}
    asked: dict[str, tuple[str, dict[int, str]]] = {}
    for article, passage, question in found:
        if passage and question:
            number, article = passages.setdefault(passage, (len(passages), article))
            key = " ".join(question.casefold().split())
            asked.setdefault(key, (question, {}))[1][number] = article
    return Collection(
        passages=tuple(passages),
        articles=tuple(article for _, article in passages.values()),
        questions=tuple(
            Question(text=text, relevant=tuple(sorted(where)), articles=frozenset(where.values()))
            for text, where in asked.values()
        ),
    )


def by_digest(items: Iterable[Item], text: Callable[[Item], str]) -> list[Item]:
    """Items in the order of the SHA-256 of their text: the same everywhere, and like chance."""
    return sorted(items, key=lambda item: hashlib.sha256(text(item).encode()).digest())


def articles_by_digest(collection: Collection) -> list[str]:
    """The articles in the order of their digests."""
    return by_digest(dict.fromkeys(collection.articles), str)


def some(questions: Sequence[Question], most: int) -> list[Question]:
    """At most so many questions, chosen by digest."""
    return by_digest(questions, lambda question: question.text)[:most]


def rows_to_rank(questions: Iterable[Question], index: Index, top: int = TOP) -> list[Row]:
    """A row per question with the first stage's `top` candidates, the best first."""
    return [
        _row(question, index, index.top(question.text, top)[0].tolist()) for question in questions
    ]


def rows_to_learn(questions: Iterable[Question], index: Index) -> list[Row]:
    """A row per question with one relevant passage and three that are not, of the first stage's
    best (Gao et al. 2021); the relevant one is there even where the first stage missed it."""
    rows = []
    for question in questions:
        found = index.top(question.text, TOP)[0].tolist()
        wanted = [n for n in found if n in question.relevant] + list(question.relevant)
        others = [n for n in found if n not in question.relevant]
        about = [question.text + "\n" + index.passages[n] for n in others]
        chosen = by_digest(range(len(others)), about.__getitem__)[:OTHERS]
        kept = {wanted[0], *(others[place] for place in chosen)}
        rows.append(_row(question, index, [n for n in [*found, wanted[0]] if n in kept]))
    return rows


def _row(question: Question, index: Index, candidates: Sequence[int]) -> Row:
    candidates = list(dict.fromkeys(candidates))
    places = [place for place, n in enumerate(candidates) if n in question.relevant]
    return {
        "query": question.text,
        "candidates": [index.passages[n] for n in candidates],
        "relevant": places,
        "missed": len(question.relevant) - len(places),
    }
