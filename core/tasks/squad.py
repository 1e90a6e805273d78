"""SQuAD v1.1 and v2.0 (Rajpurkar et al. 2016, 2018), from the hub: find the answer in a passage.

Length 384, batch 16, as in the paper. Scores are on the validation split; dev is cut from train.
"""

from typing import TYPE_CHECKING

from core.tasks.hub_sources import FromHub
from core.tasks.task import Task

if TYPE_CHECKING:
    from datasets import Dataset

TEXTS = ("question", "context")
PASSAGE = (
    "The Amazon rainforest covers most of the Amazon basin of South America. The basin is "
    "7,000,000 square kilometres large, of which 5,500,000 are covered by the rainforest."
)


def _flat(table: "Dataset") -> "Dataset":
    """The hub's column "answers" holds texts and starts; here they are two columns."""
    return table.map(
        lambda row: {"answers": row["answers"]["text"], "starts": row["answers"]["answer_start"]},
        remove_columns=["answers"],
    )


def _squad(repository: str, config: str, size_bytes: int) -> FromHub:
    return FromHub(
        repository=repository,
        config=config,
        splits=(("train", "train"), ("test", "validation")),
        columns=(*TEXTS, "answers"),
        size_bytes=size_bytes,
        tidy=_flat,
    )


TASKS = (
    Task(
        name="squad",
        title="SQuAD v1.1",
        description="Where in the passage is the answer to the question?",
        kind="span",
        texts=TEXTS,
        metrics=("answer-f1", "exact-match"),
        source=_squad("rajpurkar/squad", "plain_text", 16_000_000),
        citation="Rajpurkar et al., EMNLP 2016",
        max_tokens=384,
        batch_size=16,
        copies=0,
        examples=(("How large is the Amazon basin?", PASSAGE),),
    ),
    Task(
        name="squad-v2",
        title="SQuAD v2.0",
        description="Where in the passage is the answer, if it has one?",
        kind="span",
        texts=TEXTS,
        metrics=("answer-f1", "exact-match"),
        source=_squad("rajpurkar/squad_v2", "squad_v2", 17_700_000),
        citation="Rajpurkar et al., ACL 2018",
        max_tokens=384,
        batch_size=16,
        copies=0,
        may_have_no_answer=True,
        examples=(
            ("How large is the Amazon basin?", PASSAGE),
            ("Who discovered the basin?", PASSAGE),
        ),
    ),
)
