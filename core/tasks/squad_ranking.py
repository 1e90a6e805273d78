"""squad-ranking: SQuAD v1.1 (Rajpurkar et al. 2016) from the hub, with the question which of all
passages answers it. Train is cut by article; test is the validation split, whose articles are
others."""

from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.events import Preparing
from core.tasks.collection import Collection, collection_of
from core.tasks.hub_sources import FromHub
from core.tasks.ranking_parts import COLUMNS, parts_of
from core.tasks.sources import Reading
from core.tasks.squad import PASSAGE
from core.tasks.task import Task

if TYPE_CHECKING:
    from datasets import Dataset


@dataclass(frozen=True, slots=True, kw_only=True)
class RankedFromHub:
    """The rows of a data set of questions and passages, as rankings."""

    questions: FromHub
    needs_hub: bool = True

    @property
    def place(self) -> str:
        """The data set on the hub."""
        return self.questions.place

    @property
    def identity(self) -> str:
        """That of the data set, as a ranking."""
        return f"ranking of {self.questions.identity}"

    @property
    def size_bytes(self) -> int:
        """About what is downloaded."""
        return self.questions.size_bytes

    def read(self) -> Generator[Preparing, None, Reading]:
        """Download, and search candidates. Raises InputError as the data set does."""
        found = yield from self.questions.read()
        yield Preparing(text="Searching candidates for every question")
        learn, test = (_collection(found.parts[name]) for name in ("train", "test"))
        return Reading(parts=parts_of(learn, test), revision=found.revision)


def _collection(rows: "Dataset") -> Collection:
    """Passages and questions of a table."""
    columns = (rows[name] for name in ("title", "context", "question"))
    return collection_of(zip(*columns, strict=True))


TASKS = (
    Task(
        name="squad-ranking",
        title="SQuAD v1.1 as a ranking",
        description="Which of twenty passages answers the question?",
        kind="ranking",
        texts=COLUMNS,
        metrics=("mrr-10", "ndcg-10", "recall-1"),
        source=RankedFromHub(
            questions=FromHub(
                repository="rajpurkar/squad",
                config="plain_text",
                splits=(("train", "train"), ("test", "validation")),
                columns=("title", "context", "question"),
                size_bytes=16_000_000,
                tidy=lambda table: table,
            )
        ),
        citation="Rajpurkar et al., EMNLP 2016",
        max_tokens=192,
        copies=0,
        examples=(("How large is the Amazon basin?", PASSAGE),),
    ),
)
