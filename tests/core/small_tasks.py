"""A few examples of every target: a task, its rows, and the predictions that are right throughout.

Whoever adds a target adds its sample here; the contract tests then hold it to what all have.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from datasets import Dataset

from core.tasks.registry import find_task
from core.tasks.task import Task
from tests.conftest import RANKING, made_up_rankings, made_up_rows
from tests.core.hub_files import SQUAD_V2, glue_rows, squad_rows


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A task and some of its examples.

    perfect   its dataset -> the best of all predictions; all predictions have its `shape`
    texts     its dataset -> what a model reads, where that is not the columns of texts
    """

    task: Task
    shape: tuple[int, ...]
    rows: list[dict[str, Any]]
    perfect: Callable[[Dataset], np.ndarray]
    texts: Callable[[Dataset], list[list[str]]] | None = None

    @property
    def dataset(self) -> Dataset:
        return Dataset.from_list(self.rows)

    def columns(self, dataset: Dataset) -> list[list[str]]:
        """The texts of a dataset, a list for each text of a row."""
        if self.texts is not None:
            return self.texts(dataset)
        return [list(dataset[name]) for name in self.task.texts]


def values() -> list[dict]:
    rows = glue_rows("stsb", "validation", 24)
    return [{name: row[name] for name in ("sentence1", "sentence2", "label")} for row in rows]


def questions() -> list[dict]:
    """Some passages are longer than the tests' models read, some questions have no answer."""
    return [
        {
            "question": row["question"],
            "context": row["context"],
            "answers": row["answers"]["text"],
            "starts": row["answers"]["answer_start"],
        }
        for row in squad_rows(SQUAD_V2, "validation", 24)
    ]


def right_spans(dataset: Dataset) -> np.ndarray:
    """(questions, 4) as `Answers`: sure of the answer where there is one, else of none."""
    table = np.zeros((len(dataset), 4))
    for number, (answers, starts) in enumerate(
        zip(dataset["answers"], dataset["starts"], strict=True)
    ):
        if answers:
            table[number] = starts[0], starts[0] + len(answers[0]), 5.0, -5.0
        else:
            table[number] = 0, 1, -5.0, 5.0
    return table


def queries() -> list[dict]:
    """Every third query has a candidate less, every second one a longer one."""
    rows = made_up_rankings(24, 0)
    for row in rows[::3]:
        del row["candidates"][3 if row["relevant"] != [3] else 0]
        row["relevant"] = [min(row["relevant"][0], 2)]
    for row in rows[::2]:
        row["candidates"][1] += " and a story"
    return rows


def right_scores(dataset: Dataset) -> np.ndarray:
    """(queries, 4): 1 for what is relevant, 0 for what is not, NaN where there is no candidate."""
    table = np.full((len(dataset), 4), np.nan)
    for number, row in enumerate(dataset):
        table[number, : len(row["candidates"])] = 0.0
        table[number, row["relevant"]] = 1.0
    return table


def pairs(dataset: Dataset) -> list[list[str]]:
    """Each query with each of its candidates."""
    both = [(row["query"], text) for row in dataset for text in row["candidates"]]
    return [list(column) for column in zip(*both, strict=True)]


SAMPLES = {
    "classes": Sample(
        task=find_task("movie-sentiment"),
        shape=(24, 2),
        rows=made_up_rows(24, 0),
        perfect=lambda dataset: np.eye(2)[list(dataset["label"])],
    ),
    "value": Sample(
        task=find_task("stsb"),
        shape=(24, 1),
        rows=values(),
        perfect=lambda dataset: np.array(dataset["label"], dtype=float)[:, None],
    ),
    "span": Sample(
        task=find_task("squad-v2"), shape=(24, 4), rows=questions(), perfect=right_spans
    ),
    "ranking": Sample(
        task=find_task(RANKING),
        shape=(24, 4),
        rows=queries(),
        perfect=right_scores,
        texts=pairs,
    ),
}
