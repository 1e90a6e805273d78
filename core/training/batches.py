"""Text to batches: tokenized once, grouped by length, padded only to the longest of the batch.

Sentences of 5 and of 50 tokens in one batch waste nine tenths of the arithmetic on padding. So
the shuffled training set is cut into windows of many batches, each window is sorted by length,
and the batches are shuffled again: nearly no padding, still a random order.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
import torch
from torch import Tensor

from core.models.loading import tokenized
from core.tasks.task import Task
from core.training.spans import Windows, encode_windows, positions

WINDOW_BATCHES = 50


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Encoded:
    """A tokenized split: token numbers and token types per row, and the labels.

    A row is an example; labels (rows,) are class numbers (int64) or values (float32). Of a span
    task a row is a window; labels (rows, 2) are the tokens where the answer starts and ends, and
    `windows` says what the rows are windows of.
    """

    input_ids: list[list[int]]
    token_types: list[list[int]]
    labels: np.ndarray
    windows: Windows | None = None

    def __len__(self) -> int:
        return len(self.input_ids)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Batch:
    """input_ids, token_type_ids, attention_mask (batch, tokens); labels (batch,) or (batch, 2);
    examples (batch,), the numbers of the rows."""

    input_ids: Tensor
    token_type_ids: Tensor
    attention_mask: Tensor
    labels: Tensor
    examples: Tensor

    @property
    def inputs(self) -> dict[str, Tensor]:
        """What a model's forward takes."""
        return {
            "input_ids": self.input_ids,
            "token_type_ids": self.token_type_ids,
            "attention_mask": self.attention_mask,
        }


def encode(tokenizer, columns: list[list[str]], labels: np.ndarray, max_tokens: int) -> Encoded:
    """Tokenize one column of texts, or two (pairs), cut to `max_tokens`."""
    tokens = tokenized(
        tokenizer,
        *columns,
        truncation=True,
        max_length=max_tokens,
        padding=False,
        return_token_type_ids=True,  # BERT tells the texts of a pair apart by them
    )
    ids, types = tokens["input_ids"], tokens["token_type_ids"]
    return Encoded(input_ids=ids, token_types=types, labels=labels)


def encode_spans(
    tokenizer,
    columns: list[list[str]],
    answers: list[list[str]],
    starts: list[list[int]],
    max_tokens: int,
) -> Encoded:
    """Tokenize questions and passages into windows, with the accepted answers of each question."""
    ids, types, windows = encode_windows(tokenizer, columns[0], columns[1], max_tokens)
    windows = replace(windows, accepted=[tuple(texts) for texts in answers])
    return Encoded(
        input_ids=ids,
        token_types=types,
        labels=positions(windows, answers, starts),
        windows=windows,
    )


def encode_split(tokenizer, dataset, task: Task, max_tokens: int) -> Encoded:
    """Tokenize a split of a task."""
    columns = [list(dataset[column]) for column in task.texts]
    if task.kind == "span":
        given = list(dataset["answers"]), list(dataset["starts"])
        return encode_spans(tokenizer, columns, *given, max_tokens)
    kind = np.float32 if task.kind == "value" else np.int64
    return encode(tokenizer, columns, np.asarray(list(dataset["label"]), dtype=kind), max_tokens)


def collate(encoded: Encoded, examples: np.ndarray) -> Batch:
    """The batch of these examples, padded with token 0 to the longest of them."""
    longest = max(len(encoded.input_ids[i]) for i in examples)
    ids = torch.zeros(len(examples), longest, dtype=torch.long)
    types, mask = torch.zeros_like(ids), torch.zeros_like(ids)
    for row, example in enumerate(examples):
        tokens = encoded.input_ids[example]
        ids[row, : len(tokens)] = torch.tensor(tokens)
        types[row, : len(tokens)] = torch.tensor(encoded.token_types[example])
        mask[row, : len(tokens)] = 1
    return Batch(
        input_ids=ids,
        token_type_ids=types,
        attention_mask=mask,
        labels=torch.from_numpy(encoded.labels[examples]),
        examples=torch.from_numpy(np.asarray(examples)),
    )


def lengths(encoded: Encoded) -> np.ndarray:
    """Tokens per example."""
    return np.array([len(ids) for ids in encoded.input_ids])


def training_batches(
    encoded: Encoded, batch_size: int, seed: int, skip: int = 0
) -> Iterator[Batch]:
    """Endless batches, one shuffled epoch after the other; the same for the same seed. The first
    `skip` are left out."""
    for examples in islice(_drawn(encoded, batch_size, seed), skip, None):
        yield collate(encoded, examples)


def _drawn(encoded: Encoded, batch_size: int, seed: int) -> Iterator[np.ndarray]:
    """The numbers of the examples of each batch."""
    random = np.random.default_rng(seed)
    sizes = lengths(encoded)
    window = batch_size * WINDOW_BATCHES
    while True:
        order = random.permutation(len(encoded))
        groups: list[np.ndarray] = []
        for start in range(0, len(order), window):
            part = order[start : start + window]
            part = part[np.argsort(sizes[part], kind="stable")]
            groups += [part[i : i + batch_size] for i in range(0, len(part), batch_size)]
        for index in random.permutation(len(groups)):
            yield groups[index]


def evaluation_batches(encoded: Encoded, batch_size: int = 50) -> Iterator[Batch]:
    """Every example once, shortest first."""
    order = np.argsort(lengths(encoded), kind="stable")
    for start in range(0, len(order), batch_size):
        yield collate(encoded, order[start : start + batch_size])
