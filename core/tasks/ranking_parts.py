"""From collections to the parts of a ranking task: what is tested was never shown in training.

Articles are cut by the SHA-256 of their titles. What a model learns from shows no passage of an
article that is tested, not even as a wrong candidate; what is tested is searched among all.
"""

from typing import TYPE_CHECKING

from core.errors import InputError
from core.search import Index, index_of
from core.tasks.collection import (
    Collection,
    Question,
    articles_by_digest,
    rows_to_learn,
    rows_to_rank,
    some,
)
from core.tasks.sources import Row

if TYPE_CHECKING:
    from datasets import Dataset

DEV_QUESTIONS, TEST_QUESTIONS = 150, 1000
COLUMNS = ("query", "candidates")


def parts_of(learn: Collection, test: Collection | None) -> dict[str, "Dataset"]:
    """Train, dev and test as tables. Of `learn` the articles of a tenth of its questions (at most
    150) are dev, and of another tenth (at most 1,000) test, unless `test` is a collection of its
    own. Raises InputError where the passages hold no word, or
    nothing is left to learn from."""
    from datasets import Dataset

    tenth = max(1, len(learn.questions) // 10)
    wanted = [min(DEV_QUESTIONS, tenth)]
    if test is None:
        wanted.insert(0, min(TEST_QUESTIONS, tenth))
    *tested, developed, learned = held_out(learn, tuple(wanted))
    if not learned:
        raise InputError("All questions are about the same few passages; more of them are needed.")
    everything = index_of(learn.passages)
    part = learn.of_articles(learned)
    rows = {
        "train": rows_to_learn(part.questions, index_of(part.passages)),
        "dev": ranked(learn, developed, everything, wanted[-1]),
    }
    if test is None:
        rows["test"] = ranked(learn, tested[0], everything, wanted[0])
    else:
        asked = some(test.questions, TEST_QUESTIONS)
        rows["test"] = rows_to_rank(asked, index_of(test.passages))
    return {name: Dataset.from_list(found) for name, found in rows.items()}


def held_out(collection: Collection, wanted: tuple[int, ...]) -> tuple[frozenset[str], ...]:
    """Sets of articles: one with at least that many questions for each number, then the rest."""
    left = articles_by_digest(collection)[::-1]
    counts: dict[frozenset[str], int] = {}
    for question in collection.questions:
        counts[question.articles] = counts.get(question.articles, 0) + 1
    parts = []
    for needed in wanted:
        part: set[str] = set()
        while left and needed > 0:
            article = left.pop()
            part.add(article)
            needed -= counts.get(frozenset([article]), 0)
        parts.append(frozenset(part))
    return (*parts, frozenset(left))


def ranked(collection: Collection, articles: frozenset[str], index: Index, most: int) -> list[Row]:
    """Rows with the first stage's candidates, for at most so many questions about these
    articles."""
    asked: list[Question] = [each for each in collection.questions if each.articles <= articles]
    return rows_to_rank(some(asked, most), index)
