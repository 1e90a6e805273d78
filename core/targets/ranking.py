"""Which of these passages answers the query? An example is a query with its candidates.

A first stage (core/search.py) has found the candidates, best first; a model reads each of them with
the query, (query, candidate) pairs being its rows, and gives one number. Columns: "query",
"candidates", "relevant" (places among the candidates, from 0) and "missed" (how many relevant
passages are not among them). Logits (rows, 1); predictions (queries, most candidates), NaN where a
query has fewer; references (queries, most candidates + 1): relevance 1 or 0, then missed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from core.errors import InputError
from core.metrics import Metric
from core.targets.ranks import Candidates, gain, recall_first, reciprocal_rank
from core.targets.target import LOGITS, Answered, InWords, Saved, Target, soft_cross_entropy

if TYPE_CHECKING:
    from torch import Tensor

    from core.family import Encoded, Head, Reader, Trace

RELEVANT, QUERY = "relevant", "query"
NOT_A_CANDIDATE = -1e4  # the logit of padding: its probability is 0
MISSED = "(not among the candidates)"
WORDS = 8  # of a passage, as its name


# From a dataset to rows


def head(labels: tuple[str, ...]) -> "Head":
    """One number for a pair."""
    from core.family import Head

    return Head(outputs=("relevance",))


def encode(reader: "Reader", processor: Any, dataset: Any, task: Any, limit: int) -> "Encoded":
    """A row for each candidate of each query, those of a query side by side. Raises InputError for
    a query without candidates, or a relevant place where there is none."""
    queries, candidates = (list(dataset[column]) for column in task.texts)
    counts = np.array([len(each) for each in candidates], dtype=np.int64)
    if not counts.all():
        raise InputError(f"The query {queries[int(counts.argmin())]!r} has no candidates.")
    about = Candidates(
        query=np.repeat(np.arange(len(queries)), counts),
        place=np.concatenate([np.arange(int(count)) for count in counts]),
        queries=len(queries),
        most=int(counts.max()),
        missed=np.array(list(dataset["missed"]), dtype=np.float64),
    )
    relevance = np.zeros((about.queries, about.most), dtype=np.float32)
    for query, places in enumerate(dataset["relevant"]):
        if any(not 0 <= place < counts[query] for place in places):
            raise InputError(f"The query {queries[query]!r} has no candidate {max(places)}.")
        relevance[query, places] = 1.0
    pairs = [
        [queries[query] for query in about.query],
        [text for row in candidates for text in row],
    ]
    return replace(
        reader.encode(processor, pairs, limit),
        labels={RELEVANT: relevance[about.query, about.place], QUERY: about.query},
        groups=about.query,
        about=about,
    )


def encode_texts(
    reader: "Reader", processor: Any, columns: Sequence[list[str]], task: Any, longest: int
) -> "Encoded":
    """A row for each pair of a query and a passage, of the task's length."""
    return reader.encode(processor, columns, min(task.max_tokens, longest))


# Losses


def label_loss(answers: "Mapping[str, Trace]", labels: "Mapping[str, Tensor]") -> "Tensor":
    """Cross-entropy of the candidates of each query, the relevant ones being the classes; the mean
    over the queries that have one here."""
    import torch

    scores, relevant = _by_query(answers, labels), _relevance(labels)
    there = relevant.sum(dim=1)
    each = -(relevant * torch.log_softmax(scores, dim=1)).sum(dim=1) / there.clamp(min=1)
    return each.sum() / (there > 0).sum().clamp(min=1)


def teacher_loss(
    student: "Mapping[str, Trace]",
    teacher: "Mapping[str, Trace]",
    labels: "Mapping[str, Tensor]",
    temperature: float,
) -> "Tensor":
    """Cross-entropy against the teacher's probabilities of the candidates of each query."""
    return soft_cross_entropy(_by_query(student, labels), _by_query(teacher, labels), temperature)


def margin_loss(
    student: "Mapping[str, Trace]", teacher: "Mapping[str, Trace]", labels: "Mapping[str, Tensor]"
) -> "Tensor":
    """Margin-MSE (Hofstätter et al. 2020): by how much a relevant candidate is above one that is
    not, the student's against the teacher's; the mean over all such pairs of a query."""
    ours, theirs = _by_query(student, labels), _by_query(teacher, labels)
    relevant, real = _relevance(labels), ours > NOT_A_CANDIDATE
    pairs = (relevant[:, :, None] > 0) & (relevant[:, None, :] == 0) & real[:, None, :]
    apart = (ours - theirs)[:, :, None] - (ours - theirs)[:, None, :]
    return (apart.square() * pairs).sum() / pairs.sum().clamp(min=1)


def _by_query(answers: "Mapping[str, Trace]", labels: "Mapping[str, Tensor]") -> "Tensor":
    """The scores of a batch, (queries, most candidates); its rows stand by query."""
    return _padded(answers[LOGITS].value[:, 0], labels[QUERY], NOT_A_CANDIDATE)


def _relevance(labels: "Mapping[str, Tensor]") -> "Tensor":
    return _padded(labels[RELEVANT], labels[QUERY], 0.0)


def _padded(of_rows: "Tensor", query: "Tensor", padding: float) -> "Tensor":
    import torch
    from torch.nn.utils.rnn import pad_sequence

    # The library does not say what these two return.
    _, counts = cast(
        "tuple[Tensor, Tensor]",
        torch.unique_consecutive(query, return_counts=True),  # pyright: ignore[reportUnknownMemberType]
    )
    sizes = cast("list[int]", counts.tolist())  # pyright: ignore[reportUnknownMemberType]
    parts = torch.split(of_rows, sizes)
    return pad_sequence(list(parts), batch_first=True, padding_value=padding)


# Answers


def of_examples(table: np.ndarray, encoded: "Encoded") -> np.ndarray:
    """The scores of each query's candidates, (queries, most candidates)."""
    return encoded.about.table(table[:, 0])


def judged(predictions: np.ndarray, encoded: "Encoded", threshold: float) -> tuple[Any, Any]:
    """Scores, and what is relevant."""
    return predictions, kept_labels(encoded)


def kept_labels(encoded: "Encoded") -> np.ndarray:
    """Relevance and what the first stage missed, (queries, most candidates + 1)."""
    about = encoded.about
    return np.column_stack([about.table(encoded.labels[RELEVANT]), about.missed])


def truth(task: Any, row: Mapping[str, Any]) -> str:
    """The first words of the relevant passages."""
    named = [_named(row[task.texts[1]][place]) for place in row["relevant"]]
    return " | ".join(named) or MISSED


def answered(
    task: Any, encoded: "Encoded", logits: Mapping[int, np.ndarray], threshold: float
) -> Answered:
    """The score of one pair."""
    value = float(logits[0][0])
    return Answered(answer=f"{value:.2f}", value=value)


def in_words(task: Any, dataset: Any, saved: Saved) -> InWords:
    """The passage on top by its first words, and the rank that the relevant one has."""
    candidates, relevant = list(dataset[task.texts[1]]), list(dataset["relevant"])
    said: dict[str, list[str]] = {}
    goodness: dict[str, np.ndarray] = {}
    for who, scores in saved.items():
        orders = [np.argsort(-each, kind="stable")[: len(texts)].tolist()
                  for each, texts in zip(scores, candidates, strict=True)]  # fmt: skip
        ranks = [
            min((order.index(place) + 1 for place in places), default=0)
            for order, places in zip(orders, relevant, strict=True)
        ]
        said[who] = [
            _named(texts[order[0]]) + (f" (the right one on rank {rank})" if rank > 1 else "")
            for texts, order, rank in zip(candidates, orders, ranks, strict=True)
        ]
        goodness[who] = np.array([1 / rank if rank else 0.0 for rank in ranks])
    return InWords(truth=[truth(task, row) for row in dataset], said=said, goodness=goodness)


def _named(passage: str) -> str:
    words = passage.split()
    return " ".join(words[:WORDS]) + (" ..." if len(words) > WORDS else "")


def agreement(teacher: np.ndarray, other: np.ndarray) -> float:
    """The share of queries with the same candidate on top."""
    return float((np.nanargmax(teacher, axis=1) == np.nanargmax(other, axis=1)).mean())


TARGET = Target(
    name="ranking",
    words="a ranking",
    metrics=(
        Metric(name="mrr-10", title="MRR@10", of_example=reciprocal_rank),
        Metric(name="ndcg-10", title="nDCG@10", of_example=gain),
        Metric(name="recall-1", title="recall at 1", of_example=recall_first),
    ),
    pipeline_tag="text-ranking",
    head=head,
    encode=encode,
    encode_texts=encode_texts,
    label_loss=label_loss,
    teacher_loss=teacher_loss,
    of_examples=of_examples,
    judged=judged,
    kept_labels=kept_labels,
    truth=truth,
    answered=answered,
    in_words=in_words,
    agreement=agreement,
    more_losses={"margins": margin_loss},
    group=0,
    can_replace_words=False,
)
