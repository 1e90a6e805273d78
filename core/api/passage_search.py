"""A search: BM25 finds candidates among the passages that ship, models rank them."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.api.answering import ENGINE, TORCH, answers_to, check_text
from core.api.models import OpenModel
from core.errors import InputError
from core.targets.target import softmax
from core.tasks.collection import TOP
from core.tasks.sample_passages import Asked, Sample, load_sample

FIRST_STAGE = "BM25"
MAX_QUERY = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """Passages by number, the best first, and their scores. `shares` are the scores after a softmax
    over the list; `milliseconds` is what ranking the whole list took."""

    numbers: tuple[int, ...]
    scores: tuple[float, ...]
    shares: tuple[float, ...]
    milliseconds: float
    computed_by: str

    def moved(self, before: "Ranking") -> tuple[int, ...]:
        """By how many ranks each passage stands higher than in another ranking of the same ones."""
        places = {number: place for place, number in enumerate(before.numbers)}
        return tuple(places[number] - place for place, number in enumerate(self.numbers))


def sample() -> Sample:
    """The passages that come with the source. Raises InputError when they are not there."""
    return load_sample()


def asked_like(query: str) -> Asked | None:
    """The shipped question with these words, for which it is known what is right; None for any
    other."""
    wanted = " ".join(query.casefold().split())
    for asked in load_sample().questions:
        if " ".join(asked.text.casefold().split()) == wanted:
            return asked
    return None


def check_query(query: str) -> str:
    """The query without outer blanks; raises InputError for an empty or far too long one."""
    query = check_text(query)
    if len(query) > MAX_QUERY:
        raise InputError(
            f"The query has {len(query):,} characters; at most {MAX_QUERY} can be searched for. "
            "Ask in fewer words."
        )
    return query


def find_candidates(query: str, top: int = TOP) -> Ranking:
    """BM25's best `top` passages. Raises InputError as `check_query`."""
    query, index = check_query(query), load_sample().index
    index.top(query, top)  # the first search of a process pays for its preparation
    began = time.perf_counter()
    numbers, scores = index.top(query, top)
    milliseconds = 1000 * (time.perf_counter() - began)
    return _ranking(numbers.tolist(), scores, milliseconds, FIRST_STAGE)


def rank(opened: OpenModel, query: str, numbers: Sequence[int]) -> Ranking:
    """The passages of these numbers ranked by a model. Each pair is read by itself, so a score does
    not depend on the other candidates; equal scores keep the given order. Raises InputError as
    `check_query`, and where the model ranks nothing."""
    query, passages = check_query(query), load_sample().passages
    if opened.target.name != "ranking":
        raise InputError(f"{opened.task.title} ranks no passages. Choose a run that does.")
    columns = [[query] * len(numbers), [passages[number] for number in numbers]]
    answers_to(opened, [column[:1] for column in columns])  # pays for the preparation
    began = time.perf_counter()
    logits = answers_to(opened, columns)
    milliseconds = 1000 * (time.perf_counter() - began)
    scores = np.array([float(logits[row][0]) for row in range(len(numbers))])
    computed_by = TORCH if opened.engine is None else ENGINE
    return _ranking(list(numbers), scores, milliseconds, computed_by)


def _ranking(
    numbers: list[int], scores: np.ndarray, milliseconds: float, computed_by: str
) -> Ranking:
    order = np.argsort(-scores, kind="stable")
    scores = scores[order].astype(np.float64)
    return Ranking(
        numbers=tuple(numbers[place] for place in order),
        scores=tuple(scores.tolist()),
        shares=tuple(softmax(scores).tolist()),
        milliseconds=milliseconds,
        computed_by=computed_by,
    )
