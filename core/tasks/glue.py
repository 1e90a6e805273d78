"""GLUE (Wang et al. 2019): the eight tasks of the paper, from the hub.

Lengths and batch are the paper's (PAPER 3): 64 tokens for single sentences, 128 for pairs, batch
32 (CoLA 16); copies are those of the augmentation. Scores are on the validation split.
"""

from typing import TYPE_CHECKING

from core.tasks.hub_sources import FromHub
from core.tasks.task import Task

if TYPE_CHECKING:
    from datasets import Dataset

CITATION = "GLUE, Wang et al., ICLR 2019"
VALIDATION = (("train", "train"), ("test", "validation"))


def _labelled(table: "Dataset") -> "Dataset":
    """Only rows with a label: the hub marks hidden ones with -1 (STS-B's values start at 0)."""
    return table.filter(lambda row: row["label"] is not None and row["label"] >= 0)


def _glue(
    config: str, texts: tuple[str, ...], size_bytes: int, splits: tuple = VALIDATION
) -> FromHub:
    return FromHub(
        repository="nyu-mll/glue",
        config=config,
        splits=splits,
        columns=(*texts, "label"),
        size_bytes=size_bytes,
        tidy=_labelled,
    )


SINGLE = ("sentence",)
TWO_SENTENCES = ("sentence1", "sentence2")

TASKS = (
    Task(
        name="cola",
        title="CoLA",
        description="Is this an acceptable English sentence?",
        labels=("unacceptable", "acceptable"),
        texts=SINGLE,
        metrics=("matthews", "accuracy"),
        source=_glue("cola", SINGLE, 330_000),
        citation=CITATION,
        batch_size=16,
        copies=30,
        examples=(("The book was read by me.",), ("The book was by me read.",)),
    ),
    Task(
        name="sst2",
        title="SST-2",
        description="Is a phrase from a film review positive or negative?",
        labels=("negative", "positive"),
        texts=SINGLE,
        metrics=("accuracy",),
        source=_glue("sst2", SINGLE, 3_300_000),
        citation=CITATION,
        copies=20,
        examples=(("warm , funny and wise",), ("a long , joyless evening",)),
    ),
    Task(
        name="mrpc",
        title="MRPC",
        description="Do two sentences from the news say the same?",
        labels=("not equivalent", "equivalent"),
        texts=TWO_SENTENCES,
        metrics=("f1", "accuracy"),
        source=_glue("mrpc", TWO_SENTENCES, 1_000_000),
        citation=CITATION,
        max_tokens=128,
        copies=30,
        examples=(
            ("Shares rose 3 percent on Monday.", "On Monday the stock gained three percent."),
        ),
    ),
    Task(
        name="stsb",
        title="STS-B",
        description="How similar are two sentences, from 0 (not at all) to 5 (the same)?",
        kind="value",
        texts=TWO_SENTENCES,
        metrics=("pearson", "spearman"),
        source=_glue("stsb", TWO_SENTENCES, 770_000),
        citation=CITATION,
        max_tokens=128,
        copies=30,
        examples=(("A girl plays the flute.", "Somebody is making music."),),
    ),
    Task(
        name="qqp",
        title="QQP",
        description="Do two questions ask the same?",
        labels=("not duplicate", "duplicate"),
        texts=("question1", "question2"),
        metrics=("f1", "accuracy"),
        source=_glue("qqp", ("question1", "question2"), 44_000_000),
        citation=CITATION,
        max_tokens=128,
        copies=10,
        examples=(("How do I learn to swim?", "What is the best way to learn swimming?"),),
    ),
    Task(
        name="mnli",
        title="MNLI",
        description="Does the first sentence imply the second, contradict it, or neither?",
        labels=("entailment", "neutral", "contradiction"),
        texts=("premise", "hypothesis"),
        metrics=("accuracy",),
        source=_glue(
            "mnli",
            ("premise", "hypothesis"),
            57_000_000,
            (
                ("train", "train"),
                ("test", "validation_matched"),
                ("mismatched", "validation_mismatched"),
            ),
        ),
        citation=CITATION,
        more_tests=("mismatched",),
        max_tokens=128,
        copies=10,
        examples=(("The museum is closed on Mondays.", "One can visit the museum every day."),),
    ),
    Task(
        name="qnli",
        title="QNLI",
        description="Does a sentence contain the answer to a question?",
        labels=("entailment", "not entailment"),
        texts=("question", "sentence"),
        metrics=("accuracy",),
        source=_glue("qnli", ("question", "sentence"), 19_000_000),
        citation=CITATION,
        max_tokens=128,
        copies=20,
        examples=(("When was the bridge built?", "The bridge was opened to traffic in 1932."),),
    ),
    Task(
        name="rte",
        title="RTE",
        description="Does the first text imply the second?",
        labels=("entailment", "not entailment"),
        texts=TWO_SENTENCES,
        metrics=("accuracy",),
        source=_glue("rte", TWO_SENTENCES, 880_000),
        citation=CITATION,
        max_tokens=128,
        copies=30,
        examples=(("Anna sold her boat to Carl.", "Carl owns a boat."),),
    ),
)
