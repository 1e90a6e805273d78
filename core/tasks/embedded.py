"""Tasks that need no hub: their text lies inside a published package.

movie-sentiment stands in for GLUE's SST-2: sentences from the same source (Rotten Tomatoes
reviews), each with the mean rating of 20 people in [-4, 4]. Sentences whose mean lies within half
a point of zero have no sentiment to learn and are left out; so are repeated sentences.
"""

from core.errors import InputError
from core.tasks.archives import Archive, member
from core.tasks.base import Row, Task, register

VADER = Archive(
    requirement="vaderSentiment==3.3.2",
    source=True,
    filename="vaderSentiment-3.3.2.tar.gz",
    sha256="5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9",
    size_bytes=2_466_783,
    licence="MIT",
)
VADER_INNER = "vaderSentiment-3.3.2/additional_resources/hutto_ICWSM_2014.tar.gz"
NEUTRAL_BELOW = 0.5


def rated_texts(file: str) -> list[tuple[float, str]]:
    """(mean rating, text) of each line of one ground-truth file, first of repeated texts only."""
    text = member(VADER, VADER_INNER, f"hutto_ICWSM_2014/{file}").decode("utf-8")
    found: dict[str, tuple[float, str]] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        try:
            _, rating, sentence = line.split("\t", maxsplit=2)
            found.setdefault(" ".join(sentence.lower().split()), (float(rating), sentence.strip()))
        except ValueError as error:
            raise InputError(f"Line {number} of {file} is not id, rating, text.") from error
    return list(found.values())


def read_movie_sentiment() -> list[Row]:
    """Rows with "text" and "label" (0 negative, 1 positive)."""
    return [
        {"text": text, "label": int(rating > 0)}
        for rating, text in rated_texts("movieReviewSnippets_GroundTruth.txt")
        if abs(rating) >= NEUTRAL_BELOW
    ]


register(
    Task(
        name="movie-sentiment",
        title="Movie sentiment",
        description="Is a sentence from a film review positive or negative?",
        labels=("negative", "positive"),
        metric="accuracy",
        archive=VADER,
        citation="Hutto and Gilbert, VADER, ICWSM 2014 (10,605 rated Rotten Tomatoes sentences)",
        read=read_movie_sentiment,
        examples=(
            "A quiet film that stays with you for days.",
            "Two hours of noise, and not one joke that lands.",
            "It could have been good, and that is the saddest thing about it.",
        ),
    )
)
