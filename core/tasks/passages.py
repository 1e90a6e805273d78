"""passage-ranking: which passage answers the question? From SQuAD and its shifts.

People wrote the questions for passages of Wikipedia (SQuAD v1.1, Rajpurkar et al. 2016) and, later
and by the same rules, for other articles of Wikipedia and of the New York Times (Miller et al.
2020). Each question is a query whose passage is to be found among all of its source, as in MS
MARCO.

    train   new Wikipedia articles, and those of the New York Times that are in no other part
    dev     150 questions of other articles of the New York Times
    test    1,000 questions of yet others, BM25's best 20 among all passages of the newspaper
    squad   1,000 questions of SQuAD v1.1's dev, BM25's best 20 among its 2,067 passages
"""

from core.search import index_of
from core.tasks.archives import Archive, members
from core.tasks.collection import Collection, read_squad, rows_to_learn, rows_to_rank, some
from core.tasks.ranking_parts import COLUMNS, DEV_QUESTIONS, TEST_QUESTIONS, held_out, ranked
from core.tasks.sources import FromArchive, Row
from core.tasks.task import Task

BIGBENCH = Archive(
    requirement="bigbench==1.0.0",
    source=True,
    filename="bigbench-1.0.0.tar.gz",
    sha256="1bb398a5512c6d798cdebe0dfa0ac03f67f6033fa6b39c6ef71df978c7cbc5c2",
    size_bytes=358_249_635,
    licence="Apache-2.0 (the package; the texts of SQuAD and its shifts are CC-BY-SA 4.0)",
)
FOLDER = "bigbench-1.0.0/bigbench/benchmark_tasks/squad_shifts"
NEWSPAPER, WIKIPEDIA, SQUAD = "nyt_v1.0.json", "new_wiki_v1.0.json", "squaddev_v1.1.json"


def collections() -> tuple[Collection, Collection, Collection]:
    """New York Times, new Wikipedia, SQuAD v1.1 dev, out of the archive."""
    names = [f"{FOLDER}/{name}" for name in (NEWSPAPER, WIKIPEDIA, SQUAD)]
    found = members(BIGBENCH, names)
    newspaper, wikipedia, squad = (read_squad(name, found[name]) for name in names)
    return newspaper, wikipedia, squad


def parse_passages() -> dict[str, list[Row]]:
    """Rows of "train", "dev", "test" and "squad"."""
    newspaper, wikipedia, squad = collections()
    return parts_of(newspaper, wikipedia, squad, DEV_QUESTIONS, TEST_QUESTIONS)


def parts_of(
    newspaper: Collection, wikipedia: Collection, squad: Collection, dev: int, test: int
) -> dict[str, list[Row]]:
    """The four parts, with so many questions in dev and in each test."""
    tested, developed, learned = held_out(newspaper, (test, dev))
    everything = index_of(newspaper.passages)
    train: list[Row] = []
    for part in (wikipedia, newspaper.of_articles(learned)):
        train += rows_to_learn(part.questions, index_of(part.passages))
    return {
        "train": train,
        "dev": ranked(newspaper, developed, everything, dev),
        "test": ranked(newspaper, tested, everything, test),
        "squad": rows_to_rank(some(squad.questions, test), index_of(squad.passages)),
    }


TASKS = (
    Task(
        name="passage-ranking",
        title="Passage ranking",
        description="Which of twenty passages answers the question?",
        kind="ranking",
        texts=COLUMNS,
        metrics=("mrr-10", "ndcg-10", "recall-1"),
        source=FromArchive(archive=BIGBENCH, parse=parse_passages),
        citation="Rajpurkar et al., EMNLP 2016; Miller et al., The Effect of Natural Distribution "
        "Shift on Question Answering Models, ICML 2020",
        more_tests=("squad",),
        max_tokens=192,
        copies=0,
        examples=(
            (
                "How large is the Amazon basin?",
                "The Amazon rainforest covers most of the Amazon basin of South America. The basin "
                "is 7,000,000 square kilometres large.",
            ),
        ),
    ),
)
