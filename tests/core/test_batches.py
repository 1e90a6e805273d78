"""Batches: every example once an epoch, the same for a seed, hardly any padding; order restored."""

from collections import Counter
from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
import torch
from torch import nn
from transformers.modeling_outputs import SequenceClassifierOutput

from core.families.registry import find_family
from core.family import Encoded
from core.targets import find_target
from core.tasks.registry import find_task
from core.training.batches import WINDOW_BATCHES, evaluation_batches, training_batches
from core.training.evaluate import predictions_of
from core.training.task_data import TaskData
from tests.conftest import tiny_tokenizer

BERT = find_family("bert")
IDS, TYPES, MASK = "input_ids", "token_type_ids", "attention_mask"


def encoded_of(count: int, seed: int = 0) -> Encoded:
    """Examples of 3 to 40 tokens; the second token of an example is its number plus 10."""
    draw = np.random.default_rng(seed)
    ids = [[2, 10 + i, *draw.integers(5, 9, draw.integers(1, 39)).tolist()] for i in range(count)]
    types = [[0] * len(tokens) for tokens in ids]
    return Encoded(
        inputs={IDS: ids, TYPES: types},
        units=np.array([len(tokens) for tokens in ids]),
        labels={"class": np.arange(count) % 2},
    )


def epoch(encoded: Encoded, batch_size: int, seed: int = 0):
    count = -(-len(encoded) // batch_size)
    return list(islice(training_batches(BERT, encoded, batch_size, seed), count))


@pytest.mark.parametrize("count", [1, 7, 8, 9, 100, 8 * WINDOW_BATCHES + 3])
def test_every_example_is_seen_once_an_epoch(count):
    encoded = encoded_of(count)
    batches = list(islice(training_batches(BERT, encoded, 8, seed=0), 2 * (-(-count // 8))))
    half = len(batches) // 2
    for part in (batches[:half], batches[half:]):
        seen = Counter(int(example) for batch in part for example in batch.examples)
        assert seen == Counter(range(count))
    assert max(len(batch.examples) for batch in batches) <= 8


def test_the_same_seed_gives_the_same_batches_and_another_gives_others():
    encoded = encoded_of(100)
    one, same, other = epoch(encoded, 8), epoch(encoded, 8), epoch(encoded, 8, seed=1)
    for left, right in zip(one, same, strict=True):
        assert torch.equal(left.examples, right.examples)
        assert torch.equal(left.inputs[IDS], right.inputs[IDS])
    assert any(
        left.examples.tolist() != right.examples.tolist()
        for left, right in zip(one, other, strict=True)
    )


def test_two_epochs_come_in_different_order():
    encoded = encoded_of(64)
    batches = list(islice(training_batches(BERT, encoded, 8, seed=0), 16))
    assert [b.examples.tolist() for b in batches[:8]] != [b.examples.tolist() for b in batches[8:]]


def test_a_batch_is_padded_only_to_its_longest_example():
    encoded = encoded_of(50)
    sizes = encoded.units
    for batch in [*epoch(encoded, 8), *evaluation_batches(BERT, encoded)]:
        rows = batch.examples.numpy()
        ids, mask = batch.inputs[IDS], batch.inputs[MASK]
        assert ids.shape == (len(rows), sizes[rows].max())
        assert mask.sum(dim=1).tolist() == batch.units.tolist() == sizes[rows].tolist()
        assert (ids[mask == 0] == 0).all()
        assert ids[:, 1].tolist() == (rows + 10).tolist()
        assert batch.labels["class"].tolist() == encoded.labels["class"][rows].tolist()


def test_grouping_by_length_leaves_little_padding():
    encoded = encoded_of(800)
    masks = [batch.inputs[MASK] for batch in epoch(encoded, 16)]
    grouped = sum(int(mask.sum()) for mask in masks) / sum(mask.numel() for mask in masks)
    assert grouped > 0.95
    rows = np.split(np.arange(800), 50)
    masks = [BERT.collate(encoded, part).inputs[MASK] for part in rows]
    assert sum(int(mask.sum()) for mask in masks) / sum(mask.numel() for mask in masks) < 0.6


def test_short_and_long_batches_come_in_random_order():
    encoded = encoded_of(800)
    means = [encoded.units[batch.examples.numpy()].mean() for batch in epoch(encoded, 16)]
    assert means != sorted(means)


@pytest.mark.parametrize("inputs", [["input_ids"], ["input_ids", "token_type_ids"]])
def test_texts_are_cut_to_the_limit_and_pairs_have_two_types(inputs):
    long, short = "the film was good " * 20, "a bad plot"
    tokenizer = tiny_tokenizer()
    tokenizer.model_input_names = inputs  # whatever its config lists
    encoded = BERT.encode(tokenizer, [[long, short], [short, short]], 12)
    assert encoded.units.tolist() == [12, 9] == [len(ids) for ids in encoded.inputs[IDS]]
    assert encoded.inputs[TYPES][1] == [0] * 5 + [1] * 4
    assert len(encoded) == 2
    single = BERT.encode(tokenizer, [[long, short]], 12)
    assert single.units.tolist() == [12, 5]
    assert single.inputs[IDS][1][0] == 2
    assert single.inputs[IDS][1][-1] == 3


class Echo(nn.Module):
    """A model whose logits are the example's number and its length: padding must not matter."""

    def forward(self, input_ids, token_type_ids, attention_mask, **options):
        rows = torch.stack([input_ids[:, 1] - 10, attention_mask.sum(dim=1)], dim=1)
        return SequenceClassifierOutput(logits=rows.double())


def test_logits_come_back_in_the_order_of_the_split():
    encoded = encoded_of(120)
    model, kept = Echo().train(), []
    task = find_task("movie-sentiment")
    data = TaskData(
        task=task,
        target=find_target(task.kind),
        family=BERT,
        train=encoded,
        dev=encoded,
        test=encoded,
        revision="",
    )

    def score():
        kept.append((yield from predictions_of(model, data, encoded, "Scoring")))

    progress = list(score())
    logits = kept[0]
    assert logits.dtype == np.float32
    assert logits[:, 0].tolist() == list(range(120))
    assert logits[:, 1].tolist() == encoded.units.tolist()
    assert [(event.done, event.total) for event in progress] == [(50, 120), (100, 120), (120, 120)]
    assert not model.training


# Groups


def grouped(sizes: list[int], seed: int = 0) -> Encoded:
    """Groups of so many rows, side by side."""
    encoded = encoded_of(sum(sizes), seed)
    return replace(encoded, groups=np.repeat(np.arange(len(sizes)) * 3 + 1, sizes))


@pytest.mark.parametrize("batch_size", [1, 7, 8, 100])
def test_rows_of_a_group_come_together_and_each_once_an_epoch(batch_size):
    sizes = [1, 4, 2, 3, 4, 4, 1, 2]
    encoded = grouped(sizes)
    a_batch = max(1, batch_size // 4)  # of groups: as many as fit when all are of the longest
    count = -(-len(sizes) // a_batch)
    batches = list(islice(training_batches(BERT, encoded, batch_size, seed=0), 2 * count))
    for part in (batches[:count], batches[count:]):
        assert sorted(int(row) for b in part for row in b.examples) == list(range(sum(sizes)))
    for batch in batches:
        groups = encoded.groups[batch.examples.numpy()]
        for group in set(groups):
            rows = batch.examples[groups == group].tolist()
            assert rows == np.flatnonzero(encoded.groups == group).tolist()
        assert len(batch.examples) <= max(batch_size, 4)


def test_groups_of_one_row_are_drawn_as_rows_without_groups():
    encoded = encoded_of(60)
    alone = replace(encoded, groups=np.arange(60))
    for left, right in zip(epoch(encoded, 8), epoch(alone, 8), strict=True):
        assert torch.equal(left.examples, right.examples)
